/* The parts of the optimizer that are worth testing alone: what depends on the step's number only,
 * and values given by name pattern. optimizer_build() itself is in passes.h. */
#ifndef INGOT_PASSES_OPTIMIZER_H
#define INGOT_PASSES_OPTIMIZER_H

#include "ir/graph.h"
#include "ir/recipe.h"

/* Learning rate, f32[], of the step that `done` (f32[]) steps precede. */
Node *schedule_learning_rate(Function *f, const OptimizerRecipe *recipe, Node *done);
/* 1 - betaᵗ for t (f32[]) counting from 1, without cancellation. 0 ≤ beta < 1. */
Node *schedule_bias_correction(Function *f, double beta, Node *t);

/* The value of the last pattern that matches; 0 when none does. */
double pattern_value(const PatternValue *list, int count, const char *name);
/* Sets `matched`; an error for each pattern that matches no parameter. */
bool pattern_values_check(Program *program, PatternValue *list, int count);

#endif
