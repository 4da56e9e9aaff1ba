/* The weights of a module as a file of its own: --weights=beside. */
#ifndef INGOT_CODEGEN_WEIGHTS_H
#define INGOT_CODEGEN_WEIGHTS_H

#include "ir/nest.h"

/* Does the program have weights at all before it is trained? */
bool weights_known(const Program *program);

/* A safetensors file of all states whose value is known, in their order. */
const char *weights_file(const Program *program, Arena *arena, size_t *size);

#endif
