/* Lowered programs against the evaluator: random graphs of every operation, odd sizes, for each
 * kind of processor, run by an interpreter of the loop level. What differs here is a fault of
 * fusion, lowering, tiling, vectorising or planning. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/nest_text.h"
#include "ir/text.h"
#include "passes/lower.h"
#include "passes/passes.h"
#include "tests/support/module_run.h"
#include "tests/support/random_graph.h"

enum { SEEDS = 150 };

typedef struct Case {
    Arena *arena;
    Diag *diag;
    Program *program;
    Module module;
    void **inputs, **states, **results;
} Case;

static void *dense(Arena *arena, const TensorType *type)
{
    return arena_alloc(arena, (size_t)type_bytes(type) + 64);
}

static void fill(Case *c, uint64_t seed)
{
    const Function *f = c->program->functions[0];
    c->inputs = ARENA_ARRAY(c->arena, void *, f->input_count + 1);
    c->states = ARENA_ARRAY(c->arena, void *, c->program->state_count + 1);
    c->results = ARENA_ARRAY(c->arena, void *, f->result_count + 1);
    for (int i = 0; i < f->input_count; i++)
        random_fill(&f->inputs[i]->type, seed * 131 + (uint64_t)i,
                    c->inputs[i] = dense(c->arena, &f->inputs[i]->type));
    for (int s = 0; s < c->program->state_count; s++)
        random_fill(&c->program->states[s]->type, seed * 137 + (uint64_t)s,
                    c->states[s] = dense(c->arena, &c->program->states[s]->type));
    for (int r = 0; r < f->result_count; r++)
        c->results[r] = dense(c->arena, &f->results[r].node->type);
}

/* The evaluator sums in double, kernels in float: differences grow with the length of sums, which
 * is short here. */
static void compare(const Case *c, const char *cpu, uint64_t seed, const char *what,
                    const Value *expected, const void *data)
{
    Value got = value_read(c->arena, expected->type, data);
    double scale = 1;
    int64_t count = type_elements(&expected->type);
    for (int64_t i = 0; i < count && expected->numbers; i++)
        if (isfinite(expected->numbers[i]) && fabs(expected->numbers[i]) > scale)
            scale = fabs(expected->numbers[i]);
    for (int64_t i = 0; i < count; i++) {
        bool same = expected->numbers
                        ? fabs(got.numbers[i] - expected->numbers[i]) <= 2e-4 * scale ||
                              got.numbers[i] == expected->numbers[i] ||
                              (isnan(got.numbers[i]) && isnan(expected->numbers[i]))
                        : got.integers[i] == expected->integers[i];
        if (same)
            continue;
        Text text = text_create(c->arena);
        graph_print(c->program, &text);
        module_print(&c->module, &text);
        cr_assert_fail(
            "seed %llu, %s: %s[%lld] is %g, expected %g\n%s", (unsigned long long)seed, cpu, what,
            (long long)i, expected->numbers ? got.numbers[i] : (double)got.integers[i],
            expected->numbers ? expected->numbers[i] : (double)expected->integers[i], text.data);
    }
}

/* `text` NULL: the random program of this seed. */
static void check_program(const char *triple, const char *cpu, uint64_t seed, const char *text,
                          bool run_passes)
{
    Case c = {.arena = arena_create()};
    c.diag = diag_create(c.arena);
    c.program =
        text ? graph_parse(c.arena, c.diag, "test", text) : random_graph(c.arena, c.diag, seed);
    cr_assert_not_null(c.program, "%s", c.diag->error_count ? c.diag->messages[0] : "");
    const Function *f = c.program->functions[0];
    fill(&c, seed);
    Value *inputs = ARENA_ARRAY(c.arena, Value, f->input_count + 1),
          *results = ARENA_ARRAY(c.arena, Value, f->result_count + 1);
    Value *states = ARENA_ARRAY(c.arena, Value, c.program->state_count + 1);
    for (int i = 0; i < f->input_count; i++)
        inputs[i] = value_read(c.arena, f->inputs[i]->type, c.inputs[i]);
    for (int s = 0; s < c.program->state_count; s++)
        states[s] = value_read(c.arena, c.program->states[s]->type, c.states[s]);
    graph_evaluate(c.arena, EVALUATE_F32, f, inputs, states, results);
    PipelineOptions options = {0};
    if (run_passes) {
        cr_assert(pipeline_run(c.program, &options));
    } else {
        pass_expand(c.program->functions[0]);
        function_clean(c.program->functions[0]);
    }
    Target target;
    cr_assert(target_find(c.diag, triple, cpu, &target));
    cr_assert(lower_program(c.program, &target, c.arena, c.diag, &c.module));
    for (int k = 0; k < c.module.kernel_count; k++)
        cr_assert(kernel_verify(c.module.kernels[k], c.diag), "seed %llu: %s",
                  (unsigned long long)seed, c.diag->messages[0]);
    bool ran = module_run(c.arena, c.diag, &c.module, 0, c.inputs, c.states, c.results,
                          1 + (int)(seed % 3));
    cr_assert(ran, "seed %llu: %s", (unsigned long long)seed, c.diag->messages[0]);
    for (int r = 0; r < f->result_count; r++)
        compare(&c, cpu, seed, f->results[r].name ? f->results[r].name : "result", &results[r],
                c.results[r]);
    for (int s = 0; s < c.program->state_count; s++)
        compare(&c, cpu, seed, c.program->states[s]->name, &states[s], c.states[s]);
    arena_destroy(c.arena);
}

