/* Whole ONNX models, made of the bytes: inputs, initialisers and nodes of operators.def with
 * attributes they might have, small and mostly wrong. Read, and compiled where they make sense.
 *
 * Bytes are choices. Where they end all further choices are 0, so every input is a model. Of the
 * attributes most are none that the operator knows: a model that is refused for them alone is read
 * again without, so that what stands behind such a node is reached. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/onnx/onnx_model.h"
#include "frontend/onnx/operator.h"

enum { NAMES = 64, NODES = 8, ALL_NODES = 256, DEPTH = 2, OPSET = 23 };

typedef struct Maker {
    Arena *arena;
    const uint8_t *at, *end;
    char *names[NAMES]; /* that can be read */
    int name_count, depth, values;
    Onnx__NodeProto *nodes[ALL_NODES]; /* also of inner graphs; number i is called "i" */
    int node_count;
} Maker;

static unsigned choose(Maker *m, unsigned count)
{
    unsigned byte = m->at < m->end ? *m->at++ : 0;
    return count ? byte % count : 0;
}

static char *new_name(Maker *m)
{
    char *name = arena_print(m->arena, "v%d", m->values++);
    if (m->name_count < NAMES)
        m->names[m->name_count++] = name;
    return name;
}

static char *any_name(Maker *m)
{
    unsigned which = choose(m, (unsigned)m->name_count + 1);
    return which < (unsigned)m->name_count ? m->names[which] : arena_copy_text(m->arena, "");
}

/* ---- tensors ---- */

static const int32_t types[] = {1, 7, 6, 9, 11, 2, 3, 10, 16, 4, 5, 12, 13};

static size_t rank(Maker *m)
{
    static const unsigned char ranks[] = {0, 1, 2, 3, 4, 2, 3, 1, 4, 5, 3, 2, 4, 1, 5, 8};
    return ranks[choose(m, sizeof ranks)];
}

static size_t length(Maker *m) /* such that many fit each other, and few are empty */
{
    static const unsigned char lengths[] = {2, 2, 2, 1, 3, 3, 2, 1, 4, 4, 6, 5, 2, 1, 3, 0};
    return lengths[choose(m, sizeof lengths)];
}

static int64_t small_number(Maker *m)
{
    static const int64_t numbers[] = {1, 2,  0, 3,  -1,        4,         5,
                                      7, -2, 8, 16, INT64_MIN, INT64_MAX, 1 << 20};
    unsigned which = choose(m, 32); /* the wild ones seldom */
    return which < 14 ? numbers[which] : which % 4 + 1;
}

static Onnx__TensorProto *tensor(Maker *m, char *name)
{
    Onnx__TensorProto *t = ARENA_NEW(m->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(t);
    t->name = name;
    t->has_data_type = 1;
    t->data_type = choose(m, 3) ? 7 : 1;
    t->n_dims = rank(m);
    t->dims = ARENA_ARRAY(m->arena, int64_t, 8);
    size_t count = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        t->dims[i] = t->n_dims > 5 ? 1 : (int64_t)length(m);
        count *= (size_t)t->dims[i];
    }
    if (t->data_type == 7) {
        t->n_int64_data = count;
        t->int64_data = ARENA_ARRAY(m->arena, int64_t, count);
        for (size_t i = 0; i < count && i < 16; i++)
            t->int64_data[i] = small_number(m);
    } else {
        t->n_float_data = count;
        t->float_data = ARENA_ARRAY(m->arena, float, count);
        for (size_t i = 0; i < count && i < 16; i++)
            t->float_data[i] = (float)small_number(m) / 2;
    }
    return t;
}

