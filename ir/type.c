/* Element types and shapes of tensors; see type.h. */
#include "ir/type.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int bytes;
} elements[TYPE_COUNT] = {
    [TYPE_F32] = {"f32", 4},   [TYPE_F64] = {"f64", 8},   [TYPE_I32] = {"i32", 4},
    [TYPE_I64] = {"i64", 8},   [TYPE_BOOL] = {"bool", 1}, [TYPE_U8] = {"u8", 1},
    [TYPE_I8] = {"i8", 1},     [TYPE_I16] = {"i16", 2},   [TYPE_U16] = {"u16", 2},
    [TYPE_U32] = {"u32", 4},   [TYPE_U64] = {"u64", 8},   [TYPE_F16] = {"f16", 2},
    [TYPE_BF16] = {"bf16", 2},
};

const char *element_name(ElementType element)
{
    return elements[element].name;
}

bool element_find(const char *name, ElementType *element)
{
    for (int i = 0; i < TYPE_COUNT; i++) {
        if (strcmp(name, elements[i].name) == 0) {
            *element = (ElementType)i;
            return true;
        }
    }
    return false;
}

int element_bytes(ElementType element)
{
    return elements[element].bytes;
}

int64_t type_elements(const TensorType *type)
{
    int64_t count = 1;
    for (int i = 0; i < type->rank; i++)
        count *= type->dims[i];
    return count;
}

int64_t type_bytes(const TensorType *type)
{
    return type_elements(type) * element_bytes(type->element);
}

bool type_same_dims(const TensorType *a, const TensorType *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

bool type_equal(const TensorType *a, const TensorType *b)
{
    return a->element == b->element && type_same_dims(a, b);
}

TensorType type_make(ElementType element, int rank, const int64_t *dims)
{
    TensorType type = {.element = element, .rank = rank};
    for (int i = 0; i < rank; i++)
        type.dims[i] = dims[i];
    return type;
}

TensorType type_tuple(void)
{
    return (TensorType){.element = TYPE_F32, .rank = RANK_TUPLE};
}

TensorType type_scalar(ElementType element)
{
    return type_make(element, 0, NULL);
}

const char *type_print(const TensorType *type, char buffer[TYPE_TEXT_BYTES])
{
    if (type_is_tuple(type)) {
        snprintf(buffer, TYPE_TEXT_BYTES, "tuple");
        return buffer;
    }
    size_t used = (size_t)snprintf(buffer, TYPE_TEXT_BYTES, "%s[", element_name(type->element));
    for (int i = 0; i < type->rank; i++)
        used += (size_t)snprintf(buffer + used, TYPE_TEXT_BYTES - used, "%s%" PRId64, i ? "," : "",
                                 type->dims[i]);
    snprintf(buffer + used, TYPE_TEXT_BYTES - used, "]");
    return buffer;
}
