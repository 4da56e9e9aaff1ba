/* Values of images between their elements.
 *
 * An image is a table of pixels: [N, D1, …, C] as [N·D1·…, C], so that a pixel is picked with all
 * its channels. Points say where, one tensor of coordinates for each axis; all are broadcast to the
 * shape of the result, which gets the channels as one axis more. */
#ifndef INGOT_FRONTEND_ONNX_SAMPLE_H
#define INGOT_FRONTEND_ONNX_SAMPLE_H

#include "frontend/onnx/operator.h"

typedef enum Interpolation { SAMPLE_NEAREST, SAMPLE_LINEAR, SAMPLE_CUBIC } Interpolation;

typedef enum Outside {
    OUTSIDE_ZERO,
    OUTSIDE_BORDER,        /* the element nearest to it */
    OUTSIDE_REFLECT,       /* about the centres of the outermost elements */
    OUTSIDE_REFLECT_EDGES, /* about their edges */
} Outside;

typedef struct Image {
    Node *table; /* [rows, C] */
    int rank;
    int64_t length[3];
    int64_t parts; /* rows of one pixel: its channels may be in several groups */
    Interpolation interpolation;
    Outside outside;
    bool largest; /* instead of the sum of weighted elements, the largest of them */
} Image;

/* x [N, …, C] as a table; false after an error. */
bool onnx_image(OnnxOp *op, Node *x, int64_t parts, Image *image);

/* Elements at points: at[i] along axis i, of the table's element type; `picture` says which of the
 * N (i32, or NULL: the first), `part` which rows of a pixel (i32, or NULL). Gives the shape of all
 * of them, and C/parts channels behind. */
Node *onnx_sample(OnnxOp *op, const Image *image, Node *const *at, Node *picture, Node *part);

#endif
