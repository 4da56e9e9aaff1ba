/* What a builder of an operator sees: the node it is to make operations of.
 *
 *     ONNX("", Relu, 1, LATEST, 1, 1, 1, WIDE, activation, OP_max)       a row of operators.def
 *
 *     void onnx_build_gelu(OnnxOp *op)
 *     {
 *         Node *x = onnx_in(op, 0);
 *         bool tanh = onnx_text_is(op, "approximate", "none", "tanh");
 *         onnx_out(op, 0, …);
 *     }
 *
 * Builders live in operators_*.c, a family a file. They read inputs and attributes by the functions
 * here, build ordinary nodes by graph_NAME() (ir/graph.h) and hand them to onnx_out(). After an
 * error they may carry on: a NULL node gives NULL nodes, and the user is told of further errors.
 *
 * What an operator makes of constants alone is computed at once (fold.c), so that sizes, axes and
 * shapes that a model computes are numbers when an operator asks for them.
 *
 * float16 and bfloat16 are storage: of a WIDE operator such inputs arrive as f32, and results that
 * are f32 go back to the type the inputs had. */
#ifndef INGOT_FRONTEND_ONNX_OPERATOR_H
#define INGOT_FRONTEND_ONNX_OPERATOR_H

#include "frontend/onnx/file.h"
#include "ir/eval.h"
#include "ir/graph.h"

typedef struct OnnxReader OnnxReader;
typedef struct OnnxScope OnnxScope;
typedef struct OnnxOp OnnxOp;

/* The data of a weight with its axes in another order: axis j is axis order[j] of the file. */
typedef struct OnnxTurned {
    const int64_t *order;
    const void *data;
    struct OnnxTurned *next;
} OnnxTurned;

/* An initialiser. It becomes a node when an operator reads it as a tensor. */
typedef struct OnnxWeight {
    const char *name;
    TensorType type;
    const void *data;
    State *state;   /* of a model that is trained, once it is read */
    int64_t *order; /* of the state's axes, when an operator wanted them in another one; or NULL */
    OnnxTurned *turned; /* as operators wanted it, for all functions */
} OnnxWeight;

/* What a name of the graph stands for. */
typedef struct OnnxValue {
    const char *name;
    Node *node;         /* a tensor; NULL: a weight that is no node yet, a sequence, an empty
                           optional, or what an operator has failed to make */
    OnnxWeight *weight; /* or NULL */
    bool is_sequence;   /* known in full when the model is built */
    bool is_empty;      /* an optional without value */
    struct OnnxValue **items;
    int item_count;
    Node *length; /* i64 scalar: how long axis `length_axis` of `node` really is, when that depends
                     on data; the rest is nought. NULL: as long as the type says */
    int length_axis;
} OnnxValue;

/* What a row takes. Without LISTS every input is a tensor; without LENGTHS each is as long as its
 * type says. Others are refused before its builder is called. */
typedef enum OnnxTypes {
    RAW = 0,     /* element types arrive as they are */
    WIDE = 1,    /* half floats arrive as f32 and go back */
    LISTS = 2,   /* sequences and optionals come in, too */
    LENGTHS = 4, /* so do tensors whose length depends on data: see onnx_keep_length() */
} OnnxTypes;

typedef void OnnxBuild(OnnxOp *op);

enum { LATEST = 1000, MANY = 1 << 20 };

typedef struct OnnxOperator {
    const char *domain, *name;
    int since, until; /* versions of the operator set */
    int least_in, most_in, most_out;
    unsigned types; /* of OnnxTypes */
    OnnxBuild *build;
    int detail; /* what tells the members of a family apart: mostly an Op */
} OnnxOperator;

struct OnnxOp {
    OnnxReader *reader;
    OnnxScope *scope;
    Arena *arena;
    Program *program;
    Function *f; /* where nodes go */
    const OnnxOperator *row;
    const Onnx__NodeProto *proto;
    const char *place; /* "model.onnx: node 3 "fc1" (Gemm)" */
    int opset;         /* version of the operator's domain that the model asks for */
    OnnxValue **in;    /* NULL: left out */
    int in_count;
    OnnxValue *out;
    int out_count;
    bool *attribute_read;
    int own_nodes; /* from this one on nodes of f are the operator's own: not of a graph it has run
                    */
    int half;      /* ElementType that f32 results go back to; -1: none */
    bool keep_float; /* set by a builder whose f32 results stay f32 */
    bool failed;
};

