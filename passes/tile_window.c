/* Contractions both of whose operands move with the lanes: depthwise convolutions and their
 * gradients. Each product needs an element of A of its own, so loads are what takes the time,
 * unless one load serves all products that meet in one element: where a window of taps glides along
 * a row, as many as it has taps.
 *
 *     for i = 0..8 { for j = 0..8 {              for i = 0..8 step 2 { for j = 0..8 step 8 {
 *       … for k = 0..3 {                           local %acc: f32[16]
 *         %acc[0] += mul(%x[8*i + j + 8*k],        … = 0
 *                        %w[j + 8*k]) }            vector v = 0..8 { let %x0 = %x[8*i + j + v]
 *       %y[8*i + j] = %acc[0] } }                    %acc[v] += mul(%x0, %w[j + v]) }
 *                                                  vector v = 0..8 { let %x1 = %x[8*i + j + v + 8]
 *                                                    %acc[v] += mul(%x1, %w[j + v + 8])
 *                                                    %acc[v + 8] += mul(%x1, %w[j + v]) }
 *                                                  vector v = 0..8 { let %x2 = …
 *                                                    … two products … }
 *                                                  vector v = 0..8 { let %x3 = …
 *                                                    %acc[v + 8] += mul(%x3, %w[j + v + 16]) }
 *                                                  … %y[…] = %acc[…]
 *
 * Blocks have rows and lines: steps of two loops that move A and not B. The innermost reduced loops
 * are written out, as far as the code stays small. Elements come in the order in which they lie in
 * memory, and so does every sum add up its products, whatever the shape of the block. Stride,
 * dilation and the direction of the loops are nothing to know about: which products meet in an
 * element is read off the offsets. */
#include <stdlib.h>
#include <string.h>

#include "passes/rewrite.h"
#include "passes/tile.h"

enum {
    WINDOW_ROWS = 16,
    WINDOW_LINES = 2,
    WINDOW_VECTORS = 2,
    WINDOW_TAPS = 64,      /* steps of reduced loops that are written out */
    WINDOW_CHUNK = 8,      /* of a long one */
    WINDOW_PRODUCTS = 448, /* of one block */
    WINDOW_LOOPS = 3,
};

typedef struct Product { /* of a block: sum number `sum` gets A[a]·B[b], offsets from the first */
    int64_t a, b;
    int sum;
} Product;

typedef struct Window { /* the shape of blocks */
    Contraction *c;
    int row, line; /* positions in outer; -1: none */
    int rows, lines, vectors;
    int written;             /* reduced loops from this one on are written out … */
    int64_t chunk;           /* … and so many steps of the one before */
    double cost;             /* cycles for all; 0: none yet */
    int order[WINDOW_LOOPS]; /* loops of blocks, outermost first; -1: none */
    /* elements of A that a block of so many rows and lines reads; 0: not counted yet */
    int elements[WINDOW_ROWS + 1][WINDOW_LINES + 1];
} Window;

/* ---- which products there are ---- */

static int compare_products(const void *x, const void *y)
{
    const Product *p = x, *q = y;
    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    return p->sum - q->sum;
}

/* Steps of the loops that are written out. */
static int64_t written_taps(const Window *w)
{
    int64_t taps = w->chunk;
    for (int i = w->written; i < w->c->reduced_count; i++)
        taps *= w->c->reduced[i].extent;
    return taps;
}

/* Offsets of tap number `number`. */
static Product tap_product(const Window *w, int64_t number)
{
    Product p = {0};
    for (int i = w->c->reduced_count - 1; i >= w->written; i--) {
        const Axis *axis = &w->c->reduced[i];
        p.a += number % axis->extent * axis->a;
        p.b += number % axis->extent * axis->b;
        number /= axis->extent;
    }
    if (w->written > 0) {
        p.a += number * w->c->reduced[w->written - 1].a;
        p.b += number * w->c->reduced[w->written - 1].b;
    }
    return p;
}

/* All products of a block of one vector, in the order of what they read of A; returns how many. */
static int list_products(const Window *w, int rows, int lines, Product *list)
{
    int count = 0;
    int64_t taps = written_taps(w);
    for (int64_t t = 0; t < taps; t++) {
        Product tap = tap_product(w, t);
        for (int l = 0; l < lines; l++)
            for (int r = 0; r < rows; r++) {
                Product p = tap;
                p.a += r * (w->row < 0 ? 0 : w->c->outer[w->row].a);
                p.a += l * (w->line < 0 ? 0 : w->c->outer[w->line].a);
                p.sum = l * rows + r;
                list[count++] = p;
            }
    }
    qsort(list, (size_t)count, sizeof *list, compare_products);
    return count;
}

