/* Element-wise operations on LLVM values: which function makes which row of ops.def, and the small
 * steps that the formulas of vector_math_*.c are made of. */
#include "codegen/vector_math_parts.h"

#include "ir/eval.h"

#include <string.h>

LLVMTypeRef codegen_type(LLVMContextRef context, ElementType element, int lanes)
{
    LLVMTypeRef type = NULL;
    switch (element) {
    case TYPE_F32:
        type = LLVMFloatTypeInContext(context);
        break;
    case TYPE_F64:
        type = LLVMDoubleTypeInContext(context);
        break;
    case TYPE_I32:
    case TYPE_U32:
        type = LLVMInt32TypeInContext(context);
        break;
    case TYPE_I64:
    case TYPE_U64:
        type = LLVMInt64TypeInContext(context);
        break;
    case TYPE_BOOL:
        type = LLVMInt1TypeInContext(context);
        break;
    case TYPE_I16:
    case TYPE_U16:
    case TYPE_F16:
    case TYPE_BF16:
        type = LLVMInt16TypeInContext(context);
        break;
    case TYPE_U8:
    case TYPE_I8:
        type = LLVMInt8TypeInContext(context);
        break;
    }
    return lanes > 1 ? LLVMVectorType(type, (unsigned)lanes) : type;
}

static LLVMContextRef builder_context(LLVMBuilderRef builder)
{
    return LLVMGetTypeContext(LLVMTypeOf(LLVMGetBasicBlockParent(LLVMGetInsertBlock(builder))));
}

LLVMValueRef codegen_splat(LLVMBuilderRef builder, LLVMValueRef value, int lanes)
{
    if (lanes == 1)
        return value;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(builder_context(builder));
    LLVMTypeRef vector = LLVMVectorType(LLVMTypeOf(value), (unsigned)lanes);
    LLVMValueRef first =
        LLVMBuildInsertElement(builder, LLVMGetPoison(vector), value, LLVMConstInt(i32, 0, 0), "");
    LLVMValueRef zeros = LLVMConstNull(LLVMVectorType(i32, (unsigned)lanes));
    return LLVMBuildShuffleVector(builder, first, LLVMGetPoison(vector), zeros, "");
}

static LLVMValueRef lane_numbers(LLVMBuilderRef builder, int first, int count)
{
    enum { MOST = 1024 }; /* lanes of any vector */
    LLVMTypeRef i32 = LLVMInt32TypeInContext(builder_context(builder));
    LLVMValueRef numbers[MOST];
    for (int i = 0; i < count; i++)
        numbers[i] = LLVMConstInt(i32, (unsigned long long)(first + i), 0);
    return LLVMConstVector(numbers, (unsigned)count);
}

LLVMValueRef codegen_part(LLVMBuilderRef builder, LLVMValueRef vector, int first, int count)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(builder_context(builder));
    if (count == 1)
        return LLVMBuildExtractElement(builder, vector,
                                       LLVMConstInt(i32, (unsigned long long)first, 0), "");
    return LLVMBuildShuffleVector(builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                  lane_numbers(builder, first, count), "");
}

LLVMValueRef codegen_intrinsic(LLVMBuilderRef builder, const char *name, LLVMTypeRef type,
                               LLVMValueRef *in, int in_count)
{
    LLVMModuleRef module =
        LLVMGetGlobalParent(LLVMGetBasicBlockParent(LLVMGetInsertBlock(builder)));
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef callee = LLVMGetIntrinsicDeclaration(module, id, &type, 1);
    return LLVMBuildCall2(builder, LLVMGlobalGetValueType(callee), callee, in, (unsigned)in_count,
                          "");
}

LLVMValueRef codegen_multiply_add(LLVMBuilderRef builder, const Target *target, LLVMValueRef a,
                                  LLVMValueRef b, LLVMValueRef c)
{
    LLVMValueRef in[3] = {a, b, c};
    if (target->fused)
        return codegen_intrinsic(builder, "llvm.fma", LLVMTypeOf(a), in, 3);
    return LLVMBuildFAdd(builder, LLVMBuildFMul(builder, a, b, ""), c, "");
}

