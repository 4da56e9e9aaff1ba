/* What one call of a kernel does, counted from its loops as they stand: after scheduling, what the
 * nest says is what runs. */
#ifndef INGOT_IR_NEST_WORK_H
#define INGOT_IR_NEST_WORK_H

#include "ir/nest.h"

typedef struct KernelWork {
    int64_t multiply_adds; /* of floats, each lane that counts as one */
    int64_t bytes_read;    /* distinct bytes of the arguments, however often each is read */
    int64_t bytes_written;
} KernelWork;

/* Bytes are exact for offsets that count on as digits of a number do, alone or as the taps of a
 * window over them; where several accesses overlap in another way, at most what is told. Numbers
 * that do not fit stop at INT64_MAX. */
KernelWork kernel_work(Arena *arena, const Kernel *kernel);

#endif
