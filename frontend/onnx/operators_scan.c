/* Scan: its body becomes that of a scan of ours, with the axes that are walked along brought to the
 * front and turned round where they are walked backwards.
 *
 * Before version 9 all inputs and results have one more axis in front, and each of the sequences
 * along it is walked by itself, as far as sequence_lens says:
 *
 *     %2: tuple = scan %state, %x, %lens carried=0 scanned=3 steps=2            the sequences
 *         body=(…) { %1: tuple = scan %state, %x carried=1 scanned=1 steps=9    their elements
 */
#include <string.h>

#include "frontend/onnx/control.h"
#include "frontend/onnx/reader.h"
#include "ir/scan.h"

typedef struct ScanOp {
    OnnxOp *op;
    const Onnx__GraphProto *graph;
    int first;                     /* input: before version 9 there is one in front */
    int carried, scanned, stacked; /* states, inputs and results that are walked along */
    int64_t steps;
    bool reverse;
    OnnxBody *body;
    Node **given; /* to the body's own parameters, with axis 0 to walk along */
} ScanOp;

/* ---- attributes ---- */

/* One number for each of `count`; `otherwise` where the list is left out. */
static bool read_list(ScanOp *s, const char *name, int count, int64_t otherwise, int64_t **result)
{
    const int64_t *values;
    int length;
    *result = ARENA_ARRAY(s->op->arena, int64_t, count + 1);
    bool given = onnx_ints(s->op, name, &values, &length) && length > 0;
    if (given && length != count)
        return onnx_error(s->op, "%s has %d numbers for %d tensors", name, length, count);
    for (int i = 0; i < count; i++)
        (*result)[i] = given ? values[i] : otherwise;
    return true;
}

static bool read_directions(ScanOp *s, const char *name, int count, int64_t **result)
{
    if (!read_list(s, name, count, 0, result))
        return false;
    for (int i = 0; i < count; i++)
        if ((*result)[i] != 0 && (*result)[i] != 1)
            return onnx_error(s->op, "%s says %lld, which is neither 0 nor 1", name,
                              (long long)(*result)[i]);
    return true;
}

static bool read_graph(ScanOp *s)
{
    OnnxOp *op = s->op;
    int64_t scanned = onnx_int(op, "num_scan_inputs", 0);
    int count = op->in_count - s->first;
    s->graph = onnx_graph(op, "body");
    if (!s->graph)
        return false;
    if (scanned < 1 || scanned > count)
        return onnx_error(op, "num_scan_inputs is %lld, but it has %d inputs", (long long)scanned,
                          count);
    s->scanned = (int)scanned;
    s->carried = count - s->scanned;
    s->stacked = (int)s->graph->n_output - s->carried;
    if (s->graph->n_input != (size_t)count || s->stacked < 0)
        return onnx_error(op,
                          "its body has %zu inputs and %zu outputs, which does not fit %d "
                          "states and %d inputs that are scanned",
                          s->graph->n_input, s->graph->n_output, s->carried, s->scanned);
    if (op->out_count > s->carried + s->stacked)
        return onnx_error(op, "has %d outputs, but its body gives %d", op->out_count,
                          s->carried + s->stacked);
    s->given = ARENA_ARRAY(op->arena, Node *, count + 2);
    for (int i = 0; i < count; i++)
        if (!(s->given[i] = onnx_in(op, s->first + i)))
            return onnx_error(op, "input %d is no tensor", s->first + i);
    return true;
}

/* ---- the body ---- */

/* `types`: of the parameters. Results are added to the body; with `alive`, a parameter of it,
 * states stay and stacks are nought where that is false. */
