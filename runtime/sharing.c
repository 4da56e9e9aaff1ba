/* See sharing.h. */
#include "runtime/system.h"

#include "runtime/sharing.h"

enum { WARM = 2, TOLERATED = 10000000, CALLS_TOLERATED = 8, MOST_VAIN = 5, AVERAGED = 4 };

bool sharing_pays(const Sharing *sharing)
{
    return sharing->rest <= 0 && (sharing->alone || sharing->calls < WARM);
}

void sharing_note_team(Sharing *sharing, int64_t took)
{
    if (!sharing->alone) {
        sharing->calls++;
        return;
    }
    sharing->lost += took - sharing->alone;
    if (sharing->lost < -TOLERATED) {
        sharing->lost = -TOLERATED;
        sharing->vain = 0;
    }
    if (sharing->lost < TOLERATED || sharing->lost < CALLS_TOLERATED * sharing->alone)
        return;
    sharing->rest = sharing->lost << sharing->vain;
    sharing->vain += sharing->vain < MOST_VAIN;
    sharing->lost = 0;
}

void sharing_note_alone(Sharing *sharing, int64_t took)
{
    sharing->alone += sharing->alone ? (took - sharing->alone) / AVERAGED : took;
    sharing->rest -= took;
}
