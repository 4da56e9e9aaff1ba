/* The evaluator against values computed by hand: element-wise operations, reductions, data
 * movement, composites, precision, state. Contractions and windows are in test_ir_eval_window.c. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/text.h"
#include "tests/support/ir_text.h"

static void gives(const char *body, const char *values)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(body_gives(arena, EVALUATE_F32, body), values);
    arena_destroy(arena);
}

/* One operation over f32 constants %a (and %b) of three elements. */
static void unary(const char *op, const char *a, const char *values)
{
    Arena *arena = arena_create();
    gives(arena_print(arena, "%%a: f32[3] = constant value=[%s] %%r: f32[3] = %s %%a", a, op),
          values);
    arena_destroy(arena);
}

static void binary(const char *type, const char *op, const char *a, const char *b,
                   const char *values)
{
    Arena *arena = arena_create();
    gives(arena_print(arena,
                      "%%a: %s[4] = constant value=[%s] %%b: %s[4] = constant value=[%s] "
                      "%%r: %s[4] = %s %%a, %%b",
                      type, a, type, b, type, op),
          values);
    arena_destroy(arena);
}

Test(elementwise, unary)
{
    unary("neg", "1, -2, 0", "-1 2 0");
    unary("abs", "1, -2, 0", "1 2 0");
    unary("sign", "3, -2, -0", "1 -1 0");
    unary("exp", "0, 1, -1", "1 2.718282 0.3678795");
    unary("expm1", "0, 1e-7, 1", "0 1e-07 1.718282");
    unary("log", "1, 2, 0", "0 0.6931472 -inf");
    unary("log1p", "0, 1e-7, 1", "0 9.999999e-08 0.6931472");
    unary("sqrt", "4, 2, 0", "2 1.414214 0");
    unary("rsqrt", "4, 2, 0", "0.5 0.7071068 inf");
    unary("tanh", "0, 1, -100", "0 0.7615942 -1");
    unary("sigmoid", "0, 1, -200", "0.5 0.7310586 0");
    unary("erf", "0, 1, -1", "0 0.8427008 -0.8427008");
    unary("sin", "0, 1, 2", "0 0.841471 0.9092974");
    unary("cos", "0, 1, 2", "1 0.5403023 -0.4161468");
    unary("atan", "0, 1, -inf", "0 0.7853982 -1.570796");
    unary("floor", "1.5, -1.5, 2", "1 -2 2");
    unary("ceil", "1.5, -1.5, 2", "2 -1 2");
    unary("round", "0.5, 1.5, -2.5", "0 2 -2");
    gives("%a: bool[2] = constant value=[0,1] %r: bool[2] = not %a", "1 0");
}

Test(elementwise, binary)
{
    binary("f32", "add", "1, 2, 3, 4", "10, 20, 30, 40", "11 22 33 44");
    binary("f32", "sub", "1, 2, 3, 4", "10, 20, 30, 40", "-9 -18 -27 -36");
    binary("f32", "mul", "1, 2, 3, 4", "10, 20, 30, 40", "10 40 90 160");
    binary("f32", "div", "1, -1, 3, 0", "0, 4, 2, 5", "inf -0.25 1.5 0");
    binary("f32", "mod", "7, -7, 7.5, -1", "3, 3, -2, 4", "1 -1 1.5 -1");
    binary("f32", "pow", "2, 4, 0, 9", "10, 0.5, 0, -1", "1024 2 1 0.1111111");
    binary("f32", "max", "1, -2, 3, inf", "0, 5, 3, 2", "1 5 3 inf");
    binary("f32", "min", "1, -2, 3, inf", "0, 5, 3, 2", "0 -2 3 2");
}

Test(elementwise, integers)
{
    binary("i32", "add", "2147483647, -5, 0, 7", "1, 2, 0, 7", "-2147483648 -3 0 14");
    binary("i32", "mul", "65536, -5, 0, 7", "65536, 2, 0, 7", "0 -10 0 49");
    binary("i32", "div", "7, -7, 7, -2147483648", "2, 2, 0, -1", "3 -3 0 -2147483648");
    binary("i32", "mod", "7, -7, 7, -2147483648", "2, 2, 0, -1", "1 -1 7 0");
    binary("i64", "div", "-9223372036854775808, 1, 0, 9", "-1, 0, 3, -2",
           "-9223372036854775808 0 0 -4");
    binary("u8", "sub", "0, 255, 3, 1", "1, 255, 4, 0", "255 0 255 1");
    binary("i8", "add", "127, -128, 3, 1", "1, -1, 4, 0", "-128 127 7 1");
    binary("i8", "max", "127, -128, 3, 1", "1, -1, 4, 0", "127 -1 4 1");
    gives("%a: i8[2] = constant value=[-128, 5] %r: i8[2] = abs %a", "-128 5");
    binary("i16", "add", "32767, -32768, 3, 1", "1, -1, 4, 0", "-32768 32767 7 1");
    binary("u16", "mul", "256, 65535, 3, 1", "256, 65535, 4, 0", "0 1 12 0");
}

