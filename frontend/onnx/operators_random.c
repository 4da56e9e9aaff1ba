/* Operators that draw random numbers. A state counts the calls, so that each call draws others and
 * a second run of the program the same ones again:
 *
 *     state %random.calls: i32[1]
 *     %1: i32[3] = concat %seed, %0 axis=0              seed of two numbers, calls so far
 *     %2: f32[8] = random %1 stream=0 dims=[8]
 *     update %random.calls <- %3 */
#include <math.h>
#include <string.h>

#include "frontend/onnx/arithmetic.h"
#include "frontend/onnx/reader.h"
#include "ir/scan.h"

static const int32_t nought;

/* How often the function has been called before, i32[1]. */
static Node *calls_so_far(OnnxOp *op)
{
    const char *name = "random.calls";
    int64_t one = 1;
    State *state = program_find_state(op->program, name);
    if (!state) {
        state = program_add_state(op->program, name, type_make(TYPE_I32, 1, &one));
        state->value = &nought;
        state->place = "random numbers";
    }
    Node *calls = graph_state(op->f, state);
    function_set_update(op->f, state, onnx_plus(op, calls, 1));
    return calls;
}

static bool in_body(const OnnxOp *op)
{
    for (int i = 0; i < op->program->function_count; i++)
        if (op->program->functions[i] == op->f)
            return false;
    return true;
}

/* Uniform numbers from 0 up to but not 1. */
static Node *uniform(OnnxOp *op, int rank, const int64_t *dims)
{
    float seed = (float)onnx_float(op, "seed", 0);
    int64_t two = 2;
    int32_t *words = ARENA_ARRAY(op->arena, int32_t, 2);
    memcpy(words, &seed, sizeof seed);
    if (in_body(op))
        return onnx_error(op, "draws random numbers in the body of a loop that is not written "
                              "out, which is not supported");
    Node *first = graph_constant(op->f, type_make(TYPE_I32, 1, &two), words);
    Node *key = graph_concat(op->f, 2, (Node *[]){first, calls_so_far(op)}, 0);
    return graph_random(op->f, key, rank, dims);
}

/* √(−2 ln(1 − u)) · cos(2πv): Box and Muller, 1958 */
static Node *normal(OnnxOp *op, int rank, const int64_t *dims)
{
    Node *u = uniform(op, rank, dims), *v = uniform(op, rank, dims);
    Node *log = graph_unary(op->f, OP_log, onnx_number_first(op, OP_sub, 1, u));
    Node *radius = graph_unary(op->f, OP_sqrt, onnx_times(op, log, -2));
    return graph_mul(op->f, radius, graph_unary(op->f, OP_cos, onnx_times(op, v, 2 * M_PI)));
}

/* detail: 0 uniform, 1 normal */
static void build_random(OnnxOp *op, int rank, const int64_t *dims, ElementType otherwise)
{
    ElementType element;
    Node *y;
    if (!onnx_element(op, "dtype", otherwise, &element))
        return;
    if (op->row->detail) {
        double mean = onnx_float(op, "mean", 0), scale = onnx_float(op, "scale", 1);
        y = onnx_plus(op, onnx_times(op, normal(op, rank, dims), scale), mean);
    } else {
        double low = onnx_float(op, "low", 0), high = onnx_float(op, "high", 1);
        y = onnx_plus(op, onnx_times(op, uniform(op, rank, dims), high - low), low);
    }
    if (!element_is_float(element))
        onnx_error(op, "its dtype must be a float type");
    else
        onnx_out(op, 0, graph_cast(op->f, y, element));
}

void onnx_build_random(OnnxOp *op)
{
    const int64_t *dims;
    int rank;
    if (!onnx_ints(op, "shape", &dims, &rank))
        onnx_error(op, "says no shape");
    else if (rank > RANK_LIMIT)
        onnx_error(op, "its shape has %d numbers, %d axes are the most", rank, RANK_LIMIT);
    else
        build_random(op, rank, dims, TYPE_F32);
}

void onnx_build_random_like(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    if (type)
        build_random(op, type->rank, type->dims,
                     element_is_float(type->element) ? type->element : TYPE_F32);
}

/* 1 with the probability that the input says, else 0 */
void onnx_build_bernoulli(OnnxOp *op)
{
    Node *p = onnx_in(op, 0);
    ElementType element;
    if (!p || !onnx_element(op, "dtype", p->type.element, &element))
        return;
    op->keep_float = onnx_attribute(op, "dtype") != NULL;
    Node *drawn = graph_cast(op->f, uniform(op, p->type.rank, p->type.dims), p->type.element);
    onnx_out(op, 0, graph_cast(op->f, graph_binary(op->f, OP_lt, drawn, p), element));
}

/* Classes drawn for each row of unnormalised logarithms of probabilities: as many as have a sum of
 * probabilities up to them that the number drawn, times all of the sum, has passed. */
void onnx_build_multinomial(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    ElementType element;
    int64_t samples = onnx_int(op, "sample_size", 1), last = 1, deep = 2;
    if (!x || !onnx_element(op, "dtype", TYPE_I32, &element))
        return;
    if (x->type.rank != 2 || x->type.dims[1] < 1 || samples < 1) {
        onnx_error(op, "draws samples for rows of classes: both must be there");
        return;
    }
    int64_t rows = x->type.dims[0], classes = x->type.dims[1];
    x = graph_cast(op->f, x, TYPE_F32);
    Node *largest = graph_reduce(op->f, OP_reduce_max, x, 1, &last, true);
    Node *p = graph_unary(op->f, OP_exp, graph_sub(op->f, x, largest));
    Node *sums = graph_cumulative(op->f, p, 1, MODE_ADD, false, false);
    Node *all = graph_reduce(op->f, OP_reduce_sum, p, 1, &last, true);
    Node *drawn = graph_mul(op->f, uniform(op, 2, (int64_t[]){rows, samples}), all);
    drawn = graph_reshape(op->f, drawn, 3, (int64_t[]){rows, samples, 1});
    sums = graph_reshape(op->f, sums, 3, (int64_t[]){rows, 1, classes});
    Node *passed = graph_cast(op->f, graph_binary(op->f, OP_le, sums, drawn), TYPE_I32);
    Node *drawn_class = graph_reduce(op->f, OP_reduce_sum, passed, 1, &deep, false);
    onnx_out(op, 0,
             graph_cast(op->f, onnx_at_most(op, drawn_class, (double)(classes - 1)), element));
}
