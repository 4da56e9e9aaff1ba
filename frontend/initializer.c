/* The function `initialize`: every state's first value, as a graph.
 *
 *     fn @initialize(%seed: i32[2]) -> () {
 *       %1: i32[1] = constant 0
 *       %2: i32[3] = concat %seed, %1 axis=0
 *       %3: f32[64,10] = random %2 stream=0 dims=[64,10]
 *       …
 *       update %w <- %5
 *     }
 *
 * Sources of the scales: Glorot and Bengio, "Understanding the difficulty of training deep
 * feedforward neural networks", 2010; He et al., "Delving deep into rectifiers", 2015; LeCun et
 * al., "Efficient backprop", 1998. Normal numbers come from two uniform ones: Box and Muller, 1958.
 */
#include "frontend/initializer.h"

#include <math.h>
#include <string.h>

static Initial uniform(double limit)
{
    return (Initial){.kind = INITIAL_UNIFORM, .value = limit};
}

static Initial normal(double deviation)
{
    return (Initial){.kind = INITIAL_NORMAL, .value = deviation};
}

static Initial scaled(const char *name, double fan_in, double fan_out)
{
    if (strcmp(name, "glorot_uniform") == 0)
        return uniform(sqrt(6 / (fan_in + fan_out)));
    if (strcmp(name, "glorot_normal") == 0)
        return normal(sqrt(2 / (fan_in + fan_out)));
    if (strcmp(name, "he_uniform") == 0)
        return uniform(sqrt(6 / fan_in));
    if (strcmp(name, "he_normal") == 0)
        return normal(sqrt(2 / fan_in));
    if (strcmp(name, "lecun_normal") == 0)
        return normal(sqrt(1 / fan_in));
    return initial_constant(strcmp(name, "ones") == 0 ? 1 : 0);
}

Initial initial_named(const char *name, double fan_in, double fan_out)
{
    Initial initial = scaled(name, fan_in, fan_out);
    initial.fan_in = fan_in;
    initial.fan_out = fan_out;
    return initial;
}

static bool read_name(Json *json, Initial *initial)
{
    const char *name;
    if (!json_string(json, &name))
        return false;
    if (!json_word_in(name, INITIALIZER_NAMES))
        return json_error(json, "unknown initializer \"%s\"%s", name,
                          json_suggest(json->file->arena, name, INITIALIZER_NAMES));
    if (json_word_in(name, "constant uniform normal"))
        return json_error(json, "\"%s\" needs a number: { \"%s\": 0.1 }", name, name);
    *initial = initial_named(name, initial->fan_in, initial->fan_out);
    return true;
}

bool initial_read(Json *json, Initial *initial)
{
    json->used = true;
    if (json->kind == JSON_STRING)
        return read_name(json, initial);
    if (json->kind != JSON_OBJECT || json->count != 1)
        return json_error(json, "expected a name or an object like { \"normal\": 0.02 }, found %s",
                          json_describe(json));
    if (!json_check_keys(json, "constant uniform normal"))
        return false;
    Json *value = json->items[0];
    double number;
    if (!json_number(value, &number))
        return false;
    if (strcmp(value->key, "constant") == 0)
        *initial = initial_constant(number);
    else if (number < 0)
        return json_error(value, "expected a number that is not negative, found %s",
                          json_describe(value));
    else
        *initial = strcmp(value->key, "uniform") == 0 ? uniform(number) : normal(number);
    return true;
}

/* The graph */

static Node *random_numbers(Function *f, Node *key, const TensorType *type)
{
    return graph_random(f, key, type->rank, type->dims);
}

/* √(−2 ln(1 − u)) · cos(2π v); u < 1, so the logarithm is finite. */
static Node *normal_numbers(Function *f, Node *key, const TensorType *type)
{
    Node *u = random_numbers(f, key, type), *v = random_numbers(f, key, type);
    Node *log = graph_unary(f, OP_log, graph_sub(f, graph_scalar(f, TYPE_F32, 1), u));
    Node *radius = graph_unary(f, OP_sqrt, graph_binary_scalar(f, OP_mul, log, -2));
    Node *angle = graph_binary_scalar(f, OP_mul, v, 2 * M_PI);
    return graph_mul(f, radius, graph_unary(f, OP_cos, angle));
}

static Node *first_value(Function *f, Node *key, const Initial *initial)
{
    const TensorType *type = &initial->state->type;
    if (initial->state->value)
        return graph_constant(f, *type, initial->state->value);
    if (initial->kind == INITIAL_CONSTANT || initial->value == 0)
        return graph_broadcast(f, graph_scalar(f, type->element, initial->value), type->rank,
                               type->dims);
    if (initial->kind == INITIAL_NORMAL)
        return graph_binary_scalar(f, OP_mul, normal_numbers(f, key, type), initial->value);
    Node *centred = graph_binary_scalar(f, OP_sub, random_numbers(f, key, type), 0.5);
    return graph_binary_scalar(f, OP_mul, centred, 2 * initial->value);
}

bool initializer_build(Program *program, const Initial *initials, int count)
{
    static const int32_t nought[1] = {0};
    Function *f = program_add_function(program, "initialize");
    TensorType seed_type = type_make(TYPE_I32, 1, (const int64_t[]){2});
    Node *seed = graph_input(f, "seed", seed_type);
    Node *zero = graph_constant(f, type_make(TYPE_I32, 1, (const int64_t[]){1}), nought);
    Node *key = graph_concat(f, 2, (Node *[]){seed, zero}, 0);
    for (int i = 0; i < count; i++) {
        State *state = initials[i].state;
        f->place = state->place;
        function_set_update(f, state, first_value(f, key, &initials[i]));
    }
    State *seed_state = program_find_state(program, "seed");
    if (seed_state)
        function_set_update(f, seed_state, seed);
    f->place = NULL;
    return diag_ok(program->diag);
}
