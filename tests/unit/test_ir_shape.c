/* Shape rules: what each operation makes of its operands, and the exact text of every refusal. */
#include <criterion/criterion.h>

#include "tests/support/ir_text.h"

/* The operation fits and gives this type. */
static void gives(const char *parameters, const char *operation, const char *type)
{
    Arena *arena = arena_create();
    const char *said = operation_says(arena, parameters, operation);
    int length = 0;
    sscanf(operation, "%*s%n", &length);
    const char *wanted =
        arena_print(arena, "%.*s gives %s, not bool[0,0,7]", length, operation, type);
    cr_assert_str_eq(said, wanted);
    arena_destroy(arena);
}

/* It does not fit, and this is said. */
static void refuses(const char *parameters, const char *operation, const char *message)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(operation_says(arena, parameters, operation), message);
    arena_destroy(arena);
}

Test(shape, leaves)
{
    gives("", "state of=%s", "f32[2,3]");
    gives("", "iota axis=1 dims=[2,3] element=i32", "i32[2,3]");
    refuses("", "iota axis=2 dims=[2,3] element=i32", "iota: i32[2,3] has no axis 2");
    refuses("", "iota axis=0 dims=[2] element=bool", "iota: bool is no number");
    refuses("", "iota axis=0 dims=[1,1,1,1,1,1,1,1,1] element=f32",
            "iota: 9 axes are more than the 8 a tensor can have");
    refuses("", "iota axis=0 dims=[1099511627776,2] element=f32",
            "iota: f32[1099511627776,2] is too large: a tensor has at most 1099511627776 elements");
    refuses("", "iota axis=0 dims=[9223372036854775807,9223372036854775807] element=f32",
            "iota: f32[9223372036854775807,9223372036854775807] is too large: a tensor has at most "
            "1099511627776 elements");
    gives("", "iota axis=0 dims=[1099511627776,0,1] element=f32", "f32[1099511627776,0,1]");
    refuses(
        "", "iota axis=0 dims=[0,1099511627776,2] element=f32",
        "iota: f32[0,1099511627776,2] is too large: a tensor has at most 1099511627776 elements");
    refuses("", "iota axis=0 dims=[-1] element=f32", "iota: axis 0 of f32[-1] is negative");
    gives("%k: i32[3]", "random %k stream=0 dims=[4,5]", "f32[4,5]");
    refuses("%k: i32[2]", "random %k stream=0 dims=[4]",
            "random: the key must be i32[3], not i32[2]");
}

Test(shape, arity)
{
    refuses("%x: f32[2]", "add %x", "add: it takes 2 inputs, not 1");
    refuses("%x: f32[2]", "neg", "neg: it takes 1 input, not 0");
    refuses("%x: f32[2]", "concat axis=0", "concat: it takes at least 1 input, not 0");
    refuses("%x: f32[2]", "constant %x value=[]", "constant: it takes 0 inputs, not 1");
}

