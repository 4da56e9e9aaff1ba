/* Attention as com.microsoft has it: a projection in front, or heads packed together, and other
 * kinds of masks. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/attention.h"

/* Element `which` of axis `axis`, which goes. */
static Node *one_of(OnnxOp *op, Node *x, int axis, int64_t which)
{
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT], dims[RANK_LIMIT];
    if (!x)
        return NULL;
    for (int i = 0, n = 0; i < x->type.rank; i++) {
        count[i] = x->type.dims[i];
        if (i != axis)
            dims[n++] = x->type.dims[i];
    }
    start[axis] = which;
    count[axis] = 1;
    return graph_reshape(op->f, graph_slice(op->f, x, start, count, NULL), x->type.rank - 1, dims);
}

/* `length` numbers from `from` on, of the last axis */
static Node *columns(OnnxOp *op, Node *x, int64_t from, int64_t length)
{
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT];
    if (!x)
        return NULL;
    memcpy(count, x->type.dims, sizeof count);
    start[x->type.rank - 1] = from;
    count[x->type.rank - 1] = length;
    return graph_slice(op->f, x, start, count, NULL);
}

/* Which keys are there, as a mask for scores [B, H, L, S]: lengths, [B], and where sequences begin,
 * [2·B]; or 0 and 1 for each key, or each query and key. What is not there has a score lower by
 * `filter`. */
static bool read_padding(OnnxOp *op, int i, const Attention *a, double filter, Sight *s)
{
    Node *mask = onnx_in(op, i);
    int64_t batch = a->q->type.dims[0], keys = a->k->type.dims[2];
    if (!mask)
        return !onnx_has_in(op, i);
    const int64_t *d = mask->type.dims;
    Node *whole = graph_cast(op->f, mask, TYPE_I32);
    if (mask->type.rank == 1 && d[0] == batch) {
        s->lengths = whole;
        return true;
    }
    if (mask->type.rank == 1 && d[0] == 2 * batch) {
        whole = graph_reshape(op->f, whole, 5, (int64_t[]){2, batch, 1, 1, 1});
        Node *key = graph_iota(op->f, TYPE_I32, 4, (int64_t[]){1, 1, 1, keys}, 3);
        s->mask =
            graph_binary(op->f, OP_and, graph_binary(op->f, OP_lt, key, one_of(op, whole, 0, 0)),
                         graph_binary(op->f, OP_ge, key, one_of(op, whole, 0, 1)));
        return s->mask != NULL;
    }
    if (mask->type.rank < 2 || mask->type.rank > 4 || d[mask->type.rank - 1] < keys)
        return onnx_error(op, "its mask must be lengths, or have a number for each of %lld keys",
                          (long long)keys);
    int64_t dims[] = {d[0], 1, mask->type.rank == 2 ? 1 : d[mask->type.rank - 2],
                      d[mask->type.rank - 1]};
    whole = columns(op, graph_reshape(op->f, whole, 4, dims), 0, keys);
    if (dims[2] > 1 && dims[2] != a->q->type.dims[2]) { /* of all positions: the last are ours */
        int64_t own = a->q->type.dims[2], start[] = {0, 0, keys - own, 0};
        whole = graph_slice(op->f, whole, start, (int64_t[]){dims[0], 1, own, keys}, NULL);
    }
    Node *there = onnx_compare(op, OP_gt, whole, 0);
    ElementType element = a->q->type.element;
    s->mask =
        graph_select(op->f, there, onnx_scalar(op, element, 0), onnx_scalar(op, element, filter));
    return s->mask != NULL;
}

/* Adds input i to a mask of numbers. */
static bool add_bias(OnnxOp *op, int i, Sight *s)
{
    Node *bias = onnx_in(op, i);
    if (!bias)
        return !onnx_has_in(op, i);
    if (s->mask && s->mask->type.element == TYPE_BOOL)
        return onnx_error(op, "a bias beside sequences that begin late is not supported");
    s->mask = s->mask ? graph_add(op->f, s->mask, bias) : bias;
    return s->mask != NULL;
}

/* ---- with a projection ---- */

