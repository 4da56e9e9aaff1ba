/* Whether the calls of a function are shared out among the team. Results are the same bits either
 * way, so it is free to decide by time alone: while other programs hold the processors, or the
 * calls are so short and so rare that waking the others takes longer than the work, a team takes
 * longer than its first member does by itself.
 *
 * How long that is, the third call tells, when memory has been touched: member 0 makes it alone.
 * From then on calls by the team are held against it. What they take longer is a loss, what they
 * take less makes up for it, ten milliseconds ahead at most; once ten milliseconds and the time of
 * eight calls have been lost (the system may take that long to give each member a processor) the
 * team rests until as much time again has gone by in calls of member 0 alone. Then it is tried
 * again; each time in vain it rests twice as long, up to 32 times what it has lost. So a hiccup of
 * the machine costs little, and a team in vain a thirtieth. */
#ifndef INGOT_RUNTIME_SHARING_H
#define INGOT_RUNTIME_SHARING_H

#include <stdbool.h>
#include <stdint.h>

/* All of it zero: no call has been made. Times are nanoseconds. */
typedef struct Sharing {
    int64_t alone; /* what a call by member 0 alone takes, on the average of the last; 0: unknown */
    int64_t lost;  /* by the team, that would have been saved alone; below 0: won */
    int64_t rest;  /* time of calls still to be made alone */
    int32_t calls; /* until `alone` is known */
    int32_t vain;  /* trials in a row */
} Sharing;

/* Is the next call one for the team? */
bool sharing_pays(const Sharing *sharing);

/* Notes what it took. */
void sharing_note_team(Sharing *sharing, int64_t took);
void sharing_note_alone(Sharing *sharing, int64_t took);

#endif
