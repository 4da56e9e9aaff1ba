/* Temporary file, sync, rename; see atomic_file.h. The order matters: without the first fsync a
 * crash can leave the new name with empty content; without the folder's, the old name may come
 * back. */
#include "runtime/system.h"

#include "runtime/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *remedy(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return "; free some room or choose another place";
    case ENOENT:
    case ENOTDIR:
        return "; create the folder first";
    case EACCES:
    case EPERM:
    case EROFS:
        return "; choose a place you may write to";
    default:
        return "";
    }
}

static bool give_up(AtomicFile *file, Failure *failure)
{
    int error = errno;
    ingot_atomic_abandon(file);
    ingot_fail(failure, "%s: cannot be written: %s%s", file->shown, strerror(error), remedy(error));
    errno = error;
    return false;
}

void ingot_atomic_abandon(AtomicFile *file)
{
    int error = errno;
    if (file->descriptor >= 0) {
        close(file->descriptor);
        if (!file->direct)
            unlink(file->temporary);
    }
    file->descriptor = -1;
    errno = error;
}

/* A name beside the path that nobody uses yet: "path.PID-N.part". */
static bool create_temporary(AtomicFile *file)
{
    for (int attempt = 0; attempt < 1000; attempt++) {
        int length = snprintf(file->temporary, sizeof file->temporary, "%s.%ld-%d.part", file->path,
                              (long)getpid(), attempt);
        if (length < 0 || (size_t)length >= sizeof file->temporary) {
            errno = ENAMETOOLONG;
            return false;
        }
        file->descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor >= 0 || errno != EEXIST)
            return file->descriptor >= 0;
    }
    return false;
}

bool ingot_atomic_begin(AtomicFile *file, const char *path, Failure *failure)
{
    file->descriptor = -1;
    file->direct = false;
    file->shown = path;
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return ingot_fail(failure, "%s: is a folder; name a file in it", path);
    }
    if (exists && !S_ISREG(status.st_mode)) {
        file->direct = true;
        file->descriptor = open(path, O_WRONLY | O_CLOEXEC);
        return file->descriptor >= 0 || give_up(file, failure);
    }
    if (!exists || !realpath(path, file->path)) {
        if (strlen(path) >= sizeof file->path) {
            errno = ENAMETOOLONG;
            return give_up(file, failure);
        }
        strcpy(file->path, path);
    }
    return create_temporary(file) || give_up(file, failure);
}

bool ingot_atomic_append(AtomicFile *file, const void *bytes, size_t size, Failure *failure)
{
    const char *from = bytes;
    while (size) {
        size_t part = size < ((size_t)1 << 30) ? size : (size_t)1 << 30;
        ssize_t wrote = write(file->descriptor, from, part);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return give_up(file, failure);
        from += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

/* Makes the rename itself last. Some file systems cannot sync a folder; that is no failure. */
static void sync_folder(AtomicFile *file)
{
    char *slash = strrchr(file->path, '/');
    const char *folder = ".";
    if (slash) {
        slash[slash == file->path] = '\0';
        folder = file->path;
    }
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    fsync(descriptor);
    close(descriptor);
}

bool ingot_atomic_commit(AtomicFile *file, Failure *failure)
{
    if (fsync(file->descriptor) != 0 && !(file->direct && (errno == EINVAL || errno == EROFS)))
        return give_up(file, failure);
    int descriptor = file->descriptor;
    file->descriptor = -1;
    bool closed = close(descriptor) == 0;
    if (file->direct)
        return closed || give_up(file, failure);
    if (!closed || rename(file->temporary, file->path) != 0) {
        int error = errno;
        unlink(file->temporary);
        errno = error;
        return give_up(file, failure);
    }
    sync_folder(file);
    return true;
}
