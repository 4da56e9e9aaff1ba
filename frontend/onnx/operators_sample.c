/* Operators that look at images between their elements: at points that are given, in regions, and
 * beside the taps of a convolution. */
#include <string.h>

#include "frontend/onnx/sample.h"
#include "frontend/onnx/spatial.h"

enum { PLACE_LIMIT = 1 << 24 }; /* of a filter that is deformed */

/* 0 … count-1 along axis `axis` of `rank` axes that are 1 long else, times factor, plus summand. */
static Node *ramp(OnnxOp *op, ElementType element, int rank, int axis, int64_t count, double factor,
                  double summand)
{
    int64_t dims[RANK_LIMIT];
    for (int i = 0; i < rank; i++)
        dims[i] = i == axis ? count : 1;
    Node *x = graph_iota(op->f, element, rank, dims, axis);
    if (factor != 1)
        x = graph_binary_scalar(op->f, OP_mul, x, factor);
    return summand != 0 ? graph_binary_scalar(op->f, OP_add, x, summand) : x;
}

/* Element i of the last axis, which goes. */
static Node *component(OnnxOp *op, Node *x, int64_t i)
{
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT];
    if (!x)
        return NULL;
    int rank = x->type.rank;
    memcpy(count, x->type.dims, sizeof count);
    start[rank - 1] = i;
    count[rank - 1] = 1;
    return graph_reshape(op->f, graph_slice(op->f, x, start, count, NULL), rank - 1, x->type.dims);
}

/* ---- points that are given ---- */

static void grid_attributes(OnnxOp *op, bool aligned, Image *image)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", "", "bilinear", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    int mode = onnx_word(op, "mode", op->opset < 20 ? "bilinear" : "linear", modes, 6);
    image->interpolation = (Interpolation)(mode % 3);
    int padding = onnx_word(op, "padding_mode", "zeros", paddings, 3);
    image->outside = padding == 2 && !aligned ? OUTSIDE_REFLECT_EDGES : (Outside)padding;
}

/* -1 and 1 are the centres of the outermost elements, or their outer edges. */
static Node *denormalized(OnnxOp *op, Node *x, int64_t length, bool aligned)
{
    double half = aligned ? (double)(length - 1) / 2 : (double)length / 2;
    x = graph_binary_scalar(op->f, OP_mul, x, half);
    return graph_binary_scalar(op->f, OP_add, x, (double)(length - 1) / 2);
}

void onnx_build_grid_sample(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *grid = onnx_in(op, 1), *at[3];
    bool aligned = onnx_int(op, "align_corners", 0) != 0;
    Image image;
    if (!x || !grid)
        return;
    ElementType element = x->type.element, wide = element == TYPE_F64 ? TYPE_F64 : TYPE_F32;
    int rank = x->type.rank - 2;
    if (rank < 1 || grid->type.rank != rank + 2 || grid->type.dims[rank + 1] != rank ||
        grid->type.dims[0] != x->type.dims[0]) {
        onnx_error(op,
                   "its grid must have %d axes, %d numbers along the last one, and as many "
                   "images as there are",
                   x->type.rank, rank);
        return;
    }
    if (!onnx_image(op, onnx_channels_last(op, graph_cast(op->f, x, wide)), 1, &image))
        return;
    grid_attributes(op, aligned, &image);
    grid = graph_cast(op->f, grid, wide);
    for (int i = 0; i < rank; i++)
        at[i] = denormalized(op, component(op, grid, rank - 1 - i), image.length[i], aligned);
    Node *picture = ramp(op, TYPE_I32, rank + 1, 0, x->type.dims[0], 1, 0);
    Node *y = onnx_sample(op, &image, at, picture, NULL);
    onnx_out(op, 0, onnx_channels_first(op, graph_cast(op->f, y, element)));
}

/* From -1 to 1, along axis i of the result [N, …, coordinates] */
static Node *positions(OnnxOp *op, ElementType element, int rank, int i, int64_t count,
                       bool aligned)
{
    double n = (double)count;
    if (!aligned)
        return ramp(op, element, rank, i, count, 2 / n, 1 / n - 1);
    return count > 1 ? ramp(op, element, rank, i, count, 2 / (n - 1), -1)
                     : ramp(op, element, rank, i, count, 0, 0);
}

