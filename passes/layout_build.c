/* Builds every node with its axes in the order that was chosen; see layout.c.
 *
 * A node whose value and operands keep their own order stays as it is. A transpose builds nothing
 * but what brings its operand into the order of its result. */
#include "passes/layout.h"
#include "passes/match.h"

typedef struct Builder {
    const Layout *layout;
    Function *f;
    Node **built; /* by Node.id */
} Builder;

static AxisOrder order_of(const Builder *b, const Node *node)
{
    return b->layout->orders[node->id];
}

static AxisOrder wanted_order(const Builder *b, const Node *node, int in)
{
    return order_of_operand(node, in, order_of(b, node), order_of(b, node->in[in]),
                            b->layout->any_rows[node->id]);
}

/* `places[axis]`: where it lies */
static void find_places(AxisOrder order, int rank, int64_t *places)
{
    for (int i = 0; i < rank; i++)
        places[order.axis[i]] = i;
}

/* The value of a node in another order than its own. */
static Node *in_order(Builder *b, const Node *node, AxisOrder wanted)
{
    int64_t places[RANK_LIMIT], order[RANK_LIMIT];
    int rank = node->type.rank;
    Node *value = b->built[node->id];
    if (rank <= 0 || order_equal(wanted, order_of(b, node), rank))
        return value;
    if (order_same_memory(&node->type, wanted, order_of(b, node)))
        return graph_reshape(b->f, value, rank, order_type(&node->type, wanted).dims);
    find_places(order_of(b, node), rank, places);
    for (int i = 0; i < rank; i++) {
        order[i] = places[wanted.axis[i]];
        if (value->op == OP_transpose) /* once is enough */
            order[i] = value->attr.lists[0].values[order[i]];
    }
    if (value->op == OP_transpose)
        value = value->in[0];
    return graph_transpose(b->f, value, order);
}

static Node *operand(Builder *b, const Node *node, int in)
{
    return in_order(b, node->in[in], wanted_order(b, node, in));
}

/* With an axis for each of the result's, in its order, so that it broadcasts as before; ones in
 * front are left out where the operand had none. */
static Node *aligned_operand(Builder *b, const Node *node, int in)
{
    const TensorType *type = &node->in[in]->type;
    AxisOrder order = order_of(b, node);
    int rank = node->type.rank, shift = rank - type->rank, first = 0;
    int64_t dims[RANK_LIMIT];
    for (int i = 0; i < rank; i++)
        dims[i] = order.axis[i] < shift ? 1 : type->dims[order.axis[i] - shift];
    while (rank - first > type->rank && dims[first] == 1)
        first++;
    return graph_reshape(b->f, operand(b, node, in), rank - first, dims + first);
}

/* ---- attributes ---- */

static IntList in_places(Builder *b, IntList list, AxisOrder order)
{
    int64_t values[RANK_LIMIT];
    for (int i = 0; i < list.count; i++)
        values[i] = list.values[order.axis[i]];
    return int_list(b->f->program, list.count, values);
}

/* Numbers of axes, ascending. */
static IntList moved_axes(Builder *b, IntList axes, AxisOrder order, int rank)
{
    int64_t places[RANK_LIMIT], values[RANK_LIMIT];
    int count = 0;
    bool listed[RANK_LIMIT] = {false};
    find_places(order, rank, places);
    for (int i = 0; i < axes.count; i++)
        listed[places[axes.values[i]]] = true;
    for (int i = 0; i < rank; i++)
        if (listed[i])
            values[count++] = i;
    return int_list(b->f->program, count, values);
}

/* ---- nodes ---- */

/* The rows of a matrix in the order in which the axes of `rows` that are joined lie. */
static Node *matrix_of_rows(Builder *b, const Node *rows, Node *matrix)
{
    const TensorType *type = &rows->in[0]->type;
    AxisOrder stored = wanted_order(b, rows, 0);
    Blocks blocks;
    int64_t dims[RANK_LIMIT + 1], order[RANK_LIMIT + 1];
    if (order_equal(stored, order_own(), type->rank))
        return matrix;
    shape_blocks(type, &rows->type, &blocks);
    int first = blocks.list[blocks.count - 1].from_begin, count = 0;
    for (int i = 0; i < type->rank; i++)
        if (stored.axis[i] >= first)
            order[count++] = stored.axis[i] - first;
    order[count] = count;
    for (int i = 0; i < count; i++)
        dims[i] = type->dims[first + i];
    dims[count] = matrix->type.dims[1];
    if (count + 1 > RANK_LIMIT)
        INGOT_BUG("a matrix whose rows have %d axes", count);
    Node *split = graph_reshape(b->f, matrix, count + 1, dims);
    Node *moved = graph_transpose(b->f, split, order);
    return graph_reshape(b->f, moved, 2, matrix->type.dims);
}

