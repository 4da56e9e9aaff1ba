/* NumPy's .npy format, versions 1 to 3: six magic bytes, a version, the length of a header, the
 * header (a Python dictionary with descr, fortran_order and shape) and the elements.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * It has no name for bf16: see infer_output.c. */
#include "runtime/system.h"

#include "runtime/element.h"
#include "runtime/tensor_file.h"

#include <stdio.h>
#include <string.h>

/* The header's text; not ended by NUL. */
typedef struct Text {
    const char *at, *end;
} Text;

static const struct {
    const char *descr;
    int32_t type;
} types[] = {
    {"<f4", INGOT_F32},  {"<f8", INGOT_F64}, {"<i4", INGOT_I32}, {"<i8", INGOT_I64},
    {"|b1", INGOT_BOOL}, {"|u1", INGOT_U8},  {"|i1", INGOT_I8},  {"<i2", INGOT_I16},
    {"<u2", INGOT_U16},  {"<u4", INGOT_U32}, {"<u8", INGOT_U64}, {"<f2", INGOT_F16},
};

static void skip_space(Text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t' || *text->at == '\n'))
        text->at++;
}

static bool next_is(Text *text, const char *word)
{
    size_t length = strlen(word);
    skip_space(text);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0)
        return false;
    text->at += length;
    return true;
}

/* Moves behind `'key':`. */
static bool find_key(Text text, const char *key, Text *value)
{
    size_t length = strlen(key);
    for (; (size_t)(text.end - text.at) > length + 2; text.at++) {
        if ((*text.at != '\'' && *text.at != '"') || memcmp(text.at + 1, key, length) != 0 ||
            text.at[length + 1] != *text.at)
            continue;
        *value = text;
        value->at += length + 2;
        return next_is(value, ":");
    }
    return false;
}

static bool read_type(TensorFile *tensor, Text text, const char *path, Failure *failure)
{
    Text value;
    char descr[8] = "";
    if (!find_key(text, "descr", &value))
        return ingot_fail(failure, "%s: its header has no 'descr'; the file is damaged", path);
    if (next_is(&value, "'") || next_is(&value, "\""))
        for (size_t i = 0;
             i < sizeof descr - 1 && value.at < value.end && *value.at != '\'' && *value.at != '"';)
            descr[i++] = *value.at++;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(descr, types[i].descr) != 0)
            continue;
        tensor->type = types[i].type;
        return true;
    }
    for (char *c = descr; *c; c++)
        if (*c < 0x20 || *c == 0x7F)
            *c = '?';
    return ingot_fail(
        failure,
        "%s: has elements of type '%s', which is not read here; save array.astype(\"float32\")",
        path, descr);
}

static bool read_order(Text text, bool *fortran)
{
    Text value;
    if (!find_key(text, "fortran_order", &value))
        return false;
    *fortran = next_is(&value, "True");
    return *fortran || next_is(&value, "False");
}

static bool read_shape(TensorFile *tensor, Text text)
{
    Text value;
    if (!find_key(text, "shape", &value) || !next_is(&value, "("))
        return false;
    while (!next_is(&value, ")")) {
        int64_t number = 0;
        const char *start = value.at;
        for (; value.at < value.end && *value.at >= '0' && *value.at <= '9'; value.at++) {
            number = number * 10 + (*value.at - '0');
            if (number > INT64_MAX / 16)
                return false;
        }
        if (value.at == start || tensor->rank == TENSOR_FILE_RANK)
            return false;
        tensor->dims[tensor->rank++] = number;
        if (next_is(&value, ","))
            continue;
        return next_is(&value, ")");
    }
    return true;
}

/* Where the header's text is. */
static bool find_header(const MappedFile *file, Text *text, size_t *data)
{
    size_t fixed = 10, length;
    const unsigned char *bytes = file->bytes;
    if (file->size < 12 || bytes[6] < 1 || bytes[6] > 3)
        return false;
    length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1) {
        fixed = 12;
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    }
    if (length > file->size - fixed)
        return false;
    text->at = (const char *)bytes + fixed;
    text->end = text->at + length;
    *data = fixed + length;
    return true;
}

bool tensor_file_read_npy(TensorFile *tensor, const char *path, Failure *failure)
{
    Text text;
    size_t data;
    bool fortran;
    if (!find_header(&tensor->file, &text, &data))
        return ingot_fail(failure, "%s: its .npy header is cut short or of an unknown version",
                          path);
    if (!read_type(tensor, text, path, failure))
        return false;
    if (!read_order(text, &fortran) || !read_shape(tensor, text) ||
        !ingot_count_elements(tensor->dims, 0, tensor->rank, &tensor->elements))
        return ingot_fail(
            failure, "%s: its header has no proper 'shape' or 'fortran_order'; the file is damaged",
            path);
    if (fortran && tensor->rank > 1)
        return ingot_fail(failure, "%s: is in Fortran order; save numpy.ascontiguousarray(array)",
                          path);
    uint64_t room = (tensor->file.size - data) / (uint64_t)ingot_element_bytes(tensor->type);
    if ((uint64_t)tensor->elements > room)
        return ingot_fail(failure,
                          "%s: holds %llu elements where its header promises %lld; it is truncated",
                          path, (unsigned long long)room, (long long)tensor->elements);
    tensor->data = tensor->file.bytes + data;
    return true;
}

static const char *npy_descr(int32_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].type == type)
            return types[i].descr;
    return "|V1";
}

int32_t tensor_file_npy_header(char header[512], int32_t type, const int64_t *dims, int32_t rank)
{
    char shape[384] = "";
    size_t at = 0;
    for (int32_t i = 0; i < rank; i++) {
        int wrote = snprintf(shape + at, sizeof shape - at,
                             rank == 1 ? "%lld,"
                             : i       ? ", %lld"
                                       : "%lld",
                             (long long)dims[i]);
        at += (size_t)wrote;
        if (at >= sizeof shape)
            return 0;
    }
    int length =
        snprintf(header + 10, 502, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                 npy_descr(type), shape);
    size_t total = (10 + (size_t)length + 1 + 63) / 64 * 64; /* data begins on a multiple of 64 */
    memset(header + 10 + length, ' ', total - 10 - (size_t)length);
    header[total - 1] = '\n';
    memcpy(header, "\x93NUMPY\x01", 8);
    header[8] = (char)((total - 10) & 0xFF);
    header[9] = (char)((total - 10) >> 8);
    return (int32_t)total;
}
