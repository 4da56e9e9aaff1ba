/* The ingot command: reads the command line, runs one command, prints what went wrong.
 *
 * Exit codes: 0 done; 1 the model or a file of the user is at fault, or a difference was found; 2
 * wrong usage, or a bug of ours. Results go to standard output, everything else to standard error.
 */
#include <signal.h>
#include <stdio.h>

#include <llvm-c/Core.h>

#include "driver/commands.h"

static int print_version(void)
{
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    printf("ingot %s (LLVM %u.%u.%u)\n", INGOT_VERSION, major, minor, patch);
    return 0;
}

static int run(const Options *options)
{
    switch (options->command) {
    case COMMAND_BUILD:
        return command_build(options);
    case COMMAND_INSPECT:
        return command_inspect(options);
    case COMMAND_CHECK:
        return command_check(options);
    case COMMAND_PROFILE:
        return command_profile(options);
    case COMMAND_VERSION:
        return print_version();
    case COMMAND_HELP:
    case COMMAND_NONE:
        break;
    }
    options_help(stdout, options->help_about);
    return 0;
}

int main(int count, char **words)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Options options = {.arena = arena, .diag = diag};
    int code = 2;
    signal(SIGXFSZ,
           SIG_IGN); /* a file at its size limit is an error to report, and to clean up after */
    if (options_read(&options, count - 1, words + 1)) {
        code = run(&options);
        if (fflush(stdout) != 0 || ferror(stdout))
            diag_error(diag, "standard output", "cannot be written");
        if (!diag_ok(diag))
            code = 1;
    }
    diag_print(diag, stderr);
    arena_destroy(arena);
    return code;
}
