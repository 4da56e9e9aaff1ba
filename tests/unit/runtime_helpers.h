/* Temporary files and comparisons for the tests of the runtime. Each test runs in a process and a
 * folder of its own. */
#ifndef INGOT_TESTS_RUNTIME_HELPERS_H
#define INGOT_TESTS_RUNTIME_HELPERS_H

#include "runtime/system.h"

#include "runtime/failure.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Makes a new folder and moves into it. */
static inline void enter_folder(void)
{
    char folder[] = "/tmp/ingot-test-XXXXXX";
    cr_assert(mkdtemp(folder) && chdir(folder) == 0);
}

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static inline void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

/* The whole file, with a NUL behind it; the caller frees it. */
static inline char *read_bytes(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s is not there", path);
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)length + 1);
    cr_assert(bytes && fread(bytes, 1, (size_t)length, file) == (size_t)length);
    bytes[length] = '\0';
    fclose(file);
    if (size)
        *size = (size_t)length;
    return bytes;
}

/* Files in the current folder whose name contains `part`. */
static inline int count_files(const char *part)
{
    int count = 0;
    DIR *folder = opendir(".");
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strstr(entry->d_name, part) != NULL;
    closedir(folder);
    return count;
}

#define CHECK_TEXT(have, want) cr_assert_str_eq(have, want, "have: %s\nwant: %s", have, want)

#endif
