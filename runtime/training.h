/* The training loop of a standalone model. */
#ifndef INGOT_RUNTIME_TRAINING_H
#define INGOT_RUNTIME_TRAINING_H

#include "runtime/buffers.h"
#include "runtime/command.h"
#include "runtime/dataset.h"
#include "runtime/evaluation.h"
#include "runtime/held_out.h"
#include "runtime/progress.h"

typedef struct Training {
    Command *command;
    IngotInstance *instance;
    int32_t function; /* train_step */
    int64_t batch;
    const Dataset *data; /* training rows */
    const Dataset
        *validation; /* rows to evaluate on: the held-out rows of `data`, or all of its own */
    HeldOut split;
    int64_t validation_rows; /* 0: none */
    uint64_t seed;
    bool shuffle;
    int64_t epochs; /* in total, those of a resumed training included */
    int64_t step;   /* steps done */
    FILE *log;      /* NULL: none */
    const char *log_path;
    const char *save; /* NULL: weights are not kept */
    bool quiet;
    int signal; /* the signal that stopped it, or 0 */

    Buffers buffers;
    int64_t *rows; /* of the batch */
    Progress progress;
    double started, saved; /* seconds: when it began, when it saved last (0: never) */
    double loss_sum;       /* over the steps of this epoch that this run did */
    int64_t loss_count;
    Evaluation last; /* of the epoch finished last; rows 0: none yet */
    char note[256];  /* what the progress shows of it */
} Training;

/* Steps of a whole training: enough to read `epochs` times all rows. False when there are too many
 * to count. */
bool training_steps(int64_t rows, int64_t epochs, int64_t batch, int64_t *steps);

/* Trains from training->step to the end, evaluating, logging and saving after every epoch. False
 * with a message in the command when something failed. Stopped by a signal: true, with
 * training->signal set. */
bool training_run(Training *training);

#endif
