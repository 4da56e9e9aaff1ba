/* Scans: a loop whose body is a graph.
 *
 *     %4: tuple = scan %h, %x, %w carried=1 scanned=1 steps=5 reverse=0
 *         body=(%s: f32[2,4], %xt: f32[2,3], %u: f32[3,4]) -> (f32[2,4], f32[2,4]) {
 *       %0: f32[2,4] = matmul %xt, %u
 *       %1: f32[2,4] = add %s, %0
 *       return %1, %1
 *     }
 *     %5: f32[2,4] = result %4 index=0           the last sum
 *     %6: f32[5,2,4] = result %4 index=1         all of them
 *
 * The body runs `steps` times. Its parameters are, in this order,
 *
 *   carried     what the step before has given; in the first step the scan's own input
 *   scanned     the slice of this step, along axis 0 of the scan's input, which has `steps` of them
 *   invariant   the scan's input itself, the same in each step
 *
 * and its results the next carried values, then what is stacked along a new axis 0. The scan's
 * results are the carried values after the last step and the stacks. With reverse=1 the steps go
 * from the last slice to the first, and the stacks are filled from the last place on, so slice i
 * of an input and place i of a stack still belong together.
 *
 * With while=K the scan may end early: once carried value K, a bool scalar, is false, a step leaves
 * all carried values as they are and stacks nought. The body is built so that this is true of it;
 * that the value is named means that such steps need not be made.
 *
 * A body has neither states nor updates, and is one node's own: nodes never share one. */
#ifndef INGOT_IR_SCAN_H
#define INGOT_IR_SCAN_H

#include "ir/graph.h"

enum { SCAN_DEPTH_LIMIT = 8 }; /* bodies within bodies */

typedef struct Scan {
    int carried, scanned, invariant; /* inputs of each kind */
    int stacked;                     /* results behind the carried ones */
    int64_t steps;
    bool reverse;
    int alive; /* the carried value without which it ends; -1: none */
} Scan;

/* A body to be filled: graph_input() for its parameters, function_add_result() for its results. */
Function *body_create(Program *program);

/* `inputs` are as many as the body has parameters, in their order. */
Node *graph_scan(Function *f, Function *body, int carried, int scanned, int64_t steps, bool reverse,
                 Node *const *inputs);
/* The same, but it ends when carried value `alive` is false; -1: never. */
Node *graph_scan_while(Function *f, Function *body, int carried, int scanned, int64_t steps,
                       bool reverse, int alive, Node *const *inputs);
/* From now on all steps are made: the body is about to give more than it promised for. */
void scan_make_all_steps(Node *scan);
Node *graph_result(Function *f, Node *scan, int index);

Scan node_scan(const Node *scan);
/* [2,4] of a body is [5,2,4] for five steps */
TensorType scan_stack_type(const TensorType *type, int64_t steps);
/* and back */
TensorType scan_slice_type(const TensorType *stack);
TensorType scan_result_type(const Node *scan, int index);

/* The same operation over other inputs, in any function of the same program. */
Node *graph_copy(Function *to, const Node *node, Node *const *in);
/* Makes the nodes of `from` once more in `to`, copies[i] for node i. Where copies[i] is set already
 * that is taken instead, as it must be for every input. */
void function_copy_nodes(Function *to, const Function *from, Node **copies);
Function *body_copy(Program *program, const Function *body);

#endif
