/* Whatever is lowered: its kernels are what nest.h promises, read back from their text as they
 * were, have no races, and compute what the evaluator computes. For each kind of target. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/nest_text.h"
#include "ir/text.h"
#include "passes/lower.h"
#include "passes/passes.h"
#include "passes/plan.h"
#include "passes/schedule_kernel.h"
#include "tests/support/random_graph.h"
#include "tests/support/schedule_run.h"

static const char *const targets[][2] = {
    {"x86_64-linux-gnu", "x86-64-v2"},  {"x86_64-linux-gnu", "x86-64-v3"},
    {"x86_64-linux-gnu", "x86-64-v4"},  {"aarch64-linux-gnu", "armv8-a"},
    {"arm-linux-gnueabihf", "armv7-a"},
};
enum { TARGETS = 5, PROGRAMS = 150, FEWER = 25, MUCH_WORK = 1 << 24 };

typedef struct Data { /* of one run, as dense arrays */
    void **inputs, **results, *states;
} Data;

static Data make_data(Arena *arena, const Function *f, const Module *module, uint64_t seed)
{
    Data data = {
        .inputs = ARENA_ARRAY(arena, void *, f->input_count + 1),
        .results = ARENA_ARRAY(arena, void *, f->result_count + 1),
        .states = arena_alloc(arena, (size_t)(module->state_bytes + module->prepared_bytes) + 1)};
    const Program *program = f->program;
    for (int i = 0; i < f->input_count; i++) {
        data.inputs[i] = arena_alloc(arena, (size_t)type_bytes(&f->inputs[i]->type) + 1);
        random_fill(&f->inputs[i]->type, seed + (uint64_t)i, data.inputs[i]);
    }
    for (int i = 0; i < f->result_count; i++)
        data.results[i] = arena_alloc(arena, (size_t)type_bytes(&f->results[i].node->type) + 1);
    for (int i = 0; i < program->state_count; i++)
        random_fill(&program->states[i]->type, seed + 100 + (uint64_t)i,
                    (char *)data.states + module->state_offsets[i]);
    return data;
}

static void check_value(uint64_t seed, const char *what, int index, const Value *wanted,
                        const void *data, Arena *arena)
{
    Value found = value_read(arena, wanted->type, data);
    for (int64_t i = 0; i < type_elements(&wanted->type); i++) {
        if (wanted->integers) {
            cr_assert_eq(found.integers[i], wanted->integers[i], "seed %d: %s %d [%d]", (int)seed,
                         what, index, (int)i);
            continue;
        }
        double a = found.numbers[i], b = wanted->numbers[i];
        bool same = (isnan(a) && isnan(b)) || a == b ||
                    fabs(a - b) <= 1e-4 * fmax(1, fmax(fabs(a), fabs(b)));
        cr_assert(same, "seed %d: %s %d [%d] is %.9g, not %.9g", (int)seed, what, index, (int)i, a,
                  b);
    }
}

/* The evaluator on the program as it was made, against the kernels. */
static void check_result(Arena *arena, uint64_t seed, const Function *reference,
                         const Module *module, int members)
{
    Diag *diag = diag_create(arena);
    const Program *program = reference->program;
    Data data = make_data(arena, reference, module, seed);
    Value *inputs = ARENA_ARRAY(arena, Value, reference->input_count + 1);
    Value *states = ARENA_ARRAY(arena, Value, program->state_count + 1);
    Value *results = ARENA_ARRAY(arena, Value, reference->result_count + 1);
    for (int i = 0; i < reference->input_count; i++)
        inputs[i] = value_read(arena, reference->inputs[i]->type, data.inputs[i]);
    for (int i = 0; i < program->state_count; i++)
        states[i] = value_read(arena, program->states[i]->type,
                               (char *)data.states + module->state_offsets[i]);
    graph_evaluate(arena, EVALUATE_F32, reference, inputs, states, results);
    cr_assert((!module->prepare || schedule_run(module->prepare, diag, NULL, data.states,
                                                module->state_bytes, NULL, members)) &&
                  schedule_run(module->schedules[0], diag, data.inputs, data.states,
                               module->state_bytes, data.results, members),
              "seed %d: %s", (int)seed, diag->messages[0]);
    for (int i = 0; i < reference->result_count; i++)
        check_value(seed, "result", i, &results[i], data.results[i], arena);
    for (int i = 0; i < program->state_count; i++)
        check_value(seed, "state", i, &states[i], (char *)data.states + module->state_offsets[i],
                    arena);
}

