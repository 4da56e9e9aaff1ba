/* Dense layers, embeddings, normalisation and dropout: layers with weights or statistics of their
 * own. */
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

/* x · w over the last axis; a longer shape is flattened to a matrix for it and put back. */
static Node *multiply_last_axis(Function *f, Node *x, Node *w, int64_t units)
{
    int rank = x->type.rank;
    int64_t dims[RANK_LIMIT], rows = 1;
    memcpy(dims, x->type.dims, sizeof dims);
    for (int i = 0; i < rank - 1; i++)
        rows *= dims[i]; /* no more than all elements */
    Node *matrix = graph_reshape(f, x, 2, (int64_t[]){rows, dims[rank - 1]});
    dims[rank - 1] = units;
    return graph_reshape(f, graph_matmul(f, matrix, w), rank, dims);
}

Node *layer_dense(Layer *layer)
{
    Function *f = layer->builder->f;
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
    Node *y = w ? multiply_last_axis(f, x, w, units) : NULL;
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

/* Normalisation */

static bool read_epsilon(Layer *layer, double *epsilon)
{
    if (!layer_number(layer, "epsilon", 1e-5, epsilon))
        return false;
    return *epsilon > 0 || json_error(layer_parameter(layer, "epsilon"),
                                      "expected a number greater than 0, found %.15g", *epsilon);
}

/* (x − mean) / √(variance + ε) · weight + bias, with one weight and bias for each channel */
static Node *normalize(Layer *layer, Node *centred, Node *variance, double epsilon)
{
    Function *f = layer->builder->f;
    if (!centred || !variance)
        return NULL;
    TensorType type = type_make(TYPE_F32, 1, &centred->type.dims[centred->type.rank - 1]);
    Node *weight = layer_state(layer, "weight", type, true, NULL, initial_constant(1));
    Node *bias = layer_state(layer, "bias", type, true, NULL, initial_constant(0));
    Node *scale = graph_unary(f, OP_rsqrt, graph_binary_scalar(f, OP_add, variance, epsilon));
    Node *scaled = graph_mul(f, graph_mul(f, centred, scale), weight);
    return graph_add(f, scaled, bias);
}

static Node *mean_over(Function *f, Node *x, int count, const int64_t *axes, double elements)
{
    Node *sum = graph_reduce(f, OP_reduce_sum, x, count, axes, true);
    return graph_binary_scalar(f, OP_mul, sum, 1 / elements);
}

Node *layer_layer_norm(Layer *layer)
{
    Function *f = layer->builder->f;
    Node *x = layer->in[0];
    double epsilon;
    int64_t last = x->type.rank - 1;
    if (last < 1)
        return layer_error(layer, "expects an input like [batch, features], found %s",
                           layer_shape(layer, x));
    if (!read_epsilon(layer, &epsilon))
        return NULL;
    double elements = (double)x->type.dims[last];
    Node *centred = graph_sub(f, x, mean_over(f, x, 1, &last, elements));
    Node *variance = mean_over(f, graph_mul(f, centred, centred), 1, &last, elements);
    return normalize(layer, centred, variance, epsilon);
}

/* old + momentum · (new − old) */
static void follow(Function *f, Node *state, Node *value, double momentum)
{
    if (!state || !value)
        return;
    Node *flat = graph_reshape(f, value, 1, state->type.dims);
    Node *change = graph_binary_scalar(f, OP_mul, graph_sub(f, flat, state), momentum);
    function_set_update(f, state->attr.state, graph_add(f, state, change));
}

/* While training: mean and variance of this batch, which the running ones follow. The running
 * variance is the unbiased one, as in PyTorch. Otherwise the running ones are used. */
Node *layer_batch_norm(Layer *layer)
{
    static const int64_t axes[RANK_LIMIT] = {0, 1, 2, 3, 4, 5, 6, 7};
    Function *f = layer->builder->f;
    Node *x = layer->in[0];
    double epsilon, momentum, elements = 1;
    int last = x->type.rank - 1;
    if (last < 1)
        return layer_error(layer, "expects an input like [batch, features], found %s",
                           layer_shape(layer, x));
    if (!read_epsilon(layer, &epsilon) || !layer_number(layer, "momentum", 0.1, &momentum))
        return NULL;
    if (!(momentum > 0 && momentum <= 1)) {
        json_error(layer_parameter(layer, "momentum"),
                   "expected a number greater than 0 and at most 1, found %.15g", momentum);
        return NULL;
    }
    TensorType type = type_make(TYPE_F32, 1, &x->type.dims[last]);
    Node *mean = layer_state(layer, "running_mean", type, false, NULL, initial_constant(0));
    Node *variance = layer_state(layer, "running_variance", type, false, NULL, initial_constant(1));
    if (!layer->builder->training)
        return normalize(layer, graph_sub(f, x, mean), variance, epsilon);
    for (int i = 0; i < last; i++)
        elements *= (double)x->type.dims[i];
    Node *batch_mean = mean_over(f, x, last, axes, elements);
    Node *centred = graph_sub(f, x, batch_mean);
    Node *batch_variance = mean_over(f, graph_mul(f, centred, centred), last, axes, elements);
    double unbiased = elements > 1 ? elements / (elements - 1) : 1;
    follow(f, mean, batch_mean, momentum);
    follow(f, variance, graph_binary_scalar(f, OP_mul, batch_variance, unbiased), momentum);
    return normalize(layer, centred, batch_variance, epsilon);
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

/* random ≥ rate ? x / (1 − rate) : 0 */
Node *layer_dropout(Layer *layer)
{
    Function *f = layer->builder->f;
    Node *x = layer->in[0];
    double rate;
    Json *json = layer_parameter(layer, "rate");
    if (!json)
        return layer_error(layer, "needs \"rate\"");
    if (!json_number(json, &rate))
        return NULL;
    if (!(rate >= 0 && rate < 1)) {
        json_error(json, "expected a number from 0 up to but not 1, found %.15g", rate);
        return NULL;
    }
    if (!layer->builder->training || rate == 0)
        return x;
    Node *random = graph_random(f, random_key(layer->builder), x->type.rank, x->type.dims);
    Node *kept = graph_binary_scalar(f, OP_ge, random, rate);
    return graph_select(f, kept, graph_binary_scalar(f, OP_mul, x, 1 / (1 - rate)),
                        layer_scalar(layer, 0));
}
