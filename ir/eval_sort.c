/* Evaluates argsort. */
#include <math.h>
#include <stdlib.h>

#include "ir/eval_node.h"

typedef struct Entry {
    const Value *value;
    int64_t place, index; /* in the tensor, in its row */
    bool descending;
} Entry;

/* NaN is the greatest, and equal to itself. */
static int compare_numbers(double a, double b)
{
    if (isnan(a) || isnan(b))
        return (isnan(a) != 0) - (isnan(b) != 0);
    return (a > b) - (a < b);
}

static int compare_integers(ElementType element, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    return element == TYPE_U64 ? (x > y) - (x < y) : (a > b) - (a < b);
}

static int compare_entries(const void *left, const void *right)
{
    const Entry *a = left, *b = right;
    const Value *value = a->value;
    int order = value->numbers ? compare_numbers(value->numbers[a->place], value->numbers[b->place])
                               : compare_integers(value->type.element, value->integers[a->place],
                                                  value->integers[b->place]);
    if (order != 0)
        return a->descending ? -order : order;
    return (a->index > b->index) - (a->index < b->index);
}

void evaluate_argsort(const Evaluation *e)
{
    const TensorType *type = &e->in[0].type;
    int64_t length = type->dims[type->rank - 1], count = type_elements(type);
    Entry *entries = ARENA_ARRAY(e->arena, Entry, length + 1);
    for (int64_t first = 0; first < count; first += length) {
        for (int64_t i = 0; i < length; i++)
            entries[i] = (Entry){&e->in[0], first + i, i, attr_integer(e->node, 0) != 0};
        qsort(entries, (size_t)length, sizeof *entries, compare_entries);
        for (int64_t i = 0; i < length; i++)
            e->out->integers[first + i] = entries[i].index;
    }
}
