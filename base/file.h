/* Whole files in and out. */
#ifndef INGOT_BASE_FILE_H
#define INGOT_BASE_FILE_H

#include <stdbool.h>

#include "base/diag.h"

/* The file's bytes with a NUL behind them, in the arena of `diag`; NULL and an error otherwise.
 * A folder, or anything else that is not a regular file or a pipe, is refused. */
char *file_read(Diag *diag, const char *path, size_t *size);

/* Writes to a temporary file beside `path`, syncs it and renames it, so that `path` is the old or
 * the new file whole. "-" is standard output. `executable` gives it mode 0777 less the umask, else
 * 0666. */
bool file_write(Diag *diag, const char *path, const void *bytes, size_t size, bool executable);

/* Moves the finished file `from` to `path` (same file system preferred; else copies), as file_write
 * does. */
bool file_move(Diag *diag, const char *from, const char *path);

/* A new empty folder for intermediate files; NULL and an error otherwise. folder_remove() takes it
 * and the plain files in it away. */
char *folder_create_temporary(Diag *diag);
void folder_remove(const char *path);

#endif
