/* Finds the memory of each slot and runs the calls; see schedule_run.h. The arena is exactly as
 * large as planned and is filled with garbage at first, so a wrong plan shows. */
#include "tests/support/schedule_run.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/nest_run.h"

enum { GARBAGE = 0xa5 };

typedef struct Step { /* of a repeat that is running */
    const Repeat *repeat;
    int64_t number;
    const struct Step *outer;
} Step;

typedef struct Run {
    const KernelRunner *runner;
    const Schedule *schedule;
    Diag *diag;
    void *const *inputs, *const *results;
    char *arena, *states;
    int64_t state_bytes;
    int members;
} Run;

static int64_t affine_value(Affine at, const Step *step)
{
    int64_t value = at.constant;
    for (; step; step = step->outer) {
        value += affine_factor(at, step->repeat->step) * step->number;
        value += affine_factor(at, step->repeat->side) * (step->number % 2);
    }
    return value;
}

static void *slot_memory(const Run *run, const Slot *slot, const Step *step)
{
    switch (slot->kind) {
    case SLOT_INPUT:
        return run->inputs[slot->index];
    case SLOT_RESULT:
        return run->results[slot->index];
    case SLOT_STATE:
        return run->states + slot->offset;
    case SLOT_CONSTANT:
        return (void *)(uintptr_t)slot->data; /* never stored to */
    case SLOT_PREPARED:
        return run->states + run->state_bytes + slot->offset;
    case SLOT_TEMPORARY:
        return run->arena + slot->offset;
    case SLOT_PART:
        return (char *)slot_memory(run, slot->whole, step) + affine_value(slot->at, step);
    }
    return NULL;
}

static bool run_call(const Run *run, const Call *call, const Step *step)
{
    int count = call->kernel->argument_count;
    void **arguments = calloc((size_t)count + 1, sizeof *arguments);
    for (int j = 0; j < count; j++)
        arguments[j] = slot_memory(run, call->arguments[j], step);
    bool right =
        run->runner->run(run->runner->context, run->diag, call->kernel, arguments, run->members);
    free(arguments);
    return right;
}

/* See Repeat: it ends on the side where all steps would have ended. */
static bool goes_on(const Run *run, const Step *step)
{
    const Repeat *repeat = step->repeat;
    if (step->number == repeat->count)
        return false;
    if (!repeat->alive || step->number % 2 != repeat->count % 2)
        return true;
    return *(const uint8_t *)slot_memory(run, repeat->alive, step) != 0;
}

static bool run_calls(const Run *run, int first, int end, const Step *outer)
{
    bool right = true;
    for (int i = first; i < end && right;) {
        const Repeat *repeat = schedule_repeat_at(run->schedule, i, outer ? outer->repeat : NULL);
        Step step = {.repeat = repeat, .outer = outer};
        for (; repeat && right && goes_on(run, &step); step.number++)
            right = run_calls(run, repeat->first, repeat->end, &step);
        if (!repeat)
            right = run_call(run, &run->schedule->calls[i], outer);
        i = repeat ? repeat->end : i + 1;
    }
    return right;
}

bool schedule_run_with(const KernelRunner *runner, const Schedule *schedule, Diag *diag,
                       void *const *inputs, void *states, int64_t state_bytes, void *const *results,
                       int members)
{
    Run run = {.runner = runner,
               .schedule = schedule,
               .diag = diag,
               .inputs = inputs,
               .results = results,
               .arena = aligned_alloc(64, (size_t)schedule->arena_bytes + 64),
               .states = states,
               .state_bytes = state_bytes,
               .members = members};
    if (!run.arena)
        INGOT_BUG("no memory for the arena");
    memset(run.arena, GARBAGE, (size_t)schedule->arena_bytes);
    bool right = run_calls(&run, 0, schedule->call_count, NULL);
    free(run.arena);
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
