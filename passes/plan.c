/* Memory and barriers; see plan.h.
 *
 * Memory. A temporary lives from the first call that touches it to the last. Two that live at the
 * same time must not overlap. Largest first, each goes to the lowest gap that is free throughout
 * its life ("greedy by size": Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net
 * Inference, 2020). Where a call may compute in place and its input dies there, the output takes
 * over the input's memory; such a chain is placed as one block.
 *
 *     0: @a(%x, out %t0)      t0 0..1      [t0        ]
 *     1: @b(%t0, out %t1)     t1 1..2      [t0][t1    ]
 *     2: @c(%t1, out %y)
 *
 * In a repeat: what is touched before or behind it as well, or at other places from step to step,
 * is needed in all of it, and a little longer: to the call behind it, so that no call inside may
 * take it over. The rest begins and ends within one step.
 *
 * Barriers. A call needs one before it when it touches memory that a call since the last barrier
 * has written, or writes what one has read, unless one and the same member runs both: kernels
 * without a parallel loop all run on member 0, in order. Slots that share memory count as one
 * place, so the reuse of an arena range is guarded too. Members of a parallel kernel are not told
 * apart. A repeat is gone through twice, since its first calls follow its last ones, too.
 *
 * Placing n temporaries scans those below the gap found: 10,000 random ones take 0.1 s. */
#include "passes/plan.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static int64_t round_up(int64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

typedef struct Block { /* one temporary, or several that take over from each other */
    int64_t bytes, offset;
    int first_call, last_call;
    int number; /* ties are broken the same way each time */
} Block;

/* Does a slot, an argument of a call in the repeat, lie at other places in other steps? */
static bool slot_moves(const Slot *slot, const Repeat *repeat)
{
    return slot->kind == SLOT_PART &&
           (affine_factor(slot->at, repeat->step) || affine_factor(slot->at, repeat->side));
}

static void keep_through(Schedule *schedule, const Repeat *repeat)
{
    for (int i = repeat->first; i < repeat->end; i++) {
        const Call *call = &schedule->calls[i];
        for (int j = 0; j < call->kernel->argument_count; j++) {
            Slot *whole = slot_whole(call->arguments[j]);
            if (whole->first_call >= repeat->first && whole->last_call < repeat->end &&
                !slot_moves(call->arguments[j], repeat))
                continue;
            if (whole->first_call > repeat->first)
                whole->first_call = repeat->first;
            if (whole->last_call < repeat->end)
                whole->last_call = repeat->end;
        }
    }
}

static void find_life_times(Schedule *schedule)
{
    int deepest = 0;
    for (int i = 0; i < schedule->slot_count; i++)
        schedule->slots[i]->first_call = schedule->slots[i]->last_call = -1;
    for (int i = 0; i < schedule->call_count; i++) {
        const Call *call = &schedule->calls[i];
        for (int j = 0; j < call->kernel->argument_count; j++) {
            Slot *slot = slot_whole(call->arguments[j]);
            if (slot->first_call < 0)
                slot->first_call = i;
            slot->last_call = i;
        }
    }
    for (int r = 0; r < schedule->repeat_count; r++)
        if (schedule->repeats[r].depth > deepest)
            deepest = schedule->repeats[r].depth;
    for (; deepest > 0; deepest--) /* inner ones first: what they need long may be needed longer */
        for (int r = 0; r < schedule->repeat_count; r++)
            if (schedule->repeats[r].depth == deepest)
                keep_through(schedule, &schedule->repeats[r]);
}

/* Every argument that is this slot must allow it. */
static bool call_shares(const Call *call, const Slot *input, int output)
{
    for (int i = 0; i < call->kernel->argument_count; i++)
        if (call->arguments[i] == input && !plan_in_place(call->kernel, i, output))
            return false;
    return true;
}

/* The temporary whose memory arguments[output] of call number `at` takes over; NULL: of none.
 * An heir outlives the call, so a block that still ends there has none yet. */
