/* Discrete Fourier transforms, as products with small constant matrices.
 *
 *     N ≤ 32          X = x · W, where W[n,k] = exp(-2πi nk/N)
 *     N = N₁N₂        transforms of N₁ along columns, a turn of each element, transforms of N₂
 * along rows (Cooley and Tukey, 1965) N large prime   a convolution, by transforms of a power of 2
 * (Bluestein, 1970)
 *
 * Complex numbers lie side by side, [P, N, 2], so that a complex product is a real one of twice the
 * size; [P, N, 1] is a real signal. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/arithmetic.h"

enum { RADIX = 32, DIRECT_LIMIT = 512, LENGTH_LIMIT = 1 << 24 };

/* `sign` is -1 forward and 1 backward; `outputs` of the N results are wanted. */
static Node *transform(OnnxOp *op, Node *x, int64_t outputs, int sign);

/* ---- complex constants ---- */

typedef struct Complexes { /* pairs */
    int64_t count;
    double *values;
} Complexes;

static Complexes complexes(OnnxOp *op, int64_t count)
{
    return (Complexes){count, ARENA_ARRAY(op->arena, double, 2 * count)};
}

static void set_turn(Complexes *c, int64_t i, double turns)
{
    c->values[2 * i] = cos(2 * M_PI * turns);
    c->values[2 * i + 1] = sin(2 * M_PI * turns);
}

static Node *constant_of(OnnxOp *op, ElementType element, const double *values, int rank,
                         const int64_t *dims)
{
    TensorType type = type_make(TYPE_F64, rank, dims);
    return graph_cast(op->f, graph_constant(op->f, type, values), element);
}

/* x [.., 2] or [.., 1] times constants [rank..] that are broadcast: (a + bi)(c + di) is
 * (a, b)·(c, c) + (b, a)·(-d, d). */
static Node *turned(OnnxOp *op, Node *x, const Complexes *by, int rank, const int64_t *dims)
{
    ElementType element = x->type.element;
    int64_t last = x->type.rank - 1, pair[RANK_LIMIT];
    memcpy(pair, dims, (size_t)rank * sizeof *dims);
    pair[rank] = 2;
    if (x->type.dims[last] == 1)
        return graph_mul(op->f, x, constant_of(op, element, by->values, rank + 1, pair));
    double *same = ARENA_ARRAY(op->arena, double, 2 * by->count);
    double *crossed = ARENA_ARRAY(op->arena, double, 2 * by->count);
    for (int64_t i = 0; i < by->count; i++) {
        same[2 * i] = same[2 * i + 1] = by->values[2 * i];
        crossed[2 * i] = -by->values[2 * i + 1];
        crossed[2 * i + 1] = by->values[2 * i + 1];
    }
    Node *straight = graph_mul(op->f, x, constant_of(op, element, same, rank + 1, pair));
    Node *swapped = graph_reverse(op->f, x, 1, &last);
    return graph_add(op->f, straight,
                     graph_mul(op->f, swapped, constant_of(op, element, crossed, rank + 1, pair)));
}

/* ---- small transforms ---- */

/* [N·parts, outputs·2]: what each part of each input adds to each part of each output. */
static Node *matrix_of(OnnxOp *op, ElementType element, int64_t n, int64_t parts, int64_t outputs,
                       int sign)
{
    int64_t dims[2] = {n * parts, 2 * outputs};
    double *values = ARENA_ARRAY(op->arena, double, dims[0] * dims[1]);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < outputs; k++) {
            double angle = 2 * M_PI * (double)(i * k % n) / (double)n * sign;
            double *real = values + (i * parts) * dims[1] + 2 * k;
            real[0] = cos(angle);
            real[1] = sin(angle);
            if (parts == 2) {
                real[dims[1]] = -sin(angle);
                real[dims[1] + 1] = cos(angle);
            }
        }
    return constant_of(op, element, values, 2, dims);
}

