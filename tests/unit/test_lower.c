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

static void check_seed(const char *triple, const char *cpu, uint64_t seed, bool run_passes)
{
    Case c = {.arena = arena_create()};
    c.diag = diag_create(c.arena);
    c.program = random_graph(c.arena, c.diag, seed);
    cr_assert_not_null(c.program);
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
        check_seed(triple, cpu, seed, seed % 2 == 0);
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
