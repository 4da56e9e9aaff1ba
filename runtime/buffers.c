/* One block holds all arrays of a function's inputs and outputs; see buffers.h. */
#include "runtime/system.h"

#include "runtime/buffers.h"

#include <stdlib.h>
#include <string.h>

static bool add_up(const IngotTensor *tensors, int32_t count, uint64_t *total)
{
    for (int32_t i = 0; i < count; i++) {
        if (tensors[i].bytes < 0 || (uint64_t)tensors[i].bytes > SIZE_MAX / 2 - 64 - *total)
            return false;
        *total += ((uint64_t)tensors[i].bytes + 63) / 64 * 64;
    }
    return true;
}

static unsigned char *place(void **pointers, const IngotTensor *tensors, int32_t count,
                            unsigned char *at)
{
    for (int32_t i = 0; i < count; i++) {
        pointers[i] = at;
        at += ((size_t)tensors[i].bytes + 63) / 64 * 64;
    }
    return at;
}

bool buffers_begin(Buffers *buffers, const IngotFunction *function, Failure *failure)
{
    int32_t count = function->input_count + function->output_count;
    uint64_t total = ((uint64_t)count * sizeof(void *) + 127) / 64 * 64;
    *buffers = (Buffers){0};
    if (!add_up(function->inputs, function->input_count, &total) ||
        !add_up(function->outputs, function->output_count, &total) ||
        !(buffers->block = aligned_alloc(64, (size_t)total)))
        return ingot_fail(
            failure, "\"%s\" needs %llu bytes of memory for inputs and outputs, more than there is",
            function->name, (unsigned long long)total);
    memset(buffers->block, 0, (size_t)total);
    buffers->inputs = buffers->block;
    buffers->outputs = buffers->inputs + function->input_count;
    unsigned char *at =
        (unsigned char *)buffers->block + ((size_t)count * sizeof(void *) + 127) / 64 * 64;
    at = place(buffers->inputs, function->inputs, function->input_count, at);
    place(buffers->outputs, function->outputs, function->output_count, at);
    return true;
}

void buffers_end(Buffers *buffers)
{
    free(buffers->block);
    *buffers = (Buffers){0};
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

/* f32: 0 … 1; labels: in range; other integers: 0, the only index that is always valid. */
static void fill(const IngotTensor *tensor, void *array, uint32_t *random)
{
    int64_t count = tensor->bytes / 4;
    if (tensor->type == INGOT_F32)
        for (int64_t i = 0; i < count; i++)
            ((float *)array)[i] = (float)next_random(random) / 16777216.0F;
    else if (tensor->type == INGOT_I32 && tensor->classes > 0)
        for (int64_t i = 0; i < count; i++)
            ((int32_t *)array)[i] = (int32_t)(next_random(random) % tensor->classes);
    if (tensor->type == INGOT_F32 && strcmp(tensor->name, "rows") == 0)
        for (int64_t i = 0; i < count; i++)
            ((float *)array)[i] = 1;
}

void buffers_fill(Buffers *buffers, const IngotFunction *function)
{
    uint32_t random = 1;
    for (int32_t i = 0; i < function->input_count; i++)
        fill(&function->inputs[i], buffers->inputs[i], &random);
}
