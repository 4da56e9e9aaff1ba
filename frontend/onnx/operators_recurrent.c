/* LSTM, GRU and RNN: a scan over the steps for each direction, whose body is one step.
 *
 *     RNN     h ← f(x·W + h·R + b)
 *     GRU     z, r = f(…),  n = g(x·Wn + (r·h)·Rn + b) or g(x·Wn + r·(h·Rn + c) + b),
 *             h ← (1 - z)·n + z·h
 *     LSTM    i, o, f = f(… + p·s),  c = g(…),  s ← f·s + i·c,  h ← o·h(s)
 *
 * Weights are stored once as [directions, features, gates · units], so that a product runs over
 * them as they lie; the gates keep the order of the standard, z r n and i o f c. What a step
 * computes of x alone is left in the body: passes/hoist.c makes one product of it for all steps. A
 * single step is no scan.
 *
 * Where sequence_lens says that a sequence is over, h and s stay and the result is nought. Walked
 * backwards the same comes out: nothing happens until the sequence's last step.
 *
 * As in ONNX Runtime, `clip` bounds what goes into f and g, not the state on its way to h. */
#include <string.h>

#include "frontend/onnx/control.h"
#include "frontend/onnx/recurrent.h"
#include "ir/scan.h"

enum { GIVEN_LIMIT = 10 }; /* inputs of a scan */

/* ---- steps ---- */

/* Columns `first` … of [batch, gates·units]. */
static Node *gates(const Step *s, Node *all, int first, int count)
{
    if (!all)
        return NULL;
    int64_t units = s->r->units, start[] = {0, first * units};
    int64_t size[] = {all->type.dims[0], count * units};
    return graph_slice(s->f, all, start, size, NULL);
}

/* f, g or h (0, 1, 2) of a sum that is clipped before. */
static Node *active(const Step *s, int which, Node *sum)
{
    double clip = s->r->clip;
    if (clip > 0 && which < 2) {
        sum = graph_binary_scalar(s->f, OP_min, sum, clip);
        sum = graph_binary_scalar(s->f, OP_max, sum, -clip);
    }
    return activation_node(s->f, &s->activations[which], sum);
}

/* x·W + b + h·R */
static Node *sum_of_both(const Step *s, Node *recurrent)
{
    Node *sum = graph_matmul(s->f, s->x, s->input_weight);
    if (s->bias)
        sum = graph_add(s->f, sum, s->bias);
    return graph_add(s->f, sum, graph_matmul(s->f, s->carried[0], recurrent));
}

static void step_rnn(Step *s)
{
    s->next[0] = active(s, 0, sum_of_both(s, s->hidden_weight));
}

/* A gate with the state it looks at, if it does. */
static Node *peep(const Step *s, Node *all, int gate, int peephole, Node *state)
{
    int64_t start[] = {0, peephole * s->r->units}, size[] = {1, s->r->units};
    Node *sum = gates(s, all, gate, 1);
    if (!s->peepholes)
        return sum;
    Node *weight = graph_slice(s->f, s->peepholes, start, size, NULL);
    return graph_add(s->f, sum, graph_mul(s->f, weight, state));
}

static void step_lstm(Step *s)
{
    Function *f = s->f;
    Node *state = s->carried[1], *all = sum_of_both(s, s->hidden_weight);
    Node *in = active(s, 0, peep(s, all, 0, 0, state));
    Node *forget = s->r->coupled ? graph_sub(f, graph_scalar(f, s->r->element, 1), in)
                                 : active(s, 0, peep(s, all, 2, 2, state));
    Node *new = active(s, 1, gates(s, all, 3, 1));
    s->next[1] = graph_add(f, graph_mul(f, forget, state), graph_mul(f, in, new));
    Node *out = active(s, 0, peep(s, all, 1, 1, s->next[1]));
    s->next[0] = graph_mul(f, out, active(s, 2, s->next[1]));
}

