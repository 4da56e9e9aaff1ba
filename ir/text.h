/* The text form of the tensor level, both ways. Printing and parsing back gives the same program:
 * print(parse(print(p))) == print(p), values of constants included, to the last bit. */
#ifndef INGOT_IR_TEXT_H
#define INGOT_IR_TEXT_H

#include "base/text.h"
#include "ir/graph.h"

void graph_print(const Program *program, Text *text);
void function_print(const Function *function, Text *text);

/* `place` names the text in errors: "fuse.ir:12:7: unknown operation "mtmul", did you mean
 * "matmul"". NULL on errors, all of them in `diag`. The result has been verified. */
Program *graph_parse(Arena *arena, Diag *diag, const char *place, const char *text);

#endif
