/* The verifier of the loop level: each promise of nest.h, broken once. */
#include <criterion/criterion.h>

#include "ir/nest_text.h"

/* A kernel of %x, %i and %y with `body`; `message` NULL: it is right. */
static void check(const char *body, const char *message)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    int count;
    const char *text =
        arena_print(arena, "kernel @k(%%x: f32[40], %%i: i32[4], out %%y: f32[40]) {\n%s\n}", body);
    Kernel **kernels = kernel_parse(arena, diag, "t", text, &count);
    cr_assert(kernels, "%s", diag->messages[0]);
    bool right = kernel_verify(kernels[0], diag);
    cr_assert_eq(right, message == NULL, "%s: %s", body, right ? "right" : diag->messages[0]);
    cr_assert_eq(right, diag_ok(diag));
    if (message)
        cr_assert_str_eq(diag->messages[0], arena_print(arena, "kernel @k%s", message));
    arena_destroy(arena);
}

Test(nest_verify, right)
{
    check("", NULL);
    check("for i = 0..10 step 4 { vector v = 0..8 { %y[4*i - v + 7] = %x[32 - 4*i + v] } }", NULL);
}

Test(nest_verify, offsets)
{
    check("for i = 0..40 { %y[i] = %x[39 - i] }", NULL);
    check("for i = 0..40 { %y[i + 4] = %x[i] }",
          " (i): offsets 4 to 43 lie outside of %y: f32[40]");
    check("for i = 0..40 { %y[i] = %x[i - 1] }",
          " (i): offsets -1 to 38 lie outside of %x: f32[40]");
    check("for i = 0..40 step 8 { vector v = 0..8 { %y[i + v] = 0 } }", NULL);
    check("for i = 0..41 step 8 { vector v = 0..8 { %y[i + v] = 0 } }",
          " (i, v): offsets 0 to 47 lie outside of %y: f32[40]");
    check("for i = 0..41 step 8 { vector v = 0..0 of 8 { %y[i + v] = 0 } }", NULL);
    check("for i = 0..3 { %y[i + 1*(%i[i])] = 0 }", NULL);
    check("for i = 0..5 { %y[(%i[i])] = 0 }", " (i): offsets 0 to 4 lie outside of %i: i32[4]");
    check("%y[(%x[0])] = 0", ": a dynamic offset in %y is f32, not i32 or i64");
    check("for i = 0..2 { %y[0] = cast:f32(index:i32(1099511627776*i)) }",
          " (i): an index from 0 to 1099511627776 does not fit i32");
}

Test(nest_verify, types)
{
    check("%y[0] = add(%x[0], 1:i32)", ": add has operands of different types");
    check("%y[0] = %i[0]", ": i32 is stored to %y of f32");
    check("%y[0] = cast:f32(exp(%i[0]))", ": exp of i32");
    check("%y[0] = bitcast:f32(%i[0])", NULL);
    check("%y[0] = cast:f32(bitcast:i64(%i[0]))", ": bitcast of i32 to i64");
    check("%y[0] = select(%i[0], %x[0], %x[0])", ": select of i32, not of bool");
    check("%y[0] = cast:f32(add(cast:f16(%x[0]), 1:f16))", ": add of f16");
    check("%y[0] = cast:f32(lt(cast:bf16(%x[0]), 1:bf16))", ": lt of bf16");
    check("%y[0] = cast:f32(select(lt(%x[0], 0), cast:f16(%x[0]), 1:f16))", NULL);
    check("local %t: f16[8] vector v = 0..8 { %t[v] = 0:f16 }\n"
          "%y[0] = cast:f32(lanes add v of 8 (%t[v]))",
          ": lanes of f16");
    check("local %t: f16[1] %t[0] += cast:f16(%x[0])", ": f16 can only be stored by =");
    check("%y[0] = cast:f32(and(%i[0], %i[0]))", NULL);
    check("%y[0] = and(%x[0], %x[0])", ": and of f32");
    check("%y[0] = cast:f32(shift_left(lt(%x[0], 0), 1:bool))", ": shift_left of bool");
    check("%y[0] = select(lt(%i[0], 1:i32), %x[0], 0)", NULL);
    check("let %t: f64 = %x[0]", ": let %t: f64 has a value of f32");
    check("%y[0] = random(0:i32, 0:i32, 0:i32, 1:i32, 0:i64)",
          ": random has operands of different types");
    check("%y[0] = cast:f32(2:bool)", ": a bool is 0 or 1, not 2");
    check("%y[0] = cast:f32(index:u8(3))", ": an index is u8, not i32 or i64");
}

