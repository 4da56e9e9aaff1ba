/* The split of the training data; see held_out.h. */
#include "runtime/system.h"

#include "runtime/held_out.h"
#include "runtime/order.h"

#include <stdlib.h>

bool held_out_split(HeldOut *split, const IngotRecipe *recipe, int64_t rows, Failure *failure)
{
    bool own_files = recipe->validation.format != INGOT_DATA_NONE;
    int64_t held = own_files ? 0 : order_held_out(recipe->validation_part, rows);
    *split = (HeldOut){.training_count = rows - held, .held_count = held};
    if (held < 0 || held >= rows)
        return ingot_fail(failure, "holding out %lld of %lld rows leaves none to train on",
                          (long long)held, (long long)rows);
    if ((uint64_t)rows < SIZE_MAX / sizeof(int64_t)) {
        split->training = malloc((size_t)split->training_count * sizeof(int64_t));
        split->held = malloc((size_t)held * sizeof(int64_t) + 1);
    }
    if (split->training && split->held &&
        order_split(recipe->seed, rows, held, split->training, split->held))
        return true;
    free(split->training);
    free(split->held);
    return ingot_fail(failure, "there is no memory left for the order of %lld rows",
                      (long long)rows);
}
