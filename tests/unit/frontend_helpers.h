/* Models from descriptions, run by the evaluator, for the tests of layers. */
#ifndef INGOT_TESTS_FRONTEND_HELPERS_H
#define INGOT_TESTS_FRONTEND_HELPERS_H

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "frontend/json_model.h"
#include "ir/eval.h"
#include "ir/verify.h"

typedef struct Built {
    Arena *arena;
    Model *model;
    Value *states;
} Built;

static inline const Function *function(const Built *b, const char *name)
{
    const Function *f = program_find_function(b->model->program, name);
    cr_assert(f, "no function @%s", name);
    return f;
}

/* Reads a description and runs its `initialize`. */
static inline Built build(const char *description, bool train)
{
    Built b = {.arena = arena_create()};
    Diag *diag = diag_create(b.arena);
    const int64_t batch = 2;
    ModelOptions options = {.batches = &batch, .batch_count = 1, .train = train};
    char *folder = folder_create_temporary(diag);
    const char *path = arena_print(b.arena, "%s/m.json", folder);
    cr_assert(file_write(diag, path, description, strlen(description), false));
    b.model = json_model_read(b.arena, diag, path, &options);
    folder_remove(folder);
    cr_assert(b.model, "%s\n%s", description, diag->error_count ? diag->messages[0] : "no error");
    cr_assert(graph_verify(b.model->program, diag), "%s",
              diag->error_count ? diag->messages[0] : "");
    Program *program = b.model->program;
    b.states = ARENA_ARRAY(b.arena, Value, program->state_count);
    for (int i = 0; i < program->state_count; i++)
        b.states[i] = value_create(b.arena, program->states[i]->type);
    Value seed = value_create(b.arena, function(&b, "initialize")->inputs[0]->type);
    seed.integers[0] = 12345;
    graph_evaluate(b.arena, EVALUATE_F32, function(&b, "initialize"), &seed, b.states, NULL);
    return b;
}

static inline Built build_layers(const char *row, const char *layers)
{
    Arena *arena = arena_create();
    Built b =
        build(arena_print(arena, "{ \"inputs\": { \"x\": [\"batch\", %s] }, \"layers\": [%s] }",
                          row, layers),
              false);
    arena_destroy(arena);
    return b;
}

/* The first result of a function of floats in, with the numbers 0, 1, 2 … times `step` less
 * `offset`. */
static inline Value run(const Built *b, const char *name, double step, double offset)
{
    const Function *f = function(b, name);
    Value inputs[4], results[4];
    for (int i = 0; i < f->input_count; i++) {
        inputs[i] = value_create(b->arena, f->inputs[i]->type);
        int64_t count = type_elements(&inputs[i].type);
        for (int64_t k = 0; k < count && inputs[i].numbers; k++)
            inputs[i].numbers[k] = (double)k * step - offset;
    }
    graph_evaluate(b->arena, EVALUATE_F64, f, inputs, b->states, results);
    return results[0];
}

static inline const Value *state(const Built *b, const char *name)
{
    const State *s = program_find_state(b->model->program, name);
    cr_assert(s, "no state %s", name);
    return &b->states[s->index];
}

static inline void fill(const Built *b, const char *name, double value)
{
    const Value *v = state(b, name);
    for (int64_t i = 0; i < type_elements(&v->type); i++)
        v->numbers[i] = value;
}

static inline void expect_near(double got, double want, double tolerance, const char *what)
{
    cr_expect(fabs(got - want) <= tolerance, "%s: %.17g where %.17g is right", what, got, want);
}

/* Numbers that are not alike: sin(0.7 i + phase), i counting them. */
typedef struct Wave {
    const char *state;
    double phase;
} Wave;

static inline void fill_wave(Value value, double phase)
{
    for (int64_t i = 0; i < type_elements(&value.type); i++)
        value.numbers[i] = sin(0.7 * (double)i + phase);
}

static inline void fill_states(const Built *b, int count, const Wave *waves)
{
    for (int i = 0; i < count; i++)
        fill_wave(*state(b, waves[i].state), waves[i].phase);
}

/* The first result; input i is a wave of phases[i]. */
static inline Value run_waves(const Built *b, const char *name, const double *phases)
{
    const Function *f = function(b, name);
    Value inputs[4], results[4];
    for (int i = 0; i < f->input_count; i++) {
        inputs[i] = value_create(b->arena, f->inputs[i]->type);
        fill_wave(inputs[i], phases[i]);
    }
    graph_evaluate(b->arena, EVALUATE_F64, f, inputs, b->states, results);
    return results[0];
}

static inline void expect_numbers(const Value *got, int64_t count, const double *want,
                                  const char *what)
{
    cr_assert(type_elements(&got->type) >= count, "%s has too few numbers", what);
    for (int64_t i = 0; i < count; i++)
        expect_near(got->numbers[i], want[i], 1e-6, what);
}

#endif
