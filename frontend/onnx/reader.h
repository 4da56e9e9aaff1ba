/* The state of reading one ONNX model; shared by the files about graphs. */
#ifndef INGOT_FRONTEND_ONNX_READER_H
#define INGOT_FRONTEND_ONNX_READER_H

#include "base/map.h"
#include "frontend/model.h"
#include "frontend/network.h"
#include "frontend/onnx/operator.h"

/* Versions of operator sets that a model or one of its functions asks for. */
typedef struct OnnxImports {
    Onnx__OperatorSetIdProto **list;
    size_t count;
    const struct OnnxImports *outer; /* the model's, for domains that a function is silent of */
} OnnxImports;

/* One of the model's own. */
typedef struct OnnxFunction {
    const Onnx__FunctionProto *proto;
    const Onnx__AttributeProto **defaults; /* of attributes that a call need not give */
    int default_count;
    bool runs; /* a call of it is being replaced */
} OnnxFunction;

/* Names that can be seen, innermost first. A body is a function of its own: what it reads from
 * outside of it becomes an input there. */
struct OnnxScope {
    OnnxScope *outer; /* NULL: the main graph, or a model's own function, which sees no other */
    Function *f;
    Map values;        /* of OnnxValue */
    const char *place; /* of the operator whose graph or function this is; NULL: the main graph */
    const OnnxImports *imports;
    const OnnxOp *call; /* whose body this is: attributes refer to its; NULL: no function's */
    const OnnxFunction *function;
    Map parameters;  /* of a body: the names they have */
    Node **captured; /* of a body: nodes of outer->f, in the order of its inputs behind its own */
    int captured_count, captured_capacity;
};

struct OnnxReader {
    Arena *arena;
    Diag *diag;
    const char *path;
    const ModelOptions *options;
    const Onnx__ModelProto *proto;
    ProtobufCBinaryData file; /* all its bytes */
    Network *network;         /* of a model that is trained; else NULL */
    bool training;            /* this function is train_step */
    bool batch_norm, dropout; /* do in it what they do while training */
    Program *program;
    Function *main;   /* the one that the main graph is walked for */
    Map initializers; /* of the main graph, by name */
    Map weights;      /* of OnnxWeight, by name */
    Map functions;    /* of OnnxFunction, by "domain:name:overload" */
    const OnnxImports *imports;
    int call_depth;       /* of these */
    int64_t node_limit;   /* nodes still to be built: loops written out must end */
    int64_t count_limit;  /* work still to be done to count turns of loops */
    int64_t fold_limit;   /* and to compute what is known */
    Arena *scratch;       /* for that: of one operator */
    LayerSummary *layers; /* made in the first walk */
    int layer_count, layer_capacity;
    bool summarized;
    ResultLength *lengths;
    int length_count, length_capacity;
};

/* graph.c: the nodes of a list, in the scope. */
bool onnx_nodes_run(OnnxReader *reader, OnnxScope *scope, Onnx__NodeProto **nodes, size_t count);
/* "ai.onnx" is "". */
const char *onnx_domain(const char *domain);

/* function.c: the model's own functions; calls of them are replaced by the nodes of their bodies.
 */
bool onnx_functions_list(OnnxReader *reader);
OnnxFunction *onnx_function_find(OnnxReader *reader, const Onnx__NodeProto *node);
void onnx_function_run(OnnxOp *op, OnnxFunction *function);
/* NULL when the attribute has none. */
const Onnx__AttributeProto *onnx_function_default(const OnnxFunction *function, const char *name);

/* scope.c: names. A scope asks for the versions of operators that `outer` asks for. */
OnnxScope *onnx_scope_create(OnnxReader *reader, OnnxScope *outer, Function *f);
/* NULL when there is no such name. */
OnnxValue *onnx_scope_find(OnnxReader *reader, OnnxScope *scope, const char *name);
bool onnx_scope_add(OnnxReader *reader, OnnxScope *scope, const char *place, OnnxValue *value);
/* A parameter of a body, by this name or one like it that is free. */
Node *onnx_scope_parameter(OnnxReader *reader, OnnxScope *scope, const char *name, TensorType type);
/* What stands in a body for a node of the function around it: a parameter, or the same constant. */
Node *onnx_scope_capture(OnnxReader *reader, OnnxScope *scope, Node *node, const char *name);
/* Initialisers of a graph become weights in its scope. */
bool onnx_initializers_add(OnnxReader *reader, OnnxScope *scope, const Onnx__GraphProto *graph);

/* model.c: initialisers and nodes of the main graph, in a scope that has its inputs. */
bool onnx_model_run(OnnxReader *reader, OnnxScope *scope);
/* Outputs of the main graph as results of the scope's function. */
bool onnx_add_results(OnnxReader *reader, OnnxScope *scope);

/* The node of a value in function `f`, weights made nodes there. */
Node *onnx_value_node(OnnxReader *reader, Function *f, OnnxValue *value, const int64_t *order);

/* operator.c: when a WIDE operator was given half floats, its results of f32 go back to them,
 * unless the builder says that they stay. */
void onnx_narrow_results(OnnxOp *op);

/* fold.c: nodes from `first` on that come of constants alone are computed; the outputs of `op`
 * become constants where they do. */
void onnx_fold(OnnxOp *op, int first);

#endif
