/* What the files lower*.c share: the state of lowering one function, and how values are read in a
 * kernel.
 *
 * Lowering makes the plainest loops there are; passes/schedule_kernel.c then gives them their
 * shape:
 *
 *     for i = 0..64 { for j = 0..512 {            one loop for each axis of the result longer than
 * 1 local %acc: f32[1] %acc[0] = 0 for k = 0..784 { %acc[0] += mul(%x[784*i + k], %w[512*k + j]) }
 *       %y[512*i + j] = max(add(%acc[0], %b[j]), 0)
 *     } }
 */
#ifndef INGOT_PASSES_LOWERING_H
#define INGOT_PASSES_LOWERING_H

#include "ir/nest.h"
#include "passes/fuse.h"
#include "passes/prepare.h"
#include "passes/schedule_kernel.h"

typedef struct Coordinates {
    int rank;
    Affine at[RANK_LIMIT];
} Coordinates;

/* A kernel stores one value to so many places at most, the others get copies: the noughts that all
 * moments of an optimizer begin with would make a kernel that grows with the network. */
enum { STORED_LIMIT = 8 };

typedef struct Destinations { /* where a stored node goes: the first is where others read it */
    Slot **slots;
    int count, capacity;
} Destinations;

typedef struct Border { /* elements around a tensor, along each axis, and what they are */
    int64_t before[RANK_LIMIT], after[RANK_LIMIT];
    double value;
} Border;

typedef struct Padded { /* a tensor with a border: a copy, or as it was stored */
    Node *node;
    Border border;
    TensorType type; /* border included */
    bool plain;      /* stored without a border as well */
    Node *whole;     /* what it is a part of, and lies in: see lower_join.c; or NULL */
    Slot *slot;
    struct Padded *next;
} Padded;

typedef struct Packed { /* an operand in panels, made once */
    const Slot *source;
    const char *text; /* of the kernel that packs it */
    Slot *slot;
    struct Packed *next;
} Packed;

typedef struct Lowering Lowering;
struct Lowering {
    Arena *arena;
    Module *module;
    const Target *target;
    NestRun *run;
    Schedule *schedule;
    Function *function;
    Fusion *fusion;
    Destinations *destinations; /* by Node.id, of stored nodes */
    Slot **leaf_slots; /* by Node.id, of inputs, states, constants; of random: its stream */
    Padded *padded;    /* copies */
    Padded **bordered; /* by Node.id: what is stored with a border */
    Packed *packed;
    Prepared **prepared; /* copies all functions share */

    /* a body's: what it lies in, and what it is given */
    Lowering *outer, *inner; /* NULL: a function; NULL: no body is being lowered */
    int depth;               /* 0: a function */
    int first_call;          /* in the schedule, which it shares with the function */
    int64_t steps;           /* of its scan */
    const Var *step, *side;  /* see Repeat */
    Slot **result_slots;
    int *readers; /* by Node.id: how many members of its own group read it */

    Group *owner; /* for whom kernels are made: also those that pad or copy; NULL: for nobody */

    /* the kernel being made */
    Group *group;
    Kernel *kernel;
    Slot **arguments;
    int argument_count, argument_capacity;
    Expr **values;    /* by Node.id: the value of a member at the current point */
    Expr *twin_value; /* of the group's twin there */
    int temps;
};

/* ---- reading and storing (access.c) ---- */

/* The element of `node` at `at`: a load, or the expression that computes it again. */
Expr *lower_read(Lowering *l, Node *node, const Coordinates *at);
/* The coordinates of an operand that is broadcast to a shape in which `at` is a point. */
Coordinates lower_broadcast(const TensorType *operand, const Coordinates *at);
/* Row-major offset of `at` in `type`. */
Affine lower_offset(Arena *arena, const TensorType *type, const Coordinates *at);
/* The kernel's argument that stands for this slot. */
Buffer *lower_argument(Lowering *l, Slot *slot);
/* Where others read a stored node or leaf. */
Slot *lower_slot(Lowering *l, const Node *node);
Slot *lower_add_slot(Lowering *l, SlotKind kind, const char *name, TensorType type);

/* ---- functions and bodies (lower.c) ---- */

