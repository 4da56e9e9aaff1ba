/* Casts between f16 or bf16, whose values are their bits as i16, and all other types.
 *
 * f16 becomes f32, and back, by the processor's instruction where it has one. All else is spelled
 * in integer operations of the wider type, and in one addition that the mode of flushing denormals
 * does not touch, so that no target calls a library. With R and B fraction bits and bias of the
 * wider type, m and b those of the narrow one:
 *
 *   widening   The fraction moves up R - m bits and the exponent gains B - b; infinities and NaN
 *              have the largest exponent of the wider type. Of a denormal, d·2^(1-b-m), the same
 *              makes (1 + d·2^-m)·2^(1-b) when its exponent is taken as 1 instead of 0: what is
 *              left after subtracting 2^(1-b).
 *   narrowing  Adding half of what is cut off, less 1 when the last digit kept is even, rounds to
 *              nearest with ties to even; a carry goes into the exponent, as it should. A number
 *              too small to be normal is added to one whose last digit is worth as much as that of
 *              denormals, so that the addition rounds it.
 *
 * A double is narrowed at once, not by way of f32, which would round twice; bf16 and f32 have one
 * bias, and need none of it but the rounding. The formulas are known from F. Giesen's
 * half_to_float_fast5 and float_to_half_fast3_rtne (2012). */
#include "codegen/vector_math_parts.h"

#include <math.h>

typedef struct Format {
    int fraction, bias;
} Format;

static Format format_of(ElementType element)
{
    return element == TYPE_F16 ? (Format){10, 15} : (Format){7, 127};
}

static Format wide_format(const Math *m)
{
    return m->wide ? (Format){52, 1023} : (Format){23, 127};
}

/* Integers of the wider type */

static LLVMValueRef and (const Math *m, LLVMValueRef x, int64_t mask)
{
    return LLVMBuildAnd(m->builder, x, math_integer(m, mask), "");
}

static LLVMValueRef add(const Math *m, LLVMValueRef x, int64_t number)
{
    return LLVMBuildAdd(m->builder, x, math_integer(m, number), "");
}

static LLVMValueRef shift_left(const Math *m, LLVMValueRef x, int count)
{
    return LLVMBuildShl(m->builder, x, math_integer(m, count), "");
}

static LLVMValueRef shift_right(const Math *m, LLVMValueRef x, int count)
{
    return LLVMBuildLShr(m->builder, x, math_integer(m, count), "");
}

static LLVMValueRef is_equal(const Math *m, LLVMValueRef x, int64_t number)
{
    return LLVMBuildICmp(m->builder, LLVMIntEQ, x, math_integer(m, number), "");
}

/* f32 or f64, as m says, of an f16 or bf16 */
static LLVMValueRef widen(const Math *m, ElementType from, LLVMValueRef x)
{
    Format narrow = format_of(from), wide = wide_format(m);
    int shift = wide.fraction - narrow.fraction, bias = wide.bias - narrow.bias;
    int64_t one = (int64_t)1 << wide.fraction; /* in the exponent */
    LLVMValueRef bits = LLVMBuildZExt(m->builder, x, m->integer, "");
    if (bias == 0)
        return math_from_bits(m, shift_left(m, bits, shift));
    int64_t infinite = (int64_t)(2 * narrow.bias + 1) << narrow.fraction;
    LLVMValueRef exponent = and(m, bits, infinite);
    LLVMValueRef moved = add(m, shift_left(m, and(m, bits, 0x7fff), shift), bias * one);
    LLVMValueRef far = add(m, moved, bias * one);
    LLVMValueRef rest = math_sub(m, math_from_bits(m, add(m, moved, one)),
                                 math_number(m, ldexp(1, 1 - narrow.bias)));
    LLVMValueRef size = math_select(m, is_equal(m, exponent, infinite), far, moved);
    size = math_select(m, is_equal(m, exponent, 0), math_bits(m, rest), size);
    int up = (m->wide ? 64 : 32) - 16;
    LLVMValueRef sign = shift_left(m, and(m, bits, 0x8000), up);
    return math_from_bits(m, LLVMBuildOr(m->builder, size, sign, ""));
}

