/* Attention, in the standard's forms, and what goes with it. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/attention.h"
#include "frontend/onnx/spatial.h"
#include "frontend/onnx/tensor.h"
#include "ir/scan.h"

/* The element type an attribute names, or `otherwise`. Half floats are computed as f32. */
static ElementType precision_of(OnnxOp *op, const char *key, ElementType otherwise)
{
    int64_t number = onnx_int(op, key, 0);
    ElementType element;
    if (number == 0)
        return otherwise;
    if (number == 10 || number == 16)
        return TYPE_F32;
    if (!onnx_type_find(number, &element) || !element_is_float(element)) {
        onnx_error(op, "%s must be a type of floats", key);
        return otherwise;
    }
    return element;
}

static bool read_window(OnnxOp *op, const char *key, int64_t *width)
{
    *width = onnx_int(op, key, -1);
    return (*width >= -1 && *width <= INT32_MAX) ||
           onnx_error(op, "%s is %lld, but must be -1 or more", key, (long long)*width);
}

/* Where the first query stands: behind the keys of the past, or at the end of those there are. */
static bool read_sight(OnnxOp *op, const Attention *a, int64_t past, Sight *s)
{
    *s = (Sight){.causal = onnx_int(op, "is_causal", 0) != 0, .offset = past};
    if (!read_window(op, "left_window_size", &s->left) ||
        !read_window(op, "right_window_size", &s->right))
        return false;
    s->mask = onnx_in(op, 3);
    if (!onnx_has_in(op, 6))
        return true;
    s->lengths = graph_cast(op->f, onnx_in(op, 6), TYPE_I32);
    s->offsets = graph_binary_scalar(op->f, OP_sub, s->lengths, (double)a->q->type.dims[2]);
    return s->offsets != NULL;
}

void onnx_build_attention(OnnxOp *op)
{
    Node *q = onnx_in(op, 0), *k = onnx_in(op, 1), *v = onnx_in(op, 2);
    Node *past_k = onnx_in(op, 4), *past_v = onnx_in(op, 5);
    int64_t q_heads = onnx_int(op, "q_num_heads", 0), heads = onnx_int(op, "kv_num_heads", 0);
    int64_t mode = onnx_int(op, "qk_matmul_output_mode", 0);
    Attention a;
    Stages stages;
    if (!q || !k || !v)
        return;
    bool flat = q->type.rank == 3;
    q = onnx_split_heads(op, q, q_heads);
    k = onnx_append(op, past_k, onnx_split_heads(op, k, heads));
    v = onnx_append(op, past_v, onnx_split_heads(op, v, heads));
    if (!onnx_attention_start(op, q, k, v, &a) ||
        !read_sight(op, &a, past_k ? past_k->type.dims[2] : 0, &a.sight))
        return;
    a.scale = onnx_float(op, "scale", a.scale);
    a.softcap = onnx_float(op, "softcap", 0);
    a.softmax = precision_of(op, "softmax_precision", a.softmax);
    Node *y = onnx_attention(op, &a, &stages);
    onnx_out(op, 0, flat ? onnx_join_heads(op, y) : y);
    if (onnx_wants(op, 1))
        onnx_out(op, 1, k);
    if (onnx_wants(op, 2))
        onnx_out(op, 2, v);
    if (onnx_wants(op, 3) && y)
        onnx_out(op, 3,
                 mode == 1   ? stages.capped
                 : mode == 2 ? stages.biased
                 : mode == 3 ? stages.weights
                             : stages.scores);
}

/* ---- with graphs for scores and weights ---- */

static Node *run_on(OnnxOp *op, const char *key, Node *x)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(op, key);
    OnnxValue *in = ARENA_NEW(op->arena, OnnxValue), out = {0};
    if (!attribute || !attribute->g)
        return x;
    if (attribute->g->n_output != 1)
        return onnx_error(op, "%s must give one tensor", key);
    in->node = x;
    if (!x || !onnx_graph_run(op, attribute->g, in, 1, &out))
        return NULL;
    if (!out.node || !type_equal(&out.node->type, &x->type))
        return onnx_error(op, "%s must give a tensor like the one it gets", key);
    return out.node;
}

