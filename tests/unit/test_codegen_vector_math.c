/* The functions of real numbers against libm: how many units in the last place the result is off.
 *
 * By default every 4099th of the 2^32 floats is tried on this machine and fewer under qemu; with
 * INGOT_EXHAUSTIVE=1 all of them are, on as many threads as there are processors, and the worst
 * case of each function is printed: that is where the numbers of docs/vector-math.md come from.
 * INGOT_EXHAUSTIVE=tanh tries that function alone.
 *
 * Denormals may be flushed on the way in, out and in between, so errors as small as they are do not
 * count. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/nest_text.h"
#include "tests/support/compiled_kernel.h"

enum { BLOCK = 1 << 16, THREADS_LIMIT = 64 };

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double rsqrt(double x)
{
    return 1 / sqrt(x);
}
static double sign(double x)
{
    return (x > 0) - (x < 0);
}

typedef struct FunctionCase {
    const char *name;
    double (*reference)(double x);
    double fused, plain; /* allowed ULP with and without fused multiply-add */
} FunctionCase;

static const FunctionCase function_cases[] = {
    {"exp", exp, 1.1, 1.1},
    {"expm1", expm1, 1.8, 1.9},
    {"log", log, 1.0, 1.1},
    {"log1p", log1p, 1.1, 1.2},
    {"tanh", tanh, 2.5, 2.6},
    {"sigmoid", sigmoid, 2.6, 2.6},
    {"erf", erf, 5.8, 7.4},
    {"sin", sin, 1.6, 2.5},
    {"cos", cos, 1.6, 2.5},
    {"atan", atan, 1.3, 1.4},
    {"sqrt", sqrt, 0.5001, 0.5001},
    {"rsqrt", rsqrt, 1.5, 1.5},
    {"floor", floor, 0, 0},
    {"ceil", ceil, 0, 0},
    {"round", rint, 0, 0},
    {"sign", sign, 0, 0},
    {"abs", fabs, 0, 0},
};

enum { FUNCTION_CASES = (int)(sizeof function_cases / sizeof function_cases[0]) };

/* One kernel for each function, over BLOCK numbers, half of them a vector at a time and half two
 * abreast; index as in function_cases. */
static CompiledKernels *compile_functions(Arena *arena, const Target *target, int block)
{
    Text text = text_create(arena);
    int lanes = target_lanes(target), count;
    for (int i = 0; i < FUNCTION_CASES; i++) {
        text_print(&text, "kernel @%s(%%x: f32[%d], out %%y: f32[%d]) {\n", function_cases[i].name,
                   block, block);
        for (int half = 0; half < 2; half++)
            text_print(&text,
                       "  for i = %d..%d step %d { vector v = 0..%d { "
                       "%%y[i + v] = %s(%%x[i + v]) } }\n",
                       half * block / 2, (half + 1) * block / 2, lanes << half, lanes << half,
                       function_cases[i].name);
        text_add(&text, "}\n");
    }
    Kernel **kernels = kernel_parse(arena, diag_create(arena), "test", text.data, &count);
    cr_assert(kernels && count == FUNCTION_CASES);
    return compiled_kernels_create(arena, target, kernels, count);
}

/* Comparing */

