/* Loop. Its body becomes that of a scan, which runs as often as is found out when the model is
 * built:
 *
 *   - as often as input M says, when the condition stays true;
 *   - until the condition is false, when that depends on nothing but constants and what is computed
 *     of them from turn to turn (loop_count.c);
 *   - when it depends on data, as often as it can be at most. A truth value is carried along: once
 *     it is false the carried values stay as they are, and stacks are filled up with nought. So the
 *     scan ends then.
 *
 *         alive, count, v  ←  alive & condition, count + alive, alive ? body(v) : v
 *
 * A body that is none for a scan, since shapes differ from turn to turn or a sequence is carried,
 * is written out turn by turn: then all that decides must be known. A single turn always is. */
#include <string.h>

#include "frontend/onnx/control.h"
#include "frontend/onnx/loop.h"
#include "frontend/onnx/reader.h"
#include "ir/scan.h"

enum { WRITTEN_LIMIT = 4096 };        /* turns that are written out */
#define TURN_LIMIT ((int64_t)1 << 32) /* turns of a scan */

/* ---- the body of a scan ---- */

/* Carried value i before the first turn; NULL: it is no tensor. */
static Node *initial(Loop *l, int i)
{
    OnnxValue *value = l->initial[i];
    return value ? onnx_value_node(l->op->reader, l->op->f, value, NULL) : NULL;
}

static bool take_result(Loop *l, int i)
{
    char before[TYPE_TEXT_BYTES], after[TYPE_TEXT_BYTES];
    const Node *parameter = i > 0 && i <= l->carried ? l->body->f->inputs[i - 1] : NULL;
    Node *node = onnx_body_node(l->op, l->body, &l->results[i]);
    if (!node)
        return onnx_error(l->op, "output %d of its body is no tensor", i);
    if (l->results[i].length)
        return onnx_error(l->op,
                          "output %d of its body is as long as data say, and can be neither "
                          "carried on nor stacked",
                          i);
    l->nodes[i] = node;
    return !parameter || type_equal(&parameter->type, &node->type) ||
           onnx_error(l->op, "carried value %d is %s at first, but %s behind one turn", i - 1,
                      type_print(&parameter->type, before), type_print(&node->type, after));
}

static bool build_body(Loop *l)
{
    OnnxOp *op = l->op;
    OnnxValue *values = ARENA_ARRAY(op->arena, OnnxValue, l->carried + 2);
    l->body = onnx_body_create(op);
    for (int i = 0; i < l->carried; i++) {
        Node *first = initial(l, i);
        if (!first)
            return onnx_error(op, "carried value %d is no tensor", i);
        values[i + 2].node =
            onnx_body_input(op, l->body, l->graph->input[i + 2]->name, first->type);
    }
    values[0].node = onnx_body_input(op, l->body, "turn", type_scalar(TYPE_I64));
    values[1].node = graph_scalar(l->body->f, TYPE_BOOL, 1);
    if (!onnx_body_run(op, l->body, l->graph, values, l->carried + 2, l->results))
        return false;
    for (int i = 0; i <= l->carried + l->stacked; i++)
        if (!take_result(l, i))
            return false;
    l->nodes[0] = graph_cast(l->body->f, onnx_one(op, l->body->f, l->nodes[0]), TYPE_BOOL);
    return l->nodes[0] != NULL;
}

/* ---- how often ---- */

static bool find_turns(Loop *l)
{
    const Node *condition = l->nodes[0];
    bool constant = condition->op == OP_constant;
    l->turns = l->limit;
    l->ends_by_data = l->start || l->limit_node;
    if (constant && !*(const uint8_t *)condition->attr.data)
        l->turns = l->limit < 1 ? l->limit : 1;
    else if (!constant && !loop_count(l))
        l->ends_by_data = true;
    if (l->turns <= TURN_LIMIT)
        return true;
    if (l->limit_node)
        return onnx_error(l->op,
                          "how often it runs at most, \"%s\", must be known when the model is "
                          "built%s",
                          l->op->in[0]->name, onnx_remedy(l->op, l->limit_node));
    return onnx_error(
        l->op, l->ends_by_data ? "runs until data end it, and nothing says how often at most: its "
                                 "input M must be a number of turns"
                               : "runs without end");
}

/* ---- the scan ---- */

typedef struct Given { /* to the scan, in the order of the body's parameters */
    Node **nodes;
    int count;
} Given;

/* One more carried value, though the parameters behind it are there already. */
static Node *carry(Loop *l, Given *given, const char *name, Node *first)
{
    Function *f = l->body->f;
    Node *parameter = onnx_body_input(l->op, l->body, name, first->type);
    memmove(&f->inputs[given->count + 1], &f->inputs[given->count],
            (size_t)(f->input_count - 1 - given->count) * sizeof *f->inputs);
    f->inputs[given->count] = parameter;
    given->nodes[given->count++] = first;
    return parameter;
}

