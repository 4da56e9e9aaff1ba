/* `ingot profile`: builds the model with --profile into a temporary folder, and runs the command
 * `profile` of what has been built (runtime/command_profile.c), whose output and exit code are
 * passed on. */
#include <string.h>

#include "base/file.h"
#include "codegen/link.h"
#include "codegen/toolchain.h"
#include "driver/commands.h"
#include "driver/compile.h"

/* Before anything is compiled that nobody wants. */
static bool check_function(const Options *options, const Program *program)
{
    const char *name = options->function;
    if (!name || program_find_function(program, name))
        return true;
    if (strcmp(name, "train_step") == 0 || strcmp(name, "evaluate") == 0)
        return diag_error(options->diag, "--function", "built without \"%s\"; add --train", name);
    const char **names = ARENA_ARRAY(options->arena, const char *, program->function_count);
    const char *list = "";
    for (int i = 0; i < program->function_count; i++) {
        names[i] = program->functions[i]->name;
        list = arena_print(options->arena, "%s%s%s", list, i ? ", " : "", names[i]);
    }
    const char *near = nearest_name(name, names, program->function_count);
    if (near)
        return diag_error(options->diag, "--function", "there is no \"%s\"; did you mean \"%s\"?",
                          name, near);
    return diag_error(options->diag, "--function", "there is no \"%s\"; there are %s", name, list);
}

static bool run_profile(const Options *options, const char *program, int *code)
{
    const char *words[12];
    int count = 0;
    words[count++] = program;
    words[count++] = "profile";
    const char *const pairs[][2] = {{"--function", options->function},
                                    {"--threads", options->thread_count},
                                    {"--seconds", options->seconds}};
    for (int i = 0; i < 3; i++)
        if (pairs[i][1]) {
            words[count++] = pairs[i][0];
            words[count++] = pairs[i][1];
        }
    if (options->json)
        words[count++] = "--json";
    words[count] = NULL;
    fflush(stdout);
    return toolchain_show(options->diag, NULL, "the compiled model does not run", words, code);
}

static bool build_and_run(const Options *options, const char *folder, int *code)
{
    Compilation compilation;
    if (!compile_model(&compilation, options, LEVEL_NEST) ||
        !check_function(options, compilation.model->program))
        return false;
    CodegenOptions codegen = compile_codegen_options(&compilation);
    const char *path =
        arena_print(options->arena, "%s/%s", folder, compilation.model->program->name);
    return link_program(&compilation.module, &codegen, "main_profile.o", path) &&
           run_profile(options, path, code);
}

int command_profile(const Options *given)
{
    Options options = *given;
    int code = 1;
    options.profile = true;
    if (!options.target.native) {
        diag_error(options.diag, "--target",
                   "programs for %s do not run here; make one with: ingot build MODEL.json "
                   "--profile --target=%s, and run its command profile there",
                   options.target.triple, options.target.triple);
        return code;
    }
    const char *folder = folder_create_temporary(options.diag);
    if (!folder)
        return code;
    build_and_run(&options, folder, &code);
    folder_remove(folder);
    return code;
}
