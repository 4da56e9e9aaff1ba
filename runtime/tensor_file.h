/* One tensor from a file: NumPy's .npy, or IDX (the format of MNIST), plain or gzip'd. What can be
 * is mapped and never copied whole. */
#ifndef INGOT_RUNTIME_TENSOR_FILE_H
#define INGOT_RUNTIME_TENSOR_FILE_H

#include "runtime/failure.h"
#include "runtime/mapped_file.h"

#include <stdint.h>

enum { TENSOR_FILE_RANK = 16 };

typedef struct TensorFile {
    const unsigned char *data; /* little-endian elements, last axis contiguous; may be unaligned */
    int32_t type;              /* INGOT_F32, … */
    int32_t rank;
    int64_t dims[TENSOR_FILE_RANK];
    int64_t elements;
    MappedFile file; /* holds the data, or else: */
    void *block;
} TensorFile;

/* Opens either kind, told apart by the first bytes. False with a message naming the file. */
bool tensor_file_open(TensorFile *tensor, const char *path, Failure *failure);
void tensor_file_close(TensorFile *tensor); /* safe on a zeroed one and after a failed open */

/* The two readers: `tensor->file` is mapped; the rest is theirs to fill. */
bool tensor_file_read_npy(TensorFile *tensor, const char *path, Failure *failure);
bool tensor_file_read_idx(TensorFile *tensor, const char *path, Failure *failure);

/* The bytes that precede the data of a .npy file; their number, at most 512 (0: too many axes). */
int32_t tensor_file_npy_header(char header[512], int32_t type, const int64_t *dims, int32_t rank);

#endif
