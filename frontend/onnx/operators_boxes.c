/* NonMaxSuppression: of each class the box with the highest score, then the highest of those that
 * do not overlap it, and so on.
 *
 *     for each image and class                          a scan
 *       scores of all boxes; -∞ below the threshold
 *       while there are some left, and not enough       a scan in it, whose steps are one box each
 *         the first of the highest scores is taken
 *         it and what overlaps it get the score -∞
 *
 * A step looks at all boxes at once, which is a few vector operations, and classes of which no box
 * is left end early. What has been taken stands in [classes, most] with -1 behind it, and is moved
 * together at the end. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/choose.h"
#include "ir/scan.h"

enum { LOW_Y, LOW_X, HIGH_Y, HIGH_X, AREA, BOX_PARTS };

typedef struct Boxes {
    Node *part[BOX_PARTS]; /* [images, boxes], or [boxes] of one image */
    Node *overlap, *score; /* thresholds */
    int64_t images, classes, count, most;
} Boxes;

/* ---- boxes as ranges ---- */

/* Column i of [B, N, 4]: [B, N], or [N] of one image */
static Node *column(OnnxOp *op, Node *boxes, int64_t i)
{
    const int64_t *d = boxes->type.dims;
    int64_t start[] = {0, 0, i}, count[] = {d[0], d[1], 1};
    Node *x = graph_slice(op->f, boxes, start, count, NULL);
    return d[0] == 1 ? graph_reshape(op->f, x, 1, d + 1) : graph_reshape(op->f, x, 2, d);
}

/* Two opposite corners y, x, y, x in any order; or the centre and the size x, y, w, h. */
static void find_ranges(OnnxOp *op, Node *boxes, bool centred, Boxes *b)
{
    for (int i = 0; i < 2; i++) {
        Node *first = column(op, boxes, centred ? 1 - i : i);
        Node *second = column(op, boxes, centred ? 3 - i : i + 2);
        if (centred) {
            Node *half = graph_binary_scalar(op->f, OP_div, second, 2);
            b->part[LOW_Y + i] = graph_sub(op->f, first, half);
            b->part[HIGH_Y + i] = graph_add(op->f, first, half);
        } else {
            b->part[LOW_Y + i] = graph_binary(op->f, OP_min, first, second);
            b->part[HIGH_Y + i] = graph_binary(op->f, OP_max, first, second);
        }
    }
    b->part[AREA] = graph_mul(op->f, graph_sub(op->f, b->part[HIGH_Y], b->part[LOW_Y]),
                              graph_sub(op->f, b->part[HIGH_X], b->part[LOW_X]));
}

/* ---- one box ---- */

/* How far two ranges have something in common; below 0 if they do not. */
static Node *common(Function *f, Node *const *part, Node *const *taken, int axis)
{
    return graph_sub(f, graph_binary(f, OP_min, part[HIGH_Y + axis], taken[HIGH_Y + axis]),
                     graph_binary(f, OP_max, part[LOW_Y + axis], taken[LOW_Y + axis]));
}

/* Which boxes overlap box `taken` too much: bool[boxes]. A box without area overlaps nothing. */
static Node *overlapping(Function *f, Node *const *part, Node *taken_number, Node *threshold)
{
    Node *taken[BOX_PARTS];
    for (int i = 0; i < BOX_PARTS; i++)
        taken[i] = graph_gather(f, part[i], taken_number);
    Node *height = common(f, part, taken, 0), *width = common(f, part, taken, 1);
    Node *shared = graph_mul(f, height, width);
    Node *all = graph_sub(f, graph_add(f, taken[AREA], part[AREA]), shared);
    Node *too_much = graph_binary(f, OP_gt, graph_div(f, shared, all), threshold);
    Node *positive[] = {height, width, part[AREA], taken[AREA], all};
    for (int i = 0; i < 5; i++)
        too_much = graph_binary(f, OP_and, too_much, graph_binary_scalar(f, OP_gt, positive[i], 0));
    return too_much;
}

