/* Regions of an image, each made into bins.
 *
 * RoiAlign takes the mean of some points in each bin. Where their number is given, they are
 * sampled. Where it depends on the size of the region, the mean is a product: how much row h of the
 * image has to do with row p of bins is one matrix, and columns have another one,
 *
 *     y[p,q] = Σ_h Σ_w  rows[p,h] · x[h,w] · columns[q,w]
 *
 * so that no number of points has to be known. */
#include <math.h>

#include "frontend/onnx/sample.h"
#include "frontend/onnx/spatial.h"

typedef struct Regions {
    Node *x;        /* [N, H, W, C] */
    Node *picture;  /* i32[R] */
    Node *start[2]; /* y and x: [R] */
    Node *bin[2];   /* length of a bin */
    int64_t count, bins[2];
    int64_t samples; /* along each side of a bin; 0: as many as its length */
} Regions;

/* [R] with axes of 1 behind, as many as make `rank` */
static Node *per_region(OnnxOp *op, Node *x, int rank)
{
    int64_t dims[RANK_LIMIT];
    if (!x)
        return NULL;
    dims[0] = x->type.dims[0];
    for (int i = 1; i < rank; i++)
        dims[i] = 1;
    return graph_reshape(op->f, x, rank, dims);
}

/* 0, 1 … along one of `rank` axes */
static Node *numbered(OnnxOp *op, ElementType element, int rank, int axis, int64_t count)
{
    int64_t dims[RANK_LIMIT];
    for (int i = 0; i < rank; i++)
        dims[i] = i == axis ? count : 1;
    return graph_iota(op->f, element, rank, dims, axis);
}

/* Column i of rois [R, …] */
static Node *corner(OnnxOp *op, Node *rois, int64_t i)
{
    int64_t count = rois->type.dims[0], start[] = {0, i}, dims[] = {count, 1};
    return graph_reshape(op->f, graph_slice(op->f, rois, start, dims, NULL), 1, &count);
}

static bool read_bins(OnnxOp *op, Regions *r, int64_t rows, int64_t columns)
{
    r->bins[0] = rows;
    r->bins[1] = columns;
    return (rows >= 1 && columns >= 1 && rows <= INT16_MAX && columns <= INT16_MAX) ||
           onnx_error(op, "makes %lld × %lld bins", (long long)rows, (long long)columns);
}

static bool check_regions(OnnxOp *op, const Node *x, const Node *rois, int64_t numbers)
{
    if (x->type.rank != 4 || rois->type.rank != 2 || rois->type.dims[1] != numbers)
        return onnx_error(op, "takes images [N, C, H, W] and regions [R, %lld]",
                          (long long)numbers);
    return type_elements(&x->type) > 0 || onnx_error(op, "its images are empty");
}

/* ---- points ---- */

static Node *clamp(OnnxOp *op, Node *x, double least, double most)
{
    x = graph_binary_scalar(op->f, OP_max, x, least);
    return graph_binary_scalar(op->f, OP_min, x, most);
}

/* Points further than one element outside count as nought. */
static Node *is_near(OnnxOp *op, Node *at, int64_t length)
{
    return graph_binary(op->f, OP_and, graph_binary_scalar(op->f, OP_ge, at, -1),
                        graph_binary_scalar(op->f, OP_le, at, (double)length));
}

/* All points of all bins, along one side: [R, P, S, 1, 1] or [R, 1, 1, Q, S] */
static Node *points(OnnxOp *op, const Regions *r, int side)
{
    ElementType element = r->x->type.element;
    int axis = 1 + 2 * side;
    Node *place = numbered(op, element, 5, axis + 1, r->samples);
    place = graph_binary_scalar(op->f, OP_add, place, 0.5);
    place = graph_binary_scalar(op->f, OP_mul, place, 1 / (double)r->samples);
    place = graph_add(op->f, numbered(op, element, 5, axis, r->bins[side]), place);
    place = graph_mul(op->f, place, per_region(op, r->bin[side], 5));
    return graph_add(op->f, place, per_region(op, r->start[side], 5));
}

