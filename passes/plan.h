/* Memory and barriers of one function: where each temporary lies in the arena, and where the team
 * has to meet. */
#ifndef INGOT_PASSES_PLAN_H
#define INGOT_PASSES_PLAN_H

#include "ir/nest.h"

/* Everything below, for calls whose kernels and arguments are final. Sets of each temporary
 * first_call, last_call (-1 when nothing uses it) and offset; of the schedule arena_bytes,
 * scratch_bytes and parallel; and barriers. */
void plan_schedule(Arena *arena, Schedule *schedule);

/* The two halves. Memory comes first: what shares memory decides who waits for whom. */
void plan_memory(Arena *arena, Schedule *schedule);
void plan_barriers(Arena *arena, Schedule *schedule);

/* plan_in_place.c: may arguments[output] be the same memory as arguments[input]? Only when every
 * element read there is read for the last time before the only store to its place. */
bool plan_in_place(const Kernel *kernel, int input, int output);

#endif
