/* The state of reading one ONNX model; shared by model.c, graph.c, operator.c and fold.c. */
#ifndef INGOT_FRONTEND_ONNX_READER_H
#define INGOT_FRONTEND_ONNX_READER_H

#include "base/map.h"
#include "frontend/model.h"
#include "frontend/onnx/operator.h"

/* Names that can be seen, innermost first. A body is a function of its own: what it reads from
 * outside of it becomes an input there. */
struct OnnxScope {
    OnnxScope *outer; /* NULL: the main graph, or a model's own function, which sees no other */
    Function *f;
    Map values; /* of OnnxValue */
    const OnnxOp
        *call;       /* of the model's own function whose body this is: attributes it refers to */
    Node **captured; /* of a body: nodes of outer->f, in the order of its inputs behind its own */
    int captured_count, captured_capacity;
};

struct OnnxReader {
    Arena *arena;
    Diag *diag;
    const char *path;
    const ModelOptions *options;
    const Onnx__ModelProto *proto;
    Program *program;
    Map weights;          /* of OnnxWeight, by name */
    Map functions;        /* the model's own: FunctionProto by "domain:name" */
    int call_depth;       /* of these */
    int64_t node_limit;   /* nodes still to be built: loops written out must end */
    LayerSummary *layers; /* made in the first walk */
    int layer_count, layer_capacity;
    bool summarized;
    ResultLength *lengths;
    int length_count, length_capacity;
};

/* graph.c: the nodes of a list, in the scope. */
bool onnx_nodes_run(OnnxReader *reader, OnnxScope *scope, Onnx__NodeProto **nodes, size_t count,
                    Onnx__OperatorSetIdProto **imports, size_t import_count);
OnnxScope *onnx_scope_create(OnnxReader *reader, OnnxScope *outer, Function *f);
/* NULL when there is no such name. */
OnnxValue *onnx_scope_find(OnnxReader *reader, OnnxScope *scope, const char *name);
bool onnx_scope_add(OnnxReader *reader, OnnxScope *scope, const char *place, OnnxValue *value);
/* Initialisers of a graph become weights in its scope. */
bool onnx_initializers_add(OnnxReader *reader, OnnxScope *scope, const Onnx__GraphProto *graph);

/* The node of a value in function `f`, weights made nodes there. */
Node *onnx_value_node(OnnxReader *reader, Function *f, OnnxValue *value, const int64_t *order);

/* fold.c: nodes from `first` on that come of constants alone are computed; the outputs of `op`
 * become constants where they do. */
void onnx_fold(OnnxOp *op, int first);

#endif
