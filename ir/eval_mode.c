/* Evaluates what has a mode: values that meet where they come to stand, or on their way along an
 * axis. */
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
        return element_less(element, old, value) ? value : old;
    case MODE_MIN:
        return element_less(element, old, value) ? old : value;
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

/* What changes nothing it meets. */
static void set_neutral(Mode mode, Value *to, int64_t at)
{
    double neutral = mode == MODE_MUL   ? 1
                     : mode == MODE_MAX ? -INFINITY
                     : mode == MODE_MIN ? INFINITY
                                        : 0;
    if (to->numbers)
        to->numbers[at] = neutral;
    else
        to->integers[at] = element_saturate(to->type.element, neutral);
}

void evaluate_reduce_product(const Evaluation *e)
{
    int64_t strides[RANK_LIMIT], next = 0, count = type_elements(&e->out->type);
    for (int64_t i = 0; i < count; i++)
        set_neutral(MODE_MUL, e->out, i);
    reduced_strides(&e->in[0].type, e->node->attr.lists[0], strides);
    Walk walk = walk_create(&e->in[0].type, strides, 0);
    for (bool more = walk_start(&walk); more; more = walk_next(&walk))
        for (int64_t i = 0; i < walk.length; i++)
            meet(MODE_MUL, e->out, walk.offset + i * walk.stride, &e->in[0], next++);
}

/* `length` elements `step` apart from `first` on */
static void accumulate(const Evaluation *e, int64_t first, int64_t length, int64_t step)
{
    Mode mode = attr_mode(e->node, 1);
    bool exclusive = attr_integer(e->node, 2) != 0;
    for (int64_t i = 0; i < length; i++) {
        int64_t at = first + i * step;
        if (i == 0)
            set_neutral(mode, e->out, at);
        else
            copy_elements(e->out, at, e->out, at - step, 1);
        if (!exclusive)
            meet(mode, e->out, at, &e->in[0], at);
        else if (i > 0)
            meet(mode, e->out, at, &e->in[0], at - step);
    }
}

void evaluate_cumulative(const Evaluation *e)
{
    AxisView view = axis_view(&e->out->type, attr_integer(e->node, 0));
    bool reverse = attr_integer(e->node, 3) != 0;
    for (int64_t o = 0; o < view.outer; o++) {
        for (int64_t j = 0; j < view.inner; j++) {
            int64_t first = o * view.length * view.inner + j;
            if (reverse)
                accumulate(e, first + (view.length - 1) * view.inner, view.length, -view.inner);
            else
                accumulate(e, first, view.length, view.inner);
        }
    }
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
