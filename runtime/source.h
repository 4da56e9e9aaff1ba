/* Which files a command reads its data from: the recipe's, or those named on the command line. */
#ifndef INGOT_RUNTIME_SOURCE_H
#define INGOT_RUNTIME_SOURCE_H

#include "runtime/command.h"

enum { SOURCE_MOST_FILES = 32 };

/* The values of --data (or another option), in order. */
typedef struct DataArguments {
    const char *option; /* "--data", for messages */
    const char *values[SOURCE_MOST_FILES];
    int32_t count;
} DataArguments;

bool source_add_argument(DataArguments *arguments, const char *value, Failure *failure);

typedef struct Source {
    IngotDataset
        dataset; /* the recipe's, with the paths to open; format INGOT_DATA_NONE: there is none */
    IngotColumn columns[SOURCE_MOST_FILES];
    char *texts[SOURCE_MOST_FILES + 1]; /* paths that were put together here */
    int32_t text_count;
} Source;

/* Finds the files. The arguments are a file that replaces the recipe's table, a folder that holds
 * files of the recipe's names, or NAME=FILE for single inputs among `tensors`. Without arguments, a
 * relative path of the recipe is tried from the current folder, then from the program's. */
bool source_resolve(Source *source, Command *command, const IngotDataset *recipe,
                    const DataArguments *arguments, const IngotTensor *tensors, int32_t count);
void source_free(Source *source);

bool source_is_folder(const char *path);

#endif
