/* Runs both sides on the same numbers and compares what they leave behind; see agree_nest.h. */
#include "tests/support/agree_nest.h"

#include <math.h>
#include <string.h>

#include "ir/eval.h"
#include "tests/support/nest_run.h"
#include "tests/support/random_graph.h"

enum { MEMBERS = 3, TOO_MUCH = 1 << 18 };

static bool numbers_agree(double a, double b, bool exact)
{
    if (isnan(a) && isnan(b))
        return true;
    return a == b || (!exact && fabs(a - b) <= 1e-4 * fmax(1, fmax(fabs(a), fabs(b))));
}

static bool values_agree(Diag *diag, const char *what, const Value *a, const Value *b, bool exact)
{
    for (int64_t i = 0; i < type_elements(&a->type); i++) {
        if (a->integers && a->integers[i] != b->integers[i])
            return diag_error(diag, what, "element %d should be %d and is %d", (int)i,
                              (int)a->integers[i], (int)b->integers[i]);
        if (a->numbers && !numbers_agree(a->numbers[i], b->numbers[i], exact))
            return diag_error(diag, what, "element %d should be %.9g and is %.9g", (int)i,
                              a->numbers[i], b->numbers[i]);
    }
    return true;
}

static void *memory(Arena *arena, const TensorType *type)
{
    return arena_alloc(arena, (size_t)type_bytes(type) + 1);
}

static void *random_memory(Arena *arena, const TensorType *type, uint64_t seed)
{
    void *data = memory(arena, type);
    random_fill(type, seed, data);
    return data;
}

/* ---- kernels ---- */

static TensorType buffer_type(const Buffer *buffer)
{
    return type_make(buffer->element, 1, &buffer->count);
}

static void **random_arguments(Arena *arena, const Kernel *kernel)
{
    void **data = ARENA_ARRAY(arena, void *, kernel->argument_count + 1);
    for (int a = 0; a < kernel->argument_count; a++) {
        TensorType type = buffer_type(kernel->arguments[a]);
        data[a] = random_memory(arena, &type, (uint64_t)a + 1);
    }
    return data;
}

static bool run_pieces(Arena *arena, Diag *diag, const Pieces *pieces, void **arguments,
                       int members)
{
    void **between = ARENA_ARRAY(arena, void *, pieces->between_count + 1);
    for (int b = 0; b < pieces->between_count; b++) {
        TensorType type = type_make(pieces->between[b].element, 1, &pieces->between[b].count);
        between[b] = random_memory(arena, &type, 99);
    }
    for (int p = 0; p < pieces->count; p++) {
        const Piece *piece = &pieces->list[p];
        void **data = ARENA_ARRAY(arena, void *, piece->kernel->argument_count + 1);
        for (int a = 0; a < piece->kernel->argument_count; a++) {
            int from = piece->arguments[a];
            data[a] = from < 0 ? between[-1 - from] : arguments[from];
        }
        if (!nest_run_team(piece->kernel, diag, data, members))
            return false;
    }
    return true;
}

bool pieces_agree(Diag *diag, const Kernel *before, const Pieces *after, bool exact)
{
    if (before->multiply_adds + before->element_steps > TOO_MUCH)
        return true;
    Arena *arena = arena_create();
    void **wanted = random_arguments(arena, before);
    bool same = nest_run_team(before, diag, wanted, 1);
    for (int members = 1; same && members <= MEMBERS; members += MEMBERS - 1) {
        void **found = random_arguments(arena, before);
        same = run_pieces(arena, diag, after, found, members);
        for (int a = 0; same && a < before->argument_count; a++) {
            TensorType type = buffer_type(before->arguments[a]);
            Value one = value_read(arena, type, wanted[a]), two = value_read(arena, type, found[a]);
            const char *what = arena_print(arena, "%%%s", before->arguments[a]->name);
            same = values_agree(diag, what, &one, &two, exact);
        }
    }
    arena_destroy(arena);
    return same;
}

/* ---- programs ---- */

