/* The barrier of a thread team.
 *
 * A central counter: whoever arrives last resets it and advances the eventcount that the others
 * wait for.
 *
 * Order: arriving is an acquire-release step on `arrived`, so the last one has seen all writes of
 * the others, and advancing `passed` releases them to everyone who awaits it. */
#include "runtime/system.h"

#include "runtime/team.h"

#include <sched.h>
#include <unistd.h>

void ingot_team_barrier(IngotTeam *team, int32_t member)
{
    (void)member;
    if (!team)
        return;
    uint32_t members = (uint32_t)atomic_load_explicit(&team->members, memory_order_relaxed);
    uint32_t passed = atomic_load_explicit(&team->passed.value, memory_order_acquire);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 < members) {
        event_count_await(&team->passed, passed);
        return;
    }
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    event_count_advance(&team->passed);
}

/* Room for the most processors Linux can be built for: it refuses to fill a smaller set. */
enum { MOST_PROCESSORS = 8192 };

int32_t ingot_team_processors(void)
{
#if defined(__linux__)
    cpu_set_t set[MOST_PROCESSORS / CPU_SETSIZE];
    if (sched_getaffinity(0, sizeof set, set) == 0 && CPU_COUNT_S(sizeof set, set) > 0)
        return (int32_t)CPU_COUNT_S(sizeof set, set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int32_t)online : 1;
}

void ingot_team_prepare(IngotTeam *team, int32_t threads)
{
    atomic_init(&team->arrived, 0);
    atomic_init(&team->members, 1);
    event_count_prepare(&team->passed, threads > ingot_team_processors());
}
