/* A hash table with open addressing over entries that stand in the order they were added: the
 * number of an entry lies in the first free slot from the hash of its key on, and half of all slots
 * are free. */
#include "base/map.h"

#include <stdint.h>
#include <string.h>

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

/* The slot that holds the key, or the free one where it would go. */
static int *find_slot(const Map *map, const char *key)
{
    uint64_t last = (uint64_t)map->slot_count - 1, at = hash_text(key) & last;
    while (map->slots[at] && strcmp(map->entries[map->slots[at] - 1].key, key) != 0)
        at = (at + 1) & last;
    return &map->slots[at];
}

void *map_get(const Map *map, const char *key)
{
    int number = map->slot_count ? *find_slot(map, key) : 0;
    return number ? map->entries[number - 1].value : NULL;
}

static void grow_slots(Map *map, Arena *arena)
{
    enum { FIRST_COUNT = 16 };
    map->slot_count = map->slot_count ? 2 * map->slot_count : FIRST_COUNT;
    map->slots = ARENA_ARRAY(arena, int, map->slot_count);
    for (int i = 0; i < map->count; i++)
        *find_slot(map, map->entries[i].key) = i + 1;
}

void **map_place(Map *map, Arena *arena, const char *key)
{
    if (2 * (map->count + 1) > map->slot_count)
        grow_slots(map, arena);
    int *slot = find_slot(map, key);
    if (!*slot) {
        map->entries =
            arena_grow(arena, map->entries, map->count, &map->capacity, sizeof *map->entries);
        map->entries[map->count] = (MapEntry){.key = key};
        *slot = ++map->count;
    }
    return &map->entries[*slot - 1].value;
}
