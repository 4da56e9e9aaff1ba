/* An ONNX file as it is on disk: bytes into the messages of onnx.proto, nothing looked at yet. */
#ifndef INGOT_FRONTEND_ONNX_FILE_H
#define INGOT_FRONTEND_ONNX_FILE_H

#include "base/diag.h"

#include <onnx.pb-c.h>

/* The model in `path`, in the arena of `diag`; NULL and an error when it is none. Whatever the
 * bytes are, messages nest no deeper than the reader of graphs can follow. They live as long. */
const Onnx__ModelProto *onnx_file_read(Diag *diag, const char *path, ProtobufCBinaryData *file);

/* One tensor of a file that holds nothing else, as ONNX's own tests do; NULL and an error. */
const Onnx__TensorProto *onnx_tensor_file_read(Diag *diag, const char *path);

/* The file that a TensorProto's external data names, which must lie beside the model: `size` bytes
 * of it are mapped, read only. NULL and an error otherwise. */
const char *onnx_external_map(Diag *diag, const char *place, const char *model_path,
                              const char *location, size_t *size);

/* Fields newer than the schema that this was built with: number `index` of those with this tag that
 * hold bytes, a text or a message. False when there are no more. */
bool onnx_newer_field(const ProtobufCMessage *message, unsigned tag, int index,
                      ProtobufCBinaryData *bytes);
/* The message in such bytes; NULL and an error at `place` when there is none. */
const ProtobufCMessage *onnx_message_read(Diag *diag, const char *place,
                                          const ProtobufCMessageDescriptor *descriptor,
                                          ProtobufCBinaryData bytes);

/* Text of a bytes field, with a NUL behind it. */
const char *onnx_bytes_text(Arena *arena, ProtobufCBinaryData bytes);

#endif
