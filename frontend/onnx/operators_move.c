/* Operators that move elements. */
#include "frontend/onnx/operator.h"

#include <stdlib.h>
#include <string.h>

enum { PLACE_LIMIT = 1 << 24 }; /* along an axis that is padded by its own elements */

void onnx_build_transpose(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    const int64_t *given;
    int64_t order[RANK_LIMIT], sorted[RANK_LIMIT];
    int count;
    if (!type)
        return;
    bool said = onnx_ints(op, "perm", &given, &count);
    if (said && count != type->rank) {
        onnx_error(op, "perm names %d axes of a tensor with %d", count, type->rank);
        return;
    }
    for (int i = 0; i < type->rank; i++)
        order[i] = !said ? type->rank - 1 - i : given[i] < 0 ? given[i] + type->rank : given[i];
    if (onnx_axes(op, order, type->rank, type->rank, sorted))
        onnx_out(op, 0, onnx_in_ordered(op, 0, order));
    onnx_keep_length(op, order);
}

void onnx_build_concat(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    Node **parts = ARENA_ARRAY(op->arena, Node *, op->in_count);
    int axis, count = 0;
    if (!type || !onnx_axis(op, onnx_int(op, "axis", 1), type->rank, &axis))
        return;
    for (int i = 0; i < op->in_count; i++) {
        parts[count] = onnx_in(op, i);
        if (!parts[count])
            return;
        count++;
    }
    onnx_out(op, 0, count == 1 ? parts[0] : graph_concat(op->f, count, parts, axis));
}

/* ---- slices ---- */

/* Starts, ends, axes and steps: attributes before version 10, inputs from then on. */
typedef struct SliceLists {
    const int64_t *starts, *ends, *axes, *steps; /* axes, steps: NULL when left out */
    int count;
} SliceLists;

static bool read_lists(OnnxOp *op, SliceLists *lists)
{
    int ends, axes, steps;
    if (op->opset < 10) {
        bool good = onnx_ints(op, "starts", &lists->starts, &lists->count) &&
                    onnx_ints(op, "ends", &lists->ends, &ends);
        axes = steps = lists->count;
        good = good && (onnx_ints(op, "axes", &lists->axes, &axes) || true);
        return (good && ends == lists->count && axes == lists->count) ||
               onnx_error(op, "starts, ends and axes must be lists of the same length");
    }
    if (!onnx_in_integers(op, 1, "starts", &lists->starts, &lists->count) ||
        !onnx_in_integers(op, 2, "ends", &lists->ends, &ends))
        return false;
    axes = steps = lists->count;
    if (onnx_has_in(op, 3) && !onnx_in_integers(op, 3, "axes", &lists->axes, &axes))
        return false;
    if (onnx_has_in(op, 4) && !onnx_in_integers(op, 4, "steps", &lists->steps, &steps))
        return false;
    return (ends == lists->count && axes == lists->count && steps == lists->count) ||
           onnx_error(op, "starts, ends, axes and steps must be lists of the same length");
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

void onnx_build_slice(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    SliceLists lists = {0};
    if (!x || !read_lists(op, &lists))
        return;
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT], step[RANK_LIMIT], turned[RANK_LIMIT];
    int turns = 0;
    for (int i = 0; i < x->type.rank; i++) {
        count[i] = x->type.dims[i];
        step[i] = 1;
    }
    bool back[RANK_LIMIT] = {false};
    for (int i = 0; i < lists.count; i++) {
        int axis;
        int64_t by = lists.steps ? lists.steps[i] : 1;
        if (!onnx_axis(op, lists.axes ? lists.axes[i] : i, x->type.rank, &axis))
            return;
        if (by == 0) {
            onnx_error(op, "its step along axis %d is 0", axis);
            return;
        }
        int64_t length = x->type.dims[axis], from = lists.starts[i], to = lists.ends[i];
        from = clamp(from < 0 ? from + length : from, 0, by > 0 ? length : length - 1);
        to = to < 0 ? (to < -length ? -1 : to + length) : to;
        to = by > 0 ? clamp(to, 0, length) : clamp(to, -1, length - 1);
        if (by == INT64_MIN)
            by = INT64_MIN + 1;
        int64_t stride = by > 0 ? by : -by, span = by > 0 ? to - from : from - to;
        count[axis] = span > 0 ? (span - 1) / stride + 1 : 0;
        back[axis] = by < 0;
        start[axis] = by > 0 || !count[axis] ? from : from - (count[axis] - 1) * stride;
        if (start[axis] < 0 || length == 0)
            start[axis] = 0;
        step[axis] = stride > length ? (length ? length : 1) : stride;
    }
    x = graph_slice(op->f, x, start, count, step);
    for (int i = 0; x && i < x->type.rank; i++)
        if (back[i])
            turned[turns++] = i;
    onnx_out(op, 0, turns ? graph_reverse(op->f, x, turns, turned) : x);
}

