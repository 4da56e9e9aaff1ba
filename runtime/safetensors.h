/* Reading the header of a safetensors file, entry by entry, without allocating. The text is hostile
 * until proven otherwise. */
#ifndef INGOT_RUNTIME_SAFETENSORS_H
#define INGOT_RUNTIME_SAFETENSORS_H

#include "runtime/failure.h"

#include <stdint.h>

enum { SAFETENSORS_RANK = 16, SAFETENSORS_NAME = 512 };

typedef struct SafetensorsEntry {
    char name[SAFETENSORS_NAME];
    char type_name[16]; /* "F32" */
    int64_t dims[SAFETENSORS_RANK];
    uint64_t begin, end; /* bytes of the data part; begin <= end, checked against nothing else */
    int32_t rank;
    bool metadata; /* no tensor but one of the notes: `name` is its key, `value` its text */
    char value[128];
} SafetensorsEntry;

typedef struct SafetensorsHeader {
    const char *path; /* for messages */
    const char *start, *at, *end;
    Failure *failure;
    bool inside_metadata, metadata_seen;
    bool begun;
} SafetensorsHeader;

enum { SAFETENSORS_BAD = -1, SAFETENSORS_DONE = 0, SAFETENSORS_ENTRY = 1 };

/* The next tensor or note; SAFETENSORS_DONE after the last, SAFETENSORS_BAD with a message
 * otherwise. */
int ingot_safetensors_next(SafetensorsHeader *header, SafetensorsEntry *entry);

#endif
