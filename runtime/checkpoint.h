/* Checkpoints as safetensors files: what ingot_save() and ingot_load() are made of, with the extras
 * that the command line wants. */
#ifndef INGOT_RUNTIME_CHECKPOINT_H
#define INGOT_RUNTIME_CHECKPOINT_H

#include "runtime/instance.h"

/* What the "__metadata__" of a checkpoint says. */
typedef struct CheckpointNotes {
    char model[128]; /* which model saved it; "" when it does not say */
    bool has_seed;
    uint64_t seed; /* of the training that saved it: the order of rows follows from it */
} CheckpointNotes;

/* Saves every state; `seed` may be NULL. Codes as ingot_save(). */
int32_t ingot_checkpoint_write(const IngotInstance *instance, const char *path,
                               const uint64_t *seed);

/* Loads; codes as ingot_load(), and no state is changed unless the answer is INGOT_OK. With
 * `parameters_suffice`, states that are no parameters may be missing (they keep their values) and
 * tensors the model does not know are ignored, whatever the model was built for. `notes` may be
 * NULL. */
int32_t ingot_checkpoint_read(IngotInstance *instance, const char *path, bool parameters_suffice,
                              CheckpointNotes *notes);

#endif
