/* An ONNX model (docs/onnx.md) into a program.
 *
 * The program gets an `infer` function for each way its open dimensions are bound; weights are
 * constants of it, or with `train` states, one for each initialiser that an operator reads as a
 * tensor of floats. */
#ifndef INGOT_FRONTEND_ONNX_MODEL_H
#define INGOT_FRONTEND_ONNX_MODEL_H

#include "frontend/model.h"

/* Errors in `diag`, as many as there are, otherwise, and NULL or what could be read. They name the
 * node: `model.onnx: node 3 "fc1" (Gemm): …`. */
Model *onnx_model_read(Arena *arena, Diag *diag, const char *path, const ModelOptions *options);

#endif
