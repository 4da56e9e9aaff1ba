/* Which orders of a node's operands and of its result go together, so that nothing is moved.
 *
 * Runs of axes of an operand belong to runs of axes of the result: of `transpose` axis order[i] to
 * axis i, of `concat` or `pad` each to itself, of a reshape [n,6,h,w] to [n,2,3,h,w] axis 1 to axes
 * 1 and 2. Axes of one run lie next to each other, as they are; runs lie in any order. An operand
 * that is broadcast lacks axes of the result, the result of a reduction those that are reduced.
 *
 * Convolutions, windows, products and whatever is not known here want all axes as they are. */
#include <string.h>

#include "passes/layout.h"
#include "passes/match.h"

enum { ROWS_LIMIT = 1 << 23 }; /* elements of a matrix whose rows fold.c will put in order */

/* Runs of axes of an operand and of the result that belong together; either may be empty. */
typedef struct Link {
    const TensorType *from, *to;
    Block runs[2 * RANK_LIMIT];
    int count;
    int first;     /* that many runs lie in front, in this order */
    bool any_rows; /* axes of the last run can lie in any order */
} Link;

AxisOrder order_own(void)
{
    return (AxisOrder){{0, 1, 2, 3, 4, 5, 6, 7}};
}

bool order_equal(AxisOrder a, AxisOrder b, int rank)
{
    return rank <= 0 || memcmp(a.axis, b.axis, (size_t)rank) == 0;
}

bool order_same_memory(const TensorType *type, AxisOrder a, AxisOrder b)
{
    for (int i = 0, j = 0;; i++, j++) {
        while (i < type->rank && type->dims[a.axis[i]] == 1)
            i++;
        while (j < type->rank && type->dims[b.axis[j]] == 1)
            j++;
        if (i == type->rank || j == type->rank)
            return i == j;
        if (a.axis[i] != b.axis[j])
            return false;
    }
}

TensorType order_type(const TensorType *type, AxisOrder order)
{
    TensorType result = *type;
    for (int i = 0; i < type->rank; i++)
        result.dims[i] = type->dims[order.axis[i]];
    return result;
}

bool reshape_joins_rows(const Node *reshape)
{
    Blocks blocks;
    if (reshape->op != OP_reshape || !shape_blocks(&reshape->in[0]->type, &reshape->type, &blocks))
        return false;
    return blocks.list[blocks.count - 1].to_begin == reshape->type.rank - 1;
}

bool multiplies_rows(const Node *reader)
{
    const Node *matrix = reader->in_count == 2 ? reader->in[1] : NULL;
    return reader->op == OP_matmul && matrix->op == OP_constant && matrix->type.rank == 2 &&
           type_elements(&matrix->type) <= ROWS_LIMIT;
}

/* ---- runs of each operation ---- */

static void add_run(Link *link, int from, int from_count, int to, int to_count)
{
    link->runs[link->count++] = (Block){from, from + from_count, to, to + to_count};
}

/* Each axis of the operand is the one of the result that broadcasting makes it. */
static void link_elementwise(Link *link)
{
    int shift = link->to->rank - link->from->rank;
    for (int i = 0; i < link->to->rank; i++)
        add_run(link, i < shift ? 0 : i - shift, i >= shift, i, 1);
}

static void link_reduce(Link *link, IntList axes)
{
    bool keep = link->from->rank == link->to->rank;
    for (int i = 0, reduced = 0; i < link->from->rank; i++) {
        bool is_reduced = reduced < axes.count && axes.values[reduced] == i;
        reduced += is_reduced;
        add_run(link, i, 1, keep ? i : i - reduced, keep || !is_reduced);
    }
}

/* table [v,…] and rows of it [r…,…], of which the one or the other is the result */
static void link_rows(Link *link, int from_rows, int to_rows)
{
    add_run(link, 0, from_rows, 0, to_rows);
    for (int i = from_rows; i < link->from->rank; i++)
        add_run(link, i, 1, i - from_rows + to_rows, 1);
    link->first = 1;
}

static bool link_reshape(Link *link)
{
    Blocks blocks;
    if (!shape_blocks(link->from, link->to, &blocks))
        return false;
    memcpy(link->runs, blocks.list, sizeof blocks.list);
    link->count = blocks.count;
    return true;
}

/* False: the operand has to lie in its own order whatever becomes of the result. */
static bool link_operand(const Node *node, int in, bool any_rows, Link *link)
{
    *link = (Link){.from = &node->in[in]->type, .to = &node->type, .any_rows = any_rows};
    switch (node->op) {
    case OP_broadcast:
    case OP_slice:
    case OP_reverse:
    case OP_pad:
    case OP_concat:
        link_elementwise(link);
        return true;
    case OP_transpose:
        for (int i = 0; i < link->to->rank; i++)
            add_run(link, (int)node->attr.lists[0].values[i], 1, i, 1);
        return true;
    case OP_reshape:
        return link_reshape(link);
    case OP_reduce_sum:
    case OP_reduce_max:
    case OP_reduce_min:
    case OP_reduce_product:
    case OP_argmax:
        link_reduce(link, node->attr.lists[0]);
        return true;
    case OP_gather:
        link_rows(link, 1, node->in[1]->type.rank);
        return in == 0;
    case OP_scatter_add:
        link_rows(link, node->in[1]->type.rank, 1);
        return in == 0;
    case OP_scatter: /* base, updates, rows */
        link_rows(link, in == 0 ? 1 : node->in[2]->type.rank, 1);
        return in <= 1;
    default:
        if (op_is(node->op, ELEMENTWISE))
            link_elementwise(link);
        return op_is(node->op, ELEMENTWISE);
    }
}

