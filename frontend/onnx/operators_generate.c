/* Operators that make tensors of little: diagonals, ranges, repetitions, windows of signal
 * processing. Indices come from iota, so that no large constant is stored. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/reader.h"
#include "frontend/onnx/tensor.h"

bool onnx_element(OnnxOp *op, const char *key, ElementType otherwise, ElementType *element)
{
    int64_t number = onnx_int(op, key, 0);
    *element = otherwise;
    if (number == 0 || onnx_type_find(number, element))
        return true;
    return onnx_error(op, "%s is %s, which is not supported", key,
                      onnx_type_name(op->arena, number));
}

/* ---- diagonals ---- */

/* Column minus row of the last two axes, as i32; `offset` below `limit` in size. */
static Node *diagonal_of(OnnxOp *op, const TensorType *type)
{
    int64_t dims[2] = {type->dims[type->rank - 2], type->dims[type->rank - 1]};
    return graph_sub(op->f, graph_iota(op->f, TYPE_I32, 2, dims, 1),
                     graph_iota(op->f, TYPE_I32, 2, dims, 0));
}

static double clamped(int64_t value)
{
    return value < -INT32_MAX ? -INT32_MAX : value > INT32_MAX ? INT32_MAX : (double)value;
}

void onnx_build_eye_like(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    ElementType element;
    int64_t k = onnx_int(op, "k", 0);
    if (!type || !onnx_element(op, "dtype", type->element, &element))
        return;
    if (type->rank != 2) {
        onnx_error(op, "its input must be a matrix, but has %d axes", type->rank);
        return;
    }
    Node *one = onnx_compare(op, OP_eq, diagonal_of(op, type), clamped(k));
    onnx_out(op, 0, graph_cast(op->f, one, element));
}

/* What is kept lies on diagonal k, or above or below it. k may be computed by the model. */
void onnx_build_trilu(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    bool upper = onnx_int(op, "upper", 1) != 0;
    if (!x)
        return;
    if (x->type.rank < 2) {
        onnx_error(op, "its input must have 2 axes or more, but has %d", x->type.rank);
        return;
    }
    Node *k = onnx_scalar(op, TYPE_I32, 0);
    if (onnx_has_in(op, 1)) {
        k = graph_cast(op->f, onnx_in(op, 1), TYPE_I64);
        k = onnx_at_most(op, onnx_at_least(op, k, -INT32_MAX), INT32_MAX);
        k = graph_reshape(op->f, graph_cast(op->f, k, TYPE_I32), 0, NULL);
    }
    Node *kept = graph_binary(op->f, upper ? OP_ge : OP_le, diagonal_of(op, &x->type), k);
    onnx_out(op, 0, graph_select(op->f, kept, x, onnx_scalar(op, x->type.element, 0)));
}

/* ---- ranges ---- */

/* How many numbers there are from start up to the limit; -1: too many. */
static int64_t whole_steps(int64_t start, int64_t limit, int64_t delta)
{
    bool up = delta > 0;
    if (up ? start >= limit : start <= limit)
        return 0;
    uint64_t span = up ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = up ? (uint64_t)delta : 0 - (uint64_t)delta;
    uint64_t count = (span - 1) / step + 1;
    return count > ELEMENT_LIMIT ? -1 : (int64_t)count;
}

static int64_t float_steps(double start, double limit, double delta)
{
    double count = ceil((limit - start) / delta);
    return isnan(count) || count > ELEMENT_LIMIT ? -1 : count > 0 ? (int64_t)count : 0;
}

