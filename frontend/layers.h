/* The layer library: how one layer of a description becomes operations.
 *
 * network.c walks the layers of a model once for each function it makes (infer at each batch size,
 * train_step, evaluate). States are made in the first walk and found again in the later ones.
 * Tensors have the batch as axis 0 and channels last. */
#ifndef INGOT_FRONTEND_LAYERS_H
#define INGOT_FRONTEND_LAYERS_H

#include "frontend/initializer.h"
#include "frontend/json.h"
#include "ir/graph.h"

typedef struct Builder {
    Arena *arena;
    Program *program;
    Function *f;       /* being built */
    int64_t batch;     /* of f */
    bool training;     /* dropout drops, batch_norm looks at the batch and updates its statistics */
    Initial *initials; /* in the order of program->states */
    int initial_count, initial_capacity;
    Node *random_key; /* i32[3] of f for dropout; NULL until asked for */
} Builder;

typedef enum LayerReads {
    LAYER_READS_ONE,
    LAYER_READS_LIST,
    LAYER_READS_PAIR,
    LAYER_READS_INDICES,
} LayerReads;

typedef struct Layer Layer;

typedef struct LayerKind {
    const char *name;
    LayerReads reads;
    const char *main, *keys;
    bool activation;
    Node *(*build)(Layer *layer);
} LayerKind;

struct Layer {
    Builder *builder;
    const LayerKind *kind;
    Json *object;       /* { "conv2d": 32, "kernel": 3, "name": "stem" } */
    Json *body;         /* the value of the kind's key */
    const char *prefix; /* of its states: "layers.3", "stem", "stage.0.stem" */
    Node **in;
    const char **in_names; /* as the description names them, or NULL */
    int in_count;
    bool chained; /* a repetition: reads the one before, whatever "in" says */
    int64_t
        classes; /* of an input of whole numbers: how many there are; 0 when that is not known */
};

const LayerKind *layer_kinds(int *count);
const LayerKind *layer_find_kind(const char *name);
/* The names of all kinds, or of all activations, separated by spaces. */
const char *layer_kind_names(bool activations_only);

/* Checks that `object` and `body` have no keys but those of the kind and `common`. */
bool layer_check_keys(const Layer *layer, const char *common);

/* A parameter wherever it stands: as the body, in it, or beside it; NULL when it is not given. */
Json *layer_parameter(Layer *layer, const char *key);

/* Parameters with a default. False after an error. */
#define LAYER_REQUIRED INT64_MIN
bool layer_integer(Layer *layer, const char *key, int64_t low, int64_t high, int64_t otherwise,
                   int64_t *value);
bool layer_boolean(Layer *layer, const char *key, bool otherwise, bool *value);
bool layer_number(Layer *layer, const char *key, double otherwise, double *value);
/* An axis of the layer's input, counted with the batch as 0 or from the end as -1; never the batch.
 */
bool layer_axis(Layer *layer, int rank, int64_t *axis);

/* An error at the layer's place. Returns NULL. */
Node *layer_error(const Layer *layer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "[batch, 28, 28, 1]" of a tensor with the batch in front. */
const char *layer_shape(const Layer *layer, const Node *node);

/* The value of the state PREFIX.SUFFIX, made at first use. `initial` is its default; the parameter
 * named `key` (may be NULL) of the description comes before it. NULL after an error. */
Node *layer_state(Layer *layer, const char *suffix, TensorType type, bool parameter,
                  const char *key, Initial initial);

/* Plus PREFIX.bias, one number for each of `units`, unless "bias" is false. */
Node *layer_add_bias(Layer *layer, Node *x, int64_t units);
/* Name of the initializer of weights that suits the layer's activation. */
const char *layer_default_initializer(Layer *layer);

/* x · w over the last axis of x; a longer shape is flattened to a matrix for it and put back. */
Node *layer_multiply_last_axis(Layer *layer, Node *x, Node *w);

/* A probability from 0 up to but not 1; 0 when it is not given. */
bool layer_read_rate(Layer *layer, const char *key, double *rate);
/* While training: each number is 0 with probability `rate`, the others grow to make up for it. */
Node *layer_drop(Layer *layer, Node *x, double rate);

/* A rank-0 float constant. */
Node *layer_scalar(Layer *layer, double value);

/* The "activation" parameter applied to x; x itself when there is none. */
Node *layer_activate(Layer *layer, Node *x);
/* Its name; "" when there is none. */
const char *layer_activation_name(Layer *layer);

/* Multiply-adds of the contractions among nodes first … last-1 of f. */
int64_t count_multiply_adds(const Function *f, int first, int last);

#define LAYER(kind, reads, main, keys, builder) Node *layer_##builder(Layer *layer);
#define ACTIVATION(kind, main, keys, builder) Node *layer_##builder(Layer *layer);
#include "frontend/layers.def"
#undef LAYER
#undef ACTIVATION

#endif