/* Steps of formulas */

Math math_create(LLVMBuilderRef builder, const Target *target, bool wide, int lanes)
{
    LLVMContextRef context = builder_context(builder);
    return (Math){.builder = builder,
                  .context = context,
                  .target = target,
                  .lanes = lanes,
                  .wide = wide,
                  .real = codegen_type(context, wide ? TYPE_F64 : TYPE_F32, lanes),
                  .integer = codegen_type(context, wide ? TYPE_I64 : TYPE_I32, lanes)};
}

LLVMValueRef math_number(const Math *m, double number)
{
    LLVMTypeRef type = codegen_type(m->context, m->wide ? TYPE_F64 : TYPE_F32, 1);
    return codegen_splat(m->builder, LLVMConstReal(type, number), m->lanes);
}

LLVMValueRef math_integer(const Math *m, int64_t number)
{
    LLVMTypeRef type = codegen_type(m->context, m->wide ? TYPE_I64 : TYPE_I32, 1);
    return codegen_splat(m->builder, LLVMConstInt(type, (unsigned long long)number, 1), m->lanes);
}

LLVMValueRef math_multiply_add(const Math *m, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    return codegen_multiply_add(m->builder, m->target, a, b, c);
}

LLVMValueRef math_polynomial(const Math *m, LLVMValueRef x, const double *coefficients, int count)
{
    LLVMValueRef sum = math_number(m, coefficients[0]);
    for (int i = 1; i < count; i++)
        sum = math_multiply_add(m, sum, x, math_number(m, coefficients[i]));
    return sum;
}

LLVMValueRef math_abs(const Math *m, LLVMValueRef x)
{
    return codegen_intrinsic(m->builder, "llvm.fabs", m->real, &x, 1);
}

LLVMValueRef math_with_sign(const Math *m, LLVMValueRef magnitude, LLVMValueRef sign)
{
    LLVMValueRef bit = math_integer(m, m->wide ? INT64_MIN : INT32_MIN);
    bit = LLVMBuildAnd(m->builder, math_bits(m, sign), bit, "");
    return math_from_bits(m, LLVMBuildOr(m->builder, math_bits(m, magnitude), bit, ""));
}

/* x86: `a > b ? a : b` is maxps with its operands in this order, which gives the second one when
 * either is NaN. Elsewhere llvm.maximum is one instruction that passes on every NaN. */
static LLVMValueRef second_if_nan(const Math *m, bool larger, LLVMValueRef a, LLVMValueRef b)
{
    if (m->target->architecture != ARCHITECTURE_X86_64 && !m->wide) {
        LLVMValueRef in[2] = {a, b};
        return codegen_intrinsic(m->builder, larger ? "llvm.maximum" : "llvm.minimum", m->real, in,
                                 2);
    }
    return math_select(m, math_is(m, larger ? LLVMRealOGT : LLVMRealOLT, a, b), a, b);
}

LLVMValueRef math_at_least(const Math *m, LLVMValueRef x, double number)
{
    return second_if_nan(m, true, math_number(m, number), x);
}

LLVMValueRef math_at_most(const Math *m, LLVMValueRef x, double number)
{
    return second_if_nan(m, false, math_number(m, number), x);
}

/* `a > b ? a : b` passes on a NaN in b; one in a takes a comparison and a blend more, which depend
 * on a alone. A constant is put first and needs neither, so that relu is one instruction. */