/* Is the first turn run? */
static Node *first_alive(const Loop *l)
{
    Function *f = l->op->f;
    Node *start = l->start ? l->start : graph_scalar(f, TYPE_BOOL, 1);
    if (!l->limit_node)
        return start;
    return graph_binary(f, OP_and, start, graph_binary_scalar(f, OP_gt, l->limit_node, 0));
}

/* Is there another turn? */
static Node *still_alive(Loop *l, Node *turn, Node *alive)
{
    Function *body = l->body->f;
    alive = graph_binary(body, OP_and, alive, l->nodes[0]);
    if (!l->limit_node)
        return alive;
    Node *limit = onnx_body_capture(l->op, l->body, l->limit_node, "limit");
    Node *next = graph_binary_scalar(body, OP_add, turn, 1);
    return graph_binary(body, OP_and, alive, graph_binary(body, OP_lt, next, limit));
}

/* What the body gives becomes what it gives while the loop is alive. Results of the body so far:
 * none. */
static void end_by_data(Loop *l, Given *given)
{
    Function *body = l->body->f;
    Node *turn = body->inputs[l->carried];
    Node *alive = carry(l, given, "alive", first_alive(l));
    Node *count = carry(l, given, "count", graph_scalar(l->op->f, TYPE_I64, 0));
    for (int i = 0; i < l->carried; i++)
        l->nodes[i + 1] = graph_select(body, alive, l->nodes[i + 1], body->inputs[i]);
    for (int i = 0; i < l->stacked; i++) {
        Node **node = &l->nodes[l->carried + 1 + i];
        *node = graph_select(body, alive, *node, graph_scalar(body, (*node)->type.element, 0));
    }
    for (int i = 0; i < l->carried; i++)
        function_add_result(body, NULL, l->nodes[i + 1]);
    function_add_result(body, NULL, still_alive(l, turn, alive));
    function_add_result(body, NULL, graph_add(body, count, graph_cast(body, alive, TYPE_I64)));
}

static void make_scan(Loop *l)
{
    OnnxOp *op = l->op;
    int extra = l->ends_by_data ? 2 : 0;
    Given given = {ARENA_ARRAY(op->arena, Node *, l->carried + 3), 0};
    for (; given.count < l->carried; given.count++)
        given.nodes[given.count] = initial(l, given.count);
    if (l->ends_by_data)
        end_by_data(l, &given);
    for (int i = l->ends_by_data ? l->carried : 0; i < l->carried + l->stacked; i++)
        function_add_result(l->body->f, NULL, l->nodes[i + 1]);
    given.nodes[given.count++] = graph_iota(op->f, TYPE_I64, 1, &l->turns, 0);
    Node *scan = onnx_scan(op, l->body, l->carried + extra, 1, l->turns, false,
                           extra ? l->carried : -1, given.nodes);
    Node *length = scan && extra ? graph_result(op->f, scan, l->carried + 1) : NULL;
    for (int i = 0; i < op->out_count; i++) {
        bool is_stack = i >= l->carried;
        Node *result = scan ? graph_result(op->f, scan, is_stack ? i + extra : i) : NULL;
        if (is_stack && length)
            onnx_out_length(op, i, result, length, 0);
        else
            onnx_out(op, i, result);
    }
}

/* ---- no turn at all ---- */

static void give_initial(Loop *l)
{
    for (int i = 0; i < l->carried && i < l->op->out_count; i++)
        l->op->out[i] = l->initial[i] ? *l->initial[i] : (OnnxValue){.is_empty = true};
}

static void give_nothing(Loop *l)
{
    OnnxOp *op = l->op;
    give_initial(l);
    for (int i = l->carried; i < op->out_count; i++)
        onnx_out(op, i, onnx_empty_stack(op, &l->nodes[i + 1]->type));
}

/* ---- written out ---- */

/* What one output of the body has given, turn by turn. */
typedef struct Parts {
    Node **rows;
    int count, capacity;
} Parts;

static bool keep_parts(Loop *l, Parts *parts)
{
    for (int i = 0; i < l->stacked; i++) {
        OnnxValue *value = &l->results[l->carried + 1 + i];
        Node *node = onnx_value_node(l->op->reader, l->op->f, value, NULL);
        if (!node || value->length || node->type.rank == RANK_LIMIT)
            return onnx_error(l->op, "output %d of its body cannot be stacked", l->carried + 1 + i);
        Parts *p = &parts[i];
        TensorType row = scan_stack_type(&node->type, 1);
        p->rows = arena_grow(l->op->arena, p->rows, p->count, &p->capacity, sizeof *p->rows);
        p->rows[p->count++] = graph_reshape(l->op->f, node, row.rank, row.dims);
    }
    return true;
}

static bool run_turn(Loop *l, int64_t turn)
{
    OnnxOp *op = l->op;
    OnnxValue *values = ARENA_ARRAY(op->arena, OnnxValue, l->carried + 2);
    values[0].node = graph_scalar(op->f, TYPE_I64, (double)turn);
    values[1].node = graph_scalar(op->f, TYPE_BOOL, 1);
    for (int i = 0; i < l->carried; i++)
        values[i + 2] = l->initial[i] ? *l->initial[i] : (OnnxValue){.is_empty = true};
    l->results = ARENA_ARRAY(op->arena, OnnxValue, l->carried + l->stacked + 1);
    if (!onnx_graph_run(op, l->graph, values, l->carried + 2, l->results))
        return false;
    for (int i = 0; i < l->carried; i++)
        l->initial[i] = &l->results[i + 1];
    return true;
}

