/* The programs and files that turn objects into something to run: the C compiler driver of the
 * target as linker, binutils, and the runtime's archive. */
#ifndef INGOT_CODEGEN_TOOLCHAIN_H
#define INGOT_CODEGEN_TOOLCHAIN_H

#include "base/diag.h"
#include "base/target.h"

enum { COMPILER_WORDS = 8 };

typedef struct Toolchain {
    const Target *target;
    const char *runtime; /* folder of libingot_runtime.a, main.o, team_*.o for the target */
    const char *compiler[COMPILER_WORDS]; /* "aarch64-linux-gnu-gcc", or the words of $CC */
    int compiler_words;
    const char *objcopy, *archiver;
} Toolchain;

/* Finds all of it; an error names what is missing and Debian's package that has it.
 *
 * The runtime is looked for in $INGOT_HOME/TRIPLE, and then relative to this executable: in
 * runtime/TRIPLE where it was built, ../lib/ingot/TRIPLE where it was installed. */
bool toolchain_find(Arena *arena, Diag *diag, const Target *target, Toolchain *toolchain);

/* A file of the runtime's folder, "main.o". */
const char *toolchain_file(Arena *arena, const Toolchain *toolchain, const char *name);

/* Is there an executable of this name, by $PATH unless it has a slash? */
bool toolchain_has_program(Arena *arena, const char *name);

/* Runs a program and waits. `words` ends with NULL. False and an error that begins with `place`
 * and `what` ("cannot be linked") and quotes what the program wrote to standard error, when it
 * fails. */
bool toolchain_run(Diag *diag, const char *place, const char *what, const char *const *words);

/* The same, but what it writes goes where ours goes, and *code receives its exit code (128 + n when
 * signal n ended it). False and an error when it cannot be started. */
bool toolchain_show(Diag *diag, const char *place, const char *what, const char *const *words,
                    int *code);

#endif
