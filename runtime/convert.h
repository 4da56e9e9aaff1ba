/* Elements of one type into elements of another, and whether they may be. */
#ifndef INGOT_RUNTIME_CONVERT_H
#define INGOT_RUNTIME_CONVERT_H

#include "runtime/failure.h"
#include "runtime/model.h"

/* Neither side needs to be aligned. */
void convert_elements(const void *from, int32_t from_type, void *to, int32_t to_type,
                      int64_t count);

/* Whether every one of rows x elements numbers can become an element of the tensor: finite, whole
 * and in the range of the type where that is an integer, in 0 … classes-1 where it is a label. The
 * message names the first that cannot, by its index counted from 0. */
bool convert_check(const void *from, int32_t from_type, const IngotTensor *tensor, int64_t rows,
                   int64_t elements, const char *path, Failure *failure);

#endif
