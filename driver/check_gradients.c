/* `ingot check --gradients`: can gradients go through the model, from its outputs to its inputs,
 * and are they right?
 *
 *     loss = Σ output · weight, over all outputs of floats, with weights between 1/2 and 3/2
 *           and without those that are not finite
 *
 * Its gradient with respect to every input of floats becomes an output of `infer`, and is compared
 * like any other: compiled code with the evaluator. The evaluator's own is compared with central
 * differences of the loss, in float64, at some elements of each input. Inputs are moved a little
 * first, off the places where a function has a kink that sample data like to sit on. */
#include <math.h>
#include <string.h>

#include "driver/check.h"
#include "passes/passes.h"

enum { ELEMENTS = 6 }; /* of an input that are moved to and fro */

/* Infinities and what is no number would hide all else in the sum. */
static Node *finite_or_zero(Function *f, Node *x)
{
    Node *infinity = graph_scalar(f, x->type.element, INFINITY);
    Node *is_finite = graph_binary(f, OP_lt, graph_unary(f, OP_abs, x), infinity);
    return graph_select(f, is_finite, x, graph_scalar(f, x->type.element, 0));
}

static Node *weighted(Function *f, Node *x)
{
    int64_t count = type_elements(&x->type);
    Arena *arena = f->program->arena;
    float *weights = ARENA_ARRAY(arena, float, count);
    for (int64_t i = 0; i < count; i++)
        weights[i] = 0.5f + (float)(i * 7919 % 1009) / 1009;
    Node *w = graph_constant(f, type_make(TYPE_F32, x->type.rank, x->type.dims), weights);
    w = graph_cast(f, w, x->type.element);
    Node *sum = graph_reduce_all(f, OP_reduce_sum, graph_mul(f, x, w));
    return graph_cast(f, sum, TYPE_F32);
}

static Node *loss_of_outputs(Function *f)
{
    Node *loss = NULL;
    for (int i = 0; i < f->result_count; i++) {
        Node *x = f->results[i].node;
        if (!element_is_float(x->type.element))
            continue;
        if (element_bytes(x->type.element) < 4)
            x = graph_cast(f, x, TYPE_F32);
        Node *sum = weighted(f, finite_or_zero(f, x));
        loss = loss ? graph_add(f, loss, sum) : sum;
    }
    return loss;
}

bool check_gradients_add(Compilation *compilation)
{
    Function *f = program_find_function(compilation->model->program, "infer");
    Arena *arena = compilation->arena;
    Node **inputs = ARENA_ARRAY(arena, Node *, f->input_count), *loss = loss_of_outputs(f);
    int count = 0;
    for (int i = 0; i < f->input_count; i++)
        if (element_is_float(f->inputs[i]->type.element))
            inputs[count++] = f->inputs[i];
    if (!loss || count == 0)
        return diag_error(compilation->diag, "--gradients",
                          "the model has no %s of floats, so there are none",
                          loss ? "input" : "output");
    Node **gradients = ARENA_ARRAY(arena, Node *, count);
    if (!gradient_build_nodes(f, loss, count, inputs, gradients))
        return false;
    function_add_result(f, "loss", loss);
    for (int i = 0; i < count; i++)
        if (gradients[i])
            function_add_result(f, arena_print(arena, "gradient.%s", inputs[i]->attr.text),
                                gradients[i]);
    return true;
}

/* ---- central differences ---- */

/* The last of that name: the model may have a "loss" of its own. */
static int find_tensor(const CheckCall *call, const char *name)
{
    for (int i = call->function->result_count - 1; i >= 0; i--)
        if (strcmp(call->function->results[i].name, name) == 0)
            return i;
    return -1;
}

static double loss_at(const Check *check, const CheckCall *call)
{
    Arena *arena = arena_create();
    const Program *program = check->plain.model->program;
    Value *states = ARENA_ARRAY(arena, Value, program->state_count);
    Value *results = ARENA_ARRAY(arena, Value, call->function->result_count);
    for (int i = 0; i < program->state_count; i++)
        states[i] = value_read(arena, program->states[i]->type, check->states[i]);
    graph_evaluate(arena, EVALUATE_F64, call->function, call->inputs, states, results);
    double loss = results[find_tensor(call, "loss")].numbers[0];
    arena_destroy(arena);
    return loss;
}

static double largest(const Value *value)
{
    double most = 0;
    for (int64_t i = 0; i < type_elements(&value->type); i++)
        most = fmax(most, fabs(value->numbers[i]));
    return most;
}

static void compare_element(Check *check, const CheckCall *call, int input, int64_t element,
                            double gradient, double scale)
{
    double *x = &call->inputs[input].numbers[element], kept = *x;
    if (!isfinite(kept))
        return;
    double step = 1e-5 * fmax(1, fabs(kept));
    *x = kept + step;
    double above = loss_at(check, call);
    *x = kept - step;
    double below = loss_at(check, call);
    *x = kept;
    double difference = (above - below) / (2 * step);
    double allowed = 1e-4 * fmax(scale, fabs(difference)) + 1e-9 * fabs(above) / step;
    if (fabs(difference - gradient) <= allowed)
        return;
    check->wrong++;
    printf("the gradient by %s[%s] is %.9g, but central differences say %.9g\n",
           call->function->inputs[input]->attr.text,
           check_shown_place(check->arena, &call->inputs[input].type, element), gradient,
           difference);
}

void check_gradients_nudge(const CheckCall *call)
{
    uint32_t random = 1;
    for (int i = 0; i < call->function->input_count; i++) {
        Value *value = &call->inputs[i];
        bool half = element_bytes(value->type.element) < 4; /* could not hold the difference */
        for (int64_t j = 0; value->numbers && !half && j < type_elements(&value->type); j++) {
            double part = 1 + 1e-3 * random_uniform(7, random),
                   more = 1e-3 * random_uniform(8, random);
            value->numbers[j] = (float)(value->numbers[j] * part + more);
            random++;
        }
    }
}

void check_gradients_differ(Check *check, const CheckCall *call)
{
    for (int i = 0; i < call->function->input_count; i++) {
        const Node *input = call->function->inputs[i];
        int64_t count = type_elements(&input->type);
        if (!element_is_float(input->type.element) || count == 0)
            continue;
        int tensor = find_tensor(call, arena_print(check->arena, "gradient.%s", input->attr.text));
        const Value *gradient = tensor < 0 ? NULL : &call->tensors[tensor].exact;
        double scale = gradient ? largest(gradient) : 0;
        for (int64_t e = 0; e < ELEMENTS && e < count; e++) {
            int64_t element = count <= ELEMENTS ? e : (e * 7919 + 13) % count;
            compare_element(check, call, i, element, gradient ? gradient->numbers[element] : 0,
                            scale);
        }
    }
}
