/* Windows: pooling, where its largest element was, and the way back. */
#include "passes/lowering.h"

typedef struct Window {
    Spatial s;
    Slot *padded; /* input with a border, or NULL */
    TensorType x;
    Axes axes, taps;
    Coordinates at, at_x; /* of the output; of the (padded) input under a tap */
    Affine tap;           /* number of the tap, row-major in the window */
} Window;

/* Loops over the outputs and, inside, over the taps of one window. */
static Window window_begin(Lowering *l, Node *root, double border)
{
    Window w = {.s = node_spatial(root)};
    const TensorType *y = &root->type;
    int64_t before[RANK_LIMIT], after[RANK_LIMIT];
    spatial_border(&w.s, w.s.size, &root->in[0]->type, y, before, after);
    Group *group = l->group;
    const char *name = l->kernel->name;
    w.padded = lower_padded(l, root->in[0], before, after, border, &w.x);
    kernel_begin(l, group, name);
    w.at = axes_of_type(l, &w.axes, y);
    w.at_x = w.at;
    w.tap = affine_number(0);
    int64_t taps = 1;
    for (int i = 0; i < w.s.rank; i++) {
        Affine tap = axes_add(l, &w.taps, "k", w.s.size[i]);
        w.at_x.at[i + 1] =
            affine_add(l->arena, affine_scale(l->arena, w.at.at[i + 1], w.s.stride[i]),
                       affine_scale(l->arena, tap, w.s.dilation[i]));
        w.tap = affine_add(l->arena, affine_scale(l->arena, w.tap, w.s.size[i]), tap);
        taps *= w.s.size[i];
    }
    l->kernel->element_steps = type_elements(y) * taps;
    return w;
}

static Expr *window_element(Lowering *l, const Window *w, Node *x)
{
    if (!w->padded)
        return lower_read(l, x, &w->at_x);
    return expr_load(l->arena, lower_argument(l, w->padded),
                     lower_offset(l->arena, &w->x, &w->at_x));
}

static void lower_window_reduction(Lowering *l, Node *root, StoreMode mode, double first)
{
    Window w = window_begin(l, root, first);
    ElementType element = root->type.element;
    Reduction reduction = {
        .mode = mode, .first = expr_number(l->arena, element, first), .axes = w.taps};
    reduction.term = window_element(l, &w, root->in[0]);
    kernel_end(l, axes_loops(l, &w.axes, lower_reduction(l, &reduction, element, &w.at)));
}

static void set(Lowering *l, Stmt **body, Buffer *local, Expr *value)
{
    *body = stmt_append(*body, stmt_store(l->arena, STORE_SET, local, affine_number(0), value));
}

/* best, place = -inf, 0;  for taps { if x > best: best, place = x, tap } */
static void lower_window_argmax(Lowering *l, Node *root)
{
    ElementType element = root->in[0]->type.element;
    Window w = window_begin(l, root, element_lowest(element));
    Buffer *best = nest_local(l->arena, "best", element, 1),
           *place = nest_local(l->arena, "place", TYPE_I32, 1);
    Temp *value = ARENA_NEW(l->arena, Temp), *better = ARENA_NEW(l->arena, Temp);
    *value = (Temp){"value", element};
    *better = (Temp){"better", TYPE_BOOL};
    Expr *best_value = expr_load(l->arena, best, affine_number(0));
    Expr *place_value = expr_load(l->arena, place, affine_number(0));
    Expr *compare[] = {expr_temp(l->arena, value), best_value};
    Expr *which[] = {expr_temp(l->arena, better), expr_index(l->arena, TYPE_I32, w.tap),
                     place_value};
    Expr *what[] = {which[0], compare[0], best_value};
    Stmt *body = stmt_let(l->arena, value, window_element(l, &w, root->in[0]));
    stmt_append(body,
                stmt_let(l->arena, better, expr_apply(l->arena, OP_gt, TYPE_BOOL, 2, compare)));
    set(l, &body, place, expr_apply(l->arena, OP_select, TYPE_I32, 3, which));
    set(l, &body, best, expr_apply(l->arena, OP_select, element, 3, what));
    Stmt *all = stmt_append(stmt_local(l->arena, best), stmt_local(l->arena, place));
    set(l, &all, best, expr_number(l->arena, element, element_lowest(element)));
    set(l, &all, place, expr_number(l->arena, TYPE_I32, 0));
    stmt_append(all, axes_loops(l, &w.taps, body));
    stmt_append(all, lower_epilogue(l, place_value, &w.at));
    kernel_end(l, axes_loops(l, &w.axes, all));
}

/* picked = 0;  for taps { if tap == taps[o]: picked = x } */
static void lower_window_pick(Lowering *l, Node *root)
{
    Window w = window_begin(l, root, 0);
    ElementType element = root->type.element;
    Buffer *picked = nest_local(l->arena, "picked", element, 1);
    Expr *value = expr_load(l->arena, picked, affine_number(0));
    Expr *same[] = {lower_read(l, root->in[1], &w.at), expr_index(l->arena, TYPE_I32, w.tap)};
    Expr *choose[] = {expr_apply(l->arena, OP_eq, TYPE_BOOL, 2, same),
                      window_element(l, &w, root->in[0]), value};
    Stmt *body = NULL, *all = stmt_local(l->arena, picked);
    set(l, &body, picked, expr_apply(l->arena, OP_select, element, 3, choose));
    set(l, &all, picked, expr_number(l->arena, element, 0));
    stmt_append(all, axes_loops(l, &w.taps, body));
    stmt_append(all, lower_epilogue(l, value, &w.at));
    kernel_end(l, axes_loops(l, &w.axes, all));
}