static Slot *find_ancestor(const Call *call, int at, int output, const Block *blocks)
{
    const Slot *heir = call->arguments[output];
    if (!call->kernel->may_alias || heir->kind == SLOT_PART || heir->first_call != at ||
        heir->last_call == at)
        return NULL;
    for (int i = 0; i < call->kernel->argument_count; i++) {
        Slot *slot = call->arguments[i];
        if (slot->kind == SLOT_TEMPORARY && slot->first_call < at && slot->last_call == at &&
            blocks[slot->offset].last_call == at && slot->bytes == heir->bytes &&
            slot->type.element == heir->type.element && call_shares(call, slot, output))
            return slot;
    }
    return NULL;
}

static void add_to_block(Block *blocks, int *count, Slot *slot, const Slot *ancestor)
{
    slot->offset = ancestor ? ancestor->offset : (*count)++;
    Block *block = &blocks[slot->offset];
    if (!ancestor)
        *block = (Block){.bytes = round_up(slot->bytes),
                         .first_call = slot->first_call,
                         .number = (int)slot->offset};
    block->last_call = slot->last_call;
}

/* A block for each chain of temporaries; until it is placed, slot->offset is its number. */
static Block *make_blocks(Arena *arena, Schedule *schedule, int *count)
{
    Block *blocks = ARENA_ARRAY(arena, Block, schedule->slot_count);
    *count = 0;
    for (int i = 0; i < schedule->call_count; i++) {
        const Call *call = &schedule->calls[i];
        for (int j = 0; j < call->kernel->argument_count; j++) {
            Slot *slot = slot_whole(call->arguments[j]);
            if (slot->kind != SLOT_TEMPORARY || slot->offset >= 0)
                continue;
            /* one that a repeat keeps has begun before this call, and takes nothing over */
            bool begins = slot->first_call == i && slot == call->arguments[j];
            add_to_block(blocks, count, slot, begins ? find_ancestor(call, i, j, blocks) : NULL);
        }
    }
    return blocks;
}

static int compare_size(const void *left, const void *right)
{
    const Block *a = *(Block *const *)left, *b = *(Block *const *)right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->number - b->number;
}

/* The lowest gap that is free during the life of `block`, among those placed, which lie in
 * ascending order of offset. */
static int64_t find_gap(Block *const *placed, int count, const Block *block)
{
    int64_t offset = 0;
    for (int i = 0; i < count; i++) {
        const Block *other = placed[i];
        if (other->first_call > block->last_call || other->last_call < block->first_call)
            continue;
        if (other->offset - offset >= block->bytes)
            break;
        if (other->offset + other->bytes > offset)
            offset = other->offset + other->bytes;
    }
    return offset;
}

/* Keeps `placed` in ascending order of offset. */
static void insert_block(Block **placed, int count, Block *block)
{
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (placed[middle]->offset <= block->offset)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(placed + low + 1, placed + low, (size_t)(count - low) * sizeof *placed);
    placed[low] = block;
}

/* Bytes of the arena. */
static int64_t place_blocks(Arena *arena, Block *blocks, int count)
{
    int64_t end = 0;
    Block **order = ARENA_ARRAY(arena, Block *, count);
    Block **placed = ARENA_ARRAY(arena, Block *, count + 1);
    for (int i = 0; i < count; i++)
        order[i] = &blocks[i];
    qsort(order, (size_t)count, sizeof *order, compare_size);
    for (int i = 0; i < count; i++) {
        Block *block = order[i];
        block->offset = find_gap(placed, i, block);
        insert_block(placed, i, block);
        if (block->offset + block->bytes > end)
            end = block->offset + block->bytes;
    }
    return end;
}

void plan_memory(Arena *arena, Schedule *schedule)
{
    int count;
    find_life_times(schedule);
    for (int i = 0; i < schedule->slot_count; i++)
        if (schedule->slots[i]->kind == SLOT_TEMPORARY)
            schedule->slots[i]->offset = -1;
    Block *blocks = make_blocks(arena, schedule, &count);
    schedule->arena_bytes = place_blocks(arena, blocks, count);
    for (int i = 0; i < schedule->slot_count; i++) {
        Slot *slot = schedule->slots[i];
        if (slot->kind == SLOT_TEMPORARY)
            slot->offset = slot->offset < 0 ? 0 : blocks[slot->offset].offset;
    }
}

