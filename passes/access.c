/* How a kernel reads a tensor: coordinates go down through views, and an affine offset into memory
 * comes out.
 *
 *     %2 = transpose %w order=[1,0]        %2 at (i, j)   is   %w at (j, i)   is   load %w[512*j +
 * i]
 *
 * Views therefore never cost a copy. Values that are cheaper to compute than to load (iota, random
 * masks, constants that are one number) become expressions. */
#include <string.h>

#include "ir/element.h"
#include "passes/constants.h"
#include "passes/lowering.h"

Slot *lower_add_slot(Lowering *l, SlotKind kind, const char *name, TensorType type)
{
    Schedule *schedule = l->schedule;
    Slot *slot = ARENA_NEW(l->arena, Slot);
    slot->kind = kind;
    slot->name = name;
    slot->type = type;
    slot->bytes = type_bytes(&type);
    slot->depth = l->depth;
    schedule->slots = arena_grow(l->arena, schedule->slots, schedule->slot_count,
                                 &schedule->slot_capacity, sizeof *schedule->slots);
    schedule->slots[schedule->slot_count++] = slot;
    return slot;
}

static Slot *leaf_slot(Lowering *l, const Node *node)
{
    if (l->leaf_slots[node->id])
        return l->leaf_slots[node->id];
    Slot *slot;
    if (node->op == OP_constant) {
        slot = module_add_constant(l->module, "constant", node->type, node->attr.data);
    } else if (node->op == OP_state && node->attr.state->derived) {
        slot = l->module->derived[node->attr.state->index];
    } else if (node->op == OP_state) {
        State *state = node->attr.state;
        slot = lower_add_slot(l, SLOT_STATE, state->name, node->type);
        slot->index = state->index;
        slot->offset = l->module->state_offsets[state->index];
    } else {
        slot = lower_add_slot(l, SLOT_INPUT, node->attr.text, node->type);
        for (int i = 0; i < l->function->input_count; i++)
            if (l->function->inputs[i] == node)
                slot->index = i;
    }
    return l->leaf_slots[node->id] = slot;
}

Slot *lower_slot(Lowering *l, const Node *node)
{
    if (l->fusion->group_of[node->id]) {
        const Destinations *d = &l->destinations[node->id];
        if (!d->count)
            INGOT_BUG("%%%d (%s) is read by another kernel, but was not stored", node->id,
                      op_name(node->op));
        return d->slots[0];
    }
    return leaf_slot(l, node);
}

Buffer *lower_argument(Lowering *l, Slot *slot)
{
    for (int a = 0; a < l->argument_count; a++) {
        const Slot *other = l->arguments[a];
        if (other == slot ||
            (slot->kind == SLOT_STATE && other->kind == SLOT_STATE && other->index == slot->index))
            return l->kernel->arguments[a];
    }
    l->arguments = arena_grow(l->arena, l->arguments, l->argument_count, &l->argument_capacity,
                              sizeof *l->arguments);
    l->arguments[l->argument_count++] = slot;
    /* names by position: equal kernels of different tensors then have equal texts, and are emitted
     * once */
    const char *name = arena_print(l->arena, "p%d", l->argument_count - 1);
    return kernel_argument(l->arena, l->kernel, name, slot->type.element,
                           type_elements(&slot->type));
}

Affine lower_offset(Arena *arena, const TensorType *type, const Coordinates *at)
{
    Affine offset = affine_number(0);
    int64_t stride = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        offset = affine_add(arena, offset, affine_scale(arena, at->at[i], stride));
        stride *= type->dims[i];
    }
    return offset;
}

Coordinates lower_broadcast(const TensorType *operand, const Coordinates *at)
{
    Coordinates mine = {.rank = operand->rank};
    int shift = at->rank - operand->rank;
    for (int i = 0; i < operand->rank; i++)
        mine.at[i] = operand->dims[i] == 1 ? affine_number(0) : at->at[i + shift];
    return mine;
}

/* A constant all of whose elements are the same needs no memory. */
static bool constant_is_number(const Node *node, double *number)
{
    size_t bytes = (size_t)element_bytes(node->type.element),
           total = (size_t)type_bytes(&node->type);
    const char *data = node->attr.data;
    if (total == 0 || (total > bytes && memcmp(data, data + bytes, total - bytes) != 0))
        return false;
    return element_exact(node->type.element, data, 0, number);
}

static Coordinates through_reshape(Lowering *l, const Node *reshape, const Coordinates *at)
{
    const TensorType *to = &reshape->type, *from = &reshape->in[0]->type;
    Coordinates result = {.rank = from->rank};
    int i = 0;
    for (int j = 0; j < from->rank; j++) {
        result.at[j] = affine_number(0);
        int64_t product = 1;
        while (from->dims[j] > 1 && product < from->dims[j]) {
            result.at[j] =
                affine_add(l->arena, affine_scale(l->arena, result.at[j], to->dims[i]), at->at[i]);
            product *= to->dims[i++];
        }
    }
    return result;
}

