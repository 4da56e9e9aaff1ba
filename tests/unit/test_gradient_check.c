/* Every gradient rule against central differences, in float64.
 *
 * The test walks the op table: each row with a rule must have a sample below, which builds a node
 * of that operation on random inputs, in several variants. With y that node and r random, the loss
 * is L = Σ y·r, and
 *
 *     dL/dx  as the rules build it     must be     (L(x + h) - L(x - h)) / 2h
 *
 * for each element of each input. The same is then done to L' = Σ dL/dx·r', so that gradients of
 * gradients, with them the claim that the set is closed, are checked as well. Values stay clear of
 * kinks and ties. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/scan.h"
#include "passes/passes.h"
#include "tests/support/scan_samples.h"

enum { INPUT_LIMIT = 16, WRT_LIMIT = 5 };

typedef struct Check {
    Arena *arena;
    Function *f;
    Value inputs[INPUT_LIMIT];
    Node *wrt[WRT_LIMIT];
    int wrt_input[WRT_LIMIT]; /* which input each of them is */
    int wrt_count;
    uint64_t random;
} Check;

typedef Node *Sample(Check *c, int variant); /* NULL: there are no more variants */

/* Inputs */

static double uniform(Check *c, double low, double high)
{
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(c->random >> 11) * 0x1p-53;
}

static Node *add_input(Check *c, TensorType type)
{
    char name[8];
    snprintf(name, sizeof name, "i%d", c->f->input_count);
    c->inputs[c->f->input_count] = value_create(c->arena, type);
    return graph_input(c->f, name, type);
}

static Value *value_of(Check *c)
{
    return &c->inputs[c->f->input_count - 1];
}

static TensorType f64(int rank, const int64_t *dims)
{
    return type_make(TYPE_F64, rank, dims);
}

/* Numbers that nothing is differentiated for */
static Node *weights(Check *c, TensorType type)
{
    Node *node = add_input(c, type);
    for (int64_t i = 0; i < type_elements(&type); i++)
        value_of(c)->numbers[i] = uniform(c, 0.5, 1.5) * (uniform(c, -1, 1) < 0 ? -1 : 1);
    return node;
}

static Node *wanted(Check *c, Node *node)
{
    c->wrt_input[c->wrt_count] = c->f->input_count - 1;
    c->wrt[c->wrt_count++] = node;
    return node;
}

static Node *between(Check *c, double low, double high, int rank, const int64_t *dims)
{
    Node *node = wanted(c, add_input(c, f64(rank, dims)));
    for (int64_t i = 0; i < type_elements(&node->type); i++)
        value_of(c)->numbers[i] = uniform(c, low, high);
    return node;
}

/* Numbers of both signs, at least 0.1 apart from each other and 0.05 from nought: no ties, no kinks
 */
static Node *distinct(Check *c, int rank, const int64_t *dims)
{
    Node *node = between(c, 0, 1, rank, dims);
    int64_t count = type_elements(&node->type);
    double *x = value_of(c)->numbers;
    for (int64_t i = 0; i < count; i++)
        x[i] = 0.1 * (double)(i - count / 2) + 0.05;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)uniform(c, 0, (double)(i + 1));
        double swap = x[i];
        x[i] = x[j];
        x[j] = swap;
    }
    return node;
}

/* Integers of [0, end) */
static Node *integers(Check *c, int64_t end, int rank, const int64_t *dims)
{
    Node *node = add_input(c, type_make(TYPE_I32, rank, dims));
    for (int64_t i = 0; i < type_elements(&node->type); i++)
        value_of(c)->integers[i] = (int64_t)uniform(c, 0, (double)end);
    return node;
}

#define DIMS(...)                                                                                  \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                         \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define LIST(...) ((int64_t[]){__VA_ARGS__})

/* Samples: element-wise */

static Node *unary_between(Check *c, int variant, Op op, double low, double high)
{
    return variant ? NULL : graph_unary(c->f, op, between(c, low, high, DIMS(3, 5)));
}

