/* Convolutions and pooling; see spatial.h for the order of axes. */
#include "frontend/onnx/spatial.h"

#include <string.h>

Node *onnx_channels_last(OnnxOp *op, Node *x)
{
    return x ? onnx_move_axis(op, x, 1, x->type.rank - 1) : NULL;
}

Node *onnx_channels_first(OnnxOp *op, Node *x)
{
    return x ? onnx_move_axis(op, x, x->type.rank - 1, 1) : NULL;
}

Node *onnx_channel_vector(OnnxOp *op, Node *x, int rank)
{
    int64_t dims[RANK_LIMIT];
    for (int i = 0; i < rank; i++)
        dims[i] = 1;
    if (!x || x->type.rank != 1)
        return x ? onnx_error(op, "wants one number for each channel, not %d axes", x->type.rank)
                 : NULL;
    dims[0] = x->type.dims[0];
    return graph_reshape(op->f, x, rank - 1, dims);
}

/* ---- attributes ---- */

/* A list of `count` numbers, at least `least` each; all `otherwise` when it is not there. */
static bool numbers_of(OnnxOp *op, const char *key, int count, int64_t least, int64_t otherwise,
                       int64_t *values)
{
    const int64_t *list;
    int length;
    bool given = onnx_ints(op, key, &list, &length);
    for (int i = 0; i < count; i++)
        values[i] = otherwise;
    if (!given)
        return true;
    if (length != count)
        return onnx_error(op, "%s has %d numbers, but %d are needed", key, length, count);
    memcpy(values, list, (size_t)count * sizeof *list);
    for (int i = 0; i < count; i++)
        if (values[i] < least || values[i] > INT32_MAX)
            return onnx_error(op, "%s: %lld is no size", key, (long long)values[i]);
    return true;
}

/* SAME: as many outputs as strides fit into the input; the odd one goes after (UPPER) or before. */
static void pad_same(Spatial *s, const int64_t *sizes, const int64_t *lengths, bool upper)
{
    for (int i = 0; i < s->rank; i++) {
        int64_t outputs = (lengths[i] + s->stride[i] - 1) / s->stride[i];
        int64_t reach = (outputs - 1) * s->stride[i] + (sizes[i] - 1) * s->dilation[i] + 1;
        int64_t all = reach > lengths[i] ? reach - lengths[i] : 0;
        s->pad[2 * i] = upper ? all / 2 : all - all / 2;
        s->pad[2 * i + 1] = all - s->pad[2 * i];
    }
}

/* Padding after the end for a last window that starts inside of the padded input. */
static void pad_ceil(Spatial *s, const int64_t *sizes, const int64_t *lengths)
{
    for (int i = 0; i < s->rank; i++) {
        int64_t padded = lengths[i] + s->pad[2 * i] + s->pad[2 * i + 1];
        int64_t reach = (sizes[i] - 1) * s->dilation[i] + 1;
        if (padded < reach)
            continue;
        int64_t outputs = (padded - reach + s->stride[i] - 1) / s->stride[i] + 1;
        if ((outputs - 1) * s->stride[i] >= lengths[i] + s->pad[2 * i])
            outputs--; /* it would see nothing but padding */
        int64_t needed = (outputs - 1) * s->stride[i] + reach;
        if (needed > padded)
            s->pad[2 * i + 1] += needed - padded;
    }
}

bool onnx_spatial(OnnxOp *op, int rank, const int64_t *sizes, const int64_t *lengths, bool ceil,
                  Spatial *s)
{
    int64_t pads[6];
    *s = (Spatial){.rank = rank, .groups = 1};
    const char *way = onnx_text(op, "auto_pad", "NOTSET");
    if (rank < 1 || rank > 3)
        return onnx_error(op, "works along %d axes; 1 to 3 are supported", rank);
    if (!numbers_of(op, "strides", rank, 1, 1, s->stride) ||
        !numbers_of(op, "dilations", rank, 1, 1, s->dilation) ||
        !numbers_of(op, "pads", 2 * rank, 0, 0, pads))
        return false;
    memcpy(s->size, sizes, (size_t)rank * sizeof *sizes);
    for (int i = 0; i < rank; i++) {
        s->pad[2 * i] = pads[i];
        s->pad[2 * i + 1] = pads[rank + i];
    }
    if (strcmp(way, "SAME_UPPER") == 0 || strcmp(way, "SAME_LOWER") == 0)
        pad_same(s, sizes, lengths, strcmp(way, "SAME_UPPER") == 0);
    else if (strcmp(way, "VALID") == 0)
        memset(s->pad, 0, sizeof s->pad);
    else if (strcmp(way, "NOTSET") != 0)
        return onnx_error(op, "auto_pad is \"%s\", which is none", way);
    if (ceil)
        pad_ceil(s, sizes, lengths);
    return true;
}

