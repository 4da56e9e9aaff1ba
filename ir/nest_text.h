/* The text form of the loop level, both ways, and the checks of nest.h's promises. */
#ifndef INGOT_IR_NEST_TEXT_H
#define INGOT_IR_NEST_TEXT_H

#include "ir/nest.h"

void kernel_print(const Kernel *kernel, Text *text);
/* The same as far as it decides what is computed: whatever the kernel is called. */
const char *kernel_text(Arena *arena, Kernel *kernel);
void schedule_print(const Schedule *schedule,
                    Text *text); /* slots with their places, calls, barriers */
void module_print(const Module *module, Text *text);

/* One or more kernels; NULL and errors with line and column otherwise. *count of them. */
Kernel **kernel_parse(Arena *arena, Diag *diag, const char *place, const char *text, int *count);

/* Every promise of nest.h; also that every offset lies inside its buffer for every iteration. */
bool kernel_verify(const Kernel *kernel, Diag *diag);

#endif
