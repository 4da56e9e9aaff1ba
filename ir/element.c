/* Single elements of dense arrays; see element.h. */
#include "ir/element.h"

#include <math.h>
#include <string.h>

typedef struct Format { /* of a float type as bits: sign, exponent, fraction */
    int fraction;       /* bits of it */
    int bias;           /* exponent of 1; twice that and 1 more are infinities and NaN */
} Format;

static Format format_of(ElementType element)
{
    switch (element) {
    case TYPE_F16:
        return (Format){10, 15};
    case TYPE_BF16:
        return (Format){7, 127};
    case TYPE_F32:
        return (Format){23, 127};
    default:
        return (Format){52, 1023};
    }
}

double element_unit(ElementType element)
{
    return ldexp(1, -format_of(element).fraction);
}

double element_round(ElementType element, double value)
{
    Format format = format_of(element);
    int exponent;
    if (element == TYPE_F64 || !isfinite(value) || value == 0)
        return value;
    if (element == TYPE_F32)
        return (double)(float)value;
    frexp(value, &exponent);
    int least = 2 - format.bias; /* of normal numbers; below it they are equally far apart */
    double apart = ldexp(1, (exponent > least ? exponent : least) - 1 - format.fraction);
    double rounded = rint(value / apart) * apart;
    return fabs(rounded) < ldexp(1, format.bias + 1) ? rounded : copysign(INFINITY, value);
}

/* NaN keeps its sign and what of its fraction there is room for. */
static double from_bits(Format format, uint16_t bits)
{
    int fraction = bits & ((1 << format.fraction) - 1), most = 2 * format.bias + 1;
    int exponent = bits >> format.fraction & most;
    double size = ldexp(exponent ? fraction + (1 << format.fraction) : fraction,
                        (exponent ? exponent : 1) - format.bias - format.fraction);
    if (exponent == most && fraction == 0)
        size = INFINITY;
    if (exponent == most && fraction != 0) {
        uint64_t pattern = (uint64_t)0x7ff << 52 | (uint64_t)fraction << (52 - format.fraction);
        memcpy(&size, &pattern, sizeof size);
    }
    return bits >> 15 ? -size : size;
}

/* Of a value that has been rounded; a NaN is a quiet one. */
static uint16_t to_bits(Format format, double value)
{
    int sign = signbit(value) ? 1 << 15 : 0, infinite = (2 * format.bias + 1) << format.fraction;
    uint64_t pattern;
    int exponent;
    memcpy(&pattern, &value, sizeof pattern);
    if (isnan(value)) {
        int fraction = (int)(pattern >> (52 - format.fraction)) & ((1 << format.fraction) - 1);
        return (uint16_t)(sign | infinite | fraction | 1 << (format.fraction - 1));
    }
    if (isinf(value))
        return (uint16_t)(sign | infinite);
    frexp(value, &exponent);
    exponent = value == 0 || exponent < 2 - format.bias ? 2 - format.bias : exponent;
    /* the first digit of a normal number counts one up in the exponent */
    int size = (int)ldexp(fabs(value), format.fraction + 1 - exponent);
    return (uint16_t)(sign | (size + ((exponent + format.bias - 2) << format.fraction)));
}

double element_number(ElementType element, const void *data, int64_t index)
{
    if (element_is_storage(element))
        return from_bits(format_of(element), ((const uint16_t *)data)[index]);
    return element == TYPE_F32 ? (double)((const float *)data)[index]
                               : ((const double *)data)[index];
}

void element_set_number(ElementType element, void *data, int64_t index, double value)
{
    if (element_is_storage(element))
        ((uint16_t *)data)[index] = to_bits(format_of(element), element_round(element, value));
    else if (element == TYPE_F32)
        ((float *)data)[index] = (float)value;
    else
        ((double *)data)[index] = value;
}

int64_t element_integer(ElementType element, const void *data, int64_t index)
{
    switch (element) {
    case TYPE_BOOL:
        return ((const uint8_t *)data)[index] != 0;
    case TYPE_U8:
        return ((const uint8_t *)data)[index];
    case TYPE_I8:
        return ((const int8_t *)data)[index];
    case TYPE_U16:
        return ((const uint16_t *)data)[index];
    case TYPE_I16:
        return ((const int16_t *)data)[index];
    case TYPE_U32:
        return ((const uint32_t *)data)[index];
    case TYPE_I32:
        return ((const int32_t *)data)[index];
    default:
        return ((const int64_t *)data)[index];
    }
}

void element_set_integer(ElementType element, void *data, int64_t index, int64_t value)
{
    value = element_wrap(element, value);
    switch (element_bytes(element)) {
    case 1:
        ((uint8_t *)data)[index] = (uint8_t)value;
        break;
    case 2:
        ((uint16_t *)data)[index] = (uint16_t)value;
        break;
    case 4:
        ((uint32_t *)data)[index] = (uint32_t)value;
        break;
    default:
        ((int64_t *)data)[index] = value;
    }
}

bool element_exact(ElementType element, const void *data, int64_t index, double *value)
{
    if (element_is_float(element))
        *value = element_number(element, data, index);
    else
        *value = element_to_number(element, element_integer(element, data, index));
    return element_is_float(element) || fabs(*value) <= 0x1p53;
}

int64_t element_wrap(ElementType element, int64_t value)
{
    if (element == TYPE_BOOL)
        return value != 0;
    int spare = 64 - 8 * element_bytes(element); /* bits above those of the type */
    uint64_t high = (uint64_t)value << spare;
    return element_is_unsigned(element) ? (int64_t)(high >> spare) : (int64_t)high >> spare;
}

/* The least number above all of the type. */
static double beyond(ElementType element)
{
    if (element == TYPE_BOOL)
        return 2;
    return ldexp(1, 8 * element_bytes(element) - !element_is_unsigned(element));
}

int64_t element_saturate(ElementType element, double value)
{
    if (element == TYPE_BOOL)
        return value != 0;
    if (isnan(value))
        return 0;
    bool sign = !element_is_unsigned(element);
    if (value <= element_lowest(element))
        return (int64_t)element_lowest(element);
    if (value >= beyond(element)) /* all ones, but for the sign */
        return (int64_t)(UINT64_MAX >> (64 - 8 * element_bytes(element) + sign));
    return sign ? (int64_t)value : (int64_t)(uint64_t)value;
}

double element_to_number(ElementType element, int64_t value)
{
    return element == TYPE_U64 ? (double)(uint64_t)value : (double)value;
}

double element_to_odd_number(ElementType element, int64_t value)
{
    bool negative = element != TYPE_U64 && value < 0;
    uint64_t size = negative ? 0 - (uint64_t)value : (uint64_t)value;
    int lost = 0; /* bits a double has no room for */
    while (size >> lost >= (uint64_t)1 << 53)
        lost++;
    uint64_t kept = size >> lost;
    kept |= kept << lost != size;
    double number = ldexp((double)kept, lost);
    return negative ? -number : number;
}

double element_lowest(ElementType element)
{
    if (element_is_float(element))
        return -INFINITY;
    return element_is_unsigned(element) ? 0 : -ldexp(1, 8 * element_bytes(element) - 1);
}

double element_highest(ElementType element)
{
    if (element_is_float(element))
        return INFINITY;
    return element_to_number(element, element_saturate(element, INFINITY));
}

bool element_holds(ElementType element, double value)
{
    if (element_is_float(element))
        return true;
    return value >= element_lowest(element) && value < beyond(element) && trunc(value) == value;
}
