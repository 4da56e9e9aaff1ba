/* A hash table with open addressing over entries that stand in the order they were added. */
#include "base/map.h"

#include <string.h>

Map map_create(Arena *arena)
{
    return (Map){.arena = arena};
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001b3u;
    return h ^ (h >> 32);
}

/* The slot that holds the key, or the free one where it would go. */
static int find_slot(const Map *map, const char *key)
{
    int mask = map->slot_count - 1;
    int slot = (int)(hash(key) & (uint64_t)mask);
    while (map->slots[slot] && strcmp(map->entries[map->slots[slot] - 1].key, key) != 0)
        slot = (slot + 1) & mask;
    return slot;
}

static void grow_slots(Map *map)
{
    map->slot_count = map->slot_count ? 2 * map->slot_count : 16;
    map->slots = ARENA_ARRAY(map->arena, int, map->slot_count);
    for (int i = 0; i < map->count; i++)
        map->slots[find_slot(map, map->entries[i].key)] = i + 1;
}

void *map_get(const Map *map, const char *key)
{
    int number = map->slot_count ? map->slots[find_slot(map, key)] : 0;
    return number ? map->entries[number - 1].value : NULL;
}

void map_set(Map *map, const char *key, void *value)
{
    if (2 * (map->count + 1) > map->slot_count)
        grow_slots(map);
    int slot = find_slot(map, key);
    if (map->slots[slot]) {
        map->entries[map->slots[slot] - 1].value = value;
        return;
    }
    map->entries =
        arena_grow(map->arena, map->entries, map->count, &map->capacity, sizeof *map->entries);
    map->entries[map->count] = (MapEntry){key, value};
    map->slots[slot] = ++map->count;
}
