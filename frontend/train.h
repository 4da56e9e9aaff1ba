/* The "train" and "data" of a description. */
#ifndef INGOT_FRONTEND_TRAIN_H
#define INGOT_FRONTEND_TRAIN_H

#include "frontend/network.h"
#include "ir/recipe.h"

typedef enum LossKind {
    LOSS_SOFTMAX_CROSS_ENTROPY,
    LOSS_BINARY_CROSS_ENTROPY,
    LOSS_MEAN_SQUARED_ERROR,
    LOSS_MEAN_ABSOLUTE_ERROR,
    LOSS_HUBER,
} LossKind;

typedef struct LossTerm {
    LossKind kind;
    Json *json;                /* { "huber": ["price", "target"], "delta": 1, "weight": 1 } */
    Json *prediction, *target; /* their names */
    double weight, delta;
} LossTerm;

typedef enum MetricKind {
    METRIC_ACCURACY,
    METRIC_MEAN_ABSOLUTE_ERROR,
    METRIC_MEAN_SQUARED_ERROR
} MetricKind;

typedef struct Metric {
    MetricKind kind;
    Json *json;
} Metric;

typedef struct Training {
    Recipe *recipe;
    TensorSpec *targets;
    int target_count;
    LossTerm *losses;
    int loss_count;
    Metric *metrics;
    int metric_count;
} Training;

/* All of "train"; the program's parameters must exist already. */
bool training_read(Network *network, Json *train, Training *training);
/* The functions train_step and evaluate for this batch, and the states "seed" and "step". */
bool training_build(Network *network, const Training *training, int64_t batch);

/* recipe.c: optimizer, schedule, decay, clipping, freezing, batch, epochs, seed. */
#define RECIPE_KEYS                                                                                \
    "optimizer schedule weight_decay l1 clip_norm clip_value freeze trainable batch epochs seed "  \
    "shuffle"
bool recipe_read(Network *network, Json *train, Recipe *recipe);

/* data.c: "scale" and "normalize" into the specs of the inputs. */
bool data_read_scaling(Network *network, Json *data);
/* The rest of "data", for the inputs and `targets`. */
bool data_read(Network *network, Json *data, const TensorSpec *targets, int target_count,
               Recipe *recipe);

#endif
