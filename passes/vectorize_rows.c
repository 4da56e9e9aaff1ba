/* Sums along rows that wait for each other: several rows at a time, so that the processor has work
 * meanwhile.
 *
 *     for i = 0..100 {                           for i = 0..100 step 4 {
 *       local %acc: f32[1]                         local %acc: f32[4]
 *       %acc[0] = 0                                unroll r = 0..4 { %acc[r] = 0 }
 *       for s = 0..50 {                            for s = 0..50 {
 *         %acc[0] += %x[50*i + s]                    unroll r = 0..4 {
 *         %y[50*i + s] = %acc[0]                       %acc[r] += %x[50*i + s + 50*r]
 *       }                                              %y[50*i + s + 50*r] = %acc[r]
 *     }                                              }
 *                                                  }
 *                                                }
 *
 * An addition takes four times as long as it takes to begin the next one. */
#include "passes/rewrite.h"
#include "passes/vectorize.h"

enum { ROWS = 4 };

typedef struct Look {
    int loops;
    bool stores, carries; /* in the loop: to memory, to registers */
    bool simple;          /* no other loops, and no scratch, which rows would share */
} Look;

static void look_at_load(void *argument, const Expr *load)
{
    Look *look = argument;
    if (load->buffer && load->buffer->kind == BUFFER_SCRATCH)
        look->simple = false;
}

static void look_at(const Stmt *s, bool inside, Look *look)
{
    for (; s; s = s->next) {
        bool loop = s->kind == STMT_LOOP;
        bool fits = s->kind == STMT_STORE || s->kind == STMT_LET ||
                    (s->kind == STMT_LOCAL && s->buffer->count == 1 && !inside) ||
                    (loop && !inside && is_plain_loop(s));
        look->simple = look->simple && fits;
        look->loops += loop;
        if (s->kind == STMT_STORE && s->buffer->kind != BUFFER_LOCAL) {
            look->stores = look->stores || inside;
            look->simple = look->simple && s->buffer->kind == BUFFER_ARGUMENT;
        } else if (s->kind == STMT_STORE) {
            look->carries = look->carries || inside;
        }
        visit_loads(s->value, look_at_load, look);
        visit_loads(s->dynamic, look_at_load, look);
        if (loop)
            look_at(s->body, true, look);
    }
}

/* Each local gets an element for each row. */
static Stmt *widen_locals(Arena *arena, Stmt *body, Affine row)
{
    for (const Stmt *s = body; s; s = s->next) {
        if (s->kind != STMT_LOCAL || s->buffer->count != 1)
            continue;
        Replace replace = {.local = s->buffer, .local_offset = row};
        replace.local_by = nest_local(arena, s->buffer->name, s->buffer->element, ROWS);
        return widen_locals(arena, rewrite_stmts(arena, body, &replace), row);
    }
    return body;
}

/* `unroll r` around each run of stores and lets. */
static Stmt *for_all_rows(Arena *arena, Stmt *list, const Var *row)
{
    Stmt *result = NULL, *run = NULL;
    for (Stmt *s = list, *next; list; s = next) {
        next = s ? s->next : NULL;
        if (s)
            s->next = NULL;
        if (s && s->kind != STMT_LOOP && s->kind != STMT_LOCAL) {
            run = stmt_append(run, s);
            continue;
        }
        if (run)
            result = stmt_append(result, stmt_loop(arena, LOOP_UNROLL, row, 0, ROWS, 1, run));
        run = NULL;
        if (!s)
            return result;
        if (s->kind == STMT_LOOP)
            s->body = for_all_rows(arena, s->body, row);
        result = stmt_append(result, s);
    }
    return result;
}

Stmt *vectorize_rows(Arena *arena, Kernel *kernel, Stmt *loop)
{
    Look look = {.simple = true};
    if (!is_plain_loop(loop) || loop->end < ROWS || kernel->ordered)
        return NULL;
    look_at(loop->body, false, &look);
    if (!look.simple || look.loops != 1 || !look.stores || !look.carries)
        return NULL;
    const Var *row = kernel_var(arena, kernel, "r");
    Affine r = affine_var(arena, row, 1);
    Replace replace = {0};
    replace_var(&replace, loop->var, affine_add(arena, affine_var(arena, loop->var, 1), r));
    Stmt *body = rewrite_stmts(arena, loop->body, &replace);
    body = for_all_rows(arena, widen_locals(arena, body, r), row);
    int64_t done = loop->end / ROWS * ROWS;
    Stmt *all = stmt_loop(arena, LOOP_SERIAL, loop->var, 0, done, ROWS, body);
    if (done < loop->end)
        all = stmt_append(all,
                          stmt_loop(arena, LOOP_SERIAL, loop->var, done, loop->end, 1, loop->body));
    return all;
}
