/* The generator's steps that know about shapes: contractions, windows, reductions, data movement,
 * and the composites over an axis. */
#include <math.h>

#include "tests/support/random_parts.h"

/* Floats mostly; integers for what takes both. */
static Item *pick_number(Maker *m, int rank, bool exact)
{
    return chance(m, 80) ? pick_item(m, TYPE_F32, rank, exact) : pick_integer(m, rank, exact);
}

static bool is_integer(const Item *item)
{
    return element_is_integer(item->node->type.element);
}

/* [..,m,k]·[..,k,n]: the other operand has all outer axes, some of them, or none */
void step_matmul(Maker *m)
{
    Item *x = pick_number(m, 2, false);
    if (!x)
        return;
    const TensorType *type = &x->node->type;
    TensorType other = *type;
    int dropped = (int)pick(m, 0, type->rank - 2);
    other.rank -= dropped;
    for (int i = 0; i < other.rank - 2; i++)
        other.dims[i] = chance(m, 30) ? 1 : type->dims[i + dropped];
    bool left = chance(m, 70); /* x is the left operand */
    int64_t summed = type->dims[type->rank - (left ? 1 : 2)], length = pick_length(m);
    other.dims[other.rank - 2] = left ? summed : length;
    other.dims[other.rank - 1] = left ? length : summed;
    if (type_elements(&other) > SMALL)
        return;
    Node *y = new_input(m, other.element, other.rank, other.dims);
    enter(m, left ? graph_matmul(m->f, x->node, y) : graph_matmul(m->f, y, x->node),
          (double)summed * x->bound * INPUT_BOUND, is_integer(x));
}

/* Strides, dilations and paddings that leave at least one position over `type`. */
static bool pick_spatial(Maker *m, const TensorType *type, Spatial *spatial)
{
    *spatial = (Spatial){.rank = type->rank - 2, .groups = 1};
    if (spatial->rank < 1 || spatial->rank > 3)
        return false;
    for (int i = 0; i < spatial->rank; i++) {
        spatial->size[i] = pick(m, 1, 4);
        spatial->stride[i] = chance(m, 60) ? 1 : pick(m, 2, 3);
        spatial->dilation[i] = chance(m, 75) ? 1 : 2;
        int64_t extent = (spatial->size[i] - 1) * spatial->dilation[i] + 1;
        spatial->pad[2 * i] = chance(m, 50) ? 0 : pick(m, 0, extent - 1);
        spatial->pad[2 * i + 1] = chance(m, 50) ? 0 : pick(m, 0, extent - 1);
        if (extent > type->dims[i + 1] + spatial->pad[2 * i] + spatial->pad[2 * i + 1])
            return false;
    }
    return true;
}

static int64_t taps(const Spatial *spatial)
{
    int64_t count = 1;
    for (int i = 0; i < spatial->rank; i++)
        count *= spatial->size[i];
    return count;
}

/* An image with few enough channels, and weights that fit it. */
static Item *pick_image(Maker *m, Spatial *spatial)
{
    Item *x = pick_number(m, 3, false);
    if (!x || !pick_spatial(m, &x->node->type, spatial))
        return NULL;
    return x;
}

static TensorType pick_weights(Maker *m, const TensorType *x, Spatial *spatial)
{
    static const int64_t groups[] = {1, 1, 1, 2, 3};
    int64_t channels = x->dims[x->rank - 1], out = pick(m, 1, 9);
    TensorType type = *x;
    for (int i = 0; i < spatial->rank; i++)
        type.dims[i] = spatial->size[i];
    int64_t wanted = chance(m, 15) ? channels : groups[pick(m, 0, 4)];
    if (channels % wanted == 0)
        spatial->groups = wanted;
    if (out % spatial->groups != 0)
        out = spatial->groups * (1 + out % 2);
    type.dims[type.rank - 2] = channels / spatial->groups;
    type.dims[type.rank - 1] = out;
    return type;
}

void step_conv(Maker *m)
{
    Spatial spatial;
    Item *x = pick_image(m, &spatial);
    if (!x)
        return;
    TensorType type = pick_weights(m, &x->node->type, &spatial);
    if (type_elements(&type) > SMALL)
        return;
    Node *w = new_input(m, type.element, type.rank, type.dims);
    double terms = (double)(taps(&spatial) * type.dims[type.rank - 2]);
    enter(m, graph_conv(m->f, x->node, w, &spatial), terms * x->bound * INPUT_BOUND, is_integer(x));
}

