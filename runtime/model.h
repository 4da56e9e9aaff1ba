/* What a compiled model tells the runtime about itself.
 *
 * The compiler emits one constant `IngotModel` into the object it makes; everything else in this
 * folder is written against it, so the runtime never knows which network it serves. The layout of
 * these structures is an agreement between codegen/descriptor.c and this folder: a change here
 * raises INGOT_ABI. Everything in it is constant: any number of instances and threads may read it.
 *
 * Sizes are bytes, shapes are row-major (last axis contiguous), strings end in NUL. */
#ifndef INGOT_RUNTIME_MODEL_H
#define INGOT_RUNTIME_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INGOT_ABI 5

/* Element types, the same numbers as `ElementType` of the compiler. */
enum {
    INGOT_F32 = 0,
    INGOT_F64 = 1,
    INGOT_I32 = 2,
    INGOT_I64 = 3,
    INGOT_BOOL = 4, /* one byte, 0 or 1 */
    INGOT_U8 = 5,
    INGOT_I8 = 6,
    INGOT_I16 = 7,
    INGOT_U16 = 8,
    INGOT_U32 = 9,
    INGOT_U64 = 10,
    INGOT_F16 = 11, /* IEEE binary16 */
    INGOT_BF16 = 12 /* the upper half of an f32 */
};

typedef struct IngotTensor {
    const char *name;    /* "pixels", "layers.0.weight" */
    const int64_t *dims; /* rank numbers */
    int64_t bytes;
    int64_t offset;  /* of a state: its place in the state block, 64-byte aligned; else 0 */
    int64_t classes; /* of a label input: legal values are 0 … classes-1; else 0 */
    int32_t type;
    int32_t rank;
    int32_t trainable; /* of a state: 1 when it is a parameter of the network */
    int32_t batched;   /* of an input or output: 1 when dims[0] counts rows of data */
} IngotTensor;

struct IngotTeam;

/* One call of a function. Every member of the team gets the same one. */
typedef struct IngotCall {
    void *state;   /* state block, then prepared block; 64-byte aligned, and both multiples of 64 */
    void *arena;   /* temporaries: arena_bytes of the function, 64-byte aligned */
    void *scratch; /* member m uses scratch + m * scratch_bytes of the function */
    const void *const *inputs; /* one dense array for each input of the function */
    void *const *outputs;      /* one dense array for each output */
    const void *constants;     /* the model's constant block */
    struct IngotTeam *team;    /* whom ingot_team_barrier() waits for; NULL in a team of one */
} IngotCall;

/* Run by each of `members` threads at once, with member = 0 … members-1. The result does not depend
 * on `members`. Calls ingot_team_barrier() when members > 1. */
typedef void IngotBody(const IngotCall *call, int32_t member, int32_t members);

typedef struct IngotFunction {
    const char *name;  /* "initialize", "infer", "train_step", "evaluate" */
    const char *sizes; /* "height=64 width=96": dimensions of the inputs that functions of this name
                          differ in besides `batch`; "" where there are none */
    const IngotTensor *inputs;
    const IngotTensor *outputs;
    IngotBody *body;
    int64_t batch;         /* rows of data one call takes; 0 where the function has no batch */
    int64_t arena_bytes;   /* a multiple of 64 */
    int64_t scratch_bytes; /* for each member; a multiple of 64 */
    int64_t multiply_adds; /* of one call; for reports */
    int32_t input_count;
    int32_t output_count;
    int32_t parallel;       /* 0 when no kernel of it gains from more than one thread */
    int32_t changes_states; /* 1 when a call leaves other states behind than it found */
} IngotFunction;

/* Where one tensor of a data set comes from. */
typedef struct IngotColumn {
    const char *tensor; /* name of an input or target of the model */
    const char *path;   /* idx and npy: the file of this tensor; csv: NULL */
    int64_t first;      /* csv: first column, 0-based, and how many */
    int64_t count;
} IngotColumn;

