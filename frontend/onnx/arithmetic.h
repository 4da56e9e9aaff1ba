/* Arithmetic with numbers, as builders of formulas write it.
 *
 *     Node *low = onnx_plus(op, onnx_times(op, x, alpha), beta);
 *
 * The number comes first in max and min: of a tie the first has the gradient, so that the
 * derivative in the corner of a function is 0, as in other frameworks. */
#ifndef INGOT_FRONTEND_ONNX_ARITHMETIC_H
#define INGOT_FRONTEND_ONNX_ARITHMETIC_H

#include "frontend/onnx/operator.h"

static inline Node *onnx_plus(OnnxOp *op, Node *x, double number)
{
    return number == 0 ? x : graph_binary_scalar(op->f, OP_add, x, number);
}

static inline Node *onnx_times(OnnxOp *op, Node *x, double number)
{
    return number == 1 ? x : graph_binary_scalar(op->f, OP_mul, x, number);
}

/* number op x, or NULL */
static inline Node *onnx_number_first(OnnxOp *op, Op which, double number, Node *x)
{
    return x ? graph_binary(op->f, which, graph_scalar(op->f, x->type.element, number), x) : NULL;
}

static inline Node *onnx_at_least(OnnxOp *op, Node *x, double number)
{
    return onnx_number_first(op, OP_max, number, x);
}

static inline Node *onnx_at_most(OnnxOp *op, Node *x, double number)
{
    return onnx_number_first(op, OP_min, number, x);
}

/* Is x less than, greater than, equal to … the number? */
static inline Node *onnx_compare(OnnxOp *op, Op which, Node *x, double number)
{
    return graph_binary_scalar(op->f, which, x, number);
}

static inline Node *onnx_square(OnnxOp *op, Node *x)
{
    return graph_mul(op->f, x, x);
}

/* Elements in the other order. */
static inline Node *onnx_reversed_order(OnnxOp *op, Node *x)
{
    return x ? graph_unary(op->f, element_is_float(x->type.element) ? OP_neg : OP_not, x) : NULL;
}

#endif
