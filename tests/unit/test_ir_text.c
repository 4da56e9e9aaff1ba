/* The text form: printing and parsing back is identity, and errors say where and what. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "tests/support/ir_text.h"
#include "tests/support/random_graph.h"

static const char *print(Arena *arena, const Program *program)
{
    Text text = text_create(arena);
    graph_print(program, &text);
    return text.data;
}

/* Parses a text and prints what it means, or its errors. */
static const char *reprint(Arena *arena, const char *text)
{
    Diag *diag = diag_create(arena);
    Program *program = graph_parse(arena, diag, "t", text);
    return program ? print(arena, program) : diag_text(arena, diag);
}

static void prints_back(const char *text)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(reprint(arena, text), text);
    arena_destroy(arena);
}

static void says(const char *text, const char *message)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(reprint(arena, text), message);
    arena_destroy(arena);
}

Test(text, random_programs_print_back)
{
    for (uint64_t seed = 0; seed < 400; seed++) {
        Arena *arena = arena_create();
        Diag *diag = diag_create(arena);
        const Program *program = random_graph(arena, diag, seed);
        cr_assert(graph_verify(program, diag), "seed %d: %s", (int)seed, diag_text(arena, diag));
        const char *text = print(arena, program);
        cr_assert_str_eq(reprint(arena, text), text);
        arena_destroy(arena);
    }
}

Test(text, everything_a_program_holds_prints_back)
{
    prints_back("program @digits random_streams=3 {\n"
                "  state %layers.0.weight: f32[3,2] parameter at=\"layers[0].dense\"\n"
                "  state %table: i8[3] parameter frozen = [1, -2, 3]\n"
                "  state %step: i64[] = [9223372036854775807]\n"
                "  fn @infer(%x: f32[1,3] name=\"pixels\" at=\"inputs.x\") -> f32[1,2] batch=1 {\n"
                "    %0: f32[3,2] = state of=%layers.0.weight\n"
                "    %1: f32[1,2] = matmul %x, %0 name=\"logits\" at=\"layers[0].dense\"\n"
                "    return logits=%1\n"
                "  }\n"
                "  fn @train(%x: f32[2,3], %y: i32[2]) -> (f32[3,2], i32[2]) batch=2 {\n"
                "    %0: f32[3,2] = state of=%layers.0.weight\n"
                "    %1: f32[3,2] = neg %0\n"
                "    update %layers.0.weight <- %1\n"
                "    return %1, labels=%y\n"
                "  }\n"
                "  fn @nothing() -> () {\n"
                "    return\n"
                "  }\n"
                "}\n");
}

Test(text, names_that_are_no_words_are_quoted)
{
    prints_back("program @\"my model\" {\n"
                "  state %\"dense 1/kernel:0\": f32[1]\n"
                "  fn @\"\"(%\"12\": f32[1], %\"a\\\"b\\\\c\\x0a\": f32[1], %\"größe\": f32[1]) -> "
                "f32[1] {\n"
                "    %0: f32[1] = add %\"12\", %\"größe\" name=\"\" at=\"line\\x0aline\"\n"
                "    update %\"dense 1/kernel:0\" <- %0\n"
                "    return \"a b\"=%0\n"
                "  }\n"
                "}\n");
}

Test(text, constants_keep_every_bit)
{
    prints_back("program @t {\n"
                "  fn @f() -> () {\n"
                "    %0: f32[6] = constant value=[0.100000001, -0, inf, -inf, 1.17549435e-38, "
                "1.40129846e-45]\n"
                "    %1: f64[2] = constant value=[0.10000000000000001, 4.9406564584124654e-324]\n"
                "    %2: f32[2] = constant value=0x0100c07f0000803f\n"
                "    %3: bool[2] = constant value=[0, 1]\n"
                "    %4: u8[1] = constant value=[255]\n"
                "    %5: i32[2] = constant value=[-2147483648, 2147483647]\n"
                "    %6: i64[1] = constant value=[-9223372036854775808]\n"
                "    %7: f32[0,3] = constant value=[]\n"
                "    %8: f32[0,3] = pad %7 before=[0,0] after=[0,0] interior=[0,0] value=-inf\n"
                "    %9: f32[0,3] = pad %7 before=[0,0] after=[0,0] interior=[0,0] value=nan\n"
                "    %10: i16[2] = constant value=[-32768, 32767]\n"
                "    %11: u16[1] = constant value=[65535]\n"
                "    %12: u32[1] = constant value=[4294967295]\n"
                "    %13: u64[2] = constant value=[18446744073709551615, 0]\n"
                "    %14: f16[4] = constant value=[0.0999755859, -0, 65504, 5.96046448e-08]\n"
                "    %15: bf16[3] = constant value=[0.100097656, -inf, 9.18354962e-41]\n"
                "    %16: f16[2] = constant value=0x017e003c\n"
                "    return\n"
                "  }\n"
                "}\n");
}

