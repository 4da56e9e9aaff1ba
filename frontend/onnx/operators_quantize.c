/* Integers that stand for (q - zero) · scale, and what is computed with them.
 *
 *     QLinearMatMul      %0: i32[m,k] = sub %a, %a_zero          products and their sums are exact
 *                        %1: i32[m,n] = matmul %0, …
 *                        … = round(%1 · (a_scale · b_scale / y_scale)) + y_zero, saturating
 *
 * Scales and zero points are one number, a list along an axis, or of the tensor's rank: there one
 * stands for a block of `block_size` neighbours along the axis. */
#include <string.h>

#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/spatial.h"
#include "frontend/onnx/tensor.h"
#include "ir/element.h"

/* ---- from and to integers ---- */

/* A parameter that holds for blocks along the axis, once for each element. */
static Node *unblocked(OnnxOp *op, Node *p, const TensorType *type, int axis, int64_t block)
{
    int64_t dims[RANK_LIMIT], start[RANK_LIMIT] = {0};
    int rank = p->type.rank;
    int64_t length = type->dims[axis], blocks = p->type.dims[axis];
    if (length && block > length)
        block = length;
    if (block <= 0 || rank == RANK_LIMIT || (length + block - 1) / block != blocks)
        return onnx_error(op, "its scales do not fit blocks of %lld along axis %d",
                          (long long)block, axis);
    for (int i = 0; i <= rank; i++)
        dims[i] = i == axis + 1 ? 1 : p->type.dims[i - (i > axis)];
    p = graph_reshape(op->f, p, rank + 1, dims);
    dims[axis + 1] = block;
    p = graph_broadcast(op->f, p, rank + 1, dims);
    dims[axis] = blocks * block;
    for (int i = axis + 1; i < rank; i++)
        dims[i] = dims[i + 1];
    p = graph_reshape(op->f, p, rank, dims);
    dims[axis] = length;
    return graph_slice(op->f, p, start, dims, NULL);
}

/* A scale or zero point in a shape that is broadcast to that of the tensor. */
static Node *spread(OnnxOp *op, Node *p, const TensorType *type)
{
    int64_t given = onnx_int(op, "axis", 1), block = onnx_int(op, "block_size", 0);
    int64_t dims[RANK_LIMIT];
    int axis;
    if (!p || type_elements(&p->type) == 1)
        return p ? graph_reshape(op->f, p, 0, NULL) : NULL;
    if (!onnx_axis(op, given, type->rank, &axis))
        return NULL;
    if (p->type.rank == type->rank && block)
        return unblocked(op, p, type, axis, block);
    if (p->type.rank != 1 || p->type.dims[0] != type->dims[axis])
        return onnx_error(op, "its scales must be one number or %lld, as axis %d is long",
                          (long long)type->dims[axis], axis);
    for (int i = axis; i < type->rank; i++)
        dims[i - axis] = i == axis ? p->type.dims[0] : 1;
    return graph_reshape(op->f, p, type->rank - axis, dims);
}

/* round(x) + zero, saturating; `zero` may be NULL. */
static Node *saturated(OnnxOp *op, Node *x, Node *zero, ElementType element)
{
    x = graph_unary(op->f, OP_round, x);
    if (x && zero)
        x = graph_add(op->f, x, graph_cast(op->f, zero, x->type.element));
    return graph_cast(op->f, x, element); /* which saturates */
}

/* Numbers for what an integer type holds: (q - zero) · scale */
static Node *dequantized(OnnxOp *op, Node *q, Node *scale, Node *zero)
{
    if (!q || !scale)
        return NULL;
    q = graph_cast(op->f, q, TYPE_I32);
    if (zero)
        q = graph_sub(op->f, q, graph_cast(op->f, zero, TYPE_I32));
    return graph_mul(op->f, graph_cast(op->f, q, scale->type.element), scale);
}

/* The integer type of results: that of the zero point at input i, or what the attribute says. */
static bool quantized_type(OnnxOp *op, int i, ElementType *element)
{
    const TensorType *zero = onnx_in_type(op, i);
    if (!onnx_element(op, "output_dtype", TYPE_U8, element))
        return false;
    if (zero)
        *element = zero->element;
    return element_is_integer(*element) ||
           onnx_error(op, "quantizes to %s, which is no integer", element_name(*element));
}

