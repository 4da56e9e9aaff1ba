/* Activations, each spelled out in element-wise operations.
 *
 * Where a function has a corner (relu at 0), max and min take the constant first, because a tie's
 * gradient goes to the first operand: so the derivative in the corner is 0, as in other frameworks.
 */
#include <math.h>
#include <string.h>

#include "frontend/layers.h"

static Function *function_of(const Layer *layer)
{
    return layer->builder->f;
}

static Node *positive_part(Layer *layer, Node *x)
{
    return graph_binary(function_of(layer), OP_max, layer_scalar(layer, 0), x);
}

static Node *clamp_to_six(Layer *layer, Node *x)
{
    return graph_binary(function_of(layer), OP_min, layer_scalar(layer, 6),
                        positive_part(layer, x));
}

Node *layer_relu(Layer *layer)
{
    return positive_part(layer, layer->in[0]);
}

Node *layer_relu6(Layer *layer)
{
    return clamp_to_six(layer, layer->in[0]);
}

/* x > 0 ? x : slope·x */
Node *layer_leaky_relu(Layer *layer)
{
    Function *f = function_of(layer);
    Node *x = layer->in[0];
    double slope;
    if (!layer_number(layer, "slope", 0.01, &slope))
        return NULL;
    Node *above = graph_binary_scalar(f, OP_gt, x, 0);
    return graph_select(f, above, x, graph_binary_scalar(f, OP_mul, x, slope));
}

/* x > 0 ? x : α(eˣ − 1); the exponent is kept ≤ 0 so that the side not taken stays finite */
Node *layer_elu(Layer *layer)
{
    Function *f = function_of(layer);
    Node *x = layer->in[0];
    double alpha;
    if (!layer_number(layer, "alpha", 1, &alpha))
        return NULL;
    Node *low = graph_binary(f, OP_min, layer_scalar(layer, 0), x);
    Node *curve = graph_binary_scalar(f, OP_mul, graph_unary(f, OP_expm1, low), alpha);
    return graph_select(f, graph_binary_scalar(f, OP_gt, x, 0), x, curve);
}

/* ½x(1 + tanh(√(2/π)(x + 0.044715x³))): Hendrycks and Gimpel, 2016 */
static Node *gelu_tanh(Function *f, Node *x)
{
    Node *cube = graph_mul(f, x, graph_mul(f, x, x));
    Node *inner = graph_add(f, x, graph_binary_scalar(f, OP_mul, cube, 0.044715));
    Node *curve = graph_unary(f, OP_tanh, graph_binary_scalar(f, OP_mul, inner, sqrt(2 / M_PI)));
    Node *half = graph_binary_scalar(f, OP_mul, x, 0.5);
    return graph_mul(f, half, graph_binary_scalar(f, OP_add, curve, 1));
}

/* ½x(1 + erf(x/√2)) */
Node *layer_gelu(Layer *layer)
{
    Function *f = function_of(layer);
    Node *x = layer->in[0];
    Json *json = layer_parameter(layer, "approximate");
    const char *form = "none";
    if (json && !json_string(json, &form))
        return NULL;
    if (strcmp(form, "tanh") == 0)
        return gelu_tanh(f, x);
    if (strcmp(form, "none") != 0) {
        json_error(json, "expected \"none\" or \"tanh\", found %s", json_describe(json));
        return NULL;
    }
    Node *curve = graph_unary(f, OP_erf, graph_binary_scalar(f, OP_mul, x, sqrt(0.5)));
    Node *half = graph_binary_scalar(f, OP_mul, x, 0.5);
    return graph_mul(f, half, graph_binary_scalar(f, OP_add, curve, 1));
}

Node *layer_silu(Layer *layer)
{
    Node *x = layer->in[0];
    return graph_mul(function_of(layer), x, graph_unary(function_of(layer), OP_sigmoid, x));
}

/* clamp(x + 3, 0, 6) / 6 */
Node *layer_hard_sigmoid(Layer *layer)
{
    Function *f = function_of(layer);
    Node *shifted = graph_binary_scalar(f, OP_add, layer->in[0], 3);
    return graph_binary_scalar(f, OP_mul, clamp_to_six(layer, shifted), 1.0 / 6);
}

Node *layer_hard_swish(Layer *layer)
{
    return graph_mul(function_of(layer), layer->in[0], layer_hard_sigmoid(layer));
}

Node *layer_sigmoid(Layer *layer)
{
    return graph_unary(function_of(layer), OP_sigmoid, layer->in[0]);
}

Node *layer_tanh(Layer *layer)
{
    return graph_unary(function_of(layer), OP_tanh, layer->in[0]);
}

/* max(x, 0) + log(1 + e^−|x|), which overflows nowhere */
Node *layer_softplus(Layer *layer)
{
    Function *f = function_of(layer);
    Node *x = layer->in[0];
    Node *away = graph_unary(f, OP_neg, graph_unary(f, OP_abs, x));
    Node *rest = graph_unary(f, OP_log1p, graph_unary(f, OP_exp, away));
    return graph_add(f, positive_part(layer, x), rest);
}

static Node *over_axis(Layer *layer, Op op)
{
    int64_t axis;
    if (!layer_axis(layer, layer->in[0]->type.rank, &axis))
        return NULL;
    return graph_softmax(function_of(layer), op, layer->in[0], axis);
}

Node *layer_softmax(Layer *layer)
{
    return over_axis(layer, OP_softmax);
}

Node *layer_log_softmax(Layer *layer)
{
    return over_axis(layer, OP_log_softmax);
}
