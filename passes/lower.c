/* From groups of nodes to kernels and the list of calls; see lowering.h for the shape of what comes
 * out.
 *
 * Order of calls: as fusion found it, but a kernel that overwrites a state comes after every kernel
 * that reads its old value. Where that cannot be (the writer itself feeds a reader, or reads the
 * state at other indices), the new value goes to a temporary and is copied at the end of the
 * function. */
#include "passes/lower.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ir/nest_text.h"
#include "passes/lowering.h"
#include "passes/plan.h"

/* ---- kernels ---- */

void kernel_begin(Lowering *l, Group *group, const char *name)
{
    l->group = group;
    l->kernel = ARENA_NEW(l->arena, Kernel);
    l->kernel->name = name;
    l->arguments = NULL;
    l->argument_count = l->argument_capacity = 0;
    l->temps = 0;
}

/* The kernel of the module that says the same as `kernel`; `kernel` itself, added, when there is
 * none. */
static Kernel *module_intern(Lowering *l, Kernel *kernel)
{
    Module *module = l->module;
    if (kernel->text)
        return kernel; /* has been through here */
    const char *base = kernel->name;
    Text text = text_create(l->arena);
    kernel->name = "kernel"; /* the text must not depend on it */
    kernel_print(kernel, &text);
    kernel->name = base;
    int same_name = 0;
    for (int k = 0; k < module->kernel_count; k++) {
        Kernel *other = module->kernels[k];
        if (strcmp(text.data, other->text) == 0)
            return other;
        size_t length = strlen(base);
        same_name += strncmp(other->name, base, length) == 0 &&
                     (other->name[length] == '\0' || other->name[length] == '.');
    }
    kernel->text = text.data;
    kernel->name = same_name ? arena_print(l->arena, "%s.%d", base, same_name + 1) : base;
    module->kernels = arena_grow(l->arena, module->kernels, module->kernel_count,
                                 &module->kernel_capacity, sizeof *module->kernels);
    return module->kernels[module->kernel_count++] = kernel;
}

static void append_call(Lowering *l, Kernel *kernel, Slot **arguments)
{
    Schedule *s = l->schedule;
    Call call = {.kernel = module_intern(l, kernel), .arguments = arguments};
    s->calls = arena_grow(l->arena, s->calls, s->call_count, &s->call_capacity, sizeof *s->calls);
    s->calls[s->call_count++] = call;
    s->multiply_adds += call.kernel->multiply_adds;
    s->parallel = s->parallel || call.kernel->parallel;
}

/* The packed copy of an operand: made once in a function, however many kernels read it. */
static Slot *packed_slot(Lowering *l, const Piece *piece, const Between *copy, Slot *source)
{
    Text text = text_create(l->arena);
    kernel_print(piece->kernel, &text);
    for (Packed *p = l->packed; p; p = p->next)
        if (p->source == source && strcmp(p->text, text.data) == 0)
            return p->slot;
    Packed *p = ARENA_NEW(l->arena, Packed);
    p->source = source;
    p->text = text.data;
    p->next = l->packed;
    l->packed = p;
    TensorType type = type_make(copy->element, 1, &copy->count);
    Kernel *kernel =
        source->kind == SLOT_CONSTANT ? piece->kernel : module_intern(l, piece->kernel);
    if (l->function->update_count == 0 || source->kind == SLOT_CONSTANT)
        p->slot = prepare_copy(l->module, l->prepared, kernel, text.data, source, type);
    if (p->slot)
        return p->slot;
    p->slot = schedule_add_slot(l->arena, l->schedule, SLOT_TEMPORARY,
                                arena_print(l->arena, "%s.packed", source->name), type);
    Slot **both = ARENA_ARRAY(l->arena, Slot *, 2);
    both[0] = source;
    both[1] = p->slot;
    append_call(l, kernel, both);
    return p->slot;
}

/* The memory of what one piece leaves for another; packed copies get theirs from packed_slot(). */
static Slot **between_slots(Lowering *l, const Pieces *pieces)
{
    Slot **slots = ARENA_ARRAY(l->arena, Slot *, pieces->between_count + 1);
    bool *packed = ARENA_ARRAY(l->arena, bool, pieces->between_count + 1);
    for (int p = 0; p < pieces->count; p++)
        if (pieces->list[p].packs >= 0)
            packed[pieces->list[p].packs] = true;
    for (int b = 0; b < pieces->between_count; b++) {
        const Between *between = &pieces->between[b];
        if (!packed[b])
            slots[b] = schedule_add_slot(l->arena, l->schedule, SLOT_TEMPORARY,
                                         arena_print(l->arena, "%s.partial", l->kernel->name),
                                         type_make(between->element, 1, &between->count));
    }
    return slots;
}

