/* The table of operators at run time, and how a builder reads inputs and attributes; see
 * operator.h. */
#include "frontend/onnx/reader.h"

#include <stdarg.h>
#include <string.h>

#include "frontend/onnx/tensor.h"

static const OnnxOperator rows[] = {
#define ONNX(domain, name, since, until, least, most, outs, types, builder, detail)                \
    {domain, #name, since, until, least, most, outs, types, onnx_build_##builder, detail},
#include "frontend/onnx/operators.def"
#undef ONNX
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0], VALUE_LIMIT = 1 << 20 };

const OnnxOperator *onnx_operators(int *count)
{
    *count = ROW_COUNT;
    return rows;
}

const OnnxOperator *onnx_operator_find(const char *domain, const char *name, int opset)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0 && strcmp(rows[i].domain, domain) == 0 &&
            (opset == 0 || (opset >= rows[i].since && opset <= rows[i].until)))
            return &rows[i];
    return NULL;
}

Node *onnx_error(OnnxOp *op, const char *format, ...)
{
    Diag *diag = op->reader->diag;
    va_list arguments;
    va_start(arguments, format);
    const char *text = /* those beyond are only counted */
        diag->error_count < diag->limit ? arena_print_list(op->arena, format, arguments) : "";
    va_end(arguments);
    diag_error(diag, op->place, "%s", text);
    op->failed = true;
    return NULL;
}

/* ---- inputs ---- */

bool onnx_has_in(const OnnxOp *op, int i)
{
    return i < op->in_count && op->in[i] && !op->in[i]->is_empty;
}

/* "conv1.weight" from whatever stands in the file: names of states are C identifiers with dots in
 * checkpoints and headers alike, but any text will do there. */
static State *weight_state(OnnxReader *reader, OnnxWeight *weight, const int64_t *order)
{
    if (weight->state)
        return weight->state;
    TensorType type = weight->type;
    for (int i = 0; order && i < type.rank; i++)
        type.dims[i] = weight->type.dims[order[i]];
    weight->state = program_add_state(reader->program, weight->name, type);
    if (!weight->state)
        return NULL;
    weight->state->parameter = true;
    weight->state->value = weight->data;
    weight->state->place =
        arena_print(reader->arena, "%s: initializer \"%s\"", reader->path, weight->name);
    if (order) {
        weight->order = ARENA_ARRAY(reader->arena, int64_t, type.rank);
        memcpy(weight->order, order, (size_t)type.rank * sizeof *order);
        weight->state->value = tensor_transposed(reader->arena, &weight->type, weight->data, order);
    }
    return weight->state;
}

/* The state with its axes as the file has them. */
static Node *state_node(OnnxReader *reader, Function *f, OnnxWeight *weight, const int64_t *order)
{
    State *state = weight_state(reader, weight, order);
    Node *node = state ? graph_state(f, state) : NULL;
    if (!node || !weight->order)
        return node;
    int64_t back[RANK_LIMIT];
    for (int i = 0; i < weight->type.rank; i++)
        back[weight->order[i]] = i;
    return graph_transpose(f, node, back);
}

static const void *turned_data(OnnxReader *reader, OnnxWeight *weight, const int64_t *order)
{
    size_t size = (size_t)weight->type.rank * sizeof *order;
    for (const OnnxTurned *t = weight->turned; t; t = t->next)
        if (memcmp(t->order, order, size) == 0)
            return t->data;
    OnnxTurned *turned = ARENA_NEW(reader->arena, OnnxTurned);
    int64_t *copy = ARENA_ARRAY(reader->arena, int64_t, weight->type.rank);
    memcpy(copy, order, size);
    *turned = (OnnxTurned){
        copy, tensor_transposed(reader->arena, &weight->type, weight->data, order), weight->turned};
    weight->turned = turned;
    return turned->data;
}

static Node *constant_node(OnnxReader *reader, Function *f, OnnxWeight *weight,
                           const int64_t *order)
{
    if (!order)
        return graph_constant(f, weight->type, weight->data);
    TensorType type = weight->type;
    for (int i = 0; i < type.rank; i++)
        type.dims[i] = weight->type.dims[order[i]];
    return graph_constant(f, type, turned_data(reader, weight, order));
}

Node *onnx_value_node(OnnxReader *reader, Function *f, OnnxValue *value, const int64_t *order)
{
    OnnxWeight *weight = value->weight;
    if (value->node || !weight)
        return value->node ? (order ? graph_transpose(f, value->node, order) : value->node) : NULL;
    bool trains = reader->options->train && element_is_float(weight->type.element);
    if (!trains)
        return constant_node(reader, f, weight, order);
    Node *node = state_node(reader, f, weight, order);
    return order ? graph_transpose(f, node, order) : node;
}

