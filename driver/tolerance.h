/* How far a compiled result may lie from the evaluator's. */
#ifndef INGOT_DRIVER_TOLERANCE_H
#define INGOT_DRIVER_TOLERANCE_H

#include "ir/eval.h"

/* For each node of `function`, by position, how many roundings deep its value is: 1 for an
 * element-wise operation, √n more for a sum of n terms (rounding errors of a sum grow like that on
 * average, not like n), the most of its inputs added. */
double *tolerance_depths(Arena *arena, const Function *function);

typedef struct Difference {
    double largest; /* |got - want| where it exceeds what is allowed the most */
    double allowed;
    int64_t element; /* its position */
    double got, want;
    bool wrong;
} Difference;

/* Compares a tensor that the compiled model made with the evaluator's: `want` in float64, `rounded`
 * with every node rounded to its type. Integers must be equal. Floats may differ by
 *     unit · depth · (largest magnitude of the tensor)  +  8 · noise   (64 where it is all noise),
 * where `unit` is 2^-23 for f32 and `noise` says how badly conditioned this computation is on this
 * data: how far results of the evaluator lie apart when they are rounded, or their inputs are
 * nudged. */
Difference tolerance_compare(const Value *got, const Value *want, const Value *rounded,
                             double depth, double noise);

/* Largest distance between two float tensors; 0 for others. */
double tolerance_distance(const Value *a, const Value *b);

#endif
