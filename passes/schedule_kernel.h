/* From plain loops to the loops a processor wants: each step is one file and one rewriting of a
 * kernel.
 *
 *   split       a long sum with few results becomes partial sums, which a second kernel adds up
 *   collapse    nested loops over what is contiguous become one
 *   tile        contractions: register blocks, packed operand        (f32 and f64 products)
 *   vectorize   everything else: lanes along what is contiguous, or along a reduction
 *   share       the outermost loops are shared out among the team
 */
#ifndef INGOT_PASSES_SCHEDULE_KERNEL_H
#define INGOT_PASSES_SCHEDULE_KERNEL_H

#include "ir/nest.h"

typedef struct Packing { /* what tiling wants copied before its kernel runs */
    Kernel *kernel;      /* arguments: the operand, out its packed copy */
    int source;    /* which argument of the tiled kernel is packed; the copies follow its other
                      arguments */
    int64_t count; /* elements of the copy */
} Packing;

typedef struct Packings {
    Packing *list;
    int count, capacity;
} Packings;

typedef struct Split { /* one kernel made into two */
    Kernel *partial, *combine;
    int *partial_arguments,
        *combine_arguments; /* which argument of the old kernel; -1: the partial results */
    ElementType element;
    int64_t count; /* of partial results */
} Split;

/* False when it would not pay. */
bool split_reduction(Arena *arena, const Target *target, const Kernel *kernel, Split *split);
void collapse_loops(Arena *arena, Kernel *kernel);
void tile_contractions(Arena *arena, const Target *target, Kernel *kernel, Packings *packings);
void vectorize_loops(Arena *arena, const Target *target, Kernel *kernel);
void share_loops(Kernel *kernel);

/* Tiling to sharing, in that order, of a collapsed kernel. */
void schedule_kernel(Arena *arena, const Target *target, Kernel *kernel, Packings *packings);

#endif
