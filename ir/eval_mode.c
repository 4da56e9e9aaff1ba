/* Evaluates what has a mode: values that come to stand where others are. */
#include <math.h>

#include "ir/element.h"
#include "ir/eval_node.h"

static double meet_numbers(Mode mode, double old, double value)
{
    switch (mode) {
    case MODE_ADD:
        return old + value;
    case MODE_MUL:
        return old * value;
    case MODE_MAX:
        return isnan(old) || old > value ? old : value;
    case MODE_MIN:
        return isnan(old) || old < value ? old : value;
    default:
        return value;
    }
}

static bool is_less(ElementType element, int64_t a, int64_t b)
{
    return element == TYPE_U64 ? (uint64_t)a < (uint64_t)b : a < b;
}

/* Wraps at once, since what is the larger of two depends on that. */
static int64_t meet_integers(ElementType element, Mode mode, int64_t old, int64_t value)
{
    uint64_t a = (uint64_t)old, b = (uint64_t)value;
    switch (mode) {
    case MODE_ADD:
        return element_wrap(element, (int64_t)(a + b));
    case MODE_MUL:
        return element_wrap(element, (int64_t)(a * b));
    case MODE_MAX:
        return is_less(element, old, value) ? value : old;
    case MODE_MIN:
        return is_less(element, old, value) ? old : value;
    default:
        return value;
    }
}

static void meet(Mode mode, Value *to, int64_t at, const Value *from, int64_t place)
{
    if (to->numbers)
        to->numbers[at] = meet_numbers(mode, to->numbers[at], from->numbers[place]);
    else
        to->integers[at] =
            meet_integers(to->type.element, mode, to->integers[at], from->integers[place]);
}

void evaluate_scatter(const Evaluation *e)
{
    const Value *updates = &e->in[1], *rows = &e->in[2];
    Mode mode = attr_mode(e->node, 0);
    int64_t length = row_length(&e->out->type), count = type_elements(&rows->type);
    copy_elements(e->out, 0, &e->in[0], 0, type_elements(&e->out->type));
    for (int64_t i = 0; i < count && length > 0; i++) {
        int64_t at = clamp_row(rows->integers[i], e->out->type.dims[0]) * length;
        for (int64_t j = 0; j < length; j++)
            meet(mode, e->out, at + j, updates, i * length + j);
    }
}
