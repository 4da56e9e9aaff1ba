/* Names of what a compiled model offers to its user: shared by public.c, which emits the functions,
 * and header.c, which declares them. No LLVM in here. */
#ifndef INGOT_CODEGEN_PUBLIC_H
#define INGOT_CODEGEN_PUBLIC_H

#include "ir/graph.h"

/* `name` as a C identifier: every byte that cannot stand in one becomes '_', and a leading digit
 * gets one in front. */
const char *public_identifier(Arena *arena, const char *name);

/* The symbol of program->functions[index], "digits_infer_batch64", "detect_infer_height64";
 * the plain name is that of the fewest rows and smallest sizes. NULL for `initialize`, which has
 * none. */
const char *public_call_symbol(Arena *arena, const Program *program, int index);

/* Positions in program->functions in the order of the descriptor: as they stand, but functions of
 * one name directly behind each other, by rising batch and sizes. program->function_count of them.
 */
const int *public_function_order(Arena *arena, const Program *program);

#endif
