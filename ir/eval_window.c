/* Evaluates windows, and walks their geometry for the convolutions too.
 *
 * Taps outside the input do not exist: they are neither summed nor compared. With dilation a window
 * can lie between the elements of a very small input and have no tap at all; then its maximum is
 * -inf (the least of an integer type), its sum 0, its argmax 0, and what is picked there is 0. */
#include "ir/eval_window.h"

#include <math.h>

#include "ir/element.h"

Geometry geometry_create(const Node *node, const TensorType *x, const TensorType *y,
                         const int64_t *size)
{
    Spatial spatial = node_spatial(node);
    Geometry geometry = {.batch = x->dims[0]};
    for (int i = 0; i < 3; i++) {
        bool given = i < spatial.rank;
        geometry.in[i] = given ? x->dims[i + 1] : 1;
        geometry.out[i] = given ? y->dims[i + 1] : 1;
        geometry.size[i] = given ? size[i] : 1;
        geometry.stride[i] = given ? spatial.stride[i] : 1;
        geometry.dilation[i] = given ? spatial.dilation[i] : 1;
        geometry.before[i] = given ? spatial.pad[2 * i] : 0;
    }
    return geometry;
}

/* The taps of one output pixel. */
static void pixel_walk(const Geometry *g, int64_t image, const int64_t *out, TapBody *body,
                       void *context, int64_t y_pixel)
{
    int64_t at[3], tap = 0;
    for (int64_t i = 0; i < g->size[0]; i++) {
        at[0] = out[0] * g->stride[0] + i * g->dilation[0] - g->before[0];
        for (int64_t j = 0; j < g->size[1]; j++) {
            at[1] = out[1] * g->stride[1] + j * g->dilation[1] - g->before[1];
            for (int64_t k = 0; k < g->size[2]; k++, tap++) {
                at[2] = out[2] * g->stride[2] + k * g->dilation[2] - g->before[2];
                bool inside = at[0] >= 0 && at[0] < g->in[0] && at[1] >= 0 && at[1] < g->in[1] &&
                              at[2] >= 0 && at[2] < g->in[2];
                int64_t x_pixel =
                    ((image * g->in[0] + at[0]) * g->in[1] + at[1]) * g->in[2] + at[2];
                if (inside)
                    body(context, x_pixel, tap, y_pixel);
            }
        }
    }
}

void geometry_walk(const Geometry *g, TapBody *body, void *context)
{
    int64_t y_pixel = 0;
    for (int64_t image = 0; image < g->batch; image++)
        for (int64_t i = 0; i < g->out[0]; i++)
            for (int64_t j = 0; j < g->out[1]; j++)
                for (int64_t k = 0; k < g->out[2]; k++)
                    pixel_walk(g, image, (int64_t[]){i, j, k}, body, context, y_pixel++);
}

/* x is the side of the input, y that of the output; taps are y's shape. */
typedef struct Windows {
    const Value *x, *y;
    int64_t *taps;
    int64_t *best; /* where in x the greatest so far is */
    int64_t channels;
} Windows;

static void walk_windows(const Evaluation *e, const Value *x, const Value *y, Windows *windows,
                         TapBody *body)
{
    Geometry geometry = geometry_create(e->node, &x->type, &y->type, e->node->attr.lists[0].values);
    windows->x = x;
    windows->y = y;
    windows->channels = x->type.dims[x->type.rank - 1];
    geometry_walk(&geometry, body, windows);
}

/* to[i] += from[j] */
static void add_element(const Value *to, int64_t i, const Value *from, int64_t j)
{
    if (to->numbers)
        to->numbers[i] += from->numbers[j];
    else
        to->integers[i] = (int64_t)((uint64_t)to->integers[i] + (uint64_t)from->integers[j]);
}

/* to[i] = from[j] */
static void set_element(const Value *to, int64_t i, const Value *from, int64_t j)
{
    if (to->numbers)
        to->numbers[i] = from->numbers[j];
    else
        to->integers[i] = from->integers[j];
}

