/* Where training data comes from, and how raw numbers are scaled.
 *
 * Paths are relative to the folder of the description. Scaling becomes part of every function of
 * the program, so a compiled model takes the same raw numbers as the file it was trained from. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/train.h"

#define COLUMN_LIMIT ((int64_t)1 << 31)

static const char *join_path(const JsonFile *file, const char *path)
{
    const char *slash = strrchr(file->name, '/');
    if (path[0] == '/' || !slash)
        return path;
    return arena_print(file->arena, "%.*s%s", (int)(slash + 1 - file->name), file->name, path);
}

static bool read_path(Json *json, const char **path)
{
    const char *text;
    if (!json_string(json, &text))
        return false;
    if (!text[0])
        return json_error(json, "expected the path of a file, found nothing");
    *path = join_path(json->file, text);
    return true;
}

/* Scaling */

static TensorSpec *find_input(Network *network, const Json *json)
{
    const char *words = "";
    for (int i = 0; i < network->input_count; i++) {
        if (strcmp(network->inputs[i].name, json->key) == 0)
            return &network->inputs[i];
        words = arena_print(json->file->arena, "%s %s", words, network->inputs[i].name);
    }
    json_error(json, "no input is called \"%s\"%s", json->key,
               json_suggest(json->file->arena, json->key, words));
    return NULL;
}

/* One number, or one for each channel, repeated to `count`. */
static bool read_channels(Json *json, int64_t channels, int count, double *values)
{
    json->used = true;
    if (json->kind == JSON_LIST && json->count != channels)
        return json_error(json,
                          "expected a number, or %lld of them (one for each channel), found %d",
                          (long long)channels, json->count);
    for (int i = 0; i < count; i++) {
        if (!json_number(json->kind == JSON_LIST ? json->items[i] : json, &values[i]))
            return false;
    }
    return true;
}

static bool set_scale(Json *json, TensorSpec *spec)
{
    double scale;
    if (spec->classes)
        return json_error(json, "whole numbers cannot be scaled");
    if (!json_number(json, &scale))
        return false;
    if (scale == 0)
        return json_error(json, "expected a number other than 0");
    float *factor = ARENA_NEW(json->file->arena, float);
    *factor = (float)scale;
    spec->factor = factor;
    spec->scale_count = 1;
    return true;
}

/* (x·s − m) / d = (x − m/s) · s/d */
static bool set_normalize(Json *json, TensorSpec *spec)
{
    Arena *arena = json->file->arena;
    json->used = true;
    if (spec->classes)
        return json_error(json, "whole numbers cannot be normalized");
    if (!json_expect(json, JSON_OBJECT) || !json_check_keys(json, "mean deviation"))
        return false;
    Json *mean = json_get(json, "mean"), *deviation = json_get(json, "deviation");
    if (!mean || !deviation)
        return json_error(json, "needs \"%s\"", mean ? "deviation" : "mean");
    bool list = mean->kind == JSON_LIST || deviation->kind == JSON_LIST;
    int64_t channels = spec->type.rank > 1 ? spec->type.dims[spec->type.rank - 1] : 1;
    int count = list ? (mean->kind == JSON_LIST ? mean : deviation)->count : 1;
    double *means = ARENA_ARRAY(arena, double, count),
           *deviations = ARENA_ARRAY(arena, double, count);
    if (!read_channels(mean, channels, count, means) ||
        !read_channels(deviation, channels, count, deviations))
        return false;
    double scale = spec->scale_count ? (double)spec->factor[0] : 1;
    float *offset = ARENA_ARRAY(arena, float, count), *factor = ARENA_ARRAY(arena, float, count);
    for (int i = 0; i < count; i++) {
        if (!(deviations[i] > 0))
            return json_error(deviation, "expected numbers greater than 0");
        offset[i] = (float)(means[i] / scale);
        factor[i] = (float)(scale / deviations[i]);
    }
    spec->mean = offset;
    spec->factor = factor;
    spec->scale_count = count;
    return true;
}

bool data_read_scaling(Network *network, Json *data)
{
    static const char *const keys[] = {"scale", "normalize"};
    bool fine = true;
    if (!json_expect(data, JSON_OBJECT))
        return false;
    for (int k = 0; k < 2; k++) {
        Json *object = json_get(data, keys[k]);
        if (!object)
            continue;
        if (!json_expect(object, JSON_OBJECT)) {
            fine = false;
            continue;
        }
        for (int i = 0; i < object->count; i++) {
            TensorSpec *spec = find_input(network, object->items[i]);
            fine &= spec &&
                    (k ? set_normalize(object->items[i], spec) : set_scale(object->items[i], spec));
        }
    }
    return fine;
}

/* Columns and files */

typedef struct Tensors { /* inputs, then targets */
    const TensorSpec *inputs, *targets;
    int input_count, target_count;
} Tensors;

static const TensorSpec *tensor_at(const Tensors *tensors, int i)
{
    return i < tensors->input_count ? &tensors->inputs[i]
                                    : &tensors->targets[i - tensors->input_count];
}

