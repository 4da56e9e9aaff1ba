/* The gradient of a scan is a scan that runs the other way.
 *
 *     h ← tanh(x·W + h·U)         forwards, y being all h, of which %before keeps what each step
 * began with
 *
 *     carried    dh, dW ← 0, dU ← 0
 *     scanned    dy, x, before, y
 *     a step     dz = (dh + dy) · (1 - y²)
 *                dh ← dz·Uᵀ      dW ← dW + xᵀ·dz      dU ← dU + beforeᵀ·dz      dx = dz·Wᵀ
 *
 * Its body is a copy of the scan's own body, differentiated by grad.c like any graph: what is the
 * gradient of a result there comes in, gradients of the parameters go out. Carried values hand
 * theirs on to the step before, invariants add theirs up, those of slices are stacked.
 *
 * Of the copy itself little is left. What the gradients read is kept by the scan, one more stack
 * for each value, and comes in again as a slice; only what does not depend on carried values, and
 * views, are computed once more. That sums over steps are taken step by step is no matter:
 * passes/hoist.c takes them out. */
#include <string.h>

#include "ir/scan.h"
#include "passes/grad.h"
#include "passes/passes.h"

typedef struct Parameters { /* of the new body, and what the new scan gives them */
    Node **inputs, **given;
    int count, capacity, given_capacity;
} Parameters;

typedef struct Backward {
    Function *f;
    Node *node;     /* the scan */
    Function *body; /* its body */
    Scan scan;
    Function *back; /* the new body */
    Node **copies;  /* in `back`, by Node.id in `body` */
    int copied;     /* nodes of `back` so far: those behind are gradients */
    bool *depends;  /* by Node.id in `body`: on a carried value */
    Node **wanted;  /* copies of the parameters whose gradients are wanted; NULL: not this one */
    Node **gradients;
    Parameters carried, scanned, invariant;
} Backward;

/* ---- parameters ---- */

static bool name_is_taken(const Function *body, const char *name)
{
    for (int i = 0; i < body->input_count; i++)
        if (strcmp(body->inputs[i]->attr.text, name) == 0)
            return true;
    return false;
}

static Node *add_parameter(Backward *b, Parameters *list, const char *name, TensorType type,
                           Node *given)
{
    Arena *arena = b->f->program->arena;
    const char *unique = name;
    for (int i = 1; name_is_taken(b->back, unique); i++)
        unique = arena_print(arena, "%s.%d", name, i);
    Node *input = graph_input(b->back, unique, type);
    list->inputs =
        arena_grow(arena, list->inputs, list->count, &list->capacity, sizeof *list->inputs);
    list->given =
        arena_grow(arena, list->given, list->count, &list->given_capacity, sizeof *list->given);
    list->inputs[list->count] = input;
    list->given[list->count++] = given;
    return input;
}

/* Of the gradient with respect to a value of `type` */
static TensorType gradient_type(const TensorType *type)
{
    return type_make(element_computed(type->element), type->rank, type->dims);
}

static Node *zeros(Function *f, const TensorType *type)
{
    Node *zero = graph_scalar(f, element_computed(type->element), 0.0);
    return graph_broadcast(f, zero, type->rank, type->dims);
}

static bool is_float(const Node *node)
{
    return element_is_float(node->type.element);
}

/* A stack of `value`, a node of the body: what the scan gives of it already, or one more result. */
static Node *stack_of(Backward *b, Node *value)
{
    int index = b->scan.carried;
    while (index < b->body->result_count && b->body->results[index].node != value)
        index++;
    if (index == b->body->result_count)
        function_add_result(b->body, NULL, value);
    return graph_result(b->f, b->node, index);
}

static void copy_body(Backward *b)
{
    const Scan *scan = &b->scan;
    for (int i = 0; i < b->body->input_count; i++) {
        const Node *input = b->body->inputs[i];
        bool carried = i < scan->carried, slice = !carried && i < scan->carried + scan->scanned;
        Parameters *list = carried || slice ? &b->scanned : &b->invariant;
        /* a carried value is given below, when it is clear that somebody reads it */
        Node *given = carried ? NULL : b->node->in[i];
        Node *copy = add_parameter(b, list, input->attr.text, input->type, given);
        b->copies[input->id] = copy;
        b->wanted[i] = is_float(input) ? copy : NULL;
    }
    function_copy_nodes(b->back, b->body, b->copies);
    b->copied = b->back->node_count;
}

