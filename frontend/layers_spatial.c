/* Convolutions, pooling and enlarging: what works on the axes between the batch and the channels.
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

/* One number for every axis, or a list of them; at least `low`. */
static bool each_axis(Layer *layer, const char *key, int64_t low, int rank, int64_t *values)
{
    int count = 0;
    Json *json = layer_parameter(layer, key);
    if (!json)
        return true;
    if (json->kind != JSON_LIST) {
        if (!json_integer(json, low, WINDOW_LIMIT, &values[0]))
            return false;
        for (int i = 1; i < rank; i++)
            values[i] = values[0];
        return true;
    }
    if (json->count != rank)
        return json_error(json, "expected %d numbers, one for each axis, found %d", rank,
                          json->count);
    return json_integers(json, low, WINDOW_LIMIT, rank, values, &count);
}

static int64_t extent(const Spatial *s, int axis)
{
    return (s->size[axis] - 1) * s->dilation[axis] + 1;
}

/* sizes: of what the window slides over */
static void pad_same(const int64_t *sizes, Spatial *s)
{
    for (int i = 0; i < s->rank; i++) {
        int64_t outputs = (sizes[i] + s->stride[i] - 1) / s->stride[i];
        int64_t total = (outputs - 1) * s->stride[i] + extent(s, i) - sizes[i];
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

static bool read_padding(Layer *layer, const int64_t *sizes, Spatial *s)
{
    int count = 0;
    Json *json = layer_parameter(layer, "padding");
    memset(s->pad, 0, sizeof s->pad);
    if (!json)
        return true;
    if (json->kind == JSON_STRING) {
        json->used = true;
        if (strcmp(json->text, "same") == 0)
            pad_same(sizes, s);
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

/* Reads kernel or size, stride and dilation. */
static bool read_steps(Layer *layer, const char *key, Spatial *s)
{
    for (int i = 0; i < s->rank; i++)
        s->stride[i] = s->dilation[i] = 1;
    if (!layer_parameter(layer, key))
        return layer_error(layer, "needs \"%s\"", key) != NULL;
    if (!each_axis(layer, key, 1, s->rank, s->size))
        return false;
    if (strcmp(key, "size") == 0)
        memcpy(s->stride, s->size, sizeof s->size);
    return each_axis(layer, "stride", 1, s->rank, s->stride) &&
           (strcmp(key, "size") == 0 || each_axis(layer, "dilation", 1, s->rank, s->dilation));
}

/* The same and padding. */
static bool read_window(Layer *layer, const Node *x, const char *key, Spatial *s)
{
    return read_steps(layer, key, s) && read_padding(layer, &x->type.dims[1], s) &&
           check_window(layer, x, s, key);
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

static bool check_rank(const Layer *layer, const Node *x, int rank)
{
    return spatial_rank(x) == rank ||
           layer_error(layer, "expects an input of shape %s, found %s",
                       rank == 1   ? "[batch, length, channels]"
                       : rank == 2 ? "[batch, height, width, channels]"
                                   : "[batch, depth, height, width, channels]",
                       layer_shape(layer, x)) != NULL;
}

Node *layer_convolution(Layer *layer)
{
    Node *x = layer->in[0];
    Spatial s = {.rank = layer->kind->name[4] - '0'}; /* conv2d */
    int64_t channels;
    if (!check_rank(layer, x, s.rank) ||
        !layer_integer(layer, "channels", 1, WINDOW_LIMIT, LAYER_REQUIRED, &channels) ||
        !read_window(layer, x, "kernel", &s) ||
        !read_groups(layer, x->type.dims[x->type.rank - 1], channels, &s.groups))
        return NULL;
    Node *y = graph_conv(layer->builder->f, x, convolution_weight(layer, x, &s, channels), &s);
    return layer_activate(layer, layer_add_bias(layer, y, channels));
}

/* Transposed convolution: what takes the outputs of a convolution back to the shape of its inputs.
 * Its weights and its padding are those of that convolution. */

/* (size − 1) · stride + extent − padding + output_padding; size · stride with padding "same" */
static bool read_enlarged(Layer *layer, const Node *x, Spatial *s, int64_t *sizes)
{
    int64_t more[3] = {0};
    const Json *padding = layer_parameter(layer, "padding");
    bool same = padding && padding->kind == JSON_STRING && strcmp(padding->text, "same") == 0;
    Json *json = layer_parameter(layer, "output_padding");
    for (int i = 0; i < s->rank; i++)
        sizes[i] = x->type.dims[1 + i] * s->stride[i]; /* both are small enough for that */
    if (!read_padding(layer, sizes, s))
        return false;
    if (same)
        return !json || json_error(json, "has no effect with padding \"same\"");
    if (!each_axis(layer, "output_padding", 0, s->rank, more))
        return false;
    for (int i = 0; i < s->rank; i++) {
        if (more[i] >= s->stride[i])
            return json_error(json, "%lld is not smaller than the stride, %lld", (long long)more[i],
                              (long long)s->stride[i]);
        sizes[i] += extent(s, i) - s->stride[i] - s->pad[2 * i] - s->pad[2 * i + 1] + more[i];
        if (sizes[i] < 1)
            return json_error(layer_parameter(layer, "padding"), "nothing is left between it");
    }
    return true;
}

static Node *transposed_weight(Layer *layer, const Node *x, const Spatial *s, int64_t channels)
{
    TensorType type = {.element = TYPE_F32, .rank = s->rank + 2};
    double taps = 1, steps = 1, inputs = (double)x->type.dims[x->type.rank - 1];
    for (int i = 0; i < s->rank; i++) {
        type.dims[i] = s->size[i];
        taps *= (double)s->size[i];
        steps *= (double)s->stride[i];
    }
    type.dims[s->rank] = channels / s->groups;
    type.dims[s->rank + 1] = x->type.dims[x->type.rank - 1];
    double met = taps > steps ? taps / steps : 1; /* places of the input that an output sees */
    Initial initial =
        initial_named(layer_default_initializer(layer), met * inputs / (double)s->groups,
                      taps * (double)channels / (double)s->groups);
    return layer_state(layer, "weight", type, true, "weight_initializer", initial);
}

Node *layer_convolution_transpose(Layer *layer)
{
    Node *x = layer->in[0];
    Spatial s = {.rank = layer->kind->name[14] - '0'}; /* conv_transpose2d */
    int64_t channels;
    TensorType result = x->type;
    if (!check_rank(layer, x, s.rank) ||
        !layer_integer(layer, "channels", 1, WINDOW_LIMIT, LAYER_REQUIRED, &channels) ||
        !read_steps(layer, "kernel", &s) || !read_enlarged(layer, x, &s, &result.dims[1]) ||
        !read_groups(layer, x->type.dims[x->type.rank - 1], channels, &s.groups))
        return NULL;
    result.dims[result.rank - 1] = channels;
    Node *w = transposed_weight(layer, x, &s, channels);
    Node *y = graph_conv_transpose(layer->builder->f, x, w, &s, &result);
    return layer_activate(layer, layer_add_bias(layer, y, channels));
}

/* Every position `factor` times along each axis: [b,h,w,c] as [b,h,1,w,1,c], stretched. */
Node *layer_upsample(Layer *layer)
{
    Function *f = layer->builder->f;
    Node *x = layer->in[0];
    int rank = spatial_rank(x), count = 0;
    int64_t factor[3], apart[RANK_LIMIT], stretched[RANK_LIMIT];
    TensorType result = x->type;
    if (rank < 1 || rank > 3)
        return layer_error(layer,
                           "expects an input like [batch, height, width, channels], found %s",
                           layer_shape(layer, x));
    if (!layer_parameter(layer, "factor"))
        return layer_error(layer, "needs \"factor\"");
    if (!each_axis(layer, "factor", 1, rank, factor))
        return NULL;
    apart[count] = stretched[count] = x->type.dims[0];
    count++;
    for (int i = 0; i < rank; i++) {
        apart[count] = stretched[count] = x->type.dims[1 + i];
        apart[count + 1] = 1;
        stretched[count + 1] = factor[i];
        result.dims[1 + i] *= factor[i];
        count += 2;
    }
    apart[count] = stretched[count] = x->type.dims[1 + rank];
    count++;
    Node *wide = graph_broadcast(f, graph_reshape(f, x, count, apart), count, stretched);
    return graph_reshape(f, wide, result.rank, result.dims);
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
