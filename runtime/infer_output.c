/* Outputs of `infer`; see infer_output.h. Rows are written as they come, so memory does not grow
 * with their number; only the first few are kept for the summary. */
#include "runtime/system.h"

#include "runtime/infer_output.h"

#include "runtime/convert.h"
#include "runtime/element.h"
#include "runtime/tensor_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_RANK = 16, SHOWN_NUMBERS = 8 };

/* The shape of all rows together. */
static void whole_shape(const InferOutputs *outputs, const IngotTensor *tensor,
                        int64_t dims[MOST_RANK])
{
    for (int32_t i = 0; i < tensor->rank && i < MOST_RANK; i++)
        dims[i] = tensor->dims[i];
    if (tensor->batched)
        dims[0] = outputs->rows;
}

/* .npy knows no bf16; f32 holds its numbers. */
static int32_t stored_type(const IngotTensor *tensor)
{
    return tensor->type == INGOT_BF16 ? INGOT_F32 : tensor->type;
}

static bool append_rows(InferOutput *output, const unsigned char *rows, size_t bytes,
                        Failure *failure)
{
    int32_t type = output->tensor->type, stored = stored_type(output->tensor);
    if (type == stored)
        return ingot_atomic_append(&output->file, rows, bytes, failure);
    float block[256];
    size_t most = sizeof block / sizeof block[0], size = (size_t)ingot_element_bytes(type);
    for (size_t left = bytes / size, count; left; left -= count, rows += count * size) {
        count = left < most ? left : most;
        convert_elements(rows, type, block, stored, (int64_t)count);
        if (!ingot_atomic_append(&output->file, block, count * sizeof block[0], failure))
            return false;
    }
    return true;
}

static bool begin_file(const InferOutputs *outputs, InferOutput *output, const char *folder,
                       Failure *failure)
{
    char header[512], name[256];
    int64_t dims[MOST_RANK] = {0};
    snprintf(name, sizeof name, "%s", output->tensor->name);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '_'; /* names of graphs may hold what names of files cannot */
    if (snprintf(output->path, sizeof output->path, "%s/%s.npy", folder, name) >=
        (int)sizeof output->path)
        return ingot_fail(failure, "%s: the path is too long", folder);
    whole_shape(outputs, output->tensor, dims);
    int32_t length =
        tensor_file_npy_header(header, stored_type(output->tensor), dims, output->tensor->rank);
    return ingot_atomic_begin(&output->file, output->path, failure) &&
           ingot_atomic_append(&output->file, header, (size_t)length, failure);
}

static bool begin_output(InferOutputs *outputs, InferOutput *output, const IngotFunction *function,
                         const char *folder, Failure *failure)
{
    const IngotTensor *tensor = output->tensor;
    if (tensor->rank > MOST_RANK)
        return ingot_fail(failure, "output \"%s\" has more than %d axes", tensor->name, MOST_RANK);
    output->row_bytes =
        tensor->batched && function->batch > 0 ? tensor->bytes / function->batch : tensor->bytes;
    output->kept = malloc((size_t)output->row_bytes * INFER_SHOWN_ROWS + 1);
    if (!output->kept)
        return ingot_fail(failure, "there is no memory left");
    return !folder || begin_file(outputs, output, folder, failure);
}

bool infer_outputs_begin(InferOutputs *outputs, const IngotFunction *function, const char *folder,
                         int64_t first_row, int64_t rows, Failure *failure)
{
    *outputs = (InferOutputs){.first_row = first_row, .rows = rows};
    if (folder && mkdir(folder, 0777) != 0 && errno != EEXIST)
        return ingot_fail(failure, "%s: cannot be made: %s", folder, strerror(errno));
    outputs->list = calloc((size_t)function->output_count + 1, sizeof *outputs->list);
    if (!outputs->list)
        return ingot_fail(failure, "there is no memory left");
    for (int32_t i = 0; i < function->output_count; i++) {
        outputs->list[i].tensor = &function->outputs[i];
        outputs->list[i].file.descriptor = -1;
    }
    outputs->count = function->output_count;
    for (int32_t i = 0; i < outputs->count; i++) {
        if (begin_output(outputs, &outputs->list[i], function, folder, failure))
            continue;
        infer_outputs_end(outputs);
        return false;
    }
    return true;
}

