/* Arenas that are used again. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/arena.h"

Test(arena, a_cleared_one_gives_its_memory_again_as_noughts)
{
    enum { LARGE = 3 << 20, SMALL = 100 };
    Arena *arena = arena_create();
    arena_clear(arena);
    memset(arena_alloc(arena, SMALL), 1, SMALL);
    char *large = arena_alloc(arena, LARGE);
    memset(large, 1, LARGE);
    arena_clear(arena);
    char *again = arena_alloc(arena, SMALL);
    cr_expect_eq(again, large);
    for (int i = 0; i < SMALL; i++)
        cr_assert_eq(again[i], 0);
    arena_destroy(arena);
}
