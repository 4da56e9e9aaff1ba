/* IDX, the format MNIST comes in: two zero bytes, a type, the number of axes, the axes as
 * big-endian 32-bit numbers, the elements, big-endian. http://yann.lecun.com/exdb/mnist (archived)
 *
 * A plain file of bytes stays mapped. Wider elements are turned round into memory, gzip'd files are
 * unpacked into it. The size of that memory comes from the header, which is checked against what
 * the file could possibly hold before anything is allocated. */
#include "runtime/system.h"

#include "runtime/element.h"
#include "runtime/inflate.h"
#include "runtime/tensor_file.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_HEADER = 4 + 4 * TENSOR_FILE_RANK, BEST_COMPRESSION = 1032 };

static bool find_type(unsigned char code, int32_t *type, size_t *bytes)
{
    switch (code) {
    case 0x08:
        *type = INGOT_U8, *bytes = 1;
        return true;
    case 0x09:
        *type = INGOT_I8, *bytes = 1;
        return true;
    case 0x0B: /* 16 bits, widened */
        *type = INGOT_I32, *bytes = 2;
        return true;
    case 0x0C:
        *type = INGOT_I32, *bytes = 4;
        return true;
    case 0x0D:
        *type = INGOT_F32, *bytes = 4;
        return true;
    case 0x0E:
        *type = INGOT_F64, *bytes = 8;
        return true;
    default:
        return false;
    }
}

/* Reads the header; *begin is where the elements start and *bytes the size of one in the file. */
static bool read_header(TensorFile *tensor, const unsigned char *header, size_t size,
                        const char *path, size_t *begin, size_t *bytes, Failure *failure)
{
    if (size < 4 || header[0] || header[1] || !find_type(header[2], &tensor->type, bytes))
        return ingot_fail(failure, "%s: is no IDX file (its first bytes are not 0, 0 and a type)",
                          path);
    tensor->rank = header[3];
    *begin = 4 + 4 * (size_t)header[3];
    if (tensor->rank < 1 || tensor->rank > TENSOR_FILE_RANK)
        return ingot_fail(failure, "%s: has %d axes; 1 to %d are read here", path,
                          (int)tensor->rank, TENSOR_FILE_RANK);
    if (size < *begin)
        return ingot_fail(failure, "%s: ends inside its header; it is truncated", path);
    for (int32_t i = 0; i < tensor->rank; i++) {
        const unsigned char *at = header + 4 + 4 * i;
        tensor->dims[i] =
            (int64_t)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
    }
    if (!ingot_count_elements(tensor->dims, 0, tensor->rank, &tensor->elements) ||
        (uint64_t)tensor->elements > SIZE_MAX / 16)
        return ingot_fail(failure, "%s: its header promises more elements than fit in memory",
                          path);
    return true;
}

static bool out_of_memory(const char *path, size_t bytes, Failure *failure)
{
    return ingot_fail(failure, "%s: needs %zu bytes of memory, more than there is", path, bytes);
}

/* Turns big-endian elements of `bytes` bytes round, into a block; 16-bit ones become 32-bit. */
static bool turn_round(TensorFile *tensor, const unsigned char *from, size_t bytes,
                       const char *path, Failure *failure)
{
    size_t wide = (size_t)ingot_element_bytes(tensor->type), count = (size_t)tensor->elements;
    unsigned char *to = malloc(count * wide + 1);
    if (!to)
        return out_of_memory(path, count * wide, failure);
    for (size_t i = 0; i < count; i++) {
        unsigned char *element = to + i * wide;
        for (size_t j = 0; j < bytes; j++)
            element[j] = from[i * bytes + bytes - 1 - j];
        for (size_t j = bytes; j < wide; j++)
            element[j] = element[bytes - 1] & 0x80 ? 0xFF : 0;
    }
    free(tensor->block);
    tensor->block = to;
    tensor->data = to;
    return true;
}

static bool fail_unpacking(const char *path, int answer, Failure *failure)
{
    return ingot_fail(
        failure, "%s: %s", path,
        answer == INFLATE_TRUNCATED ? "ends before its compressed data does; it is truncated"
        : answer == INFLATE_FULL    ? "holds more elements than its header says; it is damaged"
                                    : "its compressed data is damaged");
}

static bool too_few(const char *path, size_t got, size_t wanted, Failure *failure)
{
    return ingot_fail(
        failure, "%s: holds %zu bytes of elements where its header promises %zu; it is truncated",
        path, got, wanted);
}

/* Unpacks into tensor->block: first only the header, which says how much memory the whole takes. */
static bool unpack(TensorFile *tensor, const char *path, size_t *begin, size_t *bytes,
                   Failure *failure)
{
    unsigned char header[LONGEST_HEADER];
    const MappedFile *file = &tensor->file;
    size_t got;
    int answer = inflate_gzip(file->bytes, file->size, header, sizeof header, &got);
    if (answer == INFLATE_BAD || (answer == INFLATE_TRUNCATED && got < sizeof header))
        return fail_unpacking(path, answer, failure);
    if (!read_header(tensor, header, got, path, begin, bytes, failure))
        return false;
    size_t wanted = (size_t)tensor->elements * *bytes;
    if (wanted / BEST_COMPRESSION > file->size)
        return fail_unpacking(path, INFLATE_TRUNCATED, failure);
    tensor->block = malloc(*begin + wanted);
    if (!tensor->block)
        return out_of_memory(path, *begin + wanted, failure);
    answer = inflate_gzip(file->bytes, file->size, tensor->block, *begin + wanted, &got);
    if (answer != INFLATE_DONE)
        return fail_unpacking(path, answer, failure);
    return got == *begin + wanted || too_few(path, got - *begin, wanted, failure);
}

bool tensor_file_read_idx(TensorFile *tensor, const char *path, Failure *failure)
{
    const MappedFile *file = &tensor->file;
    size_t begin = 0, bytes = 0;
    if (file->bytes[0] == 0x1F) {
        if (!unpack(tensor, path, &begin, &bytes, failure))
            return false;
        tensor->data = (unsigned char *)tensor->block + begin;
    } else {
        if (!read_header(tensor, file->bytes, file->size, path, &begin, &bytes, failure))
            return false;
        size_t wanted = (size_t)tensor->elements * bytes, got = file->size - begin;
        if (got < wanted)
            return too_few(path, got, wanted, failure);
        if (got > wanted)
            return fail_unpacking(path, INFLATE_FULL, failure);
        tensor->data = file->bytes + begin;
    }
    if (bytes > 1 && !turn_round(tensor, tensor->data, bytes, path, failure))
        return false;
    if (tensor->block)
        ingot_unmap_file(&tensor->file);
    return true;
}
