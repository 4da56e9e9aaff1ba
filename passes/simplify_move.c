/* Identities of data movement.
 *
 *     reshape∘reshape, transpose∘transpose, broadcast∘broadcast, slice∘slice, pad∘pad → one of them
 *     what changes nothing → its operand        transpose that moves axes of length 1 only →
 * reshape slice of pad, of concat, of broadcast → of what is in there        concat of concat → one
 *     concat of neighbouring slices → one slice (which may be all there was)
 *     anything of one broadcast number → that number, broadcast */
#include "passes/simplify.h"

#include <string.h>

#include "passes/match.h"

static bool all_equal(IntList list, int64_t value)
{
    for (int i = 0; i < list.count; i++)
        if (list.values[i] != value)
            return false;
    return true;
}

/* The only element of what `x` is a broadcast of, as a scalar; NULL when x is none. */
static Node *broadcast_number(Rewriter *r, Node *x)
{
    if (x->op != OP_broadcast || type_elements(&x->in[0]->type) != 1)
        return NULL;
    return graph_reshape(r->f, x->in[0], 0, NULL);
}

static Node *number_of_shape(Rewriter *r, Node *x, const Node *node)
{
    Node *number = broadcast_number(r, x);
    return number ? graph_broadcast(r->f, number, node->type.rank, node->type.dims) : NULL;
}

Node *simplify_reshape(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (type_same_dims(&x->type, &node->type))
        return x;
    if (x->op == OP_reshape)
        return graph_reshape(r->f, x->in[0], node->type.rank, node->type.dims);
    return number_of_shape(r, x, node);
}

/* Do the axes longer than 1 keep their order? Then nothing moves in memory. */
static bool moves_nothing(const Node *transpose)
{
    IntList order = transpose->attr.lists[0];
    int64_t last = -1;
    for (int i = 0; i < order.count; i++) {
        if (transpose->type.dims[i] == 1)
            continue;
        if (order.values[i] < last)
            return false;
        last = order.values[i];
    }
    return true;
}

Node *simplify_transpose(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (moves_nothing(node))
        return graph_reshape(r->f, x, node->type.rank, node->type.dims);
    if (x->op == OP_transpose) {
        int64_t order[RANK_LIMIT];
        for (int i = 0; i < node->type.rank; i++)
            order[i] = x->attr.lists[0].values[node->attr.lists[0].values[i]];
        return graph_transpose(r->f, x->in[0], order);
    }
    return number_of_shape(r, x, node);
}

/* A reshape that only puts axes of length 1 in front, as broadcasting would by itself: x of it,
 * else NULL */
static Node *without_leading_ones(Node *x)
{
    if (x->op != OP_reshape || x->in[0]->type.rank >= x->type.rank)
        return NULL;
    const TensorType *from = &x->in[0]->type;
    int added = x->type.rank - from->rank;
    for (int i = 0; i < x->type.rank; i++)
        if (x->type.dims[i] != (i < added ? 1 : from->dims[i - added]))
            return NULL;
    return x->in[0];
}

Node *simplify_broadcast(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (type_same_dims(&x->type, &node->type))
        return x;
    Node *inner = x->op == OP_broadcast ? x->in[0] : without_leading_ones(x);
    return inner ? graph_broadcast(r->f, inner, node->type.rank, node->type.dims) : NULL;
}

static Node *slice_of_slice(Rewriter *r, const Node *outer, const Node *inner)
{
    int64_t start[RANK_LIMIT], step[RANK_LIMIT];
    for (int i = 0; i < outer->type.rank; i++) {
        int64_t inner_step = inner->attr.lists[2].values[i];
        start[i] = inner->attr.lists[0].values[i] + outer->attr.lists[0].values[i] * inner_step;
        step[i] = outer->attr.lists[2].values[i] * inner_step;
    }
    return graph_slice(r->f, inner->in[0], start, outer->type.dims, step);
}

/* Where every element the slice takes is one of the padded tensor's, not of the padding. With
 * interior padding element i of the inner lies at before + i·(interior+1). */
static Node *slice_of_pad(Rewriter *r, const Node *slice, const Node *pad)
{
    int64_t start[RANK_LIMIT], step[RANK_LIMIT];
    for (int i = 0; i < slice->type.rank; i++) {
        int64_t pitch = pad->attr.lists[2].values[i] + 1;
        int64_t first = slice->attr.lists[0].values[i] - pad->attr.lists[0].values[i];
        int64_t count = slice->type.dims[i], length = pad->in[0]->type.dims[i];
        step[i] = slice->attr.lists[2].values[i];
        if (count == 0 || first < 0 || first % pitch != 0 || (count > 1 && step[i] % pitch != 0))
            return NULL;
        start[i] = first / pitch;
        step[i] = count > 1 ? step[i] / pitch : 1;
        if (start[i] + (count - 1) * step[i] >= length)
            return NULL;
    }
    return graph_slice(r->f, pad->in[0], start, slice->type.dims, step);
}

/* Where the slice stays within one of the parts */
static Node *slice_of_concat(Rewriter *r, const Node *slice, const Node *concat)
{
    int64_t axis = attr_integer(concat, 0), begin = 0, start[RANK_LIMIT];
    memcpy(start, slice->attr.lists[0].values, (size_t)slice->type.rank * sizeof *start);
    if (slice->type.dims[axis] == 0)
        return NULL;
    int64_t last = start[axis] + (slice->type.dims[axis] - 1) * slice->attr.lists[2].values[axis];
    for (int i = 0; i < concat->in_count; i++) {
        int64_t end = begin + concat->in[i]->type.dims[axis];
        if (start[axis] >= begin && last < end) {
            start[axis] -= begin;
            return graph_slice(r->f, concat->in[i], start, slice->type.dims,
                               slice->attr.lists[2].values);
        }
        begin = end;
    }
    return NULL;
}

