/* One call of `ingot check`, by the evaluator and by the compiled model; see check.h.
 *
 * A comparison or a maximum turns on a number that rounding can push to the other side: then a
 * gradient jumps, and both results are right. So where something differs, the evaluator runs again
 * on inputs and states that are nudged, from one rounding error of float up to what long sums
 * gather of them, and what its own results lie apart then is allowed too. It does so in both
 * precisions: of a result that is nothing but rounding errors, such as the square of a gradient
 * that is 0 (the bias of the keys of an attention has one), once says little. */
#include <math.h>
#include <string.h>

#include "driver/check.h"
#include "ir/element.h"

enum { NUDGES = 16 };

/* --- what goes in --- */

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
            value.numbers[i] =
                element_round(input->type.element, (float)(centred ? 2 * uniform - 1 : uniform));
    }
    return value;
}

static Value *read_states(const Check *check)
{
    const Program *program = check->plain.model->program;
    Value *values = ARENA_ARRAY(check->arena, Value, program->state_count);
    for (int i = 0; i < program->state_count; i++)
        values[i] = value_read(check->arena, program->states[i]->type, check->states[i]);
    return values;
}

/* A copy with every float changed by a random part of itself, `most` at most. */
static Value nudged(Check *check, const Value *value, double most)
{
    Value copy = value_create(check->arena, value->type);
    for (int64_t i = 0; i < type_elements(&value->type); i++) {
        if (copy.integers)
            copy.integers[i] = value->integers[i];
        else
            copy.numbers[i] = value->numbers[i] * (1 + most * (2 * next_uniform(check) - 1));
    }
    return copy;
}

/* --- the evaluator --- */

static Value *evaluate(const Check *check, const CheckCall *call, EvaluatePrecision precision,
                       const Value *inputs, Value *states)
{
    const Function *function = call->function;
    Value *all = ARENA_ARRAY(check->arena, Value, call->tensor_count);
    graph_evaluate(check->arena, precision, function, inputs, states, all);
    for (int i = function->result_count; i < call->tensor_count; i++)
        all[i] = states[call->tensors[i].state];
    return all;
}

static double depth_of_update(const Function *function, const State *state, const double *depths)
{
    for (int i = 0; i < function->update_count; i++)
        if (function->updates[i].state == state)
            return depths[node_resolve(function->updates[i].node)->id];
    return 0;
}

/* Those that are constants of the compiled program (--freeze) it does not have. */
static bool has_state(const Check *check, const State *state)
{
    return program_find_state(check->compiled.model->program, state->name) != NULL;
}

void check_call_list(const Check *check, CheckCall *call)
{
    const Function *function = call->function;
    const Program *program = check->plain.model->program;
    const double *depths = tolerance_depths(check->arena, function);
    call->tensors =
        ARENA_ARRAY(check->arena, CheckTensor, function->result_count + program->state_count);
    for (int i = 0; i < function->result_count; i++)
        call->tensors[call->tensor_count++] =
            (CheckTensor){.what = "output",
                          .name = function->results[i].name,
                          .depth = depths[node_resolve(function->results[i].node)->id]};
    for (int i = 0; i < program->state_count; i++) {
        if (!has_state(check, program->states[i]))
            continue;
        call->tensors[call->tensor_count++] =
            (CheckTensor){.what = "state",
                          .name = program->states[i]->name,
                          .state = i,
                          .depth = depth_of_update(function, program->states[i], depths)};
    }
}

static void evaluate_both_ways(Check *check, CheckCall *call)
{
    Value *exact = evaluate(check, call, EVALUATE_F64, call->inputs, read_states(check));
    Value *rounded = evaluate(check, call, EVALUATE_F32, call->inputs, read_states(check));
    for (int i = 0; i < call->tensor_count; i++) {
        call->tensors[i].exact = exact[i];
        call->tensors[i].rounded = rounded[i];
        call->tensors[i].noise = tolerance_distance(&exact[i], &rounded[i]);
    }
}

