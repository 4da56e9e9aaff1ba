/* Reading the protobuf of an ONNX model without trusting it.
 *
 * protobuf-c unpacks submessages recursively, as deep as the bytes say, and allocates for each of
 * them many times the two bytes that an empty one takes. So the bytes are walked once before, by
 * the same descriptors and with a bound on depth and number; what is unpacked afterwards is a tree
 * of known size. Memory comes from the arena of the compilation.
 *
 * Wire format: https://protobuf.dev/programming-guides/encoding/ */
#include "frontend/onnx/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    DEPTH_LIMIT = 64,        /* a graph in an attribute of a node takes three */
    MESSAGE_LIMIT = 32 << 20 /* submessages, texts and numbers of repeated fields */
};

/* ---- the walk before ---- */

typedef struct Walk {
    const uint8_t *at, *end;
    int64_t messages;
    const char *wrong; /* NULL: nothing so far */
} Walk;

static bool walk_fails(Walk *walk, const char *wrong)
{
    if (!walk->wrong)
        walk->wrong = wrong;
    return false;
}

static bool read_varint(Walk *walk, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (walk->at == walk->end)
            return walk_fails(walk, "is cut short");
        uint8_t byte = *walk->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return walk_fails(walk, "is no ONNX model: a number in it is longer than 64 bits");
}

static bool skip_bytes(Walk *walk, uint64_t count)
{
    if (count > (uint64_t)(walk->end - walk->at))
        return walk_fails(walk, "is cut short, or no ONNX model");
    walk->at += count;
    return true;
}

static bool walk_message(Walk *walk, const ProtobufCMessageDescriptor *message, int depth);

/* A field with a length in front: bytes, text, packed numbers, or a message. */
static bool walk_block(Walk *walk, const ProtobufCFieldDescriptor *field, int depth)
{
    uint64_t length;
    if (!read_varint(walk, &length))
        return false;
    if (length > (uint64_t)(walk->end - walk->at))
        return walk_fails(walk, "is cut short, or no ONNX model");
    if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return skip_bytes(walk, length);
    Walk inner = {.at = walk->at, .end = walk->at + length, .messages = walk->messages};
    bool good = walk_message(&inner, field->descriptor, depth + 1);
    walk->messages = inner.messages;
    walk->wrong = inner.wrong;
    return good && skip_bytes(walk, length);
}

static bool walk_field(Walk *walk, const ProtobufCMessageDescriptor *message, int depth)
{
    enum { VARINT = 0, FIXED_64 = 1, BLOCK = 2, FIXED_32 = 5 };
    uint64_t key, ignored;
    if (!read_varint(walk, &key))
        return false;
    if (++walk->messages > MESSAGE_LIMIT)
        return walk_fails(walk, "has more parts than any model");
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(message, (unsigned)(key >> 3));
    switch (key & 7) {
    case VARINT:
        return read_varint(walk, &ignored);
    case FIXED_64:
        return skip_bytes(walk, 8);
    case FIXED_32:
        return skip_bytes(walk, 4);
    case BLOCK:
        return walk_block(walk, field, depth);
    default:
        return walk_fails(walk, "is no ONNX model");
    }
}

static bool walk_message(Walk *walk, const ProtobufCMessageDescriptor *message, int depth)
{
    if (depth > DEPTH_LIMIT)
        return walk_fails(walk, "nests graphs within graphs more than 20 deep");
    while (walk->at < walk->end)
        if (!walk_field(walk, message, depth))
            return false;
    return true;
}

/* ---- unpacking ---- */

static void *allocate(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void keep(void *data, void *pointer)
{
    (void)data, (void)pointer; /* the arena goes as a whole */
}

const ProtobufCMessage *onnx_message_read(Diag *diag, const char *place,
                                          const ProtobufCMessageDescriptor *descriptor,
                                          ProtobufCBinaryData bytes)
{
    Walk walk = {.at = bytes.data, .end = bytes.data + bytes.len};
    if (!walk_message(&walk, descriptor, 0)) {
        diag_error(diag, place, "%s", walk.wrong);
        return NULL;
    }
    ProtobufCAllocator allocator = {allocate, keep, diag->arena};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &allocator, bytes.len, bytes.data);
    if (!message)
        diag_error(diag, place, "is no ONNX %s",
                   descriptor == &onnx__model_proto__descriptor ? "model" : "tensor");
    return message;
}

