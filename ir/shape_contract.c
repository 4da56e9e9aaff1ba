/* Shape rules of contractions and windows.
 *
 * Images are [batch, spatial…, channels]. Along one spatial axis with n positions, k taps, the
 * output of a convolution or window has
 *
 *     (n + pad_before + pad_after - ((k - 1) * dilation + 1)) / stride + 1
 *
 * positions. An operation that goes the other way (conv_transpose, conv_filter, window_scatter,
 * window_spread) says by `dims` what its forward partner took, because several sizes can have given
 * the same result; here the forward rule is run on it and must give what came in. */
#include <inttypes.h>

#include "base/checked.h"
#include "ir/shape.h"

/* [..,m,k] [..,k,n] → [..,m,n] */
bool shape_matmul(const ShapeQuery *query, TensorType *result)
{
    const TensorType *a = &query->in[0]->type, *b = &query->in[1]->type;
    if (!shape_number(query, 0) || !shape_equal_elements(query, 0, 1))
        return false;
    for (int i = 0; i < 2; i++)
        if (query->in[i]->type.rank < 2)
            return shape_error(query, "%s is no matrix: it needs at least two axes",
                               shape_text(query, &query->in[i]->type));
    if (a->dims[a->rank - 1] != b->dims[b->rank - 2])
        return shape_error(query, "the last axis of %s is %" PRId64 ", but %s has %" PRId64 " rows",
                           shape_text(query, a), a->dims[a->rank - 1], shape_text(query, b),
                           b->dims[b->rank - 2]);
    TensorType outer = *a, other = *b;
    outer.rank -= 2;
    other.rank -= 2;
    if (!shape_join(query, &other, &outer))
        return false;
    *result = outer;
    result->dims[result->rank++] = a->dims[a->rank - 2];
    result->dims[result->rank++] = b->dims[b->rank - 1];
    return shape_check(query, result);
}

/* Taps along one axis, as given. */
typedef struct Taps {
    int axis; /* of the tensor, for messages */
    int64_t size, stride, dilation, before, after;
} Taps;

/* Positions between the first and the last tap, both counted. */
static bool taps_extent(const ShapeQuery *query, const Taps *taps, int64_t *extent)
{
    if (!checked_multiply(taps->size - 1, taps->dilation, extent) ||
        !checked_add(*extent, 1, extent) || *extent > ELEMENT_LIMIT)
        return shape_error(query, "%" PRId64 " taps %" PRId64 " apart are too many", taps->size,
                           taps->dilation);
    return true;
}

static bool taps_positions(const ShapeQuery *query, const Taps *taps, int64_t length,
                           int64_t *positions)
{
    int64_t extent, padded;
    if (!taps_extent(query, taps, &extent))
        return false;
    if (!checked_add(length, taps->before, &padded) || !checked_add(padded, taps->after, &padded) ||
        padded > ELEMENT_LIMIT)
        return shape_error(query, "padding of %" PRId64 " and %" PRId64 " is too much",
                           taps->before, taps->after);
    if (extent > padded)
        return shape_error(query,
                           "the window is %" PRId64 " long on axis %d, where the padded input is "
                           "%" PRId64,
                           extent, taps->axis, padded);
    *positions = (padded - extent) / taps->stride + 1;
    return true;
}

static bool image_rank(const ShapeQuery *query, const TensorType *type, int *spatial)
{
    if (type->rank < 3 || type->rank > 5)
        return shape_error(query,
                           "%s is no image: it needs a batch, one to three spatial axes and "
                           "channels",
                           shape_text(query, type));
    *spatial = type->rank - 2;
    return true;
}

/* stride, dilation and pad stand in this order in all four sets of attributes */
static bool spatial_lists(const ShapeQuery *query, const IntList *lists, int spatial)
{
    return shape_list_length(query, "stride", lists[0], spatial) &&
           shape_list_length(query, "dilation", lists[1], spatial) &&
           shape_list_length(query, "pad", lists[2], 2 * spatial) &&
           shape_list_least(query, "stride", lists[0], 1) &&
           shape_list_least(query, "dilation", lists[1], 1) &&
           shape_list_least(query, "pad", lists[2], 0);
}

static Taps taps_along(const IntList *lists, int i, int64_t size)
{
    return (Taps){.axis = i + 1,
                  .size = size,
                  .stride = lists[0].values[i],
                  .dilation = lists[1].values[i],
                  .before = lists[2].values[2 * i],
                  .after = lists[2].values[2 * i + 1]};
}

static bool conv_groups(const ShapeQuery *query, const TensorType *x, const TensorType *w)
{
    int64_t groups = query->attr->lists[3].values[0], needed;
    int64_t channels = x->dims[x->rank - 1], per_group = w->dims[w->rank - 2];
    int64_t out = w->dims[w->rank - 1];
    if (groups < 1)
        return shape_error(query, "groups=%" PRId64 " is below 1", groups);
    if (!checked_multiply(per_group, groups, &needed) || needed != channels)
        return shape_error(query,
                           "%s has %" PRId64 " channels, but %s takes %" PRId64 " in each of "
                           "%" PRId64 " groups",
                           shape_text(query, x), channels, shape_text(query, w), per_group, groups);
    if (out % groups != 0)
        return shape_error(query,
                           "%" PRId64 " output channels do not divide into %" PRId64 " groups", out,
                           groups);
    return true;
}

