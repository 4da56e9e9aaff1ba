/* Operators that read and write elements at places that are data.
 *
 *     GatherElements      out[i,j] = x[i, at[i,j]]      %0: i32[3,2] = add %at, …       offsets
 * into x %1: f32[3,2] = gather %x.flat, %0
 *
 * Places become rows of a table: x as [places, what lies behind]. They count from the end where
 * negative. What lies outside of x is undefined for ONNX; here it is some element of x. */
#include <string.h>

#include "base/checked.h"
#include "frontend/onnx/arithmetic.h"

/* Rows are i32. */
static bool few_enough(OnnxOp *op, int64_t rows)
{
    return rows <= INT32_MAX ||
           onnx_error(op, "picks from %lld places, %d are the most", (long long)rows, INT32_MAX);
}

static int64_t product(const int64_t *dims, int from, int to)
{
    int64_t elements = 1;
    for (int i = from; i < to; i++)
        elements *= dims[i];
    return elements;
}

/* x as a table of the places along its first axes; the others are what each holds. */
static Node *table_of(OnnxOp *op, Node *x, int axes)
{
    int64_t dims[RANK_LIMIT];
    int rank = x->type.rank - axes + 1;
    if (rank > RANK_LIMIT)
        return onnx_error(op, "picks nothing but whole tensors of %d axes", x->type.rank);
    dims[0] = product(x->type.dims, 0, axes);
    for (int i = 1; i < rank; i++)
        dims[i] = x->type.dims[axes + i - 1];
    return few_enough(op, dims[0]) ? graph_reshape(op->f, x, rank, dims) : NULL;
}

/* a + b, of which either may be NULL: nought. */
static Node *sum_of(OnnxOp *op, Node *a, Node *b)
{
    return a && b ? graph_add(op->f, a, b) : a ? a : b;
}

/* ---- one element for each index ---- */

/* The indices are along `axis` of `type`, and stand themselves where the other coordinates say. */
static Node *element_rows(OnnxOp *op, Node *indices, const TensorType *type, int axis)
{
    Node *rows = NULL;
    if (indices->type.rank != type->rank)
        return onnx_error(op, "has indices with %d axes for a tensor with %d", indices->type.rank,
                          type->rank);
    if (!few_enough(op, type_elements(type)))
        return NULL;
    for (int i = 0; i < type->rank; i++) {
        double stride = (double)product(type->dims, i + 1, type->rank);
        if (i != axis && indices->type.dims[i] > type->dims[i])
            return onnx_error(op, "its indices are longer than the tensor along axis %d", i);
        if (i != axis && indices->type.dims[i] == 1)
            continue;
        Node *at = i == axis ? onnx_rows(op, indices, type->dims[i])
                             : graph_iota(op->f, TYPE_I32, type->rank, indices->type.dims, i);
        rows = sum_of(op, rows, onnx_times(op, at, stride));
    }
    return rows;
}

Node *onnx_gather_elements(OnnxOp *op, Node *x, Node *indices, int axis)
{
    if (!x || !indices)
        return NULL;
    Node *rows = element_rows(op, indices, &x->type, axis);
    return rows ? graph_gather(op->f, table_of(op, x, x->type.rank), rows) : NULL;
}

void onnx_build_gather_elements(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int axis;
    if (x && onnx_axis(op, onnx_int(op, "axis", 0), x->type.rank, &axis))
        onnx_out(op, 0, onnx_gather_elements(op, x, onnx_in(op, 1), axis));
}

static bool read_mode(OnnxOp *op, Mode *mode)
{
    static const struct {
        const char *word;
        Mode mode;
    } words[] = {{"none", MODE_SET},
                 {"add", MODE_ADD},
                 {"mul", MODE_MUL},
                 {"max", MODE_MAX},
                 {"min", MODE_MIN}};
    const char *given = onnx_text(op, "reduction", "none");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, given) == 0) {
            *mode = words[i].mode;
            return true;
        }
    return onnx_error(op, "its reduction is \"%s\", but must be none, add, mul, max or min", given);
}

