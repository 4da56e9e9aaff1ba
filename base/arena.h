/* Memory of one compilation: allocate, never free, drop all at once.
 *
 * A compiler's data lives exactly as long as the compilation (or one pass of it), so there is one
 * arena for each and no reference counts. Running out of memory ends the program with exit code 3:
 * a compiler has nothing better to do then. An arena belongs to one thread at a time. */
#ifndef INGOT_BASE_ARENA_H
#define INGOT_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_create(void);
void arena_destroy(Arena *arena);
/* Gives up all that lies in it; what it has of memory is for what comes. */
void arena_clear(Arena *arena);

/* Zeroed bytes, aligned to 64 so that constants can be handed to vector code. Size 0 is allowed. */
void *arena_alloc(Arena *arena, size_t size);
/* count * size bytes; a product that overflows ends the program like running out of memory. */
void *arena_alloc_array(Arena *arena, size_t count, size_t size);

char *arena_copy_text(Arena *arena, const char *text);
char *arena_copy_bytes(Arena *arena, const void *bytes, size_t size); /* adds a NUL */
char *arena_print(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_print_list(Arena *arena, const char *format, va_list arguments);

#define ARENA_NEW(arena, Type) ((Type *)arena_alloc((arena), sizeof(Type)))
#define ARENA_ARRAY(arena, Type, count)                                                            \
    ((Type *)arena_alloc_array((arena), (size_t)(count), sizeof(Type)))

/* Grows an array kept in an arena to hold one more element than `count`; the old copy is abandoned.
 * Use: list = arena_grow(arena, list, count, &capacity, sizeof *list); list[count++] = x; */
void *arena_grow(Arena *arena, void *list, int count, int *capacity, size_t size);

#endif
