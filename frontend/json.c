/* The tree: made from cJSON's, then read through helpers that name places; see json.h. */
#include "frontend/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The tree */

static Json *node_create(JsonFile *file, JsonKind kind, Json *parent, const char *key, int index)
{
    Json *json = ARENA_NEW(file->arena, Json);
    json->file = file;
    json->kind = kind;
    json->parent = parent;
    json->key = key ? arena_copy_text(file->arena, key) : NULL;
    json->index = index;
    return json;
}

static JsonKind kind_of(const cJSON *item)
{
    if (cJSON_IsBool(item))
        return JSON_BOOLEAN;
    if (cJSON_IsNumber(item))
        return JSON_NUMBER;
    if (cJSON_IsString(item))
        return JSON_STRING;
    if (cJSON_IsArray(item))
        return JSON_LIST;
    return cJSON_IsObject(item) ? JSON_OBJECT : JSON_NULL;
}

static Json *convert(JsonFile *file, const cJSON *item, Json *parent, int index)
{
    Json *json = node_create(file, kind_of(item), parent, item->string, index);
    if (json->kind == JSON_BOOLEAN)
        json->number = cJSON_IsTrue(item) ? 1 : 0;
    if (json->kind == JSON_NUMBER)
        json->number = item->valuedouble;
    if (json->kind == JSON_STRING)
        json->text = arena_copy_text(file->arena, item->valuestring);
    for (const cJSON *child = item->child; child; child = child->next)
        json->count++;
    json->items = ARENA_ARRAY(file->arena, Json *, json->count);
    int i = 0;
    for (const cJSON *child = item->child; child; child = child->next, i++)
        json->items[i] = convert(file, child, json, i);
    return json;
}

static int compare_keys(const void *a, const void *b)
{
    const Json *const *left = a, *const *right = b;
    int order = strcmp((*left)->key, (*right)->key);
    return order ? order : (*left)->index - (*right)->index;
}

static bool check_duplicates(const Json *json)
{
    bool fine = true;
    if (json->kind == JSON_OBJECT && json->count > 1) {
        Json **sorted = ARENA_ARRAY(json->file->arena, Json *, json->count);
        memcpy(sorted, json->items, (size_t)json->count * sizeof *sorted);
        qsort(sorted, (size_t)json->count, sizeof *sorted, compare_keys);
        for (int i = 1; i < json->count; i++) {
            if (strcmp(sorted[i]->key, sorted[i - 1]->key) == 0)
                fine = json_error(sorted[i], "the key \"%s\" stands here twice", sorted[i]->key);
        }
    }
    for (int i = 0; i < json->count; i++)
        fine &= check_duplicates(json->items[i]);
    return fine;
}

Json *json_parse(JsonFile *file, const char *text, size_t size)
{
    if (strlen(text) != size) {
        diag_error(file->diag, file->name, "holds a NUL byte: this is not a text file");
        return NULL;
    }
    char *plain = arena_copy_bytes(file->arena, text, size);
    if (!json_scan(file, plain, size))
        return NULL;
    cJSON *tree = cJSON_ParseWithLength(plain, size + 1);
    if (!tree) { /* a lone surrogate is what the scanner leaves to cJSON */
        diag_error(file->diag, file->name, "a string holds an impossible \\u escape");
        return NULL;
    }
    Json *json = convert(file, tree, NULL, 0);
    cJSON_Delete(tree);
    return check_duplicates(json) ? json : NULL;
}

/* Places and errors */

static bool plain_key(const char *key)
{
    return key[0] &&
           strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") ==
               strlen(key);
}

/* Text with control characters made visible, so that a model cannot write to the terminal. */
static void add_visible(Text *text, const char *string)
{
    for (const char *c = string; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            text_print(text, "\\x%02x", (unsigned)(unsigned char)*c);
        else
            text_add_bytes(text, c, 1);
    }
}

static void add_path(Text *text, const Json *json)
{
    if (!json->parent) {
        text_add(text, json->prefix ? json->prefix : "");
        return;
    }
    add_path(text, json->parent);
    if (!json->key) {
        text_print(text, "[%d]", json->index);
    } else if (plain_key(json->key)) {
        text_print(text, "%s%s", text->length ? "." : "", json->key);
    } else {
        text_add(text, "[\"");
        add_visible(text, json->key);
        text_add(text, "\"]");
    }
}

const char *json_path(const Json *json)
{
    Text path = text_create(json->file->arena);
    add_path(&path, json);
    const Json *root = json;
    while (root->parent)
        root = root->parent;
    if (root->suffix)
        text_add(&path, root->suffix);
    return path.data;
}

const char *json_place(const Json *json)
{
    const char *path = json_path(json);
    return path[0] ? arena_print(json->file->arena, "%s: %s", json->file->name, path)
                   : json->file->name;
}

bool json_error(const Json *json, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_print_list(json->file->arena, format, arguments);
    va_end(arguments);
    return diag_error(json->file->diag, json_place(json), "%s", message);
}

const char *json_describe(const Json *json)
{
    enum { LONGEST = 40 };
    Text text = text_create(json->file->arena);
    switch (json->kind) {
    case JSON_NULL:
        return "null";
    case JSON_BOOLEAN:
        return json->number != 0 ? "true" : "false";
    case JSON_NUMBER:
        return arena_print(json->file->arena, "%.15g", json->number);
    case JSON_STRING:
        text_add(&text, "\"");
        add_visible(&text, json->text);
        if (text.length > LONGEST)
            return "a long text";
        text_add(&text, "\"");
        return text.data;
    case JSON_LIST:
        return json->count ? "a list" : "an empty list";
    case JSON_OBJECT:
        return json->count ? "an object" : "an empty object";
    }
    return "";
}

