/* Shape rules of leaves, element-wise operations, reductions and composites; the helpers of all.
 *
 * Element-wise operands broadcast as in numpy: shapes are aligned at their last axis, and an axis
 * of length 1 stretches to the other operand's:
 *
 *     f32[8,1,5] + f32[3,5] → f32[8,3,5]
 *
 * An attribute list is checked for its length and its values here too, so that what the parser or a
 * frontend hands over needs no other guard. */
#include "ir/shape.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "base/checked.h"

static ShapeRule *const rules[OP_COUNT] = {
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate) shape_##shape,
#include "ir/ops.def"
#undef OP
};

bool shape_error(const ShapeQuery *query, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *reason = arena_print_list(query->diag->arena, format, arguments);
    va_end(arguments);
    return diag_error(query->diag, query->place, "%s: %s", op_name(query->op), reason);
}

const char *shape_text(const ShapeQuery *query, const TensorType *type)
{
    char buffer[TYPE_TEXT_BYTES];
    return arena_copy_text(query->diag->arena, type_print(type, buffer));
}

const char *shape_list_text(const ShapeQuery *query, int count, const int64_t *values)
{
    const char *text = "[";
    for (int i = 0; i < count; i++)
        text = arena_print(query->diag->arena, "%s%s%" PRId64, text, i ? "," : "", values[i]);
    return arena_print(query->diag->arena, "%s]", text);
}

/* Zero is a length like any other, but does not excuse the other lengths: strides must fit as well.
 */
bool type_fits(const TensorType *type)
{
    int64_t count = 1;
    if (type->rank < 0 || type->rank > RANK_LIMIT)
        return false;
    for (int i = 0; i < type->rank; i++) {
        int64_t length = type->dims[i] ? type->dims[i] : 1;
        if (!checked_multiply(count, length, &count) || count > ELEMENT_LIMIT)
            return false;
    }
    return true;
}

bool shape_check(const ShapeQuery *query, const TensorType *type)
{
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i] < 0)
            return shape_error(query, "axis %d of %s is negative", i, shape_text(query, type));
    if (!type_fits(type))
        return shape_error(query, "%s is too large: a tensor has at most %" PRId64 " elements",
                           shape_text(query, type), ELEMENT_LIMIT);
    return true;
}

bool shape_from_list(const ShapeQuery *query, ElementType element, IntList dims, TensorType *result)
{
    if (dims.count > RANK_LIMIT)
        return shape_error(query, "%d axes are more than the %d a tensor can have", dims.count,
                           RANK_LIMIT);
    *result = type_make(element, dims.count, dims.values);
    return shape_check(query, result);
}

bool shape_computes(const ShapeQuery *query, int input)
{
    const TensorType *type = &query->in[input]->type;
    if (element_is_storage(type->element))
        return shape_error(query, "%s is only stored and moved; cast it to f32 first",
                           shape_text(query, type));
    return true;
}

bool shape_number(const ShapeQuery *query, int input)
{
    const TensorType *type = &query->in[input]->type;
    if (type->element == TYPE_BOOL)
        return shape_error(query, "%s is no number; cast it first", shape_text(query, type));
    return shape_computes(query, input);
}

bool shape_floating(const ShapeQuery *query, int input)
{
    const TensorType *type = &query->in[input]->type;
    if (!element_is_float(type->element))
        return shape_error(query, "%s is not of a float type; cast it first",
                           shape_text(query, type));
    return shape_computes(query, input);
}

bool shape_equal_elements(const ShapeQuery *query, int a, int b)
{
    const TensorType *left = &query->in[a]->type, *right = &query->in[b]->type;
    if (left->element != right->element)
        return shape_error(query, "%s and %s have different element types; cast one of them",
                           shape_text(query, left), shape_text(query, right));
    return true;
}

bool shape_axis(const ShapeQuery *query, int64_t axis, const TensorType *type)
{
    if (axis < 0 || axis >= type->rank)
        return shape_error(query, "%s has no axis %" PRId64, shape_text(query, type), axis);
    return true;
}

