/* Evaluates element-wise operations. Each is a formula over doubles and one over int64; the tables
 * below give both, and one loop runs them all; u64, whose greater half is negative as an int64, has
 * a third where that matters. Operands are stretched to the result's shape first.
 *
 * Where IEEE and C leave a choice, this is what generated code does as well:
 *   sign     of NaN and of both zeros is 0
 *   max, min NaN when either operand is; of equal operands the second
 *   div      integers: towards zero, x/0 = 0, least/-1 wraps
 *   mod      x - y * trunc(x/y); for floats C's fmod; integers: x mod 0 = x
 *   cast     float → integer: towards zero, saturating, NaN → 0; integer → integer: wraps;
 *            anything → bool: is it other than 0? */
#include <math.h>

#include "ir/element.h"
#include "ir/eval_node.h"

typedef double Number1(double x);
typedef int64_t Integer1(int64_t x);
typedef double Number2(double a, double b);
typedef int64_t Integer2(int64_t a, int64_t b);

static void unary(const Evaluation *e, Number1 *number, Integer1 *integer)
{
    int64_t count = type_elements(&e->out->type);
    if (e->out->numbers) {
        for (int64_t i = 0; i < count; i++)
            e->out->numbers[i] = number(e->in[0].numbers[i]);
    } else {
        for (int64_t i = 0; i < count; i++)
            e->out->integers[i] = integer(e->in[0].integers[i]);
    }
}

static void binary(const Evaluation *e, Number2 *number, Integer2 *integer)
{
    Value a = value_stretch(e->arena, &e->in[0], &e->out->type);
    Value b = value_stretch(e->arena, &e->in[1], &e->out->type);
    int64_t count = type_elements(&e->out->type);
    if (e->out->numbers) {
        for (int64_t i = 0; i < count; i++)
            e->out->numbers[i] = number(a.numbers[i], b.numbers[i]);
    } else {
        for (int64_t i = 0; i < count; i++)
            e->out->integers[i] = integer(a.integers[i], b.integers[i]);
    }
}

typedef bool CompareNumbers(double a, double b);
typedef bool CompareIntegers(int64_t a, int64_t b);

static void compare(const Evaluation *e, CompareNumbers *number, CompareIntegers *integer)
{
    Value a = value_stretch(e->arena, &e->in[0], &e->out->type);
    Value b = value_stretch(e->arena, &e->in[1], &e->out->type);
    int64_t count = type_elements(&e->out->type);
    for (int64_t i = 0; i < count; i++)
        e->out->integers[i] =
            a.numbers ? number(a.numbers[i], b.numbers[i]) : integer(a.integers[i], b.integers[i]);
}

/* Signed arithmetic that wraps. */
static int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}
static int64_t wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
static int64_t wrap_mul(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}
/* Which formula an integer operation takes: its own one of u64, or the common one. */
static bool of_u64(const Evaluation *e)
{
    return e->in[0].type.element == TYPE_U64;
}

static int64_t integer_quotient(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    return b == -1 ? wrap_sub(0, a) : a / b;
}

