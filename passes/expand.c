/* Composites into primitive operations, after differentiation; the forms are those that neither
 * overflow nor lose digits, and are element-wise work and row reductions only, so that they fuse.
 *
 *     %1: f32[8,10] = softmax %x axis=1         %1: f32[8,1]  = reduce_max %x axes=[1] keep=1
 *                                               %2: f32[8,10] = exp(%x - %1)
 *                                               %3: f32[8,1]  = reduce_sum %2 axes=[1] keep=1
 *                                               %4: f32[8,10] = div %2, %3
 *
 * A loss and the softmax in its gradient are written with the very same nodes for maximum,
 * exponentials and sum, so that passes/cse.c makes one of them. A new composite needs a row in the
 * switch below. */
#include "passes/passes.h"

/* The rows of a softmax: exponentials of x - max (all ≤ 1, one of them 1) and their sum with the
 * axis kept as 1 */
typedef struct Rows {
    Node *shifted, *exponentials, *sum;
} Rows;

Node *normalize_scale(Function *f, const Node *node)
{
    IntList axes = node->attr.lists[0];
    Node *variance = graph_variance(f, node->in[0], axes.count, axes.values);
    return graph_unary(f, OP_rsqrt, graph_binary_scalar(f, OP_add, variance, node->attr.number));
}

static Rows rows_of(Function *f, Node *x, int64_t axis)
{
    Rows rows;
    rows.shifted = graph_sub(f, x, graph_reduce(f, OP_reduce_max, x, 1, &axis, true));
    rows.exponentials = graph_unary(f, OP_exp, rows.shifted);
    rows.sum = graph_reduce(f, OP_reduce_sum, rows.exponentials, 1, &axis, true);
    return rows;
}

static Node *expand_softmax(Function *f, Node *node)
{
    Rows rows = rows_of(f, node->in[0], attr_integer(node, 0));
    return graph_div(f, rows.exponentials, rows.sum);
}

static Node *expand_log_softmax(Function *f, Node *node)
{
    Rows rows = rows_of(f, node->in[0], attr_integer(node, 0));
    return graph_sub(f, rows.shifted, graph_unary(f, OP_log, rows.sum));
}

/* log Σ exp(x - max) - (x[label] - max). The label's element is selected and summed, not gathered:
 * that fuses with the sum of exponentials over the same row, and a logit of -∞ elsewhere does no
 * harm. */
static Node *expand_softmax_cross_entropy(Function *f, Node *node)
{
    Node *logits = node->in[0], *labels = node->in[1];
    TensorType column = labels->type;
    int64_t last = logits->type.rank - 1;
    Rows rows = rows_of(f, logits, last);
    column.dims[column.rank++] = 1;
    Node *label = graph_reshape(f, labels, column.rank, column.dims); /* [rows…,1] */
    Node *classes = graph_iota(f, labels->type.element, 1, &logits->type.dims[last], 0);
    Node *labelled = graph_binary(f, OP_eq, classes, label);
    Node *zero = graph_scalar(f, logits->type.element, 0.0);
    Node *chosen = graph_reduce(f, OP_reduce_sum, graph_select(f, labelled, rows.shifted, zero), 1,
                                &last, true);
    Node *loss = graph_sub(f, graph_unary(f, OP_log, rows.sum), chosen);
    return graph_reshape(f, loss, node->type.rank, node->type.dims);
}

/* max(x,0) - x·t + log1p(exp(-|x|)): neither exponential overflows. */
static Node *expand_sigmoid_cross_entropy(Function *f, Node *node)
{
    Node *x = node->in[0], *target = node->in[1];
    Node *linear = graph_sub(f, graph_binary_scalar(f, OP_max, x, 0.0), graph_mul(f, x, target));
    Node *decay = graph_unary(f, OP_exp, graph_unary(f, OP_neg, graph_unary(f, OP_abs, x)));
    return graph_add(f, linear, graph_unary(f, OP_log1p, decay));
}

/* Mean and variance are the very nodes that whoever else wants them builds: running statistics, the
 * gradient. */
static Node *expand_normalize(Function *f, Node *node)
{
    Node *x = node->in[0];
    IntList axes = node->attr.lists[0];
    Node *centred = graph_sub(f, x, graph_mean(f, x, axes.count, axes.values, true));
    return graph_mul(f, centred, normalize_scale(f, node));
}

static Node *expand(Function *f, Node *node)
{
    switch (node->op) {
    case OP_softmax:
        return expand_softmax(f, node);
    case OP_log_softmax:
        return expand_log_softmax(f, node);
    case OP_normalize:
        return expand_normalize(f, node);
    case OP_softmax_cross_entropy:
        return expand_softmax_cross_entropy(f, node);
    case OP_sigmoid_cross_entropy:
        return expand_sigmoid_cross_entropy(f, node);
    default:
        INGOT_BUG("no expansion of %s", op_name(node->op));
    }
}

bool pass_expand(Function *f)
{
    const char *place = f->place;
    int count = f->node_count; /* expansions hold no composites */
    bool changed = false;
    for (int i = 0; i < count; i++) {
        Node *node = f->nodes[i];
        if (!op_is(node->op, COMPOSITE))
            continue;
        f->place = node->place;
        node->replacement = expand(f, node);
        node->replacement->name = node->name;
        changed = true;
    }
    f->place = place;
    if (changed)
        function_clean(f);
    return changed;
}
