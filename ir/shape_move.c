/* Shape rules of data movement: reshape, transpose, broadcast, slice, pad, concat, gather, scatter
 * and scatter_add. They work for every element type, bool included (but adding takes numbers). */
#include <inttypes.h>

#include "base/checked.h"
#include "ir/element.h"
#include "ir/shape.h"

bool shape_reshape(const ShapeQuery *query, TensorType *result)
{
    const TensorType *type = &query->in[0]->type;
    if (!shape_from_list(query, type->element, query->attr->lists[0], result))
        return false;
    if (type_elements(type) != type_elements(result))
        return shape_error(query, "%s has %" PRId64 " elements, but %s has %" PRId64,
                           shape_text(query, type), type_elements(type), shape_text(query, result),
                           type_elements(result));
    return true;
}

bool shape_transpose(const ShapeQuery *query, TensorType *result)
{
    const TensorType *type = &query->in[0]->type;
    IntList order = query->attr->lists[0];
    unsigned seen = 0;
    if (!shape_list_length(query, "order", order, type->rank))
        return false;
    *result = *type;
    for (int i = 0; i < order.count; i++) {
        int64_t from = order.values[i];
        if (from < 0 || from >= type->rank || (seen & 1u << from) != 0)
            return shape_error(query, "order=%s does not name each axis of %s once",
                               shape_list_text(query, order.count, order.values),
                               shape_text(query, type));
        seen |= 1u << from;
        result->dims[i] = type->dims[from];
    }
    return true;
}

bool shape_broadcast_to(const ShapeQuery *query, TensorType *result)
{
    const TensorType *type = &query->in[0]->type;
    if (!shape_from_list(query, type->element, query->attr->lists[0], result))
        return false;
    bool fits = type->rank <= result->rank;
    for (int i = 1; fits && i <= type->rank; i++) {
        int64_t from = type->dims[type->rank - i], to = result->dims[result->rank - i];
        fits = from == to || from == 1;
    }
    if (!fits)
        return shape_error(query, "%s does not stretch to %s", shape_text(query, type),
                           shape_text(query, result));
    return true;
}

bool shape_slice(const ShapeQuery *query, TensorType *result)
{
    const TensorType *type = &query->in[0]->type;
    const IntList *lists = query->attr->lists;
    if (!shape_list_length(query, "start", lists[0], type->rank) ||
        !shape_list_length(query, "count", lists[1], type->rank) ||
        !shape_list_length(query, "step", lists[2], type->rank) ||
        !shape_list_least(query, "start", lists[0], 0) ||
        !shape_list_least(query, "count", lists[1], 0) ||
        !shape_list_least(query, "step", lists[2], 1))
        return false;
    *result = *type;
    for (int i = 0; i < type->rank; i++) {
        int64_t count = lists[1].values[i], span = 0, end;
        result->dims[i] = count;
        bool inside = count == 0 || checked_multiply(count - 1, lists[2].values[i], &span);
        inside = inside && checked_add(lists[0].values[i], span, &end) &&
                 end <= type->dims[i] - (count > 0);
        if (!inside)
            return shape_error(
                query,
                "%" PRId64 " elements from %" PRId64 " in steps of %" PRId64 " leave axis %d of %s",
                count, lists[0].values[i], lists[2].values[i], i, shape_text(query, type));
    }
    return true;
}

bool shape_pad(const ShapeQuery *query, TensorType *result)
{
    static const char *const names[3] = {"before", "after", "interior"};
    const TensorType *type = &query->in[0]->type;
    const IntList *lists = query->attr->lists;
    for (int i = 0; i < 3; i++)
        if (!shape_list_length(query, names[i], lists[i], type->rank) ||
            !shape_list_least(query, names[i], lists[i], 0))
            return false;
    if (!element_holds(type->element, query->attr->number))
        return shape_error(query, "%.17g is no %s", query->attr->number,
                           element_name(type->element));
    *result = *type;
    for (int i = 0; i < type->rank; i++) {
        int64_t length = type->dims[i], between;
        if (!checked_multiply(length > 0 ? length - 1 : 0, lists[2].values[i], &between) ||
            !checked_add(length, between, &length) ||
            !checked_add(length, lists[0].values[i], &length) ||
            !checked_add(length, lists[1].values[i], &length))
            return shape_error(query, "the padding of axis %d of %s is too much", i,
                               shape_text(query, type));
        result->dims[i] = length;
    }
    return shape_check(query, result);
}