Test(shape, elementwise)
{
    gives("%x: i32[2,3]", "neg %x", "i32[2,3]");
    gives("%x: f32[]", "exp %x", "f32[]");
    gives("%x: f32[2,3]", "cast %x to=i8", "i8[2,3]");
    gives("%x: f32[2,3]", "bitcast %x to=u32", "u32[2,3]");
    gives("%x: f32[8,1,5], %y: f32[3,1]", "add %x, %y", "f32[8,3,5]");
    gives("%x: f32[0,5], %y: f32[1,5]", "mul %x, %y", "f32[0,5]");
    gives("%x: i32[2], %y: i32[]", "lt %x, %y", "bool[2]");
    gives("%x: bool[2,1], %y: bool[3]", "and %x, %y", "bool[2,3]");
    gives("%c: bool[2,1], %x: i8[3], %y: i8[]", "select %c, %x, %y", "i8[2,3]");
    refuses("%x: bool[2]", "neg %x", "neg: bool[2] is no number; cast it first");
    refuses("%x: f32[2]", "bitcast %x to=i64",
            "bitcast: f32 and i64 have not the same number of bits");
    refuses("%x: i32[2]", "exp %x", "exp: i32[2] is not of a float type; cast it first");
    gives("%x: u8[2,1], %y: u8[3]", "and %x, %y", "u8[2,3]");
    gives("%x: i64[2]", "not %x", "i64[2]");
    gives("%x: bool[2], %y: bool[]", "xor %x, %y", "bool[2]");
    gives("%x: i8[2,1], %n: i8[3]", "shift_left %x, %n", "i8[2,3]");
    refuses("%x: f32[2]", "not %x",
            "not: f32[2] has no bits; cast it to bool or an integer type first");
    refuses("%x: i32[2], %y: f32[2]", "xor %x, %y",
            "xor: f32[2] has no bits; cast it to bool or an integer type first");
    refuses("%x: i32[2], %y: u8[2]", "or %x, %y",
            "or: i32[2] and u8[2] have different element types; cast one of them");
    refuses("%x: bool[2]", "shift_right %x, %x",
            "shift_right: bool[2] is no number; cast it first");
    refuses("%x: f64[2]", "shift_left %x, %x",
            "shift_left: f64[2] has no bits; cast it to bool or an integer type first");
    refuses("%x: f32[2], %y: i32[2]", "add %x, %y",
            "add: f32[2] and i32[2] have different element types; cast one of them");
    refuses("%x: f32[2,3], %y: f32[2]", "add %x, %y",
            "add: f32[2,3] and f32[2] do not broadcast: 3 against 2 on axis 1 from the end");
    refuses("%x: f32[1048576,1], %y: f32[1,1048577]", "add %x, %y",
            "add: f32[1048576,1048577] is too large: a tensor has at most 1099511627776 elements");
    refuses("%c: f32[2], %x: f32[2]", "select %c, %x, %x",
            "select: the condition f32[2] is not bool");
}

Test(shape, reductions)
{
    gives("%x: f32[2,3,4]", "reduce_sum %x axes=[0,2] keep=0", "f32[3]");
    gives("%x: f32[2,3,4]", "reduce_max %x axes=[0,2] keep=1", "f32[1,3,1]");
    gives("%x: f32[2,3]", "reduce_min %x axes=[] keep=0", "f32[2,3]");
    gives("%x: f32[0,3]", "reduce_sum %x axes=[0] keep=0", "f32[3]");
    gives("%x: f32[0,3]", "reduce_max %x axes=[1] keep=0", "f32[0]");
    gives("%x: bool[2,3]", "reduce_max %x axes=[1] keep=0", "bool[2]");
    gives("%x: f32[2,3]", "argmax %x axis=1", "i32[2]");
    refuses("%x: bool[2,3]", "reduce_sum %x axes=[1] keep=0",
            "reduce_sum: bool[2,3] is no number; cast it first");
    gives("%x: f32[0,3]", "reduce_min %x axes=[0] keep=0", "f32[3]");
    refuses("%x: f32[2,3]", "reduce_sum %x axes=[2] keep=0", "reduce_sum: f32[2,3] has no axis 2");
    refuses("%x: f32[2,3]", "reduce_sum %x axes=[1,0] keep=0",
            "reduce_sum: axes=[1,0] are not in ascending order");
    refuses("%x: f32[2,0]", "argmax %x axis=1", "argmax: axis 1 of f32[2,0] is empty");
}

