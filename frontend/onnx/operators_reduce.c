/* Reductions over axes, and what is normalised by them. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/arithmetic.h"

/* Axes: an attribute, and an input from version 18 on (13 for sums). Without any: all, unless
 * noop_with_empty_axes says none. */
static bool reduced_axes(OnnxOp *op, const Node *x, int64_t *axes, int *count)
{
    bool given, sum = op->row->detail == OP_reduce_sum;
    if (!x || !onnx_axes_of(op, sum ? 13 : 18, 1, x->type.rank, axes, count, &given))
        return false;
    if (!given && onnx_int(op, "noop_with_empty_axes", 0) != 0)
        *count = 0;
    onnx_ignore(op, "noop_with_empty_axes");
    return true;
}

/* What a reduction is asked for; each operator computes over it. */
typedef struct Reduction {
    Node *x;
    int64_t axes[RANK_LIMIT];
    int count;
    bool keep;
} Reduction;

static bool read_reduction(OnnxOp *op, Reduction *r)
{
    r->x = onnx_in(op, 0);
    r->keep = onnx_int(op, "keepdims", 1) != 0;
    return reduced_axes(op, r->x, r->axes, &r->count);
}

static Node *reduce(OnnxOp *op, const Reduction *r, Op which, Node *x)
{
    return graph_reduce(op->f, which, x, r->count, r->axes, r->keep);
}

void onnx_build_reduce(OnnxOp *op)
{
    Reduction r;
    if (!read_reduction(op, &r))
        return;
    bool truth = r.x->type.element == TYPE_BOOL;
    Node *y = reduce(op, &r, (Op)op->row->detail, truth ? graph_cast(op->f, r.x, TYPE_U8) : r.x);
    onnx_out(op, 0, truth ? graph_cast(op->f, y, TYPE_BOOL) : y);
}

void onnx_build_reduce_mean(OnnxOp *op)
{
    Reduction r;
    double elements = 1;
    if (!read_reduction(op, &r))
        return;
    for (int i = 0; i < r.count; i++)
        elements *= (double)r.x->type.dims[r.axes[i]];
    if (r.count == 0)
        onnx_out(op, 0, r.x);
    else if (element_is_float(r.x->type.element))
        onnx_out(op, 0, graph_mean(op->f, r.x, r.count, r.axes, r.keep));
    else
        onnx_out(op, 0,
                 graph_binary_scalar(op->f, OP_div, reduce(op, &r, OP_reduce_sum, r.x), elements));
}

void onnx_build_reduce_l1(OnnxOp *op)
{
    Reduction r;
    if (read_reduction(op, &r))
        onnx_out(op, 0, reduce(op, &r, OP_reduce_sum, graph_unary(op->f, OP_abs, r.x)));
}

void onnx_build_reduce_sum_square(OnnxOp *op)
{
    Reduction r;
    if (read_reduction(op, &r))
        onnx_out(op, 0, reduce(op, &r, OP_reduce_sum, onnx_square(op, r.x)));
}

/* ---- roots and logarithms, which of integers are cut off ---- */

static bool read_float_reduction(OnnxOp *op, Reduction *r, ElementType *element)
{
    if (!read_reduction(op, r))
        return false;
    *element = r->x->type.element;
    if (!element_is_float(*element))
        r->x = graph_cast(op->f, r->x, TYPE_F64);
    return true;
}

/* Of nought the root is nought with a derivative of nought. */
void onnx_build_reduce_l2(OnnxOp *op)
{
    Reduction r;
    ElementType element;
    if (!read_float_reduction(op, &r, &element))
        return;
    Node *sum = reduce(op, &r, OP_reduce_sum, onnx_square(op, r.x));
    Node *none = onnx_compare(op, OP_eq, sum, 0);
    Node *some = graph_select(op->f, none, onnx_scalar(op, r.x->type.element, 1), sum);
    Node *y = graph_select(op->f, none, sum, graph_unary(op->f, OP_sqrt, some));
    onnx_out(op, 0, graph_cast(op->f, y, element));
}

