/* The sums of a register block: the reduced loops, and how they read A.
 *
 * Plainly, each step of the innermost one broadcasts an element of A for each row. A processor that
 * multiplies by one lane of a register gets vectors of them instead, one load for four elements:
 *
 *     for k = 0..256 step 4 {                                         along the depth
 *       local %a: f32[24]
 *       unroll r = 0..6 { vector v = 0..4 { %a[4*r + v] = %x[256*i + k + 256*r + v] } }
 *       unroll s = 0..4 { unroll r = 0..6 { … %acc[…] += mul(%a[4*r + s], %w[… 16*k + 16*s …]) … }
 * }
 *     }
 *
 *     for k = 0..256 {                                                along the rows
 *       local %a: f32[8]
 *       unroll r = 0..8 step 4 { vector v = 0..4 { %a[r + v] = %x[i + 64*k + r + v] } }
 *       unroll r = 0..8 { … %acc[…] += mul(%a[r], %w[…]) … }
 *     }
 *
 * Every sum is added up in the same order either way. */
#include "passes/rewrite.h"
#include "passes/tile.h"

/* Every sum of the block gets a product more: mul(a, b). */
static Stmt *step(const Contraction *c, const Block *b, const Stmt *add, Expr *left, Expr *right)
{
    Arena *arena = c->arena;
    Expr *product = expr_apply(arena, OP_mul, c->element, 2, (Expr *[]){left, right});
    return tile_each_vector(c, b, !c->packed,
                            stmt_store(arena, STORE_ADD, add->buffer, add->offset, product));
}

static Affine plus(Arena *arena, const Var *a, const Var *b)
{
    return affine_add(arena, affine_var(arena, a, 1), affine_var(arena, b, 1));
}

/* Where a row's elements lie in a local that holds `elements` of each. */
static Affine row_offset(const Contraction *c, const Block *b, int64_t elements)
{
    Affine row = affine_var(c->arena, b->r, elements);
    if (c->line < 0)
        return row;
    return affine_add(c->arena, affine_var(c->arena, b->l, b->rows * elements), row);
}

/* local %a; unroll r step `every` { vector v = 0..lanes { %a[place + v] = value } } */
static Stmt *load_factors(const Contraction *c, const Block *b, Buffer *a, int64_t every,
                          Affine place, Expr *value)
{
    Arena *arena = c->arena;
    place = affine_add(arena, place, affine_var(arena, b->v, 1));
    Stmt *body =
        stmt_vector(arena, b->v, c->lanes, c->lanes, stmt_store(arena, STORE_SET, a, place, value));
    body = stmt_loop(arena, LOOP_UNROLL, b->r, 0, b->rows, every, body);
    if (c->line >= 0)
        body = stmt_loop(arena, LOOP_UNROLL, b->l, 0, b->lines, 1, body);
    return stmt_append(stmt_local(arena, a), body);
}

static Stmt *sum_along_rows(const Contraction *c, const Block *b, const Stmt *add)
{
    Arena *arena = c->arena;
    Buffer *a = nest_local(arena, "a", c->element, (int64_t)b->rows * b->lines);
    Affine place = row_offset(c, b, 1);
    Replace lanes = {0};
    replace_var(&lanes, b->r, plus(arena, b->r, b->v));
    Expr *left = rewrite_expr(arena, add->value->in[0], &lanes);
    Stmt *body = load_factors(c, b, a, c->lanes, place, left);
    stmt_append(body, step(c, b, add, expr_load(arena, a, place), add->value->in[1]));
    return tile_reduced_loops(c, c->reduced_count, body);
}

