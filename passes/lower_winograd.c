/* Convolutions of 3×3 or 5×5 taps and stride 1 with fewer multiplications: Winograd's minimal
 * filtering.
 *
 * The output is cut into tiles of m × m; each needs n × n inputs, n = m + taps - 1. With the
 * matrices of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016),
 *
 *     Y = Aᵀ [ (G w Gᵀ) ∘ (Bᵀ d B) ] A          summed over the channels of the input
 *
 * so n² products a tile and channel instead of 9·m²: 4 times fewer for m = 4, 2.25 times for m = 2;
 * with 5×5 taps and m = 2, 36 instead of 100. T tiles, C and K channels in and out:
 *
 *     input      V[n²][T][C] = Bᵀ d B        element-wise, lanes along C
 *     product    M[n²][T][K] = V · U         n² products, tiled like any contraction
 *     output     Y           = Aᵀ M A        element-wise, and the group's epilogue
 *     weights    U[n²][C][K] = G w Gᵀ        a kernel before, or once, where weights are fixed
 *
 * Where there are many tiles, one kernel does the first three for a block of tiles after the other,
 * with V and M in scratch memory that stays in the cache; a few tiles take a kernel for each step,
 * so that threads share the products. The gradient of the input, a convolution with the taps
 * reversed and the channels exchanged, goes the same way.
 *
 * It rounds elsewhere than the plain sum: docs/performance.md says how far, and
 * PipelineOptions.direct_convolutions refuses it. Matrices of V and M lie one cache line further
 * apart than they are long, or their rows would compete for the same sets of the cache. */
#include <math.h>
#include <string.h>

#include "passes/lowering.h"

enum { TAPS_MOST = 5, EDGE_MOST = 6, LINE = 16 };

typedef struct Form {
    int m, n, taps;
    double input[EDGE_MOST][EDGE_MOST];   /* Bᵀ */
    double weights[EDGE_MOST][TAPS_MOST]; /* G */
    double output[EDGE_MOST][EDGE_MOST];  /* Aᵀ, m rows */
} Form;

/* Toom and Cook: polynomials multiplied by their values at n - 1 points, and at infinity. Points in
 * pairs ±p let two rows share their sums; 5/8 and 3/2 err a third as much as the usual 1 and 2, and
 * all that is computed of them is exact in single precision. */
typedef struct Base {
    int taps, m;
    double points[EDGE_MOST - 1];
} Base;

static const Base bases[] = {{3, 2, {0, 1, -1}},
                             {3, 4, {0, 0.625, -0.625, 1.5, -1.5}},
                             {5, 2, {0, 0.625, -0.625, 1.5, -1.5}}};

/* polynomial · (x - root), lowest power first */
static void multiply_by_root(double *polynomial, double root)
{
    for (int i = EDGE_MOST - 1; i >= 0; i--)
        polynomial[i] = (i ? polynomial[i - 1] : 0) - root * polynomial[i];
}

static Form form_of(const Base *base)
{
    const double *points = base->points;
    int m = base->m, taps = base->taps;
    Form f = {.m = m, .n = m + taps - 1, .taps = taps};
    for (int i = 0; i < f.n; i++) {
        bool infinite = i == f.n - 1;
        double divisor = 1, power = 1;
        f.input[i][0] = 1;
        for (int j = 0; j < f.n - 1; j++) {
            if (j == i)
                continue;
            multiply_by_root(f.input[i], points[j]);
            divisor *= infinite ? 1 : points[i] - points[j];
        }
        for (int k = 0; k < EDGE_MOST; k++, power *= infinite ? 1 : points[i]) {
            if (k < taps)
                f.weights[i][k] = infinite ? k == taps - 1 : power / divisor;
            if (k < m)
                f.output[k][i] = infinite ? k == m - 1 : power;
        }
    }
    return f;
}

