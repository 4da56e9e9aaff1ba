/* Tests that are texts: one operation or a small function body in, its message or its value out. */
#ifndef INGOT_TESTS_IR_TEXT_H
#define INGOT_TESTS_IR_TEXT_H

#include "ir/eval.h"
#include "ir/graph.h"

/* Parses `operation` over `parameters` as a function of one node and gives what is wrong with it,
 * without the place; "" when there are no errors. When it fits, its type is what is wrong:
 *
 *     operation_says(arena, "%x: f32[2,3]", "neg %x")  →  "neg gives f32[2,3], not bool[0,0,7]" */
const char *operation_says(Arena *arena, const char *parameters, const char *operation);

/* Parses `body` as a function without parameters, evaluates it and prints the elements of its last
 * node:
 *
 *     body_gives(arena, EVALUATE_F32, "%a: f32[2] = constant value=[1,2]  %b: f32[2] = neg %a")  →
 * "-1 -2"
 *
 * Prints errors instead when there are any. */
const char *body_gives(Arena *arena, EvaluatePrecision precision, const char *body);

/* All messages, one a line. */
const char *diag_text(Arena *arena, const Diag *diag);

#endif
