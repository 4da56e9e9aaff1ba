/* The passes of the tensor level. Each takes a function in which every invariant of graph.h holds
 * and leaves it so; passes/pipeline.c lists them in order with the reason for each place. */
#ifndef INGOT_PASSES_PASSES_H
#define INGOT_PASSES_PASSES_H

#include "ir/graph.h"
#include "ir/recipe.h"

/* grad.c: appends to `f` the nodes that compute d loss / d states[i] for a rank-0 float `loss`,
 * into gradients[i]; a gradient that is nought everywhere is NULL. False, and an error that names
 * the node and the state, when an operation on the way has no gradient. Rules are in grad_*.c, one
 * short function a row. */
bool gradient_build(Function *f, Node *loss, int count, State *const *states, Node **gradients);
/* The same with respect to any nodes of f. */
bool gradient_build_nodes(Function *f, Node *loss, int count, Node *const *wrt, Node **gradients);

/* The same where the gradients of the loss with respect to `outputs` are known: `seeds`. */
bool gradient_build_from(Function *f, int output_count, Node *const *outputs, Node *const *seeds,
                         int count, Node *const *wrt, Node **gradients);

/* optimizer.c: adds gradients of result 0 of `train_step` for every parameter that is not frozen,
 * the optimizer's states
 * ("optimizer.m.NAME", "optimizer.v.NAME", "step") and the updates of `train_step`; and to
 * `initialize` the first values of the new states. */
bool optimizer_build(Program *program, OptimizerRecipe *recipe);

/* One pass a file; true when something changed. */
bool pass_simplify(Function *f); /* algebra: x+0, x*1, transpose∘transpose, casts, reshapes … only
                                    what is true of floats */
bool pass_fold(Function *f);     /* nodes of constants become constants, by the evaluator */
bool pass_cse(Function *f);      /* equal nodes become one */
bool pass_dce(Function *f);      /* nodes nothing needs go */
bool pass_prune(Function *f); /* scans lose results, inputs and carried values they need not have */
bool pass_hoist(Function *f); /* work of all steps of a scan is done at once, outside of the loop */
bool pass_expand(Function *f); /* composites into primitive operations */
/* 1/√(variance + epsilon) of a `normalize` node, spelled out as its expansion does. */
Node *normalize_scale(Function *f, const Node *node);
bool pass_layout(Function *f);   /* which order the axes of each value lie in */
bool pass_separate(Function *f); /* windows along several axes, one axis after another */
bool pass_freeze(Function *f); /* states of known value that no function updates become constants */
/* The program loses the states that pass_freeze() has taken all readers from. */
void freeze_drop_states(Program *program);
bool pass_fold_scale(Function *f); /* scales and shifts of channels go into weights */
bool pass_derive(Function *f);     /* what states alone decide is computed when they change */

/* pipeline.c: runs the table of tensor-level passes over every function, verifying between them in
 * debug builds. Options as of the driver. What is printed goes to standard error. */
typedef struct PipelineOptions {
    const char *print_after; /* a pass: the program is printed each time it changed something */
    const char *stop_after;  /* a pass: nothing is run after its first time */
    bool time_passes;
    bool direct_convolutions; /* as the plain sum they are: see lower_winograd.c */
    bool constant_states; /* an inference build whose weights nobody will replace: see freeze.c */
} PipelineOptions;
bool pipeline_run(Program *program, const PipelineOptions *options);

/* The pass of that name in the table; NULL when there is none. For tests, and to check options. */
typedef bool PassFunction(Function *f);
PassFunction *pipeline_find(const char *name);
/* A pass over `f` and the bodies in it, those first. */
bool pass_run(PassFunction *pass, Function *f);
/* Names of all passes of the tensor level, in their order; those in two places twice. Returns how
 * many, PASS_NAME_LIMIT at most. */
enum { PASS_NAME_LIMIT = 32 };
int pipeline_names(const char **names);

/* schedule_kernel.c: the same for the loop level, whose passes work on kernels. */
bool nest_pass_exists(const char *name);
int nest_pass_names(const char **names);

#endif
