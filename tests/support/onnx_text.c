/* See onnx_text.h. Every value is kept in the arena; a message is packed once it is whole. */
#include "onnx_text.h"

#include <ctype.h>
#include <onnx.pb-c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Maker {
    Arena *arena;
    const char *next; /* in the text */
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
} Maker;

static void give_up(const Maker *m)
{
    fprintf(stderr, "no ONNX model as text: at \"%.40s\"\n", m->next);
    abort();
}

/* One more element behind a list of pointers. */
static void *grown(Arena *arena, void *list, size_t *count, void *element)
{
    void **longer = ARENA_ARRAY(arena, void *, (int64_t)*count + 1);
    if (*count)
        memcpy(longer, list, *count * sizeof *longer);
    longer[(*count)++] = element;
    return longer;
}

/* ---- words ---- */

static void skip_blanks(Maker *m)
{
    m->next += strspn(m->next, " ");
}

static bool accept(Maker *m, const char *word)
{
    skip_blanks(m);
    size_t length = strlen(word);
    if (strncmp(m->next, word, length) != 0)
        return false;
    m->next += length;
    return true;
}

static void expect(Maker *m, const char *word)
{
    if (!accept(m, word))
        give_up(m);
}

/* Letters, digits, "_", "." and "/" */
static char *name(Maker *m)
{
    skip_blanks(m);
    const char *start = m->next;
    while (isalnum((unsigned char)*m->next) || strchr("_./", *m->next) ? *m->next : 0)
        m->next++;
    if (m->next == start)
        give_up(m);
    return arena_copy_bytes(m->arena, start, (size_t)(m->next - start));
}

static bool is_real(const Maker *m)
{
    size_t length = strspn(m->next, "+-0123456789.eEinfa");
    for (size_t i = 0; i < length; i++)
        if (strchr(".nf", m->next[i]))
            return true;
    return false;
}

static double real(Maker *m)
{
    char *end;
    skip_blanks(m);
    double number = strtod(m->next, &end);
    if (end == m->next)
        give_up(m);
    m->next = end;
    return number;
}

static int64_t whole(Maker *m)
{
    char *end;
    skip_blanks(m);
    int64_t number = strtoll(m->next, &end, 10);
    if (end == m->next)
        give_up(m);
    m->next = end;
    return number;
}

static ProtobufCBinaryData quoted(Maker *m)
{
    expect(m, "\"");
    size_t length = strcspn(m->next, "\"");
    ProtobufCBinaryData bytes = {length, (uint8_t *)arena_copy_bytes(m->arena, m->next, length)};
    m->next += length;
    expect(m, "\"");
    return bytes;
}

/* ---- types and tensors ---- */

static int element(Maker *m)
{
    static const char *const names[] = {
        [1] = "float",   [2] = "uint8",   [3] = "int8",    [4] = "uint16",   [5] = "int16",
        [6] = "int32",   [7] = "int64",   [8] = "string",  [9] = "bool",     [10] = "float16",
        [11] = "double", [12] = "uint32", [13] = "uint64", [16] = "bfloat16"};
    const char *word = name(m);
    for (int i = 1; i < (int)(sizeof names / sizeof names[0]); i++)
        if (names[i] && strcmp(names[i], word) == 0)
            return i;
    give_up(m);
    return 0;
}

static int64_t *dims(Maker *m, size_t *count)
{
    int64_t *list = ARENA_ARRAY(m->arena, int64_t, 16);
    *count = 0;
    expect(m, "[");
    while (!accept(m, "]") && *count < 16) {
        list[(*count)++] = whole(m);
        accept(m, ",");
    }
    return list;
}

