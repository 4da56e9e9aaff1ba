/* The table of element types and arithmetic on shapes; see element.h. */
#include "runtime/system.h"

#include "runtime/element.h"

#include <stdio.h>

typedef struct ElementFacts {
    int64_t bytes;
    const char *name;
    const char *safetensors;
} ElementFacts;

static const ElementFacts facts[INGOT_TYPE_COUNT] = {
    [INGOT_F32] = {4, "f32", "F32"},    [INGOT_F64] = {8, "f64", "F64"},
    [INGOT_I32] = {4, "i32", "I32"},    [INGOT_I64] = {8, "i64", "I64"},
    [INGOT_BOOL] = {1, "bool", "BOOL"}, [INGOT_U8] = {1, "u8", "U8"},
    [INGOT_I8] = {1, "i8", "I8"},       [INGOT_I16] = {2, "i16", "I16"},
    [INGOT_U16] = {2, "u16", "U16"},    [INGOT_U32] = {4, "u32", "U32"},
    [INGOT_U64] = {8, "u64", "U64"},    [INGOT_F16] = {2, "f16", "F16"},
    [INGOT_BF16] = {2, "bf16", "BF16"},
};

static bool is_type(int32_t type)
{
    return type >= 0 && type < INGOT_TYPE_COUNT;
}

int64_t ingot_element_bytes(int32_t type)
{
    return is_type(type) ? facts[type].bytes : 0;
}

bool ingot_type_is_float(int32_t type)
{
    return type == INGOT_F32 || type == INGOT_F64 || type == INGOT_F16 || type == INGOT_BF16;
}

const char *ingot_element_name(int32_t type)
{
    return is_type(type) ? facts[type].name : "unknown";
}

const char *ingot_safetensors_name(int32_t type)
{
    return is_type(type) ? facts[type].safetensors : "unknown";
}

bool ingot_count_elements(const int64_t *dims, int32_t first, int32_t rank, int64_t *count)
{
    int64_t product = 1;
    bool empty = false;
    for (int32_t i = first; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        if (dims[i] == 0) {
            empty = true;
            continue;
        }
        if (product > (INT64_MAX / 2) / dims[i])
            return false;
        product *= dims[i];
    }
    *count = empty ? 0 : product;
    return true;
}

void ingot_shape_text(char *text, size_t size, int32_t type, const int64_t *dims, int32_t rank)
{
    size_t at = 0;
    int wrote = snprintf(text, size, "%s[", ingot_element_name(type));
    for (int32_t i = 0; i <= rank && wrote > 0; i++) {
        at += (size_t)wrote;
        if (at >= size)
            return;
        if (i == rank)
            wrote = snprintf(text + at, size - at, "]");
        else
            wrote = snprintf(text + at, size - at, "%s%lld", i ? "," : "", (long long)dims[i]);
    }
}
