/* Weights that a function reads but does not change need not be packed in every call.
 *
 *   constants   are packed now: the packed form is what the artefact holds
 *   states      are packed by one more schedule, `prepare`, into memory behind the states. The
 * runtime runs it when states have changed (after initialising, loading, a training step), before
 * the next call that reads it. So is whatever else is computed from one of them alone
 * (lower_winograd.c), and packed copies of that
 *
 * The same schedule computes what passes/derive.c has made of states alone, which may then be
 * packed in turn.
 *
 * A function that updates states packs for itself: what it packs is new in every call. */
#include "passes/prepare.h"

#include <string.h>

#include "passes/constants.h"

/* ---- a copying kernel, run here ---- */

typedef struct Bound { /* a variable and its value, or a local and its memory */
    const Var *var;
    int64_t value;
    const Buffer *local;
    char *bytes;
    const struct Bound *outer;
} Bound;

static int64_t affine_value(Affine affine, const Bound *bound)
{
    int64_t value = affine.constant;
    for (int t = 0; t < affine.count; t++) {
        const Bound *b = bound;
        while (b && b->var != affine.terms[t].var)
            b = b->outer;
        if (!b)
            INGOT_BUG("%%%s is used outside of its loop", affine.terms[t].var->name);
        value += affine.terms[t].factor * b->value;
    }
    return value;
}

enum { LOCAL_BYTES = 64 * 64 * 4 };

static bool copies(const Stmt *store)
{
    const Expr *value = store->value;
    return store->mode == STORE_SET && !store->dynamic && !value->dynamic &&
           (value->kind == EXPR_LOAD || (value->kind == EXPR_NUMBER && value->number == 0));
}

/* Loads and noughts that are stored somewhere else, and nothing but what they need. */
static bool only_copies(const Stmt *s)
{
    for (; s; s = s->next) {
        bool fits = s->kind == STMT_TRANSPOSE || s->kind == STMT_UNRAVEL;
        if (s->kind == STMT_LOOP)
            fits = only_copies(s->body);
        else if (s->kind == STMT_STORE)
            fits = copies(s);
        else if (s->kind == STMT_LOCAL)
            fits = s->buffer->count * element_bytes(s->buffer->element) <= LOCAL_BYTES;
        if (!fits)
            return false;
    }
    return true;
}

static char *element_place(const Buffer *buffer, Affine offset, const Bound *bound)
{
    const Bound *b = bound;
    while (b && (buffer->kind == BUFFER_LOCAL ? b->local != buffer
                                              : !b->local || b->local->index != buffer->index ||
                                                    b->local->kind == BUFFER_LOCAL))
        b = b->outer;
    if (!b)
        INGOT_BUG("%%%s is used outside of its block", buffer->name);
    return b->bytes + affine_value(offset, bound) * element_bytes(buffer->element);
}

static void transpose_now(char *matrix, int64_t size, int64_t bytes)
{
    char kept[8];
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < i; j++) {
            char *a = matrix + (size * i + j) * bytes, *b = matrix + (size * j + i) * bytes;
            memcpy(kept, a, (size_t)bytes);
            memcpy(a, b, (size_t)bytes);
            memcpy(b, kept, (size_t)bytes);
        }
}

static void copy_now(const Stmt *s, const Bound *bound);

static void copy_element(const Stmt *store, const Bound *bound)
{
    size_t bytes = (size_t)element_bytes(store->value->element);
    char *place = element_place(store->buffer, store->offset, bound);
    if (store->value->kind == EXPR_LOAD)
        memcpy(place, element_place(store->value->buffer, store->value->offset, bound), bytes);
    else
        memset(place, 0, bytes);
}

/* A loop of nothing but one store: both places move on by so many bytes in each turn. */
static bool copy_run(const Stmt *loop, const Bound *first)
{
    const Stmt *store = loop->body;
    if (store->kind != STMT_STORE || store->next)
        return false;
    int64_t bytes = element_bytes(store->value->element), step = loop->step * bytes;
    char *to = element_place(store->buffer, store->offset, first);
    int64_t to_step = step * affine_factor(store->offset, loop->var), from_step = 0;
    const char *from = NULL;
    if (store->value->kind == EXPR_LOAD) {
        from = element_place(store->value->buffer, store->value->offset, first);
        from_step = step * affine_factor(store->value->offset, loop->var);
    }
    for (int64_t i = loop->begin; i < loop->end; i += loop->step, to += to_step) {
        if (from)
            memcpy(to, from, (size_t)bytes);
        else
            memset(to, 0, (size_t)bytes);
        from = from ? from + from_step : NULL;
    }
    return true;
}