static Coordinates through_view(Lowering *l, const Node *view, const Coordinates *at)
{
    Coordinates result = {.rank = view->in[0]->type.rank};
    switch (view->op) {
    case OP_transpose:
        for (int i = 0; i < at->rank; i++)
            result.at[view->attr.lists[0].values[i]] = at->at[i];
        break;
    case OP_broadcast:
        result = lower_broadcast(&view->in[0]->type, at);
        break;
    case OP_slice:
        for (int i = 0; i < at->rank; i++)
            result.at[i] = affine_add(
                l->arena, affine_scale(l->arena, at->at[i], view->attr.lists[2].values[i]),
                affine_number(view->attr.lists[0].values[i]));
        break;
    case OP_reverse:
        result = *at;
        for (int a = 0; a < view->attr.lists[0].count; a++) {
            int64_t axis = view->attr.lists[0].values[a];
            result.at[axis] = affine_add(l->arena, affine_scale(l->arena, at->at[axis], -1),
                                         affine_number(view->type.dims[axis] - 1));
        }
        break;
    case OP_reshape:
        result = through_reshape(l, view, at);
        break;
    default:
        INGOT_BUG("%s is not a view", op_name(view->op));
    }
    return result;
}

static bool has_memory(const Lowering *l, const Node *node)
{
    if (l->fusion->group_of[node->id])
        return !l->fusion->recomputed[node->id];
    return node->op == OP_input || node->op == OP_state || node->op == OP_constant;
}

/* Its number lies in memory: kernels that differ in nothing else are then one. */
static Expr *read_stream(Lowering *l, const Node *node)
{
    Slot **slot = &l->leaf_slots[node->id];
    if (!*slot) {
        int32_t *stream = ARENA_NEW(l->arena, int32_t);
        *stream = (int32_t)attr_integer(node, 0);
        *slot = module_add_constant(l->module, "stream", type_scalar(TYPE_I32), stream);
    }
    return expr_load(l->arena, lower_argument(l, *slot), affine_number(0));
}

static Expr *read_random(Lowering *l, Node *node, const Coordinates *at)
{
    Coordinates first = {.rank = 1};
    Expr *in[EXPR_INPUTS];
    for (int i = 0; i < 3; i++) {
        first.at[0] = affine_number(i);
        in[i] = lower_read(l, node->in[0], &first);
    }
    in[3] = read_stream(l, node);
    in[4] = expr_index(l->arena, TYPE_I32, lower_offset(l->arena, &node->type, at));
    return expr_apply(l->arena, OP_random, TYPE_F32, EXPR_INPUTS, in);
}

static Expr *read_memory(Lowering *l, const Node *node, Affine offset)
{
    double number;
    if (node->op == OP_constant && constant_is_number(node, &number))
        return expr_number(l->arena, node->type.element, number);
    return expr_load(l->arena, lower_argument(l, lower_slot(l, node)), offset);
}

/* Where it is stored without a border, if it is. */
static Expr *read_stored(Lowering *l, const Node *node, const Coordinates *at)
{
    const Padded *bordered = l->bordered[node->id];
    if (bordered && !l->destinations[node->id].count)
        return padded_read(l, bordered, at);
    return read_memory(l, node, lower_offset(l->arena, &node->type, at));
}

Expr *lower_read(Lowering *l, Node *node, const Coordinates *at)
{
    if (has_memory(l, node))
        return read_stored(l, node, at);
    if (node->op == OP_iota) {
        Expr *index = expr_index(l->arena, TYPE_I32, at->at[attr_integer(node, 0)]);
        if (node->type.element == TYPE_I32)
            return index;
        return expr_apply(l->arena, OP_cast, node->type.element, 1, &index);
    }
    if (node->op == OP_random)
        return read_random(l, node, at);
    if (op_is(node->op, ELEMENTWISE)) {
        Expr *in[EXPR_INPUTS];
        for (int i = 0; i < node->in_count; i++) {
            Coordinates mine = lower_broadcast(&node->in[i]->type, at);
            in[i] = lower_read(l, node->in[i], &mine);
        }
        return expr_apply(l->arena, node->op, node->type.element, node->in_count, in);
    }
    if (node->op ==
        OP_reshape) { /* what it looks at lies in memory row by row: the offset is the same */
        const Node *source = node->in[0];
        while (source->op == OP_reshape && !has_memory(l, source))
            source = source->in[0];
        if (has_memory(l, source))
            return read_memory(l, source, lower_offset(l->arena, &node->type, at));
    }
    Coordinates inner = through_view(l, node, at);
    return lower_read(l, node->in[0], &inner);
}
