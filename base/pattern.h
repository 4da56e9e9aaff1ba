/* Names with stars in them: "encoder.*", "*.bias". */
#ifndef INGOT_BASE_PATTERN_H
#define INGOT_BASE_PATTERN_H

#include <stdbool.h>

/* '*' stands for any text, also none; everything else for itself. Time is linear in practice and at
 * most the product of both lengths. */
bool pattern_matches(const char *pattern, const char *name);

#endif
