/* Compiles kernels with codegen/, adds a small C program and links both.
 *
 * For this machine the program is a shared object with one function, run(index, arguments, scratch,
 * members). For others it is an executable under an emulator: for each call it reads a Request and
 * the arguments from standard input, runs, and writes the arguments to standard output. */
#include "tests/support/compiled_kernel.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "codegen/codegen.h"
#include "codegen/kernel.h"
#include "runtime/float_mode.h"

typedef void Run(int index, void *const *arguments, void *scratch, int members);

enum { ARGUMENTS = 64 };

typedef struct Request { /* main_text has it, too */
    int64_t index, members, scratch_bytes, count;
    int64_t bytes[ARGUMENTS];
    int64_t same[ARGUMENTS]; /* the first argument that is at the same place */
} Request;

struct CompiledKernels {
    Arena *arena;
    const Target *target;
    Kernel **kernels;
    int count;
    const char *folder;
    void *library;
    Run *run;
    pid_t emulated;
    FILE *to, *from; /* of the emulated program */
};

static const char *emulator(const Target *target)
{
    if (target->native)
        return "";
    return target->architecture == ARCHITECTURE_AARCH64 ? "qemu-aarch64" : "qemu-arm";
}

static const char *compiler(Arena *arena, const Target *target)
{
    return target->native ? "cc" : arena_print(arena, "%s-gcc", target->triple);
}

bool compiled_kernels_possible(const Target *target)
{
    if (target->native)
        return true;
    Arena *arena = arena_create();
    const char *command = arena_print(arena, "command -v %s >/dev/null && command -v %s >/dev/null",
                                      compiler(arena, target), emulator(target));
    bool possible = system(command) == 0;
    arena_destroy(arena);
    return possible;
}

_Noreturn static void give_up(const char *what, const Diag *diag)
{
    fprintf(stderr, "compiled_kernel: %s\n", what);
    if (diag)
        diag_print(diag, stderr);
    abort();
}

static void must_run(const char *command)
{
    if (system(command) != 0)
        give_up(command, NULL);
}

static void add_case(Text *text, const Kernel *kernel, int index)
{
    text_print(text, "    case %d: kernel%d(", index, index);
    for (int i = 0; i < kernel->argument_count; i++)
        text_print(text, "a[%d], ", i);
    text_add(text, "scratch, member, members); break;\n");
}

/* void kernel3(void *, …, void *scratch, int, int) and run(), which calls it */
static void add_run(Text *text, const CompiledKernels *compiled)
{
    for (int i = 0; i < compiled->count; i++) {
        text_print(text, "void kernel%d(", i);
        for (int j = 0; j <= compiled->kernels[i]->argument_count; j++)
            text_add(text, "void *, ");
        text_print(text, "int, int) __asm__(\"t.%s\");\n", compiled->kernels[i]->name);
    }
    text_add(text, "void run(int index, void *const *a, void *scratch, int members)\n{\n"
                   "  for (int member = 0; member < members; member++)\n    switch (index) {\n");
    for (int i = 0; i < compiled->count; i++)
        add_case(text, compiled->kernels[i], i);
    text_add(text, "    }\n}\n");
}

static int64_t argument_bytes(const Kernel *kernel, int index)
{
    return kernel->arguments[index]->count * element_bytes(kernel->arguments[index]->element);
}

/* Arguments are followed by a guard, so that writing behind one is seen. */
static const char main_text[] =
    "#include <stdio.h>\n#include <stdlib.h>\n#include \"runtime/float_mode.h\"\n"
    "static int64_t r[4 + 64 + 64];\n"
    "static void *piece(int64_t size) { return aligned_alloc(64, ((size_t)size + 127) / 64 * 64); "
    "}\n"
    "int main(void)\n{\n"
    "  void *a[64];\n"
    "  while (fread(r, sizeof r, 1, stdin) == 1) {\n"
    "    const int64_t *bytes = r + 4, *same = r + 68;\n"
    "    for (int i = 0; i < r[3]; i++) {\n"
    "      a[i] = same[i] < i ? a[same[i]] : piece(bytes[i]);\n"
    "      if (fread(a[i], 1, (size_t)bytes[i], stdin) != (size_t)bytes[i]) return 1;\n"
    "    }\n"
    "    void *scratch = piece(r[2]);\n"
    "    FloatMode mode = float_mode_get();\n"
    "    float_mode_set(float_mode_flushing(mode));\n"
    "    run((int)r[0], a, scratch, (int)r[1]);\n"
    "    float_mode_set(mode);\n"
    "    for (int i = 0; i < r[3]; i++) fwrite(a[i], 1, (size_t)bytes[i], stdout);\n"
    "    fflush(stdout);\n"
    "    for (int i = 0; i < r[3]; i++) if (same[i] == i) free(a[i]);\n"
    "    free(scratch);\n"
    "  }\n"
    "  return 0;\n}\n";

