/* Names that frontends make. */
#ifndef INGOT_FRONTEND_NAMES_H
#define INGOT_FRONTEND_NAMES_H

#include "base/arena.h"

/* "models/my-net.onnx" as "my_net": the file's name, with _ for what cannot be in a name. */
const char *name_of_file(Arena *arena, const char *path);

#endif
