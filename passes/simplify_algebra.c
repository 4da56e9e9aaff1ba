/* Identities of element-wise operations; simplify.c lists those that floats do not obey. x, a, b
 * are tensors, c and d numbers known now.
 *
 *     x + -0, x - 0, x·1, x/1 → x       x·-1, x/-1, -0 - x → -x       a + -b → a - b      a - -b →
 * a + b -a·-b → a·b      -a·c, -(a·c) → a·-c      x/2ᵏ → x·2⁻ᵏ      1/√x → rsqrt x pow(x, 0, 1, 2,
 * 3, -1) → 1, x, x·x, x·x·x, 1/x      max(max(x,c),d) → max(x,max(c,d)) f(broadcast x) → broadcast
 * f(x): less work, and an operand that broadcasts by itself need not be told
 *
 * Of a commuting pair the constant goes second, so that the rules need to look there only. */
#include <math.h>

#include "ir/element.h"
#include "passes/match.h"
#include "passes/simplify.h"

/* x in the shape that the result of `node` has */
static Node *as_result(Rewriter *r, Node *x, const Node *node)
{
    return graph_broadcast(r->f, x, node->type.rank, node->type.dims);
}

static Node *number_as_result(Rewriter *r, double value, const Node *node)
{
    return as_result(r, graph_scalar(r->f, node->type.element, value), node);
}

static bool is_constant(const Node *node)
{
    double value;
    return node->op == OP_constant || node_uniform(node, &value);
}

/* A constant of equal elements is one number. */
Node *simplify_constant(Rewriter *r, Node *node)
{
    double value;
    if (type_elements(&node->type) <= 1 || !node_uniform(node, &value))
        return NULL;
    TensorType scalar = type_scalar(node->type.element); /* its first element, to the bit */
    return as_result(r, graph_constant(r->f, scalar, node->attr.data), node);
}

static Node *constant_second(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    if (!is_constant(a) || is_constant(b))
        return NULL;
    return graph_binary(r->f, node->op, b, a);
}

/* f(broadcast x, y) → f(x, y), broadcast to the shape it had when y does not bring that about. */
Node *simplify_elementwise(Rewriter *r, Node *node)
{
    Node *in[3];
    bool found = false;
    for (int i = 0; i < node->in_count; i++) {
        in[i] = node->in[i];
        for (; in[i]->op == OP_broadcast; found = true)
            in[i] = node_resolve(in[i]->in[0]);
    }
    if (!found)
        return NULL;
    return as_result(r, graph_node(r->f, node->op, node->in_count, in, &node->attr), node);
}

Node *simplify_add(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    bool drops_zero = !node_is_float(node) || node_never_minus_zero(a);
    if ((node_is_float(node) && node_is_number(b, -0.0)) || (drops_zero && node_is_number(b, 0.0)))
        return as_result(r, a, node);
    if (b->op == OP_neg)
        return graph_sub(r->f, a, b->in[0]);
    if (a->op == OP_neg)
        return graph_sub(r->f, b, a->in[0]);
    return constant_second(r, node);
}

Node *simplify_sub(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    if (node_is_number(b, 0.0))
        return as_result(r, a, node);
    if (node_is_number(a, node_is_float(node) ? -0.0 : 0.0))
        return as_result(r, graph_unary(r->f, OP_neg, b), node);
    if (b->op == OP_neg)
        return graph_add(r->f, a, b->in[0]);
    if (a == b && !node_is_float(node))
        return number_as_result(r, 0.0, node);
    return NULL;
}

Node *simplify_mul(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    double factor;
    if (node_is_number(b, 1.0))
        return as_result(r, a, node);
    if (node_is_number(b, -1.0))
        return as_result(r, graph_unary(r->f, OP_neg, a), node);
    if (!node_is_float(node) && node_is_number(b, 0.0))
        return number_as_result(r, 0.0, node);
    if (a->op == OP_neg && b->op == OP_neg)
        return graph_mul(r->f, a->in[0], b->in[0]);
    if (a->op == OP_neg && node_is_float(node) && node_uniform(b, &factor))
        return as_result(r, graph_binary_scalar(r->f, OP_mul, a->in[0], -factor), node);
    return constant_second(r, node);
}

