/* Tests that are texts; see ir_text.h. */
#include "tests/support/ir_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "ir/text.h"

const char *diag_text(Arena *arena, const Diag *diag)
{
    Text text = text_create(arena);
    for (int i = 0; i < diag->error_count && i < DIAG_LIMIT; i++)
        text_print(&text, "%s%s", i ? "\n" : "", diag->messages[i]);
    return text.data;
}

const char *operation_says(Arena *arena, const char *parameters, const char *operation)
{
    Diag *diag = diag_create(arena);
    const char *text = arena_print(arena,
                                   "program @t random_streams=1 {\n"
                                   "  state %%s: f32[2,3]\n"
                                   "  fn @main(%s) -> () {\n"
                                   "    %%r: bool[0,0,7] = %s\n"
                                   "    return\n"
                                   "  }\n"
                                   "}\n",
                                   parameters, operation);
    graph_parse(arena, diag, "t", text);
    if (diag_ok(diag))
        return "";
    const char *colon = strchr(diag->messages[0], ' ');
    return colon ? colon + 1 : diag->messages[0];
}

static const char *value_text(Arena *arena, const Value *value)
{
    Text text = text_create(arena);
    int64_t count = type_elements(&value->type);
    for (int64_t i = 0; i < count; i++) {
        text_add(&text, i ? " " : "");
        if (value->numbers)
            text_print(&text, "%.7g", value->numbers[i] + 0.0); /* -0 is printed as 0 */
        else
            text_print(&text, "%" PRId64, value->integers[i]);
    }
    return text.data;
}

const char *body_gives(Arena *arena, EvaluatePrecision precision, const char *body)
{
    Diag *diag = diag_create(arena);
    Program *program = graph_parse(
        arena, diag, "t",
        arena_print(arena,
                    "program @t random_streams=9 {\n  fn @main() -> () {\n%s\n    return\n  }\n}\n",
                    body));
    if (!program)
        return diag_text(arena, diag);
    Function *f = program->functions[0];
    Value result;
    function_add_result(f, NULL, f->nodes[f->node_count - 1]);
    graph_evaluate(arena, precision, f, NULL, NULL, &result);
    return value_text(arena, &result);
}
