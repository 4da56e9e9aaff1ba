/* The optimizers' graphs against the formulas of torch.optim, written out here in double for one
 * number at a time.
 *
 * The loss is Σ w·g with g an input, so that g is the gradient whatever w is. Each recipe runs for
 * a few dozen steps on random gradients; parameters must be where the formulas say after every
 * step. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/pattern.h"
#include "ir/eval.h"
#include "passes/optimizer.h"
#include "passes/passes.h"

enum { SIZE = 5, STEPS = 40, PARAMETERS = 2 };

typedef struct Training {
    Arena *arena;
    Program *program;
    Function *step, *initialize;
    Value *states;
    double gradients[PARAMETERS][SIZE];
} Training;

/* @train_step(%g0, %g1): Σ a·g0 + Σ b·g1 for the parameters "a.weight" and "b.bias" */
static Training training_create(OptimizerRecipe *recipe)
{
    static const char *const names[PARAMETERS] = {"a.weight", "b.bias"};
    static const int64_t dims[1] = {SIZE};
    Training t = {.arena = arena_create()};
    Diag *diag = diag_create(t.arena);
    TensorType type = type_make(TYPE_F32, 1, dims);
    Node *loss = NULL;
    t.program = program_create(t.arena, diag, "training");
    t.initialize = program_add_function(t.program, "initialize");
    t.step = program_add_function(t.program, "train_step");
    for (int i = 0; i < PARAMETERS; i++) {
        State *state = program_add_state(t.program, names[i], type);
        state->parameter = true;
        Node *gradient = graph_input(t.step, i ? "g1" : "g0", type);
        Node *product = graph_mul(t.step, graph_state(t.step, state), gradient);
        Node *sum = graph_reduce_all(t.step, OP_reduce_sum, product);
        loss = loss ? graph_add(t.step, loss, sum) : sum;
    }
    function_add_result(t.step, "loss", loss);
    cr_assert(optimizer_build(t.program, recipe), "%s", diag->messages[0]);
    cr_assert(pipeline_run(t.program, NULL), "%s", diag->messages[0]);
    return t;
}

static double sample(int seed)
{
    uint64_t x = (uint64_t)seed * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
    return (double)(x >> 40) / (1 << 23) - 1.0;
}

static void training_start(Training *t)
{
    t->states = ARENA_ARRAY(t->arena, Value, t->program->state_count);
    for (int i = 0; i < t->program->state_count; i++)
        t->states[i] = value_create(t->arena, t->program->states[i]->type);
    graph_evaluate(t->arena, EVALUATE_F64, t->initialize, NULL, t->states, NULL);
    for (int i = 0; i < PARAMETERS; i++)
        for (int j = 0; j < SIZE; j++)
            t->states[i].numbers[j] = sample(1000 + i * SIZE + j);
}

static void training_step(Training *t, int number)
{
    Value inputs[PARAMETERS], results[1];
    for (int i = 0; i < PARAMETERS; i++) {
        inputs[i] = value_create(t->arena, t->program->states[i]->type);
        for (int j = 0; j < SIZE; j++)
            inputs[i].numbers[j] = t->gradients[i][j] = 2 * sample((number * 2 + i) * SIZE + j);
    }
    graph_evaluate(t->arena, EVALUATE_F64, t->step, inputs, t->states, results);
}

/* One number as torch.optim moves it. t counts from 1. */
typedef struct Reference {
    double w, m, v, buffer;
} Reference;

static double reference_rate(const OptimizerRecipe *r, int t)
{
    double done = t - 1, rate = r->learning_rate, e = r->final_factor;
    double p = r->schedule_steps > 0 ? fmax(done - r->warmup_steps, 0) / r->schedule_steps : 0;
    switch (r->schedule) {
    case SCHEDULE_CONSTANT:
        break;
    case SCHEDULE_COSINE:
        rate *= e + (1 - e) * (1 + cos(acos(-1.0) * fmin(p, 1))) / 2;
        break;
    case SCHEDULE_LINEAR:
        rate *= 1 + (e - 1) * fmin(p, 1);
        break;
    case SCHEDULE_STEP:
        rate *= pow(e, floor(p));
        break;
    }
    return r->warmup_steps > 0 ? rate * fmin((done + 1) / r->warmup_steps, 1) : rate;
}

