/* sin and cos, and atan.
 *
 * x = n·π/2 + r with |r| ≤ π/4; n mod 4 says which of ±sin r, ±cos r it is. For moderate x, n·π/2
 * is taken away in parts (Cody and Waite). f32 numbers beyond that go through a multiplication with
 * 96 bits of 2/π chosen by the exponent (Payne and Hanek; the arithmetic is that of Arm's
 * optimized-routines), behind a branch that is taken when any lane needs it, so all of f32 is
 * accurate. f64 is accurate for |x| < 1.6e6. Polynomials: f32 N. Juffa, f64 fdlibm.
 *
 * atan has one polynomial for small arguments. f32: up to 1, and π/2 - atan(1/x) beyond; its
 * coefficients are minimax in the relative error, 0.05 of a unit in the last place. f64: fdlibm's,
 * up to 7/16, and beyond atan c + atan((x - c)/(1 + c·x)) with c = 1/2, 1, 3/2 or infinity. */
#include "codegen/vector_math_parts.h"

static const double sin_f32[] = {2.86567956e-6, -1.98559923e-4, 8.33338592e-3, -1.66666672e-1};
static const double cos_f32[] = {2.44677067e-5, -1.38877297e-3, 4.16666567e-2, -0.5};
static const double sin_f64[] = {1.58969099521155010221e-10, -2.50507602534068634195e-08,
                                 2.75573137070700676789e-06, -1.98412698298579493134e-04,
                                 8.33333333332248946124e-03, -1.66666666666666324348e-01};
static const double cos_f64[] = {-1.13596475577881948265e-11,
                                 2.08757232129817482790e-09,
                                 -2.75573143513906633035e-07,
                                 2.48015872894767294178e-05,
                                 -1.38888888888741095749e-03,
                                 4.16666666666666019037e-02,
                                 -0.5};

/* π/2 in parts: f32 with fused multiply-add; f32 of 12 bits each, so that n times a part is exact
 * for n < 2^12; f64 */
static const double half_pi_fused[] = {0x1.921fbp0, 0x1.5110b4p-22, 0x1.846988p-48};
static const double half_pi_split[] = {0x1.92p0, 0x1.fb4p-12, 0x1.444p-24, 0x1.68cp-39,
                                       0x1.1a62633145c07p-54};
static const double half_pi_f64[] = {0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69,
                                     0x1.b839a252049c1p-104};

typedef struct Angle {
    LLVMValueRef rest;     /* r */
    LLVMValueRef quadrant; /* n */
} Angle;

static LLVMValueRef take_away(const Math *m, LLVMValueRef x, LLVMValueRef n, const double *parts,
                              int count)
{
    LLVMValueRef negative = math_neg(m, n);
    for (int i = 0; i < count; i++)
        x = math_multiply_add(m, negative, math_number(m, parts[i]), x);
    return x;
}

static Angle reduce_moderate(const Math *m, LLVMValueRef x)
{
    Angle angle;
    LLVMValueRef n = math_nearest(m, x, 0x1.45f306dc9c883p-1, &angle.quadrant);
    if (m->wide)
        angle.rest = take_away(m, x, n, half_pi_f64, 4);
    else if (m->target->fused)
        angle.rest = take_away(m, x, n, half_pi_fused, 3);
    else
        angle.rest = take_away(m, x, n, half_pi_split, 5);
    return angle;
}

/* 2/π from bit 8·i - 24 on, for i = 0 … 23 */
static const uint32_t two_over_pi[24] = {
    0x000000a2, 0x0000a2f9, 0x00a2f983, 0xa2f9836e, 0xf9836e4e, 0x836e4e44, 0x6e4e4415, 0x4e441529,
    0x441529fc, 0x1529fc27, 0x29fc2757, 0xfc2757d1, 0x2757d1f5, 0x57d1f534, 0xd1f534dd, 0xf534ddc0,
    0x34ddc0db, 0xddc0db62, 0xc0db6295, 0xdb629599, 0x6295993c, 0x95993c43, 0x993c4390, 0x3c439041};

