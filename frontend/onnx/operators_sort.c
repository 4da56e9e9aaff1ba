/* Operators that need an order of elements: argsort, which keeps the order of equal ones. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/choose.h"
#include "ir/element.h"
#include "ir/scan.h"

/* ---- the greatest, all sorted ---- */

/* The first k of [.., n] in order, or for one of them where the first of the greatest is. */
static Node *sorted_places(OnnxOp *op, Node *x, int64_t k, bool largest)
{
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT];
    int last = x->type.rank - 1;
    memcpy(count, x->type.dims, sizeof count);
    count[last] = k;
    if (k == 1 && x->type.dims[last] > 0) {
        Node *best = graph_argmax(op->f, largest ? x : onnx_reversed_order(op, x), last);
        return graph_reshape(op->f, best, last + 1, count);
    }
    return graph_slice(op->f, graph_argsort(op->f, x, largest), start, count, NULL);
}

/* ---- the greatest, one after the other ----
 *
 * A row is cut into blocks of about √n. Of each block the greatest is known; a step takes the
 * greatest of these, and looks for the next one in its block alone: the greatest behind what has
 * been taken, in the order of keys and, of equal ones, of places. */

/* Whole numbers in the order of x, none of them the least of its type; NULL: there are none. Of
 * floats the bits, those of negative ones turned around; NaN is the greatest. */
static Node *keys_of(OnnxOp *op, Node *x, bool largest)
{
    ElementType element = x->type.element;
    bool real = element_is_float(element);
    if (!real && element_bytes(element) == 8)
        return NULL;
    bool wide = element == TYPE_F64 || (!real && element_bytes(element) == 4);
    Attr attr = {.element = wide ? TYPE_I64 : TYPE_I32};
    if (real) {
        Node *number = graph_binary(op->f, OP_eq, x, x);
        x = onnx_number_first(op, OP_add, 0, x); /* -0 becomes 0 */
        x = graph_select(op->f, number, x, onnx_scalar(op, element, NAN));
        x = graph_node(op->f, OP_bitcast, 1, &x, &attr);
        Node *turned = graph_binary_scalar(op->f, OP_xor, x, element_highest(attr.element));
        x = graph_select(op->f, onnx_compare(op, OP_lt, x, 0), turned, x);
    } else {
        x = graph_cast(op->f, x, attr.element);
    }
    return largest ? x : graph_unary(op->f, OP_not, x);
}

typedef struct Blocks {
    int64_t rows, count, size; /* blocks of a row, elements of a block */
    Node *keys;                /* [rows, count, size] */
} Blocks;

static Blocks blocks_of(OnnxOp *op, Node *keys)
{
    int64_t n = keys->type.dims[1], size = 16;
    while (size * size < n)
        size += 16;
    Blocks b = {keys->type.dims[0], (n + size - 1) / size, size, NULL};
    int64_t none[2] = {0}, behind[2] = {0, b.count * size - n};
    keys = graph_pad(op->f, keys, none, behind, NULL, element_lowest(keys->type.element));
    b.keys = graph_reshape(op->f, keys, 3, (int64_t[]){b.rows, b.count, size});
    return b;
}

/* The body of a step: carried are the greatest keys [rows, blocks] and their places in the blocks;
 * invariant all keys [rows·blocks, size] and the first block of each row. It gives the places in
 * the rows of what is taken. */
static Function *step_body(OnnxOp *op, const Blocks *b)
{
    Function *f = body_create(op->program);
    ElementType element = b->keys->type.element;
    int64_t all = b->rows * b->count, grid[2] = {b->rows, b->count}, column[2] = {b->rows, 1};
    int64_t along = 1;
    f->place = op->place;
    Node *best = graph_input(f, "best", type_make(element, 2, grid));
    Node *place = graph_input(f, "place", type_make(TYPE_I32, 2, grid));
    Node *keys = graph_input(f, "keys", type_make(element, 2, (int64_t[]){all, b->size}));
    Node *first = graph_input(f, "first", type_make(TYPE_I32, 1, &b->rows));
    Node *block = graph_argmax(f, best, 1), *row = graph_add(f, first, block);
    Node *key = graph_gather(f, graph_reshape(f, best, 1, &all), row);
    Node *at = graph_gather(f, graph_reshape(f, place, 1, &all), row);
    Node *taken = graph_add(f, graph_binary_scalar(f, OP_mul, block, (double)b->size), at);
    Node *inside = graph_gather(f, keys, row);
    Node *index = graph_iota(f, TYPE_I32, 2, inside->type.dims, 1);
    key = graph_reshape(f, key, 2, column);
    at = graph_reshape(f, at, 2, column);
    Node *behind = graph_binary(f, OP_and, graph_binary(f, OP_eq, inside, key),
                                graph_binary(f, OP_gt, index, at));
    behind = graph_binary(f, OP_or, behind, graph_binary(f, OP_lt, inside, key));
    Node *least = graph_scalar(f, element, element_lowest(element));
    inside = graph_select(f, behind, inside, least);
    Node *changed = graph_binary(f, OP_eq, graph_iota(f, TYPE_I32, 2, grid, 1),
                                 graph_reshape(f, block, 2, column));
    Node *next = graph_reduce(f, OP_reduce_max, inside, 1, &along, true);
    Node *next_place = graph_reshape(f, graph_argmax(f, inside, 1), 2, column);
    function_add_result(f, NULL, graph_select(f, changed, next, best));
    function_add_result(f, NULL, graph_select(f, changed, next_place, place));
    function_add_result(f, NULL, taken);
    return f;
}

