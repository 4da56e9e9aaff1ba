/* The syntax of JSON, checked before cJSON builds the tree.
 *
 * cJSON says where it stopped but not why, and lets a few things pass that RFC 8259 forbids
 * (numbers such as 01 or 1., control characters in strings). People write these files by hand, so
 * this check names what was expected, with line and column, and blanks comments out so that
 * positions stay the same. It is a recursive descent over the grammar, one function a rule; depth
 * is bounded by JSON_DEPTH_LIMIT. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/json.h"

typedef struct Scanner {
    JsonFile *file;
    char *text;
    size_t size, at;
    int depth;
} Scanner;

static bool fail_at(Scanner *s, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Columns count characters, not bytes. */
static bool fail_at(Scanner *s, size_t at, const char *format, ...)
{
    long line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        if (s->text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)s->text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_print_list(s->file->arena, format, arguments);
    va_end(arguments);
    const char *place = arena_print(s->file->arena, "%s:%ld:%ld", s->file->name, line, column);
    return diag_error(s->file->diag, place, "%s", message);
}

static int peek(const Scanner *s)
{
    return s->at < s->size ? (unsigned char)s->text[s->at] : -1;
}

static bool starts_with(const Scanner *s, const char *text)
{
    size_t length = strlen(text);
    return s->size - s->at >= length && memcmp(s->text + s->at, text, length) == 0;
}

/* Spaces over a comment, line breaks kept. */
static bool blank_comment(Scanner *s, const char *end)
{
    size_t start = s->at;
    bool line_comment = end[0] == '\n';
    s->text[s->at++] = ' ';
    s->text[s->at++] = ' ';
    while (s->at < s->size && !starts_with(s, end)) {
        if (s->text[s->at] != '\n')
            s->text[s->at] = ' ';
        s->at++;
    }
    if (line_comment)
        return true;
    if (s->at >= s->size)
        return fail_at(s, start, "this comment has no end");
    s->text[s->at++] = ' ';
    s->text[s->at++] = ' ';
    return true;
}

static bool skip_space(Scanner *s)
{
    for (;;) {
        int c = peek(s);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            s->at++;
        } else if (starts_with(s, "//")) {
            blank_comment(s, "\n");
        } else if (starts_with(s, "/*")) {
            if (!blank_comment(s, "*/"))
                return false;
        } else {
            return true;
        }
    }
}

