/* Convolutions and pooling: windows that slide over the axes between the batch and the channels.
 *
 * "padding" is "valid" (none), "same" (as many outputs as inputs divided by the stride, rounded up;
 * an odd row goes behind, as in Keras), one number for all sides, or two numbers an axis: before,
 * after. */
#include <string.h>

#include "frontend/layers.h"

/* Keeps all arithmetic on window sizes far from overflow. */
#define WINDOW_LIMIT ((int64_t)1 << 20)

static int spatial_rank(const Node *x)
{
    return x->type.rank - 2;
}

/* One number for every axis, or a list of them. */
static bool each_axis(Layer *layer, const char *key, int rank, int64_t *values)
{
    int count = 0;
    Json *json = layer_parameter(layer, key);
    if (!json)
        return true;
    if (json->kind != JSON_LIST) {
        if (!json_integer(json, 1, WINDOW_LIMIT, &values[0]))
            return false;
        for (int i = 1; i < rank; i++)
            values[i] = values[0];
        return true;
    }
    if (json->count != rank)
        return json_error(json, "expected %d numbers, one for each axis, found %d", rank,
                          json->count);
    return json_integers(json, 1, WINDOW_LIMIT, rank, values, &count);
}

static int64_t extent(const Spatial *s, int axis)
{
    return (s->size[axis] - 1) * s->dilation[axis] + 1;
}

static void pad_same(const Node *x, Spatial *s)
{
    for (int i = 0; i < s->rank; i++) {
        int64_t size = x->type.dims[1 + i];
        int64_t outputs = (size + s->stride[i] - 1) / s->stride[i];
        int64_t total = (outputs - 1) * s->stride[i] + extent(s, i) - size;
        total = total < 0 ? 0 : total;
        s->pad[2 * i] = total / 2;
        s->pad[2 * i + 1] = total - total / 2;
    }
}

static bool bad_padding(const Json *json, int rank)
{
    return json_error(json,
                      "expected \"valid\", \"same\", a number or a list of %d numbers, found %s",
                      2 * rank, json_describe(json));
}

static bool read_padding(Layer *layer, const Node *x, Spatial *s)
{
    int count = 0;
    Json *json = layer_parameter(layer, "padding");
    memset(s->pad, 0, sizeof s->pad);
    if (!json)
        return true;
    if (json->kind == JSON_STRING) {
        json->used = true;
        if (strcmp(json->text, "same") == 0)
            pad_same(x, s);
        else if (strcmp(json->text, "valid") != 0)
            return bad_padding(json, s->rank);
        return true;
    }
    if (json->kind == JSON_NUMBER) {
        if (!json_integer(json, 0, WINDOW_LIMIT, &s->pad[0]))
            return false;
        for (int i = 1; i < 2 * s->rank; i++)
            s->pad[i] = s->pad[0];
        return true;
    }
    if (json->kind != JSON_LIST)
        return bad_padding(json, s->rank);
    if (json->count != 2 * s->rank)
        return json_error(json, "expected %d numbers, before and after for each axis, found %d",
                          2 * s->rank, json->count);
    return json_integers(json, 0, WINDOW_LIMIT, 2 * s->rank, s->pad, &count);
}

static const char *axis_word(int rank, int axis)
{
    return rank - axis == 1 ? (rank == 1 ? "long" : "wide") : rank - axis == 2 ? "high" : "deep";
}

/* The window must fit into the padded input. `key`: where its size stands. */
static bool check_window(Layer *layer, const Node *x, const Spatial *s, const char *key)
{
    for (int i = 0; i < s->rank; i++) {
        int64_t room = x->type.dims[1 + i] + s->pad[2 * i] + s->pad[2 * i + 1];
        if (extent(s, i) > room)
            return json_error(layer_parameter(layer, key),
                              "%lld%s is larger than the padded input, which is %lld %s",
                              (long long)extent(s, i),
                              s->dilation[i] > 1 ? " (with its dilation)" : "", (long long)room,
                              axis_word(s->rank, i));
    }
    return true;
}

/* Reads kernel or size, stride, padding and dilation. */
static bool read_window(Layer *layer, const Node *x, const char *key, Spatial *s)
{
    for (int i = 0; i < s->rank; i++)
        s->stride[i] = s->dilation[i] = 1;
    if (!layer_parameter(layer, key))
        return layer_error(layer, "needs \"%s\"", key) != NULL;
    if (!each_axis(layer, key, s->rank, s->size))
        return false;
    if (strcmp(key, "size") == 0)
        memcpy(s->stride, s->size, sizeof s->size);
    return each_axis(layer, "stride", s->rank, s->stride) &&
           (strcmp(key, "size") == 0 || each_axis(layer, "dilation", s->rank, s->dilation)) &&
           read_padding(layer, x, s) && check_window(layer, x, s, key);
}

/* Convolution */

static bool read_groups(Layer *layer, int64_t channels_in, int64_t channels_out, int64_t *groups)
{
    if (!layer_integer(layer, "groups", 1, WINDOW_LIMIT, 1, groups))
        return false;
    if (channels_in % *groups != 0 || channels_out % *groups != 0)
        return json_error(
            layer_parameter(layer, "groups"),
            "%lld must divide both the channels that come in, %lld, and those that go out, %lld",
            (long long)*groups, (long long)channels_in, (long long)channels_out);
    return true;
}

