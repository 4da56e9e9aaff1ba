/* What `infer` does with the outputs: files and a summary. */
#ifndef INGOT_RUNTIME_INFER_OUTPUT_H
#define INGOT_RUNTIME_INFER_OUTPUT_H

#include "runtime/atomic_file.h"
#include "runtime/model.h"

enum { INFER_MOST_OUTPUTS = 64, INFER_SHOWN_ROWS = 10 };

typedef struct InferOutput {
    const IngotTensor *tensor;
    int64_t row_bytes;   /* of a batched output; else all bytes */
    unsigned char *kept; /* the first rows, for the summary */
    char path[PATH_MAX]; /* "": not written */
    AtomicFile file;
} InferOutput;

typedef struct InferOutputs {
    InferOutput *list;
    int32_t count;
    int64_t first_row, rows; /* of the data, and how many there are in all */
    int64_t done;
} InferOutputs;

/* `folder` is made when it does not exist; NULL: nothing is written. After a failure nothing is
 * left to free. */
bool infer_outputs_begin(InferOutputs *outputs, const IngotFunction *function, const char *folder,
                         int64_t first_row, int64_t rows, Failure *failure);
/* The first `count` rows of a call's outputs are the next ones. */
bool infer_outputs_add(InferOutputs *outputs, void *const *buffers, int64_t count,
                       Failure *failure);
/* Gives the files their names and prints the summary. */
bool infer_outputs_finish(InferOutputs *outputs, Failure *failure);
/* Frees everything; files that were not finished are removed. */
void infer_outputs_end(InferOutputs *outputs);

#endif
