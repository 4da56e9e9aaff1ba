/* A standalone model built with --profile: main.c with one command more. */
#include "runtime/system.h"

#include "runtime/command.h"
#include "runtime/linked_commands.h"
#include "runtime/profile.h"

extern const IngotProfile ingot_profile_descriptor __attribute__((visibility("hidden")));

static int run_profile(Command *command)
{
    return command_profile(command, &ingot_profile_descriptor);
}

static const CommandRow commands[] = {
#include "runtime/commands.def"
    {"profile", run_profile, NULL, "where the time goes, kernel by kernel"},
    {NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    return ingot_main(ingot_profile_descriptor.model, commands, argc, argv);
}
