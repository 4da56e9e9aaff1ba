/* Normalisation: (x − mean) / √(variance + ε) · weight + bias, with one weight and one bias for
 * each channel. What differs is over which numbers mean and variance are taken:
 *
 *     batch_norm     all of a channel, in the whole batch
 *     layer_norm     the last axis
 *     group_norm     a group of channels at all positions of a row of data
 *     instance_norm  a channel at all positions of a row of data
 */
#include "frontend/layers.h"

static bool read_epsilon(Layer *layer, double *epsilon)
{
    if (!layer_number(layer, "epsilon", 1e-5, epsilon))
        return false;
    return *epsilon > 0 || json_error(layer_parameter(layer, "epsilon"),
                                      "expected a number greater than 0, found %.15g", *epsilon);
}

/* (x − mean) / √(variance + ε), both given */
static Node *standardize(Function *f, Node *x, Node *mean, Node *variance, double epsilon)
{
    Node *scale = graph_unary(f, OP_rsqrt, graph_binary_scalar(f, OP_add, variance, epsilon));
    return graph_mul(f, graph_sub(f, x, mean), scale);
}

static Node *scale_and_shift(Layer *layer, Node *x)
{
    Function *f = layer->builder->f;
    if (!x)
        return NULL;
    TensorType type = type_make(TYPE_F32, 1, &x->type.dims[x->type.rank - 1]);
    Node *weight = layer_state(layer, "weight", type, true, NULL, initial_constant(1));
    Node *bias = layer_state(layer, "bias", type, true, NULL, initial_constant(0));
    return graph_add(f, graph_mul(f, x, weight), bias);
}

Node *layer_layer_norm(Layer *layer)
{
    Node *x = layer->in[0];
    double epsilon;
    int64_t last = x->type.rank - 1;
    if (last < 1)
        return layer_error(layer, "expects an input like [batch, features], found %s",
                           layer_shape(layer, x));
    if (!read_epsilon(layer, &epsilon))
        return NULL;
    return scale_and_shift(layer, graph_normalize(layer->builder->f, x, 1, &last, epsilon));
}

/* x as [batch, positions, groups, channels / groups] */
static Node *over_groups(Layer *layer, int64_t groups)
{
    static const int64_t axes[] = {1, 3};
    Function *f = layer->builder->f;
    Node *x = layer->in[0];
    double epsilon;
    int rank = x->type.rank;
    int64_t positions = 1, channels = x->type.dims[rank - 1];
    if (!read_epsilon(layer, &epsilon))
        return NULL;
    for (int i = 1; i < rank - 1; i++)
        positions *= x->type.dims[i]; /* no more than all elements, which were checked */
    int64_t dims[] = {x->type.dims[0], positions, groups, channels / groups};
    Node *y = graph_normalize(f, graph_reshape(f, x, 4, dims), 2, axes, epsilon);
    return scale_and_shift(layer, graph_reshape(f, y, rank, x->type.dims));
}

static bool has_positions(const Layer *layer)
{
    const Node *x = layer->in[0];
    return x->type.rank > 2 ||
           layer_error(layer, "expects an input like [batch, height, width, channels], found %s",
                       layer_shape(layer, x)) != NULL;
}

Node *layer_group_norm(Layer *layer)
{
    int64_t groups, channels = layer->in[0]->type.dims[layer->in[0]->type.rank - 1];
    if (!has_positions(layer) ||
        !layer_integer(layer, "groups", 1, INT32_MAX, LAYER_REQUIRED, &groups))
        return NULL;
    if (channels % groups != 0) {
        json_error(layer_parameter(layer, "groups"), "%lld must divide the channels, %lld",
                   (long long)groups, (long long)channels);
        return NULL;
    }
    return over_groups(layer, groups);
}

Node *layer_instance_norm(Layer *layer)
{
    const Node *x = layer->in[0];
    return has_positions(layer) ? over_groups(layer, x->type.dims[x->type.rank - 1]) : NULL;
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
        return scale_and_shift(layer, standardize(f, x, mean, variance, epsilon));
    for (int i = 0; i < last; i++)
        elements *= (double)x->type.dims[i];
    Node *batch_variance = graph_variance(f, x, last, axes);
    double unbiased = elements > 1 ? elements / (elements - 1) : 1;
    follow(f, mean, graph_mean(f, x, last, axes, true), momentum);
    follow(f, variance, graph_binary_scalar(f, OP_mul, batch_variance, unbiased), momentum);
    return scale_and_shift(layer, graph_normalize(f, x, last, axes, epsilon));
}