/* start + i · delta */
void onnx_build_range(OnnxOp *op)
{
    static const char *const names[] = {"start", "limit", "delta"};
    const TensorType *type = onnx_in_type(op, 0);
    double numbers[3];
    int64_t integers[3], count;
    onnx_ignore(op, "stash_type");
    if (!type)
        return;
    bool whole = !element_is_float(type->element);
    for (int i = 0; i < 3; i++)
        if (whole ? !onnx_in_integer(op, i, names[i], &integers[i])
                  : !onnx_in_number(op, i, names[i], &numbers[i]))
            return;
    if (whole ? integers[2] == 0 : numbers[2] == 0) {
        onnx_error(op, "delta is 0");
        return;
    }
    count = whole ? whole_steps(integers[0], integers[1], integers[2])
                  : float_steps(numbers[0], numbers[1], numbers[2]);
    if (count < 0) {
        onnx_error(op, "its numbers are too many");
        return;
    }
    ElementType element = whole ? TYPE_I64 : type->element == TYPE_F64 ? TYPE_F64 : TYPE_F32;
    Node *start = graph_reshape(op->f, graph_cast(op->f, onnx_in(op, 0), element), 0, NULL);
    Node *delta = graph_reshape(op->f, graph_cast(op->f, onnx_in(op, 2), element), 0, NULL);
    Node *y = graph_mul(op->f, graph_iota(op->f, element, 1, &count, 0), delta);
    onnx_out(op, 0, graph_cast(op->f, graph_add(op->f, y, start), type->element));
}

/* ---- one of several ---- */

/* Whole numbers that count from the end where negative; -1 where they are none of `count`. */
static Node *valid_rows(OnnxOp *op, Node *indices, int64_t count)
{
    Node *x = graph_cast(op->f, indices, TYPE_I64);
    Node *negative = onnx_compare(op, OP_lt, x, 0);
    x = graph_select(op->f, negative, onnx_plus(op, x, (double)count), x);
    Node *inside = graph_binary(op->f, OP_and, onnx_compare(op, OP_ge, x, 0),
                                onnx_compare(op, OP_lt, x, (double)count));
    Node *none = onnx_scalar(op, TYPE_I64, -1);
    return graph_cast(op->f, graph_select(op->f, inside, x, none), TYPE_I32);
}

/* Element i of a list, without axes. */
static Node *element_of(OnnxOp *op, Node *list, int64_t i)
{
    int64_t one = 1;
    return graph_reshape(op->f, graph_slice(op->f, list, &i, &one, NULL), 0, NULL);
}

void onnx_build_one_hot(OnnxOp *op)
{
    Node *indices = onnx_in(op, 0), *values = onnx_in(op, 2);
    double given;
    int axis;
    if (!indices || !values || !onnx_in_number(op, 1, "depth", &given) ||
        !onnx_axis(op, onnx_int(op, "axis", -1), indices->type.rank + 1, &axis))
        return;
    int64_t depth = given >= 0 && given <= INT32_MAX ? (int64_t)given : -1;
    if (depth < 0 || values->type.rank != 1 || values->type.dims[0] != 2) {
        onnx_error(op, depth < 0 ? "its depth is no size" : "its values must be a list of two");
        return;
    }
    if (indices->type.rank == RANK_LIMIT) {
        onnx_error(op, "gives %d axes, %d are the most", RANK_LIMIT + 1, RANK_LIMIT);
        return;
    }
    int64_t dims[RANK_LIMIT];
    int rank = indices->type.rank + 1;
    for (int i = 0; i < rank; i++)
        dims[i] = i == axis ? 1 : indices->type.dims[i - (i > axis)];
    Node *rows = graph_reshape(op->f, valid_rows(op, indices, depth), rank, dims);
    dims[axis] = depth;
    Node *here = graph_binary(op->f, OP_eq, rows, graph_iota(op->f, TYPE_I32, rank, dims, axis));
    onnx_out(op, 0,
             graph_select(op->f, here, element_of(op, values, 1), element_of(op, values, 0)));
}

/* ---- repetition ---- */

enum { TILES_AT_ONCE = 3 };

/* Repeats x along up to three axes from `*axis` on, by a broadcast to [before, r, d, r, d, …] in
 * which axes that stay as they are join those in front of them. */
