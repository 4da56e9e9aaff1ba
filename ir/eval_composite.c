/* Evaluates the composites by their stable formulas:
 *
 *     log_softmax x_i                = (x_i - m) - log Σ exp(x_j - m),  m = max x
 *     softmax x_i                    = exp(x_i - m) / Σ exp(x_j - m)
 *     normalize x_i                  = (x_i - mean) / √(Σ (x_j - mean)² / n + epsilon)
 *     softmax_cross_entropy(x, l)    = log Σ exp(x_j - m) + m - x_l
 *     sigmoid_cross_entropy(x, t)    = max(x, 0) - x t + log(1 + exp(-|x|))
 *
 * A label that is no class picks nothing: its x_l counts as 0. Data readers refuse such labels. */
#include <math.h>

#include "ir/eval_node.h"

/* Of `length` numbers `stride` apart: the maximum and the sum of exp(x - maximum). */
static void exponential_sum(const double *x, int64_t length, int64_t stride, double *maximum,
                            double *sum)
{
    *maximum = -INFINITY;
    for (int64_t i = 0; i < length; i++)
        *maximum = fmax(*maximum, x[i * stride]);
    *sum = 0;
    for (int64_t i = 0; i < length; i++)
        *sum += exp(x[i * stride] - *maximum);
}

static void softmax(const Evaluation *e, bool logarithm)
{
    AxisView view = axis_view(&e->out->type, attr_integer(e->node, 0));
    for (int64_t o = 0; o < view.outer; o++) {
        for (int64_t j = 0; j < view.inner; j++) {
            int64_t first = o * view.length * view.inner + j;
            const double *x = e->in[0].numbers + first;
            double *y = e->out->numbers + first, maximum, sum;
            exponential_sum(x, view.length, view.inner, &maximum, &sum);
            for (int64_t i = 0; i < view.length; i++) {
                double shifted = x[i * view.inner] - maximum;
                y[i * view.inner] = logarithm ? shifted - log(sum) : exp(shifted) / sum;
            }
        }
    }
}

void evaluate_softmax(const Evaluation *e)
{
    softmax(e, false);
}

void evaluate_log_softmax(const Evaluation *e)
{
    softmax(e, true);
}

/* For each element of a tensor, which of the `axes`-reduced results it counts to. */
static int64_t *rows_of_elements(Arena *arena, const TensorType *type, IntList axes)
{
    int64_t strides[RANK_LIMIT], next = 0, count = type_elements(type);
    int64_t *rows = ARENA_ARRAY(arena, int64_t, count + 1);
    reduced_strides(type, axes, strides);
    Walk walk = walk_create(type, strides, 0);
    for (bool more = walk_start(&walk); more; more = walk_next(&walk))
        for (int64_t i = 0; i < walk.length; i++)
            rows[next++] = walk.offset + i * walk.stride;
    return rows;
}

void evaluate_normalize(const Evaluation *e)
{
    const TensorType *type = &e->in[0].type;
    const double *x = e->in[0].numbers;
    IntList axes = e->node->attr.lists[0];
    int64_t count = type_elements(type), length = 1;
    for (int i = 0; i < axes.count; i++)
        length *= type->dims[axes.values[i]];
    int64_t *rows = rows_of_elements(e->arena, type, axes);
    double *mean = ARENA_ARRAY(e->arena, double, count + 1);
    double *variance = ARENA_ARRAY(e->arena, double, count + 1);
    for (int64_t i = 0; i < count; i++)
        mean[rows[i]] += x[i] / (double)length;
    for (int64_t i = 0; i < count; i++)
        variance[rows[i]] += (x[i] - mean[rows[i]]) * (x[i] - mean[rows[i]]) / (double)length;
    for (int64_t i = 0; i < count; i++)
        e->out->numbers[i] =
            (x[i] - mean[rows[i]]) / sqrt(variance[rows[i]] + e->node->attr.number);
}

void evaluate_softmax_cross_entropy(const Evaluation *e)
{
    const TensorType *logits = &e->in[0].type;
    int64_t classes = logits->dims[logits->rank - 1], rows = type_elements(&e->out->type);
    for (int64_t i = 0; i < rows; i++) {
        const double *x = e->in[0].numbers + i * classes;
        int64_t label = e->in[1].integers[i];
        double maximum, sum;
        exponential_sum(x, classes, 1, &maximum, &sum);
        double picked = label >= 0 && label < classes ? x[label] : 0;
        e->out->numbers[i] = log(sum) + (maximum - picked);
    }
}

void evaluate_sigmoid_cross_entropy(const Evaluation *e)
{
    Value logits = value_stretch(e->arena, &e->in[0], &e->out->type);
    Value targets = value_stretch(e->arena, &e->in[1], &e->out->type);
    int64_t count = type_elements(&e->out->type);
    for (int64_t i = 0; i < count; i++) {
        double x = logits.numbers[i];
        e->out->numbers[i] = fmax(x, 0) - x * targets.numbers[i] + log1p(exp(-fabs(x)));
    }
}
