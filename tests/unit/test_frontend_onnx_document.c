/* docs/onnx.md holds the table of operators that operators.def gives, with what
 * tests/conformance/operators.txt says of gradients and elements. INGOT_UPDATE=1 writes it. */
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

/* Of the line "Softmax; yes; f32 f64" what follows the name, as columns; empty ones when there is
 * no such line. */
static const char *tested(Arena *arena, const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = list; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, name, length) == 0 && line[length] == ';') {
            char *columns =
                arena_copy_bytes(arena, line + length + 2, strcspn(line + length + 2, "\n"));
            char *separator = strchr(columns, ';');
            cr_assert(separator, "the line of %s in operators.txt has no elements", name);
            *separator = '\0';
            return arena_print(arena, "%s |%s", columns, separator + 1);
        }
    return "- | ";
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

static const char *make_table(Arena *arena, const char *list)
{
    int count;
    const OnnxOperator *rows = onnx_operators(&count);
    const OnnxOperator **sorted = ARENA_ARRAY(arena, const OnnxOperator *, count);
    Text text = text_create(arena);
    for (int i = 0; i < count; i++)
        sorted[i] = &rows[i];
    qsort(sorted, (size_t)count, sizeof *sorted, compare_rows);
    text_add(&text, "\n| operator | versions | gradient | elements tested |\n|---|---|---|---|\n");
    for (int i = 0; i < count; i++) {
        const OnnxOperator *row = sorted[i];
        if (row->until < 7 && !row->domain[0])
            continue; /* older than what is read */
        bool standard = strncmp(row->domain, "com.", 4) != 0;
        text_print(&text, "| %s%s%s | %s | %s |\n", row->domain, row->domain[0] ? ":" : "",
                   row->name, versions(arena, row), tested(arena, standard ? list : "", row->name));
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
        make_table(arena, read_source(arena, diag, "tests/conformance/operators.txt"));
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
