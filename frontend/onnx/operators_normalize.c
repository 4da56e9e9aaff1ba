/* Normalisation: by statistics that are known, of a batch, of a row, of neighbours.
 *
 *     LayerNormalization            %2 = normalize %x axes=[2] epsilon=1e-05
 *                                   %3 = mul %2, %scale
 *                                   %4 = add %3, %shift */
#include <math.h>

#include "frontend/onnx/spatial.h"

/* (x − mean) / √(variance + epsilon) */
static Node *standardize(OnnxOp *op, Node *x, int count, const int64_t *axes, double epsilon)
{
    if (!(epsilon >= 0))
        return onnx_error(op, "epsilon is %g, but must be 0 or more", epsilon);
    if (epsilon > 0)
        return graph_normalize(op->f, x, count, axes, epsilon);
    Node *centred = graph_sub(op->f, x, graph_mean(op->f, x, count, axes, true));
    return graph_mul(op->f, centred,
                     graph_unary(op->f, OP_rsqrt, graph_variance(op->f, x, count, axes)));
}

static int axes_from(int first, int rank, int64_t *axes)
{
    for (int i = first; i < rank; i++)
        axes[i - first] = i;
    return rank > first ? rank - first : 0;
}

/* x · scale + shift, for each channel */
static Node *scale_channels(OnnxOp *op, Node *x, Node *scale, Node *shift)
{
    if (!x)
        return NULL;
    int rank = x->type.rank;
    x = graph_mul(op->f, x, onnx_channel_vector(op, scale, rank));
    return graph_add(op->f, x, onnx_channel_vector(op, shift, rank));
}

/* ---- batches ---- */

/* One number a channel; of an element when version 7 was told that it is not spatial. */
static Node *statistic(OnnxOp *op, Node *x, int rank)
{
    if (x && x->type.rank == rank - 1 && rank > 2)
        return x;
    if (rank == 1)
        return x;
    return onnx_channel_vector(op, x, rank);
}

/* scale · (x − mean) / √(variance + epsilon) + shift, as one factor and one summand a channel */
static Node *known_statistics(OnnxOp *op, Node *x, double epsilon)
{
    Node *mean = onnx_in_statistic(op, 3), *variance = onnx_in_statistic(op, 4);
    variance = graph_binary_scalar(op->f, OP_add, variance, epsilon);
    Node *factor = graph_mul(op->f, onnx_in(op, 1), graph_unary(op->f, OP_rsqrt, variance));
    Node *shift = graph_sub(op->f, onnx_in(op, 2), graph_mul(op->f, mean, factor));
    Node *y = graph_mul(op->f, x, statistic(op, factor, x->type.rank));
    return graph_add(op->f, y, statistic(op, shift, x->type.rank));
}

/* old · momentum + new · (1 − momentum) */
static Node *moved(OnnxOp *op, Node *old, Node *now, double momentum)
{
    return graph_add(op->f, graph_binary_scalar(op->f, OP_mul, old, momentum),
                     graph_binary_scalar(op->f, OP_mul, now, 1 - momentum));
}

/* Before version 14 there are two outputs more: mean and variance of this batch. */
static void batch_statistics(OnnxOp *op, Node *x, double epsilon)
{
    int64_t axes[RANK_LIMIT] = {0}, channels = x->type.rank > 1 ? x->type.dims[1] : 1;
    int count = x->type.rank > 1 ? 1 + axes_from(2, x->type.rank, axes + 1) : 1;
    double momentum = onnx_float(op, "momentum", 0.9);
    Node *mean = graph_reshape(op->f, graph_mean(op->f, x, count, axes, true), 1, &channels);
    Node *variance = graph_reshape(op->f, graph_variance(op->f, x, count, axes), 1, &channels);
    Node *y = standardize(op, x, count, axes, epsilon);
    y = graph_mul(op->f, y, statistic(op, onnx_in(op, 1), x->type.rank));
    onnx_out(op, 0, graph_add(op->f, y, statistic(op, onnx_in(op, 2), x->type.rank)));
    Node *old_mean = onnx_in_statistic(op, 3), *old_variance = onnx_in_statistic(op, 4);
    if (onnx_uses_batch_statistics(op)) {
        onnx_follow(op, 3, mean, momentum);
        onnx_follow(op, 4, variance, momentum);
    }
    if (onnx_wants(op, 1))
        onnx_out(op, 1, moved(op, old_mean, mean, momentum));
    if (onnx_wants(op, 2))
        onnx_out(op, 2, moved(op, old_variance, variance, momentum));
    if (onnx_wants(op, 3))
        onnx_out(op, 3, mean);
    if (onnx_wants(op, 4))
        onnx_out(op, 4, variance);
}

