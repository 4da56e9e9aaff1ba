/* An ONNX model, from file to program.
 *
 *   1. The protobuf is unpacked (file.c); the model's own functions are listed.
 *   2. Open dimensions get their numbers (bind.c).
 *   3. For each combination of them the graph is walked (graph.c): an `infer` function. */
#include "frontend/onnx/onnx_model.h"

#include <string.h>

#include "frontend/names.h"
#include "frontend/onnx/bind.h"
#include "frontend/onnx/tensor.h"
#include "frontend/onnx/train.h"

enum { NODE_LIMIT = 1 << 17, IMPORT_LIMIT = 256 };
enum { COUNT_LIMIT = 1 << 24, FOLD_LIMIT = 1 << 27 }; /* elements, of a function */

/* ---- one function of the program ---- */

/* The number of a tensor in a file, given by --const. */
static Node *constant_input(OnnxReader *r, Function *f, ConstBinding *binding,
                            const Onnx__ValueInfoProto *input)
{
    TensorType type;
    const void *data;
    const char *samples = r->options->bindings->samples, *path = binding->path;
    binding->used = true;
    if (!path && samples)
        path = sample_file(r->arena, samples, false, onnx_input_number(r, input), binding->name);
    if (!path) {
        diag_error(r->diag, "--const", "there is no tensor for \"%s\" to take its value from",
                   binding->name);
        return NULL;
    }
    if (!onnx_value_file_read(r->diag, path, &type, &data))
        return NULL;
    return graph_constant(f, type, data);
}

static bool add_input(OnnxReader *r, OnnxScope *scope, const Choices *choices, const Choice *choice,
                      const Onnx__ValueInfoProto *input)
{
    OnnxValue *value = ARENA_NEW(r->arena, OnnxValue);
    const char *name = input->name;
    ConstBinding *constant = onnx_find_constant(r, name);
    TensorType type;
    value->name = name;
    if (!constant && onnx_is_initializer(r, name))
        return true; /* an initialiser that could be replaced */
    if (constant)
        value->node = constant_input(r, scope->f, constant, input);
    else if (onnx_input_type(r, choices, choice, input, &type))
        value->node = graph_input(scope->f, name, type);
    return value->node && onnx_scope_add(r, scope, r->path, value);
}

static void add_length(OnnxReader *r, Function *f, const OnnxValue *value, const char *name)
{
    const char *length = arena_print(r->arena, "%s.length", name);
    function_add_result(f, length, value->length);
    r->lengths =
        arena_grow(r->arena, r->lengths, r->length_count, &r->length_capacity, sizeof *r->lengths);
    if (!r->summarized) /* the first walk */
        r->lengths[r->length_count++] = (ResultLength){name, length, value->length_axis};
}

/* A result is named as in the model; weights and sequences cannot be any. */
static bool add_result(OnnxReader *r, OnnxScope *scope, const Onnx__ValueInfoProto *output)
{
    const char *name = output->name;
    OnnxValue *value = onnx_scope_find(r, scope, name);
    const char *place = arena_print(r->arena, "%s: output \"%s\"", r->path, name);
    if (!value)
        return diag_error(r->diag, place, "no node makes it");
    Node *node = onnx_value_node(r, scope->f, value, NULL);
    if (!node)
        return diag_error(r->diag, place, "is a sequence or an optional without value, no tensor");
    function_add_result(scope->f, name, node);
    if (value->length)
        add_length(r, scope->f, value, name);
    return true;
}

bool onnx_model_run(OnnxReader *r, OnnxScope *scope)
{
    const Onnx__GraphProto *graph = r->proto->graph;
    r->node_limit = NODE_LIMIT;
    r->count_limit = COUNT_LIMIT;
    r->fold_limit = FOLD_LIMIT;
    return onnx_initializers_add(r, scope, graph) &&
           onnx_nodes_run(r, scope, graph->node, graph->n_node);
}

bool onnx_add_results(OnnxReader *r, OnnxScope *scope)
{
    const Onnx__GraphProto *graph = r->proto->graph;
    bool good = true;
    for (size_t i = 0; i < graph->n_output; i++)
        good &= add_result(r, scope, graph->output[i]);
    return good;
}

