/* Tables: the first byte chooses the separator, the rest is the file. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "runtime/tensor_file_csv.h"

static void read_table(const char *path, int32_t separator, int32_t header)
{
    Failure failure = {""};
    int64_t rows;
    const IngotColumn columns[] = {{.tensor = "x", .first = 0, .count = 2},
                                   {.tensor = "y", .first = 2, .count = 1},
                                   {.tensor = "x", .first = 3, .count = 1}};
    IngotDataset layout = {.path = path,
                           .columns = columns,
                           .format = INGOT_DATA_CSV,
                           .column_count = 3,
                           .header = header,
                           .separator = separator};
    CsvTensor tensors[] = {{.name = "x", .elements = 3, .type = INGOT_F32},
                           {.name = "y", .elements = 1, .classes = 3, .type = INGOT_I32}};
    bool read = csv_read(&layout, tensors, 2, &rows, &failure);
    fuzz_check(read == !failure.text[0], "refused without a reason, or the reverse", NULL);
    for (int64_t i = 0; read && i < rows; i++) {
        int32_t label = ((const int32_t *)tensors[1].block)[i];
        fuzz_check(label >= 0 && label < 3, "a label out of range", NULL);
    }
    free(tensors[0].block);
    free(tensors[1].block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char separators[] = {',', ';', '\t', ' '};
    if (!size)
        return 0;
    Failure failure = {""};
    int64_t columns;
    bool heading;
    int32_t separator = separators[data[0] % sizeof separators];
    const char *path = fuzz_file("table.csv", data + 1, size - 1);
    csv_peek(path, separator, &columns, &heading, &failure);
    read_table(path, separator, data[0] >> 4 & 1);
    return 0;
}
