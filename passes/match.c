/* What rewriting passes ask about nodes; see match.h. */
#include "passes/match.h"

#include <math.h>
#include <string.h>

#include "ir/element.h"

enum { GLANCE = 6 }; /* operations a question looks through before it gives up */

static bool constant_uniform(const Node *node, double *value)
{
    const char *data = node->attr.data;
    int64_t count = type_elements(&node->type);
    size_t size = (size_t)element_bytes(node->type.element);
    if (count == 0)
        return false;
    /* Every element equals its neighbour exactly when the array equals itself moved by one. */
    if (memcmp(data, data + size, (size_t)(count - 1) * size) != 0)
        return false;
    return element_exact(node->type.element, data, 0, value);
}

bool node_uniform(const Node *node, double *value)
{
    for (int i = 0; i < GLANCE; i++) {
        if (node->op == OP_constant)
            return constant_uniform(node, value);
        if (node->op != OP_broadcast && node->op != OP_reshape && node->op != OP_transpose)
            return false;
        node = node->in[0];
    }
    return false;
}

bool node_is_number(const Node *node, double value)
{
    double known;
    if (!node_uniform(node, &known) || known != value)
        return false;
    return !node_is_float(node) || signbit(known) == signbit(value);
}

static bool square_of_itself(const Node *node)
{
    return node->op == OP_mul && node->in[0] == node->in[1];
}

static bool keeps_elements(Op op)
{
    return op == OP_reshape || op == OP_transpose || op == OP_broadcast || op == OP_slice ||
           op == OP_reverse || op == OP_reduce_max || op == OP_reduce_min;
}

static bool never_minus_zero(const Node *node, int glance)
{
    double value;
    if (!node_is_float(node) || square_of_itself(node))
        return true;
    if (glance == 0)
        return false;
    if (keeps_elements(node->op))
        return never_minus_zero(node->in[0], glance - 1);
    switch (node->op) {
    case OP_constant:
        return constant_uniform(node, &value) && !(value == 0.0 && signbit(value));
    case OP_abs:
    case OP_exp:
    case OP_sigmoid:
    case OP_softmax:
    case OP_iota:
    case OP_random:
        return true;
    case OP_cast: /* of a float it may be a negative number too small for the type */
        return !node_is_float(node->in[0]);
    case OP_add: /* -0 only from -0 + -0 */
        return never_minus_zero(node->in[0], glance - 1) ||
               never_minus_zero(node->in[1], glance - 1);
    case OP_select:
        return never_minus_zero(node->in[1], glance - 1) &&
               never_minus_zero(node->in[2], glance - 1);
    default:
        return false;
    }
}

bool node_never_minus_zero(const Node *node)
{
    return never_minus_zero(node, GLANCE);
}

static bool never_negative(const Node *node, int glance)
{
    double value;
    if (square_of_itself(node))
        return true;
    if (glance == 0)
        return false;
    if (keeps_elements(node->op) || node->op == OP_reduce_sum)
        return never_negative(node->in[0], glance - 1);
    switch (node->op) {
    case OP_constant:
        return constant_uniform(node, &value) && !signbit(value);
    case OP_abs:
    case OP_exp:
    case OP_sigmoid:
    case OP_softmax:
    case OP_random:
        return true;
    case OP_add:
    case OP_mul:
    case OP_div:
        return never_negative(node->in[0], glance - 1) && never_negative(node->in[1], glance - 1);
    default:
        return false;
    }
}

bool node_never_negative(const Node *node)
{
    return never_negative(node, GLANCE);
}

bool node_is_view(const Node *node)
{
    return node->op == OP_reshape || node->op == OP_transpose || node->op == OP_broadcast ||
           node->op == OP_slice || node->op == OP_reverse;
}

static bool is_known(const Function *function, const Node *node, const bool *known)
{
    if (op_is(node->op, LEAF))
        return node->op == OP_constant || node->op == OP_iota ||
               (node->op == OP_state && function->update_count == 0);
    for (int i = 0; i < node->in_count; i++)
        if (!known[node->in[i]->id])
            return false;
    return !op_is(node->op, REPEATS) && node->op != OP_result;
}

bool *function_known_nodes(Arena *arena, const Function *function)
{
    bool *known = ARENA_ARRAY(arena, bool, function->node_count + 1);
    for (int i = 0; i < function->node_count; i++)
        known[i] = is_known(function, function->nodes[i], known);
    return known;
}

int *function_count_uses(Arena *arena, const Function *function)
{
    int *uses = ARENA_ARRAY(arena, int, function->node_count);
    for (int i = 0; i < function->node_count; i++)
        for (int j = 0; j < function->nodes[i]->in_count; j++)
            uses[function->nodes[i]->in[j]->id]++;
    for (int i = 0; i < function->result_count; i++)
        uses[function->results[i].node->id]++;
    for (int i = 0; i < function->update_count; i++)
        uses[function->updates[i].node->id]++;
    return uses;
}

bool node_reads_few_channels(const Node *node)
{
    enum { FEW = 16 };
    if (node->op != OP_conv && node->op != OP_conv_transpose && node->op != OP_conv_filter)
        return false;
    const TensorType *image = &node->in[0]->type;
    return node_spatial(node).groups == 1 && image->dims[image->rank - 1] <= FEW;
}

bool shape_blocks(const TensorType *from, const TensorType *to, Blocks *blocks)
{
    *blocks = (Blocks){.from = from, .to = to};
    int i = 0, j = 0;
    if (from->rank == 0 || to->rank == 0 || type_elements(from) == 0)
        return false;
    while (i < from->rank && j < to->rank) {
        Block *block = &blocks->list[blocks->count++];
        block->from_begin = i;
        block->to_begin = j;
        int64_t a = from->dims[i++], b = to->dims[j++];
        while (a != b) {
            if (a < b)
                a *= from->dims[i++];
            else
                b *= to->dims[j++];
        }
        block->from_end = i;
        block->to_end = j;
    }
    blocks->list[blocks->count - 1].from_end = from->rank; /* ones at the end */
    blocks->list[blocks->count - 1].to_end = to->rank;
    return true;
}
