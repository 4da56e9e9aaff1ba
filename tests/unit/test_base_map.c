/* Maps from texts to pointers. */
#include <criterion/criterion.h>

#include "base/map.h"

Test(map, an_empty_one_has_nothing)
{
    Map map = {0};
    cr_expect_null(map_get(&map, ""));
    cr_expect_null(map_get(&map, "key"));
}

Test(map, many_keys_keep_their_values_and_their_order)
{
    enum { KEYS = 1000 };
    static int values[KEYS];
    Arena *arena = arena_create();
    Map map = {0};
    for (int i = 0; i < KEYS; i++) {
        void **place = map_place(&map, arena, arena_print(arena, "key %d", i));
        cr_expect_null(*place, "key %d was there before", i);
        *place = &values[i];
    }
    cr_expect_eq(map.count, KEYS);
    for (int i = 0; i < KEYS; i++)
        cr_expect_eq(map_get(&map, arena_print(arena, "key %d", i)), &values[i]);
    cr_expect_null(map_get(&map, "key 1000"));
    for (int i = 0; i < KEYS; i++)
        cr_expect_eq(map.entries[i].value, &values[i]);
    arena_destroy(arena);
}

Test(map, a_key_is_there_once)
{
    int first = 1, second = 2;
    Arena *arena = arena_create();
    Map map = {0};
    *map_place(&map, arena, "key") = &first;
    void **place = map_place(&map, arena, arena_copy_text(arena, "key"));
    cr_expect_eq(*place, &first);
    *place = &second;
    cr_expect_eq(map.count, 1);
    cr_expect_eq(map_get(&map, "key"), &second);
    arena_destroy(arena);
}