/* Does the operator compute with what it is given in half precision, and so in f32? */
static bool widens(const OnnxOp *op, ElementType element)
{
    return op->row && op->row->types == WIDE && element_is_storage(element);
}

static Node *widened(OnnxOp *op, Node *x)
{
    if (!x || !widens(op, x->type.element))
        return x;
    if (op->half < 0)
        op->half = (int)x->type.element;
    return graph_cast(op->f, x, TYPE_F32);
}

/* Of an input as the builder sees it. */
static const TensorType *widened_type(const OnnxOp *op, const TensorType *type)
{
    if (!widens(op, type->element))
        return type;
    TensorType *wide = ARENA_NEW(op->arena, TensorType);
    *wide = *type;
    wide->element = TYPE_F32;
    return wide;
}

void onnx_narrow_results(OnnxOp *op)
{
    for (int i = 0; op->half >= 0 && !op->keep_float && i < op->out_count; i++) {
        Node *node = op->out[i].node;
        if (node && node->type.element == TYPE_F32)
            op->out[i].node = graph_cast(op->f, node, (ElementType)op->half);
    }
}

Node *onnx_in(OnnxOp *op, int i)
{
    return onnx_in_ordered(op, i, NULL);
}

Node *onnx_in_ordered(OnnxOp *op, int i, const int64_t *order)
{
    if (!onnx_has_in(op, i))
        return NULL;
    if (op->in[i]->is_sequence)
        return onnx_error(op, "input %d, \"%s\", is a sequence, not a tensor", i, op->in[i]->name);
    return widened(op, onnx_value_node(op->reader, op->f, op->in[i], order));
}

const TensorType *onnx_in_type(const OnnxOp *op, int i)
{
    if (!onnx_has_in(op, i) || op->in[i]->is_sequence)
        return NULL;
    if (op->in[i]->node)
        return widened_type(op, &op->in[i]->node->type);
    return op->in[i]->weight ? widened_type(op, &op->in[i]->weight->type) : NULL;
}

const Value *onnx_in_value(OnnxOp *op, int i)
{
    const TensorType *type = onnx_in_type(op, i);
    if (!type || type_elements(type) > VALUE_LIMIT)
        return NULL;
    const Node *node = op->in[i]->node;
    const OnnxWeight *weight = op->in[i]->weight;
    if (node && node->op != OP_constant)
        return NULL;
    Value *value = ARENA_NEW(op->arena, Value);
    *value = value_read(op->arena, node ? node->type : weight->type,
                        node ? node->attr.data : weight->data);
    value->type = *type; /* f16 in f32 are the same numbers */
    return value;
}

/* The value of an input that must be known; NULL and an error otherwise. */
static const Value *known_value(OnnxOp *op, int i, const char *what)
{
    const Value *value = onnx_in_value(op, i);
    if (value)
        return value;
    const Node *node = onnx_has_in(op, i) ? op->in[i]->node : NULL;
    if (!node) {
        onnx_error(op, "%s, input %d, must be a tensor that is known when the model is built", what,
                   i);
        return NULL;
    }
    onnx_error(op, "%s, \"%s\", must be known when the model is built%s", what, op->in[i]->name,
               onnx_remedy(op, node));
    return NULL;
}

bool onnx_in_integers(OnnxOp *op, int i, const char *what, const int64_t **values, int *count)
{
    const Value *value = known_value(op, i, what);
    if (value && (!value->integers || value->type.rank > 1))
        onnx_error(op, "%s, input \"%s\", must be a list of whole numbers", what, op->in[i]->name);
    if (op->failed || !value)
        return false;
    *values = value->integers;
    *count = (int)type_elements(&value->type);
    return true;
}

bool onnx_in_integer(OnnxOp *op, int i, const char *what, int64_t *result)
{
    const int64_t *values;
    int count;
    if (!onnx_in_integers(op, i, what, &values, &count))
        return false;
    if (count != 1)
        return onnx_error(op, "%s, input \"%s\", must be one number, not %d", what, op->in[i]->name,
                          count);
    *result = values[0];
    return true;
}

bool onnx_in_numbers(OnnxOp *op, int i, const char *what, const double **values, int *count)
{
    const Value *value = known_value(op, i, what);
    if (!value || op->failed)
        return false;
    *count = (int)type_elements(&value->type);
    double *numbers = ARENA_ARRAY(op->arena, double, *count);
    for (int j = 0; j < *count; j++)
        numbers[j] = value->numbers ? value->numbers[j] : (double)value->integers[j];
    *values = numbers;
    return true;
}

bool onnx_in_number(OnnxOp *op, int i, const char *what, double *result)
{
    const double *values;
    int count;
    if (!onnx_in_numbers(op, i, what, &values, &count))
        return false;
    if (count != 1)
        return onnx_error(op, "%s, input \"%s\", must be one number, not %d", what, op->in[i]->name,
                          count);
    *result = values[0];
    return true;
}

