/* Convolutions of 3×3 taps and stride 1 with fewer multiplications: Winograd's minimal filtering.
 *
 * The output is cut into tiles of m × m; each needs n × n inputs, n = m + 2. With the matrices of
 * Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016),
 *
 *     Y = Aᵀ [ (G w Gᵀ) ∘ (Bᵀ d B) ] A          summed over the channels of the input
 *
 * so n² products a tile and channel instead of 9·m²: 4 times fewer for m = 4, 2.25 times for m = 2.
 * Three kernels and the weights', T tiles, C and K channels in and out:
 *
 *     winograd_input     V[n²][T][C] = Bᵀ d B        element-wise, lanes along C
 *     winograd_product   M[n²][T][K] = V · U         n² products, tiled like any contraction
 *     …                  Y           = Aᵀ M A        element-wise, and the group's epilogue
 *     winograd_weights   U[n²][C][K] = G w Gᵀ        once, where weights are fixed
 *
 * It rounds elsewhere than the plain sum: docs/performance.md says how far, and
 * PipelineOptions.direct_convolutions refuses it. Matrices between V and M lie one cache line further apart
 * than they are long, or their rows would compete for the same sets of the cache. */
#include <math.h>
#include <string.h>

#include "passes/lowering.h"

enum { TAPS = 3, EDGE_MOST = 6, LINE = 16 };

typedef struct Form {
    int m, n;
    double input[EDGE_MOST][EDGE_MOST];  /* Bᵀ */
    double weights[EDGE_MOST][TAPS];     /* G */
    double output[EDGE_MOST][EDGE_MOST]; /* Aᵀ, m rows */
} Form;

/* Toom and Cook: polynomials multiplied by their values at n - 1 points, and at infinity. Points in
 * pairs ±p let two rows share their sums; 5/8 and 3/2 err a third as much as the usual 1 and 2, and
 * all that is computed of them is exact in single precision. */
static const struct {
    int m;
    double points[EDGE_MOST - 1];
} bases[] = {{2, {0, 1, -1}}, {4, {0, 0.625, -0.625, 1.5, -1.5}}};

/* polynomial · (x - root), lowest power first */
static void multiply_by_root(double *polynomial, double root)
{
    for (int i = EDGE_MOST - 1; i >= 0; i--)
        polynomial[i] = (i ? polynomial[i - 1] : 0) - root * polynomial[i];
}

