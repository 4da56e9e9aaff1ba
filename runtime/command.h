/* The command line of a standalone model: what its commands share. */
#ifndef INGOT_RUNTIME_COMMAND_H
#define INGOT_RUNTIME_COMMAND_H

#include "runtime/system.h"

#include "runtime/failure.h"
#include "runtime/instance.h"
#include "runtime/options.h"

#include <limits.h>
#include <stdio.h>

/* Exit codes besides 0; 128 + number of the signal when stopped by one. */
enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct Command Command;

typedef struct CommandRow {
    const char *name;             /* NULL ends a list */
    int (*run)(Command *command); /* NULL: not linked, since the model lacks what it needs */
    const char *needs;            /* a function of the model, or NULL */
    const char *help;
} CommandRow;

struct Command {
    const IngotModel *model;
    const CommandRow *rows; /* of all commands there are */
    const char *program;    /* what the user calls it: "./digits" */
    const char *name;       /* "train" */
    char folder[PATH_MAX]; /* where the program's file is: data and weights are looked for there too
                            */
    int argc;              /* arguments after the command's name */
    char **argv;
    Failure failure;
};

/* main() of a standalone model with these commands. Returns its exit code. */
int ingot_main(const IngotModel *model, const CommandRow *rows, int argc, char **argv);

int command_train(Command *command);
int command_evaluate(Command *command);
int command_infer(Command *command);
int command_bench(Command *command);
int command_info(Command *command);
/* `infer --show`: draws this row of the first input that is a picture. */
struct Dataset;
bool command_show_picture(Command *command, const struct Dataset *data, int64_t row);
struct IngotProfile;
int command_profile(Command *command, const struct IngotProfile *profile);

/* "digits: …" on stderr from command->failure; returns EXIT_FAILED. */
int command_failed(Command *command);
/* The same for a mistake on the command line, with a hint at --help; returns EXIT_USAGE. */
int command_misused(Command *command);
/* The help of one command on stdout; returns 0. */
int command_help(const Command *command, const char *usage, const char *what, const Option *table);
/* Says so when the model was built without this function. */
bool command_has(Command *command, const char *function);

/* A new instance with weights from `weights`, or (NULL) from inside the program or from the file
 * beside it. NULL after a failure, which is in command->failure. `fresh` tells whether the weights
 * are neither: just initialised. */
IngotInstance *command_open(Command *command, int64_t threads, const char *weights, bool *fresh);

/* A path from the recipe, within `folder` (NULL: as it is), with or without ".gz". False when there
 * is no such file. */
bool command_find_file(const char *folder, const char *path, char found[PATH_MAX]);

/* Seconds on a clock that never jumps. */
double command_seconds(void);
/* 1797 as "1,797"; text has room for it. */
const char *command_number(int64_t number, char text[32]);
/* 9000000 as "8.6 MiB". */
const char *command_bytes(int64_t bytes, char text[32]);

#endif