static Node *transform_directly(OnnxOp *op, Node *x, int64_t outputs, int sign)
{
    int64_t p = x->type.dims[0], n = x->type.dims[1], parts = x->type.dims[2];
    Node *rows = graph_reshape(op->f, x, 2, (int64_t[]){p, n * parts});
    Node *y = graph_matmul(op->f, rows, matrix_of(op, x->type.element, n, parts, outputs, sign));
    return graph_reshape(op->f, y, 3, (int64_t[]){p, outputs, 2});
}

/* ---- of a product ---- */

/* With n = N₂n₁ + n₂ and k = k₁ + N₁k₂, and each [P, …] of complex numbers:
 * x[n₁,n₂] → over n₁ → [n₂,k₁] · exp(∓2πi n₂k₁/N) → over n₂ → [k₁,k₂] → [k₂,k₁] */
static Node *transform_product(OnnxOp *op, Node *x, int64_t first, int64_t outputs, int sign)
{
    static const int64_t swapped[] = {0, 2, 1, 3};
    int64_t p = x->type.dims[0], n = x->type.dims[1], parts = x->type.dims[2];
    int64_t second = n / first, table[2] = {second, first};
    Complexes turns = complexes(op, n);
    for (int64_t i = 0; i < second; i++)
        for (int64_t k = 0; k < first; k++)
            set_turn(&turns, i * first + k, (double)(i * k) / (double)n * sign);
    x = graph_reshape(op->f, x, 4, (int64_t[]){p, first, second, parts});
    x = graph_transpose(op->f, x, swapped);
    x = graph_reshape(op->f, x, 3, (int64_t[]){p * second, first, parts});
    x = transform(op, x, first, sign);
    x = graph_reshape(op->f, x, 4, (int64_t[]){p, second, first, 2});
    x = graph_transpose(op->f, turned(op, x, &turns, 2, table), swapped);
    x = graph_reshape(op->f, x, 3, (int64_t[]){p * first, second, 2});
    x = transform(op, x, second, sign);
    x = graph_reshape(op->f, x, 4, (int64_t[]){p, first, second, 2});
    x = graph_reshape(op->f, graph_transpose(op->f, x, swapped), 3, (int64_t[]){p, n, 2});
    return graph_slice(op->f, x, (int64_t[]){0, 0, 0}, (int64_t[]){p, outputs, 2}, NULL);
}

/* ---- of a large prime ---- */

/* In place, of a power of 2; forward. */
static void transform_constants(Complexes *c)
{
    double *v = c->values;
    for (int64_t i = 1, j = 0; i < c->count; i++) {
        int64_t bit = c->count >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        for (int part = 0; i < j && part < 2; part++) {
            double kept = v[2 * i + part];
            v[2 * i + part] = v[2 * j + part];
            v[2 * j + part] = kept;
        }
    }
    for (int64_t half = 1; half < c->count; half *= 2)
        for (int64_t k = 0; k < half; k++) {
            double real = cos(M_PI * (double)k / (double)half);
            double imaginary = -sin(M_PI * (double)k / (double)half);
            for (int64_t i = k; i < c->count; i += 2 * half) {
                double *a = v + 2 * i, *b = v + 2 * (i + half);
                double x = b[0] * real - b[1] * imaginary, y = b[0] * imaginary + b[1] * real;
                b[0] = a[0] - x;
                b[1] = a[1] - y;
                a[0] += x;
                a[1] += y;
            }
        }
}

/* With w[n] = exp(±πi n²/N): X[k] = w[k] Σ (x[n] w[n]) · w[k-n]*, a convolution around a circle of
 * a power of 2. */
static Node *transform_prime(OnnxOp *op, Node *x, int64_t outputs, int sign)
{
    int64_t p = x->type.dims[0], n = x->type.dims[1], size = 1;
    while (size < 2 * n - 1)
        size *= 2;
    Complexes chirp = complexes(op, n), circle = complexes(op, size);
    for (int64_t i = 0; i < n; i++) {
        double turns = (double)(i * i % (2 * n)) / (double)(2 * n);
        set_turn(&chirp, i, turns * sign);
        set_turn(&circle, i, -turns * sign);
        set_turn(&circle, (size - i) % size, -turns * sign);
    }
    transform_constants(&circle);
    x = turned(op, x, &chirp, 1, &n);
    x = graph_pad(op->f, x, (int64_t[]){0, 0, 0}, (int64_t[]){0, size - n, 0}, NULL, 0);
    x = transform(op, x, size, -1);
    x = x ? transform(op, turned(op, x, &circle, 1, &size), size, 1) : NULL;
    x = graph_slice(op->f, x, (int64_t[]){0, 0, 0}, (int64_t[]){p, n, 2}, NULL);
    x = x ? turned(op, onnx_times(op, x, 1.0 / (double)size), &chirp, 1, &n) : NULL;
    return graph_slice(op->f, x, (int64_t[]){0, 0, 0}, (int64_t[]){p, outputs, 2}, NULL);
}