static Node *build_with(Builder *b, const Node *node, Node *const *in, const Attr *attr)
{
    return graph_node(b->f, node->op, node->in_count, in, attr);
}

/* Operands as they are wanted; attributes that count axes of the result or of operand 0. */
static Node *build_plain(Builder *b, const Node *node)
{
    Node **in = ARENA_ARRAY(b->f->program->arena, Node *, node->in_count);
    AxisOrder result = order_of(b, node);
    Attr attr = node->attr;
    int lists = 0;
    for (int i = 0; i < node->in_count; i++)
        in[i] = operand(b, node, i);
    if (node->op == OP_slice || node->op == OP_pad)
        lists = 3;
    else if (node->op == OP_iota || node->op == OP_concat || node->op == OP_reverse)
        attr.lists[0] = moved_axes(b, attr.lists[0], result, node->type.rank);
    else if (op_is(node->op, REDUCES))
        attr.lists[0] =
            moved_axes(b, attr.lists[0], wanted_order(b, node, 0), node->in[0]->type.rank);
    else if (node->op == OP_scatter_add)
        lists = 1;
    for (int l = 0; l < lists; l++)
        attr.lists[l] = in_places(b, attr.lists[l], result);
    if (node->op == OP_iota)
        attr.lists[1] = in_places(b, attr.lists[1], result);
    if (node->op == OP_matmul && b->layout->any_rows[node->in[0]->id])
        in[1] = matrix_of_rows(b, node->in[0], in[1]);
    return build_with(b, node, in, &attr);
}

static Node *build_elementwise(Builder *b, const Node *node)
{
    Node *in[3];
    for (int i = 0; i < node->in_count; i++)
        in[i] = aligned_operand(b, node, i);
    return build_with(b, node, in, &node->attr);
}

static Node *build(Builder *b, const Node *node)
{
    TensorType type = order_type(&node->type, order_of(b, node));
    switch (node->op) {
    case OP_transpose:
        return operand(b, node, 0);
    case OP_reshape:
        return graph_reshape(b->f, operand(b, node, 0), type.rank, type.dims);
    case OP_broadcast:
        return graph_broadcast(b->f, aligned_operand(b, node, 0), type.rank, type.dims);
    default:
        return op_is(node->op, ELEMENTWISE) ? build_elementwise(b, node) : build_plain(b, node);
    }
}

/* Does it, as it is, read values that are as they were? */
static bool stays(const Builder *b, const Node *node)
{
    bool own = order_equal(order_of(b, node), order_own(), node->type.rank);
    for (int i = 0; i < node->in_count; i++)
        own = own && b->built[node->in[i]->id] == node->in[i] &&
              order_equal(order_of(b, node->in[i]), order_own(), node->in[i]->type.rank);
    return own;
}

static void build_node(Builder *b, Node *node)
{
    b->f->place = node->place;
    if (stays(b, node)) {
        b->built[node->id] = node;
        return;
    }
    Node *built = b->built[node->id] = build(b, node);
    TensorType type = order_type(&node->type, order_of(b, node));
    if (!built || !type_equal(&built->type, &type))
        INGOT_BUG("layout: %s has another shape in another order", op_name(node->op));
    if (!built->name)
        built->name = node->name;
}

static Node *given_back(Builder *b, Node *node)
{
    return in_order(b, node, order_own());
}

void layout_build(const Layout *layout)
{
    Function *f = layout->f;
    Builder b = {layout, f, ARENA_ARRAY(f->program->arena, Node *, layout->count)};
    const char *place = f->place;
    for (int n = 0; n < layout->count; n++)
        build_node(&b, f->nodes[n]);
    for (int r = 0; r < f->result_count; r++)
        f->results[r].node = given_back(&b, f->results[r].node);
    for (int u = 0; u < f->update_count; u++)
        f->updates[u].node = given_back(&b, f->updates[u].node);
    f->place = place;
}
