/* Resize and Upsample: every axis that changes is gone through by itself.
 *
 * Where a result comes from, and with what weights, is known when the model is built: along an axis
 * from 4 to 8, linear, half_pixel
 *
 *     result         0        1        2        3        4     …
 *     from           0 0      0 1      0 1      1 2      1 2   …
 *     weights        ¼ ¾      ¾ ¼      ¼ ¾      ¾ ¼      ¼ ¾   …
 *
 * One tap and equal steps are a slice, or each element several times; else a tap is a gather. The
 * channels stand last meanwhile, so that it picks whole pixels. */
#include <math.h>
#include <string.h>

#include "frontend/onnx/spatial.h"

enum { LENGTH_LIMIT = 1 << 24, TAP_LIMIT = 1 << 12 };

typedef enum Filter { NEAREST, LINEAR, CUBIC } Filter;

/* How coordinates of the result are those of the input. */
typedef enum Transform {
    HALF_PIXEL,
    HALF_PIXEL_SYMMETRIC,
    PYTORCH_HALF_PIXEL,
    ALIGN_CORNERS,
    ASYMMETRIC,
    TF_CROP_AND_RESIZE,
    TRANSFORM_COUNT,
} Transform;

static const char *const transforms[TRANSFORM_COUNT] = {
    "half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
    "align_corners", "asymmetric",           "tf_crop_and_resize",
};

typedef enum Rounding { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL, ROUNDING_COUNT } Rounding;

static const char *const roundings[ROUNDING_COUNT] = {"round_prefer_floor", "round_prefer_ceil",
                                                      "floor", "ceil"};

typedef struct Resizing {
    Filter filter;
    Transform transform;
    Rounding rounding;
    bool antialias, exclude_outside;
    double cubic, extrapolation;
    int axis_count, axes[RANK_LIMIT];          /* in the order in which the lists name them */
    int64_t length[RANK_LIMIT];                /* of the result, by axis */
    double scale[RANK_LIMIT];                  /* by axis */
    double start[RANK_LIMIT], end[RANK_LIMIT]; /* the region, by axis */
} Resizing;

typedef struct Line { /* one axis: `count` results of `taps` places each */
    int64_t from, count, taps;
    int32_t *places;   /* [count][taps], inside of the input */
    double *weights;   /* [count][taps] */
    bool *outside;     /* [count]: extrapolated */
    bool extrapolates; /* any of them */
} Line;

/* ---- attributes and inputs ---- */

static bool read_attributes(OnnxOp *op, Resizing *r)
{
    static const char *const filters[] = {"nearest", "linear", "cubic", "bilinear"};
    int filter = onnx_word(op, "mode", "nearest", filters, 4);
    bool old = op->opset < 11 || strcmp(op->proto->op_type, "Upsample") == 0;
    r->filter = filter == 3 ? LINEAR : (Filter)filter;
    r->transform =
        (Transform)onnx_word(op, "coordinate_transformation_mode",
                             old ? "asymmetric" : "half_pixel", transforms, TRANSFORM_COUNT);
    r->rounding = (Rounding)onnx_word(op, "nearest_mode", old ? "floor" : "round_prefer_floor",
                                      roundings, ROUNDING_COUNT);
    r->antialias = onnx_int(op, "antialias", 0) != 0;
    r->exclude_outside = onnx_int(op, "exclude_outside", 0) != 0;
    r->cubic = onnx_float(op, "cubic_coeff_a", -0.75);
    r->extrapolation = onnx_float(op, "extrapolation_value", 0);
    return !op->failed;
}

/* The axes that the lists are about: all of them, in version 18 on those of an attribute. */
static bool read_axes(OnnxOp *op, int rank, Resizing *r)
{
    const int64_t *list;
    int64_t sorted[RANK_LIMIT];
    int count;
    bool given = onnx_ints(op, "axes", &list, &count) && count > 0;
    if (given && (count > rank || !onnx_axes(op, list, count, rank, sorted)))
        return op->failed ? false
                          : onnx_error(op, "%d axes are named, of a tensor with %d", count, rank);
    r->axis_count = given ? count : rank;
    for (int i = 0; i < r->axis_count; i++)
        r->axes[i] = !given ? i : (int)(list[i] < 0 ? list[i] + rank : list[i]);
    return true;
}