/* Numbers up to the end of the line, or to `end`. */
static void values(Maker *m, Onnx__TensorProto *tensor, const char *end)
{
    bool floats = tensor->data_type == 1, doubles = tensor->data_type == 11;
    int64_t *integers = ARENA_ARRAY(m->arena, int64_t, 4096);
    float *singles = ARENA_ARRAY(m->arena, float, 4096);
    double *numbers = ARENA_ARRAY(m->arena, double, 4096);
    int32_t *words = ARENA_ARRAY(m->arena, int32_t, 4096);
    size_t count = 0;
    for (skip_blanks(m); *m->next && *m->next != '\n' && !(end && accept(m, end)); count++) {
        if (floats || doubles)
            singles[count] = (float)(numbers[count] = real(m));
        else
            words[count] = (int32_t)(integers[count] = whole(m));
        accept(m, ",");
        skip_blanks(m);
    }
    tensor->float_data = singles;
    tensor->n_float_data = floats ? count : 0;
    tensor->double_data = numbers;
    tensor->n_double_data = doubles ? count : 0;
    tensor->int64_data = integers;
    tensor->n_int64_data = tensor->data_type == 7 ? count : 0;
    tensor->int32_data = words;
    tensor->n_int32_data = floats || doubles || tensor->data_type == 7 ? 0 : count;
}

