/* Operators whose results are as long as the data says. They are planned for the longest that can
 * be, with noughts behind, and tell how long they are.
 *
 *     Compress        %0: i32[n] = cumulative %condition mode=add …
 *                     %1: i32[n] = select %condition, %0 - 1, n          where each row goes
 *                     %2: f32[n+1,…] = scatter 0, %x, %1 mode=set        the last one takes the
 * rest
 *
 * Of a condition that is known the rows are picked, and nothing is behind them. */
#include <string.h>

#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/choose.h"

/* ---- chosen rows ---- */

Node *onnx_places_of(OnnxOp *op, Node *chosen, Node **length)
{
    *length = NULL;
    if (!chosen)
        return NULL;
    int64_t axis = 0, n = chosen->type.dims[0];
    Node *ones = graph_cast(op->f, chosen, TYPE_I32);
    Node *sums = graph_cumulative(op->f, ones, axis, MODE_ADD, false, false);
    *length =
        graph_cast(op->f, graph_reduce(op->f, OP_reduce_sum, ones, 1, &axis, false), TYPE_I64);
    return graph_select(op->f, chosen, onnx_plus(op, sums, -1),
                        onnx_scalar(op, TYPE_I32, (double)n));
}

Node *onnx_moved_rows(OnnxOp *op, Node *x, Node *places)
{
    int64_t dims[RANK_LIMIT], start[RANK_LIMIT] = {0};
    if (!x || !places)
        return NULL;
    memcpy(dims, x->type.dims, sizeof dims);
    dims[0]++;
    Node *nought = onnx_scalar(op, x->type.element, 0);
    Node *base = graph_broadcast(op->f, nought, x->type.rank, dims);
    return graph_slice(op->f, graph_scatter(op->f, base, x, places, MODE_SET), start, x->type.dims,
                       NULL);
}

/* Numbers of what is true in a value that is known. */
static const int64_t *known_places(OnnxOp *op, const Value *value, int64_t *count)
{
    int64_t elements = type_elements(&value->type);
    int64_t *places = ARENA_ARRAY(op->arena, int64_t, elements);
    *count = 0;
    for (int64_t i = 0; i < elements; i++)
        if (value->numbers ? value->numbers[i] != 0 : value->integers[i] != 0)
            places[(*count)++] = i;
    return places;
}

void onnx_build_compress(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *chosen = onnx_in(op, 1), *length;
    const Value *known = onnx_in_value(op, 1);
    bool flat = onnx_attribute(op, "axis") == NULL;
    int axis = 0;
    if (!x || !chosen)
        return;
    int64_t all = type_elements(&x->type);
    if (flat)
        x = graph_reshape(op->f, x, 1, &all);
    else if (!onnx_axis(op, onnx_int(op, "axis", 0), x->type.rank, &axis))
        return;
    if (chosen->type.rank != 1 || chosen->type.dims[0] > x->type.dims[axis] ||
        chosen->type.dims[0] > INT32_MAX) {
        onnx_error(op, "its condition must be a list that is no longer than the axis");
        return;
    }
    if (known) {
        int64_t count;
        const int64_t *places = known_places(op, known, &count);
        onnx_out(op, 0, onnx_gather(op, x, onnx_list(op, (int)count, places), axis));
        return;
    }
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT];
    x = onnx_move_axis(op, x, axis, 0);
    memcpy(count, x->type.dims, sizeof count);
    count[0] = chosen->type.dims[0];
    x = graph_slice(op->f, x, start, count, NULL);
    x = onnx_moved_rows(op, x, onnx_places_of(op, chosen, &length));
    onnx_out_length(op, 0, onnx_move_axis(op, x, 0, axis), length, axis);
}

/* ---- where something is ---- */

/* [rank, n] of numbers of elements of a tensor. */
static Node *coordinates_of(OnnxOp *op, Node *places, const TensorType *type)
{
    int64_t dims[2] = {1, places->type.dims[0]}, stride = 1;
    Node *parts[RANK_LIMIT];
    for (int i = type->rank - 1; i >= 0; i--) {
        Node *at = graph_binary_scalar(op->f, OP_div, places, (double)stride);
        at = i ? graph_binary_scalar(op->f, OP_mod, at, (double)type->dims[i]) : at;
        parts[i] = graph_reshape(op->f, graph_cast(op->f, at, TYPE_I64), 2, dims);
        stride *= type->dims[i];
    }
    dims[0] = 0;
    return type->rank > 1 ? graph_concat(op->f, type->rank, parts, 0)
           : type->rank   ? parts[0]
                          : graph_broadcast(op->f, onnx_scalar(op, TYPE_I64, 0), 2, dims);
}

void onnx_build_non_zero(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    const Value *known = onnx_in_value(op, 0);
    Node *x = onnx_in(op, 0), *length;
    if (!x)
        return;
    int64_t all = type_elements(type), count;
    if (all > INT32_MAX) {
        onnx_error(op, "looks at %lld elements, %d are the most", (long long)all, INT32_MAX);
        return;
    }
    if (known) {
        const int64_t *places = known_places(op, known, &count);
        onnx_out(op, 0, coordinates_of(op, onnx_list(op, (int)count, places), type));
        return;
    }
    x = graph_reshape(op->f, x, 1, &all);
    Node *chosen = type->element == TYPE_BOOL ? x : onnx_compare(op, OP_ne, x, 0);
    Node *places = onnx_moved_rows(op, graph_iota(op->f, TYPE_I32, 1, &all, 0),
                                   onnx_places_of(op, chosen, &length));
    if (places)
        onnx_out_length(op, 0, coordinates_of(op, places, type), length, 1);
}
