/* Reads safetensors strictly: everything the header says is checked against the file before it is
 * used. */
#include "frontend/safetensors.h"

#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/text.h"
#include "frontend/json.h"

#define HEADER_LIMIT ((uint64_t)100000000) /* the format's own limit */

typedef struct Reader {
    Program *program;
    const char *path;
    const char *data; /* behind the header */
    int64_t data_bytes;
} Reader;

static const struct {
    const char *name;
    ElementType element;
} element_names[] = {{"F32", TYPE_F32},  {"F64", TYPE_F64},   {"I32", TYPE_I32}, {"I64", TYPE_I64},
                     {"U8", TYPE_U8},    {"BOOL", TYPE_BOOL}, {"I8", TYPE_I8},   {"I16", TYPE_I16},
                     {"U16", TYPE_U16},  {"U32", TYPE_U32},   {"U64", TYPE_U64}, {"F16", TYPE_F16},
                     {"BF16", TYPE_BF16}};

static bool read_type(const Json *entry, TensorType *type)
{
    Json *dtype = json_peek(entry, "dtype"), *shape = json_peek(entry, "shape");
    const char *name;
    if (!dtype || !shape)
        return json_error(entry, "needs \"%s\"", dtype ? "shape" : "dtype");
    if (!json_string(dtype, &name) ||
        !json_integers(shape, 0, ELEMENT_LIMIT, RANK_LIMIT, type->dims, &type->rank))
        return false;
    for (size_t i = 0; i < sizeof element_names / sizeof element_names[0]; i++) {
        if (strcmp(element_names[i].name, name) == 0) {
            type->element = element_names[i].element;
            return true;
        }
    }
    return json_error(dtype,
                      "elements of type %s cannot be read, only F32, F64, F16, BF16, I8, I16, I32, "
                      "I64, U8, U16, U32, U64 "
                      "and BOOL",
                      json_describe(dtype));
}

/* Where the tensor's bytes are; NULL after an error. */
static const char *find_data(const Reader *reader, const Json *entry, const TensorType *type)
{
    int64_t offsets[2], bytes = element_bytes(type->element);
    int count = 0;
    Json *json = json_peek(entry, "data_offsets");
    if (!json) {
        json_error(entry, "needs \"data_offsets\"");
        return NULL;
    }
    if (!json_integers(json, 0, JSON_INTEGER_LIMIT, 2, offsets, &count))
        return NULL;
    for (int i = 0; i < type->rank; i++) {
        if (!checked_multiply(bytes, type->dims[i], &bytes)) {
            json_error(entry, "the tensor is too large");
            return NULL;
        }
    }
    if (count != 2 || offsets[0] > offsets[1] || offsets[1] > reader->data_bytes) {
        json_error(json, "points outside the file, which has %lld bytes of data",
                   (long long)reader->data_bytes);
        return NULL;
    }
    if (offsets[1] - offsets[0] != bytes) {
        json_error(json, "spans %lld bytes, but the shape takes %lld",
                   (long long)(offsets[1] - offsets[0]), (long long)bytes);
        return NULL;
    }
    return reader->data + offsets[0];
}

static bool load_state(const Reader *reader, State *state, const Json *entry)
{
    char wanted[TYPE_TEXT_BYTES], found[TYPE_TEXT_BYTES];
    TensorType type = {0};
    if (!json_expect(entry, JSON_OBJECT) || !read_type(entry, &type))
        return false;
    if (!type_equal(&type, &state->type))
        return json_error(entry, "is %s, but the model has %s here", type_print(&type, found),
                          type_print(&state->type, wanted));
    const char *data = find_data(reader, entry, &type);
    if (!data)
        return false;
    if ((uintptr_t)data % (uintptr_t)element_bytes(type.element) != 0)
        data = arena_copy_bytes(reader->program->arena, data, (size_t)type_bytes(&type));
    state->value = data;
    return true;
}

static bool load_all(const Reader *reader, const Json *header)
{
    Program *program = reader->program;
    Text words = text_create(program->arena);
    bool fine = true;
    for (int i = 0; i < program->state_count; i++) {
        State *state = program->states[i];
        const Json *entry = json_peek(header, state->name);
        text_print(&words, "%s ", state->name);
        fine &= entry ? load_state(reader, state, entry)
                      : diag_error(program->diag, reader->path,
                                   "the tensor \"%s\" of the model is missing", state->name);
    }
    for (int i = 0; i < header->count; i++) {
        const char *name = header->items[i]->key;
        bool training =
            strncmp(name, "optimizer.", 10) == 0 || json_word_in(name, "step seed __metadata__");
        if (!training && !program_find_state(program, name))
            fine = diag_error(program->diag, reader->path, "the model has no tensor \"%s\"%s", name,
                              json_suggest(program->arena, name, words.data));
    }
    return fine;
}

bool safetensors_load(Program *program, const char *path)
{
    size_t size;
    Diag *diag = program->diag;
    const char *bytes = file_read(diag, path, &size);
    uint64_t length = 0;
    if (!bytes)
        return false;
    for (int i = 0; i < 8 && size >= 8; i++)
        length |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    if (size < 8 || length > HEADER_LIMIT || length > size - 8 || bytes[8] != '{')
        return diag_error(diag, path, "is not a safetensors file, or cut short");
    JsonFile file = {program->arena, diag, path};
    const char *text = arena_copy_bytes(program->arena, bytes + 8, (size_t)length);
    const Json *header = json_parse(&file, text, (size_t)length);
    if (!header)
        return false;
    Reader reader = {program, path, bytes + 8 + length, (int64_t)(size - 8 - (size_t)length)};
    return load_all(&reader, header);
}
