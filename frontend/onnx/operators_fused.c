/* Operators of com.microsoft that are several of the standard's in one. ONNX Runtime writes them
 * when it saves an optimized model, and exporters for it do too. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/spatial.h"

/* ---- activations ---- */

/* One of a product or convolution, by name, with its numbers. */
static Node *activated(OnnxOp *op, Node *x, const char *name, double alpha, double beta)
{
    if (!name[0] || !x)
        return x;
    if (strcmp(name, "Relu") == 0)
        return onnx_at_least(op, x, 0);
    if (strcmp(name, "Tanh") == 0)
        return graph_unary(op->f, OP_tanh, x);
    if (strcmp(name, "Sigmoid") == 0)
        return graph_unary(op->f, OP_sigmoid, x);
    if (strcmp(name, "LeakyRelu") == 0)
        return graph_select(op->f, onnx_compare(op, OP_lt, x, 0), onnx_times(op, x, alpha), x);
    if (strcmp(name, "Clip") == 0)
        return onnx_at_most(op, onnx_at_least(op, x, alpha), beta);
    bool swish = strcmp(name, "HardSwish") == 0;
    if (!swish && strcmp(name, "HardSigmoid") != 0)
        return onnx_error(op, "activation is \"%s\", which is none", name);
    Node *gate = onnx_plus(op, onnx_times(op, x, swish ? 1.0 / 6 : alpha), swish ? 0.5 : beta);
    gate = onnx_at_least(op, onnx_at_most(op, gate, 1), 0);
    return swish ? graph_mul(op->f, x, gate) : gate;
}

void onnx_build_fused_conv(OnnxOp *op)
{
    const char *name = onnx_text(op, "activation", "");
    const float *numbers = NULL;
    int count = 0;
    onnx_floats(op, "activation_params", &numbers, &count);
    Node *y = onnx_conv(op);
    if (y && onnx_has_in(op, 3))
        y = graph_add(op->f, y, onnx_channels_last(op, onnx_in(op, 3)));
    y = activated(op, y, name,
                  count > 0                   ? (double)numbers[0]
                  : strcmp(name, "Clip") == 0 ? -INFINITY
                                              : 0.01,
                  count > 1                   ? (double)numbers[1]
                  : strcmp(name, "Clip") == 0 ? INFINITY
                                              : 0.5);
    onnx_out(op, 0, onnx_channels_first(op, y));
}

void onnx_build_fused_gemm(OnnxOp *op)
{
    const char *name = onnx_text(op, "activation", "");
    double alpha = onnx_float(op, "activation_alpha", 0.01);
    double beta = onnx_float(op, "activation_beta", 0.5);
    onnx_ignore(op, "activation_gamma");
    onnx_out(op, 0, activated(op, onnx_gemm(op), name, alpha, beta));
}

/* Its last two axes change places if the attribute says so. */
static Node *turned(OnnxOp *op, int i, const char *key)
{
    const TensorType *type = onnx_in_type(op, i);
    int64_t order[RANK_LIMIT];
    if (onnx_int(op, key, 0) == 0 || !type || type->rank < 2)
        return onnx_in(op, i);
    for (int j = 0; j < type->rank; j++)
        order[j] = j;
    order[type->rank - 2] = type->rank - 1;
    order[type->rank - 1] = type->rank - 2;
    return onnx_in_ordered(op, i, order);
}

void onnx_build_fused_matmul(OnnxOp *op)
{
    if (onnx_int(op, "transBatchA", 0) != 0 || onnx_int(op, "transBatchB", 0) != 0) {
        onnx_error(op, "transBatchA and transBatchB are not supported");
        return;
    }
    Node *y = onnx_matmul(op, turned(op, 0, "transA"), turned(op, 1, "transB"));
    onnx_out(op, 0, onnx_times(op, y, onnx_float(op, "alpha", 1)));
}

/* ---- gates ---- */

enum { ERF, TANH, QUICK }; /* the curve: details of rows */

/* x or x + bias, times a curve from 0 to 1 */
void onnx_build_bias_gelu(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *curve;
    if (onnx_has_in(op, 1))
        x = graph_add(op->f, x, onnx_in(op, 1));
    if (op->row->detail == QUICK) {
        curve = graph_unary(op->f, OP_sigmoid, onnx_times(op, x, onnx_float(op, "alpha", 1.702)));
        onnx_out(op, 0, graph_mul(op->f, x, curve));
        return;
    }
    if (op->row->detail == ERF) {
        curve = graph_unary(op->f, OP_erf, onnx_times(op, x, sqrt(0.5)));
    } else {
        Node *cube = onnx_times(op, graph_mul(op->f, x, onnx_square(op, x)), 0.044715);
        curve = onnx_times(op, graph_add(op->f, x, cube), sqrt(2 / M_PI));
        curve = graph_unary(op->f, OP_tanh, curve);
    }
    onnx_out(op, 0, graph_mul(op->f, onnx_times(op, x, 0.5), onnx_plus(op, curve, 1)));
}

