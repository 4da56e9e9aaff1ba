/* What the files of vector_math share: a way to write formulas on LLVM values that reads like the
 * formula. */
#ifndef INGOT_CODEGEN_VECTOR_MATH_PARTS_H
#define INGOT_CODEGEN_VECTOR_MATH_PARTS_H

#include "codegen/vector_math.h"

typedef struct Math { /* the kind of values a formula works on: f32 or f64, scalar or vector */
    LLVMBuilderRef builder;
    LLVMContextRef context;
    const Target *target;
    int lanes;
    bool wide;           /* f64 */
    LLVMTypeRef real;    /* float or double, or vectors of them */
    LLVMTypeRef integer; /* as wide as real */
} Math;

Math math_create(LLVMBuilderRef builder, const Target *target, bool wide, int lanes);

LLVMValueRef math_number(const Math *m, double number);
LLVMValueRef math_integer(const Math *m, int64_t number);
LLVMValueRef math_multiply_add(const Math *m, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
/* coefficients[0] of the highest power, Horner's way */
LLVMValueRef math_polynomial(const Math *m, LLVMValueRef x, const double *coefficients, int count);
#define MATH_POLYNOMIAL(m, x, coefficients)                                                        \
    math_polynomial(m, x, coefficients, (int)(sizeof(coefficients) / sizeof((coefficients)[0])))

static inline LLVMValueRef math_add(const Math *m, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFAdd(m->builder, a, b, "");
}
static inline LLVMValueRef math_sub(const Math *m, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFSub(m->builder, a, b, "");
}
static inline LLVMValueRef math_mul(const Math *m, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFMul(m->builder, a, b, "");
}
static inline LLVMValueRef math_div(const Math *m, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFDiv(m->builder, a, b, "");
}
static inline LLVMValueRef math_neg(const Math *m, LLVMValueRef a)
{
    return LLVMBuildFNeg(m->builder, a, "");
}
static inline LLVMValueRef math_is(const Math *m, LLVMRealPredicate predicate, LLVMValueRef a,
                                   LLVMValueRef b)
{
    return LLVMBuildFCmp(m->builder, predicate, a, b, "");
}
static inline LLVMValueRef math_select(const Math *m, LLVMValueRef condition, LLVMValueRef yes,
                                       LLVMValueRef no)
{
    return LLVMBuildSelect(m->builder, condition, yes, no, "");
}
static inline LLVMValueRef math_bits(const Math *m, LLVMValueRef a)
{
    return LLVMBuildBitCast(m->builder, a, m->integer, "");
}
static inline LLVMValueRef math_from_bits(const Math *m, LLVMValueRef a)
{
    return LLVMBuildBitCast(m->builder, a, m->real, "");
}

LLVMValueRef math_abs(const Math *m, LLVMValueRef x);
/* |magnitude| with the sign bit of `sign`; magnitude must not be negative */
LLVMValueRef math_with_sign(const Math *m, LLVMValueRef magnitude, LLVMValueRef sign);
/* the larger, or smaller, of x and a number; NaN when x is NaN */
LLVMValueRef math_at_least(const Math *m, LLVMValueRef x, double number);
LLVMValueRef math_at_most(const Math *m, LLVMValueRef x, double number);
/* max or min of floats; NaN when either is */
LLVMValueRef math_extreme(const Math *m, bool larger, LLVMValueRef a, LLVMValueRef b);

/* The whole number nearest to factor·x, below 2^22 (f64: 2^51) in size: as a float, and in *whole
 * as an integer. */
LLVMValueRef math_nearest(const Math *m, LLVMValueRef x, double factor, LLVMValueRef *whole);
/* 2^n for an integer n in the range of normal numbers */
LLVMValueRef math_power_of_two(const Math *m, LLVMValueRef n);
/* Is there one instruction for x·2^whole, `whole` being a whole float, which over- and underflows
 * as a product does? Then that is it. */
bool math_scales(const Math *m);
LLVMValueRef math_scale(const Math *m, LLVMValueRef x, LLVMValueRef whole);
/* a / b for b from 1 on, hardly less exact. AVX-512 has an approximation of 1/b to 14 bits in a
 * fraction of the time that a division takes, and one step of Newton's makes it whole. */
LLVMValueRef math_ratio(const Math *m, LLVMValueRef a, LLVMValueRef b);
/* Is any lane of an i1 value or vector set? */
LLVMValueRef math_any(const Math *m, LLVMValueRef condition);

/* vector_math_round.c */
LLVMValueRef math_round(const Math *m, LLVMValueRef x);
LLVMValueRef math_floor(const Math *m, LLVMValueRef x);
LLVMValueRef math_ceil(const Math *m, LLVMValueRef x);
LLVMValueRef math_trunc(const Math *m, LLVMValueRef x);
LLVMValueRef math_mod(const Math *m, LLVMValueRef x, LLVMValueRef y);

/* vector_math_exp.c */
LLVMValueRef math_exp(const Math *m, LLVMValueRef x);
LLVMValueRef math_expm1(const Math *m, LLVMValueRef x);
LLVMValueRef math_log(const Math *m, LLVMValueRef x);
LLVMValueRef math_log1p(const Math *m, LLVMValueRef x);
LLVMValueRef math_tanh(const Math *m, LLVMValueRef x);
LLVMValueRef math_sigmoid(const Math *m, LLVMValueRef x);
LLVMValueRef math_erf(const Math *m, LLVMValueRef x);
LLVMValueRef math_pow(const Math *m, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef math_sqrt(const Math *m, LLVMValueRef x);

/* vector_math_angle.c */
LLVMValueRef math_sin(const Math *m, LLVMValueRef x);
LLVMValueRef math_cos(const Math *m, LLVMValueRef x);
LLVMValueRef math_atan(const Math *m, LLVMValueRef x);

/* vector_math_storage.c: between f16 or bf16, as i16, and every other type */
LLVMValueRef math_cast_storage(const Math *m, ElementType from, ElementType to, LLVMValueRef x);

/* vector_math_plain.c: integers, comparisons, casts. NULL when `op` is none of them. */
LLVMValueRef math_apply_integer(const Math *m, Op op, ElementType element, LLVMValueRef *in);
LLVMValueRef math_compare(const Math *m, Op op, ElementType element, LLVMValueRef a,
                          LLVMValueRef b);
LLVMValueRef math_cast(const Math *m, ElementType from, ElementType to, LLVMValueRef x);

#endif
