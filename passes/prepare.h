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

/* Does `source` stay the same from call to call of the function, so that what is made of it alone
 * can be made ahead? */
bool prepare_can(const Function *function, const Slot *source);
/* Can it be made when the model is built? Only copies of constants are. */
bool prepare_is_now(const Kernel *kernel, const Slot *source);

/* Where the copy lies that `kernel` (arguments: in source, out copy; `text` is its text) makes of
 * `source`, for which prepare_can() holds: a constant made now, or memory that module->prepare
 * fills. `type`: of the copy. Known ones are found in, new ones added to, *known. */
Slot *prepare_copy(Module *module, Prepared **known, Kernel *kernel, const char *text, Slot *source,
                   TensorType type);

/* Memory for a value of module->prepare's, which is made if need be. */
Slot *prepare_slot(Module *module, const char *name, TensorType type);

/* When all functions are lowered: puts calls of module->prepare in an order in which little is
 * alive at once, and lays out its memory. Only what a function reads stays; the rest lies in the
 * arena. Constants that nobody reads are dropped. */
void prepare_finish(Module *module);

#endif