Test(shape, cumulative)
{
    gives("%x: u8[2,3,4]", "cumulative %x axis=1 mode=max exclusive=0 reverse=1", "u8[2,3,4]");
    gives("%x: f32[2,0]", "cumulative %x axis=1 mode=add exclusive=1 reverse=0", "f32[2,0]");
    gives("%x: f32[2,3,4]", "reduce_product %x axes=[0,2] keep=1", "f32[1,3,1]");
    refuses("%x: bool[2]", "cumulative %x axis=0 mode=add exclusive=0 reverse=0",
            "cumulative: bool[2] is no number; cast it first");
    refuses("%x: f32[2]", "cumulative %x axis=1 mode=add exclusive=0 reverse=0",
            "cumulative: f32[2] has no axis 1");
    refuses("%x: f32[2]", "cumulative %x axis=0 mode=set exclusive=0 reverse=0",
            "cumulative: mode=set adds nothing up; it must be add, mul, max or min");
    refuses("%x: f32[2]", "cumulative %x axis=0 mode=add exclusive=2 reverse=0",
            "cumulative: exclusive=2 is neither 0 nor 1");
    refuses("%x: f32[2]", "cumulative %x axis=0 mode=add exclusive=0 reverse=-1",
            "cumulative: reverse=-1 is neither 0 nor 1");
}

Test(shape, argsort)
{
    gives("%x: f32[2,3]", "argsort %x descending=1", "i32[2,3]");
    gives("%x: bool[0]", "argsort %x descending=0", "i32[0]");
    refuses("%x: f32[]", "argsort %x descending=0", "argsort: f32[] has no axis to sort along");
    refuses("%x: f32[2]", "argsort %x descending=3", "argsort: descending=3 is neither 0 nor 1");
    refuses("%x: u8[2147483648]", "argsort %x descending=0",
            "argsort: the last axis of u8[2147483648] is too long");
}

Test(shape, matmul)
{
    gives("%x: f32[2,3], %y: f32[3,4]", "matmul %x, %y", "f32[2,4]");
    gives("%x: f32[5,1,2,3], %y: f32[7,3,4]", "matmul %x, %y", "f32[5,7,2,4]");
    gives("%x: f32[2,0], %y: f32[0,4]", "matmul %x, %y", "f32[2,4]");
    refuses("%x: f32[1,64], %y: f32[32,10]", "matmul %x, %y",
            "matmul: the last axis of f32[1,64] is 64, but f32[32,10] has 32 rows");
    refuses("%x: f32[64], %y: f32[64,10]", "matmul %x, %y",
            "matmul: f32[64] is no matrix: it needs at least two axes");
    gives("%x: i32[2,3], %y: i32[3,4]", "matmul %x, %y", "i32[2,4]");
    refuses("%x: bool[2,2]", "matmul %x, %x", "matmul: bool[2,2] is no number; cast it first");
    refuses("%x: i32[2,3], %y: i64[3,4]", "matmul %x, %y",
            "matmul: i32[2,3] and i64[3,4] have different element types; cast one of them");
    refuses("%x: f32[2,2,3], %y: f32[3,3,4]", "matmul %x, %y",
            "matmul: f32[2] and f32[3] do not broadcast: 2 against 3 on axis 1 from the end");
}

#define IMAGE "%x: f32[2,8,9,6], %w: f32[3,3,3,4]"

