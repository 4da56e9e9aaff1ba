/* A map from texts to pointers, by hashing. Lives in an arena; keys are not copied. */
#ifndef INGOT_BASE_TEXT_MAP_H
#define INGOT_BASE_TEXT_MAP_H

#include "base/arena.h"

typedef struct TextMapEntry {
    const char *key; /* NULL: nothing here */
    void *value;
} TextMapEntry;

typedef struct TextMap { /* all zeros: empty */
    TextMapEntry *entries;
    int count, capacity; /* a power of two */
} TextMap;

/* The value of `key`; NULL when it has none. */
void *text_map_find(const TextMap *map, const char *key);
/* Where that value is kept, to be changed: NULL at first. Good until the next call. */
void **text_map_place(TextMap *map, Arena *arena, const char *key);

#endif
