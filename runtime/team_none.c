/* The team of one: for machines without threads, and for programs that want none. */
#include "runtime/system.h"

#include "runtime/team.h"

void ingot_team_default_parallel(void *pool, int32_t members, IngotWork *work, void *argument)
{
    (void)pool;
    (void)members;
    work(argument, 0, 1);
}

int32_t ingot_team_default_threads(void)
{
    return 1;
}

int64_t ingot_team_pool_bytes(int32_t threads)
{
    (void)threads;
    return 0;
}

void ingot_team_pool_end(void *pool)
{
    (void)pool;
}