/* Is it to find the statistics of the batch? Before version 14 the outputs say so. */
static bool trains(OnnxOp *op)
{
    if (op->opset >= 14)
        return onnx_int(op, "training_mode", 0) != 0;
    if (op->opset < 7)
        return onnx_int(op, "is_test", 0) == 0;
    return onnx_wants(op, 1) || onnx_wants(op, 2) || onnx_wants(op, 3) || onnx_wants(op, 4);
}

void onnx_build_batch_normalization(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    double epsilon = onnx_float(op, "epsilon", 1e-5);
    bool training = trains(op) || onnx_uses_batch_statistics(op);
    onnx_ignore(op, "momentum spatial consumed_inputs");
    if (!x || x->type.rank == 0)
        return;
    if (!training) {
        onnx_out(op, 0, known_statistics(op, x, epsilon));
        return;
    }
    const TensorType *scale = onnx_in_type(op, 1);
    if (scale && scale->rank != 1)
        onnx_error(op, "statistics of single elements are not supported in training mode");
    else
        batch_statistics(op, x, epsilon);
}

/* ---- rows ---- */

void onnx_build_instance_normalization(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axes[RANK_LIMIT];
    double epsilon = onnx_float(op, "epsilon", 1e-5);
    onnx_ignore(op, "consumed_inputs");
    if (!x)
        return;
    int count = axes_from(2, x->type.rank, axes);
    if (count == 0) {
        onnx_error(op, "normalizes images, but has a tensor with %d axes", x->type.rank);
        return;
    }
    x = standardize(op, x, count, axes, epsilon);
    onnx_out(op, 0, scale_channels(op, x, onnx_in(op, 1), onnx_in(op, 2)));
}

/* Up to version 20 there is one scale a group, from then on one a channel. */
void onnx_build_group_normalization(OnnxOp *op)
{
    static const int64_t inside[] = {2};
    Node *x = onnx_in(op, 0);
    int64_t groups = onnx_int(op, "num_groups", 0);
    double epsilon = onnx_float(op, "epsilon", 1e-5);
    onnx_ignore(op, "stash_type");
    if (!x)
        return;
    TensorType type = x->type;
    if (type.rank < 2 || groups < 1 || type.dims[1] % groups != 0) {
        onnx_error(op, "makes %lld groups of the channels of a tensor with %d axes",
                   (long long)groups, type.rank);
        return;
    }
    int64_t dims[] = {type.dims[0], groups, type.dims[1] / groups};
    for (int i = 2; i < type.rank; i++)
        dims[2] *= type.dims[i];
    x = standardize(op, graph_reshape(op->f, x, 3, dims), 1, inside, epsilon);
    if (op->opset < 21)
        x = scale_channels(op, x, onnx_in(op, 1), onnx_in(op, 2));
    x = graph_reshape(op->f, x, type.rank, type.dims);
    if (op->opset >= 21)
        x = scale_channels(op, x, onnx_in(op, 1), onnx_in(op, 2));
    onnx_out(op, 0, x);
}

/* The axes from `axis` on. */
static bool row_axes(OnnxOp *op, const Node *x, int64_t *axes, int *count)
{
    int axis;
    if (!x || !onnx_axis(op, onnx_int(op, "axis", -1), x->type.rank, &axis))
        return false;
    *count = axes_from(axis, x->type.rank, axes);
    return true;
}

Node *onnx_layer_normalize(OnnxOp *op, Node *x, int count, const int64_t *axes, double epsilon,
                           Node *scale, Node *shift)
{
    x = standardize(op, x, count, axes, epsilon);
    if (scale)
        x = graph_mul(op->f, x, scale);
    return shift ? graph_add(op->f, x, shift) : x;
}

/* 1 / √(variance + epsilon) */
static Node *inverse_deviation(OnnxOp *op, Node *x, int count, const int64_t *axes, double epsilon)
{
    Node *variance = graph_variance(op->f, x, count, axes);
    return graph_unary(op->f, OP_rsqrt, graph_binary_scalar(op->f, OP_add, variance, epsilon));
}

void onnx_build_layer_normalization(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axes[RANK_LIMIT];
    int count;
    double epsilon = onnx_float(op, "epsilon", 1e-5);
    onnx_ignore(op, "stash_type");
    if (!row_axes(op, x, axes, &count))
        return;
    onnx_out(op, 0,
             onnx_layer_normalize(op, x, count, axes, epsilon, onnx_in(op, 1), onnx_in(op, 2)));
    if (onnx_wants(op, 1))
        onnx_out(op, 1, graph_cast(op->f, graph_mean(op->f, x, count, axes, true), TYPE_F32));
    if (onnx_wants(op, 2))
        onnx_out(op, 2,
                 graph_cast(op->f, inverse_deviation(op, x, count, axes, epsilon), TYPE_F32));
}

