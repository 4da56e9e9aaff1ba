/* First values of states: how the description names them and how the graph makes them. */
#ifndef INGOT_FRONTEND_INITIALIZER_H
#define INGOT_FRONTEND_INITIALIZER_H

#include "frontend/json.h"
#include "ir/graph.h"

/* In a description: a name, or { "uniform": 0.1 }, { "normal": 0.02 }, { "constant": 0.5 }. */
#define INITIALIZER_NAMES                                                                          \
    "zeros ones constant uniform normal glorot_uniform glorot_normal he_uniform he_normal "        \
    "lecun_normal"

typedef enum InitialKind {
    INITIAL_CONSTANT, /* value */
    INITIAL_UNIFORM,  /* −value … +value */
    INITIAL_NORMAL,   /* deviation value, around 0 */
} InitialKind;

typedef struct Initial {
    State *state;
    InitialKind kind;
    double value;
    double fan_in, fan_out; /* of weights: inputs and outputs of one unit; for an initializer the
                               description names */
} Initial;

static inline Initial initial_constant(double value)
{
    return (Initial){.kind = INITIAL_CONSTANT, .value = value};
}

/* The initializer called `name` for weights with this many inputs and outputs of one unit. */
Initial initial_named(const char *name, double fan_in, double fan_out);
/* What an initializer's JSON says, for the fans already in *initial. */
bool initial_read(Json *json, Initial *initial);

/* Adds the function `initialize(seed: i32[2])`. */
bool initializer_build(Program *program, const Initial *initials, int count);

#endif