/* Number of the first of the highest scores, `top`: whole vectors are compared with it. */
static Node *first_of(Function *f, Node *scores, Node *top, Node *numbers)
{
    Node *none = graph_scalar(f, TYPE_I32, (double)scores->type.dims[0]);
    Node *equal = graph_select(f, graph_binary(f, OP_eq, scores, top), numbers, none);
    return graph_reduce_all(f, OP_reduce_min, equal);
}

/* (any left, scores) → (any left, scores, was there one, its number) */
static Function *box_body(OnnxOp *op, const Boxes *b)
{
    static const char *const names[BOX_PARTS] = {"y0", "x0", "y1", "x1", "area"};
    Function *f = body_create(op->program);
    TensorType each = type_make(TYPE_F32, 1, &b->count);
    Node *part[BOX_PARTS];
    f->place = op->place;
    Node *left = graph_input(f, "left", type_scalar(TYPE_BOOL));
    Node *scores = graph_input(f, "scores", each);
    for (int i = 0; i < BOX_PARTS; i++)
        part[i] = graph_input(f, names[i], each);
    Node *threshold = graph_input(f, "threshold", type_scalar(TYPE_F32));
    Node *numbers = graph_iota(f, TYPE_I32, 1, &b->count, 0);
    Node *top = graph_reduce_all(f, OP_reduce_max, scores);
    Node *best = first_of(f, scores, top, numbers);
    left = graph_binary(f, OP_and, left, graph_binary_scalar(f, OP_gt, top, -INFINITY));
    Node *itself = graph_binary(f, OP_eq, numbers, best);
    Node *gone = graph_binary(f, OP_or, overlapping(f, part, best, threshold), itself);
    gone = graph_binary(f, OP_and, gone, left);
    function_add_result(f, NULL, left);
    function_add_result(f, NULL,
                        graph_select(f, gone, graph_scalar(f, TYPE_F32, -INFINITY), scores));
    function_add_result(f, NULL, left);
    function_add_result(f, NULL, best);
    return f;
}

/* ---- one class ---- */

/* Row `picture` of a table; the table itself when there is one picture. */
static Node *of_picture(Function *f, Node *table, Node *picture)
{
    return picture ? graph_gather(f, table, picture) : table;
}

/* (scores, picture if there are several, boxes, thresholds) → numbers of boxes, i32[most] */
static Function *class_body(OnnxOp *op, const Boxes *b)
{
    static const char *const names[BOX_PARTS] = {"y0", "x0", "y1", "x1", "area"};
    Function *f = body_create(op->program);
    TensorType each = type_make(TYPE_F32, 1, &b->count);
    Node *in[BOX_PARTS + 3], *picture = NULL;
    f->place = op->place;
    Node *scores = graph_input(f, "scores", each);
    if (b->images > 1)
        picture = graph_input(f, "picture", type_scalar(TYPE_I32));
    for (int i = 0; i < BOX_PARTS; i++)
        in[i + 2] = of_picture(f, graph_input(f, names[i], b->part[i]->type), picture);
    in[BOX_PARTS + 2] = graph_input(f, "threshold", type_scalar(TYPE_F32));
    Node *least = graph_input(f, "least", type_scalar(TYPE_F32));
    in[0] = graph_scalar(f, TYPE_BOOL, 1);
    in[1] = graph_select(f, graph_binary(f, OP_gt, scores, least), scores,
                         graph_scalar(f, TYPE_F32, -INFINITY));
    Node *scan = graph_scan_while(f, box_body(op, b), 2, 0, b->most, false, 0, in);
    Node *number = graph_result(f, scan, 3), *none = graph_scalar(f, TYPE_I32, -1);
    function_add_result(f, NULL, graph_select(f, graph_result(f, scan, 2), number, none));
    return f;
}

/* ---- all of it ---- */