static LLVMValueRef table_in_module(const Math *m)
{
    static const char name[] = "ingot.two_over_pi";
    LLVMModuleRef module =
        LLVMGetGlobalParent(LLVMGetBasicBlockParent(LLVMGetInsertBlock(m->builder)));
    LLVMValueRef global = LLVMGetNamedGlobal(module, name);
    if (global)
        return global;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(m->context);
    LLVMValueRef words[24];
    for (int i = 0; i < 24; i++)
        words[i] = LLVMConstInt(i32, two_over_pi[i], 0);
    global = LLVMAddGlobal(module, LLVMArrayType2(i32, 24), name);
    LLVMSetInitializer(global, LLVMConstArray2(i32, words, 24));
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    return global;
}

/* table[place + first] for each lane */
static LLVMValueRef look_up(const Math *m, LLVMValueRef table, LLVMValueRef place, int first)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(m->context);
    LLVMValueRef result = LLVMGetPoison(m->integer);
    for (int lane = 0; lane < m->lanes; lane++) {
        LLVMValueRef number = LLVMConstInt(i32, (unsigned)lane, 0), index = place;
        if (m->lanes > 1)
            index = LLVMBuildExtractElement(m->builder, place, number, "");
        index = LLVMBuildAdd(m->builder, index, LLVMConstInt(i32, (unsigned)first, 0), "");
        LLVMValueRef pointer = LLVMBuildGEP2(m->builder, i32, table, &index, 1, "");
        LLVMValueRef word = LLVMBuildLoad2(m->builder, i32, pointer, "");
        result = m->lanes > 1 ? LLVMBuildInsertElement(m->builder, result, word, number, "") : word;
    }
    return result;
}

/* |x| ≥ 2 times 2/π modulo 4 as a fixed-point number of 64 bits, two of them before the point */
static LLVMValueRef multiply_two_over_pi(const Math *m, const Math *wide, LLVMValueRef x)
{
    LLVMBuilderRef b = m->builder;
    LLVMValueRef bits = math_bits(m, math_abs(m, x)), table = table_in_module(m);
    LLVMValueRef place =
        LLVMBuildAnd(b, LLVMBuildLShr(b, bits, math_integer(m, 26), ""), math_integer(m, 15), "");
    LLVMValueRef shift =
        LLVMBuildAnd(b, LLVMBuildLShr(b, bits, math_integer(m, 23), ""), math_integer(m, 7), "");
    LLVMValueRef digits = LLVMBuildOr(b, LLVMBuildAnd(b, bits, math_integer(m, 0x7fffff), ""),
                                      math_integer(m, 0x800000), "");
    digits = LLVMBuildShl(b, digits, shift, "");
    LLVMValueRef long_digits = LLVMBuildZExt(b, digits, wide->integer, ""), words[3];
    for (int i = 0; i < 3; i++)
        words[i] = LLVMBuildZExt(b, look_up(m, table, place, 4 * i), wide->integer, "");
    LLVMValueRef half = math_integer(wide, 32);
    LLVMValueRef high = LLVMBuildShl(b, LLVMBuildMul(b, long_digits, words[0], ""), half, "");
    LLVMValueRef middle = LLVMBuildMul(b, long_digits, words[1], "");
    LLVMValueRef low = LLVMBuildLShr(b, LLVMBuildMul(b, long_digits, words[2], ""), half, "");
    return LLVMBuildAdd(b, LLVMBuildOr(b, high, low, ""), middle, "");
}

