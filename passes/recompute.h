/* Values that cost less to compute again than to keep. */
#ifndef INGOT_PASSES_RECOMPUTE_H
#define INGOT_PASSES_RECOMPUTE_H

#include "passes/fuse.h"

/* By Node.id: stored values that every group but their own had better compute again, and what they
 * are made of on the way from memory. Of a fusion whose `stored` says what would need memory
 * otherwise. */
bool *choose_recomputed(Arena *arena, const Fusion *fusion);

#endif
