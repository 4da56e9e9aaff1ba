/* Training of an imported model.
 *
 *     { "train": { "targets": { "label": { "classes": 10 } },
 *                  "loss": { "softmax_cross_entropy": ["Plus214_Output_0", "label"] },
 *                  "trainable": ["*.bias", "fc*"], "batch": 64, "epochs": 2 },
 *       "data": { "idx": { "Input3": "train-images-idx3-ubyte.gz", "label": "…" } } }
 *
 * A network (network.h) whose layers are the graph of the model: reading recipes, losses, metrics
 * and data is the same as for descriptions. Losses name tensors of the graph. Rows of data are the
 * first axis of every input, also where the model was exported for one row.
 *
 * "batch_norm": true has normalisations look at the batch again, and the running statistics follow;
 * "dropout": true has Dropout drop. */
#include "frontend/onnx/train.h"

#include <string.h>

#include "base/file.h"
#include "frontend/onnx/template.h"
#include "frontend/train.h"

typedef struct OnnxTraining {
    OnnxReader *reader;
    const Choices *choices;
    Model *model;
    Network network;
    Training training;
    Json *root, *train, *data;
} OnnxTraining;

/* ---- inputs ---- */

static bool read_inputs(OnnxTraining *t)
{
    OnnxReader *r = t->reader;
    Network *n = &t->network;
    const Onnx__GraphProto *graph = r->proto->graph;
    n->inputs = ARENA_ARRAY(r->arena, TensorSpec, graph->n_input);
    for (size_t i = 0; i < graph->n_input; i++) {
        const char *name = graph->input[i]->name;
        TensorSpec *spec = &n->inputs[n->input_count];
        if (onnx_is_initializer(r, name) || onnx_find_constant(r, name))
            continue;
        *spec = (TensorSpec){.name = name, .json = t->root};
        if (!onnx_input_type(r, t->choices, &t->choices->list[0], graph->input[i], &spec->type))
            return false;
        if (spec->type.rank == 0)
            return diag_error(r->diag, r->path,
                              "the input \"%s\" has no axis for rows of data; give it a value with "
                              "--const %s=FILE to train the model",
                              name, name);
        n->input_count++;
    }
    return true;
}

/* ---- the graph as the layers of the network ---- */

static bool run_graph(Network *network)
{
    OnnxTraining *t = network->context;
    OnnxReader *r = t->reader;
    OnnxScope *scope = onnx_scope_create(r, NULL, network->builder.f);
    scope->imports = r->imports;
    r->network = network;
    r->training = network->builder.training;
    for (int i = 0; i < network->scope.count; i++) {
        OnnxValue *value = ARENA_NEW(r->arena, OnnxValue);
        *value =
            (OnnxValue){.name = network->scope.names[i].name, .node = network->scope.names[i].node};
        onnx_scope_add(r, scope, r->path, value);
    }
    network->scope.count = 0; /* they are among those of the graph */
    bool good = onnx_model_run(r, scope);
    for (int i = 0; i < scope->values.count; i++) {
        OnnxValue *value = scope->values.entries[i].value;
        NamedTensor tensor = {.name = value->name, .node = value->node};
        if (!value->node)
            continue;
        network->scope.names = arena_grow(r->arena, network->scope.names, network->scope.count,
                                          &network->scope.capacity, sizeof *network->scope.names);
        network->scope.names[network->scope.count++] = tensor;
    }
    t->network.last = NULL;
    bool infers = strcmp(network->builder.f->name, "infer") == 0;
    return good && (!infers || onnx_add_results(r, scope));
}

static bool build_infer(OnnxTraining *t)
{
    for (int i = 0; i < t->choices->count; i++) {
        Function *f = program_add_function(t->reader->program, "infer");
        int64_t batch = t->choices->list[i].batch;
        if (!network_build(&t->network, f, batch ? batch : 1, false))
            return false;
        t->reader->summarized = true;
    }
    return true;
}

/* ---- the recipe ---- */

static bool read_recipe_file(OnnxTraining *t, const char *path)
{
    OnnxReader *r = t->reader;
    size_t size;
    const char *text = file_read(r->diag, path, &size);
    if (!text)
        return false;
    JsonFile *file = ARENA_NEW(r->arena, JsonFile);
    *file = (JsonFile){r->arena, r->diag, path};
    t->network.file = file;
    t->root = json_parse(file, text, size);
    if (!t->root || !json_expect(t->root, JSON_OBJECT) ||
        !json_check_keys(t->root, "train data $schema"))
        return false;
    json_get(t->root, "$schema");
    t->train = json_get(t->root, "train");
    t->data = json_get(t->root, "data");
    return t->train || json_error(t->root, "needs \"train\"");
}

/* Switches that concern imported models alone. */
static bool read_switch(Json *train, const char *key, bool *value)
{
    Json *json = json_get(train, key);
    return !json || json_boolean(json, value);
}

static bool add_states(OnnxTraining *t)
{
    Program *program = t->reader->program;
    return program_add_state(program, "seed", type_make(TYPE_I32, 1, (const int64_t[]){2})) &&
           program_add_state(program, "step", type_scalar(TYPE_I64));
}

static void collect_labels(OnnxTraining *t)
{
    Model *model = t->model;
    model->labels = ARENA_ARRAY(t->reader->arena, LabelClasses, t->training.target_count);
    for (int i = 0; i < t->training.target_count; i++)
        if (t->training.targets[i].classes)
            model->labels[model->label_count++] =
                (LabelClasses){t->training.targets[i].name, t->training.targets[i].classes};
}

static bool build_all(OnnxTraining *t)
{
    OnnxReader *r = t->reader;
    Network *n = &t->network;
    if (!read_switch(t->train, "batch_norm", &r->batch_norm) ||
        !read_switch(t->train, "dropout", &r->dropout) || !read_inputs(t) ||
        (t->data && !data_read_scaling(n, t->data)) || !build_infer(t) || !add_states(t) ||
        !training_read(n, t->train, &t->training))
        return false;
    const Recipe *recipe = t->training.recipe;
    int64_t batch = r->options->train_batch ? r->options->train_batch : recipe->batch;
    if (t->data &&
        !data_read(n, t->data, t->training.targets, t->training.target_count, t->training.recipe))
        return false;
    if (!training_build(n, &t->training, batch) || !json_finish(t->root))
        return false;
    collect_labels(t);
    t->model->recipe = t->training.recipe;
    return onnx_template_make(r, &t->model->file);
}

bool onnx_train(OnnxReader *r, const Choices *choices, Model *model)
{
    OnnxTraining *t = ARENA_NEW(r->arena, OnnxTraining);
    *t = (OnnxTraining){.reader = r, .choices = choices, .model = model};
    t->network.builder = (Builder){.arena = r->arena, .program = r->program};
    t->network.body = run_graph;
    t->network.context = t;
    t->network.train_keys = "batch_norm dropout";
    if (!r->options->recipe)
        return diag_error(r->diag, "--train",
                          "an ONNX model does not say how to train it; write \"train\" and "
                          "\"data\" into a file, and give it: --train recipe.json");
    return read_recipe_file(t, r->options->recipe) && build_all(t);
}
