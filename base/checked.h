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

/* For estimates of work, which need not be exact but may not wrap: INT64_MAX where it would be
 * more. */
static inline int64_t capped_multiply(int64_t a, int64_t b)
{
    int64_t product;
    return checked_multiply(a, b, &product) ? product : INT64_MAX;
}

static inline int64_t capped_add(int64_t a, int64_t b)
{
    int64_t sum;
    return checked_add(a, b, &sum) ? sum : INT64_MAX;
}

#endif
