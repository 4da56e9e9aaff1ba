/* Element types and counts: the few facts about a tensor that several files need. */
#ifndef INGOT_RUNTIME_ELEMENT_H
#define INGOT_RUNTIME_ELEMENT_H

#include "runtime/model.h"

enum { INGOT_TYPE_COUNT = 13 };

/* Bytes of one element; 0 for a number that is no type. */
int64_t ingot_element_bytes(int32_t type);
bool ingot_type_is_float(int32_t type);
const char *ingot_element_name(int32_t type);     /* "f32" */
const char *ingot_safetensors_name(int32_t type); /* "F32", as safetensors spells it */

/* Elements of the axes first … rank-1. False when the product does not fit 62 bits or an axis is
 * negative. */
bool ingot_count_elements(const int64_t *dims, int32_t first, int32_t rank, int64_t *count);

/* "f32[64,10]" for reports and messages; always ends in NUL, cut short when it does not fit. */
void ingot_shape_text(char *text, size_t size, int32_t type, const int64_t *dims, int32_t rank);

#endif