static const ProtobufCMessage *read_message(Diag *diag, const char *path,
                                            const ProtobufCMessageDescriptor *descriptor,
                                            ProtobufCBinaryData *file)
{
    file->data = (uint8_t *)file_read(diag, path, &file->len);
    return file->data ? onnx_message_read(diag, path, descriptor, *file) : NULL;
}

bool onnx_newer_field(const ProtobufCMessage *message, unsigned tag, int index,
                      ProtobufCBinaryData *bytes)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        Walk walk = {.at = field->data, .end = field->data + field->len};
        uint64_t length; /* stands in front of them still */
        if (field->tag != tag || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED ||
            !read_varint(&walk, &length) || index-- > 0)
            continue;
        *bytes =
            (ProtobufCBinaryData){.len = (size_t)(walk.end - walk.at), .data = (uint8_t *)walk.at};
        return true;
    }
    return false;
}

const Onnx__ModelProto *onnx_file_read(Diag *diag, const char *path, ProtobufCBinaryData *file)
{
    const Onnx__ModelProto *model =
        (const Onnx__ModelProto *)read_message(diag, path, &onnx__model_proto__descriptor, file);
    if (model && !model->graph) {
        diag_error(diag, path, "is no ONNX model: there is no graph in it");
        return NULL;
    }
    return model;
}

const Onnx__TensorProto *onnx_tensor_file_read(Diag *diag, const char *path)
{
    ProtobufCBinaryData file;
    return (const Onnx__TensorProto *)read_message(diag, path, &onnx__tensor_proto__descriptor,
                                                   &file);
}

/* ---- external data ---- */

/* Relative, and never upwards: what a model names lies in its own folder or below. */
static bool stays_beside(const char *location)
{
    if (!location[0] || location[0] == '/')
        return false;
    for (const char *part = location; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t length = strcspn(part, "/");
        if (length == 2 && part[0] == '.' && part[1] == '.')
            return false;
    }
    return true;
}

/* Opens folder after folder on the way, none of them by a symbolic link: that could lead anywhere.
 * Does not wait for the other end of a pipe. -1: cannot be opened. */
static int open_beside(Arena *arena, const char *folder, const char *location)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char *part = location; at >= 0 && *part; part += *part == '/') {
        size_t length = strcspn(part, "/");
        const char *name = length ? arena_copy_bytes(arena, part, length) : ".";
        int next = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        int reason = errno;
        close(at);
        errno = reason;
        at = next;
        part += length;
    }
    return at;
}

static const char *map_plain(Diag *diag, const char *place, const char *path, int file,
                             size_t *size)
{
    struct stat status;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
        diag_error(diag, place, "its data is in %s, which cannot be read: it is no plain file",
                   path);
        return NULL;
    }
    *size = (size_t)status.st_size;
    if (*size == 0)
        return arena_alloc(diag->arena, 1);
    void *mapped = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped != MAP_FAILED)
        return mapped;
    diag_error(diag, place, "its data in %s cannot be mapped into memory", path);
    return NULL;
}

const char *onnx_external_map(Diag *diag, const char *place, const char *model_path,
                              const char *location, size_t *size)
{
    if (!stays_beside(location)) {
        diag_error(diag, place,
                   "its data is in \"%s\", which is not beside the model; only files in the "
                   "model's folder are read",
                   location);
        return NULL;
    }
    const char *slash = strrchr(model_path, '/');
    int length = slash ? (int)(slash + 1 - model_path) : 0;
    const char *folder = arena_print(diag->arena, "%.*s", length, model_path);
    const char *path = arena_print(diag->arena, "%s%s", folder, location);
    int file = open_beside(diag->arena, length ? folder : ".", location);
    if (file < 0) {
        diag_error(diag, place, "its data is in %s, %s", path,
                   errno == ELOOP
                       ? "which is reached by a symbolic link; put the file itself beside the model"
                       : "which cannot be read; put that file beside the model");
        return NULL;
    }
    const char *bytes = map_plain(diag, place, path, file, size);
    close(file);
    return bytes;
}

const char *onnx_bytes_text(Arena *arena, ProtobufCBinaryData bytes)
{
    return arena_copy_bytes(arena, bytes.data ? (const char *)bytes.data : "", bytes.len);
}
