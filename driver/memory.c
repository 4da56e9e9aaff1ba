/* Counts what a process needs that makes an instance of a model and calls one of its functions.
 *
 *     states       the whole block, filled when the instance is made
 *     packed       copies of weights, when the function reads any: `prepare` runs before it
 *     constants    those that its kernels read, or `initialize`, and that lie in the program's file
 *     temporaries  the arena as far as these functions use it
 *     code         of their kernels, guessed: it is known only when it has been made
 *
 * What the process maps or allocates besides, the C library, data to train on, is not the model's.
 */
#include "driver/memory.h"

#include <string.h>

enum {
    KERNEL_CODE = 2048, /* bytes, on average over the models of bench/ */
    STACK = 16384       /* what a thread touches of it */
};

typedef struct Count {
    const Module *module;
    Memory memory;
    bool *constants, *kernels; /* by their index: counted already */
} Count;

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void count_argument(Count *count, Slot *slot)
{
    slot = slot_whole(slot);
    if (slot->kind == SLOT_PREPARED)
        count->memory.packed = count->module->prepared_bytes;
    if (slot->kind != SLOT_CONSTANT || count->constants[slot->index])
        return;
    count->constants[slot->index] = true;
    count->memory.constants += slot->bytes;
}

static void count_schedule(Count *count, const Schedule *schedule)
{
    Memory *memory = &count->memory;
    memory->temporaries = larger(memory->temporaries, schedule->arena_bytes);
    memory->thread = larger(memory->thread, schedule->scratch_bytes);
    for (int i = 0; i < schedule->call_count; i++) {
        const Call *call = &schedule->calls[i];
        memory->code += count->kernels[call->kernel->index] ? 0 : KERNEL_CODE;
        count->kernels[call->kernel->index] = true;
        for (int a = 0; a < call->kernel->argument_count; a++)
            count_argument(count, call->arguments[a]);
    }
}

Memory memory_of_function(Arena *arena, const Module *module, int index)
{
    Count count = {.module = module,
                   .memory = {.states = module->state_bytes},
                   .constants = ARENA_ARRAY(arena, bool, module->constant_count + 1),
                   .kernels = ARENA_ARRAY(arena, bool, module->kernel_count + 1)};
    for (int f = 0; f < module->schedule_count; f++)
        if (f == index || strcmp(module->schedules[f]->function->name, "initialize") == 0)
            count_schedule(&count, module->schedules[f]);
    if (count.memory.packed)
        count_schedule(&count, module->prepare);
    return count.memory;
}

int64_t memory_sum(const Memory *m, int threads)
{
    return m->states + m->packed + m->constants + m->temporaries + m->code +
           (m->thread + STACK) * threads;
}

Height memory_height(Arena *arena, const Schedule *schedule)
{
    Height height = {.call = -1};
    int64_t *bytes = ARENA_ARRAY(arena, int64_t, schedule->call_count + 1), now = 0;
    for (int i = 0; i < schedule->slot_count; i++) {
        const Slot *slot = schedule->slots[i];
        if (slot->kind != SLOT_TEMPORARY || slot->first_call < 0)
            continue;
        int last = slot->last_call < schedule->call_count ? slot->last_call + 1 : slot->last_call;
        bytes[slot->first_call] += slot->bytes;
        bytes[last] -= slot->bytes;
    }
    for (int c = 0; c < schedule->call_count; c++) {
        now += bytes[c];
        if (now > height.bytes)
            height = (Height){.call = c, .bytes = now};
    }
    for (int i = 0; i < schedule->slot_count && height.call >= 0; i++) {
        const Slot *slot = schedule->slots[i];
        if (slot->kind != SLOT_TEMPORARY || slot->first_call > height.call ||
            slot->last_call < height.call)
            continue;
        height.count++;
        if (!height.largest || slot->bytes > height.largest->bytes)
            height.largest = slot;
    }
    return height;
}
