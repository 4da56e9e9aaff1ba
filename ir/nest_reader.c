/* Tokens of the loop level's text, errors with line and column, names in scope; see nest_reader.h.
 */
#include "ir/nest_reader.h"

#include <ctype.h>
#include <string.h>

enum { DEPTH_LIMIT = 200, SHOWN_LIMIT = 20 };

void nest_read_skip(Reader *reader)
{
    while (isspace((unsigned char)*reader->at) || *reader->at == '#') {
        if (*reader->at == '#')
            reader->at += strcspn(reader->at, "\n");
        else
            reader->at++;
    }
}

bool nest_read_fail(Reader *reader, const char *where, const char *message)
{
    int line = 1, column = 1;
    for (const char *c = reader->text; c < where; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    const char *place = reader->place && reader->place[0] ? reader->place : "nest";
    return diag_error(reader->diag, arena_print(reader->arena, "%s:%d:%d", place, line, column),
                      "%s", message);
}

bool nest_read_unknown(Reader *reader, const char *where, const char *what, const char *word,
                       const char *const *known, int count)
{
    const char *near = nearest_name(word, known, count);
    const char *hint = near ? arena_print(reader->arena, ", did you mean \"%s\"", near) : "";
    return nest_read_fail(reader, where,
                          arena_print(reader->arena, "unknown %s \"%s\"%s", what, word, hint));
}

bool nest_read_expected(Reader *reader, const char *what)
{
    size_t length = strcspn(reader->at, " \t\r\n");
    if (length == 0)
        return nest_read_fail(reader, reader->at,
                              arena_print(reader->arena, "expected %s before the end", what));
    int shown = length > SHOWN_LIMIT ? SHOWN_LIMIT : (int)length;
    return nest_read_fail(
        reader, reader->at,
        arena_print(reader->arena, "expected %s, not \"%.*s\"", what, shown, reader->at));
}

bool nest_read_accept(Reader *reader, const char *token)
{
    size_t length = strlen(token);
    if (strncmp(reader->at, token, length) != 0)
        return false;
    reader->at += length;
    nest_read_skip(reader);
    return true;
}

bool nest_read_expect(Reader *reader, const char *token)
{
    return nest_read_accept(reader, token) ||
           nest_read_expected(reader, arena_print(reader->arena, "\"%s\"", token));
}

static bool word_letter(char c, bool first, bool dots)
{
    return isalpha((unsigned char)c) || c == '_' || (!first && isdigit((unsigned char)c)) ||
           (!first && dots && c == '.');
}

size_t nest_read_word_length(const char *at)
{
    size_t length = 0;
    while (word_letter(at[length], length == 0, false))
        length++;
    return length;
}

bool nest_read_accept_word(Reader *reader, const char *word)
{
    size_t length = strlen(word);
    if (nest_read_word_length(reader->at) != length || strncmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    nest_read_skip(reader);
    return true;
}

bool nest_read_expect_word(Reader *reader, const char *word)
{
    return nest_read_accept_word(reader, word) ||
           nest_read_expected(reader, arena_print(reader->arena, "\"%s\"", word));
}

const char *nest_read_word(Reader *reader, const char *what)
{
    size_t length = nest_read_word_length(reader->at);
    if (length == 0) {
        nest_read_expected(reader, what);
        return NULL;
    }
    const char *word = arena_copy_bytes(reader->arena, reader->at, length);
    reader->at += length;
    nest_read_skip(reader);
    return word;
}

const char *nest_read_name(Reader *reader, char mark, const char *what)
{
    size_t length = 0;
    while (*reader->at == mark && word_letter(reader->at[1 + length], false, true))
        length++;
    if (length == 0) {
        nest_read_expected(reader, what);
        return NULL;
    }
    const char *name = arena_copy_bytes(reader->arena, reader->at + 1, length);
    reader->at += 1 + length;
    nest_read_skip(reader);
    return name;
}

bool nest_read_integer(Reader *reader, int64_t limit, int64_t *result)
{
    const char *start = reader->at;
    bool negative = nest_read_accept(reader, "-");
    if (!isdigit((unsigned char)*reader->at))
        return nest_read_expected(reader, "a whole number");
    int64_t value = 0;
    for (; isdigit((unsigned char)*reader->at); reader->at++) {
        int64_t digit = *reader->at - '0';
        if (value > (limit - digit) / 10)
            return nest_read_fail(reader, start, "the number is too large");
        value = 10 * value + digit;
    }
    nest_read_skip(reader);
    *result = negative ? -value : value;
    return true;
}

bool nest_read_element(Reader *reader, ElementType *element)
{
    const char *start = reader->at;
    const char *word = nest_read_word(reader, "an element type");
    if (!word || element_find(word, element))
        return word;
    const char *known[TYPE_COUNT];
    for (int i = 0; i < TYPE_COUNT; i++)
        known[i] = element_name((ElementType)i);
    return nest_read_unknown(reader, start, "element type", word, known, TYPE_COUNT);
}

void nest_read_bind(Reader *reader, Binding binding)
{
    reader->bindings = arena_grow(reader->arena, reader->bindings, reader->binding_count,
                                  &reader->binding_capacity, sizeof *reader->bindings);
    reader->bindings[reader->binding_count++] = binding;
}

static void fail_unbound(Reader *reader, const char *where, const char *name, bool var)
{
    const char **known = ARENA_ARRAY(reader->arena, const char *, reader->binding_count);
    int count = 0;
    for (int i = reader->binding_count; i-- > 0;)
        if ((reader->bindings[i].var != NULL) == var)
            known[count++] = reader->bindings[i].name;
    nest_read_unknown(reader, where, var ? "loop variable" : "name", name, known, count);
}

const Binding *nest_read_find(Reader *reader, const char *where, const char *name, bool var)
{
    for (int i = reader->binding_count; i-- > 0;) {
        const Binding *binding = &reader->bindings[i];
        if ((binding->var != NULL) == var && strcmp(binding->name, name) == 0)
            return binding;
    }
    fail_unbound(reader, where, name, var);
    return NULL;
}

Var *nest_read_bind_var(Reader *reader, const char *name)
{
    Var *var = kernel_var(reader->arena, reader->kernel, name);
    nest_read_bind(reader, (Binding){.name = name, .var = var});
    return var;
}

bool nest_read_deeper(Reader *reader)
{
    return ++reader->depth <= DEPTH_LIMIT ||
           nest_read_fail(reader, reader->at, "nested more than 200 levels deep");
}