/* Written as they are held: what is 2^63 and more as a negative number. */
Test(elementwise, unsigned_integers)
{
    binary("u32", "sub", "0, 4294967295, 3, 1", "1, 4294967295, 4, 0", "4294967295 0 4294967295 1");
    binary("u32", "div", "4294967295, 4294967294, 3, 1", "2, 4294967295, 0, 4294967295",
           "2147483647 0 0 0");
    binary("u32", "mod", "4294967295, 4294967294, 3, 1", "2, 4294967295, 0, 4294967295",
           "1 4294967294 3 1");
    binary("u64", "div", "18446744073709551615, 9223372036854775808, 3, 7",
           "10, 2, 0, "
           "18446744073709551615",
           "1844674407370955161 4611686018427387904 0 0");
    binary("u64", "mod", "18446744073709551615, 9223372036854775809, 3, 7",
           "10, 2, 0, "
           "18446744073709551615",
           "5 1 3 7");
    binary("u64", "max", "18446744073709551615, 1, 3, 0", "10, 9223372036854775808, 4, 0",
           "-1 -9223372036854775808 4 0");
    binary("u64", "min", "18446744073709551615, 1, 3, 0", "10, 9223372036854775808, 4, 0",
           "10 1 3 0");
    gives("%a: u64[3] = constant value=[18446744073709551615, 1, 0] %r: u64[3] = abs %a", "-1 1 0");
    gives("%a: u64[3] = constant value=[18446744073709551615, 1, 0] %r: u64[3] = sign %a", "1 1 0");
    gives("%a: u16[3] = constant value=[65535, 1, 0] %r: u16[3] = neg %a", "1 65535 0");
    static const char *const compared[][2] = {{"lt", "0 1 0"}, {"le", "0 1 1"}, {"gt", "1 0 0"},
                                              {"ge", "1 0 1"}, {"eq", "0 0 1"}, {"ne", "1 1 0"}};
    Arena *arena = arena_create();
    for (int i = 0; i < 6; i++)
        gives(arena_print(arena,
                          "%%a: u64[3] = constant value=[18446744073709551615, 1, 7] "
                          "%%b: u64[3] = constant value=[1, 9223372036854775808, 7] "
                          "%%r: bool[3] = %s %%a, %%b",
                          compared[i][0]),
              compared[i][1]);
    arena_destroy(arena);
}

Test(elementwise, bits)
{
    gives("%a: f32[3] = constant value=[1, -2, 0] %r: i32[3] = bitcast %a to=i32",
          "1065353216 -1073741824 0");
    gives("%a: u64[2] = constant value=[4607182418800017408, 9223372036854775808] "
          "%r: f64[2] = bitcast %a to=f64",
          "1 0");
    binary("i32", "and", "12, -1, 5, 0", "10, 7, -8, 3", "8 7 0 0");
    binary("i32", "or", "12, -1, 5, 0", "10, 7, -8, 3", "14 -1 -3 3");
    binary("u8", "xor", "12, 255, 5, 0", "10, 1, 250, 3", "6 254 255 3");
    binary("bool", "xor", "0, 0, 1, 1", "0, 1, 0, 1", "0 1 1 0");
    binary("i8", "shift_left", "1, 127, -3, 5", "7, 1, 2, 8", "-128 -2 -12 0");
    binary("i8", "shift_left", "1, 1, 1, 1", "-1, 127, -128, 0", "0 0 0 1");
    binary("i8", "shift_right", "-128, -5, 127, -5", "7, 1, 2, 8", "-1 -3 31 -1");
    binary("i8", "shift_right", "-128, 5, -5, 5", "-1, 127, 0, -128", "-1 0 -5 0");
    binary("u8", "shift_right", "255, 128, 7, 9", "4, 7, 1, 8", "15 1 3 0");
    binary("i64", "shift_left", "1, 1, -1, 1", "63, 64, 62, 200",
           "-9223372036854775808 0 -4611686018427387904 0");
    binary("i64", "shift_right", "-9223372036854775808, -1, 8, -8", "63, 64, 2, 200", "-1 -1 2 -1");
    binary("i32", "shift_right", "-2147483648, -1, 8, 8", "31, 32, 2, 32", "-1 -1 2 0");
    gives("%a: i32[3] = constant value=[0, -1, 5] %r: i32[3] = not %a", "-1 0 -6");
    gives("%a: u8[3] = constant value=[0, 255, 5] %r: u8[3] = not %a", "255 0 250");
}

