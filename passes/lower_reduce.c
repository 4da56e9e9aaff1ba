/* Reductions: loops over what stays, a sum (or product, largest, smallest, where) over what goes;
 * and sums of the elements so far, with the loop along their axis inside of all others. */
#include "ir/element.h"
#include "passes/lowering.h"

/* The input's coordinates: those of the result where an axis stays, new loop axes where it is
 * reduced. */
static Coordinates input_point(Lowering *l, const Node *root, const Coordinates *at, Axes *reduced)
{
    const TensorType *from = &root->in[0]->type;
    IntList axes = root->attr.lists[0];
    bool keep = attr_integer(root, 1) != 0;
    Coordinates inner = {.rank = from->rank};
    int next = 0;
    for (int i = 0; i < from->rank; i++) {
        bool gone = false;
        for (int a = 0; a < axes.count; a++)
            gone = gone || axes.values[a] == i;
        if (gone)
            inner.at[i] = axes_add(l, reduced, "r", from->dims[i]);
        else
            inner.at[i] = at->at[next];
        next += !gone || keep;
    }
    return inner;
}

StoreMode lower_mode(Mode mode)
{
    static const StoreMode modes[MODE_COUNT] = {[MODE_SET] = STORE_SET,
                                                [MODE_ADD] = STORE_ADD,
                                                [MODE_MUL] = STORE_MUL,
                                                [MODE_MAX] = STORE_MAX,
                                                [MODE_MIN] = STORE_MIN};
    return modes[mode];
}

Expr *lower_neutral(Lowering *l, Mode mode, ElementType element)
{
    double number = mode == MODE_MUL   ? 1
                    : mode == MODE_MAX ? element_lowest(element)
                    : mode == MODE_MIN ? element_highest(element)
                                       : 0;
    return expr_number(l->arena, element, number);
}

static Mode reduce_mode(Op op)
{
    return op == OP_reduce_max       ? MODE_MAX
           : op == OP_reduce_min     ? MODE_MIN
           : op == OP_reduce_product ? MODE_MUL
                                     : MODE_ADD;
}

void lower_root_reduce(Lowering *l, Node *root)
{
    ElementType element = root->type.element;
    Axes axes = {0};
    Coordinates at = axes_of_type(l, &axes, &root->type);
    Mode mode = reduce_mode(root->op);
    Reduction reduction = {.mode = lower_mode(mode), .first = lower_neutral(l, mode, element)};
    Coordinates inner = input_point(l, root, &at, &reduction.axes);
    reduction.term = lower_read(l, root->in[0], &inner);
    l->kernel->element_steps =
        type_elements(&root->in[0]->type) + type_elements(&root->type) * lower_group_work(l->group);
    kernel_end(l, axes_loops(l, &axes, lower_reduction(l, &reduction, element, &at)));
}

/* for r { let value; let better; place = better ? r : place; best = better ? value : best } */
void lower_root_argmax(Lowering *l, Node *root)
{
    const TensorType *from = &root->in[0]->type;
    int64_t axis = attr_integer(root, 0);
    Axes axes = {0}, reduced = {0};
    Coordinates at = axes_of_type(l, &axes, &root->type), inner = {.rank = from->rank};
    Affine step = axes_add(l, &reduced, "r", from->dims[axis]);
    for (int i = 0, next = 0; i < from->rank; i++)
        inner.at[i] = i == axis ? step : at.at[next++];
    Buffer *best = nest_local(l->arena, "best", from->element, 1),
           *place = nest_local(l->arena, "place", TYPE_I32, 1);
    Affine zero = affine_number(0);
    Temp *value = ARENA_NEW(l->arena, Temp), *better = ARENA_NEW(l->arena, Temp);
    *value = (Temp){"value", from->element};
    *better = (Temp){"better", TYPE_BOOL};
    Expr *best_value = expr_load(l->arena, best, zero),
         *place_value = expr_load(l->arena, place, zero);
    Expr *compare[] = {expr_temp(l->arena, value), best_value};
    Expr *which[] = {expr_temp(l->arena, better), expr_index(l->arena, TYPE_I32, step),
                     place_value};
    Expr *what[] = {which[0], compare[0], best_value};
    Stmt *body = stmt_let(l->arena, value, lower_read(l, root->in[0], &inner));
    stmt_append(body,
                stmt_let(l->arena, better, expr_apply(l->arena, OP_gt, TYPE_BOOL, 2, compare)));
    stmt_append(body, stmt_store(l->arena, STORE_SET, place, zero,
                                 expr_apply(l->arena, OP_select, TYPE_I32, 3, which)));
    stmt_append(body, stmt_store(l->arena, STORE_SET, best, zero,
                                 expr_apply(l->arena, OP_select, from->element, 3, what)));
    Stmt *all = stmt_local(l->arena, best);
    stmt_append(all, stmt_local(l->arena, place));
    stmt_append(all,
                stmt_store(l->arena, STORE_SET, best, zero,
                           expr_number(l->arena, from->element, element_lowest(from->element))));
    stmt_append(all,
                stmt_store(l->arena, STORE_SET, place, zero, expr_number(l->arena, TYPE_I32, 0)));
    stmt_append(all, axes_loops(l, &reduced, body));
    stmt_append(all, lower_epilogue(l, place_value, &at));
    l->kernel->element_steps = 3 * type_elements(from);
    kernel_end(l, axes_loops(l, &axes, all));
}

/* local acc; acc = first; for s { acc (mode)= x; epilogue(acc) }, exclusive:
 * for s { let value = x; epilogue(acc); acc (mode)= value } */
void lower_root_cumulative(Lowering *l, Node *root)
{
    const TensorType *type = &root->type;
    int64_t axis = attr_integer(root, 0);
    Mode mode = attr_mode(root, 1);
    Axes around = {0}, along = {0};
    Coordinates at = {.rank = type->rank};
    for (int i = 0; i < type->rank; i++)
        at.at[i] = i == axis ? axes_add(l, &along, "s", type->dims[i])
                             : axes_add(l, &around, "i", type->dims[i]);
    if (attr_integer(root, 3)) /* reverse */
        at.at[axis] = affine_add(l->arena, affine_scale(l->arena, at.at[axis], -1),
                                 affine_number(type->dims[axis] - 1));
    Buffer *acc = nest_local(l->arena, "acc", type->element, 1);
    Affine zero = affine_number(0);
    Temp *value = ARENA_NEW(l->arena, Temp);
    *value = (Temp){"value", type->element};
    Stmt *body = stmt_let(l->arena, value, lower_read(l, root->in[0], &at));
    Stmt *add = stmt_store(l->arena, lower_mode(mode), acc, zero, expr_temp(l->arena, value));
    Stmt *give = lower_epilogue(l, expr_load(l->arena, acc, zero), &at);
    bool exclusive = attr_integer(root, 2) != 0;
    stmt_append(body, exclusive ? give : add);
    stmt_append(body, exclusive ? add : give);
    Stmt *all = stmt_local(l->arena, acc);
    stmt_append(all,
                stmt_store(l->arena, STORE_SET, acc, zero, lower_neutral(l, mode, type->element)));
    stmt_append(all, axes_loops(l, &along, body));
    l->kernel->may_alias = true;
    l->kernel->element_steps = type_elements(type) * (1 + lower_group_work(l->group));
    kernel_end(l, axes_loops(l, &around, all));
}