bool shape_list_length(const ShapeQuery *query, const char *key, IntList list, int count)
{
    if (list.count != count)
        return shape_error(query, "%s=%s needs %d numbers, not %d", key,
                           shape_list_text(query, list.count, list.values), count, list.count);
    return true;
}

bool shape_list_least(const ShapeQuery *query, const char *key, IntList list, int64_t least)
{
    for (int i = 0; i < list.count; i++)
        if (list.values[i] < least)
            return shape_error(query, "%s=%s has a number below %" PRId64, key,
                               shape_list_text(query, list.count, list.values), least);
    return true;
}

bool shape_join(const ShapeQuery *query, const TensorType *operand, TensorType *result)
{
    TensorType joined = *result;
    if (operand->rank > joined.rank)
        joined.rank = operand->rank;
    for (int i = 1; i <= joined.rank; i++) { /* axes counted from the last */
        int64_t a = i <= result->rank ? result->dims[result->rank - i] : 1;
        int64_t b = i <= operand->rank ? operand->dims[operand->rank - i] : 1;
        if (a != b && a != 1 && b != 1)
            return shape_error(query,
                               "%s and %s do not broadcast: %" PRId64 " against %" PRId64
                               " on axis %d from the end",
                               shape_text(query, result), shape_text(query, operand), a, b, i);
        joined.dims[joined.rank - i] = a == 1 ? b : a;
    }
    *result = joined;
    return shape_check(query, result);
}

/* Leaves */

bool shape_given(const ShapeQuery *query, TensorType *result)
{
    return shape_check(query, result);
}

bool shape_constant(const ShapeQuery *query, TensorType *result)
{
    if (!shape_check(query, result))
        return false;
    if (!query->attr->data && type_elements(result) > 0)
        return shape_error(query, "there are no values for %s", shape_text(query, result));
    return true;
}

bool shape_state(const ShapeQuery *query, TensorType *result)
{
    if (!query->attr->state)
        return shape_error(query, "it does not say of which state");
    *result = query->attr->state->type;
    return shape_check(query, result);
}

bool shape_dims(const ShapeQuery *query, TensorType *result)
{
    const Attr *attr = query->attr;
    if (attr->element == TYPE_BOOL)
        return shape_error(query, "bool is no number");
    if (element_is_storage(attr->element))
        return shape_error(query, "%s is only stored and moved; cast an iota to it",
                           element_name(attr->element));
    return shape_from_list(query, attr->element, attr->lists[1], result) &&
           shape_axis(query, attr->lists[0].values[0], result);
}

bool shape_random(const ShapeQuery *query, TensorType *result)
{
    const TensorType *key = &query->in[0]->type;
    if (key->element != TYPE_I32 || key->rank != 1 || key->dims[0] != 3)
        return shape_error(query, "the key must be i32[3], not %s", shape_text(query, key));
    return shape_from_list(query, TYPE_F32, query->attr->lists[1], result);
}

/* Element-wise */

bool shape_same(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    return shape_number(query, 0);
}

bool shape_float(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    if (!shape_floating(query, 0))
        return false;
    int count;
    op_attributes(query->op, &count);
    return count == 0 || shape_axis(query, query->attr->lists[0].values[0], result); /* softmax */
}

/* Operands of one element type that is no float. */
static bool join_bits(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    for (int i = 0; i < query->in_count; i++) {
        const TensorType *type = &query->in[i]->type;
        if (element_is_float(type->element))
            return shape_error(query, "%s has no bits; cast it to bool or an integer type first",
                               shape_text(query, type));
        if (!shape_equal_elements(query, 0, i) || !shape_join(query, type, result))
            return false;
    }
    return true;
}

bool shape_bits(const ShapeQuery *query, TensorType *result)
{
    return join_bits(query, result);
}

