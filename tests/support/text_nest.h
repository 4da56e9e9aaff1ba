/* Cases of tests/text_runner.c whose output is not a graph: kernels through passes of the loop
 * level, and graphs that are fused or lowered. */
#ifndef INGOT_TESTS_TEXT_NEST_H
#define INGOT_TESTS_TEXT_NEST_H

#include "ir/nest.h"

/* The target of a case by the name of its processor; NULL is x86-64-v3. */
bool text_target(Diag *diag, const char *cpu, Target *target);

/* Kernels through `run`, pass by pass: each is verified, read back, and compared with what went in.
 * What comes out as text; NULL when `diag` has got an error. */
const char *text_run_kernels(Arena *arena, Diag *diag, const Target *target, const char *input,
                             const char *run);

/* The groups of each function. */
const char *text_fuse(Arena *arena, const Program *program);

/* Kernels and calls, the kernels as they are after the pass `last` ("lower": as plain loops). Runs
 * them and compares with the evaluator. NULL when `diag` has got an error. */
const char *text_lower(Arena *arena, Diag *diag, const Target *target, Program *program,
                       const char *last);

#endif
