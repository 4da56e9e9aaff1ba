/* An imported model that is trained further: loss, optimizer and data come from a recipe, a file
 * with the "train" and "data" of a description (docs/model.md), and name tensors of the model. */
#ifndef INGOT_FRONTEND_ONNX_TRAIN_H
#define INGOT_FRONTEND_ONNX_TRAIN_H

#include "frontend/onnx/bind.h"

/* Builds infer, train_step and evaluate, and the model's recipe. False and errors otherwise. */
bool onnx_train(OnnxReader *reader, const Choices *choices, Model *model);

#endif