typedef struct Winograd {
    Lowering *l;
    Form form;
    Node *root;
    bool reversed; /* conv_transpose */
    TensorType y;
    Bordered x;
    int64_t high, wide; /* tiles down and across an image */
    int64_t in, out;    /* channels */
    int64_t images;     /* a block: so many images, and so many rows of tiles of each */
    int64_t rows;
    int64_t tiles;             /* of a block */
    Affine image, row;         /* the first ones of the block */
    Buffer *v, *m;             /* in the kernel being made */
    Slot *v_slot, *m_slot, *u; /* V and M: where kernels are separate */
} Winograd;

/* ---- linear combinations ---- */

/* A list of lets under construction. */
typedef struct Lets {
    Lowering *l;
    Stmt *list;
} Lets;

static Expr *let(Lets *lets, Expr *value)
{
    Lowering *l = lets->l;
    if (!value || value->kind == EXPR_TEMP)
        return value;
    Temp *temp = ARENA_NEW(l->arena, Temp);
    temp->name = arena_print(l->arena, "t%d", l->temps++);
    temp->element = value->element;
    lets->list = stmt_append(lets->list, stmt_let(l->arena, temp, value));
    return expr_temp(l->arena, temp);
}

static Expr *both(Lowering *l, Op op, Expr *a, Expr *b)
{
    return expr_apply(l->arena, op, a->element, 2, (Expr *[]){a, b});
}

/* sum + factor · x; NULL stands for nought on either side. */
static Expr *plus(Lowering *l, Expr *sum, double factor, Expr *x)
{
    if (!x || factor == 0)
        return sum;
    double size = fabs(factor);
    Expr *term = size == 1 ? x : both(l, OP_mul, x, expr_number(l->arena, x->element, size));
    if (sum)
        return both(l, factor < 0 ? OP_sub : OP_add, sum, term);
    if (factor > 0)
        return term;
    return size == 1 ? expr_apply(l->arena, OP_neg, x->element, 1, (Expr *[]){x})
                     : both(l, OP_mul, x, expr_number(l->arena, x->element, factor));
}

/* Σ factors[i] · x[i] over i = first, first + step, …; terms of 1 first, so that no sum begins with
 * a product it need not. */
static Expr *combine(Lowering *l, const double *factors, Expr *const *x, int count, int first,
                     int step)
{
    Expr *sum = NULL;
    for (int ones = 1; ones >= 0; ones--)
        for (int i = first; i < count; i += step)
            if ((factors[i] == 1) == (ones == 1))
                sum = plus(l, sum, factors[i], x[i]);
    return sum;
}

/* Do rows a and b agree in even columns and differ by sign in odd ones? */
static bool are_mirrored(const double *a, const double *b, int count)
{
    for (int i = 0; i < count; i++)
        if (a[i] != (i % 2 ? -b[i] : b[i]))
            return false;
    return true;
}

/* result[r] = Σ rows[r][i] · x[i]. Rows that mirror one another share their halves. */
static void transform_rows(Lets *lets, const double rows[][EDGE_MOST], int row_count,
                           Expr *const *x, int count, Expr **result)
{
    Lowering *l = lets->l;
    for (int r = 0; r < row_count; r++) {
        if (r + 1 < row_count && are_mirrored(rows[r], rows[r + 1], count)) {
            Expr *even = let(lets, combine(l, rows[r], x, count, 0, 2));
            Expr *odd = let(lets, combine(l, rows[r], x, count, 1, 2));
            result[r] = let(lets, both(l, OP_add, even, odd));
            result[r + 1] = let(lets, both(l, OP_sub, even, odd));
            r++;
        } else {
            result[r] = let(lets, combine(l, rows[r], x, count, 0, 1));
        }
    }
}

/* The same where columns 1 and 2, 3 and 4 are equal but for the sign: their sums and differences
 * are made once. */
