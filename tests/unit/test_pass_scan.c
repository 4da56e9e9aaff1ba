/* Gradients of scans through all passes and as kernels: they compute what they did, and what can be
 * done outside of loops is. */
#include <criterion/criterion.h>

#include "ir/scan.h"
#include "passes/lower.h"
#include "passes/passes.h"
#include "tests/support/agree.h"
#include "tests/support/agree_nest.h"
#include "tests/support/scan_samples.h"

/* Σ y² of the sample and, `order` times over, the gradients of its first result for every input of
 * floats. */
static Program *differentiated(Arena *arena, int variant, int order)
{
    Function *f = scan_sample(arena, variant);
    if (!f)
        return NULL;
    Node *y = f->results[0].node;
    f->results[0].node = graph_reduce_all(f, OP_reduce_sum, graph_mul(f, y, y));
    for (int o = 0; o < order; o++) {
        Node *gradients[8], *next = NULL;
        cr_assert(
            gradient_build_nodes(f, f->results[0].node, f->input_count, f->inputs, gradients));
        for (int i = 0; i < f->input_count; i++) {
            if (!gradients[i])
                continue;
            function_add_result(f, NULL, gradients[i]);
            Node *part =
                graph_reduce_all(f, OP_reduce_sum, graph_mul(f, gradients[i], gradients[i]));
            next = next ? graph_add(f, next, part) : part;
        }
        f->results[0].node = next;
        function_clean(f);
    }
    function_clean(f);
    return f->program;
}

static void check(int variant, int order, bool *more)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Target target;
    Module module;
    Program *before = differentiated(arena, variant, order);
    Program *after = differentiated(arena, variant, order);
    *more = before != NULL;
    if (before) {
        cr_assert(target_find(diag, "x86_64-linux-gnu", "x86-64-v3", &target));
        cr_assert(pipeline_run(after, NULL));
        cr_expect(programs_agree(diag, before, after, AGREE_CLOSELY), "sample %d, order %d: %s",
                  variant, order, diag->messages[0]);
        cr_assert(lower_program(after, &target, arena, diag, &module));
        cr_expect(module_agrees(diag, before, &module), "sample %d, order %d as kernels: %s",
                  variant, order, diag->messages[0]);
    }
    arena_destroy(arena);
}

Test(scan, gradients_survive_all_passes)
{
    for (int order = 0; order <= 2; order++) {
        bool more = true;
        for (int variant = 0; more; variant++)
            check(variant, order, &more);
    }
}

static int count_contractions(const Function *f)
{
    int count = 0;
    for (int i = 0; i < f->node_count; i++)
        count += op_is(f->nodes[i]->op, CONTRACTS);
    return count;
}

/* Of the sample @rnn: x·W, dW, dU and dx are done outside, h·U and dz·Uᵀ cannot be. */
Test(scan, what_can_be_is_done_outside)
{
    Arena *arena = arena_create();
    Program *program = differentiated(arena, 0, 1);
    program->functions[0]->results[0].node = program->functions[0]->results[1].node;
    cr_assert(pipeline_run(program, NULL));
    const Function *f = program->functions[0];
    int scans = 0;
    for (int i = 0; i < f->node_count; i++) {
        if (f->nodes[i]->op != OP_scan)
            continue;
        cr_expect_eq(count_contractions(f->nodes[i]->attr.body), 1);
        cr_expect_eq(node_scan(f->nodes[i]).carried, 1);
        scans++;
    }
    cr_expect_eq(scans, 2);
    cr_expect_eq(count_contractions(f), 4);
    arena_destroy(arena);
}
