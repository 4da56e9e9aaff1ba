/* Tensors of an ONNX file as types and dense arrays of ours. */
#ifndef INGOT_FRONTEND_ONNX_TENSOR_H
#define INGOT_FRONTEND_ONNX_TENSOR_H

#include "frontend/onnx/file.h"
#include "ir/type.h"

/* TensorProto.DataType of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; the schema of
 * older releases ends with bfloat16. */
enum {
    ONNX_STRING = 8,
    ONNX_FLOAT8_FIRST = 17,
};

/* "float", "float8e4m3fn"; "type 99" of what nobody knows */
const char *onnx_type_name(Arena *arena, int64_t data_type);
/* False when there is no such element type here. */
bool onnx_type_find(int64_t data_type, ElementType *element);
/* The number ONNX gives an element type. */
int64_t onnx_type_number(ElementType element);

/* Is the shape one that a tensor can have? An error at `place` otherwise. */
bool onnx_type_check(Diag *diag, const char *place, const TensorType *type);

/* Type and bytes of a tensor, checked against each other. `model_path`: for external data, which is
 * mapped. The bytes live as long as the arena of `diag`, aligned to their elements. False and an
 * error at `place` otherwise. */
bool onnx_tensor_read(Diag *diag, const char *place, const char *model_path,
                      const Onnx__TensorProto *tensor, TensorType *type, const void **data);

/* The same of a tensor of which only the elements that are not nought are stored: made dense. */
bool onnx_sparse_read(Diag *diag, const char *place, const char *model_path,
                      const Onnx__SparseTensorProto *sparse, TensorType *type, const void **data);

/* One tensor from a file of its own: .npy, or a TensorProto as ONNX's tests have them. False and an
 * error otherwise. */
bool onnx_value_file_read(Diag *diag, const char *path, TensorType *type, const void **data);

/* A dense array with its axes in another order: axis j of the result is axis order[j]. */
const void *tensor_transposed(Arena *arena, const TensorType *type, const void *data,
                              const int64_t *order);

#endif
