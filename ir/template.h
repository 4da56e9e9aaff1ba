/* A file that a trained model can be written back as: the one it was read from, with the weights
 * replaced. Made by a frontend; code generation embeds it, the runtime fills it in. */
#ifndef INGOT_IR_TEMPLATE_H
#define INGOT_IR_TEMPLATE_H

#include "ir/graph.h"

typedef struct TemplatePiece { /* bytes as they are, or a state's */
    const char *bytes;         /* NULL: of `state` */
    int64_t size;
    const State *state;
    const int64_t *order; /* axis j of the state is axis order[j] of the tensor in the file; NULL:
                             they are the same */
} TemplatePiece;

typedef struct Template { /* the pieces, one behind the other, are the file */
    const char *suffix;   /* ".onnx" */
    TemplatePiece *pieces;
    int piece_count, piece_capacity;
} Template;

#endif
