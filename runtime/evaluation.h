/* Running a model's `evaluate` over any number of rows. */
#ifndef INGOT_RUNTIME_EVALUATION_H
#define INGOT_RUNTIME_EVALUATION_H

#include "runtime/buffers.h"
#include "runtime/command.h"
#include "runtime/dataset.h"

enum { EVALUATION_METRICS = 16 };

/* Means over the rows. */
typedef struct Evaluation {
    double loss;
    double metrics[EVALUATION_METRICS]; /* by the names in the recipe */
    int32_t metric_count;
    int64_t rows;
} Evaluation;

/* Evaluates the numbered rows of `data`; `rows` NULL: its first `count` rows. A last batch that is
 * not full is padded with rows that count for nothing. Stops early, answering false with an empty
 * message, when a signal is pending. */
bool evaluation_run(Evaluation *result, Command *command, IngotInstance *instance,
                    const Dataset *data, const int64_t *rows, int64_t count);

/* "loss 0.0712  accuracy 97.8 %" */
void evaluation_text(const Evaluation *result, const IngotModel *model, char *text, size_t size);

/* Whether this metric is a part of the rows, shown in percent. */
bool evaluation_is_part(const char *metric);

#endif
