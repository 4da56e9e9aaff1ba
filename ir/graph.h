/* The tensor level: a program is states and functions over them, a function is a graph of nodes.
 *
 *     program @digits {
 *       state %w: f32[64,10] parameter
 *       fn @train_step(%x: f32[32,64], %y: i32[32]) -> f32[] batch=32 {
 *         %0: f32[64,10] = state of=%w
 *         %1: f32[32,10] = matmul %x, %0 name="logits" at="layers[0].dense"
 *         …
 *         update %w <- %17
 *         return loss=%9
 *       }
 *     }
 *
 * Invariants, checked by ir/verify.c: nodes stand in an order in which every input comes first;
 * types are what the shape rules say; names of states are unique, functions differ in name, batch
 * or sizes; there is one `input` node for each parameter of the function. A state read by a `state`
 * node is its value from before the call; all updates take effect together at its end.
 *
 * What an inference function computes of states alone need not be computed in every call: passes/
 * derive.c makes it a derived state, a value that `prepare` computes from the others.
 *
 *       derived %w.scaled: f32[64,10]
 *       prepare() -> () {
 *         …
 *         update %w.scaled <- %3
 *         return
 *       }
 *
 * Building: graph_NAME() for each operation below, or graph_node() for any row of ops.def. They
 * compute the type by the row's shape rule; a rule that is violated is reported to the function's
 * Diag at the place set by `function->place` and NULL is returned. A NULL input gives a NULL output
 * silently, so a frontend may carry on after an error and find more of them. */
#ifndef INGOT_IR_GRAPH_H
#define INGOT_IR_GRAPH_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/map.h"
#include "ir/type.h"

typedef enum Op {
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate) OP_##name,
#include "ir/ops.def"
#undef OP
    OP_COUNT
} Op;

typedef enum Trait {
    LEAF = 1,
    ELEMENTWISE = 2,
    COMMUTES = 4,
    VIEW = 8,
    REDUCES = 16,
    CONTRACTS = 32,
    WINDOWS = 64,
    COMPOSITE = 128,
    REPEATS = 256,
    ACCUMULATES = 512,
    SORTS = 1024,
} Trait;

/* What becomes of a value where another one comes to stand. */
typedef enum Mode {
    MODE_SET, /* it is replaced */
    MODE_ADD, /* the other one is added to it … */
    MODE_MUL,
    MODE_MAX,
    MODE_MIN,
    MODE_COUNT,
} Mode;

enum { ANY = -1, LIST_LIMIT = 5 };

typedef struct State State;
typedef struct Node Node;
typedef struct Function Function;
typedef struct Program Program;

typedef struct IntList {
    int count;
    const int64_t *values; /* in the program's arena */
} IntList;

typedef struct Attr { /* which fields count is said by attrs.def */
    IntList lists[LIST_LIMIT];
    double number;
    ElementType element;
    const void *data;
    State *state;
    const char *text;
    Function *body;
} Attr;

struct State {
    const char *name; /* "layers.0.weight": stable, as in checkpoints */
    TensorType type;
    bool parameter; /* of the network: trainable unless frozen */
    bool frozen;
    const void *value; /* dense array known at build time, or NULL: initialize() gives it */
    const char *place;
    bool derived; /* from other states, by program->prepare: in no checkpoint */
    int index;    /* position in program->states, or in program->derived */
};

struct Node {
    Op op;
    int id; /* position in function->nodes, kept by function_renumber() */
    int in_count;
    Node **in;
    TensorType type;
    Attr attr;
    const char *name;  /* what people call it (layer name), or NULL */
    const char *place; /* where in the model it came from: "layers[3].conv2d", or NULL */
    Node *replacement; /* set by passes: use this one instead; see node_resolve() */
    void *mark;        /* scratch for one pass at a time */
};

typedef struct Result {
    const char *name;
    Node *node;
} Result;

typedef struct Update {
    State *state;
    Node *node;
} Update;

typedef struct Size { /* of a dimension with a name */
    const char *name;
    int64_t value;
} Size;

struct Function {
    Program *program;
    const char *name;
    const char *place; /* given to nodes made from now on */
    Node **nodes;
    int node_count, node_capacity;
    Node **state_nodes; /* the first that reads a state, for function_state_node() */
    int state_node_count;
    Node **inputs; /* `input` nodes, in order of the parameters */
    int input_count, input_capacity;
    Result *results;
    int result_count, result_capacity;
    Update *updates;
    int update_count, update_capacity;
    int64_t batch;     /* rows of data one call takes; 0 when there is no such thing */
    const Size *sizes; /* of other dimensions that functions of this name differ in */
    int size_count;
    int64_t folded; /* work that passes/fold.c has done so far */
};