/* ---- results ---- */

void onnx_out(OnnxOp *op, int i, Node *node)
{
    if (!node)
        op->failed = true;
    if (i < op->out_count)
        op->out[i].node = node;
}

void onnx_out_length(OnnxOp *op, int i, Node *node, Node *length, int axis)
{
    onnx_out(op, i, node);
    if (i < op->out_count) {
        op->out[i].length = length;
        op->out[i].length_axis = axis;
    }
}

void onnx_keep_length(OnnxOp *op, const int64_t *order)
{
    const OnnxValue *in = op->in[0];
    if (!in || !in->length || op->out_count < 1)
        return;
    int axis = in->length_axis;
    for (int j = 0; order && op->out[0].node && j < op->out[0].node->type.rank; j++)
        if (order[j] == in->length_axis)
            axis = j;
    op->out[0].length = in->length;
    op->out[0].length_axis = axis;
}

void onnx_out_sequence(OnnxOp *op, int i, OnnxValue **items, int count)
{
    if (i < op->out_count)
        op->out[i] = (OnnxValue){.is_sequence = true, .items = items, .item_count = count};
}

bool onnx_wants(const OnnxOp *op, int i)
{
    return i < op->out_count && op->proto->output[i][0];
}

/* ---- attributes ---- */

static const Onnx__AttributeProto *find_attribute(const OnnxOp *op, const char *name)
{
    for (size_t i = 0; i < op->proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = op->proto->attribute[i];
        if (!attribute->name || strcmp(attribute->name, name) != 0)
            continue;
        op->attribute_read[i] = true;
        const char *reference = attribute->ref_attr_name;
        if (reference && reference[0]) {
            const OnnxScope *scope = op->scope;
            while (scope && !scope->call)
                scope = scope->outer;
            if (!scope)
                return NULL;
            const Onnx__AttributeProto *given = find_attribute(scope->call, reference);
            return given ? given : onnx_function_default(scope->function, reference);
        }
        return attribute;
    }
    return NULL;
}

const Onnx__AttributeProto *onnx_attribute(OnnxOp *op, const char *name)
{
    return find_attribute(op, name);
}

/* What an attribute of the type holds, for people. */
static const char *contents(int type)
{
    static const char *const all[] = {[1] = "a float",
                                      [2] = "a whole number",
                                      [3] = "text",
                                      [4] = "a tensor",
                                      [5] = "a graph",
                                      [6] = "a list of floats",
                                      [7] = "a list of integers",
                                      [8] = "a list of texts"};
    bool known = type > 0 && type < (int)(sizeof all / sizeof all[0]);
    return known ? all[type] : "something else";
}

/* The attribute, if it is there and holds what it must; old files do not say what it is. */
static const Onnx__AttributeProto *typed_attribute(OnnxOp *op, const char *name,
                                                   Onnx__AttributeProto__AttributeType type)
{
    const Onnx__AttributeProto *attribute = find_attribute(op, name);
    if (!attribute || !attribute->type || attribute->type == type)
        return attribute;
    onnx_error(op, "its attribute \"%s\" holds %s, but must hold %s", name,
               contents((int)attribute->type), contents((int)type));
    return NULL;
}

