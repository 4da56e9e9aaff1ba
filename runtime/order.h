/* The order in which rows of data are read. See order.c for why it is a function and not a list. */
#ifndef INGOT_RUNTIME_ORDER_H
#define INGOT_RUNTIME_ORDER_H

#include <stdbool.h>
#include <stdint.h>

/* The row at `position` (0 … rows-1) of the permutation number `number` of 0 … rows-1. */
int64_t order_permute(uint64_t seed, uint64_t number, int64_t rows, int64_t position);

/* The row at a position of the endless training stream: epoch 0's rows, then epoch 1's, and so on.
 * Without shuffling every epoch is 0 … rows-1. */
int64_t order_stream(uint64_t seed, bool shuffle, int64_t rows, int64_t position);

/* How many of `rows` a part (0 … <1) holds out: the nearest whole number. */
int64_t order_held_out(double part, int64_t rows);

/* Splits 0 … rows-1 into rows for training and `held` rows held out, both in rising order.
 * `training` takes rows - held numbers, `held_out` takes held. The same seed always splits alike.
 */
bool order_split(uint64_t seed, int64_t rows, int64_t held, int64_t *training, int64_t *held_out);

#endif
