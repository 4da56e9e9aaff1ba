/* docs/onnx.md holds the table of operators that operators.def gives, with the gradients that
 * tests/conformance/gradients.txt has been told of. INGOT_UPDATE=1 writes it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "frontend/onnx/operator.h"

#define BEGIN "<!-- operators: made by ./dev test frontend_onnx_document -->\n"
#define END "<!-- end of operators -->\n"

static const char *source_path(Arena *arena, const char *name)
{
    const char *root = getenv("INGOT_SOURCE");
    return arena_print(arena, "%s/%s", root ? root : ".", name);
}

static const char *read_source(Arena *arena, Diag *diag, const char *name)
{
    size_t size;
    const char *text = file_read(diag, source_path(arena, name), &size);
    cr_assert(text, "%s is missing", name);
    return text;
}

/* "Softmax yes" in a line of its own: the second word; "-" when nothing is said. */
static const char *gradient_of(Arena *arena, const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = list; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return arena_copy_bytes(arena, line + length + 1, strcspn(line + length + 1, "\n"));
    return "-";
}

static int compare_rows(const void *left, const void *right)
{
    const OnnxOperator *a = *(const OnnxOperator *const *)left,
                       *b = *(const OnnxOperator *const *)right;
    int domain = strcmp(a->domain, b->domain), name = strcmp(a->name, b->name);
    return domain ? domain : name ? name : a->since - b->since;
}

static const char *versions(Arena *arena, const OnnxOperator *row)
{
    int since = row->since > 7 || row->domain[0] ? row->since : 7;
    if (row->until == LATEST)
        return arena_print(arena, "%d on", since);
    return arena_print(arena, "%d to %d", since, row->until);
}

static const char *make_table(Arena *arena, const char *gradients)
{
    int count;
    const OnnxOperator *rows = onnx_operators(&count);
    const OnnxOperator **sorted = ARENA_ARRAY(arena, const OnnxOperator *, count);
    Text text = text_create(arena);
    for (int i = 0; i < count; i++)
        sorted[i] = &rows[i];
    qsort(sorted, (size_t)count, sizeof *sorted, compare_rows);
    text_add(&text, "\n| operator | versions | gradient |\n|---|---|---|\n");
    for (int i = 0; i < count; i++) {
        const OnnxOperator *row = sorted[i];
        if (row->until < 7 && !row->domain[0])
            continue; /* older than what is read */
        text_print(&text, "| %s%s%s | %s | %s |\n", row->domain, row->domain[0] ? ":" : "",
                   row->name, versions(arena, row), gradient_of(arena, gradients, row->name));
    }
    text_add(&text, "\n");
    return text.data;
}

Test(onnx_document, lists_the_operators)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    const char *document = read_source(arena, diag, "docs/onnx.md");
    const char *table =
        make_table(arena, read_source(arena, diag, "tests/conformance/gradients.txt"));
    const char *begin = strstr(document, BEGIN), *end = strstr(document, END);
    cr_assert(begin && end && begin < end, "docs/onnx.md has no place for the operators");
    begin += strlen(BEGIN);
    const char *wanted =
        arena_print(arena, "%.*s%s%s", (int)(begin - document), document, table, end);
    if (getenv("INGOT_UPDATE"))
        cr_assert(
            file_write(diag, source_path(arena, "docs/onnx.md"), wanted, strlen(wanted), false));
    else
        cr_expect_str_eq(document, wanted,
                         "run it with INGOT_UPDATE=1 after a change of operators.def");
    arena_destroy(arena);
}
