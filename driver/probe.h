/* Runs a compiled model on given numbers, on this machine or under an emulator of its target. */
#ifndef INGOT_DRIVER_PROBE_H
#define INGOT_DRIVER_PROBE_H

#include "driver/compile.h"

typedef struct Probe {
    Diag *diag;
    const Target *target;
    const char *folder;   /* temporary */
    const char *program;  /* in it */
    const char *emulator; /* "qemu-aarch64", or NULL */
} Probe;

/* Links the compilation's module into a probe. After a failure probe_remove() may be called or not.
 */
bool probe_create(Probe *probe, const Compilation *compilation);

/* Runs one call, as written down in driver/probe/probe.c, with `threads` threads. `*results` and
 * `*size` receive all that came out, in `arena`. */
bool probe_run(const Probe *probe, Arena *arena, const void *call, size_t call_size, int threads,
               char **results, size_t *size);

void probe_remove(const Probe *probe);

#endif