static double ulp_of(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* ULP between a float and what it should be; infinity when it is plainly wrong. */
static double ulps(float got, double wanted)
{
    if (isnan(wanted) || isnan(got))
        return isnan(wanted) && isnan(got) ? 0 : INFINITY;
    if (fabs((double)got - wanted) <= (double)FLT_MIN) /* something on the way was flushed */
        return fabs(wanted) < 0x1p-100 ? 0 : fabs((double)got - wanted) / ulp_of(wanted);
    if (fabs(wanted) >= 0x1.ffffffp127) /* rounds to infinity */
        return isinf(got) && (got > 0) == (wanted > 0)
                   ? 0
                   : ulps(got, copysign((double)FLT_MAX, wanted)) + 1;
    double value = isinf(got) ? copysign(0x1p128, (double)got) : (double)got;
    return fabs(value - wanted) / ulp_of(wanted);
}

static double error_at(const FunctionCase *function, float x, float y)
{
    double wanted = function->reference((double)x);
    if ((double)y == wanted && x != 0)
        return 0;
    double error = ulps(y, wanted);
    if (x == 0 && wanted == 0 && strcmp(function->name, "sign") != 0 &&
        !signbit(y) != !signbit(wanted))
        return INFINITY;                           /* the sign of 0 counts */
    if (error > 0 && x != 0 && fabsf(x) < FLT_MIN) /* taken as 0 */
        error = fmin(error, ulps(y, function->reference(copysign(0, (double)x))));
    return error;
}

typedef struct Worst {
    double error;
    float x, y;
} Worst;

static float float_of_bits(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float x;
    memcpy(&x, &low, sizeof x);
    return x;
}

/* Tries the floats whose bits are first, first + stride, …; BLOCK of them, less at the end of all.
 */
static void try_block(CompiledKernels *compiled, int index, uint64_t first, uint64_t stride,
                      int block, float *x, float *y, Worst *worst)
{
    for (int i = 0; i < block; i++)
        x[i] = float_of_bits(first + stride * (uint64_t)i);
    void *arguments[2] = {x, y};
    compiled_kernels_run(compiled, index, arguments, 1);
    for (int i = 0; i < block; i++) {
        const FunctionCase *function = &function_cases[index];
        if (worst->error >= 0.5 && (float)function->reference((double)x[i]) == y[i] && y[i] != 0)
            continue; /* correctly rounded: not worse */
        double error = error_at(function, x[i], y[i]);
        if (error > worst->error)
            *worst = (Worst){error, x[i], y[i]};
    }
}

/* All threads */

typedef struct Share {
    CompiledKernels *compiled;
    int index, block, thread, threads;
    uint64_t stride, limit;
    Worst worst;
} Share;

static void *run_share(void *argument)
{
    Share *share = argument;
    float *x = aligned_alloc(64, (size_t)share->block * 4),
          *y = aligned_alloc(64, (size_t)share->block * 4);
    uint64_t step = share->stride * (uint64_t)share->block;
    for (uint64_t first = step * (uint64_t)share->thread; first < share->limit;
         first += step * (uint64_t)share->threads)
        try_block(share->compiled, share->index, first, share->stride, share->block, x, y,
                  &share->worst);
    free(x);
    free(y);
    return NULL;
}

static Worst try_function(CompiledKernels *compiled, int index, int block, uint64_t stride)
{
    Share shares[THREADS_LIMIT];
    pthread_t threads[THREADS_LIMIT];
    int count = stride == 1 ? (int)sysconf(_SC_NPROCESSORS_ONLN) : 1;
    count = count < THREADS_LIMIT ? count : THREADS_LIMIT;
    for (int i = 0; i < count; i++) {
        shares[i] = (Share){compiled, index, block, i, count, stride, (uint64_t)1 << 32, {0, 0, 0}};
        pthread_create(&threads[i], NULL, run_share, &shares[i]);
    }
    Worst worst = {0};
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        if (shares[i].worst.error > worst.error)
            worst = shares[i].worst;
    }
    return worst;
}

static void check_functions(const char *triple, const char *cpu)
{
    Arena *arena = arena_create();
    Target target;
    cr_assert(target_find(diag_create(arena), triple, cpu, &target));
    const char *exhaustive = getenv("INGOT_EXHAUSTIVE");
    if (compiled_kernels_possible(&target) && (target.native || !exhaustive)) {
        uint64_t stride = exhaustive ? 1 : target.native ? 4099 : 65537;
        CompiledKernels *compiled = compile_functions(arena, &target, BLOCK);
        for (int i = 0; i < FUNCTION_CASES; i++) {
            const FunctionCase *function = &function_cases[i];
            if (exhaustive && strcmp(exhaustive, "1") != 0 &&
                strcmp(exhaustive, function->name) != 0)
                continue;
            Worst worst = try_function(compiled, i, BLOCK, stride);
            if (exhaustive || getenv("INGOT_VERBOSE"))
                fprintf(stderr, "%-10s %-8s worst %.3f ULP at %a: %a\n", target.name,
                        function->name, worst.error, (double)worst.x, (double)worst.y);
            cr_expect(worst.error <= (target.fused ? function->fused : function->plain),
                      "%s of %a is %a on %s, %.3f ULP off", function->name, (double)worst.x,
                      (double)worst.y, target.name, worst.error);
        }
        compiled_kernels_destroy(compiled);
    }
    arena_destroy(arena);
}