static void copy_in_loop(const Stmt *loop, const Bound *bound)
{
    Bound inner = {.var = loop->var, .value = loop->begin, .outer = bound};
    if (loop->begin >= loop->end || copy_run(loop, &inner))
        return;
    for (; inner.value < loop->end; inner.value += loop->step)
        copy_now(loop->body, &inner);
}

/* The rest of the block with what `s` makes: a local, or two variables. */
static void copy_rest(const Stmt *s, const Bound *bound)
{
    if (s->kind == STMT_LOCAL) {
        char bytes[LOCAL_BYTES] = {0};
        Bound local = {.local = s->buffer, .bytes = bytes, .outer = bound};
        copy_now(s->next, &local);
        return;
    }
    int64_t value = affine_value(s->offset, bound);
    Bound quotient = {.var = s->var, .value = value / s->step, .outer = bound};
    Bound remainder = {.var = s->inner, .value = value % s->step, .outer = &quotient};
    copy_now(s->next, &remainder);
}

static void copy_now(const Stmt *s, const Bound *bound)
{
    for (; s; s = s->next) {
        switch (s->kind) {
        case STMT_LOOP:
            copy_in_loop(s, bound);
            break;
        case STMT_TRANSPOSE:
            transpose_now(element_place(s->buffer, affine_number(0), bound), s->step,
                          element_bytes(s->buffer->element));
            break;
        case STMT_LOCAL:
        case STMT_UNRAVEL:
            copy_rest(s, bound);
            return;
        default:
            copy_element(s, bound);
        }
    }
}

static Slot *packed_constant(Module *module, const Kernel *kernel, const Slot *source,
                             TensorType type)
{
    char *data = arena_alloc(module->arena, (size_t)type_bytes(&type));
    union { /* it is only read */
        const void *data;
        char *bytes;
    } from = {.data = source->data};
    Bound to = {.local = kernel->arguments[1], .bytes = data};
    Bound all = {.local = kernel->arguments[0], .bytes = from.bytes, .outer = &to};
    copy_now(kernel->body, &all);
    return module_add_constant(module, "packed", type, data);
}

/* ---- `prepare` ---- */

static Schedule *prepare_schedule(Module *module)
{
    if (!module->prepare)
        module->prepare = ARENA_NEW(module->arena, Schedule);
    return module->prepare;
}

static void add_slot(Module *module, Slot *slot)
{
    Schedule *s = prepare_schedule(module);
    for (int i = 0; i < s->slot_count; i++)
        if (s->slots[i] == slot)
            return;
    s->slots =
        arena_grow(module->arena, s->slots, s->slot_count, &s->slot_capacity, sizeof *s->slots);
    s->slots[s->slot_count++] = slot;
}

Slot *prepare_slot(Module *module, const char *name, TensorType type)
{
    Slot *slot = ARENA_NEW(module->arena, Slot);
    *slot = (Slot){.kind = SLOT_PREPARED,
                   .index = prepare_schedule(module)->slot_count,
                   .name = name,
                   .type = type,
                   .bytes = type_bytes(&type)};
    add_slot(module, slot);
    return slot;
}

static Slot *made_later(Module *module, Kernel *kernel, Slot *source, TensorType type)
{
    Schedule *s = prepare_schedule(module);
    add_slot(module, source);
    Slot *slot = prepare_slot(module, arena_print(module->arena, "%s.packed", source->name), type);
    Call call = {.kernel = kernel, .arguments = ARENA_ARRAY(module->arena, Slot *, 2)};
    call.arguments[0] = source;
    call.arguments[1] = slot;
    s->calls =
        arena_grow(module->arena, s->calls, s->call_count, &s->call_capacity, sizeof *s->calls);
    s->calls[s->call_count++] = call;
    s->parallel = s->parallel || kernel->parallel;
    return slot;
}

bool prepare_can(const Function *function, const Slot *source)
{
    return source->kind == SLOT_CONSTANT || source->kind == SLOT_PREPARED ||
           (source->kind == SLOT_STATE && function->update_count == 0);
}

bool prepare_is_now(const Kernel *kernel, const Slot *source)
{
    return source->kind == SLOT_CONSTANT && only_copies(kernel->body);
}

static bool same_source(const Slot *a, const Slot *b)
{
    return a->kind == b->kind && a->index == b->index;
}

