/* The time that passes, whatever the calendar does. */
#ifndef INGOT_RUNTIME_CLOCK_H
#define INGOT_RUNTIME_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds since some moment before the program began. */
static inline int64_t clock_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
