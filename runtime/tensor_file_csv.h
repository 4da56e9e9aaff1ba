/* Tables of numbers as text: CSV and its relatives with other separators. */
#ifndef INGOT_RUNTIME_TENSOR_FILE_CSV_H
#define INGOT_RUNTIME_TENSOR_FILE_CSV_H

#include "runtime/failure.h"
#include "runtime/model.h"

/* One tensor to be filled from columns of the table. */
typedef struct CsvTensor {
    const char *name;
    int64_t elements; /* numbers a row */
    int64_t classes;  /* labels are 0 … classes-1; 0: anything */
    int32_t type;     /* INGOT_F32, INGOT_F64 or INGOT_I32: what is stored */
    void *block;      /* rows x elements of them; the caller frees it, also after a failure */
} CsvTensor;

/* Reads the whole table at layout->path. Each tensor takes the columns of layout->columns that
 * carry its name, one after the other. Messages name file, line and column, both counted from 1. */
bool csv_read(const IngotDataset *layout, CsvTensor *tensors, int32_t count, int64_t *rows,
              Failure *failure);

/* How many columns the first line of a table has, and whether it is a heading (its first field is
 * no number). */
bool csv_peek(const char *path, int32_t separator, int64_t *columns, bool *heading,
              Failure *failure);

#endif