/* `updates` into the rows of x, which is a table of its first axes. */
static Node *scattered(OnnxOp *op, Node *x, int axes, Node *updates, Node *rows, Mode mode)
{
    Node *table = table_of(op, x, axes);
    if (!table || !updates || !rows)
        return NULL;
    int64_t dims[RANK_LIMIT], many = type_elements(&rows->type);
    memcpy(dims, table->type.dims, sizeof dims);
    dims[0] = many;
    int64_t elements;
    if (!checked_multiply(many, product(dims, 1, table->type.rank), &elements) ||
        type_elements(&updates->type) != elements)
        return onnx_error(op, "its updates do not fit its indices and its tensor");
    updates = graph_reshape(op->f, updates, table->type.rank, dims);
    table = graph_scatter(op->f, table, updates, graph_reshape(op->f, rows, 1, &many), mode);
    return graph_reshape(op->f, table, x->type.rank, x->type.dims);
}

void onnx_build_scatter_elements(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *indices = onnx_in(op, 1), *updates = onnx_in(op, 2);
    int axis;
    Mode mode;
    if (!x || !indices || !updates || !read_mode(op, &mode) ||
        !onnx_axis(op, onnx_int(op, "axis", 0), x->type.rank, &axis))
        return;
    if (!type_same_dims(&indices->type, &updates->type)) {
        onnx_error(op, "its indices and updates must have the same shape");
        return;
    }
    Node *rows = element_rows(op, indices, &x->type, axis);
    if (rows)
        onnx_out(op, 0, scattered(op, x, x->type.rank, updates, rows, mode));
}

/* ---- tuples of indices ---- */

/* The last axis of the indices holds coordinates along the axes of `type` behind the first `batch`,
 * which run along with those of the indices. *axes are how many of `type` a place takes. */
static Node *tuple_rows(OnnxOp *op, Node *indices, const TensorType *type, int batch, int *axes)
{
    int rank = indices->type.rank;
    if (rank < 1 || batch < 0 || batch >= rank || batch > type->rank ||
        indices->type.dims[rank - 1] > type->rank - batch)
        return onnx_error(op, "has indices that do not fit a tensor with %d axes", type->rank);
    int tuple = (int)indices->type.dims[rank - 1];
    *axes = batch + tuple;
    if (!few_enough(op, product(type->dims, 0, *axes)))
        return NULL;
    int64_t start[RANK_LIMIT] = {0}, count[RANK_LIMIT];
    memcpy(count, indices->type.dims, sizeof count);
    count[rank - 1] = 1;
    Node *rows = NULL;
    for (int i = 0; i < *axes; i++) {
        Node *at;
        if (i < batch) {
            if (count[i] != type->dims[i])
                return onnx_error(op, "its indices and tensor differ along batch axis %d", i);
            at = graph_iota(op->f, TYPE_I32, rank - 1, count, i);
        } else {
            start[rank - 1] = i - batch;
            at = graph_reshape(op->f, graph_slice(op->f, indices, start, count, NULL), rank - 1,
                               count);
            at = onnx_rows(op, at, type->dims[i]);
        }
        rows = sum_of(op, rows, onnx_times(op, at, (double)product(type->dims, i + 1, *axes)));
    }
    Node *first = onnx_scalar(op, TYPE_I32, 0);
    return rows ? rows : graph_broadcast(op->f, first, rank - 1, count);
}

void onnx_build_gather_nd(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *indices = onnx_in(op, 1);
    int64_t batch = onnx_int(op, "batch_dims", 0);
    int axes;
    if (!x || !indices)
        return;
    Node *rows =
        batch < 0 || batch > RANK_LIMIT
            ? onnx_error(op, "batch_dims is %lld, which is no number of axes", (long long)batch)
            : tuple_rows(op, indices, &x->type, (int)batch, &axes);
    if (rows)
        onnx_out(op, 0, graph_gather(op->f, table_of(op, x, axes), rows));
}

void onnx_build_scatter_nd(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *indices = onnx_in(op, 1);
    int axes;
    Mode mode;
    if (!x || !indices || !read_mode(op, &mode))
        return;
    Node *rows = tuple_rows(op, indices, &x->type, 0, &axes);
    if (rows)
        onnx_out(op, 0, scattered(op, x, axes, onnx_in(op, 2), rows, mode));
}

/* ---- places that are counted ---- */