#define UNARY(name, low, high)                                                                     \
    static Node *sample_##name(Check *c, int variant)                                              \
    {                                                                                              \
        return unary_between(c, variant, OP_##name, low, high);                                    \
    }
UNARY(neg, -2, 2)
UNARY(exp, -2, 2)
UNARY(expm1, -2, 2)
UNARY(log, 0.3, 3)
UNARY(log1p, -0.6, 3)
UNARY(sqrt, 0.3, 3)
UNARY(rsqrt, 0.3, 3)
UNARY(tanh, -2, 2)
UNARY(sigmoid, -4, 4)
UNARY(erf, -2, 2)
UNARY(sin, -4, 4)
UNARY(cos, -4, 4)
UNARY(atan, -3, 3)

static Node *sample_abs(Check *c, int variant)
{
    return variant ? NULL : graph_unary(c->f, OP_abs, distinct(c, DIMS(3, 5)));
}

/* Read twice, moved in every way that has a gradient, and read again. */
static Node *storage_moved(Check *c, Node *x, ElementType element)
{
    Function *f = c->f;
    Node *stored = graph_cast(f, x, element); /* [4,3] */
    Node *turned = graph_transpose_matrix(f, graph_broadcast(f, stored, 3, LIST(2, 4, 3)));
    Node *part = graph_slice(f, turned, LIST(0, 1, 0), LIST(2, 2, 4), LIST(1, 1, 1));
    part = graph_reshape(f, part, 2, LIST(4, 4));
    part = graph_pad(f, graph_reverse(f, part, 1, LIST(0)), LIST(0, 1), LIST(1, 0), NULL, 0.5);
    Node *rows = graph_gather(f, part, integers(c, 5, DIMS(3))); /* [3,5] */
    Node *both = graph_concat(f, 2, (Node *[]){rows, rows}, 0);  /* [6,5] */
    Node *which = graph_binary_scalar(f, OP_gt, integers(c, 2, DIMS(5)), 0.0);
    both = graph_select(f, which, both, graph_scalar(f, element, 1.0));
    Node *sum = graph_reduce_all(f, OP_reduce_sum, graph_cast(f, both, TYPE_F32));
    return graph_cast(f, graph_add(f, graph_cast(f, stored, TYPE_F32), sum), TYPE_F64);
}

/* To f32 and back, which EVALUATE_F64 does not round; and from integers, which have no gradient */
static Node *sample_cast(Check *c, int variant)
{
    if (variant == 2 || variant == 3)
        return storage_moved(c, between(c, -2, 2, DIMS(4, 3)), variant == 2 ? TYPE_F16 : TYPE_BF16);
    Node *x = between(c, -2, 2, DIMS(4));
    if (variant == 0)
        return graph_cast(c->f, x, TYPE_F32);
    if (variant > 1)
        return NULL;
    Node *whole = graph_cast(c->f, integers(c, 5, DIMS(4)), TYPE_F64);
    Node *sum = graph_add(c->f, graph_cast(c->f, x, TYPE_F32), graph_cast(c->f, whole, TYPE_F32));
    return graph_cast(c->f, sum, TYPE_F64);
}

/* Operands of one shape, one of them broadcast, both, a scalar */
static bool two_operands(Check *c, int variant, double low, double high, Node *x[2])
{
    static const int64_t dims[5][2][3] = {{{2, 3, 4}, {2, 3, 4}},
                                          {{2, 3, 4}, {0, 0, 4}},
                                          {{2, 1, 4}, {0, 3, 1}},
                                          {{0}, {2, 3, 4}},
                                          {{1, 1, 1}, {2, 3, 4}}};
    if (variant > 4)
        return false;
    for (int i = 0; i < 2; i++) {
        int skip = 0;
        while (skip < 3 && dims[variant][i][skip] == 0)
            skip++;
        x[i] = between(c, low, high, 3 - skip, dims[variant][i] + skip);
    }
    return true;
}

#define BINARY(name, low, high)                                                                    \
    static Node *sample_##name(Check *c, int variant)                                              \
    {                                                                                              \
        Node *x[2];                                                                                \
        return two_operands(c, variant, low, high, x) ? graph_binary(c->f, OP_##name, x[0], x[1])  \
                                                      : NULL;                                      \
    }
BINARY(add, -2, 2)
BINARY(sub, -2, 2)
BINARY(mul, -2, 2)
BINARY(div, 0.5, 2)
BINARY(sigmoid_cross_entropy, -2, 2)

static Node *sample_pow(Check *c, int variant)
{
    Node *x[2];
    if (two_operands(c, variant, 0.5, 2, x))
        return graph_binary(c->f, OP_pow, x[0], x[1]);
    if (variant == 5) /* of negative numbers too, with a known exponent */
        return graph_binary_scalar(c->f, OP_pow, distinct(c, DIMS(6)), 3.0);
    if (variant == 6) { /* x⁰ is constant, at 0 as well */
        Node *base = distinct(c, DIMS(6));
        value_of(c)->numbers[0] = 0.0;
        return graph_binary_scalar(c->f, OP_pow, base, 0.0);
    }
    return NULL;
}

static Node *extreme(Check *c, int variant, Op op)
{
    if (variant == 0) { /* interleaved, so that neither wins everywhere and none is equal */
        Node *a = distinct(c, DIMS(3, 4)), *b = distinct(c, DIMS(3, 4));
        for (int i = 0; i < 12; i++)
            value_of(c)->numbers[i] += 0.03;
        return graph_binary(c->f, op, a, b);
    }
    return variant == 1 ? graph_binary_scalar(c->f, op, distinct(c, DIMS(3, 4)), 0.0) : NULL;
}

static Node *sample_max(Check *c, int variant)
{
    return extreme(c, variant, OP_max);
}

static Node *sample_min(Check *c, int variant)
{
    return extreme(c, variant, OP_min);
}

static Node *sample_select(Check *c, int variant)
{
    Node *x[2];
    if (!two_operands(c, variant, -2, 2, x))
        return NULL;
    Node *condition = graph_binary_scalar(c->f, OP_gt, integers(c, 2, DIMS(3, 4)), 0.0);
    return graph_select(c->f, condition, x[0], x[1]);
}

/* Samples: reductions and composites */

static Node *reduction(Check *c, int variant, Op op)
{
    Node *x = distinct(c, DIMS(3, 2, 4));
    switch (variant) {
    case 0:
        return graph_reduce(c->f, op, x, 1, LIST(1), false);
    case 1:
        return graph_reduce(c->f, op, x, 2, LIST(0, 2), true);
    case 2:
        return graph_reduce(c->f, op, x, 2, LIST(0, 2), false);
    case 3:
        return graph_reduce_all(c->f, op, x);
    default:
        return NULL;
    }
}

static Node *sample_reduce_sum(Check *c, int variant)
{
    return reduction(c, variant, OP_reduce_sum);
}

static Node *sample_reduce_max(Check *c, int variant)
{
    return reduction(c, variant, OP_reduce_max);
}

static Node *sample_reduce_min(Check *c, int variant)
{
    return reduction(c, variant, OP_reduce_min);
}

/* Of distinct numbers, none, one and two of which are nought */
static Node *sample_reduce_product(Check *c, int variant)
{
    if (variant > 5)
        return NULL;
    Node *y = reduction(c, variant % 4, OP_reduce_product);
    if (variant > 3)
        value_of(c)->numbers[3] = value_of(c)->numbers[variant] = 0;
    return y;
}

static Node *sample_cumulative(Check *c, int variant)
{
    if (variant > 11)
        return NULL;
    Node *x = distinct(c, DIMS(2, 4, 3));
    if (variant > 7)
        value_of(c)->numbers[4] = value_of(c)->numbers[10] = 0;
    return graph_cumulative(c->f, x, variant > 7 ? 1 : variant % 3,
                            variant & 4 ? MODE_ADD : MODE_MUL, (variant & 1) != 0,
                            (variant & 2) != 0);
}

static Node *softmax(Check *c, int variant, Op op)
{
    return variant > 2 ? NULL : graph_softmax(c->f, op, between(c, -3, 3, DIMS(2, 3, 4)), variant);
}

static Node *sample_softmax(Check *c, int variant)
{
    return softmax(c, variant, OP_softmax);
}

static Node *sample_log_softmax(Check *c, int variant)
{
    return softmax(c, variant, OP_log_softmax);
}

/* Over none, one and several axes, and over numbers that are nearly all the same */
static Node *sample_normalize(Check *c, int variant)
{
    static const int64_t axes[] = {0, 2};
    if (variant < 3)
        return graph_normalize(c->f, between(c, -3, 3, DIMS(2, 3, 4)), variant, axes, 0.1);
    return variant == 3 ? graph_normalize(c->f, between(c, 5, 5.1, DIMS(7, 2)), 1, axes, 0.1)
                        : NULL;
}

static Node *sample_softmax_cross_entropy(Check *c, int variant)
{
    Node *logits = variant == 0   ? between(c, -3, 3, DIMS(4, 5))
                   : variant == 1 ? between(c, -3, 3, DIMS(2, 3, 5))
                                  : between(c, -3, 3, DIMS(5));
    if (variant > 2)
        return NULL;
    Node *labels = integers(c, 5, logits->type.rank - 1, logits->type.dims);
    return graph_binary(c->f, OP_softmax_cross_entropy, logits, labels);
}

/* Samples: contractions */

static Node *sample_matmul(Check *c, int variant)
{
    static const struct {
        int rank[2];
        int64_t dims[2][4];
    } cases[] = {
        {{2, 2}, {{3, 4}, {4, 5}}},          {{3, 3}, {{2, 3, 4}, {2, 4, 5}}},
        {{3, 2}, {{2, 3, 4}, {4, 5}}},       {{2, 3}, {{3, 4}, {2, 4, 5}}},
        {{4, 3}, {{2, 1, 3, 4}, {2, 4, 1}}}, {{2, 2}, {{1, 4}, {4, 1}}},
    };
    if (variant >= (int)(sizeof cases / sizeof cases[0]))
        return NULL;
    Node *a = between(c, -2, 2, cases[variant].rank[0], cases[variant].dims[0]);
    return graph_matmul(c->f, a, between(c, -2, 2, cases[variant].rank[1], cases[variant].dims[1]));
}

/* A convolution's shapes; the first number of `size` belongs to the last spatial axis, and so on */
typedef struct Convolution {
    Spatial s;
    TensorType x, w, y;
} Convolution;

static int64_t positions(const Spatial *s, int axis, int64_t length, int64_t size)
{
    int64_t extent = (size - 1) * s->dilation[axis] + 1;
    return (length + s->pad[2 * axis] + s->pad[2 * axis + 1] - extent) / s->stride[axis] + 1;
}

static bool convolution(int variant, Convolution *v)
{
    static const struct {
        Spatial s;
        int64_t batch, in, out, length[3];
    } cases[] = {
        {{1, {3}, {1}, {1}, {0, 0}, 1}, 2, 2, 3, {6}},
        {{1, {2}, {2}, {3}, {2, 1}, 1}, 1, 1, 2, {7}},
        {{2, {3, 2}, {1, 1}, {1, 1}, {1, 1, 0, 1}, 1}, 2, 2, 3, {4, 5}},
        {{2, {3, 3}, {2, 3}, {1, 1}, {0, 1, 2, 0}, 1}, 1, 2, 2, {6, 7}}, /* rows left over */
        {{2, {2, 3}, {1, 2}, {2, 2}, {1, 0, 2, 2}, 1}, 1, 2, 1, {5, 6}},
        {{2, {2, 2}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 2}, 1, 4, 6, {3, 3}},
        {{2, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 3}, 2, 3, 3, {5, 4}}, /* depthwise */
        {{2, {1, 1}, {2, 1}, {1, 1}, {0, 0, 0, 0}, 1}, 1, 3, 2, {4, 2}},
        {{3, {2, 1, 2}, {1, 2, 1}, {1, 1, 2}, {1, 0, 0, 0, 1, 1}, 1}, 1, 2, 2, {3, 3, 4}},
    };
    if (variant >= (int)(sizeof cases / sizeof cases[0]))
        return false;
    Spatial s = cases[variant].s;
    int rank = s.rank + 2;
    v->s = s;
    v->x = v->w = v->y = (TensorType){.element = TYPE_F64, .rank = rank};
    v->x.dims[0] = v->y.dims[0] = cases[variant].batch;
    for (int i = 0; i < s.rank; i++) {
        v->x.dims[i + 1] = cases[variant].length[i];
        v->w.dims[i] = s.size[i];
        v->y.dims[i + 1] = positions(&s, i, cases[variant].length[i], s.size[i]);
    }
    v->x.dims[rank - 1] = cases[variant].in;
    v->y.dims[rank - 1] = v->w.dims[rank - 1] = cases[variant].out;
    v->w.dims[rank - 2] = cases[variant].in / s.groups;
    return true;
}

static Node *tensor(Check *c, const TensorType *type)
{
    return between(c, -2, 2, type->rank, type->dims);
}

static Node *sample_conv(Check *c, int variant)
{
    Convolution v;
    if (!convolution(variant, &v))
        return NULL;
    Node *x = tensor(c, &v.x);
    return graph_conv(c->f, x, tensor(c, &v.w), &v.s);
}

static Node *sample_conv_transpose(Check *c, int variant)
{
    Convolution v;
    if (!convolution(variant, &v))
        return NULL;
    Node *y = tensor(c, &v.y);
    return graph_conv_transpose(c->f, y, tensor(c, &v.w), &v.s, &v.x);
}

static Node *sample_conv_filter(Check *c, int variant)
{
    Convolution v;
    if (!convolution(variant, &v))
        return NULL;
    Node *x = tensor(c, &v.x);
    return graph_conv_filter(c->f, x, tensor(c, &v.y), &v.s, &v.w);
}

/* Samples: windows */

typedef struct Windows {
    Spatial s;
    TensorType x, y;
} Windows;

static bool windows(int variant, Windows *v)
{
    static const struct {
        Spatial s;
        int64_t length[3];
    } cases[] = {
        {{1, {2}, {2}, {1}, {0, 0}, 1}, {6}},
        {{1, {3}, {1}, {2}, {2, 1}, 1}, {7}},
        {{2, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, 1}, {4, 5}}, /* a column left over */
        {{2, {3, 2}, {2, 1}, {1, 1}, {1, 1, 1, 0}, 1}, {5, 4}}, /* overlapping */
        {{2, {2, 3}, {3, 2}, {2, 1}, {0, 1, 1, 1}, 1}, {6, 5}},
        {{3, {2, 2, 1}, {1, 2, 2}, {1, 1, 1}, {1, 0, 0, 0, 0, 0}, 1}, {3, 4, 3}},
    };
    if (variant >= (int)(sizeof cases / sizeof cases[0]))
        return false;
    v->s = cases[variant].s;
    int rank = v->s.rank + 2;
    v->x = v->y = (TensorType){.element = TYPE_F64, .rank = rank};
    v->x.dims[0] = v->y.dims[0] = v->x.dims[rank - 1] = v->y.dims[rank - 1] = 2;
    for (int i = 0; i < v->s.rank; i++) {
        v->x.dims[i + 1] = cases[variant].length[i];
        v->y.dims[i + 1] = positions(&v->s, i, cases[variant].length[i], v->s.size[i]);
    }
    return true;
}

static Node *sample_window_max(Check *c, int variant)
{
    Windows v;
    if (!windows(variant, &v))
        return NULL;
    return graph_window(c->f, OP_window_max, distinct(c, v.x.rank, v.x.dims), &v.s);
}

static Node *sample_window_sum(Check *c, int variant)
{
    Windows v;
    return windows(variant, &v) ? graph_window(c->f, OP_window_sum, tensor(c, &v.x), &v.s) : NULL;
}

/* `windows` of tensors other than the one they are taken from: attributes of one node for another.
 */
static Node *with_taps(Check *c, Op op, const Windows *v, Node *x, bool dims)
{
    Node *taps = graph_window(c->f, OP_window_argmax, weights(c, v->x), &v->s);
    Attr attr = taps->attr;
    if (dims)
        attr.lists[4] = int_list(c->f->program, v->x.rank, v->x.dims);
    return graph_node(c->f, op, op == OP_window_spread ? 1 : 2, (Node *[]){x, taps}, &attr);
}

static Node *sample_window_pick(Check *c, int variant)
{
    Windows v;
    return windows(variant, &v) ? with_taps(c, OP_window_pick, &v, tensor(c, &v.x), false) : NULL;
}

static Node *sample_window_scatter(Check *c, int variant)
{
    Windows v;
    return windows(variant, &v) ? with_taps(c, OP_window_scatter, &v, tensor(c, &v.y), true) : NULL;
}

static Node *sample_window_spread(Check *c, int variant)
{
    Windows v;
    return windows(variant, &v) ? with_taps(c, OP_window_spread, &v, tensor(c, &v.y), true) : NULL;
}

/* Samples: data movement */

static Node *sample_reshape(Check *c, int variant)
{
    return variant ? NULL : graph_reshape(c->f, between(c, -2, 2, DIMS(2, 6)), DIMS(3, 1, 4));
}

static Node *sample_transpose(Check *c, int variant)
{
    return variant ? NULL : graph_transpose(c->f, between(c, -2, 2, DIMS(2, 3, 4)), LIST(2, 0, 1));
}

static Node *sample_broadcast(Check *c, int variant)
{
    if (variant == 0)
        return graph_broadcast(c->f, between(c, -2, 2, DIMS(3, 1)), DIMS(2, 3, 4));
    return variant == 1 ? graph_broadcast(c->f, between(c, -2, 2, 0, NULL), DIMS(2, 3)) : NULL;
}

static Node *sample_slice(Check *c, int variant)
{
    Node *x = between(c, -2, 2, DIMS(5, 7));
    if (variant == 0)
        return graph_slice(c->f, x, LIST(1, 0), LIST(2, 3), LIST(2, 3));
    return variant == 1 ? graph_slice(c->f, x, LIST(4, 2), LIST(1, 3), LIST(1, 1)) : NULL;
}

static Node *sample_pad(Check *c, int variant)
{
    Node *x = between(c, -2, 2, DIMS(2, 3));
    if (variant == 0)
        return graph_pad(c->f, x, LIST(1, 0), LIST(0, 2), NULL, 0.0);
    return variant == 1 ? graph_pad(c->f, x, LIST(2, 1), LIST(1, 0), LIST(0, 2), -1.5) : NULL;
}

static Node *sample_reverse(Check *c, int variant)
{
    Attr attr = {.lists = {int_list(c->f->program, 2, LIST(0, 2))}};
    Node *x = between(c, -2, 2, DIMS(2, 3, 4));
    return variant ? NULL : graph_node(c->f, OP_reverse, 1, &x, &attr);
}

static Node *sample_concat(Check *c, int variant)
{
    Node *a = between(c, -2, 2, DIMS(2, 3)), *b = between(c, -2, 2, DIMS(2, 1));
    return variant ? NULL : graph_concat(c->f, 3, (Node *[]){a, b, a}, 1);
}

static Node *sample_gather(Check *c, int variant)
{
    if (variant == 0)
        return graph_gather(c->f, between(c, -2, 2, DIMS(5, 3)), integers(c, 5, DIMS(2, 4)));
    if (variant == 1) /* rows outside the table are clamped */
        return graph_gather(c->f, between(c, -2, 2, DIMS(3)), integers(c, 6, DIMS(7)));
    return NULL;
}

static Node *sample_scatter_add(Check *c, int variant)
{
    Attr attr = {.lists = {int_list(c->f->program, 2, LIST(5, 3))}};
    Node *updates = between(c, -2, 2, DIMS(2, 4, 3));
    Node *in[2] = {updates, integers(c, variant ? 7 : 5, DIMS(2, 4))};
    return variant > 1 ? NULL : graph_node(c->f, OP_scatter_add, 2, in, &attr);
}

/* Rows met once, twice and not at all, some outside */
static Node *sample_scatter(Check *c, int variant)
{
    if (variant > 5)
        return NULL;
    Mode mode = variant % 2 ? MODE_ADD : MODE_SET;
    if (variant > 3) { /* no axes behind the rows, and no rows' axes */
        Node *base = between(c, -2, 2, DIMS(5));
        Node *update = between(c, -2, 2, 0, NULL);
        return graph_scatter(c->f, base, update, integers(c, 5, 0, NULL), mode);
    }
    Node *base = between(c, -2, 2, DIMS(5, 3)), *updates = between(c, -2, 2, DIMS(2, 3, 3));
    return graph_scatter(c->f, base, updates, integers(c, variant > 1 ? 7 : 5, DIMS(2, 3)), mode);
}

// clang-format off
/* Samples: scans, of every float input of a text */

static Node *sample_scan(Check *c, int variant)
{
    const Function *text = scan_sample(c->arena, variant);
    if (!text)
        return NULL;
    Node **copies = ARENA_ARRAY(c->arena, Node *, text->node_count);
    for (int i = 0; i < text->input_count; i++) {
        const TensorType *type = &text->inputs[i]->type;
        copies[text->inputs[i]->id] = between(c, -1, 1, type->rank, type->dims);
    }
    function_copy_nodes(c->f, text, copies);
    return copies[text->results[0].node->id];
}

static Node *sample_result(Check *c, int variant)
{
    return variant ? NULL : sample_scan(c, 1);
}

static Sample *const samples[OP_COUNT] = {
#define SAMPLE(name) [OP_##name] = sample_##name
    SAMPLE(neg), SAMPLE(abs), SAMPLE(exp), SAMPLE(expm1), SAMPLE(log), SAMPLE(log1p), SAMPLE(sqrt), SAMPLE(rsqrt),
    SAMPLE(tanh), SAMPLE(sigmoid), SAMPLE(erf), SAMPLE(sin), SAMPLE(cos), SAMPLE(atan), SAMPLE(cast),
    SAMPLE(add), SAMPLE(sub), SAMPLE(mul), SAMPLE(div), SAMPLE(pow), SAMPLE(max), SAMPLE(min), SAMPLE(select),
    SAMPLE(reduce_sum), SAMPLE(reduce_max), SAMPLE(reduce_min), SAMPLE(reduce_product), SAMPLE(cumulative),
    SAMPLE(matmul), SAMPLE(conv), SAMPLE(conv_transpose), SAMPLE(conv_filter),
    SAMPLE(window_max), SAMPLE(window_sum), SAMPLE(window_pick), SAMPLE(window_scatter), SAMPLE(window_spread),
    SAMPLE(reshape), SAMPLE(transpose), SAMPLE(broadcast), SAMPLE(slice), SAMPLE(reverse), SAMPLE(pad),
    SAMPLE(concat), SAMPLE(gather), SAMPLE(scatter_add), SAMPLE(scatter), SAMPLE(scan), SAMPLE(result),
    SAMPLE(softmax), SAMPLE(log_softmax), SAMPLE(normalize), SAMPLE(softmax_cross_entropy), SAMPLE(sigmoid_cross_entropy),
#undef SAMPLE
};
// clang-format on

/* The check */

static Check check_create(Arena *arena, Op op, int variant)
{
    Diag *diag = diag_create(arena);
    Program *program = program_create(arena, diag, "check");
    return (Check){.arena = arena,
                   .f = program_add_function(program, "f"),
                   .random = (uint64_t)op * 977 + (uint64_t)variant};
}

/* Σ y·r with random r */
static Node *project(Check *c, Node *y)
{
    Node *x = graph_cast(c->f, y, TYPE_F64);
    return graph_reduce_all(c->f, OP_reduce_sum, graph_mul(c->f, x, weights(c, x->type)));
}

/* Values of the function's results at the inputs as they are */
static void evaluate(Check *c, Value *results)
{
    graph_evaluate(c->arena, EVALUATE_F64, c->f, c->inputs, NULL, results);
}

static double loss_at(Check *c)
{
    Value results[1 + WRT_LIMIT];
    evaluate(c, results);
    return results[0].numbers[0];
}

static double difference_quotient(Check *c, double *x)
{
    double here = *x, h = 1e-5;
    *x = here + h;
    double above = loss_at(c);
    *x = here - h;
    double below = loss_at(c);
    *x = here;
    return (above - below) / (2 * h);
}

static void compare(Check *c, const char *what, int variant, int which, const Value *gradient)
{
    Value *x = &c->inputs[c->wrt_input[which]];
    for (int64_t i = 0; i < type_elements(&x->type); i++) {
        double expected = difference_quotient(c, &x->numbers[i]);
        double found = gradient ? gradient->numbers[i] : 0.0;
        cr_expect(
            fabs(found - expected) <= 2e-6 * (1 + fabs(expected)),
            "%s, variant %d: gradient of operand %d, element %d is %.9g, differences say %.9g",
            what, variant, which, (int)i, found, expected);
    }
}

/* Makes `loss` result 0 and its gradients the others, and compares them with differences. Returns Σ
 * of the gradients by random weights, NULL when there are none. */
static Node *check_loss(Check *c, const char *what, int variant, Node *loss)
{
    Node *gradients[WRT_LIMIT], *next = NULL;
    Value results[1 + WRT_LIMIT];
    int slots[WRT_LIMIT], count = 1;
    cr_assert(gradient_build_nodes(c->f, loss, c->wrt_count, c->wrt, gradients), "%s: %s", what,
              c->f->program->diag->messages[0]);
    c->f->result_count = 0;
    function_add_result(c->f, "loss", loss);
    for (int i = 0; i < c->wrt_count; i++) {
        slots[i] = gradients[i] ? count++ : 0;
        if (!gradients[i])
            continue;
        cr_assert(type_equal(&gradients[i]->type, &c->wrt[i]->type), "%s: gradient of another type",
                  what);
        function_add_result(c->f, NULL, gradients[i]);
        Node *part = project(c, gradients[i]);
        next = next ? graph_add(c->f, next, part) : part;
    }
    evaluate(c, results);
    for (int i = 0; i < c->wrt_count; i++)
        compare(c, what, variant, i, slots[i] ? &results[slots[i]] : NULL);
    return next;
}

static void check_variant(Op op, int variant, bool *more)
{
    Arena *arena = arena_create();
    Check c = check_create(arena, op, variant);
    Node *y = samples[op](&c, variant);
    *more = y != NULL;
    if (y) {
        bool is_tuple = op == OP_scan; /* of which nobody asks but `result` */
        cr_expect(y->op == op || is_tuple, "the sample of %s is %s", op_name(op), op_name(y->op));
        cr_assert(c.f->program->diag->error_count == 0);
        const char *again = arena_print(arena, "%s, second derivative", op_name(op));
        Node *second = check_loss(&c, op_name(op), variant, project(&c, y));
        if (second)
            check_loss(&c, again, variant, second);
    } else {
        cr_assert(c.f->program->diag->error_count == 0, "%s, variant %d: %s", op_name(op), variant,
                  c.f->program->diag->messages[0]);
    }
    arena_destroy(arena);
}

static const char *const rules[OP_COUNT] = {
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate) #gradient,
#include "ir/ops.def"
#undef OP
};

Test(gradient_check, every_row_of_the_table)
{
    for (int op = 0; op < OP_COUNT; op++) {
        bool has_rule = strcmp(rules[op], "zero") != 0 && strcmp(rules[op], "none") != 0;
        cr_expect(has_rule == (samples[op] != NULL), "%s has %s", op_name((Op)op),
                  has_rule ? "a gradient, but no sample here" : "a sample, but no gradient");
        bool more = samples[op] != NULL;
        for (int variant = 0; more; variant++)
            check_variant((Op)op, variant, &more);
    }
}

/* A weight behind a normalisation is taken out of its sums where it is the same along the axes; as
 * a batch norm has it (axes 0 and 1), and a layer norm (axis 2), where it is not. */
Test(gradient_check, weights_behind_a_normalisation)
{
    static const int64_t axes[] = {0, 1, 2};
    for (int variant = 0; variant < 4; variant++) {
        Arena *arena = arena_create();
        Check c = check_create(arena, OP_normalize, variant);
        Node *x = between(&c, -3, 3, DIMS(2, 3, 4)), *w = between(&c, -2, 2, DIMS(4));
        Node *y = variant < 2 ? graph_normalize(c.f, x, 2, axes, 0.1)
                              : graph_normalize(c.f, x, 1, axes + 2, 0.1);
        Node *weighted = variant % 2 ? graph_mul(c.f, w, y) : graph_mul(c.f, y, w);
        Node *second = check_loss(&c, "weighted", variant, project(&c, weighted));
        check_loss(&c, "weighted, second derivative", variant, second);
        arena_destroy(arena);
    }
}
