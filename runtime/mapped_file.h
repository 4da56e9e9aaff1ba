/* A file as read-only memory, without copying it. */
#ifndef INGOT_RUNTIME_MAPPED_FILE_H
#define INGOT_RUNTIME_MAPPED_FILE_H

#include "runtime/failure.h"

#include <stdint.h>

typedef struct MappedFile {
    const unsigned char *bytes; /* NULL only when size is 0 */
    size_t size;
} MappedFile;

/* False, with errno set, when the file cannot be opened or is no regular file. */
bool ingot_map_file(MappedFile *file, const char *path, Failure *failure);
void ingot_unmap_file(MappedFile *file); /* safe to call twice, and on a zeroed one */

#endif
