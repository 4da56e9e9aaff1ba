/* What rewriting passes ask about nodes. Nothing here changes anything. */
#ifndef INGOT_PASSES_MATCH_H
#define INGOT_PASSES_MATCH_H

#include "ir/graph.h"

/* Is every element of `node` the same number that is known now? Looks through views of a constant.
 */
bool node_uniform(const Node *node, double *value);
/* The same, and it is this number; of floats to the bit, so that 0 and -0 differ. */
bool node_is_number(const Node *node, double value);
/* Surely no element is -0. False when it cannot be seen at a glance. */
bool node_never_minus_zero(const Node *node);
/* Surely every element is +0, positive or NaN. */
bool node_never_negative(const Node *node);
/* Moves elements, and can be read in place. */
bool node_is_view(const Node *node);
/* known[id]: made of constants alone, or of states, too, where the function updates none. */
bool *function_known_nodes(Arena *arena, const Function *function);
/* Readers of each node by id, results and updates counted too; in `arena`. */
int *function_count_uses(Arena *arena, const Function *function);

/* Is operand 0 of this contraction an image of few channels? They are read a number at a time, each
 * for many outputs, so that it does not matter in which order the axes of the image lie. */
bool node_reads_few_channels(const Node *node);

/* Two shapes of the same elements as one sequence of blocks, [8,128 | 384] and [1024 | 384], each
 * the smallest run of axes with the same product in both. */
typedef struct Block { /* axes from[…] of one shape hold what axes to[…] of the other do */
    int from_begin, from_end, to_begin, to_end;
} Block;

typedef struct Blocks {
    const TensorType *from, *to;
    Block list[RANK_LIMIT];
    int count;
} Blocks;

/* False when there are no axes, or no elements. */
bool shape_blocks(const TensorType *from, const TensorType *to, Blocks *blocks);

static inline bool node_is_float(const Node *node)
{
    return element_is_float(node->type.element);
}

#endif