void onnx_build_quantize_linear(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    ElementType element, precision;
    onnx_ignore(op, "saturate axis block_size output_dtype");
    if (!x || !quantized_type(op, 2, &element))
        return;
    Node *scale = spread(op, onnx_in(op, 1), &x->type);
    Node *zero = spread(op, onnx_in(op, 2), &x->type);
    if (!scale || !onnx_element(op, "precision", TYPE_F32, &precision))
        return;
    ElementType wide =
        precision == TYPE_F64 || scale->type.element == TYPE_F64 ? TYPE_F64 : TYPE_F32;
    x = graph_div(op->f, graph_cast(op->f, x, wide), graph_cast(op->f, scale, wide));
    onnx_out(op, 0, saturated(op, x, zero, element));
}

void onnx_build_dequantize_linear(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    ElementType element;
    onnx_ignore(op, "axis block_size");
    if (!x)
        return;
    Node *scale = spread(op, onnx_in(op, 1), &x->type);
    Node *zero = spread(op, onnx_in(op, 2), &x->type);
    if (!scale || !onnx_element(op, "output_dtype", scale->type.element, &element))
        return;
    op->keep_float = onnx_int(op, "output_dtype", 0) != 0;
    onnx_out(op, 0, graph_cast(op->f, dequantized(op, x, scale, zero), element));
}

/* u8, with scale and zero point so that the numbers at hand, and 0, fill the range; NULL after an
 * error. */
static Node *dynamically_quantized(OnnxOp *op, Node *x, Node **scale, Node **zero)
{
    Node *high = onnx_at_least(op, graph_reduce_all(op->f, OP_reduce_max, x), 0);
    Node *low = onnx_at_most(op, graph_reduce_all(op->f, OP_reduce_min, x), 0);
    Node *span = graph_sub(op->f, high, low);
    *scale = *zero = NULL;
    if (!span)
        return NULL;
    Node *none = onnx_compare(op, OP_eq, span, 0);
    span = graph_select(op->f, none, onnx_scalar(op, span->type.element, 1), span);
    *scale = graph_binary_scalar(op->f, OP_div, span, 255);
    Node *lowest = graph_div(op->f, graph_unary(op->f, OP_neg, low), *scale);
    *zero = saturated(op, lowest, NULL, TYPE_U8);
    return saturated(op, graph_div(op->f, x, *scale), *zero, TYPE_U8);
}

void onnx_build_dynamic_quantize_linear(OnnxOp *op)
{
    Node *scale, *zero, *q = dynamically_quantized(op, onnx_in(op, 0), &scale, &zero);
    onnx_out(op, 0, q);
    onnx_out(op, 1, scale);
    onnx_out(op, 2, zero);
}

/* ---- products ---- */

/* q - zero as i32; without a zero point q. */
static Node *centred(OnnxOp *op, Node *q, Node *zero)
{
    q = graph_cast(op->f, q, TYPE_I32);
    return zero ? graph_sub(op->f, q, graph_cast(op->f, zero, TYPE_I32)) : q;
}

/* One number, a list for the rows of a matrix (turned to stand), or what fits as it is. */
static Node *row_parameter(OnnxOp *op, Node *p)
{
    if (!p || type_elements(&p->type) == 1)
        return p ? graph_reshape(op->f, p, 0, NULL) : NULL;
    int64_t dims[] = {p->type.dims[0], 1};
    return p->type.rank == 1 ? graph_reshape(op->f, p, 2, dims) : p;
}

/* The same for columns. */
static Node *column_parameter(OnnxOp *op, Node *p)
{
    return p && type_elements(&p->type) == 1 ? graph_reshape(op->f, p, 0, NULL) : p;
}

/* Sums of products back to integers: times x_scale · w_scale / y_scale. */
static Node *requantized(OnnxOp *op, Node *sum, Node *x_scale, Node *w_scale, Node *y_scale,
                         Node *zero, ElementType element)
{
    Node *factor = graph_div(op->f, graph_mul(op->f, x_scale, w_scale), y_scale);
    if (!factor)
        return NULL;
    Node *y = graph_mul(op->f, graph_cast(op->f, sum, factor->type.element), factor);
    return saturated(op, y, zero, element);
}

void onnx_build_matmul_integer(OnnxOp *op)
{
    Node *a = centred(op, onnx_in(op, 0), row_parameter(op, onnx_in(op, 2)));
    Node *b = centred(op, onnx_in(op, 1), column_parameter(op, onnx_in(op, 3)));
    onnx_out(op, 0, onnx_matmul(op, a, b));
}