static Onnx__TensorProto *tensor_of(Maker *m, int type)
{
    Onnx__TensorProto *tensor = ARENA_NEW(m->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(tensor);
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->dims = dims(m, &tensor->n_dims);
    return tensor;
}

static Onnx__ValueInfoProto *value_info(Maker *m, char *label, int type, const int64_t *sizes,
                                        size_t count)
{
    Onnx__ValueInfoProto *info = ARENA_NEW(m->arena, Onnx__ValueInfoProto);
    onnx__value_info_proto__init(info);
    info->name = label;
    if (type == 0)
        return info;
    info->type = ARENA_NEW(m->arena, Onnx__TypeProto);
    onnx__type_proto__init(info->type);
    info->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    info->type->tensor_type = ARENA_NEW(m->arena, Onnx__TypeProto__Tensor);
    onnx__type_proto__tensor__init(info->type->tensor_type);
    info->type->tensor_type->has_elem_type = 1;
    info->type->tensor_type->elem_type = type;
    Onnx__TensorShapeProto *shape = ARENA_NEW(m->arena, Onnx__TensorShapeProto);
    onnx__tensor_shape_proto__init(shape);
    info->type->tensor_type->shape = shape;
    for (size_t i = 0; i < count; i++) {
        Onnx__TensorShapeProto__Dimension *dim =
            ARENA_NEW(m->arena, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(dim);
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = sizes[i];
        shape->dim = grown(m->arena, shape->dim, &shape->n_dim, dim);
    }
    return info;
}

/* ---- lines ---- */

static void add_entry(Maker *m, Onnx__TensorProto *tensor, char *key)
{
    Onnx__StringStringEntryProto *entry = ARENA_NEW(m->arena, Onnx__StringStringEntryProto);
    onnx__string_string_entry_proto__init(entry);
    entry->key = key;
    skip_blanks(m);
    entry->value = (char *)quoted(m).data;
    tensor->external_data = grown(m->arena, tensor->external_data, &tensor->n_external_data, entry);
}

/* "data.bin" offset="4" … */
static void external(Maker *m, Onnx__TensorProto *tensor)
{
    tensor->has_data_location = 1;
    tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (!accept(m, "nowhere"))
        add_entry(m, tensor, arena_copy_text(m->arena, "location"));
    for (skip_blanks(m); *m->next && *m->next != '\n'; skip_blanks(m)) {
        char *key = name(m);
        expect(m, "=");
        add_entry(m, tensor, key);
    }
}

static void read_declaration(Maker *m, char *label)
{
    Onnx__GraphProto *graph = &m->graph;
    Onnx__TensorProto *tensor = tensor_of(m, element(m));
    bool is_external = accept(m, "from");
    if (is_external || accept(m, "=")) {
        tensor->name = label;
        if (is_external)
            external(m, tensor);
        else
            values(m, tensor, NULL);
        graph->initializer = grown(m->arena, graph->initializer, &graph->n_initializer, tensor);
        return;
    }
    graph->input = grown(m->arena, graph->input, &graph->n_input,
                         value_info(m, label, tensor->data_type, tensor->dims, tensor->n_dims));
}

static void read_list(Maker *m, Onnx__AttributeProto *a)
{
    a->ints = ARENA_ARRAY(m->arena, int64_t, 256);
    a->floats = ARENA_ARRAY(m->arena, float, 256);
    a->strings = ARENA_ARRAY(m->arena, ProtobufCBinaryData, 64);
    while (!accept(m, "]")) {
        skip_blanks(m);
        if (*m->next == '"')
            a->strings[a->n_strings++] = quoted(m);
        else if (is_real(m))
            a->floats[a->n_floats++] = (float)real(m);
        else
            a->ints[a->n_ints++] = whole(m);
        accept(m, ",");
    }
    a->type = a->n_strings  ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS
              : a->n_floats ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS
                            : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}

static void read_line(Maker *m);

/* Lines up to the closing brace; what is read goes to m->graph. */
static void read_block(Maker *m)
{
    for (;;) {
        while (*m->next == '\n' || *m->next == ' ')
            m->next++;
        if (accept(m, "}"))
            return;
        if (!*m->next)
            give_up(m);
        if (!accept(m, "->")) {
            read_line(m);
            continue;
        }
        do
            m->graph.output = grown(m->arena, m->graph.output, &m->graph.n_output,
                                    value_info(m, name(m), 0, NULL, 0));
        while (accept(m, ","));
    }
}

static Onnx__GraphProto *read_graph(Maker *m)
{
    Onnx__GraphProto outer = m->graph, *graph = ARENA_NEW(m->arena, Onnx__GraphProto);
    onnx__graph_proto__init(&m->graph);
    read_block(m);
    *graph = m->graph;
    m->graph = outer;
    return graph;
}

static Onnx__OperatorSetIdProto *new_import(Maker *m, char *domain, int64_t version)
{
    Onnx__OperatorSetIdProto *import = ARENA_NEW(m->arena, Onnx__OperatorSetIdProto);
    onnx__operator_set_id_proto__init(import);
    import->domain = domain;
    import->has_version = 1;
    import->version = version;
    return import;
}

/* my.F(a, b) -> c { … } */
static void read_function(Maker *m)
{
    Onnx__FunctionProto *f = ARENA_NEW(m->arena, Onnx__FunctionProto);
    onnx__function_proto__init(f);
    char *type = name(m), *dot = strrchr(type, '.');
    f->name = dot ? dot + 1 : type;
    f->domain = arena_copy_bytes(m->arena, type, dot ? (size_t)(dot - type) : 0);
    expect(m, "(");
    while (!accept(m, ")")) {
        f->input = grown(m->arena, f->input, &f->n_input, name(m));
        accept(m, ",");
    }
    expect(m, "->");
    do
        f->output = grown(m->arena, f->output, &f->n_output, name(m));
    while (accept(m, ","));
    expect(m, "{");
    const Onnx__GraphProto *body = read_graph(m);
    f->node = body->node;
    f->n_node = body->n_node;
    f->opset_import = grown(m->arena, f->opset_import, &f->n_opset_import,
                            new_import(m, arena_copy_text(m->arena, ""), 22));
    m->model.functions = grown(m->arena, m->model.functions, &m->model.n_functions, f);
}

static Onnx__AttributeProto *read_attribute(Maker *m)
{
    Onnx__AttributeProto *a = ARENA_NEW(m->arena, Onnx__AttributeProto);
    onnx__attribute_proto__init(a);
    a->name = name(m);
    expect(m, "=");
    a->has_type = 1;
    if (accept(m, "[")) {
        read_list(m, a);
    } else if (accept(m, "{")) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
        a->g = read_graph(m);
    } else if (*m->next == '"') {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        a->has_s = 1;
        a->s = quoted(m);
    } else if (isalpha((unsigned char)*m->next) && strncmp(m->next, "nan", 3) != 0 &&
               strncmp(m->next, "inf", 3) != 0) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        a->t = tensor_of(m, element(m));
        expect(m, "{");
        values(m, a->t, "}");
    } else if (is_real(m)) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        a->has_f = 1;
        a->f = (float)real(m);
    } else {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        a->has_i = 1;
        a->i = whole(m);
    }
    return a;
}