/* With linear_before_reset one product gives all three gates; else the last is of r·h. */
static void step_gru(Step *s)
{
    Function *f = s->f;
    Node *h = s->carried[0], *from_input = graph_matmul(f, s->x, s->input_weight), *from_hidden;
    if (s->bias)
        from_input = graph_add(f, from_input, s->bias);
    from_hidden = graph_matmul(f, h, s->hidden_weight);
    Node *keep =
        active(s, 0, graph_add(f, gates(s, from_input, 0, 1), gates(s, from_hidden, 0, 1)));
    Node *reset =
        active(s, 0, graph_add(f, gates(s, from_input, 1, 1), gates(s, from_hidden, 1, 1)));
    Node *inner;
    if (s->r->linear_before_reset) {
        inner = gates(s, from_hidden, 2, 1);
        if (s->new_bias)
            inner = graph_add(f, inner, s->new_bias);
        inner = graph_mul(f, reset, inner);
    } else {
        inner = graph_matmul(f, graph_mul(f, reset, h), s->new_weight);
    }
    Node *new = active(s, 1, graph_add(f, gates(s, from_input, 2, 1), inner));
    s->next[0] = graph_add(f, new, graph_mul(f, keep, graph_sub(f, h, new)));
}

/* The step itself, and what sequences that are over make of it. */
static Node *run_step(Step *s)
{
    s->r->step(s);
    Node *y = s->next[0];
    if (!s->counts)
        return y;
    for (int i = 0; i < s->r->carried; i++)
        s->next[i] = graph_select(s->f, s->counts, s->next[i], s->carried[i]);
    return graph_select(s->f, s->counts, y, graph_scalar(s->f, s->r->element, 0));
}

/* ---- one direction ---- */

/* Rows from `start` of a weight's direction, as rank 2; NULL for NULL. */
static Node *part_of(const Recurrent *r, Node *weight, int direction, int64_t start, int64_t count)
{
    Function *f = r->op->f;
    if (!weight)
        return NULL;
    const int64_t *dims = weight->type.dims;
    int rank = weight->type.rank;
    int64_t from[] = {direction, 0, 0}, size[] = {1, dims[1], rank == 3 ? dims[2] : 0};
    from[rank - 1] = start;
    size[rank - 1] = count;
    Node *part = graph_slice(f, weight, from, size, NULL);
    return rank == 3 ? graph_reshape(f, part, 2, size + 1) : part;
}

/* Biases of the input and of the state are added once where they only ever meet as a sum. */
static void read_biases(const Recurrent *r, Step *s, int direction)
{
    Function *f = r->op->f;
    int64_t all = r->gates * r->units, apart = r->linear_before_reset ? r->units : 0;
    Node *input = part_of(r, r->bias, direction, 0, all);
    Node *hidden = part_of(r, r->bias, direction, all, all - apart);
    if (apart && input) {
        Node *parts[] = {
            hidden, graph_broadcast(f, graph_scalar(f, r->element, 0), 2, (int64_t[]){1, apart})};
        hidden = graph_concat(f, 2, parts, 1);
        s->new_bias = part_of(r, r->bias, direction, 2 * all - apart, apart);
    }
    s->bias = input ? graph_add(f, input, hidden) : NULL;
}

static void read_weights(const Recurrent *r, Step *s, int direction)
{
    int64_t all = r->gates * r->units;
    bool apart = r->step == step_gru && !r->linear_before_reset;
    int64_t together = apart ? all - r->units : all;
    s->input_weight = part_of(r, r->input_weight, direction, 0, all);
    s->hidden_weight = part_of(r, r->hidden_weight, direction, 0, together);
    s->new_weight = apart ? part_of(r, r->hidden_weight, direction, together, r->units) : NULL;
    s->peepholes = part_of(r, r->peepholes, direction, 0, 3 * r->units);
    read_biases(r, s, direction);
    s->activations = &r->activations[r->functions * direction];
    for (int i = 0; i < r->carried; i++)
        s->carried[i] = part_of(r, r->initial[i], direction, 0, r->units);
}

