/* Single elements of dense arrays, and which values each element type has.
 *
 * Outside of arrays a value of a float type is a double, and one of any other type an int64_t; of a
 * u64 that is its bit pattern, so whoever compares, divides or converts asks
 * element_is_unsigned(). */
#ifndef INGOT_IR_ELEMENT_H
#define INGOT_IR_ELEMENT_H

#include "ir/type.h"

/* Element `index` of an array of float type `element`; stored, it is rounded to that type. */
double element_number(ElementType element, const void *data, int64_t index);
/* The nearest value of float type `element`, ties to even; infinite beyond the largest. */
double element_round(ElementType element, double value);
/* How far apart values are from 1 on: 2^-23 for f32 */
double element_unit(ElementType element);
void element_set_number(ElementType element, void *data, int64_t index, double value);
/* The same of all other types; stored, it wraps. */
int64_t element_integer(ElementType element, const void *data, int64_t index);
void element_set_integer(ElementType element, void *data, int64_t index, int64_t value);

/* Either as a number; false when it is an integer beyond 2^53, where doubles have gaps. */
bool element_exact(ElementType element, const void *data, int64_t index, double *value);

/* a < b of integers */
static inline bool element_less(ElementType element, int64_t a, int64_t b)
{
    return element == TYPE_U64 ? (uint64_t)a < (uint64_t)b : a < b;
}

/* Two's complement at the width of the type; bool becomes 0 or 1. */
int64_t element_wrap(ElementType element, int64_t value);
/* The integer of the type nearest to a number cut off towards zero; NaN gives 0. bool: x ≠ 0 */
int64_t element_saturate(ElementType element, double value);
/* The number that is rounded to a double, ties to even. */
double element_to_number(ElementType element, int64_t value);
/* One of the two doubles around it, the one whose last bit is 1, unless it is a double: rounding
 * that to a type of fewer digits gives what rounding the integer would. */
double element_to_odd_number(ElementType element, int64_t value);

/* Least and greatest: infinities of floats. The greatest i64 and u64 are no doubles: their places
 * are taken by 2^63 and 2^64, which element_saturate() makes the right integers. */
double element_lowest(ElementType element);
double element_highest(ElementType element);
/* Is the number one of the type? Floats take any. */
bool element_holds(ElementType element, double value);

#endif
