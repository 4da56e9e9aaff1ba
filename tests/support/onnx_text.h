/* Small ONNX models as text, for tests. A line is one of
 *
 *     opset 11                              22 otherwise
 *     opset ai.onnx.ml 3
 *     x: float[2,3]                         an input
 *     k: int64[1] = 9                       an initialiser; its numbers
 *     w: float[2] from "data.bin" offset="4" length="8"     one whose numbers lie in a file
 *     v, i = TopK(x, k) axis=1 largest=0    a node; "_" is an input or output left out
 *     y = ai.onnx.ml.Scaler(x) offset=[1.0] scale=[2.0]
 *     [last] y = Neg(x)                     a node with a name
 *
 *     function my.F(a, b) -> c {            a function of the model's own; its nodes, up to }
 *
 * Attributes are 7, 7.0, "text", lists of these in [ ], a tensor, float[2]{1,2}, or a graph, whose
 * lines stand in { }: its inputs, nodes, and what it gives.
 *
 *     y = If(c) then_branch={
 *       a = Add(x, x)
 *       -> a
 *     } else_branch={
 *       -> x
 *     }
 *
 * What the last node makes is what the model gives. */
#ifndef INGOT_TESTS_ONNX_TEXT_H
#define INGOT_TESTS_ONNX_TEXT_H

#include "base/arena.h"

/* Writes the model of the text to a file. Stops the test when the text is none. */
void onnx_text_write(Arena *arena, const char *text, const char *path);

#endif