static Form form_of(int m, const double *points)
{
    Form f = {.m = m, .n = m + TAPS - 1};
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
            if (k < TAPS)
                f.weights[i][k] = infinite ? k == TAPS - 1 : power / divisor;
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
    TensorType x, y;    /* x: with its border */
    Slot *padded;       /* NULL: x needs none */
    int64_t high, wide; /* tiles down and across */
    int64_t in, out;    /* channels */
    int64_t tiles;      /* of all images */
    Slot *v, *m, *u;
    int64_t v_pitch, m_pitch; /* from one of the n² matrices to the next */
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

/* ---- the kernels ---- */

static Slot *add_temporary(Lowering *l, const char *name, int64_t count)
{
    return schedule_add_slot(l->arena, l->schedule, SLOT_TEMPORARY, name,
                             type_make(TYPE_F32, 1, &count));
}

/* Position of (matrix, row, column) in a stack of matrices. */
static Affine stacked(Lowering *l, int64_t pitch, Affine matrix, Affine row, int64_t columns,
                      Affine column)
{
    Affine inside = affine_add(l->arena, affine_scale(l->arena, row, columns), column);
    return affine_add(l->arena, affine_scale(l->arena, matrix, pitch), inside);
}

static Stmt *store_stacked(Winograd *w, Slot *slot, int64_t pitch, int matrix, Affine row,
                           int64_t columns, Affine column, Expr *value)
{
    Lowering *l = w->l;
    Buffer *buffer = lower_argument(l, slot);
    buffer->written = true;
    Affine at = stacked(l, pitch, affine_number(matrix), row, columns, column);
    return stmt_store(l->arena, STORE_SET, buffer, at, value);
}

typedef struct Tile { /* a point in the loops over tiles */
    Affine image, down, across, channel;
} Tile;

static Affine tile_number(const Winograd *w, const Tile *t)
{
    Arena *arena = w->l->arena;
    Affine row = affine_add(arena, affine_scale(arena, t->image, w->high), t->down);
    return affine_add(arena, affine_scale(arena, row, w->wide), t->across);
}

/* The element i down and j across in the tile's square of the image `type`. */
static Coordinates point_in_tile(const Winograd *w, const Tile *t, int i, int j)
{
    Arena *arena = w->l->arena;
    Coordinates at = {.rank = 4, .at = {t->image, t->down, t->across, t->channel}};
    at.at[1] = affine_add(arena, affine_scale(arena, t->down, w->form.m), affine_number(i));
    at.at[2] = affine_add(arena, affine_scale(arena, t->across, w->form.m), affine_number(j));
    return at;
}

static Expr *read_input(Winograd *w, const Coordinates *at)
{
    Lowering *l = w->l;
    if (!w->padded)
        return lower_read(l, w->root->in[0], at);
    return expr_load(l->arena, lower_argument(l, w->padded), lower_offset(l->arena, &w->x, at));
}

static void input_kernel(Winograd *w)
{
    Lowering *l = w->l;
    int n = w->form.n;
    kernel_begin(l, NULL, "winograd_input");
    Axes axes = {0};
    Tile tile = {.image = axes_add(l, &axes, "n", w->x.dims[0])};
    tile.down = axes_add(l, &axes, "th", w->high);
    tile.across = axes_add(l, &axes, "tw", w->wide);
    tile.channel = axes_add(l, &axes, "c", w->in);
    Lets lets = {.l = l};
    Expr *half[EDGE_MOST][EDGE_MOST], *column[EDGE_MOST], *whole[EDGE_MOST];
    for (int j = 0; j < n; j++) {
        Expr *result[EDGE_MOST];
        for (int i = 0; i < n; i++) {
            Coordinates at = point_in_tile(w, &tile, i, j);
            column[i] = let(&lets, read_input(w, &at));
        }
        transform_rows(&lets, w->form.input, n, column, n, result);
        for (int i = 0; i < n; i++)
            half[i][j] = result[i];
    }
    for (int i = 0; i < n; i++) {
        transform_rows(&lets, w->form.input, n, half[i], n, whole);
        for (int j = 0; j < n; j++)
            lets.list = stmt_append(lets.list, store_stacked(w, w->v, w->v_pitch, i * n + j,
                                                             tile_number(w, &tile), w->in,
                                                             tile.channel, whole[j]));
    }
    l->kernel->element_steps = 8 * (int64_t)n * n * w->tiles * w->in;
    kernel_end(l, axes_loops(l, &axes, lets.list));
}

static void product_kernel(Winograd *w)
{
    Lowering *l = w->l;
    int64_t matrices = (int64_t)w->form.n * w->form.n;
    kernel_begin(l, NULL, "winograd_product");
    Axes axes = {0}, reduced = {0};
    Affine matrix = axes_add(l, &axes, "xy", matrices), tile = axes_add(l, &axes, "t", w->tiles);
    Affine out = axes_add(l, &axes, "k", w->out), in = axes_add(l, &reduced, "c", w->in);
    Buffer *v = lower_argument(l, w->v), *u = lower_argument(l, w->u), *m = lower_argument(l, w->m);
    u->fixed = w->u->kind == SLOT_PREPARED;
    m->written = true;
    Expr *a = expr_load(l->arena, v, stacked(l, w->v_pitch, matrix, tile, w->in, in));
    Expr *b = expr_load(l->arena, u, stacked(l, w->in * w->out, matrix, in, w->out, out));
    Buffer *acc = nest_local(l->arena, "acc", TYPE_F32, 1);
    Affine zero = affine_number(0);
    Stmt *body = stmt_local(l->arena, acc);
    stmt_append(body,
                stmt_store(l->arena, STORE_SET, acc, zero, expr_number(l->arena, TYPE_F32, 0)));
    stmt_append(
        body,
        axes_loops(l, &reduced, stmt_store(l->arena, STORE_ADD, acc, zero, both(l, OP_mul, a, b))));
    stmt_append(body, stmt_store(l->arena, STORE_SET, m,
                                 stacked(l, w->m_pitch, matrix, tile, w->out, out),
                                 expr_load(l->arena, acc, zero)));
    l->kernel->multiply_adds = matrices * w->tiles * w->in * w->out;
    l->kernel->element_steps = matrices * w->tiles * (w->in + w->out);
    kernel_end(l, axes_loops(l, &axes, body));
}

/* Tiles down … and across … of which `rows` × `columns` outputs exist. */
static Stmt *output_nest(Winograd *w, int64_t down, int64_t down_count, int64_t across,
                         int64_t across_count, int rows, int columns)
{
    Lowering *l = w->l;
    int n = w->form.n;
    if (!down_count || !across_count || !rows || !columns)
        return NULL;
    Axes axes = {0};
    Tile tile = {.image = axes_add(l, &axes, "n", w->y.dims[0])};
    tile.down = affine_add(l->arena, axes_add(l, &axes, "th", down_count), affine_number(down));
    tile.across =
        affine_add(l->arena, axes_add(l, &axes, "tw", across_count), affine_number(across));
    tile.channel = axes_add(l, &axes, "k", w->out);
    Lets lets = {.l = l};
    Expr *half[EDGE_MOST][EDGE_MOST], *column[EDGE_MOST], *result[EDGE_MOST];
    Buffer *m = lower_argument(l, w->m);
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++)
            column[i] = let(&lets, expr_load(l->arena, m,
                                             stacked(l, w->m_pitch, affine_number(i * n + j),
                                                     tile_number(w, &tile), w->out, tile.channel)));
        transform_columns(&lets, w->form.output, rows, column, n, result);
        for (int i = 0; i < rows; i++)
            half[i][j] = result[i];
    }
    for (int i = 0; i < rows; i++) {
        transform_columns(&lets, w->form.output, columns, half[i], n, result);
        for (int j = 0; j < columns; j++) {
            Coordinates at = point_in_tile(w, &tile, i, j);
            lets.list = stmt_append(lets.list, lower_epilogue(l, result[j], &at));
        }
    }
    return axes_loops(l, &axes, lets.list);
}