/* Lengths of queries, keys and values in input · weights */
static bool projected_sizes(OnnxOp *op, const TensorType *w, int64_t heads, int64_t *sizes)
{
    const int64_t *given;
    int count;
    if (w->rank != 2 || heads < 1)
        return onnx_error(op, "has %lld heads, and weights of %d axes", (long long)heads, w->rank);
    bool said = onnx_ints(op, "qkv_hidden_sizes", &given, &count) && count > 0;
    if (said && count != 3)
        return onnx_error(op, "qkv_hidden_sizes has %d numbers, but 3 are needed", count);
    for (int i = 0; i < 3; i++) {
        sizes[i] = said ? given[i] : w->dims[1] / 3;
        if (sizes[i] < 1 || sizes[i] > w->dims[1] || sizes[i] % heads != 0)
            return onnx_error(op, "makes %lld heads of %lld numbers", (long long)heads,
                              (long long)sizes[i]);
    }
    return sizes[0] + sizes[1] + sizes[2] == w->dims[1] ||
           onnx_error(op, "its weights have %lld columns, but it wants %lld", (long long)w->dims[1],
                      (long long)(sizes[0] + sizes[1] + sizes[2]));
}

void onnx_build_projected_attention(OnnxOp *op)
{
    const TensorType *w = onnx_in_type(op, 1);
    Node *x = onnx_in(op, 0), *past = onnx_in(op, 4);
    int64_t heads = onnx_int(op, "num_heads", 0), sizes[3], from = 0;
    double filter = onnx_float(op, "mask_filter_value", -10000);
    Node *part[3];
    Attention a;
    if (onnx_int(op, "do_rotary", 0) != 0 || onnx_int(op, "past_present_share_buffer", 0) != 0) {
        onnx_error(op, "do_rotary and past_present_share_buffer are not supported");
        return;
    }
    onnx_ignore(op, "rotary_embedding_dim");
    if (!x || !w || !projected_sizes(op, w, heads, sizes))
        return;
    if (x->type.rank != 3 || (past && past->type.rank != 5)) {
        onnx_error(op, "takes [B, L, I] and a past of [2, B, H, P, D]");
        return;
    }
    Node *y = graph_matmul(op->f, x, onnx_in(op, 1));
    if (onnx_has_in(op, 2))
        y = graph_add(op->f, y, onnx_in(op, 2));
    for (int i = 0; i < 3; i++) {
        part[i] = onnx_split_heads(op, columns(op, y, from, sizes[i]), heads);
        from += sizes[i];
    }
    for (int i = 1; i < 3 && past; i++)
        part[i] = onnx_append(op, one_of(op, past, 0, i - 1), part[i]);
    if (!onnx_attention_start(op, part[0], part[1], part[2], &a))
        return;
    double scale = onnx_float(op, "scale", 0);
    a.scale = scale != 0 ? scale : a.scale;
    a.sight.causal = onnx_int(op, "unidirectional", 0) != 0;
    a.sight.offset = past ? past->type.dims[3] : 0;
    if (!read_padding(op, 3, &a, filter, &a.sight) || !add_bias(op, 5, &a.sight))
        return;
    onnx_out(op, 0, onnx_join_heads(op, onnx_attention(op, &a, NULL)));
    if (!onnx_wants(op, 1))
        return;
    int64_t dims[5] = {1};
    for (int i = 0; i < 4; i++)
        dims[i + 1] = part[1]->type.dims[i];
    Node *both[] = {graph_reshape(op->f, part[1], 5, dims), graph_reshape(op->f, part[2], 5, dims)};
    onnx_out(op, 1, graph_concat(op->f, 2, both, 0));
}

/* ---- with queries, keys and values ---- */

/* [B, L, H, n, D]: number `which` of n as [B, H, L, D] */
static Node *packed_part(OnnxOp *op, Node *x, int64_t which)
{
    static const int64_t order[] = {0, 2, 1, 3};
    return graph_transpose(op->f, one_of(op, x, 3, which), order);
}

/* Queries, keys and values apart, as the number of axes says they are packed. */
static bool unpack(OnnxOp *op, int64_t heads, Node **part)
{
    Node *q = onnx_in(op, 0), *k = onnx_in(op, 1), *v = onnx_in(op, 2), *bias = onnx_in(op, 3);
    if (!q || heads < 1)
        return onnx_error(op, "has %lld heads", (long long)heads);
    if (q->type.rank == 5 && !k && !bias) {
        for (int i = 0; i < 3; i++)
            part[i] = packed_part(op, q, i);
        return part[0] && part[1] && part[2];
    }
    if (q->type.rank != 3 || !k)
        return onnx_error(op, "takes [B, L, H·D], or all packed as [B, L, H, 3, D] without a bias");
    Node *in[] = {q, k, v};
    for (int64_t i = 0, from = 0; i < 3; i++) {
        bool packed = i > 0 && k->type.rank == 5 && !v;
        if (bias && (packed || !in[i] || in[i]->type.rank != 3))
            return onnx_error(op, "a bias for keys that are packed is not supported");
        if (bias) {
            int64_t length = in[i]->type.dims[2];
            in[i] = graph_add(op->f, in[i], columns(op, bias, from, length));
            from += length;
        }
        part[i] = packed ? packed_part(op, k, i - 1) : onnx_split_heads(op, in[i], heads);
        if (!part[i])
            return op->failed ? false : onnx_error(op, "has no values");
    }
    return true;
}

