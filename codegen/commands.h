/* Which commands the command line of a standalone program consists of. */
#ifndef INGOT_CODEGEN_COMMANDS_H
#define INGOT_CODEGEN_COMMANDS_H

#include "ir/graph.h"

/* The functions of the runtime that are linked into a program only if its model can use them
 * (runtime/linked_commands.h), by name; NULL ends the list. */
const char *const *commands_linked(Arena *arena, const Program *program);

#endif
