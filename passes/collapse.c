/* Nested loops over what is contiguous become one loop.
 *
 *     for i = 0..56 { for j = 0..64 { %y[64*i + j] = neg(%x[64*i + j]) } }
 *     for j = 0..3584 { %y[j] = neg(%x[j]) }
 *
 * Legal when every offset inside advances by one step of the outer loop just as by all steps of the
 * inner one; then i and j occur only as extent·i + j. Fewer and longer loops: less to count, fewer
 * remainders. */
#include "passes/rewrite.h"
#include "passes/schedule_kernel.h"

typedef struct Pair {
    const Var *outer, *inner;
    int64_t extent; /* of the inner loop */
    bool contiguous;
} Pair;

static void check(void *argument, Affine affine)
{
    Pair *pair = argument;
    if (affine_factor(affine, pair->outer) != pair->extent * affine_factor(affine, pair->inner))
        pair->contiguous = false;
}

static Stmt *collapse(Arena *arena, Stmt *list)
{
    for (Stmt *s = list; s; s = s->next) {
        if (s->kind != STMT_LOOP)
            continue;
        s->body = collapse(arena, s->body);
        Stmt *inner = s->body;
        if (!is_plain_loop(s) || !inner || inner->next || !is_plain_loop(inner))
            continue;
        Pair pair = {s->var, inner->var, inner->end, true};
        visit_affines(inner->body, check, &pair);
        if (!pair.contiguous)
            continue;
        Replace replace = {0};
        replace_var(&replace, s->var,
                    affine_number(0)); /* the inner variable now runs through both */
        s->body = rewrite_stmts(arena, inner->body, &replace);
        s->var = inner->var;
        s->end *= inner->end;
    }
    return list;
}

void collapse_loops(Arena *arena, Kernel *kernel)
{
    kernel->body = collapse(arena, kernel->body);
}
