/* Contractions: matrix product, convolution and both gradients of each are one kind of nest,
 *
 *     for output axes { acc = 0; for reduced axes { acc += A[affine] * B[affine] } epilogue }
 *
 * and differ in nothing but their affine offsets. Borders are padded copies, so no index is ever
 * tested. */
#include <string.h>

#include "base/checked.h"
#include "passes/lowering.h"

static Stmt *contraction(Lowering *l, Node *root, const Axes *outer, const Coordinates *at,
                         Reduction *reduction, Expr *a, Expr *b)
{
    ElementType element = root->type.element;
    reduction->mode = STORE_ADD;
    reduction->first = expr_number(l->arena, element, 0);
    if (a && b)
        reduction->term = expr_apply(l->arena, OP_mul, element, 2, (Expr *[]){a, b});
    return axes_loops(l, outer, lower_reduction(l, reduction, element, at));
}

bool lower_has_others(const Lowering *l)
{
    const Program *program = l->module->program;
    int count = 0;
    while (l->outer)
        l = l->outer;
    for (int i = 0; i < program->function_count; i++)
        count += strcmp(program->functions[i]->name, l->function->name) == 0;
    return count > 1;
}

/* Operands that stay the same from call to call, which prepare.c can pack ahead, or in all steps of
 * a scan, in front of which they can be packed. */
static void mark_fixed(Lowering *l)
{
    enum { MANY_STEPS = 8 };
    const Lowering *function = l;
    while (function->outer)
        function = function->outer;
    bool changes = function->function->update_count > 0;
    for (int a = 0; a < l->argument_count; a++) {
        const Slot *slot = l->arguments[a];
        int64_t times = 1;
        for (const Lowering *body = l; body->depth > slot->depth; body = body->outer)
            times *= body->steps;
        bool weights = slot->kind == SLOT_CONSTANT || (slot->kind == SLOT_STATE && !changes) ||
                       slot->kind == SLOT_PREPARED;
        l->kernel->arguments[a]->fixed = weights || times >= MANY_STEPS;
        l->kernel->arguments[a]->shared = weights && lower_has_others(l);
    }
}

/* Each element of y meets the part of the filter w that makes one channel. */
static int64_t filter_work(const TensorType *y, const TensorType *w)
{
    int64_t channels = w->dims[w->rank - 1];
    return channels ? capped_multiply(type_elements(y), type_elements(w) / channels) : 0;
}

static void finish(Lowering *l, Node *root, int64_t multiply_adds, Stmt *body)
{
    mark_fixed(l);
    l->kernel->multiply_adds = multiply_adds;
    /* with few rows it is loading the operands that takes the time */
    l->kernel->element_steps = type_elements(&root->type) * lower_group_work(l->group) +
                               type_elements(&root->in[0]->type) +
                               type_elements(&root->in[1]->type);
    kernel_end(l, body);
}

/* a [.., m, k], b [.., k, n] → [.., m, n] */
static void lower_matmul(Lowering *l, Node *root)
{
    const TensorType *a = &root->in[0]->type, *b = &root->in[1]->type;
    Axes axes = {0};
    Reduction reduction = {0};
    Coordinates at = axes_of_type(l, &axes, &root->type);
    int64_t depth = a->dims[a->rank - 1];
    Affine k = axes_add(l, &reduction.axes, "k", depth);
    Coordinates at_a = lower_broadcast(a, &at), at_b = lower_broadcast(b, &at);
    at_a.at[a->rank - 2] = at.at[at.rank - 2];
    at_a.at[a->rank - 1] = k;
    at_b.at[b->rank - 2] = k;
    at_b.at[b->rank - 1] = at.at[at.rank - 1];
    Stmt *body = contraction(l, root, &axes, &at, &reduction, lower_read(l, root->in[0], &at_a),
                             lower_read(l, root->in[1], &at_b));
    finish(l, root, capped_multiply(type_elements(&root->type), depth), body);
}

