/* Contractions get register blocks: a block of the output, `rows` × `vectors`, is held in registers
 * while the reduced loops run.
 *
 *     for i = 0..64 { for j = 0..512 {                    for i = 0..60 step 6 { for j = 0..512
 * step 16 { local %acc: f32[1]                                  local %acc: f32[96] %acc[0] = 0 … =
 * 0 for k = 0..784 {                                    for k = 0..784 { %acc[0] += mul(%x[784*i +
 * k],           →           unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 { %w[512*k
 * + j])                         %acc[16*r + u + v] += mul(%x[784*i + 784*r + k], } %packed[784*j +
 * 16*k + u + v]) %y[512*i + j] = %acc[0]                             } } } } } } … = %acc[…]  } }
 * and the same for the remainders
 *
 * Nothing here knows what the contraction is (a product, a convolution, one of its gradients): it
 * looks at how far each operand moves with each loop, and at nothing else.
 *
 *   vector loop   the one along which the output is contiguous; the operand that moves with it is
 * B, the other A row loop      moves A but not B others        stay outside: first those that move
 * B, so that one panel of B serves all rows
 *
 * B is packed into panels, [panel][reduced…][width], unless it is read so few times, or lies so
 * well, that a copy would not pay; an operand that is `fixed` costs nothing to pack. Block sizes
 * come from a small model of the processor: see block_cost(). */
#include "passes/tile.h"
#include "passes/rewrite.h"

/* ---- recognising ---- */

/* Follows singly nested loops; returns what the innermost holds. */
static Stmt *collect(Stmt *s, Axis *axes, int *count)
{
    while (is_plain_loop(s) && *count < LOOP_MAX) {
        axes[(*count)++] = (Axis){.var = s->var, .extent = s->end};
        s = s->body;
        if (s && s->next)
            break;
    }
    return s;
}

static const Stmt *first_store(const Stmt *s)
{
    while (s && s->kind != STMT_STORE)
        s = s->next;
    return s;
}

static bool match_block(Contraction *c, Stmt *block)
{
    if (!block || block->kind != STMT_LOCAL || !block->next || block->next->kind != STMT_STORE ||
        !block->next->next)
        return false;
    c->acc = block->buffer;
    c->first = block->next->value;
    Stmt *sum = block->next->next;
    c->epilogue = sum->next;
    if (block->next->buffer != c->acc || c->first->kind != EXPR_NUMBER)
        return false;
    sum = collect(sum, c->reduced, &c->reduced_count);
    if (!sum || (c->reduced_count && sum->next) || sum->kind != STMT_STORE ||
        sum->mode != STORE_ADD || sum->buffer != c->acc || sum->value->kind != EXPR_APPLY ||
        sum->value->op != OP_mul)
        return false;
    c->a = sum->value->in[0];
    c->b = sum->value->in[1];
    c->element = c->acc->element;
    return c->a->kind == EXPR_LOAD && c->b->kind == EXPR_LOAD && !c->a->dynamic && !c->b->dynamic &&
           c->a->element == c->element && c->b->element == c->element && first_store(c->epilogue);
}

static void measure(Contraction *c)
{
    Affine out = first_store(c->epilogue)->offset;
    for (int i = 0; i < c->outer_count; i++) {
        Axis *axis = &c->outer[i];
        axis->a = affine_factor(c->a->offset, axis->var);
        axis->b = affine_factor(c->b->offset, axis->var);
        axis->out = affine_factor(out, axis->var);
    }
    c->depth = 1;
    for (int i = 0; i < c->reduced_count; i++) {
        Axis *axis = &c->reduced[i];
        axis->a = affine_factor(c->a->offset, axis->var);
        axis->b = affine_factor(c->b->offset, axis->var);
        c->depth *= axis->extent;
    }
}

static void swap_operands(Contraction *c)
{
    Expr *a = c->a;
    c->a = c->b;
    c->b = a;
    measure(c);
}

static bool choose_vector(Contraction *c)
{
    c->vector = -1;
    for (int i = 0; i < c->outer_count; i++)
        if (c->outer[i].out == 1)
            c->vector = i;
    if (c->vector < 0)
        return false;
    if (c->outer[c->vector].b == 0)
        swap_operands(c);
    const Axis *v = &c->outer[c->vector];
    return v->b != 0 && (v->a == 0 || (v->a == 1 && v->b == 1));
}

