/* Element-wise operations on single values; what they mean is said in ir/ops.def and
 * ir/eval_elementwise.c. Written down a second time, since one checks the other. */
#include "tests/support/nest_apply.h"

#include <math.h>
#include <string.h>

#include "ir/eval.h"

/* Wraps integers and rounds floats to what the type holds. */
static Scalar fit(ElementType element, Scalar value)
{
    switch (element) {
    case TYPE_F32:
        value.number = (double)(float)value.number;
        break;
    case TYPE_F64:
    case TYPE_I64:
        break;
    case TYPE_I32:
        value.integer = (int32_t)value.integer;
        break;
    case TYPE_BOOL:
        value.integer = value.integer != 0;
        break;
    case TYPE_U8:
        value.integer = (uint8_t)value.integer;
        break;
    case TYPE_I8:
        value.integer = (int8_t)value.integer;
        break;
    }
    return value;
}

Scalar scalar_number(ElementType element, double number)
{
    if (element_is_float(element))
        return fit(element, (Scalar){.number = number});
    return fit(element, (Scalar){.integer = (int64_t)number});
}

Scalar scalar_read(ElementType element, const void *bytes)
{
    float f32;
    double f64;
    int32_t i32;
    int64_t i64;
    switch (element) {
    case TYPE_F32:
        memcpy(&f32, bytes, sizeof f32);
        return (Scalar){.number = (double)f32};
    case TYPE_F64:
        memcpy(&f64, bytes, sizeof f64);
        return (Scalar){.number = f64};
    case TYPE_I32:
        memcpy(&i32, bytes, sizeof i32);
        return (Scalar){.integer = i32};
    case TYPE_I64:
        memcpy(&i64, bytes, sizeof i64);
        return (Scalar){.integer = i64};
    case TYPE_BOOL:
    case TYPE_U8:
        return (Scalar){.integer = *(const uint8_t *)bytes};
    case TYPE_I8:
        return (Scalar){.integer = *(const int8_t *)bytes};
    }
    return (Scalar){0};
}

void scalar_write(ElementType element, Scalar value, void *bytes)
{
    float f32 = (float)value.number;
    int32_t i32 = (int32_t)value.integer;
    switch (element) {
    case TYPE_F32:
        memcpy(bytes, &f32, sizeof f32);
        break;
    case TYPE_F64:
        memcpy(bytes, &value.number, sizeof value.number);
        break;
    case TYPE_I32:
        memcpy(bytes, &i32, sizeof i32);
        break;
    case TYPE_I64:
        memcpy(bytes, &value.integer, sizeof value.integer);
        break;
    case TYPE_BOOL:
    case TYPE_U8:
    case TYPE_I8:
        *(uint8_t *)bytes = (uint8_t)value.integer;
        break;
    }
}

Scalar scalar_fused(ElementType element, Scalar a, Scalar b, Scalar c)
{
    if (element == TYPE_F32)
        return (Scalar){.number = (double)fmaf((float)a.number, (float)b.number, (float)c.number)};
    return (Scalar){.number = fma(a.number, b.number, c.number)};
}

static double apply_number(Op op, double a, double b)
{
    switch (op) {
    case OP_neg:
        return -a;
    case OP_abs:
        return fabs(a);
    case OP_sign:
        return (a > 0) - (a < 0);
    case OP_exp:
        return exp(a);
    case OP_expm1:
        return expm1(a);
    case OP_log:
        return log(a);
    case OP_log1p:
        return log1p(a);
    case OP_sqrt:
        return sqrt(a);
    case OP_rsqrt:
        return 1 / sqrt(a);
    case OP_tanh:
        return tanh(a);
    case OP_sigmoid:
        return 1 / (1 + exp(-a));
    case OP_erf:
        return erf(a);
    case OP_sin:
        return sin(a);
    case OP_cos:
        return cos(a);
    case OP_atan:
        return atan(a);
    case OP_floor:
        return floor(a);
    case OP_ceil:
        return ceil(a);
    case OP_round:
        return rint(a);
    case OP_add:
        return a + b;
    case OP_sub:
        return a - b;
    case OP_mul:
        return a * b;
    case OP_div:
        return a / b;
    case OP_mod:
        return fmod(a, b);
    case OP_pow:
        return pow(a, b);
    case OP_max:
        return isnan(a) || a > b ? a : b;
    case OP_min:
        return isnan(a) || a < b ? a : b;
    default:
        INGOT_BUG("no %s of floats", op_name(op));
    }
}