static bool build_body(ScanOp *s, const TensorType *types, bool ends)
{
    OnnxOp *op = s->op;
    int count = s->carried + s->scanned;
    OnnxValue *values = ARENA_ARRAY(op->arena, OnnxValue, count);
    OnnxValue *results = ARENA_ARRAY(op->arena, OnnxValue, s->carried + s->stacked);
    s->body = onnx_body_create(op);
    Function *f = s->body->f;
    for (int i = 0; i < count; i++)
        values[i].node = onnx_body_input(op, s->body, s->graph->input[i]->name, types[i]);
    Node *alive = ends ? onnx_body_input(op, s->body, "alive", type_scalar(TYPE_BOOL)) : NULL;
    if (!onnx_body_run(op, s->body, s->graph, values, count, results))
        return false;
    for (int i = 0; i < s->carried + s->stacked; i++) {
        Node *node = onnx_body_node(op, s->body, &results[i]);
        if (!node || results[i].length)
            return onnx_error(op, "output %d of its body is no tensor of a size that is known", i);
        Node *otherwise = i < s->carried ? f->inputs[i] : graph_scalar(f, node->type.element, 0);
        function_add_result(f, NULL, ends ? graph_select(f, alive, node, otherwise) : node);
    }
    return true;
}

/* ---- since version 9 ---- */

static Node *turned(OnnxOp *op, Node *x, bool yes)
{
    static const int64_t front[] = {0};
    return yes && x ? graph_reverse(op->f, x, 1, front) : x;
}

static bool bring_to_front(ScanOp *s, const int64_t *axes, const int64_t *directions)
{
    OnnxOp *op = s->op;
    for (int i = 0; i < s->scanned; i++) {
        Node **x = &s->given[s->carried + i];
        int axis;
        if (!onnx_axis(op, axes[i], (*x)->type.rank, &axis))
            return false;
        int64_t steps = (*x)->type.dims[axis];
        if (i > 0 && steps != s->steps)
            return onnx_error(op, "is to scan %lld steps and %lld", (long long)s->steps,
                              (long long)steps);
        s->steps = steps;
        *x = turned(op, onnx_move_axis(op, *x, axis, 0), (directions[i] != 0) != s->reverse);
        if (!*x)
            return false;
    }
    return true;
}

static Node *result_of(ScanOp *s, Node *scan, int i)
{
    if (scan)
        return graph_result(s->op->f, scan, i);
    return i < s->carried ? s->given[i]
                          : onnx_empty_stack(s->op, &s->body->f->results[i].node->type);
}

static void give_results(ScanOp *s, Node *scan, const int64_t *axes, const int64_t *directions)
{
    OnnxOp *op = s->op;
    for (int i = 0; i < op->out_count; i++) {
        Node *result = result_of(s, scan, i);
        int axis = 0, stack = i - s->carried;
        if (stack >= 0 && result) {
            if (!onnx_axis(op, axes[stack], result->type.rank, &axis))
                return;
            result = turned(op, result, (directions[stack] != 0) != s->reverse);
            result = onnx_move_axis(op, result, 0, axis);
        }
        onnx_out(op, i, result);
    }
}

void onnx_build_scan(OnnxOp *op)
{
    ScanOp s = {.op = op};
    int64_t *in_axes, *in_directions, *out_axes, *out_directions;
    if (!read_graph(&s) || !read_list(&s, "scan_input_axes", s.scanned, 0, &in_axes) ||
        !read_directions(&s, "scan_input_directions", s.scanned, &in_directions) ||
        !read_list(&s, "scan_output_axes", s.stacked, 0, &out_axes) ||
        !read_directions(&s, "scan_output_directions", s.stacked, &out_directions))
        return;
    s.reverse = in_directions[0] != 0;
    if (!bring_to_front(&s, in_axes, in_directions))
        return;
    TensorType *types = ARENA_ARRAY(op->arena, TensorType, s.carried + s.scanned);
    for (int i = 0; i < s.carried + s.scanned; i++)
        types[i] = i < s.carried ? s.given[i]->type : scan_slice_type(&s.given[i]->type);
    if (!build_body(&s, types, false))
        return;
    Node *scan = s.steps
                     ? onnx_scan(op, s.body, s.carried, s.scanned, s.steps, s.reverse, -1, s.given)
                     : NULL;
    if (scan || !s.steps)
        give_results(&s, scan, out_axes, out_directions);
    else
        op->failed = true;
}

/* ---- version 8 ---- */

/* The sequences along axis 0, one step each: all inputs are scanned, and so is which steps of a
 * sequence count. */
typedef struct Sequences {
    Function *f;
    Node **given;
    int count;
} Sequences;

