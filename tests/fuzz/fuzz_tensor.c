/* Tensors from .npy and IDX files, plain or gzip'd: all elements of what is accepted are there. */
#include "tests/fuzz/fuzz.h"

#include "runtime/element.h"
#include "runtime/tensor_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Failure failure = {""};
    TensorFile tensor = {0};
    bool opened = tensor_file_open(&tensor, fuzz_file("tensor", data, size), &failure);
    fuzz_check(opened == !failure.text[0], "refused without a reason, or the reverse", NULL);
    int64_t bytes = opened ? tensor.elements * ingot_element_bytes(tensor.type) : 0;
    volatile unsigned char sum = 0;
    for (int64_t i = 0; i < bytes; i++)
        sum = (unsigned char)(sum + tensor.data[i]);
    tensor_file_close(&tensor);
    return 0;
}
