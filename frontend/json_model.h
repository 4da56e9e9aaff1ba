/* A model description (docs/model.md) into a program.
 *
 * The program gets `infer` functions, one for each batch in `batches`, and, with `train`:
 * `initialize`, `train_step` (forward pass and loss; result 0 is the loss; no updates but those of
 * batch statistics — gradients and optimizer are added by passes/grad.c and passes/optimizer.c),
 * and `evaluate`. Their inputs and results are those runtime/model.h describes. All parameters are
 * states; without `train` they have values only if `weights` gives them. Without weights and
 * without train, `initialize` is made too, so that the result can be tried at random weights. */
#ifndef INGOT_FRONTEND_JSON_MODEL_H
#define INGOT_FRONTEND_JSON_MODEL_H

#include "frontend/model.h"

/* `path` is read; its text names places: "digits.json: layers[3].conv2d.kernel: …"; broken JSON
 * gives "digits.json:12:7: …". NULL and errors in `diag` otherwise. */
Model *json_model_read(Arena *arena, Diag *diag, const char *path, const ModelOptions *options);

#endif
