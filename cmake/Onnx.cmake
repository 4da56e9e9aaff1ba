# The schema of ONNX, as the system's package installs it, made into C by protobuf-c: the target
# `onnx_schema` (header onnx.pb-c.h).
find_program(PROTOC_C NAMES protoc-c protoc-gen-c REQUIRED)
find_library(PROTOBUF_C_LIBRARY protobuf-c REQUIRED)
find_path(PROTOBUF_C_INCLUDE_DIR protobuf-c/protobuf-c.h REQUIRED)
find_file(ONNX_PROTO onnx/onnx.proto PATHS /usr/include /usr/local/include REQUIRED)

set(onnx_schema_folder ${CMAKE_BINARY_DIR}/onnx)
file(MAKE_DIRECTORY ${onnx_schema_folder})
cmake_path(GET ONNX_PROTO PARENT_PATH onnx_proto_folder)
add_custom_command(
  OUTPUT ${onnx_schema_folder}/onnx.pb-c.c ${onnx_schema_folder}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --proto_path=${onnx_proto_folder} --c_out=${onnx_schema_folder} ${ONNX_PROTO}
  DEPENDS ${ONNX_PROTO} VERBATIM)
add_library(onnx_schema STATIC ${onnx_schema_folder}/onnx.pb-c.c)
target_include_directories(onnx_schema SYSTEM PUBLIC ${onnx_schema_folder} ${PROTOBUF_C_INCLUDE_DIR})
target_link_libraries(onnx_schema PUBLIC ${PROTOBUF_C_LIBRARY})
