/* From groups of nodes to kernels and the list of calls; see lowering.h for the shape of what comes
 * out, lower_order.c for the order of calls, lower_kernel.c for how one kernel is made. */
#include "passes/lower.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ir/nest_text.h"
#include "passes/lowering.h"
#include "passes/match.h"
#include "passes/plan.h"
#include "passes/prepare.h"

/* ---- one group, one kernel ---- */

static void lower_elementwise_group(Lowering *l)
{
    Axes axes = {0};
    Coordinates at = axes_of_type(l, &axes, &l->group->domain);
    l->kernel->may_alias = true;
    l->kernel->element_steps = type_elements(&l->group->domain) * lower_group_work(l->group);
    Stmt *body = lower_epilogue(l, NULL, &at);
    kernel_end(l, axes_loops(l, &axes, body));
}

void lower_store(Lowering *l, Node *node, Slot *to)
{
    kernel_begin(l, NULL, "copy");
    Axes axes = {0};
    Coordinates at = axes_of_type(l, &axes, &node->type);
    Expr *value = lower_read(l, node, &at);
    Buffer *target = lower_argument(l, to);
    target->written = true;
    l->kernel->element_steps = type_elements(&node->type);
    Affine offset = lower_offset(l->arena, &node->type, &at);
    kernel_end(l, axes_loops(l, &axes, stmt_store(l->arena, STORE_SET, target, offset, value)));
}

void lower_fill(Lowering *l, Slot *slot, const TensorType *type, double value)
{
    kernel_begin(l, NULL, "fill");
    Axes axes = {0};
    Coordinates at = axes_of_type(l, &axes, type);
    Buffer *target = lower_argument(l, slot);
    target->written = true;
    l->kernel->element_steps = type_elements(type);
    kernel_end(l,
               axes_loops(l, &axes,
                          stmt_store(l->arena, STORE_SET, target, lower_offset(l->arena, type, &at),
                                     expr_number(l->arena, type->element, value))));
}

void lower_copy(Lowering *l, Slot *from, Slot *to)
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

/* Where the kernel has not stored its values itself. */
static void copy_further(Lowering *l, const Group *group)
{
    bool alone = group->root && !node_has_epilogue(group->root); /* it stores to one place only */
    for (int m = 0; m < group->member_count; m++) {
        const Destinations *d = &l->destinations[group->members[m]->id];
        if (alone && group->members[m] != group->root)
            continue;
        for (int i = alone ? 1 : STORED_LIMIT; i < d->count; i++)
            lower_copy(l, d->slots[0], d->slots[i]);
    }
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
    l->owner = group;
    kernel_begin(l, group, group_name(l, group));
    Node *root = group->root;
    if (!root)
        lower_elementwise_group(l);
    else if (roots[root->op])
        roots[root->op](l, root);
    else
        INGOT_BUG("%s reached lowering; passes/expand.c should have spelled it out",
                  op_name(root->op));
    copy_further(l, group);
}

/* ---- where values go ---- */

static void add_destination(Lowering *l, const Node *node, Slot *slot)
{
    Destinations *d = &l->destinations[node->id];
    d->slots = arena_grow(l->arena, d->slots, d->count, &d->capacity, sizeof *d->slots);
    d->slots[d->count++] = slot;
}

static Slot *state_slot(Lowering *l, const State *state)
{
    if (state->derived)
        return l->module->derived[state->index];
    Slot *slot = lower_add_slot(l, SLOT_STATE, state->name, state->type);
    slot->index = state->index;
    slot->offset = l->module->state_offsets[state->index];
    return slot;
}

static Slot *result_slot(Lowering *l, int index)
{
    if (l->result_slots)
        return l->result_slots[index];
    const Result *result = &l->function->results[index];
    Slot *slot = lower_add_slot(l, SLOT_RESULT, result->name, result->node->type);
    slot->index = index;
    return slot;
}

/* Is this value stored by a kernel, for one reader alone? */
static bool is_for_one(const Lowering *l, const int *uses, const Node *node)
{
    int n = node->id;
    return l->fusion->stored[n] && l->fusion->group_of[n] && !l->fusion->recomputed[n] &&
           uses[n] == 1 && node->op != OP_result && !l->destinations[n].count && !l->bordered[n];
}

/* What a scatter goes over is stored where its result is to be, unless somebody else wants it, or
 * it would overwrite a state too early. Readers first: there may be a chain of them. */
