/* Checkpoints for a running program: refused ones leave the state as it was. */
#include "runtime/system.h"

#include "tests/fuzz/fuzz.h"

#include "runtime/checkpoint.h"
#include "tests/unit/runtime_fake_model.h"

static int32_t read_into(const IngotModel *model, const char *path, bool parameters_suffice)
{
    int32_t code;
    IngotInstance *instance = ingot_create(model, &(IngotOptions){.threads = 1}, &code);
    fuzz_check(instance != NULL, "no instance", NULL);
    code = ingot_checkpoint_read(instance, path, parameters_suffice, &(CheckpointNotes){.seed = 0});
    fuzz_check(code == INGOT_OK || ingot_last_error(instance)[0], "refused without a reason", NULL);
    ingot_destroy(instance);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file("checkpoint.safetensors", data, size);
    IngotModel inference = fake_inference_model();
    read_into(&fake_model, path, false);
    read_into(&inference, path, true);
    return 0;
}
