/* Operators that work element by element: one row of ops.def each, or a few. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/tensor.h"

void onnx_build_unary(OnnxOp *op)
{
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, graph_unary(op->f, (Op)op->row->detail, onnx_in(op, 0)));
    onnx_keep_length(op, NULL);
}

/* Before version 7 the second operand is broadcast only when asked, from axis `axis` on. */
static Node *aligned_operand(OnnxOp *op, Node *a, Node *b)
{
    if (op->opset >= 7 || !a || !b || onnx_int(op, "broadcast", 0) == 0 ||
        b->type.rank == a->type.rank)
        return b;
    int axis;
    if (!onnx_axis(op, onnx_int(op, "axis", a->type.rank - b->type.rank), a->type.rank, &axis))
        return NULL;
    int64_t dims[RANK_LIMIT];
    int rank = a->type.rank - axis;
    for (int i = 0; i < rank; i++)
        dims[i] = i < b->type.rank ? b->type.dims[i] : 1;
    return rank < b->type.rank
               ? onnx_error(op, "its operands cannot be broadcast from axis %d", axis)
               : onnx_reshape(op, b, rank, dims);
}

void onnx_build_binary(OnnxOp *op)
{
    Node *a = onnx_in(op, 0);
    Node *b = aligned_operand(op, a, onnx_in(op, 1));
    onnx_ignore(op, "consumed_inputs broadcast axis");
    onnx_out(op, 0, graph_binary(op->f, (Op)op->row->detail, a, b));
}

/* ---- powers ---- */

/* Whole powers by squaring, which wrap as products do. A power below 0 is 0 of all bases but 1 and
 * -1, whose powers depend on whether the exponent is odd: as those of 0 do beyond 63. */
static Node *whole_power(OnnxOp *op, Node *a, Node *b)
{
    ElementType element = a->type.element;
    b = graph_cast(op->f, b, TYPE_I64);
    Node *odd = onnx_compare(op, OP_ne, graph_binary_scalar(op->f, OP_and, b, 1), 0);
    Node *far =
        graph_select(op->f, odd, onnx_scalar(op, TYPE_I64, 63), onnx_scalar(op, TYPE_I64, 62));
    Node *count = graph_select(op->f, onnx_compare(op, OP_gt, b, 63), far, b);
    Node *one = onnx_scalar(op, element, 1), *square = a, *power = one;
    for (int bit = 0; bit < 6; bit++) {
        Node *set = graph_binary_scalar(op->f, OP_and, count, (double)(1 << bit));
        Node *factor = graph_select(op->f, onnx_compare(op, OP_ne, set, 0), square, one);
        power = bit ? graph_mul(op->f, power, factor) : factor;
        square = onnx_square(op, square);
    }
    Node *unit = onnx_compare(op, OP_eq, onnx_square(op, a), 1);
    Node *sign = graph_select(op->f, odd, a, one);
    Node *inverse = graph_select(op->f, unit, sign, onnx_scalar(op, element, 0));
    return graph_select(op->f, onnx_compare(op, OP_lt, b, 0), inverse, power);
}

/* The whole number that x is but for rounding; x otherwise. */
static Node *nearly_whole(OnnxOp *op, Node *x)
{
    Node *whole = graph_unary(op->f, OP_round, x);
    Node *far = graph_unary(op->f, OP_abs, graph_sub(op->f, x, whole));
    Node *allowed = onnx_times(op, graph_unary(op->f, OP_abs, x), 0x1p-48);
    return graph_select(op->f, graph_binary(op->f, OP_le, far, allowed), whole, x);
}

/* The exponent may be of another type than the base, which the result has. */
void onnx_build_pow(OnnxOp *op)
{
    Node *a = onnx_in(op, 0);
    Node *b = aligned_operand(op, a, onnx_in(op, 1));
    onnx_ignore(op, "broadcast axis");
    if (!a || !b)
        return;
    ElementType element = a->type.element;
    if (!element_is_float(element) && !element_is_float(b->type.element)) {
        onnx_out(op, 0, whole_power(op, a, b));
        return;
    }
    ElementType wide = element == TYPE_F32 && b->type.element != TYPE_F64 ? TYPE_F32 : TYPE_F64;
    Node *power =
        graph_binary(op->f, OP_pow, graph_cast(op->f, a, wide), graph_cast(op->f, b, wide));
    power = element_is_float(element) ? power : nearly_whole(op, power);
    onnx_out(op, 0, graph_cast(op->f, power, element));
}

void onnx_build_reciprocal(OnnxOp *op)
{
    onnx_ignore(op, "consumed_inputs");
    onnx_out(op, 0, onnx_number_first(op, OP_div, 1, onnx_in(op, 0)));
}

/* ---- any number of operands ---- */

static Node *joined(OnnxOp *op, Op which)
{
    Node *y = onnx_in(op, 0);
    onnx_ignore(op, "consumed_inputs");
    for (int i = 1; i < op->in_count; i++)
        y = graph_binary(op->f, which, y, onnx_in(op, i));
    return y;
}

