/* ONNX models that have too much of something are refused at once, and in few words. The models are
 * written by support/onnx_text.h. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "frontend/onnx/onnx_model.h"
#include "tests/support/onnx_text.h"

/* The one thing that is said of the model. */
static const char *says(Arena *arena, const char *text)
{
    Diag *diag = diag_create(arena);
    char *folder = folder_create_temporary(diag);
    const char *path = arena_print(arena, "%s/model.onnx", folder);
    ModelOptions options = {.batches = (const int64_t[]){1}, .batch_count = 1};
    onnx_text_write(arena, text, path);
    onnx_model_read(arena, diag, path, &options);
    folder_remove(folder);
    cr_assert_eq(diag->error_count, 1, "%d errors", diag->error_count);
    cr_assert(strncmp(diag->messages[0], path, strlen(path)) == 0);
    return diag->messages[0] + strlen(path);
}

Test(onnx_limits, versions_of_operators)
{
    Arena *arena = arena_create();
    Text text = text_create(arena);
    for (int i = 0; i < 300; i++)
        text_print(&text, "opset my%d 1\n", i);
    text_add(&text, "x: float[2]\ny = Neg(x)\n");
    cr_expect(strstr(says(arena, text.data), "versions of operators, 256 are the most"));
    arena_destroy(arena);
}

Test(onnx_limits, attributes)
{
    Arena *arena = arena_create();
    Text text = text_create(arena);
    text_add(&text, "x: float[2]\ny = Neg(x)");
    for (int i = 0; i < 1001; i++)
        text_print(&text, " a%d=1", i);
    cr_expect_str_eq(says(arena, text.data),
                     ": node 0 (Neg): has 1001 attributes, 1000 are the most");
    arena_destroy(arena);
}

/* Of a node deep inside, the outermost places are said, and its own. */
Test(onnx_limits, places)
{
    enum { FUNCTIONS = 40, LONGEST = 1200 };
    Arena *arena = arena_create();
    Text text = text_create(arena);
    text_add(&text, "x: float[2]\nfunction my.F0(a) -> b {\n  b = Nog(a)\n}\n");
    for (int i = 1; i < FUNCTIONS; i++)
        text_print(&text, "function my.F%d(a) -> b {\n  [%0300d] b = my.F%d(a)\n}\n", i, i, i - 1);
    text_print(&text, "y = my.F%d(x)\n", FUNCTIONS - 1);
    const char *said = says(arena, text.data);
    cr_expect(strstr(said, ": node 0 (F39): node 0 \"000"));
    cr_expect(strstr(said, " …: node 0 (Nog): the operator Nog of ai.onnx is not supported"));
    cr_expect_lt(strlen(said), LONGEST);
    arena_destroy(arena);
}
