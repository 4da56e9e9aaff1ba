/* Random programs as machine code against the evaluator: all passes, lowering, code, for each level
 * of x86-64 that this machine has and for ARM under qemu. Many programs share one link. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ir/nest_text.h"
#include "ir/text.h"
#include "passes/lower.h"
#include "passes/passes.h"
#include "passes/plan.h"
#include "passes/schedule_kernel.h"
#include "tests/support/agree_nest.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random_graph.h"

enum { PROGRAMS = 100, FEWER = 12, TOGETHER = 40, KERNELS = 4096, MUCH_WORK = 1 << 24 };

/* Programs whose kernels are linked together. */
typedef struct Batch {
    Arena *arena;
    const Program *references[TOGETHER];
    Module modules[TOGETHER];
    uint64_t first_seed;
    int count;
    Kernel *kernels[KERNELS];
    int kernel_count;
    CompiledKernels *compiled;
} Batch;

/* Makes every kernel worth sharing out, however small it is. */
static void share_everything(Arena *arena, const Module *module)
{
    for (int i = 0; i < module->kernel_count; i++) {
        module->kernels[i]->element_steps = MUCH_WORK;
        if (!module->kernels[i]->parallel)
            share_loops(arena, module->kernels[i]);
    }
    for (int i = 0; i < module->schedule_count; i++)
        plan_schedule(arena, module->schedules[i]);
    if (module->prepare)
        plan_schedule(arena, module->prepare);
}

typedef Program *MakeProgram(Arena *arena, Diag *diag, uint64_t seed);

static void add_program(Batch *batch, const Target *target, MakeProgram *make, uint64_t seed)
{
    Arena *arena = batch->arena;
    Diag *diag = diag_create(arena);
    Module *module = &batch->modules[batch->count];
    Program *program = make(arena, diag, seed);
    cr_assert(program, "%s", diag->messages[0]);
    batch->references[batch->count++] = make(arena, diag, seed);
    cr_assert(pipeline_run(program, &(PipelineOptions){0}));
    cr_assert(lower_program(program, target, arena, diag, module), "%s", diag->messages[0]);
    if (seed % 2)
        share_everything(arena, module);
    for (int i = 0; i < module->kernel_count; i++) {
        Kernel *kernel = module->kernels[i];
        cr_assert(kernel_verify(kernel, diag), "seed %d: %s", (int)seed, diag->messages[0]);
        kernel->name = arena_print(arena, "seed%d_%s", (int)seed, kernel->name);
        cr_assert(batch->kernel_count < KERNELS);
        batch->kernels[batch->kernel_count++] = kernel;
    }
}

static bool run_compiled(void *context, Diag *diag, const Kernel *kernel, void *const *arguments,
                         int members)
{
    const Batch *batch = context;
    int index = 0;
    (void)diag;
    while (batch->kernels[index] != kernel)
        index++;
    compiled_kernels_run(batch->compiled, index, arguments, members);
    return true;
}

static void check_batch(Batch *batch)
{
    KernelRunner runner = {run_compiled, batch};
    for (int i = 0; i < batch->count; i++)
        for (int members = 1; members <= 3; members += 2) {
            Diag *diag = diag_create(batch->arena);
            cr_assert(module_agrees_with(&runner, members, diag, batch->references[i],
                                         &batch->modules[i]),
                      "seed %d, %d members: %s", (int)(batch->first_seed + (uint64_t)i), members,
                      diag->messages[0]);
        }
}

static void check_programs(const Target *target, MakeProgram *make, int programs)
{
    for (int done = 0; done < programs; done += TOGETHER) {
        Batch *batch = calloc(1, sizeof *batch);
        batch->arena = arena_create();
        batch->first_seed = (uint64_t)done + 1;
        for (int i = 0; i < TOGETHER && done + i < programs; i++)
            add_program(batch, target, make, batch->first_seed + (uint64_t)i);
        batch->compiled =
            compiled_kernels_create(batch->arena, target, batch->kernels, batch->kernel_count);
        check_batch(batch);
        compiled_kernels_destroy(batch->compiled);
        arena_destroy(batch->arena);
        free(batch);
    }
}

static void check_target(const char *triple, const char *cpu, bool masked)
{
    Arena *arena = arena_create();
    Target target;
    cr_assert(target_find(diag_create(arena), triple, cpu, &target));
    target.masked |= masked;
    if (!compiled_kernels_possible(&target))
        cr_skip("no %s-gcc or no emulator for it", triple);
    check_programs(&target, random_graph, getenv("INGOT_SANITIZED") ? FEWER : PROGRAMS);
    arena_destroy(arena);
}

#if defined(__x86_64__)
Test(codegen_graph, x86_64)
{
    check_target("x86_64-linux-gnu", "x86-64", false);
}

