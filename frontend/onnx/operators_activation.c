/* Activations, each spelled out in element-wise operations. In a side that is not taken, arguments
 * are kept in the range where the formula stays finite: there its gradient counts nought times. */
#include <math.h>

#include "frontend/onnx/arithmetic.h"

void onnx_build_relu(OnnxOp *op)
{
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, onnx_at_least(op, onnx_in(op, 0), 0));
}

/* x < 0 ? slope · x : x */
static Node *leaky(OnnxOp *op, Node *x, Node *slope)
{
    return graph_select(op->f, onnx_compare(op, OP_lt, x, 0), graph_mul(op->f, x, slope), x);
}

void onnx_build_leaky_relu(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    double alpha = onnx_float(op, "alpha", 0.01);
    onnx_ignore(op, "consumed_inputs");
    if (x)
        onnx_out(op, 0, leaky(op, x, onnx_scalar(op, x->type.element, alpha)));
}

/* A slope for each element. Before version 7 a list is one for each channel. */
void onnx_build_prelu(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *slope = onnx_in(op, 1);
    onnx_ignore(op, "consumed_inputs");
    if (!x || !slope)
        return;
    if (op->opset < 7 && slope->type.rank == 1 && x->type.rank > 2) {
        int64_t dims[RANK_LIMIT] = {slope->type.dims[0]};
        for (int i = 1; i < x->type.rank - 1; i++)
            dims[i] = 1;
        slope = graph_reshape(op->f, slope, x->type.rank - 1, dims);
    }
    Node *y = leaky(op, x, slope);
    if (y && !type_same_dims(&y->type, &x->type))
        onnx_error(op, "its slope does not broadcast to the shape of its input");
    else
        onnx_out(op, 0, y);
}

void onnx_build_thresholded_relu(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    if (!x)
        return;
    Node *above = onnx_compare(op, OP_gt, x, onnx_float(op, "alpha", 1));
    onnx_out(op, 0, graph_select(op->f, above, x, onnx_scalar(op, x->type.element, 0)));
}

/* ---- exponential linear units ---- */

/* x > 0 ? x : factor · (exp(x / scale) - 1) */
static Node *exponential_linear(OnnxOp *op, Node *x, double factor, double scale)
{
    Node *low = onnx_times(op, onnx_at_most(op, x, 0), 1 / scale);
    Node *curve = onnx_times(op, graph_unary(op->f, OP_expm1, low), factor);
    return graph_select(op->f, onnx_compare(op, OP_gt, x, 0), x, curve);
}

void onnx_build_elu(OnnxOp *op)
{
    double alpha = onnx_float(op, "alpha", 1);
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, exponential_linear(op, onnx_in(op, 0), alpha, 1));
}

void onnx_build_celu(OnnxOp *op)
{
    double alpha = onnx_float(op, "alpha", 1);
    if (alpha == 0)
        onnx_error(op, "alpha is 0, which it divides by");
    else
        onnx_out(op, 0, exponential_linear(op, onnx_in(op, 0), alpha, alpha));
}

/* Version 1 had rounder numbers for its defaults. */
void onnx_build_selu(OnnxOp *op)
{
    bool first = op->opset < 6;
    double alpha = onnx_float(op, "alpha", first ? 1.6732 : 1.67326319217681884765625);
    double gamma = onnx_float(op, "gamma", first ? 1.0507 : 1.05070102214813232421875);
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, onnx_times(op, exponential_linear(op, onnx_in(op, 0), alpha, 1), gamma));
}

/* ---- gates ---- */

/* ½x(1 + erf(x/√2)), or with tanh(√(2/π)(x + 0.044715x³)): Hendrycks and Gimpel, 2016 */
void onnx_build_gelu(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *curve;
    if (onnx_text_is(op, "approximate", "none", "tanh")) {
        Node *cube = onnx_times(op, graph_mul(op->f, x, onnx_square(op, x)), 0.044715);
        Node *inner = onnx_times(op, graph_add(op->f, x, cube), sqrt(2 / M_PI));
        curve = graph_unary(op->f, OP_tanh, inner);
    } else {
        curve = graph_unary(op->f, OP_erf, onnx_times(op, x, sqrt(0.5)));
    }
    onnx_out(op, 0, graph_mul(op->f, onnx_times(op, x, 0.5), onnx_plus(op, curve, 1)));
}

/* x · sigmoid(alpha · x) */
static Node *swish(OnnxOp *op, Node *x)
{
    Node *gate = graph_unary(op->f, OP_sigmoid, onnx_times(op, x, onnx_float(op, "alpha", 1)));
    return graph_mul(op->f, x, gate);
}

