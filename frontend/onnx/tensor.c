/* Data of a TensorProto: raw bytes, or one of the typed fields, or a range of a file beside the
 * model. Every count is checked against the shape before it is used.
 *
 * float16 and bfloat16 lie in int32_data as bit patterns, bool and small integers as numbers. All
 * targets are little endian, as raw data is. */
#include "frontend/onnx/tensor.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "ir/shape.h"

static const struct {
    const char *name;
    int number; /* of ONNX; 0: none of ours */
    ElementType element;
} types[] = {
    {"float", 1, TYPE_F32},      {"uint8", 2, TYPE_U8},    {"int8", 3, TYPE_I8},
    {"uint16", 4, TYPE_U16},     {"int16", 5, TYPE_I16},   {"int32", 6, TYPE_I32},
    {"int64", 7, TYPE_I64},      {"bool", 9, TYPE_BOOL},   {"double", 11, TYPE_F64},
    {"uint32", 12, TYPE_U32},    {"uint64", 13, TYPE_U64}, {"float16", 10, TYPE_F16},
    {"bfloat16", 16, TYPE_BF16},
};

/* Types that have no counterpart here. */
static const char *const others[] = {
    [8] = "string",          [14] = "complex64",  [15] = "complex128",     [17] = "float8e4m3fn",
    [18] = "float8e4m3fnuz", [19] = "float8e5m2", [20] = "float8e5m2fnuz", [21] = "uint4",
    [22] = "int4",           [23] = "float4e2m1", [24] = "float8e8m0",
};

enum { TYPES = sizeof types / sizeof types[0], OTHERS = sizeof others / sizeof others[0] };

const char *onnx_type_name(Arena *arena, int64_t data_type)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].number == data_type)
            return types[i].name;
    if (data_type > 0 && data_type < OTHERS && others[data_type])
        return others[data_type];
    return arena_print(arena, "type %lld", (long long)data_type);
}

bool onnx_type_find(int64_t data_type, ElementType *element)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].number == data_type) {
            *element = types[i].element;
            return true;
        }
    return false;
}

int64_t onnx_type_number(ElementType element)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].element == element)
            return types[i].number;
    return 0;
}

bool onnx_type_check(Diag *diag, const char *place, const TensorType *type)
{
    char text[TYPE_TEXT_BYTES];
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i] < 0)
            return diag_error(diag, place, "axis %d of it is %lld long, which is no size", i,
                              (long long)type->dims[i]);
    return type_fits(type) ||
           diag_error(diag, place, "%s is too large: a tensor has at most %lld elements",
                      type_print(type, text), (long long)ELEMENT_LIMIT);
}

static bool read_shape(Diag *diag, const char *place, const Onnx__TensorProto *tensor,
                       TensorType *type)
{
    if (tensor->n_dims > RANK_LIMIT)
        return diag_error(diag, place, "it has %zu axes, %d are the most", tensor->n_dims,
                          RANK_LIMIT);
    type->rank = (int)tensor->n_dims;
    for (int i = 0; i < type->rank; i++)
        type->dims[i] = tensor->dims[i];
    return onnx_type_check(diag, place, type);
}

static bool wrong_count(Diag *diag, const char *place, const char *what, int64_t has,
                        int64_t wanted)
{
    return diag_error(diag, place, "it has %lld %s, but its shape and type take %lld",
                      (long long)has, what, (long long)wanted);
}

/* ---- typed fields ---- */

/* The low bytes of each number: hosts are little-endian. */
static void copy_narrow(const char *from, size_t from_bytes, size_t count, size_t bytes, char *to)
{
    for (size_t i = 0; i < count; i++)
        memcpy(to + i * bytes, from + i * from_bytes, bytes);
}

