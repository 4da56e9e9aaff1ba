/* A standalone model: the descriptor that the compiler made, and its command line. */
#include "runtime/system.h"

#include "runtime/command.h"
#include "runtime/linked_commands.h"

extern const IngotModel ingot_descriptor __attribute__((visibility("hidden")));

static const CommandRow commands[] = {
#include "runtime/commands.def"
    {NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    return ingot_main(&ingot_descriptor, commands, argc, argv);
}