static Node *convolution_weight(Layer *layer, const Node *x, const Spatial *s, int64_t channels)
{
    TensorType type = {.element = TYPE_F32, .rank = s->rank + 2};
    double taps = 1;
    for (int i = 0; i < s->rank; i++) {
        type.dims[i] = s->size[i];
        taps *= (double)s->size[i];
    }
    type.dims[s->rank] = x->type.dims[x->type.rank - 1] / s->groups;
    type.dims[s->rank + 1] = channels;
    double fan_in = taps * (double)type.dims[s->rank];
    Initial initial = initial_named(layer_default_initializer(layer), fan_in,
                                    taps * (double)channels / (double)s->groups);
    return layer_state(layer, "weight", type, true, "weight_initializer", initial);
}

Node *layer_convolution(Layer *layer)
{
    Node *x = layer->in[0];
    Spatial s = {.rank = layer->kind->name[4] - '0'}; /* conv2d */
    int64_t channels;
    if (spatial_rank(x) != s.rank)
        return layer_error(layer, "expects an input of shape %s, found %s",
                           s.rank == 1   ? "[batch, length, channels]"
                           : s.rank == 2 ? "[batch, height, width, channels]"
                                         : "[batch, depth, height, width, channels]",
                           layer_shape(layer, x));
    if (!layer_integer(layer, "channels", 1, WINDOW_LIMIT, LAYER_REQUIRED, &channels) ||
        !read_window(layer, x, "kernel", &s) ||
        !read_groups(layer, x->type.dims[x->type.rank - 1], channels, &s.groups))
        return NULL;
    Node *y = graph_conv(layer->builder->f, x, convolution_weight(layer, x, &s, channels), &s);
    return layer_activate(layer, layer_add_bias(layer, y, channels));
}

/* Pooling */

static bool read_pool(Layer *layer, Spatial *s)
{
    Node *x = layer->in[0];
    s->rank = spatial_rank(x);
    if (s->rank < 1 || s->rank > 3)
        return layer_error(layer,
                           "expects an input like [batch, height, width, channels], found %s",
                           layer_shape(layer, x)) != NULL;
    if (!read_window(layer, x, "size", s))
        return false;
    for (int i = 0; i < 2 * s->rank; i++) {
        if (s->pad[i] >= s->size[i / 2])
            return json_error(
                layer_parameter(layer, "padding"),
                "%lld is not smaller than the window, %lld: it would see nothing but padding",
                (long long)s->pad[i], (long long)s->size[i / 2]);
    }
    return true;
}

Node *layer_max_pool(Layer *layer)
{
    Spatial s = {0};
    if (!read_pool(layer, &s))
        return NULL;
    return graph_window(layer->builder->f, OP_window_max, layer->in[0], &s);
}

/* How many elements of the input the window at place `at` of an axis sees. */
static int64_t seen(const Spatial *s, int axis, int64_t size, int64_t at)
{
    int64_t first = at * s->stride[axis] - s->pad[2 * axis], last = first + s->size[axis];
    first = first < 0 ? 0 : first;
    last = last > size ? size : last;
    return last > first ? last - first : 1;
}

/* Sums into averages: 1 / elements seen along each axis, padding not counted. */
static Node *divide_by_seen(Layer *layer, Node *sum, const Spatial *s)
{
    for (int axis = 0; axis < s->rank && sum; axis++) {
        TensorType type = {.element = TYPE_F32, .rank = sum->type.rank};
        int64_t count = sum->type.dims[1 + axis];
        for (int i = 0; i < type.rank; i++)
            type.dims[i] = i == 1 + axis ? count : 1;
        float *factors = ARENA_ARRAY(layer->builder->arena, float, count);
        for (int64_t at = 0; at < count; at++)
            factors[at] = (float)(1 / (double)seen(s, axis, layer->in[0]->type.dims[1 + axis], at));
        sum = graph_mul(layer->builder->f, sum, graph_constant(layer->builder->f, type, factors));
    }
    return sum;
}

Node *layer_average_pool(Layer *layer)
{
    Spatial s = {0};
    if (!read_pool(layer, &s))
        return NULL;
    Node *sum = graph_window(layer->builder->f, OP_window_sum, layer->in[0], &s);
    bool padded = false;
    double taps = 1;
    for (int i = 0; i < 2 * s.rank; i++)
        padded |= s.pad[i] > 0;
    for (int i = 0; i < s.rank; i++)
        taps *= (double)s.size[i];
    if (!sum || !padded)
        return graph_binary_scalar(layer->builder->f, OP_mul, sum, 1 / taps);
    return divide_by_seen(layer, sum, &s);
}

static Node *over_space(Layer *layer, Op op)
{
    static const int64_t axes[RANK_LIMIT] = {1, 2, 3, 4, 5, 6, 7};
    Node *x = layer->in[0];
    if (spatial_rank(x) < 1)
        return layer_error(layer,
                           "expects an input like [batch, height, width, channels], found %s",
                           layer_shape(layer, x));
    return graph_reduce(layer->builder->f, op, x, spatial_rank(x), axes, false);
}

Node *layer_global_max_pool(Layer *layer)
{
    return over_space(layer, OP_reduce_max);
}

Node *layer_global_average_pool(Layer *layer)
{
    const Node *x = layer->in[0];
    Node *sum = over_space(layer, OP_reduce_sum);
    double elements = 1;
    for (int i = 0; i < spatial_rank(x); i++)
        elements *= (double)x->type.dims[1 + i];
    return graph_binary_scalar(layer->builder->f, OP_mul, sum, 1 / elements);
}
