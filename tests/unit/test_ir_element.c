/* Element types: their names and sizes, single elements of arrays, what fits into a type. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/element.h"
#include "runtime/convert.h"
#include "runtime/element.h"
#include "tests/support/short_float.h"

Test(element, compiler_and_runtime_agree)
{
    cr_assert_eq(TYPE_COUNT, INGOT_TYPE_COUNT);
    for (int i = 0; i < TYPE_COUNT; i++) {
        ElementType found;
        cr_assert_str_eq(element_name((ElementType)i), ingot_element_name(i));
        cr_assert_eq(element_bytes((ElementType)i), ingot_element_bytes(i));
        cr_assert(element_find(element_name((ElementType)i), &found) && (int)found == i);
    }
}

Test(element, kinds)
{
    cr_assert(element_is_integer(TYPE_U64) && !element_is_integer(TYPE_BOOL));
    cr_assert(element_is_unsigned(TYPE_U16) && !element_is_unsigned(TYPE_I16));
    cr_assert(element_is_unsigned(TYPE_BOOL) && !element_is_unsigned(TYPE_F32));
    cr_assert(element_is_float(TYPE_F64) && !element_is_float(TYPE_U32));
    cr_assert(element_is_float(TYPE_F16) && element_is_storage(TYPE_BF16));
    cr_assert(!element_is_storage(TYPE_F32) && !element_is_integer(TYPE_F16));
    cr_assert(element_computed(TYPE_F16) == TYPE_F32 && element_computed(TYPE_F64) == TYPE_F64);
    cr_assert(element_unit(TYPE_F32) == 0x1p-23 && element_unit(TYPE_BF16) == 0x1p-7);
}

Test(element, wrapping)
{
    static const struct {
        ElementType element;
        int64_t value, wrapped;
    } cases[] = {
        {TYPE_I8, 128, -128},
        {TYPE_U8, -1, 255},
        {TYPE_I16, 0x18000, -32768},
        {TYPE_U16, -2, 65534},
        {TYPE_I32, 0x80000000, INT32_MIN},
        {TYPE_U32, -1, 0xffffffff},
        {TYPE_I64, INT64_MIN, INT64_MIN},
        {TYPE_U64, -1, -1},
        {TYPE_BOOL, 256, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t memory[3] = {0, 0, 0};
        ElementType element = cases[i].element;
        cr_assert_eq(element_wrap(element, cases[i].value), cases[i].wrapped);
        element_set_integer(element, memory, 1, cases[i].value);
        cr_assert_eq(element_integer(element, memory, 1), cases[i].wrapped);
        cr_assert_eq(element_integer(element, memory, 0), 0);
        cr_assert_eq(element_integer(element, memory, 2), 0);
    }
}

Test(element, saturation)
{
    static const struct {
        ElementType element;
        double value;
        int64_t saturated;
    } cases[] = {
        {TYPE_I8, -128.9, -128},     {TYPE_I8, 1e9, 127},
        {TYPE_U8, 255.5, 255},       {TYPE_U8, 256, 255},
        {TYPE_U8, -0.5, 0},          {TYPE_I16, -1e9, INT16_MIN},
        {TYPE_I16, 32767.5, 32767},  {TYPE_U16, 65536, 65535},
        {TYPE_U16, -3, 0},           {TYPE_I32, 0x1p31, INT32_MAX},
        {TYPE_U32, 0x1p32, ~0u},     {TYPE_U32, 0x1.8p31, 0xc0000000},
        {TYPE_I64, 1e30, INT64_MAX}, {TYPE_I64, -1e30, INT64_MIN},
        {TYPE_U64, 1e30, -1},        {TYPE_U64, 0x1.8p63, (int64_t)0xc000000000000000},
        {TYPE_U64, -1, 0},           {TYPE_I32, NAN, 0},
        {TYPE_BOOL, 0.25, 1},        {TYPE_BOOL, NAN, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(element_saturate(cases[i].element, cases[i].value), cases[i].saturated,
                     "%a as %s", cases[i].value, element_name(cases[i].element));
}

Test(element, limits)
{
    cr_assert(element_lowest(TYPE_F32) == -INFINITY && element_highest(TYPE_F64) == INFINITY);
    cr_assert(element_lowest(TYPE_I16) == -32768 && element_highest(TYPE_I16) == 32767);
    cr_assert(element_lowest(TYPE_U64) == 0 && element_highest(TYPE_U64) == 0x1p64);
    cr_assert(element_saturate(TYPE_U64, element_highest(TYPE_U64)) == -1);
    cr_assert(element_saturate(TYPE_I64, element_highest(TYPE_I64)) == INT64_MAX);
    cr_assert(element_holds(TYPE_U16, 65535) && !element_holds(TYPE_U16, 65536));
    cr_assert(!element_holds(TYPE_U32, -1) && !element_holds(TYPE_I8, 0.5));
    cr_assert(!element_holds(TYPE_I64, 0x1p63) && element_holds(TYPE_U64, 0x1p63));
    cr_assert(!element_holds(TYPE_BOOL, 2) && element_holds(TYPE_F32, NAN));
}

Test(element, numbers)
{
    const uint64_t large[2] = {(uint64_t)1 << 63, 5};
    double number;
    cr_assert_eq(element_to_number(TYPE_U64, -1), 0x1p64);
    cr_assert_eq(element_to_number(TYPE_I64, -1), -1.0);
    cr_assert(!element_exact(TYPE_U64, large, 0, &number));
    cr_assert(element_exact(TYPE_U64, large, 1, &number) && number == 5);
    /* 2^62 + 2^38 + 1 lies above the middle of two floats; as a double it would be that middle */
    int64_t value = ((int64_t)1 << 62) + ((int64_t)1 << 38) + 1;
    cr_assert_eq((float)element_to_number(TYPE_I64, value), 0x1p62F);
    cr_assert_eq((float)element_to_odd_number(TYPE_I64, value), 0x1.000002p62F);
    cr_assert_eq((float)element_to_odd_number(TYPE_I64, -value), -0x1.000002p62F);
    cr_assert_eq(element_to_odd_number(TYPE_I64, INT64_MIN), -0x1p63);
    cr_assert_eq(element_to_odd_number(TYPE_U64, -1), 0x1.fffffffffffffp63);
}

