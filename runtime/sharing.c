/* See sharing.h. */
#include "runtime/system.h"

#include "runtime/sharing.h"

enum { IN_VAIN = 2, TIMES_ALONE = 20 };

bool sharing_pays(const Sharing *sharing)
{
    return sharing->alone <= 0;
}

void sharing_note_team(Sharing *sharing, int64_t took, int64_t waited, int32_t members)
{
    int64_t lost = took - members * (took - waited);
    if (lost <= 0) {
        sharing->vain = 0;
        return;
    }
    sharing->vain += sharing->vain < IN_VAIN;
    if (sharing->vain == IN_VAIN)
        sharing->alone = TIMES_ALONE * lost;
}

void sharing_note_alone(Sharing *sharing, int64_t took)
{
    sharing->alone -= took;
}