static bool is_hex(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* After the backslash. */
static bool scan_escape(Scanner *s)
{
    int c = peek(s);
    if (c == 'u') {
        for (size_t i = 1; i <= 4; i++) {
            if (s->at + i >= s->size || !is_hex((unsigned char)s->text[s->at + i]))
                return fail_at(s, s->at - 1, "\\u needs four hexadecimal digits");
        }
        if (starts_with(s, "u0000"))
            return fail_at(s, s->at - 1, "\\u0000 is not allowed in a string");
        s->at += 5;
        return true;
    }
    if (c > 0 && strchr("\"\\/bfnrt", c)) {
        s->at++;
        return true;
    }
    return fail_at(s, s->at - 1, "unknown escape after the backslash; \\\\ is a backslash");
}

/* Bytes of the UTF-8 character at the scanner's place; 0 when it is none (RFC 3629). */
static size_t character_length(const Scanner *s)
{
    const unsigned char *p = (const unsigned char *)s->text + s->at; /* NUL-terminated */
    size_t length = p[0] < 0x80   ? 1
                    : p[0] < 0xC2 ? 0
                    : p[0] < 0xE0 ? 2
                    : p[0] < 0xF0 ? 3
                    : p[0] < 0xF5 ? 4
                                  : 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return length;
}

static bool scan_string(Scanner *s)
{
    size_t start = s->at++;
    for (;;) {
        int c = peek(s);
        if (c < 0 || c == '\n' || c == '\r')
            return fail_at(s, start, "this string has no closing quote on its line");
        if (c < 0x20)
            return fail_at(s, s->at, "a control character inside a string");
        if (c == '"') {
            s->at++;
            return true;
        }
        if (c == '\\') {
            s->at++;
            if (!scan_escape(s))
                return false;
            continue;
        }
        size_t length = character_length(s);
        if (length == 0)
            return fail_at(s, s->at, "not UTF-8");
        s->at += length;
    }
}

static bool digits(Scanner *s)
{
    size_t start = s->at;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at > start;
}

static bool scan_number(Scanner *s)
{
    size_t start = s->at;
    if (peek(s) == '-')
        s->at++;
    size_t first = s->at;
    bool fine = digits(s) && (s->text[first] != '0' || s->at == first + 1);
    if (fine && peek(s) == '.') {
        s->at++;
        fine = digits(s);
    }
    if (fine && (peek(s) == 'e' || peek(s) == 'E')) {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        fine = digits(s);
    }
    if (!fine)
        return fail_at(s, start, "not a number as JSON writes it (like 0.5, -3 or 1e-4)");
    if (!isfinite(strtod(s->text + start, NULL)))
        return fail_at(s, start, "this number is too large");
    return true;
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool scan_word(Scanner *s)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t start = s->at;
    while (is_letter(peek(s)) || (peek(s) >= '0' && peek(s) <= '9'))
        s->at++;
    char *word = arena_copy_bytes(s->file->arena, s->text + start, s->at - start);
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    const char *near = nearest_name(word, words, 3);
    return near ? fail_at(s, start, "unknown word %s, did you mean %s", word, near)
                : fail_at(s, start, "unknown word %s; a string needs double quotes", word);
}

static bool scan_value(Scanner *s);

/* The key and colon before an object's value. */
static bool scan_key(Scanner *s)
{
    if (peek(s) != '"')
        return fail_at(s, s->at, "expected a key in double quotes");
    if (!scan_string(s) || !skip_space(s))
        return false;
    if (peek(s) != ':')
        return fail_at(s, s->at, "expected ':' after the key");
    s->at++;
    return true;
}

/* A list or an object, from its opening bracket. */
static bool scan_items(Scanner *s, int close, bool keys)
{
    size_t start = s->at++;
    if (++s->depth > JSON_DEPTH_LIMIT)
        return fail_at(s, start, "nested more than %d deep", JSON_DEPTH_LIMIT);
    if (!skip_space(s))
        return false;
    if (peek(s) == close) {
        s->at++;
        s->depth--;
        return true;
    }
    for (;;) {
        if ((keys && !scan_key(s)) || !scan_value(s) || !skip_space(s))
            return false;
        int c = peek(s);
        if (c != ',' && c != close)
            return fail_at(s, s->at, "expected ',' or '%c'", close);
        s->at++;
        if (c == close)
            break;
        size_t comma = s->at - 1;
        if (!skip_space(s))
            return false;
        if (peek(s) == close)
            return fail_at(s, comma, "no comma may stand before '%c'", close);
    }
    s->depth--;
    return true;
}

static bool scan_value(Scanner *s)
{
    if (!skip_space(s))
        return false;
    int c = peek(s);
    if (c == '{')
        return scan_items(s, '}', true);
    if (c == '[')
        return scan_items(s, ']', false);
    if (c == '"')
        return scan_string(s);
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(s);
    if (is_letter(c))
        return scan_word(s);
    if (c == '\'')
        return fail_at(s, s->at, "strings stand in double quotes");
    if (c < 0)
        return fail_at(s, s->at, "expected a value, found the end of the file");
    return fail_at(s, s->at, "expected a value");
}

bool json_scan(JsonFile *file, char *text, size_t size)
{
    Scanner s = {.file = file, .text = text, .size = size};
    if (starts_with(&s, "\xEF\xBB\xBF")) /* a byte order mark */
        memcpy(text, "   ", 3);
    if (!scan_value(&s) || !skip_space(&s))
        return false;
    if (s.at < s.size)
        return fail_at(&s, s.at, "expected the end of the file");
    return true;
}
