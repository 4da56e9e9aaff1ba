/* Gradient rules of what goes along an axis, and of products; see grad.h for the form.
 *
 *     y_i = Σ x_j over j ≤ i        dx = the sums of dy that go the other way
 *     y   = Π x_j                   dx_j = dy · Π x_k over k < j · Π x_k over k > j
 *     y_i = Π x_j over j ≤ i        dx_j = Π x_k over k < j · s_j,   s_j = dy_j + x_{j+1}·s_{j+1}
 *
 * Nothing is divided by an x, which may be 0. s is a scan: its body is one step of it. */
#include "passes/grad.h"

#include "ir/scan.h"

/* ---- products ---- */

/* The axes that stay, then those that are reduced. */
static void move_reduced_last(const Node *y, int64_t order[RANK_LIMIT])
{
    const TensorType *type = &y->in[0]->type;
    IntList axes = y->attr.lists[0];
    int stays = 0, goes = type->rank - axes.count;
    for (int i = 0, a = 0; i < type->rank; i++) {
        bool reduced = a < axes.count && axes.values[a] == i;
        a += reduced;
        order[reduced ? goes++ : stays++] = i;
    }
}

/* x as [what stays, what is reduced], and back again. */
void gradient_reduce_product(Function *f, Node *y, Node *dy, Node *dx[])
{
    Node *x = y->in[0];
    int64_t order[RANK_LIMIT], inverse[RANK_LIMIT], dims[2] = {type_elements(&y->type), 1};
    IntList axes = y->attr.lists[0];
    for (int i = 0; i < axes.count; i++)
        dims[1] *= x->type.dims[axes.values[i]];
    move_reduced_last(y, order);
    for (int i = 0; i < x->type.rank; i++)
        inverse[order[i]] = i;
    Node *turned = graph_transpose(f, x, order), *rows = graph_reshape(f, turned, 2, dims);
    Node *before = graph_cumulative(f, rows, 1, MODE_MUL, true, false);
    Node *behind = graph_cumulative(f, rows, 1, MODE_MUL, true, true);
    Node *others = graph_mul(f, before, behind);
    Node *back = graph_mul(f, others, graph_reshape(f, dy, 2, (int64_t[]){dims[0], 1}));
    back = graph_reshape(f, back, turned->type.rank, turned->type.dims);
    dx[0] = graph_transpose(f, back, inverse);
}

/* ---- products so far ---- */

/* Element j + 1 in the place of j, and 0 in that of the last. */
static Node *next_along(Function *f, Node *x, int64_t axis)
{
    int64_t start[RANK_LIMIT] = {0}, after[RANK_LIMIT] = {0}, none[RANK_LIMIT] = {0};
    TensorType type = x->type;
    start[axis] = after[axis] = 1;
    type.dims[axis]--;
    return graph_pad(f, graph_slice(f, x, start, type.dims, NULL), none, after, NULL, 0.0);
}

/* Axis 0 and this one change places. */
static Node *swap_with_first(Function *f, Node *x, int64_t axis)
{
    int64_t order[RANK_LIMIT];
    for (int i = 0; i < x->type.rank; i++)
        order[i] = i;
    order[0] = axis;
    order[axis] = 0;
    return graph_transpose(f, x, order);
}

/* s_j = dy_j + x_j·s_{j+1} along the axis, s behind the last being 0 */
static Node *sums_of_products(Function *f, Node *x, Node *dy, int64_t axis)
{
    TensorType step = swap_with_first(f, x, axis)->type;
    int64_t steps = step.dims[0];
    step.rank--;
    for (int i = 0; i < step.rank; i++)
        step.dims[i] = step.dims[i + 1];
    Function *body = body_create(f->program);
    Node *sum = graph_input(body, "sum", step), *dy_step = graph_input(body, "dy", step);
    Node *x_step = graph_input(body, "x", step);
    Node *next = graph_add(body, dy_step, graph_mul(body, x_step, sum));
    function_add_result(body, NULL, next);
    function_add_result(body, NULL, next);
    Node *zero = graph_scalar(f, x->type.element, 0.0);
    Node *in[] = {graph_broadcast(f, zero, step.rank, step.dims), swap_with_first(f, dy, axis),
                  swap_with_first(f, x, axis)};
    return swap_with_first(f, graph_result(f, graph_scan(f, body, 1, 2, steps, true, in), 1), axis);
}

static Node *reversed(Function *f, Node *x, int64_t axis, bool reverse)
{
    return reverse ? graph_reverse(f, x, 1, &axis) : x;
}

void gradient_cumulative(Function *f, Node *y, Node *dy, Node *dx[])
{
    int64_t axis = attr_integer(y, 0);
    bool exclusive = attr_integer(y, 2) != 0, reverse = attr_integer(y, 3) != 0;
    dx[0] = dy;
    if (type_elements(&y->type) == 0)
        return;
    if (attr_mode(y, 1) == MODE_ADD) {
        dx[0] = graph_cumulative(f, dy, axis, MODE_ADD, exclusive, !reverse);
        return;
    }
    Node *x = reversed(f, y->in[0], axis, reverse);
    Node *before = graph_cumulative(f, x, axis, MODE_MUL, true, false);
    dy = reversed(f, dy, axis, reverse);
    if (exclusive)
        dy = next_along(f, dy, axis);
    Node *sums = sums_of_products(f, next_along(f, x, axis), dy, axis);
    dx[0] = reversed(f, graph_mul(f, before, sums), axis, reverse);
}
