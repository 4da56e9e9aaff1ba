/* Why something failed, in words for a person: the file, the place in it, the reason, the remedy.
 */
#ifndef INGOT_RUNTIME_FAILURE_H
#define INGOT_RUNTIME_FAILURE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Failure {
    char text[1024]; /* "" while nothing has failed */
} Failure;

/* Writes the text and returns false, so that a function can end with `return ingot_fail(…)`. errno
 * is left as it was. */
bool ingot_fail(Failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