static void evaluate_nudged(Check *check, CheckCall *call, double most)
{
    Arena *outer = check->arena;
    check->arena = arena_create();
    Value *inputs = ARENA_ARRAY(check->arena, Value, call->function->input_count);
    for (int i = 0; i < call->function->input_count; i++)
        inputs[i] = nudged(check, &call->inputs[i], most);
    int count = check->plain.model->program->state_count;
    Value *states = read_states(check), *same = ARENA_ARRAY(check->arena, Value, count);
    for (int i = 0; i < count; i++) {
        states[i] = nudged(check, &states[i], most);
        same[i] = nudged(check, &states[i], 0);
    }
    Value *exact = evaluate(check, call, EVALUATE_F64, inputs, states);
    Value *rounded = evaluate(check, call, EVALUATE_F32, inputs, same);
    for (int i = 0; i < call->tensor_count; i++) {
        CheckTensor *t = &call->tensors[i];
        t->noise = fmax(t->noise, tolerance_distance(&t->exact, &exact[i]));
        t->noise = fmax(t->noise, tolerance_distance(&exact[i], &rounded[i]));
    }
    arena_destroy(check->arena);
    check->arena = outer;
}

/* --- the compiled model --- */

/* The call as probe.c reads it. */
static Text write_call(const Check *check, const CheckCall *call)
{
    const Program *program = check->plain.model->program;
    Text text = text_create(check->arena);
    int32_t number = call->number;
    text_add_bytes(&text, (const char *)&number, sizeof number);
    for (int i = 0; i < program->state_count; i++)
        if (has_state(check, program->states[i]))
            text_add_bytes(&text, check->states[i], (size_t)type_bytes(&program->states[i]->type));
    for (int i = 0; i < call->function->input_count; i++) {
        const TensorType *type = &call->function->inputs[i]->type;
        char *bytes = arena_alloc(check->arena, (size_t)type_bytes(type));
        value_write(&call->inputs[i], bytes);
        text_add_bytes(&text, bytes, (size_t)type_bytes(type));
    }
    return text;
}

static void read_results(const Check *check, const CheckCall *call, const char *bytes, size_t size)
{
    for (int i = 0; i < call->tensor_count; i++) {
        TensorType type = call->tensors[i].exact.type;
        size_t tensor_size = (size_t)type_bytes(&type);
        if (tensor_size > size)
            INGOT_BUG("the results of %s end in %s", call->function->name, call->tensors[i].name);
        const char *aligned = arena_copy_bytes(check->arena, bytes, tensor_size);
        call->tensors[i].got = value_read(check->arena, type, aligned);
        bytes += tensor_size;
        size -= tensor_size;
    }
    if (size)
        INGOT_BUG("the results of %s are %zu bytes too long", call->function->name, size);
}

/* Runs the compiled model; with threads, twice, and both must agree. */
bool check_call_run(Check *check, const CheckCall *call)
{
    Text text = write_call(check, call);
    size_t size, size_of_two;
    char *results, *results_of_two;
    if (!probe_run(&check->probe, check->arena, text.data, text.length, 1, &results, &size))
        return false;
    read_results(check, call, results, size);
    ThreadKind threads = check->options->threads;
    if (threads != THREADS_PTHREADS && threads != THREADS_OPENMP)
        return true;
    if (!probe_run(&check->probe, check->arena, text.data, text.length, 2, &results_of_two,
                   &size_of_two))
        return false;
    if (size != size_of_two || memcmp(results, results_of_two, size) != 0) {
        printf("%s: two threads give other bits than one\n", call->function->name);
        check->wrong++;
    }
    return true;
}

/* --- comparing --- */