/* |x|, rounded to `to` when that has another bias: the bits of a number, or of an infinity */
static LLVMValueRef narrow_size(const Math *m, ElementType to, LLVMValueRef size,
                                LLVMValueRef normal)
{
    Format narrow = format_of(to), wide = wide_format(m);
    int64_t infinite = (int64_t)(2 * narrow.bias + 1) << narrow.fraction;
    LLVMValueRef last = math_number(m, ldexp(1, wide.fraction + 1 - narrow.bias - narrow.fraction));
    LLVMValueRef tiny = math_bits(m, math_add(m, size, last));
    tiny = LLVMBuildSub(m->builder, tiny, math_bits(m, last), "");
    LLVMValueRef least = math_number(m, ldexp(1, 1 - narrow.bias)),
                 beyond = math_number(m, ldexp(1, narrow.bias + 1));
    LLVMValueRef result = math_select(m, math_is(m, LLVMRealOLT, size, least), tiny, normal);
    return math_select(m, math_is(m, LLVMRealOGE, size, beyond), math_integer(m, infinite), result);
}

/* f16 or bf16 of an f32 or f64, as m says */
static LLVMValueRef narrow(const Math *m, ElementType to, LLVMValueRef x)
{
    Format format = format_of(to), wide = wide_format(m);
    int cut = wide.fraction - format.fraction, bias = wide.bias - format.bias;
    LLVMValueRef bits = math_bits(m, x);
    LLVMValueRef size = and(m, bits, m->wide ? INT64_MAX : INT32_MAX);
    LLVMValueRef odd = and(m, shift_right(m, size, cut), 1);
    LLVMValueRef half = add(m, odd, ((int64_t)1 << (cut - 1)) - 1);
    LLVMValueRef result = shift_right(m, LLVMBuildAdd(m->builder, size, half, ""), cut);
    if (bias != 0)
        result = narrow_size(m, to, math_from_bits(m, size),
                             add(m, result, -((int64_t)bias << format.fraction)));
    int64_t quiet = ((int64_t)(4 * format.bias + 3)) << (format.fraction - 1);
    LLVMValueRef fraction = and(m, shift_right(m, bits, cut), ((int64_t)1 << format.fraction) - 1);
    LLVMValueRef nan = LLVMBuildOr(m->builder, fraction, math_integer(m, quiet), "");
    result = math_select(m, math_is(m, LLVMRealUNO, x, x), nan, result);
    LLVMValueRef sign = and(m, shift_right(m, bits, (m->wide ? 64 : 32) - 16), 0x8000);
    LLVMTypeRef type = codegen_type(m->context, to, m->lanes);
    return LLVMBuildTrunc(m->builder, LLVMBuildOr(m->builder, result, sign, ""), type, "");
}

/* By an instruction */

static LLVMTypeRef half_type(const Math *m)
{
    LLVMTypeRef type = LLVMHalfTypeInContext(m->context);
    return m->lanes > 1 ? LLVMVectorType(type, (unsigned)m->lanes) : type;
}

static LLVMValueRef to_float(const Math *m, ElementType from, LLVMValueRef x)
{
    if (from != TYPE_F16 || m->wide || !m->target->half)
        return widen(m, from, x);
    return LLVMBuildFPExt(m->builder, LLVMBuildBitCast(m->builder, x, half_type(m), ""), m->real,
                          "");
}

static LLVMValueRef from_float(const Math *m, ElementType to, LLVMValueRef x)
{
    if (to != TYPE_F16 || m->wide || !m->target->half)
        return narrow(m, to, x);
    x = LLVMBuildFPTrunc(m->builder, x, half_type(m), "");
    return LLVMBuildBitCast(m->builder, x, codegen_type(m->context, to, m->lanes), "");
}

/* Integers */

/* A 64-bit integer as one of 31 bits and a power of two that give the same bf16: what is shifted
 * out leaves its trace in the last bit, far below those that count. */