void kernel_end(Lowering *l, Stmt *body)
{
    l->kernel->body = body;
    Pieces pieces = pieces_create(l->arena, l->target, l->kernel);
    schedule_kernel(&pieces, l->run);
    Slot **between = between_slots(l, &pieces);
    for (int p = 0; p < pieces.count; p++) {
        const Piece *piece = &pieces.list[p];
        int count = piece->kernel->argument_count;
        Slot **slots = ARENA_ARRAY(l->arena, Slot *, count + 1);
        for (int a = 0; a < count; a++) {
            int from = piece->arguments[a];
            slots[a] = from < 0 ? between[-1 - from] : l->arguments[from];
        }
        if (piece->packs >= 0)
            between[piece->packs] = packed_slot(l, piece, &pieces.between[piece->packs], slots[0]);
        else
            append_call(l, piece->kernel, slots);
    }
}

Affine lower_axis(Lowering *l, const char *name, int64_t extent, const Var **var)
{
    *var = extent == 1 ? NULL : kernel_var(l->arena, l->kernel, name);
    return *var ? affine_var(l->arena, *var, 1) : affine_number(0);
}

Stmt *lower_loops(Lowering *l, int count, const Var *const *vars, const int64_t *extents,
                  Stmt *body)
{
    for (int i = count - 1; i >= 0; i--)
        if (vars[i])
            body = stmt_loop(l->arena, LOOP_SERIAL, vars[i], 0, extents[i], 1, body);
    return body;
}

Affine axes_add(Lowering *l, Axes *axes, const char *name, int64_t extent)
{
    axes->extents[axes->count] = extent;
    return lower_axis(l, name, extent, &axes->vars[axes->count++]);
}

Stmt *axes_loops(Lowering *l, const Axes *axes, Stmt *body)
{
    return lower_loops(l, axes->count, axes->vars, axes->extents, body);
}

Coordinates axes_of_type(Lowering *l, Axes *axes, const TensorType *type)
{
    static const char *const names[RANK_LIMIT] = {"i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"};
    Coordinates at = {.rank = type->rank};
    for (int i = 0; i < type->rank; i++)
        at.at[i] = axes_add(l, axes, names[i], type->dims[i]);
    return at;
}

/* ---- what a group computes at one point ---- */

static Stmt *bind(Lowering *l, Node *node, Expr *value)
{
    Temp *temp = ARENA_NEW(l->arena, Temp);
    temp->name = arena_print(l->arena, "t%d", l->temps++);
    temp->element = value->element;
    l->values[node->id] = expr_temp(l->arena, temp);
    return stmt_let(l->arena, temp, value);
}

static Expr *member_value(Lowering *l, Node *node, const Coordinates *at)
{
    if (!op_is(node->op, ELEMENTWISE) ||
        node_is_generated(node)) { /* a view or generated value made solid */
        Group *group = l->fusion->group_of[node->id];
        l->fusion->group_of[node->id] = NULL;
        Expr *value = lower_read(l, node, at);
        l->fusion->group_of[node->id] = group;
        return value;
    }
    Expr *in[EXPR_INPUTS];
    for (int i = 0; i < node->in_count; i++) {
        Node *operand = node->in[i];
        bool direct = l->fusion->group_of[operand->id] == l->group &&
                      type_same_dims(&operand->type, &node->type);
        Coordinates mine = lower_broadcast(&operand->type, at);
        in[i] = direct ? l->values[operand->id] : lower_read(l, operand, &mine);
    }
    return expr_apply(l->arena, node->op, node->type.element, node->in_count, in);
}