LLVMValueRef math_extreme(const Math *m, bool larger, LLVMValueRef a, LLVMValueRef b)
{
    if (LLVMIsConstant(b)) {
        LLVMValueRef other = a;
        a = b;
        b = other;
    }
    LLVMValueRef result = second_if_nan(m, larger, a, b);
    bool propagates = m->target->architecture != ARCHITECTURE_X86_64 && !m->wide;
    if (propagates)
        return result;
    return math_select(m, math_is(m, LLVMRealUNO, a, a), a,
                       result); /* folded away when a is a number */
}

/* Adding 1.5·2^23 leaves no room for a fraction: the sum's last bits are the integer. */
LLVMValueRef math_nearest(const Math *m, LLVMValueRef x, double factor, LLVMValueRef *whole)
{
    LLVMValueRef magic = math_number(m, m->wide ? 0x1.8p52 : 0x1.8p23);
    LLVMValueRef sum = math_multiply_add(m, x, math_number(m, factor), magic);
    *whole = LLVMBuildSub(m->builder, math_bits(m, sum), math_bits(m, magic), "");
    return math_sub(m, sum, magic);
}

LLVMValueRef math_power_of_two(const Math *m, LLVMValueRef n)
{
    LLVMValueRef biased = LLVMBuildAdd(m->builder, n, math_integer(m, m->wide ? 1023 : 127), "");
    return math_from_bits(m,
                          LLVMBuildShl(m->builder, biased, math_integer(m, m->wide ? 52 : 23), ""));
}

/* AVX-512's, for vectors of its full width or several abreast */
bool math_scales(const Math *m)
{
    return m->target->architecture == ARCHITECTURE_X86_64 && m->target->vector_bits == 512 &&
           m->lanes * (m->wide ? 64 : 32) % 512 == 0;
}

static LLVMValueRef call_intrinsic(const Math *m, const char *name, LLVMValueRef *in,
                                   unsigned count)
{
    LLVMModuleRef module =
        LLVMGetGlobalParent(LLVMGetBasicBlockParent(LLVMGetInsertBlock(m->builder)));
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef callee = LLVMGetIntrinsicDeclaration(module, id, NULL, 0);
    return LLVMBuildCall2(m->builder, LLVMGlobalGetValueType(callee), callee, in, count, "");
}

static LLVMValueRef all_lanes(const Math *m)
{
    return LLVMConstAllOnes(LLVMIntTypeInContext(m->context, (unsigned)m->lanes));
}

typedef LLVMValueRef OfTwo(const Math *m, LLVMValueRef a, LLVMValueRef b);

/* The intrinsics are for one vector of the processor's. */
static LLVMValueRef each_register(const Math *m, OfTwo *of, LLVMValueRef a, LLVMValueRef b)
{
    if (m->lanes * (m->wide ? 64 : 32) <= m->target->vector_bits)
        return of(m, a, b);
    int lanes = m->lanes / 2;
    Math half = math_create(m->builder, m->target, m->wide, lanes);
    LLVMValueRef halves[2];
    for (int i = 0; i < 2; i++)
        halves[i] = each_register(&half, of, codegen_part(m->builder, a, i * lanes, lanes),
                                  codegen_part(m->builder, b, i * lanes, lanes));
    return LLVMBuildShuffleVector(m->builder, halves[0], halves[1],
                                  lane_numbers(m->builder, 0, m->lanes), "");
}

static LLVMValueRef scalef(const Math *m, LLVMValueRef x, LLVMValueRef whole)
{
    enum { CURRENT_ROUNDING = 4 };
    const char *name =
        m->wide ? "llvm.x86.avx512.mask.scalef.pd.512" : "llvm.x86.avx512.mask.scalef.ps.512";
    LLVMTypeRef i32 = LLVMInt32TypeInContext(m->context);
    LLVMValueRef in[5] = {x, whole, x, all_lanes(m), LLVMConstInt(i32, CURRENT_ROUNDING, 0)};
    return call_intrinsic(m, name, in, 5);
}

LLVMValueRef math_scale(const Math *m, LLVMValueRef x, LLVMValueRef whole)
{
    return each_register(m, scalef, x, whole);
}

