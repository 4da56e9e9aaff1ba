/* A model description, from file to program.
 *
 *   1. "inputs", "define" and the scaling in "data" are read.
 *   2. The layers are walked once for each `infer`; the first walk makes the states.
 *   3. "weights" gives the states values, or `initialize` will.
 *   4. "train" and the rest of "data" are read; the layers are walked again for train_step and
 * evaluate. That is done even when nobody wants those functions, to find mistakes; then they are
 * dropped.
 *   5. What nobody has read is reported. */
#include "frontend/json_model.h"

#include <string.h>

#include "base/file.h"
#include "frontend/names.h"
#include "frontend/safetensors.h"
#include "frontend/train.h"

typedef struct Reading {
    Network network;
    Json *root, *train, *data;
    const ModelOptions *options;
    Training training;
    Recipe data_only; /* receives "data" when there is no "train" */
    Model *model;
} Reading;

/* "model", or the file's name with _ for what cannot be in a name. */
static const char *program_name(const Reading *r, Json *json)
{
    JsonFile *file = r->network.file;
    const char *name = NULL;
    if (json)
        return json_string(json, &name) && name_check(json, name) ? name : NULL;
    return name_of_file(file->arena, file->name);
}

static bool read_top(Reading *r)
{
    Json *root = r->root;
    Network *n = &r->network;
    if (!json_expect(root, JSON_OBJECT))
        return false;
    bool fine =
        json_check_keys(root, "model inputs layers outputs define train data weights $schema");
    Json *name = json_get(root, "model"), *inputs = json_get(root, "inputs"),
         *schema = json_get(root, "$schema");
    r->train = json_get(root, "train");
    r->data = json_get(root, "data");
    n->layers = json_get(root, "layers");
    n->define = json_get(root, "define");
    if (schema)
        fine &= json_expect(schema, JSON_STRING);
    n->builder.program->name = program_name(r, name);
    if (!inputs)
        fine = json_error(root, "needs \"inputs\", like { \"pixels\": [\"batch\", 64] }");
    else
        fine &= tensor_specs_read(inputs, "input", &n->inputs, &n->input_count);
    if (!n->layers)
        fine = json_error(root, "needs \"layers\"");
    else if (!json_expect(n->layers, JSON_LIST))
        fine = false;
    else if (!n->layers->count)
        fine = json_error(n->layers, "expected at least one layer");
    if (r->options->train && !r->train)
        fine = json_error(root, "needs \"train\" to be built for training");
    fine &= network_check_define(n);
    return fine && (!r->data || data_read_scaling(n, r->data));
}

/* Results */

static bool add_output(Reading *r, Json *json)
{
    Network *n = &r->network;
    const char *name;
    Arena *arena = n->builder.arena;
    if (!json_string(json, &name))
        return false;
    const NamedTensor *tensor = scope_find(&n->scope, name);
    if (!tensor)
        return json_error(json, "no layer is called \"%s\"%s", name,
                          json_suggest(arena, name, scope_names(arena, &n->scope)));
    for (int i = 0; i < n->builder.f->result_count; i++) {
        if (strcmp(n->builder.f->results[i].name, name) == 0)
            return json_error(json, "the output \"%s\" stands here twice", name);
    }
    function_add_result(n->builder.f, name, tensor->node);
    return true;
}

/* The last layer's own name if it has one, else "output". */
static const char *last_name(const Network *n)
{
    for (int i = n->scope.count - 1; i >= 0; i--) {
        const char *name = n->scope.names[i].name;
        const Json *given = json_peek(n->layers->items[n->layers->count - 1], "name");
        if (n->scope.names[i].node == n->last && given && strcmp(given->text, name) == 0)
            return name;
    }
    return "output";
}

static bool build_infer(Reading *r, int64_t batch)
{
    Network *n = &r->network;
    Json *outputs = json_get(r->root, "outputs");
    bool fine = true;
    if (!network_build(n, program_add_function(n->builder.program, "infer"), batch, false))
        return false;
    if (!outputs) {
        function_add_result(n->builder.f, last_name(n), n->last);
        return true;
    }
    if (!json_expect(outputs, JSON_LIST))
        return false;
    for (int i = 0; i < outputs->count; i++)
        fine &= add_output(r, outputs->items[i]);
    return fine && (outputs->count || json_error(outputs, "expected at least one output"));
}