/* Lengths: an attribute, an input from version 13 on, else equal parts of which the last may be
 * shorter. */
void onnx_build_split(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    const int64_t *lengths = NULL;
    int axis, count = op->out_count;
    if (!x || !onnx_axis(op, onnx_int(op, "axis", 0), x->type.rank, &axis))
        return;
    bool said = op->opset < 13 ? onnx_ints(op, "split", &lengths, &count) : onnx_has_in(op, 1);
    if (said && op->opset >= 13 && !onnx_in_integers(op, 1, "split", &lengths, &count))
        return;
    int64_t parts = onnx_int(op, "num_outputs", op->out_count), length = x->type.dims[axis];
    if (count != op->out_count || parts != op->out_count) {
        onnx_error(op, "splits into %d, but has %d outputs", said ? count : (int)parts,
                   op->out_count);
        return;
    }
    int64_t start[RANK_LIMIT] = {0}, size[RANK_LIMIT], each = (length + parts - 1) / parts;
    memcpy(size, x->type.dims, sizeof size);
    for (int i = 0; i < op->out_count; i++) {
        int64_t left = length - start[axis];
        size[axis] = said ? lengths[i] : each < left ? each : left;
        if (size[axis] < 0 || size[axis] > left) {
            onnx_error(op, "splits more than there is along axis %d", axis);
            return;
        }
        onnx_out(op, i, graph_slice(op->f, x, start, size, NULL));
        start[axis] += size[axis];
    }
}

/* ---- picking ---- */

/* Rows along an axis: a table of rows is what the operation reads, so the axis goes to the front,
 * and that of the indices back to its place. */
Node *onnx_gather(OnnxOp *op, Node *x, Node *indices, int axis)
{
    if (!x || !indices)
        return NULL;
    int many = indices->type.rank, rank = x->type.rank;
    Node *rows = onnx_rows(op, indices, x->type.dims[axis]);
    Node *y = graph_gather(op->f, onnx_move_axis(op, x, axis, 0), rows);
    if (!y || axis == 0)
        return y;
    int64_t order[RANK_LIMIT]; /* y: indices…, axes before, axes behind */
    for (int i = 0; i < axis; i++)
        order[i] = many + i;
    for (int i = 0; i < many; i++)
        order[axis + i] = i;
    for (int i = axis + 1; i < rank; i++)
        order[many + i - 1] = many + i - 1;
    return graph_transpose(op->f, y, order);
}

void onnx_build_gather(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    const Value *at = onnx_in_value(op, 1);
    int axis;
    if (!type || !onnx_axis(op, onnx_int(op, "axis", 0), type->rank, &axis))
        return;
    Node *x = onnx_in(op, 0);
    if (!x || !at || !at->integers || type_elements(&at->type) != 1) {
        onnx_out(op, 0, onnx_gather(op, x, onnx_in(op, 1), axis));
        return;
    }
    /* one known place: a slice, which is read where it lies */
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT], dims[RANK_LIMIT];
    int rank = 0;
    if (type->rank - 1 + at->type.rank > RANK_LIMIT) {
        onnx_error(op, "gives %d axes, %d are the most", type->rank - 1 + at->type.rank,
                   RANK_LIMIT);
        return;
    }
    memcpy(count, type->dims, sizeof count);
    count[axis] = 1;
    start[axis] = at->integers[0] < 0 ? at->integers[0] + type->dims[axis] : at->integers[0];
    for (int i = 0; i < type->rank; i++) {
        for (int j = 0; i == axis && j < at->type.rank; j++)
            dims[rank++] = 1;
        if (i != axis)
            dims[rank++] = type->dims[i];
    }
    onnx_out(op, 0, onnx_reshape(op, graph_slice(op->f, x, start, count, NULL), rank, dims));
}