static Node *score_mod(OnnxOp *op, Node *scores, void *context)
{
    (void)context;
    return run_on(op, "score_mod", scores);
}

static Node *prob_mod(OnnxOp *op, Node *weights, void *context)
{
    (void)context;
    return run_on(op, "prob_mod", weights);
}

void onnx_build_flex_attention(OnnxOp *op)
{
    Attention a;
    onnx_ignore(op, "score_mod prob_mod");
    if (!onnx_attention_start(op, onnx_in(op, 0), onnx_in(op, 1), onnx_in(op, 2), &a))
        return;
    a.scale = onnx_float(op, "scale", a.scale);
    a.softmax = precision_of(op, "softmax_precision", a.softmax);
    a.change_scores = score_mod;
    a.change_weights = prob_mod;
    onnx_out(op, 0, onnx_attention(op, &a, NULL));
}

/* ---- positions ---- */

/* Rows of a table of cosines or sines, [B, L, width/2]; without positions it is that already. */
static Node *angles_in(OnnxOp *op, int i, Node *positions)
{
    Node *table = onnx_in(op, i);
    return positions ? onnx_gather(op, table, positions, 0) : table;
}

void onnx_build_rotary_embedding(OnnxOp *op)
{
    static const int64_t order[] = {0, 2, 1, 3};
    Node *x = onnx_in(op, 0), *positions = onnx_in(op, 3);
    int64_t heads = onnx_int(op, "num_heads", 0), width = onnx_int(op, "rotary_embedding_dim", 0);
    bool neighbours = onnx_int(op, "interleaved", 0) != 0;
    if (!x)
        return;
    TensorType type = x->type;
    if (type.rank == 3 && heads > 0 && type.dims[2] % heads == 0)
        x = graph_reshape(op->f, x, 4,
                          (int64_t[]){type.dims[0], type.dims[1], heads, type.dims[2] / heads});
    else if (type.rank == 4)
        x = graph_transpose(op->f, x, order);
    else
        onnx_error(op, "takes heads of %lld numbers in %lld heads from a tensor with %d axes",
                   (long long)(type.rank ? type.dims[type.rank - 1] : 0), (long long)heads,
                   type.rank);
    if (op->failed || !x)
        return;
    x = onnx_rotate(op, x, angles_in(op, 1, positions), angles_in(op, 2, positions),
                    width ? width : x->type.dims[3], neighbours);
    onnx_out(op, 0,
             type.rank == 4 ? graph_transpose(op->f, x, order)
                            : graph_reshape(op->f, x, type.rank, type.dims));
}

/* ---- a state in place of keys ---- */

typedef struct Recurrence {
    bool decays, corrects;
    double scale;
    int64_t steps, heads, shared; /* heads of keys; heads of queries for each */
} Recurrence;

/* [B, T, H·D] as [T, B, H, rows, D/rows] with D = 1 along one of the last two */
static Node *by_step(OnnxOp *op, Node *x, int64_t heads, bool column)
{
    static const int64_t order[] = {1, 0, 2, 3, 4};
    if (!x)
        return NULL;
    const int64_t *d = x->type.dims;
    if (x->type.rank != 3 || heads < 1 || d[2] % heads != 0)
        return onnx_error(op, "takes %lld heads from a tensor with %d axes", (long long)heads,
                          x->type.rank);
    int64_t size = d[2] / heads;
    int64_t dims[] = {d[0], d[1], heads, column ? size : 1, column ? 1 : size};
    return graph_transpose(op->f, graph_reshape(op->f, x, 5, dims), order);
}

enum { KEY_COLUMN, KEY_ROW, VALUE, QUERY, DECAY, BETA, PART_COUNT };

/* One step: the state [B, H, D, E] decays, learns that the key stands for the value, and is asked.
 * With corrections it learns only what it does not know. */