bool shape_shift(const ShapeQuery *query, TensorType *result)
{
    return shape_number(query, 0) && join_bits(query, result);
}

bool shape_cast(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    result->element = query->attr->element;
    return true;
}

bool shape_bitcast(const ShapeQuery *query, TensorType *result)
{
    ElementType from = query->in[0]->type.element, to = query->attr->element;
    if (from == TYPE_BOOL || to == TYPE_BOOL || element_bytes(from) != element_bytes(to))
        return shape_error(query, "%s and %s have not the same number of bits", element_name(from),
                           element_name(to));
    return shape_cast(query, result);
}

bool shape_broadcast(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    return shape_number(query, 0) && shape_number(query, 1) && shape_equal_elements(query, 0, 1) &&
           shape_join(query, &query->in[1]->type, result);
}

bool shape_float_broadcast(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    return shape_floating(query, 0) && shape_equal_elements(query, 0, 1) &&
           shape_join(query, &query->in[1]->type, result);
}

bool shape_compare(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    if (!shape_computes(query, 0) || !shape_equal_elements(query, 0, 1) ||
        !shape_join(query, &query->in[1]->type, result))
        return false;
    result->element = TYPE_BOOL;
    return true;
}

bool shape_select(const ShapeQuery *query, TensorType *result)
{
    const TensorType *condition = &query->in[0]->type;
    if (condition->element != TYPE_BOOL)
        return shape_error(query, "the condition %s is not bool", shape_text(query, condition));
    *result = query->in[1]->type;
    return shape_equal_elements(query, 1, 2) && shape_join(query, &query->in[2]->type, result) &&
           shape_join(query, condition, result);
}

/* Reductions */

static bool ascending_axes(const ShapeQuery *query, IntList axes, const TensorType *type)
{
    for (int i = 0; i < axes.count; i++) {
        if (!shape_axis(query, axes.values[i], type))
            return false;
        if (i > 0 && axes.values[i] <= axes.values[i - 1])
            return shape_error(query, "axes=%s are not in ascending order",
                               shape_list_text(query, axes.count, axes.values));
    }
    return true;
}

bool shape_reverse(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    return ascending_axes(query, query->attr->lists[0], result);
}

bool shape_reduce(const ShapeQuery *query, TensorType *result)
{
    const TensorType *type = &query->in[0]->type;
    IntList axes = query->attr->lists[0];
    bool keep = query->attr->lists[1].values[0] != 0;
    bool chooses = query->op == OP_reduce_max || query->op == OP_reduce_min;
    if (!(chooses ? shape_computes(query, 0) : shape_number(query, 0)) ||
        !ascending_axes(query, axes, type))
        return false;
    *result = type_scalar(type->element);
    for (int i = 0, next = 0; i < type->rank; i++) {
        bool reduced = next < axes.count && axes.values[next] == i;
        next += reduced;
        if (!reduced || keep)
            result->dims[result->rank++] = reduced ? 1 : type->dims[i];
    }
    return true;
}

/* A flag is 0 or 1. */
static bool check_flag(const ShapeQuery *query, const char *key, int64_t value)
{
    return value == 0 || value == 1 ||
           shape_error(query, "%s=%" PRId64 " is neither 0 nor 1", key, value);
}

bool shape_cumulative(const ShapeQuery *query, TensorType *result)
{
    const IntList *lists = query->attr->lists;
    *result = query->in[0]->type;
    if (!shape_number(query, 0) || !shape_axis(query, lists[0].values[0], result))
        return false;
    if (lists[1].values[0] == MODE_SET)
        return shape_error(query, "mode=set adds nothing up; it must be add, mul, max or min");
    return check_flag(query, "exclusive", lists[2].values[0]) &&
           check_flag(query, "reverse", lists[3].values[0]);
}

