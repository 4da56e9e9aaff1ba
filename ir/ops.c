/* The op table as data: ops.def and attrs.def, readable at run time.
 *
 * The printer, the parser, the verifier and every generic pass look operations up here; nothing
 * else in the compiler keeps a second list of them. */
#include <string.h>

#include "ir/graph.h"

/* The sets of attrs.def, in its order. */
typedef enum AttrSet {
    SET_NONE,
    SET_INPUT,
    SET_STATE,
    SET_CONSTANT,
    SET_IOTA,
    SET_RANDOM,
    SET_CAST,
    SET_AXIS,
    SET_AXES,
    SET_REDUCE,
    SET_NORMALIZE,
    SET_CONV,
    SET_CONV_TO,
    SET_WINDOW,
    SET_WINDOW_TO,
    SET_DIMS,
    SET_ORDER,
    SET_SLICE,
    SET_PAD,
    SET_MODE,
    SET_CUMULATIVE,
    SET_SORT,
    SET_SCAN,
    SET_RESULT,
} AttrSet;

static const struct {
    const char *name;
    int in;
    AttrSet set;
    unsigned traits;
} rows[OP_COUNT] = {
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate)                      \
    {#name, in, SET_##attributes, traits},
#include "ir/ops.def"
#undef OP
};

/* All keys; those of one set stand together. `key_sets` is the first column of the same rows. */
static const AttrKey keys[] = {
#define ATTR(set, slot, key, form) {slot, #key, FORM_##form},
#include "ir/attrs.def"
#undef ATTR
};

static const AttrSet key_sets[] = {
#define ATTR(set, slot, key, form) SET_##set,
#include "ir/attrs.def"
#undef ATTR
};

enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

const char *op_name(Op op)
{
    return rows[op].name;
}

bool op_find(const char *name, Op *op)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            *op = (Op)i;
            return true;
        }
    }
    return false;
}

int op_inputs(Op op)
{
    return rows[op].in;
}

unsigned op_traits(Op op)
{
    return rows[op].traits;
}

static const char *const modes[MODE_COUNT] = {"set", "add", "mul", "max", "min"};

const char *mode_name(Mode mode)
{
    return modes[mode];
}

int mode_names(const char *const **names)
{
    *names = modes;
    return MODE_COUNT;
}

const AttrKey *op_attributes(Op op, int *count)
{
    const AttrKey *first = NULL;
    *count = 0;
    for (int i = 0; i < KEY_COUNT; i++) {
        if (key_sets[i] != rows[op].set)
            continue;
        if (!first)
            first = &keys[i];
        ++*count;
    }
    return first;
}