/* Digits only, no sign, no blanks. */
static bool read_digits(const char **at, int64_t *value)
{
    if (**at < '0' || **at > '9')
        return false;
    *value = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        if (*value >= COLUMN_LIMIT)
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

/* 64 or "0-63" */
static bool read_range(Json *json, int64_t *first, int64_t *count)
{
    int64_t last;
    json->used = true;
    if (json->kind == JSON_STRING) {
        const char *at = json->text;
        if (read_digits(&at, first) && *at++ == '-' && read_digits(&at, &last) && !*at &&
            last >= *first) {
            *count = last - *first + 1;
            return true;
        }
        return json_error(json, "expected a column or a range of them like \"0-63\", found %s",
                          json_describe(json));
    }
    *count = 1;
    return json_integer(json, 0, COLUMN_LIMIT, first);
}

static bool read_column(Json *json, const TensorSpec *spec, bool csv, ColumnRecipe *column)
{
    int64_t elements = 1;
    column->tensor = spec->name;
    if (!csv)
        return read_path(json, &column->path);
    if (!read_range(json, &column->first, &column->count))
        return false;
    for (int i = 1; i < spec->type.rank; i++)
        elements *= spec->type.dims[i]; /* checked when the input was made */
    return column->count == elements ||
           json_error(json, "%lld column%s for \"%s\", which has %lld number%s a row",
                      (long long)column->count, column->count == 1 ? "" : "s", spec->name,
                      (long long)elements, elements == 1 ? "" : "s");
}

/* { "pixels": "0-63", "label": 64 } or { "image": "images.idx", … }: each tensor once. */
static bool read_columns(Json *json, const Tensors *tensors, bool csv, DataRecipe *recipe)
{
    Arena *arena = json->file->arena;
    const char *words = "";
    bool fine = true;
    json->used = true;
    if (!json_expect(json, JSON_OBJECT))
        return false;
    recipe->column_count = tensors->input_count + tensors->target_count;
    recipe->columns = ARENA_ARRAY(arena, ColumnRecipe, recipe->column_count);
    for (int i = 0; i < recipe->column_count; i++) {
        const TensorSpec *spec = tensor_at(tensors, i);
        Json *value = json_get(json, spec->name);
        words = arena_print(arena, "%s %s", words, spec->name);
        if (!value)
            fine = json_error(json, "needs \"%s\"", spec->name);
        else
            fine &= read_column(value, spec, csv, &recipe->columns[i]);
    }
    return json_check_keys(json, words) && fine;
}

static bool read_separator(Json *json, int *separator)
{
    const char *text;
    if (!json)
        return true;
    if (!json_string(json, &text))
        return false;
    if (strlen(text) != 1 || strchr("0123456789+-.eE\"\n\r", text[0]))
        return json_error(json, "expected one character like \",\" or \";\", found %s",
                          json_describe(json));
    *separator = text[0];
    return true;
}

/* `json` has one of csv, idx and npy. For validation data, what is missing is as in `training`. */
static bool read_source(Json *json, const Tensors *tensors, const DataRecipe *training,
                        DataRecipe *recipe)
{
    static const char *const formats[] = {"csv", "idx", "npy"};
    Json *source = NULL;
    *recipe = training ? *training : (DataRecipe){.separator = ','};
    for (int i = 0; i < 3; i++) {
        Json *found = json_get(json, formats[i]);
        if (found && source)
            return json_error(json, "\"%s\" and \"%s\" exclude each other", source->key,
                              found->key);
        if (found) {
            source = found;
            recipe->format = (DataFormat)(DATA_CSV + i);
        }
    }
    if (!source)
        return true; /* scaling alone */
    if (recipe->format != DATA_CSV) {
        recipe->path = NULL;
        return read_columns(source, tensors, false, recipe);
    }
    Json *header = json_get(json, "header"), *columns = json_get(json, "columns");
    int64_t lines = recipe->header;
    if (header && !json_integer(header, 0, 1000000, &lines))
        return false;
    recipe->header = (int)lines;
    if (!read_path(source, &recipe->path) ||
        !read_separator(json_get(json, "separator"), &recipe->separator))
        return false;
    if (columns)
        return read_columns(columns, tensors, true, recipe);
    return (training && training->format == DATA_CSV) ||
           json_error(json, "needs \"columns\", like { \"pixels\": \"0-63\", \"label\": 64 }");
}

static bool read_validation(Json *json, const Tensors *tensors, Recipe *recipe)
{
    if (recipe->training.format == DATA_NONE)
        return json_error(json, "needs training data: \"csv\", \"idx\" or \"npy\"");
    if (json->kind == JSON_NUMBER) {
        if (!json_number(json, &recipe->validation_part))
            return false;
        return (recipe->validation_part >= 0 && recipe->validation_part < 1) ||
               json_error(json, "expected a number from 0 up to but not 1, found %s",
                          json_describe(json));
    }
    if (json->kind != JSON_OBJECT)
        return json_error(json, "expected a part like 0.2, or an object that names files, found %s",
                          json_describe(json));
    if (!json_check_keys(json, "csv columns header separator idx npy"))
        return false;
    if (!json_peek(json, "csv") && !json_peek(json, "idx") && !json_peek(json, "npy"))
        return json_error(json, "needs \"csv\", \"idx\" or \"npy\"");
    return read_source(json, tensors, &recipe->training, &recipe->validation);
}

bool data_read(Network *network, Json *data, const TensorSpec *targets, int target_count,
               Recipe *recipe)
{
    Tensors tensors = {network->inputs, targets, network->input_count, target_count};
    bool fine =
        json_check_keys(data, "csv columns header separator idx npy scale normalize validation");
    fine &= read_source(data, &tensors, NULL, &recipe->training);
    Json *validation = json_get(data, "validation");
    return (!validation || read_validation(validation, &tensors, recipe)) && fine;
}
