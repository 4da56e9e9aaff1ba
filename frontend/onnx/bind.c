/* Open dimensions and their numbers; see bind.h. */
#include "frontend/onnx/bind.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "frontend/onnx/tensor.h"

/* ---- what is said of an input ---- */

ConstBinding *onnx_find_constant(const OnnxReader *reader, const char *name)
{
    Bindings *b = reader->options->bindings;
    for (int i = 0; b && i < b->constant_count; i++)
        if (strcmp(b->constants[i].name, name) == 0)
            return &b->constants[i];
    return NULL;
}

static ShapeBinding *find_shape(const OnnxReader *reader, const char *name)
{
    Bindings *b = reader->options->bindings;
    for (int i = 0; b && i < b->shape_count; i++)
        if (strcmp(b->shapes[i].name, name) == 0)
            return &b->shapes[i];
    return NULL;
}

static int find_dim(const OnnxReader *reader, const char *name)
{
    Bindings *b = reader->options->bindings;
    for (int i = 0; b && i < b->dim_count; i++)
        if (strcmp(b->dims[i].name, name) == 0)
            return i;
    return -1;
}

void onnx_list_initializers(OnnxReader *reader)
{
    const Onnx__GraphProto *graph = reader->proto->graph;
    reader->initializers = (Map){0};
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (graph->initializer[i]->name)
            *map_place(&reader->initializers, reader->arena, graph->initializer[i]->name) =
                graph->initializer[i];
    for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
        const Onnx__TensorProto *values = graph->sparse_initializer[i]->values;
        if (values && values->name)
            *map_place(&reader->initializers, reader->arena, values->name) =
                graph->sparse_initializer[i];
    }
}

bool onnx_is_initializer(const OnnxReader *reader, const char *name)
{
    return map_get(&reader->initializers, name) != NULL;
}

/* ---- dimensions ---- */

static const Onnx__TensorShapeProto *shape_of(const Onnx__ValueInfoProto *input)
{
    const Onnx__TypeProto *type = input->type;
    return type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && type->tensor_type
               ? type->tensor_type->shape
               : NULL;
}

static bool is_open(const Onnx__TensorShapeProto__Dimension *dim)
{
    return dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ||
           dim->dim_value < 0;
}

/* NULL: it has no name. */
static const char *name_of(const Onnx__TensorShapeProto__Dimension *dim)
{
    bool named = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    return named && dim->dim_param && dim->dim_param[0] ? dim->dim_param : NULL;
}

static bool contains_word(const char *text, const char *word)
{
    for (; *text; text++)
        if (strncasecmp(text, word, strlen(word)) == 0)
            return true;
    return false;
}

/* The names exporters give to a dimension that counts rows of data. */
static bool is_batch_name(const char *name)
{
    static const char *const known[] = {"n", "b", "bs", "bsz", "none", "?"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(name, known[i]) == 0)
            return true;
    return contains_word(name, "batch") || strncmp(name, "unk__", 5) == 0 ||
           strcmp(name, "p2o.DynamicDimension.0") == 0;
}

/* Inputs that the model's user gives: no initialisers, no constants. */
static bool is_free(const OnnxReader *reader, const Onnx__ValueInfoProto *input)
{
    const char *name = input->name;
    return !onnx_is_initializer(reader, name) && !onnx_find_constant(reader, name);
}

/* ---- the batch ---- */

/* Open dimensions in front that count rows: of one name, in all inputs that have them. */
static void find_batch(const OnnxReader *reader, Choices *choices)
{
    const Onnx__GraphProto *graph = reader->proto->graph;
    const Bindings *b = reader->options->bindings;
    bool all_one = true, any = false, any_said = false;
    if (b && b->samples)
        return; /* as many rows as the samples have */
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__TensorShapeProto *shape = shape_of(graph->input[i]);
        if (!is_free(reader, graph->input[i]) || !shape || shape->n_dim == 0)
            continue;
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[0];
        const ShapeBinding *said = find_shape(reader, graph->input[i]->name);
        const char *name = name_of(dim);
        any = true;
        any_said = any_said || said;
        all_one = all_one && (said ? said->rank > 0 && said->dims[0] == 1
                                   : !is_open(dim) && dim->dim_value == 1);
        if (said || !is_open(dim) || (name && !is_batch_name(name)))
            continue;
        if (!choices->has_batch)
            choices->batch_name = name;
        choices->has_batch = true;
    }
    choices->list[0].batch = all_one && any;
    choices->from_one =
        !choices->has_batch && all_one && any && !any_said && reader->options->batches_given;
    choices->has_batch = choices->has_batch || choices->from_one;
}

static bool is_batch(const Choices *choices, const Onnx__TensorShapeProto__Dimension *dim, int axis)
{
    const char *name = name_of(dim);
    if (choices->from_one)
        return axis == 0;
    if (!choices->has_batch || !is_open(dim))
        return false;
    return name && choices->batch_name ? strcmp(name, choices->batch_name) == 0
                                       : axis == 0 && !name && !choices->batch_name;
}

/* ---- combinations ---- */