/* A vector loop that fills no vectors, and the loop of which each round begins where the last one
 * ended in B, are one loop for the vectors. (Where that is so everywhere, they are one loop
 * already.) They must be few, since each of their blocks is written out. */
static void merge_vector(Contraction *c)
{
    enum { MOST_VECTORS = 8 };
    Axis *v = &c->outer[c->vector];
    if (v->extent % c->lanes == 0 || v->a != 0 || v->b != 1)
        return;
    int i = 0;
    while (i < c->outer_count && (c->outer[i].b != v->extent || c->outer[i].a != 0 ||
                                  c->outer[i].extent * v->extent > MOST_VECTORS * c->lanes ||
                                  (c->outer[i].out != v->extent && c->outer[i].out != -v->extent)))
        i++;
    if (i == c->outer_count)
        return;
    c->rounds = c->outer[i].var;
    c->across = v->var;
    c->round = v->extent;
    Replace one = {0};
    v->var = kernel_var(c->arena, c->kernel, "j");
    replace_var(&one, c->rounds, affine_number(0));
    replace_var(&one, c->across, affine_var(c->arena, v->var, 1));
    c->b = rewrite_expr(c->arena, c->b, &one);
    v->extent *= c->outer[i].extent;
    c->outer_count--;
    for (int k = i; k < c->outer_count; k++)
        c->outer[k] = c->outer[k + 1];
    c->vector -= c->vector > i;
}

/* ---- packing ---- */

enum {
    FAR_BYTES = 4096, /* steps as long as a page: nothing is fetched ahead */
    STREAM_PART =
        4, /* of the second-level cache: what is larger comes from beyond, beside others */
};

/* Does B move with a loop around the contraction's own? */
static bool moves_outside(const Contraction *c)
{
    int own = 0;
    for (int i = 0; i < c->outer_count; i++)
        own += c->outer[i].b != 0;
    for (int i = 0; i < c->reduced_count; i++)
        own += c->reduced[i].b != 0;
    return c->b->offset.count > own;
}

bool tile_can_pack(const Contraction *c)
{
    return c->b->buffer->kind == BUFFER_ARGUMENT && !moves_outside(c);
}

/* The outer loop that goes on where the reduced loops end, in B: a part of a sum that has been
 * split. The panels of weights that several functions read are the same with it and without; -1:
 * there is none, or it does not matter. */
static int continuing_loop(const Contraction *c)
{
    int64_t next = c->reduced_count ? c->reduced[0].b * c->reduced[0].extent : 0;
    for (int i = 0; c->b->buffer->shared && i < c->outer_count; i++)
        if (i != c->vector && c->outer[i].b != 0 && c->outer[i].b == next)
            return i;
    return -1;
}

/* Steps of B in one panel. */
static int64_t panel_depth(const Contraction *c)
{
    int i = continuing_loop(c);
    return c->depth * (i < 0 ? 1 : c->outer[i].extent);
}

static bool should_pack(const Contraction *c)
{
    const Axis *v = &c->outer[c->vector];
    if (v->a != 0 || !tile_can_pack(c))
        return false; /* both operands are vectors: B is as small as one row; or it is no whole */
    int64_t readers = 1;
    for (int i = 0; i < c->outer_count; i++)
        if (i != c->vector && c->outer[i].b == 0)
            readers *= c->outer[i].extent;
    if (v->b != 1)
        return true;
    int64_t next = c->reduced_count ? c->reduced[c->reduced_count - 1].b : 0;
    int64_t bytes = c->b->buffer->count * element_bytes(c->element);
    bool whole = v->extent % c->lanes == 0, narrow = c->target->vector_bits < 256;
    bool partial =
        !whole && ((c->b->buffer->fixed && bytes >= FAR_BYTES) || (!c->target->masked && narrow));
    if (!partial && next > 0 && next <= 2 * (int64_t)c->vectors * c->lanes)
        return false; /* a panel lies in memory almost as packing would put it */
    if (c->b->buffer->shared && bytes >= FAR_BYTES)
        return true;
    if (c->b->buffer->fixed && bytes >= FAR_BYTES) /* one reader: where it is to be one stream */
        return readers > 1 || !whole || next * element_bytes(c->element) >= FAR_BYTES ||
               bytes > (int64_t)c->target->l2_kib * 1024 / STREAM_PART;
    return readers >= PACK_ROWS;
}