Test(elementwise, not_a_number)
{
    const char *nan = "%n: f32[2] = constant value=0x0000c07f0000803f "  /* nan, 1 */
                      "%o: f32[2] = constant value=0x0000803f0000c07f "; /* 1, nan */
    static const struct {
        const char *operation, *values;
    } cases[] = {
        {"%r: f32[2] = max %n, %o", "nan nan"},
        {"%r: f32[2] = min %n, %o", "nan nan"},
        {"%r: f32[] = reduce_max %n axes=[0] keep=0", "nan"},
        {"%r: f32[] = reduce_min %o axes=[0] keep=0", "nan"},
        {"%r: f32[2] = sign %n", "0 1"},
        {"%r: bool[2] = lt %n, %o", "0 0"},
        {"%r: bool[2] = ne %n, %n", "1 0"},
        {"%r: i32[2] = cast %n to=i32", "0 1"},
        {"%r: bool[2] = cast %n to=bool", "1 1"},
    };
    Arena *arena = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gives(arena_print(arena, "%s%s", nan, cases[i].operation), cases[i].values);
    arena_destroy(arena);
}

Test(elementwise, casts)
{
    gives("%a: f32[5] = constant value=[1.9, -1.9, 3e9, -inf, 300] %r: i32[5] = cast %a to=i32",
          "1 -1 2147483647 -2147483648 300");
    gives("%a: f32[4] = constant value=[1.9, -1.9, 3e9, 300] %r: u8[4] = cast %a to=u8",
          "1 0 255 255");
    gives("%a: f32[3] = constant value=[1e30, -1e30, 5] %r: i64[3] = cast %a to=i64",
          "9223372036854775807 -9223372036854775808 5");
    gives("%a: i32[3] = constant value=[300, -1, 5] %r: u8[3] = cast %a to=u8", "44 255 5");
    gives("%a: i32[3] = constant value=[16777217, -1, 0] %r: f32[3] = cast %a to=f32",
          "1.677722e+07 -1 0");
    gives("%a: i32[3] = constant value=[2, -1, 0] %r: bool[3] = cast %a to=bool", "1 1 0");
    gives("%a: bool[2] = constant value=[0, 1] %r: f32[2] = cast %a to=f32", "0 1");
    gives("%a: f32[4] = constant value=[1.9, -1.9, 3e19, 9223372036854775808] %r: u64[4] = cast %a "
          "to=u64",
          "1 0 -1 -9223372036854775808");
    gives("%a: f32[4] = constant value=[1.9, -1.9, 3e9, 5e9] %r: u32[4] = cast %a to=u32",
          "1 0 3000000000 4294967295");
    gives("%a: u64[2] = constant value=[18446744073709551615, 1] %r: f32[2] = cast %a to=f32",
          "1.844674e+19 1");
    gives("%a: u64[2] = constant value=[18446744073709551615, 1] %r: i16[2] = cast %a to=i16",
          "-1 1");
    gives("%a: i16[2] = constant value=[-1, 1] %r: u32[2] = cast %a to=u32", "4294967295 1");
    gives("%a: f32[6] = constant value=[1.00048828125, 1.00146484375, 65519, 65520, 2.98e-8, -0] "
          "%r: f16[6] = cast %a to=f16",
          "1 1.001953 65504 inf 0 0");
    gives("%a: f64[3] = constant value=[1.00390625, 1.0039062500001, 1e39] "
          "%r: bf16[3] = cast %a to=bf16",
          "1 1.007812 inf");
    gives("%a: f16[3] = constant value=[2.7, -2.7, inf] %r: i8[3] = cast %a to=i8", "2 -2 127");
    gives("%a: f16[2] = constant value=[1, -2] %r: u16[2] = bitcast %a to=u16", "15360 49152");
    gives("%a: u16[2] = constant value=[16256, 49152] %r: bf16[2] = bitcast %a to=bf16", "1 -2");
    gives("%a: i32[2] = constant value=[257, 65536] %r: bf16[2] = cast %a to=bf16 "
          "%s: f16[2] = cast %r to=f16",
          "256 inf");
    /* rounded once: 2^62 + 2^38 + 1, which as a double would be a tie */
    gives("%a: i64[1] = constant value=[4611686293305294849] %r: f32[1] = cast %a to=f32 "
          "%s: f64[1] = cast %r to=f64 %t: i64[1] = cast %s to=i64",
          "4611686568183201792");
}

