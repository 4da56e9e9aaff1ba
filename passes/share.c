/* Shares the outermost loops of a kernel out among the team.
 *
 *     for i = 0..64 step 6 { for j = 0..32 { … } }      parallel i = 0..64 step 6 { parallel j =
 * 0..32 { … } }
 *
 * Only when there is enough work to pay for meeting at a barrier; the decision looks at the shape
 * alone, never at the number of threads. Iterations of an outermost loop write disjoint places by
 * construction (kernels where they do not are marked `ordered`), and every output element is
 * computed by one member in one fixed order: results are the same bits at any number of threads. */
#include "passes/schedule_kernel.h"

/* Waking the team and meeting at a barrier cost a few microseconds; this much work takes ten or
 * more. */
enum { WORTH_SHARING = 1 << 16, ITERATIONS_ENOUGH = 32 };

static int64_t iterations(const Stmt *loop)
{
    return (loop->end - loop->begin + loop->step - 1) / loop->step;
}

static void share(Stmt *loop)
{
    int64_t total = 1;
    while (loop && loop->kind == STMT_LOOP && loop->loop == LOOP_SERIAL &&
           total < ITERATIONS_ENOUGH) {
        loop->loop = LOOP_PARALLEL;
        total *= iterations(loop);
        loop = loop->body && !loop->body->next ? loop->body : NULL;
    }
}

void share_loops(Kernel *kernel)
{
    if (kernel->ordered || kernel->multiply_adds / 8 + kernel->element_steps < WORTH_SHARING)
        return;
    for (const Stmt *s = kernel->body; s; s = s->next)
        if (s->kind != STMT_LOOP || s->loop != LOOP_SERIAL)
            return;
    for (Stmt *s = kernel->body; s; s = s->next)
        share(s);
    kernel->parallel = kernel->body != NULL;
}
