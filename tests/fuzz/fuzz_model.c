/* Model descriptions: read, differentiated, optimised, lowered. */
#include "tests/fuzz/fuzz.h"

#include "frontend/json_model.h"
#include "ir/verify.h"
#include "passes/passes.h"

static bool read_model(const char *path, bool train)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    ModelOptions options = {.batches = (const int64_t[]){1, 3}, .batch_count = 2, .train = train};
    Model *model = json_model_read(arena, diag, path, &options);
    fuzz_check((model != NULL) == diag_ok(diag), "refused without a reason, or the reverse", diag);
    if (model)
        fuzz_check(graph_verify(model->program, diag), "the model is not valid", diag);
    if (model && (!train || optimizer_build(model->program, &model->recipe->optimizer)))
        fuzz_compile(model->program);
    bool more = model && model->recipe;
    arena_destroy(arena);
    return more;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file("model.json", data, size);
    if (read_model(path, false))
        read_model(path, true);
    return 0;
}