/* theta [N, r, r+1] times (…, y, x, 1), for every point */
void onnx_build_affine_grid(OnnxOp *op)
{
    Node *theta = onnx_in(op, 0), *y = NULL;
    bool aligned = onnx_int(op, "align_corners", 0) != 0;
    const int64_t *size;
    int count;
    if (!theta || !onnx_in_integers(op, 1, "size", &size, &count))
        return;
    int rank = count - 2;
    if ((rank != 2 && rank != 3) || theta->type.rank != 3 || theta->type.dims[1] != rank ||
        theta->type.dims[2] != rank + 1) {
        onnx_error(op, "takes two axes more than theta [N, 2, 3] or [N, 3, 4] turns");
        return;
    }
    int64_t dims[RANK_LIMIT] = {theta->type.dims[0], 1, 1, 1, 1};
    dims[rank + 1] = rank;
    for (int i = 0; i <= rank; i++) {
        Node *factor = graph_reshape(op->f, component(op, theta, i), rank + 2, dims);
        if (i < rank && (size[count - 1 - i] < 1 || size[count - 1 - i] > INT32_MAX)) {
            onnx_error(op, "makes a grid %lld long", (long long)size[count - 1 - i]);
            return;
        }
        if (i < rank)
            factor = graph_mul(op->f, factor,
                               positions(op, theta->type.element, rank + 2, rank - i,
                                         size[count - 1 - i], aligned));
        y = y ? graph_add(op->f, y, factor) : factor;
    }
    onnx_out(op, 0, y);
}

/* ---- beside the taps of a convolution ---- */

typedef struct Deform {
    Spatial s;
    int64_t parts, taps, places; /* groups of offsets; elements of the filter; of the result */
    int64_t out[3];
} Deform;

static bool read_deform(OnnxOp *op, const TensorType *x, const TensorType *w,
                        const TensorType *offset, Deform *d)
{
    int rank = x->rank - 2;
    int64_t sizes[3], shape[3];
    *d = (Deform){.parts = onnx_int(op, "offset_group", 1), .taps = 1, .places = 1};
    if (rank < 1 || rank > 3 || w->rank != x->rank || offset->rank != x->rank)
        return onnx_error(op, "convolves %d axes with a filter of %d and offsets of %d", x->rank,
                          w->rank, offset->rank);
    if (!onnx_numbers(op, "kernel_shape", rank, 1, 0, shape))
        return false;
    for (int i = 0; i < rank; i++) {
        sizes[i] = w->dims[i + 2];
        d->out[i] = offset->dims[i + 2];
        if (x->dims[i + 2] > INT32_MAX || sizes[i] > INT32_MAX ||
            (shape[i] && shape[i] != sizes[i]))
            return onnx_error(op, "its filter is %lld long along axis %d", (long long)sizes[i], i);
        d->taps *= sizes[i];
        d->places *= d->out[i];
    }
    if (!onnx_spatial(op, rank, sizes, x->dims + 2, false, &d->s))
        return false;
    for (int i = 0; i < rank; i++) {
        int64_t reach = (sizes[i] - 1) * d->s.dilation[i] + 1;
        int64_t padded = x->dims[i + 2] + d->s.pad[2 * i] + d->s.pad[2 * i + 1];
        if (padded < reach || (padded - reach) / d->s.stride[i] + 1 != d->out[i])
            return onnx_error(op,
                              "its offsets are %lld long along axis %d, where the result is not",
                              (long long)d->out[i], i);
    }
    d->s.groups = onnx_int(op, "group", 1);
    if (d->places > PLACE_LIMIT)
        return onnx_error(op, "its result has %lld places, %d are the most", (long long)d->places,
                          PLACE_LIMIT);
    if (d->parts < 1 || d->parts > offset->dims[1] || offset->dims[0] != x->dims[0] ||
        offset->dims[1] / d->parts / rank != d->taps || offset->dims[1] % (d->parts * rank) != 0)
        return onnx_error(op, "has %lld offsets in %lld groups for a filter of %lld elements",
                          (long long)offset->dims[1], (long long)d->parts, (long long)d->taps);
    return true;
}