Test(shape, conv)
{
    gives(IMAGE, "conv %x, %w stride=[2,1] dilation=[1,2] pad=[1,0,0,1] groups=2", "f32[2,4,6,4]");
    gives("%x: f32[2,8,3], %w: f32[8,3,1]",
          "conv %x, %w stride=[1] dilation=[1] pad=[0,0] groups=1", "f32[2,1,1]");
    refuses(IMAGE, "conv %x, %w stride=[1,1] dilation=[1,1] pad=[0,0,0,0] groups=1",
            "conv: f32[2,8,9,6] has 6 channels, but f32[3,3,3,4] takes 3 in each of 1 groups");
    refuses("%x: f32[2,8,9,6], %w: f32[3,3,2,4]",
            "conv %x, %w stride=[1,1] dilation=[1,1] pad=[0,0,0,0] groups=3",
            "conv: 4 output channels do not divide into 3 groups");
    refuses(IMAGE, "conv %x, %w stride=[1,1] dilation=[1,1] pad=[0,0,0,0] groups=0",
            "conv: groups=0 is below 1");
    refuses(IMAGE, "conv %x, %w stride=[1] dilation=[1,1] pad=[0,0,0,0] groups=2",
            "conv: stride=[1] needs 2 numbers, not 1");
    refuses(IMAGE, "conv %x, %w stride=[0,1] dilation=[1,1] pad=[0,0,0,0] groups=2",
            "conv: stride=[0,1] has a number below 1");
    refuses(IMAGE, "conv %x, %w stride=[1,1] dilation=[1,1] pad=[0,0,0,-1] groups=2",
            "conv: pad=[0,0,0,-1] has a number below 0");
    refuses(IMAGE, "conv %x, %w stride=[1,1] dilation=[4,1] pad=[0,0,0,0] groups=2",
            "conv: the window is 9 long on axis 1, where the padded input is 8");
    refuses(IMAGE,
            "conv %x, %w stride=[1,1] dilation=[1,9223372036854775807] pad=[0,0,0,0] groups=2",
            "conv: 3 taps 9223372036854775807 apart are too many");
    refuses(IMAGE,
            "conv %x, %w stride=[1,1] dilation=[1,1] pad=[9223372036854775807,1,0,0] groups=2",
            "conv: padding of 9223372036854775807 and 1 is too much");
    refuses("%x: f32[2,8], %w: f32[3,3]", "conv %x, %w stride=[] dilation=[] pad=[] groups=1",
            "conv: f32[2,8] is no image: it needs a batch, one to three spatial axes and channels");
    refuses("%x: f32[2,8,8,3], %w: f32[3,3,3]",
            "conv %x, %w stride=[1,1] dilation=[1,1] pad=[0,0,0,0] groups=1",
            "conv: weights of f32[3,3,3] must have 4 axes, as f32[2,8,8,3] has");
    refuses("%x: f32[2,8,3], %w: f32[0,3,1]",
            "conv %x, %w stride=[1] dilation=[1] pad=[0,0] groups=1",
            "conv: weights of f32[0,3,1] are empty");
}

Test(shape, conv_adjoints)
{
    gives("%y: f32[2,4,5], %w: f32[3,6,5]",
          "conv_transpose %y, %w stride=[2] dilation=[1] pad=[1,0] groups=1 dims=[2,8,6]",
          "f32[2,8,6]");
    gives("%y: f32[2,4,5], %w: f32[3,6,5]",
          "conv_transpose %y, %w stride=[2] dilation=[1] pad=[1,0] groups=1 dims=[2,9,6]",
          "f32[2,9,6]");
    gives("%x: f32[2,8,6], %y: f32[2,4,5]",
          "conv_filter %x, %y stride=[2] dilation=[1] pad=[1,0] groups=1 dims=[3,6,5]",
          "f32[3,6,5]");
    refuses("%y: f32[2,4,5], %w: f32[3,6,5]",
            "conv_transpose %y, %w stride=[2] dilation=[1] pad=[1,0] groups=1 dims=[2,7,6]",
            "conv_transpose: conv of f32[2,7,6] with f32[3,6,5] gives f32[2,3,5], not f32[2,4,5]");
    refuses("%x: f32[2,8,6], %y: f32[2,4,5]",
            "conv_filter %x, %y stride=[2] dilation=[1] pad=[1,0] groups=1 dims=[5,6,5]",
            "conv_filter: conv of f32[2,8,6] with f32[5,6,5] gives f32[2,3,5], not f32[2,4,5]");
}

#define WINDOW "size=[3] stride=[2] dilation=[1] pad=[1,0]"

