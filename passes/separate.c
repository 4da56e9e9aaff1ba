/* Windows along several axes are taken along one axis after another, where that is less work.
 *
 *     %1 = window_max %x size=[9,9] stride=[1,1] pad=[4,4,4,4] …
 *
 *     %1 = window_max %x size=[1,9] stride=[1,1] pad=[0,0,4,4] …
 *     %2 = window_max %1 size=[9,1] stride=[1,1] pad=[4,4,0,0] …
 *
 * The largest of a box is the largest of the largest in its rows, and so is the sum, up to the
 * order in which it is rounded: 18 steps for each element instead of 81. Not where a window's place
 * of the largest element is asked for as well: one kernel finds both. After differentiation: the
 * gradient of one large window is cheaper than that of two. */
#include "passes/passes.h"

/* Worth another kernel, and memory for what is between. */
static const double least_gain = 1.7;

static Spatial along_axis(const Spatial *all, int axis)
{
    Spatial one = {.rank = all->rank, .groups = 1};
    for (int i = 0; i < all->rank; i++)
        one.size[i] = one.stride[i] = one.dilation[i] = 1;
    one.size[axis] = all->size[axis];
    one.stride[axis] = all->stride[axis];
    one.dilation[axis] = all->dilation[axis];
    one.pad[2 * axis] = all->pad[2 * axis];
    one.pad[2 * axis + 1] = all->pad[2 * axis + 1];
    return one;
}

/* Along an axis with one tap, no step and no padding there is nothing to do. */
static bool does_nothing(const Spatial *s, int axis)
{
    return s->size[axis] == 1 && s->stride[axis] == 1 && !s->pad[2 * axis] && !s->pad[2 * axis + 1];
}

/* Steps for one element of the result, all at once or axis by axis, the last one first. */
static bool is_worth_it(const Node *node, const Spatial *s)
{
    double direct = 1, separate = 0, elements = 1;
    int axes = 0;
    for (int i = 0; i < s->rank; i++) {
        direct *= (double)s->size[i];
        separate += elements * (double)s->size[i]; /* axis i is done when those before are not */
        elements *= (double)node->in[0]->type.dims[i + 1] / (double)node->type.dims[i + 1];
        axes += s->size[i] > 1;
    }
    return axes > 1 && direct > least_gain * separate;
}

static bool same_window(const Node *a, const Node *b)
{
    for (int i = 0; i < 4; i++)
        if (!int_list_equal(a->attr.lists[i], b->attr.lists[i]))
            return false;
    return a->in[0] == b->in[0];
}

static bool place_is_wanted(const Function *f, const Node *node)
{
    for (int i = 0; node->op == OP_window_max && i < f->node_count; i++)
        if (f->nodes[i]->op == OP_window_argmax && same_window(f->nodes[i], node))
            return true;
    return false;
}

static Node *separated(Function *f, const Node *node, const Spatial *s)
{
    Node *x = node->in[0];
    for (int i = s->rank - 1; i >= 0; i--) {
        Spatial one = along_axis(s, i);
        if (!does_nothing(&one, i))
            x = graph_window(f, node->op, x, &one);
    }
    return x;
}

bool pass_separate(Function *f)
{
    const char *place = f->place;
    int count = f->node_count;
    bool changed = false;
    for (int i = 0; i < count; i++) {
        Node *node = f->nodes[i];
        for (int j = 0; j < node->in_count; j++)
            node->in[j] = node_resolve(node->in[j]);
        if ((node->op != OP_window_max && node->op != OP_window_sum) || !type_elements(&node->type))
            continue;
        Spatial s = node_spatial(node);
        if (!is_worth_it(node, &s) || place_is_wanted(f, node))
            continue;
        f->place = node->place;
        node->replacement = separated(f, node, &s);
        node->replacement->name = node->name;
        changed = true;
    }
    f->place = place;
    if (changed)
        function_clean(f);
    return changed;
}