static Onnx__ValueInfoProto *input(Maker *m, char *name)
{
    Onnx__ValueInfoProto *info = ARENA_NEW(m->arena, Onnx__ValueInfoProto);
    Onnx__TypeProto *type = ARENA_NEW(m->arena, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *of = ARENA_NEW(m->arena, Onnx__TypeProto__Tensor);
    Onnx__TensorShapeProto *shape = ARENA_NEW(m->arena, Onnx__TensorShapeProto);
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(of);
    onnx__tensor_shape_proto__init(shape);
    info->name = name;
    info->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = of;
    of->has_elem_type = 1;
    of->elem_type = choose(m, 4) ? 1 : types[choose(m, sizeof types / sizeof types[0])];
    of->shape = shape;
    shape->n_dim = rank(m);
    shape->dim = ARENA_ARRAY(m->arena, Onnx__TensorShapeProto__Dimension *, 8);
    for (size_t i = 0; i < shape->n_dim; i++) {
        shape->dim[i] = ARENA_NEW(m->arena, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        shape->dim[i]->dim_value =
            shape->n_dim > 5 ? 1 + (int64_t)choose(m, 2) : (int64_t)length(m);
    }
    return info;
}

/* ---- nodes ---- */

static Onnx__GraphProto *graph(Maker *m);

static const char *const keys[] = {"axis",
                                   "axes",
                                   "perm",
                                   "kernel_shape",
                                   "strides",
                                   "pads",
                                   "dilations",
                                   "group",
                                   "mode",
                                   "to",
                                   "keepdims",
                                   "alpha",
                                   "beta",
                                   "epsilon",
                                   "transA",
                                   "transB",
                                   "auto_pad",
                                   "ceil_mode",
                                   "hidden_size",
                                   "direction",
                                   "value",
                                   "value_ints",
                                   "value_int",
                                   "then_branch",
                                   "else_branch",
                                   "body",
                                   "num_scan_inputs",
                                   "blocksize",
                                   "largest",
                                   "sorted",
                                   "k",
                                   "split",
                                   "num_outputs",
                                   "num_heads",
                                   "q_num_heads",
                                   "kv_num_heads",
                                   "equation",
                                   "reduction",
                                   "coordinate_transformation_mode",
                                   "nearest_mode",
                                   "allowzero",
                                   "batch_dims",
                                   "fmod",
                                   "exclusive",
                                   "reverse",
                                   "upper",
                                   "starts",
                                   "ends",
                                   "start",
                                   "end",
                                   "output_padding",
                                   "output_shape",
                                   "count_include_pad",
                                   "select_last_index",
                                   "num_groups",
                                   "stash_type",
                                   "size",
                                   "shape",
                                   "dtype",
                                   "high",
                                   "low",
                                   "mean",
                                   "scale",
                                   "bias",
                                   "lambd",
                                   "p",
                                   "ratio",
                                   "layout",
                                   "linear_before_reset",
                                   "scan_input_axes",
                                   "scan_output_axes",
                                   "scan_input_directions",
                                   "detect_negative",
                                   "onesided",
                                   "inverse",
                                   "detect_positive"};
static const char *const words[] = {"constant",      "reflect",
                                    "edge",          "wrap",
                                    "nearest",       "linear",
                                    "cubic",         "SAME_UPPER",
                                    "SAME_LOWER",    "VALID",
                                    "NOTSET",        "forward",
                                    "reverse",       "bidirectional",
                                    "sum",           "mean",
                                    "none",          "add",
                                    "mul",           "max",
                                    "min",           "ij,jk->ik",
                                    "...i->...",     "bilinear",
                                    "zeros",         "border",
                                    "half_pixel",    "asymmetric",
                                    "align_corners", "pytorch_half_pixel",
                                    "floor",         "ceil",
                                    "CRD",           "DCR",
                                    "LEFT",          "RIGHT",
                                    "tanh",          "tf_crop_and_resize"};

static Onnx__AttributeProto *attribute(Maker *m)
{
    Onnx__AttributeProto *a = ARENA_NEW(m->arena, Onnx__AttributeProto);
    const char *word = words[choose(m, sizeof words / sizeof words[0])];
    onnx__attribute_proto__init(a);
    a->name = arena_copy_text(m->arena, keys[choose(m, sizeof keys / sizeof keys[0])]);
    a->has_i = a->has_f = a->has_s = 1;
    a->i = small_number(m);
    a->f = (float)small_number(m) / 2;
    a->s = (ProtobufCBinaryData){strlen(word), (uint8_t *)arena_copy_text(m->arena, word)};
    a->n_ints = choose(m, 6);
    a->ints = ARENA_ARRAY(m->arena, int64_t, 6);
    for (size_t i = 0; i < a->n_ints; i++)
        a->ints[i] = small_number(m);
    if (strcmp(a->name, "value") == 0)
        a->t = tensor(m, NULL);
    if (strstr(a->name, "b") && (strstr(a->name, "body") || strstr(a->name, "branch")))
        a->g = m->depth < DEPTH ? graph(m) : NULL;
    return a;
}

static Onnx__NodeProto *node(Maker *m)
{
    int rows;
    const OnnxOperator *row = onnx_operators(&rows);
    Onnx__NodeProto *n = ARENA_NEW(m->arena, Onnx__NodeProto);
    unsigned which = choose(m, 256) * 256u;
    row += (which + choose(m, 256)) % (unsigned)rows;
    onnx__node_proto__init(n);
    n->op_type = arena_copy_text(m->arena, row->name);
    n->domain = arena_copy_text(m->arena, row->domain);
    n->name = arena_print(m->arena, "%d", m->node_count);
    if (m->node_count < ALL_NODES)
        m->nodes[m->node_count++] = n;
    int most = row->most_in < 8 ? row->most_in : 4;
    n->n_input = (size_t)row->least_in + choose(m, (unsigned)(most - row->least_in + 1));
    n->input = ARENA_ARRAY(m->arena, char *, n->n_input);
    for (size_t i = 0; i < n->n_input; i++)
        n->input[i] = any_name(m);
    n->n_attribute = choose(m, 5);
    n->attribute = ARENA_ARRAY(m->arena, Onnx__AttributeProto *, 5);
    for (size_t i = 0; i < n->n_attribute; i++)
        n->attribute[i] = attribute(m);
    n->n_output = 1 + (size_t)choose(m, row->most_out < 4 ? (unsigned)row->most_out : 4);
    n->output = ARENA_ARRAY(m->arena, char *, n->n_output);
    for (size_t i = 0; i < n->n_output; i++)
        n->output[i] = new_name(m);
    return n;
}

static Onnx__GraphProto *graph(Maker *m)
{
    Onnx__GraphProto *g = ARENA_NEW(m->arena, Onnx__GraphProto);
    int visible = m->name_count;
    onnx__graph_proto__init(g);
    m->depth++;
    g->n_input = choose(m, 4);
    g->input = ARENA_ARRAY(m->arena, Onnx__ValueInfoProto *, 4);
    for (size_t i = 0; i < g->n_input; i++)
        g->input[i] = input(m, new_name(m));
    g->n_initializer = choose(m, 4);
    g->initializer = ARENA_ARRAY(m->arena, Onnx__TensorProto *, 4);
    for (size_t i = 0; i < g->n_initializer; i++)
        g->initializer[i] = tensor(m, new_name(m));
    g->n_node = 1 + choose(m, m->depth == 1 ? NODES : 3);
    g->node = ARENA_ARRAY(m->arena, Onnx__NodeProto *, NODES + 1);
    for (size_t i = 0; i < g->n_node; i++)
        g->node[i] = node(m);
    g->n_output = 1 + choose(m, 3);
    g->output = ARENA_ARRAY(m->arena, Onnx__ValueInfoProto *, 4);
    for (size_t i = 0; i < g->n_output; i++)
        g->output[i] = input(m, m->name_count ? m->names[m->name_count - 1 - (int)i % m->name_count]
                                              : any_name(m));
    m->depth--;
    m->name_count = visible; /* names end with their graph */
    return g;
}

/* ---- the model ---- */

static Onnx__ModelProto *model(Maker *m)
{
    Onnx__ModelProto *whole = ARENA_NEW(m->arena, Onnx__ModelProto);
    onnx__model_proto__init(whole);
    whole->n_opset_import = 2;
    whole->opset_import = ARENA_ARRAY(m->arena, Onnx__OperatorSetIdProto *, 2);
    for (int i = 0; i < 2; i++) {
        whole->opset_import[i] = ARENA_NEW(m->arena, Onnx__OperatorSetIdProto);
        onnx__operator_set_id_proto__init(whole->opset_import[i]);
        whole->opset_import[i]->has_version = 1;
    }
    whole->opset_import[0]->version = OPSET - (int64_t)choose(m, 17);
    whole->opset_import[1]->domain = arena_copy_text(m->arena, "ai.onnx.ml");
    whole->opset_import[1]->version = 5;
    whole->graph = graph(m);
    return whole;
}

static const char *write_model(Arena *arena, const Onnx__ModelProto *whole)
{
    size_t size = onnx__model_proto__get_packed_size(whole);
    uint8_t *bytes = arena_alloc(arena, size);
    onnx__model_proto__pack(whole, bytes);
    return fuzz_file("graph.onnx", bytes, size);
}

/* What the message says of an attribute that is not known is mended. */
static bool drop_attribute(Maker *m, const char *message)
{
    const char *key = strstr(message, "has an attribute \""), *name = NULL;
    for (const char *at = strstr(message, "node "); key && at && at < key;
         at = strstr(at + 1, "node "))
        name = strchr(at, '"');
    int number = name ? atoi(name + 1) : m->node_count;
    if (number >= m->node_count)
        return false;
    Onnx__NodeProto *n = m->nodes[number];
    size_t size = strcspn(key += strlen("has an attribute \""), "\""), kept = 0;
    for (size_t i = 0; i < n->n_attribute; i++)
        if (strncmp(n->attribute[i]->name, key, size) != 0 || n->attribute[i]->name[size])
            n->attribute[kept++] = n->attribute[i];
    bool fewer = kept < n->n_attribute;
    n->n_attribute = kept;
    return fewer;
}

static void read_model(Maker *m, const Onnx__ModelProto *whole)
{
    bool again = true;
    for (int tries = 0; again && tries < 2 * NODES; tries++) {
        Arena *arena = arena_create();
        Diag *diag = diag_create(arena);
        Bindings bindings = {.dim_count = 0};
        ModelOptions options = {
            .batches = (const int64_t[]){2}, .batch_count = 1, .bindings = &bindings};
        Model *read = onnx_model_read(arena, diag, write_model(arena, whole), &options);
        fuzz_check(read || !diag_ok(diag), "refused without a reason", diag);
        if (diag_ok(diag)) {
            fuzz_check_model(read, diag);
            fuzz_compile(read->program);
        }
        again = false;
        for (int i = 0; i < diag->kept; i++)
            again |= drop_attribute(m, diag->messages[i]);
        arena_destroy(arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create();
    Maker maker = {.arena = arena, .at = data, .end = data + size};
    read_model(&maker, model(&maker));
    arena_destroy(arena);
    return 0;
}