static Node **weights_of(Step *s, int i)
{
    Node **const all[] = {&s->input_weight, &s->hidden_weight, &s->new_weight,
                          &s->bias,         &s->new_bias,      &s->peepholes};
    return i < (int)(sizeof all / sizeof all[0]) ? all[i] : NULL;
}

typedef struct Given { /* to a scan, with the parameters of its body */
    Function *body;
    Node *nodes[GIVEN_LIMIT];
    int count;
} Given;

static void give(Given *g, Node **node, const char *name, bool slice)
{
    TensorType type = slice ? scan_slice_type(&(*node)->type) : (*node)->type;
    g->nodes[g->count++] = *node;
    *node = graph_input(g->body, name, type);
}

/* Replaces the nodes of the step by parameters of a body, and the results by those of its scan. */
static Node *scan_steps(const Recurrent *r, Step *s, bool reverse)
{
    static const char *const names[] = {"w", "r", "r.n", "b", "c", "p"};
    Function *f = r->op->f;
    Given given = {.body = body_create(r->op->program)};
    given.body->place = r->op->place;
    for (int i = 0; i < r->carried; i++)
        give(&given, &s->carried[i], i ? "s" : "h", false);
    give(&given, &s->x, "x", true);
    if (s->counts)
        give(&given, &s->counts, "counts", true);
    for (int i = 0; weights_of(s, i); i++)
        if (*weights_of(s, i))
            give(&given, weights_of(s, i), names[i], false);
    s->f = given.body;
    Node *y = run_step(s);
    for (int i = 0; i < r->carried; i++)
        function_add_result(given.body, NULL, s->next[i]);
    function_add_result(given.body, NULL, y);
    Node *scan =
        graph_scan(f, given.body, r->carried, s->counts ? 2 : 1, r->steps, reverse, given.nodes);
    for (int i = 0; i < r->carried; i++)
        s->next[i] = scan ? graph_result(f, scan, i) : NULL;
    return scan ? graph_result(f, scan, r->carried) : NULL;
}

static bool all_there(const Recurrent *r, const Step *s)
{
    for (int i = 0; i < r->carried; i++)
        if (!s->carried[i])
            return false;
    return s->x && s->input_weight && s->hidden_weight;
}

/* The results of all steps, [steps, batch, units]; last[] are h and s after the last. */
static Node *one_direction(const Recurrent *r, int direction, bool reverse, Node **last)
{
    Function *f = r->op->f;
    Step s = {.r = r, .f = f, .x = r->x, .counts = r->counts};
    int64_t row[] = {1, r->batch, r->units};
    Node *y;
    read_weights(r, &s, direction);
    if (!all_there(r, &s))
        return NULL;
    if (r->steps == 1) {
        s.x = graph_reshape(f, s.x, 2, s.x->type.dims + 1);
        s.counts = s.counts ? graph_reshape(f, s.counts, 2, s.counts->type.dims + 1) : NULL;
        y = graph_reshape(f, run_step(&s), 3, row);
    } else {
        y = scan_steps(r, &s, reverse);
    }
    for (int i = 0; i < r->carried; i++)
        last[i] = graph_reshape(f, s.next[i], 3, row);
    return y;
}

/* ---- results ---- */

/* Of a sequence without a step the last values are nought. */
static Node *without_empty(const Recurrent *r, Node *last)
{
    Function *f = r->op->f;
    if (!r->lens)
        return last;
    Node *any = graph_binary_scalar(f, OP_gt, r->lens, 0);
    return graph_select(f, any, last, graph_scalar(f, r->element, 0));
}

