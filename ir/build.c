/* Making nodes: graph_node() for any row of the op table and a short builder for each kind of
 * operation; see graph.h for their contract.
 *
 * Here alone a node comes into being, so here alone its type is inferred and its place is recorded.
 * A builder packs its arguments into an Attr; the shape rule checks them. */
#include <string.h>

#include "ir/element.h"
#include "ir/graph.h"
#include "ir/shape.h"

static Node *append(Function *f, Op op, int in_count, Node *const *in, const Attr *attr,
                    const TensorType *type)
{
    Arena *arena = f->program->arena;
    Node *node = ARENA_NEW(arena, Node);
    node->op = op;
    node->in_count = in_count;
    node->in = ARENA_ARRAY(arena, Node *, in_count);
    for (int i = 0; i < in_count; i++)
        node->in[i] = in[i];
    node->type = *type;
    node->attr = *attr;
    node->place = f->place;
    node->id = f->node_count;
    f->nodes = arena_grow(arena, f->nodes, f->node_count, &f->node_capacity, sizeof *f->nodes);
    f->nodes[f->node_count++] = node;
    if (op == OP_state)
        function_note_state(f, node);
    return node;
}

/* *given is the type of an `input` or a `constant`, and of no account to the rest. */
static Node *infer(Function *f, Op op, int in_count, Node *const *in, const Attr *attr,
                   const TensorType *given)
{
    static const Attr nothing;
    enum { FEW = 8 };
    Node *few[FEW], **resolved = few;
    if (in_count > FEW)
        resolved = ARENA_ARRAY(f->program->arena, Node *, in_count);
    for (int i = 0; i < in_count; i++) {
        resolved[i] = node_resolve(in[i]);
        if (!resolved[i])
            return NULL;
    }
    TensorType type = *given;
    ShapeQuery query = {.diag = f->program->diag,
                        .place = f->place,
                        .op = op,
                        .in_count = in_count,
                        .in = resolved,
                        .attr = attr ? attr : &nothing};
    if (!shape_infer(&query, &type))
        return NULL;
    return append(f, op, in_count, resolved, query.attr, &type);
}

Node *graph_node(Function *f, Op op, int in_count, Node *const *in, const Attr *attr)
{
    if (op == OP_input || op == OP_constant)
        INGOT_BUG("graph_node() cannot know the type of %s", op_name(op));
    TensorType none = type_scalar(TYPE_F32);
    return infer(f, op, in_count, in, attr, &none);
}

/* Leaves */

Node *graph_input(Function *f, const char *name, TensorType type)
{
    Arena *arena = f->program->arena;
    Attr attr = {.text = arena_copy_text(arena, name)};
    Node *node = infer(f, OP_input, 0, NULL, &attr, &type);
    if (!node)
        return NULL;
    f->inputs = arena_grow(arena, f->inputs, f->input_count, &f->input_capacity, sizeof *f->inputs);
    f->inputs[f->input_count++] = node;
    return node;
}

Node *graph_state(Function *f, State *state)
{
    if (!state)
        return NULL;
    Node *known = function_state_node(f, state);
    if (known)
        return known;
    Attr attr = {.state = state};
    return graph_node(f, OP_state, 0, NULL, &attr);
}

Node *graph_constant(Function *f, TensorType type, const void *data)
{
    Attr attr = {.data = data};
    return infer(f, OP_constant, 0, NULL, &attr, &type);
}

/* One element of the type, in the arena. */
static void *scalar_data(Arena *arena, ElementType element, double value)
{
    void *data = arena_alloc(arena, 8);
    if (element_is_float(element))
        element_set_number(element, data, 0, value);
    else
        element_set_integer(element, data, 0, element_saturate(element, value));
    return data;
}

Node *graph_scalar(Function *f, ElementType element, double value)
{
    return graph_constant(f, type_scalar(element), scalar_data(f->program->arena, element, value));
}

Node *graph_iota(Function *f, ElementType element, int rank, const int64_t *dims, int64_t axis)
{
    Attr attr = {.element = element};
    attr.lists[0] = int_one(f->program, axis);
    attr.lists[1] = int_list(f->program, rank, dims);
    return graph_node(f, OP_iota, 0, NULL, &attr);
}