Test(elementwise, comparisons_and_choice)
{
    const char *ab = "%a: f32[3] = constant value=[1,2,3] %b: f32[3] = constant value=[2,2,2] ";
    static const char *const cases[][2] = {
        {"eq", "0 1 0"}, {"ne", "1 0 1"}, {"lt", "1 0 0"},
        {"le", "1 1 0"}, {"gt", "0 0 1"}, {"ge", "0 1 1"},
    };
    Arena *arena = arena_create();
    for (int i = 0; i < 6; i++)
        gives(arena_print(arena, "%s%%r: bool[3] = %s %%a, %%b", ab, cases[i][0]), cases[i][1]);
    gives(arena_print(arena, "%s%%c: bool[3] = lt %%a, %%b %%r: f32[3] = select %%c, %%a, %%b", ab),
          "1 2 2");
    gives("%a: bool[2,1] = constant value=[0,1] %b: bool[2] = constant value=[0,1] "
          "%r: bool[2,2] = and %a, %b",
          "0 0 0 1");
    gives("%a: bool[2,1] = constant value=[0,1] %b: bool[2] = constant value=[0,1] "
          "%r: bool[2,2] = or %a, %b",
          "0 1 1 1");
    arena_destroy(arena);
}

Test(elementwise, broadcasting)
{
    gives("%a: f32[2,1,2] = constant value=[1,2,3,4] %b: f32[3,1] = constant value=[10,20,30] "
          "%r: f32[2,3,2] = add %a, %b",
          "11 12 21 22 31 32 13 14 23 24 33 34");
    gives(
        "%a: f32[] = constant value=[5] %b: f32[2] = constant value=[1,2] %r: f32[2] = sub %a, %b",
        "4 3");
    gives("%c: bool[2,1] = constant value=[1,0] %a: i32[] = constant value=[7] "
          "%b: i32[3] = constant value=[1,2,3] %r: i32[2,3] = select %c, %a, %b",
          "7 7 7 1 2 3");
    gives("%a: f32[0,2] = constant value=[] %b: f32[2] = constant value=[1,2] %r: f32[0,2] = add "
          "%a, %b",
          "");
}

#define CUBE "%a: f32[2,3,2] = constant value=[1,2,3,4,5,6,7,8,9,10,11,-12] "

Test(reduce, axes)
{
    gives(CUBE "%r: f32[] = reduce_sum %a axes=[0,1,2] keep=0", "54");
    gives(CUBE "%r: f32[3] = reduce_sum %a axes=[0,2] keep=0", "18 26 10");
    gives(CUBE "%r: f32[2,1,2] = reduce_sum %a axes=[1] keep=1", "9 12 27 6");
    gives(CUBE "%r: f32[3,2] = reduce_max %a axes=[0] keep=0", "7 8 9 10 11 6");
    gives(CUBE "%r: f32[2,3] = reduce_min %a axes=[2] keep=0", "1 3 5 7 9 -12");
    gives(CUBE "%r: f32[2,3,2] = reduce_min %a axes=[] keep=0", "1 2 3 4 5 6 7 8 9 10 11 -12");
    gives("%a: f32[] = constant value=[3] %r: f32[] = reduce_sum %a axes=[] keep=0", "3");
    gives("%a: f32[0,2] = constant value=[] %r: f32[2] = reduce_sum %a axes=[0] keep=0", "0 0");
    gives("%a: u8[3] = constant value=[200,100,1] %r: u8[] = reduce_sum %a axes=[0] keep=0", "45");
    gives("%a: i32[3] = constant value=[-5,-9,-7] %r: i32[] = reduce_max %a axes=[0] keep=0", "-5");
    const char *large = "%a: u64[2] = constant value=[18446744073709551615,9223372036854775808] ";
    Arena *arena = arena_create();
    gives(arena_print(arena, "%s%%r: u64[] = reduce_min %%a axes=[0] keep=0", large),
          "-9223372036854775808");
    gives(arena_print(arena, "%s%%r: u64[] = reduce_max %%a axes=[0] keep=0", large), "-1");
    gives(arena_print(arena, "%s%%r: u64[] = reduce_sum %%a axes=[0] keep=0", large),
          "9223372036854775807");
    gives("%a: u64[1] = constant value=[18446744073709551615] "
          "%r: u64[] = reduce_min %a axes=[0] keep=0",
          "-1");
    arena_destroy(arena);
}