static Node *tile_some(OnnxOp *op, Node *x, const int64_t *repeats, int *axis)
{
    int64_t narrow[RANK_LIMIT] = {1}, wide[RANK_LIMIT] = {1}, dims[RANK_LIMIT];
    int rank = 1, tiles = 0;
    memcpy(dims, x->type.dims, sizeof dims);
    for (int i = 0; i < x->type.rank; i++) {
        if (i >= *axis && repeats[i] != 1 && tiles < TILES_AT_ONCE) {
            tiles++;
            narrow[rank] = 1;
            wide[rank++] = repeats[i];
            narrow[rank] = wide[rank] = 1;
            rank++;
            dims[i] *= repeats[i];
            *axis = i + 1;
        }
        narrow[rank - 1] *= x->type.dims[i];
        wide[rank - 1] *= x->type.dims[i];
    }
    if (!tiles) {
        *axis = x->type.rank;
        return x;
    }
    Node *y = graph_broadcast(op->f, graph_reshape(op->f, x, rank, narrow), rank, wide);
    return graph_reshape(op->f, y, x->type.rank, dims);
}

/* Before version 6: how often, and along which axis. */
static bool read_repeats(OnnxOp *op, int rank, int64_t *repeats)
{
    const int64_t *list;
    int count, axis;
    if (op->opset < 6) {
        int64_t times, along;
        if (!onnx_in_integer(op, 1, "tiles", &times) || !onnx_in_integer(op, 2, "axis", &along) ||
            !onnx_axis(op, along, rank, &axis))
            return false;
        for (int i = 0; i < rank; i++)
            repeats[i] = i == axis ? times : 1;
    } else {
        if (!onnx_in_integers(op, 1, "repeats", &list, &count))
            return false;
        if (count != rank)
            return onnx_error(op, "has %d repeats for %d axes", count, rank);
        memcpy(repeats, list, (size_t)count * sizeof *list);
    }
    for (int i = 0; i < rank; i++)
        if (repeats[i] < 0 || repeats[i] > ELEMENT_LIMIT)
            return onnx_error(op, "%lld is no number of times", (long long)repeats[i]);
    return true;
}

void onnx_build_tile(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t repeats[RANK_LIMIT];
    if (!x || !read_repeats(op, x->type.rank, repeats))
        return;
    TensorType type = x->type;
    for (int i = 0; i < type.rank; i++)
        if (!checked_multiply(type.dims[i], repeats[i], &type.dims[i]))
            type.dims[i] = INT64_MAX;
    if (!onnx_type_check(op->reader->diag, op->place, &type)) {
        op->failed = true;
        return;
    }
    for (int axis = 0; x && axis < x->type.rank;)
        x = tile_some(op, x, repeats, &axis);
    onnx_out(op, 0, x);
}

/* ---- windows of signal processing ---- */

enum { HANN, HAMMING, BLACKMAN };

/* a - b cos(2πn/N) + c cos(4πn/N) for n below the size; N is the size of a periodic window, and one
 * less of a symmetric one. */
void onnx_build_signal_window(OnnxOp *op)
{
    static const double terms[][3] = {[HANN] = {0.5, 0.5, 0},
                                      [HAMMING] = {25.0 / 46, 21.0 / 46, 0},
                                      [BLACKMAN] = {0.42, 0.5, 0.08}};
    const double *term = terms[op->row->detail];
    int64_t size;
    ElementType element;
    bool periodic = onnx_int(op, "periodic", 1) != 0;
    if (!onnx_element(op, "output_datatype", TYPE_F32, &element) ||
        !onnx_in_integer(op, 0, "the size", &size))
        return;
    int64_t period = periodic || size < 2 ? size : size - 1;
    Node *n = graph_iota(op->f, TYPE_F64, 1, &size, 0);
    Node *turns = graph_binary_scalar(op->f, OP_div, n, (double)period);
    Node *once = graph_unary(op->f, OP_cos, onnx_times(op, turns, 2 * M_PI));
    Node *twice = graph_unary(op->f, OP_cos, onnx_times(op, turns, 4 * M_PI));
    Node *y = onnx_plus(op, onnx_times(op, once, -term[1]), term[0]);
    if (term[2] != 0)
        y = graph_add(op->f, y, onnx_times(op, twice, term[2]));
    onnx_out(op, 0, graph_cast(op->f, y, element));
}
