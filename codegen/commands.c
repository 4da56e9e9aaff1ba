/* What a model can use of the command line; see commands.h. */
#include "codegen/commands.h"

static const struct {
    const char *symbol, *function;
} rows[] = {
    {"command_train", "train_step"},
    {"command_evaluate", "evaluate"},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };
enum { SMALLEST_PICTURE = 3 * 3, LARGEST_PICTURE = 32 * 32 * 3 };

/* Might it be a picture? runtime/picture.c decides. */
static bool is_picture(const Function *function, const TensorType *type)
{
    int64_t row = type_elements(type) / (function->batch > 0 ? function->batch : 1);
    return type->element == TYPE_F32 && row >= SMALLEST_PICTURE && row <= LARGEST_PICTURE;
}

static bool has_picture(const Program *program)
{
    const Function *infer = program_find_function(program, "infer");
    for (int i = 0; infer && i < infer->input_count; i++)
        if (is_picture(infer, &infer->inputs[i]->type))
            return true;
    return false;
}

const char *const *commands_linked(Arena *arena, const Program *program)
{
    const char **list = ARENA_ARRAY(arena, const char *, ROW_COUNT + 2);
    int count = 0;
    for (int i = 0; i < ROW_COUNT; i++)
        if (program_find_function(program, rows[i].function))
            list[count++] = rows[i].symbol;
    if (has_picture(program))
        list[count++] = "command_show_picture";
    list[count] = NULL;
    return list;
}
