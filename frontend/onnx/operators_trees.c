/* Ensembles of decision trees: TreeEnsemble, and the older ones for regression and classification,
 * which name each node by its tree and its number there; see trees.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/reader.h"
#include "frontend/onnx/tensor.h"
#include "frontend/onnx/trees.h"

/* ---- lists of numbers ---- */

typedef struct Numbers {
    const int64_t *integers; /* or NULL */
    const double *numbers;   /* or NULL */
    int count;
} Numbers;

/* Of an attribute, integers, floats or a tensor: whichever it is; false when it is not there. */
static bool read_numbers(OnnxOp *op, const char *key, Numbers *list)
{
    const Onnx__AttributeProto *a = onnx_attribute(op, key);
    TensorType type;
    const void *data;
    *list = (Numbers){0};
    if (!a)
        return false;
    if (a->n_ints) {
        *list = (Numbers){.integers = a->ints, .count = (int)a->n_ints};
        return true;
    }
    if (a->t) {
        if (!onnx_tensor_read(op->reader->diag, op->place, op->reader->path, a->t, &type, &data)) {
            op->failed = true;
            return false;
        }
        Value value = value_read(op->arena, type, data);
        *list = (Numbers){value.integers, value.numbers, (int)type_elements(&type)};
        return true;
    }
    double *numbers = ARENA_ARRAY(op->arena, double, (int64_t)a->n_floats);
    for (size_t i = 0; i < a->n_floats; i++)
        numbers[i] = a->floats[i];
    *list = (Numbers){.numbers = numbers, .count = (int)a->n_floats};
    return true;
}

static double number_at(const Numbers *list, int i)
{
    return list->numbers ? list->numbers[i] : (double)list->integers[i];
}

/* A list of `count` numbers that must be there; whole ones when `whole`. */
static bool need(OnnxOp *op, const char *key, int count, bool whole, Numbers *list)
{
    if (!read_numbers(op, key, list) || list->count != count || (whole && !list->integers))
        return op->failed ? false
                          : onnx_error(op, "%s must be %d %s", key, count,
                                       whole ? "whole numbers" : "numbers");
    return true;
}

/* ---- what becomes of the sums ---- */

/* √2 · erf⁻¹(2x - 1), by Winitzki's formula with a = 0.147, as the standard's reference has it. */
static Node *probit(OnnxOp *op, Node *x)
{
    Node *y = onnx_plus(op, onnx_times(op, x, 2), -1);
    Node *log = graph_unary(
        op->f, OP_log, graph_mul(op->f, onnx_number_first(op, OP_sub, 1, y), onnx_plus(op, y, 1)));
    Node *v = onnx_plus(op, onnx_times(op, log, 0.5), 2 / (M_PI * 0.147));
    Node *inner = graph_sub(op->f, onnx_square(op, v), onnx_times(op, log, 1 / 0.147));
    Node *size =
        graph_unary(op->f, OP_sqrt, graph_sub(op->f, graph_unary(op->f, OP_sqrt, inner), v));
    Node *sign = graph_unary(op->f, OP_sign, y);
    return onnx_times(op, graph_mul(op->f, sign, size), M_SQRT2);
}

/* A softmax of what is not 0; the others stay 0. */
static Node *softmax_of_some(OnnxOp *op, Node *x)
{
    int64_t last = 1;
    Node *some = onnx_compare(op, OP_gt, graph_unary(op->f, OP_abs, x), 1e-7);
    Node *largest = graph_reduce(op->f, OP_reduce_max, x, 1, &last, true);
    Node *e = graph_unary(op->f, OP_exp, graph_sub(op->f, x, largest));
    Node *small =
        graph_mul(op->f, x, graph_unary(op->f, OP_exp, graph_unary(op->f, OP_neg, largest)));
    e = graph_select(op->f, some, e, small);
    Node *sum = graph_reduce(op->f, OP_reduce_sum, e, 1, &last, true);
    Node *none = onnx_compare(op, OP_eq, sum, 0);
    Node *half = x ? onnx_scalar(op, x->type.element, 0.5) : NULL;
    return graph_select(op->f, none, half, graph_div(op->f, e, sum));
}

