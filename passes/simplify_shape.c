/* Element-wise work and reductions go before a reshape, not behind it.
 *
 *     %2: f32[8,128,384] = reshape %1                   %2: f32[1024,384] = add %1, %bias
 *     %3: f32[8,128,384] = add %2, %bias                %3: f32[8,128,384] = reshape %2
 *
 * A reshape costs nothing, but a kernel does not reach through it: before it, the sum is part of
 * the kernel that computes %1. Layers that flatten (a dense layer of a sequence) and their
 * gradients come as reshapes around a product, and all that lies between two products then has one
 * shape.
 *
 * Two shapes of the same elements are one sequence of blocks, [8,128 | 384] and [1024 | 384], each
 * the smallest run of axes with the same product in both. Whatever takes part must have a block in
 * full or not at all: a tensor [384] has the second and is broadcast over the first; [128,384]
 * would have half of the first, and so the rule does not apply.
 *
 * Where operands of two shapes meet, both could go first. The shape with fewer axes does, or, of as
 * many, the one whose leading axes are longer: then no two rules undo each other. */
#include "passes/simplify.h"

#include <string.h>

#include "passes/match.h"

enum { TREE_LIMIT = 16 };

/* What an operand that broadcasts to `from` has to look like to broadcast to `to`; false when it
 * has part of a block. */
static bool type_before(const Blocks *blocks, const TensorType *operand, TensorType *result)
{
    int shift = blocks->from->rank - operand->rank, axes = 0;
    *result = *operand;
    for (int b = 0; b < blocks->count; b++) {
        const Block *block = &blocks->list[b];
        bool full = true, absent = true;
        for (int i = block->from_begin; i < block->from_end; i++) {
            int64_t extent = i < shift ? 1 : operand->dims[i - shift];
            full = full && extent == blocks->from->dims[i];
            absent = absent && extent == 1;
        }
        if (!full && !absent)
            return false;
        for (int j = block->to_begin; j < block->to_end; j++) {
            int64_t extent = full ? blocks->to->dims[j] : 1;
            if (axes > 0 || extent != 1) /* no ones in front: broadcasting puts them there */
                result->dims[axes++] = extent;
        }
    }
    result->rank = axes;
    return true;
}

/* An element-wise operand nobody else wants is computed in the other shape, too. */
static bool goes_along(const Rewriter *r, const Blocks *blocks, const Node *operand)
{
    return op_is(operand->op, ELEMENTWISE) && single_use(r, operand) &&
           type_same_dims(&operand->type, blocks->from);
}

/* What is read in place would have to be copied to be seen in another shape. */
static bool moves_elements(const Node *operand)
{
    while (operand->op == OP_reshape)
        operand = node_resolve(operand->in[0]);
    return operand->op == OP_transpose || operand->op == OP_slice || operand->op == OP_reverse ||
           operand->op == OP_broadcast;
}

static bool fits(const Rewriter *r, const Blocks *blocks, Node *operand, int *budget)
{
    TensorType type;
    operand = node_resolve(operand);
    if (--*budget < 0)
        return false;
    if (!goes_along(r, blocks, operand))
        return type_before(blocks, &operand->type, &type) &&
               (type_same_dims(&type, &operand->type) || !moves_elements(operand));
    for (int i = 0; i < operand->in_count; i++)
        if (!fits(r, blocks, operand->in[i], budget))
            return false;
    return true;
}

static Node *before(Rewriter *r, const Blocks *blocks, Node *operand)
{
    TensorType type;
    operand = node_resolve(operand);
    if (goes_along(r, blocks, operand)) {
        Node *in[3];
        for (int i = 0; i < operand->in_count; i++)
            in[i] = before(r, blocks, operand->in[i]);
        return graph_node(r->f, operand->op, operand->in_count, in, &operand->attr);
    }
    type_before(blocks, &operand->type, &type);
    while (operand->op == OP_reshape)
        operand = node_resolve(operand->in[0]);
    return graph_reshape(r->f, operand, type.rank, type.dims);
}

static bool goes_first(const TensorType *a, const TensorType *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return a->dims[i] > b->dims[i];
    return false;
}

/* Something computed in a shape that goes first, seen through a reshape; else NULL. */
static const Node *computed_before(const Node *operand)
{
    if (operand->op != OP_reshape)
        return NULL;
    const Node *x = node_resolve(operand->in[0]);
    return !op_is(x->op, LEAF | VIEW) && goes_first(&x->type, &operand->type) ? x : NULL;
}

Node *simplify_shape(Rewriter *r, Node *node)
{
    for (int i = 0; i < node->in_count; i++) {
        Node *operand = node->in[i], *in[3];
        const Node *x = computed_before(operand);
        Blocks blocks;
        int budget = TREE_LIMIT;
        bool good = x && type_same_dims(&operand->type, &node->type) &&
                    shape_blocks(&node->type, &x->type, &blocks);
        for (int j = 0; j < node->in_count && good; j++)
            good = fits(r, &blocks, node->in[j], &budget);
        if (!good)
            continue;
        for (int j = 0; j < node->in_count; j++)
            in[j] = before(r, &blocks, node->in[j]);
        Node *moved = graph_node(r->f, node->op, node->in_count, in, &node->attr);
        return graph_reshape(r->f, moved, node->type.rank, node->type.dims);
    }
    return NULL;
}

/* The reduction of x over the blocks that `node` reduces whole; NULL when it reduces part of one.
 */
Node *simplify_shape_reduce(Rewriter *r, Node *node)
{
    const Node *x = computed_before(node->in[0]);
    IntList axes = node->attr.lists[0];
    Blocks blocks;
    int64_t list[RANK_LIMIT];
    int count = 0;
    if (!x || !shape_blocks(&node->in[0]->type, &x->type, &blocks))
        return NULL;
    for (int b = 0; b < blocks.count; b++) {
        const Block *block = &blocks.list[b];
        int reduced = 0;
        for (int a = 0; a < axes.count; a++)
            reduced += axes.values[a] >= block->from_begin && axes.values[a] < block->from_end;
        if (reduced != 0 && reduced != block->from_end - block->from_begin)
            return NULL;
        for (int j = block->to_begin; j < block->to_end && reduced; j++)
            list[count++] = j;
    }
    Node *moved = graph_reduce(r->f, node->op, node->in[0]->in[0], count, list, true);
    return graph_reshape(r->f, moved, node->type.rank, node->type.dims);
}
