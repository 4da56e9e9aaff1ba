/* Kernels being made: loop axes, what a group computes at one point, and the call that comes out.
 *
 * kernel_begin() starts one, the files lower_*.c fill it, kernel_end() gives its loops the shape
 * the target wants (schedule_kernel.h), has operands packed, and appends the calls. Kernels that
 * say the same are one kernel of the module. */
#include <string.h>

#include "base/checked.h"
#include "ir/nest_text.h"
#include "passes/lowering.h"
#include "passes/rewrite.h"

void kernel_begin(Lowering *l, Group *group, const char *name)
{
    l->group = group;
    l->kernel = ARENA_NEW(l->arena, Kernel);
    l->kernel->name = name;
    l->arguments = NULL;
    l->argument_count = l->argument_capacity = 0;
    l->temps = 0;
}

/* `base`, or `base.2` … when that is taken. */
static const char *new_name(Lowering *l, const char *base)
{
    void **place = map_place(&l->module->kernel_names, l->arena, base);
    if (!*place)
        *place = ARENA_NEW(l->arena, int);
    int *count = *place;
    ++*count;
    return *count > 1 ? arena_print(l->arena, "%s.%d", base, *count) : base;
}

/* The kernel of the module that says the same as `kernel`; `kernel` itself, added, when there is
 * none. */
static Kernel *module_intern(Lowering *l, Kernel *kernel)
{
    Module *module = l->module;
    if (!kernel->text)
        kernel->text = kernel_text(l->arena, kernel);
    void **known = map_place(&module->kernel_texts, l->arena, kernel->text);
    if (*known)
        return *known;
    *known = kernel;
    kernel->name = new_name(l, kernel->name);
    module->kernels = arena_grow(l->arena, module->kernels, module->kernel_count,
                                 &module->kernel_capacity, sizeof *module->kernels);
    kernel->index = module->kernel_count;
    return module->kernels[module->kernel_count++] = kernel;
}

/* Makes room for a call number `place`: what begins there or later moves on. */
static void insert_call(Lowering *l, int place, Call call)
{
    Schedule *s = l->schedule;
    s->calls = arena_grow(l->arena, s->calls, s->call_count, &s->call_capacity, sizeof *s->calls);
    memmove(s->calls + place + 1, s->calls + place,
            (size_t)(s->call_count - place) * sizeof *s->calls);
    s->calls[place] = call;
    s->call_count++;
    for (Lowering *body = l->inner; body; body = body->inner)
        body->first_call++;
    for (int r = 0; r < s->repeat_count; r++) {
        s->repeats[r].first += s->repeats[r].first >= place;
        s->repeats[r].end += s->repeats[r].end > place;
    }
}

/* Behind the calls of `l` so far: in front of a body that is being lowered. */
static void append_call(Lowering *l, Kernel *kernel, Slot **arguments)
{
    Schedule *s = l->schedule;
    Call call = {.kernel = module_intern(l, kernel), .arguments = arguments};
    call.layers =
        call_layers(l->arena, l->module->program, l->owner, arguments, kernel->argument_count);
    call.times = 1;
    for (const Lowering *body = l; body->outer; body = body->outer)
        call.times = capped_multiply(call.times, body->steps);
    insert_call(l, l->inner ? l->inner->first_call : s->call_count, call);
    s->multiply_adds =
        capped_add(s->multiply_adds, capped_multiply(call.times, call.kernel->multiply_adds));
    s->parallel = s->parallel || call.kernel->parallel;
}

/* What a kernel makes of `source` alone, such as its packed copy: made once in a function, however
 * many kernels read it, or ahead of the call. */
static Slot *made_slot(Lowering *l, const Piece *piece, TensorType type, Slot *source)
{
    while (source->depth < l->depth) /* before all steps */
        l = l->outer;
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
    if (prepare_can(l->function, source)) {
        bool now = prepare_is_now(piece->kernel, source);
        Kernel *kernel = now ? piece->kernel : module_intern(l, piece->kernel);
        return p->slot = prepare_copy(l->module, l->prepared, kernel, text.data, source, type);
    }
    Kernel *kernel = module_intern(l, piece->kernel);
    p->slot =
        lower_add_slot(l, SLOT_TEMPORARY, arena_print(l->arena, "%s.packed", source->name), type);
    Slot **both = ARENA_ARRAY(l->arena, Slot *, 2);
    both[0] = source;
    both[1] = p->slot;
    append_call(l, kernel, both);
    return p->slot;
}