/* Both adjoints, of a convolution that is made for its shape. */
void step_conv_back(Maker *m)
{
    Spatial spatial;
    Item *x = pick_image(m, &spatial);
    if (!x)
        return;
    TensorType type = pick_weights(m, &x->node->type, &spatial);
    if (type_elements(&type) > SMALL)
        return;
    Node *w = new_input(m, type.element, type.rank, type.dims);
    Node *y = graph_conv(m->f, x->node, w, &spatial);
    if (type_elements(&y->type) > SMALL)
        return;
    Node *dy = new_input(m, y->type.element, y->type.rank, y->type.dims);
    double terms = (double)(taps(&spatial) * type.dims[type.rank - 1]);
    enter(m, graph_conv_transpose(m->f, dy, w, &spatial, &x->node->type),
          terms * INPUT_BOUND * INPUT_BOUND, is_integer(x));
    terms = (double)(type_elements(&y->type) / y->type.dims[y->type.rank - 1]);
    enter(m, graph_conv_filter(m->f, x->node, dy, &spatial, &type), terms * x->bound * INPUT_BOUND,
          is_integer(x));
}

/* A convolution or window of what has its channels behind the batch, and back. */
void step_channels_first(Maker *m)
{
    Spatial spatial;
    Item *x = pick_item(m, TYPE_F32, 3, false);
    if (!x || x->node->type.rank > 5)
        return;
    int rank = x->node->type.rank;
    int64_t last[RANK_LIMIT] = {0}, first[RANK_LIMIT] = {0, rank - 1};
    last[rank - 1] = 1;
    for (int i = 1; i + 1 < rank; i++) {
        last[i] = i + 1;
        first[i + 1] = i;
    }
    Node *image = graph_transpose(m->f, x->node, last), *y = NULL;
    if (!pick_spatial(m, &image->type, &spatial))
        return;
    TensorType type = pick_weights(m, &image->type, &spatial);
    double bound = x->bound * (double)(taps(&spatial) * type.dims[type.rank - 2]) * INPUT_BOUND;
    if (chance(m, 30))
        y = graph_window(m->f, OP_window_sum, image, &spatial);
    else if (type_elements(&type) <= SMALL)
        y = graph_conv(m->f, image, new_input(m, TYPE_F32, type.rank, type.dims), &spatial);
    if (y)
        enter(m, graph_transpose(m->f, y, first), bound, false);
}

/* A window without a tap, whose maximum is infinite, there cannot be then. */
static bool is_dense(const Spatial *spatial)
{
    for (int i = 0; i < spatial->rank; i++)
        if (spatial->dilation[i] > 1)
            return false;
    return true;
}

void step_window(Maker *m)
{
    Spatial spatial;
    Item *x = pick_image(m, &spatial);
    if (!x || !is_dense(&spatial))
        return;
    bool sum = chance(m, 50);
    enter(m, graph_window(m->f, sum ? OP_window_sum : OP_window_max, x->node, &spatial),
          sum ? x->bound * (double)taps(&spatial) : x->bound, is_integer(x) || (!sum && x->exact));
}

/* Taps that reach differently far beyond the edges of one value, with other numbers there. */
void step_borders(Maker *m)
{
    Spatial spatial;
    Item *x = pick_number(m, 3, false);
    if (!x)
        return;
    Node *y = graph_unary(m->f, OP_abs, x->node);
    for (int i = 0; i < 3 && pick_spatial(m, &y->type, &spatial); i++) {
        TensorType type = pick_weights(m, &y->type, &spatial);
        Node *w =
            type_elements(&type) > SMALL ? NULL : new_input(m, type.element, type.rank, type.dims);
        double terms = (double)(taps(&spatial) * type.dims[type.rank - 2]);
        if (chance(m, 35) && is_dense(&spatial))
            enter(m, graph_window(m->f, OP_window_max, y, &spatial), x->bound, x->exact);
        else if (w)
            enter(m, graph_conv(m->f, y, w, &spatial), terms * x->bound * INPUT_BOUND,
                  is_integer(x));
    }
}

/* argmax, beside the maximum or not, then pick from another tensor there, then scatter back */
void step_window_taps(Maker *m)
{
    Spatial spatial;
    Item *x = pick_number(m, 3, true);
    if (!x || !pick_spatial(m, &x->node->type, &spatial))
        return;
    TensorType type = x->node->type;
    Node *where = graph_window(m->f, OP_window_argmax, x->node, &spatial);
    Node *other = new_input(m, type.element, type.rank, type.dims);
    Node *picked = graph_window_pick(m->f, other, where, &spatial);
    if (is_dense(&spatial) && chance(m, 60))
        enter(m, graph_window(m->f, OP_window_max, x->node, &spatial), x->bound, x->exact);
    enter(m, where, 0, true);
    enter(m, picked, INPUT_BOUND, true);
    enter(m, graph_window_scatter(m->f, picked, where, &spatial, &type),
          INPUT_BOUND * (double)taps(&spatial), is_integer(x));
}

