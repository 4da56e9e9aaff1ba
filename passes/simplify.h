/* Rules of pass_simplify(), one for an operation or two; the files say which identities they use.
 *
 * A rule looks at one node, whose operands are already simplified, and returns a node that has the
 * same type and the same value, or NULL when it knows of none. It never changes a node. */
#ifndef INGOT_PASSES_SIMPLIFY_H
#define INGOT_PASSES_SIMPLIFY_H

#include "ir/graph.h"

typedef struct Rewriter {
    Function *f;
    const int *uses; /* readers by id of the nodes that were there when the round began */
    int counted;     /* how many those were */
} Rewriter;

typedef Node *SimplifyRule(Rewriter *r, Node *node);

/* Has nobody else than the node at hand a use for `operand`? Of nodes made in this round that is
 * taken for granted. */
static inline bool single_use(const Rewriter *r, const Node *operand)
{
    return operand->id >= r->counted || r->uses[operand->id] == 1;
}

/* simplify_algebra.c */
SimplifyRule simplify_elementwise, simplify_constant, simplify_add, simplify_sub, simplify_mul,
    simplify_div;
SimplifyRule simplify_pow, simplify_extreme, simplify_compare, simplify_logic, simplify_not,
    simplify_xor, simplify_shift;
SimplifyRule simplify_select, simplify_neg, simplify_abs, simplify_rounding, simplify_log;
SimplifyRule simplify_exp, simplify_cast;
/* simplify_move.c */
SimplifyRule simplify_reshape, simplify_transpose, simplify_broadcast, simplify_slice;
SimplifyRule simplify_pad, simplify_concat, simplify_reverse;
/* simplify_shape.c: of any element-wise operation, and of reductions */
SimplifyRule simplify_shape, simplify_shape_reduce;
/* simplify_reduce.c */
SimplifyRule simplify_nothing, simplify_reduce, simplify_window, simplify_window_back;

#endif
