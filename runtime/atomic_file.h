/* Writing a file so that whoever reads the path finds the old content or the new, never a part.
 *
 * The bytes go to a new file in the same folder, which is synced and then renamed over the path,
 * and the folder is synced. A path that is no regular file (a device, a pipe) is written directly,
 * since a rename would replace it. Nothing is allocated. */
#ifndef INGOT_RUNTIME_ATOMIC_FILE_H
#define INGOT_RUNTIME_ATOMIC_FILE_H

#include "runtime/system.h"

#include "runtime/failure.h"

#include <limits.h>

typedef struct AtomicFile {
    int descriptor; /* -1: not open */
    bool direct;
    char path[PATH_MAX]; /* links resolved, so that a link stays one */
    char temporary[PATH_MAX];
    const char *shown; /* the path as the caller named it, for messages; must outlive this */
} AtomicFile;

/* Each returns false after a failure; the temporary file is gone then, `file` is closed and errno
 * says why. */
bool ingot_atomic_begin(AtomicFile *file, const char *path, Failure *failure);
bool ingot_atomic_append(AtomicFile *file, const void *bytes, size_t size, Failure *failure);
bool ingot_atomic_commit(AtomicFile *file, Failure *failure);
/* Gives up: leaves the path as it was. Allowed on a file that is closed. */
void ingot_atomic_abandon(AtomicFile *file);

#endif