static bool multiply(OnnxReader *reader, Choices *choices, int count, const int64_t *values,
                     int place)
{
    int before = choices->count;
    if (before * count > CHOICE_LIMIT)
        return diag_error(reader->diag, "--dim", "more than %d combinations of sizes",
                          CHOICE_LIMIT);
    for (int v = count - 1; v >= 0; v--)
        for (int i = 0; i < before; i++) {
            Choice *choice = &choices->list[v * before + i];
            *choice = choices->list[i];
            if (place < 0)
                choice->batch = values[v];
            else
                choice->values[place] = values[v];
        }
    choices->count = before * count;
    return true;
}

static bool refuse_batch(const OnnxReader *reader)
{
    return diag_error(reader->diag, "--batch",
                      "the first dimension of the model's inputs does not count rows of data; "
                      "--dim and --shape say what other dimensions are");
}

static bool combine(OnnxReader *reader, Choices *choices)
{
    const Bindings *b = reader->options->bindings;
    int of_batch = choices->batch_name ? find_dim(reader, choices->batch_name) : -1;
    for (int i = 0; b && i < b->dim_count; i++)
        if (i != of_batch && !multiply(reader, choices, b->dims[i].count, b->dims[i].values, i))
            return false;
    if (!choices->has_batch)
        return !reader->options->batches_given || (b && b->samples) || refuse_batch(reader);
    if (of_batch >= 0) {
        reader->options->bindings->dims[of_batch].used = true;
        return multiply(reader, choices, b->dims[of_batch].count, b->dims[of_batch].values, -1);
    }
    return multiply(reader, choices, reader->options->batch_count, reader->options->batches, -1);
}

/* ---- types ---- */

static const char *shown_shape(const OnnxReader *reader, const Onnx__TensorShapeProto *shape)
{
    Text text = text_create(reader->arena);
    for (size_t i = 0; i < shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        const char *name = name_of(dim);
        text_add(&text, i ? ", " : "");
        if (is_open(dim))
            text_add(&text, name ? name : "?");
        else
            text_print(&text, "%lld", (long long)dim->dim_value);
    }
    return text.data;
}

static bool refuse_open(const OnnxReader *reader, const Onnx__ValueInfoProto *input,
                        const Onnx__TensorShapeProto *shape, const char *name)
{
    const char *place = arena_print(reader->arena, "%s: input \"%s\"", reader->path, input->name);
    const char *remedy = name ? arena_print(reader->arena, "--dim %s=N or ", name) : "";
    return diag_error(reader->diag, place,
                      "its shape [%s] is open; say what it is with %s--shape "
                      "%s=%s",
                      shown_shape(reader, shape), remedy, input->name,
                      shape->n_dim > 1 ? "AxBx…" : "A");
}

static bool element_type(OnnxReader *reader, const Onnx__ValueInfoProto *input, TensorType *type)
{
    const char *place = arena_print(reader->arena, "%s: input \"%s\"", reader->path, input->name);
    const Onnx__TypeProto *proto = input->type;
    if (!proto || proto->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !proto->tensor_type)
        return diag_error(reader->diag, place,
                          "is no tensor: sequences, maps and optionals cannot be inputs");
    if (!onnx_type_find(proto->tensor_type->elem_type, &type->element))
        return diag_error(reader->diag, place, "its elements are of %s, which is not supported",
                          onnx_type_name(reader->arena, proto->tensor_type->elem_type));
    return true;
}

static bool said_type(OnnxReader *reader, const Onnx__ValueInfoProto *input, ShapeBinding *said,
                      TensorType *type)
{
    const Onnx__TensorShapeProto *shape = shape_of(input);
    said->used = true;
    type->rank = said->rank;
    memcpy(type->dims, said->dims, sizeof type->dims);
    bool fits = !shape || (int)shape->n_dim == said->rank;
    for (int i = 0; fits && shape && i < said->rank; i++)
        fits = is_open(shape->dim[i]) || shape->dim[i]->dim_value == said->dims[i] ||
               (i == 0 && shape->dim[i]->dim_value == 1); /* exported for one row */
    return fits || diag_error(reader->diag, "--shape", "%s: the model says [%s]", said->name,
                              shown_shape(reader, shape));
}

int onnx_input_number(const OnnxReader *reader, const Onnx__ValueInfoProto *input)
{
    const Onnx__GraphProto *graph = reader->proto->graph;
    int number = 0;
    for (size_t i = 0; graph->input[i] != input; i++)
        number += !onnx_is_initializer(reader, graph->input[i]->name);
    return number;
}

/* The shape of the tensor that is there for input `number`; NULL and an error: there is none. */
static ShapeBinding *sample_shape(OnnxReader *reader, const Onnx__ValueInfoProto *input, int number)
{
    const char *folder = reader->options->bindings->samples;
    const char *path = sample_file(reader->arena, folder, false, number, input->name);
    TensorType type;
    const void *data;
    if (!path) {
        diag_error(reader->diag, "--inputs",
                   "%s holds no in_%s.npy and no input_%d.pb for the input \"%s\"", folder,
                   input->name, number, input->name);
        return NULL;
    }
    if (!onnx_value_file_read(reader->diag, path, &type, &data))
        return NULL;
    ShapeBinding *shape = ARENA_NEW(reader->arena, ShapeBinding);
    *shape = (ShapeBinding){.name = input->name, .rank = type.rank};
    memcpy(shape->dims, type.dims, sizeof shape->dims);
    return shape;
}

