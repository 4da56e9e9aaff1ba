/* The text of the loop level: what is printed reads back as the same kernel, and what is wrong is
 * reported with line and column. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/nest_text.h"

static const char *print(Arena *arena, Kernel *const *kernels, int count)
{
    Text text = text_create(arena);
    for (int i = 0; i < count; i++)
        kernel_print(kernels[i], &text);
    return text.data;
}

static Kernel **parse(Arena *arena, const char *text, int *count)
{
    Diag *diag = diag_create(arena);
    Kernel **kernels = kernel_parse(arena, diag, "test.nest", text, count);
    cr_assert(kernels, "%s", diag->messages[0]);
    return kernels;
}

/* `text` is already as it is printed. */
static void check_same(const char *text)
{
    Arena *arena = arena_create();
    int count;
    Kernel **kernels = parse(arena, text, &count);
    cr_assert_str_eq(print(arena, kernels, count), text);
    Diag *diag = diag_create(arena);
    for (int i = 0; i < count; i++)
        cr_assert(kernel_verify(kernels[i], diag), "%s", diag->messages[0]);
    arena_destroy(arena);
}

static void check_error(const char *text, const char *message)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    int count;
    cr_assert_null(kernel_parse(arena, diag, "test.nest", text, &count));
    cr_assert_eq(diag->error_count, 1);
    cr_assert_str_eq(diag->messages[0], message);
    arena_destroy(arena);
}

Test(nest_text, matmul)
{
    check_same(
        "kernel @matmul_add_max(%x: f32[50176], %w: f32[401408], %b: f32[512], out %y: f32[32768]) "
        "multiply_adds=25690112 steps=32768 {\n"
        "  scratch %panel: f32[12544]\n"
        "  parallel j = 0..512 step 16 {\n"
        "    for k = 0..784 { unroll u = 0..16 step 8 { vector v = 0..8 {\n"
        "      %panel[16*k + u + v] = %w[j + 512*k + u + v] } } }\n"
        "    for i = 0..60 step 6 {\n"
        "      local %acc: f32[96]\n"
        "      unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 { "
        "%acc[16*r + u + v] = 0 } } }\n"
        "      for k = 0..784 { unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 {\n"
        "        %acc[16*r + u + v] += mul(%x[784*i + k + 784*r], %panel[16*k + u + v]) } } } }\n"
        "      unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 {\n"
        "        %y[j + 512*i + 512*r + u + v] = max(add(%acc[16*r + u + v], %b[j + u + v]), 0) } "
        "} "
        "}\n"
        "    }\n"
        "  }\n"
        "}\n");
}

Test(nest_text, every_form)
{
    check_same("kernel @forms(%x: f32[64], %rows: i32[4], inout %y: f32[64]) may_alias ordered {\n"
               "  for i = 0..4 {\n"
               "    let %row: i64 = cast:i64(%rows[i])\n"
               "    let %sum: f32 = lanes add v of 8 (%x[8*i + v])\n"
               "    %y[3 - 16*(%row)] += mul(%sum, select(lt(%sum, 0), -1.5, inf))\n"
               "    %y[i] *= 2\n"
               "    %y[i] max= random(0:i32, 1:i32, 2:i32, 7:i32, index:i32(3*i + 1))\n"
               "    %y[i] min= cast:f32(add(0.1:f64, 3:f64))\n"
               "    vector v = 0..5 of 8 {\n"
               "      let %t: bool = and(not(1:bool), ne(%x[v], nan))\n"
               "      %y[i + v + (index:i64(4*i - 3))] = select(%t, 0.1, 1.4013e-45)\n"
               "    }\n"
               "  }\n"
               "  for i = -3..1 step 2 { %y[i + 3] = -0 }\n"
               "  unroll u = 0..32 step 8 {\n"
               "    fetch %x[u]\n"
               "    local %t: f32[16]\n"
               "    transpose %t by 4\n"
               "    vector v = 0..8 {\n"
               "      unravel p, c = u + v + 2 by 6\n"
               "      unravel p1, c1 = p by 2\n"
               "      %y[10*p + c] = %x[p1 + 2*c1]\n"
               "    }\n"
               "  }\n"
               "}\n"
               "kernel @empty(out %y: f32[0]) {\n"
               "  for i = 0..0 {\n"
               "  }\n"
               "}\n");
}

