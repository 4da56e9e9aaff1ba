/* Exponentials and logarithms, and what is made of them: tanh, sigmoid, erf, pow.
 *
 * exp     x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^x = 2^n · (1 + r + r²·P(r)). 2^n is applied as two
 * factors, so overflow, underflow and infinities come out of the multiplications by themselves; or
 * by AVX-512's one instruction
 * expm1   the same with (2^n - 1) + 2^n·(r + r²·P(r)), which is exact in the small
 * log     x = 2^n · (1 + f) with 1 + f near 1; log(1 + f) by a polynomial (f32) or s = f/(2 + f)
 * (f64, as in fdlibm) log1p   the same from u = 1 + x, with what the rounding of u lost added back
 * tanh    E/(E + 2) with E = expm1(2|x|)
 * erf     f32: x·P(x²)/Q(x²); f64: x·P(x²) below 1, 1 - exp(-x²)·Q above
 * pow     exp(y·log |x|) in f64 and the rules of C for signs, zeros, infinities and NaN
 *
 * Coefficients are Chebyshev interpolations of the remainder on the reduced interval unless said
 * otherwise. Error bounds are in docs/vector-math.md; tests/unit/test_codegen_vector_math.c
 * measures them. */
#include "codegen/vector_math_parts.h"

#include <math.h>

/* (e^r - 1 - r) / r² for |r| ≤ ln 2 / 2 */
static const double exp_f32[] = {1.39269266e-3, 8.36377387e-3, 4.16665501e-2, 1.66665734e-1, 0.5};
static const double exp_f64[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                 1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                 1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5};

/* ln 2 in two parts, the first short enough that n times it is exact */
static const double ln2_high_f32 = 0x1.62e4p-1, ln2_low_f32 = 0x1.7f7d1cp-20;
static const double ln2_high_f64 = 0x1.62e42feep-1, ln2_low_f64 = 0x1.a39ef35793c76p-33;

typedef struct Reduced {      /* n·ln 2 + r, n being whole */
    LLVMValueRef r, whole, n; /* n as a float and as an integer */
} Reduced;

/* n = x / ln 2 rounded; |x| must be moderate. */
static Reduced reduce_by_ln2(const Math *m, LLVMValueRef x)
{
    Reduced reduced;
    reduced.whole = math_nearest(m, x, 0x1.71547652b82fep0, &reduced.n);
    LLVMValueRef negative = math_neg(m, reduced.whole);
    LLVMValueRef high = math_number(m, m->wide ? ln2_high_f64 : ln2_high_f32);
    LLVMValueRef low = math_number(m, m->wide ? ln2_low_f64 : ln2_low_f32);
    reduced.r = math_multiply_add(m, negative, low, math_multiply_add(m, negative, high, x));
    return reduced;
}

/* e^r - 1 for |r| ≤ ln 2 / 2. The square, needed anyway, makes the chain of f32 shorter. */
static LLVMValueRef small_expm1(const Math *m, LLVMValueRef r)
{
    LLVMValueRef square = math_mul(m, r, r), p;
    if (m->wide) {
        p = MATH_POLYNOMIAL(m, r, exp_f64);
    } else {
        LLVMValueRef high = math_polynomial(m, r, &exp_f32[1], 2);
        LLVMValueRef low = math_polynomial(m, r, &exp_f32[3], 2);
        high = math_multiply_add(m, square, math_number(m, exp_f32[0]), high);
        p = math_multiply_add(m, square, high, low);
    }
    return math_multiply_add(m, square, p, r);
}

/* y·2^n, wherever that lies */
static LLVMValueRef scaled(const Math *m, LLVMValueRef y, Reduced by)
{
    if (math_scales(m))
        return math_scale(m, y, by.whole);
    LLVMValueRef half = LLVMBuildAShr(m->builder, by.n, math_integer(m, 1), "");
    LLVMValueRef rest = LLVMBuildSub(m->builder, by.n, half, "");
    return math_mul(m, math_mul(m, y, math_power_of_two(m, half)), math_power_of_two(m, rest));
}

static LLVMValueRef plus_one(const Math *m, LLVMValueRef x)
{
    return math_add(m, x, math_number(m, 1));
}

LLVMValueRef math_exp(const Math *m, LLVMValueRef x)
{
    x = math_at_least(m, math_at_most(m, x, m->wide ? 710 : 89), m->wide ? -746 : -104);
    Reduced reduced = reduce_by_ln2(m, x);
    return scaled(m, plus_one(m, small_expm1(m, reduced.r)), reduced);
}

