/* The text form of the loop level: what is read prints and reads back the same, and a kernel that
 * the verifier accepts stays inside its buffers when it runs. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "ir/nest_text.h"
#include "tests/support/nest_run.h"

enum { STEPS = 20000, BYTES = 1 << 16 }; /* of a kernel worth running */

static const char *print(Arena *arena, Kernel **kernels, int count)
{
    Text text = text_create(arena);
    for (int i = 0; i < count; i++)
        kernel_print(kernels[i], &text);
    return text.data;
}

/* How many statements are run, at most `limit`. */
static int64_t count_steps(const Stmt *stmt, int64_t limit)
{
    int64_t steps = 0;
    for (; stmt && steps < limit; stmt = stmt->next) {
        steps++;
        if (stmt->kind != STMT_LOOP || stmt->end <= stmt->begin)
            continue;
        int64_t inside = count_steps(stmt->body, limit), step = stmt->step;
        int64_t times = (int64_t)(((uint64_t)stmt->end - (uint64_t)stmt->begin) / (uint64_t)step);
        steps =
            times >= limit || inside * (times + 1) > limit ? limit : steps + inside * (times + 1);
    }
    return steps;
}

static void run(Arena *arena, const Kernel *kernel)
{
    Diag *diag = diag_create(arena);
    void **arguments = ARENA_ARRAY(arena, void *, kernel->argument_count + 1);
    for (int i = 0; i < kernel->argument_count + kernel->scratch_count; i++) {
        bool argument = i < kernel->argument_count;
        const Buffer *buffer =
            argument ? kernel->arguments[i] : kernel->scratch[i - kernel->argument_count];
        if (buffer->count > BYTES / 8)
            return;
        if (argument)
            arguments[i] = arena_alloc(arena, (size_t)buffer->count * 8);
    }
    if (count_steps(kernel->body, STEPS) < STEPS && !nest_run(kernel, diag, arguments, 0, 1))
        fuzz_check(!strstr(diag->messages[0], "outside"), "verified, yet", diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    char *text = fuzz_text(data, size);
    int count = 0;
    Kernel **kernels = kernel_parse(arena, diag, "fuzz", text, &count);
    fuzz_check((kernels != NULL) == diag_ok(diag), "refused without a reason, or the reverse",
               diag);
    if (kernels) {
        const char *once = print(arena, kernels, count);
        Kernel **again = kernel_parse(arena, diag, "printed", once, &count);
        fuzz_check(again != NULL, once, diag);
        fuzz_check(strcmp(once, print(arena, again, count)) == 0, once, diag);
        for (int i = 0; i < count; i++)
            if (kernel_verify(kernels[i], diag_create(arena)))
                run(arena, kernels[i]);
    }
    free(text);
    arena_destroy(arena);
    return 0;
}