Test(shape, windows)
{
    gives("%x: f32[2,8,6]", "window_max %x " WINDOW, "f32[2,4,6]");
    gives("%x: f32[2,8,6]", "window_sum %x " WINDOW, "f32[2,4,6]");
    gives("%x: f32[2,8,6]", "window_argmax %x " WINDOW, "i32[2,4,6]");
    gives("%x: f32[2,8,6], %t: i32[2,4,6]", "window_pick %x, %t " WINDOW, "f32[2,4,6]");
    gives("%y: f32[2,4,6], %t: i32[2,4,6]", "window_scatter %y, %t " WINDOW " dims=[2,9,6]",
          "f32[2,9,6]");
    gives("%y: f32[2,4,6]", "window_spread %y " WINDOW " dims=[2,8,6]", "f32[2,8,6]");
    refuses("%x: f32[2,8,6]", "window_max %x size=[3] stride=[1] dilation=[1] pad=[3,0]",
            "window_max: padding of 3 and 0 on axis 1 leaves a window of 3 outside the input");
    refuses("%x: f32[2,8,6]", "window_max %x size=[0] stride=[1] dilation=[1] pad=[0,0]",
            "window_max: size=[0] has a number below 1");
    refuses("%x: f32[2,8,6]", "window_sum %x size=[9] stride=[1] dilation=[1] pad=[0,0]",
            "window_sum: the window is 9 long on axis 1, where the padded input is 8");
    refuses("%x: f32[2,8,6], %t: i32[2,5,6]", "window_pick %x, %t " WINDOW,
            "window_pick: the taps must be i32[2,4,6], not i32[2,5,6]");
    refuses("%y: f32[2,4,6]", "window_spread %y " WINDOW " dims=[2,7,6]",
            "window_spread: windows over f32[2,7,6] give f32[2,3,6], not f32[2,4,6]");
    refuses("%y: f32[2,4,6], %t: f32[2,4,6]", "window_scatter %y, %t " WINDOW " dims=[2,8,6]",
            "window_scatter: the taps must be i32[2,4,6], not f32[2,4,6]");
}

Test(shape, reshape_and_transpose)
{
    gives("%x: bool[2,3]", "reshape %x dims=[3,1,2]", "bool[3,1,2]");
    gives("%x: f32[1]", "reshape %x dims=[]", "f32[]");
    gives("%x: f32[2,3,4]", "transpose %x order=[2,0,1]", "f32[4,2,3]");
    gives("%x: f32[3,1]", "broadcast %x dims=[2,3,4]", "f32[2,3,4]");
    gives("%x: f32[2,3]", "reverse %x axes=[0,1]", "f32[2,3]");
    refuses("%x: f32[2,3]", "reshape %x dims=[4]",
            "reshape: f32[2,3] has 6 elements, but f32[4] has 4");
    refuses("%x: f32[2,3]", "transpose %x order=[0,0]",
            "transpose: order=[0,0] does not name each axis of f32[2,3] once");
    refuses("%x: f32[2,3]", "transpose %x order=[0]",
            "transpose: order=[0] needs 2 numbers, not 1");
    refuses("%x: f32[3,2]", "broadcast %x dims=[2,3,4]",
            "broadcast: f32[3,2] does not stretch to f32[2,3,4]");
    refuses("%x: f32[3,2]", "broadcast %x dims=[2]",
            "broadcast: f32[3,2] does not stretch to f32[2]");
    refuses("%x: f32[2,3]", "reverse %x axes=[0,0]",
            "reverse: axes=[0,0] are not in ascending order");
}

