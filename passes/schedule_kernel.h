/* From plain loops to the loops a processor wants: each step is one file and one rewriting of a
 * kernel.
 *
 *   split       a long sum with few results becomes partial sums, which a second kernel adds up
 *   collapse    nested loops over what is contiguous become one
 *   widen       contractions with few outputs side by side share vectors among neighbours
 *   tile        contractions: register blocks, packed operand        (f32 and f64 products)
 *   vectorize   everything else: lanes along what is contiguous, or along a reduction
 *   share       the outermost loops are shared out among the team
 */
#ifndef INGOT_PASSES_SCHEDULE_KERNEL_H
#define INGOT_PASSES_SCHEDULE_KERNEL_H

#include "ir/nest.h"
#include "passes/passes.h"

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
void widen_contractions(Arena *arena, const Target *target, Kernel *kernel, Packings *packings);
void tile_contractions(Arena *arena, const Target *target, Kernel *kernel, Packings *packings);
void vectorize_loops(Arena *arena, const Target *target, Kernel *kernel);
void share_loops(Arena *arena, Kernel *kernel);

/* The kernels that one kernel of lowering becomes, in the order they must run. */
typedef struct Piece {
    Kernel *kernel;
    int *arguments; /* each one an argument of the kernel that was lowered; or -1 - i: between[i] */
    int packs;      /* what it only packs: a position in `between`; -1: it does more */
} Piece;

typedef struct Between { /* memory that one piece writes and another reads */
    ElementType element;
    int64_t count;
} Between;

typedef struct Pieces {
    Arena *arena;
    const Target *target;
    Piece *list;
    int count, capacity;
    Between *between;
    int between_count, between_capacity;
} Pieces;

/* The kernel alone, as lowering has made it. */
Pieces pieces_create(Arena *arena, const Target *target, Kernel *kernel);

/* One pass over all pieces; false when there is none of that name that works on kernels. */
bool pieces_run_pass(Pieces *pieces, const char *name);

enum { NEST_PASS_LIMIT = 16 };

typedef struct NestRun { /* of one lowering: what is asked for, and what the passes took */
    const PipelineOptions *options;
    double seconds[NEST_PASS_LIMIT];
    int times[NEST_PASS_LIMIT];
    Map pieces; /* Pieces of each kernel seen so far, by its text without the name */
} NestRun;

/* What a kernel becomes by all passes that work on kernels, in their order, as far as
 * options->stop_after says. Kernels that differ in name only share it, so that a deep network costs
 * no more here than its distinct layers. */
Pieces *schedule_kernel(Arena *arena, const Target *target, Kernel *kernel, NestRun *run);
/* Is this pass of the loop level still to be run? */
bool nest_run_reaches(const NestRun *run, const char *name);
/* Adds to what --time-passes prints of a pass; and prints that. */
void nest_run_count(NestRun *run, const char *name, double seconds, int times);
void nest_run_print_times(const NestRun *run);

#endif