Stmt *lower_epilogue(Lowering *l, Expr *root_value, const Coordinates *at)
{
    Stmt *lets = NULL, *stores = NULL;
    Group *group = l->group;
    for (int m = 0; m < group->member_count; m++) {
        Node *node = group->members[m];
        Expr *value = node == group->root ? root_value : member_value(l, node, at);
        bool stored = l->fusion->stored[node->id];
        l->values[node->id] = value;
        /* a stored value is bound too: its loads must come before any store to the same place */
        if (l->readers[node->id] > 1 || (stored && group->member_count > 1))
            lets = stmt_append(lets, bind(l, node, value));
        for (int d = 0; stored && d < l->destinations[node->id].count; d++) {
            Slot *slot = l->destinations[node->id].slots[d];
            Buffer *buffer = lower_argument(l, slot);
            buffer->written = true;
            stores = stmt_append(stores, stmt_store(l->arena, STORE_SET, buffer,
                                                    lower_offset(l->arena, &node->type, at),
                                                    l->values[node->id]));
        }
    }
    return stmt_append(lets, stores);
}

Stmt *lower_reduction(Lowering *l, const Reduction *reduction, ElementType element,
                      const Coordinates *at)
{
    Buffer *acc = nest_local(l->arena, "acc", element, 1);
    Affine zero = affine_number(0);
    Stmt *body = stmt_local(l->arena, acc);
    stmt_append(body, stmt_store(l->arena, STORE_SET, acc, zero, reduction->first));
    if (reduction->term)
        stmt_append(body,
                    axes_loops(l, &reduction->axes,
                               stmt_store(l->arena, reduction->mode, acc, zero, reduction->term)));
    return stmt_append(body, lower_epilogue(l, expr_load(l->arena, acc, zero), at));
}

double element_lowest(ElementType element)
{
    static const double lowest[TYPE_COUNT] = {[TYPE_F32] = -INFINITY,
                                              [TYPE_F64] = -INFINITY,
                                              [TYPE_I32] = -0x1p31,
                                              [TYPE_I64] = -0x1p63,
                                              [TYPE_I8] = -128};
    return lowest[element];
}

double element_highest(ElementType element)
{
    static const double highest[TYPE_COUNT] = {[TYPE_F32] = INFINITY,   [TYPE_F64] = INFINITY,
                                               [TYPE_I32] = 0x1p31 - 1, [TYPE_I64] = 0x1p63 - 1024,
                                               [TYPE_I8] = 127,         [TYPE_U8] = 255,
                                               [TYPE_BOOL] = 1};
    return highest[element];
}

static void lower_elementwise_group(Lowering *l)
{
    Axes axes = {0};
    Coordinates at = axes_of_type(l, &axes, &l->group->domain);
    l->kernel->may_alias = true;
    l->kernel->element_steps = type_elements(&l->group->domain) * l->group->member_count;
    Stmt *body = lower_epilogue(l, NULL, &at);
    kernel_end(l, axes_loops(l, &axes, body));
}

static void lower_copy(Lowering *l, Slot *from, Slot *to)
{
    kernel_begin(l, NULL, "copy");
    Axes axes = {0};
    Coordinates at = axes_of_type(l, &axes, &from->type);
    Affine offset = lower_offset(l->arena, &from->type, &at);
    Buffer *source = lower_argument(l, from), *target = lower_argument(l, to);
    target->written = true;
    l->kernel->element_steps = type_elements(&from->type);
    Stmt *store =
        stmt_store(l->arena, STORE_SET, target, offset, expr_load(l->arena, source, offset));
    kernel_end(l, axes_loops(l, &axes, store));
}

/* `add`, `matmul_add_max`, `matmul_and_7_more` */
static const char *group_name(Lowering *l, const Group *group)
{
    enum { SHOWN = 4 };
    const char *name = "";
    for (int m = 0; m < group->member_count && m < SHOWN; m++)
        name = arena_print(l->arena, "%s%s%s", name, m ? "_" : "", op_name(group->members[m]->op));
    if (group->member_count > SHOWN)
        name = arena_print(l->arena, "%s_and_%d_more", name, group->member_count - SHOWN);
    return name;
}

