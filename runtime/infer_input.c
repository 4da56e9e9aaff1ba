/* Which file is for which input, and what kind of file it is; see infer_input.h. */
#include "runtime/system.h"

#include "runtime/infer_input.h"

#include "runtime/tensor_file_csv.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Neither .npy nor IDX nor gzip'd: then it can only be text. A file that cannot be read is no
 * table, so that the common way reports it. */
static bool is_table(const char *path)
{
    unsigned char bytes[4];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t got = read(descriptor, bytes, sizeof bytes);
    close(descriptor);
    return got > 0 && bytes[0] != 0x93 && bytes[0] != 0x1F && bytes[0] != 0;
}

/* The recipe's table, or NULL. */
static const IngotDataset *recipe_table(const Command *command)
{
    const IngotRecipe *recipe = command->model->recipe;
    return recipe && recipe->training.format == INGOT_DATA_CSV ? &recipe->training : NULL;
}

/* Reads input number `number` from a table; -1: every input that the recipe reads from its table.
 */
static bool add_table(Dataset *data, Command *command, int32_t number, const char *path)
{
    const IngotDataset *recipe = recipe_table(command);
    IngotColumn columns[SOURCE_MOST_FILES];
    IngotDataset layout = {
        .path = path, .columns = columns, .format = INGOT_DATA_CSV, .separator = ','};
    int64_t width;
    bool heading;
    if (recipe)
        layout.separator = recipe->separator;
    if (!csv_peek(path, layout.separator, &width, &heading, &command->failure))
        return false;
    if (number >= 0 && width == data->tensors[number].elements) {
        columns[0] = (IngotColumn){.tensor = data->tensors[number].tensor->name, .count = width};
        layout.column_count = 1;
        layout.header = heading;
        return dataset_add_table(data, &layout, &command->failure);
    }
    for (int32_t i = 0; recipe && i < recipe->column_count && i < SOURCE_MOST_FILES; i++)
        if (number < 0 ||
            strcmp(recipe->columns[i].tensor, data->tensors[number].tensor->name) == 0)
            columns[layout.column_count++] = recipe->columns[i];
    if (layout.column_count == 0)
        return ingot_fail(&command->failure,
                          "%s: has %lld columns, but \"%s\" takes %lld numbers a row", path,
                          (long long)width, data->tensors[number < 0 ? 0 : number].tensor->name,
                          (long long)data->tensors[number < 0 ? 0 : number].elements);
    layout.header = recipe->header;
    return dataset_add_table(data, &layout, &command->failure);
}

static bool fail_name(Command *command, const IngotFunction *function, const char *value)
{
    char names[512] = "";
    size_t used = 0;
    for (int32_t i = 0; i < function->input_count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 function->inputs[i].name);
    return ingot_fail(
        &command->failure,
        "--input %s: say which input it is for: --input NAME=FILE, where NAME is one of: %s", value,
        names);
}

static bool add_argument(Dataset *data, Command *command, const IngotFunction *function,
                         const char *value)
{
    const char *equals = strchr(value, '='), *path = value;
    int32_t number = function->input_count == 1 ? 0 : -1;
    for (int32_t i = 0; equals && i < function->input_count; i++) {
        const char *name = function->inputs[i].name;
        if (strlen(name) != (size_t)(equals - value) || memcmp(name, value, strlen(name)) != 0)
            continue;
        number = i;
        path = equals + 1;
    }
    if (number >= 0 && data->tensors[number].path)
        return ingot_fail(&command->failure, "--input %s: \"%s\" was given before", value,
                          function->inputs[number].name);
    if (is_table(path) && (number >= 0 || recipe_table(command)))
        return add_table(data, command, number, path);
    if (number < 0)
        return fail_name(command, function, value);
    return dataset_add_file(data, number, path, &command->failure);
}

static bool open_for(Dataset *data, Command *command, const DataArguments *arguments,
                     const IngotFunction *function)
{
    if (!dataset_begin(data, function->inputs, function->input_count, &command->failure))
        return false;
    for (int32_t i = 0; i < arguments->count; i++)
        if (!add_argument(data, command, function, arguments->values[i]))
            return false;
    for (int32_t i = 0; i < data->count; i++)
        if (!data->tensors[i].path)
            return ingot_fail(&command->failure, "no data is given for \"%s\"; add --input %s=FILE",
                              function->inputs[i].name, function->inputs[i].name);
    return dataset_finish(data, &command->failure);
}

/* Those whose inputs differ in more than rows, each once: the next behind number `last`, in its
 * version for the most rows; -1: there are no more. */
static int32_t next_kind(const IngotModel *model, int32_t last)
{
    for (int32_t i = last + 1; i < model->function_count; i++)
        if (strcmp(model->functions[i].name, "infer") == 0 && ingot_find_alike(model, i, 0) == i)
            return i;
    return -1;
}

static void add_sizes(const IngotModel *model, Failure *failure)
{
    for (int32_t i = next_kind(model, -1), first = i; i >= 0; i = next_kind(model, i)) {
        size_t used = strlen(failure->text);
        snprintf(failure->text + used, sizeof failure->text - used, "%s%s",
                 i == first ? "; the model was built for " : ", and for ",
                 model->functions[i].sizes);
    }
}

bool infer_input_open(Dataset *data, Command *command, const DataArguments *arguments,
                      int32_t *function)
{
    const IngotModel *model = command->model;
    Failure first = {0};
    int32_t kinds = 0;
    for (int32_t i = next_kind(model, -1); i >= 0; i = next_kind(model, i)) {
        *function = ingot_find_alike(model, i, INT64_MAX);
        if (open_for(data, command, arguments, &model->functions[*function]))
            return true;
        if (kinds++ == 0)
            first = command->failure;
        dataset_close(data);
    }
    command->failure = first;
    if (kinds > 1)
        add_sizes(model, &command->failure);
    return false;
}
