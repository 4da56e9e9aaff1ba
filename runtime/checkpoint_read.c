/* Loading a checkpoint. The whole header is checked against the model before the first byte of the
 * state is changed: every tensor lies inside the file, the tensors cover the data without overlap
 * or gap, and those of the model have its types and shapes. The file is mapped; nothing is
 * allocated.
 *
 * Overlap and gaps without sorting: the ranges tile the data exactly when the beginnings, together
 * with the size of the data, are the same collection of numbers as the ends together with 0 (every
 * range is an edge of a graph that only runs forward; equal degrees leave one path from 0 to the
 * size). Collections are compared by the sum of a hash, which a wrong file passes once in 2^64. */
#include "runtime/system.h"

#include "runtime/checkpoint.h"
#include "runtime/element.h"
#include "runtime/instance_parts.h"
#include "runtime/mapped_file.h"
#include "runtime/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_HEADER = 100000000 }; /* the limit of the format */

typedef struct Reading {
    IngotInstance *instance;
    const char *path;
    const unsigned char *data;
    uint64_t data_size;
    uint64_t beginnings, ends; /* sums of hashes */
    bool ignore_unknown, parameters_suffice;
    CheckpointNotes notes;
} Reading;

static uint64_t hash(uint64_t value)
{
    value = (value + 0x9E3779B97F4A7C15U) * 0xBF58476D1CE4E5B9U;
    value = (value ^ (value >> 29)) * 0x94D049BB133111EBU;
    return value ^ (value >> 32);
}