bool shape_concat(const ShapeQuery *query, TensorType *result)
{
    int64_t axis = query->attr->lists[0].values[0];
    *result = query->in[0]->type;
    if (!shape_axis(query, axis, result))
        return false;
    for (int i = 1; i < query->in_count; i++) {
        const TensorType *first = &query->in[0]->type, *type = &query->in[i]->type;
        if (!shape_equal_elements(query, 0, i))
            return false;
        TensorType same = *type;
        if (type->rank == first->rank)
            same.dims[axis] = first->dims[axis];
        if (!type_same_dims(&same, first))
            return shape_error(query, "%s and %s differ on other axes than %" PRId64,
                               shape_text(query, first), shape_text(query, type), axis);
        if (!checked_add(result->dims[axis], type->dims[axis], &result->dims[axis]))
            return shape_error(query, "the result is too large");
    }
    return shape_check(query, result);
}

static bool check_rows(const ShapeQuery *query, const TensorType *rows)
{
    if (rows->element != TYPE_I32)
        return shape_error(query, "the rows must be i32, not %s", shape_text(query, rows));
    return true;
}

/* rows i32[a,b], table [v,c,d] → [a,b,c,d] */
static bool row_shape(const ShapeQuery *query, const TensorType *table, const TensorType *rows,
                      TensorType *result)
{
    if (table->rank < 1)
        return shape_error(query, "a table needs at least one axis, and %s has none",
                           shape_text(query, table));
    if (rows->rank + table->rank - 1 > RANK_LIMIT)
        return shape_error(query, "rows %s of %s would have more than %d axes",
                           shape_text(query, rows), shape_text(query, table), RANK_LIMIT);
    *result = type_make(table->element, rows->rank, rows->dims);
    for (int i = 1; i < table->rank; i++)
        result->dims[result->rank++] = table->dims[i];
    if (!shape_check(query, result))
        return false;
    if (table->dims[0] == 0 && type_elements(result) > 0)
        return shape_error(query, "%s has no rows", shape_text(query, table));
    return true;
}

bool shape_gather(const ShapeQuery *query, TensorType *result)
{
    return check_rows(query, &query->in[1]->type) &&
           row_shape(query, &query->in[0]->type, &query->in[1]->type, result);
}

static bool updates_fit(const ShapeQuery *query, const TensorType *table, const TensorType *rows,
                        const TensorType *expected, const TensorType *updates)
{
    return type_equal(expected, updates) ||
           shape_error(query, "rows %s of %s are %s, but the updates are %s",
                       shape_text(query, rows), shape_text(query, table),
                       shape_text(query, expected), shape_text(query, updates));
}

bool shape_scatter_add(const ShapeQuery *query, TensorType *result)
{
    const TensorType *updates = &query->in[0]->type, *rows = &query->in[1]->type;
    TensorType expected;
    if (!shape_number(query, 0) || !check_rows(query, rows) ||
        !shape_from_list(query, updates->element, query->attr->lists[0], result) ||
        !row_shape(query, result, rows, &expected))
        return false;
    return updates_fit(query, result, rows, &expected, updates);
}

bool shape_scatter(const ShapeQuery *query, TensorType *result)
{
    const TensorType *updates = &query->in[1]->type, *rows = &query->in[2]->type;
    TensorType expected;
    *result = query->in[0]->type;
    if (query->attr->lists[0].values[0] != MODE_SET && !shape_number(query, 0))
        return false;
    return shape_equal_elements(query, 0, 1) && check_rows(query, rows) &&
           row_shape(query, result, rows, &expected) &&
           updates_fit(query, result, rows, &expected, updates);
}