/* One axis of channels in `groups` blocks: its block and place as axes, and their sum as a
 * coordinate. */
typedef struct Channels {
    Affine group, inside;
} Channels;

static Affine channel_of(Lowering *l, const Channels *c, int64_t inside_extent)
{
    return affine_add(l->arena, affine_scale(l->arena, c->group, inside_extent), c->inside);
}

/* Kernel sizes of the convolution a node belongs to: the leading dims of its weights. */
static void kernel_sizes(const TensorType *weights, int64_t sizes[3])
{
    for (int i = 0; i < weights->rank - 2; i++)
        sizes[i] = weights->dims[i];
}

void spatial_border(const Spatial *s, const int64_t *kernel, const TensorType *x,
                    const TensorType *y, Border *border)
{
    *border = (Border){.value = 0};
    for (int i = 0; i < s->rank; i++) {
        int64_t reach = (y->dims[i + 1] - 1) * s->stride[i] + (kernel[i] - 1) * s->dilation[i] + 1;
        border->before[i + 1] = s->pad[2 * i];
        int64_t missing = reach - s->pad[2 * i] - x->dims[i + 1];
        border->after[i + 1] = missing > 0 ? missing : 0;
    }
}

static Bordered bordered_input(Lowering *l, Node *root, const Spatial *s, const int64_t *sizes,
                               const TensorType *y)
{
    Border border;
    spatial_border(s, sizes, &root->in[0]->type, y, &border);
    return lower_bordered_image(l, root, &border);
}

static const char *const outer_names[] = {"oh", "ow", "od"};
static const char *const tap_names[] = {"kh", "kw", "kd"};

static Affine tap_position(Lowering *l, const Spatial *s, int i, Affine out, Affine tap)
{
    return affine_add(l->arena, affine_scale(l->arena, out, s->stride[i]),
                      affine_scale(l->arena, tap, s->dilation[i]));
}

/* y[n, o.., g·OC+oc] = Σ x[n, o·stride + k·dilation, g·IC+ic] · w[k.., ic, g·OC+oc] */
static void lower_conv(Lowering *l, Node *root)
{
    Spatial s = node_spatial(root);
    const TensorType *y = &root->type, *w = &root->in[1]->type;
    int64_t sizes[3];
    kernel_sizes(w, sizes);
    Bordered x = bordered_input(l, root, &s, sizes, y);
    int last = s.rank + 1;
    Axes axes = {0};
    Reduction reduction = {0};
    Coordinates at = {.rank = y->rank}, at_x = {.rank = y->rank}, at_w = {.rank = w->rank};
    at.at[0] = at_x.at[0] = axes_add(l, &axes, "n", y->dims[0]);
    for (int i = 0; i < s.rank; i++)
        at.at[i + 1] = axes_add(l, &axes, outer_names[i], y->dims[i + 1]);
    int64_t outs = y->dims[last] / s.groups, ins = w->dims[s.rank];
    Channels out = {.group = axes_add(l, &axes, "g", s.groups)};
    out.inside = axes_add(l, &axes, "oc", outs);
    for (int i = 0; i < s.rank; i++) {
        at_w.at[i] = axes_add(l, &reduction.axes, tap_names[i], sizes[i]);
        at_x.at[i + 1] = tap_position(l, &s, i, at.at[i + 1], at_w.at[i]);
    }
    Channels in = {.group = out.group, .inside = axes_add(l, &reduction.axes, "ic", ins)};
    at.at[last] = at_w.at[s.rank + 1] = channel_of(l, &out, outs);
    at_w.at[s.rank] = in.inside;
    at_x.at[last] = channel_of(l, &in, ins);
    Expr *a = bordered_read(l, &x, &at_x);
    Stmt *body = contraction(l, root, &axes, &at, &reduction, a, lower_read(l, root->in[1], &at_w));
    finish(l, root, filter_work(y, w), body);
}

