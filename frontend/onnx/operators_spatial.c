/* Convolutions, and what windows share; see spatial.h for the order of axes. */
#include "frontend/onnx/spatial.h"

#include <string.h>

#include "base/checked.h"

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

bool onnx_numbers(OnnxOp *op, const char *key, int count, int64_t least, int64_t otherwise,
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
    if (!onnx_numbers(op, "strides", rank, 1, 1, s->stride) ||
        !onnx_numbers(op, "dilations", rank, 1, 1, s->dilation) ||
        !onnx_numbers(op, "pads", 2 * rank, 0, 0, pads))
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

/* The lengths of a filter [.., .., k…], which kernel_shape may say once more. */
static bool filter_sizes(OnnxOp *op, const TensorType *x, const TensorType *w, int64_t *sizes)
{
    int rank = x->rank - 2;
    if (rank < 1 || w->rank != x->rank)
        return onnx_error(op, "convolves %d axes with a filter of %d", x->rank, w->rank);
    if (rank > 3)
        return onnx_error(op, "works along %d axes; 1 to 3 are supported", rank);
    if (!onnx_numbers(op, "kernel_shape", rank, 1, 0, sizes))
        return false;
    for (int i = 0; i < rank; i++) {
        if (x->dims[i + 2] > INT32_MAX || w->dims[i + 2] > INT32_MAX)
            return onnx_error(op, "axis %d is too long", i + 2);
        if (sizes[i] && sizes[i] != w->dims[i + 2])
            return onnx_error(op,
                              "kernel_shape says %lld along axis %d, but the filter is %lld long",
                              (long long)sizes[i], i, (long long)w->dims[i + 2]);
        sizes[i] = w->dims[i + 2];
    }
    return true;
}

bool onnx_conv_spatial(OnnxOp *op, int input, int filter, Spatial *s, int64_t *order)
{
    const TensorType *x = onnx_in_type(op, input), *w = onnx_in_type(op, filter);
    int64_t sizes[3];
    if (!x || !w || !filter_sizes(op, x, w, sizes) ||
        !onnx_spatial(op, x->rank - 2, sizes, x->dims + 2, false, s))
        return false;
    s->groups = onnx_int(op, "group", 1);
    filter_order(s->rank, order);
    return true;
}

Node *onnx_conv(OnnxOp *op)
{
    const TensorType *x = onnx_in_type(op, 0), *w = onnx_in_type(op, 1);
    Spatial s;
    int64_t sizes[3], order[RANK_LIMIT];
    if (!x || !w || !filter_sizes(op, x, w, sizes) ||
        !onnx_spatial(op, x->rank - 2, sizes, x->dims + 2, false, &s))
        return NULL;
    s.groups = onnx_int(op, "group", 1);
    filter_order(s.rank, order);
    Node *y = graph_conv(op->f, onnx_channels_last(op, onnx_in(op, 0)),
                         onnx_in_ordered(op, 1, order), &s);
    return y && onnx_has_in(op, 2) ? graph_add(op->f, y, onnx_in(op, 2)) : y;
}

void onnx_build_conv(OnnxOp *op)
{
    onnx_out(op, 0, onnx_channels_first(op, onnx_conv(op)));
}

/* ---- the other way ---- */

/* Where an axis of a transposed convolution goes: `length` results, of which `beyond` lie behind
 * all that a tap reaches. */
typedef struct Spread {
    int64_t length, beyond;
} Spread;

/* Padding for a result of a given length: half of what has to go on each side, the odd one after it
 * (UPPER) or before it. */
static void pad_spread(Spatial *s, int i, int64_t reach, int64_t length, bool upper)
{
    int64_t all = reach > length ? reach - length : 0;
    s->pad[2 * i] = upper ? all / 2 : all - all / 2;
    s->pad[2 * i + 1] = all - s->pad[2 * i];
}

/* The lengths output_shape asks for; -1 where it asks for none. Some exporters put batch and
 * channels in front. */
static bool wanted_lengths(OnnxOp *op, int rank, int64_t *lengths)
{
    const int64_t *list;
    int count;
    for (int i = 0; i < rank; i++)
        lengths[i] = -1;
    if (!onnx_ints(op, "output_shape", &list, &count) || count == 0)
        return true;
    if (count != rank && count != rank + 2)
        return onnx_error(op, "output_shape has %d numbers, but %d are needed", count, rank);
    for (int i = 0; i < rank; i++) {
        lengths[i] = list[count - rank + i];
        if (lengths[i] < 1 || lengths[i] > INT32_MAX)
            return onnx_error(op, "output_shape: %lld is no size", (long long)lengths[i]);
    }
    return true;
}

static bool spread_spatial(OnnxOp *op, const TensorType *x, const int64_t *sizes, Spatial *s,
                           Spread *spread)
{
    int rank = x->rank - 2;
    int64_t pads[6], more[3], wanted[3];
    const char *way = onnx_text(op, "auto_pad", "NOTSET");
    bool upper = strcmp(way, "SAME_UPPER") == 0, same = upper || strcmp(way, "SAME_LOWER") == 0;
    *s = (Spatial){.rank = rank, .groups = onnx_int(op, "group", 1)};
    if (!same && strcmp(way, "NOTSET") != 0 && strcmp(way, "VALID") != 0)
        return onnx_error(op, "auto_pad is \"%s\", which is none", way);
    if (!onnx_numbers(op, "strides", rank, 1, 1, s->stride) ||
        !onnx_numbers(op, "dilations", rank, 1, 1, s->dilation) ||
        !onnx_numbers(op, "pads", 2 * rank, 0, 0, pads) ||
        !onnx_numbers(op, "output_padding", rank, 0, 0, more) || !wanted_lengths(op, rank, wanted))
        return false;
    for (int i = 0; i < rank; i++) {
        int64_t full = s->stride[i] * (x->dims[i + 2] - 1) + (sizes[i] - 1) * s->dilation[i] + 1;
        if (wanted[i] < 0 && same)
            wanted[i] = x->dims[i + 2] * s->stride[i];
        if (wanted[i] >= 0) {
            pad_spread(s, i, full + more[i], wanted[i], upper);
        } else if (strcmp(way, "NOTSET") == 0) {
            s->pad[2 * i] = pads[i];
            s->pad[2 * i + 1] = pads[rank + i];
        }
        int64_t reached = full - s->pad[2 * i] - s->pad[2 * i + 1];
        int64_t length = wanted[i] >= 0 ? wanted[i] : reached + more[i];
        if (length < 1)
            return onnx_error(op, "its pads leave nothing of axis %d", i);
        spread[i].beyond = length - reached < s->stride[i] ? 0 : length - reached;
        spread[i].length = length - spread[i].beyond;
    }
    return true;
}

static Node *pad_beyond(OnnxOp *op, Node *y, int rank, const Spread *spread)
{
    int64_t before[RANK_LIMIT] = {0}, after[RANK_LIMIT] = {0}, all = 0;
    for (int i = 0; i < rank; i++)
        all += after[i + 1] = spread[i].beyond;
    return all ? graph_pad(op->f, y, before, after, NULL, 0) : y;
}

/* The adjoint of a convolution that takes the result to the input. W: [C, M/group, k…]. */
void onnx_build_conv_transpose(OnnxOp *op)
{
    const TensorType *x = onnx_in_type(op, 0), *w = onnx_in_type(op, 1);
    int64_t sizes[3], order[RANK_LIMIT];
    Spatial s;
    Spread spread[3];
    if (!x || !w || !filter_sizes(op, x, w, sizes) || !spread_spatial(op, x, sizes, &s, spread))
        return;
    if (s.groups < 1 || s.groups > x->dims[1]) {
        onnx_error(op, "group is %lld, with %lld channels", (long long)s.groups,
                   (long long)x->dims[1]);
        return;
    }
    TensorType result = *x;
    for (int i = 0; i < s.rank; i++)
        result.dims[i + 1] = spread[i].length;
    if (!checked_multiply(w->dims[1], s.groups, &result.dims[s.rank + 1])) {
        onnx_error(op, "makes too many channels in %lld groups", (long long)s.groups);
        return;
    }
    filter_order(s.rank, order);
    Node *y = graph_conv_transpose(op->f, onnx_channels_last(op, onnx_in(op, 0)),
                                   onnx_in_ordered(op, 1, order), &s, &result);
    y = pad_beyond(op, y, s.rank, spread);
    if (y && onnx_has_in(op, 2))
        y = graph_add(op->f, y, onnx_in(op, 2));
    onnx_out(op, 0, onnx_channels_first(op, y));
}

/* ---- blocks into an image ---- */

typedef struct Blocks { /* blocks of `size` that stood at `count` places along each axis */
    Spatial s;
    int64_t count[3], image[3], padded[3];
} Blocks;

static bool read_blocks(OnnxOp *op, const TensorType *x, Blocks *b)
{
    const int64_t *image, *block;
    int rank, other;
    int64_t pads[6], places = 1, taps = 1;
    if (!onnx_in_integers(op, 1, "image_shape", &image, &rank) ||
        !onnx_in_integers(op, 2, "block_shape", &block, &other))
        return false;
    if (rank != other || rank < 1 || rank > 3 || x->rank != 3)
        return onnx_error(op, "makes images of %d axes from blocks of %d; 1 to 3 are supported",
                          rank, other);
    b->s = (Spatial){.rank = rank};
    if (!onnx_numbers(op, "strides", rank, 1, 1, b->s.stride) ||
        !onnx_numbers(op, "dilations", rank, 1, 1, b->s.dilation) ||
        !onnx_numbers(op, "pads", 2 * rank, 0, 0, pads))
        return false;
    for (int i = 0; i < rank; i++) {
        if (image[i] < 1 || block[i] < 1 || image[i] > INT32_MAX || block[i] > INT32_MAX)
            return onnx_error(op, "has an image of %lld and blocks of %lld along axis %d",
                              (long long)image[i], (long long)block[i], i);
        b->image[i] = image[i];
        b->s.size[i] = block[i];
        b->s.pad[2 * i] = pads[i];
        b->padded[i] = image[i] + pads[i] + pads[rank + i];
        int64_t reach = (block[i] - 1) * b->s.dilation[i] + 1;
        b->count[i] = b->padded[i] < reach ? 0 : (b->padded[i] - reach) / b->s.stride[i] + 1;
        if (!checked_multiply(places, b->count[i], &places) ||
            !checked_multiply(taps, block[i], &taps))
            return onnx_error(op, "its blocks are too many");
    }
    return (places == x->dims[2] && x->dims[1] % taps == 0) ||
           onnx_error(op,
                      "its blocks stand at %lld places and have %lld elements, but there are "
                      "%lld and %lld",
                      (long long)places, (long long)taps, (long long)x->dims[2],
                      (long long)x->dims[1]);
}

/* Where each element of each block goes in the padded image: [k…, n…] */
static Node *block_rows(OnnxOp *op, const Blocks *b)
{
    int rank = b->s.rank;
    int64_t dims[6], stride = 1;
    Node *rows = NULL;
    for (int i = 0; i < rank; i++) {
        dims[i] = b->s.size[i];
        dims[rank + i] = b->count[i];
    }
    for (int i = rank - 1; i >= 0; i--) {
        Node *tap = graph_iota(op->f, TYPE_I32, 2 * rank, dims, i);
        Node *place = graph_iota(op->f, TYPE_I32, 2 * rank, dims, rank + i);
        tap = graph_binary_scalar(op->f, OP_mul, tap, (double)(b->s.dilation[i] * stride));
        place = graph_binary_scalar(op->f, OP_mul, place, (double)(b->s.stride[i] * stride));
        Node *part = graph_add(op->f, tap, place);
        rows = rows ? graph_add(op->f, rows, part) : part;
        if (!checked_multiply(stride, b->padded[i], &stride) || stride > INT32_MAX)
            return onnx_error(op, "its image is too large");
    }
    return rows;
}

/* [N, C·k…, n…] as [k…, n…, N, C]: rows of the image are pixels, with all channels. */
static Node *block_pixels(OnnxOp *op, Node *x, const Blocks *b, int64_t channels)
{
    int rank = b->s.rank;
    int64_t dims[RANK_LIMIT] = {x->type.dims[0], channels}, order[RANK_LIMIT];
    for (int i = 0; i < rank; i++) {
        dims[2 + i] = b->s.size[i];
        dims[2 + rank + i] = b->count[i];
    }
    for (int i = 0; i < 2 * rank; i++)
        order[i] = i + 2;
    order[2 * rank] = 0;
    order[2 * rank + 1] = 1;
    return graph_transpose(op->f, graph_reshape(op->f, x, 2 * rank + 2, dims), order);
}

/* What blocks have in common adds up. */
void onnx_build_col2im(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Blocks b;
    if (!x || !read_blocks(op, &x->type, &b))
        return;
    int rank = b.s.rank;
    int64_t taps = 1, pixels = 1, dims[RANK_LIMIT], start[RANK_LIMIT] = {0}, order[RANK_LIMIT];
    for (int i = 0; i < rank; i++) {
        taps *= b.s.size[i];
        pixels *= b.padded[i];
    }
    int64_t channels = x->type.dims[1] / taps, table[] = {pixels, x->type.dims[0], channels};
    Node *y =
        graph_scatter_add(op->f, block_pixels(op, x, &b, channels), block_rows(op, &b), 3, table);
    for (int i = 0; i < rank; i++) {
        dims[i] = b.padded[i];
        start[i] = b.s.pad[2 * i];
        order[i + 2] = i;
    }
    dims[rank] = x->type.dims[0];
    dims[rank + 1] = channels;
    order[0] = rank;
    order[1] = rank + 1;
    y = graph_reshape(op->f, y, rank + 2, dims);
    for (int i = 0; i < rank; i++)
        dims[i] = b.image[i];
    y = graph_slice(op->f, y, start, dims, NULL);
    onnx_out(op, 0, graph_transpose(op->f, y, order));
}