/* ---- convolution ---- */

/* [M, C/group, k…] as [k…, C/group, M] */
static void filter_order(int rank, int64_t *order)
{
    for (int i = 0; i < rank; i++)
        order[i] = i + 2;
    order[rank] = 1;
    order[rank + 1] = 0;
}

void onnx_build_conv(OnnxOp *op)
{
    const TensorType *x = onnx_in_type(op, 0), *w = onnx_in_type(op, 1);
    if (!x || !w)
        return;
    int rank = x->rank - 2;
    if (rank < 1 || w->rank != x->rank) {
        onnx_error(op, "convolves %d axes with a filter of %d", x->rank, w->rank);
        return;
    }
    Spatial s;
    int64_t sizes[3], order[RANK_LIMIT];
    if (!numbers_of(op, "kernel_shape", rank, 1, 0, sizes))
        return;
    for (int i = 0; i < rank && i < 3; i++) {
        if (sizes[i] && sizes[i] != w->dims[i + 2]) {
            onnx_error(op, "kernel_shape says %lld along axis %d, but the filter is %lld long",
                       (long long)sizes[i], i, (long long)w->dims[i + 2]);
            return;
        }
        sizes[i] = w->dims[i + 2];
    }
    if (!onnx_spatial(op, rank, sizes, x->dims + 2, false, &s))
        return;
    s.groups = onnx_int(op, "group", 1);
    filter_order(rank, order);
    Node *y = graph_conv(op->f, onnx_channels_last(op, onnx_in(op, 0)),
                         onnx_in_ordered(op, 1, order), &s);
    if (y && onnx_has_in(op, 2))
        y = graph_add(op->f, y, onnx_in(op, 2));
    onnx_out(op, 0, onnx_channels_first(op, y));
}

/* ---- pooling ---- */

static bool pool_spatial(OnnxOp *op, const TensorType *x, Spatial *s)
{
    int64_t sizes[3];
    int rank = x->rank - 2;
    if (rank < 1 || rank > 3)
        return onnx_error(op, "pools a tensor of %d axes; 3 to 5 are supported", x->rank);
    return numbers_of(op, "kernel_shape", rank, 1, 1, sizes) &&
           onnx_spatial(op, rank, sizes, x->dims + 2, onnx_int(op, "ceil_mode", 0) != 0, s);
}

/* Where the largest elements are, as offsets into the whole input: row-major, or column-major
 * within an image with storage_order = 1. From the tap within each window. */
static Node *largest_places(OnnxOp *op, const TensorType *x, const Spatial *s, Node *taps)
{
    int rank = s->rank;
    Node *place = NULL;
    int64_t inner = 1, stride = 1;
    bool columns = onnx_int(op, "storage_order", 0) == 1;
    Node *rest = graph_cast(op->f, taps, TYPE_I64); /* [N, o…, C] */
    for (int i = rank - 1; i >= 0; i--) {
        Node *tap = graph_binary_scalar(op->f, OP_mod, rest, (double)s->size[i]);
        rest = graph_binary_scalar(op->f, OP_div, rest, (double)s->size[i]);
        Node *start = graph_iota(op->f, TYPE_I64, taps->type.rank, taps->type.dims, i + 1);
        start = graph_binary_scalar(op->f, OP_mul, start, (double)s->stride[i]);
        start = graph_binary_scalar(op->f, OP_sub, start, (double)s->pad[2 * i]);
        tap = graph_binary_scalar(op->f, OP_mul, tap, (double)s->dilation[i]);
        stride = inner;
        if (columns) {
            stride = 1;
            for (int j = 0; j < i; j++)
                stride *= x->dims[j + 2];
        }
        inner *= x->dims[i + 2];
        Node *part =
            graph_binary_scalar(op->f, OP_mul, graph_add(op->f, start, tap), (double)stride);
        place = place ? graph_add(op->f, place, part) : part;
    }
    Node *row = graph_iota(op->f, TYPE_I64, taps->type.rank, taps->type.dims, 0);
    Node *channel = graph_iota(op->f, TYPE_I64, taps->type.rank, taps->type.dims, rank + 1);
    Node *image =
        graph_add(op->f, graph_binary_scalar(op->f, OP_mul, row, (double)x->dims[1]), channel);
    return graph_add(op->f, place, graph_binary_scalar(op->f, OP_mul, image, (double)inner));
}

