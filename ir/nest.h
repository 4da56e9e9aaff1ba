/* The loop level: kernels are explicit loops over flat buffers, with the schedule written in.
 *
 *     kernel @matmul_add_max(%x: f32[50176], %w: f32[401408], %b: f32[512], out %y: f32[32768]) {
 *       scratch %panel: f32[12544]
 *       parallel j = 0..512 step 16 {
 *         for k = 0..784 {
 *           unroll u = 0..16 step 8 {
 *             vector v = 0..8 { %panel[16*k + u + v] = %w[j + 512*k + u + v] }
 *           }
 *         }
 *         for i = 0..60 step 6 {
 *           local %acc: f32[96]
 *           unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 { %acc[16*r + u + v] = 0 }
 * } } for k = 0..784 { unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 { %acc[16*r + u
 * + v] += mul(%x[784*i + k + 784*r], %panel[16*k + u + v]) } } }
 *           }
 *           unroll r = 0..6 { … %y[512*i + j + 512*r + u + v] = max(add(%acc[16*r + u + v], %b[j +
 * u + v]), 0) … }
 *         }
 *         … remainder rows …
 *       }
 *     }
 *
 * Everything that decides speed is visible here: blocks, packed panels, vector width, unrolling,
 * threads. codegen/ translates it one to one.
 *
 * Offsets are in elements, affine in the loop variables. Bounds of loops are numbers: shapes are
 * known.
 *
 * Loops   for       one after another
 *         unroll    written out; its variable is a number inside
 *         vector    at once: the iterations are the lanes of one vector. `vector v = 0..5 of 8`
 * uses 5 lanes of 8. At most one surrounds a statement, it starts at 0 with step 1, and holds only
 * stores, lets and unravels parallel  shared out among the team, a contiguous run of iterations to
 * each member; directly nested parallel loops (nothing else in the outer one's body) are shared out
 * together. Iterations write disjoint places. A kernel whose body has a parallel loop consists of
 * parallel loops only at its top; all others run on one member.
 *
 * Buffers   arguments (in, fixed, shared, out, inout); scratch: memory of one member, for packed
 * panels; local: a register block, all of whose offsets are numbers once `unroll` loops are written
 * out; it lives to the end of its block and starts undefined. Arguments never overlap, except in
 * kernels with may_alias, where an out may be the same memory as an argument that is read at the
 * same offset before it is written there. */
#ifndef INGOT_IR_NEST_H
#define INGOT_IR_NEST_H

#include "base/target.h"
#include "base/text.h"
#include "ir/graph.h"

typedef struct Var {
    const char *name;
    int id; /* unique in a kernel; orders the terms of an Affine */
} Var;

typedef struct Term {
    const Var *var;
    int64_t factor; /* not 0 */
} Term;

typedef struct Affine { /* constant + Σ factor·var */
    int64_t constant;
    int count;
    const Term *terms; /* ascending var->id, each var once */
} Affine;

typedef enum BufferKind { BUFFER_ARGUMENT, BUFFER_SCRATCH, BUFFER_LOCAL } BufferKind;

typedef struct Buffer {
    const char *name;
    ElementType element;
    int64_t count;
    BufferKind kind;
    bool read, written;
    bool fixed;  /* argument: the same in every call until weights change, or in every step of a
                    repeat, so that a packed copy of it is made once */
    bool shared; /* a fixed one that functions for other numbers of rows read, too: one packed copy
                    is to serve all of them */
    int index;   /* arguments: position in kernel->arguments; scratch: in kernel->scratch */
} Buffer;

typedef enum ExprKind {
    EXPR_NUMBER, /* number, of type element */
    EXPR_INDEX,  /* value of `offset` as element (i32 or i64) */
    EXPR_LOAD,   /* buffer[offset + dynamic·dynamic_factor] */
    EXPR_TEMP,   /* value of the let with this temp */
    EXPR_APPLY,  /* element-wise row `op` of ops.def over in[]; cast and bitcast go to
                    `element`;
                    OP_random: in = key[0], key[1], key[2], stream, index (all i32); see
                    ir/eval.h */
    EXPR_LANES,  /* op (add, mul, max or min) over lanes var = 0..lanes of in[0]; a scalar, by
                    halving:  (l0+l4)+(l2+l6)… */
} ExprKind;

typedef struct Temp {
    const char *name;
    ElementType element;
} Temp;

enum { EXPR_INPUTS = 5 };

typedef struct Expr Expr;
struct Expr { /* immutable; may be shared (a DAG), each path is evaluated where it stands */
    ExprKind kind;
    ElementType element;
    Op op;
    int in_count;
    Expr *in[EXPR_INPUTS];
    double number;
    Buffer *buffer;
    Affine offset;
    Expr *dynamic; /* integer, or NULL */
    int64_t dynamic_factor;
    const Temp *temp;
    const Var *var;
    int lanes; /* EXPR_LANES: a power of two */
};