void step_window_spread(Maker *m)
{
    Spatial spatial;
    Item *x = pick_image(m, &spatial);
    if (!x)
        return;
    Node *sum = graph_window(m->f, OP_window_sum, x->node, &spatial);
    enter(m, graph_window_spread(m->f, sum, &spatial, &x->node->type),
          x->bound * (double)(taps(&spatial) * taps(&spatial)), is_integer(x));
}

void step_reduce(Maker *m)
{
    static const Op ops[] = {OP_reduce_sum, OP_reduce_sum, OP_reduce_max, OP_reduce_min};
    Op op = ops[pick(m, 0, 3)];
    bool truth = op != OP_reduce_sum && chance(m, 20);
    Item *x = truth ? pick_item(m, TYPE_BOOL, 1, false) : pick_number(m, 1, false);
    int64_t axes[RANK_LIMIT];
    int count = 0;
    double terms = 1;
    if (!x)
        return;
    for (int i = 0; i < x->node->type.rank; i++) {
        if (!chance(m, 50))
            continue;
        axes[count++] = i;
        terms *= (double)x->node->type.dims[i];
    }
    if (count > 0)
        enter(m, graph_reduce(m->f, op, x->node, count, axes, chance(m, 40)),
              op == OP_reduce_sum ? x->bound * terms : x->bound,
              x->exact && (op != OP_reduce_sum || is_integer(x)));
}

/* Rows as they are, or some in one, so that they are long */
void step_argsort(Maker *m)
{
    Item *x = chance(m, 60) ? pick_item(m, TYPE_F32, 1, true) : pick_integer(m, 1, true);
    if (!x)
        return;
    Node *node = x->node;
    TensorType type = node->type;
    while (type.rank > 1 && chance(m, 50)) {
        type.dims[type.rank - 2] *= type.dims[type.rank - 1];
        type.rank--;
    }
    node = graph_reshape(m->f, node, type.rank, type.dims);
    enter(m, graph_argsort(m->f, node, chance(m, 50)), 0, true);
}

/* As sums and products of few */
void step_cumulative(Maker *m)
{
    static const Mode modes[] = {MODE_ADD, MODE_ADD, MODE_MUL, MODE_MAX, MODE_MIN};
    Mode mode = modes[pick(m, 0, 4)];
    Item *x = chance(m, 75) ? pick_item(m, TYPE_F32, 1, false) : pick_integer(m, 1, false);
    if (!x)
        return;
    Node *node = x->node;
    const TensorType *type = &node->type;
    int64_t axis = pick(m, 0, type->rank - 1);
    bool number = type->element == TYPE_F32, exclusive = chance(m, 40);
    double bound = x->bound;
    if (number && mode == MODE_MUL) {
        node = graph_binary_scalar(m->f, OP_add, graph_unary(m->f, OP_abs, node), 0.5);
        node = graph_binary_scalar(m->f, OP_min, node, 1);
        bound = 1;
    }
    if (number && (mode == MODE_MAX || mode == MODE_MIN))
        exclusive = false; /* infinite at first */
    enter(m, graph_cumulative(m->f, node, axis, mode, exclusive, chance(m, 40)),
          mode == MODE_ADD ? bound * (double)type->dims[axis] : bound,
          !number || (x->exact && mode != MODE_ADD && mode != MODE_MUL));
}

/* Of numbers near 1, so that the product is near it as well */
void step_product(Maker *m)
{
    Item *x = chance(m, 75) ? pick_item(m, TYPE_F32, 1, false) : pick_integer(m, 1, false);
    if (!x)
        return;
    Node *node = x->node;
    bool number = node->type.element == TYPE_F32;
    int64_t axis = pick(m, 0, node->type.rank - 1);
    if (number) {
        node = graph_binary_scalar(m->f, OP_mul, graph_unary(m->f, OP_sin, node), 0x1p-5);
        node = graph_binary_scalar(m->f, OP_add, node, 1);
    }
    enter(m, graph_reduce(m->f, OP_reduce_product, node, 1, &axis, chance(m, 40)), 3, !number);
}

void step_argmax(Maker *m)
{
    Item *x = pick_number(m, 1, true);
    if (x)
        enter(m, graph_argmax(m->f, x->node, pick(m, 0, x->node->type.rank - 1)), 0, true);
}