static void transform_columns(Lets *lets, const double rows[][EDGE_MOST], int row_count,
                              Expr *const *x, int count, Expr **result)
{
    Lowering *l = lets->l;
    Expr *sums[EDGE_MOST] = {NULL}, *differences[EDGE_MOST] = {NULL};
    for (int i = 1; i + 1 < count - 1; i += 2) {
        sums[i] = let(lets, both(l, OP_add, x[i], x[i + 1]));
        differences[i] = let(lets, both(l, OP_sub, x[i], x[i + 1]));
    }
    for (int r = 0; r < row_count; r++) {
        Expr *sum = plus(l, NULL, rows[r][0], x[0]);
        for (int i = 1; i + 1 < count - 1; i += 2)
            sum = plus(l, sum, rows[r][i], rows[r][i] == rows[r][i + 1] ? sums[i] : differences[i]);
        sum = plus(l, sum, rows[r][count - 1], x[count - 1]);
        result[r] = let(lets, sum);
    }
}

/* ---- the steps ---- */

static int64_t matrices(const Winograd *w)
{
    return (int64_t)w->form.n * w->form.n;
}

/* Elements from one of the n² matrices of V or M to the next. */
static int64_t pitch(const Winograd *w, int64_t channels)
{
    return w->tiles * channels + LINE;
}

/* Position of (matrix, row, column) in a stack of matrices. */
static Affine stacked(const Winograd *w, int64_t apart, Affine matrix, Affine row, int64_t columns,
                      Affine column)
{
    Arena *arena = w->l->arena;
    Affine inside = affine_add(arena, affine_scale(arena, row, columns), column);
    return affine_add(arena, affine_scale(arena, matrix, apart), inside);
}

typedef struct Tile { /* a point in the loops over the tiles of a block */
    Affine image, down, across, channel;
} Tile;

/* Its number in the block. */
static Affine tile_number(const Winograd *w, const Tile *t)
{
    Arena *arena = w->l->arena;
    Affine row = affine_add(arena, affine_scale(arena, t->image, w->rows), t->down);
    return affine_add(arena, affine_scale(arena, row, w->wide), t->across);
}

/* The element i down and j across in the tile's square of an image. */
static Coordinates point_in_tile(const Winograd *w, const Tile *t, int i, int j)
{
    Arena *arena = w->l->arena;
    Affine down = affine_add(arena, w->row, t->down);
    Coordinates at = {.rank = 4};
    at.at[0] = affine_add(arena, w->image, t->image);
    at.at[1] = affine_add(arena, affine_scale(arena, down, w->form.m), affine_number(i));
    at.at[2] = affine_add(arena, affine_scale(arena, t->across, w->form.m), affine_number(j));
    at.at[3] = t->channel;
    return at;
}

static Stmt *store(Lowering *l, Buffer *buffer, Affine at, Expr *value)
{
    return stmt_store(l->arena, STORE_SET, buffer, at, value);
}

static Stmt *input_nest(Winograd *w)
{
    Lowering *l = w->l;
    int n = w->form.n;
    Axes axes = {0};
    Tile tile = {.image = axes_add(l, &axes, "n", w->images)};
    tile.down = axes_add(l, &axes, "th", w->rows);
    tile.across = axes_add(l, &axes, "tw", w->wide);
    tile.channel = axes_add(l, &axes, "c", w->in);
    Lets lets = {.l = l};
    Expr *half[EDGE_MOST][EDGE_MOST], *column[EDGE_MOST], *result[EDGE_MOST];
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++) {
            Coordinates at = point_in_tile(w, &tile, i, j);
            column[i] = let(&lets, bordered_read(l, &w->x, &at));
        }
        transform_rows(&lets, w->form.input, n, column, n, result);
        for (int i = 0; i < n; i++)
            half[i][j] = result[i];
    }
    for (int i = 0; i < n; i++) {
        transform_rows(&lets, w->form.input, n, half[i], n, result);
        for (int j = 0; j < n; j++) {
            Affine at = stacked(w, pitch(w, w->in), affine_number(i * n + j), tile_number(w, &tile),
                                w->in, tile.channel);
            lets.list = stmt_append(lets.list, store(l, w->v, at, result[j]));
        }
    }
    return axes_loops(l, &axes, lets.list);
}

