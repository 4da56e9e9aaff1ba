/* Interpolation at points that are computed; see sample.h.
 *
 *     row of the table    ((picture · height + y) · width + x) · parts + part
 *     linear              y ∈ ⌊cy⌋, ⌊cy⌋+1 and x likewise: four rows, four weights
 *
 * Rows are brought inside of the image before they become integers; what a point outside stands
 * for is decided for each of its neighbours. */
#include "frontend/onnx/sample.h"

#include <math.h>

enum { NEIGHBOUR_LIMIT = 4 };

typedef struct Neighbour { /* along one axis */
    Node *place;           /* i32, inside of the image */
    Node *weight;          /* NULL: 1 */
    Node *inside;          /* bool; NULL: always */
} Neighbour;

bool onnx_image(OnnxOp *op, Node *x, int64_t parts, Image *image)
{
    *image = (Image){.rank = x->type.rank - 2, .parts = parts};
    int64_t pixels = x->type.dims[0], channels = x->type.dims[x->type.rank - 1];
    if (image->rank < 1 || image->rank > 3)
        return onnx_error(op, "has images of %d axes; 1 to 3 are supported", image->rank);
    if (parts < 1 || channels % parts != 0)
        return onnx_error(op, "makes %lld groups of %lld channels", (long long)parts,
                          (long long)channels);
    for (int i = 0; i < image->rank; i++) {
        image->length[i] = x->type.dims[i + 1];
        pixels *= image->length[i];
    }
    if (pixels < 1 || pixels > INT32_MAX / parts)
        return onnx_error(op, "its images have %lld elements", (long long)pixels);
    image->table = graph_reshape(op->f, x, 2, (int64_t[]){pixels * parts, channels / parts});
    return image->table != NULL;
}

/* ---- one axis ---- */

static Node *scaled(OnnxOp *op, Node *x, double factor, double summand)
{
    x = graph_binary_scalar(op->f, OP_mul, x, factor);
    return graph_binary_scalar(op->f, OP_add, x, summand);
}

static Node *clamped(OnnxOp *op, Node *x, double least, double most)
{
    x = graph_binary_scalar(op->f, OP_max, x, least);
    return graph_binary_scalar(op->f, OP_min, x, most);
}

/* Back and forth between two ends: a triangle. */
static Node *reflected(OnnxOp *op, Node *x, double low, double high)
{
    double range = high - low;
    if (range <= 0)
        return graph_binary_scalar(op->f, OP_mul, x, 0);
    Node *turns = scaled(op, x, 1 / range, -low / range);
    Node *pairs = graph_unary(op->f, OP_floor, graph_binary_scalar(op->f, OP_mul, turns, 0.5));
    turns = graph_sub(op->f, turns, graph_binary_scalar(op->f, OP_mul, pairs, 2));
    Node *back = graph_unary(op->f, OP_abs, graph_binary_scalar(op->f, OP_sub, turns, 1));
    Node *inside = scaled(op, back, -range, range + low);
    Node *out = graph_binary(op->f, OP_or, graph_binary_scalar(op->f, OP_lt, x, low),
                             graph_binary_scalar(op->f, OP_gt, x, high));
    return graph_select(op->f, out, inside, x);
}

static Node *reflect(OnnxOp *op, const Image *image, int axis, Node *x)
{
    double last = (double)(image->length[axis] - 1);
    if (image->outside == OUTSIDE_REFLECT)
        return reflected(op, x, 0, last);
    return image->outside == OUTSIDE_REFLECT_EDGES ? reflected(op, x, -0.5, last + 0.5) : x;
}

/* A whole number as a place. */
static void put_place(OnnxOp *op, const Image *image, int axis, Node *at, Neighbour *neighbour)
{
    double last = (double)(image->length[axis] - 1);
    if (image->outside == OUTSIDE_ZERO)
        neighbour->inside = graph_binary(op->f, OP_and, graph_binary_scalar(op->f, OP_ge, at, 0),
                                         graph_binary_scalar(op->f, OP_le, at, last));
    at = reflect(op, image, axis, at);
    if (image->outside == OUTSIDE_REFLECT || image->outside == OUTSIDE_REFLECT_EDGES)
        at = graph_unary(op->f, OP_round, at);
    neighbour->place = graph_cast(op->f, clamped(op, at, 0, last), TYPE_I32);
}

/* Keys' filter with a = -3/4, `x` behind the first or before the last of the inner two:
 * ((a+2)·x - (a+3))·x² + 1 */
static Node *cubic_inner(OnnxOp *op, Node *x)
{
    const double a = -0.75;
    Node *y = graph_mul(op->f, scaled(op, x, a + 2, -(a + 3)), graph_mul(op->f, x, x));
    return graph_binary_scalar(op->f, OP_add, y, 1);
}