void onnx_build_reduce_log_sum(OnnxOp *op)
{
    Reduction r;
    ElementType element;
    if (!read_float_reduction(op, &r, &element))
        return;
    Node *y = graph_unary(op->f, OP_log, reduce(op, &r, OP_reduce_sum, r.x));
    onnx_out(op, 0, graph_cast(op->f, y, element));
}

/* log Σ exp(x - m) + m with the largest x for m, unless that is infinite: then 0. */
void onnx_build_reduce_log_sum_exp(OnnxOp *op)
{
    Reduction r;
    ElementType element;
    if (!read_float_reduction(op, &r, &element))
        return;
    Node *m = graph_reduce(op->f, OP_reduce_max, r.x, r.count, r.axes, true);
    Node *infinite = onnx_compare(op, OP_eq, graph_unary(op->f, OP_abs, m), INFINITY);
    m = graph_select(op->f, infinite, onnx_scalar(op, r.x->type.element, 0), m);
    Node *e = graph_unary(op->f, OP_exp, graph_sub(op->f, r.x, m));
    Node *log = graph_unary(op->f, OP_log, reduce(op, &r, OP_reduce_sum, e));
    if (log)
        m = graph_reshape(op->f, m, log->type.rank, log->type.dims);
    onnx_out(op, 0, graph_cast(op->f, graph_add(op->f, log, m), element));
}

/* ---- where the largest is ---- */

/* detail: OP_reduce_max or OP_reduce_min */
void onnx_build_arg(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    bool last = onnx_int(op, "select_last_index", 0) != 0;
    bool keep = onnx_int(op, "keepdims", 1) != 0;
    int axis;
    if (!x || !onnx_axis(op, onnx_int(op, "axis", 0), x->type.rank, &axis))
        return;
    int64_t length = x->type.dims[axis], along = axis, dims[RANK_LIMIT];
    memcpy(dims, x->type.dims, sizeof dims);
    dims[axis] = 1;
    int rank = x->type.rank;
    if (op->row->detail == OP_reduce_min)
        x = onnx_reversed_order(op, x);
    if (last)
        x = graph_reverse(op->f, x, 1, &along);
    Node *place = graph_cast(op->f, graph_argmax(op->f, x, axis), TYPE_I64);
    if (last)
        place = onnx_number_first(op, OP_sub, (double)(length - 1), place);
    onnx_out(op, 0, keep && place ? graph_reshape(op->f, place, rank, dims) : place);
}

/* ---- of the elements so far ---- */

/* detail: the Mode */
void onnx_build_cumulative(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    bool exclusive = onnx_int(op, "exclusive", 0) != 0, reverse = onnx_int(op, "reverse", 0) != 0;
    int64_t given;
    int axis;
    if (x && onnx_in_integer(op, 1, "the axis", &given) &&
        onnx_axis(op, given, x->type.rank, &axis))
        onnx_out(op, 0,
                 graph_cumulative(op->f, x, axis, (Mode)op->row->detail, exclusive, reverse));
}

/* ---- normalised by sums ---- */

/* Before version 13 everything from `axis` on is one axis. */
void onnx_build_softmax(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int axis;
    bool flat = op->opset < 13;
    if (!x ||
        !onnx_axis(op, onnx_int(op, "axis", flat ? 1 : -1), x->type.rank ? x->type.rank : 1, &axis))
        return;
    int64_t dims[2] = {1, 1};
    for (int i = 0; i < x->type.rank; i++)
        dims[i >= axis] *= x->type.dims[i];
    TensorType type = x->type;
    if (flat)
        x = graph_reshape(op->f, x, 2, dims);
    x = graph_softmax(op->f, (Op)op->row->detail, x, flat ? 1 : axis);
    onnx_out(op, 0, flat ? graph_reshape(op->f, x, type.rank, type.dims) : x);
}
