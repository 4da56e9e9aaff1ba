/* Unpacking: never writes more than it may, and the same beginning into a smaller buffer. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/inflate.h"

enum { CAPACITY = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t all, some, half;
    unsigned char *whole = malloc(CAPACITY);
    int answer = inflate_gzip(data, size, whole, CAPACITY, &all);
    fuzz_check(all <= CAPACITY, "wrote too much", NULL);
    half = all / 2;
    unsigned char *part = malloc(half + !half);
    int again = inflate_gzip(data, size, part, half, &some);
    fuzz_check(some <= half && memcmp(whole, part, some) == 0, "another beginning", NULL);
    fuzz_check(answer != INFLATE_DONE || again == (all ? INFLATE_FULL : INFLATE_DONE),
               "whole in a buffer of half the size", NULL);
    free(whole);
    free(part);
    return 0;
}