static Node *sampled(OnnxOp *op, const Regions *r, bool largest)
{
    static const int64_t axes[] = {2, 4};
    Image image;
    Node *at[2], *near = NULL;
    if (!onnx_image(op, r->x, 1, &image))
        return NULL;
    image.interpolation = SAMPLE_LINEAR;
    image.outside = OUTSIDE_BORDER;
    image.largest = largest;
    for (int i = 0; i < 2; i++) {
        at[i] = points(op, r, i);
        Node *inside = is_near(op, at[i], image.length[i]);
        near = near ? graph_binary(op->f, OP_and, near, inside) : inside;
    }
    Node *y = onnx_sample(op, &image, at, per_region(op, r->picture, 5), NULL);
    if (!y || !near)
        return NULL;
    int64_t dims[RANK_LIMIT];
    for (int i = 0; i < 5; i++)
        dims[i] = near->type.dims[i];
    dims[5] = 1;
    y = graph_select(op->f, graph_reshape(op->f, near, 6, dims), y,
                     onnx_scalar(op, r->x->type.element, 0));
    return largest ? graph_reduce(op->f, OP_reduce_max, y, 2, axes, false)
                   : graph_mean(op->f, y, 2, axes, false);
}

/* ---- products ---- */

/* What each element along one side has to do with each bin: [R, bins, length]. A bin's points are
 * less than one element and at least half of one apart, where there are several: those inside of
 * the image are no more than twice its length, whatever the region. */
static Node *side_matrix(OnnxOp *op, const Regions *r, int side)
{
    static const int64_t of_points[] = {2};
    ElementType element = r->x->type.element;
    int64_t length = r->x->type.dims[1 + side], most = 2 * length + 4;
    Node *bin = per_region(op, r->bin[side], 4);
    Node *count = graph_unary(op->f, OP_ceil, bin);
    Node *some = graph_binary_scalar(op->f, OP_max, count, 1);
    Node *apart = graph_div(op->f, bin, some);
    Node *start = graph_mul(op->f, numbered(op, element, 4, 1, r->bins[side]), bin);
    start = graph_add(op->f, start, per_region(op, r->start[side], 4));
    /* the first point that may be inside */
    Node *first = graph_div(
        op->f, graph_binary_scalar(op->f, OP_sub, graph_unary(op->f, OP_neg, start), 1), apart);
    first = graph_unary(op->f, OP_floor, graph_binary_scalar(op->f, OP_sub, first, 0.5));
    Node *several = graph_binary_scalar(op->f, OP_gt, count, 1);
    Node *nought = onnx_scalar(op, element, 0);
    first = graph_select(op->f, several, graph_binary(op->f, OP_max, first, nought), nought);
    Node *number = graph_add(op->f, numbered(op, element, 4, 2, most), first);
    Node *at = graph_mul(op->f, graph_binary_scalar(op->f, OP_add, number, 0.5), apart);
    at = graph_add(op->f, at, start);
    Node *counts = graph_binary(op->f, OP_and, is_near(op, at, length),
                                graph_binary(op->f, OP_lt, number, count));
    at = clamp(op, at, 0, (double)(length - 1));
    Node *far = graph_sub(op->f, at, numbered(op, element, 4, 3, length));
    Node *weight = graph_unary(op->f, OP_neg, graph_unary(op->f, OP_abs, far));
    weight = graph_binary_scalar(op->f, OP_max, graph_binary_scalar(op->f, OP_add, weight, 1), 0);
    weight = graph_select(op->f, counts, weight, nought);
    Node *sum = graph_reduce(op->f, OP_reduce_sum, weight, 1, of_points, true);
    sum = graph_div(op->f, sum, some);
    return graph_reshape(op->f, sum, 3, (int64_t[]){r->count, r->bins[side], length});
}

