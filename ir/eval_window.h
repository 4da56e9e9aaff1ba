/* The geometry that convolutions and windows share, always with three spatial axes: missing ones
 * have length 1. A pixel is an index over [batch, spatial…], a tap an index over the window,
 * row-major. */
#ifndef INGOT_IR_EVAL_WINDOW_H
#define INGOT_IR_EVAL_WINDOW_H

#include "ir/eval_node.h"

typedef struct Geometry {
    int64_t batch;
    int64_t in[3], out[3], size[3], stride[3], dilation[3], before[3];
} Geometry;

/* `x` and `y`: input and output of the forward operation; `size`: taps along each spatial axis */
Geometry geometry_create(const Node *node, const TensorType *x, const TensorType *y,
                         const int64_t *size);

/* Called for every tap of every output pixel that falls inside the input, output pixels in
 * row-major order and the taps of one in row-major order. */
typedef void TapBody(void *context, int64_t x_pixel, int64_t tap, int64_t y_pixel);
void geometry_walk(const Geometry *geometry, TapBody *body, void *context);

#endif
