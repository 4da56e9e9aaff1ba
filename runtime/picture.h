/* A small picture in the terminal. */
#ifndef INGOT_RUNTIME_PICTURE_H
#define INGOT_RUNTIME_PICTURE_H

#include "runtime/model.h"

/* Whether rows of this input are pictures worth drawing: two axes up to 32 (with or without 1 or 3
 * channels), or a flat row that is a square. */
bool picture_find_size(const IngotTensor *input, int64_t *height, int64_t *width, int64_t *channels,
                       bool *last);

/* Draws one row of an input, given as f32, on stdout; the darkest number black, the lightest white.
 * Draws nothing when it is no picture. */
bool picture_draw(const IngotTensor *input, const float *row);

#endif
