/* Recurrent layers: a scan over the steps of [batch, steps, features], whose body is one step.
 *
 *     rnn     h ← tanh(x·W + b + h·U + c)
 *     gru     r, z = sigmoid(x·W + b + h·U + c),  n = tanh(x·W + b + r·(h·U + c)),  h ← (1 - z)·n +
 * z·h lstm    i, f, o = sigmoid(…),  g = tanh(…),  s ← f·s + i·g,  h ← o·tanh(s)
 *
 * as PyTorch has them: W is weight_input [features, gates·units], U weight_hidden
 * [units, gates·units], b bias_input, c bias_hidden; the gates of a GRU stand in the order r z n,
 * those of an LSTM i f g o. What a step computes from x alone is left in the body: passes/hoist.c
 * takes it out. Hochreiter and Schmidhuber, "Long short-term memory", 1997; Gers et al., "Learning
 * to forget", 2000; Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.
 *
 * Between the layers of one kind steps are axis 0, as scans want them. */
#include <math.h>
#include <string.h>

#include "frontend/layers.h"
#include "ir/scan.h"

enum { STACK_LIMIT = 256, CARRIED_LIMIT = 2 };

typedef struct Recurrent Recurrent;

/* What a step computes with. */
typedef struct Step {
    const Recurrent *r;
    Function *body;
    Node *x, *carried[CARRIED_LIMIT]; /* carried[0] is h */
    Node *weight_input, *weight_hidden, *bias_input,
        *bias_hidden; /* biases: NULL when there are none */
    Node *next[CARRIED_LIMIT];
} Step;

struct Recurrent {
    Layer *layer;
    Function *f;
    int gates, carried;
    void (*step)(Step *step);
    int64_t units, layers;
    bool bidirectional, bias, last;
    bool relu; /* rnn: instead of tanh */
    double dropout;
};

/* ---- steps ---- */

/* x · w + b; without bias x · w */
static Node *affine(Function *f, Node *x, Node *w, Node *b)
{
    Node *product = graph_matmul(f, x, w);
    return b ? graph_add(f, product, b) : product;
}

/* Gate number `index` of [batch, gates·units]. */
static Node *gate(const Step *s, Node *all, int index)
{
    if (!all)
        return NULL;
    int64_t start[] = {0, index * s->r->units}, count[] = {all->type.dims[0], s->r->units};
    return graph_slice(s->body, all, start, count, NULL);
}

static Node *gate_of(const Step *s, Op op, Node *all, int index)
{
    return graph_unary(s->body, op, gate(s, all, index));
}

/* Both biases are added to the input's part: they are the same in each step, and so is their sum.
 */
static Node *sum_of_both(const Step *s)
{
    Function *f = s->body;
    Node *bias = s->r->bias ? graph_add(f, s->bias_input, s->bias_hidden) : NULL;
    return graph_add(f, affine(f, s->x, s->weight_input, bias),
                     graph_matmul(f, s->carried[0], s->weight_hidden));
}

static void step_rnn(Step *s)
{
    Node *sum = sum_of_both(s);
    s->next[0] = s->r->relu ? graph_binary_scalar(s->body, OP_max, sum, 0)
                            : graph_unary(s->body, OP_tanh, sum);
}

static void step_lstm(Step *s)
{
    Function *f = s->body;
    Node *all = sum_of_both(s);
    Node *in = gate_of(s, OP_sigmoid, all, 0), *forget = gate_of(s, OP_sigmoid, all, 1);
    Node *new = gate_of(s, OP_tanh, all, 2), *out = gate_of(s, OP_sigmoid, all, 3);
    Node *kept = graph_mul(f, forget, s->carried[1]);
    s->next[1] = graph_add(f, kept, graph_mul(f, in, new));
    s->next[0] = graph_mul(f, out, graph_unary(f, OP_tanh, s->next[1]));
}

