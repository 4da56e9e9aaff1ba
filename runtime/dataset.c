/* Rows of data; see dataset.h. Files of bytes stay mapped and are converted row by row as batches
 * are gathered: MNIST takes 47 MB as bytes and would take 188 MB as floats. */
#include "runtime/system.h"

#include "runtime/convert.h"
#include "runtime/dataset.h"
#include "runtime/element.h"
#include "runtime/tensor_file_csv.h"

#include <stdlib.h>
#include <string.h>

bool dataset_begin(Dataset *data, const IngotTensor *tensors, int32_t count, Failure *failure)
{
    *data = (Dataset){.rows = -1};
    data->tensors = calloc((size_t)count + 1, sizeof *data->tensors);
    if (!data->tensors)
        return ingot_fail(failure, "there is no memory left for the data");
    data->count = count;
    for (int32_t i = 0; i < count; i++) {
        DatasetTensor *input = &data->tensors[i];
        input->tensor = &tensors[i];
        input->rows = -1;
        if (!ingot_count_elements(tensors[i].dims, tensors[i].batched ? 1 : 0, tensors[i].rank,
                                  &input->elements))
            return ingot_fail(failure, "input \"%s\" is too large", tensors[i].name);
    }
    return true;
}

void dataset_close(Dataset *data)
{
    for (int32_t i = 0; i < data->count; i++)
        tensor_file_close(&data->tensors[i].file);
    free(data->tensors);
    *data = (Dataset){0};
}

/* Axes of length 1 do not count, and one of the two may be flat: [28,28] fits [1,28,28] and [784].
 */
static bool shapes_fit(const int64_t *a, int32_t a_rank, const int64_t *b, int32_t b_rank)
{
    int64_t a_elements, b_elements;
    if (!ingot_count_elements(a, 0, a_rank, &a_elements) ||
        !ingot_count_elements(b, 0, b_rank, &b_elements) || a_elements != b_elements)
        return false;
    int32_t i = 0, j = 0, long_a = 0, long_b = 0;
    for (int32_t k = 0; k < a_rank; k++)
        long_a += a[k] != 1;
    for (int32_t k = 0; k < b_rank; k++)
        long_b += b[k] != 1;
    if (long_a <= 1 || long_b <= 1)
        return true;
    for (;;) {
        while (i < a_rank && a[i] == 1)
            i++;
        while (j < b_rank && b[j] == 1)
            j++;
        if (i == a_rank || j == b_rank)
            return i == a_rank && j == b_rank;
        if (a[i++] != b[j++])
            return false;
    }
}

static bool check_shape(const DatasetTensor *input, Failure *failure)
{
    const IngotTensor *tensor = input->tensor;
    const TensorFile *file = &input->file;
    int32_t skip = tensor->batched ? 1 : 0;
    char has[160], wants[160];
    if (file->rank >= skip &&
        shapes_fit(file->dims + skip, file->rank - skip, tensor->dims + skip, tensor->rank - skip))
        return true;
    ingot_shape_text(wants, sizeof wants, tensor->type, tensor->dims + skip, tensor->rank - skip);
    if (file->rank < skip)
        return ingot_fail(failure, "%s: holds a single number, but \"%s\" needs rows of %s",
                          input->path, tensor->name, wants);
    ingot_shape_text(has, sizeof has, file->type, file->dims + skip, file->rank - skip);
    return ingot_fail(failure, "%s: %s %s, but \"%s\" needs %s", input->path,
                      skip ? "each row is" : "is", has, tensor->name, wants);
}

bool dataset_add_file(Dataset *data, int32_t number, const char *path, Failure *failure)
{
    DatasetTensor *input = &data->tensors[number];
    if (!tensor_file_open(&input->file, path, failure))
        return false;
    input->path = path;
    if (!check_shape(input, failure))
        return false;
    input->type = input->file.type;
    input->data = input->file.data;
    input->rows = input->tensor->batched ? input->file.dims[0] : -1;
    return convert_check(input->data, input->type, input->tensor, input->rows < 0 ? 1 : input->rows,
                         input->elements, path, failure);
}

