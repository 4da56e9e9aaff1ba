/* Matrix products. Weights are stored the way products read them: [in, out]. */
#include "frontend/onnx/operator.h"

/* A matrix, turned when the attribute says so. */
static Node *matrix_in(OnnxOp *op, int i, const char *key)
{
    static const int64_t turned[] = {1, 0};
    const TensorType *type = onnx_in_type(op, i);
    bool turn = onnx_int(op, key, 0) != 0;
    if (type && type->rank != 2)
        return onnx_error(op, "input %d must be a matrix, but has %d axes", i, type->rank);
    return turn ? onnx_in_ordered(op, i, turned) : onnx_in(op, i);
}

Node *onnx_gemm(OnnxOp *op)
{
    Node *product = graph_matmul(op->f, matrix_in(op, 0, "transA"), matrix_in(op, 1, "transB"));
    double alpha = onnx_float(op, "alpha", 1), beta = onnx_float(op, "beta", 1);
    onnx_ignore(op, "broadcast");
    if (alpha != 1)
        product = graph_binary_scalar(op->f, OP_mul, product, alpha);
    if (onnx_has_in(op, 2) && beta != 0) {
        Node *c = onnx_in(op, 2);
        if (beta != 1)
            c = graph_binary_scalar(op->f, OP_mul, c, beta);
        product = graph_add(op->f, product, c);
    }
    return product;
}

void onnx_build_gemm(OnnxOp *op)
{
    onnx_out(op, 0, onnx_gemm(op));
}

/* A vector counts as a row on the left and as a column on the right. */
Node *onnx_matmul(OnnxOp *op, Node *a, Node *b)
{
    if (!a || !b)
        return NULL;
    if (a->type.rank == 0 || b->type.rank == 0)
        return onnx_error(op, "multiplies a tensor without axes");
    int64_t row[] = {1, a->type.dims[0]}, column[] = {b->type.dims[0], 1};
    bool left = a->type.rank == 1, right = b->type.rank == 1;
    Node *y = graph_matmul(op->f, left ? graph_reshape(op->f, a, 2, row) : a,
                           right ? graph_reshape(op->f, b, 2, column) : b);
    if (!y || (!left && !right))
        return y;
    int64_t dims[RANK_LIMIT];
    int rank = 0;
    for (int i = 0; i < y->type.rank; i++)
        if (!(left && i == y->type.rank - 2) && !(right && i == y->type.rank - 1))
            dims[rank++] = y->type.dims[i];
    return graph_reshape(op->f, y, rank, dims);
}

void onnx_build_matmul(OnnxOp *op)
{
    onnx_out(op, 0, onnx_matmul(op, onnx_in(op, 0), onnx_in(op, 1)));
}