static LLVMValueRef shorten(const Math *m, ElementType from, LLVMValueRef x, LLVMValueRef *power)
{
    static const int shifts[] = {17, 33};
    Math wide = math_create(m->builder, m->target, true, m->lanes);
    bool is_signed = element_is_signed(from);
    LLVMBuilderRef b = m->builder;
    LLVMValueRef size = x, result = x;
    if (is_signed) { /* ~x of a negative one: as many bits, but for powers of two */
        LLVMValueRef sign = LLVMBuildAShr(b, x, math_integer(&wide, 63), "");
        size = LLVMBuildXor(b, x, sign, "");
    }
    *power = math_number(&wide, 1);
    for (int i = 0; i < 2; i++) {
        LLVMValueRef count = math_integer(&wide, shifts[i]);
        LLVMValueRef kept =
            is_signed ? LLVMBuildAShr(b, x, count, "") : LLVMBuildLShr(b, x, count, "");
        LLVMValueRef lost = and(&wide, x, ((int64_t)1 << shifts[i]) - 1);
        lost = LLVMBuildICmp(b, LLVMIntNE, lost, math_integer(&wide, 0), "");
        kept = LLVMBuildOr(b, kept, LLVMBuildZExt(b, lost, wide.integer, ""), "");
        LLVMValueRef large = LLVMBuildICmp(
            b, LLVMIntUGT, size, math_integer(&wide, ((int64_t)1 << (i ? 47 : 31)) - 1), "");
        result = math_select(m, large, kept, result);
        *power = math_select(m, large, math_number(&wide, ldexp(1, shifts[i])), *power);
    }
    return LLVMBuildTrunc(b, result, codegen_type(m->context, TYPE_I32, m->lanes), "");
}

/* Beyond ±2^17 all are infinite as f16: they are brought there, and an f32 holds the rest. */
static LLVMValueRef clamp(const Math *m, ElementType from, LLVMValueRef x)
{
    Math wide = math_create(m->builder, m->target, true, m->lanes);
    LLVMValueRef in[2] = {x, math_integer(&wide, 1 << 17)};
    x = math_apply_integer(m, OP_min, from, in);
    in[0] = x;
    in[1] = math_integer(&wide, -(1 << 17));
    if (element_is_signed(from))
        x = math_apply_integer(m, OP_max, from, in);
    return LLVMBuildTrunc(m->builder, x, codegen_type(m->context, TYPE_I32, m->lanes), "");
}

static LLVMValueRef from_integer(const Math *m, ElementType from, ElementType to, LLVMValueRef x)
{
    /* f32 holds all that become numbers of f16, and f64 all of 32 bits, without rounding */
    bool wide = to == TYPE_BF16 && element_bytes(from) >= 4;
    Math real = math_create(m->builder, m->target, wide, m->lanes);
    ElementType between = wide ? TYPE_F64 : TYPE_F32;
    LLVMValueRef power = NULL;
    if (element_bytes(from) == 8) {
        x = wide ? shorten(m, from, x, &power) : clamp(m, from, x);
        from = TYPE_I32;
    }
    LLVMValueRef value = math_cast(&real, from, between, x);
    if (power)
        value = math_mul(&real, value, power);
    return from_float(&real, to, value);
}

LLVMValueRef math_cast_storage(const Math *m, ElementType from, ElementType to, LLVMValueRef x)
{
    if (!element_is_float(from))
        return from_integer(m, from, to, x);
    bool wide = from == TYPE_F64 || to == TYPE_F64;
    Math real = math_create(m->builder, m->target, wide, m->lanes);
    if (element_is_storage(from) && to == TYPE_BOOL) { /* a denormal is not 0, flushed or not */
        LLVMTypeRef type = codegen_type(m->context, TYPE_I16, 1);
        LLVMValueRef mask = codegen_splat(m->builder, LLVMConstInt(type, 0x7fff, 0), m->lanes);
        return LLVMBuildICmp(m->builder, LLVMIntNE, LLVMBuildAnd(m->builder, x, mask, ""),
                             LLVMConstNull(LLVMTypeOf(x)), "");
    }
    if (element_is_storage(from))
        return math_cast(&real, wide ? TYPE_F64 : TYPE_F32, to, to_float(&real, from, x));
    return from_float(&real, to, x);
}