/* The largest divisor up to RADIX, else the least one up to DIRECT_LIMIT; 1: none. */
static int64_t divisor_of(int64_t n)
{
    for (int64_t d = RADIX; d > 1; d--)
        if (n % d == 0)
            return d;
    for (int64_t d = RADIX + 1; d <= DIRECT_LIMIT && d < n; d++)
        if (n % d == 0)
            return d;
    return 1;
}

static Node *transform(OnnxOp *op, Node *x, int64_t outputs, int sign)
{
    if (!x)
        return NULL;
    int64_t n = x->type.dims[1], first = divisor_of(n);
    if (n <= RADIX || (first == 1 && n <= DIRECT_LIMIT))
        return transform_directly(op, x, outputs, sign);
    return first > 1 ? transform_product(op, x, first, outputs, sign)
                     : transform_prime(op, x, outputs, sign);
}

/* ---- operators ---- */

/* The first `length` of axis 1 of [P, n, parts], noughts behind where there are fewer. */
static Node *fitted(OnnxOp *op, Node *x, int64_t length)
{
    int64_t p = x->type.dims[0], n = x->type.dims[1], parts = x->type.dims[2];
    int64_t start[3] = {0}, count[3] = {p, n < length ? n : length, parts};
    int64_t after[3] = {0, length - count[1], 0};
    return graph_pad(op->f, graph_slice(op->f, x, start, count, NULL), start, after, NULL, 0);
}

/* From half a spectrum the other half, X[N-k] = X[k]*. */
static Node *completed(OnnxOp *op, Node *x, int64_t length)
{
    int64_t p = x->type.dims[0], half = length / 2 + 1, axis = 1;
    x = fitted(op, x, half);
    Node *back =
        graph_slice(op->f, x, (int64_t[]){0, 1, 0}, (int64_t[]){p, length - half, 2}, NULL);
    static const double conjugate[] = {1, -1};
    Node *signs = x ? constant_of(op, x->type.element, conjugate, 1, (int64_t[]){2}) : NULL;
    back = graph_mul(op->f, graph_reverse(op->f, back, 1, &axis), signs);
    return graph_concat(op->f, 2, (Node *[]){x, back}, 1);
}

/* [P, N, parts]; both ways and onesided: see the operator. */
static Node *dft(OnnxOp *op, Node *x, int64_t length, bool inverse, bool onesided)
{
    bool real_result = inverse && onesided;
    if (real_result && x->type.dims[2] != 2)
        return onnx_error(op, "makes a real signal of a spectrum, which must be complex");
    x = real_result ? completed(op, x, length) : fitted(op, x, length);
    x = transform(op, x, onesided && !inverse ? length / 2 + 1 : length, inverse ? 1 : -1);
    if (x && real_result)
        x = graph_slice(op->f, x, (int64_t[]){0, 0, 0}, (int64_t[]){x->type.dims[0], length, 1},
                        NULL);
    return inverse ? onnx_times(op, x, 1.0 / (double)length) : x;
}

static bool signal_of(OnnxOp *op, const Node *x)
{
    if (x->type.rank < 2 || !element_is_float(x->type.element))
        return onnx_error(op, "its input must be a signal of floats");
    int64_t parts = x->type.dims[x->type.rank - 1];
    return parts == 1 || parts == 2 ||
           onnx_error(op, "the last axis must hold 1 (real) or 2 (complex) numbers, not %lld",
                      (long long)parts);
}

