/* Walks the layers of a description: names, blocks, repetition.
 *
 * A layer reads the one before it or what "in" names. Names live in scopes: one at the top, one for
 * each use of a block, in which "input" is what the block reads; from inside a block the names
 * around it can be seen. States are called after the layer's name or, without one, its position:
 * layers.3.weight, stem.weight, stage.0.2.weight (a block called "stage", its first repetition, its
 * third layer). */
#include "frontend/network.h"

#include <string.h>

#include "base/text.h"

enum { LAYER_LIMIT = 4096, BLOCK_DEPTH_LIMIT = 16 };

#define COMMON_KEYS "name in repeat"

/* Names */

const NamedTensor *scope_find(const Scope *scope, const char *name)
{
    for (; scope; scope = scope->outer) {
        for (int i = 0; i < scope->count; i++) {
            if (strcmp(scope->names[i].name, name) == 0)
                return &scope->names[i];
        }
    }
    return NULL;
}

bool scope_add(Network *network, Scope *scope, const Json *place, NamedTensor tensor)
{
    for (int i = 0; i < scope->count; i++) {
        if (strcmp(scope->names[i].name, tensor.name) == 0)
            return json_error(place, "the name \"%s\" is taken", tensor.name);
    }
    scope->names = arena_grow(network->builder.arena, scope->names, scope->count, &scope->capacity,
                              sizeof tensor);
    scope->names[scope->count++] = tensor;
    return true;
}

const char *scope_names(Arena *arena, const Scope *scope)
{
    Text text = text_create(arena);
    for (; scope; scope = scope->outer) {
        for (int i = 0; i < scope->count; i++)
            text_print(&text, "%s ", scope->names[i].name);
    }
    return text.data;
}

static bool comes_later(const Scope *scope, const char *name)
{
    for (; scope; scope = scope->outer) {
        for (int i = 0; scope->layers && i < scope->layers->count; i++) {
            const Json *other = json_peek(scope->layers->items[i], "name");
            if (other && other->kind == JSON_STRING && strcmp(other->text, name) == 0)
                return true;
        }
    }
    return false;
}

static const NamedTensor *look_up(Network *network, const Scope *scope, Json *json)
{
    const char *name;
    if (!json_string(json, &name))
        return NULL;
    const NamedTensor *tensor = scope_find(scope, name);
    if (tensor)
        return tensor;
    Arena *arena = network->builder.arena;
    if (comes_later(scope, name))
        json_error(json, "\"%s\" stands further down; a layer can read only what is above it",
                   name);
    else
        json_error(json, "nothing above is called \"%s\"%s", name,
                   json_suggest(arena, name, scope_names(arena, scope)));
    return NULL;
}

/* What one layer reads */

static bool append_input(Network *network, Layer *layer, const NamedTensor *tensor, int *capacity)
{
    Arena *arena = network->builder.arena;
    int capacity_of_names = *capacity;
    layer->in_names = arena_grow(arena, (void *)layer->in_names, layer->in_count,
                                 &capacity_of_names, sizeof *layer->in_names);
    layer->in = arena_grow(arena, layer->in, layer->in_count, capacity, sizeof *layer->in);
    layer->in_names[layer->in_count] = tensor->name;
    layer->in[layer->in_count++] = tensor->node;
    layer->classes = tensor->classes;
    return true;
}

static bool read_list(Network *network, const Scope *scope, Layer *layer)
{
    int capacity = 0;
    bool fine = true;
    Json *list = layer_parameter(layer, "in");
    if (!list)
        return layer_error(layer,
                           "needs the names of what it reads, like [\"main\", \"shortcut\"]") !=
               NULL;
    if (!json_expect(list, JSON_LIST))
        return false;
    if (list->count < 2)
        return json_error(list, "expected at least two names, found %d", list->count);
    for (int i = 0; i < list->count; i++) {
        const NamedTensor *tensor = look_up(network, scope, list->items[i]);
        fine = tensor && append_input(network, layer, tensor, &capacity) && fine;
    }
    return fine;
}

