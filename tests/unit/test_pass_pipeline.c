/* The pipeline keeps the meaning of any program, and does what its options say. Single passes are
 * tested as text in graph/. */
#include <criterion/criterion.h>
#include <string.h>

#include "ir/text.h"
#include "passes/passes.h"
#include "tests/support/agree.h"
#include "tests/support/random_graph.h"

enum { PROGRAMS = 400 };

static const char *text_of(Arena *arena, const Program *program)
{
    Text text = text_create(arena);
    graph_print(program, &text);
    return text.data;
}

static void check_program(uint64_t seed, bool constant_states)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Program *before = random_graph(arena, diag, seed), *after = random_graph(arena, diag, seed);
    PipelineOptions options = {.constant_states = constant_states};
    bool ok = pipeline_run(after, &options) && programs_agree(diag, before, after, AGREE_CLOSELY);
    cr_expect(ok && diag_ok(diag), "seed %d: %s\n%s%s", (int)seed, diag->messages[0],
              text_of(arena, before), text_of(arena, after));
    arena_destroy(arena);
}

Test(pipeline, random_programs_mean_the_same)
{
    for (uint64_t seed = 1; seed <= PROGRAMS; seed++)
        check_program(seed, seed % 2);
}

Test(pipeline, the_same_program_gives_the_same_text)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        Arena *arena = arena_create();
        Diag *diag = diag_create(arena);
        Program *one = random_graph(arena, diag, seed), *two = random_graph(arena, diag, seed);
        pipeline_run(one, NULL);
        pipeline_run(two, NULL);
        cr_expect(strcmp(text_of(arena, one), text_of(arena, two)) == 0, "seed %d", (int)seed);
        pipeline_run(two, NULL);
        cr_expect(strcmp(text_of(arena, one), text_of(arena, two)) == 0, "seed %d, run again",
                  (int)seed);
        arena_destroy(arena);
    }
}

static const char *const source = "program @p {\n"
                                  "  fn @f(%x: f32[4]) -> f32[4] {\n"
                                  "    %1: f32[4] = softmax %x axis=0\n"
                                  "    %2: f32[4] = neg %1\n"
                                  "    %3: f32[4] = neg %2\n"
                                  "    return %3\n"
                                  "  }\n"
                                  "}\n";

Test(pipeline, stops_after_the_pass_that_is_named)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Program *program = graph_parse(arena, diag, "source", source);
    cr_assert(program != NULL);
    PipelineOptions options = {.stop_after = "simplify"};
    cr_assert(pipeline_run(program, &options));
    const char *text = text_of(arena, program);
    cr_expect(strstr(text, "softmax") != NULL, "expand ran after simplify:\n%s", text);
    cr_expect(strstr(text, "neg") == NULL, "simplify did not run:\n%s", text);
    arena_destroy(arena);
}

Test(pipeline, knows_its_passes_by_name)
{
    cr_expect(pipeline_find("simplify") == pass_simplify);
    cr_expect(pipeline_find("expand") == pass_expand);
    cr_expect(pipeline_find("simplfy") == NULL);
}

Test(pipeline, refuses_a_program_that_is_not_valid)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Program *program = graph_parse(arena, diag, "source", source);
    program->functions[0]->nodes[1]->type.dims[0] = 5;
    cr_expect(!pipeline_run(program, NULL));
    cr_expect(!diag_ok(diag));
    arena_destroy(arena);
}

/* What has been computed in earlier runs counts: models must not keep the compiler busy for long.
 */
Test(pipeline, folding_ends_with_the_work_that_may_be_done)
{
    static const char known[] = "program @t {\n"
                                "  fn @infer() -> f32[2] {\n"
                                "    %0: f32[2] = constant value=[1,4]\n"
                                "    %1: f32[2] = sqrt %0\n"
                                "    return %1\n"
                                "  }\n"
                                "}\n";
    Arena *arena = arena_create();
    Program *program = graph_parse(arena, diag_create(arena), "known", known);
    Function *f = program->functions[0];
    f->folded = INT64_C(1) << 30;
    cr_expect(!pass_fold(f));
    f->folded = 0;
    cr_expect(pass_fold(f));
    cr_expect_gt(f->folded, 0);
    arena_destroy(arena);
}