Test(reduce, argmax)
{
    gives(CUBE "%r: i32[3,2] = argmax %a axis=0", "1 1 1 1 1 0");
    gives(CUBE "%r: i32[2,2] = argmax %a axis=1", "2 2 2 1");
    gives(CUBE "%r: i32[2,3] = argmax %a axis=2", "1 1 1 1 1 0");
    gives("%a: i32[5] = constant value=[1,7,3,7,0] %r: i32[] = argmax %a axis=0", "1");
    gives("%a: u64[3] = constant value=[1,9223372036854775809,7] %r: i32[] = argmax %a axis=0",
          "1");
}

Test(reduce, products)
{
    gives(CUBE "%r: f32[3] = reduce_product %a axes=[0,2] keep=0", "112 1080 -3960");
    gives("%a: i8[3] = constant value=[100,2,3] %r: i8[] = reduce_product %a axes=[0] keep=0",
          "88");
    gives("%a: f32[0,2] = constant value=[] %r: f32[2] = reduce_product %a axes=[0] keep=0", "1 1");
}

Test(reduce, truths)
{
    gives("%a: bool[3,2] = constant value=[0,0,0,1,1,1] %r: bool[3] = reduce_max %a axes=[1] "
          "keep=0",
          "0 1 1");
    gives("%a: bool[3,2] = constant value=[0,0,0,1,1,1] %r: bool[3] = reduce_min %a axes=[1] "
          "keep=0",
          "0 0 1");
    gives("%a: bool[0] = constant value=[] %r: bool[] = reduce_max %a axes=[0] keep=0", "0");
    gives("%a: bool[0] = constant value=[] %r: bool[] = reduce_min %a axes=[0] keep=0", "1");
}

Test(reduce, nothing)
{
    gives("%a: f32[0,2] = constant value=[] %r: f32[2] = reduce_max %a axes=[0] keep=0",
          "-inf -inf");
    gives("%a: f32[2,0] = constant value=[] %r: f32[2] = reduce_min %a axes=[1] keep=0", "inf inf");
    gives("%a: i8[0] = constant value=[] %r: i8[] = reduce_max %a axes=[0] keep=0", "-128");
    gives("%a: u8[0] = constant value=[] %r: u8[] = reduce_min %a axes=[0] keep=0", "255");
    gives("%a: i64[0] = constant value=[] %r: i64[] = reduce_min %a axes=[0] keep=0",
          "9223372036854775807");
    gives("%a: i32[0] = constant value=[] %r: i32[] = reduce_product %a axes=[0] keep=0", "1");
}

Test(reduce, cumulative)
{
    static const struct {
        const char *attributes, *values;
    } cases[] = {
        {"axis=0 mode=add exclusive=0 reverse=0", "3 1 -2 7 6 2"},
        {"axis=1 mode=add exclusive=0 reverse=0", "3 4 2 4 9 13"},
        {"axis=1 mode=add exclusive=1 reverse=0", "0 3 4 0 4 9"},
        {"axis=1 mode=add exclusive=0 reverse=1", "2 -1 -2 13 9 4"},
        {"axis=1 mode=add exclusive=1 reverse=1", "-1 -2 0 9 4 0"},
        {"axis=1 mode=mul exclusive=0 reverse=0", "3 3 -6 4 20 80"},
        {"axis=1 mode=mul exclusive=1 reverse=0", "1 3 3 1 4 20"},
        {"axis=1 mode=max exclusive=0 reverse=1", "3 1 -2 5 5 4"},
        {"axis=1 mode=min exclusive=0 reverse=0", "3 1 -2 4 4 4"},
        {"axis=1 mode=min exclusive=1 reverse=0", "inf 3 1 inf 4 4"},
    };
    Arena *arena = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gives(arena_print(arena,
                          "%%a: f32[2,3] = constant value=[3,1,-2,4,5,4] "
                          "%%r: f32[2,3] = cumulative %%a %s",
                          cases[i].attributes),
              cases[i].values);
    arena_destroy(arena);
    gives("%a: i8[4] = constant value=[100,100,100,1] "
          "%r: i8[4] = cumulative %a axis=0 mode=add exclusive=0 reverse=0",
          "100 -56 44 45");
    gives("%a: u8[2] = constant value=[9,7] "
          "%r: u8[2] = cumulative %a axis=0 mode=max exclusive=1 reverse=0",
          "0 9");
    gives("%a: i64[2] = constant value=[9,7] "
          "%r: i64[2] = cumulative %a axis=0 mode=min exclusive=1 reverse=0",
          "9223372036854775807 9");
    gives("%a: f32[4] = constant value=0x0000803f0000c07f0000004000000000 " /* 1, nan, 2, 0 */
          "%r: f32[4] = cumulative %a axis=0 mode=max exclusive=0 reverse=0",
          "1 nan nan nan");
}