enum { INGOT_DATA_NONE = 0, INGOT_DATA_CSV = 1, INGOT_DATA_IDX = 2, INGOT_DATA_NPY = 3 };

typedef struct IngotDataset {
    const char *path; /* csv: the file */
    const IngotColumn *columns;
    int32_t format; /* INGOT_DATA_… */
    int32_t column_count;
    int32_t header;    /* csv: lines to skip at the top */
    int32_t separator; /* csv: character between fields, ',' mostly */
} IngotDataset;

/* How the model wants to be trained: defaults of `train`, each of which an option can override. */
typedef struct IngotRecipe {
    IngotDataset training;   /* format INGOT_DATA_NONE when the model names no data */
    IngotDataset validation; /* held-out rows in files of their own; or INGOT_DATA_NONE */
    double validation_part;  /* part of the training rows to hold out (0 to <1) if that is NONE */
    int64_t epochs;
    uint64_t seed;
    const char *const *metrics; /* evaluate's outputs between "loss" and the count: "accuracy" */
    int32_t metric_count;
    int32_t shuffle; /* 1: a new order of rows each epoch */
} IngotRecipe;

/* A file that the model can be written back as: the one it was made from, in pieces, with what the
 * states hold now in place of the weights. */
typedef struct IngotPiece {
    const void *bytes;    /* NULL: of the state */
    const int64_t *order; /* axis j of the state is axis order[j] in the file; NULL: the same */
    int64_t size;
    int32_t state; /* its number */
    int32_t reserved;
} IngotPiece;

struct IngotInstance;

typedef struct IngotTemplate {
    const char *suffix; /* paths that end so are written this way: ".onnx" */
    const IngotPiece *pieces;
    /* ingot_template_write() of template.h: a program has it only where there is a template */
    int32_t (*write)(const struct IngotInstance *instance, const char *path);
    int64_t piece_count;
} IngotTemplate;

/* Functions and their tensors by convention:
 *   initialize(seed: i32[2])                     gives every state its first value; seed[0] is the
 *                                                low and seed[1] the high half of the seed
 *   infer(inputs…) -> outputs…                   may be there several times, for several batch
 *                                                sizes and other sizes of the inputs, sorted by
 *                                                `batch`, smallest first
 *   train_step(inputs…, targets…) -> loss f32[]  one forward pass, backward pass and update
 *   evaluate(inputs…, targets…, rows f32[batch]) -> loss f32[], metrics f32[] …, count f32[]
 *                                                sums over the rows whose `rows` is 1; rows with
 *                                                0 are padding and count for nothing
 * Position in training is the state "step" (i64[]): train_step raises it by one. */
typedef struct IngotModel {
    const char *name;     /* prefix of every public symbol */
    const char *compiler; /* "ingot 0.1.0" */
    const char *target;   /* "x86_64-linux-gnu, x86-64-v3" */
    const IngotTensor *states;
    const IngotFunction *functions;
    const IngotFunction *prepare; /* no inputs or outputs: fills the prepared block from the states,
                                     for functions that change none; NULL: nothing to prepare */
    const IngotRecipe *recipe;    /* NULL when the model was built without --train */
    const void *initial_state;    /* embedded weights, state_bytes; NULL: run initialize or load */
    const void *constants;        /* constant block, 64-byte aligned */
    const char *weights_path; /* --weights=beside: file looked for beside the program; else NULL */
    const IngotTemplate *template; /* NULL: weights are saved as safetensors alone */
    int64_t state_bytes;
    int64_t prepared_bytes; /* block behind the state block: weights in the layout kernels want */
    int64_t constant_bytes;
    int64_t parameter_count; /* elements of all trainable states, frozen ones too */
    uint32_t abi;            /* INGOT_ABI */
    int32_t state_count;
    int32_t function_count;
    int32_t reserved;
} IngotModel;

#endif