/* Steps that fill no vector are done one by one. */
static Stmt *sum_along_depth(Contraction *c, const Block *b, const Stmt *add)
{
    Arena *arena = c->arena;
    const Axis *k = &c->reduced[c->reduced_count - 1];
    int64_t full = k->extent / c->lanes * c->lanes;
    const Var *s = kernel_var(arena, c->kernel, "s");
    Buffer *a = nest_local(arena, "a", c->element, (int64_t)b->rows * b->lines * c->lanes);
    Affine place = row_offset(c, b, c->lanes);
    Replace lanes = {0}, later = {0};
    replace_var(&lanes, k->var, plus(arena, k->var, b->v));
    replace_var(&later, k->var, plus(arena, k->var, s));
    Stmt *body = load_factors(c, b, a, 1, place, rewrite_expr(arena, add->value->in[0], &lanes));
    Expr *left = expr_load(arena, a, affine_add(arena, place, affine_var(arena, s, 1)));
    Expr *right = rewrite_expr(arena, add->value->in[1], &later);
    stmt_append(body,
                stmt_loop(arena, LOOP_UNROLL, s, 0, c->lanes, 1, step(c, b, add, left, right)));
    Stmt *all = stmt_loop(arena, LOOP_SERIAL, k->var, 0, full, c->lanes, body);
    if (full < k->extent)
        stmt_append(all, stmt_loop(arena, LOOP_SERIAL, k->var, full, k->extent, 1,
                                   step(c, b, add, add->value->in[0], add->value->in[1])));
    return tile_reduced_loops(c, c->reduced_count - 1, all);
}

/* Asks for the next panel while this one is used: each of the panel's blocks goes through its own
 * part of it, `ahead_step` elements further with each step, `steps` at once. What reaches beyond
 * the last panel is only asked for. */
static Stmt *fetch_panel(const Contraction *c, const Block *b, int64_t steps)
{
    Arena *arena = c->arena;
    if (!b->ahead_step)
        return NULL;
    int64_t line = 64 / element_bytes(c->element), width = (int64_t)b->vectors * c->lanes;
    Affine place = affine_add(arena, tile_packed_offset(c, b->j, b->ahead_step), b->ahead);
    Stmt *all = NULL;
    for (int64_t more = 0; more < b->ahead_step * steps; more += line) {
        Affine next = affine_add(arena, place, affine_number(c->depth * width + more));
        all = stmt_append(all, stmt_fetch(arena, c->packed, FETCH_FAR, next));
    }
    return all;
}

int64_t tile_steps_at_once(const Block *b, int64_t steps)
{
    enum { PRODUCTS = 56, MOST = 4 }; /* of vectors, in one round of the loop */
    int64_t products = (int64_t)b->rows * b->lines * b->vectors, at_once = MOST;
    while (at_once > 1 && (at_once * products > PRODUCTS || steps < 4 * at_once))
        at_once /= 2;
    return at_once;
}

Stmt *tile_several_steps(const Contraction *c, const Block *b, Stmt *loop)
{
    Arena *arena = c->arena;
    int64_t steps = loop->end - loop->begin, at_once = tile_steps_at_once(b, steps);
    int64_t full = loop->begin + steps / at_once * at_once;
    if (at_once == 1)
        return loop;
    const Var *s = kernel_var(arena, c->kernel, "s");
    Replace later = {0};
    replace_var(&later, loop->var, plus(arena, loop->var, s));
    Stmt *several =
        stmt_loop(arena, LOOP_UNROLL, s, 0, at_once, 1, rewrite_stmts(arena, loop->body, &later));
    Stmt *all = stmt_loop(arena, LOOP_SERIAL, loop->var, loop->begin, full, at_once, several);
    if (full == loop->end)
        return all;
    loop->begin = full;
    return stmt_append(all, loop);
}

static Stmt *sum_of_each(const Contraction *c, const Block *b, Stmt *add)
{
    Stmt *step = tile_each_vector(c, b, !c->packed, add);
    if (!c->reduced_count)
        return step;
    const Axis *k = &c->reduced[c->reduced_count - 1];
    Stmt *loop = stmt_loop(c->arena, LOOP_SERIAL, k->var, 0, k->extent, 1, step);
    loop = tile_several_steps(c, b, loop);
    loop->body = stmt_append(fetch_panel(c, b, loop->step), loop->body);
    return tile_reduced_loops(c, c->reduced_count - 1, loop);
}

Stmt *tile_sum(Contraction *c, const Block *b, Stmt *add)
{
    if (c->factors == FACTORS_ALONG_ROWS && b->rows % c->lanes == 0)
        return sum_along_rows(c, b, add);
    if (c->factors == FACTORS_ALONG_DEPTH)
        return sum_along_depth(c, b, add);
    return sum_of_each(c, b, add);
}
