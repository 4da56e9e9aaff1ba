/* Contractions with few outputs side by side fill vectors with those of neighbours.
 *
 * A convolution of 5 taps with 6 channels out, along one row:
 *
 *     for w = 0..28 { for o = 0..6 { … for k = 0..5 { %acc[0] += mul(%x[w + k], %b[6*k + o]) }
 *       %y[6*w + o] = %acc[0] } }
 *
 * The output goes on from w to w + 1, and A moves with w as it does with k (here as far; in general
 * `step` times as far). So two neighbours can share one vector and one run of A, one tap longer,
 * when B says 0 where a tap is not theirs:
 *
 *     for w = 0..14 { for p = 0..2 { for o = 0..6 {
 *       … for k = 0..6 { %acc[0] += mul(%x[2*w + k], %wide[12*k + 6*p + o]) }
 *       %y[12*w + 6*p + o] = %acc[0] } } }
 *
 *     %wide[12*k + 6*p + o] = %b[6*(k - p) + o] where 0 ≤ k - p < 5, else 0
 *
 * 12 of 16 lanes instead of 6, for 6 steps instead of 5. `wide` is made before the kernel, as
 * packed operands are: small when B is a few weights. When B is an image (the gradient of those
 * weights), it need only be copied with a border of zeros, since neighbours, in backward order, lie
 * in it side by side:
 *
 *     … %acc[0] += mul(%x[5*w + k], %wide[6*k + 6*p + o])      %y[30*w + 6*(4 - p) + o] = %acc[0]
 *
 * Nothing is read of A that the neighbours did not read before; sums keep their order. Only an
 * infinity or NaN spreads to neighbours, by being multiplied by 0. The model of tile_block.c
 * decides whether it pays, and how many neighbours share. */
#include "passes/tile.h"

typedef struct Widening {
    Contraction wide; /* what it makes of the contraction, for the model */
    int loop, along;  /* the neighbours' loop in outer, the one of its kind in reduced */
    int64_t count;    /* neighbours that share a vector */
    int64_t reach;    /* steps by which the reduced loop grows */
    bool overlap;     /* B is copied with a border only */
    int64_t copied;   /* elements */
    double cost;      /* cycles; 0: none */
} Widening;

/* Elements of B that one step of outer axis i chooses, when it is not the vector's. */
static bool moves_b(const Contraction *c, int i)
{
    return i != c->vector && c->outer[i].b != 0;
}

static Widening plan(const Contraction *c, int loop, int along, int64_t count, bool overlap)
{
    Widening z = {*c, loop, along, count, .overlap = overlap};
    const Axis *row = &c->outer[loop], *k = &c->reduced[along], *v = &c->outer[c->vector];
    Axis *rows = &z.wide.outer[loop], *across = &z.wide.outer[c->vector];
    z.reach = row->a / k->a * (count - 1);
    rows->extent /= count;
    rows->a *= count;
    rows->out *= count;
    across->extent *= count;
    across->b = 1;
    z.wide.reduced[along].extent += z.reach;
    z.wide.depth = c->depth / k->extent * (k->extent + z.reach);
    z.copied = v->extent * (overlap ? k->extent + 2 * z.reach : (k->extent + z.reach) * count);
    double outputs = (double)v->extent, left = (double)(row->extent % count);
    for (int i = 0; i < c->outer_count; i++) {
        z.copied *= moves_b(c, i) ? c->outer[i].extent : 1;
        outputs *= i == c->vector ? 1 : (double)c->outer[i].extent;
    }
    for (int i = 0; i < c->reduced_count; i++)
        z.copied *= i == along ? 1 : c->reduced[i].extent;
    Contraction alone = *c;
    z.cost = tile_choose_block(&z.wide) + tile_choose_block(&alone) * left / (double)row->extent;
    if (!c->b->buffer->fixed)
        z.cost += (double)z.copied * (overlap ? 0.25 : 0.5);
    if (overlap) /* backwards, outputs are stored one by one */
        z.cost += outputs * 1.5;
    return z;
}

static bool can_share(const Contraction *c, int loop, int along)
{
    const Axis *row = &c->outer[loop], *k = &c->reduced[along], *v = &c->outer[c->vector];
    return loop != c->vector && row->b == 0 && row->out == v->extent && k->a > 0 && row->a > 0 &&
           row->a % k->a == 0;
}

