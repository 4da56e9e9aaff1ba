/* One text buffer for the reason of a failure; see failure.h. Nothing is allocated, so the report
 * of "out of memory" takes the same way as any other. */
#include "runtime/system.h"

#include "runtime/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

bool ingot_fail(Failure *failure, const char *format, ...)
{
    int saved = errno;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    errno = saved;
    return false;
}