static void output_kernel(Winograd *w, Group *group, const char *name)
{
    Lowering *l = w->l;
    int m = w->form.m;
    int64_t high = w->y.dims[1] / m, wide = w->y.dims[2] / m;
    int rest_high = (int)(w->y.dims[1] % m), rest_wide = (int)(w->y.dims[2] % m);
    kernel_begin(l, group, name);
    Stmt *all = output_nest(w, 0, high, 0, wide, m, m);
    all = stmt_append(all, output_nest(w, 0, high, wide, 1, m, rest_wide));
    all = stmt_append(all, output_nest(w, high, 1, 0, wide, rest_high, m));
    all = stmt_append(all, output_nest(w, high, 1, wide, 1, rest_high, rest_wide));
    l->kernel->element_steps = 6 * (int64_t)w->form.n * w->form.n * w->tiles * w->out;
    kernel_end(l, all);
}

/* U, made ahead where the weights are fixed. */
static Slot *transformed_weights(Winograd *w, Slot *weights)
{
    Lowering *l = w->l;
    int n = w->form.n;
    int64_t count = (int64_t)n * n * w->in * w->out;
    TensorType type = type_make(TYPE_F32, 1, &count);
    kernel_begin(l, NULL, "winograd_weights");
    Axes axes = {0};
    Affine in = axes_add(l, &axes, "c", w->in), out = axes_add(l, &axes, "k", w->out);
    Lets lets = {.l = l};
    Buffer *from = lower_argument(l, weights);
    Slot to = {.kind = SLOT_TEMPORARY, .type = type};
    Expr *half[EDGE_MOST][TAPS], *column[TAPS];
    for (int j = 0; j < TAPS; j++) {
        for (int i = 0; i < TAPS; i++)
            column[i] = let(&lets, expr_load(l->arena, from,
                                             stacked(l, w->in * w->out, affine_number(i * TAPS + j),
                                                     in, w->out, out)));
        for (int r = 0; r < n; r++)
            half[r][j] = let(&lets, combine(l, w->form.weights[r], column, TAPS, 0, 1));
    }
    for (int r = 0; r < n; r++)
        for (int s = 0; s < n; s++)
            lets.list = stmt_append(
                lets.list, store_stacked(w, &to, w->in * w->out, r * n + s, in, w->out, out,
                                         combine(l, w->form.weights[s], half[r], TAPS, 0, 1)));
    l->kernel->element_steps = 3 * count;
    return kernel_end_ahead(l, axes_loops(l, &axes, lets.list), weights, type);
}

