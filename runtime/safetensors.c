/* A reader of exactly the JSON that a safetensors header may hold: an object of entries
 *
 *   "NAME":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}     with its three keys in any order
 *   "__metadata__":{"KEY":"TEXT", …}
 *
 * Everything else is refused with the byte where it stands. Nothing nests deeper than that, so
 * there is no recursion to exhaust; every number is bounded while it is read. */
#include "runtime/system.h"

#include "runtime/safetensors.h"

#include <string.h>

static bool refuse(SafetensorsHeader *header, const char *reason)
{
    return ingot_fail(header->failure,
                      "%s: header, byte %llu: %s; the file is damaged or no safetensors file",
                      header->path, (unsigned long long)(header->at - header->start), reason);
}

static void skip_space(SafetensorsHeader *header)
{
    while (header->at < header->end && *header->at && strchr(" \t\r\n", *header->at))
        header->at++;
}

static bool next_is(SafetensorsHeader *header, char wanted)
{
    skip_space(header);
    if (header->at == header->end || *header->at != wanted)
        return false;
    header->at++;
    return true;
}

static bool expect(SafetensorsHeader *header, char wanted)
{
    char reason[] = "expected 'x'";
    reason[10] = wanted;
    return next_is(header, wanted) || refuse(header, reason);
}

/* Four hexadecimal digits; -1 when there are none. */
static int32_t read_hex(SafetensorsHeader *header)
{
    int32_t value = 0;
    if (header->end - header->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = *header->at++;
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            value = value * 16 + ((c | 32) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Writes a code point as UTF-8; how many bytes. Halves of surrogate pairs are kept as they are: no
 * name of ours holds one, so such a name is merely unknown. */
static size_t encode(uint32_t code, char out[3])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | (code >> 12));
    out[1] = (char)(0x80 | ((code >> 6) & 0x3F));
    out[2] = (char)(0x80 | (code & 0x3F));
    return 3;
}

/* The character after a backslash, decoded into `out`; 0 when it is none that JSON knows. */
static size_t read_escape(SafetensorsHeader *header, char out[3])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (header->at == header->end)
        return 0;
    char c = *header->at++;
    if (c == 'u') {
        int32_t code = read_hex(header);
        return code > 0 ? encode((uint32_t)code, out) : 0;
    }
    const char *place = c ? strchr(from, c) : NULL;
    if (!place)
        return 0;
    out[0] = to[place - from];
    return 1;
}

static bool read_string(SafetensorsHeader *header, char *text, size_t size)
{
    size_t used = 0;
    if (!expect(header, '"'))
        return false;
    for (;;) {
        if (header->at == header->end)
            return refuse(header, "a text without its closing '\"'");
        char decoded[3] = {*header->at++};
        size_t length = 1;
        if (decoded[0] == '"')
            break;
        if ((unsigned char)decoded[0] < 0x20)
            return refuse(header, "a control character inside a text");
        if (decoded[0] == '\\')
            length = read_escape(header, decoded);
        if (length == 0)
            return refuse(header, "an unknown escape inside a text");
        if (used + length >= size)
            return refuse(header, "a text that is too long");
        memcpy(text + used, decoded, length);
        used += length;
    }
    text[used] = '\0';
    return true;
}

static bool read_number(SafetensorsHeader *header, uint64_t *number)
{
    uint64_t value = 0;
    skip_space(header);
    const char *start = header->at;
    while (header->at < header->end && *header->at >= '0' && *header->at <= '9') {
        value = value * 10 + (uint64_t)(*header->at - '0');
        if (value > (uint64_t)INT64_MAX / 16)
            return refuse(header, "a number that is too large");
        header->at++;
    }
    *number = value;
    return header->at > start || refuse(header, "expected a whole number");
}

static bool read_numbers(SafetensorsHeader *header, int64_t *numbers, int32_t most, int32_t *count)
{
    *count = 0;
    if (!expect(header, '['))
        return false;
    if (next_is(header, ']'))
        return true;
    do {
        uint64_t number = 0;
        if (*count == most)
            return refuse(header, "a list that is too long");
        if (!read_number(header, &number))
            return false;
        numbers[(*count)++] = (int64_t)number;
    } while (next_is(header, ','));
    return expect(header, ']');
}

enum { HAS_TYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

/* One of the three facts of a tensor; what it was in *has. */
static bool read_fact(SafetensorsHeader *header, SafetensorsEntry *entry, int *has)
{
    char key[16];
    int which;
    if (!read_string(header, key, sizeof key) || !expect(header, ':'))
        return false;
    bool good;
    if (strcmp(key, "dtype") == 0) {
        which = HAS_TYPE;
        good = read_string(header, entry->type_name, sizeof entry->type_name);
    } else if (strcmp(key, "shape") == 0) {
        which = HAS_SHAPE;
        good = read_numbers(header, entry->dims, SAFETENSORS_RANK, &entry->rank);
    } else if (strcmp(key, "data_offsets") == 0) {
        int64_t offsets[2];
        int32_t count;
        which = HAS_OFFSETS;
        good = read_numbers(header, offsets, 2, &count);
        if (good && (count != 2 || offsets[0] > offsets[1]))
            return refuse(header, "data_offsets that are no range");
        entry->begin = good ? (uint64_t)offsets[0] : 0;
        entry->end = good ? (uint64_t)offsets[1] : 0;
    } else {
        return refuse(header, "an unknown key of a tensor");
    }
    if (good && (*has & which))
        return refuse(header, "a key that is there twice");
    *has |= which;
    return good;
}

static bool read_tensor(SafetensorsHeader *header, SafetensorsEntry *entry)
{
    int has = 0;
    if (!expect(header, '{'))
        return false;
    do
        if (!read_fact(header, entry, &has))
            return false;
    while (next_is(header, ','));
    if (!expect(header, '}'))
        return false;
    return has == HAS_ALL || refuse(header, "a tensor without dtype, shape or data_offsets");
}

static int read_note(SafetensorsHeader *header, SafetensorsEntry *entry)
{
    entry->metadata = true;
    if (read_string(header, entry->name, sizeof entry->name) && expect(header, ':') &&
        read_string(header, entry->value, sizeof entry->value)) {
        if (!next_is(header, ',')) {
            header->inside_metadata = false;
            if (!expect(header, '}'))
                return SAFETENSORS_BAD;
        }
        return SAFETENSORS_ENTRY;
    }
    return SAFETENSORS_BAD;
}

int ingot_safetensors_next(SafetensorsHeader *header, SafetensorsEntry *entry)
{
    entry->metadata = false;
    if (header->inside_metadata)
        return read_note(header, entry);
    if (!header->begun && !expect(header, '{'))
        return SAFETENSORS_BAD;
    if (next_is(header, '}')) {
        skip_space(header);
        if (header->at != header->end)
            return refuse(header, "something after the closing '}'"), SAFETENSORS_BAD;
        return SAFETENSORS_DONE;
    }
    if (header->begun && !expect(header, ','))
        return SAFETENSORS_BAD;
    header->begun = true;
    if (!read_string(header, entry->name, sizeof entry->name) || !expect(header, ':'))
        return SAFETENSORS_BAD;
    if (strcmp(entry->name, "__metadata__") != 0)
        return read_tensor(header, entry) ? SAFETENSORS_ENTRY : SAFETENSORS_BAD;
    if (header->metadata_seen)
        return refuse(header, "a key that is there twice"), SAFETENSORS_BAD;
    header->metadata_seen = true;
    if (!expect(header, '{'))
        return SAFETENSORS_BAD;
    header->inside_metadata = !next_is(header, '}');
    return ingot_safetensors_next(header, entry);
}