/* Of several images the rows of all are one side, and a region has to do with those of its own. */
static Node *own_rows(OnnxOp *op, const Regions *r, Node *rows)
{
    int64_t images = r->x->type.dims[0], length = r->x->type.dims[1];
    if (images == 1)
        return rows;
    Node *own = graph_binary(op->f, OP_eq, per_region(op, r->picture, 4),
                             numbered(op, TYPE_I32, 4, 2, images));
    rows = graph_reshape(op->f, rows, 4, (int64_t[]){r->count, r->bins[0], 1, length});
    rows = graph_mul(op->f, rows, graph_cast(op->f, own, r->x->type.element));
    return graph_reshape(op->f, rows, 3, (int64_t[]){r->count, r->bins[0], images * length});
}

static Node *weighed(OnnxOp *op, const Regions *r)
{
    const int64_t *d = r->x->type.dims;
    Node *rows = own_rows(op, r, side_matrix(op, r, 0)), *columns = side_matrix(op, r, 1);
    rows = graph_reshape(op->f, rows, 2, (int64_t[]){r->count * r->bins[0], d[0] * d[1]});
    columns = graph_reshape(op->f, columns, 4, (int64_t[]){r->count, 1, r->bins[1], d[2]});
    Node *x = graph_reshape(op->f, r->x, 2, (int64_t[]){d[0] * d[1], d[2] * d[3]});
    x = graph_reshape(op->f, graph_matmul(op->f, rows, x), 4,
                      (int64_t[]){r->count, r->bins[0], d[2], d[3]});
    return graph_matmul(op->f, columns, x);
}

/* ---- operators ---- */

/* Version 10 has the pixels' corners where versions from 16 on have their centres. */
static bool read_align(OnnxOp *op, Node *rois, Regions *r)
{
    static const char *const modes[] = {"half_pixel", "output_half_pixel"};
    int mode =
        op->opset < 16 ? 1 : onnx_word(op, "coordinate_transformation_mode", modes[0], modes, 2);
    double scale = onnx_float(op, "spatial_scale", 1);
    r->count = rois->type.dims[0];
    r->samples = onnx_int(op, "sampling_ratio", 0);
    if (op->failed ||
        !read_bins(op, r, onnx_int(op, "output_height", 1), onnx_int(op, "output_width", 1)))
        return false;
    if (r->samples < 0 || r->samples > INT16_MAX)
        return onnx_error(op, "sampling_ratio is %lld", (long long)r->samples);
    for (int i = 0; i < 2; i++) {
        Node *start = corner(op, rois, 1 - i), *end = corner(op, rois, 3 - i);
        start = graph_binary_scalar(op->f, OP_mul, start, scale);
        end = graph_binary_scalar(op->f, OP_mul, end, scale);
        Node *length = graph_sub(op->f, end, start);
        if (mode == 1)
            length = graph_binary_scalar(op->f, OP_max, length, 1);
        r->start[i] = mode == 1 ? start : graph_binary_scalar(op->f, OP_sub, start, 0.5);
        r->bin[i] = graph_binary_scalar(op->f, OP_div, length, (double)r->bins[i]);
    }
    return true;
}

void onnx_build_roi_align(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *rois = onnx_in(op, 1), *picture = onnx_in(op, 2);
    bool largest = onnx_text_is(op, "mode", "avg", "max");
    Regions r = {0};
    if (!x || !rois || !picture || !check_regions(op, x, rois, 4) || !read_align(op, rois, &r))
        return;
    if (picture->type.rank != 1 || picture->type.dims[0] != r.count) {
        onnx_error(op, "its batch_indices must be one number for each region");
        return;
    }
    if (largest && r.samples == 0) {
        onnx_error(op, "the largest of as many points as fit is not supported; sampling_ratio may "
                       "say how many there are");
        return;
    }
    r.x = onnx_channels_last(op, x);
    r.picture = graph_cast(op->f, picture, TYPE_I32);
    onnx_out(op, 0,
             onnx_channels_first(op, r.samples ? sampled(op, &r, largest) : weighed(op, &r)));
}

/* To the nearest whole number, halves away from nought. */
static Node *rounded(OnnxOp *op, Node *x)
{
    Node *whole = graph_binary_scalar(op->f, OP_add, graph_unary(op->f, OP_abs, x), 0.5);
    return graph_mul(op->f, graph_unary(op->f, OP_sign, x), graph_unary(op->f, OP_floor, whole));
}

