/* Windows: pooling, where its largest element was, and the way back. */
#include "base/checked.h"
#include "ir/element.h"
#include "passes/lowering.h"

typedef struct Window {
    Spatial s;
    Bordered x;
    Axes axes, taps;
    Coordinates at, at_x; /* of the output; of the (padded) input under a tap */
    Affine tap;           /* number of the tap, row-major in the window */
} Window;

void window_border(const Node *root, Border *border)
{
    bool greatest = root->op == OP_window_max || root->op == OP_window_argmax;
    Spatial s = node_spatial(root);
    spatial_border(&s, s.size, &root->in[0]->type, &root->type, border);
    border->value = greatest ? element_lowest(root->in[0]->type.element) : 0;
}

/* Loops over the outputs and, inside, over the taps of one window. */
static Window window_begin(Lowering *l, Node *root)
{
    Window w = {.s = node_spatial(root)};
    const TensorType *y = &root->type;
    Border border;
    window_border(root, &border);
    w.x = lower_bordered(l, root->in[0], &border);
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
    l->kernel->element_steps = capped_multiply(type_elements(y), taps);
    return w;
}

static void lower_window_reduction(Lowering *l, Node *root, StoreMode mode, double first)
{
    Window w = window_begin(l, root);
    ElementType element = root->type.element;
    Reduction reduction = {
        .mode = mode, .first = expr_number(l->arena, element, first), .axes = w.taps};
    reduction.term = bordered_read(l, &w.x, &w.at_x);
    kernel_end(l, axes_loops(l, &w.axes, lower_reduction(l, &reduction, element, &w.at)));
}

static void set(Lowering *l, Stmt **body, Buffer *local, Expr *value)
{
    *body = stmt_append(*body, stmt_store(l->arena, STORE_SET, local, affine_number(0), value));
}

/* acc, best, place = -inf, -inf, 0;  for taps { acc max= x; if x > best: best, place = x, tap }
 *
 * acc is the maximum where that is wanted, too; `best` differs from it in that NaN never is. */
static void lower_window_argmax(Lowering *l, Node *root)
{
    ElementType element = root->in[0]->type.element;
    Window w = window_begin(l, root);
    Buffer *acc = nest_local(l->arena, "acc", element, 1);
    Buffer *best = nest_local(l->arena, "best", element, 1),
           *place = nest_local(l->arena, "place", TYPE_I32, 1);
    Temp *value = ARENA_NEW(l->arena, Temp), *better = ARENA_NEW(l->arena, Temp);
    *value = (Temp){"value", element};
    *better = (Temp){"better", TYPE_BOOL};
    Affine zero = affine_number(0);
    Expr *lowest = expr_number(l->arena, element, element_lowest(element));
    Expr *best_value = expr_load(l->arena, best, zero);
    Expr *place_value = expr_load(l->arena, place, zero),
         *max_value = expr_load(l->arena, acc, zero);
    Expr *compare[] = {expr_temp(l->arena, value), best_value};
    Expr *which[] = {expr_temp(l->arena, better), expr_index(l->arena, TYPE_I32, w.tap),
                     place_value};
    Expr *what[] = {which[0], compare[0], best_value};
    Stmt *body = stmt_let(l->arena, value, bordered_read(l, &w.x, &w.at_x));
    stmt_append(body,
                stmt_let(l->arena, better, expr_apply(l->arena, OP_gt, TYPE_BOOL, 2, compare)));
    set(l, &body, place, expr_apply(l->arena, OP_select, TYPE_I32, 3, which));
    set(l, &body, best, expr_apply(l->arena, OP_select, element, 3, what));
    Stmt *all = stmt_append(stmt_local(l->arena, best), stmt_local(l->arena, place));
    if (l->group->twin) {
        stmt_append(body, stmt_store(l->arena, STORE_MAX, acc, zero, compare[0]));
        stmt_append(all, stmt_local(l->arena, acc));
        set(l, &all, acc, lowest);
    }
    set(l, &all, best, lowest);
    set(l, &all, place, expr_number(l->arena, TYPE_I32, 0));
    stmt_append(all, axes_loops(l, &w.taps, body));
    bool places = root->op == OP_window_argmax;
    l->twin_value = places ? max_value : place_value;
    stmt_append(all, lower_epilogue(l, places ? place_value : max_value, &w.at));
    kernel_end(l, axes_loops(l, &w.axes, all));
}

/* picked = 0;  for taps { if tap == taps[o]: picked = x } */
static void lower_window_pick(Lowering *l, Node *root)
{
    Window w = window_begin(l, root);
    ElementType element = root->type.element;
    Buffer *picked = nest_local(l->arena, "picked", element, 1);
    Expr *value = expr_load(l->arena, picked, affine_number(0));
    Expr *same[] = {lower_read(l, root->in[1], &w.at), expr_index(l->arena, TYPE_I32, w.tap)};
    Expr *choose[] = {expr_apply(l->arena, OP_eq, TYPE_BOOL, 2, same),
                      bordered_read(l, &w.x, &w.at_x), value};
    Stmt *body = NULL, *all = stmt_local(l->arena, picked);
    set(l, &body, picked, expr_apply(l->arena, OP_select, element, 3, choose));
    set(l, &all, picked, expr_number(l->arena, element, 0));
    stmt_append(all, axes_loops(l, &w.taps, body));
    stmt_append(all, lower_epilogue(l, value, &w.at));
    kernel_end(l, axes_loops(l, &w.axes, all));
}

void lower_root_window(Lowering *l, Node *root)
{
    if (root->op == OP_window_max && !l->group->twin)
        lower_window_reduction(l, root, STORE_MAX, element_lowest(root->type.element));
    else if (root->op == OP_window_sum)
        lower_window_reduction(l, root, STORE_ADD, 0);
    else if (root->op == OP_window_max || root->op == OP_window_argmax)
        lower_window_argmax(l, root);
    else
        lower_window_pick(l, root);
}

