/* Constant folding: what can be computed now is, by the evaluator that is the oracle for everything
 * else.
 *
 *     %1: f32[2] = constant value=[1, 4]           %2: f32[2] = constant value=[1, 2]
 *     %2: f32[2] = sqrt %1
 *
 * Not everything that could be folded should be. An iota or a broadcast costs nothing where it is
 * used, as a constant it is read from memory: those are folded only as operands of something else,
 * and a result may not be larger than both GROWTH_LIMIT and the constants it was made of. Nor may
 * the work be more than the compiler's user would wait for, of one operation and of all. */
#include "base/checked.h"
#include "ir/eval.h"
#include "passes/passes.h"

enum { GROWTH_LIMIT = 1 << 16, WORK_LIMIT = 1 << 24, ALL_LIMIT = 1 << 30 };

static bool generates(Op op)
{
    return op == OP_iota || op == OP_broadcast;
}

/* A constant, or an iota or broadcast that can be computed on the way to something else */
static bool is_known(const Node *node)
{
    while (node->op == OP_broadcast)
        node = node->in[0];
    return node->op == OP_constant || node->op == OP_iota;
}

/* Elements read and written, or multiply-adds: a contraction makes each element of one column of
 * its second operand, be that a matrix, a filter or a gradient. */
static int64_t work_of(const Node *node)
{
    int64_t work = type_elements(&node->type);
    if (op_is(node->op, CONTRACTS)) {
        const TensorType *second = &node->in[1]->type;
        int64_t columns = second->dims[second->rank - 1], size = type_elements(second);
        return checked_multiply(work, columns ? size / columns : 0, &work) ? work : INT64_MAX;
    }
    for (int i = 0; i < node->in_count; i++)
        work += type_elements(&node->in[i]->type);
    return work;
}

static bool worth_folding(const Function *f, const Node *node)
{
    if (op_is(node->op, LEAF | REPEATS) || node->in_count == 0)
        return false;
    int64_t result = type_elements(&node->type), operands = 0;
    for (int i = 0; i < node->in_count; i++) {
        if (!is_known(node->in[i]))
            return false;
        operands += node->in[i]->op == OP_constant ? type_elements(&node->in[i]->type) : 0;
    }
    if (generates(node->op))
        return result <= operands;
    int64_t work = work_of(node);
    return (result <= GROWTH_LIMIT || result <= operands) && work <= WORK_LIMIT &&
           work <= ALL_LIMIT - f->folded;
}

static Value value_of(Arena *arena, const Node *node)
{
    if (node->op == OP_constant)
        return value_read(arena, node->type, node->attr.data);
    Value *in = ARENA_ARRAY(arena, Value, node->in_count);
    for (int i = 0; i < node->in_count; i++)
        in[i] = value_of(arena, node->in[i]);
    return node_evaluate(arena, EVALUATE_F32, node, in);
}

static Node *fold(Function *f, const Node *node)
{
    Arena *scratch = arena_create();
    Value value = value_of(scratch, node);
    void *data = arena_alloc(f->program->arena, (size_t)type_bytes(&node->type));
    value_write(&value, data);
    arena_destroy(scratch);
    f->place = node->place;
    Node *constant = graph_constant(f, node->type, data);
    constant->name = node->name;
    return constant;
}

bool pass_fold(Function *f)
{
    const char *place = f->place;
    int count = f->node_count;
    bool changed = false;
    for (int i = 0; i < count; i++) {
        Node *node = f->nodes[i];
        for (int j = 0; j < node->in_count; j++)
            node->in[j] = node_resolve(node->in[j]);
        if (!worth_folding(f, node))
            continue;
        f->folded += work_of(node);
        node->replacement = fold(f, node);
        changed = true;
    }
    f->place = place;
    if (changed)
        function_clean(f);
    return changed;
}