/* Where e^x is a normal number; x beyond that counts as the last of those. */
static LLVMValueRef moderate_exp(const Math *m, LLVMValueRef x)
{
    x = math_at_least(m, math_at_most(m, x, m->wide ? 709 : 88), m->wide ? -708 : -87);
    Reduced reduced = reduce_by_ln2(m, x);
    LLVMValueRef y = plus_one(m, small_expm1(m, reduced.r));
    return math_scales(m) ? math_scale(m, y, reduced.whole)
                          : math_mul(m, y, math_power_of_two(m, reduced.n));
}

/* Half of 2^n - 1 + 2^n·p, doubled: n may be as large as the exponent of the largest number. Where
 * n is 0 the result is p itself, which halving could flush. The sign is that of x, also for 0. */
LLVMValueRef math_expm1(const Math *m, LLVMValueRef x)
{
    LLVMValueRef limited =
        math_at_least(m, math_at_most(m, x, m->wide ? 710 : 89), m->wide ? -40 : -20);
    Reduced reduced = reduce_by_ln2(m, limited);
    LLVMValueRef n = reduced.n, p = small_expm1(m, reduced.r);
    LLVMValueRef scale = math_power_of_two(m, LLVMBuildSub(m->builder, n, math_integer(m, 1), ""));
    LLVMValueRef half = math_multiply_add(m, scale, p, math_sub(m, scale, math_number(m, 0.5)));
    LLVMValueRef near = LLVMBuildICmp(m->builder, LLVMIntEQ, n, math_integer(m, 0), "");
    LLVMValueRef result = math_select(m, near, p, math_add(m, half, half));
    return math_with_sign(m, math_abs(m, result), x);
}

LLVMValueRef math_tanh(const Math *m, LLVMValueRef x)
{
    /* beyond the limit the result rounds to 1 */
    LLVMValueRef size = math_at_most(m, math_abs(m, x), m->wide ? 20 : 9.5);
    Reduced reduced = reduce_by_ln2(m, math_add(m, size, size));
    LLVMValueRef p = small_expm1(m, reduced.r);
    LLVMValueRef scale = math_power_of_two(m, reduced.n);
    LLVMValueRef e = math_multiply_add(m, scale, p, math_sub(m, scale, math_number(m, 1)));
    LLVMValueRef ratio = math_ratio(m, e, math_add(m, e, math_number(m, 2)));
    return math_with_sign(m, ratio, x);
}

/* Where e^-x is too large for a number, the result is too small for one that is not denormal. */
LLVMValueRef math_sigmoid(const Math *m, LLVMValueRef x)
{
    LLVMValueRef one = math_number(m, 1);
    return math_ratio(m, one, math_add(m, one, moderate_exp(m, math_neg(m, x))));
}

/* Logarithms */

/* (log(1 + f) - f + f²/2) / f³ for |f| ≤ 1/3 */
static const double log_f32[] = {-1.21255807e-1, 1.3425749e-1,  -1.23461902e-1, 1.41183099e-1,
                                 -1.66701407e-1, 2.00037803e-1, -2.49999879e-1, 3.33333202e-1};
/* fdlibm's Lg7 … Lg1 */
static const double log_f64[] = {1.479819860511658591e-01, 1.531383769920937332e-01,
                                 1.818357216161805012e-01, 2.222219843214978396e-01,
                                 2.857142874366239149e-01, 3.999999999940941908e-01,
                                 6.666666666666735130e-01};

/* log(1 + f) + n·ln 2 + error, `error` being tiny */
static LLVMValueRef log_sum(const Math *m, LLVMValueRef f, LLVMValueRef n, LLVMValueRef error)
{
    LLVMValueRef square = math_mul(m, f, f);
    LLVMValueRef low = math_number(m, m->wide ? ln2_low_f64 : ln2_low_f32), tail;
    tail = error ? math_multiply_add(m, n, low, error) : math_mul(m, n, low);
    if (m->wide) {
        LLVMValueRef half = math_mul(m, square, math_number(m, 0.5));
        LLVMValueRef s = math_div(m, f, math_add(m, f, math_number(m, 2)));
        LLVMValueRef z = math_mul(m, s, s);
        LLVMValueRef r = math_mul(m, MATH_POLYNOMIAL(m, z, log_f64), z);
        tail = math_multiply_add(m, s, math_add(m, half, r), tail);
        tail = math_sub(m, tail, half);
    } else {
        LLVMValueRef cube = math_mul(m, square, f);
        tail = math_multiply_add(m, cube, MATH_POLYNOMIAL(m, f, log_f32), tail);
        tail = math_multiply_add(m, square, math_number(m, -0.5), tail);
    }
    LLVMValueRef high = math_number(m, m->wide ? ln2_high_f64 : ln2_high_f32);
    return math_multiply_add(m, n, high, math_add(m, f, tail));
}