void onnx_build_qlinear_matmul(OnnxOp *op)
{
    const TensorType *zero = onnx_in_type(op, 7);
    Node *a = centred(op, onnx_in(op, 0), row_parameter(op, onnx_in(op, 2)));
    Node *b = centred(op, onnx_in(op, 3), column_parameter(op, onnx_in(op, 5)));
    Node *sum = onnx_matmul(op, a, b);
    if (zero)
        onnx_out(op, 0,
                 requantized(op, sum, row_parameter(op, onnx_in(op, 1)),
                             column_parameter(op, onnx_in(op, 4)),
                             row_parameter(op, onnx_in(op, 6)), row_parameter(op, onnx_in(op, 7)),
                             zero->element));
}

/* Channels last, as the filter's zero points are: one number, or one for each channel of results.
 */
static Node *convolved(OnnxOp *op, int x, int x_zero, int w, int w_zero)
{
    Spatial s;
    int64_t order[RANK_LIMIT];
    if (!onnx_conv_spatial(op, x, w, &s, order))
        return NULL;
    Node *input = centred(op, onnx_channels_last(op, onnx_in(op, x)),
                          column_parameter(op, onnx_in(op, x_zero)));
    Node *filter =
        centred(op, onnx_in_ordered(op, w, order), column_parameter(op, onnx_in(op, w_zero)));
    return graph_conv(op->f, input, filter, &s);
}

void onnx_build_conv_integer(OnnxOp *op)
{
    onnx_out(op, 0, onnx_channels_first(op, convolved(op, 0, 2, 1, 3)));
}

void onnx_build_qlinear_conv(OnnxOp *op)
{
    const TensorType *zero = onnx_in_type(op, 7);
    Node *sum = convolved(op, 0, 2, 3, 5);
    if (onnx_has_in(op, 8))
        sum = graph_add(op->f, sum, onnx_in(op, 8));
    if (!sum || !zero)
        return;
    Node *y = requantized(
        op, sum, column_parameter(op, onnx_in(op, 1)), column_parameter(op, onnx_in(op, 4)),
        column_parameter(op, onnx_in(op, 6)), column_parameter(op, onnx_in(op, 7)), zero->element);
    onnx_out(op, 0, onnx_channels_first(op, y));
}

/* ---- com.microsoft: between integers ---- */

/* The tensor at input i with scale and zero point behind it. */
static Node *number_in(OnnxOp *op, int i)
{
    return dequantized(op, onnx_in(op, i), column_parameter(op, onnx_in(op, i + 1)),
                       column_parameter(op, onnx_in(op, i + 2)));
}

/* Back to integers of the type of input 0, by scale and zero point at i. */
static void quantized_out(OnnxOp *op, Node *y, int i)
{
    const TensorType *type = onnx_in_type(op, 0);
    y = graph_div(op->f, y, column_parameter(op, onnx_in(op, i)));
    if (type)
        onnx_out(op, 0, saturated(op, y, column_parameter(op, onnx_in(op, i + 1)), type->element));
}

void onnx_build_qlinear_binary(OnnxOp *op)
{
    Node *y = graph_binary(op->f, (Op)op->row->detail, number_in(op, 0), number_in(op, 3));
    quantized_out(op, y, 6);
}

void onnx_build_qlinear_sigmoid(OnnxOp *op)
{
    quantized_out(op, graph_unary(op->f, OP_sigmoid, number_in(op, 0)), 3);
}

void onnx_build_qlinear_leaky_relu(OnnxOp *op)
{
    Node *x = number_in(op, 0);
    Node *low = onnx_times(op, x, onnx_float(op, "alpha", 0.01));
    quantized_out(op, graph_select(op->f, onnx_compare(op, OP_lt, x, 0), low, x), 3);
}