/* ---- the shape ---- */

static double greater(double a, double b)
{
    return a > b ? a : b;
}

static int count_elements(Window *w, int rows, int lines)
{
    int *known = &w->elements[rows][lines];
    Product list[WINDOW_PRODUCTS];
    if (*known)
        return *known;
    int count = list_products(w, rows, lines, list);
    for (int i = 0; i < count; i++)
        *known += i == 0 || list[i].a != list[i - 1].a;
    return *known;
}

/* Registers for elements of B, beside the sums. */
static int64_t factor_room(const Window *w, int rows, int lines, int vectors)
{
    enum { OTHERS = 3 }; /* A, and what the epilogue needs */
    return w->c->target->registers - rows * lines * vectors - OTHERS;
}

/* Does B stay in registers along a row? Where a block is narrower than a cache line it had better
 * go on with the rest of the line. */
static bool factors_stay(const Window *w, int rows, int lines, int vectors)
{
    return written_taps(w) * vectors <= factor_room(w, rows, lines, vectors) &&
           vectors * w->c->target->vector_bits / 8 >= LINE_BYTES;
}

/* Cycles of a block, by the model of tile_block.c: here loads are elements of A, and of B those
 * that find no register. What neighbours along a row have in common is near. */
static double block_cost(Window *w, int rows, int lines, int vectors)
{
    const Target *t = w->c->target;
    double sums = rows * lines * vectors, products = (double)written_taps(w) * sums;
    double factors = (double)written_taps(w) * vectors;
    double missing = factors - (double)factor_room(w, rows, lines, vectors);
    double elements = count_elements(w, rows, lines) * vectors, loads = elements;
    double traffic = elements * rows / (rows + 1) * t->vector_bits / 8 / L2_BYTES_PER_CYCLE;
    if (missing > 0)
        loads += missing / factors * products;
    else if (!factors_stay(w, rows, lines, vectors))
        loads += factors;
    double cycles = greater(products / t->adds, loads / t->loads);
    cycles = greater(cycles, (products + 1.5 * elements) / t->issue);
    cycles = greater(cycles, traffic) + 0.2 * traffic;
    if (missing > 0)
        cycles *= 1.15;
    return cycles * (double)w->c->depth / (double)written_taps(w) + 8 + 2 * sums;
}

static int64_t outer_extent(const Contraction *c, int i)
{
    return i < 0 ? 1 : c->outer[i].extent;
}

/* Of all blocks. */
static double total_cost(Window *w)
{
    const Contraction *c = w->c;
    int64_t extents[3] = {outer_extent(c, w->row), outer_extent(c, w->line),
                          (c->outer[c->vector].extent + c->lanes - 1) / c->lanes};
    int sizes[3] = {w->rows, w->lines, w->vectors};
    double cost = 0;
    for (int part = 0; part < 8; part++) { /* full or rest, three times */
        int size[3];
        double blocks = 1;
        for (int i = 0; i < 3; i++) {
            int64_t rest = extents[i] % sizes[i];
            bool last = part & 1 << i;
            size[i] = last ? (int)rest : sizes[i];
            blocks *= last ? rest > 0 : (double)(extents[i] / sizes[i]);
        }
        if (blocks > 0)
            cost += blocks * block_cost(w, size[0], size[1], size[2]);
    }
    for (int i = 0; i < c->outer_count; i++)
        if (i != c->vector && i != w->row && i != w->line)
            cost *= (double)c->outer[i].extent;
    return cost;
}

static void try_shape(Window *w, Window *best)
{
    int sums = w->rows * w->lines * w->vectors;
    if (sums + 2 > w->c->target->registers ||
        w->rows * w->lines * written_taps(w) > WINDOW_PRODUCTS)
        return;
    double cost = total_cost(w);
    if (best->cost != 0 && cost >= best->cost * 0.999)
        return;
    *best = *w;
    best->cost = cost;
}

static void try_sizes(Window *w, Window *best)
{
    const Contraction *c = w->c;
    for (w->lines = 1; w->lines <= WINDOW_LINES && w->lines <= outer_extent(c, w->line); w->lines++)
        for (w->rows = 1; w->rows <= WINDOW_ROWS && w->rows <= outer_extent(c, w->row); w->rows++)
            for (w->vectors = 1; w->vectors <= WINDOW_VECTORS &&
                                 (w->vectors - 1) * c->lanes < c->outer[c->vector].extent;
                 w->vectors++)
                try_shape(w, best);
}

static bool moves_a_alone(const Contraction *c, int i)
{
    return i != c->vector && c->outer[i].a != 0 && c->outer[i].b == 0;
}

