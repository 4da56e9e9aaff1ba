/* What a block does with its sums, and what it asks for meanwhile.
 *
 * Light work is written out for each vector, on the registers the sums are in. An exponential or an
 * error function takes a dozen registers of its own, and there are few besides the sums: then the
 * sums go to memory, which the first-level cache keeps, and a loop works on what lies there.
 *
 *     unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 { %sums[…] = %acc[…] } } }
 *     for r = 0..6 { for u = 0..16 step 8 { vector v = 0..8 { %y[…] = erf(%sums[16*r + u + v]) } }
 * }
 */
#include "passes/rewrite.h"
#include "passes/tile.h"

enum { EPILOGUE_BUFFERS = 16, FETCH_DEPTH = 32 }; /* steps that hide the way to memory */

typedef struct Fetch {
    const Contraction *c;
    const Block *block;
    const Replace *replace;
    Stmt *all;
    const Buffer *known[EPILOGUE_BUFFERS];
    int known_count;
} Fetch;

/* Does it move by one with the vector loop? */
static bool follows_vector(const Contraction *c, const Replace *replace, Affine offset)
{
    if (c->rounds)
        return affine_factor(offset, c->across) == 1 && run_follows(offset, replace->run);
    return affine_factor(offset, c->outer[c->vector].var) == 1;
}

/* One statement for each cache line of row b->r of the block. */
static void fetch_buffer(Fetch *f, Buffer *buffer, Affine offset)
{
    const Contraction *c = f->c;
    int64_t bytes = element_bytes(buffer->element);
    if (buffer->kind != BUFFER_ARGUMENT || f->known_count == EPILOGUE_BUFFERS ||
        buffer->count * bytes < (int64_t)c->target->l2_kib * 256 || /* it stays near */
        !follows_vector(c, f->replace, offset))
        return;
    for (int k = 0; k < f->known_count; k++)
        if (f->known[k] == buffer)
            return;
    f->known[f->known_count++] = buffer;
    Arena *arena = c->arena;
    const Block *b = f->block;
    Replace first_lane = {0};
    replace_var(&first_lane, b->v, affine_number(0));
    offset = rewrite_affine(arena, rewrite_affine(arena, offset, f->replace), &first_lane);
    Stmt *line = stmt_loop(arena, LOOP_UNROLL, b->u, 0, b->real, 64 / bytes,
                           stmt_fetch(arena, buffer, FETCH_NEAR, offset));
    if (c->line >= 0)
        line = stmt_loop(arena, LOOP_UNROLL, b->l, 0, b->lines, 1, line);
    f->all = stmt_append(f->all, line);
}

static void fetch_load(void *fetch, const Expr *load)
{
    if (load->kind == EXPR_LOAD && !load->dynamic)
        fetch_buffer(fetch, load->buffer, load->offset);
}

/* What is asked for of row b->r: large operands and results of the epilogue. */
static Stmt *fetches(const Contraction *c, const Block *b, const Replace *replace)
{
    Fetch fetch = {.c = c, .block = b, .replace = replace};
    if (c->depth < FETCH_DEPTH)
        return NULL;
    for (const Stmt *s = c->epilogue; s; s = s->next) {
        visit_loads(s->value, fetch_load, &fetch);
        if (s->kind == STMT_STORE && !s->dynamic)
            fetch_buffer(&fetch, s->buffer, s->offset);
    }
    return fetch.all;
}

/* All at once they would keep the sum waiting: the processor has room for a dozen or two. So each
 * row's come with a part of the outermost reduced loop, and the last quarter goes without. */
