/* Reading a table of numbers; see tensor_file_csv.h.
 *
 * The file is mapped. One pass counts the lines, so the blocks are allocated once; a second splits
 * each line into fields and converts those that are wanted. Fields may stand in double quotes,
 * lines may end in CR LF, a byte-order mark is skipped, empty lines at the end are ignored.
 * Anything else that is not as expected is an error with its line and column: a silently skipped
 * row is a wrong result. */
#include "runtime/system.h"

#include "runtime/mapped_file.h"
#include "runtime/number.h"
#include "runtime/tensor_file_csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Field {
    const char *at, *end;
} Field;

typedef struct Table {
    const IngotDataset *layout;
    const char *path;
    const char *at, *end; /* what is left of the file */
    int64_t line;         /* number of the line last taken, from 1 */
    Field *fields;        /* of that line */
    int64_t width;        /* how many there are in every line; 0: not known yet */
    int64_t width_line;   /* the line that said so */
    Failure *failure;
} Table;

static void open_text(Table *table, const MappedFile *file)
{
    const char *text = file->size ? (const char *)file->bytes : "";
    table->at = text;
    table->end = text + file->size;
    if (file->size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        table->at += 3;
    while (table->end > table->at && strchr(" \t\r\n", table->end[-1]) && table->end[-1])
        table->end--;
}

static bool take_line(Table *table, Field *line)
{
    if (table->at >= table->end)
        return false;
    const char *stop = memchr(table->at, '\n', (size_t)(table->end - table->at));
    line->at = table->at;
    line->end = stop ? stop : table->end;
    table->at = stop ? stop + 1 : table->end;
    if (line->end > line->at && line->end[-1] == '\r')
        line->end--;
    table->line++;
    return true;
}

static Field trim(Field field, char separator)
{
    while (field.at < field.end && (*field.at == ' ' || *field.at == '\t') &&
           *field.at != separator)
        field.at++;
    while (field.at < field.end && (field.end[-1] == ' ' || field.end[-1] == '\t'))
        field.end--;
    return field;
}

/* Takes the next field off a line, without the quotes around it. False after the last. */
static bool take_field(Field *line, char separator, Field *field)
{
    if (!line->at)
        return false;
    const char *c = trim(*line, separator).at;
    if (c < line->end &&
        *c == '"') /* separators inside quotes belong to the field; "" is a quote */
        for (c++; c < line->end && (*c != '"' || (c + 1 < line->end && c[1] == '"')); c++)
            c += *c == '"';
    const char *stop = c < line->end ? memchr(c, separator, (size_t)(line->end - c)) : NULL;
    *field = trim((Field){line->at, stop ? stop : line->end}, separator);
    if (field->end - field->at >= 2 && *field->at == '"' && field->end[-1] == '"')
        *field = trim((Field){field->at + 1, field->end - 1}, separator);
    line->at = stop ? stop + 1 : NULL;
    return true;
}

static int64_t count_fields(Field line, char separator)
{
    Field field;
    int64_t count = 0;
    while (take_field(&line, separator, &field))
        count++;
    return count;
}

/* Splits a line into table->fields; all lines must have the same number of them. */
static bool split_line(Table *table, Field line)
{
    char separator = (char)table->layout->separator;
    if (table->width == 0) {
        table->width = count_fields(line, separator);
        table->width_line = table->line;
        table->fields = malloc((size_t)table->width * sizeof *table->fields);
        if (!table->fields)
            return ingot_fail(table->failure, "%s: its lines are too long for the memory there is",
                              table->path);
    }
    Field rest = line, field;
    int64_t count = 0;
    for (; take_field(&rest, separator, &field); count++)
        if (count < table->width)
            table->fields[count] = field;
    if (count == table->width)
        return true;
    if (trim(line, separator).at == trim(line, separator).end)
        return ingot_fail(table->failure, "%s:%lld: is empty; remove the line", table->path,
                          (long long)table->line);
    return ingot_fail(table->failure, "%s:%lld: has %lld columns where line %lld has %lld",
                      table->path, (long long)table->line, (long long)count,
                      (long long)table->width_line, (long long)table->width);
}

/* "data.csv:17: column 5: " and what is wrong with the text of the field there. */
static bool fail_field(Table *table, int64_t column, const char *reason)
{
    Field field = table->fields[column];
    char shown[36] = "";
    size_t length = (size_t)(field.end - field.at), used = length < 32 ? length : 32;
    for (size_t i = 0; i < used; i++)
        shown[i] = (unsigned char)field.at[i] < 0x20 || field.at[i] == 0x7F ? '?' : field.at[i];
    if (used < length)
        memcpy(shown + used, "...", 3);
    return ingot_fail(table->failure, "%s:%lld: column %lld: \"%s\" %s", table->path,
                      (long long)table->line, (long long)column + 1, shown, reason);
}

static bool read_field(Table *table, int64_t column, double *value)
{
    Field field = table->fields[column];
    if (field.at == field.end)
        return ingot_fail(table->failure,
                          "%s:%lld: column %lld: is empty; fill the gap or remove the row",
                          table->path, (long long)table->line, (long long)column + 1);
    if (!number_parse(field.at, field.end, value))
        return fail_field(table, column,
                          table->line == 1 ? "is not a number; if this line is a heading, say "
                                             "\"header\": 1 in the model's data"
                                           : "is not a number");
    return isfinite(*value) || fail_field(table, column, "is not a finite number; remove the row");
}

static bool store_whole(Table *table, const CsvTensor *tensor, int64_t column, double value,
                        int32_t *place)
{
    char reason[200];
    if (value != floor(value) || fabs(value) > INT32_MAX) {
        snprintf(reason, sizeof reason, "is not a whole number, which \"%s\" needs", tensor->name);
        return fail_field(table, column, reason);
    }
    if (tensor->classes && (value < 0 || value >= (double)tensor->classes)) {
        snprintf(reason, sizeof reason, "is out of range; labels of \"%s\" are 0 to %lld",
                 tensor->name, (long long)tensor->classes - 1);
        return fail_field(table, column, reason);
    }
    *place = (int32_t)value;
    return true;
}

/* Converts one field into its place of a tensor's block. */
static bool store_field(Table *table, CsvTensor *tensor, int64_t column, int64_t place)
{
    double value;
    if (!read_field(table, column, &value))
        return false;
    if (tensor->type == INGOT_I32)
        return store_whole(table, tensor, column, value, (int32_t *)tensor->block + place);
    if (tensor->type == INGOT_F64) {
        ((double *)tensor->block)[place] = value;
        return true;
    }
    if (fabs(value) > 3.4028234663852886e38)
        return fail_field(table, column, "is too large for f32");
    ((float *)tensor->block)[place] = (float)value;
    return true;
}

static bool store_row(Table *table, CsvTensor *tensor, int64_t row)
{
    int64_t place = row * tensor->elements;
    for (int32_t i = 0; i < table->layout->column_count; i++) {
        const IngotColumn *run = &table->layout->columns[i];
        if (strcmp(run->tensor, tensor->name) != 0)
            continue;
        for (int64_t j = 0; j < run->count; j++)
            if (!store_field(table, tensor, run->first + j, place++))
                return false;
    }
    return true;
}

/* Every wanted column exists, and every tensor gets as many as it needs. */
static bool check_columns(Table *table, const CsvTensor *tensors, int32_t count)
{
    for (int32_t t = 0; t < count; t++) {
        int64_t given = 0;
        for (int32_t i = 0; i < table->layout->column_count; i++) {
            const IngotColumn *run = &table->layout->columns[i];
            if (strcmp(run->tensor, tensors[t].name) != 0)
                continue;
            if (run->first < 0 || run->count < 0 || run->first > table->width - run->count)
                return ingot_fail(
                    table->failure,
                    "%s: has %lld columns, but \"%s\" is read from columns %lld to %lld",
                    table->path, (long long)table->width, tensors[t].name,
                    (long long)run->first + 1, (long long)(run->first + run->count));
            given += run->count;
        }
        if (given != tensors[t].elements)
            return ingot_fail(
                table->failure,
                "%s: \"%s\" takes %lld numbers a row, but %lld columns are named for it",
                table->path, tensors[t].name, (long long)tensors[t].elements, (long long)given);
    }
    return true;
}

static bool allocate(Table *table, CsvTensor *tensors, int32_t count, int64_t rows)
{
    for (int32_t t = 0; t < count; t++) {
        uint64_t size = tensors[t].type == INGOT_F64 ? 8 : 4;
        uint64_t elements = (uint64_t)tensors[t].elements;
        /* Each number takes at least a character and a separator, so this cannot exceed four times
         * the file. */
        if (elements && (uint64_t)rows > SIZE_MAX / size / elements)
            return ingot_fail(table->failure, "%s: is too large for this machine's memory",
                              table->path);
        tensors[t].block = malloc((size_t)((uint64_t)rows * elements * size) + 1);
        if (!tensors[t].block)
            return ingot_fail(table->failure, "%s: needs more memory than there is", table->path);
    }
    return true;
}

static int64_t count_lines(Table table)
{
    Field line;
    int64_t count = 0;
    while (take_line(&table, &line))
        count++;
    return count;
}

static bool read_table(Table *table, CsvTensor *tensors, int32_t count, int64_t *rows)
{
    Field line;
    for (int32_t i = 0; i < table->layout->header; i++)
        take_line(table, &line);
    *rows = count_lines(*table);
    if (*rows == 0)
        return ingot_fail(table->failure, "%s: holds no rows", table->path);
    for (int64_t row = 0; row < *rows; row++) {
        take_line(table, &line);
        if (!split_line(table, line))
            return false;
        if (row == 0 &&
            (!check_columns(table, tensors, count) || !allocate(table, tensors, count, *rows)))
            return false;
        for (int32_t t = 0; t < count; t++)
            if (!store_row(table, &tensors[t], row))
                return false;
    }
    return true;
}

bool csv_read(const IngotDataset *layout, CsvTensor *tensors, int32_t count, int64_t *rows,
              Failure *failure)
{
    MappedFile file;
    for (int32_t t = 0; t < count; t++)
        tensors[t].block = NULL;
    if (!ingot_map_file(&file, layout->path, failure))
        return false;
    Table table = {.layout = layout, .path = layout->path, .failure = failure};
    open_text(&table, &file);
    bool good = read_table(&table, tensors, count, rows);
    free(table.fields);
    ingot_unmap_file(&file);
    return good;
}

bool csv_peek(const char *path, int32_t separator, int64_t *columns, bool *heading,
              Failure *failure)
{
    MappedFile file;
    Field line, first;
    double value;
    if (!ingot_map_file(&file, path, failure))
        return false;
    Table table = {.path = path, .failure = failure};
    open_text(&table, &file);
    bool good = take_line(&table, &line);
    if (good) {
        *columns = count_fields(line, (char)separator);
        take_field(&line, (char)separator, &first);
        *heading = !number_parse(first.at, first.end, &value);
    }
    ingot_unmap_file(&file);
    return good || ingot_fail(failure, "%s: holds no rows", path);
}
