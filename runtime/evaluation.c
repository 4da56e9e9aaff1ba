/* Evaluation in batches; see evaluation.h. The compiled function returns sums over the rows that
 * count; they are added in double and divided once at the end, so the result does not depend on the
 * batch. */
#include "runtime/system.h"

#include "runtime/evaluation.h"

#include "runtime/interrupt.h"

#include <stdlib.h>
#include <string.h>

static void gather_batch(const Dataset *data, const IngotFunction *function, const int64_t *rows,
                         int64_t count, Buffers *buffers)
{
    for (int32_t i = 0; i < data->count; i++) {
        const IngotTensor *input = &function->inputs[i];
        dataset_gather(data, i, rows, count, buffers->inputs[i]);
        if (!input->batched || count >= function->batch)
            continue;
        size_t used = (size_t)(input->bytes / function->batch * count);
        memset((char *)buffers->inputs[i] + used, 0, (size_t)input->bytes - used);
    }
    float *counts = buffers->inputs[function->input_count - 1];
    for (int64_t i = 0; i < function->batch; i++)
        counts[i] = i < count ? 1.0F : 0.0F;
}

static bool run_batches(Evaluation *result, Command *command, IngotInstance *instance,
                        int32_t number, const Dataset *data, const int64_t *rows, int64_t *some,
                        Buffers *buffers)
{
    const IngotFunction *function = &command->model->functions[number];
    double counted = 0;
    for (int64_t start = 0; start < result->rows; start += function->batch) {
        int64_t left = result->rows - start,
                count = left < function->batch ? left : function->batch;
        for (int64_t i = 0; i < count; i++)
            some[i] = rows ? rows[start + i] : start + i;
        gather_batch(data, function, some, count, buffers);
        if (ingot_run(instance, number, (const void *const *)buffers->inputs, buffers->outputs) !=
            INGOT_OK)
            return ingot_fail(&command->failure, "%s", ingot_last_error(instance));
        result->loss += (double)*(float *)buffers->outputs[0];
        for (int32_t i = 0; i < result->metric_count; i++)
            result->metrics[i] += (double)*(float *)buffers->outputs[1 + i];
        counted += (double)*(float *)buffers->outputs[function->output_count - 1];
        if (interrupt_pending())
            return ingot_fail(&command->failure, "%s", "");
    }
    result->loss /= counted;
    for (int32_t i = 0; i < result->metric_count; i++)
        result->metrics[i] /= counted;
    return true;
}

bool evaluation_run(Evaluation *result, Command *command, IngotInstance *instance,
                    const Dataset *data, const int64_t *rows, int64_t count)
{
    Buffers buffers = {0};
    int32_t number = ingot_find_function(command->model, "evaluate", count);
    *result = (Evaluation){.rows = count};
    if (number < 0)
        return command_has(command, "evaluate");
    const IngotFunction *function = &command->model->functions[number];
    const IngotRecipe *recipe = command->model->recipe;
    int32_t metrics = recipe ? recipe->metric_count : 0;
    metrics = metrics > EVALUATION_METRICS ? EVALUATION_METRICS : metrics;
    if (function->batch < 1 || function->output_count < 2 + metrics ||
        function->input_count != data->count + 1)
        return ingot_fail(&command->failure,
                          "its \"evaluate\" is not what this runtime expects; build it again");
    result->metric_count = metrics;
    int64_t *some = malloc((size_t)function->batch * sizeof *some);
    bool good = some ? buffers_begin(&buffers, function, &command->failure)
                     : ingot_fail(&command->failure, "there is no memory left");
    good = good && run_batches(result, command, instance, number, data, rows, some, &buffers);
    buffers_end(&buffers);
    free(some);
    return good;
}

bool evaluation_is_part(const char *metric)
{
    return strstr(metric, "accuracy") != NULL;
}

void evaluation_text(const Evaluation *result, const IngotModel *model, char *text, size_t size)
{
    int used = snprintf(text, size, "loss %.4f", result->loss);
    for (int32_t i = 0; i < result->metric_count && used > 0 && (size_t)used < size; i++) {
        const char *name = model->recipe->metrics[i];
        double value = result->metrics[i];
        int more =
            evaluation_is_part(name)
                ? snprintf(text + used, size - (size_t)used, "  %s %.1f %%", name, 100 * value)
                : snprintf(text + used, size - (size_t)used, "  %s %.4f", name, value);
        used = more < 0 ? more : used + more;
    }
}