Affine tile_packed_offset(const Contraction *c, Affine j, int64_t width)
{
    Arena *arena = c->arena;
    Affine step = affine_number(0), block = affine_number(0);
    int64_t depth = panel_depth(c);
    int continuing = continuing_loop(c);
    if (continuing >= 0)
        step = affine_var(arena, c->outer[continuing].var, 1);
    for (int i = 0; i < c->reduced_count; i++)
        step = affine_add(arena, affine_scale(arena, step, c->reduced[i].extent),
                          affine_var(arena, c->reduced[i].var, 1));
    for (int i = 0; i < c->outer_count; i++)
        if (i != c->vector && i != continuing && c->outer[i].b != 0)
            block = affine_add(arena, affine_scale(arena, block, c->outer[i].extent),
                               affine_var(arena, c->outer[i].var, 1));
    Affine offset =
        affine_add(arena, affine_scale(arena, j, depth), affine_scale(arena, step, width));
    return affine_add(arena, offset, affine_scale(arena, block, depth * tile_packed_width(c)));
}

Stmt *tile_reduced_loops(const Contraction *c, int count, Stmt *body)
{
    for (int i = count - 1; i >= 0; i--)
        body =
            stmt_loop(c->arena, LOOP_SERIAL, c->reduced[i].var, 0, c->reduced[i].extent, 1, body);
    return body;
}

/* for blocks { for panels { for reduced { for u { … } } } } */
static Stmt *pack_loops(const Contraction *c, const Var *panel, int64_t panels, const Var *u,
                        int64_t count, Stmt *body)
{
    Arena *arena = c->arena;
    body = stmt_loop(arena, LOOP_SERIAL, u, 0, count, 1, body);
    body = stmt_loop(arena, LOOP_SERIAL, panel, 0, panels, 1,
                     tile_reduced_loops(c, c->reduced_count, body));
    for (int i = c->outer_count - 1; i >= 0; i--)
        if (i != c->vector && c->outer[i].b != 0)
            body = stmt_loop(arena, LOOP_SERIAL, c->outer[i].var, 0, c->outer[i].extent, 1, body);
    return body;
}

/* packed = B for each u; then 0 for each beyond the edge. */
static Stmt *pack_panels(const Contraction *c, Kernel *kernel, Buffer *from, Buffer *to,
                         const Var *panel, Affine j, int64_t panels, int64_t width, int64_t real)
{
    Arena *arena = c->arena;
    const Var *u = kernel_var(arena, kernel, "u");
    Affine inside = affine_var(arena, u, 1), base = tile_packed_offset(c, j, width);
    Replace replace = {0};
    replace_var(&replace, c->outer[c->vector].var, affine_add(arena, j, inside));
    Expr *value = expr_load(arena, from, rewrite_affine(arena, c->b->offset, &replace));
    Stmt *copy = stmt_store(arena, STORE_SET, to, affine_add(arena, base, inside), value);
    Stmt *all = pack_loops(c, panel, panels, u, real, copy);
    if (real == width)
        return all;
    Affine edge = affine_add(arena, base, affine_add(arena, inside, affine_number(real)));
    Stmt *zero = stmt_store(arena, STORE_SET, to, edge, expr_number(arena, c->element, 0));
    return stmt_append(all, pack_loops(c, panel, panels, u, width - real, zero));
}

Buffer *tile_add_packing(Contraction *c, const char *name, int64_t count, Kernel **packing)
{
    Arena *arena = c->arena;
    Kernel *kernel = *packing = ARENA_NEW(arena, Kernel);
    kernel->name = name;
    kernel->next_var = c->kernel->next_var;
    kernel->element_steps = count;
    kernel_argument(arena, kernel, "p0", c->element, c->b->buffer->count)->read = true;
    kernel_argument(arena, kernel, "p1", c->element, count)->written = true;
    c->packings->list = arena_grow(arena, c->packings->list, c->packings->count,
                                   &c->packings->capacity, sizeof *c->packings->list);
    c->packings->list[c->packings->count++] = (Packing){kernel, c->b->buffer->index, count};
    const char *argument = arena_print(arena, "p%d", c->kernel->argument_count);
    return kernel_argument(arena, c->kernel, argument, c->element, count);
}