static void lower_group(Lowering *l, Group *group)
{
    /* lowering column of ops.def; words that never reach a root have none */
    static LowerRoot *const roots[OP_COUNT] = {
#define lower_root_leaf NULL
#define lower_root_elementwise NULL
#define lower_root_view NULL
#define lower_root_expand NULL
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate)                      \
    [OP_##name] = lower_root_##lowering,
#include "ir/ops.def"
#undef OP
#undef lower_root_leaf
#undef lower_root_elementwise
#undef lower_root_view
#undef lower_root_expand
    };
    kernel_begin(l, group, group_name(l, group));
    Node *root = group->root;
    if (!root)
        lower_elementwise_group(l);
    else if (roots[root->op])
        roots[root->op](l, root);
    else
        INGOT_BUG("%s reached lowering; passes/expand.c should have spelled it out",
                  op_name(root->op));
    /* a root without epilogue stores to one place only */
    for (int d = 1; root && !node_has_epilogue(root) && d < l->destinations[root->id].count; d++)
        lower_copy(l, l->destinations[root->id].slots[0], l->destinations[root->id].slots[d]);
}

/* ---- order of execution and where values go ---- */

typedef struct Order {
    bool **before; /* before[a][b]: group a must have run before group b, because b overwrites a
                      state a reads */
    bool *late;    /* by update: goes to a temporary and is copied at the end */
} Order;

/* Does `group` read the state node `state`, and if so only at the index it is working on? */
static bool reads_state(const Fusion *fusion, const Node *node, const State *state, bool direct,
                        bool *only_direct)
{
    if (node->op == OP_state && node->attr.state == state) {
        *only_direct = *only_direct && direct;
        return true;
    }
    if (fusion->group_of[node->id])
        return false;
    bool reads = false;
    for (int i = 0; i < node->in_count; i++)
        reads = reads_state(fusion, node->in[i], state, false, only_direct) || reads;
    return reads;
}

static bool group_reads_state(const Fusion *fusion, const Group *group, const State *state,
                              bool *only_direct)
{
    bool reads = false;
    *only_direct = true;
    for (int m = 0; m < group->member_count; m++) {
        const Node *node = group->members[m];
        for (int i = 0; i < node->in_count; i++) {
            bool direct = node != group->root && op_is(node->op, ELEMENTWISE) &&
                          type_same_dims(&node->in[i]->type, &node->type);
            reads = reads_state(fusion, node->in[i], state, direct, only_direct) || reads;
        }
    }
    return reads;
}

static void add_state_edges(Lowering *l, Order *order)
{
    const Function *f = l->function;
    const Fusion *fusion = l->fusion;
    for (int u = 0; u < f->update_count; u++) {
        const Group *writer = fusion->group_of[f->updates[u].node->id];
        order->late[u] = !writer;
        for (int g = 0; writer && g < fusion->group_count; g++) {
            bool only_direct;
            if (!group_reads_state(fusion, fusion->groups[g], f->updates[u].state, &only_direct))
                continue;
            if (fusion->groups[g] != writer)
                order->before[g][writer->id] = true;
            else if (!only_direct)
                order->late[u] = true;
        }
    }
}

static void mark_needs(const Fusion *fusion, const Node *node, const Group *group, bool *needs)
{
    for (int i = 0; i < node->in_count; i++) {
        const Group *other = fusion->group_of[node->in[i]->id];
        if (!other)
            mark_needs(fusion, node->in[i], group, needs);
        else if (other != group)
            needs[other->id] = true;
    }
}

/* The states whose writer waits for something that waits for the writer go late. */
static void break_cycle(Lowering *l, Order *order, const bool *done)
{
    const Function *f = l->function;
    for (int u = 0; u < f->update_count; u++) {
        const Group *writer = l->fusion->group_of[f->updates[u].node->id];
        if (!writer || done[writer->id] || order->late[u])
            continue;
        order->late[u] = true;
        for (int g = 0; g < l->fusion->group_count;
             g++) /* edges of its other updates come back below */
            order->before[g][writer->id] = false;
        for (int v = 0; v < f->update_count; v++) {
            bool only_direct;
            if (order->late[v] || l->fusion->group_of[f->updates[v].node->id] != writer)
                continue;
            for (int g = 0; g < l->fusion->group_count; g++)
                if (l->fusion->groups[g] != writer &&
                    group_reads_state(l->fusion, l->fusion->groups[g], f->updates[v].state,
                                      &only_direct))
                    order->before[g][writer->id] = true;
        }
        return;
    }
    INGOT_BUG("kernels of @%s depend on each other in a circle", f->name);
}

