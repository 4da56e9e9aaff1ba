/* From texts to pointers, in the order in which they were added. Lives in an arena; keys are not
 * copied. */
#ifndef INGOT_BASE_MAP_H
#define INGOT_BASE_MAP_H

#include "base/arena.h"

typedef struct MapEntry {
    const char *key;
    void *value;
} MapEntry;

typedef struct Map { /* all zeros: empty */
    MapEntry *entries;
    int count, capacity;
    int *slots; /* number of an entry plus 1; 0: free */
    int slot_count;
} Map;

/* The value of `key`; NULL when it has none. */
void *map_get(const Map *map, const char *key);
/* Where that value is kept, to be changed: NULL at first. Good until the next call. */
void **map_place(Map *map, Arena *arena, const char *key);

#endif
