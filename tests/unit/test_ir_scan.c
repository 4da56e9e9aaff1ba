/* Scans: what their shape rules refuse, what the evaluator makes of them, copies of bodies. */
#include <criterion/criterion.h>

#include "ir/scan.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "tests/support/ir_text.h"

#define PARAMETERS "%h: f32[2], %x: f32[3,2], %w: f32[2]"
#define SCAN "scan %h, %x, %w carried=1 scanned=1 steps=3 reverse=0 "
#define SUM                                                                                        \
    "body=(%s: f32[2], %x: f32[2], %w: f32[2]) -> (f32[2], f32[2]) {\n"                            \
    "  %0: f32[2] = mul %x, %w\n  %1: f32[2] = add %s, %0\n  return %1, %0\n}"

static void refuses(const char *parameters, const char *operation, const char *message)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(operation_says(arena, parameters, operation), message);
    arena_destroy(arena);
}

Test(scan, a_body_must_fit)
{
    refuses(PARAMETERS, SCAN SUM, "scan gives tuple, not bool[0,0,7]");
    refuses("%h: f32[2], %x: f32[2,2], %w: f32[2]", SCAN SUM,
            "scan: input 1 is f32[2,2], but 3 steps need as many slices");
    refuses("%h: f32[2], %x: f32[], %w: f32[2]", SCAN SUM,
            "scan: input 1 is f32[], but 3 steps need as many slices");
    refuses("%h: f32[3], %x: f32[3,2], %w: f32[2]", SCAN SUM,
            "scan: parameter %s of its body is f32[2], but input 0 gives f32[3]");
    refuses(PARAMETERS, "scan %h, %x carried=1 scanned=1 steps=3 reverse=0 " SUM,
            "scan: its body has 3 parameters for 2 inputs");
    refuses(PARAMETERS, "scan %h, %x, %w carried=2 scanned=2 steps=3 reverse=0 " SUM,
            "scan: carried=2 and scanned=2 do not fit 3 inputs");
    refuses(PARAMETERS, "scan %h, %x, %w carried=-1 scanned=1 steps=3 reverse=0 " SUM,
            "scan: carried=-1 and scanned=1 do not fit 3 inputs");
    refuses(PARAMETERS, "scan %h, %x, %w carried=1 scanned=1 steps=0 reverse=0 " SUM,
            "scan: 0 steps are none");
    refuses(PARAMETERS, "scan %h, %x, %w carried=1 scanned=1 steps=3 reverse=2 " SUM,
            "scan: reverse=2 is neither 0 nor 1");
    refuses("%h: f32[2]",
            "scan %h carried=1 scanned=0 steps=3 reverse=0 "
            "body=(%s: f32[2]) -> () {\n return }",
            "scan: its body has 0 results for 1 carried values");
    refuses("%h: f32[2]",
            "scan %h carried=1 scanned=0 steps=3 reverse=0 "
            "body=(%s: f32[2]) -> bool[2] {\n %0: bool[2] = lt %s, %s\n return %0 }",
            "scan: result 0 of its body is bool[2], but what it carries on is f32[2]");
    refuses("%h: f32[1,1,1,1,1,1,1,1]",
            "scan %h carried=0 scanned=0 steps=3 reverse=0 body=(%s: f32[1,1,1,1,1,1,1,1]) -> "
            "f32[1,1,1,1,1,1,1,1] {\n return %s }",
            "scan: result 0 of its body has too many axes to be stacked");
    refuses("%h: f32[1048576]",
            "scan %h carried=0 scanned=0 steps=1048577 reverse=0 body=(%s: f32[1048576]) -> "
            "f32[1048576] {\n return %s }",
            "scan: f32[1048577,1048576] is too large: a tensor has at most 1099511627776 elements");
    refuses(PARAMETERS, "result %h index=0", "result: f32[2] is not several values");
}

/* What a program of one function whose last lines are `lines` says. */
static const char *program_says(Arena *arena, const char *lines)
{
    Diag *diag = diag_create(arena);
    const char *head = "program @t {\n  state %q: f32[2]\n  fn @f(" PARAMETERS
                       ") -> () {\n    %0: tuple = " SCAN SUM "\n";
    graph_parse(arena, diag, "t", arena_print(arena, "%s%s  }\n}\n", head, lines));
    return diag_text(arena, diag);
}

