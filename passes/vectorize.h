/* What passes/vectorize.c has from its other files. */
#ifndef INGOT_PASSES_VECTORIZE_H
#define INGOT_PASSES_VECTORIZE_H

#include "passes/schedule_kernel.h"

/* Nested plain loops that read across the order they store in, as transposes in registers; NULL
 * when they are not such loops (vectorize_transpose.c). */
Stmt *vectorize_transpose(Arena *arena, const Target *target, Kernel *kernel, const Stmt *loop);

/* A loop whose body goes through a row with values carried along in registers, for several rows at
 * a time; NULL when it is none (vectorize_rows.c). */
Stmt *vectorize_rows(Arena *arena, Kernel *kernel, Stmt *loop);

#endif
