/* Gradient rules of element-wise operations; see grad.h for the form. Where the derivative can be
 * had from the result y, it is: y is in memory anyway, or is recomputed by fusion, and exp, tanh,
 * 1/√x are dear.
 *
 *     exp    dx = dy·y            tanh     dx = dy·(1 - y²)          max   dx₀ = a ≥ b ? dy : 0
 *     log    dx = dy / x          sigmoid  dx = dy·y·(1 - y)               dx₁ = a ≥ b ? 0 : dy
 *
 * A gradient that must not arrive is selected away, not multiplied by nought: 0·∞ is not 0. */
#include "passes/grad.h"

#include <math.h>

static Node *scaled(Function *f, Node *x, double factor)
{
    return graph_binary_scalar(f, OP_mul, x, factor);
}

static Node *zero_like(Function *f, const Node *x)
{
    return graph_scalar(f, x->type.element, 0.0);
}

/* 1 - x; written so that the scalar stands first */
static Node *one_minus(Function *f, Node *x)
{
    return graph_sub(f, graph_scalar(f, x->type.element, 1.0), x);
}

void gradient_neg(Function *f, Node *y, Node *dy, Node *dx[])
{
    (void)y;
    dx[0] = graph_unary(f, OP_neg, dy);
}

void gradient_abs(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_mul(f, dy, graph_unary(f, OP_sign, y->in[0]));
}

void gradient_exp(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_mul(f, dy, y);
}

void gradient_expm1(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_mul(f, dy, graph_binary_scalar(f, OP_add, y, 1.0)); /* eˣ = y + 1 */
}

void gradient_log(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_div(f, dy, y->in[0]);
}

void gradient_log1p(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_div(f, dy, graph_binary_scalar(f, OP_add, y->in[0], 1.0));
}

void gradient_sqrt(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_div(f, scaled(f, dy, 0.5), y); /* dy / 2√x */
}

void gradient_rsqrt(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *cube = graph_mul(f, graph_mul(f, y, y), y); /* x^(-3/2) */
    dx[0] = graph_mul(f, scaled(f, dy, -0.5), cube);
}

void gradient_tanh(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_mul(f, dy, one_minus(f, graph_mul(f, y, y)));
}

void gradient_sigmoid(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_mul(f, dy, graph_mul(f, y, one_minus(f, y)));
}

void gradient_erf(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *x = y->in[0];
    Node *bell = graph_unary(f, OP_exp, graph_unary(f, OP_neg, graph_mul(f, x, x)));
    dx[0] = graph_mul(f, dy, scaled(f, bell, M_2_SQRTPI)); /* 2/√π · exp(-x²) */
}

void gradient_sin(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_mul(f, dy, graph_unary(f, OP_cos, y->in[0]));
}

void gradient_cos(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_unary(f, OP_neg, graph_mul(f, dy, graph_unary(f, OP_sin, y->in[0])));
}

void gradient_atan(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *square = graph_mul(f, y->in[0], y->in[0]);
    dx[0] = graph_div(f, dy, graph_binary_scalar(f, OP_add, square, 1.0)); /* dy / (1 + x²) */
}

void gradient_cast(Function *f, Node *y, Node *dy, Node *dx[])
{
    if (element_is_float(y->in[0]->type.element))
        dx[0] = graph_cast(f, dy, element_computed(y->in[0]->type.element));
}

void gradient_add(Function *f, Node *y, Node *dy, Node *dx[])
{
    (void)f, (void)y;
    dx[0] = dy;
    dx[1] = dy;
}

void gradient_sub(Function *f, Node *y, Node *dy, Node *dx[])
{
    (void)y;
    dx[0] = dy;
    dx[1] = graph_unary(f, OP_neg, dy);
}

void gradient_mul(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_mul(f, dy, y->in[1]);
    dx[1] = graph_mul(f, dy, y->in[0]);
}

void gradient_div(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_div(f, dy, y->in[1]);
    dx[1] = graph_unary(f, OP_neg, graph_mul(f, dx[0], y)); /* -a/b² = -y/b */
}

/* d aᵇ = b·aᵇ⁻¹ da + aᵇ·ln a db. Where a is 0, 0·∞ is to be avoided: in the first term when b is 0
 * too, by another exponent (the factor b is 0 anyway), in the second by ln 1. Selecting among
 * results would not do, because it lets 0·∞ into the second derivative. */
void gradient_pow(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *a = y->in[0], *b = y->in[1];
    Node *one = graph_scalar(f, a->type.element, 1.0);
    Node *zero_base = graph_binary_scalar(f, OP_eq, a, 0.0);
    Node *both = graph_binary(f, OP_and, zero_base, graph_binary_scalar(f, OP_eq, b, 0.0));
    Node *exponent = graph_select(f, both, one, graph_sub(f, b, one));
    dx[0] = graph_mul(f, dy, graph_mul(f, b, graph_binary(f, OP_pow, a, exponent)));
    Node *logarithm = graph_unary(f, OP_log, graph_select(f, zero_base, one, a));
    dx[1] = graph_mul(f, dy, graph_mul(f, y, logarithm));
}

/* The operand that gave the result has the gradient; of two equal ones the first. */
static void gradient_of_choice(Function *f, Node *first_wins, Node *dy, Node *dx[])
{
    dx[0] = graph_select(f, first_wins, dy, zero_like(f, dy));
    dx[1] = graph_select(f, first_wins, zero_like(f, dy), dy);
}

void gradient_max(Function *f, Node *y, Node *dy, Node *dx[])
{
    gradient_of_choice(f, graph_binary(f, OP_ge, y->in[0], y->in[1]), dy, dx);
}

void gradient_min(Function *f, Node *y, Node *dy, Node *dx[])
{
    gradient_of_choice(f, graph_binary(f, OP_le, y->in[0], y->in[1]), dy, dx);
}

void gradient_select(Function *f, Node *y, Node *dy, Node *dx[])
{
    gradient_of_choice(f, y->in[0], dy, dx + 1);
}