/* Scale and zero point of the result, then three inputs for each part. */
void onnx_build_qlinear_concat(OnnxOp *op)
{
    Node **parts = ARENA_ARRAY(op->arena, Node *, op->in_count);
    const TensorType *type = onnx_in_type(op, 2), *zero = onnx_in_type(op, 1);
    int axis, count = 0;
    if (!type || !zero || !onnx_axis(op, onnx_int(op, "axis", 0), type->rank, &axis))
        return;
    if (op->in_count % 3 != 2) {
        onnx_error(op, "takes a tensor, its scale and its zero point for each part");
        return;
    }
    for (int i = 2; i < op->in_count; i += 3) {
        parts[count] = number_in(op, i);
        if (!parts[count++])
            return;
    }
    Node *y = count == 1 ? parts[0] : graph_concat(op->f, count, parts, axis);
    y = graph_div(op->f, y, column_parameter(op, onnx_in(op, 0)));
    onnx_out(op, 0, saturated(op, y, column_parameter(op, onnx_in(op, 1)), zero->element));
}

void onnx_build_qlinear_global_pool(OnnxOp *op)
{
    Node *x = number_in(op, 0);
    bool last = onnx_int(op, "channels_last", 0) != 0;
    int64_t axes[RANK_LIMIT];
    if (!x || x->type.rank < 3) {
        if (x)
            onnx_error(op, "pools a tensor of %d axes; 3 are the least", x->type.rank);
        return;
    }
    for (int i = 2; i < x->type.rank; i++)
        axes[i - 2] = i - last;
    quantized_out(op, graph_mean(op->f, x, x->type.rank - 2, axes, true), 3);
}

/* A matrix of integers, turned when the attribute says so, less its zero point. */
static Node *centred_matrix(OnnxOp *op, int i, const char *key, Node *zero)
{
    Node *x = centred(op, onnx_in(op, i), zero);
    bool turn = onnx_int(op, key, 0) != 0;
    if (x && x->type.rank != 2)
        return onnx_error(op, "input %d must be a matrix, but has %d axes", i, x->type.rank);
    return turn ? graph_transpose_matrix(op->f, x) : x;
}

/* alpha · A · B + C, with C in steps of alpha · a_scale · b_scale; floats without a scale for them
 */
void onnx_build_qgemm(OnnxOp *op)
{
    Node *a = centred_matrix(op, 0, "transA", column_parameter(op, onnx_in(op, 2)));
    Node *b_zero = column_parameter(op, onnx_in(op, 5));
    if (b_zero && b_zero->type.rank == 1 && onnx_int(op, "transB", 0) != 0)
        b_zero = row_parameter(op, b_zero);
    Node *b = centred_matrix(op, 3, "transB", b_zero);
    double alpha = onnx_float(op, "alpha", 1);
    Node *sum = graph_matmul(op->f, a, b);
    if (onnx_has_in(op, 6))
        sum = graph_add(op->f, sum, onnx_in(op, 6));
    Node *scale = onnx_times(op,
                             graph_mul(op->f, column_parameter(op, onnx_in(op, 1)),
                                       column_parameter(op, onnx_in(op, 4))),
                             alpha);
    Node *y = graph_mul(op->f, graph_cast(op->f, sum, TYPE_F32), scale);
    if (onnx_has_in(op, 7))
        quantized_out(op, y, 7);
    else
        onnx_out(op, 0, y);
}

/* Floats from products of integers, with a bias. */
static void give_numbers(OnnxOp *op, Node *sum, Node *a_scale, Node *b_scale, int bias)
{
    Node *scale = graph_mul(op->f, a_scale, b_scale);
    Node *y = graph_mul(op->f, graph_cast(op->f, sum, TYPE_F32), scale);
    onnx_out(op, 0, onnx_has_in(op, bias) ? graph_add(op->f, y, onnx_in(op, bias)) : y);
}

void onnx_build_matmul_integer_to_float(OnnxOp *op)
{
    Node *a = centred(op, onnx_in(op, 0), row_parameter(op, onnx_in(op, 4)));
    Node *b = centred(op, onnx_in(op, 1), column_parameter(op, onnx_in(op, 5)));
    give_numbers(op, onnx_matmul(op, a, b), row_parameter(op, onnx_in(op, 2)),
                 column_parameter(op, onnx_in(op, 3)), 6);
}

void onnx_build_dynamic_quantize_matmul(OnnxOp *op)
{
    Node *scale, *zero, *a = dynamically_quantized(op, onnx_in(op, 0), &scale, &zero);
    Node *b = centred(op, onnx_in(op, 1), column_parameter(op, onnx_in(op, 3)));
    give_numbers(op, onnx_matmul(op, centred(op, a, zero), b), scale,
                 column_parameter(op, onnx_in(op, 2)), 4);
}
