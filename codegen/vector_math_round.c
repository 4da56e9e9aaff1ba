/* Whole numbers: round (ties to even), floor, ceil, trunc and mod.
 *
 * SSE4.1, AVX and 64-bit NEON have an instruction for each. Plain SSE2 and ARMv7 do not, and LLVM
 * would call a library there: adding 2^23 (f64: 2^52) to |x| and taking it away again leaves the
 * nearest whole number, and numbers that are larger are whole already. */
#include "codegen/vector_math_parts.h"

#include <math.h>
#include <string.h>

static bool rounds_in_hardware(const Target *target)
{
    if (target->architecture == ARCHITECTURE_X86_64)
        return strcmp(target->llvm_cpu, "x86-64") != 0;
    return target->architecture == ARCHITECTURE_AARCH64;
}

LLVMValueRef math_round(const Math *m, LLVMValueRef x)
{
    if (rounds_in_hardware(m->target))
        return codegen_intrinsic(m->builder, "llvm.roundeven", m->real, &x, 1);
    LLVMValueRef limit = math_number(m, m->wide ? 0x1p52 : 0x1p23), size = math_abs(m, x);
    LLVMValueRef nearest = math_with_sign(m, math_sub(m, math_add(m, size, limit), limit), x);
    return math_select(m, math_is(m, LLVMRealOLT, size, limit), nearest, x); /* NaN stays */
}

/* The nearest whole number, and one less (or more) where that lies on the wrong side. */
LLVMValueRef math_floor(const Math *m, LLVMValueRef x)
{
    if (rounds_in_hardware(m->target))
        return codegen_intrinsic(m->builder, "llvm.floor", m->real, &x, 1);
    LLVMValueRef nearest = math_round(m, x);
    LLVMValueRef less = math_sub(m, nearest, math_number(m, 1));
    return math_select(m, math_is(m, LLVMRealOGT, nearest, x), less, nearest);
}

LLVMValueRef math_ceil(const Math *m, LLVMValueRef x)
{
    if (rounds_in_hardware(m->target))
        return codegen_intrinsic(m->builder, "llvm.ceil", m->real, &x, 1);
    return math_neg(m, math_floor(m, math_neg(m, x)));
}

LLVMValueRef math_trunc(const Math *m, LLVMValueRef x)
{
    if (rounds_in_hardware(m->target))
        return codegen_intrinsic(m->builder, "llvm.trunc", m->real, &x, 1);
    return math_with_sign(m, math_floor(m, math_abs(m, x)), x);
}

/* mod: x - y·trunc(x/y), exactly.
 *
 * With a = |x| and b = |y| in f64, b·2^k is taken from a as often as it goes, k being such that
 * this is less than 2^28 times (f32: the product is exact, 28 + 24 bits fit) or once (f64).
 * Dividing may round up to one time too many, which is given back. This goes on until a < b in all
 * lanes; mostly that is one round. */

/* 2^(exponent of ratio - spare), at least 1, at most 2^1000 */
static LLVMValueRef step_scale(const Math *m, LLVMValueRef ratio, double spare)
{
    LLVMValueRef bits =
        LLVMBuildAnd(m->builder, math_bits(m, ratio), math_integer(m, 0x7ff0000000000000), "");
    LLVMValueRef power = math_mul(m, math_from_bits(m, bits), math_number(m, spare));
    return math_at_most(m, math_at_least(m, power, 1), 0x1p1000);
}

static LLVMValueRef mod_round(const Math *m, LLVMValueRef a, LLVMValueRef b, bool exact_products)
{
    LLVMValueRef ratio = math_div(m, a, b);
    LLVMValueRef part = math_mul(m, b, step_scale(m, ratio, exact_products ? 0x1p-27 : 1));
    if (!exact_products) { /* part ≤ a < 2·part, give or take a rounding of the ratio */
        LLVMValueRef half = math_mul(m, part, math_number(m, 0.5));
        LLVMValueRef fits = math_is(m, LLVMRealOLE, part, a);
        LLVMValueRef less = math_sub(m, a, math_select(m, fits, part, half));
        return math_select(m, math_is(m, LLVMRealOGE, a, b), less, a);
    }
    LLVMValueRef times = math_trunc(m, math_div(m, a, part));
    LLVMValueRef rest = math_sub(m, a, math_mul(m, times, part));
    LLVMValueRef over = math_is(m, LLVMRealOLT, rest, math_number(m, 0));
    return math_select(m, over, math_add(m, rest, part), rest);
}

/* a mod b for a ≥ 0, b > 0, both finite */
static LLVMValueRef mod_loop(const Math *m, LLVMValueRef a, LLVMValueRef b, bool exact_products)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(m->builder);
    LLVMValueRef function = LLVMGetBasicBlockParent(before);
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(m->context, function, "mod");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(m->context, function, "");
    LLVMBuildBr(m->builder, body);
    LLVMPositionBuilderAtEnd(m->builder, body);
    LLVMValueRef phi = LLVMBuildPhi(m->builder, m->real, "");
    LLVMValueRef next = mod_round(m, phi, b, exact_products);
    LLVMValueRef incoming[2] = {a, next};
    LLVMBasicBlockRef blocks[2] = {before, LLVMGetInsertBlock(m->builder)};
    LLVMAddIncoming(phi, incoming, blocks, 2);
    LLVMValueRef more = math_any(m, math_is(m, LLVMRealOGE, next, b));
    LLVMBuildCondBr(m->builder, more, body, after);
    LLVMPositionBuilderAtEnd(m->builder, after);
    return next;
}

LLVMValueRef math_mod(const Math *m, LLVMValueRef x, LLVMValueRef y)
{
    Math wide = math_create(m->builder, m->target, true, m->lanes);
    LLVMValueRef a = math_abs(m, x), b = math_abs(m, y);
    if (!m->wide) {
        a = LLVMBuildFPExt(m->builder, a, wide.real, "");
        b = LLVMBuildFPExt(m->builder, b, wide.real, "");
    }
    LLVMValueRef infinite = math_number(&wide, INFINITY);
    LLVMValueRef valid = LLVMBuildAnd(m->builder, math_is(&wide, LLVMRealOLT, a, infinite),
                                      math_is(&wide, LLVMRealOGT, b, math_number(&wide, 0)), "");
    LLVMValueRef finite = math_is(&wide, LLVMRealOLT, b, infinite); /* x mod inf = x */
    LLVMValueRef goes = LLVMBuildAnd(m->builder, valid, finite, "");
    LLVMValueRef one = math_number(&wide, 1), zero = math_number(&wide, 0);
    LLVMValueRef rest = mod_loop(&wide, math_select(&wide, goes, a, zero),
                                 math_select(&wide, goes, b, one), !m->wide);
    rest = math_select(&wide, finite, rest, a);
    rest = math_select(&wide, valid, rest, math_number(&wide, NAN));
    if (!m->wide)
        rest = LLVMBuildFPTrunc(m->builder, rest, m->real, "");
    return math_with_sign(m, rest, x);
}
