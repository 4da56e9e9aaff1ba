/* `infer`: the model's outputs for every row of a file, as .npy files and as a summary.
 *
 * Any number of rows is cut into calls of the largest compiled batch that fits, then of smaller
 * ones. A rest below the smallest batch is padded with zeros, and what comes out of the padding is
 * thrown away. */
#include "runtime/system.h"

#include "runtime/buffers.h"
#include "runtime/command.h"
#include "runtime/infer_input.h"
#include "runtime/infer_output.h"

#include <stdlib.h>
#include <string.h>

#pragma weak command_show_picture /* linked only where an input may be one (codegen/commands.c) */

static const Option table[] = {
    {"--input", "[NAME=]FILE", ".npy, .csv or IDX file of rows; once for each input"},
    {"--output", "DIR", "write NAME.npy there for each output"},
    {"--weights", "FILE", "a checkpoint to load first"},
    {"--row", "N", "only this row of the file, counted from 0"},
    {"--show", NULL, "draw the first row, if it is a small picture"},
    {"--threads", "N", "threads to use (0: one for each processor)"},
    {NULL, NULL, NULL},
};
enum { INPUT, OUTPUT, WEIGHTS, ROW, SHOW, THREADS };

typedef struct Request {
    DataArguments inputs;
    const char *output, *weights;
    int64_t row; /* -1: all */
    int64_t threads;
    bool show;
} Request;

static bool apply_option(Options *options, int which, Request *request)
{
    switch (which) {
    case INPUT:
        return source_add_argument(&request->inputs, options->value, options->failure);
    case OUTPUT:
        request->output = options->value;
        return true;
    case WEIGHTS:
        request->weights = options->value;
        return true;
    case ROW:
        return options_whole(options, 0, INT64_MAX, &request->row);
    case SHOW:
        request->show = true;
        return true;
    default:
        return options_whole(options, 0, 1024, &request->threads);
    }
}

static int read_options(Command *command, Request *request)
{
    Options options = {
        .table = table, .argc = command->argc, .argv = command->argv, .failure = &command->failure};
    int which;
    while ((which = options_next(&options)) >= 0)
        if (!apply_option(&options, which, request))
            return OPTIONS_BAD;
    if (which == OPTIONS_DONE && request->inputs.count == 0) {
        ingot_fail(&command->failure, "infer needs data: --input FILE");
        return OPTIONS_BAD;
    }
    return which;
}

static bool show(Command *command, const Dataset *data, int64_t row)
{
    if (command_show_picture)
        return command_show_picture(command, data, row);
    return ingot_fail(&command->failure, "--show: no input is a picture of up to 32 by 32 pixels");
}

/* One call: `count` rows beginning with `first`, the rest of the batch zeros. */
static bool run_call(Command *command, IngotInstance *instance, int32_t number, const Dataset *data,
                     int64_t first, int64_t count, int64_t *rows, Buffers *buffers)
{
    const IngotFunction *function = &command->model->functions[number];
    for (int64_t i = 0; i < count; i++)
        rows[i] = first + i;
    for (int32_t i = 0; i < data->count; i++) {
        const IngotTensor *input = &function->inputs[i];
        dataset_gather(data, i, rows, count, buffers->inputs[i]);
        if (!input->batched || count >= function->batch)
            continue;
        size_t used = (size_t)(input->bytes / function->batch * count);
        memset((char *)buffers->inputs[i] + used, 0, (size_t)input->bytes - used);
    }
    return ingot_run(instance, number, (const void *const *)buffers->inputs, buffers->outputs) ==
               INGOT_OK ||
           ingot_fail(&command->failure, "%s", ingot_last_error(instance));
}

static bool run_all(Command *command, IngotInstance *instance, int32_t like, const Dataset *data,
                    int64_t first, int64_t count, InferOutputs *outputs)
{
    Buffers buffers = {0};
    int64_t *rows = NULL;
    int32_t current = -1;
    bool good = true;
    for (int64_t done = 0; good && done < count;) {
        int32_t number = ingot_find_alike(command->model, like, count - done);
        const IngotFunction *function = &command->model->functions[number];
        int64_t batch = function->batch > 0 ? function->batch : 1;
        int64_t part = count - done < batch ? count - done : batch;
        if (number != current) {
            buffers_end(&buffers);
            free(rows);
            rows = malloc((size_t)batch * sizeof *rows);
            good = rows ? buffers_begin(&buffers, function, &command->failure)
                        : ingot_fail(&command->failure, "there is no memory left");
            current = number;
        }
        good = good &&
               run_call(command, instance, number, data, first + done, part, rows, &buffers) &&
               infer_outputs_add(outputs, buffers.outputs, part, &command->failure);
        done += part;
    }
    buffers_end(&buffers);
    free(rows);
    return good;
}

/* `number`: of the function that the data fit, of those for the most rows. */
static bool infer(Command *command, const Request *request, const Dataset *data, int32_t number,
                  IngotInstance *instance)
{
    const IngotFunction *function = &command->model->functions[number];
    int64_t first = 0, count = data->rows;
    if (request->row >= count)
        return ingot_fail(&command->failure, "--row %lld: the data has only rows 0 to %lld",
                          (long long)request->row, (long long)count - 1);
    if (request->row >= 0) {
        first = request->row;
        count = 1;
    }
    InferOutputs outputs;
    bool good =
        (!request->show || show(command, data, first)) &&
        infer_outputs_begin(&outputs, function, request->output, first, count, &command->failure);
    if (!good)
        return false;
    good = run_all(command, instance, number, data, first, count, &outputs) &&
           infer_outputs_finish(&outputs, &command->failure);
    infer_outputs_end(&outputs);
    return good;
}

int command_infer(Command *command)
{
    Request request = {.inputs = {.option = "--input"}, .row = -1};
    int which = read_options(command, &request);
    if (which == OPTIONS_HELP)
        return command_help(
            command, "--input [NAME=]FILE... [--output DIR]",
            "Runs the model over the rows of files and prints a summary of its outputs.", table);
    if (which == OPTIONS_BAD)
        return command_misused(command);
    Dataset data = {0};
    IngotInstance *instance = NULL;
    int32_t number = -1;
    bool fresh = false;
    bool good = command_has(command, "infer") &&
                infer_input_open(&data, command, &request.inputs, &number) &&
                (instance = command_open(command, request.threads, request.weights, &fresh));
    if (good && fresh)
        fprintf(
            stderr,
            "%s: note: the weights are fresh, nothing was trained; give some with --weights FILE\n",
            command->model->name);
    good = good && infer(command, &request, &data, number, instance);
    ingot_destroy(instance);
    dataset_close(&data);
    return good ? 0 : command_failed(command);
}
