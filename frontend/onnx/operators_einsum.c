/* Einsum: products of tensors whose axes have letters, summed over those that the result lacks.
 *
 *     "bij,bjk->bik"      a batch of matrix products: matmul
 *     "ii->i"             a diagonal: a slice of the flat matrix, n + 1 apart
 *     "i,j->ij"           nothing to sum: mul of [i,1] and [1,j]
 *
 * Of more than two operands the two are multiplied first whose product takes the least work. An
 * operand is summed over letters of its own that nobody else needs before it is multiplied. */
#include <string.h>

#include "frontend/onnx/operator.h"

enum { LETTERS = 26 + 26 + RANK_LIMIT, OPERAND_LIMIT = 16 };

/* A tensor and the letters of its axes; those of "..." are 52 and up, the last one 52 +
 * RANK_LIMIT - 1. */
typedef struct Operand {
    Node *node;
    int letters[RANK_LIMIT];
    int rank;
} Operand;

typedef struct Einsum {
    OnnxOp *op;
    Operand operands[OPERAND_LIMIT];
    int count;
    int64_t length[LETTERS]; /* of their axes, which may be 1 instead; -1: unknown letter */
    bool in_result[LETTERS];
    Operand result; /* without a node */
} Einsum;

static int place_of(const Operand *operand, int letter)
{
    for (int i = 0; i < operand->rank; i++)
        if (operand->letters[i] == letter)
            return i;
    return -1;
}

