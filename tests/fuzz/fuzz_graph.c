/* The text form of the tensor level: what is read prints and reads back the same, and goes through
 * the compiler. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "ir/text.h"
#include "ir/verify.h"

static const char *print(Arena *arena, const Program *program)
{
    Text text = text_create(arena);
    graph_print(program, &text);
    return text.data;
}

static void check_program(Arena *arena, Diag *diag, Program *program)
{
    fuzz_check(graph_verify(program, diag), "what was read is not valid", diag);
    const char *once = print(arena, program);
    Program *again = graph_parse(arena, diag, "printed", once);
    fuzz_check(again != NULL, once, diag);
    fuzz_check(strcmp(once, print(arena, again)) == 0, once, diag);
    fuzz_compile(program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    char *text = fuzz_text(data, size);
    Program *program = graph_parse(arena, diag, "fuzz", text);
    fuzz_check((program != NULL) == diag_ok(diag), "refused without a reason, or the reverse",
               diag);
    if (program)
        check_program(arena, diag, program);
    free(text);
    arena_destroy(arena);
    return 0;
}