/* The cheapest way, if it is a good deal cheaper than none. */
static Widening choose(const Contraction *c)
{
    enum { MOST_VECTORS = 4 };
    Contraction alone = *c;
    double least = tile_choose_block(&alone) * 0.85;
    Widening best = {.cost = 0};
    for (int i = 0; i < c->outer_count; i++)
        for (int k = 0; k < c->reduced_count; k++)
            for (int64_t count = 2; can_share(c, i, k) && count <= c->outer[i].extent &&
                                    count * c->outer[c->vector].extent <= MOST_VECTORS * c->lanes;
                 count++)
                for (int overlap = 0; overlap < 2; overlap++) {
                    if (overlap && c->outer[i].a != c->reduced[k].a)
                        continue;
                    Widening z = plan(c, i, k, count, overlap != 0);
                    if (z.cost >= least)
                        continue;
                    least = z.cost;
                    best = z;
                }
    return best;
}

/* ---- the copy ---- */

/* In the copy: the place at step `k` of the reduced loop, for neighbour `p`, less that of the
 * vector's loop. */
static Affine copy_place(const Contraction *c, const Widening *z, Affine k, Affine p)
{
    Arena *arena = c->arena;
    Affine place = affine_number(0);
    for (int i = 0; i < c->outer_count; i++)
        if (moves_b(c, i))
            place = affine_add(arena, affine_scale(arena, place, c->outer[i].extent),
                               affine_var(arena, c->outer[i].var, 1));
    int64_t extent = c->reduced[z->along].extent + z->reach;
    for (int i = 0; i < c->reduced_count; i++) {
        if (i == z->along && z->overlap)
            continue;
        Affine at = i == z->along ? k : affine_var(arena, c->reduced[i].var, 1);
        int64_t steps = i == z->along ? extent : c->reduced[i].extent;
        place = affine_add(arena, affine_scale(arena, place, steps), at);
    }
    if (z->overlap)
        place = affine_add(arena, affine_scale(arena, place, extent + z->reach), k);
    place = affine_add(arena, affine_scale(arena, place, z->overlap ? 1 : z->count), p);
    return affine_scale(arena, place, c->outer[c->vector].extent);
}

/* `steps` steps of the reduced loop from `first` on: B, or zeros. */
static Stmt *copy_steps(const Contraction *c, const Widening *z, Kernel *kernel, int64_t first,
                        int64_t steps, int64_t p, bool zero)
{
    Arena *arena = c->arena;
    const Axis *k = &c->reduced[z->along], *v = &c->outer[c->vector];
    if (!steps)
        return NULL;
    Affine at = affine_add(arena, affine_var(arena, k->var, 1), affine_number(first));
    Affine place =
        affine_add(arena, copy_place(c, z, at, affine_number(p)), affine_var(arena, v->var, 1));
    Expr *value = zero ? expr_number(arena, c->element, 0)
                       : expr_load(arena, kernel->arguments[0], c->b->offset);
    Stmt *store = stmt_store(arena, STORE_SET, kernel->arguments[1], place, value);
    store = stmt_loop(arena, LOOP_SERIAL, v->var, 0, v->extent, 1, store);
    return stmt_loop(arena, LOOP_SERIAL, k->var, 0, steps, 1, store);
}

/* Each neighbour's taps, with zeros before and behind them. */
static Buffer *add_copy(Contraction *c, const Widening *z)
{
    Arena *arena = c->arena;
    Kernel *kernel;
    Buffer *copy = tile_add_packing(c, "widen", z->copied, &kernel);
    int64_t steps = c->reduced[z->along].extent, last = z->overlap ? 0 : z->count - 1;
    for (int64_t p = 0; p <= last; p++) {
        int64_t before = z->overlap ? z->reach : z->reach / last * p;
        int64_t after = z->overlap ? z->reach : z->reach - before;
        Stmt *body = copy_steps(c, z, kernel, 0, before, p, true);
        body = stmt_append(body, copy_steps(c, z, kernel, before, steps, p, false));
        body = stmt_append(body, copy_steps(c, z, kernel, before + steps, after, p, true));
        for (int i = c->reduced_count - 1; i >= 0; i--)
            if (i != z->along)
                body = stmt_loop(arena, LOOP_SERIAL, c->reduced[i].var, 0, c->reduced[i].extent, 1,
                                 body);
        for (int i = c->outer_count - 1; i >= 0; i--)
            if (moves_b(c, i))
                body =
                    stmt_loop(arena, LOOP_SERIAL, c->outer[i].var, 0, c->outer[i].extent, 1, body);
        kernel->body = stmt_append(kernel->body, body);
    }
    collapse_loops(arena, kernel);
    return copy;
}

