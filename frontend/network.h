/* The layers of a description, walked once for each function of the program. */
#ifndef INGOT_FRONTEND_NETWORK_H
#define INGOT_FRONTEND_NETWORK_H

#include "frontend/json_model.h"
#include "frontend/layers.h"

/* An input or a target as described: { "shape": ["batch", 28, 28, 1] } or { "classes": 10 } */
typedef struct TensorSpec {
    const char *name;
    Json *json;
    TensorType type; /* dims[0] stands for the batch */
    int64_t classes; /* legal values are 0 … classes−1; 0 for floats */
    /* data.scale, data.normalize: (x − mean) · factor, `scale_count` numbers each: 0, 1 or one a
     * channel */
    int scale_count;
    const float *mean; /* NULL: nought */
    const float *factor;
} TensorSpec;

/* A tensor by the name layers read it by. */
typedef struct NamedTensor {
    const char *name;
    Node *node; /* NULL when the layer that should make it has failed */
    int64_t classes;
} NamedTensor;

typedef struct Scope {
    const struct Scope *outer;
    const Json *layers; /* for names that come further down */
    NamedTensor *names;
    int count, capacity;
} Scope;

typedef struct Network Network;
struct Network {
    Builder builder;
    JsonFile *file;
    Json *layers;
    Json *define; /* NULL when there is none */
    TensorSpec *inputs;
    int input_count;
    LayerSummary *summaries; /* made in the first walk */
    int summary_count, summary_capacity;
    bool summarized;
    int layer_count, block_depth;   /* of the walk going on */
    const char *block_suffix;       /* " (used by layers[3])": behind places inside blocks */
    Scope scope;                    /* names at the top, after a walk */
    Node *last;                     /* output of the last layer */
    bool (*body)(Network *network); /* what makes tensors of the inputs; NULL: `layers` */
    void *context;                  /* of `body` */
    const char *train_keys;         /* of "train", besides those of descriptions; NULL: none */
};

/* Reads "inputs" or "targets". */
bool tensor_specs_read(Json *object, const char *what, TensorSpec **specs, int *count);
/* Checks the blocks of "define". */
bool network_check_define(Network *network);
/* Adds an input node for the spec to the builder's function. NULL after an error. */
Node *network_input(Network *network, const TensorSpec *spec);
/* Makes inputs and layers in `f`. */
bool network_build(Network *network, Function *f, int64_t batch, bool training);

/* By name at the top; NULL when there is none. */
const NamedTensor *scope_find(const Scope *scope, const char *name);
bool scope_add(Network *network, Scope *scope, const Json *place, NamedTensor tensor);
/* All names that can be seen, separated by spaces. */
const char *scope_names(Arena *arena, const Scope *scope);

/* Names become symbols of a C header and parts of file names: letters, digits and _, no digit
 * first. */
bool name_check(const Json *json, const char *name);

#endif