/* (1 - z)·n + z·h as n + z·(h - n) */
static void step_gru(Step *s)
{
    Function *f = s->body;
    Node *h = s->carried[0];
    Node *from_input = affine(f, s->x, s->weight_input, s->bias_input);
    Node *from_hidden = affine(f, h, s->weight_hidden, s->bias_hidden);
    Node *reset =
        graph_unary(f, OP_sigmoid, graph_add(f, gate(s, from_input, 0), gate(s, from_hidden, 0)));
    Node *keep =
        graph_unary(f, OP_sigmoid, graph_add(f, gate(s, from_input, 1), gate(s, from_hidden, 1)));
    Node *inner =
        graph_add(f, gate(s, from_input, 2), graph_mul(f, reset, gate(s, from_hidden, 2)));
    Node *new = graph_unary(f, OP_tanh, inner);
    s->next[0] = graph_add(f, new, graph_mul(f, keep, graph_sub(f, h, new)));
}

/* ---- one direction of one layer ---- */

/* PREFIX.PLACE.NAME, uniform between ±1/√units as in PyTorch; `rows` 0: a bias */
static Node *parameter(const Recurrent *r, const char *place, const char *name, int64_t rows)
{
    int64_t columns = r->gates * r->units, dims[] = {rows, columns};
    double fan_in = (double)(rows ? rows : r->units);
    Initial initial = {.kind = INITIAL_UNIFORM,
                       .value = 1 / sqrt((double)r->units),
                       .fan_in = fan_in,
                       .fan_out = (double)columns};
    TensorType type = rows ? type_make(TYPE_F32, 2, dims) : type_make(TYPE_F32, 1, &columns);
    return layer_state(r->layer, arena_print(r->layer->builder->arena, "%s%s", place, name), type,
                       true, rows ? "weight_initializer" : "bias_initializer", initial);
}

typedef struct Inputs { /* of a scan, with the parameters of its body */
    Function *body;
    Node *given[CARRIED_LIMIT + 5];
    int count;
} Inputs;

static Node *add_input(Inputs *inputs, const char *name, Node *given, TensorType type)
{
    inputs->given[inputs->count++] = given;
    return graph_input(inputs->body, name, type);
}

static Node *add_weight(Inputs *inputs, const Recurrent *r, const char *place, const char *name,
                        int64_t rows)
{
    Node *state = parameter(r, place, name, rows);
    return state ? add_input(inputs, name, state, state->type) : NULL;
}

/* The scan over x [steps, batch, features]; results are h after the last step, then (with an LSTM)
 * its state, then all h. */
static Node *scan_of(const Recurrent *r, Node *x, const char *place, bool reverse)
{
    static const char *const names[CARRIED_LIMIT] = {"h", "s"};
    int64_t steps = x->type.dims[0], batch = x->type.dims[1], features = x->type.dims[2];
    TensorType state = type_make(TYPE_F32, 2, (int64_t[]){batch, r->units});
    Inputs inputs = {.body = body_create(r->f->program)};
    Step step = {.r = r, .body = inputs.body};
    inputs.body->place = r->f->place;
    Node *zero = graph_broadcast(r->f, layer_scalar(r->layer, 0), state.rank, state.dims);
    for (int i = 0; i < r->carried; i++)
        step.carried[i] = add_input(&inputs, names[i], zero, state);
    step.x = add_input(&inputs, "x", x, type_make(TYPE_F32, 2, &x->type.dims[1]));
    step.weight_input = add_weight(&inputs, r, place, "weight_input", features);
    step.weight_hidden = add_weight(&inputs, r, place, "weight_hidden", r->units);
    step.bias_input = r->bias ? add_weight(&inputs, r, place, "bias_input", 0) : NULL;
    step.bias_hidden = r->bias ? add_weight(&inputs, r, place, "bias_hidden", 0) : NULL;
    if (!step.weight_input || !step.weight_hidden ||
        (r->bias && (!step.bias_input || !step.bias_hidden)))
        return NULL;
    r->step(&step);
    for (int i = 0; i < r->carried; i++)
        function_add_result(inputs.body, NULL, step.next[i]);
    function_add_result(inputs.body, NULL, step.next[0]);
    return graph_scan(r->f, inputs.body, r->carried, 1, steps, reverse, inputs.given);
}

