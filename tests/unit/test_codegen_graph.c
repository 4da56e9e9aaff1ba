/* Random programs as machine code against the evaluator: all passes, lowering, code, for each level
 * of x86-64 that this machine has and for ARM under qemu. Many programs share one link. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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
            share_loops(module->kernels[i]);
    }
    for (int i = 0; i < module->schedule_count; i++)
        plan_schedule(arena, module->schedules[i]);
    if (module->prepare)
        plan_schedule(arena, module->prepare);
}

static void add_program(Batch *batch, const Target *target, uint64_t seed)
{
    Arena *arena = batch->arena;
    Diag *diag = diag_create(arena);
    Module *module = &batch->modules[batch->count];
    Program *program = random_graph(arena, diag, seed);
    batch->references[batch->count++] = random_graph(arena, diag, seed);
    cr_assert(pipeline_run(program, &(PipelineOptions){0}));
    cr_assert(lower_program(program, target, arena, diag, module), "%s", diag->messages[0]);
    if (seed % 2)
        share_everything(arena, module);
    for (int i = 0; i < module->kernel_count; i++) {
        Kernel *kernel = module->kernels[i];
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

static void check_target(const char *triple, const char *cpu, bool masked)
{
    Arena *arena = arena_create();
    Target target;
    cr_assert(target_find(diag_create(arena), triple, cpu, &target));
    target.masked |= masked;
    if (!compiled_kernels_possible(&target))
        cr_skip("no %s-gcc or no emulator for it", triple);
    int programs = getenv("INGOT_SANITIZED") ? FEWER : PROGRAMS;
    for (int done = 0; done < programs; done += TOGETHER) {
        Batch *batch = calloc(1, sizeof *batch);
        batch->arena = arena_create();
        batch->first_seed = (uint64_t)done + 1;
        for (int i = 0; i < TOGETHER && done + i < programs; i++)
            add_program(batch, &target, batch->first_seed + (uint64_t)i);
        batch->compiled =
            compiled_kernels_create(batch->arena, &target, batch->kernels, batch->kernel_count);
        check_batch(batch);
        compiled_kernels_destroy(batch->compiled);
        arena_destroy(batch->arena);
        free(batch);
    }
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