static Stmt *product_nest(Winograd *w)
{
    Lowering *l = w->l;
    Axes axes = {0}, reduced = {0};
    Affine matrix = axes_add(l, &axes, "xy", matrices(w)), tile = axes_add(l, &axes, "t", w->tiles);
    Affine out = axes_add(l, &axes, "k", w->out), in = axes_add(l, &reduced, "c", w->in);
    Buffer *u = lower_argument(l, w->u), *acc = nest_local(l->arena, "acc", TYPE_F32, 1);
    u->fixed = w->u->kind == SLOT_PREPARED;
    u->shared = u->fixed && lower_has_others(l);
    Affine zero = affine_number(0);
    Expr *a = expr_load(l->arena, w->v, stacked(w, pitch(w, w->in), matrix, tile, w->in, in));
    Expr *b = expr_load(l->arena, u, stacked(w, w->in * w->out, matrix, in, w->out, out));
    Stmt *sum = stmt_store(l->arena, STORE_ADD, acc, zero, both(l, OP_mul, a, b));
    Stmt *body = stmt_local(l->arena, acc);
    stmt_append(body, store(l, acc, zero, expr_number(l->arena, TYPE_F32, 0)));
    stmt_append(body, axes_loops(l, &reduced, sum));
    stmt_append(body, store(l, w->m, stacked(w, pitch(w, w->out), matrix, tile, w->out, out),
                            expr_load(l->arena, acc, zero)));
    return axes_loops(l, &axes, body);
}

typedef struct Part { /* tiles of which `size` outputs exist along one axis */
    int64_t first, count;
    int size;
} Part;

static Stmt *output_nest(Winograd *w, Part down, Part across)
{
    Lowering *l = w->l;
    int n = w->form.n;
    if (!down.count || !down.size || !across.count || !across.size)
        return NULL;
    Axes axes = {0};
    Tile tile = {.image = axes_add(l, &axes, "n", w->images)};
    tile.down =
        affine_add(l->arena, axes_add(l, &axes, "th", down.count), affine_number(down.first));
    tile.across =
        affine_add(l->arena, axes_add(l, &axes, "tw", across.count), affine_number(across.first));
    tile.channel = axes_add(l, &axes, "k", w->out);
    Lets lets = {.l = l};
    Expr *half[EDGE_MOST][EDGE_MOST], *column[EDGE_MOST], *result[EDGE_MOST];
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++) {
            Affine at = stacked(w, pitch(w, w->out), affine_number(i * n + j),
                                tile_number(w, &tile), w->out, tile.channel);
            column[i] = let(&lets, expr_load(l->arena, w->m, at));
        }
        transform_columns(&lets, w->form.output, down.size, column, n, result);
        for (int i = 0; i < down.size; i++)
            half[i][j] = result[i];
    }
    for (int i = 0; i < down.size; i++) {
        transform_columns(&lets, w->form.output, across.size, half[i], n, result);
        for (int j = 0; j < across.size; j++) {
            Coordinates at = point_in_tile(w, &tile, i, j);
            lets.list = stmt_append(lets.list, lower_epilogue(l, result[j], &at));
        }
    }
    return axes_loops(l, &axes, lets.list);
}

/* Whole tiles, then those that the edge cuts. */
static Stmt *output_nests(Winograd *w)
{
    int m = w->form.m;
    int64_t rest_down = w->rows < w->high ? 0 : w->y.dims[1] % m, rest_across = w->y.dims[2] % m;
    Part down[2] = {{0, w->rows - (rest_down > 0), m}, {w->rows - 1, 1, (int)rest_down}};
    Part across[2] = {{0, w->wide - (rest_across > 0), m}, {w->wide - 1, 1, (int)rest_across}};
    Stmt *all = NULL;
    for (int i = 0; i < 4; i++)
        all = stmt_append(all, output_nest(w, down[i / 2], across[i % 2]));
    return all;
}

