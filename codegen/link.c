/* Writes what --emit asks for.
 *
 *   exe      objects + main.o + team_X.o + libingot_runtime.a                 → OUT
 *   shared   objects + team_X.o + libingot_runtime.a, only PREFIX_* exported  → OUT.so, OUT.h
 *   object   the same, joined by `ld -r`, everything but PREFIX_* made local  → OUT.o, OUT.h
 *   static   that object in an archive                                        → OUT.a, OUT.h
 *   llvm, asm   text                                                          → OUT
 *
 * Everything is made in a temporary folder first; then each file is written beside its place and
 * renamed, so that a failure leaves the old files or none. No time, path or build-id gets into a
 * file: same input, same bytes.
 *
 * Where no kernel is shared among threads nothing that could start one is linked. OpenMP: a program
 * gets libgomp's archive inside, so it needs nothing installed; a library names libgomp.so, so that
 * all libraries of a process share one. */
#include "codegen/link.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "codegen/commands.h"
#include "codegen/public.h"
#include "codegen/toolchain.h"
#include "codegen/weights.h"

typedef struct Link {
    Arena *arena;
    Diag *diag;
    const Module *module;
    const CodegenOptions *options;
    ThreadKind threads;
    const char *path;   /* as the user gave it, for errors */
    const char *folder; /* temporary */
    Toolchain toolchain;
    CodegenObject *objects;
    int object_count;
} Link;

static const char *const suffixes[] = {
    [EMIT_EXECUTABLE] = "", [EMIT_SHARED] = ".so", [EMIT_STATIC] = ".a", [EMIT_OBJECT] = ".o"};

typedef struct Words {
    Arena *arena;
    const char **list; /* ends with NULL */
    int count, capacity;
} Words;

