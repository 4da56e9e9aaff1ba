/* Which frontend reads a file. */
#include "frontend/model.h"

#include <string.h>
#include <unistd.h>

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

/* "serving_default:0" as "serving_default_0" */
static const char *file_part(Arena *arena, const char *name)
{
    char *part = arena_copy_text(arena, name);
    for (char *c = part; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              *c == '_' || *c == '-' || *c == '.'))
            *c = '_';
    return part;
}

const char *sample_file(Arena *arena, const char *folder, bool output, int number, const char *name)
{
    const char *what = output ? "out" : "in";
    const char *named = arena_print(arena, "%s/%s_%s.npy", folder, what, file_part(arena, name));
    const char *numbered = arena_print(arena, "%s/%sput_%d.pb", folder, what, number);
    return access(named, R_OK) == 0 ? named : access(numbered, R_OK) == 0 ? numbered : NULL;
}