static Node *transformed(OnnxOp *op, Node *y, const char *way)
{
    if (!y || strcmp(way, "NONE") == 0)
        return y;
    if (strcmp(way, "SOFTMAX") == 0)
        return graph_softmax(op->f, OP_softmax, y, 1);
    if (strcmp(way, "LOGISTIC") == 0)
        return graph_unary(op->f, OP_sigmoid, y);
    if (strcmp(way, "SOFTMAX_ZERO") == 0)
        return softmax_of_some(op, y);
    if (strcmp(way, "PROBIT") == 0)
        return probit(op, y);
    return onnx_error(op, "its post_transform is \"%s\", which is none", way);
}

/* ---- TreeEnsemble ---- */

typedef struct Members { /* of sets, one list behind the other with NaN between */
    Numbers list;
    int next;
} Members;

/* A node for each member of the next set, chained by `no`; their number is that of `first`. */
static bool expand_members(OnnxOp *op, Trees *trees, int32_t first, Members *members)
{
    TreeNode like = trees->nodes[first];
    int32_t at = first;
    bool any = false;
    like.mode = TREE_EQ;
    for (; members->next < members->list.count; members->next++) {
        double member = number_at(&members->list, members->next);
        if (isnan(member))
            break;
        if (any) {
            int32_t further = trees_add(op, trees, like);
            trees->nodes[at].no = further;
            at = further;
        }
        trees->nodes[at] = like;
        trees->nodes[at].split = member;
        any = true;
    }
    if (!any)
        return onnx_error(op, "its membership_values have no set for a node");
    members->next++;
    return true;
}

static bool read_nodes(OnnxOp *op, Trees *trees, int64_t leaves)
{
    Numbers features, modes, splits, yes, no, yes_leaf, no_leaf, missing, roots;
    Members members = {0};
    if (!read_numbers(op, "nodes_featureids", &features))
        return onnx_error(op, "has no nodes");
    int count = features.count;
    if (!need(op, "nodes_featureids", count, true, &features) ||
        !need(op, "nodes_modes", count, true, &modes) ||
        !need(op, "nodes_splits", count, false, &splits) ||
        !need(op, "nodes_truenodeids", count, true, &yes) ||
        !need(op, "nodes_falsenodeids", count, true, &no) ||
        !need(op, "nodes_trueleafs", count, true, &yes_leaf) ||
        !need(op, "nodes_falseleafs", count, true, &no_leaf))
        return false;
    bool has_missing = read_numbers(op, "nodes_missing_value_tracks_true", &missing) &&
                       missing.count == count && missing.integers;
    read_numbers(op, "membership_values", &members.list);
    for (int i = 0; i < count; i++) {
        bool good = yes.integers[i] >= 0 && no.integers[i] >= 0 && modes.integers[i] >= 0 &&
                    modes.integers[i] <= TREE_MEMBER && features.integers[i] >= 0 &&
                    features.integers[i] <= INT32_MAX &&
                    yes.integers[i] < (yes_leaf.integers[i] ? leaves : count) &&
                    no.integers[i] < (no_leaf.integers[i] ? leaves : count);
        if (!good)
            return onnx_error(op, "node %d names what is not there", i);
        int64_t to[2] = {yes.integers[i] + (yes_leaf.integers[i] ? count : 0),
                         no.integers[i] + (no_leaf.integers[i] ? count : 0)};
        trees_add(op, trees,
                  (TreeNode){.mode = (TreeMode)modes.integers[i],
                             .feature = (int32_t)features.integers[i],
                             .split = number_at(&splits, i),
                             .yes = (int32_t)to[0],
                             .no = (int32_t)to[1],
                             .missing = has_missing && missing.integers[i],
                             .leaf = -1});
    }
    for (int32_t i = 0; i < leaves; i++)
        trees_add(op, trees, (TreeNode){.yes = count + i, .no = count + i, .leaf = i});
    for (int i = 0; i < count; i++)
        if (trees->nodes[i].mode == TREE_MEMBER && !expand_members(op, trees, i, &members))
            return false;
    if (!read_numbers(op, "tree_roots", &roots) || !roots.integers)
        return onnx_error(op, "has no tree_roots");
    trees->root_count = roots.count;
    trees->roots = ARENA_ARRAY(op->arena, int32_t, roots.count);
    for (int i = 0; i < roots.count; i++) {
        if (roots.integers[i] < 0 || roots.integers[i] >= count)
            return onnx_error(op, "root %d is no node", i);
        trees->roots[i] = (int32_t)roots.integers[i];
    }
    return true;
}