Test(codegen_vector_math, here)
{
    check_functions(NULL, NULL);
}

#if defined(__x86_64__)
Test(codegen_vector_math, x86_without_fused)
{
    check_functions("x86_64-linux-gnu", "x86-64");
}
#endif

Test(codegen_vector_math, aarch64)
{
    check_functions("aarch64-linux-gnu", "armv8-a");
}

Test(codegen_vector_math, armv7)
{
    check_functions("arm-linux-gnueabihf", "armv7-a");
}

/* Two operands: all pairs of special numbers, and random ones */

static const float specials[] = {0.0F,
                                 -0.0F,
                                 1.0F,
                                 -1.0F,
                                 2.0F,
                                 -2.0F,
                                 3.0F,
                                 -3.0F,
                                 0.5F,
                                 -0.5F,
                                 1.5F,
                                 -2.5F,
                                 0.1F,
                                 1e10F,
                                 -1e10F,
                                 1e38F,
                                 -1e38F,
                                 1e-30F,
                                 7.0F,
                                 -7.0F,
                                 16777215.0F,
                                 33554432.0F,
                                 0x1.fffffep127F,
                                 0x1p-126F,
                                 INFINITY,
                                 -INFINITY,
                                 NAN};

enum { SPECIALS = (int)(sizeof specials / sizeof specials[0]), PAIRS = 1 << 16 };

static void fill_pairs(float *a, float *b)
{
    uint32_t state = 12345;
    for (int i = 0; i < PAIRS; i++) {
        state = state * 1664525u + 1013904223u;
        a[i] = float_of_bits(state);
        state = state * 1664525u + 1013904223u;
        b[i] = i % 2 ? (float)(int32_t)state * 0x1p-26F : float_of_bits(state);
        a[i] = i % 4 == 3 ? fabsf(a[i]) : a[i];
        a[i] = fabsf(a[i]) < FLT_MIN ? 1.25F : a[i];
        b[i] = fabsf(b[i]) < FLT_MIN ? 1.75F : b[i];
    }
    for (int i = 0; i < SPECIALS * SPECIALS; i++) {
        a[i] = specials[i / SPECIALS];
        b[i] = specials[i % SPECIALS];
    }
}

static void check_pairs(const char *triple, const char *cpu)
{
    Arena *arena = arena_create();
    Target target;
    int count;
    cr_assert(target_find(diag_create(arena), triple, cpu, &target));
    if (!compiled_kernels_possible(&target)) {
        arena_destroy(arena);
        return;
    }
    const char *text = arena_print(arena,
                                   "kernel @pow(%%a: f32[%d], %%b: f32[%d], out %%y: f32[%d]) { "
                                   "for i = 0..%d step 4 { vector v = 0..4 {\n"
                                   "  %%y[i + v] = pow(%%a[i + v], %%b[i + v]) } } }\n"
                                   "kernel @mod(%%a: f32[%d], %%b: f32[%d], out %%y: f32[%d]) { "
                                   "for i = 0..%d step 4 { vector v = 0..4 {\n"
                                   "  %%y[i + v] = mod(%%a[i + v], %%b[i + v]) } } }\n",
                                   PAIRS, PAIRS, PAIRS, PAIRS, PAIRS, PAIRS, PAIRS, PAIRS);
    Kernel **kernels = kernel_parse(arena, diag_create(arena), "test", text, &count);
    CompiledKernels *compiled = compiled_kernels_create(arena, &target, kernels, count);
    float *a = ARENA_ARRAY(arena, float, PAIRS), *b = ARENA_ARRAY(arena, float, PAIRS);
    float *y = ARENA_ARRAY(arena, float, PAIRS);
    fill_pairs(a, b);
    void *arguments[3] = {a, b, y};
    compiled_kernels_run(compiled, 0, arguments, 1);
    for (int i = 0; i < PAIRS; i++) {
        double wanted = pow((double)a[i], (double)b[i]);
        cr_expect(ulps(y[i], wanted) <= 0.51, "pow(%a, %a) is %a, not %a, on %s", (double)a[i],
                  (double)b[i], (double)y[i], wanted, target.name);
    }
    compiled_kernels_run(compiled, 1, arguments, 1);
    for (int i = 0; i < PAIRS; i++) {
        double wanted = fmod((double)a[i], (double)b[i]);
        cr_expect(ulps(y[i], wanted) == 0, "mod(%a, %a) is %a, not %a, on %s", (double)a[i],
                  (double)b[i], (double)y[i], wanted, target.name);
    }
    compiled_kernels_destroy(compiled);
    arena_destroy(arena);
}