static Node *taken_places(OnnxOp *op, Node *keys, int64_t k)
{
    static const int64_t turned[] = {1, 0};
    Blocks b = blocks_of(op, keys);
    int64_t deep = 2, all = b.rows * b.count;
    Node *first = onnx_times(op, graph_iota(op->f, TYPE_I32, 1, &b.rows, 0), (double)b.count);
    Node *in[] = {graph_reduce(op->f, OP_reduce_max, b.keys, 1, &deep, false),
                  graph_argmax(op->f, b.keys, 2),
                  graph_reshape(op->f, b.keys, 2, (int64_t[]){all, b.size}), first};
    Node *steps = graph_scan(op->f, step_body(op, &b), 2, 0, k, false, in);
    return graph_transpose(op->f, graph_result(op->f, steps, 2), turned); /* [k, rows] */
}

/* Is it less work to take k of n one after the other? In nanoseconds as measured: a step is some
 * calls of kernels, and looks at a block; sorting costs as much for each element as there are
 * powers of 2 in n. */
static bool takes_less(double rows, double n, double k)
{
    double step = 400 + rows * 0.4 * sqrt(n), sort = rows * n * log2(n + 1) * 2.5;
    return n > 64 && k * step < sort;
}

/* i32: where the first k of [.., n] are in order. */
static Node *best_places(OnnxOp *op, Node *x, int64_t k, bool largest)
{
    int last = x->type.rank - 1;
    int64_t n = x->type.dims[last], rows = n ? type_elements(&x->type) / n : 0;
    Node *keys = NULL;
    if (k > 1 && type_elements(&x->type) <= INT32_MAX / 2 &&
        takes_less((double)rows, (double)n, (double)k))
        keys = keys_of(op, x, largest);
    if (!keys)
        return sorted_places(op, x, k, largest);
    int64_t dims[RANK_LIMIT];
    memcpy(dims, x->type.dims, sizeof dims);
    dims[last] = k;
    keys = graph_reshape(op->f, keys, 2, (int64_t[]){rows, n});
    return graph_reshape(op->f, taken_places(op, keys, k), last + 1, dims);
}

void onnx_build_top_k(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t k = onnx_int(op, "k", -1);
    bool largest = onnx_int(op, "largest", 1) != 0;
    int axis;
    onnx_ignore(op, "sorted");
    if (!x || !onnx_axis(op, onnx_int(op, "axis", -1), x->type.rank, &axis) ||
        (op->opset >= 10 && !onnx_in_integer(op, 1, "k", &k)))
        return;
    if (k < 0 || k > x->type.dims[axis]) {
        onnx_error(op, "takes %lld of %lld elements along axis %d", (long long)k,
                   (long long)x->type.dims[axis], axis);
        return;
    }
    int last = x->type.rank - 1;
    x = onnx_move_axis(op, x, axis, last);
    Node *places = x ? best_places(op, x, k, largest) : NULL;
    Node *values = onnx_gather_elements(op, x, places, last);
    onnx_out(op, 0, onnx_move_axis(op, values, last, axis));
    onnx_out(op, 1, graph_cast(op->f, onnx_move_axis(op, places, last, axis), TYPE_I64));
}

/* ---- each once ---- */

/* i32[n]: the rows of [n, m] in order, by a stable sort of one column after the other, the first
 * column last. */
static Node *order_of_rows(OnnxOp *op, Node *x)
{
    int64_t n = x->type.dims[0], m = x->type.dims[1];
    if (m == 1)
        return graph_argsort(op->f, graph_reshape(op->f, x, 1, &n), false);
    Function *body = body_create(op->program);
    body->place = op->place;
    Node *so_far = graph_input(body, "order", type_make(TYPE_I32, 1, &n));
    Node *column = graph_input(body, "column", type_make(x->type.element, 1, &n));
    Node *order = graph_argsort(body, graph_gather(body, column, so_far), false);
    function_add_result(body, NULL, graph_gather(body, so_far, order));
    Node *in[] = {graph_iota(op->f, TYPE_I32, 1, &n, 0), graph_transpose_matrix(op->f, x)};
    return graph_result(op->f, graph_scan(op->f, body, 1, 1, m, true, in), 0);
}