static bool check_length(OnnxOp *op, double length, int axis, int64_t *result)
{
    if (!(length >= 0 && length <= LENGTH_LIMIT))
        return onnx_error(op, "makes axis %d %g long", axis, length);
    *result = (int64_t)length;
    return true;
}

/* Lengths are rounded down, in the precision in which everybody computes them. */
static bool use_scales(OnnxOp *op, const TensorType *x, const double *scales, Resizing *r)
{
    for (int i = 0; i < r->axis_count; i++) {
        int axis = r->axes[i];
        if (!(scales[i] > 0))
            return onnx_error(op, "has a scale of %g", scales[i]);
        r->scale[axis] = scales[i];
        float length = floorf((float)x->dims[axis] * (float)scales[i]);
        if (!check_length(op, (double)length, axis, &r->length[axis]))
            return false;
    }
    return true;
}

static bool use_sizes(OnnxOp *op, const TensorType *x, const int64_t *sizes, Resizing *r)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller"};
    int policy = onnx_word(op, "keep_aspect_ratio_policy", "stretch", policies, 3);
    double common = policy == 1 ? INFINITY : 0;
    for (int i = 0; i < r->axis_count; i++) {
        int axis = r->axes[i];
        if (x->dims[axis] == 0 && sizes[i] != 0)
            return onnx_error(op, "makes an axis %lld long that has nothing", (long long)sizes[i]);
        double scale = x->dims[axis] ? (double)sizes[i] / (double)x->dims[axis] : 1;
        r->scale[axis] = scale;
        common = policy == 1 ? fmin(common, scale) : fmax(common, scale);
    }
    for (int i = 0; i < r->axis_count; i++) {
        int axis = r->axes[i];
        double length = (double)sizes[i];
        if (policy != 0) {
            r->scale[axis] = common;
            length = floor(common * (double)x->dims[axis] + 0.5);
        }
        if (!check_length(op, length, axis, &r->length[axis]))
            return false;
    }
    return true;
}

static bool read_scales(OnnxOp *op, int input, const TensorType *x, Resizing *r)
{
    const double *scales;
    int count;
    if (!onnx_in_numbers(op, input, "scales", &scales, &count))
        return false;
    if (count != r->axis_count)
        return onnx_error(op, "has %d scales for %d axes", count, r->axis_count);
    return use_scales(op, x, scales, r);
}

static bool read_region(OnnxOp *op, Resizing *r)
{
    const double *region;
    int count;
    if (r->transform != TF_CROP_AND_RESIZE)
        return true;
    if (!onnx_in_numbers(op, 1, "the region", &region, &count))
        return false;
    if (count != 2 * r->axis_count)
        return onnx_error(op, "has a region of %d numbers for %d axes: two each are needed", count,
                          r->axis_count);
    for (int i = 0; i < r->axis_count; i++) {
        r->start[r->axes[i]] = region[i];
        r->end[r->axes[i]] = region[r->axis_count + i];
    }
    return true;
}

/* An input that is there, but has no elements, is left out as well. */
static bool has_list(OnnxOp *op, int input)
{
    const TensorType *type = onnx_in_type(op, input);
    return type && type_elements(type) > 0;
}

static bool read_lists(OnnxOp *op, const TensorType *x, Resizing *r)
{
    const int64_t *sizes;
    int count;
    if (op->opset < 11)
        return read_scales(op, 1, x, r);
    if (!read_region(op, r))
        return false;
    if (!has_list(op, 3)) {
        onnx_ignore(op, "keep_aspect_ratio_policy");
        return read_scales(op, 2, x, r);
    }
    if (!onnx_in_integers(op, 3, "sizes", &sizes, &count))
        return false;
    if (count != r->axis_count)
        return onnx_error(op, "has %d sizes for %d axes", count, r->axis_count);
    return use_sizes(op, x, sizes, r);
}