void onnx_build_variadic(OnnxOp *op)
{
    onnx_out(op, 0, joined(op, (Op)op->row->detail));
}

void onnx_build_mean(OnnxOp *op)
{
    onnx_out(op, 0, graph_binary_scalar(op->f, OP_div, joined(op, OP_add), op->in_count));
}

/* ---- remainders and bits ---- */

/* With fmod=1 the sign is the dividend's, as of our operation, otherwise the divisor's: a remainder
 * of the other sign is one divisor off. */
void onnx_build_mod(OnnxOp *op)
{
    Node *b = onnx_in(op, 1), *rest = graph_binary(op->f, OP_mod, onnx_in(op, 0), b);
    if (onnx_int(op, "fmod", 0) != 0 || !rest) {
        onnx_out(op, 0, rest);
        return;
    }
    Node *off =
        graph_binary(op->f, OP_ne, onnx_compare(op, OP_lt, rest, 0), onnx_compare(op, OP_lt, b, 0));
    Node *some = onnx_compare(op, OP_ne, rest, 0);
    off = graph_binary(op->f, OP_and, off, some);
    onnx_out(op, 0, graph_select(op->f, off, graph_add(op->f, rest, b), rest));
}

void onnx_build_bit_shift(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *count = onnx_in(op, 1);
    const char *direction = onnx_text(op, "direction", "");
    bool left = strcmp(direction, "LEFT") == 0;
    if (!left && strcmp(direction, "RIGHT") != 0)
        onnx_error(op, "its direction is \"%s\", but must be LEFT or RIGHT", direction);
    else
        onnx_out(op, 0, graph_binary(op->f, left ? OP_shift_left : OP_shift_right, x, count));
}

/* ---- questions ---- */

void onnx_build_is_nan(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    onnx_out(op, 0, graph_binary(op->f, OP_ne, x, x));
}

void onnx_build_is_inf(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    bool positive = onnx_int(op, "detect_positive", 1) != 0;
    bool negative = onnx_int(op, "detect_negative", 1) != 0;
    Node *size = negative ? graph_unary(op->f, positive ? OP_abs : OP_neg, x) : x;
    Node *y = onnx_compare(op, OP_eq, size, positive || negative ? INFINITY : NAN);
    onnx_out(op, 0, y);
}

/* ---- bounds ---- */

/* One bound: an attribute before version 11, an input from then on. */
static Node *bounded(OnnxOp *op, Node *x, Op which, int input, const char *key)
{
    double bound = which == OP_max ? -INFINITY : INFINITY;
    if (op->opset < 11) {
        bound = onnx_float(op, key, bound);
        return isinf(bound) ? x : onnx_number_first(op, which, bound, x);
    }
    Node *limit = onnx_in(op, input);
    if (!onnx_has_in(op, input))
        return x;
    if (limit && type_elements(&limit->type) != 1)
        return onnx_error(op, "%s must be one number", key);
    return graph_binary(op->f, which, graph_reshape(op->f, limit, 0, NULL), x);
}

void onnx_build_clip(OnnxOp *op)
{
    Node *x = bounded(op, onnx_in(op, 0), OP_max, 1, "min");
    onnx_ignore(op, "consumed_inputs");
    x = bounded(op, x, OP_min, 2, "max");
    onnx_out(op, 0, x);
}

void onnx_build_where(OnnxOp *op)
{
    onnx_out(op, 0, graph_select(op->f, onnx_in(op, 0), onnx_in(op, 1), onnx_in(op, 2)));
}

void onnx_build_cast(OnnxOp *op)
{
    ElementType element;
    int64_t to = onnx_int(op, "to", 0);
    onnx_ignore(op, "saturate round_mode");
    if (!onnx_type_find(to, &element)) {
        onnx_error(op, "casts to %s, which is not supported", onnx_type_name(op->arena, to));
        return;
    }
    onnx_out(op, 0, graph_cast(op->f, onnx_in(op, 0), element));
    onnx_keep_length(op, NULL);
}

/* Integers of one size wrap into each other, which keeps their bits; so do bool and u8, which holds
 * 0 and 1 then. */
void onnx_build_bit_cast(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    ElementType to;
    if (!x || !onnx_element(op, "to", x->type.element, &to))
        return;
    ElementType from = x->type.element;
    if (element_bytes(from) != element_bytes(to)) {
        onnx_error(op, "casts the bits of %s to %s, which has not as many", element_name(from),
                   element_name(to));
        return;
    }
    bool moves = element_is_float(from) != element_is_float(to);
    Attr attr = {.element = to};
    onnx_out(op, 0, moves ? graph_node(op->f, OP_bitcast, 1, &x, &attr) : graph_cast(op->f, x, to));
}

void onnx_build_cast_like(OnnxOp *op)
{
    const TensorType *like = onnx_in_type(op, 1);
    onnx_ignore(op, "saturate round_mode");
    if (like)
        onnx_out(op, 0, graph_cast(op->f, onnx_in(op, 0), like->element));
}
