/* What `ingot check` links with a model instead of runtime/main.c: runs calls on given numbers and
 * writes down all that came out. It runs on the target, under an emulator if need be, so it is in
 * the manner of the runtime.
 *
 *     probe CALLS RESULTS THREADS
 *
 * CALLS    for each call: int32 number of the function in the descriptor, every state, every input
 * RESULTS  for each call: every output, every state
 * Tensors are dense, in the order of the descriptor, in the byte order of all targets there are:
 * little endian.
 *
 * Exit codes: 0 done, 1 a call failed or a file could not be read or written. */
#include "runtime/system.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/instance.h"

extern const IngotModel ingot_descriptor __attribute__((visibility("hidden")));

enum { TENSOR_LIMIT = 4096 };

typedef struct Probe {
    IngotInstance *instance;
    FILE *calls, *results;
    void *inputs[TENSOR_LIMIT], *outputs[TENSOR_LIMIT];
} Probe;

static int fail(const char *what)
{
    fprintf(stderr, "probe: %s\n", what);
    return 1;
}

/* Buffers are aligned as a careless user's are: to the element, no more. */
static void *allocate(const IngotTensor *tensor)
{
    char *bytes = malloc((size_t)tensor->bytes + 64);
    return bytes ? bytes + 8 : NULL; /* lives until the program ends */
}

static int read_bytes(Probe *probe, void *bytes, int64_t size)
{
    return bytes && (size == 0 || fread(bytes, (size_t)size, 1, probe->calls) == 1);
}

static int write_bytes(Probe *probe, const void *bytes, int64_t size)
{
    return size == 0 || fwrite(bytes, (size_t)size, 1, probe->results) == 1;
}

static int run_call(Probe *probe, int32_t number)
{
    const IngotModel *model = &ingot_descriptor;
    if (number < 0 || number >= model->function_count)
        return fail("no such function");
    const IngotFunction *function = &model->functions[number];
    if (function->input_count > TENSOR_LIMIT || function->output_count > TENSOR_LIMIT)
        return fail("too many tensors");
    for (int32_t i = 0; i < model->state_count; i++)
        if (!read_bytes(probe, ingot_state(probe->instance, i), model->states[i].bytes))
            return fail("the calls end early");
    for (int32_t i = 0; i < function->input_count; i++) {
        probe->inputs[i] = allocate(&function->inputs[i]);
        if (!read_bytes(probe, probe->inputs[i], function->inputs[i].bytes))
            return fail("the calls end early");
    }
    for (int32_t i = 0; i < function->output_count; i++)
        if (!(probe->outputs[i] = allocate(&function->outputs[i])))
            return fail("out of memory");
    if (ingot_run(probe->instance, number, (const void *const *)probe->inputs, probe->outputs) !=
        INGOT_OK)
        return fail(ingot_last_error(probe->instance));
    for (int32_t i = 0; i < function->output_count; i++)
        if (!write_bytes(probe, probe->outputs[i], function->outputs[i].bytes))
            return fail("the results cannot be written");
    for (int32_t i = 0; i < model->state_count; i++)
        if (!write_bytes(probe, ingot_state(probe->instance, i), model->states[i].bytes))
            return fail("the results cannot be written");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fail("usage: probe CALLS RESULTS THREADS");
    IngotOptions options = {.threads = (int32_t)strtol(argv[3], NULL, 10)};
    int32_t code = 0;
    Probe probe = {.instance = ingot_create(&ingot_descriptor, &options, &code)};
    if (!probe.instance)
        return fail("the model cannot be created");
    probe.calls = fopen(argv[1], "rb");
    probe.results = fopen(argv[2], "wb");
    if (!probe.calls || !probe.results)
        return fail("a file cannot be opened");
    for (int32_t number; fread(&number, sizeof number, 1, probe.calls) == 1;)
        if (run_call(&probe, number) != 0)
            return 1;
    return fclose(probe.results) == 0 ? 0 : fail("the results cannot be written");
}