static void add_packing(Contraction *c)
{
    Arena *arena = c->arena;
    int64_t extent = c->outer[c->vector].extent, wide = (int64_t)c->vectors * c->lanes;
    int64_t full = extent / wide, rest = extent % wide, blocks = 1;
    for (int i = 0; i < c->outer_count; i++)
        if (i != c->vector && c->outer[i].b != 0)
            blocks *= c->outer[i].extent;
    Kernel *kernel;
    c->packed = tile_add_packing(c, "pack", blocks * c->depth * tile_packed_width(c), &kernel);
    Buffer *from = kernel->arguments[0], *to = kernel->arguments[1];
    const Var *panel = kernel_var(arena, kernel, "panel");
    if (full)
        kernel->body = pack_panels(c, kernel, from, to, panel, affine_var(arena, panel, wide), full,
                                   wide, wide);
    if (rest)
        kernel->body = stmt_append(
            kernel->body, pack_panels(c, kernel, from, to, panel, affine_number(full * wide), 1,
                                      (rest + c->lanes - 1) / c->lanes * c->lanes, rest));
}

/* In the packed copy the reduced loops lie in their order, so those that are one run of A can be
 * one loop, whatever B was like. */
static void merge_reduced(Contraction *c)
{
    int kept = 0;
    for (int i = 1; i < c->reduced_count; i++) {
        Axis *outer = &c->reduced[kept], *inner = &c->reduced[i];
        if (outer->a != inner->a * inner->extent) {
            c->reduced[++kept] = *inner;
            continue;
        }
        Replace nought = {0};
        replace_var(&nought, outer->var, affine_number(0));
        c->a = rewrite_expr(c->arena, c->a, &nought);
        inner->extent *= outer->extent;
        *outer = *inner;
    }
    c->reduced_count = c->reduced_count ? kept + 1 : 0;
}

/* ---- the block ---- */

static Affine sum3(Arena *arena, Affine a, Affine b, Affine c)
{
    return affine_add(arena, affine_add(arena, a, b), c);
}

static Affine acc_offset(const Contraction *c, const Block *b)
{
    Arena *arena = c->arena;
    int64_t width = (int64_t)b->vectors * c->lanes;
    Affine offset = sum3(arena, affine_var(arena, b->r, width), affine_var(arena, b->u, 1),
                         affine_var(arena, b->v, 1));
    if (c->line < 0)
        return offset;
    return affine_add(arena, affine_var(arena, b->l, b->rows * width), offset);
}

Stmt *tile_each_vector(const Contraction *c, const Block *b, bool exact, Stmt *body)
{
    Arena *arena = c->arena;
    int64_t full = exact ? b->real / c->lanes : b->vectors, rest = exact ? b->real % c->lanes : 0;
    Stmt *across = NULL;
    if (full)
        across = stmt_loop(arena, LOOP_UNROLL, b->u, 0, full * c->lanes, c->lanes,
                           stmt_vector(arena, b->v, c->lanes, c->lanes, body));
    if (rest) {
        Replace last = {0};
        replace_var(&last, b->u, affine_number(full * c->lanes));
        across = stmt_append(
            across, stmt_vector(arena, b->v, rest, c->lanes, rewrite_stmts(arena, body, &last)));
    }
    Stmt *rows = stmt_loop(arena, LOOP_UNROLL, b->r, 0, b->rows, 1, across);
    return c->line < 0 ? rows : stmt_loop(arena, LOOP_UNROLL, b->l, 0, b->lines, 1, rows);
}