Test(codegen_graph, x86_64_v2)
{
    check_target("x86_64-linux-gnu", "x86-64-v2", false);
}

Test(codegen_graph, x86_64_v3)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        cr_skip("this machine has no AVX2");
    check_target("x86_64-linux-gnu", "x86-64-v3", false);
}

/* AVX-512's way through the generator, on a machine that may lack it. */
Test(codegen_graph, x86_64_masked)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        cr_skip("this machine has no AVX2");
    check_target("x86_64-linux-gnu", "x86-64-v3", true);
}

Test(codegen_graph, x86_64_v4)
{
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        cr_skip("this machine has no AVX-512");
    check_target("x86_64-linux-gnu", "x86-64-v4", false);
}
#endif

Test(codegen_graph, aarch64)
{
    check_target("aarch64-linux-gnu", "armv8-a", false);
}

Test(codegen_graph, armv7)
{
    check_target("arm-linux-gnueabihf", "armv7-a", false);
}

Test(codegen_graph, armv7_fused)
{
    check_target("arm-linux-gnueabihf", "cortex-a7", false);
}

/* Tensors of no elements go through everything, and so do results that are made of none. */
static const char *const nothing[][3] = {
    /* parameters, type of the result, operation */
    {"%x: f32[0,3]", "f32[0,3]", "exp %x"},
    {"%x: f32[0,5], %y: f32[1,5]", "f32[0,5]", "add %x, %y"},
    {"%x: i8[2,0], %y: i8[2,1]", "i8[2,0]", "shift_left %x, %y"},
    {"%x: i32[0]", "bool[0]", "lt %x, %x"},
    {"%c: bool[0], %x: u8[0], %y: u8[]", "u8[0]", "select %c, %x, %y"},
    {"%x: f32[3,0]", "i64[3,0]", "cast %x to=i64"},
    {"", "f32[0,2]", "iota axis=1 dims=[0,2] element=f32"},
    {"%k: i32[3]", "f32[4,0]", "random %k stream=0 dims=[4,0]"},
    {"%x: f32[0,3]", "f32[3]", "reduce_sum %x axes=[0] keep=0"},
    {"%x: f32[3,0]", "f32[3]", "reduce_max %x axes=[1] keep=0"},
    {"%x: i64[3,0]", "i64[3,1]", "reduce_min %x axes=[1] keep=1"},
    {"%x: bool[3,0]", "bool[3]", "reduce_min %x axes=[1] keep=0"},
    {"%x: u8[0]", "u8[]", "reduce_product %x axes=[0] keep=0"},
    {"%x: f32[0,3]", "f32[0]", "reduce_sum %x axes=[1] keep=0"},
    {"%x: f32[0,3]", "i32[0]", "argmax %x axis=1"},
    {"%x: f32[2,0]", "f32[2,0]", "cumulative %x axis=1 mode=add exclusive=0 reverse=1"},
    {"%x: i32[0,2]", "i32[0,2]", "cumulative %x axis=1 mode=max exclusive=1 reverse=0"},
    {"%x: f32[0]", "i32[0]", "argsort %x descending=0"},
    {"%x: f32[0,300]", "i32[0,300]", "argsort %x descending=1"},
    {"%x: f32[2,0], %y: f32[0,4]", "f32[2,4]", "matmul %x, %y"},
    {"%x: f32[0,3], %y: f32[3,4]", "f32[0,4]", "matmul %x, %y"},
    {"%x: f32[0,2,3], %y: f32[3,4]", "f32[0,2,4]", "matmul %x, %y"},
    {"%x: f32[0,5,3], %w: f32[3,3,4]", "f32[0,5,4]",
     "conv %x, %w stride=[1] dilation=[1] pad=[1,1] groups=1"},
    {"%x: f32[2,5,0], %w: f32[3,0,4]", "f32[2,5,4]",
     "conv %x, %w stride=[1] dilation=[1] pad=[1,1] groups=1"},
    {"%y: f32[0,5,4], %w: f32[3,3,4]", "f32[0,5,3]",
     "conv_transpose %y, %w stride=[1] dilation=[1] pad=[1,1] groups=1 dims=[0,5,3]"},
    {"%x: f32[0,5,3], %y: f32[0,5,4]", "f32[3,3,4]",
     "conv_filter %x, %y stride=[1] dilation=[1] pad=[1,1] groups=1 dims=[3,3,4]"},
    {"%x: f32[0,6,2]", "f32[0,3,2]", "window_max %x size=[2] stride=[2] dilation=[1] pad=[0,0]"},
    {"%x: f32[2,6,0]", "f32[2,6,0]", "window_sum %x size=[3] stride=[1] dilation=[1] pad=[1,1]"},
    {"%x: f32[0,6,2]", "i32[0,6,2]", "window_argmax %x size=[3] stride=[1] dilation=[1] pad=[1,1]"},
    {"%x: f32[0,6,2], %t: i32[0,3,2]", "f32[0,3,2]",
     "window_pick %x, %t size=[2] stride=[2] dilation=[1] pad=[0,0]"},
    {"%y: f32[0,3,2], %t: i32[0,3,2]", "f32[0,6,2]",
     "window_scatter %y, %t size=[2] stride=[2] dilation=[1] pad=[0,0] dims=[0,6,2]"},
    {"%y: f32[0,3,2]", "f32[0,6,2]",
     "window_spread %y size=[2] stride=[2] dilation=[1] pad=[0,0] dims=[0,6,2]"},
    {"%x: f32[0,4]", "f32[2,0,7]", "reshape %x dims=[2,0,7]"},
    {"%x: bool[0,4,2]", "bool[2,0,4]", "transpose %x order=[2,0,1]"},
    {"%x: f32[1,3]", "f32[0,3]", "broadcast %x dims=[0,3]"},
    {"%x: u8[5]", "u8[0]", "slice %x start=[5] count=[0] step=[1]"},
    {"%x: f32[3,0]", "f32[3,0]", "reverse %x axes=[0,1]"},
    {"%x: f32[0,2]", "f32[3,3]", "pad %x before=[1,0] after=[2,1] interior=[4,0] value=7"},
    {"%x: bool[0]", "bool[2]", "pad %x before=[1] after=[1] interior=[0] value=1"},
    {"%x: f32[2,0], %y: f32[2,3]", "f32[2,3]", "concat %x, %y, %x axis=1"},
    {"%x: i64[0,2], %y: i64[0,3]", "i64[0,5]", "concat %x, %y axis=1"},
    {"%t: f32[5,2], %r: i32[0]", "f32[0,2]", "gather %t, %r"},
    {"%t: f32[0,2], %r: i32[0,3]", "f32[0,3,2]", "gather %t, %r"},
    {"%t: f32[5,0], %r: i32[3]", "f32[3,0]", "gather %t, %r"},
    {"%u: f32[0,2], %r: i32[0]", "f32[3,2]", "scatter_add %u, %r dims=[3,2]"},
    {"%b: f32[3,2], %u: f32[0,2], %r: i32[0]", "f32[3,2]", "scatter %b, %u, %r mode=mul"},
    {"%b: f32[0,2], %u: f32[0,2], %r: i32[0]", "f32[0,2]", "scatter %b, %u, %r mode=set"},
    {"%b: u8[3,0], %u: u8[2,0], %r: i32[2]", "u8[3,0]", "scatter %b, %u, %r mode=max"},
    {"%x: f32[0,3]", "f32[0,3]", "softmax %x axis=1"},
    {"%x: f32[3,0]", "f32[3,0]", "log_softmax %x axis=1"},
    {"%x: f32[3,0]", "f32[3,0]", "normalize %x axes=[1] epsilon=1"},
    {"%x: f32[0,3], %l: i32[0]", "f32[0]", "softmax_cross_entropy %x, %l"},
    {"%x: f32[0,3], %t: f32[3]", "f32[0,3]", "sigmoid_cross_entropy %x, %t"},
};

