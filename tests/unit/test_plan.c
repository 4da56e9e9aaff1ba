/* Memory and barriers of schedules: random ones against the plain definition, in-place calls by
 * running them in place. */
#include <criterion/criterion.h>
#include <string.h>

#include "ir/nest_text.h"
#include "passes/plan.h"
#include "tests/support/nest_run.h"

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int pick(uint32_t *seed, int count)
{
    return (int)(next_random(seed) % (uint32_t)count);
}

static Slot *add_slot(Arena *arena, Schedule *schedule, SlotKind kind, int index, int64_t elements)
{
    schedule->slots = arena_grow(arena, schedule->slots, schedule->slot_count,
                                 &schedule->slot_capacity, sizeof *schedule->slots);
    Slot *slot = ARENA_NEW(arena, Slot);
    slot->kind = kind;
    slot->index = index;
    slot->type = type_make(TYPE_F32, 1, &elements);
    slot->bytes = 4 * elements;
    slot->name = arena_print(arena, "s%d", schedule->slot_count);
    schedule->slots[schedule->slot_count++] = slot;
    return slot;
}

static Call *add_call(Arena *arena, Schedule *schedule, Kernel *kernel, Slot **arguments)
{
    schedule->calls = arena_grow(arena, schedule->calls, schedule->call_count,
                                 &schedule->call_capacity, sizeof *schedule->calls);
    Call *call = &schedule->calls[schedule->call_count++];
    *call = (Call){.kernel = kernel, .arguments = arguments};
    return call;
}

/* out = relu of the first input, when that is as long; else something that is not in place. */
static Kernel *make_kernel(Arena *arena, int inputs, const int64_t *lengths, bool parallel,
                           bool may_alias)
{
    Kernel *kernel = ARENA_NEW(arena, Kernel);
    kernel->name = "k";
    kernel->may_alias = may_alias;
    kernel->parallel = parallel;
    int64_t last = lengths[inputs];
    for (int i = 0; i < inputs; i++)
        kernel_argument(arena, kernel, "x", TYPE_F32, lengths[i])->read = true;
    Buffer *out = kernel_argument(arena, kernel, "y", TYPE_F32, last);
    Var *var = kernel_var(arena, kernel, "i");
    Affine at = affine_var(arena, var, 1);
    Expr *value = expr_number(arena, TYPE_F32, 0);
    if (inputs > 0 && lengths[0] == last)
        value = expr_load(arena, kernel->arguments[0], at);
    kernel->body = stmt_loop(arena, parallel ? LOOP_PARALLEL : LOOP_SERIAL, var, 0, last, 1,
                             stmt_store(arena, STORE_SET, out, at, value));
    return kernel;
}

/* Calls that read a few earlier slots and write a temporary, state or result. */
static Schedule *random_schedule(Arena *arena, uint32_t *seed, int calls)
{
    Schedule *schedule = ARENA_NEW(arena, Schedule);
    int64_t common = 1 + pick(seed, 100);
    for (int i = 0; i < 3; i++)
        add_slot(arena, schedule, SLOT_INPUT, i, common);
    for (int i = 0; i < 3; i++)
        add_slot(arena, schedule, SLOT_STATE, i, common);
    int sharing = pick(seed, 4), window = 1 + pick(seed, 40);
    for (int c = 0; c < calls; c++) {
        int inputs = pick(seed, 4);
        Slot **arguments = ARENA_ARRAY(arena, Slot *, inputs + 1);
        int64_t lengths[4];
        for (int i = 0; i < inputs; i++) {
            int nearest = pick(seed, 4) ? window : schedule->slot_count;
            int back = pick(seed, nearest < schedule->slot_count ? nearest : schedule->slot_count);
            arguments[i] = schedule->slots[schedule->slot_count - 1 - back];
        }
        SlotKind kind = pick(seed, 8) ? SLOT_TEMPORARY : SLOT_RESULT;
        int64_t length = pick(seed, 3) ? common : 1 + pick(seed, 1000);
        if (pick(seed, 10))
            arguments[inputs] = add_slot(arena, schedule, kind, c, length);
        else
            arguments[inputs] = schedule->slots[3 + pick(seed, 3)];
        for (int i = 0; i <= inputs; i++)
            lengths[i] = arguments[i]->bytes / 4;
        bool alias = pick(seed, 2);
        Kernel *kernel = make_kernel(arena, inputs, lengths, pick(seed, 4) < sharing, alias);
        add_call(arena, schedule, kernel, arguments);
    }
    return schedule;
}