/* ---- where results come from ---- */

/* Which element is nearest may hang on a rounding error: it is found in the precision in which
 * everybody finds it. */
static double narrowed(const Resizing *r, double x)
{
    return r->filter == NEAREST ? (double)(float)x : x;
}

static double half_pixel(const Resizing *r, double at, double scale)
{
    return narrowed(r, narrowed(r, (at + 0.5) / scale) - 0.5);
}

static double source_of(const Resizing *r, int axis, int64_t from, int64_t i)
{
    double scale = narrowed(r, r->scale[axis]), last = (double)(from - 1), at = (double)i;
    double whole = r->scale[axis] * (double)from; /* the length, before it is rounded down */
    switch (r->transform) {
    case HALF_PIXEL:
        return half_pixel(r, at, scale);
    case HALF_PIXEL_SYMMETRIC:
        return (double)from / 2 * (1 - (double)r->length[axis] / whole) + half_pixel(r, at, scale);
    case PYTORCH_HALF_PIXEL:
        return r->length[axis] > 1 ? half_pixel(r, at, scale) : 0;
    case ALIGN_CORNERS:
        return whole == 1 ? 0 : narrowed(r, narrowed(r, at * last) / (whole - 1));
    case ASYMMETRIC:
        return narrowed(r, at / scale);
    default:
        if (whole == 1)
            return (r->start[axis] + r->end[axis]) / 2 * last;
        return r->start[axis] * last + at * (r->end[axis] - r->start[axis]) * last / (whole - 1);
    }
}

static double nearest_place(const Resizing *r, double at)
{
    switch (r->rounding) {
    case PREFER_FLOOR:
        return ceil(at - 0.5);
    case PREFER_CEIL:
        return floor(at + 0.5);
    case FLOOR:
        return floor(at);
    default:
        return ceil(at);
    }
}

