/* Evaluates data movement, and holds the strided walks that other evaluators use.
 *
 * All views (transpose, broadcast, slice, reverse) are one loop: the result in row-major order,
 * read from an offset and strides of the input, which may be nought (broadcast) or negative
 * (reverse). */
#include <string.h>

#include "ir/element.h"
#include "ir/eval_node.h"

void row_major(const TensorType *type, int64_t strides[RANK_LIMIT])
{
    int64_t stride = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= type->dims[i];
    }
}

AxisView axis_view(const TensorType *type, int64_t axis)
{
    AxisView view = {.outer = 1, .length = type->dims[axis], .inner = 1};
    for (int i = 0; i < type->rank; i++) {
        if (i < axis)
            view.outer *= type->dims[i];
        else if (i > axis)
            view.inner *= type->dims[i];
    }
    return view;
}

Walk walk_create(const TensorType *over, const int64_t *strides, int64_t offset)
{
    Walk walk = {.rank = over->rank, .offset = offset, .length = 1};
    for (int i = 0; i < over->rank; i++) {
        walk.dims[i] = over->dims[i];
        walk.strides[i] = strides[i];
    }
    if (over->rank > 0) {
        walk.length = over->dims[over->rank - 1];
        walk.stride = strides[over->rank - 1];
    }
    return walk;
}

bool walk_start(Walk *walk)
{
    for (int i = 0; i < walk->rank; i++)
        if (walk->dims[i] == 0)
            return false;
    return true;
}

bool walk_next(Walk *walk)
{
    for (int i = walk->rank - 2; i >= 0; i--) {
        walk->offset += walk->strides[i];
        if (++walk->index[i] < walk->dims[i])
            return true;
        walk->offset -= walk->strides[i] * walk->dims[i];
        walk->index[i] = 0;
    }
    return false;
}

void copy_from_strides(const Value *from, int64_t offset, const int64_t *strides, Value *to)
{
    Walk walk = walk_create(&to->type, strides, offset);
    int64_t next = 0;
    for (bool more = walk_start(&walk); more; more = walk_next(&walk)) {
        for (int64_t i = 0; i < walk.length; i++, next++) {
            if (to->numbers)
                to->numbers[next] = from->numbers[walk.offset + i * walk.stride];
            else
                to->integers[next] = from->integers[walk.offset + i * walk.stride];
        }
    }
}

void copy_to_strides(const Value *from, Value *to, int64_t offset, const int64_t *strides)
{
    Walk walk = walk_create(&from->type, strides, offset);
    int64_t next = 0;
    for (bool more = walk_start(&walk); more; more = walk_next(&walk)) {
        for (int64_t i = 0; i < walk.length; i++, next++) {
            if (to->numbers)
                to->numbers[walk.offset + i * walk.stride] = from->numbers[next];
            else
                to->integers[walk.offset + i * walk.stride] = from->integers[next];
        }
    }
}

Value value_stretch(Arena *arena, const Value *value, const TensorType *like)
{
    if (type_same_dims(&value->type, like))
        return *value;
    int64_t own[RANK_LIMIT], strides[RANK_LIMIT] = {0};
    row_major(&value->type, own);
    for (int i = 1; i <= value->type.rank; i++)
        if (value->type.dims[value->type.rank - i] != 1)
            strides[like->rank - i] = own[value->type.rank - i];
    Value stretched = value_create(arena, type_make(value->type.element, like->rank, like->dims));
    copy_from_strides(value, 0, strides, &stretched);
    return stretched;
}

void copy_elements(Value *to, int64_t at, const Value *from, int64_t start, int64_t count)
{
    size_t bytes = (size_t)count * sizeof(int64_t);
    if (count == 0)
        return;
    if (to->numbers)
        memcpy(to->numbers + at, from->numbers + start, bytes);
    else
        memcpy(to->integers + at, from->integers + start, bytes);
}

void evaluate_reshape(const Evaluation *e)
{
    copy_elements(e->out, 0, &e->in[0], 0, type_elements(&e->out->type));
}

