/* Gradient rules: one short function a row of ops.def, all of one form.
 *
 * gradient_NAME(f, y, dy, dx) is given a node y and the gradient dy of the loss with respect to it
 * (y's type; f32 where that is f16 or bf16, which cannot be added up), and sets dx[i] to nodes for
 * what y contributes to the gradient of y->in[i]. dx[i] starts as NULL, which means nought. It may
 * have the shape of y where the operand was broadcast: grad.c sums it back, and nobody else does. A
 * rule may set gradients that nobody asked for; they are dead code and go. */
#ifndef INGOT_PASSES_GRAD_H
#define INGOT_PASSES_GRAD_H

#include "ir/graph.h"

/* A node with several values has a gradient for each of them, which readers (`result`) add to, and
 * its rule asks for: NULL is nought. The rule's dy is NULL. */
void gradient_add_to_result(Function *f, Node *tuple, int index, Node *gradient);
Node *gradient_of_result(const Node *tuple, int index);

/* a + b, as one product where they have a factor in common (grad_sum.c). */
Node *gradient_sum(Function *f, Node *a, Node *b);

typedef void GradientRule(Function *f, Node *y, Node *dy, Node *dx[]);

/* gradient_zero and gradient_none, the two explicit words of the table, are declared with the rest.
 */
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate)                      \
    GradientRule gradient_##gradient;
#include "ir/ops.def"
#undef OP

#endif
