/* Every element type in machine code, at the ends of what it holds: arithmetic and comparisons of
 * integers, and casts of every type to every other, to the bit, for each level of x86-64 that this
 * machine has and for ARM under qemu. What is right is said by support/nest_apply.c, an operation
 * at a time. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "ir/element.h"
#include "ir/nest_text.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/nest_apply.h"
#include "tests/support/short_float.h"

/* Targets */

typedef struct TargetCase {
    const char *triple, *cpu;
} TargetCase;

static const TargetCase target_cases[] = {
    {"x86_64-linux-gnu", "x86-64"},       {"x86_64-linux-gnu", "x86-64-v2"},
    {"x86_64-linux-gnu", "x86-64-v3"},    {"x86_64-linux-gnu", "x86-64-v4"},
    {"aarch64-linux-gnu", "armv8-a"},     {"arm-linux-gnueabihf", "armv7-a"},
    {"arm-linux-gnueabihf", "cortex-a7"},
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
    cr_assert(target_find(diag_create(arena), wanted->triple, wanted->cpu, target));
    return compiled_kernels_possible(target) && (!target->native || runs_here(wanted->cpu));
}

/* Values */

enum { VALUES = 59 }; /* odd, so that vectors end with a part of one */

static const double real_values[] = {
    0.0,
    -0.0,
    0.25,
    -0.5,
    0.75,
    1,
    -1,
    1.5,
    -1.999,
    2,
    3.5,
    -7,
    100,
    127,
    127.9,
    128,
    -128,
    -128.9,
    -129,
    255,
    255.5,
    256,
    32767,
    32767.5,
    32768,
    -32768,
    -32768.5,
    -32769,
    65535,
    65535.5,
    65536,
    1e6,
    0x1.fffffep30,
    0x1p31,
    -0x1p31,
    -0x1.1p31,
    0x1.8p31,
    0x1.fffffep31,
    0x1p32,
    -0x1p32,
    0x1p33,
    0x1.fffffep62,
    0x1p63,
    -0x1p63,
    -0x1.8p63,
    0x1.8p63,
    0x1.fffffep63,
    0x1p64,
    1e30,
    -1e30,
    INFINITY,
    -INFINITY,
    NAN,
    1e-20,
    -1e-20,
    16777217,
    33554435,
    -16777219,
    9007199254740993.0,
};

/* Powers of two and their neighbours, at both ends of the type */
static int64_t integer_value(ElementType element, int i)
{
    static const int64_t small[] = {
        0,  1,  2,  3,  5,  7,   8,        10, 100, 16777217, 16777219, 33554435, 9007199254740993,
        -1, -2, -3, -5, -7, -10, -16777219};
    enum { SMALL = (int)(sizeof small / sizeof small[0]) };
    if (i < SMALL)
        return element_wrap(element, small[i]);
    int64_t power = (int64_t)((uint64_t)1 << (7 + (i - SMALL) / 3 * 5 % 57));
    return element_wrap(element, power + (i - SMALL) % 3 - 1);
}

static void fill(ElementType element, void *data)
{
    for (int i = 0; i < VALUES; i++)
        if (element_is_float(element))
            element_set_number(element, data, i, real_values[i]);
        else
            element_set_integer(element, data, i, integer_value(element, i));
}

static bool same(ElementType element, Scalar a, Scalar b)
{
    if (!element_is_float(element))
        return a.integer == b.integer;
    return (isnan(a.number) && isnan(b.number)) ||
           (a.number == b.number && signbit(a.number) == signbit(b.number));
}

/* Kernels */

typedef struct Job { /* of one kernel: y = op(a) or op(a, b), element by element */
    Op op;
    ElementType from, to;
    int count;
} Job;

enum { JOBS = 512 };

typedef struct Jobs {
    Job list[JOBS];
    int count;
    Text text;
} Jobs;