/* Rounded, cut off and brought into range where they are read. */
Test(nest_text, numbers_of_every_type)
{
    check_same(
        "kernel @numbers(out %y: f16[4], out %z: bf16[2], out %u: u64[2], out %s: i16[2]) {\n"
        "  %y[0] = 0.0999756:f16\n"
        "  %y[1] = 65504:f16\n"
        "  %y[2] = inf:f16\n"
        "  %y[3] = 5.96046e-08:f16\n"
        "  %z[0] = 0.100098:bf16\n"
        "  %z[1] = nan:bf16\n"
        "  %u[0] = 18446744073709551616:u64\n"
        "  %u[1] = 9007199254740992:u64\n"
        "  %s[0] = -32768:i16\n"
        "  %s[1] = 32767:i16\n"
        "}\n");
    Arena *arena = arena_create();
    int count;
    Kernel **kernels = parse(arena,
                             "kernel @k(out %y: f16[2], out %s: u16[2]) {\n"
                             "  %y[0] = 0.1:f16 %y[1] = -1e9:f16 %s[0] = -1:u16 %s[1] = "
                             "70000.5:u16 }",
                             &count);
    cr_assert_str_eq(print(arena, kernels, count), "kernel @k(out %y: f16[2], out %s: u16[2]) {\n"
                                                   "  %y[0] = 0.0999756:f16\n"
                                                   "  %y[1] = -inf:f16\n"
                                                   "  %s[0] = 0:u16\n"
                                                   "  %s[1] = 65535:u16\n"
                                                   "}\n");
    arena_destroy(arena);
}

Test(nest_text, comments_and_spaces)
{
    Arena *arena = arena_create();
    int count;
    Kernel **kernels = parse(arena,
                             "# a kernel\nkernel @k(out %y:f32[8]){for i=0..8{%y[ 2*i-i+0 ]=1#x\n}}"
                             "\n\nkernel @l(){}# end",
                             &count);
    cr_assert_eq(count, 2);
    cr_assert_str_eq(print(arena, kernels, 1),
                     "kernel @k(out %y: f32[8]) {\n  for i = 0..8 { %y[i] = 1 }\n}\n");
    arena_destroy(arena);
}

/* Two things of one name in scope: the inner one gets a number, whatever the ids of variables say.
 */
Test(nest_text, names)
{
    Arena *arena = arena_create();
    Kernel kernel = {.name = "names-2"};
    Var *inner = kernel_var(arena, &kernel, "i"), *outer = kernel_var(arena, &kernel, "i");
    Buffer *first = kernel_argument(arena, &kernel, "layers.0.w", TYPE_F32, 64);
    Buffer *second = kernel_argument(arena, &kernel, "layers.0.w", TYPE_F32, 64);
    Affine at = affine_add(arena, affine_var(arena, inner, 1), affine_var(arena, outer, 8));
    Stmt *store = stmt_store(arena, STORE_SET, second, at, expr_load(arena, first, at));
    Stmt *loop = stmt_loop(arena, LOOP_UNROLL, inner, 0, 8, 1, store);
    kernel.body = stmt_loop(arena, LOOP_SERIAL, outer, 0, 8, 1, loop);
    Kernel *list[] = {&kernel};
    const char *text = print(arena, list, 1);
    cr_assert_str_eq(text, "kernel @names_2(%layers.0.w: f32[64], out %layers.0.w1: f32[64]) {\n"
                           "  for i = 0..8 { unroll i1 = 0..8 { "
                           "%layers.0.w1[8*i + i1] = %layers.0.w[8*i + i1] } }\n"
                           "}\n");
    int count;
    cr_assert_str_eq(print(arena, parse(arena, text, &count), 1), text);
    arena_destroy(arena);
}

/* Every f32 comes back to the bit. */
Test(nest_text, numbers)
{
    Arena *arena = arena_create();
    uint32_t bits = 1;
    for (int i = 0; i < 2000; i++) {
        float number, back;
        bits = bits * 1664525u + 1013904223u;
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number))
            continue;
        Kernel kernel = {.name = "k"};
        Buffer *y = kernel_argument(arena, &kernel, "y", TYPE_F32, 1);
        kernel.body = stmt_store(arena, STORE_SET, y, affine_number(0),
                                 expr_number(arena, TYPE_F32, (double)number));
        Kernel *list[] = {&kernel};
        int count;
        back = (float)parse(arena, print(arena, list, 1), &count)[0]->body->value->number;
        cr_assert_eq(memcmp(&number, &back, sizeof back), 0, "%a became %a", (double)number,
                     (double)back);
    }
    arena_destroy(arena);
}