static void reference_step(Reference *x, const OptimizerRecipe *r, int t, double g, double decay,
                           double l1)
{
    double rate = reference_rate(r, t);
    if (r->kind == OPTIMIZER_ADAMW)
        x->w -= rate * decay * x->w;
    else
        g += decay * x->w;
    g += l1 * (x->w > 0 ? 1 : x->w < 0 ? -1 : 0);
    switch (r->kind) {
    case OPTIMIZER_SGD:
        if (r->momentum != 0) {
            x->buffer = t == 1 ? g : r->momentum * x->buffer + g;
            g = r->nesterov ? g + r->momentum * x->buffer : x->buffer;
        }
        x->w -= rate * g;
        break;
    case OPTIMIZER_ADAM:
    case OPTIMIZER_ADAMW:
        x->m = r->beta1 * x->m + (1 - r->beta1) * g;
        x->v = r->beta2 * x->v + (1 - r->beta2) * g * g;
        x->w -= rate / (1 - pow(r->beta1, t)) * x->m /
                (sqrt(x->v) / sqrt(1 - pow(r->beta2, t)) + r->epsilon);
        break;
    case OPTIMIZER_RMSPROP:
        x->v = r->beta2 * x->v + (1 - r->beta2) * g * g;
        g /= sqrt(x->v) + r->epsilon;
        if (r->momentum > 0)
            g = x->buffer = r->momentum * x->buffer + g;
        x->w -= rate * g;
        break;
    }
}

/* torch.nn.utils.clip_grad_value_, then clip_grad_norm_ */
static void reference_clip(const OptimizerRecipe *r, double g[PARAMETERS][SIZE])
{
    double sum = 0;
    for (int i = 0; i < PARAMETERS; i++)
        for (int j = 0; j < SIZE; j++) {
            if (r->clip_value > 0)
                g[i][j] = fmin(fmax(g[i][j], -r->clip_value), r->clip_value);
            sum += g[i][j] * g[i][j];
        }
    double factor = r->clip_norm > 0 ? fmin(1, r->clip_norm / (sqrt(sum) + 1e-6)) : 1;
    for (int i = 0; i < PARAMETERS; i++)
        for (int j = 0; j < SIZE; j++)
            g[i][j] *= factor;
}

/* Weight decay 0.1 and L1 0.02 of "a.weight" alone when `penalties` */
static void check_recipe(const char *what, OptimizerRecipe recipe, bool penalties)
{
    PatternValue decay[2] = {{.pattern = "*", .value = 0.1}, {.pattern = "b.*", .value = 0.0}};
    PatternValue l1[1] = {{.pattern = "*.weight", .value = 0.02}};
    if (penalties) {
        recipe.weight_decay = decay, recipe.weight_decay_count = 2;
        recipe.l1 = l1, recipe.l1_count = 1;
    }
    Training t = training_create(&recipe);
    Reference reference[PARAMETERS][SIZE] = {0};
    training_start(&t);
    for (int i = 0; i < PARAMETERS; i++)
        for (int j = 0; j < SIZE; j++)
            reference[i][j].w = t.states[i].numbers[j];
    for (int step = 1; step <= STEPS; step++) {
        training_step(&t, step);
        reference_clip(&recipe, t.gradients);
        for (int i = 0; i < PARAMETERS; i++)
            for (int j = 0; j < SIZE; j++) {
                bool penalty = penalties && i == 0;
                reference_step(&reference[i][j], &recipe, step, t.gradients[i][j],
                               penalty ? 0.1 : 0, penalty ? 0.02 : 0);
                double expected = reference[i][j].w, found = t.states[i].numbers[j];
                cr_assert(fabs(found - expected) <= 2e-6 * (1 + fabs(expected)),
                          "%s, step %d: parameter %d[%d] is %.9g, must be %.9g", what, step, i, j,
                          found, expected);
            }
    }
    State *counter = program_find_state(t.program, "step");
    cr_assert(t.states[counter->index].integers[0] == STEPS);
    arena_destroy(t.arena);
}

