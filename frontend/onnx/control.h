/* What If, Loop and Scan share. */
#ifndef INGOT_FRONTEND_ONNX_CONTROL_H
#define INGOT_FRONTEND_ONNX_CONTROL_H

#include "frontend/onnx/operator.h"

/* A graph in an attribute; NULL and an error when there is none. */
const Onnx__GraphProto *onnx_graph(OnnxOp *op, const char *name);
/* The one whole number or truth value that is known of a value; false when nothing is. */
bool onnx_known(OnnxOp *op, const OnnxValue *value, int64_t *number);
/* A tensor of one element as a scalar. */
Node *onnx_one(OnnxOp *op, Function *f, Node *x);
/* A scan of the body; `given` are nodes of op->f for its own parameters. `alive`: see
 * graph_scan_while(). */
Node *onnx_scan(OnnxOp *op, OnnxBody *body, int carried, int scanned, int64_t steps, bool reverse,
                int alive, Node *const *given);
/* What is stacked of such tensors in no step at all. */
Node *onnx_empty_stack(OnnxOp *op, const TensorType *type);

#endif
