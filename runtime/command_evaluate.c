/* `evaluate`: loss and metrics over every row of some data. Without --data they are the rows the
 * recipe holds out: those of its validation files, or the part of the training rows that training
 * with the same recipe never sees. */
#include "runtime/system.h"

#include "runtime/evaluation.h"
#include "runtime/held_out.h"
#include "runtime/source.h"

#include <stdlib.h>

static const Option table[] = {
    {"--data", "[NAME=]FILE", "data to evaluate on, or a folder of it; else the held-out rows"},
    {"--weights", "FILE", "a checkpoint to load first"},
    {"--threads", "N", "threads to use (0: one for each processor)"},
    {NULL, NULL, NULL},
};
enum { DATA, WEIGHTS, THREADS };

typedef struct Request {
    DataArguments data;
    const char *weights;
    int64_t threads;
} Request;

static int read_options(Command *command, Request *request)
{
    Options options = {
        .table = table, .argc = command->argc, .argv = command->argv, .failure = &command->failure};
    for (;;) {
        bool good = true;
        int which = options_next(&options);
        switch (which) {
        case DATA:
            good = source_add_argument(&request->data, options.value, &command->failure);
            break;
        case WEIGHTS:
            request->weights = options.value;
            break;
        case THREADS:
            good = options_whole(&options, 0, 1024, &request->threads);
            break;
        default:
            return which;
        }
        if (!good)
            return OPTIONS_BAD;
    }
}

/* Opens the data and finds the rows of it to evaluate; *rows stays NULL where they are all. */
static bool open_rows(Command *command, const Request *request, Source *source, Dataset *data,
                      int64_t **rows, int64_t *count)
{
    static const IngotRecipe none = {.epochs = 0};
    const IngotRecipe *recipe = command->model->recipe ? command->model->recipe : &none;
    const IngotFunction *function =
        &command->model->functions[ingot_find_function(command->model, "evaluate", 0)];
    int32_t inputs = function->input_count - 1;
    bool own_files = recipe->validation.format != INGOT_DATA_NONE, given = request->data.count > 0;
    if (!own_files && !given &&
        !(recipe->training.format != INGOT_DATA_NONE && recipe->validation_part > 0))
        return ingot_fail(&command->failure,
                          "the recipe holds no rows out; name data with --data FILE");
    const IngotDataset *dataset = own_files ? &recipe->validation : &recipe->training;
    if (!source_resolve(source, command, dataset, &request->data, function->inputs, inputs) ||
        !dataset_open(data, &source->dataset, function->inputs, inputs, &command->failure))
        return false;
    *count = data->rows;
    if (own_files || given)
        return true;
    HeldOut split;
    if (!held_out_split(&split, recipe, data->rows, &command->failure))
        return false;
    free(split.training);
    *rows = split.held;
    *count = split.held_count;
    return *count > 0 ||
           ingot_fail(
               &command->failure,
               "the recipe's validation part of %lld rows is none; name data with --data FILE",
               (long long)data->rows);
}

static void print_result(const Command *command, const Evaluation *result)
{
    char rows[32];
    printf("loss %.6g\n", result->loss);
    for (int32_t i = 0; i < result->metric_count; i++) {
        const char *name = command->model->recipe->metrics[i];
        if (evaluation_is_part(name))
            printf("%s %.2f %%\n", name, 100 * result->metrics[i]);
        else
            printf("%s %.6g\n", name, result->metrics[i]);
    }
    printf("rows %s\n", command_number(result->rows, rows));
}

int command_evaluate(Command *command)
{
    Request request = {.data = {.option = "--data"}};
    int which = read_options(command, &request);
    if (which == OPTIONS_HELP)
        return command_help(command, "[--data FILE] [--weights FILE]",
                            "Prints loss and metrics over rows of data.", table);
    if (which == OPTIONS_BAD)
        return command_misused(command);
    Source source = {.text_count = 0};
    Dataset data = {0};
    Evaluation result;
    int64_t *rows = NULL, count = 0;
    bool fresh = false;
    IngotInstance *instance = NULL;
    bool good = command_has(command, "evaluate") &&
                open_rows(command, &request, &source, &data, &rows, &count) &&
                (instance = command_open(command, request.threads, request.weights, &fresh));
    if (good && fresh)
        fprintf(
            stderr,
            "%s: note: the weights are fresh, nothing was trained; give some with --weights FILE\n",
            command->model->name);
    good = good && evaluation_run(&result, command, instance, &data, rows, count);
    if (good)
        print_result(command, &result);
    ingot_destroy(instance);
    dataset_close(&data);
    source_free(&source);
    free(rows);
    return good ? 0 : command_failed(command);
}
