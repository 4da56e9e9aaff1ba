/* Most numbers in a table are short: up to fifteen digits and a small exponent. Those are exact in
 * one multiplication or division of doubles (Clinger 1990); all others go to strtod() through a
 * copy that ends in NUL. */
#include "runtime/system.h"

#include "runtime/number.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool parse_slowly(const char *at, const char *end, double *value)
{
    char copy[1024], *stop;
    size_t length = (size_t)(end - at);
    if (length == 0 || length >= sizeof copy || memchr(at, '\0', length))
        return false;
    if ((*at == ' ' || *at == '\t') || memchr(at, 'x', length) || memchr(at, 'X', length))
        return false; /* strtod would skip the one and read the other as hexadecimal */
    memcpy(copy, at, length);
    copy[length] = '\0';
    *value = strtod(copy, &stop);
    return *stop == '\0';
}

bool number_parse(const char *at, const char *end, double *value)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11};
    const char *c = at;
    bool negative = c < end && *c == '-';
    c += negative;
    uint64_t digits = 0;
    int count = 0, after_point = 0;
    bool point = false;
    for (; c < end; c++) {
        if (*c == '.' && !point) {
            point = true;
            continue;
        }
        if (*c < '0' || *c > '9' || ++count > 15)
            return parse_slowly(at, end, value);
        digits = digits * 10 + (uint64_t)(*c - '0');
        after_point += point;
    }
    if (count == 0)
        return false;
    if (after_point > 11)
        return parse_slowly(at, end, value);
    double result = (double)digits / powers[after_point];
    *value = negative ? -result : result;
    return true;
}