void onnx_build_tree_ensemble(OnnxOp *op)
{
    static const char *const ways[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    Node *x = onnx_in(op, 0);
    Trees trees = {0};
    Numbers targets, weights;
    int64_t sum = onnx_int(op, "aggregate_function", TREE_SUM);
    int64_t way = onnx_int(op, "post_transform", 0);
    onnx_ignore(op, "nodes_hitrates");
    if (!x)
        return;
    if (sum < 0 || sum > TREE_MAX || way < 0 || way > 4 || !element_is_float(x->type.element)) {
        onnx_error(op, "its aggregate_function, its post_transform or its input is none");
        return;
    }
    trees.sum = (TreeSum)sum;
    if (!read_numbers(op, "leaf_targetids", &targets) ||
        !need(op, "leaf_targetids", targets.count, true, &targets) ||
        !need(op, "leaf_weights", targets.count, false, &weights) ||
        !trees_set_leaves(op, &trees, targets.count, onnx_int(op, "n_targets", 1)))
        return;
    for (int i = 0; i < targets.count; i++) {
        if (targets.integers[i] < 0 || targets.integers[i] >= trees.targets) {
            onnx_error(op, "leaf %d is for a target that is not there", i);
            return;
        }
        trees_add_weight(&trees, i, targets.integers[i], number_at(&weights, i));
    }
    if (read_nodes(op, &trees, targets.count))
        onnx_out(op, 0, transformed(op, trees_predict(op, &trees, x), ways[way]));
}

/* ---- the older ones ---- */

typedef struct Name { /* of a node, for sorting */
    int64_t tree, node;
    int place;
} Name;

static int compare_names(const void *a, const void *b)
{
    const Name *x = a, *y = b;
    if (x->tree != y->tree)
        return x->tree < y->tree ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

/* -1: there is no such node */
static int find_name(const Name *names, int count, int64_t tree, int64_t node)
{
    Name key = {tree, node, 0};
    const Name *found = bsearch(&key, names, (size_t)count, sizeof *names, compare_names);
    return found ? found->place : -1;
}

static bool mode_of(const char *word, TreeMode *mode, bool *leaf)
{
    static const char *const words[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                        "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    *leaf = strcmp(word, "LEAF") == 0;
    for (int i = 0; i < 6; i++)
        if (strcmp(words[i], word) == 0)
            *mode = (TreeMode)i;
    return *leaf || strcmp(words[*mode], word) == 0;
}

/* The attribute, or the one with "_as_tensor" behind its name. */
static bool need_either(OnnxOp *op, const char *key, int count, Numbers *list)
{
    if (read_numbers(op, key, list))
        return list->count == count || onnx_error(op, "%s must be %d numbers", key, count);
    return need(op, arena_print(op->arena, "%s_as_tensor", key), count, false, list);
}

/* Nodes from the attributes nodes_*; roots are those that are nobody's child. */
static bool read_named_nodes(OnnxOp *op, Trees *trees, Name **names)
{
    Numbers ids, ids_of_trees, features, splits, yes, no, missing;
    const Onnx__AttributeProto *modes = onnx_attribute(op, "nodes_modes");
    if (!modes || !read_numbers(op, "nodes_nodeids", &ids))
        return onnx_error(op, "has no nodes");
    int count = ids.count;
    if (modes->n_strings != (size_t)count || !need(op, "nodes_nodeids", count, true, &ids) ||
        !need(op, "nodes_treeids", count, true, &ids_of_trees) ||
        !need(op, "nodes_featureids", count, true, &features) ||
        !need_either(op, "nodes_values", count, &splits) ||
        !need(op, "nodes_truenodeids", count, true, &yes) ||
        !need(op, "nodes_falsenodeids", count, true, &no))
        return op->failed ? false : onnx_error(op, "nodes_modes must be %d words", count);
    bool has_missing = read_numbers(op, "nodes_missing_value_tracks_true", &missing) &&
                       missing.count == count && missing.integers;
    *names = ARENA_ARRAY(op->arena, Name, count);
    for (int i = 0; i < count; i++)
        (*names)[i] = (Name){ids_of_trees.integers[i], ids.integers[i], i};
    qsort(*names, (size_t)count, sizeof **names, compare_names);
    bool *child = ARENA_ARRAY(op->arena, bool, count);
    int32_t leaves = 0;
    for (int i = 0; i < count; i++) {
        TreeNode node = {.feature = (int32_t)features.integers[i],
                         .split = number_at(&splits, i),
                         .yes = i,
                         .no = i,
                         .missing = has_missing && missing.integers[i],
                         .leaf = -1};
        bool leaf;
        if (!mode_of(onnx_bytes_text(op->arena, modes->strings[i]), &node.mode, &leaf))
            return onnx_error(op, "the mode of node %d is none", i);
        if (leaf) {
            node.leaf = leaves++;
        } else {
            node.yes = find_name(*names, count, ids_of_trees.integers[i], yes.integers[i]);
            node.no = find_name(*names, count, ids_of_trees.integers[i], no.integers[i]);
            if (node.yes < 0 || node.no < 0)
                return onnx_error(op, "node %d names what is not there", i);
            child[node.yes] = child[node.no] = true;
        }
        trees_add(op, trees, node);
    }
    trees->leaves = leaves;
    trees->roots = ARENA_ARRAY(op->arena, int32_t, count);
    for (int i = 0; i < count; i++)
        if (!child[i])
            trees->roots[trees->root_count++] = i;
    return true;
}

/* Weights of leaves from the attributes PREFIX_treeids, …; *positive tells whether none is below
 * nought. */
static bool read_named_weights(OnnxOp *op, Trees *trees, const Name *names, const char *prefix,
                               int64_t targets, bool *positive)
{
    Numbers tree, node, id, weight;
    Arena *arena = op->arena;
    if (!read_numbers(op, arena_print(arena, "%s_ids", prefix), &id) ||
        !need(op, arena_print(arena, "%s_ids", prefix), id.count, true, &id) ||
        !need(op, arena_print(arena, "%s_treeids", prefix), id.count, true, &tree) ||
        !need(op, arena_print(arena, "%s_nodeids", prefix), id.count, true, &node) ||
        !need_either(op, arena_print(arena, "%s_weights", prefix), id.count, &weight) ||
        !trees_set_leaves(op, trees, trees->leaves, targets))
        return op->failed ? false : onnx_error(op, "has no weights of leaves");
    *positive = true;
    for (int i = 0; i < id.count; i++) {
        int place = find_name(names, trees->count, tree.integers[i], node.integers[i]);
        if (place < 0 || trees->nodes[place].leaf < 0 || id.integers[i] < 0 ||
            id.integers[i] >= targets)
            return onnx_error(op, "weight %d is of no leaf or for no target", i);
        double number = number_at(&weight, i);
        trees_add_weight(trees, trees->nodes[place].leaf, id.integers[i], number);
        *positive = *positive && number >= 0;
    }
    return true;
}

/* What is added to the sums of all trees. */
static Node *with_base(OnnxOp *op, Node *y)
{
    Numbers base;
    if (!y || (!read_numbers(op, "base_values", &base) &&
               !read_numbers(op, "base_values_as_tensor", &base)))
        return y;
    int64_t count = base.count;
    if (count == 0)
        return y;
    if (count != 1 && count != y->type.dims[1])
        return onnx_error(op, "has %lld base values for %lld targets", (long long)count,
                          (long long)y->type.dims[1]);
    double *values = ARENA_ARRAY(op->arena, double, count);
    for (int i = 0; i < count; i++)
        values[i] = number_at(&base, i);
    Node *list = graph_constant(op->f, type_make(TYPE_F64, 1, &count), values);
    return graph_add(op->f, y, graph_cast(op->f, list, y->type.element));
}

static Node *features_in(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    onnx_ignore(op, "nodes_hitrates nodes_hitrates_as_tensor");
    return x && !element_is_float(x->type.element) ? graph_cast(op->f, x, TYPE_F32) : x;
}

void onnx_build_tree_regressor(OnnxOp *op)
{
    static const char *const words[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    const char *sum = onnx_text(op, "aggregate_function", "SUM");
    Node *x = features_in(op);
    Trees trees = {.sum = TREE_SUM};
    Name *names;
    bool positive;
    for (int i = 0; i < 4; i++)
        if (strcmp(words[i], sum) == 0)
            trees.sum = (TreeSum)i;
    if (!x || !read_named_nodes(op, &trees, &names) ||
        !read_named_weights(op, &trees, names, "target", onnx_int(op, "n_targets", 1), &positive))
        return;
    Node *y = with_base(op, trees_predict(op, &trees, x));
    y = transformed(op, y, onnx_text(op, "post_transform", "NONE"));
    onnx_out(op, 0, graph_cast(op->f, y, TYPE_F32));
}

/* ---- classification ---- */

/* Scores of two classes from the sum for one: 1 - s and s of weights that are all positive, else -s
 * and s. *second: is it the second class? */
static Node *two_scores(OnnxOp *op, Node *s, bool positive, const char *way, Node **second)
{
    *second = onnx_compare(op, OP_gt, s, positive ? 0.5 : 0);
    Node *other = positive ? onnx_number_first(op, OP_sub, 1, s) : graph_unary(op->f, OP_neg, s);
    Node *both = graph_concat(op->f, 2, (Node *[]){other, s}, 1);
    bool bare = positive || strcmp(way, "LOGISTIC") != 0;
    return strcmp(way, "PROBIT") == 0 ? transformed(op, both, way)
           : bare                     ? both
                                      : transformed(op, both, "LOGISTIC");
}

void onnx_build_tree_classifier(OnnxOp *op)
{
    const char *way = onnx_text(op, "post_transform", "NONE");
    Node *x = features_in(op), *best;
    const int64_t *labels;
    int label_count;
    Trees trees = {.sum = TREE_SUM};
    Name *names;
    bool positive;
    if (!x)
        return;
    if (!onnx_ints(op, "classlabels_int64s", &labels, &label_count) || label_count < 1) {
        onnx_error(op, "has no classlabels_int64s; labels that are text are not supported");
        return;
    }
    if (!read_named_nodes(op, &trees, &names) ||
        !read_named_weights(op, &trees, names, "class", label_count, &positive))
        return;
    Node *y = with_base(op, trees_predict(op, &trees, x));
    bool first_alone = true; /* all weights are for class 0 */
    for (int i = 0; i < trees.leaves; i++)
        first_alone = first_alone && (label_count < 2 || !trees.given[label_count * i + 1]);
    if (label_count == 2 && first_alone) {
        int64_t start[2] = {0, 0}, count[2] = {x->type.dims[0], 1};
        Node *second;
        y = two_scores(op, graph_slice(op->f, y, start, count, NULL), positive, way, &second);
        best = graph_reshape(op->f, graph_cast(op->f, second, TYPE_I32), 1, count);
    } else {
        best = y ? graph_argmax(op->f, y, 1) : NULL;
        y = transformed(op, y, way);
    }
    onnx_out(op, 0, graph_gather(op->f, onnx_list(op, label_count, labels), best));
    onnx_out(op, 1, graph_cast(op->f, y, TYPE_F32));
}
