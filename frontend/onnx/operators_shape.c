/* Operators about shapes: what they are, and other shapes for the same elements. */
#include "frontend/onnx/operator.h"

#include <string.h>

#include "base/checked.h"
#include "frontend/onnx/reader.h"
#include "frontend/onnx/tensor.h"

void onnx_build_identity(OnnxOp *op)
{
    if (op->out_count < 1)
        return;
    const char *name = op->out[0].name;
    op->out[0] = *op->in[0];
    op->out[0].name = name;
}

/* The rate: an attribute, or since version 12 an input. */
static double dropout_rate(OnnxOp *op)
{
    double rate = onnx_float(op, "ratio", 0.5);
    if (op->opset >= 12 && onnx_has_in(op, 1) && onnx_in_value(op, 1))
        onnx_in_number(op, 1, "the ratio", &rate);
    return rate >= 0 && rate < 1 ? rate : 0;
}

/* Outside of training it gives what it gets; the mask says that everything stays. */
void onnx_build_dropout(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    onnx_ignore(op, "seed is_test consumed_inputs");
    if (!x)
        return;
    onnx_out(op, 0, onnx_drop(op, x, dropout_rate(op)));
    Node *yes = onnx_scalar(op, op->opset >= 10 ? TYPE_BOOL : x->type.element, 1);
    if (onnx_wants(op, 1))
        onnx_out(op, 1, graph_broadcast(op->f, yes, x->type.rank, x->type.dims));
}

/* ---- constants ---- */

static Node *tensor_constant(OnnxOp *op, const Onnx__TensorProto *tensor)
{
    TensorType type;
    const void *data;
    if (!onnx_tensor_read(op->reader->diag, op->place, op->reader->path, tensor, &type, &data)) {
        op->failed = true;
        return NULL;
    }
    return graph_constant(op->f, type, data);
}

static Node *sparse_constant(OnnxOp *op, const Onnx__SparseTensorProto *tensor)
{
    TensorType type;
    const void *data;
    if (!onnx_sparse_read(op->reader->diag, op->place, op->reader->path, tensor, &type, &data)) {
        op->failed = true;
        return NULL;
    }
    return graph_constant(op->f, type, data);
}

static Node *float_list(OnnxOp *op, const float *values, int count)
{
    int64_t length = count;
    return graph_constant(op->f, type_make(TYPE_F32, 1, &length), values);
}

void onnx_build_constant(OnnxOp *op)
{
    const Onnx__AttributeProto *a;
    const int64_t *integers;
    const float *floats;
    int count;
    if ((a = onnx_attribute(op, "value")) && a->t)
        onnx_out(op, 0, tensor_constant(op, a->t));
    else if (onnx_attribute(op, "value_float"))
        onnx_out(op, 0, onnx_scalar(op, TYPE_F32, onnx_float(op, "value_float", 0)));
    else if (onnx_attribute(op, "value_int")) {
        int64_t number = onnx_int(op, "value_int", 0);
        Node *list = onnx_list(op, 1, &number);
        onnx_out(op, 0,
                 list ? graph_constant(op->f, type_scalar(TYPE_I64), list->attr.data) : NULL);
    } else if (onnx_floats(op, "value_floats", &floats, &count))
        onnx_out(op, 0, float_list(op, floats, count));
    else if (onnx_ints(op, "value_ints", &integers, &count))
        onnx_out(op, 0, onnx_list(op, count, integers));
    else if ((a = onnx_attribute(op, "sparse_value")) && a->sparse_tensor)
        onnx_out(op, 0, sparse_constant(op, a->sparse_tensor));
    else if (onnx_attribute(op, "value_string") || onnx_attribute(op, "value_strings"))
        onnx_error(op, "holds text, with which nothing can be done here");
    else
        onnx_error(op, "holds no tensor of numbers");
}

static bool read_dims(OnnxOp *op, int input, const char *what, int64_t *dims, int *rank)
{
    const int64_t *values;
    if (!onnx_in_integers(op, input, what, &values, rank))
        return false;
    if (*rank > RANK_LIMIT)
        return onnx_error(op, "%s has %d numbers, %d axes are the most", what, *rank, RANK_LIMIT);
    memcpy(dims, values, (size_t)*rank * sizeof *values);
    return true;
}

void onnx_build_constant_of_shape(OnnxOp *op)
{
    int64_t dims[RANK_LIMIT];
    int rank;
    const Onnx__AttributeProto *value = onnx_attribute(op, "value");
    Node *number = value && value->t ? tensor_constant(op, value->t) : onnx_scalar(op, TYPE_F32, 0);
    if (!number || !read_dims(op, 0, "the shape", dims, &rank))
        return;
    if (type_elements(&number->type) != 1) {
        onnx_error(op, "its value must be one number");
        return;
    }
    number = graph_reshape(op->f, number, 0, NULL);
    onnx_out(op, 0, graph_broadcast(op->f, number, rank, dims));
}

/* ---- shapes as numbers ---- */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

void onnx_build_shape(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    if (!type)
        return;
    int64_t start = onnx_int(op, "start", 0), end = onnx_int(op, "end", type->rank);
    start = clamp(start < 0 ? start + type->rank : start, 0, type->rank);
    end = clamp(end < 0 ? end + type->rank : end, start, type->rank);
    onnx_out(op, 0, onnx_list(op, (int)(end - start), type->dims + start));
}