Test(nest_verify, marks)
{
    check("%x[0] = 0", ": %x is written, but not marked so");
    check("%y[0] = %y[1]", ": %y is read, but not marked so");
    check("%y[0] += 1", ": %y is read, but not marked so");
}

Test(nest_verify, locals)
{
    check("local %l: f32[8] unroll r = 0..8 { %l[r] = 0 }", NULL);
    check("local %l: f32[8] for r = 0..8 { %l[r] = 0 }",
          " (r): the offset in local %l depends on r, which is not unrolled");
    check("local %l: f32[8] %l[(%i[0])] = 0", ": local %l has a dynamic offset");
    check("local %l: f32[8] unroll r = 0..9 { %l[r] = 0 }",
          " (r): offsets 0 to 8 lie outside of %l: f32[8]");
}

Test(nest_verify, vectors)
{
    check("vector v = 0..5 of 8 { let %t: f32 = %x[v] %y[v] = %t }", NULL);
    check("vector v = 0..8 of 4 { %y[v] = 0 }", ": vector v of 4 lanes has 8 iterations");
    check("vector v = 0..8 { %y[0] = 0 }", " (v): vector lanes of v all store to one place in %y");
    check("vector v = 0..8 { for i = 0..2 { %y[v] = 0 } }",
          ": vector v holds more than stores, lets and unravels");
    check("vector v = 1..8 { %y[v] = 0 }", ": vector v does not go from 0 by 1");
    check("%y[0] = lanes max v of 8 (%x[v])", NULL);
    check("%y[0] = lanes mul v of 8 (%x[v])", NULL);
    check("%y[0] = lanes sub v of 8 (%x[v])",
          ": lanes are joined by add, mul, max or min, not sub");
    check("%y[0] = lanes add v of 6 (%x[v])", ": 6 lanes are not a power of two");
    check("%y[0] = lanes add v of 8 (lanes add u of 4 (%x[v + u]))",
          " (v): lanes stand inside of a vector loop or of other lanes");
    check("for i = 0..2 step 0 { %y[i] = 0 }", ": loop i has step 0");
}

Test(nest_verify, transposes)
{
    check("local %l: f32[70] transpose %l by 8", NULL);
    check("local %l: f32[60] transpose %l by 8", ": transpose by 8 of %l: f32[60]");
    check("local %l: f32[60] transpose %l by 6", ": transpose by 6, which is no power of two");
    check("transpose %y by 4", ": transpose of %y, which is no local of this block");
    check("local %l: f32[4] vector v = 0..2 { transpose %l by 2 %l[v] = 0 }",
          ": vector v holds more than stores, lets and unravels");
}

