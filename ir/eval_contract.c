/* Evaluates contractions: matrix products, convolutions and the two adjoints of a convolution.
 *
 * The three convolutions visit the same triples (pixel of x, tap of w, pixel of y) and differ in
 * which of the three they add to:
 *
 *     y[n,o,oc] += x[n, o·stride + k·dilation - before, c] · w[k,c,oc]
 */
#include "ir/eval_window.h"

/* Offset of each outer index of the result in an operand whose outer axes broadcast; [.., rows,
 * columns] */
static Walk outer_walk(const TensorType *result, const TensorType *operand)
{
    int64_t own[RANK_LIMIT], strides[RANK_LIMIT] = {0};
    TensorType outer = *result;
    row_major(operand, own);
    for (int i = 3; i <= operand->rank; i++)
        if (operand->dims[operand->rank - i] != 1)
            strides[result->rank - i] = own[operand->rank - i];
    outer.dims[outer.rank - 2] =
        1; /* the last axis of a walk is left to the caller: here it is one */
    outer.rank--;
    return walk_create(&outer, strides, 0);
}

/* c[m,n] += a[m,k] · b[k,n]; integers as unsigned ones, which wrap */
#define MATRIX_PRODUCT(name, Number)                                                               \
    static void name(Number *c, const Number *a, const Number *b, int64_t m, int64_t k, int64_t n) \
    {                                                                                              \
        for (int64_t i = 0; i < m; i++)                                                            \
            for (int64_t l = 0; l < k; l++)                                                        \
                for (int64_t j = 0; j < n; j++)                                                    \
                    c[i * n + j] += a[i * k + l] * b[l * n + j];                                   \
    }
MATRIX_PRODUCT(number_product, double)
MATRIX_PRODUCT(integer_product, uint64_t)

void evaluate_matmul(const Evaluation *e)
{
    const TensorType *a = &e->in[0].type, *b = &e->in[1].type, *c = &e->out->type;
    int64_t m = c->dims[c->rank - 2], n = c->dims[c->rank - 1], k = a->dims[a->rank - 1];
    Walk left = outer_walk(c, a), right = outer_walk(c, b);
    int64_t result = 0;
    bool more = walk_start(&left);
    while (more) {
        if (e->out->numbers)
            number_product(e->out->numbers + result, e->in[0].numbers + left.offset,
                           e->in[1].numbers + right.offset, m, k, n);
        else
            integer_product((uint64_t *)e->out->integers + result,
                            (const uint64_t *)e->in[0].integers + left.offset,
                            (const uint64_t *)e->in[1].integers + right.offset, m, k, n);
        result += m * n;
        more = walk_next(&left);
        walk_next(&right);
    }
}

/* One of x, w, y is added to, the others are read: doubles, or integers as uint64_t. */
typedef struct Conv {
    void *x, *w, *y;
    bool integers;
    int64_t groups, in, out; /* channels of one group */
} Conv;

typedef enum ConvTarget { TO_X, TO_W, TO_Y } ConvTarget;

#define CONV_TAP(name, Number)                                                                     \
    static inline void name(const Conv *conv, int64_t x_pixel, int64_t tap, int64_t y_pixel,       \
                            ConvTarget target)                                                     \
    {                                                                                              \
        for (int64_t g = 0; g < conv->groups; g++) {                                               \
            Number *x = (Number *)conv->x + (x_pixel * conv->groups + g) * conv->in;               \
            Number *y = (Number *)conv->y + (y_pixel * conv->groups + g) * conv->out;              \
            Number *w =                                                                            \
                (Number *)conv->w + tap * conv->in * conv->groups * conv->out + g * conv->out;     \
            for (int64_t c = 0; c < conv->in; c++, w += conv->groups * conv->out) {                \
                for (int64_t o = 0; o < conv->out; o++) {                                          \
                    if (target == TO_Y)                                                            \
                        y[o] += x[c] * w[o];                                                       \
                    else if (target == TO_X)                                                       \
                        x[c] += y[o] * w[o];                                                       \
                    else                                                                           \
                        w[o] += x[c] * y[o];                                                       \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
CONV_TAP(number_tap, double)
CONV_TAP(integer_tap, uint64_t)

static inline void conv_tap(const Conv *conv, int64_t x_pixel, int64_t tap, int64_t y_pixel,
                            ConvTarget target)
{
    if (conv->integers)
        integer_tap(conv, x_pixel, tap, y_pixel, target);
    else
        number_tap(conv, x_pixel, tap, y_pixel, target);
}

static void tap_to_y(void *conv, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    conv_tap(conv, x_pixel, tap, y_pixel, TO_Y);
}

static void tap_to_x(void *conv, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    conv_tap(conv, x_pixel, tap, y_pixel, TO_X);
}

static void tap_to_w(void *conv, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    conv_tap(conv, x_pixel, tap, y_pixel, TO_W);
}

static void *data_of(const Value *value)
{
    return value->numbers ? (void *)value->numbers : (void *)value->integers;
}

static void convolve(const Evaluation *e, const Value *x, const Value *w, const Value *y,
                     TapBody *body)
{
    Geometry geometry = geometry_create(e->node, &x->type, &y->type, w->type.dims);
    int64_t groups = attr_integer(e->node, 3);
    Conv conv = {.x = data_of(x),
                 .w = data_of(w),
                 .y = data_of(y),
                 .integers = !element_is_float(x->type.element),
                 .groups = groups,
                 .in = w->type.dims[w->type.rank - 2],
                 .out = w->type.dims[w->type.rank - 1] / groups};
    geometry_walk(&geometry, body, &conv);
}

void evaluate_conv(const Evaluation *e)
{
    convolve(e, &e->in[0], &e->in[1], e->out, tap_to_y);
}

void evaluate_conv_transpose(const Evaluation *e)
{
    convolve(e, e->out, &e->in[1], &e->in[0], tap_to_x);
}

void evaluate_conv_filter(const Evaluation *e)
{
    convolve(e, &e->in[0], e->out, &e->in[1], tap_to_w);
}