static Slot *packed_slot(Lowering *l, const Piece *piece, const Between *copy, Slot *source)
{
    return made_slot(l, piece, type_make(copy->element, 1, &copy->count), source);
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
            slots[b] = lower_add_slot(l, SLOT_TEMPORARY,
                                      arena_print(l->arena, "%s.partial", l->kernel->name),
                                      type_make(between->element, 1, &between->count));
    }
    return slots;
}

void kernel_end(Lowering *l, Stmt *body)
{
    l->kernel->body = stmt_append(body, lower_group_borders(l));
    if (!l->kernel->body)
        return; /* a tensor without elements */
    const Pieces *pieces = schedule_kernel(l->arena, l->target, l->kernel, l->run);
    Slot **between = between_slots(l, pieces);
    for (int p = 0; p < pieces->count; p++) {
        const Piece *piece = &pieces->list[p];
        int count = piece->kernel->argument_count;
        Slot **slots = ARENA_ARRAY(l->arena, Slot *, count + 1);
        for (int a = 0; a < count; a++) {
            int from = piece->arguments[a];
            slots[a] = from < 0 ? between[-1 - from] : l->arguments[from];
        }
        if (piece->packs >= 0)
            between[piece->packs] = packed_slot(l, piece, &pieces->between[piece->packs], slots[0]);
        else
            append_call(l, piece->kernel, slots);
    }
}

Slot *kernel_end_ahead(Lowering *l, Stmt *body, Slot *source, TensorType type)
{
    l->kernel->body = body;
    const Pieces *pieces = schedule_kernel(l->arena, l->target, l->kernel, l->run);
    if (pieces->count != 1)
        INGOT_BUG("@%s was split", l->kernel->name);
    return made_slot(l, &pieces->list[0], type, source);
}

Affine lower_axis(Lowering *l, const char *name, int64_t extent, const Var **var)
{
    *var = extent == 1 ? NULL : kernel_var(l->arena, l->kernel, name);
    return *var ? affine_var(l->arena, *var, 1) : affine_number(0);
}

Stmt *lower_loops(Lowering *l, int count, const Var *const *vars, const int64_t *extents,
                  Stmt *body)
{
    for (int i = 0; i < count; i++)
        if (extents[i] == 0)
            return NULL;
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
        Expr *value = node == group->root   ? root_value
                      : node == group->twin ? l->twin_value
                                            : member_value(l, node, at);
        bool stored = l->fusion->stored[node->id];
        const Padded *bordered = l->bordered[node->id];
        int places = l->destinations[node->id].count;
        places = places > STORED_LIMIT ? STORED_LIMIT : places;
        bool several = group->member_count > 1 || places + (bordered != NULL) > 1;
        l->values[node->id] = value;
        /* a stored value is bound too: its loads must come before any store to the same place */
        if (l->readers[node->id] > 1 || (stored && several))
            lets = stmt_append(lets, bind(l, node, value));
        for (int d = 0; stored && d < places; d++) {
            Slot *slot = l->destinations[node->id].slots[d];
            Buffer *buffer = lower_argument(l, slot);
            buffer->written = true;
            stores = stmt_append(stores, stmt_store(l->arena, STORE_SET, buffer,
                                                    lower_offset(l->arena, &node->type, at),
                                                    l->values[node->id]));
        }
        if (bordered)
            stores =
                stmt_append(stores, lower_store_bordered(l, bordered, at, l->values[node->id]));
    }
    return stmt_append(lets, stores);
}

int64_t lower_group_work(const Group *group)
{
    int64_t work = 0;
    for (int m = 0; m < group->member_count; m++)
        work += op_is_heavy(group->members[m]->op) ? 8 : 1;
    return work;
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
