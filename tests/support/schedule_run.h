/* Runs a function of a lowered program with nest_run.c, kernel by kernel. */
#ifndef INGOT_TESTS_SCHEDULE_RUN_H
#define INGOT_TESTS_SCHEDULE_RUN_H

#include "ir/nest.h"

/* inputs, results: dense arrays in the order of the function; states: a block of state_bytes laid
 * out as the module says, with the prepared block behind it. Members run one after another, so
 * `members` only decides how parallel loops are cut up. False and an error when a kernel does what
 * it must not. */
bool schedule_run(const Schedule *schedule, Diag *diag, void *const *inputs, void *states,
                  int64_t state_bytes, void *const *results, int members);

#endif
