/* Convolution and pooling share how sizes, strides and padding are said, and the order of axes:
 * ONNX has channels first, [N, C, H, W], the operations have them last. Builders turn what they
 * read and turn back what they give; passes/layout.c sees to it that nothing of that is left. */
#ifndef INGOT_FRONTEND_ONNX_SPATIAL_H
#define INGOT_FRONTEND_ONNX_SPATIAL_H

#include "frontend/onnx/operator.h"

/* x [N, C, …] as [N, …, C], and back. */
Node *onnx_channels_last(OnnxOp *op, Node *x);
Node *onnx_channels_first(OnnxOp *op, Node *x);
/* An attribute of `count` numbers, at least `least` each; all `otherwise` when it is not there.
 * False after an error. */
bool onnx_numbers(OnnxOp *op, const char *key, int count, int64_t least, int64_t otherwise,
                  int64_t *values);
/* Strides, dilations and pads from the attributes, for windows of `sizes` over `lengths`; `ceil`:
 * the last window may stand over the edge, and is padded for. False after an error. */
bool onnx_spatial(OnnxOp *op, int rank, const int64_t *sizes, const int64_t *lengths, bool ceil,
                  Spatial *spatial);
/* How input `input` is convolved with the filter at `filter`, [M, C/group, k…], which the operation
 * wants with its axes in the order given. False after an error. */
bool onnx_conv_spatial(OnnxOp *op, int input, int filter, Spatial *spatial, int64_t *order);
/* The convolution of inputs 0 and 1, plus input 2 if there is one: [N, …, M]. */
Node *onnx_conv(OnnxOp *op);
/* [C] as a shape that is broadcast along axis 1 of a tensor with `rank` axes. */
Node *onnx_channel_vector(OnnxOp *op, Node *x, int rank);

/* Rows along `axes` with mean 0 and variance 1, then times scale, plus shift (NULL: none). */
Node *onnx_layer_normalize(OnnxOp *op, Node *x, int count, const int64_t *axes, double epsilon,
                           Node *scale, Node *shift);
/* Rows along `axes` with a mean square of 1. */
Node *onnx_rms_normalize(OnnxOp *op, Node *x, int count, const int64_t *axes, double epsilon);

#endif
