/* `ingot check MODEL.onnx --inputs DIR`: runs the compiled model on tensors from files, and
 * compares what comes out with the tensors that another program has computed from them.
 *
 *     Plus214_Output_0   f32[1,10]    within 3.1e-07 of the largest
 *     all 1 tensors agree: x86_64-linux-gnu, x86-64-v4
 *
 * Integers must be equal. Floats may be off by 1e-4 of the largest magnitude of their tensor, and
 * each by a thousandth of itself, or 1e-5 of the largest and two units of floats near 1: ONNX's own
 * tests ask for the thousandth, which says too much of sums that come out next to nothing, and of
 * functions that other programs approximate to so many digits. Half floats get four units of
 * theirs.
 *
 * What differs is told apart by the evaluator. If compiled code and evaluator agree, the model has
 * been read wrongly, or the files are of another one; else the first operation is sought whose
 * compiled value is not the evaluator's, when every value is an output. */
#include <math.h>
#include <string.h>

#include "driver/check.h"
#include "frontend/onnx/tensor.h"
#include "ir/element.h"

typedef struct Expected { /* what should come out */
    const char *name, *path;
    Value value;
} Expected;

static bool read_value(Check *check, const char *path, Value *value)
{
    TensorType type;
    const void *data;
    if (!onnx_value_file_read(check->diag, path, &type, &data))
        return false;
    *value = value_read(check->arena, type, data);
    return true;
}

