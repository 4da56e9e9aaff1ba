/* Linked into standalone programs that get their threads from OpenMP; a library leaves its host's
 * OpenMP as it is.
 *
 * Between two calls of the model, OpenMP's threads wait for the next one. GCC's library lets them
 * spin for milliseconds, which ruins a machine that has anything else to do: with one of two
 * processors taken, a call of 5 microseconds took 8,000. A thousand looks are enough to bridge the
 * gap between two training steps. The library reads this once, in its own constructor, which runs
 * after this one because it is linked into the program; a user who has set either variable knows
 * better. */
#include "runtime/system.h"

#include <stdlib.h>

__attribute__((constructor(101))) static void calm_openmp(void)
{
    if (!getenv("OMP_WAIT_POLICY"))
        setenv("GOMP_SPINCOUNT", "1000", 0);
}