/* The outer two, 1 … 2 away: ((a·x - 5a)·x + 8a)·x - 4a */
static Node *cubic_outer(OnnxOp *op, Node *x)
{
    const double a = -0.75;
    Node *y = graph_mul(op->f, scaled(op, x, a, -5 * a), x);
    y = graph_mul(op->f, graph_binary_scalar(op->f, OP_add, y, 8 * a), x);
    return graph_binary_scalar(op->f, OP_add, y, -4 * a);
}

static int neighbours_of(OnnxOp *op, const Image *image, int axis, Node *at, Neighbour *list)
{
    if (image->interpolation == SAMPLE_NEAREST) {
        put_place(op, image, axis, graph_unary(op->f, OP_round, at), &list[0]);
        return 1;
    }
    bool cubic = image->interpolation == SAMPLE_CUBIC;
    double last = (double)(image->length[axis] - 1);
    if (!cubic && image->outside == OUTSIDE_BORDER)
        at = clamped(op, at, 0, last);
    else if (!cubic)
        at = reflect(op, image, axis, at);
    Node *first = graph_unary(op->f, OP_floor, at), *behind = graph_sub(op->f, at, first);
    Node *before = scaled(op, behind, -1, 1);
    int count = cubic ? 4 : 2;
    for (int i = 0; i < count; i++)
        put_place(op, image, axis, graph_binary_scalar(op->f, OP_add, first, cubic ? i - 1 : i),
                  &list[i]);
    list[0].weight =
        cubic ? cubic_outer(op, graph_binary_scalar(op->f, OP_add, behind, 1)) : before;
    list[1].weight = cubic ? cubic_inner(op, behind) : behind;
    if (cubic) {
        list[2].weight = cubic_inner(op, before);
        list[3].weight = cubic_outer(op, graph_binary_scalar(op->f, OP_add, before, 1));
    }
    return count;
}

/* ---- all axes ---- */

static Node *joined(OnnxOp *op, Op how, Node *a, Node *b)
{
    return !a ? b : !b ? a : graph_binary(op->f, how, a, b);
}

/* With the channels as one axis more */
static Node *column(OnnxOp *op, Node *x)
{
    int64_t dims[RANK_LIMIT];
    if (!x)
        return NULL;
    if (x->type.rank >= RANK_LIMIT)
        return onnx_error(op, "its points have too many axes");
    for (int i = 0; i < x->type.rank; i++)
        dims[i] = x->type.dims[i];
    dims[x->type.rank] = 1;
    return graph_reshape(op->f, x, x->type.rank + 1, dims);
}

static Node *row_number(OnnxOp *op, const Image *image, Node *picture, Node *part,
                        const Neighbour *const *chosen)
{
    Node *row = picture;
    for (int i = 0; i < image->rank; i++) {
        if (row)
            row = graph_binary_scalar(op->f, OP_mul, row, (double)image->length[i]);
        row = joined(op, OP_add, row, chosen[i]->place);
    }
    if (image->parts > 1)
        row = graph_binary_scalar(op->f, OP_mul, row, (double)image->parts);
    return joined(op, OP_add, row, part);
}

/* One neighbour along each axis: what it adds. */
static Node *term_of(OnnxOp *op, const Image *image, Node *picture, Node *part,
                     const Neighbour *const *chosen)
{
    Node *weight = NULL, *inside = NULL;
    for (int i = 0; i < image->rank; i++) {
        weight = joined(op, OP_mul, weight, chosen[i]->weight);
        inside = joined(op, OP_and, inside, chosen[i]->inside);
    }
    Node *term = graph_gather(op->f, image->table, row_number(op, image, picture, part, chosen));
    if (weight)
        term = graph_mul(op->f, term, column(op, weight));
    if (!inside)
        return term;
    return graph_select(op->f, column(op, inside), term,
                        onnx_scalar(op, image->table->type.element, 0));
}

Node *onnx_sample(OnnxOp *op, const Image *image, Node *const *at, Node *picture, Node *part)
{
    Neighbour lists[3][NEIGHBOUR_LIMIT] = {0};
    int count[3] = {1, 1, 1};
    for (int i = 0; i < image->rank; i++) {
        if (!at[i])
            return NULL;
        count[i] = neighbours_of(op, image, i, at[i], lists[i]);
    }
    Node *all = NULL;
    for (int i = 0; i < count[0]; i++)
        for (int j = 0; j < count[1]; j++)
            for (int k = 0; k < count[2]; k++) {
                const Neighbour *chosen[] = {&lists[0][i], &lists[1][j], &lists[2][k]};
                all = joined(op, image->largest ? OP_max : OP_add, all,
                             term_of(op, image, picture, part, chosen));
            }
    return all;
}
