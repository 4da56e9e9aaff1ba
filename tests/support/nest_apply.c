/* Element-wise operations on single values; what they mean is said in ir/ops.def and
 * ir/eval_elementwise.c. Written down a second time, since one checks the other. */
#include "tests/support/nest_apply.h"

#include <math.h>

#include "ir/element.h"
#include "ir/eval.h"

/* Wraps integers and rounds floats to what the type holds. */
static Scalar fit(ElementType element, Scalar value)
{
    uint64_t bytes[1];
    scalar_write(element, value, bytes);
    return scalar_read(element, bytes);
}

/* What is too large for an integer is the largest. */
Scalar scalar_number(ElementType element, double number)
{
    if (element_is_float(element))
        return fit(element, (Scalar){.number = number});
    return (Scalar){.integer = element_saturate(element, number)};
}

Scalar scalar_read(ElementType element, const void *bytes)
{
    if (element_is_float(element))
        return (Scalar){.number = element_number(element, bytes, 0)};
    return (Scalar){.integer = element_integer(element, bytes, 0)};
}

void scalar_write(ElementType element, Scalar value, void *bytes)
{
    if (element_is_float(element))
        element_set_number(element, bytes, 0, value.number);
    else
        element_set_integer(element, bytes, 0, value.integer);
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

static int64_t apply_u64(Op op, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    switch (op) {
    case OP_abs:
        return a;
    case OP_sign:
        return a != 0;
    case OP_div:
        return y == 0 ? 0 : (int64_t)(x / y);
    case OP_mod:
        return y == 0 ? a : (int64_t)(x % y);
    case OP_max:
        return x > y ? a : b;
    case OP_min:
        return x < y ? a : b;
    case OP_shift_right:
        return y > 63 ? 0 : (int64_t)(x / ((uint64_t)1 << y));
    default:
        return apply_integer(op, TYPE_U64, a, b);
    }
}

static bool compare(Op op, ElementType element, Scalar a, Scalar b)
{
    bool equal = a.integer == b.integer;
    bool less = a.integer < b.integer;
    bool more = !less && !equal;
    if (element_is_float(element)) {
        less = a.number < b.number;
        more = a.number > b.number;
        equal = a.number == b.number;
    } else if (element == TYPE_U64) {
        less = (uint64_t)a.integer < (uint64_t)b.integer;
        more = (uint64_t)a.integer > (uint64_t)b.integer;
    }
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
    bool positive = element_is_unsigned(element);
    int bits = 8 * element_bytes(element) - !positive;
    double beyond = ldexp(1, bits), least = positive ? 0 : -beyond;
    x = isnan(x) ? 0 : trunc(x);
    if (x < least)
        return (int64_t)least;
    if (x >= beyond)
        return bits == 64 ? -1 : (int64_t)(((uint64_t)1 << bits) - 1);
    return x < 0 ? (int64_t)x : (int64_t)(uint64_t)x;
}

static Scalar cast(ElementType to, ElementType from, Scalar x)
{
    if (to == TYPE_F32 && from == TYPE_U64) /* rounded once */
        return (Scalar){.number = (double)(float)(uint64_t)x.integer};
    if (to == TYPE_F32 && from == TYPE_I64)
        return (Scalar){.number = (double)(float)x.integer};
    if (element_is_storage(to) && element_is_integer(from))
        return fit(to, (Scalar){.number = element_to_odd_number(from, x.integer)});
    if (element_is_float(to) && from == TYPE_U64)
        return fit(to, (Scalar){.number = (double)(uint64_t)x.integer});
    if (element_is_float(to) && !element_is_float(from))
        return fit(to, (Scalar){.number = (double)x.integer});
    if (element_is_float(to) || !element_is_float(from))
        return fit(to, x);
    return (Scalar){.integer = to == TYPE_BOOL ? x.number != 0 : saturate(to, x.number)};
}

static Scalar bitcast(ElementType to, ElementType from, Scalar x)
{
    union {
        float f32;
        double f64;
        int64_t bits;
    } shared = {.bits = x.integer};
    if (element_is_storage(from))
        scalar_write(from, x, &shared);
    if (from == TYPE_F32)
        shared.f32 = (float)x.number;
    else if (from == TYPE_F64)
        shared.f64 = x.number;
    if (element_is_storage(to))
        return scalar_read(to, &shared);
    if (to == TYPE_F32 || to == TYPE_F64)
        return (Scalar){.number = to == TYPE_F32 ? (double)shared.f32 : shared.f64};
    return fit(to, (Scalar){.integer = shared.bits});
}

Scalar scalar_apply(Op op, ElementType to, ElementType from, const Scalar *in)
{
    switch (op) {
    case OP_cast:
        return cast(to, from, in[0]);
    case OP_bitcast:
        return bitcast(to, from, in[0]);
    case OP_select:
        return in[0].integer ? in[1] : in[2];
    case OP_random: {
        int32_t key[3] = {(int32_t)in[0].integer, (int32_t)in[1].integer, (int32_t)in[2].integer};
        float uniform =
            random_uniform(random_key(key, (uint32_t)in[3].integer), (uint32_t)in[4].integer);
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
    int64_t a = in[0].integer, b = two ? in[1].integer : 0;
    return fit(to, (Scalar){.integer = from == TYPE_U64 ? apply_u64(op, a, b)
                                                        : apply_integer(op, from, a, b)});
}
