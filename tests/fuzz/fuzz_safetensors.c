/* Weights for the compiler: what is accepted gives every state a whole value. */
#include "tests/fuzz/fuzz.h"

#include "frontend/safetensors.h"

static void add_state(Program *program, const char *name, ElementType element, int rank)
{
    program_add_state(program, name, type_make(element, rank, (const int64_t[]){2, 3}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Program *program = program_create(arena, diag, "fuzz");
    add_state(program, "w", TYPE_F32, 2);
    add_state(program, "b", TYPE_I8, 1);
    bool loaded = safetensors_load(program, fuzz_file("weights.safetensors", data, size));
    fuzz_check(loaded == diag_ok(diag), "refused without a reason, or the reverse", diag);
    unsigned sum = 0;
    for (int i = 0; loaded && i < program->state_count; i++) {
        const State *state = program->states[i];
        for (int64_t j = 0; j < type_bytes(&state->type); j++)
            sum += ((const unsigned char *)state->value)[j];
    }
    fuzz_check(sum < 1u << 20, "cannot be", diag);
    arena_destroy(arena);
    return 0;
}