Test(sort, argsort)
{
    gives("%a: i32[2,4] = constant value=[3,1,3,2,-5,9,-5,0] %r: i32[2,4] = argsort %a "
          "descending=0",
          "1 3 0 2 0 2 3 1");
    gives("%a: i32[2,4] = constant value=[3,1,3,2,-5,9,-5,0] %r: i32[2,4] = argsort %a "
          "descending=1",
          "0 2 3 1 1 3 0 2");
    gives("%a: u64[3] = constant value=[18446744073709551615,0,5] %r: i32[3] = argsort %a "
          "descending=0",
          "1 2 0");
    gives("%a: bool[4] = constant value=[1,0,1,0] %r: i32[4] = argsort %a descending=1", "0 2 1 3");
    /* nan, 1, inf, -nan, -0, 0 */
    const char *mixed =
        "%a: f32[6] = constant value=0x0000c07f0000803f0000807f0000c0ff0000008000000000 ";
    Arena *arena = arena_create();
    gives(arena_print(arena, "%s%%r: i32[6] = argsort %%a descending=0", mixed), "4 5 1 2 0 3");
    gives(arena_print(arena, "%s%%r: i32[6] = argsort %%a descending=1", mixed), "0 3 2 1 4 5");
    arena_destroy(arena);
}

Test(move, views)
{
    gives(CUBE "%r: f32[4,3] = reshape %a dims=[4,3]", "1 2 3 4 5 6 7 8 9 10 11 -12");
    gives(CUBE "%r: f32[2,2,3] = transpose %a order=[2,0,1]", "1 3 5 7 9 11 2 4 6 8 10 -12");
    gives("%a: f32[2,1] = constant value=[1,2] %r: f32[2,2,3] = broadcast %a dims=[2,2,3]",
          "1 1 1 2 2 2 1 1 1 2 2 2");
    gives("%a: bool[] = constant value=[1] %r: bool[2] = broadcast %a dims=[2]", "1 1");
    gives(CUBE "%r: f32[1,2,2] = slice %a start=[1,0,0] count=[1,2,2] step=[1,2,1]", "7 8 11 -12");
    gives(CUBE "%r: f32[2,0,2] = slice %a start=[0,3,0] count=[2,0,2] step=[1,1,1]", "");
    gives(CUBE "%r: f32[2,3,2] = reverse %a axes=[0,2]", "8 7 10 9 -12 11 2 1 4 3 6 5");
    gives(CUBE "%r: f32[2,3,2] = reverse %a axes=[]", "1 2 3 4 5 6 7 8 9 10 11 -12");
}

Test(move, pad_and_concat)
{
    gives("%a: f32[2,2] = constant value=[1,2,3,4] "
          "%r: f32[4,4] = pad %a before=[1,0] after=[0,1] interior=[1,1] value=9",
          "9 9 9 9 1 9 2 9 9 9 9 9 3 9 4 9");
    gives("%a: i32[0] = constant value=[] %r: i32[3] = pad %a before=[1] after=[2] interior=[4] "
          "value=-1",
          "-1 -1 -1");
    gives("%a: f32[2,1] = constant value=[1,2] %b: f32[2,2] = constant value=[3,4,5,6] "
          "%r: f32[2,4] = concat %a, %b, %a axis=1",
          "1 3 4 1 2 5 6 2");
    gives("%a: i32[1,2] = constant value=[1,2] %b: i32[2,2] = constant value=[3,4,5,6] "
          "%r: i32[3,2] = concat %a, %b axis=0",
          "1 2 3 4 5 6");
}

Test(move, rows)
{
    gives("%t: f32[3,2] = constant value=[1,2,3,4,5,6] %r: i32[2,2] = constant value=[2,0,-7,9] "
          "%y: f32[2,2,2] = gather %t, %r",
          "5 6 1 2 1 2 5 6");
    gives("%t: i8[3] = constant value=[1,2,3] %r: i32[] = constant value=[1] %y: i8[] = gather %t, "
          "%r",
          "2");
    gives("%u: f32[4,2] = constant value=[1,2,3,4,5,6,7,8] %r: i32[4] = constant value=[1,1,-5,99] "
          "%y: f32[3,2] = scatter_add %u, %r dims=[3,2]",
          "5 6 4 6 7 8");
}

