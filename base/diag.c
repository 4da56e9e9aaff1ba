/* Collects and prints errors; finds the nearest known name. See diag.h. */
#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

Diag *diag_create(Arena *arena)
{
    Diag *diag = ARENA_NEW(arena, Diag);
    diag->arena = arena;
    diag->limit = diag->capacity = DIAG_LIMIT;
    diag->messages = ARENA_ARRAY(arena, const char *, DIAG_LIMIT);
    return diag;
}

bool diag_error(Diag *diag, const char *place, const char *format, ...)
{
    if (diag->error_count++ >= diag->limit)
        return false;
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_print_list(diag->arena, format, arguments);
    va_end(arguments);
    if (place && place[0])
        message = arena_print(diag->arena, "%s: %s", place, message);
    diag->messages =
        arena_grow(diag->arena, diag->messages, diag->kept, &diag->capacity, sizeof message);
    diag->messages[diag->kept++] = message;
    return false;
}

bool diag_ok(const Diag *diag)
{
    return diag->error_count == 0;
}

void diag_print(const Diag *diag, FILE *stream)
{
    for (int i = 0; i < diag->kept; i++)
        fprintf(stream, "%s\n", diag->messages[i]);
    if (diag->error_count > diag->kept)
        fprintf(stream, "… and %d more errors\n", diag->error_count - diag->kept);
}

void diag_bug(const char *file, int line, const char *format, ...)
{
    fprintf(stderr, "ingot: %s:%d: this is a bug in Ingot: ", file, line);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

/* Optimal string alignment distance: insert, delete, replace, swap neighbours (Damerau 1964). */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    int rows = (int)strnlen(a, LONGEST), columns = (int)strnlen(b, LONGEST);
    int table[3][LONGEST + 2];
    for (int j = 0; j <= columns; j++)
        table[0][j] = j;
    for (int i = 1; i <= rows; i++) {
        int *row = table[i % 3];
        const int *above = table[(i + 2) % 3], *above2 = table[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= columns; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = above2[j - 2] + 1 < best ? above2[j - 2] + 1 : best;
            row[j] = best;
        }
    }
    return table[rows % 3][columns];
}

const char *nearest_name(const char *word, const char *const *names, int count)
{
    const char *best = NULL;
    int best_distance = (int)strlen(word) / 3 + 2; /* further away is no help */
    for (int i = 0; i < count; i++) {
        if (!names[i])
            continue;
        int distance = edit_distance(word, names[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = names[i];
        }
    }
    return best;
}
