/* Waiting, see event_count.h.
 *
 * Waiters watch for some microseconds, because kernels are short and a sleep costs more than most
 * of them, most of all in a virtual machine; then they sleep in the kernel, because an idle team
 * must not burn processors its user wants for something else. With more threads than processors
 * watching only delays the one who is awaited, so then they sleep at once. Other programs that hold
 * the processors show by waits of milliseconds: each that no watch would have been long enough for
 * halves the next, and after one that would have been short enough the next is as long as can be.
 * What counts is the time until the value moved, not that until the sleeper was awake: else all
 * would sleep because all sleep.
 *
 * Order: `sleepers` and `value` are sequentially consistent between them: either the sleeper is
 * counted before the one who advances looks, or the kernel sees the new value and does not let it
 * sleep. */
#include "runtime/system.h"

#include "runtime/event_count.h"

#include "runtime/clock.h"
#include <limits.h>

#include <sched.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Nanoseconds; looks between two readings of the clock. */
enum { SHORTEST_WATCH = 1000, LONGEST_WATCH = 200000, LOOKS = 16 };

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
    atomic_init(&count->watch, crowded ? 0 : LONGEST_WATCH);
}

static bool has_moved(EventCount *count, uint32_t old)
{
    return atomic_load_explicit(&count->value, memory_order_acquire) != old;
}

/* Has it moved within that time? */
static bool watch_it(EventCount *count, uint32_t old, int64_t start, int32_t time)
{
    while (clock_nanoseconds() - start < time)
        for (int i = 0; i < LOOKS; i++) {
            if (has_moved(count, old))
                return true;
            pause_processor();
        }
    return false;
}

static void sleep_until_moved(EventCount *count, uint32_t old)
{
    atomic_fetch_add(&count->sleepers, 1);
    while (atomic_load(&count->value) == old)
        sleep_while(&count->value, old);
    atomic_fetch_sub(&count->sleepers, 1);
}

void event_count_await(EventCount *count, uint32_t old)
{
    int32_t watch = atomic_load_explicit(&count->watch, memory_order_relaxed), next = watch;
    if (has_moved(count, old))
        return;
    int64_t start = clock_nanoseconds(), moved = 0;
    if (!watch_it(count, old, start, watch)) {
        sleep_until_moved(count, old);
        moved = atomic_load_explicit(&count->woken, memory_order_relaxed);
    }
    moved = moved >= start ? moved : clock_nanoseconds();
    if (moved - start > LONGEST_WATCH)
        next = watch > 2 * SHORTEST_WATCH ? watch / 2 : watch;
    else if (watch)
        next = LONGEST_WATCH;
    if (next != watch)
        atomic_store_explicit(&count->watch, next, memory_order_relaxed);
}

void event_count_advance(EventCount *count)
{
    if (atomic_load(&count->sleepers))
        atomic_store_explicit(&count->woken, clock_nanoseconds(), memory_order_relaxed);
    atomic_fetch_add(&count->value, 1);
    if (atomic_load(&count->sleepers))
        wake_all(&count->value);
}