void lower_root_window(Lowering *l, Node *root)
{
    if (root->op == OP_window_max)
        lower_window_reduction(l, root, STORE_MAX, element_lowest(root->type.element));
    else if (root->op == OP_window_sum)
        lower_window_reduction(l, root, STORE_ADD, 0);
    else if (root->op == OP_window_argmax)
        lower_window_argmax(l, root);
    else
        lower_window_pick(l, root);
}

/* ---- the way back: dx = 0; for each tap, for each output whose tap lies inside, dx[…] += dy ----
 */

/* Outputs o for which o·stride + tap·dilation - pad lies in 0 … size-1: first … end-1. */
static void inside_range(const Spatial *s, int i, int64_t tap, int64_t size, int64_t outs,
                         int64_t *first, int64_t *end)
{
    int64_t shift = s->pad[2 * i] - tap * s->dilation[i], stride = s->stride[i];
    *first = shift > 0 ? (shift + stride - 1) / stride : 0;
    *end = size - 1 + shift < 0 ? 0 : (size - 1 + shift) / stride + 1;
    *end = *end > outs ? outs : *end;
}

static Stmt *scatter_tap(Lowering *l, Node *root, const Spatial *s, const int64_t *tap,
                         int64_t number, Affine n)
{
    const TensorType *dx = &root->type, *dy = &root->in[0]->type;
    int last = s->rank + 1;
    Axes axes = {0};
    Coordinates at_x = {.rank = dx->rank}, at_y = {.rank = dx->rank};
    at_x.at[0] = at_y.at[0] = n;
    for (int i = 0; i < s->rank; i++) {
        int64_t first, end;
        inside_range(s, i, tap[i], dx->dims[i + 1], dy->dims[i + 1], &first, &end);
        if (first >= end)
            return NULL;
        Affine o = axes_add(l, &axes, "o", end - first);
        at_y.at[i + 1] = affine_add(l->arena, o, affine_number(first));
        at_x.at[i + 1] = affine_add(l->arena, affine_scale(l->arena, at_y.at[i + 1], s->stride[i]),
                                    affine_number(tap[i] * s->dilation[i] - s->pad[2 * i]));
    }
    at_x.at[last] = at_y.at[last] = axes_add(l, &axes, "c", dx->dims[last]);
    Expr *value = lower_read(l, root->in[0], &at_y);
    if (root->op == OP_window_scatter) {
        Expr *same[] = {lower_read(l, root->in[1], &at_y),
                        expr_number(l->arena, TYPE_I32, (double)number)};
        Expr *choose[] = {expr_apply(l->arena, OP_eq, TYPE_BOOL, 2, same), value,
                          expr_number(l->arena, dx->element, 0)};
        value = expr_apply(l->arena, OP_select, dx->element, 3, choose);
    }
    Buffer *out = lower_argument(l, lower_slot(l, root));
    return axes_loops(
        l, &axes, stmt_store(l->arena, STORE_ADD, out, lower_offset(l->arena, dx, &at_x), value));
}

static Stmt *clear_image(Lowering *l, Node *root, Affine n)
{
    TensorType image = root->type;
    image.dims[0] = 1;
    Axes axes = {0};
    Coordinates at = axes_of_type(l, &axes, &image);
    at.at[0] = n;
    Buffer *out = lower_argument(l, lower_slot(l, root));
    out->written = true;
    return axes_loops(l, &axes,
                      stmt_store(l->arena, STORE_SET, out, lower_offset(l->arena, &root->type, &at),
                                 expr_number(l->arena, root->type.element, 0)));
}

/* One image at a time, so that images can go to different threads; windows that overlap add up in
 * the order of taps. */
void lower_root_scatter(Lowering *l, Node *root)
{
    Spatial s = node_spatial(root);
    const Var *n = kernel_var(l->arena, l->kernel, "n");
    Affine image = affine_var(l->arena, n, 1);
    Stmt *body = clear_image(l, root, image);
    int64_t taps = 1;
    for (int i = 0; i < s.rank; i++)
        taps *= s.size[i];
    for (int64_t number = 0; number < taps; number++) {
        int64_t tap[3], rest = number;
        for (int i = s.rank - 1; i >= 0; i--) {
            tap[i] = rest % s.size[i];
            rest /= s.size[i];
        }
        body = stmt_append(body, scatter_tap(l, root, &s, tap, number, image));
    }
    l->kernel->element_steps =
        type_elements(&root->in[0]->type) * taps + type_elements(&root->type);
    kernel_end(l, stmt_loop(l->arena, LOOP_SERIAL, n, 0, root->type.dims[0], 1, body));
}
