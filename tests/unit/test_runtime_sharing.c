/* When calls are shared out among a team, and when not. */
#include <criterion/criterion.h>

#include "runtime/sharing.h"

enum { MILLISECOND = 1000000 };

/* One that knows that a call alone takes so long. */
static Sharing known(int64_t alone)
{
    Sharing sharing = {0};
    for (int i = 0; i < 2; i++) {
        cr_assert(sharing_pays(&sharing));
        sharing_note_team(&sharing, 1000 * alone); /* threads begin, memory is touched */
    }
    cr_assert_not(sharing_pays(&sharing), "the third call is made alone");
    sharing_note_alone(&sharing, alone);
    cr_assert(sharing_pays(&sharing));
    return sharing;
}

Test(runtime_sharing, pays_as_long_as_it_is_faster)
{
    Sharing sharing = known(8 * MILLISECOND);
    for (int i = 0; i < 1000; i++) {
        sharing_note_team(&sharing, 6 * MILLISECOND);
        cr_assert(sharing_pays(&sharing));
    }
}

Test(runtime_sharing, hiccups_are_made_up_for)
{
    Sharing sharing = known(2 * MILLISECOND);
    for (int i = 0; i < 1000; i++) {
        sharing_note_team(&sharing, i % 10 ? MILLISECOND : 10 * MILLISECOND);
        cr_assert(sharing_pays(&sharing), "after %d calls", i);
    }
}

Test(runtime_sharing, what_has_been_lost_is_waited_for_twenty_times)
{
    Sharing sharing = known(2 * MILLISECOND);
    for (int i = 0; i < 4; i++) { /* 3 lost in each */
        cr_assert(sharing_pays(&sharing));
        sharing_note_team(&sharing, 5 * MILLISECOND);
    }
    for (int i = 0; i < 120; i++) { /* 20 · 12 */
        cr_assert_not(sharing_pays(&sharing), "after %d calls", i);
        sharing_note_alone(&sharing, 2 * MILLISECOND);
    }
    cr_assert(sharing_pays(&sharing));
}

Test(runtime_sharing, what_a_call_alone_takes_is_learnt_again)
{
    Sharing sharing = known(2 * MILLISECOND);
    sharing_note_team(&sharing, 12 * MILLISECOND);
    cr_assert_not(sharing_pays(&sharing));
    while (!sharing_pays(&sharing)) /* the machine has become slower */
        sharing_note_alone(&sharing, 8 * MILLISECOND);
    for (int i = 0; i < 100; i++) {
        sharing_note_team(&sharing, 6 * MILLISECOND);
        cr_assert(sharing_pays(&sharing));
    }
}

Test(runtime_sharing, long_calls_are_given_more_time)
{
    Sharing sharing = known(100 * MILLISECOND);
    for (int i = 0; i < 4; i++) {
        cr_assert(sharing_pays(&sharing), "after %d calls", i);
        sharing_note_team(&sharing, 200 * MILLISECOND);
    }
    cr_assert_not(sharing_pays(&sharing));
}
