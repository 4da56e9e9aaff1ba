/* Gradient rules of reductions, and of the composites, whose rules are simpler and more accurate
 * than those of the operations they are made of; see grad.h for the form.
 *
 *     softmax                  dx = y·(dy - Σ dy·y)               along the axis
 *     log_softmax              dx = dy - exp(y)·Σ dy
 *     normalize                dx = r·(dy - mean dy - y·mean dy·y)  r = 1/√(variance + ε), over the
 *                                                                  axes
 *     softmax_cross_entropy    dx = (softmax(x) - onehot(label))·dy
 *     sigmoid_cross_entropy    dx = (sigmoid(x) - t)·dy,  dt = -x·dy */
#include "passes/grad.h"

#include "passes/passes.h"

/* A reduced value, back at the rank it came from: the reduced axes are 1 (reduce keep=1 has them
 * already). */
static Node *with_reduced_axes(Function *f, Node *reduced, const Node *y)
{
    TensorType type = y->in[0]->type;
    IntList axes = y->attr.lists[0];
    for (int i = 0; i < axes.count; i++)
        type.dims[axes.values[i]] = 1;
    return graph_reshape(f, reduced, type.rank, type.dims);
}

static Node *broadcast_like(Function *f, Node *x, const Node *model)
{
    return graph_broadcast(f, x, model->type.rank, model->type.dims);
}

void gradient_reduce_sum(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = broadcast_like(f, with_reduced_axes(f, dy, y), y->in[0]);
}

/* Of maximum and minimum alike: those equal to the result share its gradient. */
void gradient_reduce_max(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *x = y->in[0];
    ElementType element = x->type.element;
    IntList axes = y->attr.lists[0];
    Node *chosen = graph_binary(f, OP_eq, x, with_reduced_axes(f, y, y));
    Node *ties = graph_reduce(f, OP_reduce_sum, graph_cast(f, chosen, element), axes.count,
                              axes.values, true);
    Node *share = graph_div(f, with_reduced_axes(f, dy, y), ties);
    dx[0] = graph_select(f, chosen, share, graph_scalar(f, element, 0.0));
}

static Node *sum_along(Function *f, Node *x, int64_t axis)
{
    return graph_reduce(f, OP_reduce_sum, x, 1, &axis, true);
}

void gradient_softmax(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *mean = sum_along(f, graph_mul(f, dy, y), attr_integer(y, 0)); /* of dy, weighted by y */
    dx[0] = graph_mul(f, graph_sub(f, dy, mean), y);
}

void gradient_log_softmax(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *probability = graph_unary(f, OP_exp, y);
    dx[0] = graph_sub(f, dy, graph_mul(f, probability, sum_along(f, dy, attr_integer(y, 0))));
}

/* Is `factor`, broadcast to `type`, the same number everywhere along the axes? */
static bool is_constant_along(const Node *factor, const TensorType *type, IntList axes)
{
    int missing = type->rank - factor->type.rank;
    for (int i = 0; i < axes.count; i++)
        if (axes.values[i] >= missing && factor->type.dims[axes.values[i] - missing] != 1)
            return false;
    return true;
}

/* dy = rest·factor, where the factor can be taken out of a sum over the axes: a weight for each
 * channel, with its channels not summed. NULL: there is none, the rest is all of dy. */
static Node *factor_along(const Node *dy, IntList axes, Node **rest)
{
    for (int i = 0; i < 2 && dy->op == OP_mul; i++) {
        *rest = dy->in[1 - i];
        if (type_equal(&(*rest)->type, &dy->type) && is_constant_along(dy->in[i], &dy->type, axes))
            return dy->in[i];
    }
    return NULL;
}

/* The mean in the form in which grad.c sums up the gradients of a weight and a bias behind the
 * normalisation, whose sums these are. */
static Node *mean_along(Function *f, Node *x, const Node *y)
{
    IntList axes = y->attr.lists[0];
    return with_reduced_axes(f, graph_mean(f, x, axes.count, axes.values, false), y);
}

void gradient_normalize(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *rest = dy, *factor = factor_along(dy, y->attr.lists[0], &rest);
    Node *scale = normalize_scale(f, y);
    if (factor)
        scale = graph_mul(f, scale, factor);
    else
        rest = dy;
    Node *along = graph_mul(f, y, mean_along(f, graph_mul(f, rest, y), y));
    dx[0] = graph_mul(f, graph_sub(f, graph_sub(f, rest, mean_along(f, rest, y)), along), scale);
}

/* [rows…] → [rows…,1] */
static Node *with_last_axis(Function *f, Node *x)
{
    TensorType type = x->type;
    type.dims[type.rank++] = 1;
    return graph_reshape(f, x, type.rank, type.dims);
}

/* logits [rows…,c], labels [rows…], dy [rows…] */
void gradient_softmax_cross_entropy(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *logits = y->in[0], *labels = y->in[1];
    int last = logits->type.rank - 1;
    Node *classes = graph_iota(f, labels->type.element, 1, &logits->type.dims[last], 0); /* [c] */
    Node *labelled = graph_binary(f, OP_eq, classes, with_last_axis(f, labels));
    Node *one_hot = graph_cast(f, labelled, logits->type.element);
    Node *error = graph_sub(f, graph_softmax(f, OP_softmax, logits, last), one_hot);
    dx[0] = graph_mul(f, error, with_last_axis(f, dy));
}

void gradient_sigmoid_cross_entropy(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *x = y->in[0], *target = y->in[1];
    dx[0] = graph_mul(f, dy, graph_sub(f, graph_unary(f, OP_sigmoid, x), target));
    dx[1] = graph_unary(f, OP_neg, graph_mul(f, dy, x));
}