/* x / √(mean of x² + epsilon) */
Node *onnx_rms_normalize(OnnxOp *op, Node *x, int count, const int64_t *axes, double epsilon)
{
    Node *mean = graph_mean(op->f, graph_mul(op->f, x, x), count, axes, true);
    mean = graph_binary_scalar(op->f, OP_add, mean, epsilon);
    return graph_mul(op->f, x, graph_unary(op->f, OP_rsqrt, mean));
}

void onnx_build_rms_normalization(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axes[RANK_LIMIT];
    int count;
    double epsilon = onnx_float(op, "epsilon", 1e-5);
    onnx_ignore(op, "stash_type");
    if (row_axes(op, x, axes, &count))
        onnx_out(op, 0,
                 graph_mul(op->f, onnx_rms_normalize(op, x, count, axes, epsilon), onnx_in(op, 1)));
}

/* (x − mean) / (deviation + 1e-9) */
void onnx_build_mean_variance_normalization(OnnxOp *op)
{
    static const int64_t usual[] = {0, 2, 3};
    Node *x = onnx_in(op, 0);
    const int64_t *list = usual;
    int64_t axes[RANK_LIMIT];
    int count = 3;
    onnx_ints(op, "axes", &list, &count);
    if (!x || !onnx_axes(op, list, count, x->type.rank, axes))
        return;
    Node *centred = graph_sub(op->f, x, graph_mean(op->f, x, count, axes, true));
    Node *deviation = graph_unary(op->f, OP_sqrt, graph_variance(op->f, x, count, axes));
    onnx_out(op, 0, graph_div(op->f, centred, graph_binary_scalar(op->f, OP_add, deviation, 1e-9)));
}

/* A row whose norm is 0 stays as it is: nought. */
void onnx_build_lp_normalization(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int axis;
    int64_t p = onnx_int(op, "p", 2);
    if (!x || !onnx_axis(op, onnx_int(op, "axis", -1), x->type.rank, &axis))
        return;
    if (p != 1 && p != 2) {
        onnx_error(op, "p is %lld, but must be 1 or 2", (long long)p);
        return;
    }
    Node *terms = p == 1 ? graph_unary(op->f, OP_abs, x) : graph_mul(op->f, x, x);
    Node *sum = graph_reduce(op->f, OP_reduce_sum, terms, 1, (int64_t[]){axis}, true);
    Node *none = graph_binary_scalar(op->f, OP_eq, sum, 0);
    sum = graph_select(op->f, none, onnx_scalar(op, x->type.element, 1), sum);
    onnx_out(op, 0, graph_div(op->f, x, p == 1 ? sum : graph_unary(op->f, OP_sqrt, sum)));
}

/* ---- neighbours ---- */

/* x / (bias + alpha / size · sum of squares of `size` channels around it) ^ beta */
void onnx_build_lrn(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t size = onnx_int(op, "size", 0);
    double alpha = onnx_float(op, "alpha", 1e-4), beta = onnx_float(op, "beta", 0.75);
    double bias = onnx_float(op, "bias", 1);
    if (!x)
        return;
    TensorType type = x->type;
    if (size < 1 || size > INT32_MAX || type.rank < 2) {
        onnx_error(op, "sums %lld channels of a tensor with %d axes", (long long)size, type.rank);
        return;
    }
    int64_t dims[] = {type.dims[0], type.dims[1], 1};
    for (int i = 2; i < type.rank; i++)
        dims[2] *= type.dims[i];
    Spatial s = {.rank = 1, .size = {size}, .stride = {1}, .dilation = {1}};
    s.pad[0] = (size - 1) / 2;
    s.pad[1] = size - 1 - s.pad[0];
    Node *square = graph_reshape(op->f, graph_mul(op->f, x, x), 3, dims);
    Node *sum = graph_window(op->f, OP_window_sum, square, &s);
    sum = graph_binary_scalar(op->f, OP_mul, sum, alpha / (double)size);
    sum = graph_binary_scalar(op->f, OP_add, sum, bias);
    sum = graph_reshape(op->f, sum, type.rank, type.dims);
    onnx_out(op, 0, graph_mul(op->f, x, graph_binary_scalar(op->f, OP_pow, sum, -beta)));
}
