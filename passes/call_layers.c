/* Whom a call works for, in words that people know from their model: a profile prints them.
 *
 *     @conv_add_max(%x, %layers.0.weight, %layers.0.bias, out %9)     layers.0
 *     @conv_transpose(%75, %layers.2.weight, out %77)                 layers.2.weight
 *     @reduce_sum(%82, out %83)                                       layers[0].conv2d
 *
 * The layers whose results are computed, where there are some; else the parameters among the
 * arguments, which say more than a place in the description does where a block is used several
 * times; else those places. */
#include <string.h>

#include "passes/lowering.h"

enum { SHOWN = 3 };

typedef struct Names {
    Arena *arena;
    const char *list[SHOWN];
    int count; /* of different ones; of those beyond SHOWN each may count more than once */
} Names;

static void add_name(Names *names, const char *name)
{
    if (!name)
        return;
    for (int i = 0; i < names->count && i < SHOWN; i++)
        if (strcmp(names->list[i], name) == 0)
            return;
    if (names->count < SHOWN)
        names->list[names->count] = name;
    names->count++;
}

static const char *join_names(const Names *names)
{
    const char *text = "";
    for (int i = 0; i < names->count && i < SHOWN; i++)
        text = arena_print(names->arena, "%s%s%s", text, i ? ", " : "", names->list[i]);
    if (names->count > SHOWN)
        text = arena_print(names->arena, "%s and %d more", text, names->count - SHOWN);
    return text;
}

/* "lenet.json: layers[0].conv2d" without the file */
static const char *short_place(const char *place)
{
    const char *colon = place ? strstr(place, ": ") : NULL;
    return colon ? colon + 2 : place;
}

const char *call_layers(Arena *arena, const Program *program, const Group *group,
                        Slot *const *arguments, int count)
{
    Names names = {.arena = arena};
    for (int m = 0; group && m < group->member_count; m++)
        add_name(&names, group->members[m]->name);
    for (int a = 0; names.count == 0 && a < count; a++)
        if (arguments[a]->kind == SLOT_STATE && program->states[arguments[a]->index]->parameter)
            add_name(&names, arguments[a]->name);
    if (names.count == 0)
        for (int m = 0; group && m < group->member_count; m++)
            add_name(&names, short_place(group->members[m]->place));
    return join_names(&names);
}