static bool read_single(Network *network, const Scope *scope, Layer *layer,
                        const NamedTensor *previous)
{
    int capacity = 0;
    Json *json = json_get(layer->object, "in");
    if (json && !layer->chained) {
        const NamedTensor *tensor = look_up(network, scope, json);
        return tensor && append_input(network, layer, tensor, &capacity);
    }
    if (!previous)
        return layer_error(
                   layer,
                   "the model has several inputs: say which one this layer reads with \"in\"") !=
               NULL;
    return append_input(network, layer, previous, &capacity);
}

/* One, as read_single() finds it, or two in a list. */
static bool read_pair(Network *network, const Scope *scope, Layer *layer,
                      const NamedTensor *previous)
{
    const Json *list = json_peek(layer->object, "in");
    if (!list || list->kind != JSON_LIST)
        return read_single(network, scope, layer, previous);
    return read_list(network, scope, layer) &&
           (layer->in_count == 2 ||
            json_error(list, "expected at most two names, found %d", layer->in_count));
}

static bool read_inputs(Network *network, const Scope *scope, Layer *layer,
                        const NamedTensor *previous)
{
    switch (layer->kind->reads) {
    case LAYER_READS_LIST:
        return read_list(network, scope, layer);
    case LAYER_READS_PAIR:
        return read_pair(network, scope, layer, previous);
    default:
        return read_single(network, scope, layer, previous);
    }
}

static bool check_elements(const Layer *layer)
{
    for (int i = 0; i < layer->in_count; i++) {
        const Node *x = layer->in[i];
        bool floats = x && element_is_float(x->type.element);
        if (x && layer->kind->reads == LAYER_READS_INDICES && floats)
            return layer_error(layer, "reads whole numbers: an input with \"classes\"") != NULL;
        if (x && layer->kind->reads != LAYER_READS_INDICES && !floats)
            return layer_error(layer, "cannot read whole numbers; put an embedding before it") !=
                   NULL;
    }
    return true;
}

static bool all_there(const Layer *layer)
{
    for (int i = 0; i < layer->in_count; i++) {
        if (!layer->in[i])
            return false;
    }
    return true;
}

/* One layer */

static void summarize(Network *network, const Layer *layer, const Node *output, int first_node,
                      int first_state)
{
    Builder *b = &network->builder;
    if (network->summarized)
        return;
    LayerSummary summary = {
        .name = layer->prefix, .kind = layer->kind->name, .output = output->type};
    summary.output.dims[0] = 1;
    for (int i = first_state; i < b->program->state_count; i++) {
        if (b->program->states[i]->parameter)
            summary.parameters += type_elements(&b->program->states[i]->type);
    }
    summary.multiply_adds = count_multiply_adds(b->f, first_node, b->f->node_count) / b->batch;
    network->summaries = arena_grow(b->arena, network->summaries, network->summary_count,
                                    &network->summary_capacity, sizeof summary);
    network->summaries[network->summary_count++] = summary;
}

static Node *build_kind(Network *network, Scope *scope, Layer *layer, const NamedTensor *previous)
{
    Builder *b = &network->builder;
    int first_node = b->f->node_count, first_state = b->program->state_count;
    b->f->place = json_place(layer->body);
    bool fine = layer_check_keys(layer, COMMON_KEYS);
    fine = read_inputs(network, scope, layer, previous) && fine;
    if (!fine || !all_there(layer) || !check_elements(layer))
        return NULL;
    Node *output = layer->kind->build(layer);
    if (!output)
        return NULL;
    if (!output->name)
        output->name = layer->prefix;
    summarize(network, layer, output, first_node, first_state);
    return output;
}

/* Blocks */

static NamedTensor build_list(Network *network, Scope *scope, Json *layers, NamedTensor *previous,
                              const char *prefix);

static bool check_arguments(const Json *arguments, const Json *parameters)
{
    const char *words = "";
    bool fine = true;
    if (!json_expect(arguments, JSON_OBJECT))
        return false;
    for (int i = 0; parameters && i < parameters->count; i++) {
        words = arena_print(arguments->file->arena, "%s %s", words, parameters->items[i]->text);
        if (!json_peek(arguments, parameters->items[i]->text))
            fine = json_error(arguments, "needs \"%s\"", parameters->items[i]->text);
    }
    return json_check_keys(arguments, words) && fine;
}

