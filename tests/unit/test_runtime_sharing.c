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

/* Six calls that lose 3 ms each, then calls of 2 ms alone until the team is tried again. */
static int lose_and_rest(Sharing *sharing)
{
    int rests = 0;
    for (int i = 0; i < 6; i++) {
        cr_assert(sharing_pays(sharing));
        sharing_note_team(sharing, 5 * MILLISECOND);
    }
    for (; !sharing_pays(sharing); rests++)
        sharing_note_alone(sharing, 2 * MILLISECOND);
    return rests;
}

Test(runtime_sharing, a_team_in_vain_rests_longer_each_time)
{
    Sharing sharing = known(2 * MILLISECOND);
    for (int round = 0; round < 8; round++)
        cr_assert_eq(lose_and_rest(&sharing), 9 << (round < 5 ? round : 5));
    for (int i = 0; i < 20; i++) /* it pays again: ten milliseconds are won, which are lost first */
        sharing_note_team(&sharing, MILLISECOND);
    for (int i = 0; i < 3; i++)
        sharing_note_team(&sharing, 5 * MILLISECOND);
    cr_assert_eq(lose_and_rest(&sharing), 9); /* 17 ms */
}

Test(runtime_sharing, what_a_call_alone_takes_is_learnt_again)
{
    Sharing sharing = known(2 * MILLISECOND);
    for (int i = 0; i < 400; i++) /* the machine has become slower */
        if (sharing_pays(&sharing))
            sharing_note_team(&sharing, 6 * MILLISECOND);
        else
            sharing_note_alone(&sharing, 8 * MILLISECOND);
    for (int i = 0; i < 100; i++) {
        cr_assert(sharing_pays(&sharing));
        sharing_note_team(&sharing, 6 * MILLISECOND);
    }
}

Test(runtime_sharing, long_calls_are_given_more_time)
{
    Sharing sharing = known(100 * MILLISECOND);
    for (int i = 0; i < 8; i++) {
        cr_assert(sharing_pays(&sharing), "after %d calls", i);
        sharing_note_team(&sharing, 200 * MILLISECOND);
    }
    cr_assert_not(sharing_pays(&sharing));
}
