/* Whether the calls of an instance are shared out among its team. Results are the same bits either
 * way, so it is free to decide by time alone: when other programs hold the processors, or calls are
 * so short and so rare that waking the others takes longer than the work, a team takes longer than
 * its first member would by itself.
 *
 *     a call by the team    took = busy + waited, both of member 0; by itself it would have taken
 *                           about members · busy
 *
 * Two calls in a row that took longer than that cost some time more than they had to. Then calls
 * are not shared until twenty times that time has gone by in them, and one more is tried: the trial
 * costs a twentieth at the most. One call alone may have met a hiccup of the machine. */
#ifndef INGOT_RUNTIME_SHARING_H
#define INGOT_RUNTIME_SHARING_H

#include <stdbool.h>
#include <stdint.h>

/* All of it zero: calls are shared. Times are nanoseconds. */
typedef struct Sharing {
    int64_t alone; /* time of calls still to be made by member 0 itself */
    int32_t vain;  /* calls in a row that would have been faster so */
} Sharing;

bool sharing_pays(const Sharing *sharing);

/* Notes a call by a team: of the `took` member 0 has `waited` for the others. */
void sharing_note_team(Sharing *sharing, int64_t took, int64_t waited, int32_t members);

/* Notes a call by member 0 itself, made because sharing did not pay. */
void sharing_note_alone(Sharing *sharing, int64_t took);

#endif
