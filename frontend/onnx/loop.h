/* A Loop that is being built; operators_loop.c and loop_count.c. */
#ifndef INGOT_FRONTEND_ONNX_LOOP_H
#define INGOT_FRONTEND_ONNX_LOOP_H

#include "frontend/onnx/operator.h"

typedef struct Loop {
    OnnxOp *op;
    const Onnx__GraphProto *graph; /* number of the turn, condition, carried values → condition,
                                      carried values, what is stacked */
    int carried, stacked;
    OnnxValue **initial; /* of each carried value; NULL: left out */
    int64_t limit;       /* turns at most, as far as is known */
    Node *limit_node;    /* when that depends on data; NULL otherwise */
    Node *start;         /* whether the first turn is run; NULL: it is */
    OnnxBody *body;      /* as a scan has it; parameters: carried values, number of the turn */
    OnnxValue *results;  /* of the body */
    Node **nodes;        /* the same as nodes of it */
    int64_t turns;
    bool ends_by_data; /* before all turns are run */
    const char *why;   /* the body is none for a scan; NULL: it is one */
} Loop;

/* How often the loop runs, when its condition depends on nothing but what is known: sets
 * loop->turns to that or the limit, whichever is less. False when it depends on data, or when
 * finding out takes too long. */
bool loop_count(Loop *loop);

#endif
