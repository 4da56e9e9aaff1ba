/* Finds the memory of each slot and runs the calls; see schedule_run.h. The arena is exactly as
 * large as planned and is filled with garbage at first, so a wrong plan shows. */
#include "tests/support/schedule_run.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/nest_run.h"

enum { GARBAGE = 0xa5 };

static void *slot_memory(const Slot *slot, char *arena, void *const *inputs, char *states,
                         int64_t prepared, void *const *results)
{
    switch (slot->kind) {
    case SLOT_INPUT:
        return inputs[slot->index];
    case SLOT_RESULT:
        return results[slot->index];
    case SLOT_STATE:
        return states + slot->offset;
    case SLOT_CONSTANT:
        return (void *)(uintptr_t)slot->data; /* never stored to */
    case SLOT_PREPARED:
        return states + prepared + slot->offset;
    case SLOT_TEMPORARY:
        return arena + slot->offset;
    }
    return NULL;
}

bool schedule_run_with(const KernelRunner *runner, const Schedule *schedule, Diag *diag,
                       void *const *inputs, void *states, int64_t state_bytes, void *const *results,
                       int members)
{
    bool right = true;
    char *arena = aligned_alloc(64, (size_t)schedule->arena_bytes + 64);
    if (!arena)
        INGOT_BUG("no memory for the arena");
    memset(arena, GARBAGE, (size_t)schedule->arena_bytes);
    for (int i = 0; i < schedule->call_count && right; i++) {
        const Call *call = &schedule->calls[i];
        int count = call->kernel->argument_count;
        void **arguments = calloc((size_t)count + 1, sizeof *arguments);
        for (int j = 0; j < count; j++)
            arguments[j] =
                slot_memory(call->arguments[j], arena, inputs, states, state_bytes, results);
        right = runner->run(runner->context, diag, call->kernel, arguments, members);
        free(arguments);
    }
    free(arena);
    return right;
}

static bool run_plainly(void *context, Diag *diag, const Kernel *kernel, void *const *arguments,
                        int members)
{
    (void)context;
    return nest_run_team(kernel, diag, arguments, members);
}

const KernelRunner plain_runner = {run_plainly, NULL};

bool schedule_run(const Schedule *schedule, Diag *diag, void *const *inputs, void *states,
                  int64_t state_bytes, void *const *results, int members)
{
    return schedule_run_with(&plain_runner, schedule, diag, inputs, states, state_bytes, results,
                             members);
}