Node *graph_random(Function *f, Node *key, int rank, const int64_t *dims)
{
    Attr attr = {0};
    attr.lists[0] = int_one(f->program, f->program->random_streams);
    attr.lists[1] = int_list(f->program, rank, dims);
    Node *node = graph_node(f, OP_random, 1, &key, &attr);
    if (node)
        f->program->random_streams++;
    return node;
}

/* Element-wise */

Node *graph_unary(Function *f, Op op, Node *x)
{
    return graph_node(f, op, 1, &x, NULL);
}

Node *graph_binary(Function *f, Op op, Node *a, Node *b)
{
    Node *in[2] = {a, b};
    return graph_node(f, op, 2, in, NULL);
}

Node *graph_select(Function *f, Node *condition, Node *yes, Node *no)
{
    Node *in[3] = {condition, yes, no};
    return graph_node(f, OP_select, 3, in, NULL);
}

Node *graph_cast(Function *f, Node *x, ElementType to)
{
    if (!x || x->type.element == to)
        return x;
    Attr attr = {.element = to};
    return graph_node(f, OP_cast, 1, &x, &attr);
}

Node *graph_binary_scalar(Function *f, Op op, Node *x, double value)
{
    if (!x)
        return NULL;
    return graph_binary(f, op, x, graph_scalar(f, x->type.element, value));
}

/* Reductions */