/* In vectors of 8, the last of them a part, or one by one. */
static void add_job(Jobs *jobs, Job job, bool vectors)
{
    Text *text = &jobs->text;
    int index = jobs->count, n = job.count, whole = vectors ? n / 8 * 8 : 0;
    bool two = op_inputs(job.op) == 2;
    cr_assert(index < JOBS);
    const char *from = element_name(job.from), *to = element_name(job.to);
    text_print(text, "kernel @k%d(%%a: %s[%d], ", index, from, n);
    if (two)
        text_print(text, "%%b: %s[%d], ", from, n);
    text_print(text, "out %%y: %s[%d]) {\n", to, n);
    for (int part = 0; part < (vectors ? 2 : 1); part++) {
        if (vectors)
            text_print(text, "  for i = %d..%d step 8 { vector v = 0..%d of 8 { %%y[i + v] = ",
                       part ? whole : 0, part ? n : whole, part ? n - whole : 8);
        else
            text_print(text, "  for i = 0..%d { %%y[i] = ", n);
        const char *at = vectors ? "[i + v]" : "[i]";
        text_print(text, "%s%s%s(%%a%s", op_name(job.op), job.op == OP_cast ? ":" : "",
                   job.op == OP_cast ? to : "", at);
        text_print(text, two ? ", %%b%s)" : ")", at);
        text_add(text, vectors ? " } }\n" : " }\n");
    }
    text_add(text, "}\n");
    jobs->list[jobs->count++] = job;
}

static void check_job(const CompiledKernels *compiled, int index, const Job *job,
                      const Target *target)
{
    bool two = op_inputs(job->op) == 2;
    size_t size = ((size_t)job->count * 8 + 63) / 64 * 64;
    char *a = aligned_alloc(64, size + 64), *b = aligned_alloc(64, size + 64),
         *y = aligned_alloc(64, size + 64), *values = aligned_alloc(64, 64 * 8);
    size_t bytes = (size_t)element_bytes(job->from);
    fill(job->from, values);
    for (int i = 0; i < job->count; i++) { /* every value, or every pair of them */
        memcpy(a + (size_t)i * bytes, values + (size_t)(i % VALUES) * bytes, bytes);
        memcpy(b + (size_t)i * bytes, values + (size_t)(i / VALUES) * bytes, bytes);
    }
    void *arguments[3] = {a, two ? b : y, y};
    compiled_kernels_run((CompiledKernels *)compiled, index, arguments, 1);
    for (int i = 0; i < job->count; i++) {
        Scalar in[2] = {scalar_read(job->from, a + (size_t)i * bytes),
                        scalar_read(job->from, b + (size_t)i * bytes)};
        Scalar wanted = scalar_apply(job->op, job->to, job->from, in);
        Scalar got = scalar_read(job->to, y + i * element_bytes(job->to));
        cr_expect(same(job->to, got, wanted),
                  "%s of %s (%.17g %lld, %lld) to %s on %s: %.17g %lld, not %.17g %lld",
                  op_name(job->op), element_name(job->from), in[0].number, (long long)in[0].integer,
                  (long long)in[1].integer, element_name(job->to), target->name, got.number,
                  (long long)got.integer, wanted.number, (long long)wanted.integer);
    }
    free(a);
    free(b);
    free(y);
    free(values);
}

static void check_jobs(Arena *arena, const Jobs *jobs)
{
    for (int t = 0; t < TARGET_CASES; t++) {
        Target target;
        int count;
        if (!find_target(arena, &target_cases[t], &target))
            continue;
        Diag *diag = diag_create(arena);
        Kernel **kernels = kernel_parse(arena, diag, "test", jobs->text.data, &count);
        for (int i = 0; kernels && i < count; i++)
            kernel_verify(kernels[i], diag);
        diag_print(diag, stderr);
        cr_assert(diag_ok(diag) && count == jobs->count);
        CompiledKernels *compiled = compiled_kernels_create(arena, &target, kernels, count);
        for (int i = 0; i < count; i++)
            check_job(compiled, i, &jobs->list[i], &target);
        compiled_kernels_destroy(compiled);
    }
}

Test(codegen_element, integers)
{
    static const Op ops[] = {OP_neg, OP_abs, OP_sign,       OP_add,         OP_sub, OP_mul,
                             OP_div, OP_mod, OP_max,        OP_min,         OP_not, OP_and,
                             OP_or,  OP_xor, OP_shift_left, OP_shift_right, OP_eq,  OP_ne,
                             OP_lt,  OP_le,  OP_gt,         OP_ge};
    Arena *arena = arena_create();
    Jobs *jobs = ARENA_NEW(arena, Jobs);
    jobs->text = text_create(arena);
    for (int e = 0; e < TYPE_COUNT; e++)
        for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
            ElementType element = (ElementType)e;
            bool compares = ops[i] >= OP_eq && ops[i] <= OP_ge;
            Job job = {.op = ops[i],
                       .from = element,
                       .to = compares ? TYPE_BOOL : element,
                       .count = op_inputs(ops[i]) == 2 ? VALUES * VALUES : VALUES};
            if (element_is_integer(element))
                add_job(jobs, job, true);
        }
    check_jobs(arena, jobs);
    arena_destroy(arena);
}

