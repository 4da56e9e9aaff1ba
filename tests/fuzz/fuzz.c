/* See fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/nest_text.h"
#include "ir/verify.h"
#include "passes/lower.h"
#include "passes/passes.h"

enum { NODES = 400, ELEMENTS = 1 << 14 }; /* of a program worth compiling here */

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    static char path[512]; /* the fuzzers' one place for it */
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/fuzz-%d-%s", folder ? folder : "/tmp", (int)getpid(), name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        _exit(1);
    }
    return path;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

void fuzz_check(bool holds, const char *what, const Diag *diag)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    if (diag)
        diag_print(diag, stderr);
    abort();
}

void fuzz_check_model(const Model *model, const Diag *diag)
{
    const Program *program = model->program;
    fuzz_check(program->function_count > 0, "the model has no function", diag);
    for (int i = 0; i < program->function_count; i++)
        fuzz_check(program->functions[i]->result_count >= model->output_count,
                   "the model has not all results", diag);
    fuzz_check(graph_verify(program, program->diag), "the model is not valid", diag);
}

static bool is_small(const Program *program)
{
    int64_t nodes = 0, elements = 0;
    for (int i = 0; i < program->function_count; i++) {
        const Function *f = program->functions[i];
        nodes += f->node_count;
        for (int j = 0; j < f->node_count; j++) {
            int64_t count = type_elements(&f->nodes[j]->type);
            if (count > ELEMENTS)
                return false;
            elements += count;
        }
    }
    return nodes <= NODES && elements <= 8 * ELEMENTS;
}

void fuzz_compile(Program *program)
{
    Diag *diag = program->diag;
    Target target;
    Module module;
    if (!is_small(program))
        return;
    fuzz_check(pipeline_run(program, &(PipelineOptions){0}), "the passes fail", diag);
    fuzz_check(graph_verify(program, diag), "the passes break an invariant", diag);
    target_find(diag, "x86_64-linux-gnu", "x86-64-v3", &target);
    if (!lower_program(program, &target, program->arena, diag, &module))
        return;
    for (int i = 0; i < module.kernel_count; i++)
        fuzz_check(kernel_verify(module.kernels[i], diag), "a kernel is not valid", diag);
}