struct Program {
    Arena *arena;
    Diag *diag;
    const char *name;
    State **states;
    int state_count, state_capacity;
    State **derived;
    int derived_count, derived_capacity;
    int64_t constant_parameters; /* elements of those that are no states any more: freeze.c */
    Function *prepare; /* updates all derived states, and nothing else; NULL when there are none */
    Map state_names;
    Function **functions;
    int function_count, function_capacity;
    int random_streams; /* number of the next `random` node */
};

/* The op table */
const char *op_name(Op op);
bool op_find(const char *name, Op *op);
int op_inputs(Op op); /* or ANY */
unsigned op_traits(Op op);
static inline bool op_is(Op op, unsigned traits)
{
    return (op_traits(op) & traits) != 0;
}

typedef enum AttrForm {
    FORM_LIST,
    FORM_INTEGER,
    FORM_OPTION,
    FORM_NUMBER,
    FORM_ELEMENT,
    FORM_DATA,
    FORM_STATE,
    FORM_TEXT,
    FORM_MODE,
    FORM_BODY,
} AttrForm;

typedef struct AttrKey {
    int slot;
    const char *key;
    AttrForm form;
} AttrKey;

/* The keys of an operation in the order of attrs.def; *count of them. */
const AttrKey *op_attributes(Op op, int *count);

const char *mode_name(Mode mode);          /* "add" */
int mode_names(const char *const **names); /* all of them; returns how many */

/* Programs and functions */
Program *program_create(Arena *arena, Diag *diag, const char *name);
/* A new state; NULL and an error when the name is taken. */
State *program_add_state(Program *program, const char *name, TensorType type);
/* The same for one that program->prepare is to update. */
State *program_add_derived(Program *program, const char *name, TensorType type);
Function *program_prepare(Program *program); /* program->prepare, made if need be */
State *program_find_state(const Program *program, const char *name); /* derived ones too */
/* Of its states the first `count` are left; what reads others must go, too. */
void program_take_back_states(Program *program, int count);
/* Drops the states i with kept[i] false, which nothing may read any more; the others move up. */
void program_keep_states(Program *program, const bool *kept);
Function *program_add_function(Program *program, const char *name);
Function *program_find_function(const Program *program,
                                const char *name); /* the first of that name */

/* "height=64 width=96"; "" where there are no sizes. */
const char *function_sizes_text(Arena *arena, const Function *function);
bool function_sizes_equal(const Function *a, const Function *b);

void function_add_result(Function *function, const char *name, Node *node);
/* Replaces an earlier update of the same state. */
void function_set_update(Function *function, State *state, Node *node);
/* Follows replacement links. */
Node *node_resolve(Node *node);
/* The node that reads a state; NULL when there is none. */
Node *function_state_node(const Function *function, const State *state);
/* Called when a `state` node has come into the function. */
void function_note_state(Function *function, Node *node);
/* Sets every node's id to its position; after a pass has moved nodes about. */
void function_renumber(Function *function);
/* Applies all replacement links, drops nodes that no result or update needs (inputs stay), orders
 * and renumbers the rest. */
void function_clean(Function *function);

/* Attribute access */
static inline int64_t attr_integer(const Node *node, int slot)
{
    return node->attr.lists[slot].values[0];
}
static inline Mode attr_mode(const Node *node, int slot)
{
    return (Mode)attr_integer(node, slot);
}
IntList int_list(Program *program, int count, const int64_t *values); /* copies */
static inline IntList int_one(Program *program, int64_t value)
{
    return int_list(program, 1, &value);
}
bool int_list_equal(IntList a, IntList b);

/* Any row of ops.def. `attr` may be NULL when the row needs none; it is copied (lists are shared).
 */
Node *graph_node(Function *f, Op op, int in_count, Node *const *in, const Attr *attr);

/* Leaves */
Node *graph_input(Function *f, const char *name, TensorType type);
Node *graph_state(Function *f, State *state); /* the same node each time it is asked for */
Node *graph_constant(Function *f, TensorType type, const void *data); /* data is not copied */
Node *graph_scalar(Function *f, ElementType element, double value);   /* a rank-0 constant */
Node *graph_iota(Function *f, ElementType element, int rank, const int64_t *dims, int64_t axis);
Node *graph_random(Function *f, Node *key, int rank,
                   const int64_t *dims); /* takes the next stream */