/* Which elements along one side belong to which bin: bool [R, bins, length] */
static Node *bin_members(OnnxOp *op, const Regions *r, int side)
{
    ElementType element = r->x->type.element;
    int64_t length = r->x->type.dims[1 + side];
    Node *bin = per_region(op, r->bin[side], 3), *start = per_region(op, r->start[side], 3);
    Node *number = numbered(op, element, 3, 1, r->bins[side]);
    Node *behind = graph_mul(op->f, graph_binary_scalar(op->f, OP_add, number, 1), bin);
    Node *from = graph_unary(op->f, OP_floor, graph_mul(op->f, number, bin));
    from = graph_add(op->f, from, start);
    behind = graph_add(op->f, graph_unary(op->f, OP_ceil, behind), start);
    Node *at = numbered(op, element, 3, 2, length);
    return graph_binary(op->f, OP_and, graph_binary(op->f, OP_ge, at, from),
                        graph_binary(op->f, OP_lt, at, behind));
}

/* The largest along one axis of the elements of each bin */
static Node *largest_of(OnnxOp *op, Node *x, Node *member, int64_t axis)
{
    x = graph_select(op->f, member, x, onnx_scalar(op, x ? x->type.element : TYPE_F32, -INFINITY));
    return graph_reduce(op->f, OP_reduce_max, x, 1, &axis, false);
}

static Node *pooled(OnnxOp *op, const Regions *r)
{
    const int64_t *d = r->x->type.dims;
    int64_t rows = d[0] * d[1];
    Node *member = bin_members(op, r, 0), *columns = bin_members(op, r, 1);
    if (d[0] > 1) {
        Node *own = graph_binary(op->f, OP_eq, per_region(op, r->picture, 4),
                                 numbered(op, TYPE_I32, 4, 2, d[0]));
        member = graph_reshape(op->f, member, 4, (int64_t[]){r->count, r->bins[0], 1, d[1]});
        member = graph_binary(op->f, OP_and, member, own);
    }
    member = graph_reshape(op->f, member, 5, (int64_t[]){r->count, r->bins[0], rows, 1, 1});
    columns = graph_reshape(op->f, columns, 5, (int64_t[]){r->count, 1, r->bins[1], d[2], 1});
    Node *x = graph_reshape(op->f, r->x, 5, (int64_t[]){1, 1, rows, d[2], d[3]});
    x = largest_of(op, x, member, 2); /* [R, P, W, C] */
    x = graph_reshape(op->f, x, 5, (int64_t[]){r->count, r->bins[0], 1, d[2], d[3]});
    x = largest_of(op, x, columns, 3);
    Node *nothing = graph_binary_scalar(op->f, OP_eq, x, -INFINITY);
    return graph_select(op->f, nothing, onnx_scalar(op, r->x->type.element, 0), x);
}

void onnx_build_max_roi_pool(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *rois = onnx_in(op, 1);
    double scale = onnx_float(op, "spatial_scale", 1);
    int64_t bins[2];
    Regions r = {0};
    if (!x || !rois || !check_regions(op, x, rois, 5) ||
        !onnx_numbers(op, "pooled_shape", 2, 1, 0, bins) || !read_bins(op, &r, bins[0], bins[1]))
        return;
    r.x = onnx_channels_last(op, x);
    r.count = rois->type.dims[0];
    r.picture = graph_cast(op->f, corner(op, rois, 0), TYPE_I32);
    for (int i = 0; i < 2; i++) {
        Node *end = graph_binary_scalar(op->f, OP_mul, corner(op, rois, 4 - i), scale);
        r.start[i] =
            rounded(op, graph_binary_scalar(op->f, OP_mul, corner(op, rois, 2 - i), scale));
        Node *length = graph_sub(op->f, rounded(op, end), r.start[i]);
        length = graph_binary_scalar(op->f, OP_add, length, 1);
        length = graph_binary_scalar(op->f, OP_max, length, 1);
        r.bin[i] = graph_binary_scalar(op->f, OP_div, length, (double)r.bins[i]);
    }
    onnx_out(op, 0, onnx_channels_first(op, pooled(op, &r)));
}
