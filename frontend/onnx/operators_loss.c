/* Losses of classes: what the true class' logarithm of a probability lacks to nought.
 *
 *     scores [N, C, d…], labels [N, d…], a weight for each class or none, a label that does not
 * count
 *
 * The scores of the true classes are picked by comparing labels with an iota along the classes,
 * which fuses with whatever makes the scores, forward and backward. */
#include <string.h>

#include "frontend/onnx/arithmetic.h"

typedef struct Labels {
    Node *classes; /* i32, as the loss of each sample has its shape */
    Node *counted; /* bool, or NULL: all count */
    Node *weight;  /* of each sample, 0 where it does not count; or NULL: 1 */
} Labels;

static bool read_labels(OnnxOp *op, const Node *x, Labels *labels)
{
    Node *given = onnx_in(op, 1), *weights = onnx_in(op, 2);
    *labels = (Labels){0};
    if (!x || !given)
        return false;
    bool fits = x->type.rank >= 2 && given->type.rank == x->type.rank - 1;
    for (int i = 0; fits && i < given->type.rank; i++)
        fits = given->type.dims[i] == x->type.dims[i + (i > 0)];
    if (!fits)
        return onnx_error(op, "labels must have the shape of the scores without axis 1");
    labels->classes = graph_cast(op->f, given, TYPE_I32);
    if (onnx_attribute(op, "ignore_index"))
        labels->counted = onnx_compare(op, OP_ne, given, (double)onnx_int(op, "ignore_index", 0));
    if (weights) {
        if (weights->type.rank != 1 || weights->type.dims[0] != x->type.dims[1])
            return onnx_error(op, "wants one weight for each of %lld classes",
                              (long long)x->type.dims[1]);
        labels->weight = graph_gather(op->f, weights, labels->classes);
        if (labels->counted)
            labels->weight = graph_select(op->f, labels->counted, labels->weight,
                                          onnx_scalar(op, x->type.element, 0));
    } else if (labels->counted) {
        labels->weight = graph_cast(op->f, labels->counted, x->type.element);
    }
    return true;
}

/* Losses of the samples, as they are or in one number. */
static Node *reduced(OnnxOp *op, Node *loss, const Labels *labels)
{
    const char *way = onnx_text(op, "reduction", "mean");
    if (!loss)
        return NULL;
    Node *none = onnx_scalar(op, loss->type.element, 0);
    if (labels->counted)
        loss = graph_select(op->f, labels->counted, loss, none);
    if (labels->weight)
        loss = graph_mul(op->f, loss, labels->weight);
    if (strcmp(way, "none") == 0)
        return loss;
    Node *sum = graph_reduce_all(op->f, OP_reduce_sum, loss);
    if (strcmp(way, "sum") == 0 || !sum)
        return sum;
    if (strcmp(way, "mean") != 0)
        return onnx_error(op, "its reduction is \"%s\", but must be none, sum or mean", way);
    if (labels->weight)
        return graph_div(op->f, sum, graph_reduce_all(op->f, OP_reduce_sum, labels->weight));
    return graph_binary_scalar(op->f, OP_div, sum, (double)type_elements(&loss->type));
}

/* -x of the true class */
static Node *picked(OnnxOp *op, Node *x, const Labels *labels)
{
    int64_t dims[RANK_LIMIT], axis = 1;
    memcpy(dims, x->type.dims, sizeof dims);
    dims[1] = 1;
    Node *classes = graph_reshape(op->f, labels->classes, x->type.rank, dims);
    Node *place = graph_iota(op->f, TYPE_I32, x->type.rank, x->type.dims, 1);
    Node *there = graph_binary(op->f, OP_eq, place, classes);
    Node *chosen = graph_select(op->f, there, x, onnx_scalar(op, x->type.element, 0));
    return graph_unary(op->f, OP_neg, graph_reduce(op->f, OP_reduce_sum, chosen, 1, &axis, false));
}

void onnx_build_negative_log_likelihood(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Labels labels;
    onnx_ignore(op, "ignore_index");
    if (read_labels(op, x, &labels))
        onnx_out(op, 0, reduced(op, picked(op, x, &labels), &labels));
}

/* When the logarithms of the probabilities are a result as well, the loss is picked from them. */
void onnx_build_softmax_cross_entropy(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *loss;
    Labels labels;
    onnx_ignore(op, "ignore_index");
    if (!read_labels(op, x, &labels))
        return;
    if (onnx_wants(op, 1)) {
        Node *logarithms = graph_softmax(op->f, OP_log_softmax, x, 1);
        loss = logarithms ? picked(op, logarithms, &labels) : NULL;
        onnx_out(op, 1, logarithms);
    } else {
        Node *last = onnx_move_axis(op, x, 1, x->type.rank - 1);
        loss = graph_binary(op->f, OP_softmax_cross_entropy, last, labels.classes);
    }
    onnx_out(op, 0, reduced(op, loss, &labels));
}
