/* Which frontend reads a file. */
#include "frontend/model.h"

#include <string.h>

#include "frontend/json_model.h"
#include "frontend/onnx/onnx_model.h"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Options that say how an ONNX model is bound mean nothing to a description. */
static bool refuse_bindings(Diag *diag, const ModelOptions *options)
{
    const Bindings *b = options->bindings;
    if (options->recipe)
        return diag_error(diag, "--train",
                          "%s: a description has its own \"train\"; only an ONNX "
                          "model takes a recipe",
                          options->recipe);
    const char *option = !b                  ? NULL
                         : b->shape_count    ? "--shape"
                         : b->dim_count      ? "--dim"
                         : b->constant_count ? "--const"
                                             : NULL;
    return !option || diag_error(diag, option, "is for ONNX models");
}

Model *model_read(Arena *arena, Diag *diag, const char *path, const ModelOptions *options)
{
    if (ends_with(path, ".onnx"))
        return onnx_model_read(arena, diag, path, options);
    return refuse_bindings(diag, options) ? json_model_read(arena, diag, path, options) : NULL;
}
