/* Sequences and optionals. They are nothing in the program: which tensors a sequence has, and
 * whether an optional has one, is known when the model is built, or it is an error.
 *
 *     s = SequenceConstruct(a, b);  t = SequenceInsert(s, c);  y = ConcatFromSequence(t, axis = 0)
 *
 *     %y = concat %a, %b, %c axis=0
 */
#include <string.h>

#include "frontend/onnx/control.h"
#include "frontend/onnx/operator.h"
#include "frontend/onnx/reader.h"

enum { PART_LIMIT = 1 << 14 }; /* that a tensor is split into */

/* The sequence at input i; NULL and an error when it is none. */
static const OnnxValue *sequence_in(OnnxOp *op, int i)
{
    if (onnx_has_in(op, i) && op->in[i]->is_sequence)
        return op->in[i];
    onnx_error(op, "input %d must be a sequence", i);
    return NULL;
}

/* The value at input i, to be part of a sequence; NULL and an error when it is no tensor. */
static OnnxValue *tensor_in(OnnxOp *op, int i)
{
    if (onnx_has_in(op, i) && !op->in[i]->is_sequence)
        return op->in[i];
    onnx_error(op, "input %d must be a tensor", i);
    return NULL;
}

static Node *item_node(OnnxOp *op, OnnxValue *item)
{
    return onnx_value_node(op->reader, op->f, item, NULL);
}

static OnnxValue *new_item(OnnxOp *op, Node *node)
{
    OnnxValue *item = ARENA_NEW(op->arena, OnnxValue);
    item->node = node;
    op->failed = op->failed || !node;
    return item;
}

/* ---- making ---- */

void onnx_build_sequence_empty(OnnxOp *op)
{
    onnx_ignore(op, "dtype");
    onnx_out_sequence(op, 0, NULL, 0);
}

void onnx_build_sequence_construct(OnnxOp *op)
{
    OnnxValue **items = ARENA_ARRAY(op->arena, OnnxValue *, op->in_count);
    for (int i = 0; i < op->in_count; i++)
        if (!(items[i] = tensor_in(op, i)))
            return;
    onnx_out_sequence(op, 0, items, op->in_count);
}

/* A position counts from the end when it is negative; `limit` is the last that there may be. */
static bool read_position(OnnxOp *op, int input, int count, int64_t limit, int64_t *position)
{
    int64_t given;
    if (!onnx_in_integer(op, input, "the position", &given))
        return false;
    *position = given < 0 ? given + count : given;
    if (given >= -count && *position >= 0 && *position <= limit)
        return true;
    return onnx_error(op, "position %lld is none of a sequence of %d tensors", (long long)given,
                      count);
}

void onnx_build_sequence_insert(OnnxOp *op)
{
    const OnnxValue *sequence = sequence_in(op, 0);
    OnnxValue *tensor = tensor_in(op, 1);
    if (!sequence || !tensor)
        return;
    int count = sequence->item_count;
    int64_t at = count;
    if (onnx_has_in(op, 2) && !read_position(op, 2, count, count, &at))
        return;
    OnnxValue **items = ARENA_ARRAY(op->arena, OnnxValue *, count + 1);
    for (int i = 0; i < count; i++)
        items[i < at ? i : i + 1] = sequence->items[i];
    items[at] = tensor;
    onnx_out_sequence(op, 0, items, count + 1);
}

void onnx_build_sequence_erase(OnnxOp *op)
{
    const OnnxValue *sequence = sequence_in(op, 0);
    int64_t at = sequence ? sequence->item_count - 1 : 0;
    if (!sequence || (onnx_has_in(op, 1) && !read_position(op, 1, sequence->item_count, at, &at)))
        return;
    if (sequence->item_count == 0) {
        onnx_error(op, "takes a tensor out of an empty sequence");
        return;
    }
    OnnxValue **items = ARENA_ARRAY(op->arena, OnnxValue *, sequence->item_count);
    for (int i = 0, next = 0; i < sequence->item_count; i++)
        if (i != at)
            items[next++] = sequence->items[i];
    onnx_out_sequence(op, 0, items, sequence->item_count - 1);
}

