/* Copies of a tree with arguments put in: how a block of "define" becomes layers.
 *
 *     "$channels"        the argument as it is: a number, a string, a list …
 *     "$channels * 4"    one of + - * / between two of: arguments that are numbers, numbers
 *
 * Only strings that start with $ are looked at. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/json.h"

typedef struct Filling {
    const Json *arguments;
    bool fine;
} Filling;

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " ");
}

/* The argument named at *at (behind the $); moves *at past the name. */
static const Json *find_argument(const Json *place, const Json *arguments, const char **at)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    Arena *arena = place->file->arena;
    size_t length = strspn(*at, letters);
    const char *name = arena_copy_bytes(arena, *at, length);
    *at += length;
    const Json *argument = json_peek(arguments, name);
    if (argument)
        return argument;
    const char *words = "";
    for (int i = 0; i < arguments->count; i++)
        words = arena_print(arena, "%s %s", words, arguments->items[i]->key);
    json_error(place, "unknown parameter \"$%s\"%s", name, json_suggest(arena, name, words));
    return NULL;
}

/* A number or a $name that is one. */
static bool operand(const Json *place, const Json *arguments, const char **at, double *value)
{
    if (**at == '$') {
        const char *name = ++*at;
        const Json *argument = find_argument(place, arguments, at);
        if (!argument)
            return false;
        if (argument->kind != JSON_NUMBER)
            return json_error(place, "cannot calculate with \"$%.*s\", which is %s",
                              (int)(*at - name), name, json_describe(argument));
        *value = argument->number;
        return true;
    }
    char *end;
    *value = strtod(*at, &end);
    if (end == *at || !isfinite(*value))
        return json_error(place, "expected a number or a $name in %s", json_describe(place));
    *at = end;
    return true;
}

static bool calculate(const Json *place, const Json *arguments, double *value)
{
    double left, right;
    const char *at = place->text;
    if (!operand(place, arguments, &at, &left))
        return false;
    at = skip_blanks(at);
    char symbol = *at;
    if (!symbol || !strchr("+-*/", symbol))
        return json_error(place, "expected one of + - * / after the name in %s",
                          json_describe(place));
    at = skip_blanks(at + 1);
    if (!operand(place, arguments, &at, &right))
        return false;
    if (*skip_blanks(at))
        return json_error(place, "one calculation at most may stand in %s", json_describe(place));
    if (symbol == '/' && right == 0)
        return json_error(place, "division by zero in %s", json_describe(place));
    *value = symbol == '+'   ? left + right
             : symbol == '-' ? left - right
             : symbol == '*' ? left * right
                             : left / right;
    return isfinite(*value) ||
           json_error(place, "the result of %s is too large", json_describe(place));
}

/* Copies kind and content; places stay those of `from`, which stands for itself. */
static Json *copy(const Json *from, const Json *origin, Json *parent, Filling *filling)
{
    Json *json = ARENA_NEW(from->file->arena, Json);
    *json = *from;
    json->parent = parent;
    json->key = origin->key;
    json->index = origin->index;
    json->used = false;
    json->items = ARENA_ARRAY(from->file->arena, Json *, from->count);
    for (int i = 0; i < from->count; i++) {
        const Json *item = from->items[i], *value = item;
        if (filling && item->kind == JSON_STRING && item->text[0] == '$') {
            const char *at = item->text + 1;
            Json *result = ARENA_NEW(from->file->arena, Json);
            bool plain = !at[strcspn(at, " +-*/")];
            const Json *argument = plain ? find_argument(item, filling->arguments, &at) : NULL;
            *result = *item;
            if (plain && argument && *at) {
                filling->fine = json_error(item, "%s is no parameter's name", json_describe(item));
            } else if (plain && argument) {
                json->items[i] = copy(argument, item, json, NULL);
                continue;
            } else if (plain || !calculate(item, filling->arguments, &result->number)) {
                filling->fine = false;
            } else {
                result->kind = JSON_NUMBER;
                value = result;
            }
        }
        json->items[i] = copy(value, item, json, filling);
    }
    return json;
}

Json *json_instantiate(Json *template, const Json *arguments, const char *prefix,
                       const char *suffix)
{
    Filling filling = {.arguments = arguments, .fine = true};
    Json *json = copy(template, template, NULL, arguments ? &filling : NULL);
    json->prefix = prefix;
    json->suffix = suffix;
    return filling.fine ? json : NULL;
}