/* ---- padding ---- */

static bool read_pads(OnnxOp *op, int rank, int64_t *before, int64_t *after)
{
    const int64_t *pads, *list = NULL;
    int count, axes = rank;
    bool good = op->opset < 11 ? onnx_ints(op, op->opset < 2 ? "paddings" : "pads", &pads, &count)
                               : onnx_in_integers(op, 1, "pads", &pads, &count);
    if (!good)
        return false;
    if (onnx_has_in(op, 3) && !onnx_in_integers(op, 3, "axes", &list, &axes))
        return false;
    if (count != 2 * axes)
        return onnx_error(op, "has %d pads for %d axes: two each are needed", count, axes);
    for (int i = 0; i < axes; i++) {
        int axis;
        if (!onnx_axis(op, list ? list[i] : i, rank, &axis))
            return false;
        for (int side = 0; side < 2; side++)
            if (llabs(pads[i + side * axes] / 2) > ELEMENT_LIMIT / 2)
                return onnx_error(op, "has %lld for a pad", (long long)pads[i + side * axes]);
        before[axis] = pads[i];
        after[axis] = pads[axes + i];
    }
    return true;
}

/* Negative padding cuts off. */
static Node *cut(OnnxOp *op, Node *x, int64_t *before, int64_t *after)
{
    int64_t start[RANK_LIMIT], count[RANK_LIMIT];
    for (int i = 0; i < x->type.rank; i++) {
        start[i] = before[i] < 0 ? -before[i] : 0;
        count[i] = x->type.dims[i] - start[i] - (after[i] < 0 ? -after[i] : 0);
        if (count[i] < 0)
            return onnx_error(op, "cuts more off axis %d than there is", i);
        before[i] = before[i] < 0 ? 0 : before[i];
        after[i] = after[i] < 0 ? 0 : after[i];
    }
    return graph_slice(op->f, x, start, count, NULL);
}

/* The places of `x` that stand along a padded axis: mirrored, repeated or from the other end. */
static Node *padded_places(OnnxOp *op, const char *mode, int64_t length, int64_t before,
                           int64_t after)
{
    int64_t count = before + length + after;
    if (count > PLACE_LIMIT)
        return onnx_error(op, "makes an axis %lld long by \"%s\", %d are the most",
                          (long long)count, mode, PLACE_LIMIT);
    int64_t *places = ARENA_ARRAY(op->arena, int64_t, count);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = i - before, period = 2 * (length - 1);
        if (strcmp(mode, "edge") == 0)
            at = clamp(at, 0, length - 1);
        else if (strcmp(mode, "wrap") == 0)
            at = (at % length + length) % length;
        else if (period > 0) {
            at = (at % period + period) % period;
            at = at < length ? at : period - at;
        } else
            at = 0;
        places[i] = at;
    }
    return onnx_list(op, (int)count, places);
}

void onnx_build_pad(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t before[RANK_LIMIT] = {0}, after[RANK_LIMIT] = {0};
    double value = 0;
    const char *mode = onnx_text(op, "mode", "constant");
    if (!x || !read_pads(op, x->type.rank, before, after))
        return;
    if (op->opset < 11)
        value = onnx_float(op, "value", 0);
    else if (onnx_has_in(op, 2) && !onnx_in_number(op, 2, "the value", &value))
        return;
    x = cut(op, x, before, after);
    if (strcmp(mode, "constant") == 0) {
        onnx_out(op, 0, x ? graph_pad(op->f, x, before, after, NULL, value) : NULL);
        return;
    }
    for (int i = 0; x && i < x->type.rank; i++)
        if ((before[i] || after[i]) && x->type.dims[i] > 0)
            x = onnx_gather(op, x, padded_places(op, mode, x->type.dims[i], before[i], after[i]),
                            i);
    onnx_out(op, 0, x);
}