typedef struct Access { /* of one call, to one range of one piece of memory */
    SlotKind kind;
    int index; /* of other slots than temporaries, which are all one arena */
    int64_t begin, end;
    bool written;
} Access;

typedef struct AccessList {
    Access *items;
    int count, capacity;
} AccessList;

static bool accesses_conflict(const Access *a, const Access *b)
{
    return (a->written || b->written) && a->kind == b->kind && a->index == b->index &&
           a->begin < b->end && b->begin < a->end;
}

static Access argument_access(const Call *call, int number)
{
    const Slot *slot = slot_whole(call->arguments[number]);
    bool temporary = slot->kind == SLOT_TEMPORARY;
    int64_t begin = temporary ? slot->offset : 0;
    return (Access){.kind = slot->kind,
                    .index = temporary ? 0 : slot->index,
                    .begin = begin,
                    .end = begin + slot->bytes,
                    .written = call->kernel->arguments[number]->written};
}

static bool call_conflicts(const Call *call, const AccessList *list)
{
    for (int i = 0; i < call->kernel->argument_count; i++) {
        Access access = argument_access(call, i);
        for (int j = 0; j < list->count; j++)
            if (accesses_conflict(&access, &list->items[j]))
                return true;
    }
    return false;
}

typedef struct Waiting { /* what has been done since the last barrier */
    Arena *arena;
    Schedule *schedule;
    AccessList parallel, serial;
} Waiting;

static void plan_call(Waiting *waiting, Call *call)
{
    call->barrier = call->barrier || call_conflicts(call, &waiting->parallel) ||
                    (call->kernel->parallel && call_conflicts(call, &waiting->serial));
    if (call->barrier)
        waiting->parallel.count = waiting->serial.count = 0;
    AccessList *list = call->kernel->parallel ? &waiting->parallel : &waiting->serial;
    for (int j = 0; j < call->kernel->argument_count; j++) {
        list->items = arena_grow(waiting->arena, list->items, list->count, &list->capacity,
                                 sizeof *list->items);
        list->items[list->count++] = argument_access(call, j);
    }
}

/* Calls first … end - 1, which lie in `outer`. What is waiting at the end of a repeat's first time
 * is all that may be waiting at its beginning in any later step. */
static void plan_calls(Waiting *waiting, int first, int end, const Repeat *outer)
{
    for (int i = first; i < end;) {
        const Repeat *repeat = schedule_repeat_at(waiting->schedule, i, outer);
        for (int time = 0; repeat && time < 2; time++)
            plan_calls(waiting, repeat->first, repeat->end, repeat);
        if (!repeat)
            plan_call(waiting, &waiting->schedule->calls[i]);
        i = repeat ? repeat->end : i + 1;
    }
}

void plan_barriers(Arena *arena, Schedule *schedule)
{
    Waiting waiting = {.arena = arena, .schedule = schedule};
    for (int i = 0; i < schedule->call_count; i++)
        schedule->calls[i].barrier = false;
    plan_calls(&waiting, 0, schedule->call_count, NULL);
}

static int64_t scratch_bytes(const Kernel *kernel)
{
    int64_t bytes = 0;
    for (int i = 0; i < kernel->scratch_count; i++)
        bytes += round_up(kernel->scratch[i]->count * element_bytes(kernel->scratch[i]->element));
    return bytes;
}

void plan_schedule(Arena *arena, Schedule *schedule)
{
    schedule->scratch_bytes = 0;
    schedule->parallel = false;
    for (int i = 0; i < schedule->call_count; i++) {
        const Kernel *kernel = schedule->calls[i].kernel;
        int64_t bytes = scratch_bytes(kernel);
        if (bytes > schedule->scratch_bytes)
            schedule->scratch_bytes = bytes;
        schedule->parallel = schedule->parallel || kernel->parallel;
    }
    plan_memory(arena, schedule);
    plan_barriers(arena, schedule);
}
