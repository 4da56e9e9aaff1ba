/* TfIdfVectorizer: how often sequences of numbers stand in each row of the input.
 *
 *     pool [5, 6 | 7, 8], 2 numbers each, in a row of C
 *         %0: bool[N,C-1,2] = eq x[:, 0:C-1], [5,7]        first numbers
 *         %1: bool[N,C-1,2] = eq x[:, 1:C], [6,8]          second numbers
 *         counts = Σ over places of %0 and %1
 *
 * The numbers may stand up to max_skip_count apart from their neighbours; each distance counts. */
#include <string.h>

#include "base/checked.h"
#include "frontend/onnx/arithmetic.h"

enum { COLUMN_LIMIT = 1 << 24, COMPARISON_LIMIT = 1 << 14 };

typedef struct Grams {
    OnnxOp *op;
    Node *x; /* [N, C] */
    const int64_t *pool, *starts, *columns;
    int pool_count, start_count, column_count;
    int64_t least, most, skips;
    int64_t width; /* columns of the result */
    int64_t comparisons;
} Grams;

static bool read_grams(Grams *g)
{
    OnnxOp *op = g->op;
    g->least = onnx_int(op, "min_gram_length", 1);
    g->most = onnx_int(op, "max_gram_length", 1);
    g->skips = onnx_int(op, "max_skip_count", 0);
    if (!onnx_ints(op, "pool_int64s", &g->pool, &g->pool_count))
        return onnx_error(op, "has no pool_int64s; text is not supported");
    if (!onnx_ints(op, "ngram_counts", &g->starts, &g->start_count) ||
        !onnx_ints(op, "ngram_indexes", &g->columns, &g->column_count))
        return onnx_error(op, "says no ngram_counts or no ngram_indexes");
    if (g->skips < 0 || g->skips > g->x->type.dims[1])
        g->skips = g->skips < 0 ? 0 : g->x->type.dims[1];
    for (int i = 0; i < g->column_count; i++) {
        if (g->columns[i] < 0 || g->columns[i] >= COLUMN_LIMIT)
            return onnx_error(op, "%lld in ngram_indexes is no column", (long long)g->columns[i]);
        g->width = g->columns[i] >= g->width ? g->columns[i] + 1 : g->width;
    }
    for (int i = 0; i < g->start_count; i++)
        if (g->starts[i] < (i ? g->starts[i - 1] : 0) || g->starts[i] > g->pool_count)
            return onnx_error(op, "its ngram_counts are no places of the pool in order");
    return true;
}

/* How many comparisons there are, by the numbers of a sequence and the distances between them. */
static bool few_enough(OnnxOp *op, int64_t *comparisons, int64_t length, int64_t distances)
{
    int64_t more;
    return (checked_multiply(length, distances, &more) &&
            checked_add(*comparisons, more, comparisons) && *comparisons <= COMPARISON_LIMIT) ||
           onnx_error(op, "looks for sequences at too many distances: max_skip_count is %lld",
                      (long long)onnx_int(op, "max_skip_count", 0));
}

/* Number `at` of each of `count` sequences of `length`, from `first` of the pool on. */
static Node *numbers_at(Grams *g, const int64_t *first, int64_t count, int64_t length, int64_t at)
{
    int64_t *data = ARENA_ARRAY(g->op->arena, int64_t, count);
    for (int64_t i = 0; i < count; i++)
        data[i] = first[i * length + at];
    Node *list = graph_constant(g->op->f, type_make(TYPE_I64, 1, &count), data);
    return graph_cast(g->op->f, list, g->x->type.element);
}

/* f32[N, count]: how often each stands in x with its numbers `apart`; NULL: never, x is too short.
 */
static Node *counts_of(Grams *g, const int64_t *first, int64_t count, int64_t length, int64_t apart)
{
    OnnxOp *op = g->op;
    int64_t n = g->x->type.dims[0], places = g->x->type.dims[1] - (length - 1) * apart, axis = 1;
    Node *found = NULL;
    if (places <= 0)
        return NULL;
    for (int64_t i = 0; i < length; i++) {
        Node *part =
            graph_slice(op->f, g->x, (int64_t[]){0, i * apart}, (int64_t[]){n, places}, NULL);
        part = graph_reshape(op->f, part, 3, (int64_t[]){n, places, 1});
        part = graph_binary(op->f, OP_eq, part, numbers_at(g, first, count, length, i));
        found = found ? graph_binary(op->f, OP_and, found, part) : part;
    }
    return graph_reduce(op->f, OP_reduce_sum, graph_cast(op->f, found, TYPE_F32), 1, &axis, false);
}