/* Lengths of the parts: one number is that of each, of which the last may be shorter. */
static bool part_lengths(OnnxOp *op, int64_t length, const int64_t **lengths, int *count)
{
    int64_t each = 1;
    if (onnx_has_in(op, 1)) {
        const TensorType *type = onnx_in_type(op, 1);
        if (!onnx_in_integers(op, 1, "the split", lengths, count))
            return false;
        if (type && type->rank == 1)
            return *count <= PART_LIMIT ||
                   onnx_error(op, "splits into %d parts, %d are the most", *count, PART_LIMIT);
        each = (*lengths)[0];
    }
    int64_t parts = each > 0 ? length / each + (length % each > 0) : 0;
    if (each < 1 || parts > PART_LIMIT)
        return onnx_error(op, "cannot split %lld elements into parts of %lld", (long long)length,
                          (long long)each);
    *count = (int)parts;
    int64_t *all = ARENA_ARRAY(op->arena, int64_t, *count);
    for (int i = 0; i < *count; i++)
        all[i] = i < *count - 1 ? each : length - each * i;
    *lengths = all;
    return true;
}

static Node *without_axis(OnnxOp *op, Node *x, int axis)
{
    int64_t dims[RANK_LIMIT];
    int rank = 0;
    for (int i = 0; x && i < x->type.rank; i++)
        if (i != axis)
            dims[rank++] = x->type.dims[i];
    return x ? onnx_reshape(op, x, rank, dims) : NULL;
}

void onnx_build_split_to_sequence(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    bool keep = onnx_int(op, "keepdims", 1) != 0 || onnx_has_in(op, 1);
    const int64_t *lengths;
    int axis, count;
    if (!x || !onnx_axis(op, onnx_int(op, "axis", 0), x->type.rank, &axis) ||
        !part_lengths(op, x->type.dims[axis], &lengths, &count))
        return;
    int64_t start[RANK_LIMIT] = {0}, size[RANK_LIMIT], left = x->type.dims[axis];
    OnnxValue **items = ARENA_ARRAY(op->arena, OnnxValue *, count);
    memcpy(size, x->type.dims, sizeof size);
    for (int i = 0; i < count; i++) {
        if (lengths[i] < 0 || lengths[i] > left) {
            onnx_error(op, "splits more than there is along axis %d", axis);
            return;
        }
        size[axis] = lengths[i];
        Node *part = graph_slice(op->f, x, start, size, NULL);
        items[i] = new_item(op, keep ? part : without_axis(op, part, axis));
        start[axis] += lengths[i];
        left -= lengths[i];
    }
    if (left != 0)
        onnx_error(op, "leaves %lld of axis %d, which is %lld long", (long long)left, axis,
                   (long long)x->type.dims[axis]);
    onnx_out_sequence(op, 0, items, count);
}

/* ---- reading ---- */

void onnx_build_sequence_length(OnnxOp *op)
{
    const OnnxValue *sequence = sequence_in(op, 0);
    if (sequence)
        onnx_out(op, 0, onnx_scalar(op, TYPE_I64, sequence->item_count));
}

/* All tensors side by side along `axis`; `added`: one that is made for it. */
static Node *joined(OnnxOp *op, const OnnxValue *sequence, int64_t axis, bool added)
{
    Node **parts = ARENA_ARRAY(op->arena, Node *, sequence->item_count + 1);
    int place = 0;
    if (sequence->item_count == 0)
        return onnx_error(op, "joins an empty sequence");
    for (int i = 0; i < sequence->item_count; i++) {
        parts[i] = item_node(op, sequence->items[i]);
        if (!parts[i] || !onnx_axis(op, axis, parts[i]->type.rank + added, &place))
            return NULL;
        int64_t dims[RANK_LIMIT + 1];
        int rank = 0;
        for (int j = 0; j < parts[i]->type.rank + added; j++)
            if (added && j == place)
                dims[rank++] = 1;
            else
                dims[rank++] = parts[i]->type.dims[added && j > place ? j - 1 : j];
        if (rank > RANK_LIMIT)
            return onnx_error(op, "makes %d axes, %d are the most", rank, RANK_LIMIT);
        parts[i] = onnx_reshape(op, parts[i], rank, dims);
    }
    return sequence->item_count == 1 ? parts[0]
                                     : graph_concat(op->f, sequence->item_count, parts, place);
}