static Angle reduce_large(const Math *m, LLVMValueRef x)
{
    LLVMBuilderRef b = m->builder;
    Math wide = math_create(b, m->target, true, m->lanes);
    LLVMValueRef product = multiply_two_over_pi(m, &wide, x);
    LLVMValueRef rounded = LLVMBuildAdd(b, product, math_integer(&wide, (int64_t)1 << 61), "");
    LLVMValueRef n = LLVMBuildLShr(b, rounded, math_integer(&wide, 62), "");
    product = LLVMBuildSub(b, product, LLVMBuildShl(b, n, math_integer(&wide, 62), ""), "");
    LLVMValueRef rest = LLVMBuildSIToFP(b, product, wide.real, "");
    rest = math_mul(&wide, rest, math_number(&wide, 0x1.921fb54442d18p-62));
    rest = LLVMBuildFPTrunc(b, rest, m->real, "");
    n = LLVMBuildTrunc(b, n, m->integer, "");
    LLVMValueRef negative = math_is(m, LLVMRealOLT, x, math_number(m, 0));
    rest = math_select(m, negative, math_neg(m, rest), rest);
    n = math_select(m, negative, LLVMBuildNeg(b, n, ""), n);
    return (Angle){math_add(m, rest, math_sub(m, x, x)), n}; /* x - x: NaN for infinities */
}

static Angle reduce(const Math *m, LLVMValueRef x)
{
    Angle angle = reduce_moderate(m, x);
    if (m->wide)
        return angle;
    LLVMBuilderRef b = m->builder;
    LLVMValueRef limit = math_number(m, m->target->fused ? 71476 : 6000);
    LLVMValueRef large = math_is(m, LLVMRealOGT, math_abs(m, x), limit);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    LLVMValueRef function = LLVMGetBasicBlockParent(before);
    LLVMBasicBlockRef slow = LLVMAppendBasicBlockInContext(m->context, function, "large_angle");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(m->context, function, "");
    LLVMBuildCondBr(b, math_any(m, large), slow, after);
    LLVMPositionBuilderAtEnd(b, slow);
    Angle exact = reduce_large(m, x);
    exact.rest = math_select(m, large, exact.rest, angle.rest);
    exact.quadrant = math_select(m, large, exact.quadrant, angle.quadrant);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
    LLVMBasicBlockRef blocks[2] = {before, slow};
    LLVMValueRef rests[2] = {angle.rest, exact.rest},
                 quadrants[2] = {angle.quadrant, exact.quadrant};
    Angle joined = {LLVMBuildPhi(b, m->real, ""), LLVMBuildPhi(b, m->integer, "")};
    LLVMAddIncoming(joined.rest, rests, blocks, 2);
    LLVMAddIncoming(joined.quadrant, quadrants, blocks, 2);
    return joined;
}

/* The sine of x + quarters·π/2 */
static LLVMValueRef sine(const Math *m, LLVMValueRef x, int quarters)
{
    LLVMBuilderRef b = m->builder;
    Angle angle = reduce(m, x);
    LLVMValueRef r = angle.rest, square = math_mul(m, r, r);
    LLVMValueRef odd_part =
        m->wide ? MATH_POLYNOMIAL(m, square, sin_f64) : MATH_POLYNOMIAL(m, square, sin_f32);
    LLVMValueRef even_part =
        m->wide ? MATH_POLYNOMIAL(m, square, cos_f64) : MATH_POLYNOMIAL(m, square, cos_f32);
    LLVMValueRef sin_r = math_multiply_add(m, math_mul(m, square, r), odd_part, r);
    LLVMValueRef cos_r = math_multiply_add(m, square, even_part, math_number(m, 1));
    LLVMValueRef n = angle.quadrant;
    if (quarters)
        n = LLVMBuildAdd(b, n, math_integer(m, quarters), "");
    LLVMValueRef one = math_integer(m, 1),
                 bits = m->wide ? math_integer(m, 62) : math_integer(m, 30);
    LLVMValueRef odd =
        LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, n, one, ""), math_integer(m, 0), "");
    LLVMValueRef value = math_select(m, odd, cos_r, sin_r);
    LLVMValueRef sign = LLVMBuildShl(b, LLVMBuildAnd(b, n, math_integer(m, 2), ""), bits, "");
    return math_from_bits(m, LLVMBuildXor(b, math_bits(m, value), sign, ""));
}