/* x = 2^n · (1 + f), 1 + f between 2/3 and 4/3 (f64: √½ and √2), for positive normal x */
static LLVMValueRef split_power(const Math *m, LLVMValueRef x, LLVMValueRef *n)
{
    LLVMBuilderRef b = m->builder;
    LLVMValueRef bits = math_bits(m, x), shift = math_integer(m, m->wide ? 52 : 23);
    LLVMValueRef lowest = math_integer(m, m->wide ? 0x3fe6a09e667f3bcd : 0x3f2aaaab);
    LLVMValueRef power = LLVMBuildAShr(b, LLVMBuildSub(b, bits, lowest, ""), shift, "");
    LLVMValueRef scaled = LLVMBuildSub(b, bits, LLVMBuildShl(b, power, shift, ""), "");
    if (m->wide) /* integer to float without a slow conversion of 64 bits */
        *n = math_sub(
            m, math_from_bits(m, LLVMBuildAdd(b, power, math_integer(m, 0x4338000000000000), "")),
            math_number(m, 0x1.8p52));
    else
        *n = LLVMBuildSIToFP(b, power, m->real, "");
    return math_sub(m, math_from_bits(m, scaled), math_number(m, 1));
}

/* What the formula does not give: log(+inf) = +inf, log(0) = -inf, log of anything below or of NaN
 * is NaN. Denormals count as 0. */
static LLVMValueRef log_edges(const Math *m, LLVMValueRef x, LLVMValueRef result)
{
    LLVMValueRef infinite = math_number(m, INFINITY);
    LLVMValueRef ordinary = math_is(m, LLVMRealOLT, x, infinite);
    result = math_select(m, ordinary, result, math_add(m, x, x)); /* +inf and NaN */
    LLVMValueRef tiny = math_is(m, LLVMRealOLT, x, math_number(m, m->wide ? 0x1p-1022 : 0x1p-126));
    LLVMValueRef below = math_is(m, LLVMRealOLT, x, math_number(m, 0));
    LLVMValueRef edge = math_select(m, below, math_number(m, NAN), math_number(m, -INFINITY));
    return math_select(m, tiny, edge, result);
}

LLVMValueRef math_log(const Math *m, LLVMValueRef x)
{
    LLVMValueRef n, f = split_power(m, x, &n);
    return log_edges(m, x, log_sum(m, f, n, NULL));
}

LLVMValueRef math_log1p(const Math *m, LLVMValueRef x)
{
    LLVMValueRef one = math_number(m, 1), u = math_add(m, one, x), n;
    LLVMValueRef f = split_power(m, u, &n);
    /* what rounding u lost, relative to u: (x - (u - 1)) / u, or (1 - (u - x)) / u when x is the
     * larger */
    LLVMValueRef lost_small = math_sub(m, x, math_sub(m, u, one));
    LLVMValueRef lost_large = math_sub(m, one, math_sub(m, u, x));
    LLVMValueRef lost = math_select(m, math_is(m, LLVMRealOGT, x, one), lost_large, lost_small);
    LLVMValueRef near_one = math_is(m, LLVMRealOEQ, n, math_number(m, 0));
    f = math_select(m, near_one, x, f); /* exact: nothing was lost */
    LLVMValueRef error = math_select(m, near_one, math_number(m, 0), math_div(m, lost, u));
    LLVMValueRef result = log_edges(m, u, log_sum(m, f, n, error));
    return math_select(m, math_is(m, LLVMRealOEQ, x, math_number(m, 0)), x, result); /* -0 */
}

/* erf */

/* erf(√z)/√z as a quotient for 0 ≤ √z ≤ 3.92, beyond which erf is 1 in f32: a minimax
 * approximation of the relative error, found by Remez' exchange */
static const double erf_over_f32[] = {1.99238644e-8, -1.95784926e-6, 0.000141857382, 0.00370192091,
                                      0.0505743444,  0.199931941,    1.12837911};
static const double erf_under_f32[] = {0.000956112426, 0.0143538489, 0.115001507, 0.510516724, 1.0};
/* erf(√z)/√z for 0 ≤ z ≤ 1 */
static const double erf_small_f64[] = {
    5.9571761477489114e-11,  -1.13728488567916737e-9, 1.46597752740474358e-8,
    -1.6350312701054695e-7,  1.6461000484121368e-6,   -1.49255952668311816e-5,
    1.20553311116427109e-4,  -8.54832698083378991e-4, 5.22397762481801447e-3,
    -2.68661706450767932e-2, 1.12837916709548787e-1,  -3.76126389031837481e-1,
    1.12837916709551257};
