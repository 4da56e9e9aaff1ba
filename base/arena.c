/* Memory in blocks of at least 1 MiB, chained; see arena.h for the contract. */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
enum { GUARD_BYTES = 16 }; /* behind each piece, so that writing over its end is seen */
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)0)
enum { GUARD_BYTES = 0 };
#endif

enum { ALIGNMENT = 64, BLOCK_BYTES = 1 << 20 };

typedef struct Block {
    struct Block *previous;
    size_t used;
    size_t size;
    char *bytes; /* aligned to ALIGNMENT */
} Block;

struct Arena {
    Block *last;
};

static _Noreturn void out_of_memory(void)
{
    fputs("ingot: out of memory\n", stderr);
    exit(3);
}

Arena *arena_create(void)
{
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        out_of_memory();
    return arena;
}

void arena_destroy(Arena *arena)
{
    if (!arena)
        return;
    for (Block *block = arena->last; block;) {
        Block *previous = block->previous;
        free(block->bytes);
        free(block);
        block = previous;
    }
    free(arena);
}

void arena_clear(Arena *arena)
{
    Block *kept = arena->last;
    if (!kept)
        return;
    for (Block *block = kept->previous; block;) {
        Block *previous = block->previous;
        free(block->bytes);
        free(block);
        block = previous;
    }
    kept->previous = NULL;
    kept->used = 0;
    ASAN_POISON_MEMORY_REGION(kept->bytes, kept->size);
}

static Block *block_create(Block *previous, size_t size)
{
    Block *block = calloc(1, sizeof *block);
    if (!block)
        out_of_memory();
    block->size = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    block->previous = previous;
    block->bytes = aligned_alloc(ALIGNMENT, block->size);
    if (!block->bytes)
        out_of_memory();
    ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
    return block;
}

void *arena_alloc(Arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        out_of_memory();
    size_t guarded = size + GUARD_BYTES;
    size_t rounded = (guarded + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size < ALIGNMENT)
        rounded = (guarded + 15) / 16 * 16; /* small things need no cache line of their own */
    Block *block = arena->last;
    size_t start = block ? block->used : 0;
    if (size >= ALIGNMENT)
        start = (start + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!block || start > block->size || block->size - start < rounded) {
        block = block_create(arena->last, rounded);
        arena->last = block;
        start = 0;
    }
    block->used = start + rounded;
    ASAN_UNPOISON_MEMORY_REGION(block->bytes + start, size);
    return memset(block->bytes + start, 0, size);
}

void *arena_alloc_array(Arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size)
        out_of_memory();
    return arena_alloc(arena, count * size);
}

char *arena_copy_bytes(Arena *arena, const void *bytes, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

char *arena_copy_text(Arena *arena, const char *text)
{
    return arena_copy_bytes(arena, text, strlen(text));
}

char *arena_print_list(Arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        out_of_memory();
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

char *arena_print(Arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_print_list(arena, format, arguments);
    va_end(arguments);
    return text;
}

void *arena_grow(Arena *arena, void *list, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return list;
    int larger = *capacity ? *capacity * 2 : 8;
    void *copy = arena_alloc_array(arena, (size_t)larger, size);
    if (count)
        memcpy(copy, list, (size_t)count * size);
    *capacity = larger;
    return copy;
}
