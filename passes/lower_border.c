/* Borders: convolutions and windows read beyond the edges of their input. With numbers all around
 * it in memory no index is ever tested.
 *
 *     %2: f32[4,8,8,16] = max %1, 0                 %p1[1600*n + 160*i + 16*j + c + 176] = max(…)
 *     %3 = conv %2, %w pad=[1,1,1,1] …              and all around it %p1[…] = 0
 *
 * The kernel that computes such an input stores it straight into the inside of the larger tensor,
 * and the border too. The widest border on each side serves all readers; those that want less begin
 * further inside, and so does whoever reads the value itself. Only where its rows have to lie next
 * to each other (results, reshapes, products whose loops over rows and columns become one) it is
 * stored without a border as well.
 *
 * What no kernel stores (inputs, states), what is stored in parts and wanted without a border as
 * well (concat), and what is wanted with other numbers around it (a maximum wants the least there
 * are), is copied into a larger tensor. */
#include <string.h>

#include "passes/lowering.h"
#include "passes/match.h"

static bool is_wide(const Border *border, int rank)
{
    for (int i = 0; i < rank; i++)
        if (border->before[i] || border->after[i])
            return true;
    return false;
}

static bool same_number(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Is there a border that the operation wants around its operand number `in`? */
static bool find_border(Lowering *l, Node *reader, int in, Border *border)
{
    *border = (Border){.value = 0};
    if (op_is(reader->op, CONTRACTS) && reader->op != OP_matmul && in == 0)
        contract_border(l, reader, border);
    else if (reader->op == OP_window_scatter || reader->op == OP_window_spread)
        scatter_border(l, reader, in, border);
    else if (op_is(reader->op, WINDOWS) && in == 0)
        window_border(reader, border);
    return is_wide(border, reader->in[in]->type.rank);
}

static TensorType bordered_type(const TensorType *inside, const Border *border)
{
    TensorType type = *inside;
    for (int i = 0; i < type.rank; i++)
        type.dims[i] += border->before[i] + border->after[i];
    return type;
}

/* ---- images of few channels, in the order in which they lie ---- */

static bool reads_as_stored(Lowering *l, Node *root)
{
    Border border;
    return node_reads_few_channels(root) && !winograd_border(l, root, &border);
}

/* What lies behind transposes; axis i of `node` is axis axes[i] of it. */
static Node *behind_transposes(const Lowering *l, Node *node, int *axes)
{
    for (int i = 0; i < node->type.rank; i++)
        axes[i] = i;
    for (; node->op == OP_transpose && !l->fusion->group_of[node->id]; node = node->in[0])
        for (int i = 0; i < node->type.rank; i++)
            axes[i] = (int)node->attr.lists[0].values[axes[i]];
    return node;
}

static Border moved_border(const Border *border, const int *axes, int rank)
{
    Border moved = {.value = border->value};
    for (int i = 0; i < rank; i++) {
        moved.before[axes[i]] = border->before[i];
        moved.after[axes[i]] = border->after[i];
    }
    return moved;
}

/* ---- which values are stored with a border ---- */

bool is_stored_by_kernel(const Lowering *l, const Node *node)
{
    const Group *group = l->fusion->group_of[node->id];
    return group && l->fusion->stored[node->id] && (!group->root || node_has_epilogue(group->root));
}

static bool is_joined_here(const Lowering *l, const Node *node)
{
    return node->op == OP_concat && l->fusion->group_of[node->id] && l->fusion->stored[node->id];
}

static void widen(Lowering *l, Node *node, const Border *border)
{
    Padded *padded = l->bordered[node->id];
    if (!padded) {
        padded = l->bordered[node->id] = ARENA_NEW(l->arena, Padded);
        padded->node = node;
        padded->border = *border;
    }
    if (!same_number(padded->border.value, border->value))
        return;
    for (int i = 0; i < node->type.rank; i++) {
        int64_t *before = &padded->border.before[i], *after = &padded->border.after[i];
        *before = *before > border->before[i] ? *before : border->before[i];
        *after = *after > border->after[i] ? *after : border->after[i];
    }
}

static bool is_strided(const Node *node)
{
    Spatial s = node_spatial(node);
    for (int i = 0; i < s.rank; i++)
        if (s.stride[i] > 1)
            return true;
    return false;
}

bool reads_inside(Lowering *l, Node *reader, int in)
{
    const Group *group = l->fusion->group_of[reader->id];
    Border border;
    if (!group || reader != group->root)
        return op_is(reader->op, ELEMENTWISE);
    if (find_border(l, reader, in, &border))
        return true;
    if (!op_is(reader->op, CONTRACTS))
        return op_is(reader->op, REDUCES | WINDOWS) || reader->op == OP_pad ||
               reader->op == OP_concat;
    if (reader->op == OP_matmul || (in == 1 && reader->op != OP_conv_filter))
        return false;
    return is_strided(reader) || (in == 1 && find_border(l, reader, 0, &border));
}

/* The operand, or what is seen through it, has the border that the root wants. */
static void widen_operand(Lowering *l, Node *root, int in)
{
    int axes[RANK_LIMIT];
    Border border;
    Node *node = root->in[in];
    if (!find_border(l, root, in, &border))
        return;
    if (in == 0 && reads_as_stored(l, root)) {
        node = behind_transposes(l, node, axes);
        border = moved_border(&border, axes, node->type.rank);
    }
    if (is_stored_by_kernel(l, node) || is_joined_here(l, node))
        widen(l, node, &border);
}

/* Who cannot read a value in its border wants it without. A transpose reads as its readers do. */
static void mark_plain(Lowering *l)
{
    const Function *f = l->function;
    bool *plain = ARENA_ARRAY(l->arena, bool, f->node_count + 1);
    for (int n = f->node_count - 1; n >= 0; n--) {
        Node *node = f->nodes[n];
        for (int i = 0; i < node->in_count; i++) {
            const Node *in = node->in[i];
            bool seen = in->op == OP_transpose && i == 0 && reads_as_stored(l, node);
            bool inside = node->op == OP_transpose && !l->fusion->group_of[n]
                              ? !plain[n]
                              : seen || reads_inside(l, node, i);
            plain[in->id] = plain[in->id] || !inside;
        }
        if (l->bordered[n])
            l->bordered[n]->plain = plain[n];
    }
}

void plan_borders(Lowering *l)
{
    const Function *f = l->function;
    for (int g = 0; g < l->fusion->group_count; g++) {
        Node *root = l->fusion->groups[g]->root;
        for (int i = 0; root && i < root->in_count; i++)
            widen_operand(l, root, i);
    }
    mark_plain(l);
    for (int u = 0; u < f->update_count; u++)
        if (l->bordered[f->updates[u].node->id])
            l->bordered[f->updates[u].node->id]->plain = true;
    for (int r = 0; r < f->result_count; r++)
        if (l->bordered[f->results[r].node->id])
            l->bordered[f->results[r].node->id]->plain = true;
    for (int n = 0; n < f->node_count; n++) {
        Padded *padded = l->bordered[n];
        if (padded && padded->plain && f->nodes[n]->op == OP_concat)
            padded = l->bordered[n] = NULL; /* its parts are stored once */
        if (!padded)
            continue;
        padded->type = bordered_type(&padded->node->type, &padded->border);
        padded->slot = lower_add_slot(l, SLOT_TEMPORARY, arena_print(l->arena, "%d.bordered", n),
                                      padded->type);
    }
}

/* ---- reading ---- */

static Affine offset_inside(Lowering *l, const TensorType *type, const int64_t *shift,
                            const Coordinates *at)
{
    Coordinates inner = *at;
    for (int i = 0; i < at->rank; i++)
        inner.at[i] = affine_add(l->arena, at->at[i], affine_number(shift[i]));
    return lower_offset(l->arena, type, &inner);
}

Expr *padded_read(Lowering *l, const Padded *padded, const Coordinates *at)
{
    return expr_load(l->arena, lower_argument(l, padded->slot),
                     offset_inside(l, &padded->type, padded->border.before, at));
}

/* The one there is with at least this border; NULL: none. */
static const Padded *find_padded(const Lowering *l, const Node *node, const Border *border)
{
    const Padded *made = l->bordered[node->id];
    if (made && !made->whole && same_number(made->border.value, border->value))
        return made;
    size_t bytes = (size_t)node->type.rank * sizeof border->before[0];
    for (const Padded *p = l->padded; p; p = p->next)
        if (p->node == node && memcmp(p->border.before, border->before, bytes) == 0 &&
            memcmp(p->border.after, border->after, bytes) == 0 &&
            same_number(p->border.value, border->value))
            return p;
    return NULL;
}

static const Padded *copy_padded(Lowering *l, Node *node, const Border *border)
{
    Padded *p = ARENA_NEW(l->arena, Padded);
    p->node = node;
    p->border = *border;
    p->type = bordered_type(&node->type, border);
    p->slot =
        lower_add_slot(l, SLOT_TEMPORARY, arena_print(l->arena, "%d.padded", node->id), p->type);
    p->next = l->padded;
    l->padded = p;
    kernel_begin(l, NULL, "pad");
    l->kernel->element_steps = type_elements(&p->type);
    Stmt *inside = lower_copy_inside(l, node, p->slot, &p->type, border->before);
    kernel_end(l, stmt_append(inside, lower_fill_border(l, p->slot, &p->type, border)));
    return p;
}

Bordered lower_bordered(Lowering *l, Node *node, const Border *border)
{
    Bordered result = {.node = node, .axes = {0, 1, 2, 3, 4, 5, 6, 7}};
    if (!is_wide(border, node->type.rank))
        return result;
    result.padded = find_padded(l, node, border);
    if (!result.padded) {
        Group *group = l->group;
        const char *name = l->kernel->name;
        result.padded = copy_padded(l, node, border);
        kernel_begin(l, group, name);
    }
    for (int i = 0; i < node->type.rank; i++)
        result.shift[i] = result.padded->border.before[i] - border->before[i];
    return result;
}

Bordered lower_bordered_image(Lowering *l, Node *root, const Border *border)
{
    int axes[RANK_LIMIT];
    if (!reads_as_stored(l, root))
        return lower_bordered(l, root->in[0], border);
    Node *node = behind_transposes(l, root->in[0], axes);
    Border moved = moved_border(border, axes, node->type.rank);
    Bordered result = lower_bordered(l, node, &moved);
    memcpy(result.axes, axes, (size_t)node->type.rank * sizeof *axes);
    return result;
}

Expr *bordered_read(Lowering *l, const Bordered *x, const Coordinates *at)
{
    Coordinates inner = {.rank = at->rank};
    for (int i = 0; i < at->rank; i++)
        inner.at[x->axes[i]] = at->at[i];
    if (!x->padded)
        return lower_read(l, x->node, &inner);
    return expr_load(l->arena, lower_argument(l, x->padded->slot),
                     offset_inside(l, &x->padded->type, x->shift, &inner));
}

/* ---- storing ---- */

Stmt *lower_store_bordered(Lowering *l, const Padded *padded, const Coordinates *at, Expr *value)
{
    Buffer *buffer = lower_argument(l, padded->slot);
    buffer->written = true;
    return stmt_store(l->arena, STORE_SET, buffer,
                      offset_inside(l, &padded->type, padded->border.before, at), value);
}

Stmt *lower_group_borders(Lowering *l)
{
    Stmt *all = NULL;
    for (int m = 0; l->group && m < l->group->member_count; m++) {
        const Padded *p = l->bordered[l->group->members[m]->id];
        if (p && !p->whole)
            all = stmt_append(all, lower_fill_border(l, p->slot, &p->type, &p->border));
    }
    return all;
}