/* The row for an operator in this version of its domain; NULL: none. */
const OnnxOperator *onnx_operator_find(const char *domain, const char *name, int opset);
/* All rows, for docs/onnx.md. */
const OnnxOperator *onnx_operators(int *count);

/* ---- errors ---- */

/* At the node's place; the operator has failed. Returns NULL. */
Node *onnx_error(OnnxOp *op, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "; give the input that decides it a value: --const x=FILE", with all inputs of the model that a
 * node of op->f depends on; "" when it is none of them, or the node is NULL. */
const char *onnx_remedy(const OnnxOp *op, const Node *node);

/* ---- inputs ---- */

bool onnx_has_in(const OnnxOp *op, int i);
/* The tensor at input i; NULL where it is left out, no tensor, or has failed. */
Node *onnx_in(OnnxOp *op, int i);
/* The same with its axes in another order: out axis j is axis order[j]. A weight is stored that
 * way, so that nothing moves when the model runs. */
Node *onnx_in_ordered(OnnxOp *op, int i, const int64_t *order);
/* Its type, also of a weight that is no node yet; NULL where there is no tensor. */
const TensorType *onnx_in_type(const OnnxOp *op, int i);
/* The value behind input i, if it is known now: a weight, a constant, or what constants give. NULL
 * otherwise, without an error. */
const Value *onnx_in_value(OnnxOp *op, int i);
/* Whole numbers that must be known now (axes, shapes, sizes): an error that names the input and the
 * remedy, otherwise. A scalar is a list of one. */
bool onnx_in_integers(OnnxOp *op, int i, const char *what, const int64_t **values, int *count);
bool onnx_in_integer(OnnxOp *op, int i, const char *what, int64_t *value);
/* The same for floats; a number that must be known. */
bool onnx_in_numbers(OnnxOp *op, int i, const char *what, const double **values, int *count);
bool onnx_in_number(OnnxOp *op, int i, const char *what, double *value);

/* ---- results ---- */

void onnx_out(OnnxOp *op, int i, Node *node);
/* A result whose axis `axis` really is `length` (an i64 scalar) long. */
void onnx_out_length(OnnxOp *op, int i, Node *node, Node *length, int axis);
/* Where the length of input 0 depends on data, so does that of result 0, along the same axis; with
 * `order`, along the one that axis order[j] of the input becomes. */
void onnx_keep_length(OnnxOp *op, const int64_t *order);
void onnx_out_sequence(OnnxOp *op, int i, OnnxValue **items, int count);
/* Does anybody want result i? */
bool onnx_wants(const OnnxOp *op, int i);

/* ---- attributes ---- */

/* NULL when it is not there. In the body of a model's own function this is what its caller gave. */
const Onnx__AttributeProto *onnx_attribute(OnnxOp *op, const char *name);
int64_t onnx_int(OnnxOp *op, const char *name, int64_t otherwise);
double onnx_float(OnnxOp *op, const char *name, double otherwise);
const char *onnx_text(OnnxOp *op, const char *name, const char *otherwise);
/* False when it is not there. */
bool onnx_ints(OnnxOp *op, const char *name, const int64_t **values, int *count);
bool onnx_floats(OnnxOp *op, const char *name, const float **values, int *count);
/* Attributes that change nothing here, separated by spaces. */
void onnx_ignore(OnnxOp *op, const char *names);
/* Is the text attribute the second of two words? The first is its default; an error for a third. */
bool onnx_text_is(OnnxOp *op, const char *name, const char *first, const char *second);
/* Which of `count` words is it? An error, and 0, for another one. */
int onnx_word(OnnxOp *op, const char *name, const char *otherwise, const char *const *words,
              int count);

/* ---- training ---- */

/* Is this the training step of a model whose recipe has normalisations look at the batch? */
bool onnx_uses_batch_statistics(const OnnxOp *op);
/* A weight that is no parameter: running statistics. */
Node *onnx_in_statistic(OnnxOp *op, int i);
/* The statistic at input i becomes kept · old + (1 − kept) · value after the step. */
void onnx_follow(OnnxOp *op, int i, Node *value, double kept);
/* In the training step of a model whose recipe has Dropout drop: each number is nought with
 * probability `rate`, the others grow. Else x. */
Node *onnx_drop(OnnxOp *op, Node *x, double rate);

/* ---- what builders share ---- */

/* The element type that an attribute names by its number in ONNX; `otherwise` when it is not there.
 */
bool onnx_element(OnnxOp *op, const char *key, ElementType otherwise, ElementType *element);
/* Brings an axis, which may count from the end, into 0 … rank-1. */
bool onnx_axis(OnnxOp *op, int64_t axis, int rank, int *result);
/* A list of axes: ascending, each once. `count` of them come in. */
bool onnx_axes(OnnxOp *op, const int64_t *axes, int count, int rank, int64_t *result);
/* Axes from the attribute, or since `opset` from input i; all axes when they are left out (*given
 * says which). False after an error. */
bool onnx_axes_of(OnnxOp *op, int opset, int i, int rank, int64_t *axes, int *count, bool *given);
/* A rank-0 constant. */
Node *onnx_scalar(OnnxOp *op, ElementType element, double value);
/* A constant list of i64, or of f32. */
Node *onnx_list(OnnxOp *op, int count, const int64_t *values);
/* Rows for `gather`: i32, counted from the end where negative. */
Node *onnx_rows(OnnxOp *op, Node *indices, int64_t count);
/* Moves axis `from` to place `to`; the others keep their order. */
Node *onnx_move_axis(OnnxOp *op, Node *x, int from, int to);
Node *onnx_reshape(OnnxOp *op, Node *x, int rank, const int64_t *dims);
/* Matrix product as numpy's: vectors count as a row or a column. */
Node *onnx_matmul(OnnxOp *op, Node *a, Node *b);
/* alpha · A · B + beta · C, of inputs 0, 1 and 2 */
Node *onnx_gemm(OnnxOp *op);
/* One element of x for each index along the axis, the other coordinates as those of the index. */
Node *onnx_gather_elements(OnnxOp *op, Node *x, Node *indices, int axis);
/* Elements of x along an axis, at whole numbers that may count from the end. */
Node *onnx_gather(OnnxOp *op, Node *x, Node *indices, int axis);

/* Runs the nodes of another graph (a branch, a body that is written out) in the same function, with
 * `inputs` for its inputs. Fills `results`, one for each of its outputs. */
bool onnx_graph_run(OnnxOp *op, const Onnx__GraphProto *graph, OnnxValue *inputs, int input_count,
                    OnnxValue *results);
/* A function made of a graph, the body of a scan. Parameters that stand for outer tensors are
 * behind those made by onnx_body_input(). */
typedef struct OnnxBody {
    Function *f;
    OnnxScope *scope;
} OnnxBody;

OnnxBody *onnx_body_create(OnnxOp *op);
/* Its next parameter; all of them are made before the graph is run. */
Node *onnx_body_input(OnnxOp *op, OnnxBody *body, const char *name, TensorType type);
/* Runs the nodes of the graph in the body; `inputs` are values there. Fills `results`. */
bool onnx_body_run(OnnxOp *op, OnnxBody *body, const Onnx__GraphProto *graph, OnnxValue *inputs,
                   int count, OnnxValue *results);
/* The tensor that a value of the body is, as a node there; NULL: it is none. */
Node *onnx_body_node(OnnxOp *op, OnnxBody *body, OnnxValue *value);
/* What stands in the body for a node outside of it. */
Node *onnx_body_capture(OnnxOp *op, OnnxBody *body, Node *node, const char *name);
/* The nodes of op->f that it has captured, in the order of its parameters. */
Node *const *onnx_body_captured(const OnnxBody *body, int *count);

/* Between these two errors are kept back. The end says whether there were none; what has failed is
 * forgotten. */
typedef struct OnnxTrial {
    const char *why; /* behind the end: the first error; NULL: none */
    Diag *diag;
    int layer_count;
    bool failed;
} OnnxTrial;
OnnxTrial onnx_trial_begin(OnnxOp *op);
bool onnx_trial_end(OnnxOp *op, OnnxTrial *trial);

/* Domains of operators.def, where "" is ai.onnx. */
#define ML "ai.onnx.ml"
#define TRAINING "ai.onnx.preview.training"
#define MICROSOFT "com.microsoft"

#define ONNX(domain, name, since, until, least, most, outs, types, builder, detail)                \
    OnnxBuild onnx_build_##builder;
#include "frontend/onnx/operators.def"
#undef ONNX

#endif
