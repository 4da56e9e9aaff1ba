/* Inflate: the decoder of RFC 1951 inside the wrapping of RFC 1952.
 *
 * Huffman codes are decoded by one look into a table of 2^10 entries where the code is that short,
 * else bit by bit in canonical order (as Mark Adler's puff does for all of them). Every read is
 * bounded by the input and every write by the output: damaged or hostile input ends in an answer,
 * not in a crash. The window is the output itself, so the whole file has to fit the output. */
#include "runtime/system.h"

#include "runtime/inflate.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { LONGEST_CODE = 15, TABLE_BITS = 10, MOST_SYMBOLS = 288 };

typedef struct Stream {
    const unsigned char *input;
    size_t input_size, input_at;
    uint64_t bits;  /* read ahead, the next bit lowest */
    unsigned count; /* how many */
    unsigned char *output;
    size_t capacity, at;
    size_t member; /* where the output of this gzip member begins: no distance reaches before it */
} Stream;

typedef struct Codes {
    uint16_t table[1 << TABLE_BITS]; /* symbol * 16 + length; 0: longer than the table or no code */
    uint16_t counts[LONGEST_CODE + 1];
    uint16_t symbols[MOST_SYMBOLS]; /* in canonical order */
} Codes;

static void refill(Stream *stream)
{
    while (stream->count <= 56 && stream->input_at < stream->input_size) {
        stream->bits |= (uint64_t)stream->input[stream->input_at++] << stream->count;
        stream->count += 8;
    }
}

/* The next n bits (at most 32), lowest first. */
static bool take(Stream *stream, unsigned n, uint32_t *value)
{
    if (stream->count < n)
        refill(stream);
    if (stream->count < n)
        return false;
    *value = (uint32_t)(stream->bits & (((uint64_t)1 << n) - 1));
    stream->bits >>= n;
    stream->count -= n;
    return true;
}

static unsigned reverse(unsigned code, unsigned length)
{
    unsigned reversed = 0;
    for (unsigned i = 0; i < length; i++)
        reversed |= ((code >> i) & 1U) << (length - 1 - i);
    return reversed;
}

/* Sets every entry of the table whose index begins with this code. */
static void fill_table(Codes *codes, unsigned code, unsigned length, unsigned symbol)
{
    if (length > TABLE_BITS)
        return;
    for (unsigned i = reverse(code, length); i < 1U << TABLE_BITS; i += 1U << length)
        codes->table[i] = (uint16_t)(symbol * 16 + length);
}

/* Builds the codes of RFC 1951, 3.2.2, from their lengths. False when they are over-subscribed, or
 * incomplete in a way the format does not allow (only a single code of one bit may be alone). */
static bool build_codes(Codes *codes, const uint8_t *lengths, unsigned n)
{
    unsigned next[LONGEST_CODE + 2] = {0}, offsets[LONGEST_CODE + 2] = {0};
    memset(codes, 0, sizeof *codes);
    for (unsigned i = 0; i < n; i++)
        codes->counts[lengths[i]]++;
    codes->counts[0] = 0;
    unsigned used = 0;
    int left = 1;
    for (unsigned length = 1; length <= LONGEST_CODE; length++) {
        left = left * 2 - codes->counts[length];
        if (left < 0)
            return false;
        used += codes->counts[length];
        next[length + 1] = (next[length] + codes->counts[length]) * 2;
        offsets[length + 1] = offsets[length] + codes->counts[length];
    }
    if (left > 0 && !(used == 0 || (used == 1 && codes->counts[1] == 1)))
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!lengths[i])
            continue;
        codes->symbols[offsets[lengths[i]]++] = (uint16_t)i;
        fill_table(codes, next[lengths[i]]++, lengths[i], i);
    }
    return true;
}

