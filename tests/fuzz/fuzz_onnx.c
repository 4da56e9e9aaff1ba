/* ONNX files as bytes: read, and compiled where they are models. */
#include "tests/fuzz/fuzz.h"

#include "frontend/onnx/onnx_model.h"

static void read_model(const char *path, Bindings *bindings)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    ModelOptions options = {
        .batches = (const int64_t[]){1, 3}, .batch_count = 2, .bindings = bindings};
    Model *model = onnx_model_read(arena, diag, path, &options);
    fuzz_check(model || !diag_ok(diag), "refused without a reason", diag);
    if (diag_ok(diag)) {
        fuzz_check_model(model, diag);
        fuzz_compile(model->program);
    }
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bindings bindings = {.dim_count = 0};
    read_model(fuzz_file("model.onnx", data, size), &bindings);
    return 0;
}