void onnx_build_max_pool(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    Node *x = onnx_in(op, 0);
    Spatial s;
    if (!x || !pool_spatial(op, type, &s))
        return;
    ElementType element = x->type.element;
    bool whole = !element_is_float(element);
    Node *last = onnx_channels_last(op, whole ? graph_cast(op->f, x, TYPE_F32) : x);
    Node *y = onnx_channels_first(op, graph_window(op->f, OP_window_max, last, &s));
    onnx_out(op, 0, whole ? graph_cast(op->f, y, element) : y);
    onnx_ignore(op, "storage_order");
    if (!onnx_wants(op, 1))
        return;
    Node *taps = graph_window(op->f, OP_window_argmax, last, &s);
    if (taps)
        onnx_out(op, 1, onnx_channels_first(op, largest_places(op, type, &s, taps)));
}

/* Sums divided by how many elements each window sees: all of it, or those inside of the input. */
void onnx_build_average_pool(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    Spatial s;
    if (!type || !pool_spatial(op, type, &s))
        return;
    bool padded_too = onnx_int(op, "count_include_pad", 0) != 0;
    Node *x = onnx_channels_last(op, onnx_in(op, 0));
    Node *sum = graph_window(op->f, OP_window_sum, x, &s);
    if (!sum)
        return;
    /* ones where elements count: with padding those of the attribute, without what ceil_mode adds
     */
    int64_t dims[RANK_LIMIT], before[RANK_LIMIT] = {0}, after[RANK_LIMIT] = {0};
    Spatial counting = s, given = s;
    dims[0] = dims[type->rank - 1] = 1;
    for (int i = 0; i < s.rank; i++)
        dims[i + 1] = type->dims[i + 2];
    if (padded_too && onnx_spatial(op, s.rank, s.size, type->dims + 2, false, &given))
        for (int i = 0; i < s.rank; i++) {
            before[i + 1] = given.pad[2 * i];
            after[i + 1] = given.pad[2 * i + 1];
            counting.pad[2 * i] -= given.pad[2 * i];
            counting.pad[2 * i + 1] -= given.pad[2 * i + 1];
        }
    Node *one = onnx_scalar(op, x->type.element, 1);
    Node *ones = graph_broadcast(op->f, one, type->rank, dims);
    if (padded_too)
        ones = graph_pad(op->f, ones, before, after, NULL, 1);
    Node *count = graph_window(op->f, OP_window_sum, ones, &counting);
    onnx_out(op, 0, onnx_channels_first(op, graph_div(op->f, sum, count)));
}

/* Over all axes behind the channels, which stay with length 1. */
void onnx_build_global_pool(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axes[RANK_LIMIT];
    if (!x)
        return;
    for (int i = 2; i < x->type.rank; i++)
        axes[i - 2] = i;
    bool mean = op->row->detail == OP_reduce_sum;
    onnx_out(op, 0,
             mean ? graph_mean(op->f, x, x->type.rank - 2, axes, true)
                  : graph_reduce(op->f, OP_reduce_max, x, x->type.rank - 2, axes, true));
}

/* ---- normalisation by known statistics ---- */

/* scale · (x − mean) / √(variance + epsilon) + shift, as one factor and one summand a channel */
void onnx_build_batch_normalization(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    onnx_ignore(op, "momentum spatial consumed_inputs");
    double epsilon = onnx_float(op, "epsilon", 1e-5);
    if (!x)
        return;
    if (onnx_int(op, "training_mode", 0) != 0) {
        onnx_error(op, "is in training mode, which is not supported yet");
        return;
    }
    Node *variance = graph_binary_scalar(op->f, OP_add, onnx_in(op, 4), epsilon);
    Node *factor = graph_mul(op->f, onnx_in(op, 1), graph_unary(op->f, OP_rsqrt, variance));
    Node *shift = graph_sub(op->f, onnx_in(op, 2), graph_mul(op->f, onnx_in(op, 3), factor));
    x = graph_mul(op->f, x, onnx_channel_vector(op, factor, x->type.rank));
    onnx_out(op, 0, graph_add(op->f, x, onnx_channel_vector(op, shift, x ? x->type.rank : 1)));
}