Test(text, long_constants_are_bytes)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Program *program = program_create(arena, diag, "t");
    Function *f = program_add_function(program, "f");
    int64_t count = 65;
    float *data = ARENA_ARRAY(arena, float, count);
    for (int i = 0; i < 65; i++)
        data[i] = i == 7 ? NAN : (float)i / 3;
    graph_constant(f, type_make(TYPE_F32, 1, &count), data);
    const char *text = print(arena, program);
    cr_assert(strstr(text, "value=0x00000000abaaaa3e"));
    const Program *back = graph_parse(arena, diag, "t", text);
    cr_assert_eq(memcmp(back->functions[0]->nodes[0]->attr.data, data, sizeof(float) * 65), 0);
    arena_destroy(arena);
}

Test(text, values_may_have_names_and_comments_are_skipped)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(reprint(arena, "program @t { # a test\n"
                                    "fn @f(%x:f32[2])->f32[2]{\n"
                                    "%hidden:f32[2]=neg %x %7:f32[2]=abs %hidden # twice\n"
                                    "return %7}}"),
                     "program @t {\n"
                     "  fn @f(%x: f32[2]) -> f32[2] {\n"
                     "    %0: f32[2] = neg %x\n"
                     "    %1: f32[2] = abs %0\n"
                     "    return %1\n"
                     "  }\n"
                     "}\n");
    arena_destroy(arena);
}

#define BODY(lines)                                                                                \
    "program @t {\n  state %weight: f32[2]\n  fn @f(%x: f32[2]) -> f32[2] {\n" lines "\n  }\n}\n"

Test(text, unknown_words_get_the_nearest)
{
    says(BODY("    %0: f32[2] = mtmul %x, %x\n    return %0"),
         "t:4:18: unknown operation \"mtmul\", did you mean \"matmul\"?");
    says(BODY("    %0: f32[2] = neg %y\n    return %0"),
         "t:4:22: there is no value %y, did you mean \"x\"?");
    says(BODY("    return %3"), "t:4:12: there is no value %3");
    says(BODY("    %0: f32[2] = state of=%wieght\n    return %0"),
         "t:4:27: there is no state %wieght, did you mean \"weight\"?");
    says(BODY("    %0: f33[2] = neg %x\n    return %0"),
         "t:4:9: unknown element type \"f33\", did you mean \"f32\"?");
    says(BODY("    %0: f32[2] = softmax %x axes=[0]\n    return %0"),
         "t:4:29: softmax has no attribute \"axes\", did you mean \"axis\"?");
    says(BODY("    %0: f32[2] = softmax %x\n    return %0"),
         "t:5:5: softmax needs the attribute axis=");
    says(BODY("    %0: f32[2] = softmax %x axis=0 axis=0\n    return %0"),
         "t:4:36: axis= is given twice");
    says(BODY("    %0: f32[2] = input name=\"y\"\n    return %0"),
         "t:4:18: inputs stand in the function's first line");
}

Test(text, types_must_agree)
{
    says(BODY("    %0: f32[3] = neg %x\n    return %0"), "t:4:18: neg gives f32[2], not f32[3]");
    says(BODY("    %0: f32[] = reduce_sum %x axes=[0] keep=0\n    return %0"),
         "t:5:12: this is f32[], but the function's result is f32[2]");
    says(BODY("    return %x, %x"), "t:4:11: 2 results where the function has 1");
    says(BODY("    %0: f32[] = reduce_sum %x axes=[0] keep=0\n    update %weight <- %0\n    return "
              "%x"),
         "@f: state \"weight\" is f32[2], but its update is f32[]");
    says(BODY("    %0: f32[] = matmul %x, %x\n    %1: f32[] = neg %0\n    %2: f32[2] = exp %1\n"
              "    %3: f32[1] = neg %x\n    return %x"),
         "t:4:17: matmul: f32[2] is no matrix: it needs at least two axes\n"
         "t:7:18: neg gives f32[2], not f32[1]");
}

Test(text, constants_must_fit)
{
    says(BODY("    %0: u8[2] = constant value=[0, 256]\n    return %x"), "t:4:36: 256 is no u8");
    says(BODY("    %0: i16[1] = constant value=[32768]\n    return %x"), "t:4:34: 32768 is no i16");
    says(BODY("    %0: u32[1] = constant value=[-1]\n    return %x"), "t:4:34: -1 is no u32");
    says(BODY("    %0: u64[1] = constant value=[-1]\n    return %x"),
         "t:4:34: expected a number that is not negative instead of \"-\"");
    says(BODY("    %0: u64[1] = constant value=[18446744073709551616]\n    return %x"),
         "t:4:34: this number is too large");
    says(BODY("    %0: i32[1] = constant value=[0.5]\n    return %x"),
         "t:4:34: this is no integer");
    says(BODY("    %0: i64[1] = constant value=[9223372036854775808]\n    return %x"),
         "t:4:34: this number is too large");
    says(BODY("    %0: f32[3] = constant value=[1, 2]\n    return %x"),
         "t:4:33: 2 values where 3 are needed");
    says(BODY("    %0: f32[1099511627776] = constant value=[1]\n    return %x"),
         "t:4:45: 1 values where 1099511627776 are needed");
    says(BODY("    %0: f32[1] = constant value=0x00000\n    return %x"),
         "t:4:33: 5 hexadecimal digits where 8 are needed");
    says(BODY("    %0: f32[1] = constant value=[1.2.3]\n    return %x"),
         "t:4:34: this is no number");
    says(BODY("    %0: f32[1] = constant value=[ü]\n    return %x"),
         "t:4:34: expected a number instead of \"ü\"");
    says(BODY("    %0: f32[1099511627777] = neg %x\n    return %x"),
         "t:4:9: this type has a negative axis or more than 1099511627776 elements");
    says(BODY("    %0: f32[1,1,1,1,1,1,1,1,1] = neg %x\n    return %x"),
         "t:4:9: 9 axes are more than the 8 a tensor can have");
}

