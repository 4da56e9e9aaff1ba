/* What the files of the evaluator share: one evaluate_NAME() for each name in the `evaluate` column
 * of ops.def, and the few loops that most of them are made of.
 *
 * A rule fills e->out, which comes in created and zeroed, from e->in. It computes in double or in
 * int64 and does not round: node_evaluate() brings the result to the declared type afterwards.
 * Types have been checked by the shape rules and are relied upon. */
#ifndef INGOT_IR_EVAL_NODE_H
#define INGOT_IR_EVAL_NODE_H

#include "ir/eval.h"

typedef struct Evaluation {
    Arena *arena;
    EvaluatePrecision precision;
    const Node *node;
    const Value *in;
    Value *out;
} Evaluation;

typedef void Evaluate(const Evaluation *e);
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate)                      \
    Evaluate evaluate_##evaluate;
#include "ir/ops.def"
#undef OP

/* Row-major strides in elements. */
void row_major(const TensorType *type, int64_t strides[RANK_LIMIT]);

/* Steps through all axes of `dims` but the last, in row-major order, and keeps the offset that
 * `strides` give the current row: for (bool more = walk_start(&w); more; more = walk_next(&w)) … */
typedef struct Walk {
    int rank;
    int64_t dims[RANK_LIMIT], strides[RANK_LIMIT], index[RANK_LIMIT];
    int64_t offset;
    int64_t length, stride; /* of a row: the last axis, or 1 element of a scalar */
} Walk;
Walk walk_create(const TensorType *over, const int64_t *strides, int64_t offset);
bool walk_start(Walk *walk); /* false when there are no elements at all */
bool walk_next(Walk *walk);

/* to[i,j,…] = from[offset + i·strides[0] + j·strides[1] + …] over all of `to` */
void copy_from_strides(const Value *from, int64_t offset, const int64_t *strides, Value *to);
/* to[offset + i·strides[0] + …] = from[i,j,…] over all of `from` */
void copy_to_strides(const Value *from, Value *to, int64_t offset, const int64_t *strides);
/* The value stretched to `dims` as broadcasting does; itself when there is nothing to do. */
Value value_stretch(Arena *arena, const Value *value, const TensorType *like);

/* Copies `count` elements between places given in elements. */
void copy_elements(Value *to, int64_t at, const Value *from, int64_t start, int64_t count);

/* Of gather and those that scatter: a row brought into 0 … rows-1, and the elements of one. */
int64_t clamp_row(int64_t row, int64_t rows);
int64_t row_length(const TensorType *table);

/* Strides by which the axes of `type` step through what is left when `axes` are reduced: nought
 * along those. */
void reduced_strides(const TensorType *type, IntList axes, int64_t strides[RANK_LIMIT]);

/* A shape seen from one axis: [outer, length, inner]. */
typedef struct AxisView {
    int64_t outer, length, inner;
} AxisView;
AxisView axis_view(const TensorType *type, int64_t axis);

#endif
