/* The sum of what reaches a value on two ways.
 *
 *     dy·p·0.5 + dy·q·r    →    dy·(p·0.5 + q·r)
 *
 * What stands in brackets is often made of the forward pass alone, as the derivative of gelu, of
 * swish or of a gate is. Then the forward pass makes it, while p, q and r are at hand, and it is
 * the only tensor that is kept for the backward pass. */
#include "passes/grad.h"

enum { DEEPEST = 8 }; /* products of products */

/* A product without one of its factors: `rest` NULL is 1. */
typedef struct Without {
    bool found;
    Node *rest;
} Without;

static Node *times(Function *f, Node *rest, Node *factor)
{
    return rest ? graph_mul(f, rest, factor) : factor;
}

static Without without(Function *f, Node *product, const Node *factor, int depth)
{
    if (product == factor)
        return (Without){true, NULL};
    if (depth == DEEPEST || (product->op != OP_mul && product->op != OP_neg))
        return (Without){false, NULL};
    for (int i = 0; i < product->in_count; i++) {
        Without part = without(f, product->in[i], factor, depth + 1);
        if (!part.found)
            continue;
        if (product->op == OP_mul)
            return (Without){true, times(f, part.rest, product->in[1 - i])};
        Node *minus_one = graph_scalar(f, product->type.element, -1);
        return (Without){true, times(f, part.rest, minus_one)};
    }
    return (Without){false, NULL};
}

static bool has_factor(const Node *product, const Node *factor, int depth)
{
    if (product == factor)
        return true;
    bool found = false;
    if (depth < DEEPEST && (product->op == OP_mul || product->op == OP_neg))
        for (int i = 0; i < product->in_count && !found; i++)
            found = has_factor(product->in[i], factor, depth + 1);
    return found;
}

/* The youngest factor of a that b has too, of their shape: what comes from the loss is younger than
 * all of the forward pass. */
static Node *common_factor(Node *a, const Node *b, const TensorType *type, int depth)
{
    Node *best =
        a->op != OP_constant && type_equal(&a->type, type) && has_factor(b, a, 0) ? a : NULL;
    if (depth < DEEPEST && (a->op == OP_mul || a->op == OP_neg))
        for (int i = 0; i < a->in_count; i++) {
            Node *factor = common_factor(a->in[i], b, type, depth + 1);
            if (factor && (!best || factor->id > best->id))
                best = factor;
        }
    return best;
}

Node *gradient_sum(Function *f, Node *a, Node *b)
{
    Node *factor = common_factor(a, b, &a->type, 0);
    if (!factor || !type_equal(&a->type, &b->type) || factor == a || factor == b)
        return graph_add(f, a, b);
    Node *of_a = without(f, a, factor, 0).rest, *of_b = without(f, b, factor, 0).rest;
    return graph_mul(f, factor, graph_add(f, of_a, of_b));
}
