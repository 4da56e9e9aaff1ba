/* Reading one decimal number out of text that does not end in NUL. */
#ifndef INGOT_RUNTIME_NUMBER_H
#define INGOT_RUNTIME_NUMBER_H

#include <stdbool.h>

/* The number that is all of at … end-1, rounded as strtod() rounds. "nan" and "inf" are numbers
 * here: the caller refuses them with a better reason. False when it is none. */
bool number_parse(const char *at, const char *end, double *value);

#endif
