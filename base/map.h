/* From texts to anything, in the order they were added. Lives in an arena. */
#ifndef INGOT_BASE_MAP_H
#define INGOT_BASE_MAP_H

#include <stdint.h>

#include "base/arena.h"

typedef struct MapEntry {
    const char *key;
    void *value;
} MapEntry;

typedef struct Map {
    Arena *arena;
    MapEntry *entries;
    int count, capacity;
    int *slots; /* number of an entry plus 1; 0: free. Open addressing */
    int slot_count;
} Map;

Map map_create(Arena *arena);
/* NULL when the key is not there. */
void *map_get(const Map *map, const char *key);
/* Replaces what was there. The key is not copied. */
void map_set(Map *map, const char *key, void *value);

#endif