/* Sequences of one length at all distances. */
static Node *group_counts(Grams *g, const int64_t *first, int64_t count, int64_t length)
{
    Node *sum = NULL;
    int64_t distances = length == 1 ? 1 : g->skips + 1;
    if (!few_enough(g->op, &g->comparisons, length, distances))
        return NULL;
    for (int64_t apart = 1; apart <= distances; apart++) {
        Node *counts = counts_of(g, first, count, length, apart);
        sum = sum && counts ? graph_add(g->op->f, sum, counts) : counts ? counts : sum;
    }
    int64_t dims[2] = {g->x->type.dims[0], count};
    return sum ? sum : graph_broadcast(g->op->f, onnx_scalar(g->op, TYPE_F32, 0), 2, dims);
}

/* Counts of all sequences, and a column of noughts behind, where those go that do not count. */
static Node *all_counts(Grams *g, int64_t *column_of)
{
    Node *parts[RANK_LIMIT * 8];
    int count = 0, id = 0, column = 0;
    for (int i = 0; i < g->start_count; i++) {
        int64_t end = i + 1 < g->start_count ? g->starts[i + 1] : g->pool_count, length = i + 1;
        int64_t grams = (end - g->starts[i]) / length;
        if (id + grams > g->column_count)
            return onnx_error(g->op, "has fewer ngram_indexes than sequences in its pool");
        if (grams > 0 && length >= g->least && length <= g->most) {
            if (count == RANK_LIMIT * 8 - 1)
                return onnx_error(g->op, "has sequences of too many lengths");
            parts[count] = group_counts(g, g->pool + g->starts[i], grams, length);
            if (!parts[count++])
                return NULL;
            for (int64_t j = 0; j < grams; j++)
                column_of[g->columns[id + j]] = column++;
        }
        id += (int)grams;
    }
    int64_t dims[2] = {g->x->type.dims[0], 1};
    parts[count++] = graph_broadcast(g->op->f, onnx_scalar(g->op, TYPE_F32, 0), 2, dims);
    for (int64_t i = 0; i < g->width; i++)
        if (column_of[i] < 0)
            column_of[i] = column;
    return graph_concat(g->op->f, count, parts, 1);
}

/* There is a weight for each sequence; in the order of the columns. */
static Node *weights_of(Grams *g, const float *weights, int count)
{
    float *ordered = ARENA_ARRAY(g->op->arena, float, g->width);
    if (count != g->column_count)
        return onnx_error(g->op, "has %d weights for %d sequences", count, g->column_count);
    for (int i = 0; i < count; i++)
        ordered[g->columns[i]] = weights[i];
    return graph_constant(g->op->f, type_make(TYPE_F32, 1, &g->width), ordered);
}

void onnx_build_tf_idf_vectorizer(OnnxOp *op)
{
    Grams g = {.op = op, .x = onnx_in(op, 0)};
    const char *mode = onnx_text(op, "mode", "TF");
    const float *weights;
    int weight_count;
    if (!g.x)
        return;
    TensorType type = g.x->type;
    bool row = type.rank < 2;
    if (row)
        g.x = graph_reshape(op->f, g.x, 2, (int64_t[]){1, type_elements(&type)});
    if (type.rank > 2 || element_is_float(type.element)) {
        onnx_error(op, "its input must be rows of whole numbers");
        return;
    }
    if (!g.x || !read_grams(&g))
        return;
    int64_t *column_of = ARENA_ARRAY(op->arena, int64_t, g.width);
    memset(column_of, -1, (size_t)g.width * sizeof *column_of);
    Node *counts = all_counts(&g, column_of);
    if (!counts)
        return;
    Node *y = onnx_gather(op, counts, onnx_list(op, (int)g.width, column_of), 1);
    if (strcmp(mode, "IDF") == 0)
        y = onnx_at_most(op, y, 1);
    if (onnx_floats(op, "weights", &weights, &weight_count) && strcmp(mode, "TF") != 0)
        y = graph_mul(op->f, y, weights_of(&g, weights, weight_count));
    onnx_out(op, 0, row ? onnx_reshape(op, y, 1, &g.width) : y);
}