void evaluate_transpose(const Evaluation *e)
{
    int64_t own[RANK_LIMIT], strides[RANK_LIMIT];
    IntList order = e->node->attr.lists[0];
    row_major(&e->in[0].type, own);
    for (int i = 0; i < order.count; i++)
        strides[i] = own[order.values[i]];
    copy_from_strides(&e->in[0], 0, strides, e->out);
}

void evaluate_broadcast_to(const Evaluation *e)
{
    Value stretched = value_stretch(e->arena, &e->in[0], &e->out->type);
    copy_elements(e->out, 0, &stretched, 0, type_elements(&e->out->type));
}

void evaluate_slice(const Evaluation *e)
{
    int64_t strides[RANK_LIMIT], offset = 0;
    const IntList *lists = e->node->attr.lists;
    row_major(&e->in[0].type, strides);
    for (int i = 0; i < e->out->type.rank; i++) {
        offset += lists[0].values[i] * strides[i];
        strides[i] *= lists[2].values[i];
    }
    copy_from_strides(&e->in[0], offset, strides, e->out);
}

void evaluate_reverse(const Evaluation *e)
{
    int64_t strides[RANK_LIMIT], offset = 0;
    IntList axes = e->node->attr.lists[0];
    row_major(&e->in[0].type, strides);
    for (int i = 0; i < axes.count; i++) {
        int64_t axis = axes.values[i];
        offset += (e->out->type.dims[axis] - 1) * strides[axis];
        strides[axis] = -strides[axis];
    }
    copy_from_strides(&e->in[0], offset, strides, e->out);
}

void evaluate_pad(const Evaluation *e)
{
    int64_t strides[RANK_LIMIT], offset = 0, count = type_elements(&e->out->type);
    const IntList *lists = e->node->attr.lists;
    double value = e->node->attr.number;
    for (int64_t i = 0; i < count; i++) {
        if (e->out->numbers)
            e->out->numbers[i] = value;
        else
            e->out->integers[i] = element_saturate(e->out->type.element, value);
    }
    row_major(&e->out->type, strides);
    for (int i = 0; i < e->out->type.rank; i++) {
        offset += lists[0].values[i] * strides[i];
        strides[i] *= lists[2].values[i] + 1;
    }
    copy_to_strides(&e->in[0], e->out, offset, strides);
}

void evaluate_concat(const Evaluation *e)
{
    int64_t strides[RANK_LIMIT], offset = 0, axis = attr_integer(e->node, 0);
    row_major(&e->out->type, strides);
    for (int i = 0; i < e->node->in_count; i++) {
        copy_to_strides(&e->in[i], e->out, offset, strides);
        offset += e->in[i].type.dims[axis] * strides[axis];
    }
}

int64_t clamp_row(int64_t row, int64_t rows)
{
    return row < 0 ? 0 : row >= rows ? rows - 1 : row;
}

int64_t row_length(const TensorType *table)
{
    int64_t length = 1;
    for (int i = 1; i < table->rank; i++)
        length *= table->dims[i];
    return length;
}

void evaluate_gather(const Evaluation *e)
{
    const Value *table = &e->in[0], *rows = &e->in[1];
    int64_t length = row_length(&table->type), count = type_elements(&rows->type);
    if (length == 0)
        return;
    for (int64_t i = 0; i < count; i++)
        copy_elements(e->out, i * length, table,
                      clamp_row(rows->integers[i], table->type.dims[0]) * length, length);
}

/* Clamps as gather does, whose adjoint it is. */
void evaluate_scatter_add(const Evaluation *e)
{
    const Value *updates = &e->in[0], *rows = &e->in[1];
    int64_t length = row_length(&e->out->type), count = type_elements(&rows->type);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = clamp_row(rows->integers[i], e->out->type.dims[0]) * length;
        for (int64_t j = 0; j < length; j++) {
            if (e->out->numbers)
                e->out->numbers[at + j] += updates->numbers[i * length + j];
            else
                e->out->integers[at + j] = (int64_t)((uint64_t)e->out->integers[at + j] +
                                                     (uint64_t)updates->integers[i * length + j]);
        }
    }
}
