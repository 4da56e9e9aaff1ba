/* Questions about the terminal; see terminal.h. */
#include "runtime/system.h"

#include "runtime/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_is_live(int descriptor)
{
    const char *kind = getenv("TERM");
    return isatty(descriptor) && !(kind && strcmp(kind, "dumb") == 0);
}

bool terminal_has_colour(int descriptor)
{
    const char *refused = getenv("NO_COLOR");
    return terminal_is_live(descriptor) && !(refused && *refused);
}

bool terminal_has_unicode(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *locale = getenv(names[i]);
        if (!locale || !*locale)
            continue;
        const char *code = strchr(locale, '.');
        return code &&
               (strncasecmp(code + 1, "UTF-8", 5) == 0 || strncasecmp(code + 1, "UTF8", 4) == 0);
    }
    return true; /* nothing is said, as in a fresh container: terminals of today can */
}

int terminal_columns(int descriptor)
{
    struct winsize size;
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
