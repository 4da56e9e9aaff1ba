/* Operators that move pixels. */
#include <string.h>

#include "base/checked.h"
#include "frontend/onnx/operator.h"

/* ---- blocks and channels ---- */

static bool read_block(OnnxOp *op, const Node *x, int64_t *block, bool *channels_first)
{
    *block = onnx_int(op, "blocksize", 0);
    *channels_first = onnx_text_is(op, "mode", "DCR", "CRD");
    if (!x || op->failed)
        return false;
    if (x->type.rank != 4)
        return onnx_error(op, "takes images [N, C, H, W], not %d axes", x->type.rank);
    return (*block >= 1 && *block <= INT16_MAX) ||
           onnx_error(op, "blocksize is %lld", (long long)*block);
}

/* Channels of a pixel as a block of pixels: they count block rows, block columns, channels (DCR),
 * or channels first (CRD). */
void onnx_build_depth_to_space(OnnxOp *op)
{
    static const int64_t rows_first[] = {0, 3, 4, 1, 5, 2}, channels_first[] = {0, 1, 4, 2, 5, 3};
    Node *x = onnx_in(op, 0);
    int64_t b;
    bool crd;
    if (!read_block(op, x, &b, &crd))
        return;
    const int64_t *d = x->type.dims;
    if (d[1] % (b * b) != 0) {
        onnx_error(op, "makes blocks of %lld × %lld of %lld channels", (long long)b, (long long)b,
                   (long long)d[1]);
        return;
    }
    int64_t c = d[1] / (b * b);
    int64_t apart[] = {d[0], crd ? c : b, b, crd ? b : c, d[2], d[3]};
    int64_t joined[] = {d[0], c, d[2] * b, d[3] * b};
    x = graph_transpose(op->f, graph_reshape(op->f, x, 6, apart),
                        crd ? channels_first : rows_first);
    onnx_out(op, 0, graph_reshape(op->f, x, 4, joined));
}

void onnx_build_space_to_depth(OnnxOp *op)
{
    static const int64_t rows_first[] = {0, 3, 5, 1, 2, 4}, channels_first[] = {0, 1, 3, 5, 2, 4};
    Node *x = onnx_in(op, 0);
    int64_t b;
    bool crd;
    if (!read_block(op, x, &b, &crd))
        return;
    const int64_t *d = x->type.dims;
    if (d[2] % b != 0 || d[3] % b != 0) {
        onnx_error(op, "takes blocks of %lld × %lld from images of %lld × %lld", (long long)b,
                   (long long)b, (long long)d[2], (long long)d[3]);
        return;
    }
    int64_t apart[] = {d[0], d[1], d[2] / b, b, d[3] / b, b};
    int64_t joined[] = {d[0], 0, d[2] / b, d[3] / b};
    if (!checked_multiply(d[1], b * b, &joined[1])) { /* of an image without pixels */
        onnx_error(op, "makes too many channels of blocks of %lld × %lld", (long long)b,
                   (long long)b);
        return;
    }
    x = graph_transpose(op->f, graph_reshape(op->f, x, 6, apart),
                        crd ? channels_first : rows_first);
    onnx_out(op, 0, graph_reshape(op->f, x, 4, joined));
}

/* ---- the middle ---- */

void onnx_build_center_crop_pad(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    const int64_t *lengths, *list;
    int count, named;
    if (!x || !onnx_in_integers(op, 1, "the shape", &lengths, &count))
        return;
    bool given = onnx_ints(op, "axes", &list, &named);
    int64_t start[RANK_LIMIT] = {0}, cut[RANK_LIMIT], before[RANK_LIMIT] = {0},
            after[RANK_LIMIT] = {0}, sorted[RANK_LIMIT];
    if (!given)
        named = x->type.rank;
    if (count != named || named > x->type.rank ||
        (given && !onnx_axes(op, list, named, x->type.rank, sorted))) {
        if (!op->failed)
            onnx_error(op, "has %d lengths for %d axes", count, named);
        return;
    }
    memcpy(cut, x->type.dims, sizeof cut);
    for (int i = 0; i < count; i++) {
        int64_t axis = !given ? i : list[i] < 0 ? list[i] + x->type.rank : list[i];
        int64_t from = x->type.dims[axis], to = lengths[i];
        if (to < 0 || to > INT32_MAX) {
            onnx_error(op, "makes axis %lld %lld long", (long long)axis, (long long)to);
            return;
        }
        if (to <= from) {
            start[axis] = (from - to) / 2;
            cut[axis] = to;
        } else {
            before[axis] = (to - from) / 2;
            after[axis] = to - from - before[axis];
        }
    }
    x = graph_slice(op->f, x, start, cut, NULL);
    onnx_out(op, 0, graph_pad(op->f, x, before, after, NULL, 0));
}