enum { NOTHINGS = (int)(sizeof nothing / sizeof nothing[0]) };

/* The operation alone, and among others that join its kernel. */
static Program *make_nothing(Arena *arena, Diag *diag, uint64_t seed)
{
    const char *const *words = nothing[(seed - 1) % NOTHINGS];
    const char *type = words[1];
    bool alone = seed <= NOTHINGS, logical = type[0] == 'b';
    const char *more = arena_print(arena, "%%1: %s = %s %%0 %%2: %s = %s %%1, %%0 return %%2", type,
                                   logical ? "not" : "abs", type, logical ? "and" : "max");
    return graph_parse(
        arena, diag, "nothing",
        arena_print(arena, "program @p random_streams=1 { fn @f(%s) -> %s { %%0: %s = %s %s } }",
                    words[0], type, type, words[2], alone ? "return %0" : more));
}

static void check_nothing(const char *triple, const char *cpu)
{
    Arena *arena = arena_create();
    Target target;
    cr_assert(target_find(diag_create(arena), triple, cpu, &target));
    if (compiled_kernels_possible(&target))
        check_programs(&target, make_nothing, 2 * NOTHINGS);
    arena_destroy(arena);
}

Test(codegen_graph, of_nothing)
{
    check_nothing(NULL, NULL);
    check_nothing("arm-linux-gnueabihf", "armv7-a");
}
