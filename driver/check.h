/* What the two halves of `ingot check` share: check.c builds and goes through the functions,
 * check_call.c runs one call of both and compares. */
#ifndef INGOT_DRIVER_CHECK_H
#define INGOT_DRIVER_CHECK_H

#include "driver/compile.h"
#include "driver/probe.h"
#include "driver/tolerance.h"

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

typedef struct CheckTensor { /* an output, or a state after the call */
    const char *what, *name;
    int state; /* State.index in the plain program */
    Value got, exact, rounded;
    double depth, noise; /* as tolerance.h has them */
    Difference difference;
} CheckTensor;

typedef struct CheckCall {
    const Function *function;
    int number; /* in the descriptor */
    Value *inputs;
    CheckTensor *tensors; /* the outputs, then the states */
    int tensor_count;
} CheckCall;

/* Parts of it. Lists outputs of call->function, and states the compiled program has, in
 * call->tensors. */
void check_call_list(const Check *check, CheckCall *call);
/* Runs the compiled model on call->inputs and check->states, with threads twice, and fills
 * tensors[].got. False when it could not be run. */
bool check_call_run(Check *check, const CheckCall *call);
/* The same, and the evaluator; fills tensors[].difference. */
bool check_call_compare(Check *check, CheckCall *call);
const char *check_shown_number(Arena *arena, const TensorType *type, double number);
const char *check_shown_place(Arena *arena, const TensorType *type, int64_t element);

/* check_gradients.c: for --gradients. Gives `infer` the outputs "loss" and "gradient.NAME" for each
 * input of floats; false and an error when there is none. */
bool check_gradients_add(Compilation *compilation);
/* Moves samples off places where functions have kinks. */
void check_gradients_nudge(const CheckCall *call);
/* After a call: compares the evaluator's gradients with central differences. */
void check_gradients_differ(Check *check, const CheckCall *call);

/* check_locate.c: prints the first operation whose compiled value is not the evaluator's, after a
 * call that differs. */
void check_locate(const Check *check, const CheckCall *call);

/* check_samples.c: `infer` on the tensors in the files of a folder, compared with those it says
 * come out. */
bool check_samples(Check *check);

#endif