/* Where a tap stands without its offset, in two lists: for each place, and for each tap. */
static Node *undisturbed(OnnxOp *op, const Deform *d, int axis, ElementType element, bool of_taps)
{
    int64_t count = of_taps ? d->taps : d->places, behind = 1;
    const int64_t *lengths = of_taps ? d->s.size : d->out;
    double *values = ARENA_ARRAY(op->arena, double, count);
    for (int i = axis + 1; i < d->s.rank; i++)
        behind *= lengths[i];
    for (int64_t i = 0; i < count; i++) {
        int64_t at = i / behind % lengths[axis];
        values[i] = of_taps ? (double)(at * d->s.dilation[axis])
                            : (double)(at * d->s.stride[axis] - d->s.pad[2 * axis]);
    }
    int64_t dims[] = {count, 1, 1};
    if (of_taps) {
        dims[0] = count;
        dims[1] = 1;
    }
    TensorType type = type_make(element, of_taps ? 2 : 3, dims);
    if (element == TYPE_F64)
        return graph_constant(op->f, type, values);
    float *narrow = ARENA_ARRAY(op->arena, float, count);
    for (int64_t i = 0; i < count; i++)
        narrow[i] = (float)values[i];
    return graph_constant(op->f, type, narrow);
}

/* [N, parts·taps·each, o…] as [N, places, taps, parts], number `which` of each */
static Node *per_place(OnnxOp *op, Node *x, const Deform *d, int64_t each, int64_t which)
{
    static const int64_t order[] = {0, 4, 2, 1, 3};
    if (!x)
        return NULL;
    int64_t dims[] = {x->type.dims[0], d->parts, d->taps, each, d->places};
    x = graph_transpose(op->f, graph_reshape(op->f, x, 5, dims), order);
    return component(op, x, which);
}

/* The columns [N, places, taps, C] that a filter of one row reads. */
static Node *deformed_columns(OnnxOp *op, const Deform *d, Node *x, Node *offset, Node *mask)
{
    Image image;
    Node *at[3];
    int64_t images = x->type.dims[0], channels = x->type.dims[1];
    if (!onnx_image(op, onnx_channels_last(op, x), d->parts, &image))
        return NULL;
    image.interpolation = SAMPLE_LINEAR;
    for (int i = 0; i < d->s.rank; i++) {
        at[i] = per_place(op, offset, d, d->s.rank, i);
        at[i] = graph_add(op->f, at[i], undisturbed(op, d, i, x->type.element, false));
        at[i] = graph_add(op->f, at[i], undisturbed(op, d, i, x->type.element, true));
    }
    Node *picture = ramp(op, TYPE_I32, 4, 0, images, 1, 0);
    Node *part = d->parts > 1 ? ramp(op, TYPE_I32, 4, 3, d->parts, 1, 0) : NULL;
    Node *y = onnx_sample(op, &image, at, picture, part); /* [N, places, taps, parts, C/parts] */
    if (mask) {
        int64_t dims[] = {images, d->places, d->taps, d->parts, 1};
        y = graph_mul(op->f, y, graph_reshape(op->f, per_place(op, mask, d, 1, 0), 5, dims));
    }
    return graph_reshape(op->f, y, 4, (int64_t[]){images, d->places, d->taps, channels});
}

void onnx_build_deform_conv(OnnxOp *op)
{
    const TensorType *w = onnx_in_type(op, 1);
    Node *x = onnx_in(op, 0), *offset = onnx_in(op, 2), *mask = onnx_in(op, 4);
    Deform d;
    if (!x || !w || !offset || !read_deform(op, &x->type, w, &offset->type, &d))
        return;
    int rank = d.s.rank;
    int64_t order[RANK_LIMIT], dims[RANK_LIMIT];
    if (mask && type_elements(&mask->type) != x->type.dims[0] * d.parts * d.taps * d.places) {
        onnx_error(op, "its mask must have one number for each place and tap");
        return;
    }
    for (int i = 0; i < rank; i++) {
        order[i] = i + 2;
        dims[i + 1] = d.out[i];
    }
    order[rank] = 1;
    order[rank + 1] = 0;
    Node *filter = graph_reshape(op->f, onnx_in_ordered(op, 1, order), 4,
                                 (int64_t[]){1, d.taps, w->dims[1], w->dims[0]});
    Spatial row = {.rank = 2, .stride = {1, 1}, .dilation = {1, 1}, .groups = d.s.groups};
    Node *y = graph_conv(op->f, deformed_columns(op, &d, x, offset, mask), filter, &row);
    if (y && onnx_has_in(op, 3))
        y = graph_add(op->f, y, onnx_in(op, 3));
    dims[0] = x->type.dims[0];
    dims[rank + 1] = w->dims[0];
    onnx_out(op, 0, onnx_channels_first(op, graph_reshape(op->f, y, rank + 2, dims)));
}
