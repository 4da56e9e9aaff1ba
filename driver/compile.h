/* The way from a model description to a module of kernels, shared by all commands:
 * read → gradients and optimizer (with --train) → passes of the tensor level → lowering. */
#ifndef INGOT_DRIVER_COMPILE_H
#define INGOT_DRIVER_COMPILE_H

#include "driver/options.h"
#include "frontend/model.h"
#include "ir/nest.h"

/* How far a compilation goes. */
typedef enum Level { LEVEL_GRAPH, LEVEL_NEST } Level;

typedef struct Compilation {
    Arena *arena;
    Diag *diag;
    const Options *options;
    Model *model;
    Module module;  /* after LEVEL_NEST */
    bool optimized; /* compile_optimizer() has run */
    bool stopped;   /* --stop-after named a stage that has been passed */
} Compilation;

/* All of it; false when options->diag has got an error. */
bool compile_model(Compilation *compilation, const Options *options, Level level);
/* The parts of it, for who wants to do something in between. compile_rest() is optimizer, passes
 * and lowering. */
bool compile_read(Compilation *compilation, const Options *options);
bool compile_optimizer(Compilation *compilation);
bool compile_rest(Compilation *compilation, Level level);

/* What codegen wants to know, from options and model. */
CodegenOptions compile_codegen_options(const Compilation *compilation);

/* Seconds since some fixed moment. */
double compile_clock(void);
/* With --time-passes, prints how long the stage took that began at `start`. */
void compile_report_time(const Options *options, const char *stage, double start);

#endif