/* Lists of words */

/* The next of the words separated by spaces; NULL at the end. */
static const char *next_word(Arena *arena, const char **words)
{
    *words += strspn(*words, " ");
    size_t length = strcspn(*words, " ");
    if (!length)
        return NULL;
    char *word = arena_copy_bytes(arena, *words, length);
    *words += length;
    return word;
}

const char *json_words(Arena *arena, const char *words)
{
    Text text = text_create(arena);
    const char *word = next_word(arena, &words);
    while (word) {
        const char *next = next_word(arena, &words), *after = words;
        bool last = next && !next_word(arena, &after);
        text_print(&text, "\"%s\"%s", word, last ? " or " : next ? ", " : "");
        word = next;
    }
    return text.data;
}

const char *json_suggest(Arena *arena, const char *word, const char *words)
{
    const char **list = NULL;
    int count = 0, capacity = 0;
    for (const char *next; (next = next_word(arena, &words));) {
        list = arena_grow(arena, (void *)list, count, &capacity, sizeof *list);
        list[count++] = next;
    }
    const char *near = nearest_name(word, list, count);
    return near ? arena_print(arena, ", did you mean \"%s\"", near) : "";
}

bool json_word_in(const char *word, const char *words)
{
    size_t length = strlen(word);
    while (*words) {
        words += strspn(words, " ");
        size_t next = strcspn(words, " ");
        if (next == length && length && memcmp(words, word, length) == 0)
            return true;
        words += next;
    }
    return false;
}

/* Reading */

Json *json_peek(const Json *object, const char *key)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    for (int i = 0; i < object->count; i++) {
        if (strcmp(object->items[i]->key, key) == 0)
            return object->items[i];
    }
    return NULL;
}

Json *json_get(Json *object, const char *key)
{
    Json *json = json_peek(object, key);
    if (json)
        json->used = true;
    return json;
}

static int count_words(const char *words)
{
    int count = 0;
    while (*(words += strspn(words, " "))) {
        words += strcspn(words, " ");
        count++;
    }
    return count;
}

/* The nearest key or, when none is near, all of them if they are few. */
static const char *suggest_key(Arena *arena, const char *key, const char *known)
{
    const char *near = json_suggest(arena, key, known);
    int count = count_words(known);
    if (near[0] || count == 0 || count > 6)
        return near;
    return arena_print(arena, "; known here: %s", json_words(arena, known));
}

bool json_check_keys(const Json *object, const char *known)
{
    bool fine = true;
    Arena *arena = object->file->arena;
    for (int i = 0; i < object->count; i++) {
        const Json *item = object->items[i];
        if (!json_word_in(item->key, known)) {
            Text shown = text_create(arena);
            add_visible(&shown, item->key);
            fine = json_error(object, "unknown key \"%s\"%s", shown.data,
                              suggest_key(arena, item->key, known));
        }
    }
    return fine;
}

void json_use_all(Json *json)
{
    json->used = true;
    for (int i = 0; i < json->count; i++)
        json_use_all(json->items[i]);
}

bool json_finish(const Json *json)
{
    bool fine = true;
    for (int i = 0; i < json->count; i++) {
        const Json *item = json->items[i];
        if (!item->used && json->kind == JSON_OBJECT)
            fine = json_error(item, "has no effect here");
        else
            fine &= json_finish(item);
    }
    return fine;
}

static bool wrong_kind(const Json *json, const char *wanted)
{
    return json_error(json, "expected %s, found %s", wanted, json_describe(json));
}

bool json_expect(const Json *json, JsonKind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",       [JSON_BOOLEAN] = "true or false", [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string", [JSON_LIST] = "a list",           [JSON_OBJECT] = "an object",
    };
    return json->kind == kind || wrong_kind(json, names[kind]);
}

bool json_number(Json *json, double *value)
{
    json->used = true;
    if (!json_expect(json, JSON_NUMBER))
        return false;
    *value = json->number;
    return true;
}

bool json_integer(Json *json, int64_t low, int64_t high, int64_t *value)
{
    json->used = true;
    const char *wanted = arena_print(json->file->arena, "a whole number from %lld to %lld",
                                     (long long)low, (long long)high);
    if (json->kind != JSON_NUMBER || json->number != floor(json->number) ||
        json->number < (double)low || json->number > (double)high)
        return wrong_kind(json, wanted);
    *value = (int64_t)json->number;
    return true;
}

bool json_boolean(Json *json, bool *value)
{
    json->used = true;
    if (!json_expect(json, JSON_BOOLEAN))
        return false;
    *value = json->number != 0;
    return true;
}

bool json_string(Json *json, const char **text)
{
    json->used = true;
    if (!json_expect(json, JSON_STRING))
        return false;
    *text = json->text;
    return true;
}

bool json_integers(Json *json, int64_t low, int64_t high, int limit, int64_t *values, int *count)
{
    json->used = true;
    if (!json_expect(json, JSON_LIST))
        return false;
    if (json->count > limit)
        return json_error(json, "expected at most %d numbers, found %d", limit, json->count);
    for (int i = 0; i < json->count; i++) {
        if (!json_integer(json->items[i], low, high, &values[i]))
            return false;
    }
    *count = json->count;
    return true;
}