/* Slices what is broadcast along the axes it has itself, then broadcasts that. */
static Node *slice_of_broadcast(Rewriter *r, const Node *slice, const Node *broadcast)
{
    Node *x = broadcast->in[0];
    int added = broadcast->type.rank - x->type.rank;
    int64_t start[RANK_LIMIT], count[RANK_LIMIT], step[RANK_LIMIT];
    for (int i = 0; i < x->type.rank; i++) {
        bool whole = x->type.dims[i] == 1;
        start[i] = whole ? 0 : slice->attr.lists[0].values[i + added];
        count[i] = whole ? 1 : slice->type.dims[i + added];
        step[i] = whole ? 1 : slice->attr.lists[2].values[i + added];
    }
    Node *part = graph_slice(r->f, x, start, count, step);
    return graph_broadcast(r->f, part, slice->type.rank, slice->type.dims);
}

Node *simplify_slice(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (type_same_dims(&x->type, &node->type))
        return x;
    switch (x->op) {
    case OP_slice:
        return slice_of_slice(r, node, x);
    case OP_pad:
        return slice_of_pad(r, node, x);
    case OP_concat:
        return slice_of_concat(r, node, x);
    case OP_broadcast:
        return slice_of_broadcast(r, node, x);
    default:
        return NULL;
    }
}

static Node *pad_of_pad(Rewriter *r, const Node *outer, const Node *inner)
{
    int64_t before[RANK_LIMIT], after[RANK_LIMIT];
    bool same_value = memcmp(&outer->attr.number, &inner->attr.number, sizeof(double)) == 0;
    if (!same_value || !all_equal(outer->attr.lists[2], 0) || !all_equal(inner->attr.lists[2], 0))
        return NULL;
    for (int i = 0; i < outer->type.rank; i++) {
        before[i] = outer->attr.lists[0].values[i] + inner->attr.lists[0].values[i];
        after[i] = outer->attr.lists[1].values[i] + inner->attr.lists[1].values[i];
    }
    return graph_pad(r->f, inner->in[0], before, after, NULL, outer->attr.number);
}

Node *simplify_pad(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    if (type_same_dims(&x->type, &node->type))
        return x;
    return x->op == OP_pad ? pad_of_pad(r, node, x) : NULL;
}

/* Does `next` go on along `axis` where `part` ends, both being slices with step 1 there of one
 * tensor? */
static bool continues(const Node *part, const Node *next, int64_t axis)
{
    if (part->op != OP_slice || next->op != OP_slice || part->in[0] != next->in[0])
        return false;
    for (int i = 0; i < part->type.rank; i++) {
        int64_t start = part->attr.lists[0].values[i];
        if (i == axis)
            start += part->type.dims[i];
        if (next->attr.lists[0].values[i] != start)
            return false;
    }
    return int_list_equal(part->attr.lists[2], next->attr.lists[2]) &&
           part->attr.lists[2].values[axis] == 1;
}

static Node *joined_slices(Rewriter *r, const Node *part, const Node *next, int64_t axis)
{
    TensorType type = part->type;
    type.dims[axis] += next->type.dims[axis];
    return graph_slice(r->f, part->in[0], part->attr.lists[0].values, type.dims,
                       part->attr.lists[2].values);
}

/* Adds `part` to the list of `count` parts, or joins it to the last of them. */
static int add_part(Rewriter *r, Node **parts, int count, Node *part, int64_t axis)
{
    if (part->type.dims[axis] == 0 && count > 0)
        return count;
    if (count > 0 && parts[count - 1]->type.dims[axis] == 0)
        count--;
    if (count > 0 && continues(parts[count - 1], part, axis)) {
        parts[count - 1] = joined_slices(r, parts[count - 1], part, axis);
        return count;
    }
    parts[count] = part;
    return count + 1;
}

static bool absorbs(const Rewriter *r, const Node *node, const Node *part)
{
    return part->op == OP_concat && attr_integer(part, 0) == attr_integer(node, 0) &&
           single_use(r, part);
}

Node *simplify_concat(Rewriter *r, Node *node)
{
    int64_t axis = attr_integer(node, 0);
    int limit = 0, count = 0;
    for (int i = 0; i < node->in_count; i++)
        limit += absorbs(r, node, node->in[i]) ? node->in[i]->in_count : 1;
    Node **parts = ARENA_ARRAY(r->f->program->arena, Node *, limit);
    bool changed = false;
    for (int i = 0; i < node->in_count; i++) {
        Node *part = node->in[i];
        bool inside = absorbs(r, node, part);
        for (int j = 0; j < (inside ? part->in_count : 1); j++)
            count = add_part(r, parts, count, inside ? node_resolve(part->in[j]) : part, axis);
        changed = changed || inside;
    }
    if (count == 1)
        return parts[0];
    return changed || count < node->in_count ? graph_concat(r->f, count, parts, axis) : NULL;
}

Node *simplify_reverse(Rewriter *r, Node *node)
{
    Node *x = node->in[0];
    IntList axes = node->attr.lists[0];
    int64_t kept[RANK_LIMIT];
    int count = 0;
    for (int i = 0; i < axes.count; i++)
        if (x->type.dims[axes.values[i]] > 1)
            kept[count++] = axes.values[i];
    if (count == 0)
        return x;
    if (x->op == OP_reverse && int_list_equal(axes, x->attr.lists[0]))
        return x->in[0];
    if (count < axes.count) {
        Attr attr = {.lists = {int_list(r->f->program, count, kept)}};
        return graph_node(r->f, OP_reverse, 1, &x, &attr);
    }
    return number_of_shape(r, x, node);
}
