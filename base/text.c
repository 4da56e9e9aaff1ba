/* Text that grows at its end; see text.h. */
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

Text text_create(Arena *arena)
{
    Text text = {.arena = arena, .capacity = 256};
    text.data = arena_alloc(arena, text.capacity);
    return text;
}

void text_add_bytes(Text *text, const char *bytes, size_t size)
{
    if (text->length + size + 1 > text->capacity) {
        while (text->length + size + 1 > text->capacity)
            text->capacity *= 2;
        char *larger = arena_alloc(text->arena, text->capacity);
        memcpy(larger, text->data, text->length);
        text->data = larger;
    }
    memcpy(text->data + text->length, bytes, size);
    text->length += size;
    text->data[text->length] = '\0';
}

void text_add(Text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_print(Text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *printed = arena_print_list(text->arena, format, arguments);
    va_end(arguments);
    text_add(text, printed);
}
