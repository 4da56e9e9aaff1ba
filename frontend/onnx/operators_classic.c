/* Operators of ai.onnx.ml that prepare features, and words by number. Text is not supported: its
 * attributes are reported as the others are that nobody reads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/reader.h"
#include "frontend/onnx/tensor.h"
#include "ir/element.h"

/* ---- lists in attributes ---- */

/* A list of an attribute whose name says its type, or of a tensor: "keys_int64s", "keys_floats",
 * "keys_tensor". */
typedef struct List {
    ElementType element;
    int64_t count;
    const void *data;
} List;

static bool read_tensor(OnnxOp *op, const char *key, List *list)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(op, key);
    TensorType type;
    if (!attribute || !attribute->t)
        return false;
    if (!onnx_tensor_read(op->reader->diag, op->place, op->reader->path, attribute->t, &type,
                          &list->data)) {
        op->failed = true;
        return false;
    }
    list->element = type.element;
    list->count = type_elements(&type);
    return true;
}

static bool read_list(OnnxOp *op, const char *name, List *list)
{
    int count;
    const int64_t *integers;
    const float *floats;
    if (onnx_ints(op, arena_print(op->arena, "%s_int64s", name), &integers, &count))
        *list = (List){TYPE_I64, count, integers};
    else if (onnx_floats(op, arena_print(op->arena, "%s_floats", name), &floats, &count))
        *list = (List){TYPE_F32, count, floats};
    else if (!read_tensor(op, arena_print(op->arena, "%s_tensor", name), list))
        return onnx_error(op, "has no %s that are numbers", name);
    return true;
}

static const void *item_of(const List *list, int64_t i)
{
    return (const char *)list->data + i * element_bytes(list->element);
}

static Node *item(OnnxOp *op, const List *list, int64_t i)
{
    return graph_constant(op->f, type_scalar(list->element), item_of(list, i));
}

static Node *floats_of(OnnxOp *op, const float *values, int count)
{
    int64_t length = count;
    return graph_constant(op->f, type_make(TYPE_F32, 1, &length), values);
}

/* ---- labels ---- */

enum { COMPARED_AT_MOST = 32 };

typedef struct Key { /* for sorting */
    double number;
    int64_t integer, place;
} Key;