/* ---- the way back: dx[i] = Σ over the taps k that meet it of dy[o] where taps[o] == k ---- */

typedef struct Back {
    Spatial s;
    Node *root;
    Phases phases[3];
    Border border;
    Bordered dy, taps;
} Back;

static Expr *back_term(Lowering *l, const Back *b, const Coordinates *at_y, Affine tap)
{
    ElementType element = b->root->type.element;
    Expr *value = bordered_read(l, &b->dy, at_y);
    if (b->root->op != OP_window_scatter)
        return value;
    Expr *same[] = {bordered_read(l, &b->taps, at_y), expr_index(l->arena, TYPE_I32, tap)};
    Expr *choose[] = {expr_apply(l->arena, OP_eq, TYPE_BOOL, 2, same), value,
                      expr_number(l->arena, element, 0)};
    return expr_apply(l->arena, OP_select, element, 3, choose);
}

/* The positions of one combination of phases in image n. */
static Stmt *back_nest(Lowering *l, const Back *b, const Phase *phases, Affine n)
{
    const TensorType *dx = &b->root->type;
    int last = b->s.rank + 1;
    int64_t taps = 1;
    Axes axes = {0};
    Reduction sum = {.mode = STORE_ADD, .first = expr_number(l->arena, dx->element, 0)};
    Coordinates at = {.rank = dx->rank}, at_y = {.rank = dx->rank};
    Affine tap = affine_number(0);
    at.at[0] = at_y.at[0] = n;
    for (int i = 0; i < b->s.rank; i++) {
        const Phase *p = &phases[i];
        Affine q = axes_add(l, &axes, "q", p->count), inside = axes_add(l, &axes, "p", p->inside);
        Affine t = axes_add(l, &sum.axes, "t", p->taps);
        at.at[i + 1] = affine_add(l->arena, affine_scale(l->arena, q, b->s.stride[i]),
                                  affine_add(l->arena, inside, affine_number(p->first)));
        at_y.at[i + 1] = affine_add(l->arena, q, affine_number(p->from + b->border.before[i + 1]));
        at_y.at[i + 1] =
            affine_add(l->arena, at_y.at[i + 1], affine_scale(l->arena, t, -p->from_step));
        Affine k = affine_add(l->arena, inside, affine_scale(l->arena, t, p->tap_step));
        k = affine_add(l->arena, k, affine_number(p->tap));
        tap = affine_add(l->arena, affine_scale(l->arena, tap, b->s.size[i]), k);
        taps *= p->taps;
    }
    at.at[last] = at_y.at[last] = axes_add(l, &axes, "c", dx->dims[last]);
    Expr *term = taps ? back_term(l, b, &at_y, tap) : sum.first;
    if (taps <= 1)
        return axes_loops(l, &axes, lower_epilogue(l, term, &at));
    sum.term = term;
    return axes_loops(l, &axes, lower_reduction(l, &sum, dx->element, &at));
}

/* One nest for each combination of phases. */
static Stmt *back_nests(Lowering *l, const Back *b, int axis, Phase *phases, Affine n)
{
    if (axis == b->s.rank)
        return back_nest(l, b, phases, n);
    Stmt *all = NULL;
    for (int k = 0; k < b->phases[axis].count; k++) {
        phases[axis] = b->phases[axis].list[k];
        all = stmt_append(all, back_nests(l, b, axis + 1, phases, n));
    }
    return all;
}

/* False when so many nests would be needed that no border is better. */
static bool find_phases(Lowering *l, Back *b, bool trim)
{
    enum { NESTS = 16 };
    int64_t nests = 1;
    for (int i = 0; i < b->s.rank; i++) {
        int64_t x = b->root->type.dims[i + 1], y = b->root->in[0]->type.dims[i + 1];
        b->phases[i] = (Phases){0};
        if (!lower_phases_apart(l, &b->s, i, b->s.size[i], x, y, &b->phases[i]))
            b->phases[i] = lower_phases(l, &b->s, i, b->s.size[i], x, y, trim);
        nests *= b->phases[i].count;
    }
    return nests <= NESTS;
}

static Back back_of(Lowering *l, Node *root)
{
    Back b = {.s = node_spatial(root), .root = root};
    if (!find_phases(l, &b, true))
        find_phases(l, &b, false);
    phases_border(b.phases, b.s.rank, &root->in[0]->type, &b.border);
    return b;
}

/* Outside, dy is 0, and what the taps are must be none of them. */
void scatter_border(Lowering *l, Node *root, int in, Border *border)
{
    *border = back_of(l, root).border;
    border->value = in == 1 ? -1 : 0;
}

/* One image at a time, so that images can go to different threads; where windows overlap, dy is
 * added up in the order of taps. */
void lower_root_scatter(Lowering *l, Node *root)
{
    Back b = back_of(l, root);
    Border border;
    scatter_border(l, root, 0, &border);
    b.dy = lower_bordered(l, root->in[0], &border);
    if (root->op == OP_window_scatter) {
        scatter_border(l, root, 1, &border);
        b.taps = lower_bordered(l, root->in[1], &border);
    }
    int64_t taps = 1;
    for (int i = 0; i < b.s.rank; i++)
        taps *= b.s.size[i];
    l->kernel->element_steps = type_elements(&root->in[0]->type) * taps +
                               type_elements(&root->type) * lower_group_work(l->group);
    const Var *var;
    Affine n = lower_axis(l, "n", root->type.dims[0], &var);
    Phase phases[3];
    kernel_end(l, lower_loops(l, 1, &var, &root->type.dims[0], back_nests(l, &b, 0, phases, n)));
}