static void place_bases(Lowering *l)
{
    const Function *f = l->function;
    const int *uses = function_count_uses(l->arena, f);
    for (int n = f->node_count - 1; n >= 0; n--) {
        const Node *node = f->nodes[n];
        if (node->op != OP_scatter || !is_for_one(l, uses, node->in[0]))
            continue;
        Destinations *d = &l->destinations[n];
        if (!d->count)
            add_destination(
                l, node,
                lower_add_slot(l, SLOT_TEMPORARY, arena_print(l->arena, "%d", n), node->type));
        if (d->slots[0]->kind != SLOT_STATE)
            add_destination(l, node->in[0], d->slots[0]);
    }
}

static void place_values(Lowering *l, const bool *late)
{
    const Function *f = l->function;
    for (int r = 0; r < f->result_count; r++)
        if (l->fusion->group_of[f->results[r].node->id])
            add_destination(l, f->results[r].node, result_slot(l, r));
    for (int u = 0; u < f->update_count; u++)
        if (!late[u])
            add_destination(l, f->updates[u].node, state_slot(l, f->updates[u].state));
    place_bases(l);
    for (int n = 0; n < f->node_count; n++) {
        Node *node = f->nodes[n];
        if (l->fusion->stored[n] && l->fusion->group_of[n] && !l->destinations[n].count &&
            node->op != OP_result /* whose place lower_scan.c chooses */ &&
            (!l->bordered[n] || l->bordered[n]->plain))
            add_destination(
                l, node,
                lower_add_slot(l, SLOT_TEMPORARY, arena_print(l->arena, "%d", n), node->type));
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
        saved[u] = lower_add_slot(l, SLOT_TEMPORARY, "saved", node->type);
        lower_copy(l, lower_slot(l, node), saved[u]);
    }
    return saved;
}

static void finish_late(Lowering *l, const bool *late, Slot **saved)
{
    const Function *f = l->function;
    for (int r = 0; r < f->result_count; r++)
        if (!l->fusion->group_of[f->results[r].node->id] && f->results[r].node->op != OP_state)
            lower_copy(l, lower_slot(l, f->results[r].node), result_slot(l, r));
    for (int u = 0; u < f->update_count; u++) {
        const Node *node = f->updates[u].node;
        if (late[u] && !(node->op == OP_state && node->attr.state == f->updates[u].state))
            lower_copy(l, saved[u] ? saved[u] : lower_slot(l, node),
                       state_slot(l, f->updates[u].state));
    }
}

/* ---- functions and the module ---- */

void lower_function(Lowering *l)
{
    size_t nodes = (size_t)l->function->node_count + 1;
    l->fusion = fuse(l->arena, l->function);
    l->destinations = ARENA_ARRAY(l->arena, Destinations, nodes);
    if (!l->leaf_slots)
        l->leaf_slots = ARENA_ARRAY(l->arena, Slot *, nodes);
    l->readers = ARENA_ARRAY(l->arena, int, nodes);
    l->values = ARENA_ARRAY(l->arena, Expr *, nodes);
    l->bordered = ARENA_ARRAY(l->arena, Padded *, nodes);
    bool *late;
    Group **groups = order_groups(l, &late);
    plan_borders(l);
    plan_joins(l);
    place_values(l, late);
    place_parts(l);
    count_readers(l);
    Slot **saved = save_moved_states(l);
    for (int g = 0; g < l->fusion->group_count; g++)
        lower_group(l, groups[g]);
    l->owner = NULL;
    finish_late(l, late, saved);
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

static void lower_entry(Module *module, Function *function, Schedule *schedule, NestRun *run,
                        Prepared **prepared)
{
    double start = seconds_now(), others = seconds_of(run);
    Lowering l = {.arena = module->arena,
                  .module = module,
                  .target = module->target,
                  .run = run,
                  .prepared = prepared,
                  .schedule = schedule,
                  .function = function};
    lower_function(&l);
    others = seconds_of(run) - others;
    nest_run_count(run, "lower", seconds_now() - start - others, 0);
}

/* What makes derived states comes first: others may pack those. */
static void lower_prepare(Module *module, NestRun *run, Prepared **prepared)
{
    const Program *program = module->program;
    module->derived = ARENA_ARRAY(module->arena, Slot *, program->derived_count + 1);
    for (int i = 0; i < program->derived_count; i++)
        module->derived[i] =
            prepare_slot(module, program->derived[i]->name, program->derived[i]->type);
    if (program->prepare)
        lower_entry(module, program->prepare, module->prepare, run, prepared);
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
    lower_prepare(module, &run, &prepared);
    module->schedules = ARENA_ARRAY(arena, Schedule *, program->function_count);
    for (int f = 0; f < program->function_count; f++) {
        module->schedules[f] = ARENA_NEW(arena, Schedule);
        module->schedules[f]->function = program->functions[f];
        module->schedule_count++;
        lower_entry(module, program->functions[f], module->schedules[f], &run, &prepared);
        plan_function(arena, module->schedules[f], &run);
    }
    prepare_finish(module);
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
