/* Walks through decision trees, all trees of all samples side by side:
 *
 *     at [N, trees] = roots
 *     as often as the deepest tree is deep:
 *         x [N, trees]  = X[n, feature[at]]
 *         at [N, trees] = children[2·at + (x ≤ split[at])]
 *     Y [N, targets] = Σ over trees weights[leaf[at]]
 *
 * A leaf is its own child, so that shallow trees wait for the others. */
#include "frontend/onnx/trees.h"

#include <float.h>
#include <math.h>

#include "frontend/onnx/arithmetic.h"

enum { DEPTH_LIMIT = 256, NODE_LIMIT = 1 << 28 };

int32_t trees_add(OnnxOp *op, Trees *trees, TreeNode node)
{
    trees->nodes =
        arena_grow(op->arena, trees->nodes, trees->count, &trees->capacity, sizeof *trees->nodes);
    trees->nodes[trees->count] = node;
    return trees->count++;
}

bool trees_set_leaves(OnnxOp *op, Trees *trees, int64_t leaves, int64_t targets)
{
    if (targets < 1 || leaves < 1 || targets > NODE_LIMIT / leaves)
        return onnx_error(op, "has %lld leaves for %lld targets, which is not possible",
                          (long long)leaves, (long long)targets);
    trees->leaves = (int)leaves;
    trees->targets = targets;
    trees->weights = ARENA_ARRAY(op->arena, double, leaves *targets);
    trees->given = ARENA_ARRAY(op->arena, bool, leaves *targets);
    return true;
}

void trees_add_weight(Trees *trees, int64_t leaf, int64_t target, double weight)
{
    double *sum = &trees->weights[leaf * trees->targets + target];
    bool *given = &trees->given[leaf * trees->targets + target];
    if (!*given)
        *sum = weight;
    else if (trees->sum == TREE_MIN)
        *sum = weight < *sum ? weight : *sum;
    else if (trees->sum == TREE_MAX)
        *sum = weight > *sum ? weight : *sum;
    else
        *sum += weight;
    *given = true;
}

/* ---- checks ---- */

/* Level by level from the roots: how many steps it takes to be at a leaf everywhere. Every node but
 * a leaf has one way to it, so that no walk goes around. -1 after an error. */
static int depth_of(OnnxOp *op, const Trees *trees, int64_t features)
{
    int32_t *level = ARENA_ARRAY(op->arena, int32_t, 2 * (int64_t)trees->count + trees->root_count);
    bool *seen = ARENA_ARRAY(op->arena, bool, trees->count);
    int first = 0, end = 0, depth = 0;
    for (int i = 0; i < trees->root_count; i++)
        level[end++] = trees->roots[i];
    for (; first < end; depth++) {
        int last = end;
        for (; first < last; first++) {
            const TreeNode *node = &trees->nodes[level[first]];
            if (node->leaf >= 0)
                continue;
            if (seen[level[first]] || node->feature < 0 || node->feature >= features) {
                onnx_error(op, seen[level[first]] ? "its nodes are no trees"
                                                  : "a node looks at a feature that is not there");
                return -1;
            }
            seen[level[first]] = true;
            level[end++] = node->yes;
            level[end++] = node->no;
        }
        if (depth > DEPTH_LIMIT) {
            onnx_error(op, "a tree is more than %d deep", DEPTH_LIMIT);
            return -1;
        }
    }
    return depth - 1;
}

/* ---- tables ---- */

static Node *integers(OnnxOp *op, const int32_t *values, int64_t count)
{
    return graph_constant(op->f, type_make(TYPE_I32, 1, &count), values);
}

static Node *numbers(OnnxOp *op, ElementType element, const double *values, int rank,
                     const int64_t *dims)
{
    return graph_cast(op->f, graph_constant(op->f, type_make(TYPE_F64, rank, dims), values),
                      element);
}

typedef struct Tables {
    Node *feature, *split, *children, *leaf, *mode, *missing; /* the last two NULL: all the same */
    bool modes[TREE_MEMBER];
} Tables;

static Tables tables_of(OnnxOp *op, const Trees *trees, ElementType element)
{
    int64_t count = trees->count;
    int32_t *feature = ARENA_ARRAY(op->arena, int32_t, count);
    int32_t *children = ARENA_ARRAY(op->arena, int32_t, 2 * count);
    int32_t *leaf = ARENA_ARRAY(op->arena, int32_t, count);
    int32_t *mode = ARENA_ARRAY(op->arena, int32_t, count);
    int32_t *missing = ARENA_ARRAY(op->arena, int32_t, count);
    double *split = ARENA_ARRAY(op->arena, double, count);
    Tables t = {0};
    int modes = 0;
    bool any_missing = false;
    for (int64_t i = 0; i < count; i++) {
        const TreeNode *node = &trees->nodes[i];
        feature[i] = node->leaf < 0 ? node->feature : 0;
        split[i] = node->split;
        children[2 * i] = node->no;
        children[2 * i + 1] = node->yes;
        leaf[i] = node->leaf < 0 ? 0 : node->leaf;
        mode[i] = (int32_t)node->mode;
        missing[i] = node->missing;
        any_missing = any_missing || node->missing;
        if (node->leaf < 0)
            t.modes[node->mode] = true;
    }
    for (int i = 0; i < TREE_MEMBER; i++)
        modes += t.modes[i];
    t.feature = integers(op, feature, count);
    t.split = numbers(op, element, split, 1, &count);
    t.children = integers(op, children, 2 * count);
    t.leaf = integers(op, leaf, count);
    t.mode = modes > 1 ? integers(op, mode, count) : NULL;
    t.missing = any_missing ? integers(op, missing, count) : NULL;
    return t;
}

