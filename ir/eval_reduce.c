/* Evaluates reductions: every element of the input meets its place in the result, which strides of
 * nought along the reduced axes give. Sums run in row-major order of the input. */
#include <math.h>

#include "ir/element.h"
#include "ir/eval_node.h"

void reduced_strides(const TensorType *type, IntList axes, int64_t strides[RANK_LIMIT])
{
    bool reduced[RANK_LIMIT] = {false};
    for (int i = 0; i < axes.count; i++)
        reduced[axes.values[i]] = true;
    int64_t stride = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        strides[i] = reduced[i] ? 0 : stride;
        stride *= reduced[i] ? 1 : type->dims[i];
    }
}

typedef double Number2(double a, double b);
typedef int64_t Integer2(int64_t a, int64_t b);

static void reduce(const Evaluation *e, Number2 *number, Integer2 *integer)
{
    int64_t strides[RANK_LIMIT];
    const Value *in = &e->in[0];
    reduced_strides(&in->type, e->node->attr.lists[0], strides);
    Walk walk = walk_create(&in->type, strides, 0);
    int64_t next = 0;
    for (bool more = walk_start(&walk); more; more = walk_next(&walk)) {
        for (int64_t i = 0; i < walk.length; i++, next++) {
            int64_t to = walk.offset + i * walk.stride;
            if (in->numbers)
                e->out->numbers[to] = number(e->out->numbers[to], in->numbers[next]);
            else
                e->out->integers[to] = integer(e->out->integers[to], in->integers[next]);
        }
    }
}

static void fill(Value *value, double number, int64_t integer)
{
    int64_t count = type_elements(&value->type);
    for (int64_t i = 0; i < count; i++) {
        if (value->numbers)
            value->numbers[i] = number;
        else
            value->integers[i] = integer;
    }
}

static double number_add(double a, double b)
{
    return a + b;
}

static int64_t integer_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

void evaluate_reduce_sum(const Evaluation *e)
{
    reduce(e, number_add, integer_add);
}

static double number_max(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

static int64_t integer_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t u64_max(int64_t a, int64_t b)
{
    return (uint64_t)a > (uint64_t)b ? a : b;
}

/* The least or largest whole number there is, to begin with; floats begin with an infinity. */
static int64_t extreme(ElementType element, double value)
{
    return element_is_float(element) ? 0 : element_saturate(element, value);
}

void evaluate_reduce_max(const Evaluation *e)
{
    ElementType element = e->out->type.element;
    fill(e->out, -INFINITY, extreme(element, element_lowest(element)));
    reduce(e, number_max, element == TYPE_U64 ? u64_max : integer_max);
}

static double number_min(double a, double b)
{
    return isnan(a) || a < b ? a : b;
}

static int64_t integer_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t u64_min(int64_t a, int64_t b)
{
    return (uint64_t)a < (uint64_t)b ? a : b;
}

void evaluate_reduce_min(const Evaluation *e)
{
    ElementType element = e->out->type.element;
    fill(e->out, INFINITY, extreme(element, element_highest(element)));
    reduce(e, number_min, element == TYPE_U64 ? u64_min : integer_min);
}

static bool is_greater(const Value *in, int64_t a, int64_t b)
{
    if (in->numbers)
        return in->numbers[a] > in->numbers[b];
    return element_less(in->type.element, in->integers[b], in->integers[a]);
}

/* Of [outer, length, inner]. Only a strictly greater element takes the first one's place: a NaN
 * never does. */
void evaluate_argmax(const Evaluation *e)
{
    const Value *in = &e->in[0];
    AxisView view = axis_view(&in->type, attr_integer(e->node, 0));
    for (int64_t o = 0; o < view.outer; o++) {
        for (int64_t j = 0; j < view.inner; j++) {
            int64_t first = o * view.length * view.inner + j, best = 0;
            for (int64_t i = 1; i < view.length; i++) {
                if (is_greater(in, first + i * view.inner, first + best * view.inner))
                    best = i;
            }
            e->out->integers[o * view.inner + j] = best;
        }
    }
}
