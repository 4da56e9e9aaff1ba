/* Errors for people: a place, a reason and, where there is one, a remedy.
 *
 *     digits.json: layers[3].conv2d.kernel: 9 is larger than the padded input, which is 8 high
 *
 * Functions that can fail return false (or NULL) and take a Diag. Up to DIAG_LIMIT errors are kept,
 * or as many as Diag.limit says; further ones are counted. A broken invariant of our own is no
 * diagnostic: see INGOT_BUG. */
#ifndef INGOT_BASE_DIAG_H
#define INGOT_BASE_DIAG_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"

enum { DIAG_LIMIT = 20 };

typedef struct Diag {
    Arena *arena;
    const char **messages;
    int kept, capacity, limit; /* messages that are kept, at most `limit`, DIAG_LIMIT as created */
    int error_count;           /* all of them, kept or not */
} Diag;

Diag *diag_create(Arena *arena);

/* `place` may be NULL or "": then the message stands alone. Never ends with a newline. Always
 * returns false, so that `return diag_error(…)` reads well. */
bool diag_error(Diag *diag, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool diag_ok(const Diag *diag);
/* One line each, "ingot: " not prefixed. */
void diag_print(const Diag *diag, FILE *stream);

/* Ours, not the user's: prints file:line and what broke, exits 2. */
#define INGOT_BUG(...) diag_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void diag_bug(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of `names` (count of them, NULLs skipped), the one a person most likely meant by `word`; NULL
 * when none is near. */
const char *nearest_name(const char *word, const char *const *names, int count);

#endif