Test(codegen_vector_math, pairs)
{
    check_pairs(NULL, NULL);
    check_pairs("aarch64-linux-gnu", "armv8-a");
    check_pairs("arm-linux-gnueabihf", "armv7-a");
#if defined(__x86_64__)
    check_pairs("x86_64-linux-gnu", "x86-64");
#endif
}

/* f64, against long double where that is wider: relative error */

typedef struct WideCase {
    const char *name;
    long double (*reference)(long double x);
    double low, high; /* of the arguments */
    double allowed;   /* ULP */
} WideCase;

static long double sigmoid_long(long double x)
{
    return 1 / (1 + expl(-x));
}

static const WideCase wide_cases[] = {
    {"exp", expl, -700, 700, 1.5},
    {"expm1", expm1l, -40, 700, 3},
    {"expm1", expm1l, -1, 1, 3},
    {"log", logl, 1e-300, 1e300, 1.2},
    {"log", logl, 0.5, 2, 1.5},
    {"log1p", log1pl, -0.9, 10, 2},
    {"tanh", tanhl, -20, 20, 3},
    {"tanh", tanhl, -0.1, 0.1, 3},
    {"sigmoid", sigmoid_long, -700, 40, 3},
    {"erf", erfl, -7, 7, 2},
    {"sin", sinl, -1e6, 1e6, 2.5},
    {"cos", cosl, -1e6, 1e6, 2.5},
    {"atan", atanl, -4, 4, 1},
    {"atan", atanl, -1e300, 1e300, 1},
    {"sqrt", sqrtl, 0, 1e300, 0.51},
};

enum { WIDE_CASES = (int)(sizeof wide_cases / sizeof wide_cases[0]), WIDE = 1 << 14 };

static double wide_error(double got, long double wanted)
{
    int exponent;
    frexp((double)wanted, &exponent);
    return (double)(fabsl((long double)got - wanted) / ldexpl(1, exponent - 53));
}

Test(codegen_vector_math, wide)
{
    Arena *arena = arena_create();
    Target target;
    cr_assert(target_find(diag_create(arena), NULL, NULL, &target));
    Text text = text_create(arena);
    for (int i = 0; i < WIDE_CASES; i++)
        text_print(&text,
                   "kernel @k%d(%%x: f64[%d], out %%y: f64[%d]) { for i = 0..%d step 4 {\n"
                   "  vector v = 0..4 { %%y[i + v] = %s(%%x[i + v]) } } }\n",
                   i, WIDE, WIDE, WIDE, wide_cases[i].name);
    int count;
    Kernel **kernels = kernel_parse(arena, diag_create(arena), "test", text.data, &count);
    CompiledKernels *compiled = compiled_kernels_create(arena, &target, kernels, count);
    double *x = ARENA_ARRAY(arena, double, WIDE), *y = ARENA_ARRAY(arena, double, WIDE);
    for (int i = 0; i < WIDE_CASES; i++) {
        const WideCase *wide = &wide_cases[i];
        for (int j = 0; j < WIDE; j++)
            x[j] = wide->low + (wide->high - wide->low) * ((j + 0.37) / WIDE);
        void *arguments[2] = {x, y};
        compiled_kernels_run(compiled, i, arguments, 1);
        double worst = 0, where = 0;
        for (int j = 0; j < WIDE; j++) {
            double error = wide_error(y[j], wide->reference((long double)x[j]));
            where = error > worst ? x[j] : where;
            worst = error > worst ? error : worst;
        }
        if (getenv("INGOT_VERBOSE"))
            fprintf(stderr, "f64 %-8s worst %.3f ULP at %a\n", wide->name, worst, where);
        cr_expect(worst <= wide->allowed, "%s of %a is %.3f ULP off", wide->name, where, worst);
    }
    compiled_kernels_destroy(compiled);
    arena_destroy(arena);
}
