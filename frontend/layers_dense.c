/* Dense layers, embeddings and dropout. */
#include <string.h>

#include "frontend/layers.h"

#define SIZE_LIMIT ((int64_t)1 << 31)

/* He et al. for activations that cut one side off, Glorot and Bengio for the others. */
const char *layer_default_initializer(Layer *layer)
{
    const char *name = layer_activation_name(layer);
    return json_word_in(name, "relu relu6 leaky_relu elu gelu silu swish hard_swish")
               ? "he_uniform"
               : "glorot_uniform";
}

Node *layer_add_bias(Layer *layer, Node *x, int64_t units)
{
    bool bias;
    if (!layer_boolean(layer, "bias", true, &bias))
        return NULL;
    if (!bias)
        return x;
    TensorType type = type_make(TYPE_F32, 1, &units);
    Node *values = layer_state(layer, "bias", type, true, "bias_initializer", initial_constant(0));
    return graph_add(layer->builder->f, x, values);
}

Node *layer_multiply_last_axis(Layer *layer, Node *x, Node *w)
{
    if (!x || !w)
        return NULL;
    Function *f = layer->builder->f;
    int rank = x->type.rank;
    int64_t dims[RANK_LIMIT], rows = 1;
    memcpy(dims, x->type.dims, sizeof dims);
    for (int i = 0; i < rank - 1; i++)
        rows *= dims[i]; /* no more than all elements */
    Node *matrix = graph_reshape(f, x, 2, (int64_t[]){rows, dims[rank - 1]});
    dims[rank - 1] = w->type.dims[1];
    return graph_reshape(f, graph_matmul(f, matrix, w), rank, dims);
}

Node *layer_dense(Layer *layer)
{
    Node *x = layer->in[0];
    int64_t units;
    if (!layer_integer(layer, "units", 1, SIZE_LIMIT, LAYER_REQUIRED, &units))
        return NULL;
    if (x->type.rank < 2)
        return layer_error(layer, "expects an input like [batch, features], found %s",
                           layer_shape(layer, x));
    int64_t features = x->type.dims[x->type.rank - 1];
    TensorType type = type_make(TYPE_F32, 2, (int64_t[]){features, units});
    Initial initial =
        initial_named(layer_default_initializer(layer), (double)features, (double)units);
    Node *w = layer_state(layer, "weight", type, true, "weight_initializer", initial);
    Node *y = layer_multiply_last_axis(layer, x, w);
    return layer_activate(layer, layer_add_bias(layer, y, units));
}

Node *layer_embedding(Layer *layer)
{
    int64_t size, entries, known = layer->classes;
    if (!layer_integer(layer, "size", 1, SIZE_LIMIT, LAYER_REQUIRED, &size) ||
        !layer_integer(layer, "entries", 1, SIZE_LIMIT, known ? known : LAYER_REQUIRED, &entries))
        return NULL;
    if (entries < known) {
        json_error(layer_parameter(layer, "entries"), "the input has %lld classes, more than %lld",
                   (long long)known, (long long)entries);
        return NULL;
    }
    TensorType type = type_make(TYPE_F32, 2, (int64_t[]){entries, size});
    Initial initial = {
        .kind = INITIAL_NORMAL, .value = 1, .fan_in = (double)entries, .fan_out = (double)size};
    Node *table = layer_state(layer, "weight", type, true, "weight_initializer", initial);
    return graph_gather(layer->builder->f, table, layer->in[0]);
}

/* Dropout */

/* [seed low, seed high, step] of the states that training keeps, so that no two steps drop alike
 * and a resumed run drops as one that never stopped. */
static Node *random_key(Builder *b)
{
    if (!b->random_key) {
        Node *step =
            graph_cast(b->f, graph_state(b->f, program_find_state(b->program, "step")), TYPE_I32);
        Node *seed = graph_state(b->f, program_find_state(b->program, "seed"));
        Node *last = graph_reshape(b->f, step, 1, (int64_t[]){1});
        b->random_key = graph_concat(b->f, 2, (Node *[]){seed, last}, 0);
    }
    return b->random_key;
}

bool layer_read_rate(Layer *layer, const char *key, double *rate)
{
    Json *json = layer_parameter(layer, key);
    *rate = 0;
    if (!json)
        return true;
    if (!json_number(json, rate))
        return false;
    return (*rate >= 0 && *rate < 1) ||
           json_error(json, "expected a number from 0 up to but not 1, found %.15g", *rate);
}

/* random ≥ rate ? x / (1 − rate) : 0 */
Node *layer_drop(Layer *layer, Node *x, double rate)
{
    Function *f = layer->builder->f;
    if (!x || !layer->builder->training || rate == 0)
        return x;
    Node *random = graph_random(f, random_key(layer->builder), x->type.rank, x->type.dims);
    Node *kept = graph_binary_scalar(f, OP_ge, random, rate);
    return graph_select(f, kept, graph_binary_scalar(f, OP_mul, x, 1 / (1 - rate)),
                        layer_scalar(layer, 0));
}

Node *layer_dropout(Layer *layer)
{
    double rate;
    if (!layer_parameter(layer, "rate"))
        return layer_error(layer, "needs \"rate\"");
    return layer_read_rate(layer, "rate", &rate) ? layer_drop(layer, layer->in[0], rate) : NULL;
}