static int number_of(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

/* Fills call->inputs from the files; false and an error when one is missing or does not fit. */
static bool read_inputs(Check *check, CheckCall *call)
{
    const Model *model = check->plain.model;
    const char *folder = check->options->bindings->samples;
    call->inputs = ARENA_ARRAY(check->arena, Value, call->function->input_count);
    for (int i = 0; i < call->function->input_count; i++) {
        const Node *input = call->function->inputs[i];
        const char *name = input->attr.text;
        int number = number_of(model->input_names, model->input_count, name);
        const char *path = sample_file(check->arena, folder, false, number, name);
        char wants[TYPE_TEXT_BYTES], has[TYPE_TEXT_BYTES];
        if (!path)
            return diag_error(check->diag, "--inputs",
                              "%s holds no in_%s.npy and no input_%d.pb for the input \"%s\"",
                              folder, name, number, name);
        if (!read_value(check, path, &call->inputs[i]))
            return false;
        if (!type_equal(&call->inputs[i].type, &input->type))
            return diag_error(check->diag, path, "is %s, but the input \"%s\" is %s",
                              type_print(&call->inputs[i].type, has), name,
                              type_print(&input->type, wants));
    }
    return true;
}

/* ---- comparing with files ---- */

/* The length result of an output, as it came out; -1: it has none. */
static int64_t found_length(const Check *check, const CheckCall *call, const char *name, int *axis)
{
    const Model *model = check->plain.model;
    for (int i = 0; i < model->length_count; i++) {
        if (strcmp(model->lengths[i].result, name) != 0)
            continue;
        *axis = model->lengths[i].axis;
        for (int j = 0; j < call->function->result_count; j++)
            if (strcmp(call->function->results[j].name, model->lengths[i].length) == 0)
                return call->tensors[j].got.integers[0];
    }
    return -1;
}

/* The first `length` slices of a value along an axis. */
static Value cut(Arena *arena, const Value *value, int axis, int64_t length)
{
    TensorType type = value->type;
    if (length < 0 || length > type.dims[axis])
        return *value;
    type.dims[axis] = length;
    Value result = value_create(arena, type);
    int64_t inner = 1, outer = 1;
    for (int i = axis + 1; i < type.rank; i++)
        inner *= type.dims[i];
    for (int i = 0; i < axis; i++)
        outer *= type.dims[i];
    size_t bytes = (size_t)(length * inner) * 8;
    for (int64_t o = 0; o < outer; o++) {
        int64_t from = o * value->type.dims[axis] * inner, to = o * length * inner;
        if (value->numbers)
            memcpy(result.numbers + to, value->numbers + from, bytes);
        else
            memcpy(result.integers + to, value->integers + from, bytes);
    }
    return result;
}

static bool same_float(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static double unit_of(ElementType element)
{
    return fmax(element_unit(element), 0x1p-23);
}

/* largest, allowed: parts of the largest magnitude */
static Difference compare_floats(const Value *got, const Value *want)
{
    double magnitude = 0, unit = unit_of(want->type.element);
    int64_t count = type_elements(&want->type);
    for (int64_t i = 0; i < count; i++)
        if (isfinite(want->numbers[i]))
            magnitude = fmax(magnitude, fabs(want->numbers[i]));
    Difference worst = {.allowed = fmax(1e-4, 4 * unit)};
    double near = fmax(1e-5, unit) * magnitude + 0x1p-22, part = fmax(1e-3, 4 * unit);
    for (int64_t i = 0; i < count; i++) {
        double g = got->numbers[i], w = want->numbers[i];
        double apart = same_float(g, w) ? 0 : fabs(g - w);
        apart = isfinite(apart) ? apart : INFINITY;
        bool wrong = apart > near && apart > part * fabs(w);
        wrong = wrong || apart > worst.allowed * magnitude + 1e-7;
        apart = magnitude > 0 ? apart / magnitude : apart;
        if (apart <= worst.largest && (worst.wrong || !wrong))
            continue;
        worst = (Difference){.largest = apart,
                             .allowed = worst.allowed,
                             .element = i,
                             .got = g,
                             .want = w,
                             .wrong = worst.wrong || wrong};
    }
    return worst;
}

static Difference compare_values(const Value *got, const Value *want)
{
    if (element_is_float(want->type.element))
        return compare_floats(got, want);
    for (int64_t i = 0; i < type_elements(&want->type); i++)
        if (got->integers[i] != want->integers[i])
            return (Difference){.largest = INFINITY,
                                .element = i,
                                .got = (double)got->integers[i],
                                .want = (double)want->integers[i],
                                .wrong = true};
    return (Difference){0};
}

static void compare_output(Check *check, const CheckCall *call, int result, const Expected *want)
{
    int axis = 0;
    const char *name = want->name;
    Value got = call->tensors[result].got;
    int64_t length = found_length(check, call, name, &axis);
    got = length < 0 ? got : cut(check->arena, &got, axis, length);
    const char *type = type_print(&got.type, (char[TYPE_TEXT_BYTES]){0});
    check->tensors++;
    if (!type_equal(&got.type, &want->value.type)) {
        printf("%-24s %s, but %s is %s\n", name, type, want->path,
               type_print(&want->value.type, (char[TYPE_TEXT_BYTES]){0}));
        check->wrong++;
        return;
    }
    Difference d = compare_values(&got, &want->value);
    check->wrong += d.wrong;
    if (!d.wrong && d.largest == 0)
        printf("%-24s %-16s equal\n", name, type);
    else if (!d.wrong)
        printf("%-24s %-16s within %.1e of the largest\n", name, type, d.largest);
    else
        printf("%-24s %-16s [%s] is %s, but %s says %s\n", name, type,
               check_shown_place(check->arena, &got.type, d.element),
               check_shown_number(check->arena, &got.type, d.got), want->path,
               check_shown_number(check->arena, &got.type, d.want));
}

/* Compares every output there is a file for; *count of them. */
static bool compare_outputs(Check *check, const CheckCall *call, int *count)
{
    const Model *model = check->plain.model;
    *count = 0;
    for (int i = 0; i < call->function->result_count; i++) {
        Expected want = {.name = call->function->results[i].name};
        int number = number_of(model->output_names, model->output_count, want.name);
        if (number < 0)
            continue;
        want.path =
            sample_file(check->arena, check->options->bindings->samples, true, number, want.name);
        if (!want.path)
            continue;
        if (!read_value(check, want.path, &want.value))
            return false;
        compare_output(check, call, i, &want);
        (*count)++;
    }
    return true;
}

/* ---- comparing with the evaluator ---- */

static int compare_evaluator(Check *check, CheckCall *call)
{
    int wrong = 0;
    for (int i = 0; i < call->function->result_count; i++) {
        const CheckTensor *t = &call->tensors[i];
        if (!t->difference.wrong)
            continue;
        wrong++;
        printf("%s[%s] is %s, the evaluator says %s\n", t->name,
               check_shown_place(check->arena, &t->exact.type, t->difference.element),
               check_shown_number(check->arena, &t->exact.type, t->difference.got),
               check_shown_number(check->arena, &t->exact.type, t->difference.want));
    }
    return wrong;
}

static bool check_sample_gradients(Check *check, CheckCall *call)
{
    check_gradients_nudge(call);
    if (!check_call_compare(check, call))
        return false;
    check->tensors += call->function->result_count;
    check->wrong += compare_evaluator(check, call);
    check_gradients_differ(check, call);
    return true;
}

bool check_samples(Check *check)
{
    CheckCall call = {.function = check->plain.model->program->functions[0]};
    int files;
    check->arena = check->options->arena;
    if (!read_inputs(check, &call))
        return false;
    check_call_list(check, &call);
    for (int i = 0; i < call.tensor_count; i++) {
        bool output = i < call.function->result_count;
        const Program *program = check->plain.model->program;
        call.tensors[i].exact.type = output ? call.function->results[i].node->type
                                            : program->states[call.tensors[i].state]->type;
    }
    if (check->options->gradients)
        return check_sample_gradients(check, &call);
    if (!check_call_run(check, &call) || !compare_outputs(check, &call, &files))
        return false;
    if (files && !check->wrong)
        return true;
    if (!check_call_compare(check, &call))
        return false;
    int wrong = compare_evaluator(check, &call);
    if (wrong)
        check_locate(check, &call);
    if (!files) {
        check->tensors += call.function->result_count;
        check->wrong += wrong;
    } else if (!wrong) {
        printf("the evaluator agrees with the compiled model: it computes what has been read\n");
    }
    return true;
}