static bool meet(const Slot *a, const Slot *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* The in-place pair: the call that ends a begins b, at the same place, and may alias. */
static bool in_place(const Schedule *schedule, const Slot *a, const Slot *b)
{
    return a->last_call == b->first_call && a->first_call < b->first_call &&
           a->offset == b->offset && a->bytes == b->bytes &&
           schedule->calls[b->first_call].kernel->may_alias;
}

static void check_memory(const Schedule *schedule)
{
    int64_t largest = 0;
    for (int i = 0; i < schedule->slot_count; i++) {
        const Slot *a = schedule->slots[i];
        if (a->kind != SLOT_TEMPORARY || a->first_call < 0)
            continue;
        cr_assert_eq(a->offset % 64, 0);
        cr_assert(a->offset >= 0 && a->offset + a->bytes <= schedule->arena_bytes);
        largest += (a->bytes + 63) / 64 * 64;
        for (int j = 0; j < i; j++) {
            const Slot *b = schedule->slots[j];
            if (b->kind != SLOT_TEMPORARY || b->first_call < 0 || a->first_call > b->last_call ||
                b->first_call > a->last_call)
                continue;
            cr_assert(!meet(a, b) || in_place(schedule, b, a) || in_place(schedule, a, b),
                      "%s and %s overlap", a->name, b->name);
        }
    }
    cr_assert_eq(schedule->arena_bytes % 64, 0);
    cr_assert(schedule->arena_bytes <= largest);
}

static bool slots_meet(const Slot *a, const Slot *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == SLOT_TEMPORARY ? meet(a, b) : a->index == b->index;
}

/* Two calls of which one has to wait for the other. */
static bool conflict(const Call *a, const Call *b)
{
    if (!a->kernel->parallel && !b->kernel->parallel)
        return false;
    for (int i = 0; i < a->kernel->argument_count; i++)
        for (int j = 0; j < b->kernel->argument_count; j++)
            if ((a->kernel->arguments[i]->written || b->kernel->arguments[j]->written) &&
                slots_meet(a->arguments[i], b->arguments[j]))
                return true;
    return false;
}

/* Every conflict is separated, and no barrier stands where there is none to separate. */
static void check_barriers(const Schedule *schedule)
{
    for (int i = 0, last = 0; i < schedule->call_count; i++) {
        bool needed = false;
        for (int j = last; j < i; j++)
            needed = needed || conflict(&schedule->calls[j], &schedule->calls[i]);
        cr_assert_eq(schedule->calls[i].barrier, needed);
        if (schedule->calls[i].barrier)
            last = i;
    }
}

Test(plan, random_schedules)
{
    uint32_t seed = 1;
    for (int i = 0; i < 300; i++) {
        Arena *arena = arena_create();
        Schedule *schedule = random_schedule(arena, &seed, 1 + pick(&seed, 120));
        plan_schedule(arena, schedule);
        check_memory(schedule);
        check_barriers(schedule);
        arena_destroy(arena);
    }
}

/* A chain of equal temporaries needs two places, and one where every call is in place. */
Test(plan, chain)
{
    for (int alias = 0; alias < 2; alias++) {
        Arena *arena = arena_create();
        Schedule schedule = {0};
        Slot *previous = add_slot(arena, &schedule, SLOT_INPUT, 0, 100);
        for (int i = 0; i < 10; i++) {
            Slot **arguments = ARENA_ARRAY(arena, Slot *, 2);
            arguments[0] = previous;
            SlotKind kind = i < 9 ? SLOT_TEMPORARY : SLOT_RESULT;
            arguments[1] = previous = add_slot(arena, &schedule, kind, 0, 100);
            add_call(arena, &schedule, make_kernel(arena, 1, (int64_t[]){100, 100}, i % 2, alias),
                     arguments);
        }
        plan_schedule(arena, &schedule);
        cr_assert_eq(schedule.arena_bytes, alias ? 448 : 896);
        cr_assert(schedule.parallel);
        for (int i = 0; i < 10; i++)
            cr_assert_eq(schedule.calls[i].barrier, i > 0);
        arena_destroy(arena);
    }
}

Test(plan, serial_calls_need_no_barrier)
{
    Arena *arena = arena_create();
    uint32_t seed = 5;
    Schedule *schedule = random_schedule(arena, &seed, 50);
    for (int i = 0; i < 50; i++)
        schedule->calls[i].kernel->parallel = false;
    plan_schedule(arena, schedule);
    for (int i = 0; i < 50; i++)
        cr_assert_not(schedule->calls[i].barrier);
    cr_assert_not(schedule->parallel);
    arena_destroy(arena);
}

Test(plan, scratch)
{
    Arena *arena = arena_create();
    Schedule schedule = {0};
    Kernel *small = make_kernel(arena, 0, (int64_t[]){1}, false, false), *large;
    large = make_kernel(arena, 0, (int64_t[]){1}, false, false);
    kernel_scratch(arena, small, "s", TYPE_F64, 9);
    kernel_scratch(arena, large, "s", TYPE_F32, 17);
    kernel_scratch(arena, large, "t", TYPE_U8, 1);
    Slot *slot = add_slot(arena, &schedule, SLOT_RESULT, 0, 1);
    add_call(arena, &schedule, large, &slot);
    add_call(arena, &schedule, small, &slot);
    plan_schedule(arena, &schedule);
    cr_assert_eq(schedule.scratch_bytes, 192);
    cr_assert_eq(schedule.arena_bytes, 0);
    arena_destroy(arena);
}

/* Thousands of slots are no matter; no assertion on the clock, but this must not take long. */
Test(plan, many)
{
    Arena *arena = arena_create();
    uint32_t seed = 3;
    Schedule *schedule = random_schedule(arena, &seed, 10000);
    plan_schedule(arena, schedule);
    cr_assert(schedule->arena_bytes > 0);
    arena_destroy(arena);
}

/* May %y be %x? What is said so is run both ways. */
static void check_in_place(const char *body, bool expected)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    const char *text = arena_print(arena,
                                   "kernel @k(%%x: f32[48], %%z: f32[48], out %%y: f32[48], "
                                   "out %%w: f32[48]) may_alias {\n%s\n}\n",
                                   body);
    int count;
    Kernel **kernels = kernel_parse(arena, diag, "t", text, &count);
    cr_assert(kernels, "%s", diag->messages[0]);
    cr_assert(kernel_verify(kernels[0], diag), "%s", diag->messages[0]);
    cr_assert_eq(plan_in_place(kernels[0], 0, 2), expected, "%s", body);
    float x[48], z[48], y[48] = {0}, w[48] = {0}, same[48], beside[48] = {0};
    for (int i = 0; i < 48; i++) {
        x[i] = (float)(i * 7 % 13) - 6;
        z[i] = same[i] = x[i];
        y[i] = x[i];
    }
    void *apart[] = {x, z, y, w}, *shared[] = {same, z, same, beside};
    cr_assert(nest_run(kernels[0], diag, apart, 0, 1), "%s", diag->messages[0]);
    cr_assert(nest_run(kernels[0], diag, shared, 0, 1), "%s", diag->messages[0]);
    if (expected) {
        cr_assert_eq(memcmp(y, same, sizeof y), 0);
        cr_assert_eq(memcmp(w, beside, sizeof w), 0);
    }
    arena_destroy(arena);
}

