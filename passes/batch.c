/* Operations for all steps of a scan at once; see batch.h.
 *
 *     %2: f32[2,4] = matmul %x, %w           %2: f32[5,2,4] = matmul %xs, %w
 *     %3: f32[4]   = reduce_sum %2 axes=[0]  %3: f32[5,4]   = reduce_sum %2 axes=[1]
 *
 * Most have room for one more axis in front: all that has to change is what counts axes, and where
 * shapes broadcast, ones have to stand between the axis of steps and an operand of smaller rank.
 * Images have no such room: there the steps become more of the batch. */
#include "passes/batch.h"

#include "ir/scan.h"

/* ---- what can be done ---- */

static bool any_stacked(const Node *node, const bool *stacked)
{
    for (int i = 0; i < node->in_count; i++)
        if (stacked[i])
            return true;
    return false;
}

/* Operations on images, and whether their second operand is one. */
static bool is_of_images(Op op, bool *second)
{
    *second = op == OP_window_pick || op == OP_window_scatter;
    return *second || op == OP_conv || op == OP_conv_transpose || op == OP_window_max ||
           op == OP_window_sum || op == OP_window_argmax || op == OP_window_spread;
}

bool batch_possible(const Node *node, const bool *stacked)
{
    bool second;
    if (!any_stacked(node, stacked))
        return true;
    if (node->type.rank + 1 > RANK_LIMIT || type_is_tuple(&node->type))
        return false;
    for (int i = 0; i < node->in_count; i++)
        if (node->in[i]->type.rank + 1 > RANK_LIMIT)
            return false;
    if (is_of_images(node->op, &second))
        return stacked[0] && (node->in_count == 1 || stacked[1] == second);
    switch (node->op) {
    case OP_matmul:
    case OP_reshape:
    case OP_transpose:
    case OP_broadcast:
    case OP_slice:
    case OP_reverse:
    case OP_pad:
    case OP_concat:
    case OP_softmax:
    case OP_log_softmax:
    case OP_normalize:
    case OP_softmax_cross_entropy:
    case OP_sigmoid_cross_entropy:
        return true;
    case OP_gather:
        return !stacked[0];
    default:
        return op_is(node->op, ELEMENTWISE | REDUCES | ACCUMULATES | SORTS);
    }
}

/* ---- attributes ---- */

static IntList with_front(Program *program, IntList list, int64_t front)
{
    int64_t values[RANK_LIMIT + 1] = {front};
    for (int i = 0; i < list.count; i++)
        values[i + 1] = list.values[i];
    return int_list(program, list.count + 1, values);
}

/* Numbers of axes, one further on; with `front`, axis 0 before them. */
static IntList further_axes(Program *program, IntList list, bool front)
{
    int64_t values[RANK_LIMIT + 1] = {0};
    for (int i = 0; i < list.count; i++)
        values[i + front] = list.values[i] + 1;
    return int_list(program, list.count + front, values);
}

static Attr batched_attr(Program *program, const Node *node, int64_t steps)
{
    Attr attr = node->attr;
    switch (node->op) {
    case OP_reduce_sum:
    case OP_reduce_max:
    case OP_reduce_min:
    case OP_reduce_product:
    case OP_argmax:
    case OP_cumulative:
    case OP_reverse:
    case OP_concat:
    case OP_softmax:
    case OP_log_softmax:
    case OP_normalize:
        attr.lists[0] = further_axes(program, attr.lists[0], false);
        break;
    case OP_transpose:
        attr.lists[0] = further_axes(program, attr.lists[0], true);
        break;
    case OP_reshape:
    case OP_broadcast:
        attr.lists[0] = with_front(program, attr.lists[0], steps);
        break;
    case OP_slice:
        attr.lists[0] = with_front(program, attr.lists[0], 0);
        attr.lists[1] = with_front(program, attr.lists[1], steps);
        attr.lists[2] = with_front(program, attr.lists[2], 1);
        break;
    case OP_pad:
        for (int i = 0; i < 3; i++)
            attr.lists[i] = with_front(program, attr.lists[i], 0);
        break;
    default:
        break;
    }
    return attr;
}

