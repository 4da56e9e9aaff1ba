/* Kernels as machine code against the same kernels run plainly (support/nest_run.c): every form of
 * loop, load and store, for each level of x86-64 that this machine has and for ARM under qemu. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "ir/element.h"
#include "ir/nest_text.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/nest_run.h"

enum { ARGUMENTS = 8 };

/* Targets */

typedef struct TargetCase {
    const char *triple, *cpu;
    bool masked; /* as if masks were cheap: AVX-512's way through the generator, on a machine
                    without it */
} TargetCase;

static const TargetCase target_cases[] = {
    {"x86_64-linux-gnu", "x86-64", false},     {"x86_64-linux-gnu", "x86-64-v2", false},
    {"x86_64-linux-gnu", "x86-64-v3", false},  {"x86_64-linux-gnu", "x86-64-v3", true},
    {"x86_64-linux-gnu", "x86-64-v4", false},  {"aarch64-linux-gnu", "armv8-a", false},
    {"arm-linux-gnueabihf", "armv7-a", false}, {"arm-linux-gnueabihf", "cortex-a7", false},
};

enum { TARGET_CASES = (int)(sizeof target_cases / sizeof target_cases[0]) };

static bool runs_here(const char *cpu)
{
#if defined(__x86_64__)
    if (strcmp(cpu, "x86-64-v4") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (strcmp(cpu, "x86-64-v3") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    (void)cpu;
    return true;
}

static bool find_target(Arena *arena, const TargetCase *wanted, Target *target)
{
    Diag *diag = diag_create(arena);
    cr_assert(target_find(diag, wanted->triple, wanted->cpu, target));
    target->masked |= wanted->masked;
    return compiled_kernels_possible(target) && (!target->native || runs_here(wanted->cpu));
}

/* Arguments */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void fill(const Buffer *buffer, void *memory, uint32_t seed)
{
    for (int64_t i = 0; i < buffer->count; i++) {
        uint32_t number = next_random(&seed);
        if (element_is_float(buffer->element))
            element_set_number(buffer->element, memory, i, (double)number * 0x1p-22 - 2);
        else if (buffer->element == TYPE_BOOL)
            ((uint8_t *)memory)[i] = number & 1;
        else if (buffer->element == TYPE_I32 || buffer->element == TYPE_I64) /* offsets, too */
            element_set_integer(buffer->element, memory, i, (int64_t)(number % 16));
        else
            element_set_integer(buffer->element, memory, i,
                                (int64_t)(number * (uint64_t)0x9e3779b97f4a7c15u));
    }
}

static bool close_enough(double a, double b)
{
    if (isnan(a) || isnan(b) || isinf(a) || isinf(b))
        return (isnan(a) && isnan(b)) || a == b;
    return fabs(a - b) <= 4e-6 * fmax(1, fabs(b));
}

/* Integers to the bit; as numbers for people in any case. */
static bool same_element(const Buffer *buffer, const void *got, const void *wanted, int64_t at,
                         double *a, double *b)
{
    ElementType element = buffer->element;
    element_exact(element, got, at, a);
    element_exact(element, wanted, at, b);
    if (element_is_float(element))
        return close_enough(*a, *b);
    return element_integer(element, got, at) == element_integer(element, wanted, at);
}

static void compare(const Kernel *kernel, const char *target, int members, void *const *got,
                    void *const *wanted)
{
    for (int i = 0; i < kernel->argument_count; i++) {
        const Buffer *buffer = kernel->arguments[i];
        for (int64_t j = 0; j < buffer->count; j++) {
            double a, b;
            cr_assert(same_element(buffer, got[i], wanted[i], j, &a, &b),
                      "@%s on %s with %d members: %%%s[%lld] is %.9g, not %.9g", kernel->name,
                      target, members, buffer->name, (long long)j, a, b);
        }
    }
}

static void check_kernel(Arena *arena, CompiledKernels *compiled, const Kernel *kernel, int index,
                         const Target *target)
{
    for (int members = 1; members <= (kernel->parallel ? 3 : 2); members++) {
        void *got[ARGUMENTS], *wanted[ARGUMENTS];
        for (int i = 0; i < kernel->argument_count; i++) {
            const Buffer *buffer = kernel->arguments[i];
            size_t size = (size_t)(buffer->count * element_bytes(buffer->element));
            got[i] = arena_alloc(arena, size);
            fill(buffer, got[i], (uint32_t)i * 77 + 5);
            wanted[i] = arena_copy_bytes(arena, got[i], size);
        }
        Diag *diag = diag_create(arena);
        bool right = nest_run_team(kernel, diag, wanted, 1);
        diag_print(diag, stderr);
        cr_assert(right);
        compiled_kernels_run(compiled, index, got, members);
        compare(kernel, target->name, members, got, wanted);
    }
}

static void check_on(const TargetCase *wanted, const char *text)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Target target;
    if (find_target(arena, wanted, &target)) {
        int count;
        Kernel **kernels = kernel_parse(arena, diag, "test", text, &count);
        for (int i = 0; kernels && i < count; i++)
            kernel_verify(kernels[i], diag);
        diag_print(diag, stderr);
        cr_assert(diag_ok(diag));
        CompiledKernels *compiled = compiled_kernels_create(arena, &target, kernels, count);
        for (int i = 0; i < count; i++)
            check_kernel(arena, compiled, kernels[i], i, &target);
        compiled_kernels_destroy(compiled);
    }
    arena_destroy(arena);
}

static void check_everywhere(const char *text)
{
    for (int i = 0; i < TARGET_CASES; i++)
        check_on(&target_cases[i], text);
}

/* Loops */

Test(codegen_kernel, loops)
{
    check_everywhere(
        "kernel @serial(%x: f32[60], out %y: f32[60]) {\n"
        "  for i = 0..60 step 12 { for j = 0..3 { unroll k = 0..4 {\n"
        "    %y[i + 4*j + k] = add(%x[i + 4*j + k], cast:f32(index:i32(i + 10*j + k))) } } } }\n"
        "kernel @uneven(%x: f32[20], out %y: f32[20]) {\n"
        "  for i = 0..10 step 3 { %y[2*i + 1] = %x[i] } for i = 2..3 { %y[i] = 7 } }\n"
        "kernel @none(%x: f32[4], out %y: f32[4]) { for i = 2..2 { %y[i] = 3 } }\n"
        "kernel @split(%x: f32[105], out %y: f32[105]) {\n"
        "  parallel i = 0..7 { parallel j = 0..15 step 5 { for k = 0..5 { %y[15*i + j + k] = "
        "mul(%x[15*i + j + k], 2) } } } }\n"
        "kernel @two(%x: f32[40], out %y: f32[40]) {\n"
        "  parallel i = 0..2 { %y[i] = %x[i] } parallel i = 2..40 step 2 { %y[i] = neg(%x[i]) %y[i "
        "+ 1] = 5 } }\n"
        "kernel @few(%x: f32[2], out %y: f32[2]) { parallel i = 0..2 { %y[i] = exp(%x[i]) } }\n"
        "kernel @lets(%x: f32[32], out %y: f32[32]) { for i = 0..4 {\n"
        "    let %a: f32 = add(%x[8*i], 1)\n"
        "    vector v = 0..8 { let %b: f32 = mul(%x[8*i + v], %a) %y[8*i + v] = add(mul(%b, %b), "
        "%a) } } }\n");
}

/* Loads and stores of whole and partial vectors, side by side, in one place, backwards, apart */

Test(codegen_kernel, vectors)
{
    check_everywhere(
        "kernel @whole(%x: f32[64], %s: f32[4], out %y: f32[64]) {\n"
        "  for i = 0..64 step 16 { vector v = 0..16 { %y[i + v] = sub(%x[i + v], %s[3]) } } }\n"
        "kernel @part5(%x: f32[25], inout %y: f32[25]) { for i = 0..5 { vector v = 0..5 of 8 { "
        "%y[5*i + v] += %x[5*i + v] } } }\n"
        "kernel @part3(%x: f32[9], inout %y: f32[9]) { for i = 0..3 { vector v = 0..3 of 4 { "
        "%y[3*i + v] max= %x[3*i + v] } } }\n"
        "kernel @times(%x: f32[9], %n: i32[9], inout %y: f32[9], inout %z: i32[9]) { for i = 0..3 "
        "{ vector v = 0..3 of 4 { %y[3*i + v] *= %x[3*i + v] %z[3*i + v] *= %n[3*i + v] } } }\n"
        "kernel @part7(%x: f64[14], inout %y: f64[14]) { for i = 0..2 { vector v = 0..7 of 8 { "
        "%y[7*i + v] min= %x[7*i + v] } } }\n"
        "kernel @part13(%x: f32[26], out %y: f32[26]) { for i = 0..2 { vector v = 0..13 of 16 { "
        "%y[13*i + v] = exp(%x[13*i + v]) } } }\n"
        "kernel @one(%x: f32[3], out %y: f32[3]) { for i = 0..3 { vector v = 0..1 of 4 { %y[i + v] "
        "= %x[i + v] } } }\n"
        "kernel @bytes(%x: u8[22], %z: i8[22], out %y: i32[22]) { for i = 0..2 { vector v = 0..11 "
        "of 16 {\n"
        "  %y[11*i + v] = add(cast:i32(%x[11*i + v]), cast:i32(%z[11*i + v])) } } }\n"
        "kernel @flags(%x: f32[22], inout %y: bool[22]) { for i = 0..2 { vector v = 0..11 of 16 {\n"
        "  %y[11*i + v] = or(lt(%x[11*i + v], 0), not(%y[11*i + v])) } } }\n"
        "kernel @apart(%x: f32[64], out %y: f32[64]) { for i = 0..2 { vector v = 0..8 {\n"
        "  %y[32*i + 4*v] = %x[32*i + 3*v + 1] } vector w = 0..5 of 8 { %y[32*i + 4*w + 1] = "
        "%x[2*w] } } }\n"
        "kernel @back(%x: f32[64], out %y: f32[64]) { for i = 0..8 { vector v = 0..8 { %y[8*i + v] "
        "= %x[63 - 8*i - v] } } }\n"
        "kernel @backpart(%x: f32[5], out %y: f32[5]) { vector v = 0..5 of 8 { %y[v] = %x[4 - v] } "
        "}\n"
        "kernel @backstore(%x: f32[8], inout %y: f32[8]) { vector v = 0..8 { %y[7 - v] += "
        "mul(%x[v], %x[v]) } }\n");
}

/* Lanes in a pattern: strides, short runs behind one another, turns from two or three places.
 * Arguments end where the last lane does, so that a load beyond it would be seen by valgrind or a
 * sanitizer. */
Test(codegen_kernel, patterns)
{
    check_everywhere(
        "kernel @strides(%x: f32[47], inout %y: f32[96]) { vector v = 0..16 {\n"
        "  %y[v] = %x[2*v] %y[v + 16] = %x[3*v + 1] %y[v + 32] = %x[45 - 3*v] %y[v + 48] = "
        "%x[32 - 2*v] }\n"
        "  vector v = 0..11 of 16 { %y[v + 64] = exp(%x[2*v]) }\n"
        "  vector v = 0..3 of 8 { %y[v + 80] = sin(%x[4*v + 38]) } }\n"
        "kernel @wide(%x: f64[22], %b: bool[22], inout %y: f64[16]) { vector v = 0..8 {\n"
        "  %y[v] = %x[3*v] %y[v + 8] = select(%b[3*v], %x[v], 0:f64) } }\n"
        "kernel @far(%x: f32[400], inout %y: f32[16]) { vector v = 0..16 { %y[v] = %x[25*v] } }\n"
        "kernel @shuffled(%x: f32[114], out %y: f32[112]) { unroll u = 0..112 step 16 {\n"
        "  vector v = 0..16 { unravel p, c = u + v by 2 %y[u + v] = %x[p + 58*c] } } }\n"
        "kernel @pixels(%x: f32[300], out %y: f32[48]) { unroll u = 0..48 step 8 {\n"
        "  vector v = 0..8 { unravel p, c = u + v by 3 %y[u + v] = %x[142*c + p] } } }\n"
        "kernel @pool(%x: f32[336], out %y: f32[84], out %z: i32[84], %b: f32[7]) {\n"
        "  for i = 0..2 { unroll u = 0..32 step 16 { vector v = 0..16 {\n"
        "    unravel p, c = u + v by 6\n"
        "    %y[42*i + u + v] = add(%x[168*i + 12*p + c + 6], %b[c]) %z[42*i + 6*p + c] = "
        "index:i32(3*p - c) } }\n"
        "  unroll u = 32..42 step 16 { vector v = 0..10 of 16 {\n"
        "    unravel p, c = u + v by 6 unravel q, d = p by 2 let %t: f32 = %b[c + d]\n"
        "    %y[42*i + u + v] = sub(%x[168*i + 12*p + c + 84], %t) %z[42*i + 6*p + c] = "
        "index:i32(5*i + q - d) } } } }\n"
        "kernel @turned(%x: f32[30], inout %y: f32[30]) { unroll u = 0..30 step 8 {\n"
        "  unravel n, o = u by 5\n"
        "  vector v = 0..6 of 8 { unravel p, c = v by 3 %y[3*p - c + n - 4*o + 18] += %x[c + 2*p + "
        "n + o] } } }\n");
}

/* Matrices in registers, whole and in part: undefined rows become columns that nobody stores. */
Test(codegen_kernel, transposes)
{
    check_everywhere(
        "kernel @whole(%x: f32[512], out %y: f32[512]) { for i = 0..2 { local %t: f32[256]\n"
        "  unroll r = 0..16 { vector v = 0..16 { %t[16*r + v] = %x[256*i + 16*r + v] } }\n"
        "  transpose %t by 16\n"
        "  unroll r = 0..16 { vector v = 0..16 { %y[256*i + 16*r + v] = %t[16*r + v] } } } }\n"
        "kernel @part(%x: f32[60], out %y: f32[60]) { for i = 0..2 { local %t: f32[64]\n"
        "  unroll r = 0..5 { vector v = 0..6 of 8 { %t[8*r + v] = %x[30*i + 6*r + v] } }\n"
        "  transpose %t by 8\n"
        "  unroll r = 0..6 { vector v = 0..5 of 8 { %y[30*i + 5*r + v] = exp(%t[8*r + v]) } } } }\n"
        "kernel @wide(%x: f64[16], %n: i32[16], %b: u8[16], out %y: f64[16], out %m: i32[16], out "
        "%c: u8[16]) {\n"
        "  local %t: f64[16] local %s: i32[16] local %u: u8[16]\n"
        "  unroll r = 0..16 step 4 { vector v = 0..4 { %t[r + v] = %x[r + v] %s[r + v] = %n[r + v] "
        "%u[r + v] = %b[r + v] } }\n"
        "  transpose %t by 4 transpose %s by 4 transpose %u by 4\n"
        "  unroll r = 0..16 step 4 { vector v = 0..4 { %y[r + v] = %t[r + v] %m[r + v] = %s[r + v] "
        "%c[r + v] = %u[r + v] } } }\n");
}

Test(codegen_kernel, dynamic_offsets)
{
    check_everywhere(
        "kernel @gather(%t: f32[80], %r: i32[6], out %y: f32[30]) {\n"
        "  for i = 0..6 { vector v = 0..5 of 8 { %y[5*i + v] = %t[5*(%r[i]) + v] } } }\n"
        "kernel @lookup(%t: f32[16], %r: i64[16], out %y: f32[16]) {\n"
        "  for i = 0..16 step 8 { vector v = 0..8 { %y[i + v] = %t[(%r[i + v])] } } }\n"
        "kernel @scatter(%x: f32[30], %r: i32[6], inout %y: f32[80]) {\n"
        "  for i = 0..6 { vector v = 0..5 of 8 { %y[5*(%r[i]) + v] += %x[5*i + v] } } }\n"
        "kernel @histogram(%r: i32[16], inout %y: i32[16]) { vector v = 0..16 { %y[(%r[v])] += "
        "1:i32 } }\n"
        "kernel @clamped(%t: f32[8], %r: i32[8], out %y: f32[8]) { vector v = 0..8 {\n"
        "  %y[v] = %t[(min(max(sub(%r[v], 5:i32), 0:i32), 7:i32))] } }\n");
}

/* Register blocks, packed panels, sums over lanes, remainders */

Test(codegen_kernel, blocks)
{
    check_everywhere(
        "kernel @matmul(%x: f32[520], %w: f32[800], %b: f32[20], out %y: f32[260]) {\n"
        "  scratch %panel: f32[640]\n"
        "  parallel j = 0..1 {\n"
        "    for k = 0..40 {\n"
        "      vector v = 0..8 { %panel[16*k + v] = %w[20*k + v] }\n"
        "      vector v = 0..8 { %panel[16*k + 8 + v] = %w[20*k + 8 + v] } }\n"
        "    for i = 0..12 step 6 {\n"
        "      local %acc: f32[96]\n"
        "      unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 { %acc[16*r + u + v] = "
        "%b[u + v] } } }\n"
        "      for k = 0..40 { unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 {\n"
        "        %acc[16*r + u + v] += mul(%x[40*i + k + 40*r], %panel[16*k + u + v]) } } } }\n"
        "      unroll r = 0..6 { unroll u = 0..16 step 8 { vector v = 0..8 {\n"
        "        %y[20*i + 20*r + u + v] = max(%acc[16*r + u + v], 0) } } } }\n"
        "    for i = 0..12 step 6 {\n"
        "      local %rest: f32[48]\n"
        "      unroll r = 0..6 { vector v = 0..4 of 8 { %rest[8*r + v] = 0 } }\n"
        "      for k = 0..40 { unroll r = 0..6 { vector v = 0..4 of 8 {\n"
        "        %rest[8*r + v] += mul(%x[40*i + k + 40*r], %w[20*k + 16 + v]) } } }\n"
        "      unroll r = 0..6 { vector v = 0..4 of 8 { %y[20*i + 20*r + 16 + v] = tanh(%rest[8*r "
        "+ v]) } } }\n"
        "    for j2 = 0..20 { local %a: f32[1] %a[0] = 0 for k = 0..40 { %a[0] += mul(%x[480 + k], "
        "%w[20*k + j2]) }\n"
        "      %y[240 + j2] = %a[0] } } }\n"
        "kernel @dot(%x: f32[64], %z: f32[64], out %y: f32[3]) {\n"
        "  local %a: f32[16] local %m: f32[8] local %n: f32[8]\n"
        "  unroll u = 0..16 step 8 { vector v = 0..8 { %a[u + v] = 0 } }\n"
        "  vector v = 0..8 { %m[v] = -1000 } vector v = 0..8 { %n[v] = 1000 }\n"
        "  for k = 0..64 step 16 { unroll u = 0..16 step 8 { vector v = 0..8 {\n"
        "    %a[u + v] += mul(%x[k + u + v], %z[k + u + v]) %m[v] max= %x[k + u + v] %n[v] min= "
        "%z[k + u + v] } } }\n"
        "  vector v = 0..8 { %a[v] += %a[8 + v] }\n"
        "  %y[0] = lanes add v of 8 (%a[v]) %y[1] = lanes max v of 8 (%m[v]) %y[2] = lanes min w "
        "of 8 (%n[w]) }\n"
        "kernel @product(%x: f32[8], inout %y: f32[1]) { %y[0] *= lanes mul v of 8 (add(%x[v], "
        "2)) }\n"
        "kernel @lanes(%x: f64[4], out %y: f64[1]) { %y[0] = div(1:f64, lanes add v of 4 "
        "(mul(%x[v], %x[v]))) }\n"
        "kernel @aliased(inout %x: f32[16], out %y: f32[16]) may_alias {\n"
        "  for i = 0..16 step 8 { vector v = 0..8 { %y[i + v] = add(%x[i + v], 1) } } }\n");
}

/* Element-wise operations; exactness of the real functions is the affair of
 * test_codegen_vector_math.c */

Test(codegen_kernel, operations)
{
    check_everywhere(
        "kernel @unary(%x: f32[16], inout %y: f32[320]) { for i = 0..2 { vector v = 0..8 {\n"
        "  %y[8*i + v] = neg(%x[8*i + v]) %y[16 + 8*i + v] = abs(%x[8*i + v]) %y[32 + 8*i + v] = "
        "sign(%x[8*i + v])\n"
        "  %y[48 + 8*i + v] = exp(%x[8*i + v]) %y[64 + 8*i + v] = expm1(%x[8*i + v]) %y[80 + 8*i + "
        "v] = log(%x[8*i + v])\n"
        "  %y[96 + 8*i + v] = log1p(%x[8*i + v]) %y[112 + 8*i + v] = sqrt(%x[8*i + v]) %y[128 + "
        "8*i + v] = rsqrt(%x[8*i + v])\n"
        "  %y[144 + 8*i + v] = tanh(%x[8*i + v]) %y[160 + 8*i + v] = sigmoid(%x[8*i + v]) %y[176 + "
        "8*i + v] = erf(%x[8*i + v])\n"
        "  %y[192 + 8*i + v] = sin(%x[8*i + v]) %y[208 + 8*i + v] = cos(%x[8*i + v]) %y[224 + 8*i "
        "+ v] = floor(%x[8*i + v])\n"
        "  %y[240 + 8*i + v] = ceil(%x[8*i + v]) %y[256 + 8*i + v] = round(%x[8*i + v])\n"
        "  %y[272 + 8*i + v] = atan(%x[8*i + v]) } } }\n"
        "kernel @unary64(%x: f64[16], inout %y: f64[320]) { for i = 0..4 { vector v = 0..4 {\n"
        "  %y[4*i + v] = neg(%x[4*i + v]) %y[16 + 4*i + v] = abs(%x[4*i + v]) %y[32 + 4*i + v] = "
        "sign(%x[4*i + v])\n"
        "  %y[48 + 4*i + v] = exp(%x[4*i + v]) %y[64 + 4*i + v] = expm1(%x[4*i + v]) %y[80 + 4*i + "
        "v] = log(%x[4*i + v])\n"
        "  %y[96 + 4*i + v] = log1p(%x[4*i + v]) %y[112 + 4*i + v] = sqrt(%x[4*i + v]) %y[128 + "
        "4*i + v] = rsqrt(%x[4*i + v])\n"
        "  %y[144 + 4*i + v] = tanh(%x[4*i + v]) %y[160 + 4*i + v] = sigmoid(%x[4*i + v]) %y[176 + "
        "4*i + v] = erf(%x[4*i + v])\n"
        "  %y[192 + 4*i + v] = sin(%x[4*i + v]) %y[208 + 4*i + v] = cos(%x[4*i + v]) %y[224 + 4*i "
        "+ v] = floor(%x[4*i + v])\n"
        "  %y[240 + 4*i + v] = ceil(%x[4*i + v]) %y[256 + 4*i + v] = round(%x[4*i + v])\n"
        "  %y[272 + 4*i + v] = atan(%x[4*i + v]) } } }\n"
        "kernel @binary(%a: f32[16], %b: f32[16], inout %y: f32[128]) { for i = 0..2 { vector v = "
        "0..8 {\n"
        "  %y[8*i + v] = add(%a[8*i + v], %b[8*i + v]) %y[16 + 8*i + v] = sub(%a[8*i + v], %b[8*i "
        "+ v])\n"
        "  %y[32 + 8*i + v] = mul(%a[8*i + v], %b[8*i + v]) %y[48 + 8*i + v] = div(%a[8*i + v], "
        "%b[8*i + v])\n"
        "  %y[64 + 8*i + v] = mod(%a[8*i + v], %b[8*i + v]) %y[80 + 8*i + v] = pow(%a[8*i + v], "
        "%b[8*i + v])\n"
        "  %y[96 + 8*i + v] = max(%a[8*i + v], %b[8*i + v]) %y[112 + 8*i + v] = min(%a[8*i + v], "
        "%b[8*i + v]) } } }\n"
        "kernel @scalar(%a: f32[16], inout %y: f32[64]) { for i = 0..16 { %y[i] = sigmoid(%a[i]) "
        "%y[16 + i] = sin(mul(%a[i], 100000))\n"
        "  %y[32 + i] = mod(%a[i], 0.3) %y[48 + i] = max(%a[i], 0.5) } }\n"
        "kernel @compare(%a: f32[16], %b: f32[16], out %y: i32[16]) { for i = 0..2 { vector v = "
        "0..8 {\n"
        "  let %l: bool = lt(%a[8*i + v], %b[8*i + v]) let %e: bool = and(ge(%a[8*i + v], 0), "
        "ne(%b[8*i + v], 1))\n"
        "  %y[8*i + v] = add(select(%l, 3:i32, 5:i32), cast:i32(or(%e, not(%l)))) } } }\n"
        "kernel @integers(%a: i32[16], %b: i32[16], inout %y: i32[144]) { for i = 0..2 { vector v "
        "= 0..8 {\n"
        "  let %p: i32 = sub(%a[8*i + v], 8:i32) let %q: i32 = sub(%b[8*i + v], 8:i32)\n"
        "  %y[8*i + v] = add(%p, %q) %y[16 + 8*i + v] = mul(%p, %q) %y[32 + 8*i + v] = div(%p, "
        "%q)\n"
        "  %y[48 + 8*i + v] = mod(%p, %q) %y[64 + 8*i + v] = max(%p, %q) %y[80 + 8*i + v] = "
        "min(%p, %q)\n"
        "  %y[96 + 8*i + v] = abs(%p) %y[112 + 8*i + v] = sign(%p) %y[128 + 8*i + v] = neg(%p) } } "
        "}\n"
        "kernel @small(%a: u8[16], %b: u8[16], inout %y: u8[64]) { vector v = 0..16 {\n"
        "  %y[v] = div(%a[v], %b[v]) %y[16 + v] = max(%a[v], %b[v]) %y[32 + v] = mod(%a[v], 7:u8) "
        "%y[48 + v] = add(%a[v], %b[v]) } }\n"
        "kernel @bits(%a: i32[16], %b: i32[16], inout %y: i32[96]) { for i = 0..2 { vector v = "
        "0..8 {\n"
        "  let %p: i32 = mul(sub(%a[8*i + v], 8:i32), 99999:i32) let %q: i32 = sub(mul(%b[8*i + "
        "v], 5:i32), 9:i32)\n"
        "  %y[8*i + v] = and(%p, %q) %y[16 + 8*i + v] = or(%p, %q) %y[32 + 8*i + v] = xor(%p, %q)\n"
        "  %y[48 + 8*i + v] = not(%p) %y[64 + 8*i + v] = shift_left(%p, %q) %y[80 + 8*i + v] = "
        "shift_right(%p, %q) } } }\n"
        "kernel @bytes(%a: i8[16], %u: u8[16], inout %y: i8[32], inout %z: u8[48]) { for i = 0..2 "
        "{ vector v = 0..8 {\n"
        "  let %n: i8 = mod(%a[8*i + v], 11:i8) let %m: u8 = mod(%u[8*i + v], 11:u8)\n"
        "  %y[8*i + v] = shift_left(%a[8*i + v], %n) %y[16 + 8*i + v] = shift_right(%a[8*i + v], "
        "%n)\n"
        "  %z[8*i + v] = shift_left(%u[8*i + v], %m) %z[16 + 8*i + v] = shift_right(%u[8*i + v], "
        "%m) %z[32 + 8*i + v] = not(%m) } } }\n"
        "kernel @long(%a: i64[16], %b: i64[16], inout %y: i64[48]) { for i = 0..16 {\n"
        "  let %p: i64 = mul(sub(%a[i], 8:i64), 99999999999999:i64) let %q: i64 = "
        "sub(mul(%b[i], 9:i64), 9:i64)\n"
        "  %y[i] = shift_left(%p, %q) %y[16 + i] = shift_right(%p, %q) %y[32 + i] = xor(%p, %q) } "
        "}\n"
        "kernel @truths(%a: f32[16], %b: bool[16], out %y: bool[16]) { for i = 0..2 { vector v = "
        "0..8 {\n"
        "  %y[8*i + v] = xor(lt(%a[8*i + v], 0), and(%b[8*i + v], not(or(%b[8*i], %b[8*i + 1])))) "
        "} } }\n"
        "kernel @casts(%a: f32[16], %n: i32[16], %u: u8[16], inout %i: i32[16], inout %l: i64[16], "
        "inout %d: f64[16],\n"
        "             inout %b: i8[16], inout %f: f32[16]) { for i = 0..2 { vector v = 0..8 {\n"
        "  %i[8*i + v] = cast:i32(mul(%a[8*i + v], 100)) %l[8*i + v] = cast:i64(%a[8*i + v]) "
        "%d[8*i + v] = cast:f64(%a[8*i + v])\n"
        "  %b[8*i + v] = cast:i8(mul(%a[8*i + v], 300)) %f[8*i + v] = add(cast:f32(%u[8*i + v]), "
        "cast:f32(%n[8*i + v])) } } }\n"
        "kernel @patterns(%a: f32[16], %l: i64[16], inout %i: i32[16], inout %d: f64[16], "
        "inout %f: f32[16]) {\n"
        "  for i = 0..2 { vector v = 0..8 { %i[8*i + v] = bitcast:i32(%a[8*i + v]) "
        "%d[8*i + v] = bitcast:f64(%l[8*i + v])\n"
        "  %f[8*i + v] = bitcast:f32(xor(bitcast:i32(%a[8*i + v]), -2147483648:i32)) } } }\n"
        "kernel @random(%k: i32[3], out %y: f32[40]) { for i = 0..40 step 8 { vector v = 0..8 {\n"
        "  %y[i + v] = random(%k[0], %k[1], %k[2], 5:i32, index:i32(i + v)) } } }\n"
        "kernel @counting(out %y: i64[24], out %z: f32[24]) { for i = 0..24 step 8 { vector v = "
        "0..8 {\n"
        "  %y[i + v] = index:i64(3*i + 2*v + 1) %z[i + v] = cast:f32(index:i32(i)) } } }\n");
}

/* NaN, infinities and signs, which the random arguments above have none of. */
Test(codegen_kernel, max_passes_nan_on)
{
    static const char text[] =
        "kernel @max(%a: f32[8], %b: f32[8], out %y: f32[8], out %r: f32[8], inout %m: f32[8]) {\n"
        "  vector v = 0..8 { %y[v] = max(%a[v], %b[v]) %r[v] = max(%a[v], 0) %m[v] max= %a[v] } "
        "}\n";
    Arena *arena = arena_create();
    for (int i = 0; i < TARGET_CASES; i++) {
        Target target;
        if (!find_target(arena, &target_cases[i], &target))
            continue;
        int count;
        Kernel **kernels = kernel_parse(arena, diag_create(arena), "test", text, &count);
        CompiledKernels *compiled = compiled_kernels_create(arena, &target, kernels, count);
        _Alignas(64) float a[8] = {NAN, 1, NAN, -INFINITY, INFINITY, 2, 3, -1};
        _Alignas(64) float b[8] = {1, NAN, NAN, NAN, 1, 3, 2, INFINITY}, y[8], r[8];
        _Alignas(64) float m[8] = {1, NAN, NAN, NAN, 1, 3, 2, INFINITY};
        void *arguments[] = {a, b, y, r, m};
        compiled_kernels_run(compiled, 0, arguments, 1);
        for (int j = 0; j < 8; j++) {
            float wanted = isnan(a[j]) || isnan(b[j]) ? NAN : a[j] > b[j] ? a[j] : b[j];
            cr_expect(close_enough((double)y[j], (double)wanted), "max %d on %s", j, target.name);
            cr_expect(close_enough((double)m[j], (double)wanted), "max= %d on %s", j, target.name);
            wanted = isnan(a[j]) ? NAN : a[j] > 0 ? a[j] : 0;
            cr_expect(close_enough((double)r[j], (double)wanted), "relu %d on %s", j, target.name);
        }
        compiled_kernels_destroy(compiled);
    }
    arena_destroy(arena);
}

/* Nor is a NaN equal to itself, however the compiler turns it. */
Test(codegen_kernel, nan_is_unequal_to_itself)
{
    static const char text[] =
        "kernel @nan(%a: f32[8], out %n: bool[8], out %e: bool[8], out %o: bool[8], %d: f64[4], "
        "out %w: bool[4]) {\n"
        "  vector v = 0..8 { %n[v] = ne(%a[v], %a[v]) %e[v] = not(eq(%a[v], %a[v]))\n"
        "    %o[v] = not(or(le(%a[v], 1), gt(%a[v], 1))) }\n"
        "  for i = 0..4 { %w[i] = ne(%d[i], %d[i]) } }\n";
    Arena *arena = arena_create();
    for (int i = 0; i < TARGET_CASES; i++) {
        Target target;
        if (!find_target(arena, &target_cases[i], &target))
            continue;
        int count;
        Kernel **kernels = kernel_parse(arena, diag_create(arena), "test", text, &count);
        CompiledKernels *compiled = compiled_kernels_create(arena, &target, kernels, count);
        _Alignas(64) float a[8] = {NAN, 1, -NAN, -INFINITY, INFINITY, 0, NAN, -1};
        _Alignas(64) double d[4] = {1, NAN, INFINITY, -NAN};
        _Alignas(64) uint8_t n[8], e[8], o[8], w[4];
        void *arguments[] = {a, n, e, o, d, w};
        compiled_kernels_run(compiled, 0, arguments, 1);
        for (int j = 0; j < 8; j++) {
            bool wanted = isnan(a[j]);
            cr_expect(n[j] == wanted && e[j] == wanted && o[j] == wanted, "number %d on %s", j,
                      target.name);
        }
        for (int j = 0; j < 4; j++)
            cr_expect(w[j] == isnan(d[j]), "f64 number %d on %s", j, target.name);
        compiled_kernels_destroy(compiled);
    }
    arena_destroy(arena);
}

/* The output is a function of the input: not of the number of jobs, nor of the run. */
Test(codegen_kernel, same_bytes)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Text text = text_create(arena);
    for (int i = 0; i < 9; i++)
        text_print(&text,
                   "kernel @k%d(%%x: f32[16], out %%y: f32[16]) { vector v = 0..16 { %%y[v] = "
                   "tanh(%%x[v]) } }\n",
                   i);
    Target target;
    cr_assert(target_find(diag, NULL, NULL, &target));
    Module module = {.arena = arena, .diag = diag, .target = &target};
    module.kernels = kernel_parse(arena, diag, "test", text.data, &module.kernel_count);
    Program program = {.arena = arena, .diag = diag, .name = "same"};
    module.program = &program;
    CodegenObject *first = NULL;
    int first_count = 0;
    for (int jobs = 1; jobs <= 4; jobs++) {
        CodegenOptions options = {.emit = EMIT_OBJECT, .compiler = "test", .jobs = jobs};
        int count;
        CodegenObject *objects = codegen_objects(&module, &options, &count);
        first = first ? first : objects;
        first_count = first_count ? first_count : count;
        cr_assert(count == first_count && count > 2);
        for (int i = 0; i < count; i++)
            cr_assert(objects[i].size == first[i].size &&
                      memcmp(objects[i].bytes, first[i].bytes, first[i].size) == 0);
    }
    arena_destroy(arena);
}