/* x [n,s…,c], w [k…,c/groups,oc] → [n,o…,oc] */
static bool conv_result(const ShapeQuery *query, const TensorType *x, const TensorType *w,
                        TensorType *result)
{
    const IntList *lists = query->attr->lists;
    int spatial = 0;
    if (!image_rank(query, x, &spatial))
        return false;
    if (w->rank != x->rank)
        return shape_error(query, "weights of %s must have %d axes, as %s has",
                           shape_text(query, w), x->rank, shape_text(query, x));
    if (!spatial_lists(query, lists, spatial) || !conv_groups(query, x, w))
        return false;
    *result = *x;
    for (int i = 0; i < spatial; i++) {
        Taps taps = taps_along(lists, i, w->dims[i]);
        if (taps.size < 1)
            return shape_error(query, "weights of %s are empty", shape_text(query, w));
        if (!taps_positions(query, &taps, x->dims[i + 1], &result->dims[i + 1]))
            return false;
    }
    result->dims[result->rank - 1] = w->dims[w->rank - 1];
    return shape_check(query, result);
}

bool shape_conv(const ShapeQuery *query, TensorType *result)
{
    return shape_number(query, 0) && shape_equal_elements(query, 0, 1) &&
           conv_result(query, &query->in[0]->type, &query->in[1]->type, result);
}

/* y, w → x */
bool shape_conv_transpose(const ShapeQuery *query, TensorType *result)
{
    const TensorType *y = &query->in[0]->type, *w = &query->in[1]->type;
    TensorType expected;
    if (!shape_number(query, 0) || !shape_equal_elements(query, 0, 1) ||
        !shape_from_list(query, y->element, query->attr->lists[4], result) ||
        !conv_result(query, result, w, &expected))
        return false;
    if (!type_equal(&expected, y))
        return shape_error(query, "conv of %s with %s gives %s, not %s", shape_text(query, result),
                           shape_text(query, w), shape_text(query, &expected),
                           shape_text(query, y));
    return true;
}

/* x, dy → dw */
bool shape_conv_filter(const ShapeQuery *query, TensorType *result)
{
    const TensorType *x = &query->in[0]->type, *y = &query->in[1]->type;
    TensorType expected;
    if (!shape_number(query, 0) || !shape_equal_elements(query, 0, 1) ||
        !shape_from_list(query, y->element, query->attr->lists[4], result) ||
        !conv_result(query, x, result, &expected))
        return false;
    if (!type_equal(&expected, y))
        return shape_error(query, "conv of %s with %s gives %s, not %s", shape_text(query, x),
                           shape_text(query, result), shape_text(query, &expected),
                           shape_text(query, y));
    return true;
}

/* A window that lies wholly in the padding would have no maximum and no mean. */
static bool some_tap(const ShapeQuery *query, const Taps *taps)
{
    int64_t extent;
    if (!taps_extent(query, taps, &extent))
        return false;
    if (taps->before >= extent || taps->after >= extent)
        return shape_error(query,
                           "padding of %" PRId64 " and %" PRId64 " on axis %d leaves a window of "
                           "%" PRId64 " outside the input",
                           taps->before, taps->after, taps->axis, extent);
    return true;
}

/* [n,s…,c] → [n,o…,c] */
static bool window_result(const ShapeQuery *query, const TensorType *x, TensorType *result)
{
    const IntList *lists = query->attr->lists;
    int spatial = 0;
    int64_t count = 1;
    if (!image_rank(query, x, &spatial) || !shape_list_length(query, "size", lists[0], spatial) ||
        !shape_list_least(query, "size", lists[0], 1) || !spatial_lists(query, lists + 1, spatial))
        return false;
    *result = *x;
    for (int i = 0; i < spatial; i++) {
        Taps taps = taps_along(lists + 1, i, lists[0].values[i]);
        if (!taps_positions(query, &taps, x->dims[i + 1], &result->dims[i + 1]) ||
            !some_tap(query, &taps))
            return false;
        if (!checked_multiply(count, taps.size, &count) || count > INT32_MAX) /* numbered in i32 */
            return shape_error(query, "a window of size=%s has too many taps",
                               shape_list_text(query, lists[0].count, lists[0].values));
    }
    return shape_check(query, result);
}

bool shape_window(const ShapeQuery *query, TensorType *result)
{
    return shape_number(query, 0) && window_result(query, &query->in[0]->type, result);
}

bool shape_window_argmax(const ShapeQuery *query, TensorType *result)
{
    if (!shape_window(query, result))
        return false;
    result->element = TYPE_I32;
    return true;
}

static bool check_taps(const ShapeQuery *query, const TensorType *taps, const TensorType *expected)
{
    if (taps->element != TYPE_I32 || !type_same_dims(taps, expected)) {
        TensorType wanted = *expected;
        wanted.element = TYPE_I32;
        return shape_error(query, "the taps must be %s, not %s", shape_text(query, &wanted),
                           shape_text(query, taps));
    }
    return true;
}

/* x, taps → y */
bool shape_window_pick(const ShapeQuery *query, TensorType *result)
{
    return shape_window(query, result) && check_taps(query, &query->in[1]->type, result);
}

/* dy → dx */
bool shape_window_spread(const ShapeQuery *query, TensorType *result)
{
    const TensorType *y = &query->in[0]->type;
    TensorType expected;
    if (!shape_number(query, 0) ||
        !shape_from_list(query, y->element, query->attr->lists[4], result) ||
        !window_result(query, result, &expected))
        return false;
    if (!type_equal(&expected, y))
        return shape_error(query, "windows over %s give %s, not %s", shape_text(query, result),
                           shape_text(query, &expected), shape_text(query, y));
    return true;
}

/* dy, taps → dx */
bool shape_window_scatter(const ShapeQuery *query, TensorType *result)
{
    return shape_window_spread(query, result) &&
           check_taps(query, &query->in[1]->type, &query->in[0]->type);
}
