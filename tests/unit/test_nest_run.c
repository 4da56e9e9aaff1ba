/* The interpreter of kernels does what nest.h says, and notices what it forbids. */
#include <criterion/criterion.h>
#include <math.h>

#include "ir/nest_text.h"
#include "tests/support/nest_run.h"

static Kernel *parse(Arena *arena, const char *text)
{
    Diag *diag = diag_create(arena);
    int count;
    Kernel **kernels = kernel_parse(arena, diag, "t", text, &count);
    cr_assert(kernels, "%s", diag->messages[0]);
    cr_assert(kernel_verify(kernels[0], diag), "%s", diag->messages[0]);
    return kernels[0];
}

static void check_refused(const char *text, const char *message)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    int32_t in[8] = {0, 1, 2, 3, 9, -1, 0, 0};
    float out[8] = {0};
    void *arguments[] = {in, out};
    cr_assert_not(nest_run(parse(arena, text), diag, arguments, 0, 1));
    cr_assert_eq(diag->error_count, 1);
    cr_assert_str_eq(diag->messages[0], message);
    arena_destroy(arena);
}

/* A register block with a packed panel and remainders, for each number of members. */
Test(nest_run, matmul)
{
    enum { M = 5, K = 7, N = 16 };
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Kernel *kernel =
        parse(arena, "kernel @matmul(%x: f32[35], %w: f32[112], %b: f32[16], out %y: f32[80]) {\n"
                     "  scratch %panel: f32[56]\n"
                     "  parallel j = 0..16 step 8 {\n"
                     "    for k = 0..7 { vector v = 0..8 { %panel[8*k + v] = %w[16*k + j + v] } }\n"
                     "    for i = 0..4 step 2 {\n"
                     "      local %acc: f32[16]\n"
                     "      unroll r = 0..2 { vector v = 0..8 { %acc[8*r + v] = 0 } }\n"
                     "      for k = 0..7 { unroll r = 0..2 { vector v = 0..8 {\n"
                     "        %acc[8*r + v] += mul(%x[7*i + 7*r + k], %panel[8*k + v]) } } }\n"
                     "      unroll r = 0..2 { vector v = 0..8 {\n"
                     "        let %t: f32 = add(%acc[8*r + v], %b[j + v])\n"
                     "        %y[16*i + 16*r + j + v] = max(%t, 0) } }\n"
                     "    }\n"
                     "    for c = 0..8 {\n"
                     "      local %sum: f32[1]\n"
                     "      %sum[0] = %b[j + c]\n"
                     "      for k = 0..7 { %sum[0] += mul(%x[28 + k], %w[16*k + j + c]) }\n"
                     "      %y[64 + j + c] = max(%sum[0], 0)\n"
                     "    }\n"
                     "  }\n"
                     "}\n");
    float x[M * K], w[K * N], b[N], y[M * N];
    for (int i = 0; i < M * K; i++)
        x[i] = (float)(i % 5) - 2;
    for (int i = 0; i < K * N; i++)
        w[i] = (float)(i % 7) - 3;
    for (int i = 0; i < N; i++)
        b[i] = (float)i / 4;
    for (int members = 1; members <= 3; members++) {
        void *arguments[] = {x, w, b, y};
        for (int i = 0; i < M * N; i++)
            y[i] = -7;
        cr_assert(nest_run_team(kernel, diag, arguments, members), "%s", diag->messages[0]);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                float sum = b[j];
                for (int k = 0; k < K; k++)
                    sum += x[i * K + k] * w[k * N + j];
                cr_assert_eq(y[i * N + j], fmaxf(sum, 0));
            }
    }
    arena_destroy(arena);
}

/* Lanes are halved: (l0+l4)+(l2+l6) + (l1+l5)+(l3+l7), and all values of a vector come before its
 * stores. */
Test(nest_run, lanes)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    float x[8] = {1e8f, 1, 2, 3, -1e8f, 4, 5, 6}, y[8] = {0};
    void *arguments[] = {x, y};
    cr_assert(nest_run(parse(arena, "kernel @k(inout %x: f32[8], out %y: f32[8]) {\n"
                                    "  %y[0] = lanes add v of 8 (%x[v])\n"
                                    "  vector v = 0..7 of 8 { %x[v] = %x[v + 1] }\n"
                                    "}\n"),
                       diag, arguments, 0, 1));
    cr_assert_eq(y[0], 21);
    cr_assert_eq(x[0], 1);
    cr_assert_eq(x[6], 6);
    arena_destroy(arena);
}

Test(nest_run, integers_and_gather)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    int32_t rows[4] = {3, 0, -5, 99};
    int8_t out[4];
    float table[4] = {0.5f, -3.7f, 200, 1e9f}, picked[4];
    void *arguments[] = {rows, table, picked, out};
    cr_assert(
        nest_run(parse(arena, "kernel @k(%rows: i32[4], %table: f32[4], inout %picked: f32[4], "
                              "out %out: i8[4]) {\n"
                              "  for i = 0..4 {\n"
                              "    let %row: i32 = max(min(%rows[i], 3:i32), 0:i32)\n"
                              "    %picked[i] = %table[(%row)]\n"
                              "    %picked[i] += select(eq(%row, index:i32(i)), 1, 0)\n"
                              "    %out[i] = cast:i8(%table[i])\n"
                              "  }\n"
                              "}\n"),
                 diag, arguments, 0, 1));
    cr_assert_eq(picked[0], 1e9f);
    cr_assert_eq(picked[1], 0.5f);
    cr_assert_eq(picked[3], 1e9f);
    cr_assert_eq(out[1], -3);
    cr_assert_eq(out[2], 127);
    arena_destroy(arena);
}

Test(nest_run, refuses)
{
    check_refused("kernel @k(%x: i32[8], out %y: f32[8]) { for i = 0..8 { %y[(%x[i])] = 1 } }",
                  "k: stores outside: %y[9] of 8");
    check_refused("kernel @k(%x: i32[8], out %y: f32[8]) {\n"
                  "  for i = 0..8 { %y[i] = cast:f32(%x[(%x[i])]) } }",
                  "k: reads outside: %x[9] of 8");
    check_refused("kernel @k(%x: i32[8], out %y: f32[8]) { local %l: f32[2] %y[0] = %l[1] }",
                  "k: reads before any store: %l[1] of 2");
    check_refused("kernel @k(%x: i32[8], out %y: f32[8]) {\n"
                  "  parallel i = 0..8 { for j = 0..2 { %y[i + j - 1*(index:i32(j))] = 0 } }\n"
                  "  parallel i = 0..7 { %y[i + 1] = 0 } }",
                  "k: stores where another iteration reads or stores: %y[1] of 8");
    check_refused("kernel @k(%x: i32[8], inout %y: f32[8]) {\n"
                  "  parallel i = 0..7 { %y[i] = %y[i + 1] } }",
                  "k: stores where another iteration reads or stores: %y[1] of 8");
}