/* f16 and bf16, here and in the runtime */

typedef struct ShortFloats {
    const char *who;
    double (*load)(ElementType element, uint16_t bits);
    uint16_t (*store)(ElementType element, double value);
} ShortFloats;

static double compiler_load(ElementType element, uint16_t bits)
{
    return element_number(element, &bits, 0);
}

static uint16_t compiler_store(ElementType element, double value)
{
    uint16_t bits;
    element_set_number(element, &bits, 0, value);
    return bits;
}

static double runtime_load(ElementType element, uint16_t bits)
{
    double value;
    convert_elements(&bits, (int32_t)element, &value, INGOT_F64, 1);
    return value;
}

static uint16_t runtime_store(ElementType element, double value)
{
    uint16_t bits;
    convert_elements(&value, INGOT_F64, &bits, (int32_t)element, 1);
    return bits;
}

static const ShortFloats short_floats[] = {{"compiler", compiler_load, compiler_store},
                                           {"runtime", runtime_load, runtime_store}};

static void check_patterns(const ShortFloats *who, ElementType element)
{
    for (int bits = 0; bits < SHORT_FLOATS; bits++) {
        double value = who->load(element, (uint16_t)bits),
               wanted = short_value(element, bits, false);
        uint16_t back = who->store(element, value);
        if (short_is_nan(element, bits)) {
            cr_assert(isnan(value) && !signbit(value) == !(bits & 0x8000), "%s %04x", who->who,
                      bits);
            cr_assert(short_is_nan(element, back) && (back ^ bits) >> 15 == 0);
            continue;
        }
        cr_assert(value == wanted && signbit(value) == signbit(wanted), "%s: %s %04x is %a",
                  who->who, element_name(element), bits, value);
        cr_assert_eq(back, bits, "%s: %s %04x comes back as %04x", who->who, element_name(element),
                     bits, back);
    }
}

static void check_rounding(const ShortFloats *who, ElementType element)
{
    for (int bits = 0; bits < short_infinite(element); bits++)
        for (int i = 0; i < SHORT_DECISIONS; i++) {
            int rounded;
            double value = short_decision(element, bits, i, true, &rounded);
            uint16_t up = who->store(element, value), down = who->store(element, -value);
            cr_assert(up == rounded && down == (rounded | 0x8000), "%s: %a as %s is %04x and %04x",
                      who->who, value, element_name(element), up, down);
        }
    cr_assert_eq(who->store(element, 1e300), short_infinite(element));
    cr_assert_eq(who->store(element, -1e-300), 0x8000);
}

Test(element, short_floats)
{
    for (int i = 0; i < 2; i++) {
        check_patterns(&short_floats[i], TYPE_F16);
        check_patterns(&short_floats[i], TYPE_BF16);
        check_rounding(&short_floats[i], TYPE_F16);
        check_rounding(&short_floats[i], TYPE_BF16);
    }
}

#ifdef __FLT16_MANT_DIG__
/* The compiler's own half precision: the definition of the tests is checked, too. */
Test(element, f16_is_float16)
{
    for (int bits = 0; bits < SHORT_FLOATS; bits++) {
        uint16_t pattern = (uint16_t)bits;
        _Float16 half;
        memcpy(&half, &pattern, sizeof half);
        double value = (double)half, defined = short_value(TYPE_F16, bits, false);
        cr_assert((isnan(value) && isnan(defined)) || value == defined, "%04x", bits);
        for (int i = 0; i < SHORT_DECISIONS && (bits & 0x7fff) < 0x7c00; i++) {
            int rounded;
            half = (_Float16)short_decision(TYPE_F16, bits & 0x7fff, i, true, &rounded);
            memcpy(&pattern, &half, sizeof half);
            cr_assert_eq(pattern, rounded, "%04x, %d", bits, i);
        }
    }
}
#endif