Test(shape, slice_and_pad)
{
    gives("%x: f32[8,5]", "slice %x start=[1,5] count=[3,0] step=[3,1]", "f32[3,0]");
    gives("%x: f32[3,0]", "pad %x before=[1,2] after=[0,0] interior=[2,9] value=0", "f32[8,2]");
    gives("%x: u8[3]", "pad %x before=[0] after=[0] interior=[0] value=255", "u8[3]");
    refuses("%x: f32[8]", "slice %x start=[1] count=[3] step=[4]",
            "slice: 3 elements from 1 in steps of 4 leave axis 0 of f32[8]");
    refuses("%x: f32[8]", "slice %x start=[9] count=[0] step=[1]",
            "slice: 0 elements from 9 in steps of 1 leave axis 0 of f32[8]");
    refuses("%x: f32[8]", "slice %x start=[1] count=[9223372036854775807] step=[9]",
            "slice: 9223372036854775807 elements from 1 in steps of 9 leave axis 0 of f32[8]");
    refuses("%x: f32[8]", "slice %x start=[1] count=[1] step=[0]",
            "slice: step=[0] has a number below 1");
    refuses("%x: f32[3]", "pad %x before=[-1] after=[0] interior=[0] value=0",
            "pad: before=[-1] has a number below 0");
    refuses("%x: f32[3]", "pad %x before=[0] after=[9223372036854775807] interior=[0] value=0",
            "pad: the padding of axis 0 of f32[3] is too much");
    refuses("%x: u8[3]", "pad %x before=[0] after=[0] interior=[0] value=256", "pad: 256 is no u8");
    refuses("%x: i32[3]", "pad %x before=[0] after=[0] interior=[0] value=0.5",
            "pad: 0.5 is no i32");
    refuses("%x: i32[3]", "pad %x before=[0] after=[0] interior=[0] value=nan",
            "pad: nan is no i32");
}

Test(shape, concat_and_rows)
{
    gives("%x: f32[2,3], %y: f32[2,4]", "concat %x, %y, %x axis=1", "f32[2,10]");
    gives("%t: f32[9,4], %r: i32[2,3]", "gather %t, %r", "f32[2,3,4]");
    gives("%t: bool[9], %r: i32[]", "gather %t, %r", "bool[]");
    gives("%u: f32[2,3,4], %r: i32[2,3]", "scatter_add %u, %r dims=[9,4]", "f32[9,4]");
    gives("%b: u8[9,4], %u: u8[2,3,4], %r: i32[2,3]", "scatter %b, %u, %r mode=max", "u8[9,4]");
    gives("%b: bool[9], %u: bool[], %r: i32[]", "scatter %b, %u, %r mode=set", "bool[9]");
    gives("%b: f32[0,4], %u: f32[0,4], %r: i32[0]", "scatter %b, %u, %r mode=add", "f32[0,4]");
    refuses("%b: bool[9], %u: bool[2], %r: i32[2]", "scatter %b, %u, %r mode=add",
            "scatter: bool[9] is no number; cast it first");
    refuses("%b: f32[9], %u: i32[2], %r: i32[2]", "scatter %b, %u, %r mode=set",
            "scatter: f32[9] and i32[2] have different element types; cast one of them");
    refuses("%b: f32[9,4], %u: f32[2,3], %r: i32[2]", "scatter %b, %u, %r mode=mul",
            "scatter: rows i32[2] of f32[9,4] are f32[2,4], but the updates are f32[2,3]");
    refuses("%b: f32[9], %u: f32[2], %r: i64[2]", "scatter %b, %u, %r mode=min",
            "scatter: the rows must be i32, not i64[2]");
    refuses("%b: f32[0,4], %u: f32[2,4], %r: i32[2]", "scatter %b, %u, %r mode=set",
            "scatter: f32[0,4] has no rows");
    refuses("%x: f32[2,3], %y: f32[3,4]", "concat %x, %y axis=1",
            "concat: f32[2,3] and f32[3,4] differ on other axes than 1");
    refuses("%x: f32[2,3], %y: f32[2]", "concat %x, %y axis=1",
            "concat: f32[2,3] and f32[2] differ on other axes than 1");
    refuses("%x: f32[2]", "concat %x axis=1", "concat: f32[2] has no axis 1");
    refuses("%t: f32[9,4], %r: f32[2]", "gather %t, %r",
            "gather: the rows must be i32, not f32[2]");
    refuses("%t: f32[], %r: i32[2]", "gather %t, %r",
            "gather: a table needs at least one axis, and f32[] has none");
    refuses("%t: f32[0,4], %r: i32[2]", "gather %t, %r", "gather: f32[0,4] has no rows");
    refuses("%u: f32[2,4], %r: i32[2,3]", "scatter_add %u, %r dims=[9,4]",
            "scatter_add: rows i32[2,3] of f32[9,4] are f32[2,3,4], but the updates are f32[2,4]");
}

