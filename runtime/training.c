/* The training loop; see training.h.
 *
 * Position is one number, the step. Step s reads positions s*batch … of the endless stream of rows
 * (order.h), so an epoch ends with the first step that reaches its last row, and that step may read
 * rows of the next epoch too. Nothing else carries over, so a checkpoint needs the step and nothing
 * more. */
#include "runtime/system.h"

#include "runtime/training.h"

#include "runtime/checkpoint.h"
#include "runtime/interrupt.h"
#include "runtime/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SECONDS_BETWEEN_SAVES = 1;

bool training_steps(int64_t rows, int64_t epochs, int64_t batch, int64_t *steps)
{
    if (epochs > (INT64_MAX - batch) / rows)
        return false;
    *steps = (rows * epochs + batch - 1) / batch;
    return true;
}

/* Epochs whose last row has been read, but not more than asked for: with fewer rows than a batch
 * holds, the last step reads beyond. */
static int64_t epochs_done(const Training *training)
{
    int64_t done = training->step * training->batch / training->split.training_count;
    return done < training->epochs ? done : training->epochs;
}

static bool fail_instance(Training *training)
{
    return ingot_fail(&training->command->failure, "%s", ingot_last_error(training->instance));
}

static bool run_step(Training *training)
{
    const IngotFunction *function = &training->command->model->functions[training->function];
    int64_t position = training->step * training->batch;
    for (int64_t i = 0; i < training->batch; i++)
        training->rows[i] = training->split.training[order_stream(
            training->seed, training->shuffle, training->split.training_count, position + i)];
    for (int32_t i = 0; i < function->input_count; i++)
        dataset_gather(training->data, i, training->rows, training->batch,
                       training->buffers.inputs[i]);
    if (ingot_run(training->instance, training->function,
                  (const void *const *)training->buffers.inputs,
                  training->buffers.outputs) != INGOT_OK)
        return fail_instance(training);
    double loss = (double)*(float *)training->buffers.outputs[0];
    training->step++;
    if (!isfinite(loss))
        return ingot_fail(
            &training->command->failure,
            "the loss is %g at step %lld (epoch %lld): training diverged; lower the learning rate",
            loss, (long long)training->step,
            (long long)(position / training->split.training_count) + 1);
    training->loss_sum += loss;
    training->loss_count++;
    return true;
}

static void log_number(FILE *log, const char *key, double value)
{
    if (isfinite(value))
        fprintf(log, ",\"%s\":%.9g", key, value);
    else
        fprintf(log, ",\"%s\":null", key); /* JSON has no word for it */
}

static bool log_epoch(Training *training, int64_t epoch, double loss)
{
    const Evaluation *last = &training->last;
    FILE *log = training->log;
    if (!log)
        return true;
    fprintf(log, "{\"epoch\":%lld,\"step\":%lld", (long long)epoch, (long long)training->step);
    log_number(log, "loss", loss);
    if (last->rows) {
        log_number(log, "validation_loss", last->loss);
        for (int32_t i = 0; i < last->metric_count; i++)
            log_number(log, training->command->model->recipe->metrics[i], last->metrics[i]);
    }
    fprintf(log, ",\"seconds\":%.3f}\n", command_seconds() - training->started);
    if (fflush(log) == 0 && !ferror(log))
        return true;
    return ingot_fail(&training->command->failure, "%s: cannot be written: %s", training->log_path,
                      strerror(errno));
}

static bool save(Training *training)
{
    if (!training->save)
        return true;
    training->saved = command_seconds();
    return ingot_checkpoint_write(training->instance, training->save, &training->seed) ==
               INGOT_OK ||
           fail_instance(training);
}

static bool evaluate(Training *training)
{
    const Dataset *data = training->validation;
    if (!training->validation_rows)
        return true;
    const int64_t *rows = data == training->data ? training->split.held : NULL;
    if (!evaluation_run(&training->last, training->command, training->instance, data, rows,
                        training->validation_rows))
        return false;
    evaluation_text(&training->last, training->command->model, training->note,
                    sizeof training->note);
    return true;
}

static bool finish_epoch(Training *training, int64_t epoch)
{
    double loss = training->loss_sum / (double)training->loss_count;
    training->loss_sum = 0;
    training->loss_count = 0;
    /* Before the evaluation, which a signal may cut short. Waiting for the disk takes longer than
     * the epochs of a small model, so they share a save. */
    if (epoch == training->epochs || command_seconds() - training->saved > SECONDS_BETWEEN_SAVES)
        if (!save(training))
            return false;
    if (!evaluate(training)) {
        training->signal = interrupt_pending();
        return training->signal != 0;
    }
    progress_epoch(&training->progress, epoch, training->step * training->batch, loss,
                   training->note);
    return log_epoch(training, epoch, loss);
}

static void show_step(Training *training, int64_t done)
{
    int64_t rows = training->split.training_count, row = training->step * training->batch;
    double part = (double)(row - done * rows) / (double)rows;
    if (done < training->epochs && training->loss_count)
        progress_step(&training->progress, done + 1, part, row,
                      training->loss_sum / (double)training->loss_count, training->note);
}

static bool run_steps(Training *training, int64_t steps)
{
    int64_t done = epochs_done(training);
    while (training->step < steps && !training->signal) {
        if (!run_step(training))
            return false;
        int64_t now = epochs_done(training);
        if (now > done && !finish_epoch(training, now))
            return false;
        done = now;
        show_step(training, done);
        if (!training->signal)
            training->signal = interrupt_pending();
    }
    progress_clear(&training->progress);
    return !training->signal || save(training);
}

bool training_run(Training *training)
{
    Interrupt interrupt;
    int64_t steps, rows = training->split.training_count;
    const IngotFunction *function = &training->command->model->functions[training->function];
    Failure *failure = &training->command->failure;
    if (!training_steps(rows, training->epochs, training->batch, &steps))
        return ingot_fail(failure, "--epochs: %lld epochs of %lld rows are too many",
                          (long long)training->epochs, (long long)rows);
    training->rows = malloc((size_t)training->batch * sizeof *training->rows);
    bool good = training->rows || ingot_fail(failure, "there is no memory left");
    good = good && buffers_begin(&training->buffers, function, failure);
    training->started = command_seconds();
    progress_begin(&training->progress, training->quiet, training->epochs,
                   training->step * training->batch, steps * training->batch);
    interrupt_block(&interrupt);
    good = good && run_steps(training, steps);
    progress_clear(&training->progress);
    interrupt_restore(&interrupt);
    buffers_end(&training->buffers);
    free(training->rows);
    training->rows = NULL;
    return good;
}
