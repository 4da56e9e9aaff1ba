/* Weights as safetensors: eight bytes with the length of a JSON header, little endian, the header,
 * and then the tensors one behind the other; {"name": {"dtype": "F32", "shape": [64,10],
 * "data_offsets": [0,2560]}, …}. The header is padded with blanks so that the first tensor lies at
 * a multiple of 64. https://github.com/huggingface/safetensors#format */
#include "codegen/weights.h"

#include <string.h>

static const char *const dtypes[TYPE_COUNT] = {"F32", "F64", "I32", "I64", "BOOL", "U8",  "I8",
                                               "I16", "U16", "U32", "U64", "F16",  "BF16"};

bool weights_known(const Program *program)
{
    for (int i = 0; i < program->state_count; i++)
        if (program->states[i]->value)
            return true;
    return false;
}

/* A JSON string. */
static void add_string(Text *text, const char *string)
{
    text_add(text, "\"");
    for (const char *c = string; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_print(text, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            text_print(text, "\\u%04x", *c);
        else
            text_add_bytes(text, c, 1);
    }
    text_add(text, "\"");
}

static void add_entry(Text *text, const State *state, int64_t offset)
{
    add_string(text, state->name);
    text_print(text, ":{\"dtype\":\"%s\",\"shape\":[", dtypes[state->type.element]);
    for (int i = 0; i < state->type.rank; i++)
        text_print(text, "%s%lld", i ? "," : "", (long long)state->type.dims[i]);
    text_print(text, "],\"data_offsets\":[%lld,%lld]}", (long long)offset,
               (long long)(offset + type_bytes(&state->type)));
}

const char *weights_file(const Program *program, Arena *arena, size_t *size)
{
    Text text = text_create(arena);
    text_add_bytes(&text, "\0\0\0\0\0\0\0", 8);
    text_add(&text, "{");
    int64_t offset = 0;
    for (int i = 0; i < program->state_count; i++) {
        const State *state = program->states[i];
        if (!state->value)
            continue;
        text_add(&text, offset ? "," : "");
        add_entry(&text, state, offset);
        offset += type_bytes(&state->type);
    }
    text_add(&text, "}");
    while (text.length % 64)
        text_add(&text, " ");
    uint64_t header = text.length - 8;
    for (int i = 0; i < 8; i++)
        text.data[i] = (char)(header >> (8 * i));
    for (int i = 0; i < program->state_count; i++) {
        const State *state = program->states[i];
        if (state->value)
            text_add_bytes(&text, state->value, (size_t)type_bytes(&state->type));
    }
    *size = text.length;
    return text.data;
}