static int compare_keys(const void *a, const void *b)
{
    const Key *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    if (x->integer != y->integer)
        return x->integer < y->integer ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static bool is_nan(const List *keys, int64_t i)
{
    return element_is_float(keys->element) && isnan(element_number(keys->element, keys->data, i));
}

/* The place of x among few keys, one after another; `count` where it is none. */
static Node *place_by_comparing(OnnxOp *op, Node *x, const List *keys)
{
    Node *place = onnx_scalar(op, TYPE_I32, (double)keys->count);
    for (int64_t i = 0; i < keys->count; i++) {
        Node *key = is_nan(keys, i) ? NULL : item(op, keys, i);
        Node *same = graph_binary(op->f, key ? OP_eq : OP_ne, x, key ? key : x);
        place = graph_select(op->f, same, onnx_scalar(op, TYPE_I32, (double)i), place);
    }
    return place;
}

/* The keys in ascending order, the last of equal ones behind, and NaN left out. */
static int64_t sort_keys(OnnxOp *op, const List *keys, Key **sorted)
{
    int64_t count = 0;
    *sorted = ARENA_ARRAY(op->arena, Key, keys->count);
    for (int64_t i = 0; i < keys->count; i++)
        if (element_is_float(keys->element) && !is_nan(keys, i))
            (*sorted)[count++] = (Key){element_number(keys->element, keys->data, i), 0, i};
        else if (!element_is_float(keys->element))
            (*sorted)[count++] = (Key){0, element_integer(keys->element, keys->data, i), i};
    qsort(*sorted, (size_t)count, sizeof **sorted, compare_keys);
    return count;
}

/* By halving: the last of the sorted keys that is not greater. */
static Node *place_by_halving(OnnxOp *op, Node *x, const List *keys)
{
    Key *sorted;
    int64_t count = sort_keys(op, keys, &sorted), width = element_bytes(keys->element), step = 1;
    char *data = ARENA_ARRAY(op->arena, char, count *width);
    int32_t *places = ARENA_ARRAY(op->arena, int32_t, count);
    for (int64_t i = 0; i < count; i++) {
        memcpy(data + i * width, item_of(keys, sorted[i].place), (size_t)width);
        places[i] = (int32_t)sorted[i].place;
    }
    Node *table = graph_constant(op->f, type_make(keys->element, 1, &count), data);
    Node *order = graph_constant(op->f, type_make(TYPE_I32, 1, &count), places);
    while (step * 2 < count)
        step *= 2;
    Node *at = graph_broadcast(op->f, onnx_scalar(op, TYPE_I32, 0), x->type.rank, x->type.dims);
    for (; step > 0; step /= 2) {
        Node *next = onnx_plus(op, at, (double)step);
        Node *below = graph_binary(op->f, OP_le, graph_gather(op->f, table, next), x);
        below = graph_binary(op->f, OP_and, below, onnx_compare(op, OP_lt, next, (double)count));
        at = graph_select(op->f, below, next, at);
    }
    Node *same = graph_binary(op->f, OP_eq, graph_gather(op->f, table, at), x);
    Node *none = onnx_scalar(op, TYPE_I32, (double)keys->count);
    Node *place = graph_select(op->f, same, graph_gather(op->f, order, at), none);
    for (int64_t i = 0; i < keys->count; i++)
        if (is_nan(keys, i))
            place = graph_select(op->f, graph_binary(op->f, OP_ne, x, x),
                                 onnx_scalar(op, TYPE_I32, (double)i), place);
    return place;
}

static Node *default_of(OnnxOp *op, ElementType element)
{
    List list;
    int64_t number = onnx_int(op, "default_int64", -1);
    double other = onnx_float(op, "default_float", -0.0);
    if (read_tensor(op, "default_tensor", &list) && list.element == element && list.count == 1)
        return item(op, &list, 0);
    return onnx_scalar(op, element, element_is_float(element) ? other : (double)number);
}

void onnx_build_label_encoder(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    List keys, values;
    onnx_ignore(op, "default_string");
    if (!x || !read_list(op, "keys", &keys) || !read_list(op, "values", &values))
        return;
    if (keys.count != values.count || keys.count == 0 || keys.count > INT32_MAX / 2 ||
        keys.element != x->type.element) {
        onnx_error(op, "its keys must be as many as its values, and of the type of its input");
        return;
    }
    Node *place = keys.count <= COMPARED_AT_MOST ? place_by_comparing(op, x, &keys)
                                                 : place_by_halving(op, x, &keys);
    Node *other = default_of(op, values.element);
    Node *table = graph_constant(op->f, type_make(values.element, 1, &values.count), values.data);
    table =
        graph_concat(op->f, 2, (Node *[]){table, onnx_reshape(op, other, 1, (int64_t[]){1})}, 0);
    onnx_out(op, 0, graph_gather(op->f, table, place));
}

/* ---- features ---- */

void onnx_build_binarizer(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    double threshold = onnx_float(op, "threshold", 0);
    if (!x)
        return;
    ElementType element = x->type.element;
    x = graph_cast(op->f, x, element_is_float(element) ? element : TYPE_F64);
    onnx_out(op, 0, graph_cast(op->f, onnx_compare(op, OP_gt, x, threshold), element));
}

/* A list of one number, or one for each feature of the last axis; NULL and an error otherwise. */
static Node *feature_list(OnnxOp *op, const Node *x, const char *key)
{
    const float *values;
    int count;
    if (!onnx_floats(op, key, &values, &count))
        return onnx_error(op, "says no %s", key);
    if (count != 1 && (x->type.rank < 1 || count != x->type.dims[x->type.rank - 1]))
        return onnx_error(op, "%s has %d numbers, which are not as many as the features", key,
                          count);
    return floats_of(op, values, count);
}

/* (x - offset) · scale */
void onnx_build_scaler(OnnxOp *op)
{
    Node *x = graph_cast(op->f, onnx_in(op, 0), TYPE_F32);
    if (!x)
        return;
    x = graph_sub(op->f, x, feature_list(op, x, "offset"));
    onnx_out(op, 0, graph_mul(op->f, x, x ? feature_list(op, x, "scale") : NULL));
}

/* Each row divided by its largest number, its sum of sizes or its length; rows of 0 stay. */
void onnx_build_normalizer(OnnxOp *op)
{
    Node *x = graph_cast(op->f, onnx_in(op, 0), TYPE_F32), *size;
    const char *norm = onnx_text(op, "norm", "MAX");
    if (!x || x->type.rank < 1)
        return;
    int64_t last = x->type.rank - 1;
    if (strcmp(norm, "MAX") == 0)
        size = graph_reduce(op->f, OP_reduce_max, graph_unary(op->f, OP_abs, x), 1, &last, true);
    else if (strcmp(norm, "L1") == 0)
        size = graph_reduce(op->f, OP_reduce_sum, graph_unary(op->f, OP_abs, x), 1, &last, true);
    else if (strcmp(norm, "L2") == 0)
        size = graph_unary(op->f, OP_sqrt,
                           graph_reduce(op->f, OP_reduce_sum, onnx_square(op, x), 1, &last, true));
    else
        size = onnx_error(op, "its norm is \"%s\", but must be MAX, L1 or L2", norm);
    Node *none = onnx_compare(op, OP_eq, size, 0);
    size = graph_select(op->f, none, onnx_scalar(op, TYPE_F32, 1), size);
    onnx_out(op, 0, graph_div(op->f, x, size));
}

/* x where it is not the number to replace; NaN is replaced by comparing it with itself. */
void onnx_build_imputer(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *values, *gone;
    const int64_t *integers;
    int count;
    double other = onnx_float(op, "replaced_value_float", 0);
    int64_t whole = onnx_int(op, "replaced_value_int64", 0);
    if (!x)
        return;
    ElementType element = x->type.element;
    if (element_is_float(element)) {
        values = feature_list(op, x, "imputed_value_floats");
        gone = isnan(other) ? graph_binary(op->f, OP_ne, x, x) : onnx_compare(op, OP_eq, x, other);
    } else {
        if (!onnx_ints(op, "imputed_value_int64s", &integers, &count)) {
            onnx_error(op, "says no imputed_value_int64s");
            return;
        }
        values = onnx_list(op, count, integers);
        Node *one = graph_reshape(op->f, onnx_list(op, 1, &whole), 0, NULL);
        gone = graph_binary(op->f, OP_eq, x, graph_cast(op->f, one, element));
    }
    onnx_ignore(op, "imputed_value_int64s imputed_value_floats");
    onnx_out(op, 0, graph_select(op->f, gone, graph_cast(op->f, values, element), x));
}

/* Columns of all inputs side by side. */
void onnx_build_feature_vectorizer(OnnxOp *op)
{
    Node **parts = ARENA_ARRAY(op->arena, Node *, op->in_count);
    onnx_ignore(op, "inputdimensions");
    for (int i = 0; i < op->in_count; i++) {
        Node *x = graph_cast(op->f, onnx_in(op, i), TYPE_F32);
        if (!x)
            return;
        int64_t dims[2] = {x->type.rank == 2 ? x->type.dims[0] : 1,
                           x->type.rank == 2 ? x->type.dims[1] : type_elements(&x->type)};
        parts[i] = graph_reshape(op->f, x, 2, dims);
    }
    onnx_out(op, 0, graph_concat(op->f, op->in_count, parts, 1));
}

/* x · coefficientsᵀ + intercepts */
void onnx_build_linear_regressor(OnnxOp *op)
{
    static const int64_t turned[] = {1, 0};
    Node *x = graph_cast(op->f, onnx_in(op, 0), TYPE_F32);
    const float *coefficients, *intercepts;
    int count, biases;
    int64_t targets = onnx_int(op, "targets", 1), wanted;
    if (!x)
        return;
    if (x->type.rank == 1)
        x = graph_reshape(op->f, x, 2, (int64_t[]){1, x->type.dims[0]});
    if (onnx_text_is(op, "post_transform", "NONE", "SOFTMAX"))
        onnx_error(op, "its post_transform is not supported");
    if (!onnx_floats(op, "coefficients", &coefficients, &count) || targets < 1 || !x ||
        x->type.rank != 2 || !checked_multiply(targets, x->type.dims[1], &wanted) ||
        count != wanted) {
        onnx_error(op, "its coefficients must be one for each feature and target");
        return;
    }
    Node *w = graph_constant(op->f, type_make(TYPE_F32, 2, (int64_t[]){targets, x->type.dims[1]}),
                             coefficients);
    Node *y = graph_matmul(op->f, x, graph_transpose(op->f, w, turned));
    if (onnx_floats(op, "intercepts", &intercepts, &biases))
        y = graph_add(op->f, y, floats_of(op, intercepts, biases));
    onnx_out(op, 0, y);
}
