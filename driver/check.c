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
#include "driver/commands.h"
#include "driver/compile.h"
#include "driver/probe.h"
#include "driver/tolerance.h"
#include "passes/passes.h"

typedef struct Check {
    Arena *arena; /* of one call */
    Diag *diag;
    const Options *options;
    Compilation compiled, plain;
    Probe probe;
    void **states; /* dense, by State.index: what the next call starts from */
    uint32_t random;
    int wrong;
    int64_t tensors;
} Check;

/* --- random numbers --- */

static double next_uniform(Check *check)
{
    return random_uniform((uint32_t)check->options->seed, check->random++);
}

static int64_t classes_of(const Model *model, const char *input)
{
    for (int i = 0; i < model->label_count; i++)
        if (strcmp(model->labels[i].tensor, input) == 0)
            return model->labels[i].classes;
    return 2;
}

/* Is it an input of the network, not a target? Then it may be negative. */
static bool feeds_infer(const Program *program, const char *input)
{
    const Function *infer = program_find_function(program, "infer");
    for (int i = 0; infer && i < infer->input_count; i++)
        if (strcmp(infer->inputs[i]->attr.text, input) == 0)
            return true;
    return false;
}

/* rows: all but the last; seed: the option; labels: legal ones; targets: 0 … 1; the rest: -1 … 1 */
static Value random_input(Check *check, const Function *function, const Node *input)
{
    const char *name = input->attr.text;
    Value value = value_create(check->arena, input->type);
    int64_t count = type_elements(&input->type);
    bool rows = strcmp(name, "rows") == 0 && strcmp(function->name, "evaluate") == 0;
    bool seed = strcmp(function->name, "initialize") == 0;
    bool centred = feeds_infer(check->plain.model->program, name);
    for (int64_t i = 0; i < count; i++) {
        double uniform = next_uniform(check);
        if (seed)
            value.integers[i] =
                i ? (int32_t)(check->options->seed >> 32) : (int32_t)check->options->seed;
        else if (rows)
            value.numbers[i] = count == 1 || i + 1 < count;
        else if (value.integers)
            value.integers[i] = (int64_t)(uniform * (double)classes_of(check->plain.model, name));
        else
            value.numbers[i] = (float)(centred ? 2 * uniform - 1 : uniform);
    }
    return value;
}

/* --- one call --- */

/* A call of both: the evaluator twice, the compiled model once for each number of threads. */
typedef struct CallOf {
    const Function *function;
    int number; /* in the descriptor */
    Value *inputs;
    Value *exact_results, *exact_states;     /* float64 */
    Value *rounded_results, *rounded_states; /* rounded as declared */
} CallOf;

static Value *read_states(const Check *check)
{
    const Program *program = check->plain.model->program;
    Value *values = ARENA_ARRAY(check->arena, Value, program->state_count);
    for (int i = 0; i < program->state_count; i++)
        values[i] = value_read(check->arena, program->states[i]->type, check->states[i]);
    return values;
}

static void evaluate(const Check *check, CallOf *call)
{
    const Function *function = call->function;
    call->exact_states = read_states(check);
    call->exact_results = ARENA_ARRAY(check->arena, Value, function->result_count);
    graph_evaluate(check->arena, EVALUATE_F64, function, call->inputs, call->exact_states,
                   call->exact_results);
    call->rounded_states = read_states(check);
    call->rounded_results = ARENA_ARRAY(check->arena, Value, function->result_count);
    graph_evaluate(check->arena, EVALUATE_F32, function, call->inputs, call->rounded_states,
                   call->rounded_results);
}

/* The call as probe.c reads it. */
static Text write_call(const Check *check, const CallOf *call)
{
    const Program *program = check->plain.model->program;
    Text text = text_create(check->arena);
    int32_t number = call->number;
    text_add_bytes(&text, (const char *)&number, sizeof number);
    for (int i = 0; i < program->state_count; i++)
        text_add_bytes(&text, check->states[i], (size_t)type_bytes(&program->states[i]->type));
    for (int i = 0; i < call->function->input_count; i++) {
        const TensorType *type = &call->function->inputs[i]->type;
        char *bytes = arena_alloc(check->arena, (size_t)type_bytes(type));
        value_write(&call->inputs[i], bytes);
        text_add_bytes(&text, bytes, (size_t)type_bytes(type));
    }
    return text;
}

static const char *shown_number(Arena *arena, const TensorType *type, double number)
{
    return arena_print(arena, element_is_float(type->element) ? "%.9g" : "%.0f", number);
}

static const char *shown_place(Arena *arena, const TensorType *type, int64_t element)
{
    const char *place = "";
    for (int i = type->rank - 1; i >= 0; i--) {
        place = arena_print(arena, "%lld%s%s", (long long)(element % type->dims[i]),
                            place[0] ? "," : "", place);
        element /= type->dims[i];
    }
    return place;
}