static int slow_symbol(Stream *stream, const Codes *codes, unsigned *symbol)
{
    unsigned code = 0, first = 0, index = 0;
    for (unsigned length = 1; length <= LONGEST_CODE; length++) {
        if (length > stream->count)
            return INFLATE_TRUNCATED;
        code |= (unsigned)(stream->bits >> (length - 1)) & 1U;
        unsigned count = codes->counts[length];
        if (code < first + count) {
            *symbol = codes->symbols[index + (code - first)];
            stream->bits >>= length;
            stream->count -= length;
            return INFLATE_DONE;
        }
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    return INFLATE_BAD;
}

static int next_symbol(Stream *stream, const Codes *codes, unsigned *symbol)
{
    if (stream->count < LONGEST_CODE)
        refill(stream);
    unsigned entry = codes->table[stream->bits & ((1U << TABLE_BITS) - 1)], length = entry & 15U;
    if (!length || length > stream->count)
        return slow_symbol(stream, codes, symbol);
    stream->bits >>= length;
    stream->count -= length;
    *symbol = entry >> 4;
    return INFLATE_DONE;
}

/* Copies `length` bytes from `distance` back. The two may overlap: then what was just written
 * repeats. */
static int copy_back(Stream *stream, size_t distance, size_t length)
{
    if (distance > stream->at - stream->member)
        return INFLATE_BAD;
    size_t room = stream->capacity - stream->at, part = length < room ? length : room;
    unsigned char *to = stream->output + stream->at;
    for (size_t i = 0; i < part; i++)
        to[i] = to[(ptrdiff_t)i - (ptrdiff_t)distance];
    stream->at += part;
    return part == length ? INFLATE_DONE : INFLATE_FULL;
}

static int match(Stream *stream, unsigned symbol, const Codes *distances)
{
    static const uint16_t length_base[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                           15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                           67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[] = {
        1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
        193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    uint32_t length_extra, distance_extra;
    unsigned which;
    symbol -= 257;
    if (symbol >= sizeof length_bits)
        return INFLATE_BAD;
    if (!take(stream, length_bits[symbol], &length_extra))
        return INFLATE_TRUNCATED;
    int answer = next_symbol(stream, distances, &which);
    if (answer != INFLATE_DONE)
        return answer;
    if (which >= 30)
        return INFLATE_BAD;
    if (!take(stream, which < 4 ? 0 : which / 2 - 1, &distance_extra))
        return INFLATE_TRUNCATED;
    return copy_back(stream, distance_base[which] + distance_extra,
                     length_base[symbol] + length_extra);
}

static int coded_block(Stream *stream, const Codes *literals, const Codes *distances)
{
    for (;;) {
        unsigned symbol;
        int answer = next_symbol(stream, literals, &symbol);
        if (answer == INFLATE_DONE && symbol == 256)
            return INFLATE_DONE;
        if (answer == INFLATE_DONE && symbol > 256)
            answer = match(stream, symbol, distances);
        else if (answer == INFLATE_DONE && stream->at == stream->capacity)
            answer = INFLATE_FULL;
        else if (answer == INFLATE_DONE)
            stream->output[stream->at++] = (unsigned char)symbol;
        if (answer != INFLATE_DONE)
            return answer;
    }
}

/* Drops the bits up to the next byte and gives read-ahead bytes back to the input. */
static void align_to_byte(Stream *stream)
{
    stream->input_at -= stream->count / 8;
    stream->bits = 0;
    stream->count = 0;
}

static int stored_block(Stream *stream)
{
    align_to_byte(stream);
    if (stream->input_size - stream->input_at < 4)
        return INFLATE_TRUNCATED;
    const unsigned char *from = stream->input + stream->input_at;
    size_t length = from[0] | (size_t)from[1] << 8;
    if ((length ^ (from[2] | (size_t)from[3] << 8)) != 0xFFFF)
        return INFLATE_BAD;
    stream->input_at += 4;
    size_t left = stream->input_size - stream->input_at, room = stream->capacity - stream->at;
    size_t part = length < left ? length : left;
    bool full = part > room;
    part = full ? room : part;
    if (part)
        memcpy(stream->output + stream->at, from + 4, part);
    stream->at += part;
    stream->input_at += part;
    return part == length ? INFLATE_DONE : full ? INFLATE_FULL : INFLATE_TRUNCATED;
}

static int fixed_block(Stream *stream)
{
    Codes literals, distances;
    uint8_t lengths[MOST_SYMBOLS];
    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    build_codes(&literals, lengths, 288);
    memset(lengths, 5, 32);
    build_codes(&distances, lengths, 32);
    return coded_block(stream, &literals, &distances);
}

/* The code lengths of a dynamic block, themselves coded: symbols 16 to 18 repeat. */
static int read_lengths(Stream *stream, const Codes *codes, uint8_t *lengths, unsigned n)
{
    for (unsigned i = 0; i < n;) {
        unsigned symbol;
        uint32_t extra = 0;
        int answer = next_symbol(stream, codes, &symbol);
        if (answer != INFLATE_DONE)
            return answer;
        if (symbol < 16) {
            lengths[i++] = (uint8_t)symbol;
            continue;
        }
        if (symbol == 16 && i == 0)
            return INFLATE_BAD;
        uint8_t value = symbol == 16 ? lengths[i - 1] : 0;
        if (!take(stream, symbol == 16 ? 2 : symbol == 17 ? 3 : 7, &extra))
            return INFLATE_TRUNCATED;
        unsigned repeat = (symbol == 18 ? 11U : 3U) + extra;
        if (repeat > n - i)
            return INFLATE_BAD;
        memset(lengths + i, value, repeat);
        i += repeat;
    }
    return INFLATE_DONE;
}

static int dynamic_block(Stream *stream)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    Codes literals, distances;
    uint8_t lengths[MOST_SYMBOLS + 32] = {0};
    uint32_t literal_count, distance_count, code_count, value;
    if (!take(stream, 5, &literal_count) || !take(stream, 5, &distance_count) ||
        !take(stream, 4, &code_count))
        return INFLATE_TRUNCATED;
    literal_count += 257;
    distance_count += 1;
    if (literal_count > 286 || distance_count > 30)
        return INFLATE_BAD;
    for (uint32_t i = 0; i < code_count + 4; i++) {
        if (!take(stream, 3, &value))
            return INFLATE_TRUNCATED;
        lengths[order[i]] = (uint8_t)value;
    }
    if (!build_codes(&literals, lengths, 19))
        return INFLATE_BAD;
    memset(lengths, 0, sizeof lengths);
    int answer = read_lengths(stream, &literals, lengths, literal_count + distance_count);
    if (answer != INFLATE_DONE)
        return answer;
    if (!lengths[256] || !build_codes(&distances, lengths + literal_count, distance_count) ||
        !build_codes(&literals, lengths, literal_count))
        return INFLATE_BAD;
    return coded_block(stream, &literals, &distances);
}

static int inflate_blocks(Stream *stream)
{
    for (;;) {
        uint32_t last, kind;
        if (!take(stream, 1, &last) || !take(stream, 2, &kind))
            return INFLATE_TRUNCATED;
        int answer = kind == 0   ? stored_block(stream)
                     : kind == 1 ? fixed_block(stream)
                     : kind == 2 ? dynamic_block(stream)
                                 : INFLATE_BAD;
        if (answer != INFLATE_DONE || last)
            return answer;
    }
}

/* The checksum of gzip (RFC 1952, section 8), four bytes a step. */
static uint32_t checksum(const unsigned char *bytes, size_t size)
{
    uint32_t table[4][256], sum = 0xFFFFFFFFU;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
        table[0][i] = value;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 4; t++)
            table[t][i] = table[0][table[t - 1][i] & 255] ^ (table[t - 1][i] >> 8);
    for (; size >= 4; size -= 4, bytes += 4)
        sum = table[3][(sum ^ bytes[0]) & 255] ^ table[2][((sum >> 8) ^ bytes[1]) & 255] ^
              table[1][((sum >> 16) ^ bytes[2]) & 255] ^ table[0][(sum >> 24) ^ bytes[3]];
    for (; size; size--, bytes++)
        sum = table[0][(sum ^ *bytes) & 255] ^ (sum >> 8);
    return ~sum;
}

static bool skip_text(Stream *stream)
{
    size_t left = stream->input_size - stream->input_at;
    const unsigned char *start = stream->input + stream->input_at;
    const unsigned char *end = left ? memchr(start, 0, left) : NULL;
    if (!end)
        return false;
    stream->input_at += (size_t)(end - start) + 1;
    return true;
}

static int skip_member_header(Stream *stream)
{
    enum { CHECKSUM = 2, EXTRA = 4, NAME = 8, COMMENT = 16 };
    size_t left = stream->input_size - stream->input_at;
    const unsigned char *header = stream->input + stream->input_at;
    if (left < 10)
        return INFLATE_TRUNCATED;
    if (header[0] != 0x1F || header[1] != 0x8B || header[2] != 8 || (header[3] & 0xE0))
        return INFLATE_BAD;
    unsigned flags = header[3];
    size_t skip = 10;
    if (flags & EXTRA) {
        if (left < 12)
            return INFLATE_TRUNCATED;
        skip = 12 + (header[10] | (size_t)header[11] << 8);
    }
    if (skip > left)
        return INFLATE_TRUNCATED;
    stream->input_at += skip;
    if (((flags & NAME) && !skip_text(stream)) || ((flags & COMMENT) && !skip_text(stream)))
        return INFLATE_TRUNCATED;
    if (flags & CHECKSUM) {
        if (stream->input_size - stream->input_at < 2)
            return INFLATE_TRUNCATED;
        stream->input_at += 2;
    }
    return INFLATE_DONE;
}

static int check_member_trailer(Stream *stream)
{
    uint32_t sum, size;
    align_to_byte(stream);
    if (!take(stream, 32, &sum) || !take(stream, 32, &size))
        return INFLATE_TRUNCATED;
    align_to_byte(stream);
    size_t produced = stream->at - stream->member;
    const unsigned char *bytes =
        produced ? stream->output + stream->member : (const unsigned char *)"";
    return sum == checksum(bytes, produced) && size == (uint32_t)produced ? INFLATE_DONE
                                                                          : INFLATE_BAD;
}

static bool only_padding_left(const Stream *stream)
{
    for (size_t i = stream->input_at; i < stream->input_size; i++)
        if (stream->input[i])
            return false;
    return true;
}

int inflate_gzip(const unsigned char *input, size_t input_size, unsigned char *output,
                 size_t capacity, size_t *produced)
{
    Stream stream = {
        .input = input, .input_size = input_size, .output = output, .capacity = capacity};
    int answer;
    do {
        stream.member = stream.at;
        answer = skip_member_header(&stream);
        answer = answer == INFLATE_DONE ? inflate_blocks(&stream) : answer;
        answer = answer == INFLATE_DONE ? check_member_trailer(&stream) : answer;
    } while (answer == INFLATE_DONE && !only_padding_left(&stream));
    *produced = stream.at;
    return answer;
}