static Node *build_block(Network *network, const Scope *outer, Layer *layer,
                         const NamedTensor *previous)
{
    Arena *arena = network->builder.arena;
    const char *name = layer->body->key;
    Json *block = json_peek(network->define, name);
    Json *arguments = layer->body;
    bool fine = json_check_keys(layer->object, arena_print(arena, "%s " COMMON_KEYS, name));
    json_use_all(arguments);
    if (!check_arguments(arguments, json_peek(block, "parameters")) ||
        !read_single(network, outer, layer, previous) || !fine || !layer->in[0])
        return NULL;
    if (network->block_depth >= BLOCK_DEPTH_LIMIT)
        return layer_error(layer, "blocks are nested more than %d deep: does \"%s\" use itself?",
                           BLOCK_DEPTH_LIMIT, name);
    const char *suffix = network->block_suffix;
    if (!network->block_depth)
        suffix = arena_print(arena, " (used by %s)", json_path(layer->object));
    Json *layers = json_instantiate(json_peek(block, "layers"), arguments,
                                    arena_print(arena, "define.%s.layers", name), suffix);
    if (!layers)
        return NULL;
    Scope scope = {.outer = outer, .layers = layers};
    NamedTensor input = {.name = "input", .node = layer->in[0], .classes = layer->classes};
    scope_add(network, &scope, layers, input);
    network->block_suffix = suffix;
    network->block_depth++;
    NamedTensor output = build_list(network, &scope, layers, &input, layer->prefix);
    network->block_depth--;
    return output.node;
}

/* Is `word` a parameter of the kind called `name`? "dropout" is one of attention, and a layer too.
 */
static bool is_parameter(const char *word, const char *name)
{
    const LayerKind *kind = layer_find_kind(name);
    return kind && json_word_in(word, kind->keys);
}

static bool is_parameter_of_any(const char *word)
{
    int count;
    const LayerKind *kinds = layer_kinds(&count);
    for (int i = 0; i < count; i++) {
        if (json_word_in(word, kinds[i].keys))
            return true;
    }
    return false;
}

/* The key of `object` that names a kind of layer or a block. NULL after an error. */
static Json *find_body(Network *network, Json *object)
{
    Json *body = NULL;
    Arena *arena = network->builder.arena;
    for (int i = 0; i < object->count; i++) {
        Json *item = object->items[i];
        if (!layer_find_kind(item->key) && !json_peek(network->define, item->key))
            continue;
        if (body && is_parameter(item->key, body->key))
            continue;
        if (body && !is_parameter(body->key, item->key)) {
            json_error(object, "\"%s\" and \"%s\" are two layers; each needs an object of its own",
                       body->key, item->key);
            return NULL;
        }
        body = item;
    }
    if (body)
        return body;
    const char *words = layer_kind_names(false), *unknown = NULL, *suggestion = "";
    for (int i = 0; network->define && i < network->define->count; i++)
        words = arena_print(arena, "%s %s", words, network->define->items[i]->key);
    for (int i = 0; i < object->count && !suggestion[0]; i++) {
        const char *key = object->items[i]->key;
        if (json_word_in(key, COMMON_KEYS) || is_parameter_of_any(key))
            continue;
        suggestion = json_suggest(arena, key, words);
        if (!unknown || suggestion[0])
            unknown = key;
    }
    if (unknown)
        json_error(object, "unknown layer \"%s\"%s", unknown, suggestion);
    else
        json_error(object, "no key here says what kind of layer this is");
    return NULL;
}

static bool reads_a_list(const Layer *layer)
{
    const Json *in = json_peek(layer->object, "in");
    return layer->kind && (layer->kind->reads == LAYER_READS_LIST ||
                           (layer->kind->reads == LAYER_READS_PAIR && in && in->kind == JSON_LIST));
}

static bool read_name_and_repeat(Network *network, Layer *layer, const char *prefix,
                                 int64_t *repeat, const char **name)
{
    Arena *arena = network->builder.arena;
    Json *name_json = json_get(layer->object, "name"),
         *repeat_json = json_get(layer->object, "repeat");
    bool fine = true;
    *name = NULL;
    *repeat = 1;
    if (repeat_json)
        fine = json_integer(repeat_json, 1, LAYER_LIMIT, repeat);
    if (fine && *repeat > 1 && reads_a_list(layer))
        fine = json_error(repeat_json, "a layer that reads several tensors cannot be repeated");
    if (name_json && (!json_string(name_json, name) || !name_check(name_json, *name)))
        return false;
    bool top = !prefix[0];
    if (*name)
        layer->prefix = top ? *name : arena_print(arena, "%s.%s", prefix, *name);
    else
        layer->prefix = arena_print(arena, "%s.%d", top ? "layers" : prefix, layer->object->index);
    return fine;
}

