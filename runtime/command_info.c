/* `info`: what is inside this program. */
#include "runtime/system.h"

#include "runtime/command.h"
#include "runtime/element.h"

static const Option table[] = {{NULL, NULL, NULL}};

static void print_tensors(const char *title, const IngotTensor *tensors, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        char shape[160];
        ingot_shape_text(shape, sizeof shape, tensors[i].type, tensors[i].dims, tensors[i].rank);
        printf("    %-6s %s: %s", i ? "" : title, tensors[i].name, shape);
        if (tensors[i].classes)
            printf(" (0 to %lld)", (long long)tensors[i].classes - 1);
        printf("\n");
    }
}

static void print_function(const IngotFunction *function)
{
    char number[32], bytes[32];
    printf("  %s", function->name);
    if (function->batch > 0)
        printf(", batch %s", command_number(function->batch, number));
    if (function->sizes[0])
        printf(", %s", function->sizes);
    printf("\n");
    print_tensors("in", function->inputs, function->input_count);
    print_tensors("out", function->outputs, function->output_count);
    printf("    %s multiply-adds, %s of temporaries",
           command_number(function->multiply_adds, number),
           command_bytes(function->arena_bytes, bytes));
    if (function->scratch_bytes)
        printf(" and %s a thread", command_bytes(function->scratch_bytes, bytes));
    printf("%s\n", function->parallel ? "" : ", one thread");
}

static const char *weights_text(const IngotModel *model)
{
    if (model->initial_state)
        return "inside";
    if (!model->state_count)
        return model->parameter_count ? "inside, for good" : "none";
    if (model->weights_path)
        return model->weights_path;
    return ingot_find_function(model, "initialize", 0) >= 0 ? "fresh from the seed" : "none";
}

int command_info(Command *command)
{
    char number[32];
    const IngotModel *model = command->model;
    Options options = {
        .table = table, .argc = command->argc, .argv = command->argv, .failure = &command->failure};
    int which = options_next(&options);
    if (which == OPTIONS_HELP)
        return command_help(command, "", "Prints what this program holds.", table);
    if (which == OPTIONS_BAD)
        return command_misused(command);
    printf("name        %s\n", model->name);
    printf("compiler    %s\n", model->compiler);
    printf("target      %s\n", model->target);
    printf("parameters  %s\n", command_number(model->parameter_count, number));
    printf("state       %s in %d tensors\n", command_bytes(model->state_bytes, number),
           (int)model->state_count);
    if (model->prepared_bytes)
        printf("packed      %s, made from the state when it changes\n",
               command_bytes(model->prepared_bytes, number));
    printf("constants   %s\n", command_bytes(model->constant_bytes, number));
    printf("memory      %s in all with one thread\n",
           command_bytes((int64_t)ingot_memory_bytes(model, 1), number));
    printf("weights     %s\n", weights_text(model));
    printf("functions\n");
    for (int32_t i = 0; i < model->function_count; i++)
        print_function(&model->functions[i]);
    return 0;
}
