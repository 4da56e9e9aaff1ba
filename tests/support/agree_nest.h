/* Do kernels compute what they were made of computes? Asked after passes of the loop level and
 * after lowering, on random data, of the interpreter of nest_run.h. */
#ifndef INGOT_TESTS_AGREE_NEST_H
#define INGOT_TESTS_AGREE_NEST_H

#include "passes/schedule_kernel.h"
#include "tests/support/schedule_run.h"

/* One call of `before` against the pieces it became; exact: to the last bit, else but for the order
 * of sums. An error in `diag` for the first difference, and for whatever nest_run() refuses. A call
 * of more than a quarter of a million steps would take minutes, and is not tried. */
bool pieces_agree(Diag *diag, const Kernel *before, const Pieces *after, bool exact);

/* Each function of the program as the evaluator sees it against its schedule, states included. */
bool module_agrees(Diag *diag, const Program *program, const Module *module);

/* The same of kernels run in another way: as machine code, say. `members` as for schedule_run(). */
bool module_agrees_with(const KernelRunner *runner, int members, Diag *diag, const Program *program,
                        const Module *module);

#endif