/* "_" is nobody. */
static char *edge(Maker *m, char *word)
{
    return strcmp(word, "_") == 0 ? arena_copy_text(m->arena, "") : word;
}

static void read_node(Maker *m, char *label, char *first)
{
    Onnx__NodeProto *node = ARENA_NEW(m->arena, Onnx__NodeProto);
    onnx__node_proto__init(node);
    node->name = label;
    node->output = grown(m->arena, node->output, &node->n_output, edge(m, first));
    while (accept(m, ","))
        node->output = grown(m->arena, node->output, &node->n_output, edge(m, name(m)));
    expect(m, "=");
    char *type = name(m), *dot = strrchr(type, '.');
    node->op_type = dot ? dot + 1 : type;
    node->domain = dot ? arena_copy_bytes(m->arena, type, (size_t)(dot - type)) : NULL;
    expect(m, "(");
    while (!accept(m, ")")) {
        node->input = grown(m->arena, node->input, &node->n_input, edge(m, name(m)));
        accept(m, ",");
    }
    for (skip_blanks(m); *m->next && *m->next != '\n'; skip_blanks(m))
        node->attribute = grown(m->arena, node->attribute, &node->n_attribute, read_attribute(m));
    m->graph.node = grown(m->arena, m->graph.node, &m->graph.n_node, node);
}

static void read_opset(Maker *m)
{
    skip_blanks(m);
    char *domain = isdigit((unsigned char)*m->next) ? arena_copy_text(m->arena, "") : name(m);
    m->model.opset_import = grown(m->arena, m->model.opset_import, &m->model.n_opset_import,
                                  new_import(m, domain, whole(m)));
}

static void read_line(Maker *m)
{
    if (accept(m, "opset ")) {
        read_opset(m);
        return;
    }
    if (accept(m, "function ")) {
        read_function(m);
        return;
    }
    char *label = accept(m, "[") ? name(m) : NULL;
    if (label)
        expect(m, "]");
    char *word = name(m);
    if (!label && accept(m, ":"))
        read_declaration(m, word);
    else
        read_node(m, label, word);
}

static void add_results(Maker *m)
{
    Onnx__GraphProto *graph = &m->graph;
    const Onnx__NodeProto *last = graph->n_node ? graph->node[graph->n_node - 1] : NULL;
    for (size_t i = 0; last && i < last->n_output; i++)
        if (last->output[i][0])
            graph->output = grown(m->arena, graph->output, &graph->n_output,
                                  value_info(m, last->output[i], 0, NULL, 0));
}

void onnx_text_write(Arena *arena, const char *text, const char *path)
{
    Maker m = {.arena = arena, .next = text};
    onnx__model_proto__init(&m.model);
    onnx__graph_proto__init(&m.graph);
    m.model.graph = &m.graph;
    m.model.has_ir_version = 1;
    m.model.ir_version = 10;
    while (*m.next) {
        if (*m.next != '\n')
            read_line(&m);
        if (*m.next == '\n')
            m.next++;
        else if (*m.next)
            give_up(&m);
    }
    bool has_main = false;
    for (size_t i = 0; i < m.model.n_opset_import; i++)
        has_main = has_main || !m.model.opset_import[i]->domain[0];
    if (!has_main) {
        const char *rest = m.next;
        m.next = "22";
        read_opset(&m);
        m.next = rest;
    }
    add_results(&m);
    size_t size = onnx__model_proto__get_packed_size(&m.model);
    uint8_t *bytes = ARENA_ARRAY(arena, uint8_t, (int64_t)size);
    onnx__model_proto__pack(&m.model, bytes);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        abort();
    }
}
