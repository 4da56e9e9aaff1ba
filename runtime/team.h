/* The thread team of one call. Three ways exist, chosen when a model is built (--threads): OpenMP,
 * none, or the host's own pool through IngotParallel. The way is chosen by linking one of
 * team_openmp.c, team_none.c and team_host.c; each defines the two functions at the end of this
 * file. */
#ifndef INGOT_RUNTIME_TEAM_H
#define INGOT_RUNTIME_TEAM_H

#include "instance.h"

#include <stdatomic.h>
#include <stdint.h>

/* The counters live on cache lines of their own: the last to arrive writes `generation` while the
 * others only read it. */
typedef struct IngotTeam {
    _Alignas(64) _Atomic uint32_t arrived;
    _Alignas(64) _Atomic uint32_t
        generation; /* raised by the last to arrive; the others wait for it */
    _Atomic uint32_t sleepers;
    _Alignas(64) _Atomic int32_t members;
    _Atomic int32_t spins; /* looks at `generation` before going to sleep; adapts itself */
} IngotTeam;

/* Waits until every member of the team has arrived; what they wrote before is visible after. Spins
 * briefly, then sleeps. Called by generated code, by all members alike. A NULL team is one member.
 */
void ingot_team_barrier(IngotTeam *team, int32_t member);

/* Makes a team ready for calls of up to `threads` members. */
void ingot_team_prepare(IngotTeam *team, int32_t threads);

/* Processors this process may run on, at least 1. */
int32_t ingot_team_processors(void);

/* The way of the linked variant, and how many members it uses when nobody says. */
void ingot_team_default_parallel(void *pool, int32_t members, IngotWork *work, void *argument);
int32_t ingot_team_default_threads(void);

#endif
