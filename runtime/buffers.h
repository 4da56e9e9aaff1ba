/* Arrays for the inputs and outputs of one function. */
#ifndef INGOT_RUNTIME_BUFFERS_H
#define INGOT_RUNTIME_BUFFERS_H

#include "runtime/failure.h"
#include "runtime/model.h"

typedef struct Buffers {
    void **inputs; /* each zeroed at first and aligned to 64 */
    void **outputs;
    void *block;
} Buffers;

bool buffers_begin(Buffers *buffers, const IngotFunction *function, Failure *failure);
/* Inputs to measure with: numbers without meaning, always the same, and legal ones where only some
 * are. */
void buffers_fill(Buffers *buffers, const IngotFunction *function);
void buffers_end(Buffers *buffers); /* safe on a zeroed one */

#endif
