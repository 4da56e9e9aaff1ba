/* Paths of the data; see source.h. */
#include "runtime/system.h"

#include "runtime/source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool source_add_argument(DataArguments *arguments, const char *value, Failure *failure)
{
    if (arguments->count == SOURCE_MOST_FILES)
        return ingot_fail(failure, "%s: more than %d files", arguments->option, SOURCE_MOST_FILES);
    arguments->values[arguments->count++] = value;
    return true;
}

void source_free(Source *source)
{
    for (int32_t i = 0; i < source->text_count; i++)
        free(source->texts[i]);
    source->text_count = 0;
}

static const char *keep(Source *source, const char *text)
{
    char *copy = strdup(text);
    if (copy)
        source->texts[source->text_count++] = copy;
    return copy ? copy : "";
}

static bool find_in_recipe(Source *source, Command *command, const char **path)
{
    char found[PATH_MAX];
    if (!command_find_file(NULL, *path, found) &&
        (**path == '/' || !command_find_file(command->folder, *path, found)))
        return ingot_fail(
            &command->failure,
            "%s: is neither in the current folder nor in %s; name the data with --data", *path,
            command->folder);
    *path = keep(source, found);
    return true;
}

static bool find_in_folder(Source *source, Command *command, const char *folder, const char **path)
{
    char found[PATH_MAX];
    const char *slash = strrchr(*path, '/');
    const char *base = slash ? slash + 1 : *path;
    if (!command_find_file(folder, base, found))
        return ingot_fail(&command->failure, "%s: holds no file \"%s\", which the recipe names",
                          folder, base);
    *path = keep(source, found);
    return true;
}

/* Applies one way of finding to every path of the data set. */
static bool find_all(Source *source, Command *command, const char *folder)
{
    IngotDataset *dataset = &source->dataset;
    bool table = dataset->format == INGOT_DATA_CSV;
    int32_t count = table ? 1 : dataset->format == INGOT_DATA_NONE ? 0 : dataset->column_count;
    for (int32_t i = 0; i < count; i++) {
        const char **path = table ? &dataset->path : &source->columns[i].path;
        if (!(folder ? find_in_folder(source, command, folder, path)
                     : find_in_recipe(source, command, path)))
            return false;
    }
    return true;
}

/* Which tensor NAME=FILE names; -1 for a plain FILE. */
static int32_t named_tensor(const char *value, const IngotTensor *tensors, int32_t count)
{
    const char *equals = strchr(value, '=');
    for (int32_t i = 0; equals && i < count; i++)
        if (strlen(tensors[i].name) == (size_t)(equals - value) &&
            memcmp(tensors[i].name, value, (size_t)(equals - value)) == 0)
            return i;
    return -1;
}

static bool fail_argument(Command *command, const DataArguments *arguments, const char *value,
                          const IngotTensor *tensors, int32_t count)
{
    char names[512] = "";
    size_t used = 0;
    for (int32_t i = 0; i < count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 tensors[i].name);
    return ingot_fail(&command->failure,
                      "%s %s: say which input it is for: %s NAME=FILE, where NAME is one of: %s",
                      arguments->option, value, arguments->option, names);
}

/* NAME=FILE for some tensors; the others keep the recipe's file. */
static bool apply_names(Source *source, Command *command, const DataArguments *arguments,
                        const IngotTensor *tensors, int32_t count)
{
    if (source->dataset.format == INGOT_DATA_CSV || source->dataset.format == INGOT_DATA_NONE)
        source->dataset.column_count = 0;
    source->dataset.path = NULL;
    source->dataset.format = INGOT_DATA_NPY;
    bool given[SOURCE_MOST_FILES] = {false};
    for (int32_t i = 0; i < arguments->count; i++) {
        const char *value = arguments->values[i];
        int32_t tensor = named_tensor(value, tensors, count), column = 0;
        if (tensor < 0)
            return fail_argument(command, arguments, value, tensors, count);
        while (column < source->dataset.column_count &&
               strcmp(source->columns[column].tensor, tensors[tensor].name) != 0)
            column++;
        if (column == SOURCE_MOST_FILES)
            return ingot_fail(&command->failure, "%s: more than %d files", arguments->option,
                              SOURCE_MOST_FILES);
        if (column == source->dataset.column_count)
            source->dataset.column_count++;
        given[column] = true;
        source->columns[column] =
            (IngotColumn){.tensor = tensors[tensor].name, .path = strchr(value, '=') + 1};
    }
    for (int32_t i = 0; i < source->dataset.column_count; i++)
        if (!given[i] && !find_in_recipe(source, command, &source->columns[i].path))
            return false;
    return true;
}

bool source_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool source_resolve(Source *source, Command *command, const IngotDataset *recipe,
                    const DataArguments *arguments, const IngotTensor *tensors, int32_t count)
{
    *source = (Source){.dataset = *recipe};
    if (recipe->column_count > SOURCE_MOST_FILES)
        return ingot_fail(&command->failure, "the recipe reads more than %d columns",
                          SOURCE_MOST_FILES);
    for (int32_t i = 0; i < recipe->column_count; i++)
        source->columns[i] = recipe->columns[i];
    source->dataset.columns = source->columns;
    if (!arguments || arguments->count == 0)
        return find_all(source, command, NULL);
    const char *first = arguments->values[0];
    if (named_tensor(first, tensors, count) >= 0)
        return apply_names(source, command, arguments, tensors, count);
    if (arguments->count > 1)
        return fail_argument(command, arguments, first, tensors, count);
    if (source_is_folder(first) && recipe->format != INGOT_DATA_NONE)
        return find_all(source, command, first);
    if (recipe->format != INGOT_DATA_CSV)
        return fail_argument(command, arguments, first, tensors, count);
    source->dataset.path = first;
    return true;
}
