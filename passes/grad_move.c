/* Gradient rules of data movement; see grad.h for the form. Each element's gradient goes back the
 * way the element came:
 *
 *     slice ↔ pad      transpose ↔ its inverse      concat → slices      gather ↔ scatter_add
 *     scatter: rows that were set have no more of the base, but of the update set last
 *     broadcast: dy itself; summing it back to the operand's shape is grad.c's */
#include "passes/grad.h"

void gradient_reshape(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_reshape(f, dy, y->in[0]->type.rank, y->in[0]->type.dims);
}

void gradient_transpose(Function *f, Node *y, Node *dy, Node *dx[])
{
    int64_t inverse[RANK_LIMIT];
    IntList order = y->attr.lists[0];
    for (int i = 0; i < order.count; i++)
        inverse[order.values[i]] = i;
    dx[0] = graph_transpose(f, dy, inverse);
}

void gradient_broadcast_to(Function *f, Node *y, Node *dy, Node *dx[])
{
    (void)f, (void)y;
    dx[0] = dy;
}

/* Element i came from start + i·step: puts step-1 noughts between, and what was left out around. */
void gradient_slice(Function *f, Node *y, Node *dy, Node *dx[])
{
    int64_t after[RANK_LIMIT], between[RANK_LIMIT];
    const int64_t *start = y->attr.lists[0].values, *step = y->attr.lists[2].values;
    for (int i = 0; i < y->type.rank; i++) {
        int64_t count = y->type.dims[i], span = count ? (count - 1) * step[i] + 1 : 0;
        after[i] = y->in[0]->type.dims[i] - start[i] - span;
        between[i] = step[i] - 1;
    }
    dx[0] = graph_pad(f, dy, start, after, between, 0.0);
}

void gradient_pad(Function *f, Node *y, Node *dy, Node *dx[])
{
    int64_t step[RANK_LIMIT];
    for (int i = 0; i < y->type.rank; i++)
        step[i] = y->attr.lists[2].values[i] + 1;
    dx[0] = graph_slice(f, dy, y->attr.lists[0].values, y->in[0]->type.dims, step);
}

void gradient_reverse(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_node(f, OP_reverse, 1, &dy, &y->attr);
}

void gradient_concat(Function *f, Node *y, Node *dy, Node *dx[])
{
    int64_t start[RANK_LIMIT] = {0}, step[RANK_LIMIT], axis = attr_integer(y, 0);
    for (int i = 0; i < y->type.rank; i++)
        step[i] = 1;
    for (int i = 0; i < y->in_count; i++) {
        dx[i] = graph_slice(f, dy, start, y->in[i]->type.dims, step);
        start[axis] += y->in[i]->type.dims[axis];
    }
}

void gradient_gather(Function *f, Node *y, Node *dy, Node *dx[])
{
    const TensorType *table = &y->in[0]->type;
    Attr attr = {.lists = {int_list(f->program, table->rank, table->dims)}};
    dx[0] = graph_node(f, OP_scatter_add, 2, (Node *[]){dy, y->in[1]}, &attr);
}

void gradient_scatter_add(Function *f, Node *y, Node *dy, Node *dx[])
{
    dx[0] = graph_gather(f, dy, y->in[1]);
}

static Node *full(Function *f, ElementType element, double value, int rank, const int64_t *dims)
{
    return graph_broadcast(f, graph_scalar(f, element, value), rank, dims);
}

/* bool, of the shape of `updates`: is it the update that stays, no later one having been set at its
 * row? The number of the last one is scattered in the same way. */
static Node *is_last(Function *f, Node *rows, const TensorType *table, const TensorType *updates)
{
    int64_t count = type_elements(&rows->type), ones[RANK_LIMIT];
    Node *numbers = graph_iota(f, TYPE_I32, 1, &count, 0);
    numbers = graph_reshape(f, numbers, rows->type.rank, rows->type.dims);
    Node *none = full(f, TYPE_I32, -1.0, 1, table->dims);
    Node *last = graph_scatter(f, none, numbers, rows, MODE_SET);
    Node *stays = graph_binary(f, OP_eq, graph_gather(f, last, rows), numbers);
    for (int i = 0; i < updates->rank; i++)
        ones[i] = i < rows->type.rank ? rows->type.dims[i] : 1;
    return graph_reshape(f, stays, updates->rank, ones);
}

void gradient_scatter(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *rows = y->in[2];
    const TensorType *updates = &y->in[1]->type;
    dx[0] = dy;
    dx[1] = graph_gather(f, dy, rows);
    if (attr_mode(y, 0) == MODE_ADD)
        return;
    Node *zeros = full(f, dy->type.element, 0.0, updates->rank, updates->dims);
    dx[0] = graph_scatter(f, dy, zeros, rows, MODE_SET);
    dx[1] = graph_select(f, is_last(f, rows, &y->type, updates), dx[1],
                         graph_scalar(f, dy->type.element, 0.0));
}
