/* Parsing of options; see options.h. Small on purpose: getopt_long() cannot suggest the nearest
 * name and keeps its state in globals. */
#include "runtime/system.h"

#include "runtime/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 40 };

/* Levenshtein's distance: letters to insert, delete or replace. */
static int distance(const char *a, const char *b)
{
    int row[LONGEST_WORD + 1];
    int a_length = (int)strlen(a), b_length = (int)strlen(b);
    if (a_length > LONGEST_WORD || b_length > LONGEST_WORD)
        return LONGEST_WORD;
    for (int j = 0; j <= b_length; j++)
        row[j] = j;
    for (int i = 1; i <= a_length; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b_length];
}

const char *options_nearest(const char *word, const char *const *candidates, int count)
{
    const char *nearest = NULL;
    int least = (int)strlen(word) / 3 + 1;
    least = least > 4 ? 4 : least;
    for (int i = 0; i < count; i++) {
        int d = distance(word, candidates[i]);
        if (d > least || (nearest && d == least))
            continue;
        least = d;
        nearest = candidates[i];
    }
    return nearest;
}

static int fail_unknown(Options *options, const char *argument, size_t length)
{
    const char *names[32];
    char word[LONGEST_WORD + 1];
    int count = 0;
    if (argument[0] != '-') {
        ingot_fail(options->failure, "unexpected argument \"%s\"", argument);
        return OPTIONS_BAD;
    }
    for (; options->table[count].name && count < 31; count++)
        names[count] = options->table[count].name;
    names[count++] = "--help";
    snprintf(word, sizeof word, "%.*s", (int)length, argument);
    const char *nearest = options_nearest(word, names, count);
    if (nearest)
        ingot_fail(options->failure, "unknown option \"%s\"; did you mean \"%s\"?", word, nearest);
    else
        ingot_fail(options->failure, "unknown option \"%s\"", word);
    return OPTIONS_BAD;
}

int options_next(Options *options)
{
    if (options->at >= options->argc)
        return OPTIONS_DONE;
    const char *argument = options->argv[options->at++];
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
        return OPTIONS_HELP;
    size_t length = strcspn(argument, "=");
    for (int i = 0; options->table[i].name; i++) {
        const Option *option = &options->table[i];
        if (strlen(option->name) != length || memcmp(option->name, argument, length) != 0)
            continue;
        options->name = option->name;
        options->value = argument[length] ? argument + length + 1 : NULL;
        if (!option->value && options->value) {
            ingot_fail(options->failure, "%s takes no value", option->name);
            return OPTIONS_BAD;
        }
        if (option->value && !options->value && options->at < options->argc)
            options->value = options->argv[options->at++];
        if (option->value && (!options->value || !*options->value)) {
            ingot_fail(options->failure, "%s needs a value: %s %s", option->name, option->name,
                       option->value);
            return OPTIONS_BAD;
        }
        return i;
    }
    return fail_unknown(options, argument, length);
}

bool options_whole(Options *options, int64_t low, int64_t high, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(options->value, &end, 10);
    if (*end == '\0' && errno == 0 && value >= low && value <= high) {
        *number = value;
        return true;
    }
    if (high == INT64_MAX)
        return ingot_fail(options->failure, "%s: \"%s\" is not a whole number from %lld up",
                          options->name, options->value, (long long)low);
    return ingot_fail(options->failure, "%s: \"%s\" is not a whole number from %lld to %lld",
                      options->name, options->value, (long long)low, (long long)high);
}

bool options_seed(Options *options, uint64_t *seed)
{
    char *end;
    errno = 0;
    *seed = strtoull(options->value, &end, 10);
    if (*end == '\0' && errno == 0 && options->value[0] >= '0' && options->value[0] <= '9')
        return true;
    return ingot_fail(options->failure, "%s: \"%s\" is not a whole number from 0 to %llu",
                      options->name, options->value, (unsigned long long)UINT64_MAX);
}

bool options_positive(Options *options, double *number)
{
    char *end;
    *number = strtod(options->value, &end);
    if (*end == '\0' && isfinite(*number) && *number > 0)
        return true;
    return ingot_fail(options->failure, "%s: \"%s\" is not a number above 0", options->name,
                      options->value);
}

void options_print_help(const Option *table)
{
    printf("\nOptions:\n");
    for (; table->name; table++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", table->name, table->value ? " " : "",
                 table->value ? table->value : "");
        printf("  %-26s %s\n", left, table->help);
    }
    printf("  %-26s %s\n", "--help", "show this");
}
