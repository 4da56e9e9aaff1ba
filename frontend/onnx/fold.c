/* What an operator makes of constants alone is computed at once, by the evaluator, so that the next
 * operator finds numbers where it asks for a shape, axes or sizes.
 *
 *     Shape → Gather → Unsqueeze → Concat → Reshape        the reshape's shape is [1, -1, 64]
 *
 * Tensors that a model merely stores folded are left to the passes: what is computed here is small,
 * and takes little time. */
#include "frontend/onnx/reader.h"

enum { ELEMENT_LIMIT_HERE = 1 << 16, WORK_LIMIT = 1 << 22, LITTLE_WORK = 1 << 10 };

static int64_t work_of(const Node *node)
{
    int64_t work = type_elements(&node->type);
    for (int i = 0; i < node->in_count; i++)
        work += type_elements(&node->in[i]->type);
    if (op_is(node->op, CONTRACTS)) {
        const TensorType *w = &node->in[1]->type;
        int64_t columns = w->dims[w->rank - 1];
        double product =
            (double)type_elements(&node->type) * (double)(columns ? type_elements(w) / columns : 1);
        return product > (double)WORK_LIMIT ? INT64_MAX : (int64_t)product + work;
    }
    return work;
}

/* May it be done? What is little always may: shapes are. */
static bool take_work(OnnxReader *reader, int64_t work)
{
    if (work <= LITTLE_WORK)
        return true;
    if (work > WORK_LIMIT || work > reader->fold_limit)
        return false;
    reader->fold_limit -= work;
    return true;
}

/* Is the node one whose inputs are all known, and small enough? */
static bool can_fold(OnnxReader *reader, const Node *node, int first, Value *const *known)
{
    if (node->op == OP_input || node->op == OP_state || node->op == OP_random ||
        op_is(node->op, REPEATS) || node->op == OP_result ||
        type_elements(&node->type) > ELEMENT_LIMIT_HERE)
        return false;
    for (int i = 0; i < node->in_count; i++) {
        const Node *in = node->in[i];
        if (in->id < first ? in->op != OP_constant : !known[in->id - first])
            return false;
    }
    return take_work(reader, work_of(node));
}

static Value value_of(Arena *arena, const Node *node, int first, Value *const *known)
{
    return node->id >= first ? *known[node->id - first]
                             : value_read(arena, node->type, node->attr.data);
}

static Node *constant_of(OnnxOp *op, const Value *value)
{
    void *data = arena_alloc(op->arena, (size_t)type_bytes(&value->type));
    value_write(value, data);
    return graph_constant(op->f, value->type, data);
}

/* Is there a node to begin with, one that hangs on constants alone? */
static bool has_some(const Function *f, int first)
{
    for (int n = first; n < f->node_count; n++) {
        const Node *node = f->nodes[n];
        bool known = node->op != OP_constant;
        for (int i = 0; known && i < node->in_count; i++)
            known = node->in[i]->op == OP_constant;
        if (known)
            return true;
    }
    return false;
}

void onnx_fold(OnnxOp *op, int first)
{
    int count = op->f->node_count - first;
    if (!has_some(op->f, first))
        return;
    Arena *scratch = op->reader->scratch;
    Value **known = ARENA_ARRAY(scratch, Value *, count + 1);
    for (int n = 0; n < count; n++) {
        const Node *node = op->f->nodes[first + n];
        if (!can_fold(op->reader, node, first, known))
            continue;
        Value *in = ARENA_ARRAY(scratch, Value, node->in_count);
        for (int i = 0; i < node->in_count; i++)
            in[i] = value_of(scratch, node->in[i], first, known);
        known[n] = ARENA_NEW(scratch, Value);
        *known[n] = node->op == OP_constant ? value_read(scratch, node->type, node->attr.data)
                                            : node_evaluate(scratch, EVALUATE_F32, node, in);
    }
    for (int i = 0; i < op->out_count; i++) {
        Node *node = op->out[i].node;
        if (node && node->id >= first && node->id - first < count && known[node->id - first] &&
            node->op != OP_constant)
            op->out[i].node = constant_of(op, known[node->id - first]);
    }
    arena_clear(scratch);
}