static void words_add(Words *words, const char *word)
{
    const char *both[] = {word, NULL};
    for (int i = 0; i < 2; i++) {
        words->list = arena_grow(words->arena, words->list, words->count + i, &words->capacity,
                                 sizeof *words->list);
        words->list[words->count + i] = both[i];
    }
    words->count++;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

const char *path_with_suffix(Arena *arena, const char *path, const char *old, const char *suffix)
{
    size_t length = strlen(path) - (ends_with(path, old) ? strlen(old) : 0);
    return arena_print(arena, "%.*s%s", (int)length, path, suffix);
}

ThreadKind codegen_threads(const Module *module, const CodegenOptions *options)
{
    bool shared = module->prepare && module->prepare->parallel;
    for (int i = 0; i < module->schedule_count; i++)
        shared = shared || module->schedules[i]->parallel;
    return shared ? options->threads : THREADS_NONE;
}

/* --- inputs of the linker --- */

static const char *temporary(const Link *link, const char *name)
{
    return arena_print(link->arena, "%s/%s", link->folder, name);
}

/* A temporary file; when that fails, the folder is the reason, so it is named. */
static bool write_temporary(const Link *link, const char *name, const char *bytes, size_t size)
{
    return file_write(link->diag, temporary(link, name), bytes, size, false);
}

static Words compiler_words(const Link *link)
{
    Words words = {.arena = link->arena};
    for (int i = 0; i < link->toolchain.compiler_words; i++)
        words_add(&words, link->toolchain.compiler[i]);
    return words;
}

/* Weights as an object file, made by the assembler. x86-64 has sections for what code does not
 * reach by offsets of 32 bits; in any other, 2 GiB of weights would part the code from its data. */
static bool assemble_weights(const Link *link, const CodegenObject *object)
{
    bool large = link->module->target->architecture == ARCHITECTURE_X86_64;
    const char *bytes = arena_print(link->arena, "%s.bytes", object->symbol);
    const char *source = arena_print(link->arena, "%s.s", object->symbol);
    const char *text = arena_print(
        link->arena,
        "\t.section %s,%%progbits\n\t.globl %s\n\t.hidden %s\n\t.type %s, %%object\n"
        "\t.balign 64\n%s:\n\t.incbin \"%s\"\n\t.section .note.GNU-stack,\"\",%%progbits\n",
        large ? ".lrodata,\"al\"" : ".rodata.weights,\"a\"", object->symbol, object->symbol,
        object->symbol, object->symbol, bytes);
    if (!write_temporary(link, bytes, object->bytes, object->size) ||
        !write_temporary(link, source, text, strlen(text)))
        return false;
    Words words = compiler_words(link);
    words_add(&words, "-c");
    words_add(&words, "-I");
    words_add(&words, link->folder);
    words_add(&words, "-o");
    words_add(&words, temporary(link, object->name));
    words_add(&words, temporary(link, source));
    return toolchain_run(link->diag, link->path, "cannot be assembled", words.list);
}

static bool write_objects(const Link *link)
{
    for (int i = 0; i < link->object_count; i++) {
        const CodegenObject *object = &link->objects[i];
        if (object->symbol ? !assemble_weights(link, object)
                           : !write_temporary(link, object->name, object->bytes, object->size))
            return false;
    }
    return true;
}

static void add_commands(const Link *link, Words *words)
{
    const char *const *name = commands_linked(link->arena, link->module->program);
    for (; *name; name++)
        words_add(words, arena_print(link->arena, "-Wl,--undefined=%s", *name));
}

static void add_objects(const Link *link, Words *words)
{
    static const char *const teams[] = {[THREADS_PTHREADS] = "team_pthreads.o",
                                        [THREADS_OPENMP] = "team_openmp.o",
                                        [THREADS_NONE] = "team_none.o",
                                        [THREADS_HOST] = "team_host.o"};
    for (int i = 0; i < link->object_count; i++)
        words_add(words, temporary(link, link->objects[i].name));
    words_add(words, toolchain_file(link->arena, &link->toolchain, teams[link->threads]));
    words_add(words, toolchain_file(link->arena, &link->toolchain, "libingot_runtime.a"));
}

/* What nobody needs goes: functions nobody calls, names of functions that are private to a file,
 * libraries nothing is taken from. The names of kernels stay, for whoever measures. */
static void add_thrift(Words *words)
{
    words_add(words, "-Wl,--gc-sections");
    words_add(words, "-Wl,--discard-all");
    words_add(words, "-Wl,--as-needed");
    words_add(words, "-Wl,--build-id=none");
}

static bool run_linker(const Link *link, const Words *words)
{
    return toolchain_run(link->diag, link->path, "cannot be linked", words->list);
}

/* --- one function for each kind --- */

static const char *link_executable(const Link *link, const char *main_object)
{
    const char *made = temporary(link, "program");
    Words words = compiler_words(link);
    if (link->options->static_libc)
        words_add(&words, "-static");
    words_add(&words, "-o");
    words_add(&words, made);
    words_add(&words, toolchain_file(link->arena, &link->toolchain, main_object));
    if (link->threads == THREADS_OPENMP)
        words_add(&words, toolchain_file(link->arena, &link->toolchain, "calm_openmp.o"));
    add_commands(link, &words);
    add_objects(link, &words);
    add_thrift(&words);
    if (link->threads == THREADS_OPENMP)
        words_add(&words, "-l:libgomp.a");
    words_add(&words, "-pthread");
    words_add(&words, "-lm");
    return run_linker(link, &words) ? made : NULL;
}

static const char *model_prefix(const Link *link)
{
    return public_identifier(link->arena, link->module->program->name);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *link_shared(const Link *link, const char *final_path)
{
    const char *made = temporary(link, "library.so");
    const char *exports =
        arena_print(link->arena, "{ global: %s_*; local: *; };\n", model_prefix(link));
    if (!write_temporary(link, "exports", exports, strlen(exports)))
        return NULL;
    Words words = compiler_words(link);
    words_add(&words, "-shared");
    words_add(&words, "-o");
    words_add(&words, made);
    add_objects(link, &words);
    add_thrift(&words);
    words_add(&words, "-Wl,-z,defs");
    words_add(&words,
              arena_print(link->arena, "-Wl,--version-script=%s", temporary(link, "exports")));
    words_add(&words, arena_print(link->arena, "-Wl,-soname=%s", base_name(final_path)));
    if (link->threads == THREADS_OPENMP)
        words_add(&words, "-lgomp");
    words_add(&words, "-pthread");
    words_add(&words, "-lm");
    return run_linker(link, &words) ? made : NULL;
}

/* One object in which only PREFIX_* can be seen, so that any number of models fits into one
 * program. */
static const char *link_object(const Link *link, const char *name)
{
    const char *made = temporary(link, name);
    Words words = compiler_words(link);
    words_add(&words, "-r");
    words_add(&words, "-nostdlib");
    words_add(&words, "-o");
    words_add(&words, made);
    add_objects(link, &words);
    words_add(&words, "-Wl,--build-id=none");
    if (!run_linker(link, &words))
        return NULL;
    const char *hide[] = {link->toolchain.objcopy, "--wildcard",
                          arena_print(link->arena, "--keep-global-symbol=%s_*", model_prefix(link)),
                          made, NULL};
    return toolchain_run(link->diag, link->path, "cannot be made", hide) ? made : NULL;
}

static const char *link_static(const Link *link)
{
    const char *object = link_object(link, arena_print(link->arena, "%s.o", model_prefix(link)));
    if (!object)
        return NULL;
    const char *made = temporary(link, "library.a");
    const char *archive[] = {link->toolchain.archiver, "rcsD", made, object, NULL};
    return toolchain_run(link->diag, link->path, "cannot be made", archive) ? made : NULL;
}

/* --- outputs --- */

static bool write_weights(const Link *link, const char *base)
{
    const Program *program = link->module->program;
    if (!link->options->weights_beside || !weights_known(program))
        return true;
    size_t size;
    const char *bytes = weights_file(program, link->arena, &size);
    return file_write(link->diag, path_with_suffix(link->arena, base, "", ".safetensors"), bytes,
                      size, false);
}

static bool write_header(const Link *link, const char *base)
{
    if (link->options->emit == EMIT_EXECUTABLE)
        return true;
    Text text = text_create(link->arena);
    codegen_header(link->module, link->options, &text);
    return file_write(link->diag, path_with_suffix(link->arena, base, "", ".h"), text.data,
                      text.length, false);
}

/* Links into the temporary folder, then moves things to their places, the main one last. */
static bool write_linked(Link *link, const char *main_object)
{
    EmitKind emit = link->options->emit;
    const char *base = path_with_suffix(link->arena, link->path, suffixes[emit], "");
    const char *path = path_with_suffix(link->arena, base, "", suffixes[emit]);
    const char *made = NULL;
    if (!write_objects(link))
        return false;
    if (emit == EMIT_EXECUTABLE)
        made = link_executable(link, main_object);
    else if (emit == EMIT_SHARED)
        made = link_shared(link, path);
    else if (emit == EMIT_STATIC)
        made = link_static(link);
    else
        made = link_object(link, "object.o");
    return made && write_weights(link, base) && write_header(link, base) &&
           file_move(link->diag, made, path);
}

/* Complains about a place that cannot be written before anything is compiled for it. */
static bool check_place(const Link *link)
{
    const char *slash = strrchr(link->path, '/');
    const char *folder =
        slash ? arena_print(link->arena, "%.*s", (int)(slash - link->path) + 1, link->path) : ".";
    if (access(folder, F_OK) != 0)
        return diag_error(link->diag, link->path, "cannot be written: there is no folder %s",
                          folder);
    return true;
}

bool link_program(const Module *module, const CodegenOptions *options, const char *main_object,
                  const char *path)
{
    CodegenOptions named = *options;
    Link link = {.arena = module->arena,
                 .diag = module->diag,
                 .module = module,
                 .options = &named,
                 .threads = codegen_threads(module, options),
                 .path = path};
    const char *base = path_with_suffix(link.arena, path, suffixes[options->emit], "");
    named.weights_file = arena_print(link.arena, "%s.safetensors", base_name(base));
    if (!check_place(&link) ||
        !toolchain_find(link.arena, link.diag, module->target, &link.toolchain))
        return false;
    link.objects = codegen_objects(module, &named, &link.object_count);
    if (!link.objects)
        return false;
    link.folder = folder_create_temporary(link.diag);
    if (!link.folder)
        return false;
    bool done = write_linked(&link, main_object);
    folder_remove(link.folder);
    return done;
}

bool codegen_write(const Module *module, const CodegenOptions *options, const char *path)
{
    if (options->emit != EMIT_LLVM && options->emit != EMIT_ASSEMBLY)
        return link_program(module, options, options->profile ? "main_profile.o" : "main.o", path);
    Text text = text_create(module->arena);
    return codegen_print(module, options, &text) &&
           file_write(module->diag, path, text.data, text.length, false);
}
