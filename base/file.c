/* Whole files in and out; see file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int descriptor, char *bytes, size_t wanted, size_t *got)
{
    *got = 0;
    while (*got < wanted) {
        ssize_t n = read(descriptor, bytes + *got, wanted - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return true;
}

static char *read_descriptor(Diag *diag, const char *path, int descriptor, size_t *size)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        diag_error(diag, path, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    if (S_ISDIR(status.st_mode)) {
        diag_error(diag, path, "is a folder, not a file");
        return NULL;
    }
    size_t capacity = S_ISREG(status.st_mode) ? (size_t)status.st_size : 0;
    char *bytes = arena_alloc(diag->arena, capacity + 1);
    *size = 0;
    for (;;) { /* one round for a regular file, more for a pipe */
        size_t got;
        if (!read_all(descriptor, bytes + *size, capacity - *size, &got)) {
            diag_error(diag, path, "cannot be read: %s", strerror(errno));
            return NULL;
        }
        *size += got;
        if (*size < capacity || S_ISREG(status.st_mode))
            break;
        capacity = capacity ? capacity * 2 : 65536;
        char *larger = arena_alloc(diag->arena, capacity + 1);
        memcpy(larger, bytes, *size);
        bytes = larger;
    }
    bytes[*size] = '\0';
    return bytes;
}

char *file_read(Diag *diag, const char *path, size_t *size)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        diag_error(diag, path, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    char *bytes = read_descriptor(diag, path, descriptor, size);
    close(descriptor);
    return bytes;
}

static bool write_all(int descriptor, const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = write(descriptor, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static bool write_failed(Diag *diag, const char *path, int descriptor, const char *temporary)
{
    diag_error(diag, path, "cannot be written: %s", strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    if (temporary)
        unlink(temporary);
    return false;
}

bool file_write(Diag *diag, const char *path, const void *bytes, size_t size, bool executable)
{
    if (strcmp(path, "-") == 0) {
        fflush(stdout);
        return write_all(STDOUT_FILENO, bytes, size) ||
               write_failed(diag, "standard output", -1, NULL);
    }
    struct stat status;
    if (stat(path, &status) == 0 &&
        !S_ISREG(status.st_mode)) { /* /dev/null, a pipe: nothing to rename */
        int descriptor = open(path, O_WRONLY | O_CLOEXEC);
        if (descriptor < 0 || !write_all(descriptor, bytes, size))
            return write_failed(diag, path, descriptor, NULL);
        close(descriptor);
        return true;
    }
    char *temporary = arena_print(diag->arena, "%s.%ld.part", path, (long)getpid());
    int descriptor =
        open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, executable ? 0777 : 0666);
    if (descriptor < 0)
        return write_failed(diag, path, -1, NULL);
    if (!write_all(descriptor, bytes, size) || fsync(descriptor) != 0)
        return write_failed(diag, path, descriptor, temporary);
    if (close(descriptor) != 0 || rename(temporary, path) != 0)
        return write_failed(diag, path, -1, temporary);
    return true;
}

bool file_move(Diag *diag, const char *from, const char *path)
{
    struct stat status;
    size_t size;
    char *bytes = file_read(diag, from, &size);
    if (!bytes || stat(from, &status) != 0)
        return false;
    return file_write(diag, path, bytes, size, (status.st_mode & S_IXUSR) != 0);
}

char *folder_create_temporary(Diag *diag)
{
    const char *root = getenv("TMPDIR");
    char *path = arena_print(diag->arena, "%s/ingot-XXXXXX", root && root[0] ? root : "/tmp");
    if (!mkdtemp(path)) {
        diag_error(diag, path, "cannot be created: %s (set TMPDIR to a folder with room)",
                   strerror(errno));
        return NULL;
    }
    return path;
}

void folder_remove(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = folder < 0 ? NULL : fdopendir(folder);
    if (entries) {
        for (struct dirent *entry; (entry = readdir(entries));)
            unlinkat(folder, entry->d_name, 0);
        closedir(entries);
    }
    rmdir(path);
}
