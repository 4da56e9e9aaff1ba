/* Runs a compiled model on given numbers; see probe.h. */
#include "driver/probe.h"

#include <string.h>

#include "base/file.h"
#include "codegen/link.h"
#include "codegen/toolchain.h"

static bool find_emulator(Probe *probe)
{
    if (probe->target->native)
        return true;
    const char *triple = probe->target->triple;
    probe->emulator =
        arena_print(probe->diag->arena, "qemu-%.*s", (int)strcspn(triple, "-"), triple);
    return toolchain_has_program(probe->diag->arena, probe->emulator) ||
           diag_error(probe->diag, "--target",
                      "%s is not installed, which runs programs for %s here: install Debian's "
                      "package qemu-user",
                      probe->emulator, triple);
}

bool probe_create(Probe *probe, const Compilation *compilation)
{
    *probe = (Probe){.diag = compilation->diag, .target = &compilation->options->target};
    if (!find_emulator(probe))
        return false;
    probe->folder = folder_create_temporary(probe->diag);
    if (!probe->folder)
        return false;
    probe->program = arena_print(compilation->arena, "%s/probe", probe->folder);
    CodegenOptions codegen = compile_codegen_options(compilation);
    return link_program(&compilation->module, &codegen, "probe.o", probe->program);
}

bool probe_run(const Probe *probe, Arena *arena, const void *call, size_t call_size, int threads,
               char **results, size_t *size)
{
    const char *calls = arena_print(arena, "%s/calls", probe->folder);
    const char *path = arena_print(arena, "%s/results", probe->folder);
    if (!file_write(probe->diag, calls, call, call_size, false))
        return false;
    const char *words[8];
    int count = 0;
    if (probe->emulator) {
        words[count++] = probe->emulator;
        words[count++] = "-L";
        words[count++] = arena_print(arena, "/usr/%s", probe->target->triple);
    }
    words[count++] = probe->program;
    words[count++] = calls;
    words[count++] = path;
    words[count++] = arena_print(arena, "%d", threads);
    words[count] = NULL;
    if (!toolchain_run(probe->diag, NULL, "the compiled model does not run", words))
        return false;
    *results = file_read(probe->diag, path, size);
    return *results != NULL;
}

void probe_remove(const Probe *probe)
{
    if (probe->folder)
        folder_remove(probe->folder);
}