/* Numbers of boxes, i32[images · classes, most], -1 behind the last. */
static Node *taken_boxes(OnnxOp *op, const Boxes *b, Node *scores)
{
    int64_t classes = b->images * b->classes;
    Node *in[BOX_PARTS + 4];
    int count = 0, scanned = 1;
    in[count++] = graph_reshape(op->f, scores, 2, (int64_t[]){classes, b->count});
    if (b->images > 1) {
        Node *number = graph_iota(op->f, TYPE_I32, 2, (int64_t[]){b->images, b->classes}, 0);
        in[count++] = graph_reshape(op->f, number, 1, &classes);
        scanned = 2;
    }
    for (int i = 0; i < BOX_PARTS; i++)
        in[count++] = b->part[i];
    in[count++] = b->overlap;
    in[count++] = b->score;
    for (int i = 0; i < count; i++)
        if (!in[i])
            return NULL;
    return graph_result(op->f, graph_scan(op->f, class_body(op, b), 0, scanned, classes, false, in),
                        0);
}

/* [rows, 3] of image, class and box. */
static Node *triples(OnnxOp *op, const Boxes *b, Node *taken)
{
    int64_t dims[] = {b->images, b->classes, b->most};
    int64_t column[] = {b->images * b->classes * b->most, 1};
    Node *part[] = {graph_iota(op->f, TYPE_I64, 3, dims, 0),
                    graph_iota(op->f, TYPE_I64, 3, dims, 1), graph_cast(op->f, taken, TYPE_I64)};
    for (int i = 0; i < 3; i++)
        part[i] = graph_reshape(op->f, part[i], 2, column);
    return graph_concat(op->f, 3, part, 1);
}

/* A threshold, or `otherwise`. */
static Node *threshold_in(OnnxOp *op, int i, double otherwise)
{
    Node *x = onnx_in(op, i);
    if (!onnx_has_in(op, i))
        return onnx_scalar(op, TYPE_F32, otherwise);
    if (x && type_elements(&x->type) != 1)
        return onnx_error(op, "input \"%s\" must be one number", op->in[i]->name);
    return graph_cast(op->f, graph_reshape(op->f, x, 0, NULL), TYPE_F32);
}

static bool read_boxes(OnnxOp *op, const Node *boxes, const Node *scores, Boxes *b)
{
    const int64_t *d = boxes->type.dims, *s = scores->type.dims;
    int64_t most = 0;
    if (boxes->type.rank != 3 || scores->type.rank != 3 || d[2] != 4 || d[0] != s[0] ||
        d[1] != s[2])
        return onnx_error(op, "takes boxes [B, N, 4] and scores [B, C, N]");
    if (onnx_has_in(op, 2) && !onnx_in_integer(op, 2, "max_output_boxes_per_class", &most))
        return false;
    *b = (Boxes){.images = d[0], .count = d[1], .classes = s[1]};
    b->most = most < 0 ? 0 : most > d[1] ? d[1] : most;
    if (d[0] * s[1] > INT32_MAX || d[1] > INT32_MAX)
        return onnx_error(op, "has too many boxes");
    b->overlap = threshold_in(op, 3, 0);
    b->score = threshold_in(op, 4, -INFINITY);
    return !op->failed;
}

void onnx_build_non_max_suppression(OnnxOp *op)
{
    Node *boxes = onnx_in(op, 0), *scores = onnx_in(op, 1), *length;
    bool centred = onnx_int(op, "center_point_box", 0) != 0;
    Boxes b;
    if (!boxes || !scores || !read_boxes(op, boxes, scores, &b))
        return;
    int64_t rows = b.images * b.classes * b.most;
    if (rows == 0 || b.count == 0) {
        onnx_out(op, 0, graph_broadcast(op->f, onnx_scalar(op, TYPE_I64, 0), 2, (int64_t[]){0, 3}));
        return;
    }
    find_ranges(op, graph_cast(op->f, boxes, TYPE_F32), centred, &b);
    Node *taken = taken_boxes(op, &b, graph_cast(op->f, scores, TYPE_F32));
    Node *chosen = graph_binary_scalar(op->f, OP_ge, taken, 0);
    chosen = graph_reshape(op->f, chosen, 1, &rows);
    if (!chosen)
        return;
    Node *places = onnx_places_of(op, chosen, &length);
    Node *y = onnx_moved_rows(op, triples(op, &b, taken), places);
    if (y)
        onnx_out_length(op, 0, y, length, 0);
}