static LLVMValueRef ratio_by_inverse(const Math *m, LLVMValueRef a, LLVMValueRef b)
{
    b = math_at_most(m, b, 0x1p127); /* infinity times nought is no number */
    LLVMValueRef in[3] = {b, b, all_lanes(m)};
    LLVMValueRef inverse = call_intrinsic(m, "llvm.x86.avx512.rcp14.ps.512", in, 3);
    LLVMValueRef ratio = math_mul(m, a, inverse);
    LLVMValueRef rest = math_multiply_add(m, math_neg(m, b), ratio, a);
    return math_multiply_add(m, rest, inverse, ratio);
}

LLVMValueRef math_ratio(const Math *m, LLVMValueRef a, LLVMValueRef b)
{
    if (m->wide || !math_scales(m))
        return math_div(m, a, b);
    return each_register(m, ratio_by_inverse, a, b);
}

LLVMValueRef math_any(const Math *m, LLVMValueRef condition)
{
    if (m->lanes == 1)
        return condition;
    return codegen_intrinsic(m->builder, "llvm.vector.reduce.or", LLVMTypeOf(condition), &condition,
                             1);
}

/* The rows of ops.def */

static LLVMValueRef math_sign(const Math *m, LLVMValueRef x)
{
    LLVMValueRef zero = math_number(m, 0);
    LLVMValueRef below = math_select(m, math_is(m, LLVMRealOLT, x, zero), math_number(m, -1), zero);
    return math_select(m, math_is(m, LLVMRealOGT, x, zero), math_number(m, 1), below);
}

static LLVMValueRef apply_unary(const Math *m, Op op, LLVMValueRef x)
{
    switch (op) {
    case OP_neg:
        return math_neg(m, x);
    case OP_abs:
        return math_abs(m, x);
    case OP_sign:
        return math_sign(m, x);
    case OP_exp:
        return math_exp(m, x);
    case OP_expm1:
        return math_expm1(m, x);
    case OP_log:
        return math_log(m, x);
    case OP_log1p:
        return math_log1p(m, x);
    case OP_sqrt:
        return math_sqrt(m, x);
    case OP_rsqrt:
        return math_div(m, math_number(m, 1), math_sqrt(m, x));
    case OP_tanh:
        return math_tanh(m, x);
    case OP_sigmoid:
        return math_sigmoid(m, x);
    case OP_erf:
        return math_erf(m, x);
    case OP_sin:
        return math_sin(m, x);
    case OP_cos:
        return math_cos(m, x);
    case OP_atan:
        return math_atan(m, x);
    case OP_floor:
        return math_floor(m, x);
    case OP_ceil:
        return math_ceil(m, x);
    case OP_round:
        return math_round(m, x);
    default:
        return NULL;
    }
}

static LLVMValueRef apply_binary(const Math *m, Op op, LLVMValueRef a, LLVMValueRef b)
{
    switch (op) {
    case OP_add:
        return math_add(m, a, b);
    case OP_sub:
        return math_sub(m, a, b);
    case OP_mul:
        return math_mul(m, a, b);
    case OP_div:
        return math_div(m, a, b);
    case OP_mod:
        return math_mod(m, a, b);
    case OP_pow:
        return math_pow(m, a, b);
    case OP_max:
        return math_extreme(m, true, a, b);
    case OP_min:
        return math_extreme(m, false, a, b);
    default:
        return NULL;
    }
}

/* A condition: what is not 0 (or not false) is true. */
static LLVMValueRef truth(const Math *m, ElementType element, LLVMValueRef x)
{
    return math_cast(m, element, TYPE_BOOL, x);
}