// clang-format off
#define UNARY(name, number_formula, integer_formula, u64_formula)                                  \
    static double number_##name(double x) { return number_formula; }                               \
    static int64_t integer_##name(int64_t x) { return integer_formula; }                           \
    static int64_t u64_##name(int64_t x) { return u64_formula; }                                   \
    void evaluate_##name(const Evaluation *e)                                                      \
    {                                                                                              \
        unary(e, number_##name, of_u64(e) ? u64_##name : integer_##name);                          \
    }

UNARY(neg,  -x,                wrap_sub(0, x),              wrap_sub(0, x))
UNARY(abs,  fabs(x),           x < 0 ? wrap_sub(0, x) : x,  x)
UNARY(sign, (x > 0) - (x < 0), (x > 0) - (x < 0),           x != 0)

/* floats only */
#define FLOAT(name, formula)                                                                       \
    static double number_##name(double x) { return formula; }                                      \
    void evaluate_##name(const Evaluation *e) { unary(e, number_##name, NULL); }

FLOAT(exp,     exp(x))
FLOAT(expm1,   expm1(x))
FLOAT(log,     log(x))
FLOAT(log1p,   log1p(x))
FLOAT(sqrt,    sqrt(x))
FLOAT(rsqrt,   1 / sqrt(x))
FLOAT(tanh,    tanh(x))
FLOAT(sigmoid, 1 / (1 + exp(-x)))
FLOAT(erf,     erf(x))
FLOAT(sin,     sin(x))
FLOAT(cos,     cos(x))
FLOAT(atan,    atan(x))
FLOAT(floor,   floor(x))
FLOAT(ceil,    ceil(x))
FLOAT(round,   rint(x))

#define BINARY(name, number_formula, integer_formula)                                              \
    static double number_##name(double a, double b) { return number_formula; }                     \
    static int64_t integer_##name(int64_t a, int64_t b) { return integer_formula; }                \
    void evaluate_##name(const Evaluation *e) { binary(e, number_##name, integer_##name); }

BINARY(add, a + b,      wrap_add(a, b))
BINARY(sub, a - b,      wrap_sub(a, b))
BINARY(mul, a * b,      wrap_mul(a, b))

#define BINARY_U64(name, number_formula, integer_formula, u64_formula)                             \
    static double number_##name(double a, double b) { return number_formula; }                     \
    static int64_t integer_##name(int64_t a, int64_t b) { return integer_formula; }                \
    static int64_t u64_##name(int64_t x, int64_t y)                                                \
    {                                                                                              \
        uint64_t a = (uint64_t)x, b = (uint64_t)y;                                                 \
        return (int64_t)(u64_formula);                                                             \
    }                                                                                              \
    void evaluate_##name(const Evaluation *e)                                                      \
    {                                                                                              \
        binary(e, number_##name, of_u64(e) ? u64_##name : integer_##name);                         \
    }

BINARY_U64(div, a / b,      integer_quotient(a, b), b == 0 ? 0 : a / b)
BINARY_U64(mod, fmod(a, b), wrap_sub(a, wrap_mul(integer_quotient(a, b), b)), b == 0 ? a : a % b)
BINARY_U64(max, isnan(a) ? a : a > b ? a : b, a > b ? a : b, a > b ? a : b)
BINARY_U64(min, isnan(a) ? a : a < b ? a : b, a < b ? a : b, a < b ? a : b)

static double number_pow(double a, double b) { return pow(a, b); }
void evaluate_pow(const Evaluation *e) { binary(e, number_pow, NULL); }

#define COMPARE(name, operator)                                                                    \
    static bool number_##name(double a, double b) { return a operator b; }                         \
    static bool integer_##name(int64_t a, int64_t b) { return a operator b; }                      \
    static bool u64_##name(int64_t a, int64_t b) { return (uint64_t)a operator (uint64_t)b; }      \
    void evaluate_##name(const Evaluation *e)                                                      \
    {                                                                                              \
        compare(e, number_##name, of_u64(e) ? u64_##name : integer_##name);                        \
    }

COMPARE(eq, ==)
COMPARE(ne, !=)
COMPARE(lt, <)
COMPARE(le, <=)
COMPARE(gt, >)
COMPARE(ge, >=)

/* bool and integers */
#define BITS(name, formula)                                                                        \
    static int64_t integer_##name(int64_t a, int64_t b) { return formula; }                        \
    void evaluate_##name(const Evaluation *e) { binary(e, NULL, integer_##name); }

BITS(and, a & b)
BITS(or,  a | b)
BITS(xor, a ^ b)
// clang-format on

static int64_t bool_not(int64_t x)
{
    return !x;
}

static int64_t integer_not(int64_t x)
{
    return ~x;
}

void evaluate_not(const Evaluation *e)
{
    unary(e, NULL, e->out->type.element == TYPE_BOOL ? bool_not : integer_not);
}

/* A value is held as int64, whose upper bits repeat the sign or are 0: shifting them in is what is
 * wanted. */
static int64_t shifted(ElementType element, bool left, int64_t x, int64_t count)
{
    int width = 8 * element_bytes(element);
    bool out = count < 0 || count >= width;
    if (left)
        return out ? 0 : (int64_t)((uint64_t)x << count);
    if (!element_is_signed(element))
        return out ? 0 : (int64_t)((uint64_t)x >> count);
    return x >> (out ? 63 : count);
}

static void shift(const Evaluation *e, bool left)
{
    Value x = value_stretch(e->arena, &e->in[0], &e->out->type);
    Value counts = value_stretch(e->arena, &e->in[1], &e->out->type);
    int64_t count = type_elements(&e->out->type);
    for (int64_t i = 0; i < count; i++)
        e->out->integers[i] =
            shifted(e->out->type.element, left, x.integers[i], counts.integers[i]);
}

void evaluate_shift_left(const Evaluation *e)
{
    shift(e, true);
}

void evaluate_shift_right(const Evaluation *e)
{
    shift(e, false);
}

void evaluate_select(const Evaluation *e)
{
    Value condition = value_stretch(e->arena, &e->in[0], &e->out->type);
    Value yes = value_stretch(e->arena, &e->in[1], &e->out->type);
    Value no = value_stretch(e->arena, &e->in[2], &e->out->type);
    int64_t count = type_elements(&e->out->type);
    for (int64_t i = 0; i < count; i++) {
        const Value *chosen = condition.integers[i] ? &yes : &no;
        if (e->out->numbers)
            e->out->numbers[i] = chosen->numbers[i];
        else
            e->out->integers[i] = chosen->integers[i];
    }
}

/* What is rounded to a narrower type afterwards must not be rounded to a double by the same rule
 * before: a number on neither side of a tie would come to lie on it. Only 64-bit integers need more
 * digits than a double has. */
static double integer_to_number(const Evaluation *e, ElementType from, ElementType to,
                                int64_t value)
{
    if (e->precision == EVALUATE_F64 || to == TYPE_F64)
        return element_to_number(from, value);
    return element_to_odd_number(from, value);
}

void evaluate_cast(const Evaluation *e)
{
    const Value *in = &e->in[0];
    ElementType from = in->type.element, to = e->out->type.element;
    int64_t count = type_elements(&e->out->type);
    for (int64_t i = 0; i < count; i++) {
        if (e->out->numbers)
            e->out->numbers[i] =
                in->numbers ? in->numbers[i] : integer_to_number(e, from, to, in->integers[i]);
        else
            e->out->integers[i] =
                in->numbers ? element_saturate(to, in->numbers[i]) : in->integers[i];
    }
}

void evaluate_bitcast(const Evaluation *e)
{
    const Value *in = &e->in[0];
    ElementType from = in->type.element, to = e->out->type.element;
    int64_t count = type_elements(&e->out->type), bits;
    for (int64_t i = 0; i < count; i++) {
        if (in->numbers)
            element_set_number(from, &bits, 0, in->numbers[i]);
        else
            element_set_integer(from, &bits, 0, in->integers[i]);
        if (e->out->numbers)
            e->out->numbers[i] = element_number(to, &bits, 0);
        else
            e->out->integers[i] = element_integer(to, &bits, 0);
    }
}