bool shape_argsort(const ShapeQuery *query, TensorType *result)
{
    *result = query->in[0]->type;
    if (!shape_computes(query, 0))
        return false;
    if (result->rank == 0)
        return shape_error(query, "%s has no axis to sort along", shape_text(query, result));
    if (result->dims[result->rank - 1] > INT32_MAX)
        return shape_error(query, "the last axis of %s is too long", shape_text(query, result));
    result->element = TYPE_I32;
    return check_flag(query, "descending", query->attr->lists[0].values[0]);
}

bool shape_normalize(const ShapeQuery *query, TensorType *result)
{
    double epsilon = query->attr->number;
    *result = query->in[0]->type;
    if (!shape_floating(query, 0) || !ascending_axes(query, query->attr->lists[0], result))
        return false;
    return (epsilon > 0 && isfinite(epsilon)) ||
           shape_error(query, "epsilon=%.9g is not a number greater than 0", epsilon);
}

/* The largest of nothing is the least number there is, but it stands nowhere. */
static bool some_elements(const ShapeQuery *query, const TensorType *type, int64_t axis)
{
    if (type->dims[axis] == 0)
        return shape_error(query, "axis %" PRId64 " of %s is empty", axis, shape_text(query, type));
    return true;
}

bool shape_argmax(const ShapeQuery *query, TensorType *result)
{
    const TensorType *type = &query->in[0]->type;
    int64_t axis = query->attr->lists[0].values[0];
    if (!shape_number(query, 0) || !shape_axis(query, axis, type) ||
        !some_elements(query, type, axis))
        return false;
    *result = type_scalar(TYPE_I32);
    for (int i = 0; i < type->rank; i++)
        if (i != axis)
            result->dims[result->rank++] = type->dims[i];
    return true;
}

/* logits [..,c], labels i32[..] → [..] */
bool shape_row_loss(const ShapeQuery *query, TensorType *result)
{
    const TensorType *logits = &query->in[0]->type, *labels = &query->in[1]->type;
    if (!shape_floating(query, 0))
        return false;
    if (logits->rank == 0 || logits->dims[logits->rank - 1] == 0)
        return shape_error(query, "%s has no classes", shape_text(query, logits));
    *result = *logits;
    result->rank--;
    if (labels->element != TYPE_I32 || !type_same_dims(labels, result)) {
        TensorType expected = *result;
        expected.element = TYPE_I32;
        return shape_error(query, "for logits %s the labels must be %s, not %s",
                           shape_text(query, logits), shape_text(query, &expected),
                           shape_text(query, labels));
    }
    return true;
}

static bool check_single(const ShapeQuery *query, const AttrKey *key)
{
    IntList list = query->attr->lists[key->slot];
    if (key->form == FORM_INTEGER && list.count != 1)
        return shape_error(query, "%s= needs one number", key->key);
    if (key->form == FORM_OPTION && list.count > 1)
        return shape_error(query, "%s= needs one number, if any", key->key);
    if (key->form == FORM_MODE &&
        (list.count != 1 || list.values[0] < 0 || list.values[0] >= MODE_COUNT))
        return shape_error(query, "%s= needs one of the modes", key->key);
    return true;
}

static bool check_attributes(const ShapeQuery *query)
{
    int count;
    const AttrKey *keys = op_attributes(query->op, &count);
    for (int i = 0; i < count; i++)
        if (!check_single(query, &keys[i]))
            return false;
    return true;
}

bool shape_infer(const ShapeQuery *query, TensorType *result)
{
    int expected = op_inputs(query->op);
    if (expected == ANY ? query->in_count < 1 : query->in_count != expected)
        return shape_error(query, "it takes %s%d input%s, not %d",
                           expected == ANY ? "at least " : "", expected == ANY ? 1 : expected,
                           expected == 1 || expected == ANY ? "" : "s", query->in_count);
    for (int i = 0; i < query->in_count; i++)
        if (type_is_tuple(&query->in[i]->type) && query->op != OP_result)
            return shape_error(query, "input %d is a tuple; take one of its values by `result`", i);
    return check_attributes(query) && rules[query->op](query, result);
}