typedef struct Data { /* of one call, as dense arrays */
    void **inputs, **results, *states;
} Data;

static Data make_data(Arena *arena, const Function *f, const Module *module)
{
    Data data = {
        .inputs = ARENA_ARRAY(arena, void *, f->input_count + 1),
        .results = ARENA_ARRAY(arena, void *, f->result_count + 1),
        .states = arena_alloc(arena, (size_t)(module->state_bytes + module->prepared_bytes) + 1)};
    for (int i = 0; i < f->input_count; i++)
        data.inputs[i] = random_memory(arena, &f->inputs[i]->type, (uint64_t)i + 1);
    for (int i = 0; i < f->result_count; i++)
        data.results[i] = memory(arena, &f->results[i].node->type);
    for (int i = 0; i < f->program->state_count; i++) {
        const State *state = f->program->states[i];
        char *place = (char *)data.states + module->state_offsets[i];
        if (state->value)
            memcpy(place, state->value, (size_t)type_bytes(&state->type));
        else
            random_fill(&state->type, 100 + (uint64_t)i, place);
    }
    return data;
}

typedef struct Outcome {
    Value *states, *results;
} Outcome;

static Outcome evaluate(Arena *arena, const Function *f, const Module *module, const Data *data)
{
    Value *inputs = ARENA_ARRAY(arena, Value, f->input_count + 1);
    Outcome outcome = {ARENA_ARRAY(arena, Value, f->program->state_count + 1),
                       ARENA_ARRAY(arena, Value, f->result_count + 1)};
    for (int i = 0; i < f->input_count; i++)
        inputs[i] = value_read(arena, f->inputs[i]->type, data->inputs[i]);
    for (int i = 0; i < f->program->state_count; i++)
        outcome.states[i] = value_read(arena, f->program->states[i]->type,
                                       (char *)data->states + module->state_offsets[i]);
    graph_evaluate(arena, EVALUATE_F32, f, inputs, outcome.states, outcome.results);
    return outcome;
}

typedef struct Way { /* of running a module */
    const KernelRunner *runner;
    int members;
    const Module *module;
} Way;

static bool run_schedule(const Way *way, Diag *diag, const Schedule *schedule, const Data *data)
{
    return schedule_run_with(way->runner, schedule, diag, data->inputs, data->states,
                             way->module->state_bytes, data->results, way->members);
}

static bool function_agrees(Arena *arena, Diag *diag, const Function *f, const Way *way,
                            const Schedule *schedule)
{
    const Module *module = way->module;
    Data data = make_data(arena, f, module);
    Outcome wanted = evaluate(arena, f, module, &data);
    bool same = (!module->prepare || run_schedule(way, diag, module->prepare, &data)) &&
                run_schedule(way, diag, schedule, &data);
    for (int i = 0; same && i < f->result_count; i++) {
        Value found = value_read(arena, f->results[i].node->type, data.results[i]);
        const char *what = arena_print(arena, "@%s, result %d", f->name, i);
        same = values_agree(diag, what, &wanted.results[i], &found, false);
    }
    for (int i = 0; same && i < f->program->state_count; i++) {
        const State *state = f->program->states[i];
        Value found =
            value_read(arena, state->type, (char *)data.states + module->state_offsets[i]);
        const char *what = arena_print(arena, "@%s, state \"%s\"", f->name, state->name);
        same = values_agree(diag, what, &wanted.states[i], &found, false);
    }
    return same;
}

bool module_agrees_with(const KernelRunner *runner, int members, Diag *diag, const Program *program,
                        const Module *module)
{
    Arena *arena = arena_create();
    Way way = {runner, members, module};
    bool same = true;
    for (int i = 0; same && i < program->function_count; i++)
        same = function_agrees(arena, diag, program->functions[i], &way, module->schedules[i]);
    arena_destroy(arena);
    return same;
}

bool module_agrees(Diag *diag, const Program *program, const Module *module)
{
    return module_agrees_with(&plain_runner, 1, diag, program, module);
}
