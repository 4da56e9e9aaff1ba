/* From a model description to a module of kernels; see compile.h. */
#include "driver/compile.h"

#include <string.h>
#include <time.h>

#include "ir/text.h"
#include "passes/lower.h"
#include "passes/passes.h"

double compile_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void compile_report_time(const Options *options, const char *stage, double start)
{
    if (options->time_passes)
        fprintf(stderr, "%-24s %9.3f ms\n", stage, 1e3 * (compile_clock() - start));
}

/* The stages of this file answer to --print-after and --stop-after like passes do. */
static bool is_stage(const char *name)
{
    return strcmp(name, "read") == 0 || strcmp(name, "optimizer") == 0;
}

static void after_stage(Compilation *compilation, const char *stage, double start)
{
    const Options *options = compilation->options;
    compile_report_time(options, stage, start);
    if (options->print_after && strcmp(options->print_after, stage) == 0) {
        Text text = text_create(compilation->arena);
        graph_print(compilation->model->program, &text);
        fprintf(stderr, "// after %s\n%s", stage, text.data);
    }
    if (options->stop_after && strcmp(options->stop_after, stage) == 0)
        compilation->stopped = true;
}

static bool check_pass(Diag *diag, const char *option, const char *name)
{
    if (!name || is_stage(name) || pipeline_find(name) || nest_pass_exists(name))
        return true;
    const char *names[2 + 2 * PASS_NAME_LIMIT] = {"read", "optimizer"};
    int count = 2;
    count += pipeline_names(names + count);
    count += nest_pass_names(names + count);
    const char *near = nearest_name(name, names, count);
    return diag_error(diag, option, "there is no pass \"%s\"%s%s%s; docs/passes.md lists them",
                      name, near ? ", did you mean \"" : "", near ? near : "", near ? "\"" : "");
}

bool compile_read(Compilation *compilation, const Options *options)
{
    *compilation =
        (Compilation){.arena = options->arena, .diag = options->diag, .options = options};
    if (!check_pass(options->diag, "--print-after", options->print_after) ||
        !check_pass(options->diag, "--stop-after", options->stop_after))
        return false;
    ModelOptions model_options = {
        .batches = options->batches,
        .batch_count = options->batch_count,
        .batches_given = options->batches_given,
        .train = options->train,
        .recipe = options->recipe,
        .train_batch = options->train_batch,
        .bindings = options->bindings,
    };
    double start = compile_clock();
    compilation->model = model_read(options->arena, options->diag, options->model, &model_options);
    if (!compilation->model || !diag_ok(options->diag))
        return false;
    after_stage(compilation, "read", start);
    return true;
}

bool compile_optimizer(Compilation *compilation)
{
    Model *model = compilation->model;
    if (!compilation->options->train || compilation->stopped || compilation->optimized)
        return true;
    compilation->optimized = true;
    double start = compile_clock();
    if (!optimizer_build(model->program, &model->recipe->optimizer))
        return false;
    after_stage(compilation, "optimizer", start);
    return true;
}

bool compile_rest(Compilation *compilation, Level level)
{
    const Options *options = compilation->options;
    PipelineOptions passes = {
        .print_after = options->print_after,
        .stop_after = options->stop_after,
        .time_passes = options->time_passes,
        .direct_convolutions = options->direct_convolutions,
        .constant_states = options->freeze,
    };
    if (!compile_optimizer(compilation))
        return false;
    if (!compilation->stopped && !pipeline_run(compilation->model->program, &passes))
        return false;
    if (level == LEVEL_GRAPH || !diag_ok(compilation->diag))
        return diag_ok(compilation->diag);
    return lower_program_with(compilation->model->program, &options->target, &passes,
                              compilation->arena, compilation->diag, &compilation->module);
}

bool compile_model(Compilation *compilation, const Options *options, Level level)
{
    return compile_read(compilation, options) && compile_rest(compilation, level);
}

CodegenOptions compile_codegen_options(const Compilation *compilation)
{
    const Options *options = compilation->options;
    const Model *model = compilation->model;
    InputClasses *labels = ARENA_ARRAY(compilation->arena, InputClasses, model->label_count);
    for (int i = 0; i < model->label_count; i++)
        labels[i] = (InputClasses){model->labels[i].tensor, model->labels[i].classes};
    return (CodegenOptions){
        .emit = options->emit,
        .threads = options->threads,
        .weights_beside = options->weights_beside,
        .static_libc = options->static_libc,
        .recipe = options->train ? model->recipe : NULL,
        .labels = labels,
        .label_count = model->label_count,
        .file = options->train ? model->file : NULL,
        .compiler = "ingot " INGOT_VERSION,
        .jobs = options->jobs,
        .profile = options->profile,
    };
}
