/* The order of rows: permutations, fair ones, that follow from the position alone. */
#include "runtime_helpers.h"

#include "runtime/order.h"

static void check_permutation(uint64_t seed, uint64_t number, int64_t rows)
{
    char *seen = calloc((size_t)rows, 1);
    for (int64_t i = 0; i < rows; i++) {
        int64_t row = order_permute(seed, number, rows, i);
        cr_assert(row >= 0 && row < rows && !seen[row], "rows %lld, position %lld", (long long)rows,
                  (long long)i);
        seen[row] = 1;
    }
    free(seen);
}

Test(runtime_order, every_size_is_permuted)
{
    for (int64_t rows = 1; rows < 300; rows++)
        check_permutation(7, (uint64_t)rows, rows);
    check_permutation(1, 0, 60000);
    check_permutation(UINT64_MAX, UINT64_MAX, 65537);
}

Test(runtime_order, large_sizes_stay_in_range)
{
    int64_t rows = ((int64_t)1 << 40) + 12345;
    for (int64_t i = 0; i < 1000; i++) {
        int64_t row = order_permute(3, 4, rows, i * 1000003);
        cr_assert(row >= 0 && row < rows);
    }
}

/* Chi-square over where row 0 lands: 9 degrees of freedom, 27.9 is passed by chance once in a
 * thousand. */
Test(runtime_order, epochs_are_fair)
{
    for (int64_t rows = 10; rows <= 1000; rows *= 10) {
        int counts[10] = {0};
        double sum = 0;
        for (uint64_t epoch = 0; epoch < 10000; epoch++)
            counts[order_permute(42, epoch, rows, rows / 2) * 10 / rows]++;
        for (int i = 0; i < 10; i++)
            sum += (counts[i] - 1000.0) * (counts[i] - 1000.0) / 1000.0;
        cr_assert(sum < 27.9, "rows %lld: %g", (long long)rows, sum);
    }
}

Test(runtime_order, neighbours_do_not_stay_together)
{
    int together = 0;
    for (int64_t i = 0; i + 1 < 1797; i++)
        together += llabs(order_permute(1, 0, 1797, i) - order_permute(1, 0, 1797, i + 1)) == 1;
    cr_assert(together < 12, "%d", together); /* 2 are expected */
}

Test(runtime_order, stream_reads_each_row_once_an_epoch)
{
    for (int64_t rows = 1; rows < 40; rows += 3)
        for (int64_t epoch = 0; epoch < 4; epoch++) {
            int64_t seen = 0;
            for (int64_t i = 0; i < rows; i++)
                seen |= (int64_t)1 << order_stream(9, true, rows, epoch * rows + i);
            cr_assert_eq(seen, ((int64_t)1 << rows) - 1);
        }
}

Test(runtime_order, without_shuffling_it_is_the_order_of_the_file)
{
    for (int64_t i = 0; i < 30; i++)
        cr_assert_eq(order_stream(9, false, 10, i), i % 10);
}

Test(runtime_order, seeds_and_epochs_differ)
{
    int same_seed = 0, same_epoch = 0;
    for (int64_t i = 0; i < 1000; i++) {
        same_seed += order_permute(1, 0, 1000, i) == order_permute(2, 0, 1000, i);
        same_epoch += order_permute(1, 0, 1000, i) == order_permute(1, 1, 1000, i);
    }
    cr_assert(same_seed < 10 && same_epoch < 10, "%d %d", same_seed, same_epoch);
}

/* Written down so that a change, which would break every resumed training, is noticed. */
Test(runtime_order, never_changes)
{
    static const int64_t want[] = {1700, 912, 1029, 1004, 381, 1285, 1249, 415};
    for (int64_t i = 0; i < 8; i++)
        cr_assert_eq(order_permute(1, 0, 1797, i), want[i], "%lld: %lld", (long long)i,
                     (long long)order_permute(1, 0, 1797, i));
}

Test(runtime_order, split_covers_all_rows_in_rising_order)
{
    int64_t training[1438], held[359];
    cr_assert_eq(order_held_out(0.2, 1797), 359);
    cr_assert(order_split(1, 1797, 359, training, held));
    int64_t a = 0, b = 0;
    for (int64_t row = 0; row < 1797; row++) {
        if (a < 1438 && training[a] == row)
            a++;
        else
            cr_assert_eq(held[b++], row);
    }
    cr_assert(a == 1438 && b == 359);
}
