/* Text that grows at its end. Lives in an arena. */
#ifndef INGOT_BASE_TEXT_H
#define INGOT_BASE_TEXT_H

#include "base/arena.h"

typedef struct Text {
    Arena *arena;
    char *data; /* always NUL-terminated once created */
    size_t length;
    size_t capacity;
} Text;

Text text_create(Arena *arena);
void text_add(Text *text, const char *string);
void text_add_bytes(Text *text, const char *bytes, size_t size);
void text_print(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