int64_t onnx_int(OnnxOp *op, const char *name, int64_t otherwise)
{
    const Onnx__AttributeProto *attribute =
        typed_attribute(op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    return attribute ? attribute->i : otherwise;
}

double onnx_float(OnnxOp *op, const char *name, double otherwise)
{
    const Onnx__AttributeProto *attribute =
        typed_attribute(op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    return attribute ? attribute->f : otherwise;
}

const char *onnx_text(OnnxOp *op, const char *name, const char *otherwise)
{
    const Onnx__AttributeProto *attribute =
        typed_attribute(op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    return attribute ? onnx_bytes_text(op->arena, attribute->s) : otherwise;
}

bool onnx_ints(OnnxOp *op, const char *name, const int64_t **values, int *count)
{
    const Onnx__AttributeProto *attribute =
        typed_attribute(op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!attribute)
        return false;
    *values = attribute->ints;
    *count = (int)attribute->n_ints;
    return true;
}

bool onnx_floats(OnnxOp *op, const char *name, const float **values, int *count)
{
    const Onnx__AttributeProto *attribute =
        typed_attribute(op, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    if (!attribute)
        return false;
    *values = attribute->floats;
    *count = (int)attribute->n_floats;
    return true;
}

void onnx_ignore(OnnxOp *op, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, " ");
        find_attribute(op, arena_copy_bytes(op->arena, names, length));
        names += length + (names[length] == ' ');
    }
}

bool onnx_text_is(OnnxOp *op, const char *name, const char *first, const char *second)
{
    const char *text = onnx_text(op, name, first);
    if (strcmp(text, second) == 0)
        return true;
    if (strcmp(text, first) != 0)
        onnx_error(op, "%s is \"%s\", but must be \"%s\" or \"%s\"", name, text, first, second);
    return false;
}

int onnx_word(OnnxOp *op, const char *name, const char *otherwise, const char *const *words,
              int count)
{
    const char *text = onnx_text(op, name, otherwise);
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    onnx_error(op, "%s is \"%s\", which is none", name, text);
    return 0;
}

/* ---- training ---- */

bool onnx_uses_batch_statistics(const OnnxOp *op)
{
    return op->reader->training && op->reader->batch_norm;
}

Node *onnx_in_statistic(OnnxOp *op, int i)
{
    Node *node = onnx_in(op, i);
    OnnxWeight *weight = onnx_has_in(op, i) ? op->in[i]->weight : NULL;
    if (weight && weight->state)
        weight->state->parameter = false;
    return node;
}

void onnx_follow(OnnxOp *op, int i, Node *value, double kept)
{
    OnnxWeight *weight = onnx_has_in(op, i) ? op->in[i]->weight : NULL;
    if (!weight || !weight->state || !value)
        return;
    Node *old = graph_binary_scalar(op->f, OP_mul, graph_state(op->f, weight->state), kept);
    Node *new = graph_binary_scalar(op->f, OP_mul, value, 1 - kept);
    function_set_update(op->f, weight->state, graph_add(op->f, old, new));
}

Node *onnx_drop(OnnxOp *op, Node *x, double rate)
{
    OnnxReader *r = op->reader;
    if (!r->training || !r->dropout)
        return x;
    Layer layer = {.builder = &r->network->builder};
    return layer_drop(&layer, x, rate);
}

/* ---- what builders share ---- */

bool onnx_axis(OnnxOp *op, int64_t axis, int rank, int *result)
{
    if (axis < -rank || axis >= rank)
        return onnx_error(op, "axis %lld is none of a tensor with %d axes", (long long)axis, rank);
    *result = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

bool onnx_axes(OnnxOp *op, const int64_t *axes, int count, int rank, int64_t *result)
{
    bool chosen[RANK_LIMIT] = {false};
    for (int i = 0; i < count; i++) {
        int axis = 0;
        if (!onnx_axis(op, axes[i], rank, &axis))
            return false;
        if (chosen[axis])
            return onnx_error(op, "axis %d is named twice", axis);
        chosen[axis] = true;
    }
    for (int i = 0, n = 0; i < rank; i++)
        if (chosen[i])
            result[n++] = i;
    return true;
}

bool onnx_axes_of(OnnxOp *op, int opset, int i, int rank, int64_t *axes, int *count, bool *given)
{
    const int64_t *values = NULL;
    int n = 0;
    if (op->opset < opset)
        *given = onnx_ints(op, "axes", &values, &n);
    else
        *given = onnx_has_in(op, i);
    if (*given && op->opset >= opset && !onnx_in_integers(op, i, "axes", &values, &n))
        return false;
    *given = *given && n > 0;
    if (n > rank)
        return onnx_error(op, "%d axes are named, of a tensor with %d", n, rank);
    *count = *given ? n : rank;
    for (int j = 0; j < rank && !*given; j++)
        axes[j] = j;
    return !*given || onnx_axes(op, values, n, rank, axes);
}

Node *onnx_scalar(OnnxOp *op, ElementType element, double value)
{
    return graph_scalar(op->f, element, value);
}

Node *onnx_list(OnnxOp *op, int count, const int64_t *values)
{
    int64_t length = count, *data = ARENA_ARRAY(op->arena, int64_t, count);
    if (count)
        memcpy(data, values, (size_t)count * sizeof *values);
    return graph_constant(op->f, type_make(TYPE_I64, 1, &length), data);
}

Node *onnx_rows(OnnxOp *op, Node *indices, int64_t count)
{
    Node *x = graph_cast(op->f, indices, TYPE_I32);
    if (!x)
        return NULL;
    Node *negative = graph_binary_scalar(op->f, OP_lt, x, 0);
    return graph_select(op->f, negative, graph_binary_scalar(op->f, OP_add, x, (double)count), x);
}

Node *onnx_move_axis(OnnxOp *op, Node *x, int from, int to)
{
    if (!x || from == to)
        return x;
    int64_t order[RANK_LIMIT];
    for (int i = 0, next = 0; i < x->type.rank; i++) {
        next += next == from;
        order[i] = i == to ? from : next++;
    }
    return graph_transpose(op->f, x, order);
}

Node *onnx_reshape(OnnxOp *op, Node *x, int rank, const int64_t *dims)
{
    return graph_reshape(op->f, x, rank, dims);
}