static int letter_of(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* ---- the equation ---- */

/* Reads the letters of one term up to a comma, "->" or the end. `dots` is how many axes "..."
 * stands for; -1: as many as are left of `rank`. */
static const char *read_term(Einsum *e, const char *c, int rank, int dots, Operand *operand)
{
    int letters = 0;
    for (const char *d = c; *d && *d != ',' && *d != '-'; d++)
        letters += letter_of(*d) >= 0;
    if (dots < 0)
        dots = rank - letters;
    for (; *c && *c != ',' && !(c[0] == '-' && c[1] == '>'); c++) {
        if (*c == ' ')
            continue;
        bool ellipsis = strncmp(c, "...", 3) == 0;
        int added = ellipsis ? dots : 1;
        if ((!ellipsis && letter_of(*c) < 0) || added < 0 || operand->rank + added > RANK_LIMIT) {
            onnx_error(e->op, "its equation cannot be read at \"%s\"", c);
            return NULL;
        }
        for (int i = 0; i < added; i++)
            operand->letters[operand->rank++] = ellipsis ? LETTERS - added + i : letter_of(*c);
        c += ellipsis ? 2 : 0;
    }
    return c;
}

/* Without "->" the result has the axes of "...", then the letters that stand once, in order. */
static void implicit_result(Einsum *e)
{
    int times[LETTERS] = {0};
    for (int i = 0; i < e->count; i++)
        for (int j = 0; j < e->operands[i].rank; j++)
            times[e->operands[i].letters[j]]++;
    for (int letter = 52; letter < LETTERS; letter++)
        if (times[letter] && e->result.rank < RANK_LIMIT)
            e->result.letters[e->result.rank++] = letter;
    for (int letter = 0; letter < 52; letter++)
        if (times[letter] == 1 && e->result.rank < RANK_LIMIT)
            e->result.letters[e->result.rank++] = letter;
}

static bool measure(Einsum *e, const Operand *operand)
{
    for (int i = 0; i < operand->rank; i++) {
        int64_t length = operand->node->type.dims[i], *known = &e->length[operand->letters[i]];
        if (*known >= 0 && *known != 1 && length != 1 && length != *known)
            return onnx_error(e->op, "one letter stands for axes %lld and %lld long",
                              (long long)*known, (long long)length);
        *known = *known < 0 || *known == 1 ? length : *known;
    }
    return true;
}

static bool read_equation(Einsum *e)
{
    OnnxOp *op = e->op;
    const char *c = onnx_text(op, "equation", "");
    int widest = 0;
    if (op->in_count > OPERAND_LIMIT)
        return onnx_error(op, "has %d operands, %d are the most", op->in_count, OPERAND_LIMIT);
    for (int i = 0; i < op->in_count; i++) {
        Operand *operand = &e->operands[e->count++];
        operand->node = onnx_in(op, i);
        if (!operand->node)
            return false;
        c = read_term(e, c, operand->node->type.rank, -1, operand);
        if (!c)
            return false;
        if (operand->rank != operand->node->type.rank)
            return onnx_error(op, "operand %d has %d axes, but its term has %d", i,
                              operand->node->type.rank, operand->rank);
        bool last = i == op->in_count - 1;
        if (last ? *c == ',' : *c != ',')
            return onnx_error(op, "its equation has not %d terms, as it has inputs", op->in_count);
        c += !last;
        if (!measure(e, operand))
            return false;
    }
    for (int letter = 52; letter < LETTERS; letter++)
        widest += e->length[letter] >= 0;
    if (*c) {
        c = read_term(e, c + 2, 0, widest, &e->result);
        if (c && *c)
            return onnx_error(op, "its equation goes on behind the result: \"%s\"", c);
    } else {
        implicit_result(e);
    }
    for (int i = 0; c && i < e->result.rank; i++) {
        int letter = e->result.letters[i];
        if (e->in_result[letter] || place_of(&e->result, letter) != i)
            return onnx_error(op, "a letter stands twice in the result of its equation");
        bool known = false;
        for (int j = 0; j < e->count; j++)
            known = known || place_of(&e->operands[j], letter) >= 0;
        if (!known)
            return onnx_error(op, "the result of its equation has a letter that no operand has");
        e->in_result[letter] = true;
    }
    return c != NULL;
}

/* ---- one operand ---- */

static void drop_letter(Operand *operand, int at)
{
    operand->rank--;
    for (int i = at; i < operand->rank; i++)
        operand->letters[i] = operand->letters[i + 1];
}

/* Of two axes of one letter the diagonal: both go to the end, and become one. */
static void take_diagonal(Einsum *e, Operand *operand, int first, int second)
{
    OnnxOp *op = e->op;
    int rank = operand->rank;
    Node *x =
        onnx_move_axis(op, onnx_move_axis(op, operand->node, second, rank - 1), first, rank - 2);
    if (!x)
        return;
    int64_t n = x->type.dims[rank - 1], m = x->type.dims[rank - 2];
    int64_t dims[RANK_LIMIT], start[RANK_LIMIT] = {0}, step[RANK_LIMIT];
    int letter = operand->letters[first];
    memcpy(dims, x->type.dims, sizeof dims);
    for (int i = 0; i < rank; i++)
        step[i] = 1;
    dims[rank - 2] = n * m;
    x = graph_reshape(op->f, x, rank - 1, dims);
    step[rank - 2] = m == n ? n + 1 : 1; /* one of them is 1 long otherwise: all of the other */
    dims[rank - 2] = m > n ? m : n;
    operand->node = graph_slice(op->f, x, start, dims, step);
    drop_letter(operand, second);
    drop_letter(operand, first);
    operand->letters[operand->rank++] = letter;
}

static void take_diagonals(Einsum *e, Operand *operand)
{
    for (int i = 0; operand->node && i < operand->rank; i++)
        for (int j = i + 1; operand->node && j < operand->rank; j++)
            if (operand->letters[i] == operand->letters[j]) {
                take_diagonal(e, operand, i, j);
                i = -1;
                break;
            }
}

/* Sums over letters that neither the result nor another operand has, and takes axes of length 1
 * away where the letter is longer or another operand has it. */
static void sum_own(Einsum *e, Operand *operand)
{
    int64_t axes[RANK_LIMIT];
    int count = 0, kept = 0;
    for (int i = 0; operand->node && i < operand->rank; i++) {
        int letter = operand->letters[i];
        bool needed = e->in_result[letter], others = false;
        for (int j = 0; j < e->count; j++)
            others =
                others || (&e->operands[j] != operand && place_of(&e->operands[j], letter) >= 0);
        bool stretched = others && e->length[letter] != 1 && operand->node->type.dims[i] == 1;
        if (stretched || (!needed && !others))
            axes[count++] = i;
        else
            operand->letters[kept++] = letter;
    }
    operand->rank = operand->node ? kept : 0;
    operand->node = graph_reduce(e->op->f, OP_reduce_sum, operand->node, count, axes, false);
}

/* ---- two operands ---- */

/* Letters of a product: in both operands and wanted later, of the left, of the right, summed. */
typedef struct Roles {
    int batch[RANK_LIMIT], left[RANK_LIMIT], right[RANK_LIMIT], summed[RANK_LIMIT];
    int batches, lefts, rights, sums;
} Roles;

static bool wanted(const Einsum *e, int letter, int a, int b)
{
    bool found = e->in_result[letter];
    for (int i = 0; i < e->count; i++)
        found = found || (i != a && i != b && place_of(&e->operands[i], letter) >= 0);
    return found;
}

static Roles roles_of(const Einsum *e, int a, int b)
{
    Roles r = {0};
    const Operand *left = &e->operands[a], *right = &e->operands[b];
    for (int i = 0; i < left->rank; i++) {
        int letter = left->letters[i];
        if (place_of(right, letter) < 0)
            r.left[r.lefts++] = letter;
        else if (wanted(e, letter, a, b))
            r.batch[r.batches++] = letter;
        else
            r.summed[r.sums++] = letter;
    }
    for (int i = 0; i < right->rank; i++)
        if (place_of(left, right->letters[i]) < 0)
            r.right[r.rights++] = right->letters[i];
    return r;
}

static int64_t extent(const Einsum *e, const int *letters, int count)
{
    int64_t product = 1;
    for (int i = 0; i < count; i++)
        product *= e->length[letters[i]];
    return product;
}

/* The operand as [batch, x, y] of three lists of letters, or [x, y]. */
static Node *as_matrices(Einsum *e, const Operand *operand, const Roles *r, const int *x, int xs,
                         const int *y, int ys)
{
    int64_t order[RANK_LIMIT];
    int rank = 0;
    for (int i = 0; i < r->batches; i++)
        order[rank++] = place_of(operand, r->batch[i]);
    for (int i = 0; i < xs; i++)
        order[rank++] = place_of(operand, x[i]);
    for (int i = 0; i < ys; i++)
        order[rank++] = place_of(operand, y[i]);
    int64_t dims[3] = {extent(e, r->batch, r->batches), extent(e, x, xs), extent(e, y, ys)};
    bool batched = r->batches > 0;
    return graph_reshape(e->op->f, graph_transpose(e->op->f, operand->node, order), 2 + batched,
                         dims + !batched);
}

static void append(Operand *operand, const int *letters, int count)
{
    memcpy(operand->letters + operand->rank, letters, (size_t)count * sizeof *letters);
    operand->rank += count;
}

/* Puts the product of operands a < b in the place of a. */
static bool multiply(Einsum *e, int a, int b)
{
    Roles r = roles_of(e, a, b);
    OnnxOp *op = e->op;
    if (r.batches + r.lefts + r.rights > RANK_LIMIT)
        return onnx_error(op, "a product in it has %d axes, %d are the most",
                          r.batches + r.lefts + r.rights, RANK_LIMIT);
    Node *x = as_matrices(e, &e->operands[a], &r, r.left, r.lefts, r.summed, r.sums);
    Node *y = as_matrices(e, &e->operands[b], &r, r.summed, r.sums, r.right, r.rights);
    Node *product = r.sums ? graph_matmul(op->f, x, y) : graph_mul(op->f, x, y);
    Operand result = {0};
    append(&result, r.batch, r.batches);
    append(&result, r.left, r.lefts);
    append(&result, r.right, r.rights);
    int64_t dims[RANK_LIMIT];
    for (int i = 0; i < result.rank; i++)
        dims[i] = e->length[result.letters[i]];
    result.node = graph_reshape(op->f, product, result.rank, dims);
    e->operands[a] = result;
    e->operands[b] = e->operands[--e->count];
    return result.node != NULL;
}

static double work(const Einsum *e, int a, int b)
{
    Roles r = roles_of(e, a, b);
    return (double)extent(e, r.batch, r.batches) * (double)extent(e, r.left, r.lefts) *
           (double)extent(e, r.right, r.rights) * (double)extent(e, r.summed, r.sums);
}

static bool multiply_cheapest(Einsum *e)
{
    int first = 0, second = 1;
    for (int a = 0; a < e->count; a++)
        for (int b = a + 1; b < e->count; b++)
            if (work(e, a, b) < work(e, first, second)) {
                first = a;
                second = b;
            }
    return multiply(e, first, second);
}

void onnx_build_einsum(OnnxOp *op)
{
    Einsum *e = ARENA_NEW(op->arena, Einsum);
    e->op = op;
    for (int i = 0; i < LETTERS; i++)
        e->length[i] = -1;
    if (!read_equation(e))
        return;
    for (int i = 0; i < e->count; i++)
        take_diagonals(e, &e->operands[i]);
    for (int round = 0; round < 2; round++) /* the second when others have dropped a letter */
        for (int i = 0; i < e->count; i++)
            sum_own(e, &e->operands[i]);
    for (int i = 0; i < e->count; i++)
        if (!e->operands[i].node)
            return;
    while (e->count > 1)
        if (!multiply_cheapest(e))
            return;
    int64_t order[RANK_LIMIT];
    for (int i = 0; i < e->result.rank; i++)
        order[i] = place_of(&e->operands[0], e->result.letters[i]);
    onnx_out(op, 0, graph_transpose(op->f, e->operands[0].node, order));
}
