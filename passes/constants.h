/* The constants of a module; see constants.c. */
#ifndef INGOT_PASSES_CONSTANTS_H
#define INGOT_PASSES_CONSTANTS_H

#include "ir/nest.h"

/* The constant of this type with these bytes, which stay where they are; a new one, if need be. */
Slot *module_add_constant(Module *module, const char *name, TensorType type, const void *data);

/* Gives those that are read (by number) their places in the constant block; the others go. */
void constants_lay_out(Module *module, const bool *read);

#endif
