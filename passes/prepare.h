/* Copies of weights in the layout kernels want, made ahead of the call; see prepare.c. */
#ifndef INGOT_PASSES_PREPARE_H
#define INGOT_PASSES_PREPARE_H

#include "ir/nest.h"

typedef struct Prepared { /* one copy, for whichever functions want it */
    const Slot *source;
    const char *kernel; /* its text */
    Slot *slot;
    struct Prepared *next;
} Prepared;

/* Where the copy lies that `kernel` (arguments: in source, out copy; `text` is its text) makes of
 * `source`: of a constant, a constant made now; of a state, memory that module->prepare fills. NULL
 * when the copy has to be made in each call. `type`: of the copy. Known ones are found in, new ones
 * added to, *known. */
Slot *prepare_copy(Module *module, Prepared **known, Kernel *kernel, const char *text, Slot *source,
                   TensorType type);

/* Adds a constant to the module. */
Slot *module_add_constant(Module *module, const char *name, TensorType type, const void *data);

#endif