/* ---- the kernels ---- */

static int64_t input_work(const Winograd *w)
{
    return 8 * matrices(w) * w->tiles * w->in;
}

static int64_t product_work(const Winograd *w)
{
    return matrices(w) * w->tiles * w->in * w->out;
}

static int64_t output_work(const Winograd *w)
{
    return 6 * matrices(w) * w->tiles * w->out;
}

static Buffer *written(Lowering *l, Slot *slot)
{
    Buffer *buffer = lower_argument(l, slot);
    buffer->written = true;
    return buffer;
}

static void separate_kernels(Winograd *w, Group *group, const char *name)
{
    Lowering *l = w->l;
    kernel_begin(l, NULL, "winograd_input");
    w->v = written(l, w->v_slot);
    l->kernel->element_steps = input_work(w);
    kernel_end(l, input_nest(w));
    kernel_begin(l, NULL, "winograd_product");
    w->v = lower_argument(l, w->v_slot);
    w->m = written(l, w->m_slot);
    l->kernel->multiply_adds = product_work(w);
    kernel_end(l, product_nest(w));
    kernel_begin(l, group, name);
    w->m = lower_argument(l, w->m_slot);
    l->kernel->element_steps = output_work(w);
    kernel_end(l, output_nests(w));
}

static void one_kernel(Winograd *w, Group *group, const char *name)
{
    Lowering *l = w->l;
    kernel_begin(l, group, name);
    Axes blocks = {0};
    int64_t image_blocks = w->y.dims[0] / w->images, row_blocks = w->high / w->rows;
    w->image = affine_scale(l->arena, axes_add(l, &blocks, "images", image_blocks), w->images);
    w->row = affine_scale(l->arena, axes_add(l, &blocks, "rows", row_blocks), w->rows);
    w->v = kernel_scratch(l->arena, l->kernel, "v", TYPE_F32, matrices(w) * pitch(w, w->in));
    w->m = kernel_scratch(l->arena, l->kernel, "m", TYPE_F32, matrices(w) * pitch(w, w->out));
    Stmt *steps = input_nest(w);
    stmt_append(steps, product_nest(w));
    stmt_append(steps, output_nests(w));
    l->kernel->multiply_adds = product_work(w) * image_blocks * row_blocks;
    l->kernel->element_steps = (input_work(w) + output_work(w)) * image_blocks * row_blocks;
    kernel_end(l, axes_loops(l, &blocks, steps));
}

/* The weight of the tap i down and j across that meets input channel `in` for output channel `out`.
 */
static Expr *weight_at(const Winograd *w, int i, int j, Affine in, Affine out)
{
    Coordinates at = {4, {affine_number(i), affine_number(j), in, out}};
    int last = w->form.taps - 1;
    if (w->reversed)
        at = (Coordinates){4, {affine_number(last - i), affine_number(last - j), out, in}};
    return lower_read(w->l, w->root->in[1], &at);
}