/* As many reduced loops as can be are written out; of the next one a few steps. */
static void try_chunks(Window *w, Window *best)
{
    const Contraction *c = w->c;
    w->written = c->reduced_count;
    w->chunk = 1;
    while (w->written > 0 && written_taps(w) * c->reduced[w->written - 1].extent <= WINDOW_TAPS)
        w->written--;
    int64_t most = w->written ? c->reduced[w->written - 1].extent : 1;
    for (; w->chunk <= most && w->chunk <= WINDOW_CHUNK && written_taps(w) <= WINDOW_TAPS;
         w->chunk *= 2) {
        memset(w->elements, 0, sizeof w->elements);
        try_sizes(w, best);
    }
}

static Window choose(Contraction *c)
{
    Window best = {.c = c};
    for (int row = 0; row < c->outer_count; row++)
        for (int line = -1; line < row; line++) {
            Window w = {.c = c, .row = row, .line = line};
            if (moves_a_alone(c, row) && (line < 0 || moves_a_alone(c, line)))
                try_chunks(&w, &best);
        }
    return best;
}

/* ---- the block ---- */

/* `variable` of an outer loop, where the block begins. */
static Affine begin_of(const Window *w, int loop)
{
    return affine_var(w->c->arena, w->c->outer[loop].var, 1);
}

static Affine acc_offset(const Window *w, const Block *b)
{
    Arena *arena = w->c->arena;
    int64_t width = (int64_t)b->vectors * w->c->lanes;
    Affine offset = affine_add(arena, affine_var(arena, b->u, 1), affine_var(arena, b->v, 1));
    offset = affine_add(arena, offset, affine_var(arena, b->r, width));
    if (w->line < 0)
        return offset;
    return affine_add(arena, offset, affine_var(arena, b->l, b->rows * width));
}

/* The products of list[first … end - 1], which read one element of A, for vector number `u`. */
static Stmt *products_of(const Window *w, const Block *b, Buffer *acc, const Product *list,
                         int count, Expr *a, Expr *factor, int64_t u)
{
    const Contraction *c = w->c;
    Arena *arena = c->arena;
    int64_t width = (int64_t)b->vectors * c->lanes, real = b->real - u * c->lanes;
    Affine lane = affine_add(arena, affine_var(arena, b->v, 1), affine_number(u * c->lanes));
    Temp *temp = ARENA_NEW(arena, Temp);
    *temp = (Temp){.name = "a", .element = c->element};
    Affine at = affine_add(arena, a->offset, affine_add(arena, lane, affine_number(list->a)));
    Stmt *body = stmt_let(arena, temp, expr_load(arena, a->buffer, at));
    for (int i = 0; i < count; i++) {
        Affine place = affine_add(arena, lane, affine_number(list[i].sum * width));
        at = affine_add(arena, factor->offset, affine_add(arena, lane, affine_number(list[i].b)));
        Expr *in[] = {expr_temp(arena, temp), expr_load(arena, factor->buffer, at)};
        Expr *product = expr_apply(arena, OP_mul, c->element, 2, in);
        stmt_append(body, stmt_store(arena, STORE_ADD, acc, place, product));
    }
    return stmt_vector(arena, b->v, real < c->lanes ? real : c->lanes, c->lanes, body);
}

/* The loops that are written out. */
static Stmt *sums(const Window *w, const Block *b, Buffer *acc, const Replace *replace)
{
    const Contraction *c = w->c;
    Product *list = ARENA_ARRAY(c->arena, Product, WINDOW_PRODUCTS);
    int count = list_products(w, b->rows, b->lines, list);
    Replace first = *replace;
    for (int i = w->written; i < c->reduced_count; i++)
        replace_var(&first, c->reduced[i].var, affine_number(0));
    Expr *a = rewrite_expr(c->arena, c->a, &first), *factor = rewrite_expr(c->arena, c->b, &first);
    Stmt *all = NULL;
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && list[end].a == list[i].a;)
            end++;
        for (int64_t u = 0; u < b->vectors; u++)
            all = stmt_append(all, products_of(w, b, acc, list + i, end - i, a, factor, u));
    }
    return all;
}

/* All reduced loops: a last, shorter chunk is written out by itself. */
static Stmt *sum_loops(const Window *w, const Block *b, Buffer *acc, const Replace *replace)
{
    const Contraction *c = w->c;
    if (!w->written)
        return sums(w, b, acc, replace);
    const Axis *last = &c->reduced[w->written - 1];
    int64_t full = last->extent / w->chunk * w->chunk;
    Stmt *all = NULL;
    for (int part = 0; part < 2; part++) {
        Window now = *w;
        int64_t begin = part ? full : 0, end = part ? last->extent : full;
        now.chunk = part ? end - begin : w->chunk;
        if (begin < end)
            all = stmt_append(all, stmt_loop(c->arena, LOOP_SERIAL, last->var, begin, end,
                                             now.chunk, sums(&now, b, acc, replace)));
    }
    return tile_reduced_loops(c, w->written - 1, all);
}