static Node *step(Function *f, const Recurrence *r, Node **state, Node *const *part)
{
    Node *value = part[VALUE];
    if (r->decays)
        *state = graph_mul(f, *state, graph_unary(f, OP_exp, part[DECAY]));
    if (r->corrects) {
        Node *known = graph_matmul(f, part[KEY_ROW], *state);
        value = graph_mul(f, part[BETA], graph_sub(f, value, known));
    }
    *state = graph_add(f, *state, graph_mul(f, part[KEY_COLUMN], value));
    return graph_binary_scalar(f, OP_mul, graph_matmul(f, part[QUERY], *state), r->scale);
}

/* All steps: answers [T, B, H, queries, E] and the last state. */
static Node *run_steps(OnnxOp *op, const Recurrence *r, Node *const *parts, Node **state)
{
    static const char *const names[PART_COUNT] = {"key", "row", "value", "query", "decay", "beta"};
    Function *body = body_create(op->program);
    Node *in[PART_COUNT + 1] = {*state}, *inner[PART_COUNT] = {NULL};
    int count = 1;
    body->place = op->place;
    Node *inside = graph_input(body, "state", (*state)->type);
    for (int i = 0; i < PART_COUNT; i++) {
        if (!parts[i])
            continue;
        TensorType type =
            type_make(parts[i]->type.element, parts[i]->type.rank - 1, parts[i]->type.dims + 1);
        inner[i] = graph_input(body, names[i], type);
        in[count++] = parts[i];
    }
    Node *answer = step(body, r, &inside, inner);
    if (!answer)
        return NULL;
    function_add_result(body, NULL, inside);
    function_add_result(body, NULL, answer);
    Node *scan = graph_scan(op->f, body, 1, count - 1, r->steps, false, in);
    *state = graph_result(op->f, scan, 0);
    return graph_result(op->f, scan, 1);
}

static bool read_recurrence(OnnxOp *op, const Node *q, Recurrence *r)
{
    static const char *const rules[] = {"linear", "gated", "delta", "gated_delta"};
    int rule = onnx_word(op, "update_rule", "gated_delta", rules, 4);
    int64_t heads = onnx_int(op, "kv_num_heads", 0), queries = onnx_int(op, "q_num_heads", 0);
    double scale = onnx_float(op, "scale", 0);
    onnx_ignore(op, "chunk_size");
    if (op->failed || !q)
        return false;
    if (heads < 1 || queries < 1 || queries % heads != 0 || q->type.rank != 3 ||
        q->type.dims[2] % queries != 0 || q->type.dims[2] == 0)
        return onnx_error(op, "has %lld heads of queries and %lld of keys", (long long)queries,
                          (long long)heads);
    *r = (Recurrence){.decays = rule & 1,
                      .corrects = rule & 2,
                      .scale = scale,
                      .steps = q->type.dims[1],
                      .heads = heads,
                      .shared = queries / heads};
    if (scale == 0)
        r->scale = 1 / sqrt((double)(q->type.dims[2] / queries));
    if (r->steps < 1)
        return onnx_error(op, "has no steps");
    if (r->decays != onnx_has_in(op, 4) || r->corrects != onnx_has_in(op, 5))
        return onnx_error(op, "the update rule %s %s a decay and %s a beta", rules[rule],
                          r->decays ? "needs" : "has not got",
                          r->corrects ? "needs" : "has not got");
    return true;
}

/* A number for each head, or for each element of its keys, as a column. */
static Node *decay_in(OnnxOp *op, const Recurrence *r)
{
    return r->decays ? by_step(op, onnx_in(op, 4), r->heads, true) : NULL;
}

/* A number for each head, or for all of them. */
static Node *beta_in(OnnxOp *op, const Recurrence *r)
{
    Node *beta = r->corrects ? onnx_in(op, 5) : NULL;
    return beta ? by_step(op, beta, beta->type.rank == 3 && beta->type.dims[2] == 1 ? 1 : r->heads,
                          true)
                : NULL;
}

