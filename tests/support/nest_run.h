/* Runs kernels of the loop level as nest.h says, without LLVM: what passes on nests and generated
 * code are compared with. Slow; watches what it does. */
#ifndef INGOT_TESTS_NEST_RUN_H
#define INGOT_TESTS_NEST_RUN_H

#include "ir/nest.h"

/* What `member` of `members` does in one call. arguments[i] is a dense array of the elements of
 * kernel->arguments[i]. False and one error when it reads or stores outside of a buffer, reads a
 * local or scratch element that nothing stored, or when two parallel iterations that may run on
 * different members meet at one element and one of them stores there. (To see all iterations of a
 * kernel so, run it with one member.) */
bool nest_run(const Kernel *kernel, Diag *diag, void *const *arguments, int member, int members);

/* All members, one after another. */
bool nest_run_team(const Kernel *kernel, Diag *diag, void *const *arguments, int members);

#endif
