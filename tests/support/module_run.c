/* Runs one function of a lowered program; see module_run.h. */
#include "tests/support/module_run.h"

#include <string.h>

#include "tests/support/nest_run.h"

static void *slot_memory(const Slot *slot, char *temporaries, void *const *inputs,
                         void *const *states, void *const *results)
{
    switch (slot->kind) {
    case SLOT_INPUT:
        return inputs[slot->index];
    case SLOT_RESULT:
        return results[slot->index];
    case SLOT_STATE:
        return states[slot->index];
    case SLOT_CONSTANT:
        return (void *)(uintptr_t)slot->data;
    case SLOT_TEMPORARY:
        return temporaries + slot->offset;
    }
    return NULL;
}

bool module_run(Arena *arena, Diag *diag, const Module *module, int function, void *const *inputs,
                void *const *states, void *const *results, int members)
{
    const Schedule *schedule = module->schedules[function];
    char *temporaries = arena_alloc(arena, (size_t)schedule->arena_bytes + 64);
    memset(temporaries, 0xff, (size_t)schedule->arena_bytes);
    for (int c = 0; c < schedule->call_count; c++) {
        const Call *call = &schedule->calls[c];
        void **arguments = ARENA_ARRAY(arena, void *, call->kernel->argument_count + 1);
        for (int a = 0; a < call->kernel->argument_count; a++)
            arguments[a] = slot_memory(call->arguments[a], temporaries, inputs, states, results);
        if (!nest_run_team(call->kernel, diag, arguments, members))
            return false;
    }
    return true;
}
