/* Reductions over axes, and what is normalised by them. */
#include "frontend/onnx/operator.h"

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

void onnx_build_reduce(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axes[RANK_LIMIT];
    int count;
    bool keep = onnx_int(op, "keepdims", 1) != 0;
    if (reduced_axes(op, x, axes, &count))
        onnx_out(op, 0, graph_reduce(op->f, (Op)op->row->detail, x, count, axes, keep));
}

void onnx_build_reduce_mean(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axes[RANK_LIMIT];
    int count;
    bool keep = onnx_int(op, "keepdims", 1) != 0;
    if (reduced_axes(op, x, axes, &count))
        onnx_out(op, 0, count ? graph_mean(op->f, x, count, axes, keep) : x);
}

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
