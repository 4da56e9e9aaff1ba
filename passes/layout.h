/* Orders of axes: what the files layout*.c share.
 *
 * A value of the shape [n,c,h,w] may be computed with its axes in another order, [n,h,w,c]: that is
 * the order 0,2,3,1, the places of memory from the outermost on, each with the axis that lies
 * there. A transpose with this `order` makes one of the other. */
#ifndef INGOT_PASSES_LAYOUT_H
#define INGOT_PASSES_LAYOUT_H

#include "ir/graph.h"

typedef struct AxisOrder {
    int8_t axis[RANK_LIMIT]; /* as many count as the value has axes */
} AxisOrder;

AxisOrder order_own(void); /* 0,1,2 … */
bool order_equal(AxisOrder a, AxisOrder b, int rank);
/* Is there nothing to move between a value in one order and in the other? Axes of length 1 may lie
 * anywhere. */
bool order_same_memory(const TensorType *type, AxisOrder a, AxisOrder b);
/* The type of a value of type `type` whose axes lie in this order. */
TensorType order_type(const TensorType *type, AxisOrder order);

/* A reshape may join its last axes to what are rows of matrices of constants: those can lie in any
 * order, and so can these axes. Does it join, and is this node a product of its operand 0 with such
 * a matrix? */
bool reshape_joins_rows(const Node *reshape);
bool multiplies_rows(const Node *reader);

/* ---- which orders go together (layout_axes.c); `any_rows`: of a
 * reshape all of whose readers multiply rows ---- */

/* Can the node compute its result in this order from operands in any? */
bool order_possible(const Node *node, AxisOrder result, bool any_rows);
/* The order of the result for which operand `in` is best in `operand`; false when there is none. */
bool order_of_result(const Node *node, int in, AxisOrder operand, bool any_rows, AxisOrder *result);
/* The order in which the node wants operand `in` to have a result in `result`. Where there is a
 * choice, what is nearest to `stored`. */
AxisOrder order_of_operand(const Node *node, int in, AxisOrder result, AxisOrder stored,
                           bool any_rows);

/* ---- the nodes in their orders (layout_build.c) ---- */

typedef struct Layout {
    Function *f;
    int count;         /* nodes there are before anything is built */
    AxisOrder *orders; /* by Node.id */
    bool *any_rows;    /* by Node.id: the same, of reshapes */
} Layout;

/* Builds every node in its order, and replaces it. */
void layout_build(const Layout *layout);

#endif
