/* Steps of optimizers: new values of tensors X from their gradients G and what is remembered of
 * earlier ones. Inputs are the rate R, the number T of steps so far, and then all X, all G, and so
 * on; outputs all X and all of what is remembered. */
#include "frontend/onnx/arithmetic.h"

/* Tensor `i` of list `list`. */
static Node *tensor_of(OnnxOp *op, int lists, int list, int i)
{
    return onnx_in(op, 2 + list * ((op->in_count - 2) / lists) + i);
}

/* How many tensors are optimized; 0 and an error when the inputs are not `lists` of the same
 * length.
 */
static int tensors(OnnxOp *op, int lists)
{
    int count = (op->in_count - 2) / lists;
    if (count < 1 || op->in_count - 2 != count * lists || op->out_count > count * (lists - 1)) {
        onnx_error(op, "takes %d tensors for each that it optimizes, behind the rate and the count",
                   lists);
        return 0;
    }
    return count;
}

static Node *number_in(OnnxOp *op, int i)
{
    Node *x = onnx_in(op, i);
    if (x && type_elements(&x->type) != 1)
        return onnx_error(op, "input %d must be one number", i);
    return x ? graph_cast(op->f, graph_reshape(op->f, x, 0, NULL), TYPE_F64) : NULL;
}

/* A number of the tensor's type, times the tensor. */
static Node *scaled(OnnxOp *op, Node *number, Node *x)
{
    return x ? graph_mul(op->f, graph_cast(op->f, number, x->type.element), x) : NULL;
}

static Node *gradient_in(OnnxOp *op, Node *x, Node *gradient)
{
    double decay = onnx_float(op, "norm_coefficient", 0);
    return decay == 0 ? gradient : graph_add(op->f, onnx_times(op, x, decay), gradient);
}

/* old · keep + new · (1 - keep) */
static Node *blended(OnnxOp *op, Node *old, double keep, Node *new)
{
    return graph_add(op->f, onnx_times(op, old, keep), onnx_times(op, new, 1 - keep));
}

void onnx_build_adagrad(OnnxOp *op)
{
    int count = tensors(op, 3);
    double epsilon = onnx_float(op, "epsilon", 1e-6f);
    double decay = onnx_float(op, "decay_factor", 0);
    Node *slower = onnx_plus(op, onnx_times(op, number_in(op, 1), decay), 1);
    Node *rate = graph_div(op->f, number_in(op, 0), slower);
    for (int i = 0; i < count; i++) {
        Node *x = tensor_of(op, 3, 0, i), *squares = tensor_of(op, 3, 2, i);
        Node *gradient = gradient_in(op, x, tensor_of(op, 3, 1, i));
        squares = graph_add(op->f, squares, onnx_square(op, gradient));
        Node *size = onnx_plus(op, graph_unary(op->f, OP_sqrt, squares), epsilon);
        Node *step = graph_div(op->f, scaled(op, rate, gradient), size);
        onnx_out(op, i, graph_sub(op->f, x, step));
        onnx_out(op, count + i, squares);
    }
}

/* 1 - factor^T */
static Node *lacking(OnnxOp *op, double factor, Node *steps)
{
    Node *power = graph_binary(op->f, OP_pow, onnx_scalar(op, TYPE_F64, factor), steps);
    return onnx_number_first(op, OP_sub, 1, power);
}

/* Before the first step T is 0, and nothing needs to be made up for. */
static Node *adam_rate(OnnxOp *op, double alpha, double beta)
{
    Node *rate = number_in(op, 0), *steps = number_in(op, 1);
    Node *late = onnx_compare(op, OP_gt, steps, 0);
    Node *counted = onnx_at_least(op, steps, 1);
    Node *up = graph_unary(op->f, OP_sqrt, lacking(op, beta, counted));
    Node *adjusted = graph_div(op->f, graph_mul(op->f, rate, up), lacking(op, alpha, counted));
    return graph_select(op->f, late, adjusted, rate);
}

void onnx_build_adam(OnnxOp *op)
{
    int count = tensors(op, 4);
    double alpha = onnx_float(op, "alpha", 0.9f), beta = onnx_float(op, "beta", 0.999f);
    double epsilon = onnx_float(op, "epsilon", 1e-6f);
    double after = onnx_float(op, "norm_coefficient_post", 0);
    Node *rate = adam_rate(op, alpha, beta);
    for (int i = 0; i < count; i++) {
        Node *x = tensor_of(op, 4, 0, i), *gradient = gradient_in(op, x, tensor_of(op, 4, 1, i));
        Node *mean = blended(op, tensor_of(op, 4, 2, i), alpha, gradient);
        Node *squares = blended(op, tensor_of(op, 4, 3, i), beta, onnx_square(op, gradient));
        Node *size = onnx_plus(op, graph_unary(op->f, OP_sqrt, squares), epsilon);
        Node *step = graph_div(op->f, scaled(op, rate, mean), size);
        onnx_out(op, i, onnx_times(op, graph_sub(op->f, x, step), 1 - after));
        onnx_out(op, count + i, mean);
        onnx_out(op, 2 * count + i, squares);
    }
}

/* The first gradient counts in full. Nesterov looks one step ahead. */
void onnx_build_momentum(OnnxOp *op)
{
    int count = tensors(op, 3);
    double alpha = onnx_float(op, "alpha", 0), beta = onnx_float(op, "beta", 0);
    bool ahead = onnx_text_is(op, "mode", "standard", "nesterov");
    Node *rate = number_in(op, 0), *late = onnx_compare(op, OP_gt, number_in(op, 1), 0);
    Node *share =
        graph_select(op->f, late, onnx_scalar(op, TYPE_F64, beta), onnx_scalar(op, TYPE_F64, 1));
    for (int i = 0; i < count; i++) {
        Node *x = tensor_of(op, 3, 0, i), *gradient = gradient_in(op, x, tensor_of(op, 3, 1, i));
        Node *moment = graph_add(op->f, onnx_times(op, tensor_of(op, 3, 2, i), alpha),
                                 scaled(op, share, gradient));
        Node *direction =
            ahead ? graph_add(op->f, gradient, onnx_times(op, moment, alpha)) : moment;
        onnx_out(op, i, graph_sub(op->f, x, scaled(op, rate, direction)));
        onnx_out(op, count + i, moment);
    }
}