void onnx_build_concat_from_sequence(OnnxOp *op)
{
    const OnnxValue *sequence = sequence_in(op, 0);
    int64_t axis = onnx_int(op, "axis", 0);
    bool added = onnx_int(op, "new_axis", 0) != 0;
    if (sequence)
        onnx_out(op, 0, joined(op, sequence, axis, added));
}

/* A position that depends on data picks a row of all of them, when they are alike. */
static void pick_by_data(OnnxOp *op, const OnnxValue *sequence)
{
    const Node *first = NULL;
    for (int i = 0; i < sequence->item_count; i++) {
        const Node *node = item_node(op, sequence->items[i]);
        if (first && node && !type_equal(&first->type, &node->type)) {
            onnx_error(op,
                       "which tensor it takes must be known when the model is built, since they "
                       "differ in shape%s",
                       onnx_remedy(op, op->in[1]->node));
            return;
        }
        first = node;
    }
    Node *position = onnx_one(op, op->f, onnx_in(op, 1));
    Node *all = joined(op, sequence, 0, true);
    onnx_out(op, 0, all && position ? onnx_gather(op, all, position, 0) : NULL);
}

void onnx_build_sequence_at(OnnxOp *op)
{
    const OnnxValue *sequence = sequence_in(op, 0);
    int64_t at;
    if (!sequence || !tensor_in(op, 1))
        return;
    if (!onnx_in_value(op, 1)) {
        pick_by_data(op, sequence);
        return;
    }
    if (read_position(op, 1, sequence->item_count, (int64_t)sequence->item_count - 1, &at))
        op->out[0] = *sequence->items[at];
}

/* Its graph, written out for each place of the sequences; what is no sequence is the same each
 * time. */
void onnx_build_sequence_map(OnnxOp *op)
{
    const Onnx__GraphProto *graph = onnx_graph(op, "body");
    const OnnxValue *first = sequence_in(op, 0);
    if (!graph || !first)
        return;
    if ((size_t)op->out_count > graph->n_output) {
        onnx_error(op, "has %d outputs, but its graph gives %zu", op->out_count, graph->n_output);
        return;
    }
    OnnxValue ***items = ARENA_ARRAY(op->arena, OnnxValue **, op->out_count);
    for (int o = 0; o < op->out_count; o++)
        items[o] = ARENA_ARRAY(op->arena, OnnxValue *, first->item_count);
    for (int n = 0; n < first->item_count; n++) {
        OnnxValue *inputs = ARENA_ARRAY(op->arena, OnnxValue, op->in_count);
        OnnxValue *results = ARENA_ARRAY(op->arena, OnnxValue, graph->n_output);
        for (int i = 0; i < op->in_count; i++) {
            const OnnxValue *value = op->in[i];
            if (value && value->is_sequence && value->item_count != first->item_count) {
                onnx_error(op, "its sequences have %d and %d tensors", first->item_count,
                           value->item_count);
                return;
            }
            inputs[i] = !value               ? (OnnxValue){.is_empty = true}
                        : value->is_sequence ? *value->items[n]
                                             : *value;
        }
        if (!onnx_graph_run(op, graph, inputs, op->in_count, results))
            return;
        for (int o = 0; o < op->out_count; o++)
            items[o][n] = &results[o];
    }
    for (int o = 0; o < op->out_count; o++)
        onnx_out_sequence(op, o, items[o], first->item_count);
}

/* ---- optionals ---- */

void onnx_build_optional(OnnxOp *op)
{
    onnx_ignore(op, "type");
    if (op->in_count && op->in[0])
        op->out[0] = *op->in[0];
    else
        op->out[0].is_empty = true;
}

void onnx_build_optional_get_element(OnnxOp *op)
{
    if (onnx_has_in(op, 0))
        op->out[0] = *op->in[0];
    else
        onnx_error(op, "takes the value of an optional that has none");
}

void onnx_build_optional_has_element(OnnxOp *op)
{
    onnx_out(op, 0, onnx_scalar(op, TYPE_BOOL, onnx_has_in(op, 0)));
}
