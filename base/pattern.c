/* Names with stars in them; see pattern.h. */
#include "base/pattern.h"

#include <stddef.h>

bool pattern_matches(const char *pattern, const char *name)
{
    const char *star = NULL,
               *resume = NULL; /* the last star and where in the name it stopped taking text */
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (*pattern == *name) {
            pattern++, name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