/* Lowers all of l->function, whose arrays by Node.id it makes first. */
void lower_function(Lowering *l);
/* A kernel that stores the value of any node. */
void lower_store(Lowering *l, Node *node, Slot *to);
void lower_copy(Lowering *l, Slot *from, Slot *to);
/* A kernel that sets all elements to a number. */
void lower_fill(Lowering *l, Slot *slot, const TensorType *type, double value);

/* ---- kernels (lower_kernel.c) ---- */

void kernel_begin(Lowering *l, Group *group, const char *name);
/* Runs the passes of the loop level on the kernel and appends a call for each of its pieces: to the
 * calls of the function or body, which may be in front of a body that is being lowered. */
void kernel_end(Lowering *l, Stmt *body);
/* The same for a kernel with one result that is made from `source` alone: where that stays the same
 * from call to call, the kernel runs when it changes (prepare.c). `type`: of the result, the
 * kernel's last argument. Returns where the result lies. */
Slot *kernel_end_ahead(Lowering *l, Stmt *body, Slot *source, TensorType type);
/* Everything the group computes behind its root, at point `at`, and all stores: `root_value` is the
 * root's value there, NULL when the group has no root. */
Stmt *lower_epilogue(Lowering *l, Expr *root_value, const Coordinates *at);
/* Element-wise operations that the group takes at one point, roughly: exp and its like count for
 * eight. */
int64_t lower_group_work(const Group *group);
/* Loops over `count` axes around body; axes of extent 1 get no loop (their coordinate is 0). */
Stmt *lower_loops(Lowering *l, int count, const Var *const *vars, const int64_t *extents,
                  Stmt *body);
/* A new loop variable as a coordinate; the number 0 when the extent is 1 (then *var is NULL). */
Affine lower_axis(Lowering *l, const char *name, int64_t extent, const Var **var);

typedef struct Axes { /* loop axes gathered on the way */
    int count;
    const Var *vars[2 * RANK_LIMIT];
    int64_t extents[2 * RANK_LIMIT];
} Axes;
Affine axes_add(Lowering *l, Axes *axes, const char *name, int64_t extent);
Stmt *axes_loops(Lowering *l, const Axes *axes, Stmt *body);
/* One axis for each dim of `type`; returns the point. */
Coordinates axes_of_type(Lowering *l, Axes *axes, const TensorType *type);

/* ---- names for people (call_layers.c) ---- */

/* Layers, parameters or places of the model that stand behind a call; "" when nothing is known. */
const char *call_layers(Arena *arena, const Program *program, const Group *group,
                        Slot *const *arguments, int count);

/* ---- order of execution (lower_order.c) ---- */

/* The groups as they have to run; (*late)[u]: update u goes to a temporary and is copied at the
 * end. */
Group **order_groups(Lowering *l, bool **late);

/* ---- one for each word in the lowering column of ops.def ---- */
typedef void LowerRoot(Lowering *l, Node *root);
void lower_root_reduce(Lowering *l, Node *root);
void lower_root_argmax(Lowering *l, Node *root);
void lower_root_argsort(Lowering *l, Node *root);
void lower_root_cumulative(Lowering *l, Node *root);
void lower_root_contract(Lowering *l, Node *root);
/* Is the function one of several of its name, for other rows or sizes? */
bool lower_has_others(const Lowering *l);
void lower_root_window(Lowering *l, Node *root);
void lower_root_scatter(Lowering *l, Node *root);
void lower_root_pad(Lowering *l, Node *root);
void lower_root_concat(Lowering *l, Node *root);
void lower_root_gather(Lowering *l, Node *root);
void lower_root_scatter_add(Lowering *l, Node *root);
void lower_root_scatter_rows(Lowering *l, Node *root);
void lower_root_scan(Lowering *l, Node *root);

/* A convolution by Winograd's algorithm; false when that would not pay, or is not to be used. */
bool lower_winograd(Lowering *l, Node *root);

/* `local %acc; %acc[0] = first; for … { update }; epilogue(%acc[0])` around one output point. */
typedef struct Reduction {
    StoreMode mode;
    Expr *first;
    Expr *term;
    Axes axes; /* reduced */
} Reduction;
Stmt *lower_reduction(Lowering *l, const Reduction *reduction, ElementType element,
                      const Coordinates *at);

typedef struct Phase {    /* positions along one axis that are met alike; see lower_phase.c */
    int64_t first, count; /* positions: i = stride·q + first, q = 0..count */
    int64_t tap, tap_step, taps; /* k = tap + t·tap_step, t = 0..taps; 0: none meets */
    int64_t from, from_step;     /* o = q + from - t·from_step */
    int64_t inside;              /* more than 1: i and k count further by p = 0..inside */
} Phase;