/* States and functions of training */

static bool read_weights(Reading *r)
{
    const char *path;
    Json *json = json_get(r->root, "weights");
    const JsonFile *file = r->network.file;
    if (!json)
        return true;
    if (!json_string(json, &path))
        return false;
    const char *slash = strrchr(file->name, '/');
    if (path[0] != '/' && slash)
        path = arena_print(file->arena, "%.*s%s", (int)(slash + 1 - file->name), file->name, path);
    return safetensors_load(r->network.builder.program, path);
}

/* "seed" is set by initialize, "step" raised by the optimizer. */
static bool add_training_states(Builder *b)
{
    TensorType seed_type = type_make(TYPE_I32, 1, (const int64_t[]){2});
    State *seed = program_add_state(b->program, "seed", seed_type);
    State *step = program_add_state(b->program, "step", type_scalar(TYPE_I64));
    if (!seed || !step)
        return false;
    Initial initial = initial_constant(0);
    initial.state = step;
    b->initials =
        arena_grow(b->arena, b->initials, b->initial_count, &b->initial_capacity, sizeof initial);
    b->initials[b->initial_count++] = initial;
    return true;
}

static bool build_initialize(Reading *r)
{
    Builder *b = &r->network.builder;
    if (!r->options->train && json_peek(r->root, "weights"))
        return true;
    return initializer_build(b->program, b->initials, b->initial_count);
}

static bool build_training(Reading *r)
{
    Network *n = &r->network;
    Program *program = n->builder.program;
    int64_t batch = r->options->train_batch ? r->options->train_batch : r->training.recipe->batch;
    int functions = program->function_count, states = program->state_count,
        streams = program->random_streams;
    bool wanted = r->options->train;
    if (!wanted && !add_training_states(&n->builder))
        return false;
    if (!training_build(n, &r->training, batch))
        return false;
    if (!wanted) {
        program->function_count = functions;
        program_take_back_states(program, states);
        program->random_streams = streams;
    }
    return true;
}

static void collect_labels(Reading *r)
{
    Model *model = r->model;
    const Network *n = &r->network;
    model->labels =
        ARENA_ARRAY(n->builder.arena, LabelClasses, n->input_count + r->training.target_count);
    for (int i = 0; i < n->input_count + r->training.target_count; i++) {
        const TensorSpec *spec =
            i < n->input_count ? &n->inputs[i] : &r->training.targets[i - n->input_count];
        if (spec->classes)
            model->labels[model->label_count++] = (LabelClasses){spec->name, spec->classes};
    }
}

static bool read_model(Reading *r)
{
    Network *n = &r->network;
    if (!read_top(r))
        return false;
    for (int i = 0; i < r->options->batch_count; i++) {
        if (!build_infer(r, r->options->batches[i]))
            return false;
    }
    if (!read_weights(r) || (r->options->train && !add_training_states(&n->builder)) ||
        !build_initialize(r))
        return false;
    if (r->train && !training_read(n, r->train, &r->training))
        return false;
    Recipe *recipe = r->train ? r->training.recipe : &r->data_only;
    if (r->data && !data_read(n, r->data, r->training.targets, r->training.target_count, recipe))
        return false;
    if ((r->train && !build_training(r)) || !json_finish(r->root))
        return false;
    collect_labels(r);
    return true;
}

Model *json_model_read(Arena *arena, Diag *diag, const char *path, const ModelOptions *options)
{
    size_t size;
    const char *text = file_read(diag, path, &size);
    if (!text)
        return NULL;
    JsonFile *file = ARENA_NEW(arena, JsonFile);
    Reading *r = ARENA_NEW(arena, Reading);
    *file = (JsonFile){arena, diag, path};
    r->options = options;
    r->model = ARENA_NEW(arena, Model);
    r->network.file = file;
    r->network.builder.arena = arena;
    r->network.builder.program = r->model->program = program_create(arena, diag, NULL);
    r->root = json_parse(file, text, size);
    if (!r->root || !read_model(r) || !diag_ok(diag))
        return NULL;
    r->model->recipe = r->train ? r->training.recipe : NULL;
    r->model->layers = r->network.summaries;
    r->model->layer_count = r->network.summary_count;
    return r->model;
}