Test(move, scatter)
{
    static const struct {
        const char *mode, *values;
    } cases[] = {
        {"set", "30 40 90 100 70 80"},
        {"add", "31 42 93 104 125 146"},
        {"mul", "30 80 270 400 17500 28800"},
        {"max", "30 40 90 100 70 80"},
        {"min", "1 2 3 4 5 6"},
    };
    Arena *arena = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gives(arena_print(arena,
                          "%%b: f32[3,2] = constant value=[1,2,3,4,5,6] "
                          "%%u: f32[4,2] = constant value=[50,60,30,40,70,80,90,100] "
                          "%%r: i32[4] = constant value=[2,-7,99,1] "
                          "%%y: f32[3,2] = scatter %%b, %%u, %%r mode=%s",
                          cases[i].mode),
              cases[i].values);
    arena_destroy(arena);
    gives("%b: i8[2] = constant value=[100,3] %u: i8[3] = constant value=[100,1,7] "
          "%r: i32[3] = constant value=[0,0,1] %y: i8[2] = scatter %b, %u, %r mode=add",
          "-55 10");
    gives("%b: i8[1] = constant value=[100] %u: i8[2] = constant value=[3,50] "
          "%r: i32[2] = constant value=[0,0] %c: i8[1] = scatter %b, %u, %r mode=mul "
          "%y: i8[1] = scatter %c, %u, %r mode=min",
          "-104");
    gives("%b: bool[3] = constant value=[1,0,1] %u: bool[] = constant value=[0] "
          "%r: i32[] = constant value=[2] %y: bool[3] = scatter %b, %u, %r mode=set",
          "1 0 0");
}

Test(composite, softmax)
{
    gives("%a: f32[2,2] = constant value=[0,0,1000,1000] %r: f32[2,2] = softmax %a axis=1",
          "0.5 0.5 0.5 0.5");
    gives("%a: f32[2,2] = constant value=[0,0,1,1000] %r: f32[2,2] = softmax %a axis=0",
          "0.2689414 0 0.7310586 1");
    gives("%a: f32[2] = constant value=[0,1000] %r: f32[2] = log_softmax %a axis=0", "-1000 0");
    gives("%a: f32[2,3] = constant value=[1,2,3,0,0,1000] %l: i32[2] = constant value=[2,0] "
          "%r: f32[2] = softmax_cross_entropy %a, %l",
          "0.407606 1000");
    gives("%a: f32[2,3] = constant value=[1,2,3,1003,1001,1002] "
          "%r: f32[2,3] = normalize %a axes=[1] epsilon=0.09375",
          "-1.146764 0 1.146764 1.146764 -1.146764 0");
    gives("%a: f32[2,1,2] = constant value=[7,5,7,9] "
          "%r: f32[2,1,2] = normalize %a axes=[0,1] epsilon=5",
          "0 -0.6666667 0 0.6666667");
    gives("%a: f32[3] = constant value=[0,2,-1000] %t: f32[3] = constant value=[1,0,1] "
          "%r: f32[3] = sigmoid_cross_entropy %a, %t",
          "0.6931472 2.126928 1000");
}

Test(leaf, iota)
{
    gives("%r: i32[2,3] = iota axis=1 dims=[2,3] element=i32", "0 1 2 0 1 2");
    gives("%r: f32[2,3] = iota axis=0 dims=[2,3] element=f32", "0 0 0 1 1 1");
}

/* The numbers themselves are promised: a change breaks the reproducibility of trained models. */
Test(leaf, random_numbers_are_as_promised)
{
    const char *key = "%k: i32[3] = constant value=[1,2,3] ";
    Arena *arena = arena_create();
    const char *first =
        body_gives(arena, EVALUATE_F32,
                   arena_print(arena, "%s%%r: f32[4] = random %%k stream=0 dims=[4]", key));
    cr_assert_str_eq(first, "0.9280456 0.6469061 0.3262109 0.4432744");
    const char *square =
        body_gives(arena, EVALUATE_F64,
                   arena_print(arena, "%s%%r: f32[2,2] = random %%k stream=0 dims=[2,2]", key));
    cr_assert_str_eq(first, square, "the index is row-major");
    const char *other =
        body_gives(arena, EVALUATE_F32,
                   arena_print(arena, "%s%%r: f32[4] = random %%k stream=1 dims=[4]", key));
    cr_assert_str_neq(first, other);
    arena_destroy(arena);
}