static bool good_length(OnnxOp *op, const char *what, int64_t length)
{
    return (length >= 1 && length <= LENGTH_LIMIT) ||
           onnx_error(op, "%s is %lld, which is no length", what, (long long)length);
}

void onnx_build_dft(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    bool inverse = onnx_int(op, "inverse", 0) != 0, onesided = onnx_int(op, "onesided", 0) != 0;
    int64_t given = op->opset < 20 ? onnx_int(op, "axis", 1) : -2;
    int axis;
    if (!x || !signal_of(op, x))
        return;
    if (op->opset >= 20 && onnx_has_in(op, 2) && !onnx_in_integer(op, 2, "the axis", &given))
        return;
    if (!onnx_axis(op, given, x->type.rank, &axis))
        return;
    int last = x->type.rank - 1;
    if (axis == last) {
        onnx_error(op, "its axis is that of the real and imaginary parts");
        return;
    }
    int64_t length = inverse && onesided ? 2 * (x->type.dims[axis] - 1) : x->type.dims[axis];
    if ((onnx_has_in(op, 1) && !onnx_in_integer(op, 1, "dft_length", &length)) ||
        !good_length(op, "dft_length", length))
        return;
    x = onnx_move_axis(op, x, axis, last - 1);
    TensorType type = x->type;
    int64_t many = 1;
    for (int i = 0; i < last - 1; i++)
        many *= type.dims[i];
    x = graph_reshape(op->f, x, 3, (int64_t[]){many, type.dims[last - 1], type.dims[last]});
    x = dft(op, x, length, inverse, onesided);
    if (!x)
        return;
    type.dims[last - 1] = x->type.dims[1];
    type.dims[last] = x->type.dims[2];
    x = graph_reshape(op->f, x, type.rank, type.dims);
    onnx_out(op, 0, onnx_move_axis(op, x, last - 1, axis));
}

/* ---- of frames ---- */

enum { PARTS_AT_MOST = 64 };

/* x [B, T, parts] as [B, frames, length, parts], frames `step` apart: side by side as many slices
 * of `step` as cover a frame, or picked one by one. */
static Node *frames_of(OnnxOp *op, Node *x, int64_t frames, int64_t length, int64_t step)
{
    int64_t b = x->type.dims[0], t = x->type.dims[1], parts = x->type.dims[2];
    int64_t slices = (length + step - 1) / step, needed = (slices - 1 + frames) * step;
    if (slices > PARTS_AT_MOST) {
        int64_t dims[2] = {frames, length};
        Node *first = graph_iota(op->f, TYPE_I32, 2, dims, 0);
        Node *at = graph_add(op->f, onnx_times(op, first, (double)step),
                             graph_iota(op->f, TYPE_I32, 2, dims, 1));
        return onnx_gather(op, x, at, 1);
    }
    x = graph_pad(op->f, x, (int64_t[]){0, 0, 0}, (int64_t[]){0, needed > t ? needed - t : 0, 0},
                  NULL, 0);
    Node *side[PARTS_AT_MOST];
    for (int64_t i = 0; i < slices; i++) {
        Node *slice = graph_slice(op->f, x, (int64_t[]){0, i * step, 0},
                                  (int64_t[]){b, frames * step, parts}, NULL);
        side[i] = graph_reshape(op->f, slice, 4, (int64_t[]){b, frames, step, parts});
    }
    Node *y = slices == 1 ? side[0] : graph_concat(op->f, (int)slices, side, 2);
    return graph_slice(op->f, y, (int64_t[]){0, 0, 0, 0}, (int64_t[]){b, frames, length, parts},
                       NULL);
}

