/* The table of layer kinds, and what all layers share: their parameters, states and activation. */
#include "frontend/layers.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/checked.h"
#include "base/text.h"

static const LayerKind kinds[] = {
#define LAYER(kind, reads, main, keys, builder)                                                    \
    {#kind, LAYER_READS_##reads, main, keys, false, layer_##builder},
#define ACTIVATION(kind, main, keys, builder)                                                      \
    {#kind, LAYER_READS_ONE, main, keys, true, layer_##builder},
#include "frontend/layers.def"
#undef LAYER
#undef ACTIVATION
};

#define LAYER(kind, reads, main, keys, builder) #kind " "
#define ACTIVATION(kind, main, keys, builder) #kind " "
static const char all_names[] =
#include "frontend/layers.def"
    ;
#undef LAYER
#undef ACTIVATION
#define LAYER(kind, reads, main, keys, builder)
#define ACTIVATION(kind, main, keys, builder) #kind " "
static const char activation_names[] =
#include "frontend/layers.def"
    ;
#undef LAYER
#undef ACTIVATION

const LayerKind *layer_kinds(int *count)
{
    *count = (int)(sizeof kinds / sizeof kinds[0]);
    return kinds;
}

const LayerKind *layer_find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

const char *layer_kind_names(bool activations_only)
{
    return activations_only ? activation_names : all_names;
}

/* Parameters */

/* A key that stands both in the body and beside it. */
static bool check_twice(const Layer *layer)
{
    bool fine = true;
    for (int i = 0; i < layer->object->count; i++) {
        const Json *item = layer->object->items[i];
        bool again = json_peek(layer->body, item->key) != NULL;
        bool is_main = item != layer->body && layer->body->kind != JSON_OBJECT &&
                       strcmp(item->key, layer->kind->main) == 0;
        if (again || is_main)
            fine = json_error(layer->object, "\"%s\" is given twice", item->key);
    }
    return fine;
}

bool layer_check_keys(const Layer *layer, const char *common)
{
    const LayerKind *kind = layer->kind;
    Arena *arena = layer->builder->arena;
    const char *beside = arena_print(arena, "%s %s %s", kind->name, common, kind->keys);
    bool fine = json_check_keys(layer->object, beside);
    if (layer->body->kind == JSON_OBJECT)
        fine &= json_check_keys(layer->body, kind->keys);
    else if (!kind->main[0])
        fine = json_error(layer->body, "expected {} or an object of parameters, found %s",
                          json_describe(layer->body));
    return check_twice(layer) && fine;
}

Json *layer_parameter(Layer *layer, const char *key)
{
    layer->body->used = true;
    if (layer->body->kind != JSON_OBJECT && strcmp(layer->kind->main, key) == 0)
        return layer->body;
    Json *inside = json_get(layer->body, key);
    return inside ? inside : json_get(layer->object, key);
}

static Json *required(Layer *layer, const char *key)
{
    Json *json = layer_parameter(layer, key);
    if (!json)
        layer_error(layer, "needs \"%s\"", key);
    return json;
}

bool layer_integer(Layer *layer, const char *key, int64_t low, int64_t high, int64_t otherwise,
                   int64_t *value)
{
    Json *json = otherwise == LAYER_REQUIRED ? required(layer, key) : layer_parameter(layer, key);
    *value = otherwise;
    return json ? json_integer(json, low, high, value) : otherwise != LAYER_REQUIRED;
}

bool layer_boolean(Layer *layer, const char *key, bool otherwise, bool *value)
{
    Json *json = layer_parameter(layer, key);
    *value = otherwise;
    return !json || json_boolean(json, value);
}

bool layer_number(Layer *layer, const char *key, double otherwise, double *value)
{
    Json *json = layer_parameter(layer, key);
    *value = otherwise;
    return !json || json_number(json, value);
}

bool layer_axis(Layer *layer, int rank, int64_t *axis)
{
    *axis = -1;
    Json *json = layer_parameter(layer, "axis");
    if (json && !json_integer(json, -RANK_LIMIT, RANK_LIMIT, axis))
        return false;
    int64_t positive = *axis < 0 ? *axis + rank : *axis;
    if (rank < 2)
        return layer_error(layer, "needs at least one axis besides the batch") != NULL;
    if (positive < 1 || positive >= rank)
        return json_error(json,
                          positive == 0 ? "axis %lld is the batch; choose 1 to %d or -%d to -1"
                                        : "there is no axis %lld; choose 1 to %d or -%d to -1",
                          (long long)*axis, rank - 1, rank - 1);
    *axis = positive;
    return true;
}

/* Messages */

Node *layer_error(const Layer *layer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_print_list(layer->builder->arena, format, arguments);
    va_end(arguments);
    json_error(layer->body, "%s", message);
    return NULL;
}

const char *layer_shape(const Layer *layer, const Node *node)
{
    Text text = text_create(layer->builder->arena);
    text_add(&text, "[batch");
    for (int i = 1; i < node->type.rank; i++)
        text_print(&text, ", %lld", (long long)node->type.dims[i]);
    text_add(&text, "]");
    return text.data;
}

/* States */

static void add_initial(Builder *builder, Initial initial)
{
    builder->initials = arena_grow(builder->arena, builder->initials, builder->initial_count,
                                   &builder->initial_capacity, sizeof initial);
    builder->initials[builder->initial_count++] = initial;
}

Node *layer_state(Layer *layer, const char *suffix, TensorType type, bool parameter,
                  const char *key, Initial initial)
{
    Builder *b = layer->builder;
    const char *name = arena_print(b->arena, "%s.%s", layer->prefix, suffix);
    State *state = program_find_state(b->program, name);
    if (state)
        return graph_state(b->f, state);
    Json *json = key ? layer_parameter(layer, key) : NULL;
    if (json && !initial_read(json, &initial))
        return NULL;
    state = program_add_state(b->program, name, type);
    if (!state)
        return NULL;
    state->parameter = parameter;
    state->place = json_place(layer->body);
    initial.state = state;
    add_initial(b, initial);
    return graph_state(b->f, state);
}

Node *layer_scalar(Layer *layer, double value)
{
    return graph_scalar(layer->builder->f, TYPE_F32, value);
}

/* Activation */

/* The kind that an "activation" names, with its parameters as a layer of its own; NULL after an
 * error. */
static bool read_activation(Layer *layer, Json *json, Layer *activation)
{
    Arena *arena = layer->builder->arena;
    const char *name = json->text;
    json->used = true;
    if (json->kind == JSON_OBJECT && json->count == 1)
        name = json->items[0]->key;
    else if (json->kind != JSON_STRING)
        return json_error(json,
                          "expected a name or an object like { \"leaky_relu\": 0.1 }, found %s",
                          json_describe(json));
    const LayerKind *kind = layer_find_kind(name);
    if (!kind || !kind->activation)
        return json_error(json, "unknown activation \"%s\"%s", name,
                          json_suggest(arena, name, activation_names));
    *activation = *layer;
    activation->kind = kind;
    if (json->kind == JSON_OBJECT) {
        activation->object = json;
        activation->body = json->items[0];
        activation->body->used = true;
        return layer_check_keys(activation, "");
    }
    activation->body = activation->object = ARENA_NEW(arena, Json);
    *activation->body = *json;
    activation->body->kind = JSON_OBJECT;
    return true;
}

Node *layer_activate(Layer *layer, Node *x)
{
    Json *json = layer_parameter(layer, "activation");
    Layer activation;
    if (!json || !x)
        return x;
    if (!read_activation(layer, json, &activation))
        return NULL;
    activation.in = &x;
    activation.in_count = 1;
    return activation.kind->build(&activation);
}

const char *layer_activation_name(Layer *layer)
{
    const Json *json = layer_parameter(layer, "activation");
    if (json && json->kind == JSON_STRING)
        return json->text;
    return json && json->kind == JSON_OBJECT && json->count ? json->items[0]->key : "";
}

/* Cost */

int64_t count_multiply_adds(const Function *f, int first, int last)
{
    int64_t sum = 0;
    for (int i = first; i < last; i++) {
        const Node *node = f->nodes[i];
        const TensorType *places = &node->type; /* whose elements meet `each` multiply-adds */
        int64_t each = 0;
        TensorType step;
        if (node->op == OP_scan) {
            const Function *body = node->attr.body;
            each = count_multiply_adds(body, 0, body->node_count);
            step = type_make(TYPE_F32, 1, node->attr.lists[2].values);
            places = &step;
        } else if (node->op == OP_matmul) {
            each = node->in[0]->type.dims[node->in[0]->type.rank - 1];
        } else if (node->op == OP_conv || node->op == OP_conv_transpose) {
            const TensorType *w = &node->in[1]->type;
            int64_t outputs = w->dims[w->rank - 1];
            each = outputs ? type_elements(w) / outputs : 0;
            places = node->op == OP_conv ? &node->type : &node->in[0]->type;
        }
        sum = capped_add(sum, capped_multiply(each, type_elements(places)));
    }
    return sum;
}