typedef struct Phases {
    Phase *list;
    int count, capacity;
} Phases;

/* All phases of axis i of an input `x` long, under `kernel` taps whose outputs are `y` long. With
 * `trim` no tap meets what lies outside of y: for small images most of the work of a full
 * convolution would be there. */
Phases lower_phases(Lowering *l, const Spatial *s, int i, int64_t kernel, int64_t x, int64_t y,
                    bool trim);
/* The same for windows of `kernel` taps that do not overlap and begin at 0, each as one run of
 * positions: the output is then gone through in its order. False when they are not such windows. */
bool lower_phases_apart(Lowering *l, const Spatial *s, int i, int64_t kernel, int64_t x, int64_t y,
                        Phases *phases);
/* How far taps reach beyond y: `phases` are those of its `rank` axes behind the batch. */
void phases_border(const Phases *phases, int rank, const TensorType *y, Border *border);

StoreMode lower_mode(Mode mode);
/* What changes nothing it meets in that mode. */
Expr *lower_neutral(Lowering *l, Mode mode, ElementType element);

/* ---- borders (lower_border.c) ---- */

typedef struct Bordered {      /* an operand, read at coordinates that begin in its border */
    Node *node;                /* or what lies behind transposes of it… */
    int axes[RANK_LIMIT];      /* …with axis i of the operand here */
    const Padded *padded;      /* NULL: it wants none */
    int64_t shift[RANK_LIMIT]; /* how much further out that one's border begins */
} Bordered;

/* Decides which values are stored with a border: after fusion, before they get places. */
void plan_borders(Lowering *l);
/* Does a kernel store this value element by element? */
bool is_stored_by_kernel(const Lowering *l, const Node *node);
/* Is it as good for the reader to find its operand number `in` with a border around it? Not where
 * its rows would be read as one. */
bool reads_inside(Lowering *l, Node *reader, int in);
/* Copies the operand before the kernel being made where nobody has stored it so; that kernel has to
 * have no arguments yet. */
Bordered lower_bordered(Lowering *l, Node *node, const Border *border);
/* The same for operand 0 of a contraction, which may be read in the order in which it lies. */
Bordered lower_bordered_image(Lowering *l, Node *root, const Border *border);
Expr *bordered_read(Lowering *l, const Bordered *x, const Coordinates *at);
/* The same at coordinates of the value itself. */
Expr *padded_read(Lowering *l, const Padded *padded, const Coordinates *at);
Stmt *lower_store_bordered(Lowering *l, const Padded *padded, const Coordinates *at, Expr *value);
/* What lies around the values the group stores with a border. */
Stmt *lower_group_borders(Lowering *l);

/* The border that an operation wants around operand 0 (of a scatter: `in`), as wide as its taps
 * reach; one of them for each family in the table. */
void contract_border(Lowering *l, Node *root, Border *border);
void window_border(const Node *root, Border *border);
void scatter_border(Lowering *l, Node *root, int in, Border *border);
/* The same when it goes by Winograd's algorithm; false: it does not. */
bool winograd_border(Lowering *l, Node *root, Border *border);
/* That of a convolution's or window's input x: before = pad, after as needed. */
void spatial_border(const Spatial *s, const int64_t *kernel, const TensorType *x,
                    const TensorType *y, Border *border);

/* ---- parts (lower_join.c) ---- */

/* Decides which values are stored as parts of a concat or pad: after plan_borders(). */
void plan_joins(Lowering *l);
/* Gives them their places: after everything else has one. */
void place_parts(Lowering *l);
bool is_joined(const Lowering *l, const Node *part, const Node *whole);

typedef struct Home { /* where a concat or pad is put together: inside a border of this tensor */
    Slot *slot;
    TensorType type;
    Border border;
} Home;
Home lower_home(const Lowering *l, const Node *whole);

/* lower_move.c: the inside of a tensor with a border, and all around it */
Stmt *lower_copy_inside(Lowering *l, Node *source, Slot *slot, const TensorType *type,
                        const int64_t *before);
Stmt *lower_fill_border(Lowering *l, Slot *slot, const TensorType *type, const Border *border);

#endif