static bool names_tensor(const IngotDataset *layout, const char *name)
{
    for (int32_t i = 0; i < layout->column_count; i++)
        if (strcmp(layout->columns[i].tensor, name) == 0)
            return true;
    return false;
}

bool dataset_add_table(Dataset *data, const IngotDataset *layout, Failure *failure)
{
    int64_t rows = 0;
    int32_t count = 0;
    CsvTensor *wanted = calloc((size_t)data->count + 1, sizeof *wanted);
    if (!wanted)
        return ingot_fail(failure, "%s: there is no memory left", layout->path);
    for (int32_t i = 0; i < data->count; i++) {
        const IngotTensor *tensor = data->tensors[i].tensor;
        if (!names_tensor(layout, tensor->name))
            continue;
        int32_t type = tensor->type == INGOT_F64           ? INGOT_F64
                       : ingot_type_is_float(tensor->type) ? INGOT_F32
                                                           : INGOT_I32;
        wanted[count++] =
            (CsvTensor){tensor->name, data->tensors[i].elements, tensor->classes, type, NULL};
    }
    bool good = csv_read(layout, wanted, count, &rows, failure);
    for (int32_t i = 0, next = 0; next < count; i++) {
        DatasetTensor *input = &data->tensors[i];
        if (!names_tensor(layout, input->tensor->name))
            continue;
        tensor_file_close(&input->file);
        input->path = layout->path;
        input->file.block = wanted[next].block;
        input->data = wanted[next].block;
        input->type = wanted[next++].type;
        input->rows = rows;
        if (good && !input->tensor->batched && rows != 1)
            good = ingot_fail(failure, "%s: has %lld rows, but \"%s\" takes a single one",
                              layout->path, (long long)rows, input->tensor->name);
        if (!input->tensor->batched)
            input->rows = -1;
    }
    free(wanted);
    return good;
}

bool dataset_finish(Dataset *data, Failure *failure)
{
    const DatasetTensor *first = NULL;
    for (int32_t i = 0; i < data->count; i++) {
        const DatasetTensor *input = &data->tensors[i];
        if (!input->path)
            return ingot_fail(failure, "no data is given for \"%s\"", input->tensor->name);
        if (!input->tensor->batched)
            continue;
        if (input->rows == 0)
            return ingot_fail(failure, "%s: holds no rows", input->path);
        if (first && input->rows != first->rows)
            return ingot_fail(failure, "%s: has %lld rows, but %s has %lld", input->path,
                              (long long)input->rows, first->path, (long long)first->rows);
        first = first ? first : input;
    }
    data->rows = first ? first->rows : 1;
    return true;
}

bool dataset_open(Dataset *data, const IngotDataset *source, const IngotTensor *tensors,
                  int32_t count, Failure *failure)
{
    if (!dataset_begin(data, tensors, count, failure))
        return false;
    if (source->format == INGOT_DATA_CSV)
        return dataset_add_table(data, source, failure) && dataset_finish(data, failure);
    for (int32_t i = 0; i < count; i++)
        for (int32_t j = 0; j < source->column_count; j++)
            if (strcmp(source->columns[j].tensor, tensors[i].name) == 0 && !data->tensors[i].path &&
                !dataset_add_file(data, i, source->columns[j].path, failure))
                return false;
    return dataset_finish(data, failure);
}

void dataset_gather(const Dataset *data, int32_t number, const int64_t *rows, int64_t count,
                    void *destination)
{
    const DatasetTensor *input = &data->tensors[number];
    size_t from_row = (size_t)(input->elements * ingot_element_bytes(input->type));
    size_t to_row = (size_t)(input->elements * ingot_element_bytes(input->tensor->type));
    unsigned char *to = destination;
    if (input->rows < 0)
        convert_elements(input->data, input->type, to, input->tensor->type, input->elements);
    for (int64_t i = 0; i < count && input->rows >= 0; i++)
        convert_elements(input->data + (size_t)rows[i] * from_row, input->type,
                         to + (size_t)i * to_row, input->tensor->type, input->elements);
}
