/* What codegen_write() is made of, for `ingot check`, which links another main program. */
#ifndef INGOT_CODEGEN_LINK_H
#define INGOT_CODEGEN_LINK_H

#include "codegen/codegen.h"

/* Compiles `module` and links it with the runtime and `main_object` (a file of the runtime's
 * folder: "main.o", "probe.o") into a program at `path`, whole or not at all. */
bool link_program(const Module *module, const CodegenOptions *options, const char *main_object,
                  const char *path);

/* `path` with the ending `suffix` (".so") in place of `old`, or behind it where it does not end so.
 */
const char *path_with_suffix(Arena *arena, const char *path, const char *old, const char *suffix);

#endif