/* ---- the nest ---- */

static Stmt *wide_block(const Contraction *c, const Widening *z, Buffer *copy, const Var *p)
{
    Arena *arena = c->arena;
    const Axis *row = &c->outer[z->loop], *k = &c->reduced[z->along], *v = &c->outer[c->vector];
    Affine first = affine_var(arena, row->var, z->count), mine = affine_var(arena, p, 1);
    if (row->extent / z->count == 1)
        first = affine_number(0);
    Affine output = mine;
    if (z->overlap)
        output = affine_add(arena, affine_number(z->count - 1), affine_scale(arena, mine, -1));
    Buffer *acc = nest_local(arena, "acc", c->element, 1);
    Replace left = {0};
    Replace behind = {.local = c->acc, .local_by = acc, .local_offset = affine_number(0)};
    replace_var(&left, row->var, first);
    replace_var(&behind, row->var, affine_add(arena, first, output));
    Affine place = affine_add(arena, copy_place(c, z, affine_var(arena, k->var, 1), mine),
                              affine_var(arena, v->var, 1));
    Expr *in[] = {rewrite_expr(arena, c->a, &left), expr_load(arena, copy, place)};
    Stmt *sum = stmt_store(arena, STORE_ADD, acc, affine_number(0),
                           expr_apply(arena, OP_mul, c->element, 2, in));
    sum = tile_reduced_loops(&z->wide, c->reduced_count, sum);
    Stmt *block = stmt_local(arena, acc);
    stmt_append(block, stmt_store(arena, STORE_SET, acc, affine_number(0), c->first));
    return stmt_append(stmt_append(block, sum), rewrite_stmts(arena, c->epilogue, &behind));
}

static Stmt *wide_nest(const Contraction *c, const Widening *z, Buffer *copy)
{
    Arena *arena = c->arena;
    const Var *p = kernel_var(arena, c->kernel, "p");
    Stmt *body = wide_block(c, z, copy, p);
    for (int i = c->outer_count - 1; i >= 0; i--) {
        int64_t extent = c->outer[i].extent / (i == z->loop ? z->count : 1);
        if (i != z->loop || extent > 1)
            body = stmt_loop(arena, LOOP_SERIAL, c->outer[i].var, 0, extent, 1, body);
        if (i == c->vector)
            body = stmt_loop(arena, LOOP_SERIAL, p, 0, z->count, 1, body);
    }
    return body;
}

/* Neighbours that are left over, as they were. */
static Stmt *rest_nest(const Contraction *c, const Widening *z, const Stmt *nest)
{
    Arena *arena = c->arena;
    const Axis *row = &c->outer[z->loop];
    int64_t done = row->extent / z->count * z->count;
    if (done == row->extent)
        return NULL;
    Replace later = {.local = c->acc,
                     .local_by = nest_local(arena, "acc", c->element, 1),
                     .local_offset = affine_number(0)};
    replace_var(&later, row->var,
                affine_add(arena, affine_var(arena, row->var, 1), affine_number(done)));
    Stmt *rest = rewrite_stmts(arena, nest, &later), *loop = rest;
    while (loop->var != row->var)
        loop = loop->body;
    loop->end = row->extent - done;
    return rest;
}

static Stmt *widen(Contraction *c, Stmt *nest)
{
    const Axis *v = &c->outer[c->vector];
    if (v->extent % c->lanes == 0 || v->a != 0 || !tile_can_pack(c))
        return NULL;
    Widening z = choose(c);
    if (z.cost == 0)
        return NULL;
    Buffer *copy = add_copy(c, &z);
    return stmt_append(wide_nest(c, &z, copy), rest_nest(c, &z, nest));
}

void widen_contractions(Arena *arena, const Target *target, Kernel *kernel, Packings *packings)
{
    tile_contractions_by(widen, arena, target, kernel, packings);
}