static void write_objects(const CompiledKernels *compiled, Diag *diag, Text *list)
{
    Program program = {.arena = compiled->arena, .diag = diag, .name = "t"};
    Module module = {.arena = compiled->arena,
                     .diag = diag,
                     .program = &program,
                     .target = compiled->target,
                     .kernels = compiled->kernels,
                     .kernel_count = compiled->count};
    CodegenOptions options = {.emit = EMIT_OBJECT, .compiler = "test", .jobs = 2};
    int count;
    CodegenObject *objects = codegen_objects(&module, &options, &count);
    if (!objects)
        give_up("no code", diag);
    for (int i = 1; i < count; i++) { /* 0 is the model's, of which there is none */
        const char *path = arena_print(compiled->arena, "%s/%s", compiled->folder, objects[i].name);
        if (!file_write(diag, path, objects[i].bytes, objects[i].size, false))
            give_up(path, diag);
        text_print(list, " %s", path);
    }
}

static void load_library(CompiledKernels *compiled, const char *path)
{
    compiled->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!compiled->library)
        give_up(dlerror(), NULL);
    *(void **)&compiled->run = dlsym(compiled->library, "run");
}

static void start_emulator(CompiledKernels *compiled, const char *path)
{
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0 || (compiled->emulated = fork()) < 0)
        give_up("no process for the emulator", NULL);
    if (compiled->emulated == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execlp(emulator(compiled->target), emulator(compiled->target), path, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    compiled->to = fdopen(to[1], "wb");
    compiled->from = fdopen(from[0], "rb");
}

CompiledKernels *compiled_kernels_create(Arena *arena, const Target *target, Kernel **kernels,
                                         int count)
{
    Diag *diag = diag_create(arena);
    CompiledKernels *compiled = ARENA_NEW(arena, CompiledKernels);
    *compiled =
        (CompiledKernels){.arena = arena, .target = target, .kernels = kernels, .count = count};
    compiled->folder = folder_create_temporary(diag);
    Text list = text_create(arena), text = text_create(arena);
    write_objects(compiled, diag, &list);
    add_run(&text, compiled);
    if (!target->native)
        text_add(&text, main_text);
    const char *source = arena_print(arena, "%s/run.c", compiled->folder);
    const char *product = arena_print(arena, "%s/run.so", compiled->folder);
    if (!file_write(diag, source, text.data, text.length, false))
        give_up(source, diag);
    const char *root = getenv("INGOT_SOURCE");
    must_run(arena_print(arena, "%s -D_GNU_SOURCE -O1 -I%s %s -o %s %s%s", compiler(arena, target),
                         root ? root : ".", target->native ? "-shared -fPIC" : "-static", product,
                         source, list.data));
    if (target->native)
        load_library(compiled, product);
    else
        start_emulator(compiled, product);
    return compiled;
}

void compiled_kernels_destroy(CompiledKernels *compiled)
{
    if (compiled->library)
        dlclose(compiled->library);
    if (compiled->emulated) {
        fclose(compiled->to);
        fclose(compiled->from);
        waitpid(compiled->emulated, NULL, 0);
    }
    folder_remove(compiled->folder);
}

static void run_here(CompiledKernels *compiled, int index, void *const *arguments, int members)
{
    size_t size = (size_t)kernel_scratch_bytes(compiled->kernels[index]) + 64;
    void *scratch = aligned_alloc(64, size);
    memset(scratch, 0xff, size);
    FloatMode mode = float_mode_get();
    float_mode_set(float_mode_flushing(mode));
    compiled->run(index, arguments, scratch, members);
    float_mode_set(mode);
    free(scratch);
}

static Request make_request(const Kernel *kernel, int index, void *const *arguments, int members)
{
    Request request = {.index = index,
                       .members = members,
                       .scratch_bytes = kernel_scratch_bytes(kernel),
                       .count = kernel->argument_count};
    if (kernel->argument_count > ARGUMENTS)
        give_up("too many arguments", NULL);
    for (int i = 0; i < kernel->argument_count; i++) {
        request.bytes[i] = argument_bytes(kernel, i);
        while (arguments[request.same[i]] != arguments[i])
            request.same[i]++;
    }
    return request;
}

static void run_elsewhere(CompiledKernels *compiled, int index, void *const *arguments, int members)
{
    const Kernel *kernel = compiled->kernels[index];
    Request request = make_request(kernel, index, arguments, members);
    fwrite(&request, sizeof request, 1, compiled->to);
    for (int i = 0; i < kernel->argument_count; i++)
        fwrite(arguments[i], 1, (size_t)request.bytes[i], compiled->to);
    if (fflush(compiled->to) != 0)
        give_up("the emulated program is gone", NULL);
    for (int i = 0; i < kernel->argument_count; i++)
        if (fread(arguments[i], 1, (size_t)request.bytes[i], compiled->from) !=
            (size_t)request.bytes[i])
            give_up("the emulated program ended", NULL);
}

void compiled_kernels_run(CompiledKernels *compiled, int index, void *const *arguments, int members)
{
    if (compiled->target->native)
        run_here(compiled, index, arguments, members);
    else
        run_elsewhere(compiled, index, arguments, members);
}