typedef enum StmtKind {
    STMT_LOOP,
    STMT_STORE,
    STMT_LET,
    STMT_LOCAL,
    STMT_FETCH, /* asks for the cache line of buffer[offset], which may lie outside of the buffer;
                   computes nothing */
    STMT_TRANSPOSE, /* `transpose %t by 8`: the first 8 · 8 elements of a local, as a matrix, change
                       places with those across its diagonal; undefined ones, too */
    STMT_UNRAVEL,   /* `unravel p, c = u + v by 6`: from here to the end of the block p is the
                       quotient and c the remainder. The offset is of unroll, vector and unravelled
                       variables alone, and not negative: it is known for each lane before the code
                       runs */
} StmtKind;
typedef enum LoopKind { LOOP_SERIAL, LOOP_UNROLL, LOOP_VECTOR, LOOP_PARALLEL } LoopKind;
typedef enum StoreMode {
    STORE_SET, /* = */
    STORE_ADD, /* += ; of mul(a, b) in floats: one fused multiply-add where the target has it */
    STORE_MAX, /* max= */
    STORE_MIN, /* min= */
    STORE_MUL, /* *= */
} StoreMode;

typedef enum FetchMode {
    FETCH_NEAR, /* wanted soon: into the nearest cache */
    FETCH_FAR,  /* wanted later: into the second-level cache */
} FetchMode;

typedef struct Stmt Stmt;
struct Stmt {
    StmtKind kind;
    Stmt *next; /* the statement after it in its block */
    /* loop; unravel: var, inner, and the divisor as step; transpose: size as step */
    LoopKind loop;
    const Var *var, *inner;
    int64_t begin, end, step;
    int lanes; /* vector: width of the vector, ≥ end - begin */
    Stmt *body;
    /* store, fetch; local, transpose: buffer; unravel: offset */
    Buffer *buffer;
    Affine offset;
    Expr *dynamic;
    int64_t dynamic_factor;
    StoreMode mode;
    FetchMode fetch;
    /* store, let */
    Expr *value;
    const Temp *temp;
};

typedef struct Kernel {
    const char *name; /* unique in a module, made of its operations: "matmul_add_max" */
    Buffer **arguments;
    int argument_count;
    Buffer **scratch;
    int scratch_count;
    Stmt *body;
    bool may_alias;
    bool parallel;         /* has a parallel loop */
    bool ordered;          /* its loops meet the same places more than once: never shared out */
    int64_t multiply_adds; /* of one call */
    int64_t element_steps; /* element-wise operations of one call, roughly: decides whether threads
                              pay */
    int next_var;
    int index; /* position in module->kernels */
    const char
        *text; /* kernel_text(), set when it is to join a module: equal ones are emitted once */
} Kernel;

/* Memory a call reads or writes. */
typedef enum SlotKind {
    SLOT_INPUT,
    SLOT_RESULT,
    SLOT_STATE,
    SLOT_CONSTANT,
    SLOT_TEMPORARY,
    SLOT_PREPARED, /* made from states by module->prepare, for functions that change none */
    SLOT_PART,     /* of another slot, at a place that may differ from step to step of a repeat */
} SlotKind;

typedef struct Slot Slot;
struct Slot {
    SlotKind kind;
    int index; /* input, result: position in the function; state: State.index; constant: in the
                  module */
    TensorType type;
    int64_t bytes;
    int64_t offset;   /* temporary: in the arena, set by passes/plan.c; constant: in the constant
                         block; state: in the state block */
    const void *data; /* constant */
    const char *name;
    int first_call, last_call; /* temporary: life time, set by passes/plan.c */
    int depth;                 /* of repeats its contents change in */
    Slot *whole;               /* part: of this one, itself no part */
    Affine at;                 /* part: bytes from the beginning of `whole` */
};

typedef struct Call {
    Kernel *kernel;
    Slot **arguments;
    bool barrier;       /* all members meet before this call */
    int64_t times;      /* made in one call of the function: steps of the repeats it lies in */
    const char *layers; /* of the model, whom it works for: for people; "" when nobody is known */
} Call;

/* Calls first … end - 1, all of them `count` times: the body of a scan. Repeats nest. What is
 * carried from step to step has two places, one to read from and one to write to, which change
 * sides each time. */
typedef struct Repeat {
    int first, end;
    int64_t count;
    int depth;       /* 1: in no other */
    const Var *step; /* 0 … count - 1 */
    const Var *side; /* step mod 2 */
    Slot *alive; /* bool: once it is false at the beginning of a step, no step is made that would
                    not be one of a pair: values end on the side where all steps would leave them;
                    NULL: all steps are made */
} Repeat;