Test(codegen_element, casts)
{
    Arena *arena = arena_create();
    Jobs *jobs = ARENA_NEW(arena, Jobs);
    jobs->text = text_create(arena);
    for (int from = 0; from < TYPE_COUNT; from++)
        for (int to = 0; to < TYPE_COUNT; to++)
            for (int vectors = 0; vectors < 2; vectors++)
                add_job(jobs,
                        (Job){.op = OP_cast,
                              .from = (ElementType)from,
                              .to = (ElementType)to,
                              .count = VALUES},
                        vectors);
    check_jobs(arena, jobs);
    arena_destroy(arena);
}

/* Every f16 and bf16 */

enum { DECISIONS = SHORT_FLOATS * SHORT_DECISIONS };

typedef struct ShortCast {
    ElementType from, to;
} ShortCast;

static const ShortCast short_casts[] = {
    {TYPE_F16, TYPE_F32},  {TYPE_F16, TYPE_F64},  {TYPE_BF16, TYPE_F32}, {TYPE_BF16, TYPE_F64},
    {TYPE_F16, TYPE_BF16}, {TYPE_BF16, TYPE_F16}, {TYPE_F32, TYPE_F16},  {TYPE_F64, TYPE_F16},
    {TYPE_F32, TYPE_BF16}, {TYPE_F64, TYPE_BF16},
};

enum { SHORT_CASTS = (int)(sizeof short_casts / sizeof short_casts[0]) };

static bool is_narrowing(const ShortCast *cast)
{
    return !element_is_storage(cast->from);
}

/* All patterns; or the numbers next to the middle of each two, of both signs. */
static void fill_short(const ShortCast *cast, void *data, int count)
{
    for (int i = 0; i < count; i++) {
        int rounded, bits = i % SHORT_FLOATS;
        if (!is_narrowing(cast)) {
            ((uint16_t *)data)[i] = (uint16_t)bits;
        } else if ((bits & 0x7fff) >= short_infinite(cast->to)) { /* infinite, and NaN */
            double value = short_value(cast->to, bits, false);
            element_set_number(cast->from, data, i, value);
        } else {
            double value = short_decision(cast->to, bits & 0x7fff, i / SHORT_FLOATS,
                                          cast->from == TYPE_F64, &rounded);
            element_set_number(cast->from, data, i, bits & 0x8000 ? -value : value);
        }
    }
}

static int wanted_bits(const ShortCast *cast, int i)
{
    int rounded, bits = i % SHORT_FLOATS;
    if ((bits & 0x7fff) >= short_infinite(cast->to))
        return bits;
    short_decision(cast->to, bits & 0x7fff, i / SHORT_FLOATS, cast->from == TYPE_F64, &rounded);
    return rounded | (bits & 0x8000);
}

/* Between the two the definition is that of rounding an exact value: by decisions above, and here
 * by the evaluator, which test_ir_element.c compares with the definition. */
static int between_bits(const ShortCast *cast, int i)
{
    uint16_t bits;
    element_set_number(cast->to, &bits, 0, short_value(cast->from, i, false));
    return bits;
}

static bool short_cast_is_right(const ShortCast *cast, int i, const void *result)
{
    if (element_is_storage(cast->to)) {
        int bits = ((const uint16_t *)result)[i];
        int wanted = is_narrowing(cast) ? wanted_bits(cast, i) : between_bits(cast, i);
        return bits == wanted || (short_is_nan(cast->to, bits) && short_is_nan(cast->to, wanted) &&
                                  (bits ^ wanted) >> 15 == 0);
    }
    double value = element_number(cast->to, result, i), wanted = short_value(cast->from, i, false);
    return (isnan(value) && isnan(wanted)) ||
           (value == wanted && signbit(value) == signbit(wanted));
}

