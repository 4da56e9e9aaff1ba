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

#include <string.h>

/* Waking the team and meeting at a barrier cost a few microseconds; this much work takes ten or
 * more. */
enum { WORTH_SHARING = 1 << 16, ITERATIONS_ENOUGH = 32 };

static int64_t iterations(const Stmt *loop)
{
    return (loop->end - loop->begin + loop->step - 1) / loop->step;
}

static bool is_serial_loop(const Stmt *s)
{
    return s && s->kind == STMT_LOOP && s->loop == LOOP_SERIAL;
}

/* One loop whose last iterations are written out for themselves: a block of full size, and what is
 * left. */
static bool is_loop_in_parts(const Stmt *list)
{
    for (const Stmt *s = list; s; s = s->next)
        if (!is_serial_loop(s) || strcmp(s->var->name, list->var->name) != 0 ||
            (s->next && s->next->begin != s->end))
            return false;
    return list != NULL;
}

/* Until there are iterations enough, a loop around parts becomes one around each of them: only
 * loops directly inside of one another are shared out together.
 *
 *     for i = 0..3 { for j = 0..504 step 24 { A } for j = 504..512 step 8 { B } }
 *     for i = 0..3 { for j = 0..504 step 24 { A } } for i = 0..3 { for j = 504..512 step 8 { B } }
 */
static Stmt *distribute(Arena *arena, Stmt *loop, int64_t total)
{
    total *= iterations(loop);
    loop->next = NULL;
    if (total >= ITERATIONS_ENOUGH || !is_loop_in_parts(loop->body))
        return loop;
    Stmt *parts = NULL, *all = NULL;
    for (Stmt *s = loop->body, *next; s; s = next) {
        next = s->next;
        parts = stmt_append(parts, distribute(arena, s, total));
    }
    for (Stmt *s = parts, *next; s; s = next) {
        next = s->next;
        s->next = NULL;
        Stmt *around = ARENA_NEW(arena, Stmt);
        *around = *loop;
        around->body = s;
        all = stmt_append(all, around);
    }
    return all;
}

static void share(Stmt *loop)
{
    int64_t total = 1;
    while (is_serial_loop(loop) && total < ITERATIONS_ENOUGH) {
        loop->loop = LOOP_PARALLEL;
        total *= iterations(loop);
        loop = loop->body && !loop->body->next ? loop->body : NULL;
    }
}

void share_loops(Arena *arena, Kernel *kernel)
{
    if (kernel->ordered || kernel->multiply_adds / 8 + kernel->element_steps < WORTH_SHARING)
        return;
    for (const Stmt *s = kernel->body; s; s = s->next)
        if (!is_serial_loop(s))
            return;
    Stmt *all = NULL;
    for (Stmt *s = kernel->body, *next; s; s = next) {
        next = s->next;
        all = stmt_append(all, distribute(arena, s, 1));
    }
    kernel->body = all;
    for (Stmt *s = kernel->body; s; s = s->next)
        share(s);
    kernel->parallel = kernel->body != NULL;
}