static Item *pick_any(Maker *m, int rank)
{
    if (chance(m, 60))
        return pick_item(m, TYPE_F32, rank, false);
    return chance(m, 50)   ? pick_integer(m, rank, false)
           : chance(m, 50) ? pick_storage(m, rank)
                           : pick_item(m, TYPE_BOOL, rank, false);
}

/* joins two neighbouring axes, or splits one off, or adds one of length 1 */
void step_reshape(Maker *m)
{
    Item *x = pick_any(m, 0);
    if (!x)
        return;
    const TensorType *type = &x->node->type;
    TensorType shape = *type;
    if (type->rank >= 2 && chance(m, 60)) {
        int at = (int)pick(m, 0, type->rank - 2);
        shape.dims[at] *= shape.dims[at + 1];
        for (int i = at + 1; i + 1 < type->rank; i++)
            shape.dims[i] = type->dims[i + 1];
        shape.rank--;
    } else if (type->rank < 6) {
        int at = (int)pick(m, 0, type->rank);
        for (int i = type->rank; i > at; i--)
            shape.dims[i] = type->dims[i - 1];
        shape.dims[at] = 1;
        shape.rank++;
        for (int64_t d = 7; at + 1 < shape.rank && d > 1; d--) {
            if (shape.dims[at + 1] % d == 0) {
                shape.dims[at] = d;
                shape.dims[at + 1] /= d;
                break;
            }
        }
    }
    enter(m, graph_reshape(m->f, x->node, shape.rank, shape.dims), x->bound, x->exact);
}

void step_transpose(Maker *m)
{
    Item *x = pick_any(m, 2);
    int64_t order[RANK_LIMIT];
    if (!x)
        return;
    int rank = x->node->type.rank;
    for (int i = 0; i < rank; i++) {
        int j = (int)pick(m, 0, i);
        order[i] = order[j];
        order[j] = i;
    }
    enter(m, graph_transpose(m->f, x->node, order), x->bound, x->exact);
}

void step_broadcast(Maker *m)
{
    Item *x = pick_any(m, 0);
    int64_t dims[RANK_LIMIT], count = 1;
    if (!x)
        return;
    const TensorType *type = &x->node->type;
    int added = type->rank < 4 ? (int)pick(m, 0, 2) : 0;
    for (int i = 0; i < type->rank + added; i++) {
        dims[i] = i < added ? pick(m, 1, 5) : type->dims[i - added];
        if (i >= added && dims[i] == 1)
            dims[i] = pick(m, 1, 5);
        count *= dims[i];
    }
    if (count <= SMALL)
        enter(m, graph_broadcast(m->f, x->node, type->rank + added, dims), x->bound, x->exact);
}

void step_slice(Maker *m)
{
    Item *x = pick_any(m, 1);
    int64_t start[RANK_LIMIT], count[RANK_LIMIT], step[RANK_LIMIT];
    if (!x)
        return;
    for (int i = 0; i < x->node->type.rank; i++) {
        int64_t length = x->node->type.dims[i];
        start[i] = chance(m, 50) ? 0 : pick(m, 0, length - 1);
        step[i] = chance(m, 60) ? 1 : pick(m, 2, 3);
        count[i] = pick(m, 1, (length - start[i] - 1) / step[i] + 1);
    }
    enter(m, graph_slice(m->f, x->node, start, count, step), x->bound, x->exact);
}

void step_reverse(Maker *m)
{
    Item *x = pick_any(m, 1);
    int64_t axes[RANK_LIMIT];
    int count = 0;
    if (!x)
        return;
    for (int i = 0; i < x->node->type.rank; i++)
        if (chance(m, 50))
            axes[count++] = i;
    enter(m, graph_reverse(m->f, x->node, count, axes), x->bound, x->exact);
}

void step_pad(Maker *m)
{
    Item *x = pick_any(m, 1);
    int64_t before[RANK_LIMIT], after[RANK_LIMIT], interior[RANK_LIMIT];
    if (!x)
        return;
    for (int i = 0; i < x->node->type.rank; i++) {
        before[i] = pick(m, 0, 2);
        after[i] = pick(m, 0, 2);
        interior[i] = chance(m, 70) ? 0 : pick(m, 1, 2);
    }
    bool number = element_is_float(x->node->type.element);
    enter(m,
          graph_pad(m->f, x->node, before, after, interior,
                    number ? (double)pick(m, -2, 2) / 2 : (double)pick(m, 0, 1)),
          fmax(x->bound, 1), x->exact);
}