/* ---- the walk ---- */

/* Is the answer yes? */
static Node *compared(OnnxOp *op, const Tables *t, Node *x, Node *at)
{
    static const Op ways[] = {[TREE_LE] = OP_le, [TREE_LT] = OP_lt, [TREE_GE] = OP_ge,
                              [TREE_GT] = OP_gt, [TREE_EQ] = OP_eq, [TREE_NE] = OP_ne};
    Node *split = graph_gather(op->f, t->split, at), *yes = NULL;
    Node *mode = t->mode ? graph_gather(op->f, t->mode, at) : NULL;
    for (int i = 0; i < TREE_MEMBER; i++) {
        if (!t->modes[i])
            continue;
        Node *answer = graph_binary(op->f, ways[i], x, split);
        yes = yes ? graph_select(op->f, onnx_compare(op, OP_eq, mode, i), answer, yes) : answer;
    }
    if (t->missing) {
        Node *counts = onnx_compare(op, OP_ne, graph_gather(op->f, t->missing, at), 0);
        counts = graph_binary(op->f, OP_and, counts, graph_binary(op->f, OP_ne, x, x));
        yes = graph_binary(op->f, OP_or, yes, counts);
    }
    return yes;
}

static Node *step(OnnxOp *op, const Tables *t, Node *x, Node *row, Node *at)
{
    Node *place = graph_add(op->f, row, graph_gather(op->f, t->feature, at));
    Node *yes = compared(op, t, graph_gather(op->f, x, place), at);
    Node *child = graph_add(op->f, onnx_times(op, at, 2), graph_cast(op->f, yes, TYPE_I32));
    return graph_gather(op->f, t->children, child);
}

/* What the leaves at hand say together. */
static Node *summed(OnnxOp *op, const Trees *trees, const Tables *t, ElementType element, Node *at)
{
    static const Op ways[] = {[TREE_AVERAGE] = OP_reduce_sum,
                              [TREE_SUM] = OP_reduce_sum,
                              [TREE_MIN] = OP_reduce_min,
                              [TREE_MAX] = OP_reduce_max};
    double greatest = element == TYPE_F64 ? DBL_MAX : FLT_MAX;
    double none = trees->sum == TREE_MIN ? greatest : trees->sum == TREE_MAX ? -greatest : 0;
    int64_t dims[2] = {trees->leaves, trees->targets}, axis = 1;
    double *weights = ARENA_ARRAY(op->arena, double, dims[0] * dims[1]);
    for (int64_t i = 0; i < dims[0] * dims[1]; i++)
        weights[i] = trees->given[i] ? trees->weights[i] : none;
    Node *said = graph_gather(op->f, numbers(op, element, weights, 2, dims),
                              graph_gather(op->f, t->leaf, at));
    Node *y = graph_reduce(op->f, ways[trees->sum], said, 1, &axis, false);
    return trees->sum == TREE_AVERAGE ? graph_binary_scalar(op->f, OP_div, y, trees->root_count)
                                      : y;
}

Node *trees_predict(OnnxOp *op, const Trees *trees, Node *x)
{
    if (!x || x->type.rank != 2 || type_elements(&x->type) > INT32_MAX)
        return x ? onnx_error(op, "its input must be rows of features") : NULL;
    int64_t n = x->type.dims[0], features = x->type.dims[1], all = n * features;
    int64_t dims[2] = {n, trees->root_count};
    if (trees->count < 1 || trees->count > NODE_LIMIT || trees->root_count < 1)
        return onnx_error(op, "has no trees, or too many nodes");
    int depth = depth_of(op, trees, features);
    if (depth < 0)
        return NULL;
    ElementType element = x->type.element;
    Tables t = tables_of(op, trees, element);
    Node *row = onnx_times(op, graph_iota(op->f, TYPE_I32, 2, dims, 0), (double)features);
    Node *at = graph_broadcast(op->f, integers(op, trees->roots, trees->root_count), 2, dims);
    x = graph_reshape(op->f, x, 1, &all);
    for (int i = 0; i < depth; i++)
        at = step(op, &t, x, row, at);
    return summed(op, trees, &t, element, at);
}
