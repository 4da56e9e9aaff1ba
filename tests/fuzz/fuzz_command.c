/* The command line of a standalone program: the first byte chooses a command, the rest is the file
 * it reads. */
#include "runtime/system.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <unistd.h>

#include "runtime/command.h"
#include "tests/unit/runtime_fake_model.h"

enum { WORDS = 12 };

static const CommandRow rows[] = {
#include "runtime/commands.def"
    {NULL, NULL, NULL, NULL},
};

static const char *const commands[][WORDS] = {
    {"infer", "--threads", "1", "--output", "/dev/null/none", "--input", "FILE"},
    {"evaluate", "--threads", "1", "--data", "FILE"},
    {"train", "--threads", "1", "--quiet", "--epochs", "1", "--save", "/dev/null/none", "--data",
     "FILE"},
    {"evaluate", "--threads", "1", "--data", "/dev/null", "--weights", "FILE"},
    {"infer", "--threads", "1", "--row", "1", "--show", "--input", "pixels=FILE"},
    {"train", "--threads", "1", "--quiet", "--epochs", "1", "--resume", "FILE"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *words[WORDS + 1] = {(char *)"digits"}, named[600];
    int count = 1;
    if (!size)
        return 0;
    const char *const *chosen = commands[data[0] % (sizeof commands / sizeof commands[0])];
    const char *path = fuzz_file("data", data + 1, size - 1);
    for (int i = 0; i < WORDS && chosen[i]; i++) {
        const char *place = strstr(chosen[i], "FILE");
        words[count++] = (char *)(uintptr_t)chosen[i];
        if (!place)
            continue;
        snprintf(named, sizeof named, "%.*s%s", (int)(place - chosen[i]), chosen[i], path);
        words[count - 1] = named;
    }
    int code = ingot_main(&fake_model, rows, count, words);
    fuzz_check(code >= 0 && code <= 2, "an exit code there is none of", NULL);
    return 0;
}