void step_concat(Maker *m)
{
    Item *x = pick_any(m, 1);
    if (!x)
        return;
    TensorType type = x->node->type;
    int64_t axis = pick(m, 0, type.rank - 1);
    Node *parts[3] = {x->node};
    int count = (int)pick(m, 1, 3);
    for (int i = 1; i < count; i++) {
        type.dims[axis] = pick(m, 1, 5);
        parts[i] = chance(m, 30) ? x->node : new_input(m, type.element, type.rank, type.dims);
    }
    for (int i = 0; i < count; i++) /* some are computed */
        if (type.element != TYPE_BOOL && !element_is_storage(type.element) && chance(m, 50))
            parts[i] = graph_unary(m->f, OP_neg, parts[i]);
    enter(m, graph_concat(m->f, count, parts, axis), fmax(x->bound, INPUT_BOUND), x->exact);
}

void step_gather(Maker *m)
{
    Item *x = pick_any(m, 1);
    int64_t dims[2] = {pick(m, 1, 9), pick(m, 1, 3)};
    if (!x || x->node->type.rank > 5)
        return;
    Node *rows = new_input(m, TYPE_I32, (int)pick(m, 0, 2), dims); /* some lie outside */
    enter(m, graph_gather(m->f, x->node, rows), x->bound, x->exact);
}

void step_scatter_add(Maker *m)
{
    Item *x = pick_number(m, 1, false);
    if (!x)
        return;
    TensorType type = x->node->type;
    Node *rows = new_input(m, TYPE_I32, 1, type.dims);
    double terms = (double)type.dims[0];
    type.dims[0] = pick(m, 1, 9);
    enter(m, graph_scatter_add(m->f, x->node, rows, type.rank, type.dims), x->bound * terms,
          element_is_integer(type.element));
}

void step_scatter(Maker *m)
{
    Item *base = pick_any(m, 1);
    int64_t dims[2] = {pick(m, 1, 9), pick(m, 1, 3)};
    if (!base || base->node->type.rank > 5)
        return;
    ElementType element = base->node->type.element;
    Node *rows = new_input(m, TYPE_I32, (int)pick(m, 0, 2), dims);
    TensorType type = type_make(element, rows->type.rank, dims);
    for (int i = 1; i < base->node->type.rank; i++)
        type.dims[type.rank++] = base->node->type.dims[i];
    double terms = (double)type_elements(&rows->type), bound = fmax(base->bound, INPUT_BOUND);
    bool moved = element == TYPE_BOOL || element_is_storage(element);
    Mode mode = moved ? MODE_SET : (Mode)pick(m, 0, MODE_COUNT - 1);
    if (mode == MODE_MUL && element == TYPE_F32) {
        bound *= INPUT_BOUND;
        if (terms > 1) /* more of them may meet */
            mode = MODE_MIN;
    }
    bool chosen = mode == MODE_SET || mode == MODE_MAX || mode == MODE_MIN;
    Node *updates = new_input(m, element, type.rank, type.dims);
    enter(m, graph_scatter(m->f, base->node, updates, rows, mode),
          mode == MODE_ADD ? bound + terms * INPUT_BOUND : bound,
          element != TYPE_F32 || (chosen && base->exact));
}

void step_softmax(Maker *m)
{
    Item *x = pick_item(m, TYPE_F32, 1, false);
    bool logarithm = chance(m, 40);
    if (x)
        enter(m,
              graph_softmax(m->f, logarithm ? OP_log_softmax : OP_softmax, x->node,
                            pick(m, 0, x->node->type.rank - 1)),
              logarithm ? 2 * x->bound + 8 : 1, false);
}

void step_row_loss(Maker *m)
{
    Item *x = pick_item(m, TYPE_F32, 1, false);
    if (!x)
        return;
    const TensorType *type = &x->node->type;
    Node *labels = new_input(m, TYPE_I32, type->rank - 1, type->dims);
    labels = graph_binary_scalar(m->f, OP_mod, graph_unary(m->f, OP_abs, labels),
                                 (double)type->dims[type->rank - 1]);
    enter(m, graph_binary(m->f, OP_softmax_cross_entropy, x->node, labels), 2 * x->bound + 8,
          false);
}

/* With an epsilon that does not turn rounding errors of nearly equal numbers into large ones. */
void step_normalize(Maker *m)
{
    Item *x = pick_item(m, TYPE_F32, 1, false);
    int64_t axes[RANK_LIMIT];
    int count = 0;
    if (!x)
        return;
    for (int i = 0; i < x->node->type.rank; i++)
        if (chance(m, 60))
            axes[count++] = i;
    enter(m, graph_normalize(m->f, x->node, count, axes, 1), 2 * x->bound, false);
}
