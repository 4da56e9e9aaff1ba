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
static void add_random_calls(Arena *arena, Schedule *schedule, uint32_t *seed, int calls)
{
    int64_t common = schedule->slots[0]->type.dims[0];
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
            arguments[inputs] = add_slot(arena, schedule, kind, schedule->slot_count, length);
        else
            arguments[inputs] = schedule->slots[3 + pick(seed, 3)];
        for (int i = 0; i <= inputs; i++)
            lengths[i] = arguments[i]->bytes / 4;
        bool alias = pick(seed, 2);
        Kernel *kernel = make_kernel(arena, inputs, lengths, pick(seed, 4) < sharing, alias);
        add_call(arena, schedule, kernel, arguments);
    }
}

static Schedule *random_schedule(Arena *arena, uint32_t *seed, int calls)
{
    Schedule *schedule = ARENA_NEW(arena, Schedule);
    int64_t common = 1 + pick(seed, 100);
    for (int i = 0; i < 3; i++)
        add_slot(arena, schedule, SLOT_INPUT, i, common);
    for (int i = 0; i < 3; i++)
        add_slot(arena, schedule, SLOT_STATE, i, common);
    add_random_calls(arena, schedule, seed, calls);
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

static bool slots_meet(Slot *first, Slot *second)
{
    const Slot *a = slot_whole(first), *b = slot_whole(second);
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

/* ---- repeats ---- */

enum { CELL = 64, STEPS = 3 };

static Slot *add_part(Arena *arena, Slot *whole, int64_t bytes, Affine at)
{
    Slot *part = ARENA_NEW(arena, Slot);
    *part = (Slot){.kind = SLOT_PART, .bytes = bytes, .whole = whole, .at = at};
    part->name = whole->name;
    return part;
}

static Slot *add_hidden_slot(Arena *arena, Schedule *schedule, int64_t elements)
{
    Slot *slot = add_slot(arena, schedule, SLOT_TEMPORARY, 0, elements);
    schedule->slot_count--; /* so that no other call reads it */
    schedule->slots[schedule->slot_count] = NULL;
    return slot;
}

static void show_slot(Arena *arena, Schedule *schedule, Slot *slot)
{
    schedule->slots = arena_grow(arena, schedule->slots, schedule->slot_count,
                                 &schedule->slot_capacity, sizeof *schedule->slots);
    schedule->slots[schedule->slot_count++] = slot;
}

/* A call that writes `to`, and reads `from` unless it is NULL. */
static void add_step(Arena *arena, Schedule *schedule, uint32_t *seed, Slot *from, Slot *to)
{
    int inputs = from != NULL;
    Slot **arguments = ARENA_ARRAY(arena, Slot *, 2);
    arguments[0] = from;
    arguments[inputs] = to;
    int64_t lengths[2] = {arguments[0]->bytes / 4, to->bytes / 4};
    add_call(arena, schedule, make_kernel(arena, inputs, lengths, pick(seed, 2), pick(seed, 2)),
             arguments);
}

/* A repeat of calls. One temporary has two sides: written before, read from one side and written to
 * the other in every step, read in the end. Another is a stack, of which each step writes a part.
 */
static void add_loop(Arena *arena, Schedule *schedule, uint32_t *seed, int depth)
{
    int64_t elements = 16 * (1 + pick(seed, 8)), bytes = 4 * elements;
    Slot *sides = add_hidden_slot(arena, schedule, 2 * elements);
    Slot *stack = add_hidden_slot(arena, schedule, STEPS * elements);
    Var *step = ARENA_ARRAY(arena, Var, 2), *side = step + 1;
    *step = (Var){"t", schedule->next_var++};
    *side = (Var){"s", schedule->next_var++};
    Affine here = affine_var(arena, side, bytes), there = affine_scale(arena, here, -1);
    add_step(arena, schedule, seed, NULL, add_part(arena, sides, bytes, affine_number(0)));
    int first = schedule->call_count;
    add_random_calls(arena, schedule, seed, pick(seed, 9));
    if (depth < 2 && pick(seed, 2))
        add_loop(arena, schedule, seed, depth + 1);
    add_random_calls(arena, schedule, seed, pick(seed, 3));
    add_step(arena, schedule, seed, add_part(arena, sides, bytes, here),
             add_part(arena, sides, bytes, affine_add(arena, there, affine_number(bytes))));
    add_random_calls(arena, schedule, seed, pick(seed, 3));
    add_step(arena, schedule, seed, schedule->slots[schedule->slot_count - 1],
             add_part(arena, stack, bytes, affine_var(arena, step, bytes)));
    add_random_calls(arena, schedule, seed, pick(seed, 3));
    schedule->repeats = arena_grow(arena, schedule->repeats, schedule->repeat_count,
                                   &schedule->repeat_capacity, sizeof *schedule->repeats);
    schedule->repeats[schedule->repeat_count++] =
        (Repeat){first, schedule->call_count, STEPS, depth, step, side, NULL};
    Slot *last = add_part(arena, sides, bytes, affine_number(STEPS % 2 * bytes));
    add_step(arena, schedule, seed, last,
             add_slot(arena, schedule, SLOT_TEMPORARY, 0, 1 + pick(seed, 100)));
    add_step(arena, schedule, seed, stack, schedule->slots[3]);
    show_slot(arena, schedule, sides);
    show_slot(arena, schedule, stack);
}

/* What runs, step by step: memory is told whose bytes it holds, and whoever reads is asked. */
typedef struct Timeline {
    const Schedule *schedule;
    const Slot **owner; /* of each CELL of the arena */
    const Call *calls[1024];
    int count, last_barrier;
    int64_t steps[8];
} Timeline;

static int64_t part_offset(const Timeline *timeline, const Slot *slot)
{
    if (slot->kind != SLOT_PART)
        return 0;
    int64_t at = slot->at.constant;
    for (int r = 0; r < timeline->schedule->repeat_count; r++) {
        const Repeat *repeat = &timeline->schedule->repeats[r];
        at += affine_factor(slot->at, repeat->step) * timeline->steps[r];
        at += affine_factor(slot->at, repeat->side) * (timeline->steps[r] % 2);
    }
    return at;
}

static void touch(Timeline *timeline, const Call *call, int argument)
{
    Slot *slot = call->arguments[argument], *whole = slot_whole(slot);
    if (whole->kind != SLOT_TEMPORARY)
        return;
    int64_t from = whole->offset + part_offset(timeline, slot);
    for (int64_t at = from / CELL; at * CELL < from + slot->bytes; at++) {
        if (call->kernel->arguments[argument]->written)
            timeline->owner[at] = whole;
        else
            cr_assert(timeline->owner[at] == whole, "%s is read, but overwritten", slot->name);
    }
}

static void run_call(Timeline *timeline, const Call *call)
{
    if (call->barrier)
        timeline->last_barrier = timeline->count;
    for (int i = timeline->last_barrier; i < timeline->count; i++)
        cr_assert_not(conflict(timeline->calls[i], call), "two calls are not separated");
    for (int a = 0; a < call->kernel->argument_count; a++)
        touch(timeline, call, a);
    cr_assert(timeline->count < 1024);
    timeline->calls[timeline->count++] = call;
}

static void run_calls(Timeline *timeline, int first, int end, const Repeat *outer)
{
    for (int i = first; i < end;) {
        const Repeat *repeat = schedule_repeat_at(timeline->schedule, i, outer);
        if (!repeat) {
            run_call(timeline, &timeline->schedule->calls[i++]);
            continue;
        }
        int64_t *step = &timeline->steps[repeat - timeline->schedule->repeats];
        for (*step = 0; *step < repeat->count; ++*step)
            run_calls(timeline, repeat->first, repeat->end, repeat);
        i = repeat->end;
    }
}

/* Whoever reads finds what was last written for him, and waits for it. */
Test(plan, repeats)
{
    uint32_t seed = 3;
    for (int i = 0; i < 300; i++) {
        Arena *arena = arena_create();
        Schedule *schedule = random_schedule(arena, &seed, 1 + pick(&seed, 9));
        for (int loops = pick(&seed, 3); loops >= 0; loops--)
            add_loop(arena, schedule, &seed, 1);
        add_random_calls(arena, schedule, &seed, pick(&seed, 9));
        plan_schedule(arena, schedule);
        check_memory(schedule);
        Timeline *timeline = ARENA_NEW(arena, Timeline);
        timeline->schedule = schedule;
        timeline->owner = ARENA_ARRAY(arena, const Slot *, schedule->arena_bytes / CELL + 1);
        run_calls(timeline, 0, schedule->call_count, NULL);
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
