/* Activation functions of recurrent operators, by name and with their numbers.
 *
 *     activations = ["HardSigmoid", "Tanh", "LeakyRelu"]   activation_alpha = [0.3, 0.1]
 *                                                          activation_beta = [0.4]
 *
 * The numbers are given to those functions that have any, in their order; the rest has the defaults
 * of the operators of the same names. */
#include <string.h>
#include <strings.h>

#include "frontend/onnx/recurrent.h"

typedef Node *Build(Function *f, const Activation *a, Node *x);

static Node *scaled(Function *f, Node *x, double scale)
{
    return graph_binary_scalar(f, OP_mul, x, scale);
}

static Node *build_relu(Function *f, const Activation *a, Node *x)
{
    (void)a;
    return graph_binary_scalar(f, OP_max, x, 0);
}

static Node *build_tanh(Function *f, const Activation *a, Node *x)
{
    (void)a;
    return graph_unary(f, OP_tanh, x);
}

static Node *build_sigmoid(Function *f, const Activation *a, Node *x)
{
    (void)a;
    return graph_unary(f, OP_sigmoid, x);
}

static Node *build_affine(Function *f, const Activation *a, Node *x)
{
    return graph_binary_scalar(f, OP_add, scaled(f, x, a->alpha), a->beta);
}

static Node *build_leaky_relu(Function *f, const Activation *a, Node *x)
{
    return graph_select(f, graph_binary_scalar(f, OP_lt, x, 0), scaled(f, x, a->alpha), x);
}

static Node *build_thresholded_relu(Function *f, const Activation *a, Node *x)
{
    Node *over = graph_binary_scalar(f, OP_gt, x, a->alpha);
    return x ? graph_select(f, over, x, graph_scalar(f, x->type.element, 0)) : NULL;
}

static Node *build_scaled_tanh(Function *f, const Activation *a, Node *x)
{
    return scaled(f, graph_unary(f, OP_tanh, scaled(f, x, a->beta)), a->alpha);
}

static Node *build_hard_sigmoid(Function *f, const Activation *a, Node *x)
{
    x = graph_binary_scalar(f, OP_min, build_affine(f, a, x), 1);
    return graph_binary_scalar(f, OP_max, x, 0);
}

static Node *build_elu(Function *f, const Activation *a, Node *x)
{
    Node *low = scaled(f, graph_unary(f, OP_expm1, x), a->alpha);
    return graph_select(f, graph_binary_scalar(f, OP_lt, x, 0), low, x);
}

static Node *build_softsign(Function *f, const Activation *a, Node *x)
{
    (void)a;
    return graph_div(f, x, graph_binary_scalar(f, OP_add, graph_unary(f, OP_abs, x), 1));
}

/* max(x, 0) + log(1 + e^-|x|) */
static Node *build_softplus(Function *f, const Activation *a, Node *x)
{
    Node *small = graph_unary(f, OP_exp, graph_unary(f, OP_neg, graph_unary(f, OP_abs, x)));
    return graph_add(f, build_relu(f, a, x), graph_unary(f, OP_log1p, small));
}

static const struct {
    const char *name;
    Build *build;
    int numbers; /* alpha, then beta */
    double alpha, beta;
} table[] = {
    {"Affine", build_affine, 2, 1, 0},
    {"Elu", build_elu, 1, 1, 0},
    {"HardSigmoid", build_hard_sigmoid, 2, 0.2, 0.5},
    {"LeakyRelu", build_leaky_relu, 1, 0.01, 0},
    {"Relu", build_relu, 0, 0, 0},
    {"ScaledTanh", build_scaled_tanh, 2, 1, 1},
    {"Sigmoid", build_sigmoid, 0, 0, 0},
    {"Softplus", build_softplus, 0, 0, 0},
    {"Softsign", build_softsign, 0, 0, 0},
    {"Tanh", build_tanh, 0, 0, 0},
    {"ThresholdedRelu", build_thresholded_relu, 1, 1, 0},
};

enum { KNOWN = sizeof table / sizeof table[0] };

static int find(const char *name)
{
    for (int i = 0; i < KNOWN; i++)
        if (strcasecmp(table[i].name, name) == 0)
            return i;
    return -1;
}

static bool refuse(OnnxOp *op, const char *name)
{
    const char *names[KNOWN];
    for (int i = 0; i < KNOWN; i++)
        names[i] = table[i].name;
    const char *near = nearest_name(name, names, KNOWN);
    return onnx_error(op, "the activation \"%s\" is not known%s%s%s", name, near ? "; is " : "",
                      near ? near : "", near ? " meant?" : "");
}

/* Numbers of an attribute, taken one after another. */
typedef struct Numbers {
    const float *values;
    int count, next;
} Numbers;

static Numbers read_numbers(OnnxOp *op, const char *name)
{
    Numbers numbers = {0};
    onnx_floats(op, name, &numbers.values, &numbers.count);
    return numbers;
}

static double take(Numbers *numbers, double otherwise)
{
    return numbers->next < numbers->count ? numbers->values[numbers->next++] : otherwise;
}

bool activations_read(Recurrent *r)
{
    OnnxOp *op = r->op;
    const Onnx__AttributeProto *names = onnx_attribute(op, "activations");
    Numbers alpha = read_numbers(op, "activation_alpha"),
            beta = read_numbers(op, "activation_beta");
    int count = r->functions * r->directions;
    if (names && names->n_strings && (int)names->n_strings != count)
        return onnx_error(op, "names %zu activations, but has %d", names->n_strings, count);
    for (int i = 0; i < count; i++) {
        const char *name = names && names->n_strings ? onnx_bytes_text(op->arena, names->strings[i])
                                                     : r->defaults[i % r->functions];
        int known = find(name);
        if (known < 0)
            return refuse(op, name);
        Activation *a = &r->activations[i];
        *a = (Activation){table[known].name, table[known].alpha, table[known].beta};
        if (table[known].numbers > 0)
            a->alpha = take(&alpha, a->alpha);
        if (table[known].numbers > 1)
            a->beta = take(&beta, a->beta);
    }
    return true;
}

Node *activation_node(Function *f, const Activation *activation, Node *x)
{
    return table[find(activation->name)].build(f, activation, x);
}
