/* Pooling: windows over the axes behind the channels, or all of them. */
#include "base/checked.h"
#include "frontend/onnx/spatial.h"

static bool pool_spatial(OnnxOp *op, const TensorType *x, Spatial *s)
{
    int64_t sizes[3];
    int rank = x->rank - 2;
    if (rank < 1 || rank > 3)
        return onnx_error(op, "pools a tensor of %d axes; 3 to 5 are supported", x->rank);
    for (int i = 0; i < rank; i++)
        if (x->dims[i + 2] > INT32_MAX)
            return onnx_error(op, "axis %d is too long", i + 2);
    return onnx_numbers(op, "kernel_shape", rank, 1, 1, sizes) &&
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

/* The lengths that a pool with these attributes has made x of. */
static bool unpooled_dims(OnnxOp *op, const TensorType *x, int64_t *dims)
{
    int64_t sizes[3], stride[3], pads[6];
    int rank = x->rank - 2;
    if (rank < 1 || rank > 3)
        return onnx_error(op, "pools a tensor of %d axes; 3 to 5 are supported", x->rank);
    if (!onnx_numbers(op, "kernel_shape", rank, 1, 1, sizes) ||
        !onnx_numbers(op, "strides", rank, 1, 1, stride) ||
        !onnx_numbers(op, "pads", 2 * rank, 0, 0, pads))
        return false;
    int64_t all = dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (int i = 1; i < x->rank; i++) {
        int64_t span = 0;
        if (i >= 2 && !checked_multiply(x->dims[i] - 1, stride[i - 2], &span))
            return onnx_error(op, "axis %d is too long", i);
        if (i >= 2)
            dims[i] = span + sizes[i - 2] - pads[i - 2] - pads[rank + i - 2];
        if (!checked_multiply(all, dims[i], &all) || all > INT32_MAX)
            return onnx_error(op, "makes axis %d %lld long", i, (long long)dims[i]);
    }
    return true;
}

/* Places count in what the attributes say; the rest of a larger output_shape is nought. */
void onnx_build_max_unpool(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *places = onnx_in(op, 1);
    int64_t dims[RANK_LIMIT], before[RANK_LIMIT] = {0}, after[RANK_LIMIT] = {0};
    const int64_t *wanted;
    int count;
    if (!x || !places || !unpooled_dims(op, &x->type, dims))
        return;
    int rank = x->type.rank;
    if (onnx_has_in(op, 2)) {
        if (!onnx_in_integers(op, 2, "output_shape", &wanted, &count))
            return;
        for (int i = 0; i < rank; i++) {
            if (count != rank || wanted[i] < dims[i]) {
                onnx_error(op, "output_shape is not what its input can have come from");
                return;
            }
            after[i] = wanted[i] - dims[i];
        }
    }
    int64_t all = 1, given = type_elements(&x->type);
    for (int i = 0; i < rank; i++)
        all *= dims[i];
    Node *nought = graph_broadcast(op->f, onnx_scalar(op, x->type.element, 0), 1, &all);
    Node *rows = graph_cast(op->f, graph_reshape(op->f, places, 1, &given), TYPE_I32);
    Node *y = graph_scatter(op->f, nought, graph_reshape(op->f, x, 1, &given), rows, MODE_SET);
    y = graph_reshape(op->f, y, rank, dims);
    onnx_out(op, 0, onnx_has_in(op, 2) ? graph_pad(op->f, y, before, after, NULL, 0) : y);
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

/* The p of a norm; once upon a time it was a float. */
static double norm_of(OnnxOp *op)
{
    double p = op->opset < 2 ? onnx_float(op, "p", 2) : (double)onnx_int(op, "p", 2);
    if (!(p > 0))
        onnx_error(op, "p is %g, but a norm needs one above 0", p);
    return p;
}

/* |x|ᵖ */
static Node *norm_terms(OnnxOp *op, Node *x, double p)
{
    if (p == 2)
        return graph_mul(op->f, x, x);
    x = graph_unary(op->f, OP_abs, x);
    return p == 1 ? x : graph_binary_scalar(op->f, OP_pow, x, p);
}

/* Its inverse */
static Node *norm_root(OnnxOp *op, Node *sum, double p)
{
    if (p == 2)
        return graph_unary(op->f, OP_sqrt, sum);
    return p == 1 ? sum : graph_binary_scalar(op->f, OP_pow, sum, 1 / p);
}

void onnx_build_lp_pool(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    double p = norm_of(op);
    Spatial s;
    if (!type || op->failed || !pool_spatial(op, type, &s))
        return;
    Node *terms = norm_terms(op, onnx_channels_last(op, onnx_in(op, 0)), p);
    Node *y = norm_root(op, graph_window(op->f, OP_window_sum, terms, &s), p);
    onnx_out(op, 0, onnx_channels_first(op, y));
}

/* ---- all of it ---- */

static int image_axes(const TensorType *type, int64_t *axes)
{
    for (int i = 2; i < type->rank; i++)
        axes[i - 2] = i;
    return type->rank > 2 ? type->rank - 2 : 0;
}

/* Over all axes behind the channels, which stay with length 1. */
void onnx_build_global_pool(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axes[RANK_LIMIT];
    if (!x)
        return;
    int count = image_axes(&x->type, axes);
    bool mean = op->row->detail == OP_reduce_sum;
    onnx_out(op, 0,
             mean ? graph_mean(op->f, x, count, axes, true)
                  : graph_reduce(op->f, OP_reduce_max, x, count, axes, true));
}

void onnx_build_global_lp_pool(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    double p = norm_of(op);
    int64_t axes[RANK_LIMIT];
    if (!x || op->failed)
        return;
    int count = image_axes(&x->type, axes);
    Node *sum = graph_reduce(op->f, OP_reduce_sum, norm_terms(op, x, p), count, axes, true);
    onnx_out(op, 0, norm_root(op, sum, p));
}