/* U, made ahead where the weights are fixed. */
static Slot *transformed_weights(Winograd *w)
{
    Lowering *l = w->l;
    Slot *weights = lower_slot(l, fusion_source(l->fusion, w->root->in[1]));
    int n = w->form.n, taps = w->form.taps;
    int64_t count = matrices(w) * w->in * w->out;
    TensorType type = type_make(TYPE_F32, 1, &count);
    kernel_begin(l, NULL, "winograd_weights");
    Axes axes = {0};
    Affine in = axes_add(l, &axes, "c", w->in), out = axes_add(l, &axes, "k", w->out);
    Lets lets = {.l = l};
    lower_argument(l, weights); /* comes first */
    Slot to = {.kind = SLOT_TEMPORARY, .type = type};
    Buffer *u = written(l, &to);
    Expr *half[EDGE_MOST][TAPS_MOST], *column[TAPS_MOST];
    for (int j = 0; j < taps; j++) {
        for (int i = 0; i < taps; i++)
            column[i] = let(&lets, weight_at(w, i, j, in, out));
        for (int r = 0; r < n; r++)
            half[r][j] = let(&lets, combine(l, w->form.weights[r], column, taps, 0, 1));
    }
    for (int i = 0; i < n * n; i++) {
        Affine at = stacked(w, w->in * w->out, affine_number(i), in, w->out, out);
        Expr *value = combine(l, w->form.weights[i % n], half[i / n], taps, 0, 1);
        lets.list = stmt_append(lets.list, store(l, u, at, value));
    }
    l->kernel->element_steps = 3 * count;
    return kernel_end_ahead(l, axes_loops(l, &axes, lets.list), weights, type);
}

/* ---- when ---- */

/* What a form costs in multiply-adds: the products, at what they reach; both transforms, an element
 * of V or M taking as long as ELEMENT of them; and the way of U from memory, BYTE for each byte. */
enum { ELEMENT = 12, BYTE = 5 };

static double form_cost(const Base *base, double tiles, double in, double out)
{
    int edge = base->m + base->taps - 1;
    double squares = edge * edge;
    return squares * (1.15 * tiles * in * out + tiles * (in + out) * ELEMENT + in * out * 4 * BYTE);
}

static int64_t tiles_along(int64_t size, int m)
{
    return (size + m - 1) / m;
}

/* The form of least cost; m = 0: there is none, or the plain sum is not dearer. */
static Form choose_form(const TensorType *y, int64_t taps, int64_t channels_in,
                        int64_t channels_out)
{
    double in = (double)channels_in, out = (double)channels_out;
    double points = (double)(y->dims[0] * y->dims[1] * y->dims[2]);
    double best = 0.9 * (double)(taps * taps) * in * out * (points * 1.05 + 4 * BYTE);
    Form form = {0};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        int m = bases[i].m;
        if (bases[i].taps != taps)
            continue;
        int64_t tiles = y->dims[0] * tiles_along(y->dims[1], m) * tiles_along(y->dims[2], m);
        double cost = form_cost(&bases[i], (double)tiles, in, out);
        if (cost >= best)
            continue;
        best = cost;
        form = form_of(&bases[i]);
    }
    return form;
}

static bool is_possible(const Lowering *l, const Node *root)
{
    if (root->op != OP_conv && root->op != OP_conv_transpose)
        return false;
    Spatial s = node_spatial(root);
    const TensorType *weights = &root->in[1]->type;
    const Node *from = fusion_source(l->fusion, root->in[1]); /* moved or not, a state's */
    bool plain = s.rank == 2 && s.groups == 1;
    for (int i = 0; i < 2 && plain; i++)
        plain = s.stride[i] == 1 && s.dilation[i] == 1 && weights->dims[i] == weights->dims[0] &&
                s.pad[2 * i] < weights->dims[0];
    return plain && root->type.element == TYPE_F32 &&
           (from->op == OP_state || root->in[1]->op == OP_constant) &&
           type_elements(&root->type) > 0 && type_elements(&root->in[0]->type) > 0 &&
           !l->run->options->direct_convolutions;
}

/* ---- blocks ---- */

enum { FEWEST_BLOCKS = 8 }; /* enough for threads to share */

/* Bytes that come from beyond the second-level cache for each tile, when a block has so many. */
static double traffic(const Winograd *w, int64_t tiles)
{
    double l2 = (double)w->l->target->l2_kib * 1024, squares = (double)matrices(w);
    double u = squares * (double)(w->in * w->out) * 4;
    double each = squares * (double)(w->in + w->out) * 4, start = 4096 / (double)tiles;
    if (u + each * (double)tiles <= 0.9 * l2)
        return start;
    return start + u / (double)tiles + (each * (double)tiles <= 0.5 * l2 ? 0 : 2 * each);
}

