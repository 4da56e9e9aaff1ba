/* What the terminal can show. */
#ifndef INGOT_RUNTIME_TERMINAL_H
#define INGOT_RUNTIME_TERMINAL_H

#include <stdbool.h>

/* A person watches this descriptor, and its cursor can be moved. */
bool terminal_is_live(int descriptor);
/* Colours are wanted: a live terminal, and NO_COLOR is not set (https://no-color.org). */
bool terminal_has_colour(int descriptor);
/* Characters outside ASCII may be printed: unless the locale is set to something that lacks them.
 */
bool terminal_has_unicode(void);
int terminal_columns(int descriptor); /* 80 when nobody knows */

#endif
