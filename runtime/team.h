/* The thread team of one call. Four ways exist, chosen when a model is built (--threads): POSIX
 * threads of its own, OpenMP, none, or the host's pool through IngotParallel. The way is chosen by
 * linking one of team_pthreads.c, team_openmp.c, team_none.c and team_host.c; each defines the
 * functions at the end of this file. */
#ifndef INGOT_RUNTIME_TEAM_H
#define INGOT_RUNTIME_TEAM_H

#include "event_count.h"
#include "instance.h"

#include <stdatomic.h>
#include <stdint.h>

/* What members write when they arrive lies on another cache line than what the others watch. */
typedef struct IngotTeam {
    _Alignas(64) _Atomic uint32_t arrived;
    _Atomic int32_t members;
    EventCount passed; /* advanced by the last to arrive; the others wait for it */
} IngotTeam;

/* Waits until every member of the team has arrived; what they wrote before is visible after. Spins
 * briefly, then sleeps. Called by generated code, by all members alike. A NULL team is one member.
 */
void ingot_team_barrier(IngotTeam *team, int32_t member);

/* Makes a team ready for calls of up to `threads` members. */
void ingot_team_prepare(IngotTeam *team, int32_t threads);

/* Processors this process may run on, at least 1. */
int32_t ingot_team_processors(void);

/* The way of the linked variant. Its pool lies in the instance, ingot_team_pool_bytes() long and
 * aligned to 64; all of it zero it has no threads yet. ingot_team_pool_end() ends those it has. */
void ingot_team_default_parallel(void *pool, int32_t members, IngotWork *work, void *argument);
int64_t ingot_team_pool_bytes(int32_t threads);
void ingot_team_pool_end(void *pool);
/* How many members it uses when nobody says. */
int32_t ingot_team_default_threads(void);

#endif
