/* Finds and runs the linker and its friends; see toolchain.h. */
#include "codegen/toolchain.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

extern char **environ;

/* --- the runtime --- */

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* The folder this executable lies in. */
static const char *own_folder(Arena *arena)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return ".";
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return arena_copy_text(arena, path);
}

static const char *find_runtime(Arena *arena, Diag *diag, const Target *target)
{
    const char *home = getenv("INGOT_HOME");
    const char *folder = own_folder(arena);
    const char *places[] = {
        home && home[0] ? arena_print(arena, "%s/%s", home, target->triple) : NULL,
        arena_print(arena, "%s/runtime/%s", folder, target->triple),
        arena_print(arena, "%s/../lib/ingot/%s", folder, target->triple),
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (places[i] && is_file(arena_print(arena, "%s/libingot_runtime.a", places[i])))
            return places[i];
    diag_error(
        diag, "--target",
        "Ingot's runtime for %s is not installed: expected %s/libingot_runtime.a; build Ingot "
        "with %s-gcc installed, or set INGOT_HOME",
        target->triple, places[0] ? places[0] : places[1], target->triple);
    return NULL;
}

const char *toolchain_file(Arena *arena, const Toolchain *toolchain, const char *name)
{
    return arena_print(arena, "%s/%s", toolchain->runtime, name);
}

/* --- programs --- */

bool toolchain_has_program(Arena *arena, const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
        size_t length = strcspn(at, ":");
        const char *file = arena_print(arena, "%.*s/%s", (int)length, at, name);
        if (length && is_file(file) && access(file, X_OK) == 0)
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

/* $CC may hold several words: "ccache gcc". */
static bool split_compiler(Arena *arena, Diag *diag, const char *text, Toolchain *toolchain)
{
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        if (toolchain->compiler_words == COMPILER_WORDS)
            return diag_error(diag, "CC", "has more than %d words", COMPILER_WORDS);
        toolchain->compiler[toolchain->compiler_words++] = arena_copy_bytes(arena, text, length);
        text += length;
    }
    return true;
}

static bool find_native(Arena *arena, Diag *diag, Toolchain *toolchain)
{
    const char *chosen = getenv("CC");
    bool named = chosen && chosen[strspn(chosen, " ")];
    if (!split_compiler(arena, diag, named ? chosen : "cc", toolchain))
        return false;
    if (!toolchain_has_program(arena, toolchain->compiler[0]))
        return diag_error(
            diag, named ? "CC" : NULL,
            "%s is not installed, which links for this machine: install Debian's package gcc",
            toolchain->compiler[0]);
    toolchain->objcopy = "objcopy";
    toolchain->archiver = "ar";
    return true;
}

static bool find_cross(Arena *arena, Diag *diag, Toolchain *toolchain)
{
    const char *triple = toolchain->target->triple;
    toolchain->compiler[0] = arena_print(arena, "%s-gcc", triple);
    toolchain->compiler_words = 1;
    toolchain->objcopy = arena_print(arena, "%s-objcopy", triple);
    toolchain->archiver = arena_print(arena, "%s-ar", triple);
    if (toolchain_has_program(arena, toolchain->compiler[0]))
        return true;
    const char *package = arena_copy_text(arena, triple);
    for (char *c = strchr(package, '_'); c; c = strchr(c, '_'))
        *c = '-'; /* gcc-x86-64-linux-gnu */
    return diag_error(diag, "--target",
                      "%s is not installed, which links for %s: install Debian's package gcc-%s",
                      toolchain->compiler[0], triple, package);
}

bool toolchain_find(Arena *arena, Diag *diag, const Target *target, Toolchain *toolchain)
{
    *toolchain = (Toolchain){.target = target};
    if (!(target->native ? find_native : find_cross)(arena, diag, toolchain))
        return false;
    toolchain->runtime = find_runtime(arena, diag, target);
    return toolchain->runtime != NULL;
}

/* --- running --- */

/* All that arrives at `descriptor` until its writers have closed it. */
static const char *read_to_end(Arena *arena, int descriptor)
{
    Text text = text_create(arena);
    for (;;) {
        char bytes[4096];
        ssize_t got = read(descriptor, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text_add_bytes(&text, bytes, (size_t)got);
    }
    while (text.length && text.data[text.length - 1] == '\n')
        text.data[--text.length] = '\0';
    return text.data;
}

static int spawn(const char *const *words, const posix_spawn_file_actions_t *actions,
                 pid_t *process)
{ /* posix_spawnp does not change its words, it only lacks the const */
    return posix_spawnp(process, words[0], actions, NULL, (char *const *)(uintptr_t)words, environ);
}

static int wait_for(pid_t process)
{
    int status;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

/* Starts the program with its standard error at `error_pipe`. Returns 0 or an error number. */
static int start(const char *const *words, const int error_pipe[2], pid_t *process)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);
    if (code)
        return code;
    code = posix_spawn_file_actions_adddup2(&actions, error_pipe[1], STDERR_FILENO);
    if (!code)
        code = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (!code)
        code = spawn(words, &actions, process);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

bool toolchain_run(Diag *diag, const char *place, const char *what, const char *const *words)
{
    int error_pipe[2];
    if (pipe2(error_pipe, O_CLOEXEC) != 0)
        return diag_error(diag, place, "%s: %s: %s", what, words[0], strerror(errno));
    pid_t process;
    int code = start(words, error_pipe, &process);
    close(error_pipe[1]);
    const char *said = read_to_end(diag->arena, error_pipe[0]);
    close(error_pipe[0]);
    if (code)
        return diag_error(diag, place, "%s: %s: %s", what, words[0], strerror(code));
    int status = wait_for(process);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        return diag_error(diag, place, "%s: %s was ended by signal %d%s%s", what, words[0],
                          WTERMSIG(status), said[0] ? "\n" : "", said);
    return diag_error(diag, place, "%s: %s failed%s%s", what, words[0], said[0] ? "\n" : "", said);
}

bool toolchain_show(Diag *diag, const char *place, const char *what, const char *const *words,
                    int *code)
{
    pid_t process;
    int failure = spawn(words, NULL, &process);
    if (failure)
        return diag_error(diag, place, "%s: %s: %s", what, words[0], strerror(failure));
    int status = wait_for(process);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}
