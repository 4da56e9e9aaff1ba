/* The order of rows: keyed permutations that need no memory and no history.
 *
 * Training reads an endless stream of rows: a permutation of all rows for epoch 0, then another for
 * epoch 1, … Step s reads stream positions s*batch … s*batch + batch-1, so batches straddle epochs,
 * every row is read exactly once an epoch, and the position follows from the step alone: a resumed
 * training continues bit for bit without having stored anything but its step.
 *
 * The permutation is a Feistel network on a mixed radix (Black and Rogaway, "Ciphers with Arbitrary
 * Finite Domains", 2002): a position is written as left + a * right with left < a and right < b,
 * where a * b is just above the number of rows; rounds add a keyed hash of one half to the other.
 * Each round can be undone, so the whole is a permutation of a * b numbers; those not below the
 * number of rows are permuted again until they are ("cycle walking"), which keeps it a permutation.
 */
#include "runtime/system.h"

#include "runtime/order.h"

#include <stdlib.h>

enum { ROUNDS = 10 };
static const uint64_t SPLIT = UINT64_MAX; /* the permutation that splits; no epoch gets so far */

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
    return value ^ (value >> 31);
}

/* The smallest a with a * a >= value. */
static uint64_t root_above(uint64_t value)
{
    uint64_t low = 1, high = (uint64_t)1 << 32;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (middle > value / middle || middle * middle >= value)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static uint64_t permute_once(uint64_t key, uint64_t a, uint64_t b, uint64_t value)
{
    uint64_t left = value % a, right = value / a;
    for (uint64_t round = 0; round < ROUNDS; round += 2) {
        left = (left + mix(mix(key + round) + right) % a) % a;
        right = (right + mix(mix(key + round + 1) + left) % b) % b;
    }
    return left + a * right;
}

int64_t order_permute(uint64_t seed, uint64_t number, int64_t rows, int64_t position)
{
    uint64_t count = (uint64_t)rows, value = (uint64_t)position;
    uint64_t key = mix(mix(seed + 0x9E3779B97F4A7C15U) ^ (number * 0xD1B54A32D192ED03U + 1));
    uint64_t a = root_above(count), b = (count + a - 1) / a;
    do
        value = permute_once(key, a, b, value);
    while (value >= count);
    return (int64_t)value;
}

int64_t order_stream(uint64_t seed, bool shuffle, int64_t rows, int64_t position)
{
    int64_t epoch = position / rows, place = position % rows;
    return shuffle ? order_permute(seed, (uint64_t)epoch, rows, place) : place;
}

int64_t order_held_out(double part, int64_t rows)
{
    return (int64_t)(part * (double)rows + 0.5);
}

bool order_split(uint64_t seed, int64_t rows, int64_t held, int64_t *training, int64_t *held_out)
{
    unsigned char *out = calloc((size_t)rows + 1, 1);
    if (!out)
        return false;
    for (int64_t i = 0; i < held; i++)
        out[order_permute(seed, SPLIT, rows, i)] = 1;
    int64_t trained = 0, kept = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (out[i])
            held_out[kept++] = i;
        else
            training[trained++] = i;
    }
    free(out);
    return true;
}