/* The numbers of the field that elements of this type are kept in. */
static bool read_typed(Diag *diag, const char *place, const Onnx__TensorProto *tensor,
                       const TensorType *type, const void **data)
{
    int64_t elements = type_elements(type);
    int bytes = element_bytes(type->element);
    size_t count = tensor->n_int32_data, field_bytes = 4;
    const void *field = tensor->int32_data;
    if (type->element == TYPE_F32) {
        count = tensor->n_float_data;
        field = tensor->float_data;
    } else if (type->element == TYPE_F64) {
        count = tensor->n_double_data;
        field = tensor->double_data;
        field_bytes = 8;
    } else if (type->element == TYPE_I64) {
        count = tensor->n_int64_data;
        field = tensor->int64_data;
        field_bytes = 8;
    } else if (type->element == TYPE_U32 || type->element == TYPE_U64) {
        count = tensor->n_uint64_data;
        field = tensor->uint64_data;
        field_bytes = 8;
    }
    if ((int64_t)count != elements)
        return wrong_count(diag, place, "numbers", (int64_t)count, elements);
    char *copy = arena_alloc(diag->arena, (size_t)elements * (size_t)bytes);
    copy_narrow(field, field_bytes, count, (size_t)bytes, copy);
    *data = copy;
    return true;
}

/* ---- external data ---- */

static bool read_number(Diag *diag, const char *place, const char *key, const char *text,
                        int64_t *number)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || value < 0)
        return diag_error(diag, place, "the %s of its external data is \"%s\", which is no number",
                          key, text);
    *number = value;
    return true;
}

static bool read_external(Diag *diag, const char *place, const char *model_path,
                          const Onnx__TensorProto *tensor, int64_t bytes, const void **data)
{
    const char *location = NULL;
    int64_t offset = 0, length = bytes;
    for (size_t i = 0; i < tensor->n_external_data; i++) {
        const char *key = tensor->external_data[i]->key, *value = tensor->external_data[i]->value;
        if (!key || !value)
            continue;
        if (strcmp(key, "location") == 0)
            location = value;
        else if (strcmp(key, "offset") == 0 && !read_number(diag, place, key, value, &offset))
            return false;
        else if (strcmp(key, "length") == 0 && !read_number(diag, place, key, value, &length))
            return false;
    }
    if (!location)
        return diag_error(diag, place, "its data is external, but no location is given");
    if (length != bytes)
        return wrong_count(diag, place, "bytes of external data", length, bytes);
    size_t size;
    const char *file = onnx_external_map(diag, place, model_path, location, &size);
    if (!file)
        return false;
    if (offset > (int64_t)size || bytes > (int64_t)size - offset)
        return diag_error(diag, place,
                          "its data are %lld bytes from byte %lld of %s on, which has only %zu",
                          (long long)bytes, (long long)offset, location, size);
    *data = file + offset;
    return true;
}

/* ---- all of them ---- */

/* Compiled code and constants want elements where their size divides the address. */
static const void *aligned(Arena *arena, const void *data, int64_t bytes, int element)
{
    if ((uintptr_t)data % (uintptr_t)element == 0)
        return data;
    return arena_copy_bytes(arena, data, (size_t)bytes);
}

bool onnx_tensor_read(Diag *diag, const char *place, const char *model_path,
                      const Onnx__TensorProto *tensor, TensorType *type, const void **data)
{
    *type = (TensorType){0};
    if (!onnx_type_find(tensor->data_type, &type->element))
        return diag_error(diag, place, "its elements are of %s, which is not supported",
                          onnx_type_name(diag->arena, tensor->data_type));
    if (!read_shape(diag, place, tensor, type))
        return false;
    int64_t bytes = type_bytes(type);
    if (tensor->has_data_location &&
        tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        if (!read_external(diag, place, model_path, tensor, bytes, data))
            return false;
    } else if (tensor->has_raw_data) {
        if ((int64_t)tensor->raw_data.len != bytes)
            return wrong_count(diag, place, "bytes", (int64_t)tensor->raw_data.len, bytes);
        *data = bytes ? (const void *)tensor->raw_data.data : arena_alloc(diag->arena, 1);
    } else if (!read_typed(diag, place, tensor, type, data)) {
        return false;
    }
    *data = aligned(diag->arena, *data, bytes, element_bytes(type->element));
    return true;
}

/* ---- sparse ---- */

enum { DENSE_LIMIT = 1 << 28 }; /* bytes */

