/* Which rows of the training data are for training and which are held out. */
#ifndef INGOT_RUNTIME_HELD_OUT_H
#define INGOT_RUNTIME_HELD_OUT_H

#include "runtime/failure.h"
#include "runtime/model.h"

typedef struct HeldOut {
    int64_t *training, *held; /* row numbers in rising order; for the caller to free */
    int64_t training_count, held_count;
} HeldOut;

/* Splits by the recipe alone: never by --seed, so `evaluate` finds the rows that no training has
 * seen. */
bool held_out_split(HeldOut *split, const IngotRecipe *recipe, int64_t rows, Failure *failure);

#endif
