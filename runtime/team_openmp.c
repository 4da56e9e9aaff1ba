/* The team from OpenMP: one parallel region for each call of a model function. OpenMP keeps its
 * threads between regions, so entering one costs microseconds. It may deliver fewer members than
 * asked (nested regions, OMP_THREAD_LIMIT); the work is told the real number. */
#include "runtime/system.h"

#include "runtime/team.h"

#include <omp.h>

void ingot_team_default_parallel(void *pool, int32_t members, IngotWork *work, void *argument)
{
    (void)pool;
#pragma omp parallel num_threads(members)
    work(argument, (int32_t)omp_get_thread_num(), (int32_t)omp_get_num_threads());
}

int32_t ingot_team_default_threads(void)
{
    return (int32_t)omp_get_max_threads(); /* respects OMP_NUM_THREADS */
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
