/* The barrier of a thread team.
 *
 * A central counter: whoever arrives last resets it and raises the generation, which the others
 * watch. They watch for some microseconds, because kernels are short and a sleep costs more than
 * most of them; then they sleep in the kernel, because an idle team must not burn processors its
 * user wants for something else. With more members than processors spinning only delays the one who
 * is awaited, so then they sleep at once; and the same happens when other programs hold the
 * processors, so each watch that was in vain halves the next one, and each that was not doubles it.
 *
 * Order: arriving is an acquire-release step on `arrived`, so the last one has seen all writes of
 * the others, and raising `generation` releases them to everyone who reads it. `sleepers` and
 * `generation` are sequentially consistent between them: either the sleeper is counted before the
 * last one looks, or the kernel sees the new generation and does not let it sleep. */
#include "runtime/system.h"

#include "runtime/team.h"

#include <sched.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

enum { FEWEST_SPINS = 32, MOST_SPINS = 2048 }; /* the most take 20 to 80 microseconds */

static void pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
    __asm__ volatile("yield");
#endif
}

static void sleep_while(_Atomic uint32_t *generation, uint32_t value)
{
#if defined(__linux__)
    syscall(SYS_futex, generation, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
#else
    if (atomic_load(generation) == value)
        sched_yield();
#endif
}

static void wake_all(_Atomic uint32_t *generation)
{
#if defined(__linux__)
    syscall(SYS_futex, generation, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
#else
    (void)generation;
#endif
}

static void wait_for_change(IngotTeam *team, uint32_t generation)
{
    int32_t spins = atomic_load_explicit(&team->spins, memory_order_relaxed);
    for (int32_t i = 0; i < spins; i++) {
        if (atomic_load_explicit(&team->generation, memory_order_acquire) != generation) {
            if (spins < MOST_SPINS)
                atomic_store_explicit(&team->spins, spins * 2, memory_order_relaxed);
            return;
        }
        pause_processor();
    }
    if (spins > FEWEST_SPINS)
        atomic_store_explicit(&team->spins, spins / 2, memory_order_relaxed);
    atomic_fetch_add(&team->sleepers, 1);
    while (atomic_load(&team->generation) == generation)
        sleep_while(&team->generation, generation);
    atomic_fetch_sub(&team->sleepers, 1);
}

void ingot_team_barrier(IngotTeam *team, int32_t member)
{
    (void)member;
    if (!team)
        return;
    uint32_t members = (uint32_t)atomic_load_explicit(&team->members, memory_order_relaxed);
    uint32_t generation = atomic_load_explicit(&team->generation, memory_order_acquire);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 < members) {
        wait_for_change(team, generation);
        return;
    }
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    atomic_store(&team->generation, generation + 1);
    if (atomic_load(&team->sleepers))
        wake_all(&team->generation);
}

int32_t ingot_team_processors(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (int32_t)CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int32_t)online : 1;
}

void ingot_team_prepare(IngotTeam *team, int32_t threads)
{
    atomic_init(&team->arrived, 0);
    atomic_init(&team->generation, 0);
    atomic_init(&team->sleepers, 0);
    atomic_init(&team->members, 1);
    atomic_init(&team->spins, threads > ingot_team_processors() ? 0 : MOST_SPINS);
}
