/* Weights that a function reads but does not change need not be packed in every call.
 *
 *   constants   are packed now: the packed form is what the artefact holds
 *   states      are packed by one more schedule, `prepare`, into memory behind the states. The
 * runtime runs it when states have changed (after initialising, loading, a training step), before
 * the next call that reads it. So is whatever else is computed from one of them alone
 * (lower_winograd.c), and packed copies of that
 *
 * A function that updates states packs for itself: what it packs is new in every call. */
#include "passes/prepare.h"

#include <string.h>

Slot *module_add_constant(Module *module, const char *name, TensorType type, const void *data)
{
    Slot *slot = ARENA_NEW(module->arena, Slot);
    *slot = (Slot){.kind = SLOT_CONSTANT,
                   .index = module->constant_count,
                   .name = name,
                   .type = type,
                   .bytes = type_bytes(&type),
                   .data = data,
                   .offset = module->constant_bytes};
    module->constant_bytes += (slot->bytes + 63) / 64 * 64;
    module->constants = arena_grow(module->arena, module->constants, module->constant_count,
                                   &module->constant_capacity, sizeof *module->constants);
    module->constants[module->constant_count++] = slot;
    return slot;
}

/* ---- a copying kernel, run here ---- */

typedef struct Bound {
    const Var *var;
    int64_t value;
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

/* Loops around stores of loads and noughts, and nothing else. */
static bool only_copies(const Stmt *s)
{
    for (; s; s = s->next) {
        if (s->kind == STMT_LOOP ? !only_copies(s->body)
                                 : s->kind != STMT_STORE || s->mode != STORE_SET || s->dynamic ||
                                       s->value->dynamic ||
                                       !(s->value->kind == EXPR_LOAD ||
                                         (s->value->kind == EXPR_NUMBER && s->value->number == 0)))
            return false;
    }
    return true;
}

static void copy_now(const Stmt *s, const Bound *bound, const char *from, char *to)
{
    for (; s; s = s->next) {
        if (s->kind == STMT_LOOP) {
            Bound inner = {s->var, s->begin, bound};
            for (; inner.value < s->end; inner.value += s->step)
                copy_now(s->body, &inner, from, to);
            continue;
        }
        size_t bytes = (size_t)element_bytes(s->value->element);
        char *place = to + affine_value(s->offset, bound) * (int64_t)bytes;
        if (s->value->kind == EXPR_LOAD)
            memcpy(place, from + affine_value(s->value->offset, bound) * (int64_t)bytes, bytes);
        else
            memset(place, 0, bytes);
    }
}

static Slot *packed_constant(Module *module, const Kernel *kernel, const Slot *source,
                             TensorType type)
{
    char *data = arena_alloc(module->arena, (size_t)type_bytes(&type));
    copy_now(kernel->body, NULL, source->data, data);
    return module_add_constant(module, "packed", type, data);
}

/* ---- `prepare` ---- */

static void add_slot(Module *module, Slot *slot)
{
    Schedule *s = module->prepare;
    s->slots =
        arena_grow(module->arena, s->slots, s->slot_count, &s->slot_capacity, sizeof *s->slots);
    s->slots[s->slot_count++] = slot;
}

static Slot *made_later(Module *module, Kernel *kernel, Slot *source, TensorType type)
{
    if (!module->prepare)
        module->prepare = ARENA_NEW(module->arena, Schedule);
    Schedule *s = module->prepare;
    Slot *slot = ARENA_NEW(module->arena, Slot);
    *slot = (Slot){.kind = SLOT_PREPARED,
                   .index = s->slot_count, /* its own */
                   .name = arena_print(module->arena, "%s.packed", source->name),
                   .type = type,
                   .bytes = type_bytes(&type),
                   .offset = module->prepared_bytes};
    module->prepared_bytes += (slot->bytes + 63) / 64 * 64;
    add_slot(module, source);
    add_slot(module, slot);
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