static bool build_infer(OnnxReader *r, const Choices *choices, const Choice *choice)
{
    const Onnx__GraphProto *graph = r->proto->graph;
    Function *f = program_add_function(r->program, "infer");
    OnnxScope *scope = onnx_scope_create(r, NULL, f);
    scope->imports = r->imports;
    r->main = f;
    bool good = true;
    f->batch = choice->batch;
    f->sizes = onnx_sizes(r, choices, choice, &f->size_count);
    f->place = r->path;
    for (size_t i = 0; i < graph->n_input; i++)
        good &= add_input(r, scope, choices, choice, graph->input[i]);
    good = good && onnx_model_run(r, scope) && onnx_add_results(r, scope);
    r->summarized = true;
    f->place = NULL;
    if (good)
        function_clean(f);
    return good;
}

static bool read_model(OnnxReader *r, Model *model)
{
    Choices *choices = ARENA_NEW(r->arena, Choices);
    onnx_list_initializers(r);
    if (!onnx_functions_list(r) || !onnx_choices(r, choices))
        return false;
    if (r->options->train)
        return onnx_train(r, choices, model) && onnx_bindings_used(r);
    if (r->options->recipe)
        return diag_error(r->diag, r->options->recipe, "is a recipe for training; add --train");
    for (int i = 0; i < choices->count; i++)
        if (!build_infer(r, choices, &choices->list[i]))
            return false;
    return onnx_bindings_used(r);
}

static void name_tensors(OnnxReader *r, Model *model)
{
    const Onnx__GraphProto *graph = r->proto->graph;
    model->input_names = ARENA_ARRAY(r->arena, const char *, graph->n_input);
    model->output_names = ARENA_ARRAY(r->arena, const char *, graph->n_output);
    for (size_t i = 0; i < graph->n_input; i++)
        if (!onnx_is_initializer(r, graph->input[i]->name))
            model->input_names[model->input_count++] = graph->input[i]->name;
    for (size_t i = 0; i < graph->n_output; i++)
        model->output_names[model->output_count++] = graph->output[i]->name;
}

/* What the model takes and gives is called by name from here on. */
static bool check_names(OnnxReader *r, const char *what, Onnx__ValueInfoProto **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!list[i]->name || !list[i]->name[0])
            return diag_error(r->diag, r->path, "%s %zu of the graph has no name", what, i);
    return true;
}

/* They are looked through for each node. */
static bool check_imports(OnnxReader *r, size_t count)
{
    return count <= IMPORT_LIMIT ||
           diag_error(r->diag, r->path, "names %zu versions of operators, %d are the most", count,
                      IMPORT_LIMIT);
}

static bool is_sound(OnnxReader *r)
{
    for (size_t i = 0; i < r->proto->n_functions; i++)
        if (!check_imports(r, r->proto->functions[i]->n_opset_import))
            return false;
    if (!check_imports(r, r->proto->n_opset_import))
        return false;

    const Onnx__GraphProto *graph = r->proto->graph;
    return check_names(r, "input", graph->input, graph->n_input) &&
           check_names(r, "output", graph->output, graph->n_output);
}

Model *onnx_model_read(Arena *arena, Diag *diag, const char *path, const ModelOptions *options)
{
    OnnxReader *r = ARENA_NEW(arena, OnnxReader);
    *r = (OnnxReader){.arena = arena, .diag = diag, .path = path, .options = options};
    r->proto = onnx_file_read(diag, path, &r->file);
    if (!r->proto || !is_sound(r))
        return NULL;
    OnnxImports *imports = ARENA_NEW(arena, OnnxImports);
    *imports = (OnnxImports){r->proto->opset_import, r->proto->n_opset_import, NULL};
    r->imports = imports;
    r->program = program_create(arena, diag, name_of_file(arena, path));
    Model *model = ARENA_NEW(arena, Model);
    model->program = r->program;
    r->scratch = arena_create();
    read_model(r, model);
    arena_destroy(r->scratch);
    model->layers = r->layers;
    model->layer_count = r->layer_count;
    model->lengths = r->lengths;
    model->length_count = r->length_count;
    name_tensors(r, model);
    return model;
}