Test(shape, composites)
{
    gives("%x: f32[2,3]", "softmax %x axis=0", "f32[2,3]");
    gives("%x: f32[2,3], %l: i32[2]", "softmax_cross_entropy %x, %l", "f32[2]");
    gives("%x: f32[2,3], %t: f32[3]", "sigmoid_cross_entropy %x, %t", "f32[2,3]");
    gives("%x: f32[2,3]", "normalize %x axes=[0,1] epsilon=0.1", "f32[2,3]");
    refuses("%x: f32[2,3]", "normalize %x axes=[1,0] epsilon=0.1",
            "normalize: axes=[1,0] are not in ascending order");
    refuses("%x: i32[2,3]", "normalize %x axes=[0] epsilon=0.1",
            "normalize: i32[2,3] is not of a float type; cast it first");
    refuses("%x: f32[2,3]", "normalize %x axes=[0] epsilon=0",
            "normalize: epsilon=0 is not a number greater than 0");
    refuses("%x: f32[2,3]", "softmax %x axis=2", "softmax: f32[2,3] has no axis 2");
    refuses("%x: f32[2,3], %l: i32[3]", "softmax_cross_entropy %x, %l",
            "softmax_cross_entropy: for logits f32[2,3] the labels must be i32[2], not i32[3]");
    refuses("%x: f32[], %l: i32[]", "softmax_cross_entropy %x, %l",
            "softmax_cross_entropy: f32[] has no classes");
    refuses("%x: i32[2]", "sigmoid_cross_entropy %x, %x",
            "sigmoid_cross_entropy: i32[2] is not of a float type; cast it first");
}

Test(shape, storage_types_are_not_computed_with)
{
#define STORED "%x: f16[2,3], %y: bf16[2,3]"
    gives(STORED, "transpose %x order=[1,0]", "f16[3,2]");
    gives(STORED, "cast %y to=f16", "f16[2,3]");
    gives(STORED, "pad %y before=[0,0] after=[1,0] interior=[0,0] value=0.1", "bf16[3,3]");
    gives("%c: bool[3], %x: f16[2,3]", "select %c, %x, %x", "f16[2,3]");
    refuses(STORED, "add %x, %x", "add: f16[2,3] is only stored and moved; cast it to f32 first");
    refuses(STORED, "neg %y", "neg: bf16[2,3] is only stored and moved; cast it to f32 first");
    refuses(STORED, "exp %x", "exp: f16[2,3] is only stored and moved; cast it to f32 first");
    refuses(STORED, "lt %x, %x", "lt: f16[2,3] is only stored and moved; cast it to f32 first");
    refuses(STORED, "argsort %y descending=0",
            "argsort: bf16[2,3] is only stored and moved; cast it to f32 first");
    refuses(STORED, "argmax %y axis=0",
            "argmax: bf16[2,3] is only stored and moved; cast it to f32 first");
    refuses(STORED, "reduce_sum %x axes=[0] keep=0",
            "reduce_sum: f16[2,3] is only stored and moved; cast it to f32 first");
    refuses(STORED, "reduce_max %x axes=[0] keep=0",
            "reduce_max: f16[2,3] is only stored and moved; cast it to f32 first");
    refuses("%x: f16[2,2]", "matmul %x, %x",
            "matmul: f16[2,2] is only stored and moved; cast it to f32 first");
    refuses("", "iota axis=0 dims=[3] element=bf16",
            "iota: bf16 is only stored and moved; cast an iota to it");
    refuses(STORED, "concat %x, %y axis=0",
            "concat: f16[2,3] and bf16[2,3] have different element types; cast one of them");
}
