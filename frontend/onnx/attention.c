/* Attention out of products and a softmax; see attention.h.
 *
 *     %1 = mul %q, scale                       a key that is not seen has the score -∞; a query
 *     %2 = matmul %1, %kᵀ                      that sees none gives nought
 *     %3 = select %seen, %2, -∞
 *     %4 = softmax %3 axis=3
 *     %5 = matmul %4, %v
 *
 * With more heads of queries than of keys, those that share one are an axis of their own, over
 * which keys and values are broadcast: nothing is copied. */
#include "frontend/onnx/attention.h"

#include <math.h>
#include <string.h>

/* ---- heads ---- */

Node *onnx_split_heads(OnnxOp *op, Node *x, int64_t heads)
{
    static const int64_t order[] = {0, 2, 1, 3};
    if (!x || x->type.rank == 4)
        return x;
    if (x->type.rank != 3 || heads < 1 || x->type.dims[2] % heads != 0)
        return onnx_error(op, "makes %lld heads of a tensor with %d axes", (long long)heads,
                          x->type.rank);
    const int64_t *d = x->type.dims;
    x = graph_reshape(op->f, x, 4, (int64_t[]){d[0], d[1], heads, d[2] / heads});
    return graph_transpose(op->f, x, order);
}

Node *onnx_join_heads(OnnxOp *op, Node *x)
{
    static const int64_t order[] = {0, 2, 1, 3};
    if (!x)
        return NULL;
    const int64_t *d = x->type.dims;
    return graph_reshape(op->f, graph_transpose(op->f, x, order), 3,
                         (int64_t[]){d[0], d[2], d[1] * d[3]});
}

Node *onnx_append(OnnxOp *op, Node *past, Node *now)
{
    if (!past || !now)
        return past ? past : now;
    return graph_concat(op->f, 2, (Node *[]){past, now}, 2);
}

/* ---- what is seen ---- */

static Node *both(OnnxOp *op, Node *a, Node *b)
{
    return !a ? b : !b ? a : graph_binary(op->f, OP_and, a, b);
}

static Node *positions(OnnxOp *op, int64_t count, int axis)
{
    int64_t dims[] = {1, 1, 1, 1};
    dims[axis] = count;
    return graph_iota(op->f, TYPE_I32, 4, dims, axis);
}

static Node *per_batch(OnnxOp *op, Node *x)
{
    if (!x || x->type.rank != 1)
        return x ? onnx_error(op, "its lengths must be one number for each of the batch") : NULL;
    return graph_reshape(op->f, x, 4, (int64_t[]){x->type.dims[0], 1, 1, 1});
}

/* j ≤ i + offset and the like: bool [B or 1, 1, L, S]; NULL when everything is seen */
static Node *near(OnnxOp *op, const Sight *s, int64_t queries, int64_t keys)
{
    if (!s->causal && s->left < 0 && s->right < 0)
        return NULL;
    Node *own = positions(op, queries, 2), *key = positions(op, keys, 3), *seen = NULL;
    if (s->offsets)
        own = graph_add(op->f, own, per_batch(op, s->offsets));
    else if (s->offset)
        own = graph_binary_scalar(op->f, OP_add, own, (double)s->offset);
    int64_t right = s->causal && s->right != 0 ? 0 : s->right;
    if (right >= 0) {
        Node *last = right ? graph_binary_scalar(op->f, OP_add, own, (double)right) : own;
        seen = graph_binary(op->f, OP_le, key, last);
    }
    if (s->left >= 0) {
        Node *first = graph_binary_scalar(op->f, OP_sub, own, (double)s->left);
        seen = both(op, seen, graph_binary(op->f, OP_ge, key, first));
    }
    return seen;
}

/* Does every query see some key, whatever the data? */
static bool all_see(const Sight *s, int64_t queries, int64_t keys)
{
    if (s->mask || s->lengths || s->offsets)
        return false;
    int64_t right = s->causal ? 0 : s->right;
    for (int64_t i = 0; i < queries; i++) {
        int64_t own = s->offset + i;
        int64_t first = s->left >= 0 && own > s->left ? own - s->left : 0;
        int64_t last = right >= 0 && own + right < keys - 1 ? own + right : keys - 1;
        if (first > last)
            return false;
    }
    return true;
}

/* A mask may be too short: what it does not speak of is not seen. */
static Node *full_mask(OnnxOp *op, Node *mask, int64_t keys)
{
    int64_t before[RANK_LIMIT] = {0}, after[RANK_LIMIT] = {0};
    int rank = mask->type.rank;
    if (rank < 1 || rank > 4)
        return onnx_error(op, "its mask has %d axes", rank);
    int64_t length = mask->type.dims[rank - 1];
    if (length == keys || length == 1)
        return mask;
    if (length > keys)
        return onnx_error(op, "its mask speaks of %lld keys, but there are %lld", (long long)length,
                          (long long)keys);
    after[rank - 1] = keys - length;
    return graph_pad(op->f, mask, before, after, NULL,
                     mask->type.element == TYPE_BOOL ? 0 : -INFINITY);
}

