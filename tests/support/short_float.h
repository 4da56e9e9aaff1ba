/* What f16 and bf16 are, by definition: for tests of casts to and from them.
 *
 * Rounding is described by neighbours. Between a value and the next one lie their middle, which
 * goes to the one whose last bit is 0, and everything else, which goes to the nearer one. So it
 * takes three numbers for each pair of neighbours to try every decision there is: the middle, and
 * the numbers next to it. */
#ifndef INGOT_TESTS_SHORT_FLOAT_H
#define INGOT_TESTS_SHORT_FLOAT_H

#include <math.h>

#include "ir/type.h"

enum { SHORT_FLOATS = 1 << 16, SHORT_DECISIONS = 3 };

static inline int short_infinite(ElementType element)
{
    return element == TYPE_F16 ? 0x7c00 : 0x7f80;
}

/* The value of a pattern; the one of infinity as if the row of numbers went on, when `beyond`. */
static inline double short_value(ElementType element, int bits, bool beyond)
{
    int fraction_bits = element == TYPE_F16 ? 10 : 7, bias = element == TYPE_F16 ? 15 : 127;
    int size = bits & 0x7fff, exponent = size >> fraction_bits;
    double fraction = ldexp(size & ((1 << fraction_bits) - 1), -fraction_bits);
    double value = exponent ? ldexp(1 + fraction, exponent - bias) : ldexp(fraction, 1 - bias);
    if (size == short_infinite(element) && !beyond)
        value = INFINITY;
    if (size > short_infinite(element))
        value = NAN;
    return bits & 0x8000 ? -value : value;
}

static inline bool short_is_nan(ElementType element, int bits)
{
    return (bits & 0x7fff) > short_infinite(element);
}

/* Decision 0, 1 or 2 between pattern `bits`, finite, and the next one away from 0: a number just
 * before their middle, the middle, one just behind it; *rounded is what it has to become. `wide`:
 * next to the middle as a double, else as a float. */
static inline double short_decision(ElementType element, int bits, int decision, bool wide,
                                    int *rounded)
{
    double low = short_value(element, bits, true), high = short_value(element, bits + 1, true);
    double middle = low + (high - low) / 2;
    bool up = decision == 2 || (decision == 1 && bits & 1);
    *rounded = bits + up;
    if (decision == 1)
        return middle;
    double towards = decision == 0 ? low : high;
    return wide ? nextafter(middle, towards) : (double)nextafterf((float)middle, (float)towards);
}

#endif