static Group **order_groups(Lowering *l, Order *order)
{
    const Fusion *fusion = l->fusion;
    int count = fusion->group_count, placed = 0;
    Group **list = ARENA_ARRAY(l->arena, Group *, count + 1);
    bool *done = ARENA_ARRAY(l->arena, bool, count + 1);
    bool **needs = ARENA_ARRAY(l->arena, bool *, count + 1);
    for (int g = 0; g < count; g++) {
        needs[g] = ARENA_ARRAY(l->arena, bool, count);
        for (int m = 0; m < fusion->groups[g]->member_count; m++)
            mark_needs(fusion, fusion->groups[g]->members[m], fusion->groups[g], needs[g]);
    }
    while (placed < count) {
        bool moved = false;
        for (int g = 0; g < count; g++) {
            bool ready = !done[g];
            for (int other = 0; ready && other < count; other++)
                ready = done[other] || !(needs[g][other] || order->before[other][g]);
            if (!ready)
                continue;
            done[g] = moved = true;
            list[placed++] = fusion->groups[g];
        }
        if (!moved)
            break_cycle(l, order, done);
    }
    return list;
}

static void add_destination(Lowering *l, const Node *node, Slot *slot)
{
    Destinations *d = &l->destinations[node->id];
    d->slots = arena_grow(l->arena, d->slots, d->count, &d->capacity, sizeof *d->slots);
    d->slots[d->count++] = slot;
}

static Slot *state_slot(Lowering *l, const State *state)
{
    Slot *slot = schedule_add_slot(l->arena, l->schedule, SLOT_STATE, state->name, state->type);
    slot->index = state->index;
    slot->offset = l->module->state_offsets[state->index];
    return slot;
}

static Slot *result_slot(Lowering *l, int index)
{
    const Result *result = &l->function->results[index];
    Slot *slot =
        schedule_add_slot(l->arena, l->schedule, SLOT_RESULT, result->name, result->node->type);
    slot->index = index;
    return slot;
}

static void place_values(Lowering *l, const Order *order)
{
    const Function *f = l->function;
    for (int r = 0; r < f->result_count; r++)
        if (l->fusion->group_of[f->results[r].node->id])
            add_destination(l, f->results[r].node, result_slot(l, r));
    for (int u = 0; u < f->update_count; u++)
        if (!order->late[u])
            add_destination(l, f->updates[u].node, state_slot(l, f->updates[u].state));
    for (int n = 0; n < f->node_count; n++) {
        Node *node = f->nodes[n];
        if (l->fusion->stored[n] && l->fusion->group_of[n] && !l->destinations[n].count)
            add_destination(l, node,
                            schedule_add_slot(l->arena, l->schedule, SLOT_TEMPORARY,
                                              arena_print(l->arena, "%d", n), node->type));
    }
}

static void count_readers(Lowering *l)
{
    const Function *f = l->function;
    for (int n = 0; n < f->node_count; n++) {
        const Node *node = f->nodes[n];
        for (int i = 0; i < node->in_count; i++)
            if (l->fusion->group_of[n] &&
                l->fusion->group_of[n] == l->fusion->group_of[node->in[i]->id])
                l->readers[node->in[i]->id]++;
    }
}

/* A state whose old value becomes a result, or the new value of another state, must be copied
 * before anything overwrites it. */
static Slot **save_moved_states(Lowering *l)
{
    const Function *f = l->function;
    Slot **saved = ARENA_ARRAY(l->arena, Slot *, f->update_count + 1);
    for (int r = 0; r < f->result_count; r++)
        if (f->results[r].node->op == OP_state)
            lower_copy(l, lower_slot(l, f->results[r].node), result_slot(l, r));
    for (int u = 0; u < f->update_count; u++) {
        const Node *node = f->updates[u].node;
        if (node->op != OP_state || node->attr.state == f->updates[u].state)
            continue;
        saved[u] = schedule_add_slot(l->arena, l->schedule, SLOT_TEMPORARY, "saved", node->type);
        lower_copy(l, lower_slot(l, node), saved[u]);
    }
    return saved;
}

static void finish_late(Lowering *l, const Order *order, Slot **saved)
{
    const Function *f = l->function;
    for (int r = 0; r < f->result_count; r++)
        if (!l->fusion->group_of[f->results[r].node->id] && f->results[r].node->op != OP_state)
            lower_copy(l, lower_slot(l, f->results[r].node), result_slot(l, r));
    for (int u = 0; u < f->update_count; u++) {
        const Node *node = f->updates[u].node;
        if (order->late[u] && !(node->op == OP_state && node->attr.state == f->updates[u].state))
            lower_copy(l, saved[u] ? saved[u] : lower_slot(l, node),
                       state_slot(l, f->updates[u].state));
    }
}

