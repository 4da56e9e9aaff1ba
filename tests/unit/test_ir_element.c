/* Element types: their names and sizes, single elements of arrays, what fits into a type. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/element.h"
#include "runtime/element.h"

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