void onnx_build_size(OnnxOp *op)
{
    const TensorType *type = onnx_in_type(op, 0);
    if (!type)
        return;
    int64_t size = type_elements(type);
    Node *list = onnx_list(op, 1, &size);
    onnx_out(op, 0, list ? graph_constant(op->f, type_scalar(TYPE_I64), list->attr.data) : NULL);
}

/* ---- reshapes ---- */

/* 0 keeps the axis (unless allowzero), -1 is what is left. A model exported for one row says 1
 * where it has been built for more: then the rows stay in front. */
static bool complete_shape(OnnxOp *op, const TensorType *x, int64_t *dims, int rank)
{
    bool keep_zero = onnx_int(op, "allowzero", 0) != 0;
    int64_t known = 1, elements = type_elements(x);
    int open = -1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0 && !keep_zero) {
            if (i >= x->rank)
                return onnx_error(op, "keeps axis %d of a tensor with %d", i, x->rank);
            dims[i] = x->dims[i];
        }
        if (dims[i] == -1 && open >= 0)
            return onnx_error(op, "leaves two axes open");
        if (dims[i] == -1)
            open = i;
        else if (dims[i] < 0)
            return onnx_error(op, "gives axis %d the length %lld", i, (long long)dims[i]);
        else if (!checked_multiply(known, dims[i], &known))
            return onnx_error(op, "gives a shape of more elements than can be counted");
    }
    if (open >= 0)
        dims[open] = known ? elements / known : 0;
    else if (rank > 0 && dims[0] == 1 && op->f->batch > 1 && x->rank > 0 &&
             x->dims[0] == op->f->batch && known == elements / op->f->batch)
        dims[0] = op->f->batch;
    return true;
}

void onnx_build_reshape(OnnxOp *op)
{
    int64_t dims[RANK_LIMIT];
    const int64_t *list;
    int rank;
    Node *x = onnx_in(op, 0);
    if (op->opset < 5) {
        if (!onnx_ints(op, "shape", &list, &rank) || rank > RANK_LIMIT) {
            onnx_error(op, "says no shape");
            return;
        }
        onnx_ignore(op, "consumed_inputs");
        memcpy(dims, list, (size_t)rank * sizeof *list);
    } else if (!read_dims(op, 1, "the shape", dims, &rank)) {
        return;
    }
    if (x && complete_shape(op, &x->type, dims, rank))
        onnx_out(op, 0, graph_reshape(op->f, x, rank, dims));
}

void onnx_build_flatten(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axis = onnx_int(op, "axis", 1), dims[2] = {1, 1};
    if (!x)
        return;
    if (axis < 0)
        axis += x->type.rank;
    if (axis < 0 || axis > x->type.rank) {
        onnx_error(op, "axis %lld is none of a tensor with %d axes", (long long)axis, x->type.rank);
        return;
    }
    for (int i = 0; i < x->type.rank; i++)
        dims[i >= axis] *= x->type.dims[i];
    onnx_out(op, 0, graph_reshape(op->f, x, 2, dims));
}

void onnx_build_squeeze(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t axes[RANK_LIMIT], dims[RANK_LIMIT];
    int count, rank = 0;
    bool given;
    if (!x || !onnx_axes_of(op, 13, 1, x->type.rank, axes, &count, &given))
        return;
    for (int i = 0, next = 0; i < x->type.rank; i++) {
        bool named = given && next < count && axes[next] == i;
        next += named;
        if (named && x->type.dims[i] != 1) {
            onnx_error(op, "takes axis %d away, which is %lld long", i, (long long)x->type.dims[i]);
            return;
        }
        if (!named && (given || x->type.dims[i] != 1))
            dims[rank++] = x->type.dims[i];
    }
    onnx_out(op, 0, graph_reshape(op->f, x, rank, dims));
}

void onnx_build_unsqueeze(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    const int64_t *list;
    int count = 0;
    int64_t axes[RANK_LIMIT], dims[RANK_LIMIT];
    bool good = op->opset < 13 ? onnx_ints(op, "axes", &list, &count)
                               : onnx_in_integers(op, 1, "axes", &list, &count);
    if (!x || !good)
        return;
    int rank = x->type.rank + count;
    if (rank > RANK_LIMIT) {
        onnx_error(op, "gives %d axes, %d are the most", rank, RANK_LIMIT);
        return;
    }
    if (!onnx_axes(op, list, count, rank, axes))
        return;
    for (int i = 0, next = 0, from = 0; i < rank; i++) {
        bool added = next < count && axes[next] == i;
        next += added;
        dims[i] = added ? 1 : x->type.dims[from++];
    }
    onnx_out(op, 0, graph_reshape(op->f, x, rank, dims));
}

/* The shape given and that of the input are broadcast to each other. */
void onnx_build_expand(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    int64_t dims[RANK_LIMIT], wanted[RANK_LIMIT];
    int count;
    if (!x || !read_dims(op, 1, "the shape", wanted, &count))
        return;
    int rank = x->type.rank > count ? x->type.rank : count;
    for (int i = 0; i < rank; i++) {
        int own = i - (rank - x->type.rank), other = i - (rank - count);
        int64_t a = own >= 0 ? x->type.dims[own] : 1, b = other >= 0 ? wanted[other] : 1;
        dims[i] = a == 1 ? b : a;
    }
    onnx_out(op, 0, graph_broadcast(op->f, x, rank, dims));
}