Node *graph_reduce(Function *f, Op op, Node *x, int axis_count, const int64_t *axes, bool keep)
{
    if (!x || axis_count == 0)
        return x;
    int64_t *sorted = ARENA_ARRAY(f->program->arena, int64_t, axis_count);
    for (int i = 0; i < axis_count; i++) {
        int j = i;
        for (; j > 0 && sorted[j - 1] > axes[i]; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = axes[i];
    }
    Attr attr = {0};
    attr.lists[0] = (IntList){.count = axis_count, .values = sorted};
    attr.lists[1] = int_one(f->program, keep);
    return graph_node(f, op, 1, &x, &attr);
}

Node *graph_reduce_all(Function *f, Op op, Node *x)
{
    static const int64_t all[RANK_LIMIT] = {0, 1, 2, 3, 4, 5, 6, 7};
    return x ? graph_reduce(f, op, x, x->type.rank, all, false) : NULL;
}

Node *graph_mean(Function *f, Node *x, int axis_count, const int64_t *axes, bool keep)
{
    double elements = 1;
    if (!x)
        return NULL;
    for (int i = 0; i < axis_count; i++)
        elements *= (double)x->type.dims[axes[i]];
    Node *sum = graph_reduce(f, OP_reduce_sum, x, axis_count, axes, keep);
    return graph_binary_scalar(f, OP_mul, sum, elements > 0 ? 1 / elements : 0);
}

Node *graph_variance(Function *f, Node *x, int axis_count, const int64_t *axes)
{
    Node *centred = graph_sub(f, x, graph_mean(f, x, axis_count, axes, true));
    return graph_mean(f, graph_mul(f, centred, centred), axis_count, axes, true);
}

Node *graph_argmax(Function *f, Node *x, int64_t axis)
{
    Attr attr = {0};
    attr.lists[0] = int_one(f->program, axis);
    return graph_node(f, OP_argmax, 1, &x, &attr);
}

Node *graph_argsort(Function *f, Node *x, bool descending)
{
    Attr attr = {.lists = {int_one(f->program, descending)}};
    return graph_node(f, OP_argsort, 1, &x, &attr);
}

Node *graph_cumulative(Function *f, Node *x, int64_t axis, Mode mode, bool exclusive, bool reverse)
{
    Program *program = f->program;
    Attr attr = {.lists = {int_one(program, axis), int_one(program, mode),
                           int_one(program, exclusive), int_one(program, reverse)}};
    return graph_node(f, OP_cumulative, 1, &x, &attr);
}

/* Contractions and windows */

/* The lists from `slot` on: stride, dilation, pad. */
static void put_spatial(Program *program, Attr *attr, int slot, const Spatial *spatial)
{
    attr->lists[slot] = int_list(program, spatial->rank, spatial->stride);
    attr->lists[slot + 1] = int_list(program, spatial->rank, spatial->dilation);
    attr->lists[slot + 2] = int_list(program, 2 * spatial->rank, spatial->pad);
}

/* `result` NULL: there is no `dims` */
static Attr conv_attr(Program *program, const Spatial *spatial, const TensorType *result)
{
    Attr attr = {0};
    put_spatial(program, &attr, 0, spatial);
    attr.lists[3] = int_one(program, spatial->groups);
    if (result)
        attr.lists[4] = int_list(program, result->rank, result->dims);
    return attr;
}

static Attr window_attr(Program *program, const Spatial *spatial, const TensorType *result)
{
    Attr attr = {0};
    attr.lists[0] = int_list(program, spatial->rank, spatial->size);
    put_spatial(program, &attr, 1, spatial);
    if (result)
        attr.lists[4] = int_list(program, result->rank, result->dims);
    return attr;
}

Node *graph_matmul(Function *f, Node *a, Node *b)
{
    return graph_binary(f, OP_matmul, a, b);
}

Node *graph_conv(Function *f, Node *x, Node *w, const Spatial *spatial)
{
    Attr attr = conv_attr(f->program, spatial, NULL);
    return graph_node(f, OP_conv, 2, (Node *[]){x, w}, &attr);
}

Node *graph_conv_transpose(Function *f, Node *y, Node *w, const Spatial *spatial,
                           const TensorType *result)
{
    Attr attr = conv_attr(f->program, spatial, result);
    return graph_node(f, OP_conv_transpose, 2, (Node *[]){y, w}, &attr);
}

Node *graph_conv_filter(Function *f, Node *x, Node *dy, const Spatial *spatial,
                        const TensorType *result)
{
    Attr attr = conv_attr(f->program, spatial, result);
    return graph_node(f, OP_conv_filter, 2, (Node *[]){x, dy}, &attr);
}

Node *graph_window(Function *f, Op op, Node *x, const Spatial *spatial)
{
    Attr attr = window_attr(f->program, spatial, NULL);
    return graph_node(f, op, 1, &x, &attr);
}

Node *graph_window_pick(Function *f, Node *x, Node *taps, const Spatial *spatial)
{
    Attr attr = window_attr(f->program, spatial, NULL);
    return graph_node(f, OP_window_pick, 2, (Node *[]){x, taps}, &attr);
}

Node *graph_window_scatter(Function *f, Node *dy, Node *taps, const Spatial *spatial,
                           const TensorType *result)
{
    Attr attr = window_attr(f->program, spatial, result);
    return graph_node(f, OP_window_scatter, 2, (Node *[]){dy, taps}, &attr);
}

Node *graph_window_spread(Function *f, Node *dy, const Spatial *spatial, const TensorType *result)
{
    Attr attr = window_attr(f->program, spatial, result);
    return graph_node(f, OP_window_spread, 1, &dy, &attr);
}

Spatial node_spatial(const Node *node)
{
    const IntList *lists = node->attr.lists;
    Spatial spatial = {.groups = 1};
    if (op_is(node->op, CONTRACTS)) {
        spatial.groups = lists[3].values[0];
    } else {
        memcpy(spatial.size, lists[0].values, (size_t)lists[0].count * sizeof(int64_t));
        lists++;
    }
    spatial.rank = lists[0].count;
    for (int i = 0; i < spatial.rank; i++) {
        spatial.stride[i] = lists[0].values[i];
        spatial.dilation[i] = lists[1].values[i];
        spatial.pad[2 * i] = lists[2].values[2 * i];
        spatial.pad[2 * i + 1] = lists[2].values[2 * i + 1];
    }
    return spatial;
}

/* Data movement */

static Node *with_list(Function *f, Op op, Node *x, int count, const int64_t *values)
{
    Attr attr = {0};
    attr.lists[0] = int_list(f->program, count, values);
    return graph_node(f, op, 1, &x, &attr);
}

static bool has_dims(const Node *x, int rank, const int64_t *dims)
{
    return x->type.rank == rank &&
           (rank == 0 || memcmp(x->type.dims, dims, (size_t)rank * sizeof *dims) == 0);
}

Node *graph_reshape(Function *f, Node *x, int rank, const int64_t *dims)
{
    if (!x || has_dims(x, rank, dims))
        return x;
    return with_list(f, OP_reshape, x, rank, dims);
}

Node *graph_transpose(Function *f, Node *x, const int64_t *order)
{
    return x ? with_list(f, OP_transpose, x, x->type.rank, order) : NULL;
}

Node *graph_transpose_matrix(Function *f, Node *x)
{
    int64_t order[RANK_LIMIT] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (!x)
        return NULL;
    int rank = x->type.rank;
    if (rank < 2)
        INGOT_BUG("the transposed matrix of a tensor with %d axes", rank);
    order[rank - 1] = rank - 2;
    order[rank - 2] = rank - 1;
    return graph_transpose(f, x, order);
}

Node *graph_broadcast(Function *f, Node *x, int rank, const int64_t *dims)
{
    if (!x || has_dims(x, rank, dims))
        return x;
    return with_list(f, OP_broadcast, x, rank, dims);
}

Node *graph_reverse(Function *f, Node *x, int axis_count, const int64_t *axes)
{
    return with_list(f, OP_reverse, x, axis_count, axes);
}

Node *graph_slice(Function *f, Node *x, const int64_t *start, const int64_t *count,
                  const int64_t *step)
{
    static const int64_t ones[RANK_LIMIT] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (!x)
        return NULL;
    Attr attr = {0};
    attr.lists[0] = int_list(f->program, x->type.rank, start);
    attr.lists[1] = int_list(f->program, x->type.rank, count);
    attr.lists[2] = int_list(f->program, x->type.rank, step ? step : ones);
    return graph_node(f, OP_slice, 1, &x, &attr);
}

Node *graph_pad(Function *f, Node *x, const int64_t *before, const int64_t *after,
                const int64_t *interior, double value)
{
    static const int64_t zeros[RANK_LIMIT];
    if (!x)
        return NULL;
    Attr attr = {.number = value};
    attr.lists[0] = int_list(f->program, x->type.rank, before);
    attr.lists[1] = int_list(f->program, x->type.rank, after);
    attr.lists[2] = int_list(f->program, x->type.rank, interior ? interior : zeros);
    return graph_node(f, OP_pad, 1, &x, &attr);
}

Node *graph_concat(Function *f, int count, Node *const *parts, int64_t axis)
{
    Attr attr = {0};
    attr.lists[0] = int_one(f->program, axis);
    return graph_node(f, OP_concat, count, parts, &attr);
}

Node *graph_gather(Function *f, Node *table, Node *rows)
{
    return graph_binary(f, OP_gather, table, rows);
}

Node *graph_scatter(Function *f, Node *base, Node *updates, Node *rows, Mode mode)
{
    Attr attr = {.lists = {int_one(f->program, mode)}};
    return graph_node(f, OP_scatter, 3, (Node *[]){base, updates, rows}, &attr);
}

Node *graph_scatter_add(Function *f, Node *updates, Node *rows, int rank, const int64_t *dims)
{
    Attr attr = {0};
    attr.lists[0] = int_list(f->program, rank, dims);
    return graph_node(f, OP_scatter_add, 2, (Node *[]){updates, rows}, &attr);
}

/* Composites */

Node *graph_softmax(Function *f, Op op, Node *x, int64_t axis)
{
    return with_list(f, op, x, 1, &axis);
}

Node *graph_normalize(Function *f, Node *x, int axis_count, const int64_t *axes, double epsilon)
{
    Attr attr = {.number = epsilon};
    attr.lists[0] = int_list(f->program, axis_count, axes);
    return x ? graph_node(f, OP_normalize, 1, &x, &attr) : NULL;
}
