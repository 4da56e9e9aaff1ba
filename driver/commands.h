/* The commands of `ingot`. Each prints its result, leaves errors in options->diag, and returns the
 * exit code it wants when there are none: 0, or 1 when it found a difference. */
#ifndef INGOT_DRIVER_COMMANDS_H
#define INGOT_DRIVER_COMMANDS_H

#include "driver/options.h"

int command_build(const Options *options);
int command_inspect(const Options *options);
int command_check(const Options *options);
int command_profile(const Options *options);

#endif
