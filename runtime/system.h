/* Included first by every source of this folder: what it asks of the C library. Files larger than 2
 * GB must work on 32-bit ARM too, and mapping, syncing and signals are POSIX, not C. */
#ifndef INGOT_RUNTIME_SYSTEM_H
#define INGOT_RUNTIME_SYSTEM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#endif
