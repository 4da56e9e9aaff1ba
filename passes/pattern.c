/* Values given to parameters by name pattern: "weight_decay": {"*.weight": 0.01, "embedding.*": 0}.
 * The last match counts; a pattern that matches nothing is a slip of the pen and is reported with
 * what may have been meant. */
#include <string.h>

#include "base/diag.h"
#include "base/pattern.h"
#include "passes/optimizer.h"

double pattern_value(const PatternValue *list, int count, const char *name)
{
    double value = 0.0;
    for (int i = 0; i < count; i++)
        if (pattern_matches(list[i].pattern, name))
            value = list[i].value;
    return value;
}

/* The pattern without stars and without dots at its ends: "*.wieght" is read as "wieght". */
static const char *literal_part(Arena *arena, const char *pattern)
{
    char *text = arena_alloc(arena, strlen(pattern) + 1);
    size_t length = 0;
    for (; *pattern; pattern++)
        if (*pattern != '*' && !(*pattern == '.' && length == 0))
            text[length++] = *pattern;
    while (length && text[length - 1] == '.')
        text[--length] = '\0';
    return text;
}

/* The parameter whose name, or whose name from or up to one of its dots, is nearest to what the
 * pattern says. */
static const char *nearest_parameter(const Program *program, const char *pattern)
{
    Arena *arena = program->arena;
    const char *literal = literal_part(arena, pattern);
    for (int i = 0; i < program->state_count; i++)
        if (program->states[i]->parameter && strstr(program->states[i]->name, literal))
            return program->states[i]->name;
    int capacity = 0, count = 0;
    for (int i = 0; i < program->state_count; i++)
        capacity += 2 * (int)strlen(program->states[i]->name) + 1;
    const char **parts = ARENA_ARRAY(arena, const char *, capacity);
    const char **owners = ARENA_ARRAY(arena, const char *, capacity);
    for (int i = 0; i < program->state_count; i++) {
        const char *name = program->states[i]->name;
        if (!program->states[i]->parameter)
            continue;
        owners[count] = name, parts[count++] = name;
        for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
            owners[count] = name, parts[count++] = dot + 1;
            owners[count] = name,
            parts[count++] = arena_copy_bytes(arena, name, (size_t)(dot - name));
        }
    }
    const char *nearest = nearest_name(literal, parts, count);
    for (int i = 0; i < count; i++)
        if (parts[i] == nearest)
            return owners[i];
    return NULL;
}

bool pattern_values_check(Program *program, PatternValue *list, int count)
{
    bool ok = true;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < program->state_count; j++)
            if (program->states[j]->parameter &&
                pattern_matches(list[i].pattern, program->states[j]->name))
                list[i].matched = true;
        if (list[i].matched)
            continue;
        const char *nearest = nearest_parameter(program, list[i].pattern);
        if (nearest)
            ok = diag_error(program->diag, list[i].place,
                            "\"%s\" matches no parameter; the nearest is \"%s\"", list[i].pattern,
                            nearest);
        else
            ok = diag_error(program->diag, list[i].place, "\"%s\" matches no parameter",
                            list[i].pattern);
    }
    return ok;
}
