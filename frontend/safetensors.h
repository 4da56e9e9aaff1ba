/* Weights from a safetensors file: eight bytes with the length of a JSON header, the header, the
 * data. Format: https://github.com/huggingface/safetensors#format */
#ifndef INGOT_FRONTEND_SAFETENSORS_H
#define INGOT_FRONTEND_SAFETENSORS_H

#include "ir/graph.h"

/* Gives every state of the program the value of the tensor of its name. Types and shapes must
 * agree, none may be missing; tensors that belong to training only ("optimizer.…", "step", "seed")
 * are passed over, others that no state wants are errors. The file's bytes stay in the program's
 * arena and states point into them. */
bool safetensors_load(Program *program, const char *path);

#endif