/* parts: of the directions, [1, batch, units] */
static void give_last(const Recurrent *r, int output, Node **parts)
{
    static const int64_t batch_first[] = {1, 0, 2};
    Function *f = r->op->f;
    Node *last = r->directions == 1 ? parts[0] : graph_concat(f, 2, parts, 0);
    last = without_empty(r, last);
    onnx_out(r->op, output, r->batch_first ? graph_transpose(f, last, batch_first) : last);
}

static void build_directions(const Recurrent *r)
{
    static const int64_t batch_first[] = {2, 0, 1, 3};
    OnnxOp *op = r->op;
    Node *parts[2], *last[2][2], *ends[2];
    int64_t dims[] = {r->steps, 1, r->batch, r->units};
    for (int d = 0; d < r->directions; d++) {
        Node *y = one_direction(r, d, r->backward || d == 1, last[d]);
        parts[d] = graph_reshape(op->f, y, 4, dims);
        if (!parts[d]) {
            op->failed = true;
            return;
        }
    }
    Node *y = r->directions == 1 ? parts[0] : graph_concat(op->f, 2, parts, 1);
    onnx_out(op, 0, r->batch_first ? graph_transpose(op->f, y, batch_first) : y);
    for (int i = 0; i < r->carried; i++) {
        for (int d = 0; d < r->directions; d++)
            ends[d] = last[d][i];
        give_last(r, i + 1, ends);
    }
}

/* ---- inputs ---- */

static bool check_shape(const Recurrent *r, int input, const char *name, int rank,
                        const int64_t *dims)
{
    const TensorType *type = onnx_in_type(r->op, input);
    TensorType wanted = type_make(type ? type->element : r->element, rank, dims);
    char found[TYPE_TEXT_BYTES], said[TYPE_TEXT_BYTES];
    if (!onnx_has_in(r->op, input) || (type && type_same_dims(type, &wanted)))
        return true;
    return type ? onnx_error(r->op, "%s is %s, but must be %s", name, type_print(type, found),
                             type_print(&wanted, said)) != NULL
                : onnx_error(r->op, "%s is no tensor", name) != NULL;
}

static bool check_shapes(const Recurrent *r)
{
    int64_t d = r->directions, gates_units = r->gates * r->units;
    const int64_t w[] = {d, gates_units, r->features}, h[] = {d, gates_units, r->units};
    const int64_t b[] = {d, 2 * gates_units}, p[] = {d, 3 * r->units}, lens[] = {r->batch};
    const int64_t first[] = {r->batch_first ? r->batch : d, r->batch_first ? d : r->batch,
                             r->units};
    return check_shape(r, 1, "W", 3, w) && check_shape(r, 2, "R", 3, h) &&
           check_shape(r, 3, "B", 2, b) && check_shape(r, 4, "sequence_lens", 1, lens) &&
           check_shape(r, 5, "initial_h", 3, first) && check_shape(r, 6, "initial_c", 3, first) &&
           check_shape(r, 7, "P", 2, p);
}

static bool read_sizes(Recurrent *r)
{
    OnnxOp *op = r->op;
    const TensorType *x = onnx_in_type(op, 0), *hidden = onnx_in_type(op, 2);
    if (!x || !hidden || x->rank != 3 || hidden->rank != 3)
        return onnx_error(op, "X and R must be tensors of three axes");
    r->steps = x->dims[r->batch_first ? 1 : 0];
    r->batch = x->dims[r->batch_first ? 0 : 1];
    r->features = x->dims[2];
    r->units = hidden->dims[2];
    int64_t said = onnx_int(op, "hidden_size", r->units);
    if (said != r->units)
        return onnx_error(op, "hidden_size is %lld, but R is for %lld units", (long long)said,
                          (long long)r->units);
    if (r->steps < 1 || r->batch < 1 || r->units < 1 || r->features < 1)
        return onnx_error(op, "has nothing to do: X is empty");
    return check_shapes(r);
}

