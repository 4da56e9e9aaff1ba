/* Reads the tokens of both text forms; see reader.h. */
#include "ir/reader.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ir/element.h"
#include "ir/shape.h"

/* Places are mostly asked for in order, so counting goes on from the last one. */
const char *reader_place(Reader *r, const char *at)
{
    if (!r->counted || at < r->counted) {
        r->counted = r->text;
        r->line = 1;
        r->column = 1;
    }
    for (; r->counted < at; r->counted++) {
        if (*r->counted == '\n') {
            r->line++;
            r->column = 1;
        } else {
            r->column += (*r->counted & 0xc0) != 0x80; /* not the later bytes of a character */
        }
    }
    return arena_print(r->arena, "%s:%d:%d", r->place, r->line, r->column);
}

bool reader_error(Reader *r, const char *at, const char *format, ...)
{
    if (r->failed)
        return false;
    r->failed = true;
    va_list arguments;
    va_start(arguments, format);
    const char *reason = arena_print_list(r->arena, format, arguments);
    va_end(arguments);
    return diag_error(r->diag, reader_place(r, at), "%s", reason);
}

bool reader_unknown(Reader *r, const char *at, const char *what, const char *word,
                    const char *const *known, int count)
{
    const char *near = nearest_name(word, known, count);
    return reader_error(r, at, "unknown %s \"%s\"%s%s%s", what, word,
                        near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

void reader_skip(Reader *r)
{
    for (;;) {
        if (*r->cursor == '#')
            r->cursor += strcspn(r->cursor, "\n");
        else if (isspace((unsigned char)*r->cursor))
            r->cursor++;
        else
            return;
    }
}

const char *reader_next(Reader *r)
{
    reader_skip(r);
    return r->cursor;
}

bool reader_at(Reader *r, const char *symbol)
{
    reader_skip(r);
    return !r->failed && strncmp(r->cursor, symbol, strlen(symbol)) == 0;
}

bool reader_accept(Reader *r, const char *symbol)
{
    if (!reader_at(r, symbol))
        return false;
    r->cursor += strlen(symbol);
    return true;
}

/* What stands at the cursor, for messages. */
static const char *found(Reader *r)
{
    size_t length = 0;
    if (!*r->cursor)
        return "the end of the text";
    while (isalnum((unsigned char)r->cursor[length]) || (length && r->cursor[length] == '_'))
        length++;
    if (length == 0) {
        length = 1;
        while ((r->cursor[length] & 0xc0) == 0x80) /* no half characters */
            length++;
    }
    return arena_print(r->arena, "\"%.*s\"", (int)length, r->cursor);
}

bool reader_expected(Reader *r, const char *what)
{
    reader_skip(r);
    return reader_error(r, r->cursor, "expected %s instead of %s", what, found(r));
}

bool reader_expect(Reader *r, const char *symbol)
{
    return reader_accept(r, symbol) || reader_expected(r, arena_print(r->arena, "\"%s\"", symbol));
}

bool reader_at_end(Reader *r)
{
    reader_skip(r);
    return *r->cursor == '\0';
}

static bool starts_word(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static size_t word_length(const char *at)
{
    size_t length = 0;
    while (isalnum((unsigned char)at[length]) || at[length] == '_' || at[length] == '.')
        length++;
    return length;
}

const char *reader_word(Reader *r, const char *what)
{
    reader_skip(r);
    if (r->failed || !starts_word(*r->cursor)) {
        reader_expected(r, what);
        return NULL;
    }
    size_t length = word_length(r->cursor);
    const char *word = arena_copy_bytes(r->arena, r->cursor, length);
    r->cursor += length;
    return word;
}

bool reader_at_word(Reader *r, const char *word)
{
    reader_skip(r);
    if (r->failed || !word)
        return !r->failed && starts_word(*r->cursor);
    size_t length = strlen(word);
    return word_length(r->cursor) == length && strncmp(r->cursor, word, length) == 0;
}

bool reader_accept_word(Reader *r, const char *word)
{
    if (!reader_at_word(r, word))
        return false;
    r->cursor += strlen(word);
    return true;
}

bool reader_expect_word(Reader *r, const char *word)
{
    return reader_accept_word(r, word) || reader_expected(r, arena_print(r->arena, "\"%s\"", word));
}

/* \" \\ and \x1f; the value of one, past which the cursor goes, or -1. A NUL would cut the name
 * short. */
static int escape(Reader *r)
{
    const char *c = r->cursor;
    if (c[0] == '"' || c[0] == '\\') {
        r->cursor++;
        return c[0];
    }
    if (c[0] == 'x' && isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2])) {
        char digits[3] = {c[1], c[2], '\0'};
        int value = (int)strtol(digits, NULL, 16);
        r->cursor += 3;
        return value ? value : -1;
    }
    return -1;
}

const char *reader_string(Reader *r)
{
    const char *start = r->cursor;
    if (!reader_expect(r, "\""))
        return NULL;
    char *string = arena_alloc(r->arena, strcspn(r->cursor, "\n") + 1);
    size_t length = 0;
    while (*r->cursor != '"') {
        int next = (unsigned char)*r->cursor;
        if (next == '\0' || next == '\n') {
            reader_error(r, start, "this string does not end on its line");
            return NULL;
        }
        const char *at = r->cursor++;
        if (next == '\\' && (next = escape(r)) < 0) {
            reader_error(r, at, "after \\ there must be \", \\ or x and two hexadecimal digits");
            return NULL;
        }
        string[length++] = (char)next;
    }
    r->cursor++;
    return string;
}

const char *reader_name(Reader *r, char sigil, const char *what)
{
    reader_skip(r);
    if (r->failed || (sigil && *r->cursor != sigil)) {
        reader_expected(r, what);
        return NULL;
    }
    r->cursor += sigil != 0;
    if (*r->cursor == '"') {
        const char *string = reader_string(r);
        return string ? arena_print(r->arena, "$%s", string) : NULL;
    }
    size_t length = strspn(r->cursor, "0123456789");
    char kind = '#';
    if (length == 0 && starts_word(*r->cursor)) {
        length = word_length(r->cursor);
        kind = '$';
    }
    if (length == 0 || length > INT16_MAX) {
        reader_expected(r, what);
        return NULL;
    }
    const char *name = arena_print(r->arena, "%c%.*s", kind, (int)length, r->cursor);
    r->cursor += length;
    return name;
}

/* What strtoll() and strtoull() made of the text up to `end`; errno was 0 before. */
static bool end_integer(Reader *r, char *end)
{
    if (r->failed || end == r->cursor)
        return reader_expected(r, "an integer");
    if (errno == ERANGE)
        return reader_error(r, r->cursor, "this number is too large");
    if ((*end == '.' && end[1] != '.') || starts_word(*end)) /* but 0..64 is two of them */
        return reader_error(r, r->cursor, "this is no integer");
    r->cursor = end;
    return true;
}

bool reader_integer(Reader *r, int64_t *value)
{
    char *end;
    reader_skip(r);
    errno = 0;
    *value = strtoll(r->cursor, &end, 10);
    return end_integer(r, end);
}

static bool reader_unsigned(Reader *r, uint64_t *value)
{
    char *end;
    reader_skip(r);
    if (*r->cursor == '-') /* strtoull() would take it */
        return reader_expected(r, "a number that is not negative");
    errno = 0;
    *value = strtoull(r->cursor, &end, 10);
    return end_integer(r, end);
}

bool reader_integer_within(Reader *r, int64_t limit, int64_t *value)
{
    const char *at = reader_next(r);
    if (!reader_integer(r, value))
        return false;
    return (*value <= limit && *value >= -limit) || reader_error(r, at, "this number is too large");
}

static bool end_number(Reader *r, char *end)
{
    if (r->failed || end == r->cursor)
        return reader_expected(r, "a number");
    if (*end == '.' || isalnum((unsigned char)*end))
        return reader_error(r, r->cursor, "this is no number");
    r->cursor = end;
    return true;
}

bool reader_number(Reader *r, double *value)
{
    char *end;
    reader_skip(r);
    *value = strtod(r->cursor, &end);
    return end_number(r, end);
}

static bool reader_float(Reader *r, float *value)
{
    char *end;
    reader_skip(r);
    *value = strtof(r->cursor, &end); /* not by way of double: that would round twice */
    return end_number(r, end);
}

bool reader_list(Reader *r, IntList *list)
{
    int64_t *values = NULL;
    int count = 0, capacity = 0;
    if (!reader_expect(r, "["))
        return false;
    while (!reader_at(r, "]")) {
        int64_t value;
        if ((count > 0 && !reader_expect(r, ",")) || !reader_integer(r, &value))
            return false;
        values = arena_grow(r->arena, values, count, &capacity, sizeof *values);
        values[count++] = value;
    }
    *list = (IntList){.count = count, .values = values};
    return reader_expect(r, "]");
}

bool reader_element(Reader *r, ElementType *element)
{
    const char *names[TYPE_COUNT];
    for (int i = 0; i < TYPE_COUNT; i++)
        names[i] = element_name((ElementType)i);
    const char *at = reader_next(r), *word = reader_word(r, "an element type");
    if (!word)
        return false;
    if (element_find(word, element))
        return true;
    return reader_unknown(r, at, "element type", word, names, TYPE_COUNT);
}

bool reader_type(Reader *r, TensorType *type)
{
    IntList dims;
    ElementType element;
    const char *at = reader_next(r);
    if (!reader_element(r, &element) || !reader_list(r, &dims))
        return false;
    if (dims.count > RANK_LIMIT)
        return reader_error(r, at, "%d axes are more than the %d a tensor can have", dims.count,
                            RANK_LIMIT);
    *type = type_make(element, dims.count, dims.values);
    if (!type_fits(type))
        return reader_error(r, at,
                            "this type has a negative axis or more than %" PRId64 " elements",
                            ELEMENT_LIMIT);
    return true;
}

static bool read_storage(Reader *r, ElementType element, void *data)
{
    double value;
    if (!reader_number(r, &value))
        return false;
    element_set_number(element, data, 0, value);
    return true;
}

static bool read_element(Reader *r, ElementType element, void *data)
{
    int64_t value;
    if (element == TYPE_F32)
        return reader_float(r, data);
    if (element == TYPE_F64)
        return reader_number(r, data);
    if (element_is_storage(element)) /* far fewer digits than a double: it rounds as if once */
        return read_storage(r, element, data);
    const char *at = reader_next(r);
    if (element == TYPE_U64)
        return reader_unsigned(r, data);
    if (!reader_integer(r, &value))
        return false;
    if (element_wrap(element, value) != value)
        return reader_error(r, at, "%" PRId64 " is no %s", value, element_name(element));
    element_set_integer(element, data, 0, value);
    return true;
}

static const void *read_numbers(Reader *r, const TensorType *type)
{
    size_t size = (size_t)element_bytes(type->element), capacity = 0;
    int64_t count = 0;
    char *data =
        arena_alloc(r->arena, size); /* grows with the text, never by what the type claims */
    const char *start = r->cursor;
    reader_expect(r, "[");
    while (!r->failed && !reader_at(r, "]")) {
        if (count > 0 && !reader_expect(r, ","))
            return NULL;
        if ((size_t)count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            char *larger = arena_alloc_array(r->arena, capacity, size);
            memcpy(larger, data, (size_t)count * size);
            data = larger;
        }
        if (!read_element(r, type->element, data + (size_t)count * size))
            return NULL;
        count++;
    }
    if (!reader_expect(r, "]"))
        return NULL;
    if (count != type_elements(type)) {
        reader_error(r, start, "%" PRId64 " values where %" PRId64 " are needed", count,
                     type_elements(type));
        return NULL;
    }
    return data;
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

const void *reader_data(Reader *r, const TensorType *type)
{
    const char *start = reader_next(r);
    if (!reader_accept(r, "0x"))
        return read_numbers(r, type);
    size_t digits = strspn(r->cursor, "0123456789abcdefABCDEF"), size = (size_t)type_bytes(type);
    if (digits != 2 * size || isalnum((unsigned char)r->cursor[digits])) {
        reader_error(r, start, "%zu hexadecimal digits where %zu are needed", digits, 2 * size);
        return NULL;
    }
    uint8_t *data = arena_alloc(r->arena, size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(hex_digit(r->cursor[2 * i]) << 4 | hex_digit(r->cursor[2 * i + 1]));
    r->cursor += digits;
    return data;
}
