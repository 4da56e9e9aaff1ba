/* Names that frontends make; see names.h. */
#include "frontend/names.h"

#include <stdbool.h>
#include <string.h>

const char *name_of_file(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *stem = arena_copy_text(arena, slash ? slash + 1 : path);
    char *dot = strrchr(stem, '.');
    if (dot && dot != stem)
        *dot = '\0';
    for (char *c = stem; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!letter && (*c < '0' || *c > '9' || c == stem))
            *c = '_';
    }
    return stem;
}
