/* Layers that move or join numbers: flatten, reshape, transpose, slice, concat; add, subtract,
 * multiply. */
#include <string.h>

#include "base/checked.h"
#include "frontend/layers.h"

/* All elements of one row of data. */
static int64_t row_elements(const Node *x)
{
    int64_t count = 1;
    for (int i = 1; i < x->type.rank; i++)
        count *= x->type.dims[i]; /* no more than all elements, which were checked */
    return count;
}

Node *layer_flatten(Layer *layer)
{
    Node *x = layer->in[0];
    int64_t dims[2] = {x->type.dims[0], row_elements(x)};
    return graph_reshape(layer->builder->f, x, 2, dims);
}

/* Fills in the axis given as -1. `dims` are those of one row. */
static bool complete_shape(Layer *layer, Json *json, int64_t *dims, int count)
{
    int64_t known = 1, rest = row_elements(layer->in[0]);
    int open = -1;
    for (int i = 0; i < count; i++) {
        if (dims[i] == 0)
            return json_error(json->items[i],
                              "expected a size of at least 1, or -1 for whatever is left");
        if (dims[i] == -1 && open >= 0)
            return json_error(json->items[i], "only one size can be -1");
        if (dims[i] == -1)
            open = i;
        else if (!checked_multiply(known, dims[i], &known))
            return json_error(json, "this many elements are too many");
    }
    if (open >= 0 && rest % known == 0) {
        dims[open] = rest / known;
        known = rest;
    }
    return known == rest ||
           json_error(json, "the shape does not fit: the input %s has %lld elements a row",
                      layer_shape(layer, layer->in[0]), (long long)rest);
}

Node *layer_reshape(Layer *layer)
{
    Node *x = layer->in[0];
    int64_t dims[RANK_LIMIT] = {x->type.dims[0]};
    int count = 0;
    Json *json = layer_parameter(layer, "shape");
    if (!json)
        return layer_error(layer, "needs \"shape\"");
    if (!json_integers(json, -1, INT32_MAX, RANK_LIMIT - 1, dims + 1, &count) ||
        !complete_shape(layer, json, dims + 1, count))
        return NULL;
    return graph_reshape(layer->builder->f, x, count + 1, dims);
}

Node *layer_transpose(Layer *layer)
{
    Node *x = layer->in[0];
    int64_t order[RANK_LIMIT] = {0};
    bool seen[RANK_LIMIT] = {false};
    int count = 0, axes = x->type.rank - 1;
    Json *json = layer_parameter(layer, "order");
    if (!json)
        return layer_error(layer, "needs \"order\"");
    if (!json_integers(json, 1, RANK_LIMIT - 1, RANK_LIMIT - 1, order + 1, &count))
        return NULL;
    bool fits = count == axes;
    for (int i = 1; i <= count && fits; i++) {
        fits = order[i] <= axes && !seen[order[i]];
        if (fits)
            seen[order[i]] = true;
    }
    if (!fits) {
        json_error(json, "expected each of the axes 1 to %d of %s once", axes,
                   layer_shape(layer, x));
        return NULL;
    }
    return graph_transpose(layer->builder->f, x, order);
}

/* A place along an axis of `size`, counted from its end when it is negative. */
static bool read_place(Layer *layer, const char *key, int64_t size, int64_t otherwise,
                       int64_t *place)
{
    if (!layer_integer(layer, key, -size, size, otherwise, place))
        return false;
    if (*place < 0)
        *place += size;
    return true;
}

Node *layer_slice(Layer *layer)
{
    Node *x = layer->in[0];
    int64_t axis, first, end, start[RANK_LIMIT] = {0}, count[RANK_LIMIT], step[RANK_LIMIT];
    if (!layer_axis(layer, x->type.rank, &axis))
        return NULL;
    for (int i = 0; i < x->type.rank; i++) {
        count[i] = x->type.dims[i];
        step[i] = 1;
    }
    int64_t size = count[axis];
    if (!read_place(layer, "start", size, 0, &first) ||
        !read_place(layer, "end", size, size, &end) ||
        !layer_integer(layer, "step", 1, INT32_MAX, 1, &step[axis]))
        return NULL;
    if (first >= end)
        return layer_error(layer, "nothing of axis %lld is left between start %lld and end %lld",
                           (long long)axis, (long long)first, (long long)end);
    start[axis] = first;
    count[axis] = (end - first - 1) / step[axis] + 1;
    return graph_slice(layer->builder->f, x, start, count, step);
}

/* An input as a message names it: "main" [batch, 8, 8, 32] */
static const char *describe_input(const Layer *layer, int i)
{
    return arena_print(layer->builder->arena, "\"%s\" %s", layer->in_names[i],
                       layer_shape(layer, layer->in[i]));
}

Node *layer_concat(Layer *layer)
{
    int rank = layer->in[0]->type.rank;
    int64_t axis;
    if (!layer_axis(layer, rank, &axis))
        return NULL;
    for (int i = 1; i < layer->in_count; i++) {
        const TensorType *first = &layer->in[0]->type, *type = &layer->in[i]->type;
        bool fits = type->rank == rank;
        for (int d = 0; d < rank && fits; d++)
            fits = d == axis || type->dims[d] == first->dims[d];
        if (!fits)
            return layer_error(layer, "%s and %s differ in more than axis %lld",
                               describe_input(layer, 0), describe_input(layer, i), (long long)axis);
    }
    return graph_concat(layer->builder->f, layer->in_count, layer->in, axis);
}

/* Sizes must be equal, or 1 where one tensor is stretched to the other. */
static bool fits_elementwise(const TensorType *a, const TensorType *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++) {
        if (a->dims[i] != b->dims[i] && a->dims[i] != 1 && b->dims[i] != 1)
            return false;
    }
    return true;
}

static Node *combine(Layer *layer, Op op)
{
    Node *sum = layer->in[0];
    for (int i = 1; i < layer->in_count && sum; i++) {
        if (!fits_elementwise(&sum->type, &layer->in[i]->type))
            return layer_error(layer, "%s and %s have different shapes", describe_input(layer, 0),
                               describe_input(layer, i));
        sum = graph_binary(layer->builder->f, op, sum, layer->in[i]);
    }
    return sum;
}

Node *layer_add(Layer *layer)
{
    return combine(layer, OP_add);
}

Node *layer_multiply(Layer *layer)
{
    return combine(layer, OP_mul);
}

Node *layer_subtract(Layer *layer)
{
    if (layer->in_count != 2)
        return layer_error(layer, "takes two tensors, found %d", layer->in_count);
    return combine(layer, OP_sub);
}