static void report_wrong(Check *check, const CallOf *call, const char *what, const char *name,
                         const TensorType *type, Difference difference)
{
    check->wrong++;
    printf("%s: %s %s[%s] is %s, the evaluator says %s; %.2g apart, %.2g allowed\n",
           call->function->name, what, name, shown_place(check->arena, type, difference.element),
           shown_number(check->arena, type, difference.got),
           shown_number(check->arena, type, difference.want), difference.largest,
           difference.allowed);
}

typedef struct Worst {
    const char *name;
    Difference difference;
} Worst;

/* Takes the next tensor of `type` from `*bytes` and compares it. */
static void compare_tensor(Check *check, const CallOf *call, const char *what, const char *name,
                           const char **bytes, const Value *exact, const Value *rounded,
                           double depth, Worst *worst)
{
    int64_t size = type_bytes(&exact->type);
    Value got = value_read(check->arena, exact->type,
                           arena_copy_bytes(check->arena, *bytes, (size_t)size)); /* aligned */
    *bytes += size;
    check->tensors++;
    Difference difference = tolerance_compare(&got, exact, rounded, depth);
    if (difference.wrong)
        report_wrong(check, call, what, name, &exact->type, difference);
    double share = difference.allowed > 0 ? difference.largest / difference.allowed : 0;
    double worst_share =
        worst->difference.allowed > 0 ? worst->difference.largest / worst->difference.allowed : -1;
    if (share > worst_share)
        *worst = (Worst){name, difference};
}

static double depth_of_update(const Function *function, const State *state, const double *depths)
{
    for (int i = 0; i < function->update_count; i++)
        if (function->updates[i].state == state)
            return depths[node_resolve(function->updates[i].node)->id];
    return 0;
}

static Worst compare_call(Check *check, const CallOf *call, const char *bytes)
{
    const Function *function = call->function;
    const Program *program = check->plain.model->program;
    const double *depths = tolerance_depths(check->arena, function);
    Worst worst = {0};
    for (int i = 0; i < function->result_count; i++)
        compare_tensor(check, call, "output", function->results[i].name, &bytes,
                       &call->exact_results[i], &call->rounded_results[i],
                       depths[node_resolve(function->results[i].node)->id], &worst);
    for (int i = 0; i < program->state_count; i++)
        compare_tensor(check, call, "state", program->states[i]->name, &bytes,
                       &call->exact_states[i], &call->rounded_states[i],
                       depth_of_update(function, program->states[i], depths), &worst);
    return worst;
}

static int64_t results_size(const Check *check, const Function *function)
{
    const Program *program = check->plain.model->program;
    int64_t size = 0;
    for (int i = 0; i < function->result_count; i++)
        size += type_bytes(&node_resolve(function->results[i].node)->type);
    for (int i = 0; i < program->state_count; i++)
        size += type_bytes(&program->states[i]->type);
    return size;
}

/* Runs the compiled model; with threads, twice, and both must agree. */
static bool run_compiled(Check *check, const CallOf *call, char **results)
{
    Text text = write_call(check, call);
    size_t size, size_of_two;
    char *results_of_two;
    if (!probe_run(&check->probe, check->arena, text.data, text.length, 1, results, &size))
        return false;
    if ((int64_t)size != results_size(check, call->function))
        INGOT_BUG("%s wrote %zu bytes, not %lld", call->function->name, size,
                  (long long)results_size(check, call->function));
    if (check->options->threads != THREADS_OPENMP)
        return true;
    if (!probe_run(&check->probe, check->arena, text.data, text.length, 2, &results_of_two,
                   &size_of_two))
        return false;
    if (size != size_of_two || memcmp(*results, results_of_two, size) != 0) {
        printf("%s: two threads give other bits than one\n", call->function->name);
        check->wrong++;
    }
    return true;
}

static void report_call(const CallOf *call, int64_t tensors, const Worst *worst)
{
    char batch[32] = "";
    if (call->function->batch)
        snprintf(batch, sizeof batch, "batch %lld", (long long)call->function->batch);
    printf("%-14s %-10s %4lld tensor%s  ", call->function->name, batch, (long long)tensors,
           tensors == 1 ? " " : "s");
    if (worst->name && worst->difference.largest > 0)
        printf("worst %.1e of %.1e allowed: %s\n", worst->difference.largest,
               worst->difference.allowed, worst->name);
    else
        printf("equal\n");
}

static bool check_call(Check *check, int function_index, int number)
{
    CallOf call = {.function = check->plain.model->program->functions[function_index],
                   .number = number};
    call.inputs = ARENA_ARRAY(check->arena, Value, call.function->input_count);
    for (int i = 0; i < call.function->input_count; i++)
        call.inputs[i] = random_input(check, call.function, call.function->inputs[i]);
    evaluate(check, &call);
    char *results;
    if (!run_compiled(check, &call, &results))
        return false;
    int64_t before = check->tensors;
    Worst worst = compare_call(check, &call, results);
    report_call(&call, check->tensors - before, &worst);
    for (int i = 0; i < check->plain.model->program->state_count; i++)
        value_write(&call.rounded_states[i], check->states[i]);
    return true;
}

/* --- all calls --- */

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
    bool done = probe_create(&check.probe, &check.compiled) && check_functions(&check);
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