/* ---- operands ---- */

/* [steps,3] as [steps,1,3], so that the rest has `rank` axes. */
static Node *with_rank(Function *f, Node *stack, int rank)
{
    int64_t dims[RANK_LIMIT];
    int own = stack->type.rank - 1, added = rank - own;
    dims[0] = stack->type.dims[0];
    for (int i = 0; i < rank; i++)
        dims[i + 1] = i < added ? 1 : stack->type.dims[i - added + 1];
    return graph_reshape(f, stack, rank + 1, dims);
}

static bool operands_broadcast(Op op)
{
    return op_is(op, ELEMENTWISE) || op == OP_matmul || op == OP_broadcast ||
           op == OP_sigmoid_cross_entropy;
}

/* Operands that must have the axis of steps, all or none. */
static bool operands_alike(Op op)
{
    return op == OP_concat || op == OP_softmax_cross_entropy;
}

static Node *batched_operand(Function *f, const Node *node, Node *in, bool stacked, int64_t steps)
{
    if (stacked && operands_broadcast(node->op))
        return with_rank(f, in, node->type.rank);
    if (stacked || !operands_alike(node->op))
        return in;
    TensorType type = scan_stack_type(&in->type, steps);
    return graph_broadcast(f, in, type.rank, type.dims);
}

/* ---- images ---- */

/* [steps,batch,…] as [steps·batch,…] */
static Node *merged(Function *f, Node *stack)
{
    int64_t dims[RANK_LIMIT];
    int rank = stack->type.rank - 1;
    dims[0] = stack->type.dims[0] * stack->type.dims[1];
    for (int i = 1; i < rank; i++)
        dims[i] = stack->type.dims[i + 1];
    return graph_reshape(f, stack, rank, dims);
}

static Node *batch_images(Function *f, const Node *node, Node *const *in, const bool *stacked,
                          int64_t steps)
{
    Attr attr = node->attr;
    Node *operands[2];
    for (int i = 0; i < node->in_count; i++)
        operands[i] = stacked[i] ? merged(f, in[i]) : in[i];
    if (attr.lists[4].count) { /* dims */
        int64_t dims[RANK_LIMIT];
        for (int i = 0; i < node->type.rank; i++)
            dims[i] = node->type.dims[i] * (i == 0 ? steps : 1);
        attr.lists[4] = int_list(f->program, node->type.rank, dims);
    }
    Node *all = graph_node(f, node->op, node->in_count, operands, &attr);
    TensorType type = scan_stack_type(&node->type, steps);
    return graph_reshape(f, all, type.rank, type.dims);
}

Node *batch_node(Function *f, const Node *node, Node *const *in, const bool *stacked, int64_t steps)
{
    bool second;
    if (!any_stacked(node, stacked))
        return graph_copy(f, node, in);
    const char *place = f->place;
    f->place = node->place;
    Node *batched;
    if (is_of_images(node->op, &second)) {
        batched = batch_images(f, node, in, stacked, steps);
    } else {
        Attr attr = batched_attr(f->program, node, steps);
        Node **operands = ARENA_ARRAY(f->program->arena, Node *, node->in_count);
        for (int i = 0; i < node->in_count; i++)
            operands[i] = batched_operand(f, node, in[i], stacked[i], steps);
        batched = graph_node(f, node->op, node->in_count, operands, &attr);
    }
    f->place = place;
    TensorType expected = scan_stack_type(&node->type, steps);
    if (!batched || !type_equal(&batched->type, &expected))
        INGOT_BUG("%s for all steps at once is of another type", op_name(node->op));
    batched->name = batched->name ? batched->name : node->name;
    return batched;
}