LLVMValueRef codegen_apply(LLVMBuilderRef builder, const Target *target, Op op, ElementType element,
                           const ElementType *in_elements, LLVMValueRef *in, int lanes)
{
    Math m = math_create(builder, target, in_elements[0] == TYPE_F64, lanes);
    LLVMValueRef result = NULL;
    if (op == OP_cast)
        result = math_cast(&m, in_elements[0], element, in[0]);
    else if (op == OP_bitcast)
        result = LLVMBuildBitCast(builder, in[0], codegen_type(m.context, element, lanes), "");
    else if (op == OP_select)
        result = math_select(&m, truth(&m, in_elements[0], in[0]), in[1], in[2]);
    else if (op == OP_eq || op == OP_ne || op == OP_lt || op == OP_le || op == OP_gt || op == OP_ge)
        result = math_compare(&m, op, in_elements[0], in[0], in[1]);
    else if (!element_is_float(in_elements[0]))
        result = math_apply_integer(&m, op, in_elements[0], in);
    else
        result =
            op_inputs(op) == 1 ? apply_unary(&m, op, in[0]) : apply_binary(&m, op, in[0], in[1]);
    if (!result)
        INGOT_BUG("operation %s of %s has no code", op_name(op), element_name(in_elements[0]));
    return result;
}

/* Random numbers: the integer operations of ir/eval.h, spelled the same way. */

typedef struct Mixer {
    LLVMBuilderRef builder;
    LLVMTypeRef i32;
    int lanes;
} Mixer;

static LLVMValueRef mixer_number(const Mixer *x, uint32_t number)
{
    return codegen_splat(x->builder, LLVMConstInt(x->i32, number, 0), x->lanes);
}

static LLVMValueRef mixer_fold(const Mixer *x, LLVMValueRef value, unsigned shift)
{
    return LLVMBuildXor(x->builder, value,
                        LLVMBuildLShr(x->builder, value, mixer_number(x, shift), ""), "");
}

static LLVMValueRef mix(const Mixer *x, LLVMValueRef value)
{
    value = LLVMBuildMul(x->builder, mixer_fold(x, value, 16), mixer_number(x, 0x7feb352du), "");
    value = LLVMBuildMul(x->builder, mixer_fold(x, value, 15), mixer_number(x, 0x846ca68bu), "");
    return mixer_fold(x, value, 16);
}

LLVMValueRef codegen_random_key(LLVMBuilderRef builder, LLVMValueRef *key, LLVMValueRef stream,
                                int lanes)
{
    Mixer x = {builder, LLVMInt32TypeInContext(builder_context(builder)), lanes};
    LLVMValueRef value = mix(&x, LLVMBuildXor(builder, key[0], mixer_number(&x, 0x9e3779b9u), ""));
    value = mix(&x, LLVMBuildAdd(builder, value, key[1], ""));
    value = mix(&x, LLVMBuildAdd(builder, value, key[2], ""));
    LLVMValueRef offset = LLVMBuildAdd(builder, stream, mixer_number(&x, 0x85ebca6bu), "");
    return LLVMBuildXor(builder, value, mix(&x, offset), "");
}

LLVMValueRef codegen_random_uniform(LLVMBuilderRef builder, LLVMValueRef mixed_key,
                                    LLVMValueRef index, int lanes)
{
    Mixer x = {builder, LLVMInt32TypeInContext(builder_context(builder)), lanes};
    LLVMValueRef value = mix(&x, LLVMBuildAdd(builder, index, mixed_key, ""));
    value = mix(&x, LLVMBuildXor(builder, value, mixed_key, ""));
    value = LLVMBuildLShr(builder, value, mixer_number(&x, 8), "");
    LLVMTypeRef type = codegen_type(builder_context(builder), TYPE_F32, lanes);
    /* 24 bits: as good signed as unsigned, and the signed conversion is one instruction everywhere
     */
    value = LLVMBuildSIToFP(builder, value, type, "");
    LLVMValueRef unit = LLVMConstReal(LLVMFloatTypeInContext(builder_context(builder)), 0x1p-24);
    return LLVMBuildFMul(builder, value, codegen_splat(builder, unit, lanes), "");
}