bool onnx_input_type(OnnxReader *reader, const Choices *choices, const Choice *choice,
                     const Onnx__ValueInfoProto *input, TensorType *type)
{
    *type = (TensorType){0};
    if (!element_type(reader, input, type))
        return false;
    ShapeBinding *said = find_shape(reader, input->name);
    const Bindings *b = reader->options->bindings;
    if (!said && b && b->samples) {
        said = sample_shape(reader, input, onnx_input_number(reader, input));
        if (!said)
            return false;
    }
    if (said)
        return said_type(reader, input, said, type);
    const Onnx__TensorShapeProto *shape = shape_of(input);
    const char *place = arena_print(reader->arena, "%s: input \"%s\"", reader->path, input->name);
    if (!shape)
        return diag_error(reader->diag, place,
                          "nothing is said of its shape; say it with --shape %s=AxBx…",
                          input->name);
    if (shape->n_dim > RANK_LIMIT)
        return diag_error(reader->diag, place, "it has %zu axes, %d are the most", shape->n_dim,
                          RANK_LIMIT);
    type->rank = (int)shape->n_dim;
    for (int i = 0; i < type->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        const char *name = name_of(dim);
        int bound = is_open(dim) && name ? find_dim(reader, name) : -1;
        if (is_batch(choices, dim, i))
            type->dims[i] = choice->batch;
        else if (!is_open(dim))
            type->dims[i] = dim->dim_value;
        else if (bound >= 0) {
            type->dims[i] = choice->values[bound];
            reader->options->bindings->dims[bound].used = true;
        } else
            return refuse_open(reader, input, shape, name);
    }
    return onnx_type_check(reader->diag, place, type);
}

bool onnx_choices(OnnxReader *reader, Choices *choices)
{
    *choices = (Choices){.count = 1};
    find_batch(reader, choices);
    return combine(reader, choices);
}

/* A name that is fit for a report, whatever the model has put there. */
static const char *plain_name(Arena *arena, const char *name)
{
    char *text = arena_copy_text(arena, name);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || strchr("\"\\=,", *c))
            *c = '_';
    return text;
}

const Size *onnx_sizes(OnnxReader *reader, const Choices *choices, const Choice *choice, int *count)
{
    const Bindings *b = reader->options->bindings;
    int of_batch = choices->batch_name ? find_dim(reader, choices->batch_name) : -1;
    Size *sizes = ARENA_ARRAY(reader->arena, Size, b ? b->dim_count + 1 : 1);
    *count = 0;
    for (int i = 0; b && i < b->dim_count; i++)
        if (i != of_batch && b->dims[i].count > 1)
            sizes[(*count)++] =
                (Size){plain_name(reader->arena, b->dims[i].name), choice->values[i]};
    return sizes;
}

/* "x [N, 3, ?, ?], y [2]" */
static const char *input_shapes(const OnnxReader *reader)
{
    const Onnx__GraphProto *graph = reader->proto->graph;
    const char *shapes = "";
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__ValueInfoProto *input = graph->input[i];
        bool has_shape = input->type &&
                         input->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
                         input->type->tensor_type->shape;
        if (!onnx_is_initializer(reader, input->name) && has_shape)
            shapes = arena_print(reader->arena, "%s%s%s [%s]", shapes, *shapes ? ", " : "",
                                 input->name, shown_shape(reader, input->type->tensor_type->shape));
    }
    return shapes;
}

static const char *input_names(const OnnxReader *reader)
{
    const Onnx__GraphProto *graph = reader->proto->graph;
    Text names = text_create(reader->arena);
    for (size_t i = 0; i < graph->n_input; i++)
        if (!onnx_is_initializer(reader, graph->input[i]->name))
            text_print(&names, "%s\"%s\"", names.length ? ", " : "", graph->input[i]->name);
    return names.data;
}

bool onnx_bindings_used(OnnxReader *reader)
{
    const Bindings *b = reader->options->bindings;
    bool good = true;
    for (int i = 0; b && i < b->shape_count; i++)
        if (!b->shapes[i].used)
            good = diag_error(reader->diag, "--shape", "%s is no input of the model; there are %s",
                              b->shapes[i].name, input_names(reader));
    for (int i = 0; b && i < b->constant_count; i++)
        if (!b->constants[i].used)
            good = diag_error(reader->diag, "--const", "%s is no input of the model; there are %s",
                              b->constants[i].name, input_names(reader));
    for (int i = 0; b && i < b->dim_count; i++)
        if (!b->dims[i].used)
            good = diag_error(reader->diag, "--dim",
                              "no open dimension of an input is called %s; the inputs are %s",
                              b->dims[i].name, input_shapes(reader));
    return good;
}