/* exp(x²)·(1 - erf x) in t = (x - 3)/(x + 2) for 1 ≤ x ≤ 6 */
static const double erf_large_f64[] = {
    -3.19546479217165159e-8, -8.30440975644645457e-8, 1.04683108944538953e-7,
    7.03554889198437081e-7,  3.65999415651119914e-7,  -3.79753521651749721e-6,
    -6.44364058204300201e-6, 1.99239996140495636e-5,  6.0542101463543329e-5,
    -1.36849838135495333e-4, -5.3780172274226709e-4,  1.70785656114582935e-3,
    4.07931280015478828e-3,  -3.75716193388707038e-2, 1.25247978960920292e-1,
    -2.71861300035864348e-1, 1.79001151181389948e-1};

static LLVMValueRef erf_wide(const Math *m, LLVMValueRef x)
{
    LLVMValueRef size = math_at_most(m, math_abs(m, x), 6);
    LLVMValueRef square = math_mul(m, size, size);
    LLVMValueRef small = math_mul(m, size, MATH_POLYNOMIAL(m, square, erf_small_f64));
    LLVMValueRef t =
        math_div(m, math_sub(m, size, math_number(m, 3)), math_add(m, size, math_number(m, 2)));
    LLVMValueRef rest =
        math_mul(m, math_exp(m, math_neg(m, square)), MATH_POLYNOMIAL(m, t, erf_large_f64));
    LLVMValueRef large = math_sub(m, math_number(m, 1), rest);
    LLVMValueRef near = math_is(m, LLVMRealOLT, size, math_number(m, 1));
    return math_with_sign(m, math_abs(m, math_select(m, near, small, large)), x);
}

LLVMValueRef math_erf(const Math *m, LLVMValueRef x)
{
    if (m->wide)
        return erf_wide(m, x);
    x = math_at_least(m, math_at_most(m, x, 3.92), -3.92);
    LLVMValueRef square = math_mul(m, x, x);
    LLVMValueRef over = math_mul(m, x, MATH_POLYNOMIAL(m, square, erf_over_f32));
    LLVMValueRef ratio = math_ratio(m, over, MATH_POLYNOMIAL(m, square, erf_under_f32));
    return math_at_least(m, math_at_most(m, ratio, 1), -1);
}

/* pow */

static LLVMValueRef is_whole(const Math *m, LLVMValueRef x)
{
    return math_is(m, LLVMRealOEQ, math_trunc(m, x), x);
}

/* Sign and special cases of C's pow, given |x|^y from a formula that may say NaN where the answer
 * is 1. */
static LLVMValueRef pow_edges(const Math *m, LLVMValueRef x, LLVMValueRef y, LLVMValueRef magnitude)
{
    LLVMBuilderRef b = m->builder;
    LLVMValueRef zero = math_number(m, 0), one = math_number(m, 1),
                 infinite = math_number(m, INFINITY);
    LLVMValueRef whole = is_whole(m, y);
    LLVMValueRef odd = LLVMBuildAnd(
        b, whole, LLVMBuildNot(b, is_whole(m, math_mul(m, y, math_number(m, 0.5))), ""), "");
    LLVMValueRef result = math_select(m, odd, math_with_sign(m, magnitude, x), magnitude);
    LLVMValueRef size = math_abs(m, x);
    LLVMValueRef negative = LLVMBuildAnd(b, math_is(m, LLVMRealOLT, x, zero),
                                         math_is(m, LLVMRealOLT, size, infinite), "");
    LLVMValueRef root = LLVMBuildAnd(b, negative, LLVMBuildNot(b, whole, ""), "");
    result = math_select(m, root, math_number(m, NAN), result);
    LLVMValueRef unit = LLVMBuildAnd(b, math_is(m, LLVMRealOEQ, size, one),
                                     math_is(m, LLVMRealOEQ, math_abs(m, y), infinite), "");
    unit = LLVMBuildOr(b, unit, math_is(m, LLVMRealOEQ, x, one), "");
    unit = LLVMBuildOr(b, unit, math_is(m, LLVMRealOEQ, y, zero), "");
    return math_select(m, unit, one, result);
}

LLVMValueRef math_pow(const Math *m, LLVMValueRef x, LLVMValueRef y)
{
    Math wide = math_create(m->builder, m->target, true, m->lanes);
    LLVMValueRef size = math_abs(m, x), power = y;
    if (!m->wide) {
        size = LLVMBuildFPExt(m->builder, size, wide.real, "");
        power = LLVMBuildFPExt(m->builder, power, wide.real, "");
    }
    LLVMValueRef magnitude = math_exp(&wide, math_mul(&wide, power, math_log(&wide, size)));
    if (!m->wide)
        magnitude = LLVMBuildFPTrunc(m->builder, magnitude, m->real, "");
    return pow_edges(m, x, y, magnitude);
}

LLVMValueRef math_sqrt(const Math *m, LLVMValueRef x)
{
    return codegen_intrinsic(m->builder, "llvm.sqrt", m->real, &x, 1);
}