static bool caches_fit(OnnxOp *op, const TensorType *cache, const TensorType *update, int axis)
{
    bool fits = cache->rank == update->rank && axis > 0;
    for (int i = 0; fits && i < cache->rank; i++)
        fits = i == axis ? update->dims[i] <= cache->dims[i] : update->dims[i] == cache->dims[i];
    return fits || onnx_error(op, "its cache and its update differ by more than the length of an "
                                  "axis behind the batch");
}

/* Rows of the update go into the cache from the place on that is said for each sample. */
void onnx_build_tensor_scatter(OnnxOp *op)
{
    Node *cache = onnx_in(op, 0), *update = onnx_in(op, 1), *first = onnx_in(op, 2);
    bool circular = onnx_text_is(op, "mode", "linear", "circular");
    int axis;
    if (!cache || !update || !onnx_axis(op, onnx_int(op, "axis", -2), cache->type.rank, &axis) ||
        !caches_fit(op, &cache->type, &update->type, axis))
        return;
    if (first && (first->type.rank != 1 || first->type.dims[0] != cache->type.dims[0])) {
        onnx_error(op, "wants one place to write at for each sample");
        return;
    }
    int64_t length = cache->type.dims[axis], dims[RANK_LIMIT];
    int rank = axis + 1;
    memcpy(dims, update->type.dims, sizeof dims);
    Node *place = graph_iota(op->f, TYPE_I32, rank, dims, axis);
    if (first) {
        int64_t column[RANK_LIMIT] = {dims[0], 1, 1, 1, 1, 1, 1, 1};
        first = graph_reshape(op->f, graph_cast(op->f, first, TYPE_I32), rank, column);
        place = graph_add(op->f, place, first);
    }
    place = circular ? graph_binary_scalar(op->f, OP_mod, place, (double)length)
                     : onnx_at_most(op, onnx_at_least(op, place, 0), (double)(length - 1));
    for (int i = 0; i < axis; i++)
        place = sum_of(op, place,
                       onnx_times(op, graph_iota(op->f, TYPE_I32, rank, dims, i),
                                  (double)product(cache->type.dims, i + 1, rank)));
    onnx_out(op, 0, scattered(op, cache, rank, update, place, MODE_SET));
}

/* The first elements along the time of each sample backwards, the others where they are. */
void onnx_build_reverse_sequence(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *lengths = onnx_in(op, 1);
    int64_t batch = onnx_int(op, "batch_axis", 1), time = onnx_int(op, "time_axis", 0);
    if (!x || !lengths)
        return;
    bool told_apart = (batch == 0 && time == 1) || (batch == 1 && time == 0);
    if (!told_apart || x->type.rank < 2) {
        onnx_error(op, "its batch_axis and time_axis must be 0 and 1");
        return;
    }
    if (lengths->type.rank != 1 || lengths->type.dims[0] != x->type.dims[batch]) {
        onnx_error(op, "wants one length for each of %lld samples", (long long)x->type.dims[batch]);
        return;
    }
    int64_t column[2] = {x->type.dims[batch], 1};
    Node *t = graph_iota(op->f, TYPE_I32, 2, x->type.dims, time);
    Node *count =
        graph_reshape(op->f, graph_cast(op->f, lengths, TYPE_I32), 2 - (batch == 1), column);
    Node *turned = graph_sub(op->f, onnx_plus(op, count, -1), t);
    t = graph_select(op->f, graph_binary(op->f, OP_lt, t, count), turned, t);
    Node *b = graph_iota(op->f, TYPE_I32, 2, x->type.dims, batch);
    double stride = (double)x->type.dims[1];
    Node *rows = time == 0 ? graph_add(op->f, onnx_times(op, t, stride), b)
                           : graph_add(op->f, onnx_times(op, b, stride), t);
    onnx_out(op, 0, graph_gather(op->f, table_of(op, x, 2), rows));
}

/* Columns of the last axis. */
void onnx_build_array_feature_extractor(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *places = onnx_in(op, 1);
    if (!x || !places)
        return;
    int64_t count = type_elements(&places->type);
    if (x->type.rank == 0) {
        onnx_error(op, "picks from a tensor without axes");
        return;
    }
    if (x->type.rank == 1)
        x = graph_reshape(op->f, x, 2, (int64_t[]){1, x->type.dims[0]});
    places = graph_reshape(op->f, places, 1, &count);
    onnx_out(op, 0, x ? onnx_gather(op, x, places, x->type.rank - 1) : NULL);
}