static bool cannot_write_out(const Loop *l, const char *reason, const Node *of)
{
    size_t own = strlen(l->op->place);
    const char *why = l->why ? l->why : "its body fails";
    if (strncmp(why, l->op->place, own) == 0 && strncmp(why + own, ": ", 2) == 0)
        why += own + 2;
    return onnx_error(l->op, "%s, and it is no loop whose turns are alike: %s%s", reason, why,
                      of ? onnx_remedy(l->op, of) : "");
}

static void write_out(Loop *l)
{
    OnnxOp *op = l->op;
    Parts *parts = ARENA_ARRAY(op->arena, Parts, l->stacked + 1);
    int64_t turn = 0, goes_on = l->limit > 0;
    if (l->start || l->limit_node) {
        cannot_write_out(l, "how often it runs depends on data",
                         l->start ? l->start : l->limit_node);
        return;
    }
    for (; goes_on; turn++) {
        if (turn == WRITTEN_LIMIT) {
            cannot_write_out(l, "it runs more often than can be written out", NULL);
            return;
        }
        if (!run_turn(l, turn) || !keep_parts(l, parts))
            return;
        if (turn + 1 == l->limit)
            goes_on = false;
        else if (!onnx_known(op, &l->results[0], &goes_on)) {
            cannot_write_out(l, "whether there is another turn depends on data",
                             l->results[0].node);
            return;
        }
    }
    give_initial(l);
    for (int i = l->carried; turn > 0 && i < op->out_count; i++) {
        Parts *p = &parts[i - l->carried];
        onnx_out(op, i, turn == 1 ? p->rows[0] : graph_concat(op->f, p->count, p->rows, 0));
    }
    if (turn == 0 && op->out_count > l->carried)
        onnx_error(op, "never runs, and the shape of what it stacks is not known: %s", l->why);
}

/* ---- the operator ---- */

/* The inputs of the operator: turns, condition, carried values. */
static bool read_inputs(Loop *l)
{
    OnnxOp *op = l->op;
    int64_t known;
    l->limit = INT64_MAX;
    if (onnx_has_in(op, 0) && !onnx_known(op, op->in[0], &l->limit))
        l->limit_node = graph_cast(op->f, onnx_one(op, op->f, onnx_in(op, 0)), TYPE_I64);
    if (onnx_has_in(op, 1) && onnx_known(op, op->in[1], &known))
        l->limit = known ? l->limit : 0;
    else if (onnx_has_in(op, 1))
        l->start = graph_cast(op->f, onnx_one(op, op->f, onnx_in(op, 1)), TYPE_BOOL);
    l->limit = l->limit < 0 ? 0 : l->limit;
    l->initial = ARENA_ARRAY(op->arena, OnnxValue *, l->carried + 1);
    for (int i = 0; i < l->carried; i++) {
        l->initial[i] = i + 2 < op->in_count ? op->in[i + 2] : NULL;
        if (l->initial[i] && l->initial[i]->is_empty)
            l->initial[i] = NULL;
    }
    return !op->failed;
}

static bool read_graph(Loop *l)
{
    OnnxOp *op = l->op;
    l->graph = onnx_graph(op, "body");
    if (!l->graph)
        return false;
    l->carried = (int)l->graph->n_input - 2;
    l->stacked = (int)l->graph->n_output - 1 - l->carried;
    if (l->carried < 0 || l->stacked < 0 || op->in_count - 2 > l->carried)
        return onnx_error(op,
                          "its body has %zu inputs and %zu outputs, which does not fit %d carried "
                          "values",
                          l->graph->n_input, l->graph->n_output,
                          op->in_count > 2 ? op->in_count - 2 : 0);
    if (op->out_count > l->carried + l->stacked)
        return onnx_error(op, "has %d outputs, but its body gives %d", op->out_count,
                          l->carried + l->stacked);
    l->results = ARENA_ARRAY(op->arena, OnnxValue, l->carried + l->stacked + 1);
    l->nodes = ARENA_ARRAY(op->arena, Node *, l->carried + l->stacked + 1);
    return true;
}

void onnx_build_loop(OnnxOp *op)
{
    Loop *l = ARENA_NEW(op->arena, Loop);
    l->op = op;
    if (!read_graph(l) || !read_inputs(l))
        return;
    OnnxTrial trial = onnx_trial_begin(op);
    bool built = build_body(l);
    built = onnx_trial_end(op, &trial) && built;
    l->why = trial.why;
    if (built && !find_turns(l))
        return;
    if (built)
        l->limit = l->turns;
    if (!built || (l->turns == 1 && !l->ends_by_data))
        write_out(l);
    else if (l->turns == 0)
        give_nothing(l);
    else
        make_scan(l);
}
