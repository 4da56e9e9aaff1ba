/* Runs one function of a lowered program, kernel by kernel, with the interpreter of nest_run.h. */
#ifndef INGOT_TESTS_MODULE_RUN_H
#define INGOT_TESTS_MODULE_RUN_H

#include "ir/nest.h"

/* inputs and results: dense arrays in the order of the function. states: dense arrays by
 * State.index, replaced by the updates. The arena is filled with NaN first, and each kernel is run
 * by `members` members. */
bool module_run(Arena *arena, Diag *diag, const Module *module, int function, void *const *inputs,
                void *const *states, void *const *results, int members);

#endif