/* Each alone, and with penalties, with clipping by value and with clipping by norm */
static void check_kind(const char *what, OptimizerRecipe recipe)
{
    recipe.learning_rate = 0.01;
    check_recipe(what, recipe, false);
    check_recipe(what, recipe, true);
    recipe.clip_value = 0.7;
    check_recipe(what, recipe, true);
    recipe.clip_norm = 1.3;
    check_recipe(what, recipe, true);
    recipe.clip_value = 0;
    check_recipe(what, recipe, false);
}

Test(optimizer, sgd)
{
    check_kind("sgd", (OptimizerRecipe){.kind = OPTIMIZER_SGD});
    check_kind("momentum", (OptimizerRecipe){.kind = OPTIMIZER_SGD, .momentum = 0.9});
    check_kind("nesterov",
               (OptimizerRecipe){.kind = OPTIMIZER_SGD, .momentum = 0.9, .nesterov = true});
}

Test(optimizer, adam)
{
    check_kind("adam", (OptimizerRecipe){
                           .kind = OPTIMIZER_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8});
    check_kind("adam without averages", (OptimizerRecipe){.kind = OPTIMIZER_ADAM, .epsilon = 1e-3});
}

Test(optimizer, adamw)
{
    check_kind("adamw", (OptimizerRecipe){
                            .kind = OPTIMIZER_ADAMW, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-6});
}

Test(optimizer, rmsprop)
{
    check_kind("rmsprop",
               (OptimizerRecipe){.kind = OPTIMIZER_RMSPROP, .beta2 = 0.99, .epsilon = 1e-4});
    check_kind("rmsprop with momentum",
               (OptimizerRecipe){
                   .kind = OPTIMIZER_RMSPROP, .beta2 = 0.99, .momentum = 0.9, .epsilon = 1e-4});
}

Test(optimizer, schedules)
{
    static const ScheduleKind kinds[] = {SCHEDULE_CONSTANT, SCHEDULE_COSINE, SCHEDULE_LINEAR,
                                         SCHEDULE_STEP};
    for (int i = 0; i < 4; i++) {
        OptimizerRecipe recipe = {.kind = OPTIMIZER_SGD,
                                  .schedule = kinds[i],
                                  .schedule_steps = kinds[i] == SCHEDULE_STEP ? 7 : 25,
                                  .final_factor = 0.3};
        check_kind("schedule", recipe);
        recipe.warmup_steps = 6;
        check_kind("schedule after a warm-up", recipe);
    }
}

Test(optimizer, patterns)
{
    cr_expect(pattern_matches("*", "a"));
    cr_expect(pattern_matches("*", ""));
    cr_expect(pattern_matches("a*c*e", "abcde"));
    cr_expect(pattern_matches("*.weight", "a.weight.weight"));
    cr_expect(pattern_matches("a.weight", "a.weight"));
    cr_expect(!pattern_matches("a.weight", "a.weights"));
    cr_expect(!pattern_matches("*.weight", "weight"));
    cr_expect(!pattern_matches("", "a"));
    cr_expect(!pattern_matches("a*b", "acbc"));
    PatternValue list[] = {{.pattern = "*", .value = 1}, {.pattern = "b.*", .value = 2}};
    cr_expect(pattern_value(list, 2, "a.weight") == 1);
    cr_expect(pattern_value(list, 2, "b.weight") == 2, "the last match counts");
    cr_expect(pattern_value(list + 1, 1, "a.weight") == 0);
}