/* Names come from the file: keep them from moving somebody's cursor. */
static const char *printable(char *name)
{
    for (char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    return name;
}

static int32_t find_state(const IngotModel *model, const char *name)
{
    for (int32_t i = 0; i < model->state_count; i++)
        if (strcmp(model->states[i].name, name) == 0)
            return i;
    return -1;
}

static int32_t find_type(const char *safetensors)
{
    for (int32_t type = 0; type < INGOT_TYPE_COUNT; type++)
        if (strcmp(ingot_safetensors_name(type), safetensors) == 0)
            return type;
    return -1;
}

static bool same_shape(const IngotTensor *state, const SafetensorsEntry *entry, int32_t type)
{
    if (state->type != type || state->rank != entry->rank)
        return false;
    for (int32_t i = 0; i < state->rank; i++)
        if (state->dims[i] != entry->dims[i])
            return false;
    return true;
}

static bool other_model(Reading *reading, Failure *failure)
{
    size_t length = strlen(failure->text);
    const char *saved_by = reading->notes.model;
    if (saved_by[0] && strcmp(saved_by, reading->instance->model->name) != 0 && length < 800) {
        Failure longer;
        ingot_fail(&longer, "%s; the checkpoint was saved by model \"%s\"", failure->text,
                   saved_by);
        *failure = longer;
    }
    return false;
}

static bool check_state(Reading *reading, int32_t number, SafetensorsEntry *entry)
{
    IngotInstance *instance = reading->instance;
    const IngotTensor *state = &instance->model->states[number];
    int32_t type = find_type(entry->type_name);
    if (instance->found[number] >= 0)
        return ingot_fail(&instance->failure,
                          "%s: tensor \"%s\" is there twice; the file is damaged", reading->path,
                          state->name);
    if (!same_shape(state, entry, type)) {
        char has[160], wants[160];
        ingot_shape_text(has, sizeof has, type, entry->dims, entry->rank);
        ingot_shape_text(wants, sizeof wants, state->type, state->dims, state->rank);
        ingot_fail(&instance->failure, "%s: tensor \"%s\" is %s, but model \"%s\" needs %s",
                   reading->path, state->name, has, instance->model->name, wants);
        return other_model(reading, &instance->failure);
    }
    const unsigned char *bytes = reading->data + entry->begin;
    for (int64_t i = 0; type == INGOT_BOOL && i < state->bytes; i++)
        if (bytes[i] > 1)
            return ingot_fail(&instance->failure,
                              "%s: tensor \"%s\" holds a bool that is %d; the file is damaged",
                              reading->path, state->name, bytes[i]);
    instance->found[number] = (int64_t)entry->begin;
    return true;
}

static bool check_tensor(Reading *reading, SafetensorsEntry *entry)
{
    IngotInstance *instance = reading->instance;
    Failure *failure = &instance->failure;
    int64_t elements, size = ingot_element_bytes(find_type(entry->type_name));
    if (entry->end > reading->data_size)
        return ingot_fail(failure,
                          "%s: tensor \"%s\" ends at byte %llu of the data, but the file holds "
                          "%llu; it is truncated",
                          reading->path, printable(entry->name), (unsigned long long)entry->end,
                          (unsigned long long)reading->data_size);
    if (!ingot_count_elements(entry->dims, 0, entry->rank, &elements) ||
        (size &&
         (elements > INT64_MAX / size || (uint64_t)(elements * size) != entry->end - entry->begin)))
        return ingot_fail(
            failure,
            "%s: tensor \"%s\" has a shape that does not fit its %llu bytes; the file is damaged",
            reading->path, printable(entry->name), (unsigned long long)(entry->end - entry->begin));
    reading->beginnings += hash(entry->begin);
    reading->ends += hash(entry->end);
    int32_t state = find_state(instance->model, entry->name);
    if (state >= 0)
        return check_state(reading, state, entry);
    if (reading->ignore_unknown)
        return true;
    ingot_fail(failure, "%s: tensor \"%s\" is not in model \"%s\"", reading->path,
               printable(entry->name), instance->model->name);
    return other_model(reading, failure);
}

static void keep_note(CheckpointNotes *notes, const SafetensorsEntry *entry)
{
    if (strcmp(entry->name, "model") == 0) {
        memcpy(notes->model, entry->value, sizeof notes->model);
        printable(notes->model);
    } else if (strcmp(entry->name, "seed") == 0 && entry->value[0] >= '0' &&
               entry->value[0] <= '9') {
        char *end;
        errno = 0;
        notes->seed = strtoull(entry->value, &end, 10);
        notes->has_seed = *end == '\0' && errno == 0;
    }
}

static bool check_complete(Reading *reading)
{
    IngotInstance *instance = reading->instance;
    const IngotModel *model = instance->model;
    for (int32_t i = 0; i < model->state_count; i++) {
        if (instance->found[i] >= 0 || (reading->parameters_suffice && !model->states[i].trainable))
            continue;
        ingot_fail(&instance->failure, "%s: holds no tensor \"%s\", which model \"%s\" needs",
                   reading->path, model->states[i].name, model->name);
        return other_model(reading, &instance->failure);
    }
    if (reading->beginnings + hash(reading->data_size) != reading->ends + hash(0))
        return ingot_fail(&instance->failure,
                          "%s: its tensors overlap or leave gaps; the file is damaged",
                          reading->path);
    return true;
}

static bool check_entries(Reading *reading, const char *text, size_t length)
{
    SafetensorsHeader header = {.path = reading->path,
                                .start = text,
                                .at = text,
                                .end = text + length,
                                .failure = &reading->instance->failure};
    SafetensorsEntry entry;
    int next;
    while ((next = ingot_safetensors_next(&header, &entry)) == SAFETENSORS_ENTRY) {
        if (entry.metadata)
            keep_note(&reading->notes, &entry);
        else if (!check_tensor(reading, &entry))
            return false;
    }
    return next == SAFETENSORS_DONE && check_complete(reading);
}

static bool check_file(Reading *reading, const MappedFile *file)
{
    Failure *failure = &reading->instance->failure;
    uint64_t length = 0;
    if (file->size < 8)
        return ingot_fail(failure, "%s: is only %zu bytes long, no safetensors file", reading->path,
                          file->size);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | file->bytes[i];
    if (length > LONGEST_HEADER)
        return ingot_fail(failure, "%s: is no safetensors file", reading->path);
    if (length > file->size - 8)
        return ingot_fail(failure,
                          "%s: ends inside its header, which should be %llu bytes long; it is "
                          "truncated or no safetensors file",
                          reading->path, (unsigned long long)length);
    reading->data = file->bytes + 8 + length;
    reading->data_size = file->size - 8 - length;
    return check_entries(reading, (const char *)file->bytes + 8, (size_t)length);
}

int32_t ingot_checkpoint_read(IngotInstance *instance, const char *path, bool parameters_suffice,
                              CheckpointNotes *notes)
{
    MappedFile file;
    if (!instance || !path)
        return INGOT_BAD_ARGUMENT;
    if (!ingot_map_file(&file, path, &instance->failure))
        return INGOT_NO_FILE;
    const IngotModel *model = instance->model;
    bool trains = ingot_find_function(model, "train_step", 0) >= 0;
    Reading reading = {.instance = instance,
                       .path = path,
                       .ignore_unknown = parameters_suffice || !trains,
                       .parameters_suffice = parameters_suffice && trains};
    for (int32_t i = 0; i < model->state_count; i++)
        instance->found[i] = -1;
    bool good = check_file(&reading, &file);
    instance->stale = instance->stale || good;
    for (int32_t i = 0; good && i < model->state_count; i++)
        if (instance->found[i] >= 0)
            memcpy(instance->state + model->states[i].offset, reading.data + instance->found[i],
                   (size_t)model->states[i].bytes);
    ingot_unmap_file(&file);
    if (notes)
        *notes = reading.notes;
    return good ? INGOT_OK : INGOT_BAD_FILE;
}

int32_t ingot_load(IngotInstance *instance, const char *path)
{
    return ingot_checkpoint_read(instance, path, false, NULL);
}
