/* Runs a function of a lowered program with nest_run.c, kernel by kernel. */
#ifndef INGOT_TESTS_SCHEDULE_RUN_H
#define INGOT_TESTS_SCHEDULE_RUN_H

#include "ir/nest.h"

/* What runs the kernels: false and an error in `diag` when one does what it must not. */
typedef struct KernelRunner {
    bool (*run)(void *context, Diag *diag, const Kernel *kernel, void *const *arguments,
                int members);
    void *context;
} KernelRunner;

extern const KernelRunner plain_runner; /* nest_run.c */

/* inputs, results: dense arrays in the order of the function; states: a block of state_bytes laid
 * out as the module says, with the prepared block behind it. Members run one after another, so
 * `members` only decides how parallel loops are cut up. False and an error when a kernel does what
 * it must not. */
bool schedule_run(const Schedule *schedule, Diag *diag, void *const *inputs, void *states,
                  int64_t state_bytes, void *const *results, int members);

/* The same, with kernels run in another way than plainly. */
bool schedule_run_with(const KernelRunner *runner, const Schedule *schedule, Diag *diag,
                       void *const *inputs, void *states, int64_t state_bytes, void *const *results,
                       int members);

#endif
