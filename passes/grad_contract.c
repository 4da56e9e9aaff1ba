/* Gradient rules of contractions and windows; see grad.h for the form.
 *
 * Each is linear in each operand, and the set is closed. With `same` standing for stride, dilation,
 * pad and groups:
 *
 *     matmul          Y = A·B                    dA = dY·Bᵀ                    dB = Aᵀ·dY
 *     conv            y = conv(x, w)             dx = conv_transpose(dy, w)    dw = conv_filter(x,
 * dy) conv_transpose  x = conv_transpose(y, w)   dy = conv(dx, w)              dw = conv_filter(dx,
 * y) conv_filter     w = conv_filter(x, y)      dx = conv_transpose(y, dw)    dy = conv(x, dw)
 *     window_sum  ↔ window_spread      window_pick ↔ window_scatter    window_max = pick at argmax
 */
#include "passes/grad.h"

/* All axes but the last made one: [2,3,5] → [6,5] */
static Node *as_rows(Function *f, Node *x)
{
    int last = x->type.rank - 1;
    int64_t dims[2] = {1, x->type.dims[last]};
    for (int i = 0; i < last; i++)
        dims[0] *= x->type.dims[i];
    return graph_reshape(f, x, 2, dims);
}

/* [..,m,k] [..,k,n] → [..,m,n]. One matrix for many: [b,m,k]·[k,n] is one product of b·m rows, and
 * so is the gradient of the matrix, which else would be b products and a sum. */
void gradient_matmul(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *a = y->in[0], *b = y->in[1];
    dx[0] = graph_matmul(f, dy, graph_transpose_matrix(f, b));
    if (b->type.rank == 2)
        dx[1] = graph_matmul(f, graph_transpose_matrix(f, as_rows(f, a)), as_rows(f, dy));
    else
        dx[1] = graph_matmul(f, graph_transpose_matrix(f, a), dy);
}

void gradient_conv(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *x = y->in[0], *w = y->in[1];
    Spatial same = node_spatial(y);
    dx[0] = graph_conv_transpose(f, dy, w, &same, &x->type);
    dx[1] = graph_conv_filter(f, x, dy, &same, &w->type);
}

void gradient_conv_transpose(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *w = y->in[1];
    Spatial same = node_spatial(y);
    dx[0] = graph_conv(f, dy, w, &same);
    dx[1] = graph_conv_filter(f, dy, y->in[0], &same, &w->type);
}

void gradient_conv_filter(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *x = y->in[0], *product = y->in[1];
    Spatial same = node_spatial(y);
    dx[0] = graph_conv_transpose(f, product, dy, &same, &x->type);
    dx[1] = graph_conv(f, x, dy, &same);
}

/* An operation over the windows of `y`: size, stride, dilation and pad are those of y. `dims` is
 * the shape of the result for those that take it (WINDOW_TO of attrs.def), NULL for the others. */
static Node *over_same_windows(Function *f, Op op, const Node *y, Node *x, Node *taps,
                               const TensorType *dims)
{
    Attr attr = {0};
    for (int i = 0; i < 4; i++)
        attr.lists[i] = y->attr.lists[i];
    if (dims)
        attr.lists[4] = int_list(f->program, dims->rank, dims->dims);
    Node *in[2] = {x, taps};
    return graph_node(f, op, taps ? 2 : 1, in, &attr);
}

void gradient_window_max(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *x = y->in[0];
    Node *taps = over_same_windows(f, OP_window_argmax, y, x, NULL, NULL);
    dx[0] = over_same_windows(f, OP_window_scatter, y, dy, taps, &x->type);
}

void gradient_window_sum(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = over_same_windows(f, OP_window_spread, y, dy, NULL, &y->in[0]->type);
}

void gradient_window_spread(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = over_same_windows(f, OP_window_sum, y, dy, NULL, NULL);
}

void gradient_window_pick(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = over_same_windows(f, OP_window_scatter, y, dy, y->in[1], &y->in[0]->type);
}

void gradient_window_scatter(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = over_same_windows(f, OP_window_pick, y, dy, y->in[1], NULL);
}