void onnx_build_multi_head_attention(OnnxOp *op)
{
    int64_t heads = onnx_int(op, "num_heads", 0);
    double filter = onnx_float(op, "mask_filter_value", -10000);
    Node *part[3], *past_k = onnx_in(op, 6), *past_v = onnx_in(op, 7);
    Attention a;
    Stages stages;
    if (onnx_has_in(op, 8) || onnx_has_in(op, 9)) {
        onnx_error(op, "a past in a buffer that is shared is not supported");
        return;
    }
    if (!unpack(op, heads, part))
        return;
    part[1] = onnx_append(op, past_k, part[1]);
    part[2] = onnx_append(op, past_v, part[2]);
    if (!onnx_attention_start(op, part[0], part[1], part[2], &a))
        return;
    double scale = onnx_float(op, "scale", 0);
    a.scale = scale != 0 ? scale : a.scale;
    a.sight.causal = onnx_int(op, "unidirectional", 0) != 0;
    a.sight.offset = past_k ? past_k->type.dims[2] : 0;
    if (!read_padding(op, 4, &a, filter, &a.sight) || !add_bias(op, 5, &a.sight))
        return;
    onnx_out(op, 0, onnx_join_heads(op, onnx_attention(op, &a, &stages)));
    if (onnx_wants(op, 1))
        onnx_out(op, 1, part[1]);
    if (onnx_wants(op, 2))
        onnx_out(op, 2, part[2]);
    if (onnx_wants(op, 3))
        onnx_out(op, 3, stages.scores);
}

/* ---- positions ---- */

/* Positions are [B, L], or one number where the first of them stands. */
static Node *positions_in(OnnxOp *op, int i, int64_t length)
{
    Node *given = onnx_in(op, i);
    if (!given || given->type.rank == 2)
        return given;
    Node *first = graph_reshape(op->f, given, 2, (int64_t[]){1, 1});
    Node *count = graph_iota(op->f, TYPE_I32, 2, (int64_t[]){1, length}, 1);
    return graph_add(op->f, graph_cast(op->f, first, TYPE_I32), count);
}

void onnx_build_fused_rotary(OnnxOp *op)
{
    static const int64_t order[] = {0, 2, 1, 3};
    Node *x = onnx_in(op, 0);
    const TensorType *table = onnx_in_type(op, 2);
    int64_t heads = onnx_int(op, "num_heads", 0), width = onnx_int(op, "rotary_embedding_dim", 0);
    bool neighbours = onnx_int(op, "interleaved", 0) != 0;
    double scale = onnx_float(op, "scale", 1);
    if (onnx_int(op, "is_packed_batching", 0) != 0)
        onnx_error(op, "is_packed_batching is not supported");
    if (!x || !table || op->failed)
        return;
    TensorType type = x->type;
    if (table->rank != 2 || (type.rank != 3 && type.rank != 4)) {
        onnx_error(op, "takes [B, L, H·D] or [B, H, L, D], and tables of angles");
        return;
    }
    int64_t size = width && heads ? type.dims[2] / heads : 2 * table->dims[1];
    if (type.rank == 4)
        x = graph_transpose(op->f, x, order);
    else if (size < 1 || type.dims[2] % size != 0)
        onnx_error(op, "has heads of %lld among %lld numbers", (long long)size,
                   (long long)type.dims[2]);
    else
        x = graph_reshape(op->f, x, 4,
                          (int64_t[]){type.dims[0], type.dims[1], type.dims[2] / size, size});
    if (op->failed || !x)
        return;
    Node *positions = positions_in(op, 1, x->type.dims[1]);
    x = onnx_rotate(op, x, onnx_gather(op, onnx_in(op, 2), positions, 0),
                    onnx_gather(op, onnx_in(op, 3), positions, 0), width ? width : x->type.dims[3],
                    neighbours);
    x = onnx_times(op, x, scale);
    onnx_out(op, 0,
             type.rank == 4 ? graph_transpose(op->f, x, order)
                            : graph_reshape(op->f, x, type.rank, type.dims));
}
