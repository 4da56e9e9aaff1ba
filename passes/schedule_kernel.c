/* The steps of schedule_kernel.h in their order. */
#include "passes/schedule_kernel.h"

void schedule_kernel(Arena *arena, const Target *target, Kernel *kernel, Packings *packings)
{
    tile_contractions(arena, target, kernel, packings);
    vectorize_loops(arena, target, kernel);
    share_loops(kernel);
    for (int p = 0; p < packings->count; p++) {
        vectorize_loops(arena, target, packings->list[p].kernel);
        share_loops(packings->list[p].kernel);
    }
}