static void check_kernels(Arena *arena, uint64_t seed, const Module *module)
{
    for (int i = 0; i < module->kernel_count; i++) {
        for (int j = 0; j < i; j++)
            cr_assert_str_neq(module->kernels[i]->name, module->kernels[j]->name);
        Diag *diag = diag_create(arena);
        Text once = text_create(arena), again = text_create(arena);
        int count;
        kernel_print(module->kernels[i], &once);
        cr_assert(kernel_verify(module->kernels[i], diag), "seed %d: %s\n%s", (int)seed,
                  diag->messages[0], once.data);
        Kernel **kernels = kernel_parse(arena, diag, "printed", once.data, &count);
        cr_assert(kernels, "seed %d: %s\n%s", (int)seed, diag->messages[0], once.data);
        cr_assert(kernel_verify(kernels[0], diag), "seed %d: %s\n%s", (int)seed, diag->messages[0],
                  once.data);
        kernel_print(kernels[0], &again);
        cr_assert_str_eq(again.data, once.data);
    }
    Text text = text_create(arena);
    module_print(module, &text);
}

static bool has_kernel(const Module *module, const char *name)
{
    for (int i = 0; i < module->kernel_count; i++)
        if (strcmp(module->kernels[i]->name, name) == 0)
            return true;
    return false;
}

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

/* `reference` is evaluated as it is, its copy `program` is compiled; `pipeline`: by all passes,
 * else by only what lowering needs. */
static void check_program(Arena *arena, uint64_t seed, int target, bool pipeline,
                          const Program *reference, Program *program)
{
    Diag *diag = program->diag;
    Target found;
    Module module;
    cr_assert(target_find(diag, targets[target][0], targets[target][1], &found));
    if (pipeline)
        cr_assert(pipeline_run(program, &(PipelineOptions){0}));
    else
        pass_run(pass_expand, program->functions[0]);
    cr_assert(lower_program(program, &found, arena, diag, &module), "%s", diag->messages[0]);
    cr_assert_eq(strncmp(program->name, "winograd", 8) == 0,
                 has_kernel(&module, "winograd_weights"));
    check_kernels(arena, seed, &module);
    check_result(arena, seed, reference->functions[0], &module, 1);
    share_everything(arena, &module);
    check_kernels(arena, seed, &module);
    check_result(arena, seed, reference->functions[0], &module, 1); /* sees races */
    check_result(arena, seed, reference->functions[0], &module, 3);
}

static void check_random(int target, bool pipeline)
{
    uint64_t programs = getenv("INGOT_SANITIZED") ? FEWER : PROGRAMS;
    for (uint64_t seed = 1; seed <= programs; seed++) {
        Arena *arena = arena_create();
        Diag *diag = diag_create(arena);
        check_program(arena, seed, target, pipeline, random_graph(arena, diag, seed),
                      random_graph(arena, diag, seed));
        arena_destroy(arena);
    }
}

Test(lower, x86_64_v2)
{
    check_random(0, false);
}

Test(lower, x86_64_v3)
{
    check_random(1, true);
}

Test(lower, x86_64_v4)
{
    check_random(2, true);
}

Test(lower, aarch64)
{
    check_random(3, true);
}

Test(lower, armv7)
{
    check_random(4, false);
}