static Order order_create(Lowering *l)
{
    Order order = {ARENA_ARRAY(l->arena, bool *, l->fusion->group_count + 1),
                   ARENA_ARRAY(l->arena, bool, l->function->update_count + 1)};
    for (int g = 0; g < l->fusion->group_count; g++)
        order.before[g] = ARENA_ARRAY(l->arena, bool, l->fusion->group_count);
    return order;
}

static void lower_function(Module *module, Function *function, Schedule *schedule, NestRun *run,
                           Prepared **prepared)
{
    Arena *arena = module->arena;
    size_t nodes = (size_t)function->node_count + 1;
    Lowering l = {.arena = arena,
                  .module = module,
                  .target = module->target,
                  .run = run,
                  .prepared = prepared,
                  .schedule = schedule,
                  .function = function,
                  .fusion = fuse(arena, function),
                  .destinations = ARENA_ARRAY(arena, Destinations, nodes),
                  .leaf_slots = ARENA_ARRAY(arena, Slot *, nodes),
                  .readers = ARENA_ARRAY(arena, int, nodes),
                  .values = ARENA_ARRAY(arena, Expr *, nodes)};
    schedule->function = function;
    Order order = order_create(&l);
    add_state_edges(&l, &order);
    Group **groups = order_groups(&l, &order);
    place_values(&l, &order);
    count_readers(&l);
    Slot **saved = save_moved_states(&l);
    for (int g = 0; g < l.fusion->group_count; g++)
        lower_group(&l, groups[g]);
    finish_late(&l, &order, saved);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void plan_function(Arena *arena, Schedule *schedule, NestRun *run)
{
    const char *named = run->options->print_after;
    double start = seconds_now();
    if (!nest_run_reaches(run, "plan"))
        return;
    plan_schedule(arena, schedule);
    nest_run_count(run, "plan", seconds_now() - start, 1);
    if (!named || strcmp(named, "plan") != 0)
        return;
    Text text = text_create(arena);
    schedule_print(schedule, &text);
    fprintf(stderr, "// after plan\n%s", text.data);
}

/* What all passes took before now. */
static double seconds_of(const NestRun *run)
{
    double sum = 0;
    for (int i = 0; i < NEST_PASS_LIMIT; i++)
        sum += run->seconds[i];
    return sum;
}

static bool lay_out_states(Module *module)
{
    const Program *program = module->program;
    module->state_offsets = ARENA_ARRAY(module->arena, int64_t, program->state_count + 1);
    for (int s = 0; s < program->state_count; s++) {
        module->state_offsets[s] = module->state_bytes;
        module->state_bytes += (type_bytes(&program->states[s]->type) + 63) / 64 * 64;
        if (module->state_bytes > ELEMENT_LIMIT)
            return diag_error(module->diag, program->states[s]->place,
                              "the states of the model take more than 1 TiB");
    }
    return true;
}

bool lower_program_with(Program *program, const Target *target, const PipelineOptions *options,
                        Arena *arena, Diag *diag, Module *module)
{
    static const PipelineOptions none;
    NestRun run = {.options = options ? options : &none};
    *module = (Module){.arena = arena, .diag = diag, .program = program, .target = target};
    if (!lay_out_states(module))
        return false;
    Prepared *prepared = NULL;
    module->schedules = ARENA_ARRAY(arena, Schedule *, program->function_count);
    for (int f = 0; f < program->function_count; f++) {
        module->schedules[f] = ARENA_NEW(arena, Schedule);
        double start = seconds_now(), others = seconds_of(&run);
        lower_function(module, program->functions[f], module->schedules[f], &run, &prepared);
        others = seconds_of(&run) - others;
        nest_run_count(&run, "lower", seconds_now() - start - others, 0);
        plan_function(arena, module->schedules[f], &run);
        module->schedule_count++;
    }
    if (module->prepare)
        plan_function(arena, module->prepare, &run);
    if (run.options->time_passes)
        nest_run_print_times(&run);
    return true;
}

bool lower_program(Program *program, const Target *target, Arena *arena, Diag *diag, Module *module)
{
    return lower_program_with(program, target, NULL, arena, diag, module);
}
