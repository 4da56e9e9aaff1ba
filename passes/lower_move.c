/* Data movement that cannot be read in place: borders, joining, picking rows and writing to rows.
 */
#include <string.h>

#include "passes/lowering.h"

enum { PARTS_IN_KERNEL = 128 };

static Stmt *store_at(Lowering *l, Slot *slot, const TensorType *type, const Coordinates *at,
                      Expr *value)
{
    Buffer *out = lower_argument(l, slot);
    out->written = true;
    return stmt_store(l->arena, STORE_SET, out, lower_offset(l->arena, type, at), value);
}

/* Fills the box [from, to) of a tensor with a number. */
static Stmt *fill_box(Lowering *l, Slot *slot, const TensorType *type, const int64_t *from,
                      const int64_t *to, double value)
{
    Axes axes = {0};
    Coordinates at = {.rank = type->rank};
    for (int i = 0; i < type->rank; i++) {
        if (from[i] >= to[i])
            return NULL;
        at.at[i] =
            affine_add(l->arena, axes_add(l, &axes, "i", to[i] - from[i]), affine_number(from[i]));
    }
    return axes_loops(l, &axes,
                      store_at(l, slot, type, &at, expr_number(l->arena, type->element, value)));
}

/* Border and inside are disjoint boxes: axis by axis, what lies before and after it, with earlier
 * axes inside. Each element is written once, so that boxes can be shared out. */
Stmt *lower_fill_border(Lowering *l, Slot *slot, const TensorType *type, const Border *border)
{
    const int64_t *before = border->before, *after = border->after;
    int64_t from[RANK_LIMIT], to[RANK_LIMIT];
    Stmt *all = NULL;
    for (int i = 0; i < type->rank; i++) {
        from[i] = 0;
        to[i] = type->dims[i];
    }
    for (int i = 0; i < type->rank; i++) {
        to[i] = before[i];
        all = stmt_append(all, fill_box(l, slot, type, from, to, border->value));
        from[i] = type->dims[i] - after[i];
        to[i] = type->dims[i];
        all = stmt_append(all, fill_box(l, slot, type, from, to, border->value));
        from[i] = before[i];
        to[i] = type->dims[i] - after[i];
    }
    return all;
}

static Stmt *copy_inside(Lowering *l, Node *source, Slot *slot, const TensorType *type,
                         const int64_t *before, const int64_t *step)
{
    Axes axes = {0};
    Coordinates from = axes_of_type(l, &axes, &source->type), to = from;
    for (int i = 0; i < type->rank; i++)
        to.at[i] = affine_add(l->arena, affine_scale(l->arena, from.at[i], step[i]),
                              affine_number(before[i]));
    return axes_loops(l, &axes, store_at(l, slot, type, &to, lower_read(l, source, &from)));
}

static const int64_t no_gap[RANK_LIMIT] = {1, 1, 1, 1, 1, 1, 1, 1};

Stmt *lower_copy_inside(Lowering *l, Node *source, Slot *slot, const TensorType *type,
                        const int64_t *before)
{
    return copy_inside(l, source, slot, type, before, no_gap);
}

void lower_root_pad(Lowering *l, Node *root)
{
    Border border = {.value = root->attr.number};
    int64_t step[RANK_LIMIT] = {0};
    bool gaps = false;
    for (int i = 0; i < root->type.rank; i++) {
        border.before[i] = root->attr.lists[0].values[i];
        border.after[i] = root->attr.lists[1].values[i];
        step[i] = 1 + root->attr.lists[2].values[i];
        gaps = gaps || step[i] > 1;
    }
    Slot *slot = lower_slot(l, root);
    l->kernel->element_steps = type_elements(&root->type);
    Stmt *inside = is_joined(l, root->in[0], root)
                       ? NULL
                       : copy_inside(l, root->in[0], slot, &root->type, border.before, step);
    if (!gaps) {
        kernel_end(l, stmt_append(inside, lower_fill_border(l, slot, &root->type, &border)));
        return;
    }
    const int64_t origin[RANK_LIMIT] = {0};
    l->kernel->ordered = true; /* filled first, then overwritten */
    kernel_end(
        l, stmt_append(fill_box(l, slot, &root->type, origin, root->type.dims, root->attr.number),
                       inside));
}

/* A kernel copies up to PARTS_IN_KERNEL parts: what takes compiling one grows faster than it. */
void lower_root_concat(Lowering *l, Node *root)
{
    int64_t axis = attr_integer(root, 0);
    Home home = lower_home(l, root);
    Stmt *all = NULL;
    const char *name = l->kernel->name;
    int copied = 0;
    for (int p = 0; p < root->in_count; p++) {
        if (!is_joined(l, root->in[p], root)) {
            if (copied++ == PARTS_IN_KERNEL) {
                kernel_end(l, all);
                kernel_begin(l, l->group, name);
                all = NULL;
                copied = 1;
            }
            all = stmt_append(all, copy_inside(l, root->in[p], home.slot, &home.type,
                                               home.border.before, no_gap));
            l->kernel->element_steps += type_elements(&root->in[p]->type);
        }
        home.border.before[axis] += root->in[p]->type.dims[axis];
    }
    const Padded *place = l->bordered[root->id];
    if (all || (place && !place->whole))
        kernel_end(l, all);
}