/* 2ᵏ whose reciprocal is exact and normal in the element type */
static bool has_exact_reciprocal(double value, ElementType element)
{
    int exponent, limit = element == TYPE_F32 ? 125 : 1021;
    if (!isfinite(value) || fabs(frexp(value, &exponent)) != 0.5)
        return false;
    return -limit < exponent && exponent < limit;
}

Node *simplify_div(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    double divisor;
    if (node_is_number(b, 1.0))
        return as_result(r, a, node);
    if (!node_is_float(node))
        return NULL;
    if (node_is_number(b, -1.0))
        return as_result(r, graph_unary(r->f, OP_neg, a), node);
    if (node_uniform(b, &divisor) && has_exact_reciprocal(divisor, node->type.element))
        return as_result(r, graph_binary_scalar(r->f, OP_mul, a, 1.0 / divisor), node);
    if (b->op == OP_sqrt && node_is_number(a, 1.0))
        return as_result(r, graph_unary(r->f, OP_rsqrt, b->in[0]), node);
    return NULL;
}

Node *simplify_pow(Rewriter *r, Node *node)
{
    Node *x = node->in[0], *result = NULL;
    double exponent;
    if (node_is_number(x, 1.0))
        return number_as_result(r, 1.0, node); /* also for NaN, says C */
    if (!node_uniform(node->in[1], &exponent))
        return NULL;
    if (exponent == 0.0)
        return number_as_result(r, 1.0, node);
    if (exponent == 1.0)
        result = x;
    else if (exponent == 2.0)
        result = graph_mul(r->f, x, x);
    else if (exponent == 3.0)
        result = graph_mul(r->f, graph_mul(r->f, x, x), x);
    else if (exponent == -1.0)
        result = graph_div(r->f, graph_scalar(r->f, x->type.element, 1.0), x);
    else if (exponent == 0.5 && node_never_negative(x))
        result = graph_unary(r->f, OP_sqrt, x);
    else if (exponent == -0.5 && node_never_negative(x))
        result = graph_unary(r->f, OP_rsqrt, x);
    return result ? as_result(r, result, node) : NULL;
}

/* Operands of max and min keep their places: which of two equals is meant is the first. */
Node *simplify_extreme(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    double outer, inner;
    if (a == b)
        return a;
    if (a->op != node->op || !node_uniform(b, &outer) || !node_uniform(a->in[1], &inner))
        return NULL;
    if (isnan(outer) || isnan(inner))
        return NULL;
    double limit = node->op == OP_max ? fmax(inner, outer) : fmin(inner, outer);
    Node *both = graph_binary_scalar(r->f, node->op, a->in[0], limit);
    return as_result(r, both, node);
}

Node *simplify_compare(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    if (a == b) {
        bool strict = node->op == OP_lt || node->op == OP_gt;
        if (strict || (node->op == OP_ne && !node_is_float(a)))
            return number_as_result(r, 0.0, node);
        if (!node_is_float(a))
            return number_as_result(r, 1.0, node);
    }
    return op_is(node->op, COMMUTES) ? constant_second(r, node) : NULL;
}

/* The number whose bits are all set: true, -1, or the largest one. */
static double all_bits(ElementType element)
{
    if (element == TYPE_BOOL)
        return 1.0;
    return element_is_signed(element) ? -1.0 : ldexp(1.0, 8 * element_bytes(element)) - 1.0;
}

/* and, or */
Node *simplify_logic(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    double all = all_bits(node->type.element);
    if (a == b || node_is_number(b, node->op == OP_and ? all : 0.0))
        return as_result(r, a, node);
    if (node_is_number(b, node->op == OP_and ? 0.0 : all))
        return as_result(r, b, node);
    return constant_second(r, node);
}

