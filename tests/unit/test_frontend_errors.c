/* Every mistake a description can hold, with the exact text that names it.
 *
 * tests/errors/NAME.txt holds cases:
 *
 *     == what is wrong
 *     the description
 *     -- what must be said
 *
 * In onnx.txt the models are written as support/onnx_text.h has them; what their external data can
 * name lies beside them: see put_files(). Descriptions may be
 * shortened: "layers …" is a list of layers, "train …" the inside of "train", "data …" that of
 * "data"; the rest of the model is put around it. INGOT_UPDATE=1 writes what is said now into the
 * files. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "frontend/json_model.h"
#include "frontend/onnx/onnx_model.h"
#include "tests/support/onnx_text.h"

#define LOSS                                                                                       \
    "\"targets\": { \"label\": { \"classes\": 3 } }, "                                             \
    "\"loss\": { \"softmax_cross_entropy\": [\"logits\", \"label\"] }"
#define MODEL                                                                                      \
    "{ \"inputs\": { \"x\": [\"batch\", 4] }, \"layers\": [{ \"dense\": 3, \"name\": \"logits\" "  \
    "}, "                                                                                          \
    "{ \"softmax\": {}, \"name\": \"probabilities\" }], "

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The description a case stands for. */
static const char *complete(Arena *arena, const char *text)
{
    if (starts(text, "layers "))
        return arena_print(
            arena, "{ \"inputs\": { \"x\": [\"batch\", 8, 8, 3] }, \"layers\": [%s] }", text + 7);
    if (starts(text, "data "))
        return arena_print(arena, MODEL "\"train\": { " LOSS " }, \"data\": { %s } }", text + 5);
    if (starts(text, "train LOSS"))
        return arena_print(arena, MODEL "\"train\": { " LOSS "%s } }", text + 10);
    if (starts(text, "train {}"))
        return MODEL "\"train\": {} }";
    if (starts(text, "train \"targets\""))
        return arena_print(arena, MODEL "\"train\": { %s } }", text + 6);
    if (starts(text, "train \""))
        return arena_print(
            arena, MODEL "\"train\": { \"targets\": { \"label\": { \"classes\": 3 } }, %s } }",
            text + 6);
    return starts(text, "train\n") ? text + 6 : text;
}

/* What reading the description says. */
static const char *read_it(Arena *arena, bool onnx, const char *text)
{
    Diag *diag = diag_create(arena);
    Text said = text_create(arena);
    const int64_t batch = 2;
    const char *description = complete(arena, text);
    ModelOptions options = {.batches = &batch, .batch_count = 1, .train = starts(text, "train\n")};
    if (onnx)
        onnx_text_write(arena, text, "model.onnx");
    else
        cr_assert(file_write(diag, "model.json", description, strlen(description), false));
    Model *model = onnx ? onnx_model_read(arena, diag, "model.onnx", &options)
                        : json_model_read(arena, diag, "model.json", &options);
    cr_expect(onnx || (model == NULL) == !diag_ok(diag)); /* of ONNX what could be read is given */
    cr_expect(!diag_ok(diag));
    for (int i = 0; i < diag->error_count && i < DIAG_LIMIT; i++)
        text_print(&said, "-- %s\n", diag->messages[i]);
    return said.data;
}

/* A file of 16 bytes, a link to it, one to a folder, and a pipe that nobody writes to. */
static void put_files(Diag *diag)
{
    cr_assert(file_write(diag, "data.bin", "0123456789abcdef", 16, false));
    cr_assert(symlink("data.bin", "link.bin") == 0);
    cr_assert(symlink("/", "elsewhere") == 0);
    cr_assert(mkfifo("pipe", 0600) == 0);
}

/* Runs one case, from behind its title; returns what the file should say. */
static void run_case(const char *file, const char *text, Text *updated)
{
    Arena *arena = arena_create();
    const char *expected = strstr(text, "-- ");
    if (!expected || (expected != text && expected[-1] != '\n'))
        expected = text + strlen(text);
    const char *title_end = strchr(text, '\n');
    const char *title = arena_copy_bytes(arena, text, (size_t)(title_end - text));
    const char *description =
        arena_copy_bytes(arena, title_end + 1, (size_t)(expected - title_end - 1));
    const char *said = read_it(arena, strcmp(file, "onnx") == 0, description);
    if (!getenv("INGOT_UPDATE"))
        cr_expect_str_eq(said, expected, "%s: %s:\n%swhere the file says\n%s", file, title, said,
                         expected);
    text_print(updated, "== %s\n%s%s", title, description, said);
    arena_destroy(arena);
}

static void run_file(const char *name)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    size_t size;
    const char *root = getenv("INGOT_SOURCE");
    char folder[4096];
    cr_assert(getcwd(folder, sizeof folder));
    const char *path = arena_print(arena, "%s/tests/errors/%s.txt", root ? root : folder, name);
    char *text = file_read(diag, path, &size);
    cr_assert(text, "%s cannot be read", path);
    char *scratch = folder_create_temporary(diag);
    cr_assert(scratch && chdir(scratch) == 0);
    put_files(diag);
    Text updated = text_create(arena);
    char *next = strstr(text, "\n== ");
    text_add_bytes(&updated, text, (size_t)(next + 1 - text));
    int count = 0;
    while (next) {
        char *this = next + 4;
        next = strstr(this, "\n== ");
        run_case(name,
                 arena_copy_bytes(arena, this, next ? (size_t)(next + 1 - this) : strlen(this)),
                 &updated);
        count++;
    }
    cr_expect(count > 10);
    if (getenv("INGOT_UPDATE"))
        cr_assert(file_write(diag, path, updated.data, updated.length, false));
    cr_assert(chdir(folder) == 0);
    folder_remove(scratch);
    arena_destroy(arena);
}

Test(errors, syntax)
{
    run_file("syntax");
}

Test(errors, model)
{
    run_file("model");
}

Test(errors, layers)
{
    run_file("layers");
}

Test(errors, train)
{
    run_file("train");
}

Test(errors, onnx)
{
    run_file("onnx");
}
