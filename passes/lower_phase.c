/* The way back through a convolution or window: which outputs meet a position of the input.
 *
 *     dx[i] = Σ over taps k of dy[o],   i + pad = o·stride + k·dilation
 *
 * Along one axis the positions i fall into `stride` phases, i = stride·q + first. In one phase the
 * taps that meet are k = tap + t·tap_step, and they meet y at o = q + from - t·from_step: affine
 * again. With stride 2 and 3 taps:
 *
 *     i = 0, 2, 4 …     k = 1            o = q
 *     i = 1, 3, 5 …     k = 0, 2         o = q + 1, q
 *
 * Trimmed, positions near the edges, which fewer taps meet, are phases of their own, so that no tap
 * meets what lies outside of y. */
#include <string.h>

#include "passes/lowering.h"

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    return b ? greatest_common_divisor(b, a % b) : a;
}

static Phase phase_of(const Spatial *s, int i, int64_t kernel, int64_t size, int64_t first)
{
    int64_t stride = s->stride[i], dilation = s->dilation[i], pad = s->pad[2 * i];
    Phase p = {.first = first,
               .inside = 1,
               .count = size > first ? (size - first + stride - 1) / stride : 0};
    p.tap_step = stride / greatest_common_divisor(stride, dilation);
    while (p.tap < p.tap_step && (first + pad - p.tap * dilation) % stride != 0)
        p.tap++;
    if (p.tap == p.tap_step || p.tap >= kernel)
        return p; /* no tap meets: these positions are nought */
    p.taps = (kernel - 1 - p.tap) / p.tap_step + 1;
    p.from = (first + pad - p.tap * dilation) / stride;
    p.from_step = p.tap_step * dilation / stride;
    return p;
}

static void add_phase(Lowering *l, Phases *phases, Phase phase)
{
    phases->list =
        arena_grow(l->arena, phases->list, phases->count, &phases->capacity, sizeof *phases->list);
    phases->list[phases->count++] = phase;
}

/* The taps of `p` that meet y (`size` long) at position q: *low … *high - 1. */
static void taps_inside(const Phase *p, int64_t q, int64_t size, int64_t *low, int64_t *high)
{
    *low = *high = 0;
    for (int64_t t = 0; t < p->taps; t++) {
        int64_t from = q + p->from - t * p->from_step;
        if (from < 0 || from >= size)
            continue;
        if (*low == *high)
            *low = t;
        *high = t + 1;
    }
}

/* Positions begin … end-1 of a phase, with the taps low … high-1 only. */
static Phase part_of_phase(const Spatial *s, int i, const Phase *p, int64_t begin, int64_t end,
                           int64_t low, int64_t high)
{
    Phase part = *p;
    part.first += s->stride[i] * begin;
    part.count = end - begin;
    part.tap += low * p->tap_step;
    part.taps = high - low;
    part.from += begin - low * p->from_step;
    return part;
}

static void add_trimmed(Lowering *l, const Spatial *s, int i, const Phase *p, int64_t size,
                        Phases *phases)
{
    int64_t begin = 0, low, high, next_low, next_high;
    taps_inside(p, 0, size, &low, &high);
    for (int64_t q = 1; q <= p->count; q++) {
        taps_inside(p, q, size, &next_low, &next_high);
        if (q < p->count && next_low == low && next_high == high)
            continue;
        add_phase(l, phases, part_of_phase(s, i, p, begin, q, low, high));
        begin = q;
        low = next_low;
        high = next_high;
    }
}

Phases lower_phases(Lowering *l, const Spatial *s, int i, int64_t kernel, int64_t x, int64_t y,
                    bool trim)
{
    Phases phases = {0};
    for (int64_t first = 0; first < s->stride[i]; first++) {
        Phase p = phase_of(s, i, kernel, x, first);
        if (p.count && trim && p.taps)
            add_trimmed(l, s, i, &p, y, &phases);
        else if (p.count)
            add_phase(l, &phases, p);
    }
    return phases;
}

bool lower_phases_apart(Lowering *l, const Spatial *s, int i, int64_t kernel, int64_t x, int64_t y,
                        Phases *phases)
{
    bool whole = s->stride[i] == kernel || y == 1;
    if (s->pad[2 * i] != 0 || !whole || (s->dilation[i] != 1 && kernel > 1))
        return false;
    int64_t inside = x / kernel < y ? x / kernel : y, rest = x - inside * kernel;
    if (inside)
        add_phase(l, phases, (Phase){.count = inside, .taps = 1, .inside = kernel});
    if (rest) /* a window that reaches beyond the edge, or none */
        add_phase(l, phases,
                  (Phase){.count = 1,
                          .first = inside * kernel,
                          .taps = inside < y,
                          .from = inside,
                          .inside = rest});
    return true;
}

void phases_border(const Phases *phases, int rank, const TensorType *y, Border *border)
{
    *border = (Border){.value = 0};
    for (int i = 0; i < rank; i++) {
        for (int k = 0; k < phases[i].count; k++) {
            const Phase *p = &phases[i].list[k];
            if (!p->taps)
                continue;
            int64_t lowest = p->from - (p->taps - 1) * p->from_step,
                    highest = p->count - 1 + p->from;
            if (-lowest > border->before[i + 1])
                border->before[i + 1] = -lowest;
            if (highest - (y->dims[i + 1] - 1) > border->after[i + 1])
                border->after[i + 1] = highest - (y->dims[i + 1] - 1);
        }
    }
}