void onnx_build_linear_attention(OnnxOp *op)
{
    static const int64_t order[] = {1, 0, 2, 3, 4};
    Node *q = onnx_in(op, 0), *k = onnx_in(op, 1), *v = onnx_in(op, 2), *state = onnx_in(op, 3);
    Recurrence r = {0};
    if (!q || !k || !v || !read_recurrence(op, q, &r))
        return;
    if (k->type.rank != 3 || v->type.rank != 3 || k->type.dims[2] % r.heads != 0 ||
        v->type.dims[2] % r.heads != 0) {
        onnx_error(op, "its keys and values do not have %lld heads", (long long)r.heads);
        return;
    }
    int64_t batch = q->type.dims[0], deep = k->type.dims[2] / r.heads,
            wide = v->type.dims[2] / r.heads;
    if (!state)
        state = graph_broadcast(op->f, onnx_scalar(op, q->type.element, 0), 4,
                                (int64_t[]){batch, r.heads, deep, wide});
    Node *parts[PART_COUNT] = {[KEY_COLUMN] = by_step(op, k, r.heads, true),
                               [VALUE] = by_step(op, v, r.heads, false),
                               [QUERY] = by_step(op, q, r.heads * r.shared, false),
                               [DECAY] = decay_in(op, &r),
                               [BETA] = beta_in(op, &r)};
    if (r.corrects)
        parts[KEY_ROW] = by_step(op, k, r.heads, false);
    if (op->failed || !parts[QUERY])
        return;
    parts[QUERY] =
        graph_reshape(op->f, parts[QUERY], 5,
                      (int64_t[]){r.steps, batch, r.heads, r.shared, parts[QUERY]->type.dims[4]});
    Node *y = run_steps(op, &r, parts, &state);
    y = graph_transpose(op->f, y, order);
    onnx_out(op, 0,
             graph_reshape(op->f, y, 3, (int64_t[]){batch, r.steps, r.heads * r.shared * wide}));
    if (onnx_wants(op, 1))
        onnx_out(op, 1, state);
}

/* ---- a convolution that remembers ---- */

/* The last `length` places of x [B, C, T], noughts in front where there are fewer. */
static Node *last_places(OnnxOp *op, Node *x, int64_t length)
{
    if (!x)
        return NULL;
    int64_t there = x->type.dims[2] < length ? x->type.dims[2] : length;
    int64_t start[] = {0, 0, x->type.dims[2] - there}, before[] = {0, 0, length - there};
    int64_t count[] = {x->type.dims[0], x->type.dims[1], there}, after[] = {0, 0, 0};
    x = graph_slice(op->f, x, start, count, NULL);
    return length > there ? graph_pad(op->f, x, before, after, NULL, 0) : x;
}

/* Each channel with its own filter, over what has come so far. */
void onnx_build_causal_conv(OnnxOp *op)
{
    static const char *const activations[] = {"none", "silu", "swish"};
    static const int64_t order[] = {2, 1, 0};
    Node *x = onnx_in(op, 0), *past = onnx_in(op, 3);
    const TensorType *w = onnx_in_type(op, 1);
    int activation = onnx_word(op, "activation", "none", activations, 3);
    if (!x || !w || op->failed)
        return;
    if (x->type.rank != 3 || w->rank != 3 || w->dims[0] != x->type.dims[1] || w->dims[1] != 1 ||
        w->dims[2] < 1 || w->dims[2] > INT32_MAX) {
        onnx_error(op, "takes [N, C, T] and a filter [C, 1, K]");
        return;
    }
    int64_t known = w->dims[2] - 1;
    if (past && (past->type.rank != 3 || past->type.dims[2] != known)) {
        onnx_error(op, "its past must be %lld long", (long long)known);
        return;
    }
    Node *all = past && known ? onnx_append(op, past, x) : x;
    Spatial s = {.rank = 1, .stride = {1}, .dilation = {1}, .groups = x->type.dims[1]};
    s.pad[0] = past ? 0 : known;
    Node *y = graph_conv(op->f, onnx_channels_last(op, all), onnx_in_ordered(op, 1, order), &s);
    if (y && onnx_has_in(op, 2))
        y = graph_add(op->f, y, onnx_in(op, 2));
    if (activation)
        y = graph_mul(op->f, y, graph_unary(op->f, OP_sigmoid, y));
    onnx_out(op, 0, onnx_channels_first(op, y));
    if (onnx_wants(op, 1))
        onnx_out(op, 1, last_places(op, all, known));
}
