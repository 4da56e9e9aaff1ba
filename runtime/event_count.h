/* A number that only grows, and threads that wait for it to move: an eventcount (Reed and Kanodia,
 * Synchronization with Eventcounts and Sequencers, 1979). Waiting is a short watch, then sleep.
 *
 * All of it zero is a valid one that sleeps at once. */
#ifndef INGOT_RUNTIME_EVENT_COUNT_H
#define INGOT_RUNTIME_EVENT_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What waiters write while they watch lies on another cache line than what they watch. */
typedef struct EventCount {
    _Alignas(64) _Atomic uint32_t value;
    _Atomic uint32_t sleepers;
    _Atomic int64_t woken;              /* when sleepers last were */
    _Alignas(64) _Atomic int32_t watch; /* nanoseconds before going to sleep; adapts itself */
} EventCount;

/* Begins at 0. `crowded`: there are more threads than processors, so watching is in vain. */
void event_count_prepare(EventCount *count, bool crowded);

/* Returns when the value is no longer `old`; sees all that was written before it moved. */
void event_count_await(EventCount *count, uint32_t old);

/* Adds one and wakes who sleeps. One thread at a time. */
void event_count_advance(EventCount *count);

#endif