typedef struct Seen {
    Node *open; /* bool, broadcast to the scores; NULL: everything */
    Node *bias; /* numbers to add; NULL: none */
    Node *rows; /* bool [.., L, 1]: the query sees something; NULL: each does */
} Seen;

static bool seen_by(OnnxOp *op, const Attention *a, ElementType element, Seen *seen)
{
    const Sight *s = &a->sight;
    int64_t queries = a->q->type.dims[2], keys = a->k->type.dims[2];
    *seen = (Seen){.open = near(op, s, queries, keys)};
    if (s->lengths)
        seen->open =
            both(op, seen->open,
                 graph_binary(op->f, OP_lt, positions(op, keys, 3), per_batch(op, s->lengths)));
    if (s->mask) {
        Node *mask = full_mask(op, s->mask, keys);
        if (!mask)
            return false;
        if (mask->type.element != TYPE_BOOL) {
            seen->bias = graph_cast(op->f, mask, element);
            mask = graph_binary_scalar(op->f, OP_gt, seen->bias, -INFINITY);
        }
        seen->open = both(op, seen->open, mask);
    }
    if (op->failed || (!seen->open && (s->mask || s->lengths)))
        return false;
    if (!seen->open || all_see(s, queries, keys))
        return true;
    int64_t last = seen->open->type.rank - 1;
    Node *count = graph_cast(op->f, seen->open, TYPE_F32);
    count = graph_reduce(op->f, OP_reduce_max, count, 1, &last, true);
    seen->rows = graph_binary_scalar(op->f, OP_gt, count, 0);
    return true;
}

/* ---- grouped heads ---- */

/* [B, H, …] as [B, K, H/K, …]; an H of 1 stays one for both. */
static Node *grouped(OnnxOp *op, Node *x, int64_t heads, int64_t shared)
{
    int64_t dims[5];
    if (!x || shared == 1)
        return x;
    int rank = x->type.rank, axis = rank - 3;
    if (axis < 0)
        return x;
    for (int i = 0, n = 0; i < rank; i++) {
        if (i == axis) {
            dims[n++] = x->type.dims[i] == 1 ? 1 : heads / shared;
            dims[n++] = x->type.dims[i] == 1 ? 1 : shared;
        } else {
            dims[n++] = x->type.dims[i];
        }
    }
    return graph_reshape(op->f, x, rank + 1, dims);
}

static Node *ungrouped(OnnxOp *op, Node *x)
{
    if (!x || x->type.rank == 4)
        return x;
    const int64_t *d = x->type.dims;
    return graph_reshape(op->f, x, 4, (int64_t[]){d[0], d[1] * d[2], d[3], d[4]});
}

/* [B, K, S, D] for all heads of a group */
static Node *for_group(OnnxOp *op, Node *x, int64_t shared)
{
    if (!x || shared == 1)
        return x;
    const int64_t *d = x->type.dims;
    return graph_reshape(op->f, x, 5, (int64_t[]){d[0], d[1], 1, d[2], d[3]});
}

/* ---- all of it ---- */

bool onnx_attention_start(OnnxOp *op, Node *q, Node *k, Node *v, Attention *a)
{
    if (!q || !k || !v)
        return false;
    if (q->type.rank != 4 || k->type.rank != 4 || v->type.rank != 4)
        return onnx_error(op, "its queries, keys and values must have 4 axes, or 3 and a number of "
                              "heads");
    const int64_t *dq = q->type.dims, *dk = k->type.dims, *dv = v->type.dims;
    if (dk[1] < 1 || dq[1] % dk[1] != 0 || dk[1] != dv[1])
        return onnx_error(op, "has %lld heads of queries, %lld of keys and %lld of values",
                          (long long)dq[1], (long long)dk[1], (long long)dv[1]);
    if (dq[0] != dk[0] || dk[0] != dv[0] || dq[3] != dk[3] || dk[2] != dv[2])
        return onnx_error(op,
                          "its queries, keys and values do not belong together: batches of "
                          "%lld, %lld and %lld, %lld and %lld numbers in a head, %lld and "
                          "%lld keys",
                          (long long)dq[0], (long long)dk[0], (long long)dv[0], (long long)dq[3],
                          (long long)dk[3], (long long)dk[2], (long long)dv[2]);
    *a = (Attention){.q = q,
                     .k = k,
                     .v = v,
                     .scale = dq[3] ? 1 / sqrt((double)dq[3]) : 1,
                     .softmax = q->type.element,
                     .sight = {.left = -1, .right = -1}};
    return true;
}

static Node *capped(OnnxOp *op, Node *scores, double cap)
{
    if (!(cap > 0))
        return scores;
    scores = graph_binary_scalar(op->f, OP_mul, scores, 1 / cap);
    return graph_binary_scalar(op->f, OP_mul, graph_unary(op->f, OP_tanh, scores), cap);
}

