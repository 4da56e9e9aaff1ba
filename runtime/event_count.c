/* Waiting, see event_count.h.
 *
 * Waiters watch for some microseconds, because kernels are short and a sleep costs more than most
 * of them; then they sleep in the kernel, because an idle team must not burn processors its user
 * wants for something else. With more threads than processors watching only delays the one who is
 * awaited, so then they sleep at once; and the same happens when other programs hold the
 * processors, so each watch that was in vain halves the next one, and each that was not doubles it.
 *
 * Order: `sleepers` and `value` are sequentially consistent between them: either the sleeper is
 * counted before the one who advances looks, or the kernel sees the new value and does not let it
 * sleep. */
#include "runtime/system.h"

#include "runtime/event_count.h"

#include <limits.h>
#include <sched.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
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

static void sleep_while(_Atomic uint32_t *value, uint32_t old)
{
#if defined(__linux__)
    syscall(SYS_futex, value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
#else
    if (atomic_load(value) == old)
        sched_yield();
#endif
}

static void wake_all(_Atomic uint32_t *value)
{
#if defined(__linux__)
    syscall(SYS_futex, value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
    (void)value;
#endif
}

void event_count_prepare(EventCount *count, bool crowded)
{
    atomic_init(&count->value, 0);
    atomic_init(&count->sleepers, 0);
    atomic_init(&count->spins, crowded ? 0 : MOST_SPINS);
}

void event_count_await(EventCount *count, uint32_t old)
{
    int32_t spins = atomic_load_explicit(&count->spins, memory_order_relaxed);
    for (int32_t i = 0; i < spins; i++) {
        if (atomic_load_explicit(&count->value, memory_order_acquire) != old) {
            if (spins < MOST_SPINS)
                atomic_store_explicit(&count->spins, spins * 2, memory_order_relaxed);
            return;
        }
        pause_processor();
    }
    if (spins > FEWEST_SPINS)
        atomic_store_explicit(&count->spins, spins / 2, memory_order_relaxed);
    atomic_fetch_add(&count->sleepers, 1);
    while (atomic_load(&count->value) == old)
        sleep_while(&count->value, old);
    atomic_fetch_sub(&count->sleepers, 1);
}

void event_count_advance(EventCount *count)
{
    atomic_fetch_add(&count->value, 1);
    if (atomic_load(&count->sleepers))
        wake_all(&count->value);
}