/* Sets images and rows of a block to what costs least; all of them when there would be few blocks.
 */
static void choose_block(Winograd *w)
{
    int64_t batch = w->y.dims[0], best_images = batch, best_rows = w->high;
    double best = -1;
    bool whole_rows = w->y.dims[1] % w->form.m == 0; /* no last row to be cut */
    for (int64_t images = 1; images <= batch; images++)
        for (int64_t rows = 1; rows <= w->high; rows++) {
            if (batch % images || w->high % rows || (rows < w->high && (images > 1 || !whole_rows)))
                continue;
            if (batch / images * (w->high / rows) < FEWEST_BLOCKS)
                continue;
            double cost = traffic(w, images * rows * w->wide);
            if (best >= 0 && cost >= best)
                continue;
            best = cost;
            best_images = images;
            best_rows = rows;
        }
    w->images = best_images;
    w->rows = best_rows;
    w->tiles = best_images * best_rows * w->wide;
}

static Slot *add_temporary(Lowering *l, const Node *root, const char *what, int64_t count)
{
    return lower_add_slot(l, SLOT_TEMPORARY, arena_print(l->arena, "%d.%s", root->id, what),
                          type_make(TYPE_F32, 1, &count));
}

/* What both need to know before anything is made; false: it is not to go this way. */
static bool begin(Winograd *w, Lowering *l, Node *root)
{
    if (!is_possible(l, root))
        return false;
    const TensorType *weights = &root->in[1]->type;
    *w = (Winograd){
        .l = l, .root = root, .reversed = root->op == OP_conv_transpose, .y = root->type};
    w->in = weights->dims[w->reversed ? 3 : 2];
    w->out = weights->dims[w->reversed ? 2 : 3];
    w->form = choose_form(&w->y, weights->dims[0], w->in, w->out);
    if (!w->form.m)
        return false;
    w->high = tiles_along(w->y.dims[1], w->form.m);
    w->wide = tiles_along(w->y.dims[2], w->form.m);
    return true;
}

/* Whole tiles lie inside. */
static Border border_of(const Winograd *w)
{
    Spatial s = node_spatial(w->root);
    const TensorType *x = &w->root->in[0]->type;
    Border border = {.value = 0};
    int last = w->form.taps - 1;
    int64_t reach[2] = {w->high * w->form.m + last, w->wide * w->form.m + last};
    for (int i = 0; i < 2; i++) {
        border.before[i + 1] = w->reversed ? last - s.pad[2 * i] : s.pad[2 * i];
        int64_t missing = reach[i] - border.before[i + 1] - x->dims[i + 1];
        border.after[i + 1] = missing > 0 ? missing : 0;
    }
    return border;
}

bool winograd_border(Lowering *l, Node *root, Border *border)
{
    Winograd w;
    if (!begin(&w, l, root))
        return false;
    *border = border_of(&w);
    return true;
}

bool lower_winograd(Lowering *l, Node *root)
{
    Winograd w;
    if (!begin(&w, l, root))
        return false;
    Group *group = l->group;
    const char *name = l->kernel->name;
    choose_block(&w);
    Border border = border_of(&w);
    w.x = lower_bordered(l, root->in[0], &border);
    w.u = transformed_weights(&w);
    if (w.images < w.y.dims[0] || w.rows < w.high) {
        one_kernel(&w, group, name);
        return true;
    }
    w.v_slot = add_temporary(l, root, "input", matrices(&w) * pitch(&w, w.in));
    w.m_slot = add_temporary(l, root, "products", matrices(&w) * pitch(&w, w.out));
    separate_kernels(&w, group, name);
    return true;
}