Test(nest_text, affine)
{
    Arena *arena = arena_create();
    Kernel kernel = {.name = "k"};
    Var *i = kernel_var(arena, &kernel, "i"), *j = kernel_var(arena, &kernel, "j");
    Affine a = affine_add(arena, affine_var(arena, j, 3), affine_var(arena, i, 16));
    cr_assert_eq(a.count, 2);
    cr_assert_eq(a.terms[0].var, i);
    Affine b = affine_add(arena, a, affine_scale(arena, affine_var(arena, j, 1), -3));
    cr_assert(affine_equal(b, affine_var(arena, i, 16)));
    Affine by = affine_add(arena, affine_var(arena, j, 1), affine_number(2));
    Affine c = affine_replace(arena, a, i, by); /* 16*(j + 2) + 3*j */
    cr_assert_eq(affine_factor(c, j), 19);
    cr_assert_eq(c.constant, 32);
    cr_assert_eq(affine_factor(c, i), 0);
    cr_assert_not(affine_equal(a, c));
    arena_destroy(arena);
}

Test(nest_text, errors)
{
    check_error("kernel @a(%x: f33[4]) {}",
                "test.nest:1:15: unknown element type \"f33\", did you mean \"f32\"?");
    check_error("kernel @b(out %y: f32[4]) {\n  for i = 0..4 { %y[j] = 0 }\n}\n",
                "test.nest:2:21: unknown loop variable \"j\", did you mean \"i\"?");
    check_error("kernel @c(out %y: f32[4]) { fro i = 0..4 {} }",
                "test.nest:1:29: unknown statement \"fro\", did you mean \"for\"?");
    check_error("kernel @d(out %y: f32[4]) { %y[0] = epx(1) }",
                "test.nest:1:37: unknown element-wise operation \"epx\", did you mean \"exp\"?");
    check_error("kernel @e(out %y: f32[4]) { %y[0] = add(1) }",
                "test.nest:1:37: add takes 2 operands, not 1");
    check_error("kernel @f(out %out: f32[4]) { %oat[0] = 1 }",
                "test.nest:1:31: unknown name \"oat\", did you mean \"out\"?");
    check_error(
        "kernel @g(out %y: f32[4]) { %y[0] 1 }",
        "test.nest:1:35: expected \"=\", \"+=\", \"max=\", \"min=\" or \"*=\" instead of \"1\"");
    check_error("kernel @h(out %y: f32[4]) { %y[0] = 1",
                "test.nest:1:38: expected a statement instead of the end of the text");
    check_error("kernel @j(out %y: f32[4]) { unravel p, c = 1*(index:i32(0)) by 2 }",
                "test.nest:1:37: an offset known ahead is needed to unravel");
    check_error("kernel @k(out %y: f32[4]) { fetch %y[1*(index:i32(0))] }",
                "test.nest:1:35: an offset known ahead is needed to fetch");
    check_error("kernel @i(out %y: f32[99999999999999]) {}",
                "test.nest:1:23: this number is too large");
    check_error("", "test.nest:1:1: expected \"kernel\" instead of the end of the text");
}

Test(nest_text, several_errors)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    int count;
    cr_assert_null(kernel_parse(arena, diag, "t",
                                "kernel @a(x) {}\nkernel @b() {}\nkernel @c() { x }\n", &count));
    cr_assert_eq(diag->error_count, 2);
    cr_assert_str_eq(diag->messages[0], "t:1:11: expected a %name instead of \"x\"");
    cr_assert_str_eq(diag->messages[1], "t:3:15: unknown statement \"x\"");
    arena_destroy(arena);
}

/* Deep nesting is refused, not a crash. */
Test(nest_text, deep)
{
    Arena *arena = arena_create();
    Text text = text_create(arena);
    text_add(&text, "kernel @deep(out %y: f32[1]) { %y[0] = ");
    for (int i = 0; i < 100000; i++)
        text_add(&text, "neg(");
    Diag *diag = diag_create(arena);
    int count;
    cr_assert_null(kernel_parse(arena, diag, "t", text.data, &count));
    cr_assert(strstr(diag->messages[0], "nested more than 200 levels deep"));
    arena_destroy(arena);
}
