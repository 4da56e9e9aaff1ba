/* Trigonometric and hyperbolic functions that ops.def has no row for, in forms that keep their
 * digits near nought and near their poles, and that do not overflow before their results do. */
#include <float.h>
#include <math.h>

#include "frontend/onnx/arithmetic.h"

static Node *root(OnnxOp *op, Node *x)
{
    return graph_unary(op->f, OP_sqrt, x);
}

static Node *one_minus(OnnxOp *op, Node *x)
{
    return onnx_number_first(op, OP_sub, 1, x);
}

void onnx_build_tan(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    onnx_out(op, 0, graph_div(op->f, graph_unary(op->f, OP_sin, x), graph_unary(op->f, OP_cos, x)));
}

/* atan(x / √((1 - x)(1 + x))) */
void onnx_build_asin(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Node *other = root(op, graph_mul(op->f, one_minus(op, x), onnx_plus(op, x, 1)));
    onnx_out(op, 0, graph_unary(op->f, OP_atan, graph_div(op->f, x, other)));
}

/* 2 atan(√((1 - x)/(1 + x))) */
void onnx_build_acos(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Node *tangent = root(op, graph_div(op->f, one_minus(op, x), onnx_plus(op, x, 1)));
    onnx_out(op, 0, onnx_times(op, graph_unary(op->f, OP_atan, tangent), 2));
}

/* (eˣ - e⁻ˣ)/2 */
static Node *small_sinh(OnnxOp *op, Node *x)
{
    Node *up = graph_unary(op->f, OP_expm1, x);
    Node *down = graph_unary(op->f, OP_expm1, graph_unary(op->f, OP_neg, x));
    return onnx_times(op, graph_sub(op->f, up, down), 0.5);
}

/* With s = sinh(x/2): 2s√(1 + s²) */
void onnx_build_sinh(OnnxOp *op)
{
    Node *s = small_sinh(op, onnx_times(op, onnx_in(op, 0), 0.5));
    Node *c = root(op, onnx_plus(op, onnx_square(op, s), 1));
    onnx_out(op, 0, graph_mul(op->f, onnx_times(op, s, 2), c));
}

/* With e = exp(|x|/2): e²/2 + 1/(2e²) */
void onnx_build_cosh(OnnxOp *op)
{
    Node *half = onnx_times(op, graph_unary(op->f, OP_abs, onnx_in(op, 0)), 0.5);
    Node *e = graph_unary(op->f, OP_exp, half);
    Node *large = graph_mul(op->f, e, onnx_times(op, e, 0.5));
    onnx_out(op, 0, graph_add(op->f, large, onnx_number_first(op, OP_div, 0.25, large)));
}

/* Odd, so of a = |x|: log(1 + a + a²/(1 + √(1 + a²))), and log(2a) where the square overflows. */
void onnx_build_asinh(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    if (!x)
        return;
    double large = x->type.element == TYPE_F64 ? 1e150 : 1e18;
    Node *below = onnx_compare(op, OP_lt, x, 0);
    Node *a = graph_select(op->f, below, graph_unary(op->f, OP_neg, x), x);
    Node *b = onnx_at_most(op, a, large), *square = onnx_square(op, b);
    Node *divisor = onnx_plus(op, root(op, onnx_plus(op, square, 1)), 1);
    Node *y = graph_unary(op->f, OP_log1p, graph_add(op->f, b, graph_div(op->f, square, divisor)));
    Node *far = onnx_plus(op, graph_unary(op->f, OP_log, onnx_at_least(op, a, large)), log(2));
    y = graph_select(op->f, onnx_compare(op, OP_gt, a, large), far, y);
    onnx_out(op, 0, graph_select(op->f, below, graph_unary(op->f, OP_neg, y), y));
}

/* With h = (x - 1)/2: 2 log(1 + √h + h/(1 + √(1 + h))), of the greatest number instead of infinity,
 * which comes in at the end. */
void onnx_build_acosh(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    if (!x)
        return;
    Node *finite = onnx_at_most(op, x, x->type.element == TYPE_F64 ? DBL_MAX : FLT_MAX);
    Node *h = onnx_times(op, onnx_plus(op, finite, -1), 0.5);
    Node *divisor = onnx_plus(op, root(op, onnx_plus(op, h, 1)), 1);
    Node *sum = graph_add(op->f, root(op, h), graph_div(op->f, h, divisor));
    Node *y = onnx_times(op, graph_unary(op->f, OP_log1p, sum), 2);
    onnx_out(op, 0, graph_add(op->f, y, graph_sub(op->f, x, finite)));
}

/* (log(1 + x) - log(1 - x))/2 */
void onnx_build_atanh(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Node *up = graph_unary(op->f, OP_log1p, x);
    Node *down = graph_unary(op->f, OP_log1p, graph_unary(op->f, OP_neg, x));
    onnx_out(op, 0, onnx_times(op, graph_sub(op->f, up, down), 0.5));
}
