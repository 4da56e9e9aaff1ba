/* What the two halves of `ingot check` share: check.c builds and goes through the functions,
 * check_call.c runs one call of both and compares. */
#ifndef INGOT_DRIVER_CHECK_H
#define INGOT_DRIVER_CHECK_H

#include "driver/compile.h"
#include "driver/probe.h"

typedef struct Check {
    Arena *arena; /* of one call */
    Diag *diag;
    const Options *options;
    Compilation compiled, plain;
    Probe probe;
    void **states; /* dense, by State.index: what the next call starts from */
    uint32_t random;
    int wrong;
    int64_t tensors;
} Check;

/* One call of program->functions[function_index], which is number `number` of the descriptor, on
 * random inputs: prints how it went, counts in check->wrong what differs, and leaves the
 * evaluator's states in check->states. False when the compiled model could not be run. */
bool check_call(Check *check, int function_index, int number);

#endif
