/* Conversion goes through double, which holds every value of every type but large i64 and u64
 * exactly (those are copied, or refused where a narrower type is wanted). The two cases that carry
 * nearly all data, same type and bytes to f32, have loops of their own. */
#include "runtime/system.h"

#include "runtime/convert.h"
#include "runtime/element.h"

#include <math.h>
#include <string.h>

/* A float of 16 bits, `fraction` of them for the fraction; exponents are from `bias` below that
 * of 1.
 */
typedef struct ShortFloat {
    int fraction, bias;
} ShortFloat;

static const ShortFloat f16 = {10, 15}, bf16 = {7, 127};

/* The two that follow are exact, and spare programs the library of mathematics. For normal numbers
 * only. */
static double power_of_two(int exponent)
{
    uint64_t bits = (uint64_t)(1023 + exponent) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* That of the power of two next above |number|; something below -1000 for 0 and subnormal ones. */
static int exponent_above(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return (int)(bits >> 52 & 2047) - 1022;
}

static double load_short(ShortFloat format, uint16_t bits)
{
    int fraction = bits & ((1 << format.fraction) - 1), most = 2 * format.bias + 1;
    int exponent = bits >> format.fraction & most;
    double size = (fraction + (exponent ? 1 << format.fraction : 0)) *
                  power_of_two((exponent ? exponent : 1) - format.bias - format.fraction);
    if (exponent == most)
        size = fraction ? (double)NAN : (double)INFINITY;
    return bits >> 15 ? -size : size;
}

/* Rounds to nearest, ties to even. */
static uint16_t store_short(ShortFloat format, double number)
{
    int infinite = (2 * format.bias + 1) << format.fraction;
    int sign = signbit(number) ? 1 << 15 : 0;
    if (isnan(number))
        return (uint16_t)(sign | infinite | 1 << (format.fraction - 1));
    if (isinf(number))
        return (uint16_t)(sign | infinite);
    int least = 2 - format.bias; /* of normal numbers; the digits of others begin further down */
    int exponent = exponent_above(number);
    exponent = exponent < least ? least : exponent;
    /* A normal number's first digit counts one up in the exponent; so does a carry. */
    double size = rint(fabs(number) * power_of_two(format.fraction + 1 - exponent));
    int64_t bits = (int64_t)size + ((int64_t)(exponent - least) << format.fraction);
    return (uint16_t)(sign | (int)(bits < infinite ? bits : infinite));
}

static double load(const unsigned char *from, int32_t type)
{
    union {
        float f32;
        double f64;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
    } value;
    switch (type) {
    case INGOT_F32:
        memcpy(&value.f32, from, 4);
        return (double)value.f32;
    case INGOT_F64:
        memcpy(&value.f64, from, 8);
        return value.f64;
    case INGOT_I32:
        memcpy(&value.i32, from, 4);
        return value.i32;
    case INGOT_I64:
        memcpy(&value.i64, from, 8);
        return (double)value.i64;
    case INGOT_I16:
        memcpy(&value.i16, from, 2);
        return value.i16;
    case INGOT_U16:
    case INGOT_F16:
    case INGOT_BF16:
        memcpy(&value.u16, from, 2);
        if (type == INGOT_U16)
            return value.u16;
        return load_short(type == INGOT_F16 ? f16 : bf16, value.u16);
    case INGOT_U32:
        memcpy(&value.u32, from, 4);
        return value.u32;
    case INGOT_U64:
        memcpy(&value.u64, from, 8);
        return (double)value.u64;
    case INGOT_I8:
        return (signed char)*from;
    default:
        return *from;
    }
}

static void store(double number, unsigned char *to, int32_t type)
{
    union {
        float f32;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
    } value;
    switch (type) {
    case INGOT_F32:
        value.f32 = (float)number;
        memcpy(to, &value.f32, 4);
        break;
    case INGOT_F64:
        memcpy(to, &number, 8);
        break;
    case INGOT_I32:
        value.i32 = (int32_t)number;
        memcpy(to, &value.i32, 4);
        break;
    case INGOT_I64:
        value.i64 = (int64_t)number;
        memcpy(to, &value.i64, 8);
        break;
    case INGOT_I16:
    case INGOT_U16:
        value.u16 = (uint16_t)(int32_t)number;
        memcpy(to, &value.u16, 2);
        break;
    case INGOT_F16:
    case INGOT_BF16:
        value.u16 = store_short(type == INGOT_F16 ? f16 : bf16, number);
        memcpy(to, &value.u16, 2);
        break;
    case INGOT_U32:
        value.u32 = (uint32_t)number;
        memcpy(to, &value.u32, 4);
        break;
    case INGOT_U64:
        value.u64 = (uint64_t)number;
        memcpy(to, &value.u64, 8);
        break;
    default:
        *to = (unsigned char)(int)number;
    }
}

void convert_elements(const void *from, int32_t from_type, void *to, int32_t to_type, int64_t count)
{
    const unsigned char *source = from;
    unsigned char *target = to;
    size_t from_size = (size_t)ingot_element_bytes(from_type),
           to_size = (size_t)ingot_element_bytes(to_type);
    if (from_type == to_type) {
        if (count)
            memcpy(to, from, (size_t)count * from_size);
        return;
    }
    if (from_type == INGOT_U8 && to_type == INGOT_F32 && (uintptr_t)to % _Alignof(float) == 0) {
        float *floats = to;
        for (int64_t i = 0; i < count; i++)
            floats[i] = source[i];
        return;
    }
    for (int64_t i = 0; i < count; i++)
        store(load(source + (size_t)i * from_size, from_type), target + (size_t)i * to_size,
              to_type);
}

/* What a type holds; labels narrow it further. */
static void find_range(const IngotTensor *tensor, double *low, double *high)
{
    static const double lowest[INGOT_TYPE_COUNT] = {[INGOT_F32] = -3.4028234663852886e38,
                                                    [INGOT_F64] = -1.7976931348623157e308,
                                                    [INGOT_I32] = INT32_MIN,
                                                    [INGOT_I64] = -9007199254740992.0,
                                                    [INGOT_I8] = -128,
                                                    [INGOT_I16] = -32768,
                                                    [INGOT_F16] = -65504,
                                                    [INGOT_BF16] = -0x1.fep127};
    static const double highest[INGOT_TYPE_COUNT] = {[INGOT_F32] = 3.4028234663852886e38,
                                                     [INGOT_F64] = 1.7976931348623157e308,
                                                     [INGOT_I32] = INT32_MAX,
                                                     [INGOT_I64] = 9007199254740992.0,
                                                     [INGOT_BOOL] = 1,
                                                     [INGOT_U8] = 255,
                                                     [INGOT_I8] = 127,
                                                     [INGOT_I16] = 32767,
                                                     [INGOT_U16] = 65535,
                                                     [INGOT_U32] = UINT32_MAX,
                                                     [INGOT_U64] = 9007199254740992.0,
                                                     [INGOT_F16] = 65504,
                                                     [INGOT_BF16] = 0x1.fep127};
    *low = lowest[tensor->type];
    *high = highest[tensor->type];
    if (tensor->classes) {
        *low = 0;
        *high = (double)(tensor->classes - 1);
    }
}

static bool fail_element(double value, const IngotTensor *tensor, int64_t row, int64_t element,
                         int64_t elements, const char *path, Failure *failure)
{
    char place[64];
    double low, high;
    find_range(tensor, &low, &high);
    const int64_t index[2] = {row, element};
    ingot_shape_text(place, sizeof place, INGOT_F32, index, elements == 1 ? 1 : 2);
    const char *brackets = strchr(place, '[');
    if (!isfinite(value))
        return ingot_fail(failure, "%s: element %s: %g is not a finite number; remove the row",
                          path, brackets, value);
    if (tensor->classes && value == floor(value))
        return ingot_fail(
            failure, "%s: element %s: label %.17g is out of range; labels of \"%s\" are 0 to %lld",
            path, brackets, value, tensor->name, (long long)tensor->classes - 1);
    if (value >= low && value <= high)
        return ingot_fail(failure, "%s: element %s: %.9g is not a whole number, which \"%s\" needs",
                          path, brackets, value, tensor->name);
    return ingot_fail(failure, "%s: element %s: %.17g is out of range of %s, which \"%s\" needs",
                      path, brackets, value, ingot_element_name(tensor->type), tensor->name);
}

bool convert_check(const void *from, int32_t from_type, const IngotTensor *tensor, int64_t rows,
                   int64_t elements, const char *path, Failure *failure)
{
    bool to_float = ingot_type_is_float(tensor->type), from_float = ingot_type_is_float(from_type);
    if (!tensor->classes && !from_float &&
        ((to_float && tensor->type != INGOT_F16) || from_type == tensor->type))
        return true; /* nothing can go wrong */
    const unsigned char *source = from;
    size_t size = (size_t)ingot_element_bytes(from_type);
    double low, high;
    find_range(tensor, &low, &high);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < elements; i++, source += size) {
            double value = load(source, from_type);
            if (!(value >= low && value <= high) || (!to_float && value != floor(value)))
                return fail_element(value, tensor, row, i, elements, path, failure);
        }
    return true;
}
