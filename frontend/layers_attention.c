/* Attention and the positions of tokens, spelled out in products, softmax and element-wise work.
 *
 *     q, k, v = x · w + b each, split into heads      [batch, heads, tokens, width / heads]
 *     p = softmax(q · kᵀ / √(width / heads))          [batch, heads, tokens, tokens]
 *     y = (p · v, heads side by side) · w + b         [batch, tokens, width]
 *
 * With a memory, k and v are made of it instead of x. Vaswani et al., "Attention is all you need",
 * 2017. */
#include <math.h>
#include <string.h>

#include "frontend/layers.h"

/* A score of what must not be seen: e to its power is 0 beside any other score, also when the
 * maximum is taken from it first, and finite, so that no gradient is NaN. */
#define HIDDEN (-1e30)

typedef struct Attention {
    Layer *layer;
    Function *f;
    int64_t heads, width; /* of the queries, and of what comes out */
    bool causal, bias;
    double dropout;
} Attention;

/* x · w + b with the states PREFIX.PART.weight and PREFIX.PART.bias */
static Node *project(const Attention *a, Node *x, const char *part, Initial initial)
{
    Arena *arena = a->layer->builder->arena;
    TensorType type = type_make(TYPE_F32, 2, (int64_t[]){x->type.dims[2], a->width});
    Node *w = layer_state(a->layer, arena_print(arena, "%s.weight", part), type, true,
                          "weight_initializer", initial);
    Node *y = layer_multiply_last_axis(a->layer, x, w);
    if (!y || !a->bias)
        return y;
    type = type_make(TYPE_F32, 1, &a->width);
    Node *b = layer_state(a->layer, arena_print(arena, "%s.bias", part), type, true,
                          "bias_initializer", initial_constant(0));
    return graph_add(a->f, y, b);
}

/* The first values of PyTorch's MultiheadAttention: queries, keys and values as one matrix. */
static Initial initial_in(const Attention *a, const Node *x)
{
    return initial_named("glorot_uniform", (double)x->type.dims[2], 3 * (double)a->width);
}

static Initial initial_out(const Attention *a)
{
    double width = (double)a->width;
    return (Initial){
        .kind = INITIAL_UNIFORM, .value = 1 / sqrt(width), .fan_in = width, .fan_out = width};
}

/* [batch, tokens, width] → [batch, heads, tokens, width / heads], the last two as `order` says */
static Node *split_heads(const Attention *a, Node *x, const int64_t *order)
{
    if (!x)
        return NULL;
    int64_t dims[] = {x->type.dims[0], x->type.dims[1], a->heads, a->width / a->heads};
    return graph_transpose(a->f, graph_reshape(a->f, x, 4, dims), order);
}

static Node *join_heads(const Attention *a, Node *x)
{
    static const int64_t order[] = {0, 2, 1, 3};
    if (!x)
        return NULL;
    int64_t dims[] = {x->type.dims[0], x->type.dims[2], a->width};
    return graph_reshape(a->f, graph_transpose(a->f, x, order), 3, dims);
}

/* Each token sees itself and those before it. scores: [batch, heads, tokens, tokens] */
static Node *hide_what_follows(const Attention *a, Node *scores)
{
    if (!scores)
        return NULL;
    const int64_t *dims = &scores->type.dims[2];
    Node *query = graph_iota(a->f, TYPE_I32, 2, dims, 0),
         *key = graph_iota(a->f, TYPE_I32, 2, dims, 1);
    return graph_select(a->f, graph_binary(a->f, OP_ge, query, key), scores,
                        layer_scalar(a->layer, HIDDEN));
}

static Node *attend(const Attention *a, Node *x, Node *memory)
{
    static const int64_t rows[] = {0, 2, 1, 3}, columns[] = {0, 2, 3, 1};
    Node *q = project(a, x, "query", initial_in(a, x));
    Node *k = project(a, memory, "key", initial_in(a, memory));
    Node *v = project(a, memory, "value", initial_in(a, memory));
    q = graph_binary_scalar(a->f, OP_mul, q, 1 / sqrt((double)a->width / (double)a->heads));
    Node *scores = graph_matmul(a->f, split_heads(a, q, rows), split_heads(a, k, columns));
    if (a->causal)
        scores = hide_what_follows(a, scores);
    if (!scores)
        return NULL;
    Node *p = layer_drop(a->layer, graph_softmax(a->f, OP_softmax, scores, 3), a->dropout);
    Node *y = join_heads(a, graph_matmul(a->f, p, split_heads(a, v, rows)));
    return y ? project(a, y, "output", initial_out(a)) : NULL;
}

static bool is_sequence(const Layer *layer, const Node *x)
{
    return x->type.rank == 3 ||
           layer_error(layer, "expects an input of shape [batch, tokens, width], found %s",
                       layer_shape(layer, x)) != NULL;
}

static bool read_attention(Layer *layer, Attention *a)
{
    if (!layer_integer(layer, "heads", 1, INT32_MAX, LAYER_REQUIRED, &a->heads) ||
        !layer_boolean(layer, "causal", false, &a->causal) ||
        !layer_boolean(layer, "bias", true, &a->bias) ||
        !layer_read_rate(layer, "dropout", &a->dropout))
        return false;
    if (a->width % a->heads != 0)
        return json_error(layer_parameter(layer, "heads"), "%lld must divide the width, %lld",
                          (long long)a->heads, (long long)a->width);
    if (a->causal && layer->in_count > 1)
        return json_error(layer_parameter(layer, "causal"),
                          "goes with one input: tokens of a memory have no place before or after");
    return true;
}

Node *layer_attention(Layer *layer)
{
    Node *x = layer->in[0], *memory = layer->in[layer->in_count - 1];
    if (!is_sequence(layer, x) || !is_sequence(layer, memory))
        return NULL;
    Attention a = {.layer = layer, .f = layer->builder->f, .width = x->type.dims[2]};
    return read_attention(layer, &a) ? attend(&a, x, memory) : NULL;
}

/* Positions */

/* sin(t / 10000^(2i / width)) in column 2i of row t, the cosine in column 2i + 1 */
static Node *sinusoids(Layer *layer, const TensorType *type)
{
    int64_t tokens = type->dims[0], width = type->dims[1];
    float *values = ARENA_ARRAY(layer->builder->arena, float, tokens *width);
    for (int64_t t = 0; t < tokens; t++) {
        for (int64_t i = 0; i < width; i++) {
            double angle = (double)t / pow(10000, (double)(i - i % 2) / (double)width);
            values[t * width + i] = (float)(i % 2 ? cos(angle) : sin(angle));
        }
    }
    return graph_constant(layer->builder->f, *type, values);
}

Node *layer_positional(Layer *layer)
{
    Node *x = layer->in[0], *encoding;
    const char *kind = "learned";
    Json *json = layer_parameter(layer, "encoding");
    if (!is_sequence(layer, x) || (json && !json_string(json, &kind)))
        return NULL;
    TensorType type = type_make(TYPE_F32, 2, &x->type.dims[1]);
    if (strcmp(kind, "learned") == 0) {
        Initial initial = {.kind = INITIAL_NORMAL,
                           .value = 0.02,
                           .fan_in = (double)type.dims[0],
                           .fan_out = (double)type.dims[1]};
        encoding = layer_state(layer, "weight", type, true, "weight_initializer", initial);
    } else if (strcmp(kind, "sinusoidal") == 0) {
        encoding = sinusoids(layer, &type);
    } else {
        json_error(json, "expected \"learned\" or \"sinusoidal\", found %s", json_describe(json));
        return NULL;
    }
    return graph_add(layer->builder->f, x, encoding);
}
