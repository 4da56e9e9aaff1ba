/* Unpacking gzip: every kind of block, every kind of damage. */
#include "runtime_helpers.h"

#include "runtime/inflate.h"

enum { SIZE = 200000 };

/* Bytes that compress in different ways: runs, text, noise. */
static unsigned char *make_bytes(size_t size, int kind)
{
    unsigned char *bytes = malloc(size + 1);
    uint32_t random = 12345;
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525U + 1013904223U;
        bytes[i] = (unsigned char)(random >> 24);
        if (kind == 0)
            bytes[i] = 0;
        else if (kind == 1)
            bytes[i] = (unsigned char)"the quick brown fox "[(i * i / 97) % 20];
        else if (kind == 3 && random >> 30)
            bytes[i] = (unsigned char)(i / 100);
    }
    return bytes;
}

/* Packs with the gzip tool; level 1 … 9. */
static unsigned char *pack(const unsigned char *bytes, size_t size, int level, size_t *packed)
{
    char command[64];
    write_bytes("plain", bytes, size);
    snprintf(command, sizeof command, "gzip -%d -c plain > packed.gz", level);
    cr_assert_eq(system(command), 0);
    return (unsigned char *)read_bytes("packed.gz", packed);
}

Test(runtime_inflate, unpacks_what_gzip_packs)
{
    enter_folder();
    for (int kind = 0; kind < 4; kind++)
        for (int level = 1; level <= 9; level += 4)
            for (size_t size = 0; size <= SIZE; size = size * 7 + 1) {
                size_t packed, got;
                unsigned char *bytes = make_bytes(size, kind),
                              *gz = pack(bytes, size, level, &packed);
                unsigned char *out = malloc(size + 1);
                cr_assert_eq(inflate_gzip(gz, packed, out, size, &got), INFLATE_DONE, "%d %d %zu",
                             kind, level, size);
                cr_assert(got == size && memcmp(out, bytes, size) == 0);
                free(bytes);
                free(gz);
                free(out);
            }
}

/* A stored block, a block of fixed codes, two members after each other, a name and a comment. */
Test(runtime_inflate, reads_the_rare_forms)
{
    static const unsigned char stored[] = {0x1F, 0x8B, 8,    0,    0,    0,   0,   0,   0,   255,
                                           1,    5,    0,    0xFA, 0xFF, 'h', 'e', 'l', 'l', 'o',
                                           0x86, 0xA6, 0x10, 0x36, 5,    0,   0,   0};
    static const unsigned char fixed[] = {
        0x1F, 0x8B, 8,    0x18, 0,    0,    0,    0,    0,    255, 'n', 0, 'c', 0, 0xCB, 0x48,
        0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x86, 0xA6, 0x10, 0x36, 5,   0,   0, 0,   0, 0};
    unsigned char out[16], both[sizeof stored + sizeof fixed];
    size_t got;
    cr_assert_eq(inflate_gzip(stored, sizeof stored, out, sizeof out, &got), INFLATE_DONE);
    cr_assert(got == 5 && memcmp(out, "hello", 5) == 0);
    cr_assert_eq(inflate_gzip(fixed, sizeof fixed, out, sizeof out, &got),
                 INFLATE_DONE); /* padded with zeros */
    cr_assert(got == 5 && memcmp(out, "hello", 5) == 0);
    memcpy(both, stored, sizeof stored);
    memcpy(both + sizeof stored, fixed, sizeof fixed);
    cr_assert_eq(inflate_gzip(both, sizeof both, out, sizeof out, &got), INFLATE_DONE);
    cr_assert(got == 10 && memcmp(out, "hellohello", 10) == 0);
}

Test(runtime_inflate, truncated_anywhere_is_noticed)
{
    enter_folder();
    size_t packed, got;
    unsigned char *bytes = make_bytes(5000, 3), *gz = pack(bytes, 5000, 6, &packed),
                  *out = malloc(5000);
    for (size_t length = 0; length < packed; length++) {
        unsigned char *part =
            malloc(length + 1); /* of its own, so that a sanitizer sees a read beyond it */
        memcpy(part, gz, length);
        cr_assert_eq(inflate_gzip(part, length, out, 5000, &got), INFLATE_TRUNCATED, "at %zu",
                     length);
        free(part);
    }
    free(bytes);
    free(gz);
    free(out);
}

Test(runtime_inflate, flipped_bits_never_pass)
{
    enter_folder();
    size_t packed, got;
    unsigned char *bytes = make_bytes(3000, 1), *gz = pack(bytes, 3000, 9, &packed),
                  *out = malloc(3000);
    for (size_t bit = 0; bit < packed * 8; bit++) {
        gz[bit / 8] ^= (unsigned char)(1U << bit % 8);
        int answer = inflate_gzip(gz, packed, out, 3000, &got);
        /* time, flags of the packer and system are not checked by anything */
        cr_assert(answer != INFLATE_DONE || memcmp(out, bytes, 3000) == 0, "bit %zu", bit);
        gz[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    free(bytes);
    free(gz);
    free(out);
}

Test(runtime_inflate, never_writes_beyond_its_room)
{
    enter_folder();
    for (int kind = 0; kind < 4; kind++) {
        size_t packed, got;
        unsigned char *bytes = make_bytes(2000, kind), *gz = pack(bytes, 2000, 6, &packed);
        for (size_t room = 0; room < 2000; room += 37) {
            unsigned char *out = malloc(room + 1);
            cr_assert_eq(inflate_gzip(gz, packed, out, room, &got), INFLATE_FULL);
            cr_assert(got == room && memcmp(out, bytes, room) == 0);
            free(out);
        }
        free(bytes);
        free(gz);
    }
}

Test(runtime_inflate, noise_is_answered)
{
    unsigned char out[1000];
    for (uint32_t seed = 0; seed < 20000; seed++) {
        unsigned char noise[64] = {0x1F, 0x8B, 8};
        uint32_t random = seed * 2654435761U + 1;
        size_t got;
        for (size_t i = 10; i < sizeof noise; i++) {
            random = random * 1664525U + 1013904223U;
            noise[i] = (unsigned char)(random >> 24);
        }
        cr_assert(inflate_gzip(noise, sizeof noise, out, sizeof out, &got) != INFLATE_DONE);
    }
}
