/* The team of POSIX threads: each instance has its own, started by its first call that shares work
 * among threads, and ended with the instance.
 *
 *     caller                       worker
 *     advance `begun`       ──▶    await `begun`
 *     work, as member 0            work, as member 1 …
 *     await `ended`         ◀──    the last one advances `ended`
 *
 * Between calls workers watch for the next one as briefly as they watch at a barrier, then sleep.
 *
 * fork() copies the memory of a team, but not its threads: a child that finds itself to be another
 * process than the one that started them starts its own. Where a thread cannot be started the team
 * is smaller; results are the same. Workers take no signals: those are meant for threads the host
 * knows of. */
#include "runtime/system.h"

#include "runtime/team.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* Kernels keep their numbers in registers and in the arena; what they spill is a few KB. */
enum { STACK_BYTES = 256 * 1024, MOST_MEMBERS = 1024 };

typedef struct Pool {
    EventCount begun, ended;           /* calls */
    _Alignas(64) _Atomic int32_t left; /* workers that have come to the end of this call */
    _Atomic int32_t numbered;          /* workers that know which member they are */
    IngotWork *work;                   /* of this call; NULL: the threads shall end */
    void *argument;
    int32_t workers;
    pid_t process; /* that started them; 0: nobody has */
    pthread_t threads[];
} Pool;

static void *run_worker(void *pointer)
{
    Pool *pool = pointer;
    int32_t member = atomic_fetch_add(&pool->numbered, 1) + 1;
    for (uint32_t calls = 0;; calls++) {
        event_count_await(&pool->begun, calls);
        if (!pool->work)
            return NULL;
        pool->work(pool->argument, member, pool->workers + 1);
        if (atomic_fetch_add(&pool->left, 1) + 1 == pool->workers)
            event_count_advance(&pool->ended);
    }
}

/* A small stack, unless the host keeps so many thread-local variables on it that it is too small.
 */
static bool start_thread(pthread_t *thread, Pool *pool)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool started = pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
                   pthread_create(thread, &attributes, run_worker, pool) == 0;
    pthread_attr_destroy(&attributes);
    return started || pthread_create(thread, NULL, run_worker, pool) == 0;
}

static void start_threads(Pool *pool, int32_t members)
{
    bool crowded = members > ingot_team_processors();
    sigset_t all, before;
    event_count_prepare(&pool->begun, crowded);
    event_count_prepare(&pool->ended, crowded);
    atomic_init(&pool->numbered, 0);
    pool->process = getpid();
    pool->workers = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->workers < members - 1 && start_thread(&pool->threads[pool->workers], pool))
        pool->workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ingot_team_default_parallel(void *pointer, int32_t members, IngotWork *work, void *argument)
{
    Pool *pool = pointer;
    if (pool->process != getpid())
        start_threads(pool, members);
    uint32_t calls = atomic_load_explicit(&pool->ended.value, memory_order_relaxed);
    pool->work = work;
    pool->argument = argument;
    atomic_store_explicit(&pool->left, 0, memory_order_relaxed);
    event_count_advance(&pool->begun);
    work(argument, 0, pool->workers + 1);
    if (pool->workers)
        event_count_await(&pool->ended, calls);
}

int64_t ingot_team_pool_bytes(int32_t threads)
{
    return (int64_t)(sizeof(Pool) + sizeof(pthread_t) * (size_t)(threads - 1));
}

void ingot_team_pool_end(void *pointer)
{
    Pool *pool = pointer;
    if (pool->process != getpid())
        return;
    pool->work = NULL;
    event_count_advance(&pool->begun);
    for (int32_t i = 0; i < pool->workers; i++)
        pthread_join(pool->threads[i], NULL);
}

/* "4", or the first of "4,2"; 0 when the variable is not set or says no number of threads. */
static int32_t read_count(const char *variable)
{
    const char *text = getenv(variable);
    if (!text)
        return 0;
    char *end;
    long count = strtol(text, &end, 10);
    return end != text && (*end == '\0' || *end == ',') && count >= 1 && count <= MOST_MEMBERS
               ? (int32_t)count
               : 0;
}

int32_t ingot_team_default_threads(void)
{
    int32_t count = read_count("INGOT_THREADS");
    count = count ? count : read_count("OMP_NUM_THREADS");
    return count ? count : ingot_team_processors();
}
