/* Options of a command line: one table serves parsing, suggestions and help. */
#ifndef INGOT_RUNTIME_OPTIONS_H
#define INGOT_RUNTIME_OPTIONS_H

#include "runtime/failure.h"

#include <stdint.h>

typedef struct Option {
    const char *name;  /* "--epochs"; NULL ends a table */
    const char *value; /* "N"; NULL: a flag without value */
    const char *help;
} Option;

typedef struct Options {
    const Option *table;
    int argc;
    char **argv;
    int at;            /* the next argument to look at */
    const char *value; /* of the option last returned */
    const char *name;
    Failure *failure;
} Options;

enum { OPTIONS_DONE = -1, OPTIONS_BAD = -2, OPTIONS_HELP = -3 };

/* The next option as its index in the table, or one of the above. "--name value" and "--name=value"
 * are the same; "--" is no option here, since no command takes arguments. */
int options_next(Options *options);

/* The value as a whole number from low to high, or as a number above zero; false with a message. */
bool options_whole(Options *options, int64_t low, int64_t high, int64_t *number);
bool options_seed(Options *options, uint64_t *seed);
bool options_positive(Options *options, double *number);

/* The candidate closest to `word` if it is close enough to be what was meant, else NULL. */
const char *options_nearest(const char *word, const char *const *candidates, int count);

void options_print_help(const Option *table);

#endif