/* Large enough for whole register blocks, packed panels and their remainders. */
static const char *const large[] = {
    "program @matmul {\n"
    "  state %w: f32[45,70] parameter\n"
    "  fn @main(%x: f32[37,45], %y: f32[37,70]) -> (f32[37,70], f32[45,70], f32[37,45]) {\n"
    "    %1: f32[45,70] = state of=%w\n"
    "    %2: f32[37,70] = matmul %x, %1\n"
    "    %3: f32[37,70] = sub %2, %y\n"
    "    %4: f32[45,37] = transpose %x order=[1,0]\n"
    "    %5: f32[45,70] = matmul %4, %3\n"
    "    %6: f32[70,45] = transpose %1 order=[1,0]\n"
    "    %7: f32[37,45] = matmul %3, %6\n"
    "    update %w <- %5\n"
    "    return %3, %5, %7\n"
    "  }\n"
    "}\n",
    "program @conv {\n"
    "  state %w: f32[3,3,5,35] parameter\n"
    "  fn @main(%x: f32[2,15,17,5]) -> (f32[2,8,9,35], f32[3,3,5,35], f32[2,15,17,5]) {\n"
    "    %1: f32[3,3,5,35] = state of=%w\n"
    "    %2: f32[2,8,9,35] = conv %x, %1 stride=[2,2] dilation=[1,1] pad=[1,1,1,1] groups=1\n"
    "    %3: f32[3,3,5,35] = conv_filter %x, %2 stride=[2,2] dilation=[1,1] pad=[1,1,1,1] "
    "groups=1 dims=[3,3,5,35]\n"
    "    %4: f32[2,15,17,5] = conv_transpose %2, %1 stride=[2,2] dilation=[1,1] pad=[1,1,1,1] "
    "groups=1 dims=[2,15,17,5]\n"
    "    update %w <- %3\n"
    "    return %2, %3, %4\n"
    "  }\n"
    "}\n",
    "program @column_sums { fn @main(%x: f32[20000,7]) -> f32[7] {\n"
    "  %1: f32[7] = reduce_sum %x axes=[0] keep=0\n  %2: f32[7] = add %1, %1\n  return %2 } }",
    "program @all { fn @main(%x: f32[400,400]) -> f32[] {\n"
    "  %1: f32[] = reduce_sum %x axes=[0,1] keep=0\n  return %1 } }",
    "program @largest { fn @main(%x: f32[3,90000]) -> f32[3] {\n"
    "  %1: f32[3] = reduce_max %x axes=[1] keep=0\n  return %1 } }",
    "program @deep { fn @main(%x: f32[5,40000], %w: f32[40000,3]) -> f32[5,3] {\n"
    "  %1: f32[5,3] = matmul %x, %w\n  return %1 } }",
    /* in stretches (passes/tile_depth.c): parts of rows, of panels and of stretches are left over
     */
    "program @stretches { fn @main(%x: f32[1000,75], %y: f32[1000,41]) -> f32[75,41] {\n"
    "  %1: f32[75,1000] = transpose %x order=[1,0]\n  %2: f32[75,41] = matmul %1, %y\n"
    "  %3: f32[75,41] = tanh %2\n  return %3 } }",
    "program @stretches_of_images { fn @main(%x: f32[13,10,9,64], %y: f32[13,10,9,10]) ->"
    " f32[3,3,64,10] {\n  %1: f32[3,3,64,10] = conv_filter %x, %y stride=[1,1] dilation=[1,1] "
    "pad=[1,1,1,1] groups=1 dims=[3,3,64,10]\n  return %1 } }",
    "program @odd { fn @main(%x: f32[61,83], %w: f32[83,77], %b: f32[77]) -> f32[61,77] {\n"
    "  %1: f32[61,77] = matmul %x, %w\n  %2: f32[61,77] = add %1, %b\n  %3: f32[61,77] = tanh %2\n "
    " return %3 } }",
    "program @both { fn @main(%x: f32[37,61], %w: f32[50,61]) -> (f32[37,50], f32[50,37]) {\n"
    "  %1: f32[61,50] = transpose %w order=[1,0]\n  %2: f32[37,50] = matmul %x, %1\n"
    "  %3: f32[61,37] = transpose %x order=[1,0]\n  %4: f32[50,37] = matmul %w, %3\n  return %2, "
    "%4 } }",
    "program @row_parts { fn @main(%x: f32[331,700], %w: f32[700,24]) -> f32[331,24] {\n"
    "  %1: f32[331,24] = matmul %x, %w\n  return %1 } }",
    "program @batched { fn @main(%x: f32[3,2,19,16], %w: f32[2,16,33]) -> f32[3,2,19,33] {\n"
    "  %1: f32[3,2,19,33] = matmul %x, %w\n  return %1 } }",
    /* Winograd's algorithm, tiles of 4 × 4 and of 2 × 2, some cut off at the edges */
    "program @winograd_4 {\n  state %w: f32[3,3,16,35] parameter\n"
    "  fn @main(%x: f32[2,23,18,16], %b: f32[35]) -> f32[2,23,18,35] {\n"
    "    %1: f32[3,3,16,35] = state of=%w\n"
    "    %2: f32[2,23,18,35] = conv %x, %1 stride=[1,1] dilation=[1,1] pad=[1,1,1,1] groups=1\n"
    "    %3: f32[2,23,18,35] = add %2, %b\n    return %3 } }",
    "program @winograd_2 {\n  state %w: f32[3,3,48,48] parameter\n"
    "  fn @main(%x: f32[1,16,16,48]) -> f32[1,14,14,48] {\n"
    "    %1: f32[3,3,48,48] = state of=%w\n"
    "    %2: f32[1,14,14,48] = conv %x, %1 stride=[1,1] dilation=[1,1] pad=[0,0,0,0] groups=1\n"
    "    return %2 } }",
    /* of weights that a state has in another order */
    "program @winograd_turned {\n  state %w: f32[35,16,3,3] parameter\n"
    "  fn @main(%x: f32[2,23,18,16], %y: f32[2,23,18,35]) -> (f32[2,23,18,35], f32[2,23,18,16]) {\n"
    "    %1: f32[35,16,3,3] = state of=%w\n    %2: f32[3,3,16,35] = transpose %1 order=[2,3,1,0]\n"
    "    %3: f32[2,23,18,35] = conv %x, %2 stride=[1,1] dilation=[1,1] pad=[1,1,1,1] groups=1\n"
    "    %4: f32[2,23,18,16] = conv_transpose %y, %2 stride=[1,1] dilation=[1,1] pad=[1,1,1,1] "
    "groups=1 dims=[2,23,18,16]\n    return %3, %4 } }",
    /* the same in blocks of images and of rows, of weights that change, and its gradient */
    "program @winograd_blocks {\n  state %w: f32[3,3,20,24] parameter\n"
    "  fn @main(%x: f32[8,10,9,20], %y: f32[8,10,9,24], %z: f32[1,40,24,20]) -> "
    "(f32[8,10,9,24], f32[8,10,9,20], f32[1,40,24,24]) {\n    %1: f32[3,3,20,24] = state of=%w\n"
    "    %2: f32[8,10,9,24] = conv %x, %1 stride=[1,1] dilation=[1,1] pad=[1,1,1,1] groups=1\n"
    "    %3: f32[8,10,9,20] = conv_transpose %y, %1 stride=[1,1] dilation=[1,1] pad=[1,1,1,1] "
    "groups=1 dims=[8,10,9,20]\n    %4: f32[8,10,9,20] = add %3, %x\n"
    "    %5: f32[1,40,24,24] = conv %z, %1 stride=[1,1] dilation=[1,1] pad=[1,1,1,1] groups=1\n"
    "    %6: f32[3,3,20,24] = add %1, %1\n    update %w <- %6\n    return %2, %4, %5 } }",
    /* 5 × 5 taps, and their gradient */
    "program @winograd_taps {\n  state %w: f32[5,5,24,40] parameter\n"
    "  fn @main(%x: f32[2,13,12,24], %y: f32[2,13,10,40]) -> (f32[2,13,10,40], f32[2,13,12,24]) {\n"
    "    %1: f32[5,5,24,40] = state of=%w\n"
    "    %2: f32[2,13,10,40] = conv %x, %1 stride=[1,1] dilation=[1,1] pad=[2,2,1,1] groups=1\n"
    "    %3: f32[2,13,12,24] = conv_transpose %y, %1 stride=[1,1] dilation=[1,1] pad=[2,2,1,1] "
    "groups=1 dims=[2,13,12,24]\n    return %2, %3 } }",
    "program @rows {\n"
    "  fn @main(%x: f32[33,67]) -> (f32[33,67], f32[67], f32[], i32[33]) {\n"
    "    %1: f32[33,67] = softmax %x axis=1\n"
    "    %2: f32[67] = reduce_sum %1 axes=[0] keep=0\n"
    "    %3: f32[] = reduce_max %x axes=[0,1] keep=0\n"
    "    %4: i32[33] = argmax %x axis=1\n"
    "    return %1, %2, %3, %4\n"
    "  }\n"
    "}\n",
};