/* ---- layers ---- */

/* x [steps, batch, features] → [steps, batch, units], or the last [batch, units]; twice the units
 * when both directions stand side by side. */
static Node *one_layer(const Recurrent *r, Node *x, const char *place, bool last)
{
    Arena *arena = r->layer->builder->arena;
    Node *parts[2];
    int count = r->bidirectional ? 2 : 1;
    for (int i = 0; i < count; i++) {
        const char *at = i ? arena_print(arena, "%sreverse.", place) : place;
        Node *scan = scan_of(r, x, at, i == 1);
        parts[i] = scan ? graph_result(r->f, scan, last ? 0 : r->carried) : NULL;
        if (!parts[i])
            return NULL;
    }
    return count == 1 ? parts[0] : graph_concat(r->f, 2, parts, last ? 1 : 2);
}

/* `numbered`: the layers' parameters carry their numbers, as those of repetitions do. */
static Node *all_layers(const Recurrent *r, bool numbered)
{
    static const int64_t order[] = {1, 0, 2};
    Node *x = graph_transpose(r->f, r->layer->in[0], order);
    for (int64_t i = 0; i < r->layers && x; i++) {
        bool end = i == r->layers - 1;
        const char *place =
            numbered ? arena_print(r->layer->builder->arena, "%lld.", (long long)i) : "";
        x = one_layer(r, x, place, end && r->last);
        if (!end && x)
            x = layer_drop(r->layer, x, r->dropout);
    }
    return r->last ? x : graph_transpose(r->f, x, order);
}

static bool read_return(Recurrent *r)
{
    Json *json = layer_parameter(r->layer, "return");
    const char *what = "sequence";
    if (json && !json_string(json, &what))
        return false;
    r->last = strcmp(what, "last") == 0;
    return r->last || strcmp(what, "sequence") == 0 ||
           json_error(json, "expected \"sequence\" or \"last\", found %s", json_describe(json));
}

/* Fills in what all three have. */
static Node *build(Recurrent *r)
{
    Layer *layer = r->layer;
    const Node *x = layer->in[0];
    r->f = layer->builder->f;
    if (!layer_integer(layer, "units", 1, (int64_t)1 << 31, LAYER_REQUIRED, &r->units) ||
        !layer_integer(layer, "layers", 1, STACK_LIMIT, 1, &r->layers) ||
        !layer_boolean(layer, "bidirectional", false, &r->bidirectional) ||
        !layer_boolean(layer, "bias", true, &r->bias) ||
        !layer_read_rate(layer, "dropout", &r->dropout) || !read_return(r))
        return NULL;
    if (x->type.rank != 3)
        return layer_error(layer, "expects an input of shape [batch, steps, features], found %s",
                           layer_shape(layer, x));
    if (r->dropout > 0 && r->layers == 1) {
        json_error(layer_parameter(layer, "dropout"),
                   "stands between layers, and this is one; use the layer \"dropout\" behind it");
        return NULL;
    }
    return all_layers(r, layer_parameter(layer, "layers") != NULL);
}

Node *layer_lstm(Layer *layer)
{
    return build(&(Recurrent){.layer = layer, .gates = 4, .carried = 2, .step = step_lstm});
}

Node *layer_gru(Layer *layer)
{
    return build(&(Recurrent){.layer = layer, .gates = 3, .carried = 1, .step = step_gru});
}

Node *layer_rnn(Layer *layer)
{
    Json *json = layer_parameter(layer, "activation");
    const char *activation = "tanh";
    if (json && !json_string(json, &activation))
        return NULL;
    bool relu = strcmp(activation, "relu") == 0;
    if (!relu && strcmp(activation, "tanh") != 0) {
        json_error(json, "expected \"tanh\" or \"relu\", found %s", json_describe(json));
        return NULL;
    }
    return build(
        &(Recurrent){.layer = layer, .gates = 1, .carried = 1, .step = step_rnn, .relu = relu});
}
