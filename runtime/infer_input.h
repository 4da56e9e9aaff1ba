/* The files that `infer` reads. */
#ifndef INGOT_RUNTIME_INFER_INPUT_H
#define INGOT_RUNTIME_INFER_INPUT_H

#include "runtime/dataset.h"
#include "runtime/source.h"

/* Opens [NAME=]FILE for the inputs of the model's `infer`; where there are several for inputs of
 * different sizes, of the one that they fit. Its number, with the most rows there is, goes to
 * *function. A table with exactly the columns an input needs is taken as it is (a heading is
 * noticed); one with others is read as the recipe reads its training data, if the recipe reads a
 * table. */
bool infer_input_open(Dataset *data, Command *command, const DataArguments *arguments,
                      int32_t *function);

#endif
