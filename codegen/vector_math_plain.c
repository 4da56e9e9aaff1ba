/* Integers, bits, comparisons and casts.
 *
 * Integers wrap. x div 0 is 0 and x mod 0 is x; the smallest number divided by -1 wraps. LLVM
 * leaves all that undefined, so the divisor is replaced first; and so are shifts by counts beyond
 * the width. Casting a float that does not fit gives the nearest integer of the type, and 0 for
 * NaN. */
#include "codegen/vector_math_parts.h"

#include <math.h>

static LLVMValueRef integer(const Math *m, ElementType element, int64_t number)
{
    LLVMTypeRef type = codegen_type(m->context, element, 1);
    return codegen_splat(m->builder, LLVMConstInt(type, (unsigned long long)number, 1), m->lanes);
}

static LLVMValueRef integer_divide(const Math *m, Op op, ElementType element, LLVMValueRef a,
                                   LLVMValueRef b)
{
    LLVMBuilderRef builder = m->builder;
    LLVMValueRef zero = integer(m, element, 0), one = integer(m, element, 1);
    b = LLVMBuildFreeze(builder, b, ""); /* padding lanes may hold anything, and must not trap */
    a = LLVMBuildFreeze(builder, a, "");
    LLVMValueRef nothing = LLVMBuildICmp(builder, LLVMIntEQ, b, zero, "");
    LLVMValueRef divisor = math_select(m, nothing, one, b), result,
                 otherwise = op == OP_div ? zero : a;
    if (!element_is_signed(element)) {
        result = op == OP_div ? LLVMBuildUDiv(builder, a, divisor, "")
                              : LLVMBuildURem(builder, a, divisor, "");
        return math_select(m, nothing, otherwise, result);
    }
    LLVMValueRef minus = LLVMBuildICmp(builder, LLVMIntEQ, b, integer(m, element, -1), "");
    divisor = math_select(m, minus, one, divisor);
    result = op == OP_div ? LLVMBuildSDiv(builder, a, divisor, "")
                          : LLVMBuildSRem(builder, a, divisor, "");
    if (op == OP_div)
        result = math_select(m, minus, LLVMBuildNeg(builder, a, ""), result);
    return math_select(m, nothing, otherwise, result);
}

static LLVMValueRef integer_extreme(const Math *m, Op op, ElementType element, LLVMValueRef a,
                                    LLVMValueRef b)
{
    LLVMIntPredicate larger = element_is_signed(element) ? LLVMIntSGT : LLVMIntUGT;
    LLVMIntPredicate smaller = element_is_signed(element) ? LLVMIntSLT : LLVMIntULT;
    return math_select(m, LLVMBuildICmp(m->builder, op == OP_max ? larger : smaller, a, b, ""), a,
                       b);
}

static LLVMValueRef integer_sign(const Math *m, ElementType element, LLVMValueRef x)
{
    LLVMValueRef zero = integer(m, element, 0), one = integer(m, element, 1);
    LLVMValueRef nonzero =
        math_select(m, LLVMBuildICmp(m->builder, LLVMIntEQ, x, zero, ""), zero, one);
    if (!element_is_signed(element))
        return nonzero;
    LLVMValueRef below = LLVMBuildICmp(m->builder, LLVMIntSLT, x, zero, "");
    return math_select(m, below, integer(m, element, -1), nonzero);
}

/* A count that shifts everything out, negative ones included, is left to the selects: LLVM does not
 * define it. */
static LLVMValueRef shift(const Math *m, Op op, ElementType element, LLVMValueRef x,
                          LLVMValueRef count)
{
    LLVMBuilderRef b = m->builder;
    int width = 8 * element_bytes(element);
    LLVMValueRef most = integer(m, element, width - 1);
    LLVMValueRef fits = LLVMBuildICmp(b, LLVMIntULE, count, most, "");
    LLVMValueRef within = math_select(m, fits, count, most);
    if (op == OP_shift_right && element_is_signed(element))
        return LLVMBuildAShr(b, x, within, "");
    LLVMValueRef result =
        op == OP_shift_left ? LLVMBuildShl(b, x, within, "") : LLVMBuildLShr(b, x, within, "");
    return math_select(m, fits, result, integer(m, element, 0));
}

