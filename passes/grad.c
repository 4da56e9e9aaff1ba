/* Gradients are graphs: reverse-mode differentiation by appending ordinary nodes.
 *
 *     %2: f32[8,4] = matmul %x, %w               %2: f32[8,4] = matmul %x, %w
 *     %3: f32[8,4] = tanh %2                     %3: f32[8,4] = tanh %2
 *     %4: f32[]    = reduce_sum %3 …             …  dy = 1, broadcast to [8,4]
 *                                                %9: f32[8,4]  = mul dy, (1 - %3·%3)
 *                                                %10: f32[5,8] = transpose %x …
 *                                                %11: f32[5,4] = matmul %10, %9         d loss / d
 * %w
 *
 * Two walks. Forwards, every node learns which of the wanted nodes it depends on, by way of
 * operations that have a derivative: only those are differentiated. Backwards from the loss, each
 * node's rule (grad_*.c) hands gradients to its operands; they are added up here, and here alone is
 * the gradient of a broadcast operand summed back to its shape.
 *
 * Runs before composites are expanded and before anything is fused. Requires nodes in order,
 * without replacement links. */
#include "passes/grad.h"

#include <string.h>

#include "passes/passes.h"

static GradientRule *const rules[OP_COUNT] = {
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate)                      \
    [OP_##name] = gradient_##gradient,
#include "ir/ops.def"
#undef OP
};

/* What a node's mark points to while gradients are built; nodes made meanwhile have none. */
typedef struct Slot {
    const Node *wanted; /* the first wanted node it depends on; NULL: no need to differentiate */
    Node *gradient;     /* of the loss with respect to it, so far */
    Node **parts;       /* of a tuple: with respect to each of its values; NULL: of none so far */
    int part_count;
} Slot;

/* The two words of the table for operations without a rule. Never called: grad.c knows them. */
void gradient_zero(Function *f, Node *y, Node *dy, Node *dx[])
{
    (void)f, (void)dy, (void)dx;
    INGOT_BUG("%s is constant, yet it was differentiated", op_name(y->op));
}

void gradient_none(Function *f, Node *y, Node *dy, Node *dx[])
{
    (void)f, (void)dy, (void)dx;
    INGOT_BUG("%s has no gradient, yet it was differentiated", op_name(y->op));
}

static Slot *slot_of(const Node *node)
{
    return node->mark;
}

/* Gradients flow through real numbers only, and not through steps. */
static bool carries_gradient(const Node *node)
{
    return element_is_float(node->type.element) && rules[node->op] != gradient_zero;
}

static void mark_needed(Function *f, int count, Node *const *wrt)
{
    Slot *slots = ARENA_ARRAY(f->program->arena, Slot, f->node_count);
    for (int i = 0; i < f->node_count; i++)
        f->nodes[i]->mark = &slots[i];
    for (int i = 0; i < count; i++)
        if (element_is_float(wrt[i]->type.element))
            slot_of(wrt[i])->wanted = wrt[i];
    for (int i = 0; i < f->node_count; i++) {
        Node *node = f->nodes[i];
        for (int j = 0; j < node->in_count && !slots[i].wanted; j++)
            if (carries_gradient(node))
                slots[i].wanted = slot_of(node->in[j])->wanted;
    }
}

/* "encoder.*" for "encoder.weight", "weight" for "weight": what to write to freeze it and its
 * neighbours. */
static const char *freeze_pattern(Arena *arena, const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? arena_print(arena, "%.*s.*", (int)(dot - name), name) : name;
}

/* Is there a rule for it, in its mode? */
static bool has_rule(const Node *node)
{
    if (node->op == OP_scatter)
        return attr_mode(node, 0) == MODE_SET || attr_mode(node, 0) == MODE_ADD;
    if (node->op == OP_cumulative)
        return attr_mode(node, 1) == MODE_ADD || attr_mode(node, 1) == MODE_MUL;
    return rules[node->op] != gradient_none;
}

/* "mod", "scatter mode=max" */
static const char *operation_text(Arena *arena, const Node *node)
{
    int count;
    const AttrKey *keys = op_attributes(node->op, &count);
    for (int i = 0; i < count; i++)
        if (keys[i].form == FORM_MODE)
            return arena_print(arena, "%s %s=%s", op_name(node->op), keys[i].key,
                               mode_name(attr_mode(node, keys[i].slot)));
    return op_name(node->op);
}