/* Axes of the result that have to be in front, as they are. */
static int front_axes(const Node *node)
{
    Link link;
    if (node->op == OP_iota)
        return 0;
    if (node->op == OP_gather)
        return node->in[1]->type.rank;
    if (node->op == OP_scatter_add || node->op == OP_scatter)
        return 1;
    bool free = node->in_count > 0 && link_operand(node, 0, false, &link);
    return free ? 0 : node->type.rank;
}

/* ---- from one side to the other ---- */

static Link turned(const Link *link)
{
    Link result = *link;
    result.from = link->to;
    result.to = link->from;
    for (int r = 0; r < link->count; r++) {
        const Block *run = &link->runs[r];
        result.runs[r] = (Block){run->to_begin, run->to_end, run->from_begin, run->from_end};
    }
    return result;
}

typedef struct Walk {
    const Link *link;
    int run_of[RANK_LIMIT];     /* axis of `from` */
    bool moves[2 * RANK_LIMIT]; /* runs with an axis longer than 1 */
    bool done[2 * RANK_LIMIT];
    AxisOrder to;
    int count;
} Walk;

static void add_axes(Walk *walk, int run)
{
    for (int i = walk->link->runs[run].to_begin; i < walk->link->runs[run].to_end; i++)
        walk->to.axis[walk->count++] = (int8_t)i;
    walk->done[run] = true;
}

static Walk walk_begin(const Link *link)
{
    Walk walk = {.link = link};
    for (int r = 0; r < link->count; r++)
        for (int i = link->runs[r].from_begin; i < link->runs[r].from_end; i++) {
            walk.run_of[i] = r;
            walk.moves[r] = walk.moves[r] || link->from->dims[i] != 1;
        }
    return walk;
}

/* Goes through the axes of `from` in their order, and puts those of `to` that belong to them behind
 * one another. What belongs to none is not among them yet. False when a run is torn apart. */
static bool walk_axes(Walk *walk, AxisOrder from)
{
    const Link *link = walk->link;
    int run = -1, axis = -1;
    for (int i = 0; i < link->from->rank; i++) {
        int next = from.axis[i], next_run = walk->run_of[next];
        if (link->from->dims[next] == 1 && (walk->moves[next_run] || walk->done[next_run]))
            continue; /* wherever it is */
        bool any = link->any_rows && next_run == link->count - 1;
        if (!walk->done[next_run])
            add_axes(walk, next_run);
        else if (next_run != run || (next < axis && !any))
            return false;
        if (walk->moves[next_run])
            run = next_run, axis = next;
    }
    return true;
}

bool order_possible(const Node *node, AxisOrder result, bool any_rows)
{
    int front = front_axes(node);
    if (!order_equal(result, order_own(), front))
        return false;
    for (int i = 0; i < node->in_count && front < node->type.rank; i++) {
        Link link, back;
        if (!link_operand(node, i, any_rows, &link))
            continue;
        back = turned(&link);
        Walk walk = walk_begin(&back);
        if (!walk_axes(&walk, result))
            return false;
    }
    return true;
}

bool order_of_result(const Node *node, int in, AxisOrder operand, bool any_rows, AxisOrder *result)
{
    Link link;
    if (!link_operand(node, in, any_rows, &link))
        return false;
    Walk walk = walk_begin(&link);
    if (!walk_axes(&walk, operand))
        return false;
    /* axes it is broadcast along are in front; it has nothing to say about where longer ones lie */
    AxisOrder order = {{0}};
    int count = 0;
    for (int r = 0; r < link.count; r++)
        for (int i = link.runs[r].to_begin; i < link.runs[r].to_end && !walk.done[r]; i++) {
            if (link.to->dims[i] != 1 && node->op != OP_broadcast)
                return false;
            order.axis[count++] = (int8_t)i;
        }
    memcpy(order.axis + count, walk.to.axis, (size_t)walk.count);
    *result = order;
    return order_possible(node, order, any_rows);
}

/* Axes of the operand that the result lacks stay where they are stored: behind as many others. */
static AxisOrder with_lost_axes(const Walk *back, AxisOrder stored)
{
    const Link *link = back->link; /* from the result to the operand */
    bool lost[RANK_LIMIT] = {false};
    AxisOrder order = {{0}};
    int rank = link->to->rank, count = 0, kept = 0;
    for (int r = 0; r < link->count; r++)
        for (int i = link->runs[r].to_begin; i < link->runs[r].to_end; i++)
            lost[i] = !back->done[r];
    for (int i = 0; i < rank; i++) {
        if (lost[stored.axis[i]]) {
            order.axis[count++] = stored.axis[i];
            continue;
        }
        order.axis[count++] = back->to.axis[kept++];
    }
    return order;
}

AxisOrder order_of_operand(const Node *node, int in, AxisOrder result, AxisOrder stored,
                           bool any_rows)
{
    Link link, back;
    AxisOrder fitting;
    if (!link_operand(node, in, any_rows, &link))
        return order_own();
    if (any_rows && order_of_result(node, in, stored, true, &fitting) &&
        order_equal(fitting, result, node->type.rank))
        return stored;
    back = turned(&link);
    back.any_rows = false;
    Walk walk = walk_begin(&back);
    for (int r = 0; r < link.first; r++)
        if (link.runs[r].to_begin == link.runs[r].to_end)
            add_axes(&walk, r); /* in front, though nothing of the result says so */
    walk_axes(&walk, result);
    return with_lost_axes(&walk, stored);
}
