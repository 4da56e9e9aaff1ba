/* How a model wants to be trained. Made by a frontend; read by the passes (optimizer) and by the
 * code generator (which writes the part the runtime needs into the artefact). */
#ifndef INGOT_IR_RECIPE_H
#define INGOT_IR_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum OptimizerKind {
    OPTIMIZER_SGD,
    OPTIMIZER_ADAM,
    OPTIMIZER_ADAMW,
    OPTIMIZER_RMSPROP
} OptimizerKind;

/* A factor for the parameters whose name matches: '*' stands for any text. The last match counts.
 */
typedef struct PatternValue {
    const char *pattern;
    double value;
    bool matched; /* a pattern that matches nothing is an error of the user */
    const char *place;
} PatternValue;

typedef enum ScheduleKind {
    SCHEDULE_CONSTANT,
    SCHEDULE_COSINE,
    SCHEDULE_LINEAR,
    SCHEDULE_STEP
} ScheduleKind;

typedef struct OptimizerRecipe {
    OptimizerKind kind;
    double learning_rate;
    double momentum; /* SGD, RMSprop */
    bool nesterov;
    double beta1, beta2, epsilon; /* Adam, AdamW; RMSprop: beta2 is its smoothing constant */
    ScheduleKind schedule;
    double warmup_steps;   /* linear rise from 0 */
    double schedule_steps; /* length of cosine and linear; period of step */
    double final_factor;   /* where cosine and linear end, as a factor of learning_rate; step: the
                              factor at each period */
    double clip_norm;      /* 0: none; else global norm of all gradients */
    double clip_value;     /* 0: none */
    PatternValue *weight_decay; /* AdamW: decoupled; others: added to the gradient (L2) */
    int weight_decay_count;
    PatternValue *l1;
    int l1_count;
} OptimizerRecipe;

typedef struct ColumnRecipe {
    const char *tensor;
    const char *path;     /* idx and npy; NULL for csv */
    int64_t first, count; /* csv */
} ColumnRecipe;

typedef enum DataFormat {
    DATA_NONE = 0,
    DATA_CSV = 1,
    DATA_IDX = 2,
    DATA_NPY = 3
} DataFormat; /* numbers of runtime/model.h */

typedef struct DataRecipe {
    DataFormat format;
    const char *path; /* csv; relative paths are relative to the model file, already joined */
    ColumnRecipe *columns;
    int column_count;
    int header;
    int separator;
} DataRecipe;

typedef struct Recipe {
    OptimizerRecipe optimizer;
    DataRecipe training, validation;
    double validation_part;
    int64_t batch, epochs;
    uint64_t seed;
    bool shuffle;
    const char **metrics;
    int metric_count;
} Recipe;

#endif
