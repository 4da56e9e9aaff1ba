/* Arithmetic on sizes that come from a model: refuses to wrap. Each returns false on overflow or
 * when a result would be negative, and leaves *result alone then. */
#ifndef INGOT_BASE_CHECKED_H
#define INGOT_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool checked_multiply(int64_t a, int64_t b, int64_t *result)
{
    int64_t product;
    if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product))
        return false;
    *result = product;
    return true;
}

static inline bool checked_add(int64_t a, int64_t b, int64_t *result)
{
    int64_t sum;
    if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum))
        return false;
    *result = sum;
    return true;
}

#endif