/* The number of a row, brought into 0 … rows-1. */
static Expr *clamped_row(Lowering *l, Node *rows, const Coordinates *at, int64_t count)
{
    Expr *low[] = {lower_read(l, rows, at), expr_number(l->arena, TYPE_I32, 0)};
    Expr *high[] = {expr_apply(l->arena, OP_max, TYPE_I32, 2, low),
                    expr_number(l->arena, TYPE_I32, (double)(count - 1))};
    return expr_apply(l->arena, OP_min, TYPE_I32, 2, high);
}

/* The axes of `rows`, then those of one row of the table. */
static Coordinates row_axes(Lowering *l, Axes *axes, const TensorType *rows,
                            const TensorType *table, Coordinates *at_row)
{
    Coordinates at = {.rank = rows->rank + table->rank - 1};
    *at_row = (Coordinates){.rank = rows->rank};
    for (int i = 0; i < rows->rank; i++)
        at.at[i] = at_row->at[i] = axes_add(l, axes, "r", rows->dims[i]);
    for (int i = 1; i < table->rank; i++)
        at.at[rows->rank + i - 1] = axes_add(l, axes, "c", table->dims[i]);
    return at;
}

/* Offset inside a row of the table: its own axes are the last ones of `at`. */
static Affine inside_row(Lowering *l, const TensorType *table, const Coordinates *at)
{
    Coordinates inner = {.rank = table->rank};
    inner.at[0] = affine_number(0);
    for (int i = 1; i < table->rank; i++)
        inner.at[i] = at->at[at->rank - table->rank + i];
    return lower_offset(l->arena, table, &inner);
}

static int64_t row_elements(const TensorType *table)
{
    return table->dims[0] ? type_elements(table) / table->dims[0] : 0;
}

void lower_root_gather(Lowering *l, Node *root)
{
    Node *table = root->in[0], *rows = root->in[1];
    Axes axes = {0};
    Coordinates at_row, at = row_axes(l, &axes, &rows->type, &table->type, &at_row);
    Node *source = fusion_source(l->fusion, table);
    if (source != table)
        INGOT_BUG("gather from a view that was not stored");
    Expr *value = expr_load(l->arena, lower_argument(l, lower_slot(l, table)),
                            inside_row(l, &table->type, &at));
    value->dynamic = clamped_row(l, rows, &at_row, table->type.dims[0]);
    value->dynamic_factor = row_elements(&table->type);
    l->kernel->element_steps = type_elements(&root->type);
    kernel_end(l, axes_loops(l, &axes, lower_epilogue(l, value, &at)));
}

void lower_root_scatter_add(Lowering *l, Node *root)
{
    Node *updates = root->in[0], *rows = root->in[1];
    Slot *slot = lower_slot(l, root);
    const int64_t origin[RANK_LIMIT] = {0};
    Stmt *clear = fill_box(l, slot, &root->type, origin, root->type.dims, 0);
    Axes axes = {0};
    Coordinates at_row, at = row_axes(l, &axes, &rows->type, &root->type, &at_row);
    Buffer *out = lower_argument(l, slot);
    out->written = true;
    Stmt *add = stmt_store(l->arena, STORE_ADD, out, inside_row(l, &root->type, &at),
                           lower_read(l, updates, &at));
    add->dynamic = clamped_row(l, rows, &at_row, root->type.dims[0]);
    add->dynamic_factor = row_elements(&root->type);
    l->kernel->ordered = true; /* two rows of updates may meet in one row of the result */
    l->kernel->element_steps = type_elements(&updates->type) + type_elements(&root->type);
    kernel_end(l, stmt_append(clear, axes_loops(l, &axes, add)));
}

/* Does the base of a scatter lie where its result is to be? */
static bool is_in_place(const Lowering *l, const Node *base, const Slot *slot)
{
    if (base->op == OP_state)
        return slot->kind == SLOT_STATE && slot->index == base->attr.state->index;
    const Destinations *d = &l->destinations[base->id];
    return l->fusion->group_of[base->id] && d->count && d->slots[0] == slot;
}

void lower_root_scatter_rows(Lowering *l, Node *root)
{
    Node *base = root->in[0], *updates = root->in[1], *rows = root->in[2];
    Group *group = l->group;
    const char *name = l->kernel->name;
    Slot *slot = lower_slot(l, root);
    if (!is_in_place(l, base, slot))
        lower_store(l, base, slot);
    kernel_begin(l, group, name);
    Axes axes = {0};
    Coordinates at_row, at = row_axes(l, &axes, &rows->type, &root->type, &at_row);
    Buffer *out = lower_argument(l, slot);
    out->written = out->read = true; /* rows that none of the updates go to stay */
    Stmt *store = stmt_store(l->arena, lower_mode(attr_mode(root, 0)), out,
                             inside_row(l, &root->type, &at), lower_read(l, updates, &at));
    store->dynamic = clamped_row(l, rows, &at_row, root->type.dims[0]);
    store->dynamic_factor = row_elements(&root->type);
    l->kernel->ordered = true;
    l->kernel->element_steps = type_elements(&updates->type);
    kernel_end(l, axes_loops(l, &axes, store));
}
