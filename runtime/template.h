/* Writing a model back as the kind of file it was made from. */
#ifndef INGOT_RUNTIME_TEMPLATE_H
#define INGOT_RUNTIME_TEMPLATE_H

#include "runtime/instance.h"

/* Writes the pieces of the model's template, states as they are now; codes as ingot_save(). The
 * path is the old file or the new one whole. */
int32_t ingot_template_write(const IngotInstance *instance, const char *path);

#endif