static bool report_no_gradient(const Function *f, const Node *node, const Node *wanted)
{
    Diag *diag = f->program->diag;
    const char *operation = operation_text(diag->arena, node);
    if (wanted->op == OP_state) {
        const char *name = wanted->attr.state->name;
        return diag_error(diag, node->place,
                          "%s has no gradient, and parameter \"%s\" needs one; freeze it with "
                          "\"freeze\": [\"%s\"]",
                          operation, name, freeze_pattern(f->program->arena, name));
    }
    const char *name = wanted->op == OP_input ? wanted->attr.text : wanted->name;
    return diag_error(diag, node->place, "%s has no gradient, and \"%s\" needs one", operation,
                      name ? name : op_name(wanted->op));
}

/* The gradient of an operand that was broadcast is the sum over the copies: sums over the axes that
 * `type` lacks or has as 1, and gives the rest its shape. */
static Node *sum_to_shape(Function *f, Node *gradient, const TensorType *type)
{
    const TensorType *from = &gradient->type;
    int added = from->rank - type->rank, axis_count = 0;
    int64_t axes[RANK_LIMIT];
    for (int i = 0; i < from->rank; i++)
        if (i < added || (type->dims[i - added] == 1 && from->dims[i] != 1))
            axes[axis_count++] = i;
    if (axis_count)
        gradient = graph_reduce(f, OP_reduce_sum, gradient, axis_count, axes, false);
    return gradient ? graph_reshape(f, gradient, type->rank, type->dims) : NULL;
}

static void accumulate(Function *f, Node *operand, Node *gradient)
{
    Slot *slot = slot_of(operand);
    if (!gradient || !slot->wanted)
        return;
    gradient = sum_to_shape(f, gradient, &operand->type);
    slot->gradient = slot->gradient ? gradient_sum(f, slot->gradient, gradient) : gradient;
}

void gradient_add_to_result(Function *f, Node *tuple, int index, Node *gradient)
{
    Slot *slot = slot_of(tuple);
    if (!slot->parts) {
        slot->part_count = tuple->attr.body->result_count;
        slot->parts = ARENA_ARRAY(f->program->arena, Node *, slot->part_count);
    }
    Node **part = &slot->parts[index];
    *part = *part ? graph_add(f, *part, gradient) : gradient;
}

Node *gradient_of_result(const Node *tuple, int index)
{
    const Slot *slot = slot_of(tuple);
    return slot->parts && index < slot->part_count ? slot->parts[index] : NULL;
}

static bool differentiate(Function *f, Node *node)
{
    Slot *slot = slot_of(node);
    if ((!slot->gradient && !slot->parts) || !slot->wanted || !carries_gradient(node))
        return true;
    if (!has_rule(node))
        return report_no_gradient(f, node, slot->wanted);
    f->place = node->place;
    Node **dx = ARENA_ARRAY(f->program->arena, Node *, node->in_count);
    int errors = f->program->diag->error_count;
    rules[node->op](f, node, slot->gradient, dx);
    for (int i = 0; i < node->in_count; i++)
        accumulate(f, node->in[i], dx[i]);
    return f->program->diag->error_count == errors;
}

bool gradient_build_from(Function *f, int output_count, Node *const *outputs, Node *const *seeds,
                         int count, Node *const *wrt, Node **gradients)
{
    const char *place = f->place;
    int forward_count = f->node_count;
    mark_needed(f, count, wrt);
    for (int i = 0; i < output_count; i++) {
        Slot *slot = slot_of(outputs[i]);
        f->place = outputs[i]->place;
        slot->gradient = slot->gradient ? graph_add(f, slot->gradient, seeds[i]) : seeds[i];
    }
    bool ok = true;
    for (int i = forward_count - 1; i >= 0; i--)
        ok = differentiate(f, f->nodes[i]) && ok;
    for (int i = 0; i < count; i++)
        gradients[i] = ok ? slot_of(wrt[i])->gradient : NULL;
    f->place = place;
    return ok;
}

bool gradient_build_nodes(Function *f, Node *loss, int count, Node *const *wrt, Node **gradients)
{
    char type[TYPE_TEXT_BYTES];
    ElementType element = loss->type.element;
    if (loss->type.rank != 0 || !element_is_float(element) || element_is_storage(element))
        return diag_error(f->program->diag, loss->place,
                          "the loss of @%s is %s, but it must be one number of a float type",
                          f->name, type_print(&loss->type, type));
    const char *place = f->place;
    f->place = loss->place;
    Node *one = graph_scalar(f, element, 1.0);
    f->place = place;
    return gradient_build_from(f, 1, &loss, &one, count, wrt, gradients);
}

bool gradient_build(Function *f, Node *loss, int count, State *const *states, Node **gradients)
{
    Node **nodes = ARENA_ARRAY(f->program->arena, Node *, count);
    for (int i = 0; i < count; i++)
        nodes[i] = graph_state(f, states[i]);
    return gradient_build_nodes(f, loss, count, nodes, gradients);
}
