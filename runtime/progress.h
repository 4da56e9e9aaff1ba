/* How far a training is, on stderr: a moving bar in a terminal, one line an epoch everywhere. */
#ifndef INGOT_RUNTIME_PROGRESS_H
#define INGOT_RUNTIME_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Progress {
    bool silent, live, colour, unicode;
    int64_t epochs;
    int64_t first_row, all_rows; /* stream positions where this run began and where it ends */
    double started, shown;       /* seconds: the beginning, the last time the bar was drawn */
    bool drawn;                  /* a bar stands on the current line */
} Progress;

void progress_begin(Progress *progress, bool silent, int64_t epochs, int64_t first_row,
                    int64_t all_rows);

/* After a step: `row` is the stream position reached; `part` (0 … 1) how much of `epoch` (from 1)
 * is done; `note` is shown behind the loss. Draws at most ten times a second. */
void progress_step(Progress *progress, int64_t epoch, double part, int64_t row, double loss,
                   const char *note);

/* One line for a finished epoch. */
void progress_epoch(Progress *progress, int64_t epoch, int64_t row, double loss, const char *note);

/* Takes the bar away, so that other text can be printed. */
void progress_clear(Progress *progress);

#endif