Slot *prepare_copy(Module *module, Prepared **known, Kernel *kernel, const char *text, Slot *source,
                   TensorType type)
{
    for (Prepared *p = *known; p; p = p->next)
        if (same_source(p->source, source) && strcmp(p->kernel, text) == 0)
            return p->slot;
    Prepared *p = ARENA_NEW(module->arena, Prepared);
    *p = (Prepared){source, text, NULL, *known};
    p->slot = prepare_is_now(kernel, source) ? packed_constant(module, kernel, source, type)
                                             : made_later(module, kernel, source, type);
    *known = p;
    return p->slot;
}

/* ---- when all is known ---- */

typedef void VisitSlot(void *context, Slot *slot);

static void visit_slots(const Schedule *schedule, VisitSlot *visit, void *context)
{
    for (int i = 0; i < schedule->call_count; i++)
        for (int a = 0; a < schedule->calls[i].kernel->argument_count; a++)
            visit(context, slot_whole(schedule->calls[i].arguments[a]));
}

static void mark_prepared(void *context, Slot *slot)
{
    bool *read = context;
    if (slot->kind == SLOT_PREPARED)
        read[slot->index] = true;
}

/* What only `prepare` itself reads, such as scaled weights that are then packed, lies in the arena.
 */
static void lay_out_prepared(Module *module)
{
    Schedule *s = module->prepare;
    bool *read = ARENA_ARRAY(module->arena, bool, s->slot_count + 1);
    for (int f = 0; f < module->schedule_count; f++)
        visit_slots(module->schedules[f], mark_prepared, read);
    for (int i = 0; i < s->slot_count; i++) {
        Slot *slot = s->slots[i];
        if (slot->kind != SLOT_PREPARED)
            continue;
        if (read[i]) {
            slot->offset = module->prepared_bytes;
            module->prepared_bytes += (slot->bytes + 63) / 64 * 64;
        } else {
            slot->kind = SLOT_TEMPORARY;
        }
    }
}

typedef struct Order { /* of the calls of `prepare` */
    const Schedule *schedule;
    Call *calls;
    int count;
    bool *done;
} Order;

static bool is_written(const Call *call, const Slot *slot)
{
    for (int a = 0; a < call->kernel->argument_count; a++)
        if (call->kernel->arguments[a]->written && slot_whole(call->arguments[a]) == slot)
            return true;
    return false;
}

static bool is_ready(const Order *order, const Call *call)
{
    for (int i = 0; i < order->schedule->call_count; i++)
        for (int a = 0; !order->done[i] && a < call->kernel->argument_count; a++)
            if (&order->schedule->calls[i] != call &&
                is_written(&order->schedule->calls[i], slot_whole(call->arguments[a])))
                return false;
    return true;
}

/* A call, and at once all that can be made of what it has made. */
static void place_call(Order *order, int i)
{
    const Call *call = &order->schedule->calls[i];
    order->done[i] = true;
    order->calls[order->count++] = *call;
    for (int k = i + 1; k < order->schedule->call_count; k++) {
        const Call *other = &order->schedule->calls[k];
        bool reads = false;
        for (int a = 0; !order->done[k] && a < other->kernel->argument_count; a++)
            reads = reads || is_written(call, slot_whole(other->arguments[a]));
        if (reads && is_ready(order, other))
            place_call(order, k);
    }
}

static void order_calls(Module *module)
{
    Schedule *s = module->prepare;
    Order order = {.schedule = s,
                   .calls = ARENA_ARRAY(module->arena, Call, s->call_count + 1),
                   .done = ARENA_ARRAY(module->arena, bool, s->call_count + 1)};
    for (int i = 0; i < s->call_count; i++)
        if (!order.done[i])
            place_call(&order, i);
    s->calls = order.calls;
    s->call_capacity = s->call_count + 1;
}

static void mark_constant(void *context, Slot *slot)
{
    bool *read = context;
    if (slot->kind == SLOT_CONSTANT)
        read[slot->index] = true;
}

/* Those that were only packed, or scaled and then packed, are read by nobody. */
static void lay_out_constants(Module *module)
{
    bool *read = ARENA_ARRAY(module->arena, bool, module->constant_count + 1);
    for (int f = 0; f < module->schedule_count; f++)
        visit_slots(module->schedules[f], mark_constant, read);
    if (module->prepare)
        visit_slots(module->prepare, mark_constant, read);
    constants_lay_out(module, read);
}

void prepare_finish(Module *module)
{
    if (module->prepare) {
        lay_out_prepared(module);
        order_calls(module);
    }
    lay_out_constants(module);
}