Test(scan, a_tuple_is_taken_apart)
{
    Arena *arena = arena_create();
    cr_expect_str_eq(program_says(arena, "    return\n"), "");
    cr_expect_str_eq(program_says(arena, "%1: f32[2] = result %0 index=2\n return\n"),
                     "t:9:14: result: there is no result 2 of 2");
    cr_expect_str_eq(program_says(arena, "%1: f32[2] = neg %0\n return\n"),
                     "t:9:14: neg: input 0 is a tuple; take one of its values by `result`");
    cr_expect_str_eq(program_says(arena, "%1: f32[2] = result %0 index=1\n return\n"),
                     "t:9:14: result gives f32[3,2], not f32[2]");
    arena_destroy(arena);
}

/* The only error of a program whose body has these lines. */
static const char *body_says(Arena *arena, const char *lines)
{
    Diag *diag = diag_create(arena);
    graph_parse(arena, diag, "t",
                arena_print(arena,
                            "program @t {\n  state %%q: f32[2]\n  fn @f(%%h: f32[2]) -> () {\n"
                            "    %%0: tuple = scan %%h carried=1 scanned=0 steps=3 reverse=0\n"
                            "      body=(%%s: f32[2]) -> f32[2] {\n%s}\n    return\n  }\n}\n",
                            lines));
    return diag_text(arena, diag);
}

Test(scan, a_body_is_closed)
{
    Arena *arena = arena_create();
    cr_expect_str_eq(body_says(arena, "return %s "), "");
    cr_expect_str_eq(body_says(arena, "return %h "),
                     "t:6:8: there is no value %h, did you mean \"s\"?");
    cr_expect_str_eq(
        body_says(arena, "%0: f32[2] = state of=%q return %0 "),
        "@body, node 1: state \"q\" is read in a body; it must be an input of the scan");
    cr_expect_str_eq(body_says(arena, "update %q <- %s return %s "),
                     "@f, node 1: the body of scan updates a state");
    cr_expect_str_eq(body_says(arena, "%0: f32[2] = add %s, %t return %0 "),
                     "t:6:22: there is no value %t, did you mean \"s\"?");
    cr_expect_str_eq(body_says(arena, "return %s, %s "),
                     "t:6:7: 2 results where the function has 1");
    arena_destroy(arena);
}

Test(scan, bodies_are_not_bottomless)
{
    Arena *arena = arena_create();
    const char *text = "return %s ";
    for (int depth = 1; depth <= SCAN_DEPTH_LIMIT; depth++) {
        cr_expect_str_eq(body_says(arena, text), "", "%d deep", depth);
        text = arena_print(arena,
                           "%%0: tuple = scan %%s carried=1 scanned=0 steps=1 reverse=0 body=(%%s: "
                           "f32[2]) -> f32[2] { %s } %%1: f32[2] = result %%0 index=0 return %%1 ",
                           text);
    }
    cr_expect(strstr(body_says(arena, text), "bodies lie more than 8 deep in bodies"));
    arena_destroy(arena);
}

Test(scan, bodies_that_are_built_are_not_bottomless_either)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Program *program = program_create(arena, diag, "deep");
    int64_t length = 2;
    Function *inner = NULL;
    for (int depth = 0; depth <= SCAN_DEPTH_LIMIT + 1; depth++) {
        Function *f = body_create(program);
        Node *x = graph_input(f, "x", type_make(TYPE_F32, 1, &length));
        Node *scan = inner ? graph_scan(f, inner, 1, 0, 1, false, &x) : NULL;
        cr_expect_eq(scan != NULL, depth > 0 && depth <= SCAN_DEPTH_LIMIT, "%d deep", depth);
        function_add_result(f, NULL, scan ? graph_result(f, scan, 0) : x);
        inner = f;
    }
    cr_expect_eq(diag->error_count, 1);
    cr_expect(strstr(diag->messages[0], "scan: bodies lie more than 8 deep in bodies"));
    arena_destroy(arena);
}

static void gives(const char *body, const char *values)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(body_gives(arena, EVALUATE_F32, body), values);
    arena_destroy(arena);
}

#define TWO                                                                                        \
    "%x: f32[3,2] = constant value=[1,2,3,4,5,6] %h: f32[2] = constant value=[100,200] "           \
    "%w: f32[2] = constant value=[1,10] "

Test(scan, steps_one_after_another)
{
    gives(TWO "%t: tuple = scan %h, %x, %w carried=1 scanned=1 steps=3 reverse=0 " SUM
              "%r: f32[2] = result %t index=0",
          "109 320");
    gives(TWO "%t: tuple = scan %h, %x, %w carried=1 scanned=1 steps=3 reverse=1 " SUM
              "%r: f32[3,2] = result %t index=1",
          "1 20 3 40 5 60");
}