LLVMValueRef math_sin(const Math *m, LLVMValueRef x)
{
    LLVMValueRef result = sine(m, x, 0);
    return math_select(m, math_is(m, LLVMRealOEQ, x, math_number(m, 0)), x, result); /* -0 */
}

LLVMValueRef math_cos(const Math *m, LLVMValueRef x)
{
    return sine(m, x, 1);
}

/* atan */

/* (atan(r)/r - 1)/r² in r² */
static const double atan_f32[] = {-1.79597724e-3, 1.09177399e-2,  -3.11694704e-2,
                                  5.79350814e-2,  -8.40137675e-2, 1.09512672e-1,
                                  -1.42640427e-1, 1.99985296e-1,  -3.33332986e-1};
/* (1 - atan(r)/r)/r² in r² */
static const double atan_f64[] = {
    1.62858201153657823623e-02,  -3.65315727442169155270e-02, 4.97687799461593236017e-02,
    -5.83357013379057348645e-02, 6.66107313738753120669e-02,  -7.69187620504482999495e-02,
    9.09088713343650656196e-02,  -1.11111104054623557880e-01, 1.42857142725034663711e-01,
    -1.99999999998764832476e-01, 3.33333333333329318027e-01};

static LLVMValueRef atan_narrow(const Math *m, LLVMValueRef size)
{
    LLVMValueRef one = math_number(m, 1), large = math_is(m, LLVMRealOGT, size, one);
    LLVMValueRef r = math_select(m, large, math_div(m, one, size), size);
    LLVMValueRef square = math_mul(m, r, r);
    LLVMValueRef rest = math_mul(m, math_mul(m, square, r), MATH_POLYNOMIAL(m, square, atan_f32));
    /* π/2 - r - rest, with more digits of π/2 than one number holds */
    LLVMValueRef from_right_angle = math_sub(m, math_number(m, 0x1.921fb6p0), r);
    from_right_angle =
        math_sub(m, from_right_angle, math_sub(m, rest, math_number(m, -0x1.777a5cp-25)));
    return math_select(m, large, from_right_angle, math_add(m, r, rest));
}

static LLVMValueRef atan_wide(const Math *m, LLVMValueRef size)
{
    static const struct {
        double from, centre, high, low; /* from here on this c; high + low = atan c */
    } parts[] = {
        {0x1.cp-2, 0.5, 0x1.dac670561bb4fp-2, 0x1.a2b7f222f65e2p-56},
        {0x1.6p-1, 1, 0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55},
        {0x1.3p0, 1.5, 0x1.f730bd281f69bp-1, 0x1.007887af0cbbdp-56},
        {0x1.38p1, 0, 0x1.921fb54442d18p0, 0x1.1a62633145c07p-54},
    };
    LLVMValueRef zero = math_number(m, 0), centre = zero, high = zero, low = zero, beyond = NULL;
    for (int i = 0; i < 4; i++) {
        beyond = math_is(m, LLVMRealOGE, size, math_number(m, parts[i].from));
        centre = math_select(m, beyond, math_number(m, parts[i].centre), centre);
        high = math_select(m, beyond, math_number(m, parts[i].high), high);
        low = math_select(m, beyond, math_number(m, parts[i].low), low);
    }
    LLVMValueRef divisor = math_multiply_add(m, centre, size, math_number(m, 1));
    LLVMValueRef r = math_select(m, beyond, math_number(m, -1), math_sub(m, size, centre));
    r = math_div(m, r, math_select(m, beyond, size, divisor));
    LLVMValueRef square = math_mul(m, r, r);
    LLVMValueRef less = math_mul(m, square, MATH_POLYNOMIAL(m, square, atan_f64));
    less = math_sub(m, math_mul(m, r, less), low);
    return math_sub(m, high, math_sub(m, less, r));
}

LLVMValueRef math_atan(const Math *m, LLVMValueRef x)
{
    LLVMValueRef size = math_abs(m, x);
    return math_with_sign(m, m->wide ? atan_wide(m, size) : atan_narrow(m, size), x);
}