static Node *sequence_input(ScanOp *s, Sequences *q, Node *given, TensorType type)
{
    q->given[q->count] = given;
    return graph_input(q->f, arena_print(s->op->arena, "in.%d", q->count++), type);
}

/* bool [sequences, steps]: is it within the sequence? */
static Node *steps_that_count(ScanOp *s, int64_t sequences)
{
    OnnxOp *op = s->op;
    int64_t steps[] = {1, s->steps}, column[] = {sequences, 1};
    Node *lens = graph_cast(op->f, onnx_in(op, 0), TYPE_I32);
    if (!lens || type_elements(&lens->type) != sequences)
        return onnx_error(op, "sequence_lens must have %lld numbers", (long long)sequences);
    Node *numbers = graph_iota(op->f, TYPE_I32, 2, steps, 1);
    return graph_binary(op->f, OP_lt, numbers, graph_reshape(op->f, lens, 2, column));
}

static Node *scan_sequences(ScanOp *s, int64_t sequences)
{
    OnnxOp *op = s->op;
    Node *counts = onnx_has_in(op, 0) ? steps_that_count(s, sequences) : NULL;
    int own = s->carried + s->scanned + (counts ? 1 : 0), captured;
    Node *const *outer = onnx_body_captured(s->body, &captured);
    Sequences q = {body_create(op->program), ARENA_ARRAY(op->arena, Node *, own + captured), 0};
    Node **inner = ARENA_ARRAY(op->arena, Node *, own + captured);
    q.f->place = op->place;
    s->given[own - 1] = counts ? counts : s->given[own - 1];
    for (int i = 0; i < own; i++)
        inner[i] = s->given[i]
                       ? sequence_input(s, &q, s->given[i], scan_slice_type(&s->given[i]->type))
                       : NULL;
    for (int i = 0; i < captured; i++)
        inner[own + i] = sequence_input(s, &q, outer[i], outer[i]->type);
    Node *scan = graph_scan(q.f, s->body->f, s->carried, own - s->carried, s->steps, false, inner);
    for (int i = 0; i < s->carried + s->stacked; i++)
        function_add_result(q.f, NULL, scan ? graph_result(q.f, scan, i) : NULL);
    return scan ? graph_scan(op->f, q.f, 0, own, sequences, false, q.given) : NULL;
}

/* Inputs have the sequences as axis 0, and those that are scanned the steps as axis 1. */
static bool turn_inputs(ScanOp *s, const int64_t *directions, TensorType *types, int64_t *sequences)
{
    static const int64_t steps_axis[] = {1};
    for (int i = 0; i < s->carried + s->scanned; i++) {
        Node **x = &s->given[i];
        int stack = i - s->carried;
        if ((*x)->type.rank < (stack < 0 ? 1 : 2) || (i > 0 && (*x)->type.dims[0] != *sequences) ||
            (stack > 0 && (*x)->type.dims[1] != s->steps))
            return onnx_error(s->op,
                              "input %d does not have as many sequences and steps as those "
                              "before it",
                              s->first + i);
        *sequences = (*x)->type.dims[0];
        types[i] = scan_slice_type(&(*x)->type);
        if (stack < 0)
            continue;
        s->steps = (*x)->type.dims[1];
        types[i] = scan_slice_type(&types[i]);
        if (directions[stack] && !(*x = graph_reverse(s->op->f, *x, 1, steps_axis)))
            return false;
    }
    return (*sequences > 0 && s->steps > 0) || onnx_error(s->op, "has no sequences, or empty ones");
}

void onnx_build_scan_8(OnnxOp *op)
{
    ScanOp s = {.op = op, .first = 1};
    int64_t *directions, sequences = 0;
    if (!read_graph(&s) || !read_directions(&s, "directions", s.scanned, &directions))
        return;
    TensorType *types = ARENA_ARRAY(op->arena, TensorType, s.carried + s.scanned);
    if (!turn_inputs(&s, directions, types, &sequences) ||
        !build_body(&s, types, onnx_has_in(op, 0)))
        return;
    Node *scan = scan_sequences(&s, sequences);
    for (int i = 0; i < op->out_count; i++)
        onnx_out(op, i, scan ? graph_result(op->f, scan, i) : NULL);
}