Test(lower, large)
{
    for (int i = 0; i < (int)(sizeof large / sizeof *large); i++)
        for (int target = 0; target < TARGETS; target++) {
            Arena *arena = arena_create();
            Diag *diag = diag_create(arena);
            Program *reference = graph_parse(arena, diag, "large", large[i]);
            Program *program = graph_parse(arena, diag, "large", large[i]);
            cr_assert(program, "%s", diag->messages[0]);
            check_program(arena, (uint64_t)i, target, true, reference, program);
            arena_destroy(arena);
        }
}

/* So many parts that one kernel does not copy all of them. */
static Program *many_parts(Arena *arena)
{
    enum { PARTS = 300 };
    Program *program = program_create(arena, diag_create(arena), "parts");
    Function *f = program_add_function(program, "infer");
    int64_t length = 3, two = 2;
    Node *a = graph_input(f, "a", type_make(TYPE_F32, 1, &length));
    Node *b = graph_input(f, "b", type_make(TYPE_F32, 1, &two)), *parts[PARTS];
    for (int i = 0; i < PARTS; i++)
        parts[i] = i % 3 ? a : b;
    function_add_result(f, NULL, graph_concat(f, PARTS, parts, 0));
    return program;
}

Test(lower, many_parts)
{
    for (int target = 0; target < TARGETS; target++) {
        Arena *arena = arena_create();
        check_program(arena, 1, target, true, many_parts(arena), many_parts(arena));
        arena_destroy(arena);
    }
}
