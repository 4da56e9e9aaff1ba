/* Scans: the calls of the body, made in a repeat.
 *
 *     copy %h0 to %carried[0]
 *     repeat t = 0..100, side s {
 *       @matmul_add_tanh(%carried[1024*s], %u, %x[1024*t], out %carried[-1024*s + 1024],
 *                        out %y[1024*t])
 *     }
 *
 * The body is lowered like a function, into the same list of calls. Its parameters and results are
 * parts of larger slots: of a scanned input or a stack the slice that the step's number gives, of a
 * carried value one of two places, which change sides each step. What a step reads is therefore
 * never what it writes, in whatever order its kernels run.
 *
 * Stacks of a scan that may end early are nought at first. It ends where an even number of steps is
 * left, so that carried values are found on the same side as after all steps. */
#include "ir/scan.h"
#include "passes/lowering.h"

typedef struct ScanLowering {
    Lowering *l; /* of the function the scan stands in */
    Node *node;
    Scan scan;
    Slot **carried; /* both places of each */
    Slot **stacks;
    Lowering body;
} ScanLowering;

static int64_t side_bytes(const TensorType *type)
{
    return (type_bytes(type) + 63) / 64 * 64;
}

/* The part of `slot` that begins `at` bytes from its own beginning. */
static Slot *part_of(const Lowering *l, Slot *slot, const TensorType *type, Affine at)
{
    Slot *part = ARENA_NEW(l->arena, Slot);
    *part = (Slot){.kind = SLOT_PART,
                   .type = *type,
                   .bytes = type_bytes(type),
                   .name = slot->name,
                   .depth = l->depth,
                   .whole = slot_whole(slot),
                   .at = slot->kind == SLOT_PART ? affine_add(l->arena, slot->at, at) : at};
    return part;
}

/* The slice of this step. */
static Slot *slice_of(const ScanLowering *s, Slot *slot, const TensorType *type)
{
    int64_t bytes = type_bytes(type);
    Affine at = affine_var(s->l->arena, s->body.step, s->scan.reverse ? -bytes : bytes);
    if (s->scan.reverse)
        at = affine_add(s->l->arena, at, affine_number((s->scan.steps - 1) * bytes));
    return part_of(&s->body, slot, type, at);
}

/* What the body reads of carried value number i, or (`next`) what it writes. */
static Slot *side_of(const ScanLowering *s, int i, const TensorType *type, bool next)
{
    int64_t bytes = side_bytes(type);
    Affine at = affine_var(s->l->arena, s->body.side, next ? -bytes : bytes);
    if (next)
        at = affine_add(s->l->arena, at, affine_number(bytes));
    return part_of(&s->body, s->carried[i], type, at);
}

/* The one place of a carried value that is known outside the loop. */
static Slot *side_after(const ScanLowering *s, int i, const TensorType *type, int64_t steps)
{
    return part_of(s->l, s->carried[i], type, affine_number(steps % 2 * side_bytes(type)));
}

static void start_carried(ScanLowering *s)
{
    Lowering *l = s->l;
    s->carried = ARENA_ARRAY(l->arena, Slot *, s->scan.carried + 1);
    for (int i = 0; i < s->scan.carried; i++) {
        Node *first = s->node->in[i];
        int64_t count = 2 * side_bytes(&first->type) / element_bytes(first->type.element);
        s->carried[i] = lower_add_slot(l, SLOT_TEMPORARY, arena_print(l->arena, "carried.%d", i),
                                       type_make(first->type.element, 1, &count));
        lower_store(l, first, side_after(s, i, &first->type, 0));
    }
}

/* The member of the scan's group that is its result number `index`, and has memory of its own; NULL
 * when there is none. */
static Node *member_of(const ScanLowering *s, int index)
{
    const Group *group = s->l->fusion->group_of[s->node->id];
    Node *found = NULL;
    for (int m = 0; m < group->member_count; m++) {
        Node *member = group->members[m];
        if (member->op == OP_result && attr_integer(member, 0) == index &&
            (!found || !s->l->destinations[found->id].count))
            found = member;
    }
    return found;
}

/* A stack is filled where the function wants it, if it does. */
static void choose_stacks(ScanLowering *s)
{
    Lowering *l = s->l;
    s->stacks = ARENA_ARRAY(l->arena, Slot *, s->scan.stacked + 1);
    for (int i = 0; i < s->scan.stacked; i++) {
        const Node *member = member_of(s, s->scan.carried + i);
        TensorType type = scan_result_type(s->node, s->scan.carried + i);
        if (member && l->destinations[member->id].count)
            s->stacks[i] = l->destinations[member->id].slots[0];
        else
            s->stacks[i] =
                lower_add_slot(l, SLOT_TEMPORARY, arena_print(l->arena, "stack.%d", i), type);
        if (s->scan.alive >= 0)
            lower_fill(l, s->stacks[i], &type, 0);
    }
}