void onnx_build_swish(OnnxOp *op)
{
    onnx_out(op, 0, swish(op, onnx_in(op, 0)));
}

void onnx_build_swiglu(OnnxOp *op)
{
    Node *gate = onnx_in(op, 0), *value = onnx_in(op, 1);
    if (gate && value && !type_same_dims(&gate->type, &value->type))
        onnx_error(op, "its two inputs must have the same shape");
    else
        onnx_out(op, 0, graph_mul(op->f, swish(op, gate), value));
}

/* max(0, min(1, alpha · x + beta)) */
static Node *hard_sigmoid(OnnxOp *op, Node *x, double alpha, double beta)
{
    return onnx_at_least(op, onnx_at_most(op, onnx_plus(op, onnx_times(op, x, alpha), beta), 1), 0);
}

void onnx_build_hard_sigmoid(OnnxOp *op)
{
    double alpha = onnx_float(op, "alpha", 0.2), beta = onnx_float(op, "beta", 0.5);
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, hard_sigmoid(op, onnx_in(op, 0), alpha, beta));
}

void onnx_build_hard_swish(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    onnx_out(op, 0, graph_mul(op->f, x, hard_sigmoid(op, x, 1.0 / 6, 0.5)));
}

/* x · tanh(log(1 + eˣ)); with e = eˣ and n = e(e + 2) that is x · n/(n + 2). From 40 on the
 * quotient is 1. */
void onnx_build_mish(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Node *e = graph_unary(op->f, OP_exp, onnx_at_most(op, x, 40));
    Node *n = graph_mul(op->f, e, onnx_plus(op, e, 2));
    onnx_out(op, 0, graph_mul(op->f, x, graph_div(op->f, n, onnx_plus(op, n, 2))));
}

/* ---- others ---- */

/* log(1 + eˣ) = max(0, x) + log(1 + exp(-|x|)). In 0 the gradient of the first summand is 0 and
 * that of min(x, -x) is 1: together ½, as it must be. */
void onnx_build_softplus(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Node *below = graph_binary(op->f, OP_min, x, graph_unary(op->f, OP_neg, x));
    Node *rest = graph_unary(op->f, OP_log1p, graph_unary(op->f, OP_exp, below));
    onnx_out(op, 0, graph_add(op->f, onnx_at_least(op, x, 0), rest));
}

/* x / (1 + |x|) */
void onnx_build_softsign(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    onnx_out(op, 0, graph_div(op->f, x, onnx_plus(op, graph_unary(op->f, OP_abs, x), 1)));
}

/* x < -lambd ? x + bias : x > lambd ? x - bias : 0 */
void onnx_build_shrink(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    double bias = onnx_float(op, "bias", 0), edge = onnx_float(op, "lambd", 0.5);
    if (!x)
        return;
    ElementType element = x->type.element;
    x = graph_cast(op->f, x, element_is_float(element) ? element : TYPE_F64);
    Node *high = graph_select(op->f, onnx_compare(op, OP_gt, x, edge), onnx_plus(op, x, -bias),
                              x ? onnx_scalar(op, x->type.element, 0) : NULL);
    Node *y = graph_select(op->f, onnx_compare(op, OP_lt, x, -edge), onnx_plus(op, x, bias), high);
    onnx_out(op, 0, graph_cast(op->f, y, element));
}

/* 1 at the first of the largest along an axis, 0 elsewhere. Before version 13 everything from the
 * axis on is one axis. */
void onnx_build_hardmax(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    bool flat = op->opset < 13;
    int axis;
    if (!x || !onnx_axis(op, onnx_int(op, "axis", flat ? 1 : -1), x->type.rank, &axis))
        return;
    TensorType type = x->type;
    int64_t dims[2] = {1, 1};
    for (int i = 0; i < type.rank; i++)
        dims[i >= axis] *= type.dims[i];
    if (flat)
        x = graph_reshape(op->f, x, 2, dims);
    axis = flat ? 1 : axis;
    int64_t kept[RANK_LIMIT];
    for (int i = 0; i < x->type.rank; i++)
        kept[i] = i == axis ? 1 : x->type.dims[i];
    Node *best = graph_reshape(op->f, graph_argmax(op->f, x, axis), x->type.rank, kept);
    Node *place = graph_iota(op->f, TYPE_I32, x->type.rank, x->type.dims, axis);
    Node *y = graph_cast(op->f, graph_binary(op->f, OP_eq, place, best), type.element);
    onnx_out(op, 0, graph_reshape(op->f, y, type.rank, type.dims));
}
