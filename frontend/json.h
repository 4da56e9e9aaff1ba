/* JSON as people write it: a tree in which every value knows its place.
 *
 * Comments (// and slash-star) are allowed; everything else is strict RFC 8259. Mistakes of syntax
 * are reported with line and column, mistakes of content with the path to the value:
 *
 *     digits.json:12:7: expected ',' or '}'
 *     digits.json: layers[3].conv2d.kernal: unknown key "kernal", did you mean "kernel"
 *
 * Reading a value marks it as used; json_finish() reports what nobody read, so nothing is silently
 * ignored. Texts and trees live in the arena of the file. Functions that return bool are false
 * after an error they have reported. */
#ifndef INGOT_FRONTEND_JSON_H
#define INGOT_FRONTEND_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"

enum { JSON_DEPTH_LIMIT = 64 };

/* Whole numbers up to here are exact in a double. */
#define JSON_INTEGER_LIMIT ((int64_t)1 << 53)

typedef enum JsonKind {
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_LIST,
    JSON_OBJECT,
} JsonKind;

typedef struct JsonFile {
    Arena *arena;
    Diag *diag;
    const char *name; /* as the user gave it */
} JsonFile;

typedef struct Json Json;
struct Json {
    JsonFile *file;
    JsonKind kind;
    const char *key; /* in an object; else NULL */
    int index;       /* in its list or object */
    Json *parent;    /* NULL at the root */
    Json **items;    /* of a list or an object */
    int count;
    const char *text; /* of a string */
    double number;    /* of a number; of a boolean 0 or 1 */
    bool used;
    const char *prefix,
        *suffix; /* of a copied tree's root: the place it was copied from, and for whom */
};

/* NULL after errors. `text` has `size` bytes and a NUL behind them, and is not changed. */
Json *json_parse(JsonFile *file, const char *text, size_t size);

/* The syntax check behind json_parse(): blanks comments out of `text` (in place) or reports the
 * first mistake. */
bool json_scan(JsonFile *file, char *text, size_t size);

/* "digits.json: layers[3].conv2d.kernel" */
const char *json_place(const Json *json);
/* "layers[3].conv2d.kernel"; "" at the root. */
const char *json_path(const Json *json);
bool json_error(const Json *json, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The value of a key, marked as used; NULL when it is not there or `object` is no object. */
Json *json_get(Json *object, const char *key);
/* Looks without marking. */
Json *json_peek(const Json *object, const char *key);

/* Reports every key that is not among the words of `known` ("kernel stride padding"). */
bool json_check_keys(const Json *object, const char *known);
/* Marks a value and all in it as used. */
void json_use_all(Json *json);
/* Reports every value below `json` that was never read: a key that has no effect where it stands.
 */
bool json_finish(const Json *json);

/* Values of one kind; anything else is an error at that place: "expected a list, found 3". */
bool json_expect(const Json *json, JsonKind kind);
bool json_number(Json *json, double *value);
bool json_integer(Json *json, int64_t low, int64_t high, int64_t *value);
bool json_boolean(Json *json, bool *value);
bool json_string(Json *json, const char **text);
/* A list of whole numbers; at most `limit`. */
bool json_integers(Json *json, int64_t low, int64_t high, int limit, int64_t *values, int *count);

/* What a value is, for messages: `a list`, `"text"`, `12.5`. */
const char *json_describe(const Json *json);

/* "a", "b" or "c" of the words of a list such as "a b c" */
const char *json_words(Arena *arena, const char *words);
/* `, did you mean "kernel"`, or "" when nothing is near. `words` as above. */
const char *json_suggest(Arena *arena, const char *word, const char *words);
bool json_word_in(const char *word, const char *words);

/* A copy of a tree in which each string "$name" or "$name * 4" is replaced by the argument of that
 * name, a value of the object `arguments` (NULL: no replacing). The copy's places start with
 * `prefix` and end with `suffix`. NULL after errors. */
Json *json_instantiate(Json *template, const Json *arguments, const char *prefix,
                       const char *suffix);

#endif
