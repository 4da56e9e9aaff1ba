/* Element types and shapes of tensors. */
#ifndef INGOT_IR_TYPE_H
#define INGOT_IR_TYPE_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are those of runtime/model.h and part of that agreement. */
typedef enum ElementType {
    TYPE_F32 = 0,
    TYPE_F64 = 1,
    TYPE_I32 = 2,
    TYPE_I64 = 3,
    TYPE_BOOL = 4,
    TYPE_U8 = 5,
    TYPE_I8 = 6,
    TYPE_I16 = 7,
    TYPE_U16 = 8,
    TYPE_U32 = 9,
    TYPE_U64 = 10,
    TYPE_F16 = 11,  /* IEEE binary16 */
    TYPE_BF16 = 12, /* the upper half of an f32 */
} ElementType;

enum { TYPE_COUNT = 13, RANK_LIMIT = 8, RANK_TUPLE = -1 };

/* No tensor has more elements than this: every byte offset fits an int64 with room to spare. */
#define ELEMENT_LIMIT ((int64_t)1 << 40)

typedef struct TensorType {
    ElementType element;
    int rank; /* 0 … RANK_LIMIT; 0 is a scalar; RANK_TUPLE: several values, `result` takes
                 one */
    int64_t dims[RANK_LIMIT]; /* row-major: the last one is contiguous; each ≥ 0 */
} TensorType;

const char *element_name(ElementType element); /* "f32" */
bool element_find(const char *name, ElementType *element);
int element_bytes(ElementType element);
/* Only kept and moved; what computes casts to f32 first. */
static inline bool element_is_storage(ElementType element)
{
    return element == TYPE_F16 || element == TYPE_BF16;
}
static inline bool element_is_float(ElementType element)
{
    return element == TYPE_F32 || element == TYPE_F64 || element_is_storage(element);
}
/* The type that values of this one are computed with: f32 for f16 and bf16, else itself. */
static inline ElementType element_computed(ElementType element)
{
    return element_is_storage(element) ? TYPE_F32 : element;
}
static inline bool element_is_integer(ElementType element) /* bool is none */
{
    return !element_is_float(element) && element != TYPE_BOOL;
}
static inline bool element_is_unsigned(ElementType element) /* never below 0: bool as well */
{
    return element == TYPE_U8 || element == TYPE_U16 || element == TYPE_U32 ||
           element == TYPE_U64 || element == TYPE_BOOL;
}
static inline bool element_is_signed(ElementType element)
{
    return !element_is_unsigned(element);
}

int64_t type_elements(const TensorType *type); /* product of dims; checked when the type was made */
int64_t type_bytes(const TensorType *type);
bool type_equal(const TensorType *a, const TensorType *b);
bool type_same_dims(const TensorType *a, const TensorType *b);
TensorType type_scalar(ElementType element);
TensorType type_tuple(void); /* "tuple" */
static inline bool type_is_tuple(const TensorType *type)
{
    return type->rank == RANK_TUPLE;
}
TensorType type_make(ElementType element, int rank, const int64_t *dims);
/* "f32[64,10]", "f32[]" into a buffer of TYPE_TEXT_BYTES; returns the buffer. */
enum { TYPE_TEXT_BYTES = 192 };
const char *type_print(const TensorType *type, char buffer[TYPE_TEXT_BYTES]);

#endif
