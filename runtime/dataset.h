/* Rows of data for the inputs of a function, whichever files they come from. */
#ifndef INGOT_RUNTIME_DATASET_H
#define INGOT_RUNTIME_DATASET_H

#include "runtime/model.h"
#include "runtime/tensor_file.h"

/* What one input reads. */
typedef struct DatasetTensor {
    const IngotTensor *tensor; /* the input: name, type, shape, classes */
    const char *path;          /* for messages; NULL while it has no file */
    TensorFile file;           /* npy or idx; of a table only `block` is used */
    const unsigned char *data; /* rows x elements of `type` */
    int32_t type;
    int64_t elements; /* of one row; of everything when the input has no batch axis */
    int64_t rows;     /* -1 when the input has no batch axis */
} DatasetTensor;

typedef struct Dataset {
    DatasetTensor *tensors;
    int32_t count;
    int64_t rows; /* all batched inputs have as many */
} Dataset;

/* Opens all files of `source` for these inputs and checks everything: that each input has data,
 * that rows agree in number, that shapes fit, that numbers are finite, whole where they must be,
 * and labels in range. The paths must outlive the data set. */
bool dataset_open(Dataset *data, const IngotDataset *source, const IngotTensor *tensors,
                  int32_t count, Failure *failure);

/* The same in steps, for data that comes from files of several kinds. */
bool dataset_begin(Dataset *data, const IngotTensor *tensors, int32_t count, Failure *failure);
bool dataset_add_file(Dataset *data, int32_t number, const char *path, Failure *failure);
bool dataset_add_table(Dataset *data, const IngotDataset *layout, Failure *failure);
bool dataset_finish(Dataset *data, Failure *failure);

void dataset_close(Dataset *data); /* safe on a zeroed one and after a failure */

/* Copies the numbered rows of an input, converted to its type, one after the other. Of an input
 * without a batch axis it copies everything, once. */
void dataset_gather(const Dataset *data, int32_t number, const int64_t *rows, int64_t count,
                    void *destination);

#endif
