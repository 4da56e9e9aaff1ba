/* The file a model was read from, as a template in which the weights are replaced. */
#ifndef INGOT_FRONTEND_ONNX_TEMPLATE_H
#define INGOT_FRONTEND_ONNX_TEMPLATE_H

#include "frontend/onnx/reader.h"
#include "ir/template.h"

/* Makes *result of the file and all weights that are states; *result is NULL when there is none
 * whose bytes lie in one piece in the file, as external data and typed fields of other programs may
 * not: then the model cannot be written back. False after an error. */
bool onnx_template_make(OnnxReader *reader, Template **result);

#endif