static Node *softmax_of(OnnxOp *op, const Attention *a, Node *scores, Node *rows)
{
    ElementType element = scores->type.element;
    if (rows) /* no number comes out of a softmax of nothing but -∞ */
        scores = graph_select(op->f, rows, scores, onnx_scalar(op, element, 0));
    scores = graph_cast(op->f, scores, a->softmax);
    if (a->change_scores)
        scores = a->change_scores(op, scores, a->context);
    if (!scores)
        return NULL;
    Node *weights = graph_softmax(op->f, OP_softmax, scores, scores->type.rank - 1);
    if (a->change_weights)
        weights = a->change_weights(op, weights, a->context);
    weights = graph_cast(op->f, weights, element);
    return rows ? graph_select(op->f, rows, weights, onnx_scalar(op, element, 0)) : weights;
}

Node *onnx_attention(OnnxOp *op, const Attention *a, Stages *stages)
{
    int64_t heads = a->q->type.dims[1], shared = heads / a->k->type.dims[1];
    ElementType element = a->q->type.element;
    Stages own;
    Seen seen;
    if (!seen_by(op, a, element, &seen))
        return NULL;
    stages = stages ? stages : &own;
    Node *q = graph_binary_scalar(op->f, OP_mul, grouped(op, a->q, heads, shared), a->scale);
    Node *k = graph_transpose_matrix(op->f, for_group(op, a->k, shared));
    Node *scores = graph_matmul(op->f, q, k);
    stages->scores = ungrouped(op, scores);
    scores = capped(op, scores, a->softcap);
    stages->capped = ungrouped(op, scores);
    if (seen.bias)
        scores = graph_add(op->f, scores, grouped(op, seen.bias, heads, shared));
    if (seen.open)
        scores = graph_select(op->f, grouped(op, seen.open, heads, shared), scores,
                              onnx_scalar(op, element, -INFINITY));
    stages->biased = ungrouped(op, scores);
    if (!scores)
        return NULL;
    Node *weights = softmax_of(op, a, scores, grouped(op, seen.rows, heads, shared));
    stages->weights = ungrouped(op, weights);
    return ungrouped(op, graph_matmul(op->f, weights, for_group(op, a->v, shared)));
}

/* ---- positions as turns ---- */

static Node *part_of(OnnxOp *op, Node *x, int axis, int64_t from, int64_t length)
{
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT];
    if (!x)
        return NULL;
    memcpy(count, x->type.dims, sizeof count);
    start[axis] = from;
    count[axis] = length;
    return graph_slice(op->f, x, start, count, NULL);
}

/* x [B, L, H, …]: two parts along `axis` as the real and imaginary parts of numbers */
static Node *turned(OnnxOp *op, Node *x, int axis, Node *cosines, Node *sines)
{
    int64_t half = x->type.dims[axis] / 2;
    Node *real = part_of(op, x, axis, 0, half), *imaginary = part_of(op, x, axis, half, half);
    Node *parts[] = {
        graph_sub(op->f, graph_mul(op->f, cosines, real), graph_mul(op->f, sines, imaginary)),
        graph_add(op->f, graph_mul(op->f, sines, real), graph_mul(op->f, cosines, imaginary))};
    return graph_concat(op->f, 2, parts, axis);
}

Node *onnx_rotate(OnnxOp *op, Node *x, Node *cosines, Node *sines, int64_t width, bool neighbours)
{
    if (!x || !cosines || !sines)
        return NULL;
    const int64_t *d = x->type.dims, *c = cosines->type.dims;
    if (x->type.rank != 4 || width < 2 || width % 2 != 0 || width > d[3] ||
        cosines->type.rank != 3 || !type_equal(&cosines->type, &sines->type) || c[2] != width / 2 ||
        c[1] != d[1] || (c[0] != 1 && c[0] != d[0]))
        return onnx_error(op,
                          "turns %lld numbers of heads of %lld by cosines and sines that do "
                          "not fit",
                          (long long)width, (long long)d[3]);
    Node *head = part_of(op, x, 3, 0, width), *rest = part_of(op, x, 3, width, d[3] - width);
    int64_t angles[] = {c[0], c[1], 1, c[2], 1};
    int64_t pairs[] = {d[0], d[1], d[2], width / 2, 2};
    cosines = graph_reshape(op->f, cosines, neighbours ? 5 : 4, angles);
    sines = graph_reshape(op->f, sines, neighbours ? 5 : 4, angles);
    if (neighbours)
        head = graph_reshape(op->f, head, 5, pairs);
    head = turned(op, head, neighbours ? 4 : 3, cosines, sines);
    if (neighbours)
        head = graph_reshape(op->f, head, 4, (int64_t[]){d[0], d[1], d[2], width});
    return width == d[3] ? head : graph_concat(op->f, 2, (Node *[]){head, rest}, 3);
}