Stmt *tile_fetch_ahead(Contraction *c, const Block *b, const Replace *replace, Stmt *sum)
{
    Arena *arena = c->arena;
    Stmt *row = fetches(c, b, replace);
    if (!row)
        return sum;
    int64_t steps = sum->kind == STMT_LOOP ? (sum->end - sum->begin) / sum->step : 0;
    int64_t each = steps * 3 / 4 / b->rows * sum->step;
    if (!each)
        return stmt_append(stmt_loop(arena, LOOP_UNROLL, b->r, 0, b->rows, 1, row), sum);
    const Var *f = kernel_var(arena, c->kernel, "f");
    Replace at = {0}, later = {0};
    replace_var(&at, b->r, affine_var(arena, f, 1));
    replace_var(&later, sum->var,
                affine_add(arena, affine_var(arena, f, each), affine_var(arena, sum->var, 1)));
    Stmt *part = stmt_loop(arena, LOOP_SERIAL, sum->var, 0, each, sum->step,
                           rewrite_stmts(arena, sum->body, &later));
    part = stmt_append(rewrite_stmts(arena, row, &at), part);
    sum->begin = each * b->rows;
    return stmt_append(stmt_loop(arena, LOOP_SERIAL, f, 0, b->rows, 1, part), sum);
}

/* As tile_each_vector() with `exact`, in loops; two vectors abreast, since each is one long chain
 * of operations. */
Stmt *tile_loop_over_vectors(const Contraction *c, const Block *b, Stmt *body)
{
    Arena *arena = c->arena;
    int64_t full = b->real / c->lanes, rest = b->real % c->lanes;
    Stmt *across = NULL;
    if (full && c->rounds) { /* numbers tell which lane is where */
        across = stmt_vector(arena, b->v, c->lanes, c->lanes, body);
        across = stmt_loop(arena, LOOP_UNROLL, b->u, 0, full * c->lanes, c->lanes, across);
    } else if (full) {
        int64_t pair = full % 2 == 0 ? 2 * c->lanes : c->lanes;
        const Var *pairs = kernel_var(arena, c->kernel, "p");
        Replace at = {0};
        replace_var(&at, b->u, affine_var(arena, pairs, 1));
        across = stmt_vector(arena, b->v, pair, (int)pair, rewrite_stmts(arena, body, &at));
        across = stmt_loop(arena, LOOP_SERIAL, pairs, 0, full * c->lanes, pair, across);
    }
    if (rest) {
        Replace last = {0};
        replace_var(&last, b->u, affine_number(full * c->lanes));
        across = stmt_append(
            across, stmt_vector(arena, b->v, rest, c->lanes, rewrite_stmts(arena, body, &last)));
    }
    Stmt *rows = stmt_loop(arena, LOOP_SERIAL, b->r, 0, b->rows, 1, across);
    return c->line < 0 ? rows : stmt_loop(arena, LOOP_SERIAL, b->l, 0, b->lines, 1, rows);
}

/* The epilogue at one vector. */
static Stmt *at_vector(const Contraction *c, const Block *b, const Replace *replace)
{
    Arena *arena = c->arena;
    Stmt *work = rewrite_stmts(arena, c->epilogue, replace);
    if (!any_moves_with(work, b->p, b->c))
        return work;
    return stmt_append(stmt_unravel(arena, b->p, b->c, replace->run->place, c->round), work);
}

Stmt *tile_epilogue(Contraction *c, const Block *b, const Replace *replace)
{
    Arena *arena = c->arena;
    if (!any_is_heavy(c->epilogue))
        return tile_each_vector(c, b, true, at_vector(c, b, replace));
    if (!c->sums) /* the first block is the largest */
        c->sums = kernel_scratch(arena, c->kernel, "sums", c->element, replace->local_by->count);
    c->sums->written = true;
    Replace from_memory = *replace;
    from_memory.local_by = c->sums;
    Stmt *store = stmt_store(arena, STORE_SET, c->sums, replace->local_offset,
                             expr_load(arena, replace->local_by, replace->local_offset));
    Stmt *work = at_vector(c, b, &from_memory);
    return stmt_append(tile_each_vector(c, b, false, store), tile_loop_over_vectors(c, b, work));
}