typedef struct Schedule { /* one function of the program, as a list of calls */
    Function *function;
    Slot **slots;
    int slot_count, slot_capacity;
    Call *calls;
    int call_count, call_capacity;
    Repeat *repeats;
    int repeat_count, repeat_capacity;
    int next_var;
    int64_t arena_bytes;   /* a multiple of 64 */
    int64_t scratch_bytes; /* of one member; a multiple of 64 */
    int64_t multiply_adds;
    bool parallel;
} Schedule;

typedef struct Module { /* all that codegen needs */
    Arena *arena;
    Diag *diag;
    Program *program;
    const Target *target;
    Kernel **kernels; /* each once, however often it is called */
    int kernel_count, kernel_capacity;
    Map kernel_texts;     /* Kernel by its text without the name */
    Map kernel_names;     /* int: how many have been given a name that begins so */
    Schedule **schedules; /* in the order of program->functions */
    int schedule_count;
    Slot **constants;
    int constant_count, constant_capacity;
    Map constant_places;   /* Slot by address and type */
    Map constant_contents; /* Slot by a hash of its bytes, and type */
    int64_t constant_bytes;
    int64_t *state_offsets; /* by State.index, 64-byte aligned */
    int64_t state_bytes;
    /* Derived states, and weights in the layout kernels want them: made anew when states have
     * changed, before the next call of a function that changes none. Lies behind the state block.
     * NULL when there is no such thing. */
    Schedule *prepare;
    int64_t prepared_bytes;
    Slot **derived; /* by State.index of program->derived */
} Module;

/* Of the repeats that begin at `call` and lie inside `outer` (NULL: anywhere), the outermost; NULL
 * when there is none. */
const Repeat *schedule_repeat_at(const Schedule *schedule, int call, const Repeat *outer);
/* The slot itself, or what it is a part of. */
Slot *slot_whole(Slot *slot);

/* Affine arithmetic; results live in the arena. */
Affine affine_number(int64_t value);
Affine affine_var(Arena *arena, const Var *var, int64_t factor);
Affine affine_add(Arena *arena, Affine a, Affine b);
Affine affine_scale(Arena *arena, Affine a, int64_t factor);
int64_t affine_factor(Affine a, const Var *var); /* 0 when absent */
/* a with `var` replaced by `by` */
Affine affine_replace(Arena *arena, Affine a, const Var *var, Affine by);
bool affine_equal(Affine a, Affine b);

/* What a store does with the value that is there and the new one; not of STORE_SET. */
Op store_op(StoreMode mode);

/* Making expressions and statements */
Var *kernel_var(Arena *arena, Kernel *kernel, const char *name);
Buffer *kernel_argument(Arena *arena, Kernel *kernel, const char *name, ElementType element,
                        int64_t count);
Buffer *kernel_scratch(Arena *arena, Kernel *kernel, const char *name, ElementType element,
                       int64_t count);
Buffer *nest_local(Arena *arena, const char *name, ElementType element, int64_t count);
Expr *expr_number(Arena *arena, ElementType element, double number);
Expr *expr_index(Arena *arena, ElementType element, Affine offset);
Expr *expr_load(Arena *arena, Buffer *buffer, Affine offset); /* marks the buffer as read */
Expr *expr_apply(Arena *arena, Op op, ElementType element, int in_count, Expr *const *in);
Expr *expr_temp(Arena *arena, const Temp *temp);
Expr *expr_lanes(Arena *arena, Op op, const Var *var, int lanes, Expr *in);
Stmt *stmt_loop(Arena *arena, LoopKind kind, const Var *var, int64_t begin, int64_t end,
                int64_t step, Stmt *body);
Stmt *stmt_vector(Arena *arena, const Var *var, int64_t count, int lanes, Stmt *body);
Stmt *stmt_store(Arena *arena, StoreMode mode, Buffer *buffer, Affine offset, Expr *value);
Stmt *stmt_let(Arena *arena, const Temp *temp, Expr *value);
Stmt *stmt_local(Arena *arena, Buffer *buffer);
Stmt *stmt_fetch(Arena *arena, Buffer *buffer, FetchMode fetch, Affine offset);
Stmt *stmt_transpose(Arena *arena, Buffer *local, int64_t size);
Stmt *stmt_unravel(Arena *arena, const Var *quotient, const Var *remainder, Affine offset,
                   int64_t divisor);
/* Appends `tail` behind the last statement of `list`; either may be NULL; returns the whole. */
Stmt *stmt_append(Stmt *list, Stmt *tail);

#endif