Node *simplify_xor(Rewriter *r, Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    if (a == b)
        return number_as_result(r, 0.0, node);
    if (node_is_number(b, 0.0))
        return as_result(r, a, node);
    if (node_is_number(b, all_bits(node->type.element)))
        return as_result(r, graph_unary(r->f, OP_not, a), node);
    return constant_second(r, node);
}

Node *simplify_shift(Rewriter *r, Node *node)
{
    return node_is_number(node->in[1], 0.0) ? as_result(r, node->in[0], node) : NULL;
}

Node *simplify_not(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (x->op == OP_not)
        return x->in[0];
    if (x->op == OP_eq || x->op == OP_ne)
        return graph_binary(r->f, x->op == OP_eq ? OP_ne : OP_eq, x->in[0], x->in[1]);
    return NULL;
}

Node *simplify_select(Rewriter *r, Node *node)
{
    Node *condition = node->in[0], *yes = node->in[1], *no = node->in[2];
    if (node_is_number(condition, 1.0) || yes == no)
        return as_result(r, yes, node);
    if (node_is_number(condition, 0.0))
        return as_result(r, no, node);
    if (condition->op == OP_not)
        return graph_select(r->f, condition->in[0], no, yes);
    return NULL;
}

Node *simplify_neg(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    double factor;
    if (x->op == OP_neg)
        return x->in[0];
    if (x->op == OP_mul && node_is_float(x) && node_uniform(x->in[1], &factor) && single_use(r, x))
        return as_result(r, graph_binary_scalar(r->f, OP_mul, x->in[0], -factor), node);
    return NULL;
}

Node *simplify_abs(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (node_is_float(x) && node_never_negative(x))
        return x;
    if (element_is_unsigned(x->type.element)) /* even -x, which wraps */
        return x;
    return x->op == OP_neg ? graph_unary(r->f, OP_abs, x->in[0]) : NULL;
}

/* floor, ceil, round of what is whole */
Node *simplify_rounding(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    (void)r;
    bool whole = x->op == OP_floor || x->op == OP_ceil || x->op == OP_round ||
                 (x->op == OP_cast && !node_is_float(x->in[0]));
    return whole ? x : NULL;
}

/* The logarithm of a softmax that came out as 0 would be -∞; log_softmax knows better. */
Node *simplify_log(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (x->op != OP_softmax)
        return NULL;
    return graph_softmax(r->f, OP_log_softmax, x->in[0], attr_integer(x, 0));
}

Node *simplify_exp(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (x->op != OP_log_softmax)
        return NULL;
    return graph_softmax(r->f, OP_softmax, x->in[0], attr_integer(x, 0));
}

/* Binary digits that the type has for whole numbers, without a sign. */
static int digits(ElementType element)
{
    if (element_is_float(element))
        return 1 - ilogb(element_unit(element));
    return element == TYPE_BOOL ? 1 : 8 * element_bytes(element) - !element_is_unsigned(element);
}

/* Does `wide` hold every value of `narrow`? */
static bool holds_all(ElementType wide, ElementType narrow)
{
    if (wide == narrow)
        return true;
    if (element_is_float(narrow))
        return element_is_float(wide) && element_bytes(wide) > element_bytes(narrow);
    if (element_is_float(wide))
        return digits(wide) >= digits(narrow);
    return element_lowest(wide) <= element_lowest(narrow) &&
           element_highest(wide) >= element_highest(narrow);
}

/* a → b → c is a → c when b loses nothing, and c holds either a or b whatever happens in between.
 */
Node *simplify_cast(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    ElementType to = node->type.element;
    if (x->type.element == to)
        return x;
    if (x->op != OP_cast)
        return NULL;
    ElementType from = x->in[0]->type.element;
    bool same = from == to || holds_all(to, from) || element_is_float(to) || to == TYPE_BOOL;
    return holds_all(x->type.element, from) && same ? graph_cast(r->f, x->in[0], to) : NULL;
}