/* bit by bit; NULL when `op` is none of these */
static LLVMValueRef apply_bits(const Math *m, Op op, LLVMValueRef *in)
{
    switch (op) {
    case OP_not:
        return LLVMBuildNot(m->builder, in[0], "");
    case OP_and:
        return LLVMBuildAnd(m->builder, in[0], in[1], "");
    case OP_or:
        return LLVMBuildOr(m->builder, in[0], in[1], "");
    case OP_xor:
        return LLVMBuildXor(m->builder, in[0], in[1], "");
    default:
        return NULL;
    }
}

/* of bool: add is or, mul is and, as for the numbers 0 and 1 with everything above 0 being true */
static LLVMValueRef apply_bool(const Math *m, Op op, LLVMValueRef *in)
{
    switch (op) {
    case OP_add:
    case OP_max:
        return LLVMBuildOr(m->builder, in[0], in[1], "");
    case OP_mul:
    case OP_min:
        return LLVMBuildAnd(m->builder, in[0], in[1], "");
    case OP_abs:
    case OP_sign:
        return in[0];
    default:
        return apply_bits(m, op, in);
    }
}

LLVMValueRef math_apply_integer(const Math *m, Op op, ElementType element, LLVMValueRef *in)
{
    LLVMBuilderRef b = m->builder;
    if (element == TYPE_BOOL)
        return apply_bool(m, op, in);
    switch (op) {
    case OP_neg:
        return LLVMBuildNeg(b, in[0], "");
    case OP_abs:
        if (!element_is_signed(element))
            return in[0];
        return math_select(m, LLVMBuildICmp(b, LLVMIntSLT, in[0], integer(m, element, 0), ""),
                           LLVMBuildNeg(b, in[0], ""), in[0]);
    case OP_sign:
        return integer_sign(m, element, in[0]);
    case OP_add:
        return LLVMBuildAdd(b, in[0], in[1], "");
    case OP_sub:
        return LLVMBuildSub(b, in[0], in[1], "");
    case OP_mul:
        return LLVMBuildMul(b, in[0], in[1], "");
    case OP_div:
    case OP_mod:
        return integer_divide(m, op, element, in[0], in[1]);
    case OP_max:
    case OP_min:
        return integer_extreme(m, op, element, in[0], in[1]);
    case OP_shift_left:
    case OP_shift_right:
        return shift(m, op, element, in[0], in[1]);
    default:
        return apply_bits(m, op, in);
    }
}

LLVMValueRef math_compare(const Math *m, Op op, ElementType element, LLVMValueRef a, LLVMValueRef b)
{
    static const struct {
        Op op;
        LLVMRealPredicate real;
        LLVMIntPredicate of_signed, of_unsigned;
    } rows[] = {
        {OP_eq, LLVMRealOEQ, LLVMIntEQ, LLVMIntEQ},   {OP_ne, LLVMRealUNE, LLVMIntNE, LLVMIntNE},
        {OP_lt, LLVMRealOLT, LLVMIntSLT, LLVMIntULT}, {OP_le, LLVMRealOLE, LLVMIntSLE, LLVMIntULE},
        {OP_gt, LLVMRealOGT, LLVMIntSGT, LLVMIntUGT}, {OP_ge, LLVMRealOGE, LLVMIntSGE, LLVMIntUGE},
    };
    int i = 0;
    while (rows[i].op != op)
        i++;
    if (element_is_float(element))
        return math_is(m, rows[i].real, a, b);
    return LLVMBuildICmp(
        m->builder, element_is_signed(element) ? rows[i].of_signed : rows[i].of_unsigned, a, b, "");
}

