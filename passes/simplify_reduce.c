/* Identities of reductions and windows.
 *
 *     reduce over axes of length 1 → reshape            reduce∘reduce of one kind → reduce over all
 * their axes window of one element → slice (its step is the stride), and back → pad (interior is
 * stride-1)
 *
 *     Σₛ A[s,m,k]·B[s,k,n] → A[m,(s,k)]·B[(s,k),n]: the sum of products is a product of more terms
 *     sums of no terms → 0
 *
 * The sum of one number is that number, -0 included. */
#include "passes/simplify.h"

#include "passes/match.h"

/* The reduction over `axes` (a bit each) of x, in the shape of `node` */
static Node *reduce_to(Rewriter *r, Node *node, Node *x, unsigned axes)
{
    int64_t list[RANK_LIMIT];
    int count = 0;
    for (int i = 0; i < x->type.rank; i++)
        if (axes & 1u << i)
            list[count++] = i;
    bool keep = x->type.rank == node->type.rank;
    Node *reduced = graph_reduce(r->f, node->op, x, count, list, keep);
    return reduced ? graph_reshape(r->f, reduced, node->type.rank, node->type.dims) : NULL;
}

static unsigned axes_of(const Node *reduce)
{
    unsigned axes = 0;
    for (int i = 0; i < reduce->attr.lists[0].count; i++)
        axes |= 1u << reduce->attr.lists[0].values[i];
    return axes;
}

/* Axes of the operand of `inner` that `inner` and then `outer` reduce. */
static unsigned merged_axes(const Node *outer, const Node *inner)
{
    unsigned first = axes_of(inner), second = axes_of(outer), merged = first;
    bool kept = inner->type.rank == inner->in[0]->type.rank;
    for (int i = 0, position = 0; i < inner->in[0]->type.rank; i++) {
        bool present = kept || !(first & 1u << i);
        if (present && second & 1u << position)
            merged |= 1u << i;
        position += present;
    }
    return merged;
}

/* All leading axes of a product, and no others. */
static bool sums_products(const Rewriter *r, const Node *node, unsigned axes)
{
    const Node *product = node->in[0];
    int batched = product->type.rank - 2;
    if (node->op != OP_reduce_sum || product->op != OP_matmul || batched < 1 ||
        axes != (1u << batched) - 1 || !single_use(r, product))
        return false;
    for (int i = 0; i < 2; i++) {
        const TensorType *type = &product->in[i]->type;
        if (type->rank != product->type.rank)
            return false;
        for (int j = 0; j < batched; j++)
            if (type->dims[j] != product->type.dims[j])
                return false;
    }
    return true;
}

/* [s,k,n] as [(s,k),n] */
static Node *as_rows(Rewriter *r, Node *x)
{
    int64_t columns = x->type.dims[x->type.rank - 1], rows = 1;
    for (int i = 0; i < x->type.rank - 1; i++)
        rows *= x->type.dims[i];
    return graph_reshape(r->f, x, 2, (int64_t[]){rows, columns});
}

static Node *sum_of_products(Rewriter *r, const Node *node)
{
    Node *a = node->in[0]->in[0], *b = node->in[0]->in[1];
    Node *rows = as_rows(r, graph_transpose_matrix(r->f, a)); /* [(s,k),m] */
    Node *sum = graph_matmul(r->f, graph_transpose_matrix(r->f, rows), as_rows(r, b));
    return graph_reshape(r->f, sum, node->type.rank, node->type.dims);
}

/* Sums and products over no terms: every later pass may take for granted that there are some. */
Node *simplify_nothing(Rewriter *r, Node *node)
{
    bool empty = false;
    for (int i = 0; i < node->in_count; i++)
        empty = empty || type_elements(&node->in[i]->type) == 0;
    if (!empty || type_elements(&node->type) == 0)
        return NULL;
    Node *nought = graph_scalar(r->f, node->type.element, 0);
    return graph_broadcast(r->f, nought, node->type.rank, node->type.dims);
}

Node *simplify_reduce(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    unsigned axes = axes_of(node), longer = 0;
    for (int i = 0; i < x->type.rank; i++)
        if (axes & 1u << i && x->type.dims[i] != 1)
            longer |= 1u << i;
    bool kept = x->type.rank == node->type.rank;
    if (longer == 0 || (longer != axes && kept)) /* else the reduction may as well do the reshape */
        return reduce_to(r, node, x, longer);
    if (x->op == node->op && single_use(r, x))
        return reduce_to(r, node, x->in[0], merged_axes(node, x));
    return sums_products(r, node, axes) ? sum_of_products(r, node) : NULL;
}

static bool single_tap(const Spatial *s)
{
    for (int i = 0; i < s->rank; i++)
        if (s->size[i] != 1 || s->pad[2 * i] != 0 || s->pad[2 * i + 1] != 0)
            return false;
    return true;
}

/* x [n,s…,c] → y [n,o…,c]: window_max, window_sum, window_argmax, window_pick */
Node *simplify_window(Rewriter *r, Node *node)
{
    Spatial s = node_spatial(node);
    if (!single_tap(&s))
        return NULL;
    if (node->op == OP_window_argmax)
        return graph_broadcast(r->f, graph_scalar(r->f, TYPE_I32, 0.0), node->type.rank,
                               node->type.dims);
    int64_t start[RANK_LIMIT] = {0}, step[RANK_LIMIT] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (int i = 0; i < s.rank; i++)
        step[i + 1] = s.stride[i];
    return graph_slice(r->f, node->in[0], start, node->type.dims, step);
}

/* y [n,o…,c] → x [n,s…,c]: window_spread, window_scatter */
Node *simplify_window_back(Rewriter *r, Node *node)
{
    Spatial s = node_spatial(node);
    if (!single_tap(&s))
        return NULL;
    int64_t before[RANK_LIMIT] = {0}, after[RANK_LIMIT] = {0}, between[RANK_LIMIT] = {0};
    for (int i = 0; i < s.rank; i++) {
        int64_t count = node->in[0]->type.dims[i + 1];
        int64_t span = count ? (count - 1) * s.stride[i] + 1 : 0;
        after[i + 1] = node->type.dims[i + 1] - span;
        between[i + 1] = s.stride[i] - 1;
    }
    return graph_pad(r->f, node->in[0], before, after, between, 0.0);
}