/* ---- gradients ---- */

/* Of the scan's results: those of carried values are carried, those of stacks scanned. */
static int gradients_of_results(Backward *b, Node **outputs, Node **seeds)
{
    Arena *arena = b->f->program->arena;
    int count = 0;
    for (int r = 0; r < b->body->result_count; r++) {
        Node *result = b->body->results[r].node, *seed = gradient_of_result(b->node, r);
        bool carried = r < b->scan.carried;
        if (!is_float(result) || (!carried && !seed))
            continue;
        const char *name = carried ? b->body->inputs[r]->attr.text : arena_print(arena, "y%d", r);
        if (!seed)
            seed = zeros(b->f, &result->type);
        outputs[count] = b->copies[result->id];
        seeds[count++] =
            add_parameter(b, carried ? &b->carried : &b->scanned, arena_print(arena, "d.%s", name),
                          gradient_type(&result->type), seed);
    }
    return count;
}

static bool differentiate_body(Backward *b)
{
    Arena *arena = b->f->program->arena;
    int results = b->body->result_count, parameters = b->body->input_count, wanted = 0;
    Node **outputs = ARENA_ARRAY(arena, Node *, results),
         **seeds = ARENA_ARRAY(arena, Node *, results);
    Node **wrt = ARENA_ARRAY(arena, Node *, parameters);
    Node **gradients = ARENA_ARRAY(arena, Node *, parameters);
    int count = gradients_of_results(b, outputs, seeds);
    for (int i = 0; i < parameters; i++)
        if (b->wanted[i])
            wrt[wanted++] = b->wanted[i];
    b->copied = b->back->node_count;
    if (!gradient_build_from(b->back, count, outputs, seeds, wanted, wrt, gradients))
        return false;
    wanted = 0;
    for (int i = 0; i < parameters; i++)
        if (b->wanted[i])
            b->gradients[i] = gradients[wanted++];
    return true;
}

/* ---- what is kept ---- */

static void find_dependence(Backward *b)
{
    for (int i = 0; i < b->scan.carried; i++)
        b->depends[b->body->inputs[i]->id] = true;
    for (int i = 0; i < b->body->node_count; i++)
        for (int j = 0; j < b->body->nodes[i]->in_count; j++)
            if (b->depends[b->body->nodes[i]->in[j]->id])
                b->depends[i] = true;
}

static bool is_view(const Node *node)
{
    return node->op == OP_reshape || node->op == OP_transpose || node->op == OP_broadcast ||
           node->op == OP_slice || node->op == OP_reverse;
}

/* A copy that a gradient reads: from now on it is a slice of what the scan keeps, unless it is as
 * good as that already. */
static void keep(Backward *b, Node **originals, Node *copy)
{
    Node *original = copy->id < b->copied ? originals[copy->id] : NULL;
    if (!original || copy->replacement || !b->depends[original->id] || copy->op == OP_input)
        return;
    if (is_view(copy) ||
        op_is(copy->op, REPEATS)) { /* of a scan no value can be kept but its results */
        for (int i = 0; i < copy->in_count; i++)
            keep(b, originals, copy->in[i]);
        return;
    }
    copy->replacement = add_parameter(b, &b->scanned, "kept", copy->type, stack_of(b, original));
}

static void keep_what_is_read(Backward *b)
{
    int count = b->back->node_count;
    Node **originals = ARENA_ARRAY(b->f->program->arena, Node *, b->copied);
    for (int i = 0; i < b->body->node_count; i++)
        originals[b->copies[i]->id] = b->body->nodes[i];
    for (int i = b->copied; i < count; i++)
        for (int j = 0; j < b->back->nodes[i]->in_count; j++)
            keep(b, originals, b->back->nodes[i]->in[j]);
    for (int i = 0; i < b->body->input_count; i++)
        if (b->gradients[i])
            keep(b, originals, b->gradients[i]);
}

/* ---- the new scan ---- */

