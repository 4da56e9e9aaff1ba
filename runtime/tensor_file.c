/* Which kind of tensor file it is, and closing it; see tensor_file.h. */
#include "runtime/system.h"

#include "runtime/tensor_file.h"

#include <stdlib.h>
#include <string.h>

bool tensor_file_open(TensorFile *tensor, const char *path, Failure *failure)
{
    *tensor = (TensorFile){0};
    if (!ingot_map_file(&tensor->file, path, failure))
        return false;
    const unsigned char *bytes = tensor->file.bytes;
    size_t size = tensor->file.size;
    bool good;
    if (size >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0)
        good = tensor_file_read_npy(tensor, path, failure);
    else if (size >= 4 &&
             ((bytes[0] == 0x1F && bytes[1] == 0x8B) || (bytes[0] == 0 && bytes[1] == 0)))
        good = tensor_file_read_idx(tensor, path, failure);
    else
        good = ingot_fail(failure, "%s: is neither a .npy nor an IDX file%s", path,
                          size == 0 ? "; it is empty" : "");
    if (!good)
        tensor_file_close(tensor);
    return good;
}

void tensor_file_close(TensorFile *tensor)
{
    free(tensor->block);
    ingot_unmap_file(&tensor->file);
    *tensor = (TensorFile){0};
}
