/* Single elements of dense arrays; see element.h. */
#include "ir/element.h"

#include <math.h>

double element_number(ElementType element, const void *data, int64_t index)
{
    return element == TYPE_F32 ? (double)((const float *)data)[index]
                               : ((const double *)data)[index];
}

void element_set_number(ElementType element, void *data, int64_t index, double value)
{
    if (element == TYPE_F32)
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
