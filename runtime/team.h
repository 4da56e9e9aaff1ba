/* The thread team of one call. Three ways exist, chosen when a model is built (--threads): OpenMP,
 * none, or the host's own pool through IngotParallel. */
#ifndef INGOT_RUNTIME_TEAM_H
#define INGOT_RUNTIME_TEAM_H

#include <stdint.h>

typedef struct IngotTeam IngotTeam;

/* Waits until every member of the team has arrived; what they wrote before is visible after. Spins
 * briefly, then sleeps. Called by generated code, by all members alike. */
void ingot_team_barrier(IngotTeam *team, int32_t member);

#endif