static bool dense_type(Diag *diag, const char *place, const Onnx__SparseTensorProto *sparse,
                       TensorType *type)
{
    int64_t bytes = element_bytes(type->element);
    if (sparse->n_dims > RANK_LIMIT)
        return diag_error(diag, place, "it has %zu axes, %d are the most", sparse->n_dims,
                          RANK_LIMIT);
    type->rank = (int)sparse->n_dims;
    for (int i = 0; i < type->rank; i++) {
        type->dims[i] = sparse->dims[i];
        if (!checked_multiply(bytes, type->dims[i], &bytes) || bytes > DENSE_LIMIT)
            return diag_error(diag, place, "it is sparse, and too large to be stored dense");
    }
    return type_fits(type) ||
           diag_error(diag, place, "it is sparse, and too large to be stored dense");
}

/* Row-major number of element `i`: its index is that, or one number for each axis. -1: outside. */
static int64_t dense_place(const TensorType *type, const TensorType *indices, const int64_t *index,
                           int64_t i)
{
    if (indices->rank == 1)
        return index[i] < type_elements(type) ? index[i] : -1;
    int64_t place = 0;
    for (int axis = 0; axis < type->rank; axis++) {
        int64_t at = index[i * type->rank + axis];
        if (at < 0 || at >= type->dims[axis])
            return -1;
        place = place * type->dims[axis] + at;
    }
    return place;
}

bool onnx_sparse_read(Diag *diag, const char *place, const char *model_path,
                      const Onnx__SparseTensorProto *sparse, TensorType *type, const void **data)
{
    TensorType values, indices;
    const void *numbers, *index;
    if (!sparse->values || !sparse->indices)
        return diag_error(diag, place, "it is sparse, but has no values or no indices");
    if (!onnx_tensor_read(diag, place, model_path, sparse->values, &values, &numbers) ||
        !onnx_tensor_read(diag, place, model_path, sparse->indices, &indices, &index))
        return false;
    *type = (TensorType){.element = values.element};
    if (!dense_type(diag, place, sparse, type))
        return false;
    bool linear = indices.rank == 1 && indices.dims[0] == values.dims[0];
    bool by_axis =
        indices.rank == 2 && indices.dims[0] == values.dims[0] && indices.dims[1] == type->rank;
    if (values.rank != 1 || indices.element != TYPE_I64 || (!linear && !by_axis))
        return diag_error(diag, place, "it is sparse, but its values and indices do not fit");
    size_t size = (size_t)element_bytes(type->element);
    char *dense = arena_alloc(diag->arena, (size_t)type_bytes(type));
    for (int64_t i = 0; i < values.dims[0]; i++) {
        int64_t at = dense_place(type, &indices, index, i);
        if (at < 0)
            return diag_error(diag, place, "it is sparse, and value %lld is outside of its shape",
                              (long long)i);
        memcpy(dense + (size_t)at * size, (const char *)numbers + (size_t)i * size, size);
    }
    *data = dense;
    return true;
}

/* ---- order of axes ---- */

typedef struct Turn {
    int rank, bytes;
    int64_t dims[RANK_LIMIT], strides[RANK_LIMIT]; /* of the result, in elements of the source */
} Turn;

static char *turn(const Turn *t, int axis, const char *from, char *to)
{
    if (axis == t->rank) {
        memcpy(to, from, (size_t)t->bytes);
        return to + t->bytes;
    }
    for (int64_t i = 0; i < t->dims[axis]; i++)
        to = turn(t, axis + 1, from + i * t->strides[axis] * t->bytes, to);
    return to;
}

const void *tensor_transposed(Arena *arena, const TensorType *type, const void *data,
                              const int64_t *order)
{
    Turn t = {.rank = type->rank, .bytes = element_bytes(type->element)};
    int64_t strides[RANK_LIMIT], stride = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= type->dims[i];
    }
    for (int i = 0; i < type->rank; i++) {
        t.dims[i] = type->dims[order[i]];
        t.strides[i] = strides[order[i]];
    }
    char *result = arena_alloc(arena, (size_t)type_bytes(type));
    turn(&t, 0, data, result);
    return result;
}