/* x·2^count or ⌊x/2^count⌋, step by step, in the bits of `element`. */
static int64_t shift(Op op, ElementType element, int64_t x, int64_t count)
{
    int64_t steps = count < 0 || count > 64 ? 64 : count;
    for (; steps > 0; steps--) {
        if (op == OP_shift_left)
            x = fit(element, (Scalar){.integer = (int64_t)(2 * (uint64_t)x)}).integer;
        else
            x = x < 0 ? -1 - (-1 - x) / 2 : x / 2;
    }
    return x;
}

static int64_t apply_integer(Op op, ElementType element, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    switch (op) {
    case OP_neg:
        return (int64_t)(0 - x);
    case OP_abs:
        return a < 0 ? (int64_t)(0 - x) : a;
    case OP_sign:
        return (a > 0) - (a < 0);
    case OP_add:
        return (int64_t)(x + y);
    case OP_sub:
        return (int64_t)(x - y);
    case OP_mul:
        return (int64_t)(x * y);
    case OP_div:
        return b == 0 ? 0 : b == -1 ? (int64_t)(0 - x) : a / b;
    case OP_mod:
        return b == 0 ? a : b == -1 ? 0 : a % b;
    case OP_max:
        return a > b ? a : b;
    case OP_min:
        return a < b ? a : b;
    case OP_and:
        return a & b;
    case OP_or:
        return a | b;
    case OP_xor:
        return (a | b) - (a & b);
    case OP_not:
        return element == TYPE_BOOL ? !a : -1 - a;
    case OP_shift_left:
    case OP_shift_right:
        return shift(op, element, a, b);
    default:
        INGOT_BUG("no %s of integers", op_name(op));
    }
}

static bool compare(Op op, ElementType element, Scalar a, Scalar b)
{
    bool real = element_is_float(element);
    bool less = real ? a.number < b.number : a.integer < b.integer;
    bool more = real ? a.number > b.number : a.integer > b.integer;
    bool equal = real ? a.number == b.number : a.integer == b.integer;
    switch (op) {
    case OP_eq:
        return equal;
    case OP_ne:
        return !equal;
    case OP_lt:
        return less;
    case OP_le:
        return less || equal;
    case OP_gt:
        return more;
    case OP_ge:
        return more || equal;
    default:
        INGOT_BUG("%s compares nothing", op_name(op));
    }
}

static int64_t saturate(ElementType element, double x)
{
    int bits = 8 * element_bytes(element) - (element != TYPE_U8);
    double beyond = ldexp(1, bits), least = element == TYPE_U8 ? 0 : -beyond;
    x = isnan(x) ? 0 : trunc(x);
    if (x < least)
        return (int64_t)least;
    if (x >= beyond)
        return element == TYPE_I64 ? INT64_MAX : (int64_t)beyond - 1;
    return (int64_t)x;
}

static Scalar cast(ElementType to, ElementType from, Scalar x)
{
    if (element_is_float(to) && !element_is_float(from))
        return fit(to, (Scalar){.number = (double)x.integer});
    if (element_is_float(to) || !element_is_float(from))
        return fit(to, x);
    return (Scalar){.integer = to == TYPE_BOOL ? x.number != 0 : saturate(to, x.number)};
}

Scalar scalar_apply(Op op, ElementType to, ElementType from, const Scalar *in, double number)
{
    switch (op) {
    case OP_cast:
        return cast(to, from, in[0]);
    case OP_select:
        return in[0].integer ? in[1] : in[2];
    case OP_random: {
        int32_t key[3] = {(int32_t)in[0].integer, (int32_t)in[1].integer, (int32_t)in[2].integer};
        float uniform = random_uniform(random_key(key, (uint32_t)number), (uint32_t)in[3].integer);
        return (Scalar){.number = (double)uniform};
    }
    case OP_eq:
    case OP_ne:
    case OP_lt:
    case OP_le:
    case OP_gt:
    case OP_ge:
        return (Scalar){.integer = compare(op, from, in[0], in[1])};
    default:
        break;
    }
    bool two = op_inputs(op) == 2;
    if (element_is_float(from))
        return fit(to, (Scalar){.number = apply_number(op, in[0].number, two ? in[1].number : 0)});
    return fit(
        to, (Scalar){.integer = apply_integer(op, from, in[0].integer, two ? in[1].integer : 0)});
}