/* What lies in memory row by row is there under any shape. */
static Slot *memory_of(Lowering *l, const Node *node)
{
    while (node->op == OP_reshape && !l->fusion->group_of[node->id])
        node = node->in[0];
    return lower_slot(l, node);
}

static void bind_parameters(ScanLowering *s)
{
    const Function *function = s->body.function;
    for (int i = 0; i < function->input_count; i++) {
        const Node *input = function->inputs[i];
        Slot *slot;
        if (i < s->scan.carried)
            slot = side_of(s, i, &input->type, false);
        else if (i < s->scan.carried + s->scan.scanned)
            slot = slice_of(s, memory_of(s->l, s->node->in[i]), &input->type);
        else
            slot = memory_of(s->l, s->node->in[i]);
        s->body.leaf_slots[input->id] = slot;
    }
    for (int i = 0; i < function->result_count; i++) {
        const TensorType *type = &function->results[i].node->type;
        int stack = i - s->scan.carried;
        s->body.result_slots[i] =
            stack < 0 ? side_of(s, i, type, true) : slice_of(s, s->stacks[stack], type);
    }
}

static Var *repeat_var(Lowering *l, const char *name)
{
    Var *var = ARENA_NEW(l->arena, Var);
    *var = (Var){.name = name, .id = l->schedule->next_var++};
    return var;
}

static void lower_body(ScanLowering *s)
{
    Lowering *l = s->l, *body = &s->body;
    Function *function = s->node->attr.body;
    *body = (Lowering){.arena = l->arena,
                       .module = l->module,
                       .target = l->target,
                       .run = l->run,
                       .prepared = l->prepared,
                       .schedule = l->schedule,
                       .function = function,
                       .leaf_slots = ARENA_ARRAY(l->arena, Slot *, function->node_count + 1),
                       .outer = l,
                       .depth = l->depth + 1,
                       .first_call = l->schedule->call_count,
                       .steps = s->scan.steps,
                       .step = repeat_var(l, "t"),
                       .side = repeat_var(l, "s"),
                       .result_slots = ARENA_ARRAY(l->arena, Slot *, function->result_count + 1)};
    bind_parameters(s);
    l->inner = body;
    lower_function(body);
    l->inner = NULL;
}

/* What a step asks before it begins. */
static Slot *alive_of(const ScanLowering *s)
{
    TensorType truth = type_scalar(TYPE_BOOL);
    return s->scan.alive < 0 ? NULL : side_of(s, s->scan.alive, &truth, false);
}

static void add_repeat(const ScanLowering *s)
{
    Schedule *schedule = s->l->schedule;
    if (s->body.first_call == schedule->call_count)
        return;
    schedule->repeats = arena_grow(s->l->arena, schedule->repeats, schedule->repeat_count,
                                   &schedule->repeat_capacity, sizeof *schedule->repeats);
    schedule->repeats[schedule->repeat_count++] = (Repeat){.first = s->body.first_call,
                                                           .end = schedule->call_count,
                                                           .count = s->scan.steps,
                                                           .depth = s->body.depth,
                                                           .step = s->body.step,
                                                           .side = s->body.side,
                                                           .alive = alive_of(s)};
}

/* Readers find a result where the loop has left it; where the function wants it, it is copied. */
static void place_results(const ScanLowering *s)
{
    Lowering *l = s->l;
    const Group *group = l->fusion->group_of[s->node->id];
    for (int m = 0; m < group->member_count; m++) {
        const Node *member = group->members[m];
        if (member->op != OP_result)
            continue;
        int index = (int)attr_integer(member, 0), stack = index - s->scan.carried;
        Slot *from =
            stack < 0 ? side_after(s, index, &member->type, s->scan.steps) : s->stacks[stack];
        Destinations *d = &l->destinations[member->id];
        for (int i = 0; i < d->count; i++)
            if (d->slots[i] != from)
                lower_copy(l, from, d->slots[i]);
        if (d->count == 0)
            *d = (Destinations){.slots = ARENA_ARRAY(l->arena, Slot *, 1), .count = 1};
        if (d->count == 1 && !d->slots[0])
            d->slots[0] = from;
    }
}

void lower_root_scan(Lowering *l, Node *root)
{
    ScanLowering *s = ARENA_NEW(l->arena, ScanLowering);
    s->l = l;
    s->node = root;
    s->scan = node_scan(root);
    start_carried(s);
    choose_stacks(s);
    lower_body(s);
    add_repeat(s);
    place_results(s);
}
