/* `ingot build`: compiles a model and writes what --emit asks for. */
#include "driver/commands.h"
#include "driver/compile.h"
#include "ir/nest_text.h"
#include "ir/text.h"
#include "passes/passes.h"

#include "base/file.h"

static bool write_text(const Compilation *compilation, bool nest)
{
    Text text = text_create(compilation->arena);
    if (nest)
        module_print(&compilation->module, &text);
    else
        graph_print(compilation->model->program, &text);
    const char *output = compilation->options->output;
    return file_write(compilation->diag, output ? output : "-", text.data, text.length, false);
}

static bool write_code(const Compilation *compilation)
{
    const Options *options = compilation->options;
    CodegenOptions codegen = compile_codegen_options(compilation);
    bool text = options->emit == EMIT_LLVM || options->emit == EMIT_ASSEMBLY;
    const char *output = options->output;
    if (!output)
        output = text ? "-" : compilation->model->program->name;
    double start = compile_clock();
    if (!codegen_write(&compilation->module, &codegen, output))
        return false;
    compile_report_time(options, "codegen", start);
    return true;
}

int command_build(const Options *options)
{
    Compilation compilation;
    bool nest = options->stop == STOP_AT_NEST;
    bool graph = options->stop == STOP_AT_GRAPH;
    if (options->stop_after) { /* whatever --emit says */
        nest = nest_pass_exists(options->stop_after);
        graph = !nest;
    }
    if (!compile_model(&compilation, options, graph ? LEVEL_GRAPH : LEVEL_NEST))
        return 1;
    bool done = graph || nest ? write_text(&compilation, nest) : write_code(&compilation);
    return done ? 0 : 1;
}