static Stmt *emit_block(const Window *w, Block *b)
{
    Contraction *c = w->c;
    Arena *arena = c->arena;
    b->l = kernel_var(arena, c->kernel, "l");
    b->r = kernel_var(arena, c->kernel, "r");
    b->u = kernel_var(arena, c->kernel, "u");
    b->v = kernel_var(arena, c->kernel, "v");
    Buffer *acc =
        nest_local(arena, "acc", c->element, (int64_t)b->lines * b->rows * b->vectors * c->lanes);
    Replace begin = {0}; /* the first element of the block */
    Replace replace = {.local = c->acc, .local_by = acc, .local_offset = acc_offset(w, b)};
    Affine across = affine_add(arena, affine_var(arena, b->u, 1), affine_var(arena, b->v, 1));
    replace_var(&replace, c->outer[c->vector].var, affine_add(arena, b->j, across));
    replace_var(&begin, c->outer[c->vector].var, b->j);
    replace_var(&replace, c->outer[w->row].var,
                affine_add(arena, begin_of(w, w->row), affine_var(arena, b->r, 1)));
    if (w->line >= 0)
        replace_var(&replace, c->outer[w->line].var,
                    affine_add(arena, begin_of(w, w->line), affine_var(arena, b->l, 1)));
    Stmt *block = stmt_local(arena, acc);
    stmt_append(block,
                tile_each_vector(c, b, false,
                                 stmt_store(arena, STORE_SET, acc, acc_offset(w, b), c->first)));
    stmt_append(block, sum_loops(w, b, acc, &begin));
    return stmt_append(block, tile_epilogue(c, b, &replace));
}

/* ---- the loops around it ---- */

static void set_size(const Window *w, Block *b, int loop, int64_t size)
{
    if (loop == w->line) {
        b->lines = (int)size;
    } else if (loop == w->row) {
        b->rows = (int)size;
    } else {
        b->real = size;
        b->vectors = (int)((size + w->c->lanes - 1) / w->c->lanes);
    }
}

/* The loops from number `level` on: whole blocks, then the rest as one smaller block. */
static Stmt *block_loops(const Window *w, Block block, int level)
{
    const Contraction *c = w->c;
    if (level == WINDOW_LOOPS)
        return emit_block(w, &block);
    int loop = w->order[level];
    if (loop < 0)
        return block_loops(w, block, level + 1);
    const Axis *axis = &c->outer[loop];
    int64_t wide = (int64_t)w->vectors * c->lanes;
    int64_t size = loop == w->line ? w->lines : loop == w->row ? w->rows : wide;
    int64_t full = axis->extent / size * size;
    Stmt *all = NULL;
    for (int part = 0; part < 2; part++) {
        int64_t begin = part ? full : 0, end = part ? axis->extent : full;
        if (begin == end)
            continue;
        set_size(w, &block, loop, part ? end - begin : size);
        all = stmt_append(all,
                          stmt_loop(c->arena, LOOP_SERIAL, axis->var, begin, end,
                                    part ? end - begin : size, block_loops(w, block, level + 1)));
    }
    return all;
}

/* Along a row B stays in registers, if there is room for it; if not, it is no worse to go on with
 * what lies beside the block in memory. */
static void choose_order(Window *w)
{
    bool stays = factors_stay(w, w->rows, w->lines, w->vectors);
    w->order[0] = w->line;
    w->order[1] = stays ? w->c->vector : w->row;
    w->order[2] = stays ? w->row : w->c->vector;
}

Stmt *tile_window(Contraction *c)
{
    Window w = choose(c);
    if (w.cost == 0)
        return NULL;
    choose_order(&w);
    c->line = w.line;
    Block block = {.rows = 1, .lines = 1, .j = affine_var(c->arena, c->outer[c->vector].var, 1)};
    Stmt *body = block_loops(&w, block, 0);
    for (int moves_b = 0; moves_b < 2; moves_b++) /* those that move B stay outside of all */
        for (int i = c->outer_count - 1; i >= 0; i--)
            if (i != c->vector && i != w.row && i != w.line && (c->outer[i].b != 0) == moves_b)
                body = stmt_loop(c->arena, LOOP_SERIAL, c->outer[i].var, 0, c->outer[i].extent, 1,
                                 body);
    return body;
}
