/* Writing a checkpoint as a safetensors file:
 *
 *   8 bytes   length of the header, little-endian
 *   header    {"__metadata__":{"model":"digits","compiler":"ingot 0.1.0","seed":"1"},
 *              "layers.0.weight":{"dtype":"F32","shape":[64,10],"data_offsets":[0,2560]}, …}
 *             padded with spaces to a multiple of 8
 *   data      the tensors, one after the other without gaps, in the order of the model's states
 *
 * The header is produced twice, first only counted: so nothing is allocated and its length is known
 * before its first byte is written. Format: https://huggingface.co/docs/safetensors */
#include "runtime/system.h"

#include "runtime/atomic_file.h"
#include "runtime/checkpoint.h"
#include "runtime/element.h"
#include "runtime/instance_parts.h"

#include <stdio.h>
#include <string.h>

/* Where header text goes: counted only while `file` is NULL. */
typedef struct Sink {
    AtomicFile *file;
    Failure *failure;
    uint64_t total;
    size_t used;
    bool good;
    char buffer[1024];
} Sink;

static void sink_flush(Sink *sink)
{
    if (sink->file && sink->good && sink->used)
        sink->good = ingot_atomic_append(sink->file, sink->buffer, sink->used, sink->failure);
    sink->used = 0;
}

static void put_text(Sink *sink, const char *text)
{
    for (; *text; text++) {
        if (sink->used == sizeof sink->buffer)
            sink_flush(sink);
        sink->buffer[sink->used++] = *text;
        sink->total++;
    }
}

static void put_number(Sink *sink, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    put_text(sink, text);
}

static void put_string(Sink *sink, const char *string)
{
    put_text(sink, "\"");
    for (; *string; string++) {
        char text[8] = {*string};
        if ((unsigned char)*string < 0x20)
            snprintf(text, sizeof text, "\\u%04x", (unsigned)*string);
        else if (*string == '"' || *string == '\\')
            snprintf(text, sizeof text, "\\%c", *string);
        put_text(sink, text);
    }
    put_text(sink, "\"");
}

static void put_metadata(Sink *sink, const IngotModel *model, const uint64_t *seed)
{
    put_text(sink, "{\"__metadata__\":{\"model\":");
    put_string(sink, model->name);
    put_text(sink, ",\"compiler\":");
    put_string(sink, model->compiler ? model->compiler : "ingot");
    if (seed) {
        put_text(sink, ",\"seed\":\"");
        put_number(sink, *seed);
        put_text(sink, "\"");
    }
    put_text(sink, "}");
}

static void put_header(Sink *sink, const IngotModel *model, const uint64_t *seed)
{
    uint64_t begin = 0;
    put_metadata(sink, model, seed);
    for (int32_t i = 0; i < model->state_count; i++) {
        const IngotTensor *state = &model->states[i];
        put_text(sink, ",");
        put_string(sink, state->name);
        put_text(sink, ":{\"dtype\":");
        put_string(sink, ingot_safetensors_name(state->type));
        put_text(sink, ",\"shape\":[");
        for (int32_t j = 0; j < state->rank; j++) {
            put_text(sink, j ? "," : "");
            put_number(sink, (uint64_t)state->dims[j]);
        }
        put_text(sink, "],\"data_offsets\":[");
        put_number(sink, begin);
        put_text(sink, ",");
        begin += (uint64_t)state->bytes;
        put_number(sink, begin);
        put_text(sink, "]}");
    }
    put_text(sink, "}");
    while (sink->total % 8)
        put_text(sink, " ");
    sink_flush(sink);
}

static bool write_all(AtomicFile *file, const IngotInstance *instance, const uint64_t *seed,
                      Failure *failure)
{
    const IngotModel *model = instance->model;
    Sink sink = {.failure = failure, .good = true};
    put_header(&sink, model, seed);
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(sink.total >> (8 * i));
    if (!ingot_atomic_append(file, length, sizeof length, failure))
        return false;
    sink.file = file;
    sink.total = 0;
    put_header(&sink, model, seed);
    if (!sink.good)
        return false;
    for (int32_t i = 0; i < model->state_count; i++) {
        const IngotTensor *state = &model->states[i];
        if (!ingot_atomic_append(file, instance->state + state->offset, (size_t)state->bytes,
                                 failure))
            return false;
    }
    return ingot_atomic_commit(file, failure);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

int32_t ingot_checkpoint_write(const IngotInstance *instance, const char *path,
                               const uint64_t *seed)
{
    if (!instance || !path)
        return INGOT_BAD_ARGUMENT;
    const IngotTemplate *template = instance->model->template;
    if (template && ends_with(path, template->suffix))
        return template->write(instance, path);
    /* The message of a failed call is no part of what `const` promises to leave alone. */
    Failure *failure = &((IngotInstance *)(uintptr_t)instance)->failure;
    AtomicFile file;
    if (!ingot_atomic_begin(&file, path, failure) || !write_all(&file, instance, seed, failure))
        return INGOT_NO_FILE;
    return INGOT_OK;
}

int32_t ingot_save(const IngotInstance *instance, const char *path)
{
    return ingot_checkpoint_write(instance, path, NULL);
}
