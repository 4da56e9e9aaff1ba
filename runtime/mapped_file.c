/* mmap with the checks a person wants to hear about; see mapped_file.h. */
#include "runtime/system.h"

#include "runtime/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool map_descriptor(MappedFile *file, const char *path, int descriptor, Failure *failure)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return ingot_fail(failure, "%s: cannot be read: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return ingot_fail(failure, "%s: is a folder, not a file", path);
    }
    if (!S_ISREG(status.st_mode)) {
        errno = ESPIPE;
        return ingot_fail(failure, "%s: is not a regular file; copy it into one first", path);
    }
    if ((uint64_t)status.st_size > SIZE_MAX / 2) {
        errno = EFBIG;
        return ingot_fail(failure, "%s: is too large for this machine's address space", path);
    }
    file->size = (size_t)status.st_size;
    if (file->size == 0)
        return true;
    void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        return ingot_fail(failure, "%s: cannot be read: %s", path, strerror(errno));
    file->bytes = bytes;
    return true;
}

bool ingot_map_file(MappedFile *file, const char *path, Failure *failure)
{
    *file = (MappedFile){0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return ingot_fail(failure, "%s: cannot be opened: %s", path, strerror(errno));
    bool done = map_descriptor(file, path, descriptor, failure);
    int error = errno;
    close(descriptor);
    errno = error;
    return done;
}

void ingot_unmap_file(MappedFile *file)
{
    if (file->bytes)
        munmap((void *)(uintptr_t)file->bytes, file->size);
    *file = (MappedFile){0};
}
