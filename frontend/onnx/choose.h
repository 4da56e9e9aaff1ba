/* Rows of which some are chosen, by data. */
#ifndef INGOT_FRONTEND_ONNX_CHOOSE_H
#define INGOT_FRONTEND_ONNX_CHOOSE_H

#include "frontend/onnx/operator.h"

/* Of bool[n], i32[n]: how many are chosen before each, and n where it is not chosen itself. *length
 * is how many there are, i64. */
Node *onnx_places_of(OnnxOp *op, Node *chosen, Node **length);
/* The rows of x (axis 0) whose place is below their number, at their places; noughts elsewhere. */
Node *onnx_moved_rows(OnnxOp *op, Node *x, Node *places);

#endif