Test(nest_verify, unravels)
{
    check("unroll u = 0..40 step 8 { vector v = 0..8 { unravel p, c = u + v by 5\n"
          "unravel q, d = p by 2 %y[10*q + 5*d + c] = %x[5*p - c + 4] } }",
          NULL);
    check("vector v = 0..8 { unravel p, c = v by 3 %y[15*p] = %x[c] }",
          NULL); /* that they differ is not proved */
    check("vector v = 0..8 { unravel p, c = v + 35 by 5 %y[5*p + c] = 0 }",
          " (v, p, c): offsets 35 to 44 lie outside of %y: f32[40]");
    check("vector v = 0..5 { unravel p, c = v + 35 by 5 %y[5*p + c] = 0 }", NULL);
    check("vector v = 0..8 { unravel p, c = 3 by 2 %y[p + c] = 0 }",
          " (v, p, c): vector lanes of v all store to one place in %y");
    check("vector v = 0..8 { unravel p, c = v by 0 %y[v] = 0 }", " (v): unravel p by 0");
    check("vector v = 0..8 { unravel p, c = v - 1 by 2 %y[v] = 0 }", " (v): unravel p of -1");
    check("for i = 0..8 { unravel p, c = i by 2 %y[2*p + c] = 0 }",
          " (i): unravel p of i, which is not unrolled");
    check("local %l: f32[8] vector v = 0..8 { unravel p, c = v by 2 %l[2*p + c] = 0 }",
          " (v, p, c): the offset in local %l depends on p, which is unravelled");
}

Test(nest_verify, parallel)
{
    check("parallel i = 0..5 { parallel j = 0..8 { %y[8*i + j] = 0 } } parallel i = 0..4 { }",
          NULL);
    check("parallel i = 0..5 { parallel j = 0..8 { %y[8*i] = 0 } }",
          " (i, j): parallel iterations of j all store to one place in %y");
    check("parallel i = 0..5 { parallel j = 0..1 { %y[8*i] = 0 } }", NULL);
    check("parallel i = 0..5 { parallel j = 0..8 { %y[8*i + j] = 0 } %y[i] = 0 }",
          " (i): parallel j has other statements beside it");
    check("for i = 0..5 { parallel j = 0..8 { %y[8*i + j] = 0 } }",
          " (i): parallel j stands inside of another loop or block");
    check("parallel i = 0..5 { %y[i] = 0 } %y[6] = 0",
          ": has other statements beside its parallel loops");
}

/* What text cannot say. */
Test(nest_verify, structures)
{
    Arena *arena = arena_create();
    Kernel kernel = {.name = "k"}, other = {.name = "other"};
    Buffer *y = kernel_argument(arena, &kernel, "y", TYPE_F32, 8);
    Buffer *x = kernel_argument(arena, &other, "x", TYPE_F32, 8);
    Var *i = kernel_var(arena, &kernel, "i");
    Expr *zero = expr_number(arena, TYPE_F32, 0);
    Temp temp = {.name = "t", .element = TYPE_F32};
    Buffer *local = nest_local(arena, "l", TYPE_F32, 8);
    Affine at_i = affine_var(arena, i, 1), at_0 = affine_number(0);
    Stmt *inner =
        stmt_loop(arena, LOOP_SERIAL, i, 0, 8, 1, stmt_store(arena, STORE_SET, y, at_i, zero));
    struct {
        Stmt *body;
        const char *message;
    } cases[] = {
        {stmt_store(arena, STORE_SET, y, at_i, zero),
         "kernel @k: variable i is used outside of its loop"},
        {stmt_store(arena, STORE_SET, x, at_0, zero),
         "kernel @k: %x is not a buffer of this kernel or block"},
        {stmt_store(arena, STORE_SET, local, at_0, zero),
         "kernel @k: %l is not a buffer of this kernel or block"},
        {stmt_store(arena, STORE_SET, y, at_0, expr_temp(arena, &temp)),
         "kernel @k: %t is used before or outside of its let"},
        {stmt_loop(arena, LOOP_SERIAL, i, 0, 8, 1, inner),
         "kernel @k (i): variable i is already that of a loop around"},
        {stmt_store(arena, STORE_SET, y, at_0,
                    expr_apply(arena, OP_matmul, TYPE_F32, 2, (Expr *[]){zero, zero})),
         "kernel @k: matmul is not element-wise"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        Diag *diag = diag_create(arena);
        kernel.body = cases[c].body;
        cr_assert_not(kernel_verify(&kernel, diag));
        cr_assert_str_eq(diag->messages[0], cases[c].message);
    }
    arena_destroy(arena);
}