/* ---- when ---- */

/* What a form costs in multiply-adds: the products, at what they reach; both transforms, an element
 * of V or M taking as long as ELEMENT of them; and the way of U from memory, BYTE for each byte. */
enum { ELEMENT = 12, BYTE = 5 };

static double form_cost(int m, double tiles, double in, double out)
{
    double squares = (m + TAPS - 1) * (m + TAPS - 1);
    return squares * (1.15 * tiles * in * out + tiles * (in + out) * ELEMENT + in * out * 4 * BYTE);
}

static int64_t tiles_along(int64_t size, int m)
{
    return (size + m - 1) / m;
}

/* The form of least cost; m = 0: the plain sum is not dearer. */
static Form choose_form(const Node *root)
{
    const TensorType *y = &root->type, *weights = &root->in[1]->type;
    double in = (double)weights->dims[2], out = (double)weights->dims[3];
    double points = (double)(y->dims[0] * y->dims[1] * y->dims[2]), taps = TAPS * TAPS;
    double best = 0.9 * taps * in * out * (points * 1.05 + 4 * BYTE);
    Form form = {0};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        int m = bases[i].m;
        int64_t tiles = y->dims[0] * tiles_along(y->dims[1], m) * tiles_along(y->dims[2], m);
        double cost = form_cost(m, (double)tiles, in, out);
        if (cost >= best)
            continue;
        best = cost;
        form = form_of(m, bases[i].points);
    }
    return form;
}

static bool is_possible(const Lowering *l, const Node *root)
{
    Spatial s = node_spatial(root);
    const TensorType *weights = &root->in[1]->type;
    Op from = root->in[1]->op;
    bool plain = s.rank == 2 && s.groups == 1;
    for (int i = 0; i < 2 && plain; i++)
        plain = s.stride[i] == 1 && s.dilation[i] == 1 && weights->dims[i] == TAPS;
    return plain && root->type.element == TYPE_F32 && (from == OP_state || from == OP_constant) &&
           l->function->update_count == 0 && !l->run->options->direct_convolutions;
}

static bool has_elements(const TensorType *type)
{
    return type_elements(type) > 0;
}

bool lower_winograd(Lowering *l, Node *root)
{
    if (!is_possible(l, root) || !has_elements(&root->type) || !has_elements(&root->in[0]->type))
        return false;
    Winograd w = {.l = l, .form = choose_form(root), .root = root, .y = root->type};
    if (!w.form.m)
        return false;
    Group *group = l->group;
    const char *name = l->kernel->name;
    Spatial s = node_spatial(root);
    const TensorType *x = &root->in[0]->type;
    w.in = root->in[1]->type.dims[2];
    w.out = root->in[1]->type.dims[3];
    w.high = tiles_along(w.y.dims[1], w.form.m);
    w.wide = tiles_along(w.y.dims[2], w.form.m);
    w.tiles = w.y.dims[0] * w.high * w.wide;
    int64_t before[RANK_LIMIT] = {0, s.pad[0], s.pad[2]}, after[RANK_LIMIT] = {0};
    int64_t reach[2] = {w.high * w.form.m + TAPS - 1, w.wide * w.form.m + TAPS - 1};
    for (int i = 0; i < 2; i++) {
        int64_t missing = reach[i] - before[i + 1] - x->dims[i + 1];
        after[i + 1] = missing > 0 ? missing : 0;
    }
    w.padded = lower_padded(l, root->in[0], before, after, 0, &w.x);
    int64_t matrices = (int64_t)w.form.n * w.form.n;
    w.v_pitch = w.tiles * w.in + LINE;
    w.m_pitch = w.tiles * w.out + LINE;
    w.v = add_temporary(l, arena_print(l->arena, "%d.input", root->id), matrices * w.v_pitch);
    w.m = add_temporary(l, arena_print(l->arena, "%d.products", root->id), matrices * w.m_pitch);
    w.u = transformed_weights(&w, lower_slot(l, root->in[1]));
    input_kernel(&w);
    product_kernel(&w);
    output_kernel(&w, group, name);
    return true;
}