void onnx_build_stft(OnnxOp *op)
{
    Node *x = onnx_in(op, 0), *window = onnx_in(op, 2);
    int64_t step, length;
    bool onesided = onnx_int(op, "onesided", 1) != 0;
    if (x && x->type.rank == 2)
        x = graph_reshape(op->f, x, 3, (int64_t[]){x->type.dims[0], x->type.dims[1], 1});
    if (!x || !signal_of(op, x) || !onnx_in_integer(op, 1, "frame_step", &step))
        return;
    if (x->type.rank != 3) {
        onnx_error(op, "its signal must have 3 axes, but has %d", x->type.rank);
        return;
    }
    length = window ? type_elements(&window->type) : x->type.dims[1];
    if ((onnx_has_in(op, 3) && !onnx_in_integer(op, 3, "frame_length", &length)) ||
        !good_length(op, "frame_length", length) || !good_length(op, "frame_step", step))
        return;
    if (length > x->type.dims[1] || (window && type_elements(&window->type) != length)) {
        onnx_error(op, "frames of %lld do not fit a signal of %lld and the window",
                   (long long)length, (long long)x->type.dims[1]);
        return;
    }
    int64_t b = x->type.dims[0], frames = (x->type.dims[1] - length) / step + 1;
    x = frames_of(op, x, frames, length, step);
    if (window)
        x = graph_mul(op->f, x, graph_reshape(op->f, window, 2, (int64_t[]){length, 1}));
    if (!x)
        return;
    x = graph_reshape(op->f, x, 3, (int64_t[]){b * frames, length, x->type.dims[3]});
    x = transform(op, x, onesided ? length / 2 + 1 : length, -1);
    if (x)
        onnx_out(op, 0, graph_reshape(op->f, x, 4, (int64_t[]){b, frames, x->type.dims[1], 2}));
}

/* ---- the scale of hearing ---- */

/* Triangles over the bins of a spectrum, evenly apart on the mel scale 2595 log₁₀(1 + f/700). */
static bool mel_triangles(OnnxOp *op, const int64_t sizes[3], const double edges[2], double *values)
{
    int64_t bands = sizes[0], bins = sizes[1] / 2 + 1;
    double low = 2595 * log1p(edges[0] / 700) / log(10);
    double high = 2595 * log1p(edges[1] / 700) / log(10);
    double step = (high - low) / (double)(bands + 2);
    int64_t *corner = ARENA_ARRAY(op->arena, int64_t, bands + 2);
    for (int64_t i = 0; i < bands + 2; i++) {
        double hertz = 700 * expm1(((double)i * step + low) / 2595 * log(10));
        double bin = floor((double)(sizes[1] + 1) * hertz / (double)sizes[2]);
        if (!(bin >= 0 && bin < (double)bins))
            return onnx_error(op, "its frequencies lie outside of the spectrum");
        corner[i] = (int64_t)bin;
        if (i > 0 && corner[i] < corner[i - 1])
            return onnx_error(op, "its lower edge lies above the upper one");
    }
    for (int64_t i = 0; i < bands; i++) {
        int64_t left = corner[i], peak = corner[i + 1], right = corner[i + 2];
        values[peak * bands + i] = 1;
        for (int64_t j = left; j < peak; j++)
            values[j * bands + i] = (double)(j - left) / (double)(peak - left);
        for (int64_t j = peak; j < right; j++)
            values[j * bands + i] = (double)(right - j) / (double)(right - peak);
    }
    return true;
}

void onnx_build_mel_weight_matrix(OnnxOp *op)
{
    static const char *const names[] = {"num_mel_bins", "dft_length", "sample_rate",
                                        "lower_edge_hertz", "upper_edge_hertz"};
    int64_t sizes[3];
    double edges[2];
    ElementType element;
    for (int i = 0; i < 5; i++)
        if (i < 3 ? !onnx_in_integer(op, i, names[i], &sizes[i]) ||
                        !good_length(op, names[i], sizes[i])
                  : !onnx_in_number(op, i, names[i], &edges[i - 3]))
            return;
    int64_t dims[2] = {sizes[1] / 2 + 1, sizes[0]};
    if (!onnx_element(op, "output_datatype", TYPE_F32, &element))
        return;
    if (dims[0] * dims[1] > LENGTH_LIMIT) {
        onnx_error(op, "its matrix is too large");
        return;
    }
    double *values = ARENA_ARRAY(op->arena, double, dims[0] * dims[1]);
    if (mel_triangles(op, sizes, edges, values))
        onnx_out(op, 0, constant_of(op, element, values, 2, dims));
}