static NamedTensor build_repeated(Network *network, Scope *scope, const Layer *first,
                                  int64_t repeat, const NamedTensor *previous)
{
    Arena *arena = network->builder.arena;
    NamedTensor tensor = {0};
    for (int64_t i = 0; i < repeat; i++) {
        Layer layer = *first;
        if (++network->layer_count > LAYER_LIMIT) {
            layer_error(&layer, "the model has more than %d layers", LAYER_LIMIT);
            return (NamedTensor){0};
        }
        if (repeat > 1)
            layer.prefix = arena_print(arena, "%s.%lld", first->prefix, (long long)i);
        layer.chained = i > 0;
        tensor.node = layer.kind ? build_kind(network, scope, &layer, previous)
                                 : build_block(network, scope, &layer, previous);
        if (!tensor.node)
            return tensor;
        tensor.name = layer.prefix;
        previous = &tensor;
    }
    return tensor;
}

static NamedTensor build_layer(Network *network, Scope *scope, Json *object, NamedTensor *previous,
                               const char *prefix)
{
    NamedTensor tensor = {0};
    const char *name = NULL;
    int64_t repeat;
    Layer layer = {.builder = &network->builder, .object = object};
    object->used = true;
    if (!json_expect(object, JSON_OBJECT) || !(layer.body = find_body(network, object)))
        return tensor;
    layer.body->used = true;
    layer.kind = layer_find_kind(layer.body->key);
    if (read_name_and_repeat(network, &layer, prefix, &repeat, &name))
        tensor = build_repeated(network, scope, &layer, repeat, previous);
    if (tensor.node && !json_finish(object))
        tensor.node = NULL;
    tensor.name = name ? name : layer.prefix;
    if (name && !scope_add(network, scope, json_peek(object, "name"), tensor))
        tensor.node = NULL;
    return tensor;
}

static NamedTensor build_list(Network *network, Scope *scope, Json *layers, NamedTensor *previous,
                              const char *prefix)
{
    NamedTensor tensor = {0};
    for (int i = 0; i < layers->count; i++) {
        tensor = build_layer(network, scope, layers->items[i], previous, prefix);
        previous = &tensor;
        if (network->layer_count > LAYER_LIMIT)
            break;
    }
    return tensor;
}

/* The whole */

static Node *scale_input(Builder *b, const TensorSpec *spec, Node *x)
{
    TensorType type = {
        .element = TYPE_F32, .rank = spec->scale_count > 1 ? 1 : 0, .dims = {spec->scale_count}};
    if (!spec->scale_count || !x)
        return x;
    if (spec->mean)
        x = graph_sub(b->f, x, graph_constant(b->f, type, spec->mean));
    return graph_mul(b->f, x, graph_constant(b->f, type, spec->factor));
}

bool network_build(Network *network, Function *f, int64_t batch, bool training)
{
    Builder *b = &network->builder;
    NamedTensor single = {0};
    b->f = f;
    b->batch = f->batch = batch;
    b->training = training;
    b->random_key = NULL;
    network->layer_count = network->block_depth = 0;
    network->scope = (Scope){.layers = network->layers};
    for (int i = 0; i < network->input_count; i++) {
        const TensorSpec *spec = &network->inputs[i];
        Node *x = scale_input(b, spec, network_input(network, spec));
        single = (NamedTensor){.name = spec->name, .node = x, .classes = spec->classes};
        if (!x || !scope_add(network, &network->scope, spec->json, single))
            return false;
    }
    if (network->body)
        return network->body(network) && diag_ok(b->program->diag);
    NamedTensor *previous = network->input_count == 1 ? &single : NULL;
    network->last = build_list(network, &network->scope, network->layers, previous, "").node;
    network->summarized = true;
    f->place = NULL;
    return diag_ok(b->program->diag);
}