/* ---- normalisation ---- */

/* Mean and 1 / deviation of rows, where somebody wants them: results 1 and 2. */
static void row_statistics(OnnxOp *op, Node *x, bool centred, double epsilon)
{
    if (!x)
        return;
    int64_t last = x->type.rank - 1;
    if (onnx_wants(op, 1) && centred)
        onnx_out(op, 1, graph_mean(op->f, x, 1, &last, true));
    if (!onnx_wants(op, centred ? 2 : 1))
        return;
    Node *square = centred ? graph_variance(op->f, x, 1, &last)
                           : graph_mean(op->f, graph_mul(op->f, x, x), 1, &last, true);
    onnx_out(op, centred ? 2 : 1, graph_unary(op->f, OP_rsqrt, onnx_plus(op, square, epsilon)));
}

/* input + skip + bias, normalized: with a mean (detail 1: gamma, beta, bias) or without (gamma,
 * bias); result 3 is the sum */
void onnx_build_skip_normalization(OnnxOp *op)
{
    bool centred = op->row->detail;
    double epsilon = onnx_float(op, "epsilon", 1e-12);
    int bias = centred ? 4 : 3;
    Node *x = graph_add(op->f, onnx_in(op, 0), onnx_in(op, 1));
    if (onnx_has_in(op, bias))
        x = graph_add(op->f, x, onnx_in(op, bias));
    if (!x || x->type.rank < 1)
        return;
    int64_t last = x->type.rank - 1;
    Node *y = centred
                  ? onnx_layer_normalize(op, x, 1, &last, epsilon, onnx_in(op, 2), onnx_in(op, 3))
                  : graph_mul(op->f, onnx_rms_normalize(op, x, 1, &last, epsilon), onnx_in(op, 2));
    onnx_out(op, 0, y);
    if (centred)
        row_statistics(op, x, centred, epsilon);
    else if (onnx_wants(op, 1) || onnx_wants(op, 2))
        onnx_error(op, "its statistics are not supported");
    if (onnx_wants(op, 3))
        onnx_out(op, 3, x);
}

/* Without a mean: what the standard calls RMSNormalization. */
void onnx_build_simplified_normalization(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    double epsilon = onnx_float(op, "epsilon", 1e-5);
    int axis;
    onnx_ignore(op, "stash_type");
    if (!x || !onnx_axis(op, onnx_int(op, "axis", -1), x->type.rank, &axis))
        return;
    int64_t axes[RANK_LIMIT];
    int count = x->type.rank - axis;
    for (int i = 0; i < count; i++)
        axes[i] = axis + i;
    onnx_out(op, 0,
             graph_mul(op->f, onnx_rms_normalize(op, x, count, axes, epsilon), onnx_in(op, 1)));
    if (onnx_wants(op, 1) && count == 1)
        row_statistics(op, x, false, epsilon);
    else if (onnx_wants(op, 1))
        onnx_error(op, "its statistics of several axes are not supported");
}

/* ---- embeddings ---- */

/* Rows of input i's table, at numbers */
static Node *looked_up(OnnxOp *op, int i, Node *numbers)
{
    return onnx_gather(op, onnx_in(op, i), numbers, 0);
}

/* word[id] + position[place] + segment[part], normalized; how many of a mask are set */
void onnx_build_embed_normalization(OnnxOp *op)
{
    Node *ids = onnx_in(op, 0);
    double epsilon = onnx_float(op, "epsilon", 1e-12);
    onnx_ignore(op, "mask_index_type");
    if (!ids)
        return;
    if (ids->type.rank != 2) {
        onnx_error(op, "takes ids [batch, length], not %d axes", ids->type.rank);
        return;
    }
    Node *places = onnx_has_in(op, 8)
                       ? onnx_in(op, 8)
                       : graph_iota(op->f, TYPE_I32, 2, (int64_t[]){1, ids->type.dims[1]}, 1);
    Node *x = graph_add(op->f, looked_up(op, 2, ids), looked_up(op, 3, places));
    if (onnx_has_in(op, 1))
        x = graph_add(op->f, x, looked_up(op, 4, onnx_in(op, 1)));
    if (!x)
        return;
    int64_t last = 2, row = 1;
    onnx_out(op, 0, onnx_layer_normalize(op, x, 1, &last, epsilon, onnx_in(op, 5), onnx_in(op, 6)));
    if (onnx_wants(op, 1)) {
        Node *mask = onnx_has_in(op, 7)
                         ? onnx_in(op, 7)
                         : graph_broadcast(op->f, onnx_scalar(op, TYPE_I32, 0), 2, ids->type.dims);
        onnx_out(op, 1, graph_reduce(op->f, OP_reduce_sum, mask, 1, &row, false));
    }
    if (onnx_wants(op, 2))
        onnx_out(op, 2, x);
}
