/* Names of a model's public functions; see public.h. */
#include "codegen/public.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

const char *public_identifier(Arena *arena, const char *name)
{
    char *text = arena_print(arena, "%s%s", is_digit(name[0]) || !name[0] ? "_" : "", name);
    for (char *c = text; *c; c++)
        if (!is_letter(*c) && !is_digit(*c))
            *c = '_';
    return text;
}

static bool is_smaller(const Function *a, const Function *b)
{
    if (a->batch != b->batch)
        return a->batch < b->batch;
    for (int i = 0; i < a->size_count && i < b->size_count; i++)
        if (a->sizes[i].value != b->sizes[i].value)
            return a->sizes[i].value < b->sizes[i].value;
    return false;
}

/* The one that has the plain name: of the fewest rows, then of the smallest sizes. */
static int smallest_of_name(const Program *program, int index)
{
    int smallest = index;
    for (int i = 0; i < program->function_count; i++) {
        const Function *other = program->functions[i];
        if (strcmp(other->name, program->functions[index]->name) == 0 &&
            is_smaller(other, program->functions[smallest]))
            smallest = i;
    }
    return smallest;
}

/* As part of a symbol, a value behind it; "size2_" where two would be the same, or are "batch". */
static const char *size_name(Arena *arena, const Function *function, int number)
{
    const char *name = public_identifier(arena, function->sizes[number].name);
    bool taken = strcmp(name, "batch") == 0;
    for (int i = 0; i < function->size_count; i++)
        taken = taken || (i != number &&
                          strcmp(public_identifier(arena, function->sizes[i].name), name) == 0);
    if (taken)
        return arena_print(arena, "size%d_", number);
    return is_digit(name[strlen(name) - 1]) ? arena_print(arena, "%s_", name) : name;
}

const char *public_call_symbol(Arena *arena, const Program *program, int index)
{
    const Function *function = program->functions[index];
    if (strcmp(function->name, "initialize") == 0)
        return NULL;
    const char *model = public_identifier(arena, program->name);
    const char *name = public_identifier(arena, function->name);
    const Function *plain = program->functions[smallest_of_name(program, index)];
    const char *symbol = arena_print(arena, "%s_%s", model, name);
    if (function->batch != plain->batch)
        symbol = arena_print(arena, "%s_batch%lld", symbol, (long long)function->batch);
    for (int i = 0; i < function->size_count; i++)
        if (i >= plain->size_count || function->sizes[i].value != plain->sizes[i].value)
            symbol = arena_print(arena, "%s_%s%lld", symbol, size_name(arena, function, i),
                                 (long long)function->sizes[i].value);
    return symbol;
}

/* Position in program->functions of the first function called like this one. */
static int first_of_name(const Program *program, int index)
{
    int first = 0;
    while (strcmp(program->functions[first]->name, program->functions[index]->name) != 0)
        first++;
    return first;
}

static bool stands_before(const Program *program, int a, int b)
{
    int first_a = first_of_name(program, a), first_b = first_of_name(program, b);
    if (first_a != first_b)
        return first_a < first_b;
    const Function *one = program->functions[a], *other = program->functions[b];
    return is_smaller(one, other) || (!is_smaller(other, one) && a < b);
}

const int *public_function_order(Arena *arena, const Program *program)
{
    int *order = ARENA_ARRAY(arena, int, program->function_count);
    for (int i = 0; i < program->function_count; i++) {
        int place = i;
        for (; place > 0 && stands_before(program, i, order[place - 1]); place--)
            order[place] = order[place - 1];
        order[place] = i;
    }
    return order;
}