/* bool[n]: does each row of [n, m] differ from the one before it? The first does. NaN are equal. */
static Node *differing(OnnxOp *op, Node *x)
{
    int64_t n = x->type.dims[0], m = x->type.dims[1], axis = 1, one = 1;
    Node *before = graph_slice(op->f, x, (int64_t[]){0, 0}, (int64_t[]){n - 1, m}, NULL);
    Node *behind = graph_slice(op->f, x, (int64_t[]){1, 0}, (int64_t[]){n - 1, m}, NULL);
    Node *other = graph_binary(op->f, OP_ne, before, behind);
    if (element_is_float(x->type.element)) {
        Node *numbers = graph_binary(op->f, OP_or, graph_binary(op->f, OP_eq, before, before),
                                     graph_binary(op->f, OP_eq, behind, behind));
        other = graph_binary(op->f, OP_and, other, numbers);
    }
    other = graph_reduce(op->f, OP_reduce_max, graph_cast(op->f, other, TYPE_I32), 1, &axis, false);
    Node *first = graph_broadcast(op->f, onnx_scalar(op, TYPE_BOOL, 1), 1, &one);
    return graph_concat(op->f, 2, (Node *[]){first, graph_cast(op->f, other, TYPE_BOOL)}, 0);
}

/* numbers[rows[i]] = values[i] of i32[n] */
static Node *spread(OnnxOp *op, Node *values, Node *rows, Mode mode)
{
    Node *base = graph_broadcast(op->f, onnx_scalar(op, TYPE_I32, 0), 1, rows->type.dims);
    return graph_scatter(op->f, base, values, rows, mode);
}

typedef struct Groups { /* of n rows, i32[n] each */
    Node *places;       /* where a row goes that is the first of its group, n for the others */
    Node *group;        /* of each row, by that place */
    Node *length;       /* how many groups, i64 */
} Groups;

/* Groups in the order of their rows, or of their first rows in x. */
static Groups groups_of(OnnxOp *op, Node *x, bool sorted)
{
    Groups g = {0};
    int64_t n = x->type.dims[0], axis = 0;
    Node *order = order_of_rows(op, x), *ordered = graph_gather(op->f, x, order);
    Node *fresh = ordered ? differing(op, ordered) : NULL;
    if (!fresh)
        return g;
    Node *number = onnx_plus(
        op,
        graph_cumulative(op->f, graph_cast(op->f, fresh, TYPE_I32), axis, MODE_ADD, false, false),
        -1);
    Node *in_order = spread(op, number, order, MODE_SET);
    Node *first = onnx_moved_rows(op, order, onnx_places_of(op, fresh, &g.length));
    first = graph_gather(op->f, first, in_order); /* the first row of the group of each row */
    Node *is_first = graph_binary(op->f, OP_eq, first, graph_iota(op->f, TYPE_I32, 1, &n, 0));
    if (sorted) {
        g.group = in_order;
        g.places = graph_select(op->f, is_first, in_order, onnx_scalar(op, TYPE_I32, (double)n));
    } else {
        g.places = onnx_places_of(op, is_first, &g.length);
        g.group = graph_gather(op->f, g.places, first);
    }
    return g;
}

static void give_counts(OnnxOp *op, const Groups *g, int64_t n)
{
    Node *ones = graph_broadcast(op->f, onnx_scalar(op, TYPE_I32, 1), 1, &n);
    Node *rows = graph_iota(op->f, TYPE_I32, 1, &n, 0);
    if (onnx_wants(op, 1))
        onnx_out_length(op, 1, graph_cast(op->f, onnx_moved_rows(op, rows, g->places), TYPE_I64),
                        g->length, 0);
    if (onnx_wants(op, 2))
        onnx_out(op, 2, graph_cast(op->f, g->group, TYPE_I64));
    if (onnx_wants(op, 3))
        onnx_out_length(op, 3, graph_cast(op->f, spread(op, ones, g->group, MODE_ADD), TYPE_I64),
                        g->length, 0);
}

void onnx_build_unique(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    bool sorted = onnx_int(op, "sorted", 1) != 0, flat = onnx_attribute(op, "axis") == NULL;
    int axis = 0;
    if (!x || (!flat && !onnx_axis(op, onnx_int(op, "axis", 0), x->type.rank, &axis)))
        return;
    int64_t all = type_elements(&x->type);
    x = flat ? graph_reshape(op->f, x, 1, &all) : onnx_move_axis(op, x, axis, 0);
    int64_t n = x ? x->type.dims[0] : 0;
    if (all == 0 || n > INT32_MAX) {
        onnx_error(op, "looks for equals among %lld elements, which is not supported",
                   (long long)all);
        return;
    }
    Node *rows = graph_reshape(op->f, x, 2, (int64_t[]){n, all / n});
    if (x->type.element == TYPE_BOOL)
        rows = graph_cast(op->f, rows, TYPE_U8);
    Groups g = groups_of(op, rows, sorted);
    Node *y = onnx_moved_rows(op, x, g.places);
    if (!y)
        return;
    onnx_out_length(op, 0, onnx_move_axis(op, y, 0, axis), g.length, axis);
    give_counts(op, &g, n);
}