Test(plan, in_place)
{
    check_in_place("for i = 0..48 { %y[i] = max(%x[i], %z[47 - i]) }", true);
    check_in_place("for i = 0..48 step 8 { vector v = 0..8 { let %t: f32 = %x[i + v] "
                   "%w[i + v] = add(%t, 1) %y[i + v] = mul(%t, %t) } }",
                   true);
    /* main part and rest, in one row after the other */
    check_in_place("for i = 0..4 { for j = 0..8 step 4 { vector v = 0..4 { "
                   "%y[12*i + j + v] = neg(%x[12*i + j + v]) } } "
                   "for j = 8..12 { %y[12*i + j] = neg(%x[12*i + j]) } }",
                   true);
    check_in_place("for i = 0..4 { for j = 0..12 { %y[12*j + i - 11*(index:i32(j))] = 0 } }",
                   false);
    check_in_place("for i = 0..4 { for j = 0..12 { %y[4*j + i] = exp(%x[4*j + i]) } }", true);
    check_in_place("parallel i = 0..48 { %y[47 - i] = abs(%x[47 - i]) }", true);
    /* reads after a store */
    check_in_place("for i = 0..48 { %y[i] = neg(%x[47 - i]) }", false);
    check_in_place("for i = 0..48 { %y[i] = neg(%x[i]) %w[i] = %x[i] }", false);
    check_in_place("for i = 0..48 { %y[i] = neg(%x[i]) } for i = 0..48 { %w[i] = %x[i] }", false);
    check_in_place("for k = 0..2 { for i = 0..48 { %y[i] = neg(%x[i]) } }", false);
    check_in_place("for i = 0..4 { for j = 0..12 { %y[11*i + j] = neg(%x[11*i + j]) } }", false);
    check_in_place("for i = 0..20 { %y[i] = neg(%x[i]) } for i = 19..48 { %y[i] = neg(%x[i]) }",
                   false);
    check_in_place("for i = 0..20 { %y[i] = neg(%x[i]) } for i = 20..48 { %y[i] = neg(%x[i]) }",
                   true);
    check_in_place("for i = 0..6 { %y[i] = lanes add v of 8 (%x[8*i + v]) }", false);
    check_in_place("for i = 0..6 { for j = 0..7 { %y[8*i + j] = %x[8*i + j] } "
                   "%y[8*i + 7] = %x[8*i + 7] }",
                   true);
    check_in_place("for i = 0..6 { for j = 0..8 { %y[8*i + j] = %x[8*i + j] } "
                   "%y[8*i + 7] = %x[8*i + 7] }",
                   false);
}