/* Are all sequences as long as X? */
static bool all_full(const Recurrent *r)
{
    const Value *lens = onnx_in_value(r->op, 4);
    for (int64_t i = 0; lens && i < r->batch; i++)
        if (lens->integers && lens->integers[i] < r->steps)
            return false;
    return lens != NULL;
}

static void read_lens(Recurrent *r)
{
    Function *f = r->op->f;
    const int64_t steps[] = {r->steps, 1, 1}, rows[] = {1, r->batch, 1};
    if (!onnx_has_in(r->op, 4) || all_full(r))
        return;
    r->lens = graph_reshape(f, graph_cast(f, onnx_in(r->op, 4), TYPE_I32), 3, rows);
    r->counts = graph_binary(f, OP_lt, graph_iota(f, TYPE_I32, 3, steps, 0), r->lens);
}

static void read_tensors(Recurrent *r)
{
    static const int64_t swap_last[] = {0, 2, 1}, swap_first[] = {1, 0, 2};
    OnnxOp *op = r->op;
    const int64_t first[] = {r->directions, r->batch, r->units};
    r->x = r->batch_first ? onnx_in_ordered(op, 0, swap_first) : onnx_in(op, 0);
    r->element = r->x ? r->x->type.element : TYPE_F32;
    r->input_weight = onnx_in_ordered(op, 1, swap_last);
    r->hidden_weight = onnx_in_ordered(op, 2, swap_last);
    r->bias = onnx_in(op, 3);
    r->peepholes = onnx_in(op, 7);
    read_lens(r);
    for (int i = 0; i < r->carried; i++) {
        if (onnx_has_in(op, 5 + i))
            r->initial[i] =
                r->batch_first ? onnx_in_ordered(op, 5 + i, swap_first) : onnx_in(op, 5 + i);
        else
            r->initial[i] = graph_broadcast(op->f, graph_scalar(op->f, r->element, 0), 3, first);
    }
}

static bool read_direction(Recurrent *r)
{
    const char *direction = onnx_text(r->op, "direction", "forward");
    bool both = strcmp(direction, "bidirectional") == 0;
    r->directions = both ? 2 : 1;
    r->backward = strcmp(direction, "reverse") == 0;
    if (!both && !r->backward && strcmp(direction, "forward") != 0)
        return onnx_error(r->op,
                          "direction is \"%s\", but must be \"forward\", \"reverse\" or "
                          "\"bidirectional\"",
                          direction);
    return true;
}

static void build(Recurrent *r)
{
    OnnxOp *op = r->op;
    r->batch_first = onnx_int(op, "layout", 0) != 0;
    r->clip = onnx_float(op, "clip", 0);
    onnx_ignore(op,
                "output_sequence"); /* version 1: results of all steps, which are given anyway */
    if (!read_direction(r) || !activations_read(r) || !read_sizes(r))
        return;
    read_tensors(r);
    if (!op->failed)
        build_directions(r);
}

void onnx_build_rnn(OnnxOp *op)
{
    build(&(Recurrent){.op = op,
                       .gates = 1,
                       .carried = 1,
                       .functions = 1,
                       .step = step_rnn,
                       .defaults = {"Tanh"}});
}

void onnx_build_gru(OnnxOp *op)
{
    build(&(Recurrent){.op = op,
                       .gates = 3,
                       .carried = 1,
                       .functions = 2,
                       .step = step_gru,
                       .linear_before_reset = onnx_int(op, "linear_before_reset", 0) != 0,
                       .defaults = {"Sigmoid", "Tanh"}});
}

void onnx_build_lstm(OnnxOp *op)
{
    build(&(Recurrent){.op = op,
                       .gates = 4,
                       .carried = 2,
                       .functions = 3,
                       .step = step_lstm,
                       .coupled = onnx_int(op, "input_forget", 0) != 0,
                       .defaults = {"Sigmoid", "Tanh", "Tanh"}});
}