static void check_short_cast(CompiledKernels *compiled, int index, const Target *target)
{
    const ShortCast *cast = &short_casts[index];
    int count = is_narrowing(cast) ? DECISIONS : SHORT_FLOATS;
    char *from = aligned_alloc(64, DECISIONS * 8), *to = aligned_alloc(64, DECISIONS * 8);
    fill_short(cast, from, count);
    compiled_kernels_run(compiled, index, (void *[]){from, to}, 1);
    for (int i = 0; i < count; i++) {
        double got = element_number(cast->to, to, i);
        cr_assert(short_cast_is_right(cast, i, to), "%s %a as %s on %s: %a",
                  element_name(cast->from), element_number(cast->from, from, i),
                  element_name(cast->to), target->name, got);
    }
    free(from);
    free(to);
}

Test(codegen_element, short_floats)
{
    Arena *arena = arena_create();
    Text text = text_create(arena);
    for (int i = 0; i < SHORT_CASTS; i++) {
        const ShortCast *cast = &short_casts[i];
        int count = is_narrowing(cast) ? DECISIONS : SHORT_FLOATS;
        const char *from = element_name(cast->from), *to = element_name(cast->to);
        text_print(&text,
                   "kernel @k%d(%%x: %s[%d], out %%y: %s[%d]) { for i = 0..%d step 8 {\n"
                   "  vector v = 0..8 { %%y[i + v] = cast:%s(%%x[i + v]) } } }\n",
                   i, from, count, to, count, count, to);
    }
    for (int t = 0; t < TARGET_CASES; t++) {
        Target target;
        int count;
        if (!find_target(arena, &target_cases[t], &target))
            continue;
        Kernel **kernels = kernel_parse(arena, diag_create(arena), "test", text.data, &count);
        CompiledKernels *compiled = compiled_kernels_create(arena, &target, kernels, count);
        for (int i = 0; i < count; i++)
            check_short_cast(compiled, i, &target);
        compiled_kernels_destroy(compiled);
    }
    arena_destroy(arena);
}

/* The casts above, and those of integers, as objects for all targets there are, whether they run
 * here or not. */
Test(codegen_element, no_library_is_called)
{
    static const ElementType others[] = {TYPE_F32, TYPE_F64, TYPE_BOOL, TYPE_I8,
                                         TYPE_U16, TYPE_I32, TYPE_U32,  TYPE_I64,
                                         TYPE_U64, TYPE_F16, TYPE_BF16};
    enum { OTHERS = (int)(sizeof others / sizeof others[0]) };
    for (int t = 0; t < TARGET_CASES; t++) {
        Arena *arena = arena_create();
        Diag *diag = diag_create(arena);
        Target target;
        cr_assert(target_find(diag, target_cases[t].triple, target_cases[t].cpu, &target));
        Jobs *jobs = ARENA_NEW(arena, Jobs);
        jobs->text = text_create(arena);
        for (int i = 0; i < OTHERS; i++)
            for (int j = 0; j < 8; j++) {
                ElementType stored = j & 1 ? TYPE_F16 : TYPE_BF16, other = others[i];
                bool back = j & 2, wide = element_is_integer(other) && element_bytes(other) == 8;
                if (back && wide && target.pointer_bytes == 4)
                    continue; /* no f32 becomes an i64 there without a library */
                Job job = {OP_cast, back ? stored : other, back ? other : stored, VALUES};
                add_job(jobs, job, j & 4);
            }
        Module module = {.arena = arena, .diag = diag, .target = &target};
        Program program = {.arena = arena, .diag = diag, .name = "t"};
        module.program = &program;
        module.kernels = kernel_parse(arena, diag, "test", jobs->text.data, &module.kernel_count);
        CodegenOptions options = {.emit = EMIT_OBJECT, .compiler = "test", .jobs = 2};
        int count;
        CodegenObject *objects = codegen_objects(&module, &options, &count);
        cr_assert(objects);
        for (int i = 1; i < count; i++) /* all symbols of the C and the compiler's library */
            cr_assert_not(memmem(objects[i].bytes, objects[i].size, "\0__", 3), "on %s, %s",
                          target.name,
                          (const char *)memmem(objects[i].bytes, objects[i].size, "\0__", 3) + 1);
        arena_destroy(arena);
    }
}