static LLVMValueRef cast_to_bool(const Math *m, ElementType from, LLVMValueRef x)
{
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x));
    if (element_is_float(from))
        return math_is(m, LLVMRealUNE, x, zero);
    return LLVMBuildICmp(m->builder, LLVMIntNE, x, zero, "");
}

/* llvm.fptosi.sat, which is overloaded on both types */
static LLVMValueRef saturated_by_llvm(const Math *m, ElementType to, LLVMValueRef x)
{
    LLVMTypeRef type = codegen_type(m->context, to, m->lanes), overloads[2] = {type, LLVMTypeOf(x)};
    LLVMModuleRef module =
        LLVMGetGlobalParent(LLVMGetBasicBlockParent(LLVMGetInsertBlock(m->builder)));
    const char *name = element_is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat";
    unsigned id = LLVMLookupIntrinsicID(name, __builtin_strlen(name));
    LLVMValueRef callee = LLVMGetIntrinsicDeclaration(module, id, overloads, 2);
    return LLVMBuildCall2(m->builder, LLVMGlobalGetValueType(callee), callee, &x, 1, "");
}

/* Step by step, since LLVM takes vectors apart for x86: NaN becomes 0, then what is below the least
 * integer that, and converted; small types by way of i32. The greatest integer need not be a float,
 * so it is put in place afterwards, but for small types, where it is one. */
static LLVMValueRef saturated_in_steps(const Math *m, ElementType to, LLVMValueRef x)
{
    LLVMTypeRef type = codegen_type(m->context, to, m->lanes);
    int bits = 8 * element_bytes(to);
    bool with_sign = element_is_signed(to);
    double beyond = ldexp(1, bits - with_sign);
    LLVMValueRef least = math_number(m, with_sign ? -beyond : 0);
    x = math_select(m, math_is(m, LLVMRealORD, x, x), x, math_number(m, 0));
    x = math_select(m, math_is(m, LLVMRealOGT, x, least), x, least);
    LLVMValueRef within = math_is(m, LLVMRealOLT, x, math_number(m, beyond));
    if (bits < 32) {
        x = math_select(m, within, x, math_number(m, beyond - 1));
        LLVMTypeRef wider = codegen_type(m->context, TYPE_I32, m->lanes);
        return LLVMBuildTrunc(m->builder, LLVMBuildFPToSI(m->builder, x, wider, ""), type, "");
    }
    LLVMValueRef whole = with_sign ? LLVMBuildFPToSI(m->builder, x, type, "")
                                   : LLVMBuildFPToUI(m->builder, x, type, "");
    int64_t most = with_sign ? (int64_t)(UINT64_MAX >> (65 - bits)) : -1;
    return math_select(m, within, whole, integer(m, to, most));
}

static LLVMValueRef float_to_integer(const Math *m, ElementType to, LLVMValueRef x)
{
    return m->target->architecture == ARCHITECTURE_X86_64 && m->lanes > 1
               ? saturated_in_steps(m, to, x)
               : saturated_by_llvm(m, to, x);
}

LLVMValueRef math_cast(const Math *m, ElementType from, ElementType to, LLVMValueRef x)
{
    if (from == to)
        return x;
    if (element_is_storage(from) || element_is_storage(to))
        return math_cast_storage(m, from, to, x);
    if (to == TYPE_BOOL)
        return cast_to_bool(m, from, x);
    LLVMTypeRef type = codegen_type(m->context, to, m->lanes);
    if (element_is_float(from) && element_is_float(to))
        return to == TYPE_F64 ? LLVMBuildFPExt(m->builder, x, type, "")
                              : LLVMBuildFPTrunc(m->builder, x, type, "");
    if (element_is_float(from))
        return float_to_integer(m, to, x);
    if (element_is_float(to))
        return element_is_signed(from) ? LLVMBuildSIToFP(m->builder, x, type, "")
                                       : LLVMBuildUIToFP(m->builder, x, type, "");
    return LLVMBuildIntCast2(m->builder, x, type, element_is_signed(from), "");
}