static Stmt *emit_block(Contraction *c, Block *b)
{
    Arena *arena = c->arena;
    if (c->line >= 0)
        b->l = kernel_var(arena, c->kernel, "l");
    b->r = kernel_var(arena, c->kernel, "r");
    b->u = kernel_var(arena, c->kernel, "u");
    b->v = kernel_var(arena, c->kernel, "v");
    Affine across = affine_add(arena, affine_var(arena, b->u, 1), affine_var(arena, b->v, 1));
    int64_t sums = (int64_t)b->lines * b->rows * b->vectors * c->lanes;
    Buffer *acc = nest_local(arena, "acc", c->element, sums);
    Replace replace = {.local = c->acc, .local_by = acc, .local_offset = acc_offset(c, b)};
    replace_var(&replace, c->outer[c->vector].var, affine_add(arena, b->j, across));
    Run run = {c->rounds, c->across, c->round, affine_number(0), affine_add(arena, b->j, across)};
    if (c->rounds) {
        b->p = kernel_var(arena, c->kernel, "p");
        b->c = kernel_var(arena, c->kernel, "c");
        replace.run = &run;
        replace_var(&replace, c->rounds, affine_var(arena, b->p, 1));
        replace_var(&replace, c->across, affine_var(arena, b->c, 1));
    }
    if (c->line >= 0) {
        replace_var(&replace, c->outer[c->line].var,
                    affine_add(arena, b->i, affine_var(arena, b->l, 1)));
        replace_var(&replace, c->outer[c->row].var, affine_var(arena, b->r, 1));
    } else if (c->row >= 0) {
        replace_var(&replace, c->outer[c->row].var,
                    affine_add(arena, b->i, affine_var(arena, b->r, 1)));
    }
    Expr *left = rewrite_expr(arena, c->a, &replace), *right = rewrite_expr(arena, c->b, &replace);
    if (c->packed)
        right = expr_load(
            arena, c->packed,
            affine_add(arena, tile_packed_offset(c, b->j, (int64_t)b->vectors * c->lanes), across));
    Expr *product = expr_apply(arena, OP_mul, c->element, 2, (Expr *[]){left, right});
    Stmt *block = stmt_local(arena, acc);
    stmt_append(block,
                tile_each_vector(c, b, false,
                                 stmt_store(arena, STORE_SET, acc, acc_offset(c, b), c->first)));
    Stmt *sum = tile_sum(c, b, stmt_store(arena, STORE_ADD, acc, acc_offset(c, b), product));
    stmt_append(block, tile_fetch_ahead(c, b, &replace, sum));
    return stmt_append(block, tile_epilogue(c, b, &replace));
}

/* ---- the loops around the block ---- */

static Stmt *column_loops(Contraction *c, Block block);

/* The loop that goes from block to block, and how far one block reaches along it. */
static const Axis *block_axis(const Contraction *c)
{
    int i = c->line >= 0 ? c->line : c->row;
    return i < 0 ? NULL : &c->outer[i];
}

static int block_reach(const Contraction *c)
{
    return c->line >= 0 ? c->lines : c->rows;
}

/* Panels that come from beyond the second-level cache are asked for while the one before is used. A
 * panel that one block alone reads is the next stretch of a stream, which the processor follows
 * better by itself. */
static void plan_fetches(const Contraction *c, Block *block)
{
    Arena *arena = c->arena;
    int64_t bytes = c->depth * tile_packed_width(c) * element_bytes(c->element);
    int64_t reach = block_reach(c), blocks = (block->row_count + reach - 1) / reach;
    int64_t width = (int64_t)block->vectors * c->lanes;
    const Axis *axis = block_axis(c);
    for (int i = 0; i < c->outer_count; i++)
        if (i != c->vector && i != c->row && i != c->line)
            *(c->outer[i].b == 0 ? &blocks : &bytes) *= c->outer[i].extent;
    if (!c->packed || !tile_rows_innermost(c) || blocks == 1 || blocks > width ||
        bytes <= (int64_t)c->target->l2_kib * 1024)
        return;
    block->ahead_step = (width + blocks - 1) / blocks;
    int64_t part = c->depth * block->ahead_step; /* elements of the panel for one block */
    block->ahead = axis ? affine_var(arena, axis->var, part / reach) : affine_number(0);
    part *= (block->row_count + reach - 1) / reach;
    for (int i = c->outer_count - 1; i >= 0; i--) {
        if (i == c->vector || i == c->row || i == c->line || c->outer[i].b != 0)
            continue;
        block->ahead = affine_add(arena, block->ahead, affine_var(arena, c->outer[i].var, part));
        part *= c->outer[i].extent;
    }
}

