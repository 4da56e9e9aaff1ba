/* Open addressing: a key lies in the first free place from its hash on, and half of all places are
 * free. The hash is FNV-1a (Fowler, Noll, Vo). */
#include "base/text_map.h"

#include <stdint.h>
#include <string.h>

static size_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

/* Where `key` is, or would be; there is a free place. */
static TextMapEntry *find_entry(const TextMap *map, const char *key)
{
    size_t last = (size_t)map->capacity - 1, at = hash_text(key) & last;
    while (map->entries[at].key && strcmp(map->entries[at].key, key) != 0)
        at = (at + 1) & last;
    return &map->entries[at];
}

void *text_map_find(const TextMap *map, const char *key)
{
    return map->capacity ? find_entry(map, key)->value : NULL;
}

static void grow(TextMap *map, Arena *arena)
{
    enum { FIRST_CAPACITY = 16 };
    TextMap old = *map;
    map->capacity = old.capacity ? 2 * old.capacity : FIRST_CAPACITY;
    map->entries = ARENA_ARRAY(arena, TextMapEntry, map->capacity);
    for (int i = 0; i < old.capacity; i++)
        if (old.entries[i].key)
            *find_entry(map, old.entries[i].key) = old.entries[i];
}

void **text_map_place(TextMap *map, Arena *arena, const char *key)
{
    if (2 * (map->count + 1) > map->capacity)
        grow(map, arena);
    TextMapEntry *entry = find_entry(map, key);
    map->count += !entry->key;
    entry->key = key;
    return &entry->value;
}