Test(leaf, random_numbers_are_uniform)
{
    const int32_t key[3] = {7, 0, 1};
    enum { COUNT = 100000, BINS = 10 };
    int bins[BINS] = {0};
    double sum = 0, product = 0, before = 0.5;
    uint32_t mixed = random_key(key, 3);
    for (uint32_t i = 0; i < COUNT; i++) {
        double x = random_uniform(mixed, i);
        cr_assert(x >= 0 && x < 1);
        bins[(int)(x * BINS)]++;
        sum += x;
        product += (x - 0.5) * (before - 0.5);
        before = x;
    }
    cr_assert_lt(fabs(sum / COUNT - 0.5), 0.004); /* four standard deviations */
    cr_assert_lt(fabs(product / COUNT), 0.00106);
    for (int i = 0; i < BINS; i++)
        cr_assert_lt(abs(bins[i] - COUNT / BINS), 380);
}

Test(precision, f32_rounds_once_a_node_and_f64_never)
{
    const char *body = "%a: f32[2] = constant value=[1, 1e-10] %b: f32[] = constant value=[1] "
                       "%c: f32[2] = add %a, %b %d: f32[2] = sub %c, %b";
    Arena *arena = arena_create();
    cr_assert_str_eq(body_gives(arena, EVALUATE_F32, body), "1 0");
    cr_assert_str_eq(body_gives(arena, EVALUATE_F64, body), "1 1e-10");
    cr_assert_str_eq(body_gives(arena, EVALUATE_F32, /* the sum inside stays double */
                                "%a: f32[3] = constant value=[1, 1e-10, -1] "
                                "%r: f32[] = reduce_sum %a axes=[0] keep=0"),
                     "1e-10");
    const char *half = "%a: f32[1] = constant value=[0.1] %b: f16[1] = cast %a to=f16 "
                       "%c: f32[1] = cast %b to=f32 %d: f32[1] = sub %c, %a";
    cr_assert_str_eq(body_gives(arena, EVALUATE_F32, half), "-2.441555e-05");
    cr_assert_str_eq(body_gives(arena, EVALUATE_F64, half), "0");
    arena_destroy(arena);
}

Test(function, states_change_together_at_the_end)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    const Program *program = graph_parse(arena, diag, "t",
                                         "program @t {\n"
                                         "  state %a: f32[2]\n"
                                         "  state %b: f32[2]\n"
                                         "  fn @swap(%x: f32[2], %n: i32[]) -> (f32[2], i32[]) {\n"
                                         "    %0: f32[2] = state of=%a\n"
                                         "    %1: f32[2] = state of=%b\n"
                                         "    %2: f32[2] = add %0, %x\n"
                                         "    update %a <- %1\n"
                                         "    update %b <- %0\n"
                                         "    return %2, %n\n"
                                         "  }\n"
                                         "}\n");
    cr_assert(program, "%s", diag_text(arena, diag));
    TensorType type = program->states[0]->type;
    Value states[2] = {value_read(arena, type, (float[]){1, 2}),
                       value_read(arena, type, (float[]){3, 4})};
    Value inputs[2] = {value_read(arena, type, (float[]){10, 20}),
                       value_read(arena, type_scalar(TYPE_I32), (int32_t[]){-7})};
    Value results[2];
    graph_evaluate(arena, EVALUATE_F32, program->functions[0], inputs, states, results);
    cr_assert(states[0].numbers[0] == 3 && states[0].numbers[1] == 4);
    cr_assert(states[1].numbers[0] == 1 && states[1].numbers[1] == 2);
    cr_assert(results[0].numbers[0] == 11 && results[0].numbers[1] == 22);
    cr_assert_eq(results[1].integers[0], -7);
    arena_destroy(arena);
}

Test(value, every_type_is_read_and_written)
{
    Arena *arena = arena_create();
    for (int element = 0; element < TYPE_COUNT; element++) {
        unsigned char data[24] = {0}, back[24] = {0};
        int64_t three = 3;
        TensorType type = type_make((ElementType)element, 1, &three);
        for (int i = 0; i < 3; i++)
            data[i * element_bytes(type.element)] = (unsigned char)(i & 1);
        Value value = value_read(arena, type, data);
        value_write(&value, back);
        cr_assert_eq(memcmp(data, back, sizeof data), 0, "%s", element_name(type.element));
    }
    arena_destroy(arena);
}