bool infer_outputs_add(InferOutputs *outputs, void *const *buffers, int64_t count, Failure *failure)
{
    for (int32_t i = 0; i < outputs->count; i++) {
        InferOutput *output = &outputs->list[i];
        bool batched = output->tensor->batched != 0;
        if (!batched && outputs->done)
            continue; /* the same in every call */
        int64_t rows = batched ? count : 1, kept = INFER_SHOWN_ROWS - outputs->done;
        kept = kept < rows ? kept : rows;
        if (kept > 0)
            memcpy(output->kept + outputs->done * output->row_bytes, buffers[i],
                   (size_t)(kept * output->row_bytes));
        if (output->path[0] &&
            !append_rows(output, buffers[i], (size_t)(rows * output->row_bytes), failure))
            return false;
    }
    outputs->done += count;
    return true;
}

static bool is_classifier(const IngotTensor *tensor)
{
    return tensor->batched && tensor->type == INGOT_F32 && tensor->rank == 2 && tensor->dims[1] > 1;
}

static void print_class(const float *values, int64_t classes)
{
    int64_t best = 0;
    for (int64_t i = 1; i < classes; i++)
        if (values[i] > values[best])
            best = i;
    printf("class %lld (%.4f)", (long long)best, (double)values[best]);
}

static void print_numbers(const InferOutput *output, const unsigned char *row)
{
    int64_t size = ingot_element_bytes(output->tensor->type), count = output->row_bytes / size;
    for (int64_t i = 0; i < count && i < SHOWN_NUMBERS; i++) {
        double value;
        convert_elements(row + i * size, output->tensor->type, &value, INGOT_F64, 1);
        printf("%s%.6g", i ? " " : "", value);
    }
    printf("%s", count > SHOWN_NUMBERS ? " ..." : "");
}

static void print_summary(const InferOutputs *outputs, const InferOutput *output)
{
    char shape[160];
    int64_t dims[MOST_RANK] = {0};
    const IngotTensor *tensor = output->tensor;
    int64_t rows = tensor->batched ? outputs->rows : 1,
            shown = rows < INFER_SHOWN_ROWS ? rows : INFER_SHOWN_ROWS;
    whole_shape(outputs, tensor, dims);
    ingot_shape_text(shape, sizeof shape, tensor->type, dims, tensor->rank);
    printf("%s %s%s%s\n", tensor->name, shape, output->path[0] ? " in " : "", output->path);
    for (int64_t i = 0; i < shown; i++) {
        const unsigned char *row = output->kept + i * output->row_bytes;
        printf("  ");
        if (tensor->batched)
            printf("row %lld: ", (long long)(outputs->first_row + i));
        if (is_classifier(tensor))
            print_class((const float *)(const void *)row, tensor->dims[1]);
        else
            print_numbers(output, row);
        printf("\n");
    }
    if (shown < rows)
        printf("  ... %lld more\n", (long long)(rows - shown));
}

bool infer_outputs_finish(InferOutputs *outputs, Failure *failure)
{
    for (int32_t i = 0; i < outputs->count; i++) {
        InferOutput *output = &outputs->list[i];
        if (output->path[0] && !ingot_atomic_commit(&output->file, failure))
            return false;
        print_summary(outputs, output);
    }
    return true;
}

void infer_outputs_end(InferOutputs *outputs)
{
    for (int32_t i = 0; i < outputs->count; i++) {
        ingot_atomic_abandon(&outputs->list[i].file);
        free(outputs->list[i].kept);
    }
    free(outputs->list);
    *outputs = (InferOutputs){.count = 0};
}
