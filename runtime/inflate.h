/* Unpacking gzip'd data (RFC 1951 and 1952), so that compressed data sets need nothing installed.
 */
#ifndef INGOT_RUNTIME_INFLATE_H
#define INGOT_RUNTIME_INFLATE_H

#include <stddef.h>

enum {
    INFLATE_DONE = 0,      /* all of it, checksums right */
    INFLATE_FULL = 1,      /* `capacity` bytes were written and more would follow */
    INFLATE_TRUNCATED = 2, /* the input ends too early */
    INFLATE_BAD = 3        /* the input is damaged or no gzip file */
};

/* Unpacks all members of a gzip file. Never writes more than `capacity` bytes; *produced of them
 * are valid whatever is answered. Allocates nothing. */
int inflate_gzip(const unsigned char *input, size_t input_size, unsigned char *output,
                 size_t capacity, size_t *produced);

#endif