/* dw[k.., ic, g·OC+oc] = Σ x[n, o·stride + k·dilation, g·IC+ic] · dy[n, o.., g·OC+oc] */
static void lower_conv_filter(Lowering *l, Node *root)
{
    Spatial s = node_spatial(root);
    const TensorType *w = &root->type, *dy = &root->in[1]->type;
    int64_t sizes[3];
    kernel_sizes(w, sizes);
    Bordered x = bordered_input(l, root, &s, sizes, dy);
    int last = s.rank + 1;
    Axes axes = {0};
    Reduction reduction = {0};
    Coordinates at = {.rank = w->rank}, at_x = {.rank = dy->rank}, at_y = {.rank = dy->rank};
    for (int i = 0; i < s.rank; i++)
        at.at[i] = axes_add(l, &axes, tap_names[i], sizes[i]);
    int64_t outs = dy->dims[last] / s.groups, ins = w->dims[s.rank];
    Channels in = {.inside = axes_add(l, &axes, "ic", ins)};
    Channels out = {.group = axes_add(l, &axes, "g", s.groups)};
    out.inside = axes_add(l, &axes, "oc", outs);
    in.group = out.group;
    at_x.at[0] = at_y.at[0] = axes_add(l, &reduction.axes, "n", dy->dims[0]);
    for (int i = 0; i < s.rank; i++) {
        at_y.at[i + 1] = axes_add(l, &reduction.axes, outer_names[i], dy->dims[i + 1]);
        at_x.at[i + 1] = tap_position(l, &s, i, at_y.at[i + 1], at.at[i]);
    }
    at.at[s.rank] = in.inside;
    at.at[s.rank + 1] = at_y.at[last] = channel_of(l, &out, outs);
    at_x.at[last] = channel_of(l, &in, ins);
    Expr *a = bordered_read(l, &x, &at_x);
    Stmt *body = contraction(l, root, &axes, &at, &reduction, a, lower_read(l, root->in[1], &at_y));
    finish(l, root, filter_work(dy, w), body);
}

/* ---- conv_transpose: one nest for each combination of phases (lower_phase.c) ---- */

/* Worth a nest for each row at the edges: few taps, and an image that is hardly larger than they
 * are. */
static bool should_trim(const Spatial *s, const int64_t *sizes, const TensorType *y)
{
    enum { MOST_TAPS = 7, EDGES_MATTER = 10 };
    int64_t reach = (sizes[0] - 1) * s->dilation[0];
    return s->rank >= 2 && sizes[0] <= MOST_TAPS && y->dims[1] < EDGES_MATTER * reach;
}

typedef struct Transposed {
    Spatial s;
    Node *root;
    Phases phases[3];
    Bordered y;
    Border border;
} Transposed;