static bool is_greater(const Value *a, int64_t i, const Value *b, int64_t j)
{
    if (a->numbers)
        return a->numbers[i] > b->numbers[j];
    return element_less(a->type.element, b->integers[j], a->integers[i]);
}

static void tap_max(void *context, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    const Windows *windows = context;
    int64_t x = x_pixel * windows->channels, y = y_pixel * windows->channels;
    (void)tap;
    for (int64_t c = 0; c < windows->channels; c++, x++, y++) {
        bool stays = windows->y->numbers && isnan(windows->y->numbers[y]);
        if (!stays && !is_greater(windows->y, y, windows->x, x))
            set_element(windows->y, y, windows->x, x);
    }
}

void evaluate_window_max(const Evaluation *e)
{
    Windows windows = {0};
    int64_t count = type_elements(&e->out->type);
    for (int64_t i = 0; i < count; i++) {
        if (e->out->numbers)
            e->out->numbers[i] = -INFINITY;
        else
            e->out->integers[i] = element_saturate(e->out->type.element, -INFINITY);
    }
    walk_windows(e, &e->in[0], e->out, &windows, tap_max);
}

static void tap_sum(void *context, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    const Windows *windows = context;
    int64_t x = x_pixel * windows->channels, y = y_pixel * windows->channels;
    (void)tap;
    for (int64_t c = 0; c < windows->channels; c++)
        add_element(windows->y, y + c, windows->x, x + c);
}

void evaluate_window_sum(const Evaluation *e)
{
    Windows windows = {0};
    walk_windows(e, &e->in[0], e->out, &windows, tap_sum);
}

static void tap_argmax(void *context, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    const Windows *windows = context;
    int64_t x = x_pixel * windows->channels, y = y_pixel * windows->channels;
    for (int64_t c = 0; c < windows->channels; c++, x++, y++) {
        if (windows->taps[y] < 0 || is_greater(windows->x, x, windows->x, windows->best[y])) {
            windows->taps[y] = tap;
            windows->best[y] = x;
        }
    }
}

void evaluate_window_argmax(const Evaluation *e)
{
    int64_t count = type_elements(&e->out->type);
    Windows windows = {.best = ARENA_ARRAY(e->arena, int64_t, count), .taps = e->out->integers};
    for (int64_t i = 0; i < count; i++)
        windows.taps[i] = -1; /* none seen yet */
    walk_windows(e, &e->in[0], e->out, &windows, tap_argmax);
    for (int64_t i = 0; i < count; i++)
        if (windows.taps[i] < 0)
            windows.taps[i] = 0;
}

static void tap_pick(void *context, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    const Windows *windows = context;
    int64_t x = x_pixel * windows->channels, y = y_pixel * windows->channels;
    for (int64_t c = 0; c < windows->channels; c++)
        if (windows->taps[y + c] == tap)
            set_element(windows->y, y + c, windows->x, x + c);
}

void evaluate_window_pick(const Evaluation *e)
{
    Windows windows = {.taps = e->in[1].integers};
    walk_windows(e, &e->in[0], e->out, &windows, tap_pick);
}

static void tap_scatter(void *context, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    const Windows *windows = context;
    int64_t x = x_pixel * windows->channels, y = y_pixel * windows->channels;
    for (int64_t c = 0; c < windows->channels; c++)
        if (windows->taps[y + c] == tap)
            add_element(windows->x, x + c, windows->y, y + c);
}

void evaluate_window_scatter(const Evaluation *e)
{
    Windows windows = {.taps = e->in[1].integers};
    walk_windows(e, e->out, &e->in[0], &windows, tap_scatter);
}

static void tap_spread(void *context, int64_t x_pixel, int64_t tap, int64_t y_pixel)
{
    const Windows *windows = context;
    int64_t x = x_pixel * windows->channels, y = y_pixel * windows->channels;
    (void)tap;
    for (int64_t c = 0; c < windows->channels; c++)
        add_element(windows->x, x + c, windows->y, y + c);
}

void evaluate_window_spread(const Evaluation *e)
{
    Windows windows = {0};
    walk_windows(e, e->out, &e->in[0], &windows, tap_spread);
}