static void check_cpu(const char *triple, const char *cpu, uint64_t first)
{
    for (uint64_t seed = first; seed < first + SEEDS; seed++)
        check_program(triple, cpu, seed, NULL, seed % 2 == 0);
}

Test(lower, agrees_with_the_evaluator_on_avx2)
{
    check_cpu("x86_64-linux-gnu", "x86-64-v3", 0);
}

Test(lower, agrees_with_the_evaluator_on_avx512)
{
    check_cpu("x86_64-linux-gnu", "x86-64-v4", 1000);
}

Test(lower, agrees_with_the_evaluator_on_neon)
{
    check_cpu("aarch64-linux-gnu", "armv8-a", 2000);
    check_cpu("arm-linux-gnueabihf", "armv7-a", 3000);
}

/* Shapes large enough to be tiled with packing, split and shared out. */
static const char *const large[] = {
    "program @column_sums { fn @main(%x: f32[20000,7]) -> f32[7] {\n"
    "  %1: f32[7] = reduce_sum %x axes=[0] keep=0\n  %2: f32[7] = add %1, %1\n  return %2 } }",
    "program @all { fn @main(%x: f32[400,400]) -> f32[] {\n"
    "  %1: f32[] = reduce_sum %x axes=[0,1] keep=0\n  return %1 } }",
    "program @largest { fn @main(%x: f32[3,90000]) -> f32[3] {\n"
    "  %1: f32[3] = reduce_max %x axes=[1] keep=0\n  return %1 } }",
    "program @deep { fn @main(%x: f32[5,40000], %w: f32[40000,3]) -> f32[5,3] {\n"
    "  %1: f32[5,3] = matmul %x, %w\n  return %1 } }",
    "program @odd { fn @main(%x: f32[61,83], %w: f32[83,77], %b: f32[77]) -> f32[61,77] {\n"
    "  %1: f32[61,77] = matmul %x, %w\n  %2: f32[61,77] = add %1, %b\n  %3: f32[61,77] = tanh %2\n "
    " return %3 } }",
    "program @both { fn @main(%x: f32[37,61], %w: f32[50,61]) -> (f32[37,50], f32[50,37]) {\n"
    "  %1: f32[61,50] = transpose %w order=[1,0]\n  %2: f32[37,50] = matmul %x, %1\n"
    "  %3: f32[61,37] = transpose %x order=[1,0]\n  %4: f32[50,37] = matmul %w, %3\n  return %2, "
    "%4 } }",
    "program @batched { fn @main(%x: f32[3,2,19,16], %w: f32[2,16,33]) -> f32[3,2,19,33] {\n"
    "  %1: f32[3,2,19,33] = matmul %x, %w\n  return %1 } }",
};

Test(lower, agrees_where_sums_are_long_and_panels_are_packed)
{
    static const char *const cpus[][2] = {{"x86_64-linux-gnu", "x86-64-v3"},
                                          {"x86_64-linux-gnu", "x86-64-v4"},
                                          {"aarch64-linux-gnu", "armv8-a"}};
    for (size_t t = 0; t < sizeof cpus / sizeof cpus[0]; t++)
        for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
            check_program(cpus[t][0], cpus[t][1], i, large[i], true);
}
