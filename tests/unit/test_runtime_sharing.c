/* When calls are shared out among a team, and when not. */
#include <criterion/criterion.h>

#include "runtime/sharing.h"

enum { MILLISECOND = 1000000 };

Test(runtime_sharing, pays_at_first_and_as_long_as_it_is_faster)
{
    Sharing sharing = {0};
    for (int i = 0; i < 100; i++) {
        cr_expect(sharing_pays(&sharing));
        sharing_note_team(&sharing, 6 * MILLISECOND, 2 * MILLISECOND, 2); /* alone: 8 */
    }
}

Test(runtime_sharing, one_call_in_vain_is_forgiven)
{
    Sharing sharing = {0};
    for (int i = 0; i < 100; i++) {
        sharing_note_team(&sharing, 10 * MILLISECOND, 9 * MILLISECOND, 2);
        cr_expect(sharing_pays(&sharing));
        sharing_note_team(&sharing, 2 * MILLISECOND, 0, 2);
    }
}

Test(runtime_sharing, two_in_a_row_are_made_good_before_the_next_trial)
{
    Sharing sharing = {0};
    sharing_note_team(&sharing, 10 * MILLISECOND, 9 * MILLISECOND, 2); /* alone: 2 */
    sharing_note_team(&sharing, 6 * MILLISECOND, 5 * MILLISECOND, 2);  /* 4 more than that */
    for (int i = 0; i < 40; i++) {                                     /* 20 times 4 */
        cr_expect_not(sharing_pays(&sharing), "after %d calls", i);
        sharing_note_alone(&sharing, 2 * MILLISECOND);
    }
    cr_expect(sharing_pays(&sharing));
}

Test(runtime_sharing, a_trial_in_vain_is_enough_to_go_on_alone)
{
    Sharing sharing = {0};
    for (int i = 0; i < 2; i++)
        sharing_note_team(&sharing, 10 * MILLISECOND, 9 * MILLISECOND, 2);
    sharing_note_alone(&sharing, 160 * MILLISECOND);
    cr_assert(sharing_pays(&sharing));
    sharing_note_team(&sharing, 10 * MILLISECOND, 9 * MILLISECOND, 2);
    cr_expect_not(sharing_pays(&sharing));
}

Test(runtime_sharing, more_members_may_wait_longer)
{
    Sharing sharing = {0};
    for (int i = 0; i < 2; i++)
        sharing_note_team(&sharing, 10 * MILLISECOND, 8 * MILLISECOND, 8); /* alone: 16 */
    cr_expect(sharing_pays(&sharing));
}
