/* Runs graphs by the evaluators of the op table: values in and out, rounding, the order of
 * evaluation. See eval.h.
 *
 * Rounding happens here alone, once per node: a rule computes in double, and in EVALUATE_F32 what
 * is declared f32 is then rounded to float, f16 and bf16 likewise. For +, -, *, / and sqrt that is
 * the correctly rounded f32 result; for the others it is the best f32 there is. Integers wrap to
 * their width in both modes. */
#include "ir/eval.h"

#include "ir/element.h"
#include "ir/eval_node.h"

static Evaluate *const rules[OP_COUNT] = {
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate) evaluate_##evaluate,
#include "ir/ops.def"
#undef OP
};

Value value_create(Arena *arena, TensorType type)
{
    Value value = {.type = type};
    int64_t count = type_elements(&type);
    if (type_is_tuple(&type))
        return value;
    if (element_is_float(type.element))
        value.numbers = ARENA_ARRAY(arena, double, count);
    else
        value.integers = ARENA_ARRAY(arena, int64_t, count);
    return value;
}

Value value_read(Arena *arena, TensorType type, const void *data)
{
    Value value = value_create(arena, type);
    int64_t count = type_elements(&type);
    for (int64_t i = 0; i < count; i++) {
        if (value.numbers)
            value.numbers[i] = element_number(type.element, data, i);
        else
            value.integers[i] = element_integer(type.element, data, i);
    }
    return value;
}

void value_write(const Value *value, void *data)
{
    int64_t count = type_elements(&value->type);
    for (int64_t i = 0; i < count; i++) {
        if (value->numbers)
            element_set_number(value->type.element, data, i, value->numbers[i]);
        else
            element_set_integer(value->type.element, data, i, value->integers[i]);
    }
}

static void round_to_type(EvaluatePrecision precision, Value *value)
{
    int64_t count = type_elements(&value->type);
    if (value->parts)
        return;
    if (value->integers) {
        for (int64_t i = 0; i < count; i++)
            value->integers[i] = element_wrap(value->type.element, value->integers[i]);
    } else if (precision == EVALUATE_F32) {
        for (int64_t i = 0; i < count; i++)
            value->numbers[i] = element_round(value->type.element, value->numbers[i]);
    }
}

Value node_evaluate(Arena *arena, EvaluatePrecision precision, const Node *node,
                    const Value *inputs)
{
    Value out = value_create(arena, node->type);
    Evaluation e = {
        .arena = arena, .precision = precision, .node = node, .in = inputs, .out = &out};
    rules[node->op](&e);
    round_to_type(precision, &out);
    return out;
}

static Value node_value(Arena *arena, EvaluatePrecision precision, const Node *node,
                        const Value *values)
{
    Value *in = ARENA_ARRAY(arena, Value, node->in_count);
    for (int i = 0; i < node->in_count; i++)
        in[i] = values[node->in[i]->id];
    return node_evaluate(arena, precision, node, in);
}

/* The values of all nodes, by id. */
static Value *all_values(Arena *arena, EvaluatePrecision precision, const Function *function,
                         const Value *inputs, const Value *states, const Value *derived)
{
    Value *values = ARENA_ARRAY(arena, Value, function->node_count);
    for (int i = 0; i < function->input_count; i++)
        values[function->inputs[i]->id] = inputs[i];
    for (int i = 0; i < function->node_count; i++) {
        const Node *node = function->nodes[i];
        if (node->id != i)
            INGOT_BUG("@%s is not numbered", function->name);
        if (node->op == OP_state)
            values[i] = (node->attr.state->derived ? derived : states)[node->attr.state->index];
        else if (node->op != OP_input)
            values[i] = node_value(arena, precision, node, values);
    }
    return values;
}

static bool reads_derived(const Function *function)
{
    for (int i = 0; i < function->node_count; i++)
        if (function->nodes[i]->op == OP_state && function->nodes[i]->attr.state->derived)
            return true;
    return false;
}

static Value *derived_values(Arena *arena, EvaluatePrecision precision, const Program *program,
                             const Value *states)
{
    const Function *prepare = program->prepare;
    Value *values = all_values(arena, precision, prepare, NULL, states, NULL);
    Value *derived = ARENA_ARRAY(arena, Value, program->derived_count);
    for (int i = 0; i < prepare->update_count; i++)
        derived[prepare->updates[i].state->index] = values[prepare->updates[i].node->id];
    return derived;
}

void graph_evaluate(Arena *arena, EvaluatePrecision precision, const Function *function,
                    const Value *inputs, Value *states, Value *results)
{
    Value *derived = reads_derived(function)
                         ? derived_values(arena, precision, function->program, states)
                         : NULL;
    Value *values = all_values(arena, precision, function, inputs, states, derived);
    for (int i = 0; i < function->result_count; i++)
        results[i] = values[function->results[i].node->id];
    for (int i = 0; i < function->update_count; i++) /* after every read: states are functional */
        states[function->updates[i].state->index] = values[function->updates[i].node->id];
}