#define DERIVED "program @t {\n  state %w: f32[2]\n  derived %v: f32[2]\n"

Test(text, what_prepare_may_not_do)
{
    says("program @t {\n  prepare() -> () { return }\n}",
         "t:2:10: no state is derived that \"prepare\" could make");
    says(DERIVED "  derived %w: f32[2]\n}", "t:4:11: there are two states named \"w\"");
    says(DERIVED "  prepare() -> () {\n    return\n  }\n}", "prepare makes 0 of 1 derived states");
    says(DERIVED "  prepare() -> () {\n    %0: f32[2] = state of=%w\n    update %v <- %0\n"
                 "    return\n  }\n  prepare() -> () { return }\n}",
         "t:9:10: there are two \"prepare\"");
    says(DERIVED "  prepare() -> () {\n    %0: f32[2] = state of=%v\n    update %v <- %0\n"
                 "    return\n  }\n}",
         "@prepare, node 0: prepare reads \"v\", which it makes");
    says(DERIVED "  prepare(%x: f32[2]) -> () {\n    update %v <- %x\n    return\n  }\n}",
         "prepare has parameters or results");
    says(DERIVED "  prepare() -> () {\n    %0: f32[2] = state of=%w\n    update %v <- %0\n"
                 "    update %w <- %0\n    return\n  }\n}",
         "@prepare: prepare updates \"w\", which is not derived\n"
         "prepare makes 2 of 1 derived states");
    says(DERIVED "  prepare() -> () {\n    %0: f32[2] = state of=%w\n    update %v <- %0\n"
                 "    return\n  }\n  fn @f(%x: f32[2]) -> () {\n    update %v <- %x\n"
                 "    return\n  }\n}",
         "@f: derived state \"v\" is updated");
}

Test(text, syntax_errors_say_where)
{
    says("", "t:1:1: expected \"program\" instead of the end of the text");
    says("program t {}", "t:1:9: expected the program's @name instead of \"t\"");
    says("program @t {\n  state %w f32[1]\n}", "t:2:12: expected \":\" instead of \"f32\"");
    says("program @t {\n  states\n}",
         "t:2:3: expected \"state\", \"derived\", \"prepare\", \"fn\" or \"}\"");
    says("program @t {\n} x", "t:2:3: the program has ended; nothing can follow");
    says("program @t {\n  state %\"ab: f32[1]\n}", "t:2:10: this string does not end on its line");
    says("program @t {\n  state %\"a\\nb\": f32[1]\n}",
         "t:2:12: after \\ there must be \", \\ or x and two hexadecimal digits");
    says("program @t {\n  state %w: f32[1]\n  state %w: f32[1]\n}",
         "t:3:9: there are two states named \"w\"");
    says("program @t random_streams=-1 {}", "t:1:29: random_streams=-1 is out of range");
    says(BODY("    %0: f32[2] = neg %x\n    %0: f32[2] = neg %x\n    return %x"),
         "t:5:5: %0 is already defined");
    says(BODY("    return %x\n    return %x"), "t:5:5: expected \"}\" instead of \"return\"");
    says(BODY("    %0: f32[2] = neg %x"),
         "t:5:3: expected a value, \"update\" or \"return\" instead of \"}\"");
    says("program @t {\n  fn @f(%0: f32[1]) -> () { return }\n}",
         "t:2:9: a parameter needs a name; a number would be %\"0\"");
    says("program @t {\n  fn @f(%x: f32[1], %x: f32[1]) -> () { return }\n}",
         "t:2:21: %x is already defined");
    says(BODY("    update %weight <- %x\n    update %weight <- %x\n    return %x"),
         "t:5:12: state \"weight\" is updated twice");
}

Test(text, cut_anywhere_it_is_an_error_and_no_more)
{
    Arena *arena = arena_create();
    const char *text = print(arena, random_graph(arena, diag_create(arena), 11));
    size_t length = strlen(text);
    for (size_t i = 0; i + 3 < length; i += 1 + i / 97) {
        Diag *diag = diag_create(arena);
        const Program *program = graph_parse(arena, diag, "t", arena_copy_bytes(arena, text, i));
        cr_assert(!program && diag->error_count > 0, "cut at %zu", i);
    }
    arena_destroy(arena);
}
