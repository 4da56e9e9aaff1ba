/* Bounds for rounding errors; see tolerance.h. */
#include "driver/tolerance.h"

#include <math.h>

#include "ir/element.h"
#include "ir/scan.h"

/* Terms added up for one element of the result; 1 where nothing is. */
static double terms_of(const Node *node)
{
    double in = (double)type_elements(&node->in[0]->type);
    double out = fmax(1, (double)type_elements(&node->type));
    const TensorType *first = &node->in[0]->type;
    switch (node->op) {
    case OP_matmul:
        return (double)first->dims[first->rank - 1];
    case OP_conv:
    case OP_conv_transpose: {
        const TensorType *w = &node->in[1]->type;
        int kept = node->op == OP_conv ? w->rank - 1 : w->rank - 2;
        return (double)type_elements(w) / fmax(1, (double)w->dims[kept]);
    }
    case OP_conv_filter:
        return (double)type_elements(&node->in[1]->type) /
               fmax(1, (double)node->in[1]->type.dims[node->in[1]->type.rank - 1]);
    case OP_scatter_add:
        return 1 + in / out;
    default:
        break;
    }
    if (op_is(node->op, WINDOWS)) {
        Spatial spatial = node_spatial(node);
        double taps = 1;
        for (int i = 0; i < spatial.rank; i++)
            taps *= (double)spatial.size[i];
        return taps;
    }
    if (op_is(node->op, ACCUMULATES))
        return (double)first->dims[attr_integer(node, 0)];
    if (op_is(node->op, COMPOSITE) && first->rank > 0)
        return (double)first->dims[first->rank - 1];
    return op_is(node->op, REDUCES) ? in / out : 1;
}

/* As if the body stood there once for each step. */
static double cost_of_steps(Arena *arena, const Node *scan)
{
    const Function *body = scan->attr.body;
    const double *depths = tolerance_depths(arena, body);
    double deepest = 0;
    for (int i = 0; i < body->node_count; i++)
        deepest = fmax(deepest, depths[i]);
    return (double)node_scan(scan).steps * deepest;
}

static double cost_of(Arena *arena, const Node *node)
{
    if (op_is(node->op, REPEATS))
        return cost_of_steps(arena, node);
    if (op_is(node->op, LEAF) || op_is(node->op, VIEW))
        return 0;
    double terms = terms_of(node);
    return 1 + (terms > 1 ? sqrt(terms) : 0) + (op_is(node->op, COMPOSITE) ? 4 : 0);
}

double *tolerance_depths(Arena *arena, const Function *function)
{
    double *depths = ARENA_ARRAY(arena, double, function->node_count);
    for (int i = 0; i < function->node_count; i++) {
        Node *node = function->nodes[i];
        double deepest = 0;
        for (int j = 0; j < node->in_count; j++)
            deepest = fmax(deepest, *(double *)node_resolve(node->in[j])->mark);
        depths[i] = deepest + cost_of(arena, node);
        node->mark = &depths[i];
    }
    return depths;
}

/* Equal, or both not a number. */
static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static Difference compare_integers(const Value *got, const Value *want, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (got->integers[i] != want->integers[i])
            return (Difference){
                .largest = fabs((double)got->integers[i] - (double)want->integers[i]),
                .element = i,
                .got = (double)got->integers[i],
                .want = (double)want->integers[i],
                .wrong = true,
            };
    return (Difference){0};
}

double tolerance_distance(const Value *a, const Value *b)
{
    double largest = 0;
    if (!element_is_float(a->type.element))
        return 0;
    for (int64_t i = 0; i < type_elements(&a->type); i++) {
        double apart = fabs(a->numbers[i] - b->numbers[i]);
        if (isfinite(apart))
            largest = fmax(largest, apart);
    }
    return largest;
}

static double largest_magnitude(const Value *value)
{
    double largest = 0;
    for (int64_t i = 0; i < type_elements(&value->type); i++)
        if (isfinite(value->numbers[i]))
            largest = fmax(largest, fabs(value->numbers[i]));
    return largest;
}

/* A tensor that is noise next to nothing may be the square of another one, whose noise may be 8
 * times as large: then its own may be 64 times so. */
static double noise_factor(double noise, double magnitude)
{
    return noise > 0 ? 8 + 56 * noise / (noise + magnitude) : 0;
}

Difference tolerance_compare(const Value *got, const Value *want, const Value *rounded,
                             double depth, double noise)
{
    int64_t count = type_elements(&got->type);
    if (!element_is_float(got->type.element))
        return compare_integers(got, rounded, count);
    double unit = element_unit(got->type.element);
    Difference worst = {.largest = -1};
    double magnitude = largest_magnitude(want);
    worst.allowed = unit * (1 + depth) * magnitude + noise_factor(noise, magnitude) * noise;
    worst.allowed += 0x1p-126;
    for (int64_t i = 0; i < count; i++) {
        double g = got->numbers[i], w = want->numbers[i];
        double apart = same(g, w) || same(g, rounded->numbers[i]) ? 0 : fabs(g - w);
        if (isnan(apart))
            apart = INFINITY;
        if (apart > worst.largest) {
            worst.largest = apart;
            worst.element = i;
            worst.got = g;
            worst.want = w;
        }
    }
    worst.largest = fmax(worst.largest, 0);
    worst.wrong = worst.largest > worst.allowed;
    return worst;
}