static Stmt *transposed_nest(Lowering *l, const Transposed *t, const Phase *phases)
{
    const TensorType *x = &t->root->type, *w = &t->root->in[1]->type;
    static const char *const names[] = {"ih", "iw", "id"};
    int last = t->s.rank + 1;
    Axes axes = {0};
    Reduction reduction = {0};
    Coordinates at = {.rank = x->rank}, at_y = {.rank = x->rank}, at_w = {.rank = w->rank};
    Affine q[3];
    bool meets = true;
    at.at[0] = at_y.at[0] = axes_add(l, &axes, "n", x->dims[0]);
    for (int i = 0; i < t->s.rank; i++) {
        q[i] = axes_add(l, &axes, names[i], phases[i].count);
        at.at[i + 1] = affine_add(l->arena, affine_scale(l->arena, q[i], t->s.stride[i]),
                                  affine_number(phases[i].first));
        meets = meets && phases[i].taps > 0;
    }
    int64_t ins = w->dims[t->s.rank], outs = w->dims[t->s.rank + 1] / t->s.groups;
    Channels in = {.group = axes_add(l, &axes, "g", t->s.groups)};
    in.inside = axes_add(l, &axes, "ic", ins);
    at.at[last] = channel_of(l, &in, ins);
    if (!meets)
        return contraction(l, t->root, &axes, &at, &reduction, NULL, NULL);
    for (int i = 0; i < t->s.rank; i++) {
        Affine tap = axes_add(l, &reduction.axes, tap_names[i], phases[i].taps);
        /* from the last tap to the first, so that y is read forwards */
        const Phase *p = &phases[i];
        int64_t last_tap = p->tap + (p->taps - 1) * p->tap_step;
        int64_t first_from = p->from - (p->taps - 1) * p->from_step;
        at_w.at[i] = affine_add(l->arena, affine_scale(l->arena, tap, -p->tap_step),
                                affine_number(last_tap));
        Affine from =
            affine_add(l->arena, q[i], affine_number(first_from + t->border.before[i + 1]));
        at_y.at[i + 1] = affine_add(l->arena, from, affine_scale(l->arena, tap, p->from_step));
    }
    Channels out = {.group = in.group, .inside = axes_add(l, &reduction.axes, "oc", outs)};
    at_w.at[t->s.rank] = in.inside;
    at_w.at[t->s.rank + 1] = at_y.at[last] = channel_of(l, &out, outs);
    return contraction(l, t->root, &axes, &at, &reduction, bordered_read(l, &t->y, &at_y),
                       lower_read(l, t->root->in[1], &at_w));
}

/* One nest for each combination of phases. */
static Stmt *transposed_nests(Lowering *l, const Transposed *t, int axis, Phase *phases)
{
    if (axis == t->s.rank)
        return transposed_nest(l, t, phases);
    Stmt *all = NULL;
    for (int k = 0; k < t->phases[axis].count; k++) {
        phases[axis] = t->phases[axis].list[k];
        all = stmt_append(all, transposed_nests(l, t, axis + 1, phases));
    }
    return all;
}

/* All but the operand itself. */
static Transposed transposed(Lowering *l, Node *root)
{
    Transposed t = {.s = node_spatial(root), .root = root};
    const TensorType *x = &root->type, *y = &root->in[0]->type;
    int64_t sizes[3];
    kernel_sizes(&root->in[1]->type, sizes);
    for (int i = 0; i < t.s.rank; i++)
        t.phases[i] = lower_phases(l, &t.s, i, sizes[i], x->dims[i + 1], y->dims[i + 1],
                                   i == 0 && should_trim(&t.s, sizes, y));
    phases_border(t.phases, t.s.rank, y, &t.border);
    return t;
}

static void lower_conv_transpose(Lowering *l, Node *root)
{
    Transposed t = transposed(l, root);
    const TensorType *y = &root->in[0]->type, *w = &root->in[1]->type;
    t.y = lower_bordered_image(l, root, &t.border);
    Phase phases[3];
    Stmt *body = transposed_nests(l, &t, 0, phases);
    finish(l, root, filter_work(y, w), body);
}

void contract_border(Lowering *l, Node *root, Border *border)
{
    Spatial s = node_spatial(root);
    bool filter = root->op == OP_conv_filter;
    int64_t sizes[3];
    kernel_sizes(filter ? &root->type : &root->in[1]->type, sizes);
    if (winograd_border(l, root, border))
        return;
    if (root->op == OP_conv_transpose)
        *border = transposed(l, root).border;
    else
        spatial_border(&s, sizes, &root->in[0]->type, filter ? &root->in[1]->type : &root->type,
                       border);
}

void lower_root_contract(Lowering *l, Node *root)
{
    if (lower_winograd(l, root))
        return;
    if (root->op == OP_matmul)
        lower_matmul(l, root);
    else if (root->op == OP_conv)
        lower_conv(l, root);
    else if (root->op == OP_conv_filter)
        lower_conv_filter(l, root);
    else
        lower_conv_transpose(l, root);
}
