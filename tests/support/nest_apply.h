/* Single values of the loop level and operations on them, for nest_run.c. */
#ifndef INGOT_TESTS_NEST_APPLY_H
#define INGOT_TESTS_NEST_APPLY_H

#include "ir/graph.h"

typedef struct Scalar { /* which one holds is said by the element type beside it */
    double number;      /* floats */
    int64_t integer;    /* all others */
} Scalar;

Scalar scalar_number(ElementType element, double number);
Scalar scalar_read(ElementType element, const void *bytes);
void scalar_write(ElementType element, Scalar value, void *bytes);
/* a * b + c with one rounding */
Scalar scalar_fused(ElementType element, Scalar a, Scalar b, Scalar c);
/* An element-wise row of ops.def or random: operands of type `from`, for
 * select those behind the condition of type `to`; the result of type `to`. */
Scalar scalar_apply(Op op, ElementType to, ElementType from, const Scalar *in);

#endif