/* Element-wise: graph_unary(f, OP_exp, x), graph_binary(f, OP_add, a, b); operands broadcast. */
Node *graph_unary(Function *f, Op op, Node *x);
Node *graph_binary(Function *f, Op op, Node *a, Node *b);
Node *graph_select(Function *f, Node *condition, Node *yes, Node *no);
Node *graph_cast(Function *f, Node *x, ElementType to); /* x itself when it is of that type */
/* Spelled out where expressions are built by hand. */
static inline Node *graph_add(Function *f, Node *a, Node *b)
{
    return graph_binary(f, OP_add, a, b);
}
static inline Node *graph_sub(Function *f, Node *a, Node *b)
{
    return graph_binary(f, OP_sub, a, b);
}
static inline Node *graph_mul(Function *f, Node *a, Node *b)
{
    return graph_binary(f, OP_mul, a, b);
}
static inline Node *graph_div(Function *f, Node *a, Node *b)
{
    return graph_binary(f, OP_div, a, b);
}
/* x op a scalar of x's element type */
Node *graph_binary_scalar(Function *f, Op op, Node *x, double value);

/* Reductions */
Node *graph_reduce(Function *f, Op op, Node *x, int axis_count, const int64_t *axes,
                   bool keep);                       /* no axes: x itself */
Node *graph_reduce_all(Function *f, Op op, Node *x); /* to a scalar */
Node *graph_argmax(Function *f, Node *x, int64_t axis);
Node *graph_argsort(Function *f, Node *x, bool descending);
Node *graph_cumulative(Function *f, Node *x, int64_t axis, Mode mode, bool exclusive, bool reverse);

Node *graph_mean(Function *f, Node *x, int axis_count, const int64_t *axes, bool keep);
/* The mean of (x - mean)², axes kept: it takes a second look at x, and so loses no digits where the
 * mean is far from nought. */
Node *graph_variance(Function *f, Node *x, int axis_count, const int64_t *axes);

/* Contractions and windows; `attr` in the layout of attrs.def */
typedef struct Spatial { /* shared by convolution and pooling; one number for each spatial axis */
    int rank;            /* number of spatial axes, 1 … 3 */
    int64_t size[3];     /* windows only */
    int64_t stride[3];
    int64_t dilation[3];
    int64_t pad[6]; /* before₀ after₀ before₁ after₁ … */
    int64_t groups; /* convolution only */
} Spatial;
Node *graph_matmul(Function *f, Node *a, Node *b);
Node *graph_conv(Function *f, Node *x, Node *w, const Spatial *spatial);
Node *graph_conv_transpose(Function *f, Node *y, Node *w, const Spatial *spatial,
                           const TensorType *result);
Node *graph_conv_filter(Function *f, Node *x, Node *dy, const Spatial *spatial,
                        const TensorType *result);
Node *graph_window(Function *f, Op op, Node *x, const Spatial *spatial);
Node *graph_window_pick(Function *f, Node *x, Node *taps, const Spatial *spatial);
Node *graph_window_scatter(Function *f, Node *dy, Node *taps, const Spatial *spatial,
                           const TensorType *result);
Node *graph_window_spread(Function *f, Node *dy, const Spatial *spatial, const TensorType *result);
/* Reads the attributes of any conv or window node back. */
Spatial node_spatial(const Node *node);

/* Data movement */
Node *graph_reshape(Function *f, Node *x, int rank,
                    const int64_t *dims); /* x itself when nothing changes */
Node *graph_transpose(Function *f, Node *x, const int64_t *order);
Node *graph_transpose_matrix(Function *f, Node *x); /* swaps the last two axes */
Node *graph_broadcast(Function *f, Node *x, int rank, const int64_t *dims);
Node *graph_reverse(Function *f, Node *x, int axis_count, const int64_t *axes);
Node *graph_slice(Function *f, Node *x, const int64_t *start, const int64_t *count,
                  const int64_t *step); /* step may be NULL */
Node *graph_pad(Function *f, Node *x, const int64_t *before, const int64_t *after,
                const int64_t *interior, double value); /* interior may be NULL */
Node *graph_concat(Function *f, int count, Node *const *parts, int64_t axis);
Node *graph_gather(Function *f, Node *table, Node *rows);
Node *graph_scatter_add(Function *f, Node *updates, Node *rows, int rank, const int64_t *dims);
Node *graph_scatter(Function *f, Node *base, Node *updates, Node *rows, Mode mode);

/* Composites */
Node *graph_softmax(Function *f, Op op, Node *x, int64_t axis); /* OP_softmax, OP_log_softmax */
Node *graph_normalize(Function *f, Node *x, int axis_count, const int64_t *axes, double epsilon);

#endif