/* Rows (or lines) in whole blocks, then the rest as one smaller block. */
static Stmt *row_loops(Contraction *c, Block block)
{
    const Axis *axis = block_axis(c);
    int64_t extent = block.row_count, reach = block_reach(c), full = extent / reach * reach;
    Stmt *all = NULL;
    for (int part = 0; part < 2; part++) {
        int64_t begin = part ? full : 0, end = part ? extent : full;
        if (begin == end)
            continue;
        int size = part ? (int)(extent - full) : (int)reach;
        block.rows = c->line >= 0 ? c->rows : size;
        block.lines = c->line >= 0 ? size : 1;
        block.i = block.first_row;
        if (axis)
            block.i = affine_add(c->arena, block.i, affine_var(c->arena, axis->var, 1));
        Stmt *body = tile_rows_innermost(c) ? emit_block(c, &block) : column_loops(c, block);
        if (axis)
            body = stmt_loop(c->arena, LOOP_SERIAL, axis->var, begin, end, size, body);
        all = stmt_append(all, body);
    }
    return all;
}

/* The loops that move A but belong to no block. */
static Stmt *other_loops(Contraction *c, Stmt *body)
{
    for (int i = c->outer_count - 1; i >= 0; i--)
        if (i != c->vector && i != c->row && i != c->line && c->outer[i].b == 0)
            body =
                stmt_loop(c->arena, LOOP_SERIAL, c->outer[i].var, 0, c->outer[i].extent, 1, body);
    return body;
}

/* Blocks whose lanes run through two loops begin at a number, so that it is known which lane is
 * where. */
static Stmt *numbered_columns(Contraction *c, Block block)
{
    const Axis *v = &c->outer[c->vector];
    int64_t wide = (int64_t)c->vectors * c->lanes;
    Stmt *all = NULL;
    for (int64_t j = 0; j < v->extent; j += wide) {
        block.real = v->extent - j < wide ? v->extent - j : wide;
        block.vectors = (int)((block.real + c->lanes - 1) / c->lanes);
        block.j = affine_number(j);
        all = stmt_append(all, tile_rows_innermost(c) ? other_loops(c, row_loops(c, block))
                                                      : emit_block(c, &block));
    }
    return all;
}

static Stmt *column_loops(Contraction *c, Block block)
{
    const Axis *v = &c->outer[c->vector];
    int64_t wide = (int64_t)c->vectors * c->lanes, full = v->extent / wide * wide;
    Stmt *all = NULL;
    if (c->rounds)
        return numbered_columns(c, block);
    for (int part = 0; part < 2; part++) {
        int64_t begin = part ? full : 0, end = part ? v->extent : full;
        if (begin == end)
            continue;
        block.real = part ? end - begin : wide;
        block.vectors = (int)((block.real + c->lanes - 1) / c->lanes);
        block.j = affine_var(c->arena, v->var, 1);
        plan_fetches(c, &block);
        Stmt *body =
            tile_rows_innermost(c) ? other_loops(c, row_loops(c, block)) : emit_block(c, &block);
        all = stmt_append(all,
                          stmt_loop(c->arena, LOOP_SERIAL, v->var, begin, end, block.real, body));
    }
    return all;
}

static Block all_rows(const Contraction *c)
{
    return (Block){.row_count = block_axis(c) ? block_axis(c)->extent : 1};
}

/* Rows whose part of A stays in the second-level cache while one panel of B after the other goes
 * by. */
static int64_t rows_at_once(const Contraction *c)
{
    int64_t rows = all_rows(c).row_count, reach = block_reach(c);
    int64_t bytes = c->depth * element_bytes(c->element) * (c->line >= 0 ? c->rows : 1);
    int64_t fit = (int64_t)c->target->l2_kib * 512 / bytes / reach * reach;
    int64_t least = reach * PACK_ROWS;
    fit = fit > least ? fit : least;
    return rows <= fit + fit / 2 ? rows : fit;
}

