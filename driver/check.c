/* `ingot check`: builds the model twice, once into machine code and once as the plain graph the
 * frontend made, runs both on the same random numbers, and compares every output and every state
 * after every call.
 *
 *     initialize                  14 tensors  equal
 *     infer          batch 1       1 tensor   worst 2.1e-07 of 1.3e-06 allowed: probabilities
 *     train_step     batch 8      28 tensors  worst 3.0e-08 of 2.4e-07 allowed: conv1.weight
 *
 * With --train the gradient of the loss with respect to every parameter is an output too. Each call
 * starts from the states that the evaluator left, so that differences do not pile up. With threads,
 * results of one and of two must be the same bits. */
#include <string.h>

#include "codegen/public.h"
#include "driver/check.h"
#include "driver/commands.h"
#include "passes/passes.h"

static bool check_function(Check *check, int function_index, int number, int times)
{
    for (int i = 0; i < times; i++) {
        check->arena = arena_create();
        bool done = check_call(check, function_index, number);
        arena_destroy(check->arena);
        if (!done)
            return false;
    }
    return true;
}

/* First `initialize`, then all others; a step of training twice, since the optimizer's states are
 * noughts before the first. */
static bool check_functions(Check *check)
{
    Program *program = check->plain.model->program;
    const int *order = public_function_order(check->options->arena, program);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < program->function_count; i++) {
            const char *name = program->functions[order[i]]->name;
            bool first = strcmp(name, "initialize") == 0;
            int times = strcmp(name, "train_step") == 0 ? 2 : 1;
            if (first == (round == 0) && !check_function(check, order[i], i, times))
                return false;
        }
    return true;
}

static void create_states(Check *check)
{
    Program *program = check->plain.model->program;
    check->states = ARENA_ARRAY(check->options->arena, void *, program->state_count);
    for (int i = 0; i < program->state_count; i++) {
        size_t size = (size_t)type_bytes(&program->states[i]->type);
        check->states[i] = arena_alloc(check->options->arena, size);
        if (program->states[i]->value)
            memcpy(check->states[i], program->states[i]->value, size);
    }
}

/* Gives train_step the output "gradient.NAME" for each parameter that is trained. */
static bool add_gradients(Compilation *compilation)
{
    Program *program = compilation->model->program;
    Function *step = program_find_function(program, "train_step");
    State **parameters = ARENA_ARRAY(compilation->arena, State *, program->state_count);
    int count = 0;
    for (int i = 0; i < program->state_count; i++)
        if (program->states[i]->parameter && !program->states[i]->frozen)
            parameters[count++] = program->states[i];
    Node **gradients = ARENA_ARRAY(compilation->arena, Node *, count);
    if (!gradient_build(step, step->results[0].node, count, parameters, gradients))
        return false;
    for (int i = 0; i < count; i++)
        if (gradients[i])
            function_add_result(step,
                                arena_print(compilation->arena, "gradient.%s", parameters[i]->name),
                                gradients[i]);
    return true;
}

static bool build_both(Check *check)
{
    Compilation *both[] = {&check->plain, &check->compiled};
    for (int i = 0; i < 2; i++) {
        if (!compile_read(both[i], check->options))
            return false;
        if (check->options->train && !add_gradients(both[i]))
            return false;
        if (check->options->gradients && !check_gradients_add(both[i]))
            return false;
    }
    return compile_optimizer(&check->plain) && compile_rest(&check->compiled, LEVEL_NEST);
}

static void report(const Check *check)
{
    const Target *target = &check->options->target;
    if (check->wrong)
        printf("%d of %lld tensors differ: %s, %s\n", check->wrong, (long long)check->tensors,
               target->triple, target->name);
    else
        printf("all %lld tensors agree: %s, %s\n", (long long)check->tensors, target->triple,
               target->name);
}

static int check_model(const Options *options)
{
    Check check = {.diag = options->diag, .options = options};
    if (!build_both(&check))
        return 1;
    create_states(&check);
    bool samples = options->bindings->samples != NULL;
    bool done = probe_create(&check.probe, &check.compiled) &&
                (samples ? check_samples(&check) : check_functions(&check));
    probe_remove(&check.probe);
    if (!done)
        return 1;
    report(&check);
    return check.wrong ? 1 : 0;
}

int command_check(const Options *given)
{
    Options options = *given;
    if (options.train_batch == 0)
        options.train_batch = 8; /* the evaluator is slow */
    return check_model(&options);
}
