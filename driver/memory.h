/* What a compiled model will have in memory, known before it runs. */
#ifndef INGOT_DRIVER_MEMORY_H
#define INGOT_DRIVER_MEMORY_H

#include "ir/nest.h"

typedef struct Memory { /* of a process that makes an instance and calls one function; bytes */
    int64_t states, packed, constants, temporaries;
    int64_t thread; /* scratch of each thread */
    int64_t code;   /* of its kernels: roughly */
} Memory;

/* Of functions[index] of the program. */
Memory memory_of_function(Arena *arena, const Module *module, int index);
int64_t memory_sum(const Memory *memory, int threads);

typedef struct Height { /* where a function has the most temporaries that are needed still */
    int call;           /* -1: it has none */
    int count;
    int64_t bytes;
    const Slot *largest;
} Height;

Height memory_height(Arena *arena, const Schedule *schedule);

#endif