/* Panels inside, rows innermost; all rows at once, or in parts that fit the cache. */
static Stmt *row_parts(Contraction *c)
{
    Block block = all_rows(c);
    int64_t extent = block.row_count, at_once = rows_at_once(c), full = extent / at_once * at_once;
    if (at_once == extent)
        return column_loops(c, block);
    Stmt *all = NULL;
    for (int part = 0; part < 2; part++) {
        int64_t begin = part ? full : 0, end = part ? extent : full;
        if (begin == end)
            continue;
        const Var *rows = kernel_var(c->arena, c->kernel, "rows");
        block.first_row = affine_var(c->arena, rows, 1);
        block.row_count = part ? extent - full : at_once;
        all = stmt_append(all, stmt_loop(c->arena, LOOP_SERIAL, rows, begin, end, block.row_count,
                                         column_loops(c, block)));
    }
    return all;
}

static Stmt *tile(Contraction *c)
{
    Stmt *window = c->outer[c->vector].a != 0 ? tile_window(c) : NULL;
    if (window)
        return window;
    c->deep = tile_is_deep(c);
    tile_choose_block(c);
    if (!c->deep && should_pack(c))
        add_packing(c);
    if (c->packed)
        merge_reduced(c);
    Stmt *body = c->deep                  ? other_loops(c, tile_depth(c))
                 : tile_rows_innermost(c) ? row_parts(c)
                                          : other_loops(c, row_loops(c, all_rows(c)));
    for (int i = c->outer_count - 1; i >= 0; i--) /* loops that move B: batches, groups */
        if (i != c->vector && c->outer[i].b != 0)
            body =
                stmt_loop(c->arena, LOOP_SERIAL, c->outer[i].var, 0, c->outer[i].extent, 1, body);
    return body;
}

/* A dot product along memory beats packing what is read only a few times. */
static bool better_as_dot(const Contraction *c)
{
    if (c->b->buffer->shared && tile_can_pack(c))
        return false;
    const Axis *v = &c->outer[c->vector];
    int64_t readers = 1;
    for (int i = 0; i < c->outer_count; i++)
        if (i != c->vector && c->outer[i].b == 0)
            readers *= c->outer[i].extent;
    const Axis *k = c->reduced_count ? &c->reduced[c->reduced_count - 1] : NULL;
    return v->b != 1 && readers < PACK_ROWS / 2 && k && k->a == 1 && k->b == 1;
}

/* Where the first statement stands that has others beside it. */
static Stmt **list_inside(Stmt *loop)
{
    Stmt **inside = &loop->body;
    while (*inside && !(*inside)->next && (*inside)->kind == STMT_LOOP)
        inside = &(*inside)->body;
    return inside;
}

static Stmt *each_in_list(EachContraction *each, const Contraction *empty, Stmt *list)
{
    Stmt *all = NULL;
    for (Stmt *s = list, *next; s; s = next) {
        next = s->next;
        Contraction c = *empty;
        Stmt *block = is_plain_loop(s) ? collect(s, c.outer, &c.outer_count) : NULL, *by = NULL;
        s->next = NULL;
        if (block && match_block(&c, block)) {
            c.lanes = c.target->vector_bits / 8 / element_bytes(c.element);
            measure(&c);
            by = choose_vector(&c) ? each(&c, s) : NULL;
        } else if (block && block->next) { /* several nests inside: one of them may be one */
            *list_inside(s) = each_in_list(each, empty, block);
        }
        all = stmt_append(all, by ? by : s);
    }
    return all;
}

void tile_contractions_by(EachContraction *each, Arena *arena, const Target *target, Kernel *kernel,
                          Packings *packings)
{
    Contraction empty = {.arena = arena, .target = target, .kernel = kernel, .packings = packings};
    kernel->body = each_in_list(each, &empty, kernel->body);
}

static Stmt *tile_unless_dot(Contraction *c, Stmt *nest)
{
    (void)nest;
    if (better_as_dot(c))
        return NULL;
    merge_vector(c);
    return tile(c);
}

void tile_contractions(Arena *arena, const Target *target, Kernel *kernel, Packings *packings)
{
    tile_contractions_by(tile_unless_dot, arena, target, kernel, packings);
    for (int a = 0; a < kernel->argument_count; a++)
        kernel->arguments[a]->fixed = kernel->arguments[a]->shared = false; /* nobody else asks */
}
