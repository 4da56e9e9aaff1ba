/* One tensor from a file, for --const and for expected outputs: NumPy's .npy, or a TensorProto. */
#include "frontend/onnx/tensor.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"

static const struct {
    const char *name;
    ElementType element;
} types[] = {{"<f4", TYPE_F32},  {"<f8", TYPE_F64}, {"<i4", TYPE_I32}, {"<i8", TYPE_I64},
             {"|b1", TYPE_BOOL}, {"|u1", TYPE_U8},  {"|i1", TYPE_I8},  {"<i2", TYPE_I16},
             {"<u2", TYPE_U16},  {"<u4", TYPE_U32}, {"<u8", TYPE_U64}, {"<f2", TYPE_F16}};

/* What stands behind 'key': in the header of an .npy file. */
static const char *after_key(const char *header, const char *key)
{
    const char *found = strstr(header, key);
    if (!found)
        return NULL;
    found += strlen(key);
    return found + strspn(found, ": ");
}

static bool read_dims(const char *text, TensorType *type)
{
    if (*text++ != '(')
        return false;
    for (text += strspn(text, " ,"); *text != ')'; text += strspn(text, " ,")) {
        char *end;
        long long dim = strtoll(text, &end, 10);
        if (end == text || type->rank == RANK_LIMIT || dim < 0 || dim > ELEMENT_LIMIT)
            return false;
        type->dims[type->rank++] = dim;
        text = end;
    }
    return true;
}

/* Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
static bool read_npy(Diag *diag, const char *path, const char *bytes, size_t size, TensorType *type,
                     const void **data)
{
    size_t start = 10, length = 0;
    if (size >= 12 && bytes[6] == 1)
        length = (unsigned char)bytes[8] | (size_t)(unsigned char)bytes[9] << 8;
    else if (size >= 12) {
        start = 12;
        for (int i = 0; i < 4; i++)
            length |= (size_t)(unsigned char)bytes[8 + i] << (8 * i);
    }
    if (length == 0 || start + length > size)
        return diag_error(diag, path, "is cut short");
    const char *header = arena_copy_bytes(diag->arena, bytes + start, length);
    const char *descr = after_key(header, "'descr'"), *order = after_key(header, "'fortran_order'"),
               *shape = after_key(header, "'shape'");
    bool known = false;
    *type = (TensorType){0};
    for (size_t i = 0; descr && i < sizeof types / sizeof types[0]; i++)
        if (descr[0] == '\'' && strncmp(descr + 1, types[i].name, 3) == 0) {
            type->element = types[i].element;
            known = true;
        }
    if (!known)
        return diag_error(diag, path, "holds elements of a type that cannot be read: %.8s",
                          descr ? descr : "");
    if (!order || strncmp(order, "False", 5) != 0)
        return diag_error(diag, path, "is stored column by column; save it with order='C'");
    int64_t bytes_wanted = element_bytes(type->element);
    bool fits = shape && read_dims(shape, type);
    for (int i = 0; fits && i < type->rank; i++)
        fits = checked_multiply(bytes_wanted, type->dims[i], &bytes_wanted);
    if (!fits || (uint64_t)bytes_wanted != size - start - length)
        return diag_error(diag, path, "does not hold as many bytes as its shape takes");
    *data = arena_copy_bytes(diag->arena, bytes + start + length, (size_t)bytes_wanted);
    return true;
}

bool onnx_value_file_read(Diag *diag, const char *path, TensorType *type, const void **data)
{
    size_t size;
    const char *bytes = file_read(diag, path, &size);
    if (!bytes)
        return false;
    if (size >= 10 && memcmp(bytes, "\x93NUMPY", 6) == 0)
        return read_npy(diag, path, bytes, size, type, data);
    const Onnx__TensorProto *tensor = onnx_tensor_file_read(diag, path);
    return tensor && onnx_tensor_read(diag, path, path, tensor, type, data);
}
