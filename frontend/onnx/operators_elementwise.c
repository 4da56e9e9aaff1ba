/* Operators that work element by element: one row of ops.def each, or a few. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/operator.h"
#include "frontend/onnx/tensor.h"

void onnx_build_unary(OnnxOp *op)
{
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, graph_unary(op->f, (Op)op->row->detail, onnx_in(op, 0)));
}

/* Before version 7 the second operand is broadcast only when asked, from axis `axis` on. */
static Node *aligned_operand(OnnxOp *op, Node *a, Node *b)
{
    if (op->opset >= 7 || !a || !b || onnx_int(op, "broadcast", 0) == 0 ||
        b->type.rank == a->type.rank)
        return b;
    int axis;
    if (!onnx_axis(op, onnx_int(op, "axis", a->type.rank - b->type.rank), a->type.rank, &axis))
        return NULL;
    int64_t dims[RANK_LIMIT];
    int rank = a->type.rank - axis;
    for (int i = 0; i < rank; i++)
        dims[i] = i < b->type.rank ? b->type.dims[i] : 1;
    return rank < b->type.rank
               ? onnx_error(op, "its operands cannot be broadcast from axis %d", axis)
               : onnx_reshape(op, b, rank, dims);
}

void onnx_build_binary(OnnxOp *op)
{
    Node *a = onnx_in(op, 0);
    Node *b = aligned_operand(op, a, onnx_in(op, 1));
    onnx_ignore(op, "consumed_inputs broadcast axis");
    onnx_out(op, 0, graph_binary(op->f, (Op)op->row->detail, a, b));
}

/* The exponent may be of another type than the base, which the result has. */
void onnx_build_pow(OnnxOp *op)
{
    Node *a = onnx_in(op, 0);
    Node *b = aligned_operand(op, a, onnx_in(op, 1));
    onnx_ignore(op, "broadcast axis");
    if (!a || !b)
        return;
    ElementType element = a->type.element;
    ElementType wide = element == TYPE_F32 && b->type.element != TYPE_F64 ? TYPE_F32 : TYPE_F64;
    Node *power =
        graph_binary(op->f, OP_pow, graph_cast(op->f, a, wide), graph_cast(op->f, b, wide));
    onnx_out(op, 0, graph_cast(op->f, power, element));
}

void onnx_build_relu(OnnxOp *op)
{
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, graph_binary_scalar(op->f, OP_max, onnx_in(op, 0), 0));
}

/* alpha · x below 0 */
void onnx_build_leaky_relu(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Node *low = graph_binary_scalar(op->f, OP_mul, x, onnx_float(op, "alpha", 0.01));
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, graph_select(op->f, graph_binary_scalar(op->f, OP_lt, x, 0), low, x));
}

/* max(0, min(1, alpha · x + beta)) */
void onnx_build_hard_sigmoid(OnnxOp *op)
{
    Node *x = graph_binary_scalar(op->f, OP_mul, onnx_in(op, 0), onnx_float(op, "alpha", 0.2));
    x = graph_binary_scalar(op->f, OP_add, x, onnx_float(op, "beta", 0.5));
    onnx_ignore(op, "consumed_inputs");
    x = graph_binary_scalar(op->f, OP_min, x, 1);
    onnx_out(op, 0, graph_binary_scalar(op->f, OP_max, x, 0));
}

/* One bound: an attribute before version 11, an input after it; a number where it is known. */
static Node *bounded(OnnxOp *op, Node *x, Op which, int input, const char *key)
{
    double bound = which == OP_max ? -INFINITY : INFINITY;
    if (op->opset >= 11) {
        if (!onnx_has_in(op, input))
            return x;
        if (!onnx_in_value(op, input))
            return graph_binary(op->f, which, x, onnx_in(op, input));
        if (!onnx_in_number(op, input, key, &bound))
            return NULL;
    } else {
        bound = onnx_float(op, key, bound);
    }
    return isinf(bound) ? x : graph_binary_scalar(op->f, which, x, bound);
}

void onnx_build_clip(OnnxOp *op)
{
    Node *x = bounded(op, onnx_in(op, 0), OP_max, 1, "min");
    onnx_ignore(op, "consumed_inputs");
    x = bounded(op, x, OP_min, 2, "max");
    onnx_out(op, 0, x);
}

void onnx_build_where(OnnxOp *op)
{
    onnx_out(op, 0, graph_select(op->f, onnx_in(op, 0), onnx_in(op, 1), onnx_in(op, 2)));
}

void onnx_build_cast(OnnxOp *op)
{
    ElementType element;
    int64_t to = onnx_int(op, "to", 0);
    onnx_ignore(op, "saturate round_mode");
    if (!onnx_type_find(to, &element)) {
        onnx_error(op, "casts to %s, which is not supported", onnx_type_name(op->arena, to));
        return;
    }
    onnx_out(op, 0, graph_cast(op->f, onnx_in(op, 0), element));
}