/* Results of the new body; positions[i] is the one that is the gradient of parameter number i, or
 * -1. */
static void add_results(Backward *b, int *positions)
{
    const Scan *scan = &b->scan;
    Arena *arena = b->f->program->arena;
    int next = 0;
    for (int i = 0; i < b->body->input_count; i++)
        positions[i] = -1;
    for (int i = 0; i < scan->carried; i++) {
        const Node *input = b->body->inputs[i];
        if (!is_float(input))
            continue;
        Node *gradient = b->gradients[i];
        function_add_result(b->back, NULL, gradient ? gradient : zeros(b->back, &input->type));
        positions[i] = next++;
    }
    for (int i = scan->carried + scan->scanned; i < b->body->input_count; i++) {
        const Node *input = b->body->inputs[i];
        if (!b->gradients[i])
            continue;
        Node *sum = add_parameter(b, &b->carried, arena_print(arena, "d.%s", input->attr.text),
                                  gradient_type(&input->type), zeros(b->f, &input->type));
        function_add_result(b->back, NULL, graph_add(b->back, sum, b->gradients[i]));
        positions[i] = next++;
    }
    for (int i = scan->carried; i < scan->carried + scan->scanned; i++) {
        if (!b->gradients[i])
            continue;
        function_add_result(b->back, NULL, b->gradients[i]);
        positions[i] = next++;
    }
}

/* Adds what is used of the list to the parameters of the new body, in order; returns how many. */
static int take_parameters(Backward *b, const Parameters *list, bool all, Node **given)
{
    Function *back = b->back;
    int first = back->input_count;
    for (int i = 0; i < list->count; i++) {
        Node *input = list->inputs[i], *gives = list->given[i];
        bool used = input->id < back->node_count && back->nodes[input->id] == input;
        if (!all && !used)
            continue;
        if (!gives) /* a carried value as the step found it */
            gives = stack_of(b, b->body->inputs[i]);
        given[back->input_count] = gives;
        back->inputs[back->input_count++] = input;
    }
    return back->input_count - first;
}

static Node *make_scan(Backward *b)
{
    int limit = b->back->input_count;
    Node **given = ARENA_ARRAY(b->f->program->arena, Node *, limit + 1);
    b->back->input_count = b->carried.count; /* unused ones of the others may go */
    memcpy(b->back->inputs, b->carried.inputs, (size_t)b->carried.count * sizeof *given);
    function_clean(b->back);
    b->back->input_count = 0;
    int carried = take_parameters(b, &b->carried, true, given);
    int scanned = take_parameters(b, &b->scanned, false, given);
    take_parameters(b, &b->invariant, false, given);
    return graph_scan(b->f, b->back, carried, scanned, b->scan.steps, !b->scan.reverse, given);
}

void gradient_scan(Function *f, Node *y, Node *dy, Node *dx[])
{
    Arena *arena = f->program->arena;
    Function *body = y->attr.body;
    Backward b = {.f = f,
                  .node = y,
                  .body = body,
                  .scan = node_scan(y),
                  .back = body_create(f->program),
                  .copies = ARENA_ARRAY(arena, Node *, body->node_count),
                  .depends = ARENA_ARRAY(arena, bool, body->node_count),
                  .wanted = ARENA_ARRAY(arena, Node *, body->input_count),
                  .gradients = ARENA_ARRAY(arena, Node *, body->input_count)};
    int *positions = ARENA_ARRAY(arena, int, body->input_count);
    (void)dy;               /* a tuple has none: its values have */
    scan_make_all_steps(y); /* what is kept of a step that is not made would be missing */
    find_dependence(&b);
    copy_body(&b);
    if (!differentiate_body(&b))
        return;
    keep_what_is_read(&b);
    add_results(&b, positions);
    if (b.back->result_count == 0)
        return;
    Node *scan = make_scan(&b);
    for (int i = 0; i < body->input_count; i++)
        if (positions[i] >= 0)
            dx[i] = graph_result(f, scan, positions[i]);
}

void gradient_result(Function *f, Node *y, Node *dy, Node *dx[])
{
    (void)dx;
    gradient_add_to_result(f, y->in[0], (int)attr_integer(y, 0), dy);
}
