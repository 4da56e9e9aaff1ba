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

/* Is another function of the same name meant for fewer rows? Then the plain name is taken. */
static bool is_smallest(const Program *program, int index)
{
    const Function *function = program->functions[index];
    for (int i = 0; i < program->function_count; i++) {
        const Function *other = program->functions[i];
        if (i == index || strcmp(other->name, function->name) != 0)
            continue;
        if (other->batch < function->batch || (other->batch == function->batch && i < index))
            return false;
    }
    return true;
}

const char *public_call_symbol(Arena *arena, const Program *program, int index)
{
    const Function *function = program->functions[index];
    if (strcmp(function->name, "initialize") == 0)
        return NULL;
    const char *model = public_identifier(arena, program->name);
    const char *name = public_identifier(arena, function->name);
    if (is_smallest(program, index))
        return arena_print(arena, "%s_%s", model, name);
    return arena_print(arena, "%s_%s_batch%lld", model, name, (long long)function->batch);
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
    int64_t batch_a = program->functions[a]->batch, batch_b = program->functions[b]->batch;
    return batch_a != batch_b ? batch_a < batch_b : a < b;
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