/* The weight of an element `x` away. */
static double weight_of(const Resizing *r, double x)
{
    double a = r->cubic;
    x = fabs(x);
    if (r->filter == LINEAR)
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Weights of the taps of one result, the first of which stands at `first`. */
static void weigh(const Resizing *r, const Line *line, double at, double first, double stretch,
                  double *weights)
{
    double sum = 0;
    for (int64_t t = 0; t < line->taps; t++) {
        double place = first + (double)t;
        bool inside = place >= 0 && place < (double)line->from;
        weights[t] = inside || !r->exclude_outside ? weight_of(r, stretch * (place - at)) : 0;
        sum += weights[t];
    }
    for (int64_t t = 0; t < line->taps && sum != 0; t++)
        weights[t] /= sum;
}

static int32_t inside_of(const Line *line, double place)
{
    double last = (double)(line->from - 1);
    return (int32_t)(place > last ? last : place > 0 ? place : 0); /* of what is no number 0 */
}

static bool fill_line(OnnxOp *op, const Resizing *r, int axis, int64_t from, Line *line)
{
    /* downwards, an antialiased filter is stretched to see all elements */
    double stretch = r->antialias && r->scale[axis] < 1 ? r->scale[axis] : 1;
    double radius = ceil((r->filter == LINEAR ? 1 : 2) / stretch);
    if (radius > TAP_LIMIT)
        return onnx_error(op, "makes axis %d too much smaller for an antialiasing filter", axis);
    *line = (Line){.from = from, .count = r->length[axis]};
    line->taps = r->filter == NEAREST ? 1 : 2 * (int64_t)radius;
    if (line->count * line->taps > LENGTH_LIMIT || from > INT32_MAX)
        return onnx_error(op, "axis %d is too long", axis);
    line->places = ARENA_ARRAY(op->arena, int32_t, line->count * line->taps);
    line->weights = ARENA_ARRAY(op->arena, double, line->count * line->taps);
    line->outside = ARENA_ARRAY(op->arena, bool, line->count);
    for (int64_t i = 0; i < line->count; i++) {
        double at = source_of(r, axis, from, i);
        double first = r->filter == NEAREST ? nearest_place(r, at) : floor(at) - radius + 1;
        if (r->filter == NEAREST)
            line->weights[i] = 1;
        else
            weigh(r, line, at, first, stretch, line->weights + i * line->taps);
        for (int64_t t = 0; t < line->taps; t++)
            line->places[i * line->taps + t] = inside_of(line, first + (double)t);
        line->outside[i] =
            r->transform == TF_CROP_AND_RESIZE && (at < 0 || at > (double)(from - 1));
        line->extrapolates = line->extrapolates || line->outside[i];
    }
    return true;
}

/* ---- as operations ---- */

/* Every element `times` times. */
static Node *repeat(OnnxOp *op, Node *x, int axis, int64_t times)
{
    int64_t apart[RANK_LIMIT + 1], many[RANK_LIMIT + 1], joined[RANK_LIMIT];
    int rank = x->type.rank;
    if (rank >= RANK_LIMIT)
        return NULL;
    for (int i = 0, n = 0; i < rank; i++) {
        joined[i] = apart[n] = many[n] = x->type.dims[i];
        n++;
        if (i != axis)
            continue;
        apart[n] = 1;
        many[n++] = times;
        joined[i] *= times;
    }
    x = graph_broadcast(op->f, graph_reshape(op->f, x, rank + 1, apart), rank + 1, many);
    return graph_reshape(op->f, x, rank, joined);
}

/* The slice or repetition that a line of one tap is; NULL when it is neither. */
static Node *regular(OnnxOp *op, Node *x, int axis, const Line *line)
{
    int64_t times = line->count / line->from, start[RANK_LIMIT] = {0}, step[RANK_LIMIT];
    bool repeats = line->count % line->from == 0, steps = true;
    int64_t apart = line->count > 1 ? line->places[1] - line->places[0] : 1;
    for (int64_t i = 0; i < line->count; i++) {
        repeats = repeats && line->places[i] == i / times;
        steps = steps && apart > 0 && line->places[i] == line->places[0] + i * apart;
    }
    if (repeats)
        return times == 1 ? x : repeat(op, x, axis, times);
    if (!steps)
        return NULL;
    int64_t count[RANK_LIMIT];
    for (int i = 0; i < x->type.rank; i++) {
        count[i] = x->type.dims[i];
        step[i] = 1;
    }
    start[axis] = line->places[0];
    count[axis] = line->count;
    step[axis] = apart;
    return graph_slice(op->f, x, start, count, step);
}

/* A list along an axis of a tensor with `rank` axes, of tap `tap`. */
static Node *tap_list(OnnxOp *op, const Line *line, int64_t tap, ElementType element, int axis,
                      int rank)
{
    int64_t dims[RANK_LIMIT];
    for (int i = 0; i < rank - axis; i++)
        dims[i] = i == 0 ? line->count : 1;
    void *data = arena_alloc(op->arena, (size_t)(line->count * element_bytes(element)));
    for (int64_t i = 0; i < line->count; i++) {
        int64_t at = i * line->taps + tap;
        if (element == TYPE_I32)
            ((int32_t *)data)[i] = line->places[at];
        else if (element == TYPE_F64)
            ((double *)data)[i] = line->weights[at];
        else if (element == TYPE_BOOL)
            ((uint8_t *)data)[i] = line->outside[i];
        else
            ((float *)data)[i] = (float)line->weights[at];
    }
    return graph_constant(op->f, type_make(element, rank - axis, dims), data);
}

static Node *pick(OnnxOp *op, Node *x, int axis, const Line *line, int64_t tap)
{
    Node *rows = tap_list(op, line, tap, TYPE_I32, 0, 1);
    return onnx_move_axis(op, graph_gather(op->f, onnx_move_axis(op, x, axis, 0), rows), 0, axis);
}

static Node *resize_axis(OnnxOp *op, Node *x, const Resizing *r, int named, int axis)
{
    Line line = {0};
    if (!x || !fill_line(op, r, named, x->type.dims[axis], &line))
        return NULL;
    int rank = x->type.rank;
    Node *y = line.taps == 1 && line.from > 0 ? regular(op, x, axis, &line) : NULL;
    for (int64_t t = 0; t < line.taps && !(t == 0 && y); t++) {
        Node *part = pick(op, x, axis, &line, t);
        if (line.taps > 1)
            part = graph_mul(op->f, part, tap_list(op, &line, t, x->type.element, axis, rank));
        y = y ? graph_add(op->f, y, part) : part;
    }
    if (!line.extrapolates)
        return y;
    return graph_select(op->f, tap_list(op, &line, 0, TYPE_BOOL, axis, rank),
                        onnx_scalar(op, x->type.element, r->extrapolation), y);
}

static bool changes(const TensorType *x, const Resizing *r, int axis)
{
    return x->dims[axis] != r->length[axis] || fabs(r->scale[axis] - 1) > 1e-9 ||
           r->start[axis] != 0 || r->end[axis] != 1;
}

/* Axes that become shorter first: less is left for the others. */
static Node *resize(OnnxOp *op, Node *x, const Resizing *r)
{
    TensorType from = x->type;
    bool turn = from.rank >= 3, whole = !element_is_float(from.element) && r->filter != NEAREST;
    bool done[RANK_LIMIT] = {false};
    if (whole)
        x = graph_cast(op->f, x, TYPE_F32);
    if (turn)
        x = onnx_channels_last(op, x);
    for (int n = 0; n < from.rank; n++) {
        int best = -1;
        for (int i = 0; i < from.rank; i++)
            if (!done[i] && (best < 0 || r->scale[i] < r->scale[best]))
                best = i;
        done[best] = true;
        int axis = !turn || best == 0 ? best : best == 1 ? from.rank - 1 : best - 1;
        if (changes(&from, r, best))
            x = resize_axis(op, x, r, best, axis);
    }
    if (turn)
        x = onnx_channels_first(op, x);
    return whole ? graph_cast(op->f, graph_unary(op->f, OP_round, x), from.element) : x;
}

static void start_resizing(const TensorType *x, Resizing *r)
{
    *r = (Resizing){.axis_count = x->rank};
    for (int i = 0; i < x->rank; i++) {
        r->axes[i] = i;
        r->length[i] = x->dims[i];
        r->scale[i] = r->end[i] = 1;
    }
}

void onnx_build_resize(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Resizing r;
    if (!x)
        return;
    start_resizing(&x->type, &r);
    if (!read_attributes(op, &r) || !read_axes(op, x->type.rank, &r) ||
        !read_lists(op, &x->type, &r))
        return;
    if (op->opset < 11 && r.filter == NEAREST)
        for (int i = 0; i < x->type.rank; i++)
            if (r.scale[i] < 1)
                r.rounding = CEIL; /* what everybody did before there was a nearest_mode */
    if (r.antialias && r.filter == NEAREST)
        onnx_error(op, "antialias is for the modes linear and cubic");
    else
        onnx_out(op, 0, resize(op, x, &r));
}

/* Scales: two numbers in version 1, a list in version 7, an input from version 9 on. */
void onnx_build_upsample(OnnxOp *op)
{
    Node *x = onnx_in(op, 0);
    Resizing r;
    const float *list = NULL;
    int count = 0;
    if (!x)
        return;
    start_resizing(&x->type, &r);
    double scales[RANK_LIMIT] = {1, 1, onnx_float(op, "height_scale", 1),
                                 onnx_float(op, "width_scale", 1)};
    if (!read_attributes(op, &r))
        return;
    if (op->opset >= 9) {
        if (read_scales(op, 1, &x->type, &r))
            onnx_out(op, 0, resize(op, x, &r));
        return;
    }
    bool given = op->opset >= 7 && onnx_floats(op, "scales", &list, &count);
    if (op->opset < 7 ? x->type.rank != 4 : !given || count != x->type.rank) {
        onnx_error(op, "has %d scales for %d axes", op->opset < 7 ? 4 : count, x->type.rank);
        return;
    }
    for (int i = 0; i < count; i++)
        scales[i] = (double)list[i];
    if (use_scales(op, &x->type, scales, &r))
        onnx_out(op, 0, resize(op, x, &r));
}