static bool compare(const CheckCall *call)
{
    bool agree = true;
    for (int i = 0; i < call->tensor_count; i++) {
        CheckTensor *t = &call->tensors[i];
        t->difference = tolerance_compare(&t->got, &t->exact, &t->rounded, t->depth, t->noise);
        agree = agree && !t->difference.wrong;
    }
    return agree;
}

const char *check_shown_number(Arena *arena, const TensorType *type, double number)
{
    return arena_print(arena, element_is_float(type->element) ? "%.9g" : "%.0f", number);
}

const char *check_shown_place(Arena *arena, const TensorType *type, int64_t element)
{
    const char *place = "";
    for (int i = type->rank - 1; i >= 0; i--) {
        place = arena_print(arena, "%lld%s%s", (long long)(element % type->dims[i]),
                            place[0] ? "," : "", place);
        element /= type->dims[i];
    }
    return place;
}

static void report_wrong(const Check *check, const CheckCall *call, const CheckTensor *tensor)
{
    const Difference *difference = &tensor->difference;
    const TensorType *type = &tensor->exact.type;
    printf("%s: %s %s[%s] is %s, the evaluator says %s; %.2g apart, %.2g allowed\n",
           call->function->name, tensor->what, tensor->name,
           check_shown_place(check->arena, type, difference->element),
           check_shown_number(check->arena, type, difference->got),
           check_shown_number(check->arena, type, difference->want), difference->largest,
           difference->allowed);
}

/* How much of what is allowed a tensor uses. */
static double share_of(const Difference *difference)
{
    return difference->allowed > 0 ? difference->largest / difference->allowed : 0;
}

static void report(Check *check, const CheckCall *call)
{
    const CheckTensor *worst = NULL;
    for (int i = 0; i < call->tensor_count; i++) {
        const CheckTensor *tensor = &call->tensors[i];
        if (tensor->difference.wrong) {
            check->wrong++;
            report_wrong(check, call, tensor);
        }
        if (!worst || share_of(&tensor->difference) > share_of(&worst->difference))
            worst = tensor;
    }
    check->tensors += call->tensor_count;
    char batch[32] = "";
    if (call->function->batch)
        snprintf(batch, sizeof batch, "batch %lld", (long long)call->function->batch);
    const char *name = arena_print(check->arena, "%s%s%s", call->function->name,
                                   call->function->size_count ? " " : "",
                                   function_sizes_text(check->arena, call->function));
    printf("%-14s %-10s %4d tensor%s  ", name, batch, call->tensor_count,
           call->tensor_count == 1 ? " " : "s");
    if (worst && worst->difference.largest > 0)
        printf("worst %.1e of %.1e allowed: %s\n", worst->difference.largest,
               worst->difference.allowed, worst->name);
    else
        printf("equal\n");
}

bool check_call_compare(Check *check, CheckCall *call)
{
    evaluate_both_ways(check, call);
    if (!check_call_run(check, call))
        return false;
    for (int nudges = 0; !compare(call) && nudges < NUDGES; nudges++)
        evaluate_nudged(check, call, 0x1p-23 * (double)(1 << nudges / 2));
    return true;
}

bool check_call(Check *check, int function_index, int number)
{
    CheckCall call = {.function = check->plain.model->program->functions[function_index],
                      .number = number};
    call.inputs = ARENA_ARRAY(check->arena, Value, call.function->input_count);
    for (int i = 0; i < call.function->input_count; i++)
        call.inputs[i] = random_input(check, call.function, call.function->inputs[i]);
    check_call_list(check, &call);
    if (!check_call_compare(check, &call))
        return false;
    int wrong = check->wrong;
    report(check, &call);
    if (check->wrong > wrong)
        check_locate(check, &call);
    if (check->options->gradients && strcmp(call.function->name, "infer") == 0)
        check_gradients_differ(check, &call);
    for (int i = call.function->result_count; i < call.tensor_count; i++)
        value_write(&call.tensors[i].rounded, check->states[call.tensors[i].state]);
    return true;
}
