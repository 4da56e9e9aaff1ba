/* A recurrent operator that is being built; operators_recurrent.c and recurrent_activation.c. */
#ifndef INGOT_FRONTEND_ONNX_RECURRENT_H
#define INGOT_FRONTEND_ONNX_RECURRENT_H

#include "frontend/onnx/operator.h"

enum { CARRIED_LIMIT = 2, FUNCTION_LIMIT = 3 };

typedef struct Activation {
    const char *name; /* as in the table */
    double alpha, beta;
} Activation;

typedef struct Recurrent Recurrent;

typedef struct Step { /* nodes that one step is computed of, in the function where that is done */
    const Recurrent *r;
    Function *f;
    Node *x, *carried[CARRIED_LIMIT]; /* h; of an LSTM the state besides */
    Node *counts;                     /* bool [batch, 1]; NULL: all sequences are going on */
    Node *input_weight, *hidden_weight;
    Node *new_weight; /* of a GRU: the last gate's part of hidden_weight, when it is apart */
    Node *bias;       /* [1, gates·units]; NULL: none */
    Node *new_bias;   /* of a GRU with linear_before_reset; NULL: none */
    Node *peepholes;  /* [1, 3·units]; NULL: none */
    const Activation *activations;
    Node *next[CARRIED_LIMIT];
} Step;

struct Recurrent {
    OnnxOp *op;
    int gates, carried, functions; /* functions: f, g, h in one direction */
    void (*step)(Step *step);
    const char *defaults[FUNCTION_LIMIT];
    bool linear_before_reset, coupled, batch_first, backward;
    double clip; /* 0: none */
    int directions;
    Activation activations[2 * FUNCTION_LIMIT];
    ElementType element;
    int64_t steps, batch, features, units;
    Node *x;                                               /* [steps, batch, features] */
    Node *input_weight, *hidden_weight, *bias, *peepholes; /* of all directions */
    Node *initial[CARRIED_LIMIT];                          /* [directions, batch, units] */
    Node *lens;   /* i32 [1, batch, 1]; NULL: all as long as X */
    Node *counts; /* bool [steps, batch, 1]: is the step within the sequence? */
};

/* Fills r->activations; false and an error when one is not known. */
bool activations_read(Recurrent *r);
Node *activation_node(Function *f, const Activation *activation, Node *x);

#endif
