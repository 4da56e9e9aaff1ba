/* Random valid programs, for everything that has to hold for any program: that text reads back,
 * that passes keep the meaning, that compiled code computes what the evaluator does.
 *
 * The same seed always gives the same program. Its function is `main`; sizes are small and odd.
 * Every operation of ops.def turns up sooner or later. Values stay tame, so that an error of
 * rounding does not grow: floats lie within ±8 or so, logarithms and roots see numbers away from
 * nought, and whatever jumps (comparisons, floor, argmax, casts to integers …) is only asked about
 * values that are exact on every machine: inputs and what moves or selects among them. */
#ifndef INGOT_TESTS_RANDOM_GRAPH_H
#define INGOT_TESTS_RANDOM_GRAPH_H

#include "ir/graph.h"

Program *random_graph(Arena *arena, Diag *diag, uint64_t seed);

/* A dense array of the type: floats are multiples of 1/64 in [-2, 2], integers -20 … 20 (0 … 40
 * when unsigned), bool 0 or 1. */
void random_fill(const TensorType *type, uint64_t seed, void *data);

#endif
