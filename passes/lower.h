/* From the tensor level to the loop level: a program of graphs into a module of scheduled kernels.
 */
#ifndef INGOT_PASSES_LOWER_H
#define INGOT_PASSES_LOWER_H

#include "ir/nest.h"
#include "passes/passes.h"

/* Fills `module`. The program must be free of composites (passes/expand.c). Kernels come out tiled,
 * vectorised and shared out for `target`, memory planned. False, with errors in `diag`, when the
 * model is too large to lay out. */
bool lower_program(Program *program, const Target *target, Arena *arena, Diag *diag,
                   Module *module);

/* The same, watched: print_after, stop_after and time_passes may name passes of the loop level
 * (passes/schedule_kernel.c). What is stopped before `plan` can be printed, not run. */
bool lower_program_with(Program *program, const Target *target, const PipelineOptions *options,
                        Arena *arena, Diag *diag, Module *module);

#endif