/* h ← 2h + x shows the order; its stack belongs to the slices. */
#define DOUBLE                                                                                     \
    "body=(%s: i32[], %x: i32[]) -> (i32[], i32[]) { %2: i32[] = add %s, %s "                      \
    "%3: i32[] = add %2, %x return %3, %3 }"
#define DIGITS "%x: i32[4] = constant value=[1,0,1,1] %h: i32[] = constant value=[0] "

Test(scan, forwards_and_backwards)
{
    gives(DIGITS "%t: tuple = scan %h, %x carried=1 scanned=1 steps=4 reverse=0 " DOUBLE
                 "%r: i32[4] = result %t index=1",
          "1 2 5 11");
    gives(DIGITS "%t: tuple = scan %h, %x carried=1 scanned=1 steps=4 reverse=1 " DOUBLE
                 "%r: i32[4] = result %t index=1",
          "13 6 3 1");
    gives(DIGITS "%t: tuple = scan %h, %x carried=1 scanned=1 steps=4 reverse=1 " DOUBLE
                 "%r: i32[] = result %t index=0",
          "13");
}

/* Carried values take effect together: Fibonacci by swapping. */
Test(scan, carried_values_change_together)
{
    gives("%a: i32[] = constant value=[0] %b: i32[] = constant value=[1] "
          "%t: tuple = scan %a, %b carried=2 scanned=0 steps=10 reverse=0 "
          "body=(%a: i32[], %b: i32[]) -> (i32[], i32[], i32[]) "
          "{ %0: i32[] = add %a, %b return %b, %0, %a } %r: i32[10] = result %t index=2",
          "0 1 1 2 3 5 8 13 21 34");
    gives("%a: i32[] = constant value=[0] %b: i32[] = constant value=[1] "
          "%t: tuple = scan %a, %b carried=2 scanned=0 steps=10 reverse=0 "
          "body=(%b: i32[], %a: i32[]) -> (i32[], i32[], i32[]) "
          "{ %0: i32[] = add %a, %b return %0, %b, %b } %r: i32[10] = result %t index=2",
          "0 1 1 2 3 5 8 13 21 34");
}

/* A scan in a scan: x³ by adding up, for each x. */
Test(scan, nested)
{
    gives("%x: f32[3] = constant value=[1,2,3] %z: f32[] = constant value=[0] "
          "%t: tuple = scan %x, %z carried=0 scanned=1 steps=3 reverse=0 "
          "body=(%x: f32[], %z: f32[]) -> f32[] { %0: f32[] = mul %x, %x %1: tuple = scan %z, %0, "
          "%x carried=1 scanned=0 steps=2 reverse=0 body=(%s: f32[], %a: f32[], %b: f32[]) -> "
          "f32[] { %0: f32[] = mul %a, %b %1: f32[] = add %s, %0 return %1 } "
          "%2: f32[] = result %1 index=0 return %2 } %r: f32[3] = result %t index=0",
          "2 16 54");
}

Test(scan, precision_reaches_the_body)
{
    const char *body =
        "%x: f32[2] = constant value=[1e-10,1] %z: f32[] = constant value=[1] "
        "%t: tuple = scan %z, %x carried=1 scanned=1 steps=2 reverse=0 body=(%s: f32[], %x: f32[]) "
        "-> (f32[], f32[]) { %0: f32[] = add %s, %x %1: f32[] = sub %0, %s return %0, %1 } "
        "%r: f32[2] = result %t index=1";
    Arena *arena = arena_create();
    cr_assert_str_eq(body_gives(arena, EVALUATE_F32, body), "0 1");
    cr_assert_str_eq(body_gives(arena, EVALUATE_F64, body), "1e-10 1");
    arena_destroy(arena);
}

Test(scan, a_copied_body_is_another)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Program *program = graph_parse(
        arena, diag, "t",
        "program @t {\n  fn @f(" PARAMETERS ") -> f32[2] {\n    %0: tuple = scan %h, %x, %w "
        "carried=1 scanned=1 steps=3 reverse=0 " SUM "\n    %1: f32[2] = result %0 index=0\n"
        "    return %1\n  }\n}\n");
    cr_assert(program, "%s", diag_text(arena, diag));
    Node *scan = program->functions[0]->nodes[3];
    cr_assert_eq(scan->op, OP_scan);
    Text text = text_create(arena), again = text_create(arena);
    graph_print(program, &text);
    Function *body = scan->attr.body;
    scan->attr.body = body_copy(program, body);
    cr_assert(scan->attr.body != body && scan->attr.body->nodes[3] != body->nodes[3]);
    cr_assert(graph_verify(program, diag), "%s", diag_text(arena, diag));
    graph_print(program, &again);
    cr_assert_str_eq(text.data, again.data);
    arena_destroy(arena);
}
