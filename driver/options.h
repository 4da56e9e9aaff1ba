/* The command line of `ingot`: one table of options, from which parsing, checking and help are
 * made. */
#ifndef INGOT_DRIVER_OPTIONS_H
#define INGOT_DRIVER_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "base/diag.h"
#include "base/target.h"
#include "codegen/codegen.h"
#include "frontend/model.h"

typedef enum Command {
    COMMAND_NONE = 0,
    COMMAND_BUILD = 1,
    COMMAND_INSPECT = 2,
    COMMAND_CHECK = 4,
    COMMAND_HELP = 8,
    COMMAND_VERSION = 16,
    COMMAND_PROFILE = 32,
} Command;

/* What a build stops at: a text form of our own, or something codegen makes. */
typedef enum Stop { STOP_AT_CODE, STOP_AT_GRAPH, STOP_AT_NEST } Stop;

enum { BATCH_LIMIT = 16 };

typedef struct Options {
    Arena *arena;
    Diag *diag;
    Command command;
    Command help_about; /* COMMAND_NONE: all of it */
    const char *model;
    const char *recipe; /* of an ONNX model: how to train it; NULL: not given */
    Bindings *bindings; /* of an ONNX model's open ends */
    const char *output; /* NULL: the default of the command */
    Stop stop;
    EmitKind emit;
    bool train;
    bool gradients; /* check: with respect to the inputs, too */
    bool freeze;
    bool direct_convolutions;
    const char *triple, *cpu;
    Target target;
    int64_t batches[BATCH_LIMIT]; /* ascending, each once */
    int batch_count;
    bool batches_given;  /* by the user */
    int64_t train_batch; /* 0: the recipe's */
    ThreadKind threads;
    bool weights_beside;
    bool static_libc;
    const char *print_after, *stop_after;
    bool time_passes;
    int jobs;
    uint64_t seed;
    bool profile; /* build: what is made measures itself */
    /* `ingot profile`: handed to the program that it builds, as they are; NULL: not given */
    const char *function, *thread_count, *seconds;
    bool json;
} Options;

/* Fills `options`; false and errors in options->diag when the command line makes no sense. */
bool options_read(Options *options, int count, char **words);

/* Help for one command, or with COMMAND_NONE the overview. */
void options_help(FILE *stream, Command command);

#endif
