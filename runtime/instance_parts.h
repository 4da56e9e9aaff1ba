/* The inside of an instance, for the files that make it, save it and load it. */
#ifndef INGOT_RUNTIME_INSTANCE_PARTS_H
#define INGOT_RUNTIME_INSTANCE_PARTS_H

#include "runtime/failure.h"
#include "runtime/instance.h"
#include "runtime/sharing.h"
#include "runtime/team.h"

enum { SHARING_FUNCTIONS = 8 };

/* One block of memory holds it all, in this order, each part aligned to 64:
 * this structure, the pool of the team, `found`, the state block, the arena, the scratch of every
 * member. */
struct IngotInstance {
    IngotTeam team;
    const IngotModel *model;
    unsigned char *state;
    unsigned char *arena;
    unsigned char *scratch;
    int64_t *found; /* for loading: where each state's bytes begin in the file, or -1 */
    IngotParallel *parallel;
    void *pool;
    int32_t threads;
    int64_t patience; /* work still to be done before threads are started for more */
    Sharing sharing[SHARING_FUNCTIONS]; /* of the first functions; the others always share */
    bool own_team;                      /* `pool` is that of the linked way */
    bool owned;                         /* the block is ours to free */
    bool stale; /* states have changed since the prepared block was filled */
    Failure failure;
};

#endif
