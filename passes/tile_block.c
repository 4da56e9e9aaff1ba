/* The size of register blocks, by a small model of the processor.
 *
 * One step of the reduced loops, for a block of rows × vectors, costs the greatest of
 *
 *   multiply-adds   rows · vectors, of which targets.def says how many begin in a cycle
 *   loads           rows + vectors: the elements of A are broadcast, the vectors of B loaded; where
 *                   A is read in vectors, rows / lanes of them
 *   instructions    both; a load counts one and a half, for its address
 *   latency         a sum can be added to again only after four cycles; five with the loop
 *   traffic         bytes that come from beyond the first-level cache, at what the next level gives
 *
 * and a fifth of the traffic again, because it never overlaps entirely. Each block costs what
 * starting and storing it takes besides. */
#include "passes/tile.h"

enum {
    ROWS_MAX = 28,
    VECTORS_MAX = 12,
    WAY_BYTES = 4096, /* of a first-level cache: addresses so far apart compete for one set */
    PAGE_BYTES = 4096,
    PAGE_CYCLES = 10, /* for each row of a block in a page of its own: nothing is fetched ahead */
    L3_BYTES_PER_CYCLE = 12,
};

int64_t tile_packed_width(const Contraction *c)
{
    int64_t width = c->outer[c->vector].extent;
    return (width + c->lanes - 1) / c->lanes * c->lanes;
}

bool tile_rows_innermost(const Contraction *c)
{
    int64_t panels = c->depth * tile_packed_width(c) * element_bytes(c->element), blocks = 1;
    for (int i = 0; i < c->outer_count; i++) {
        int64_t extent = c->outer[i].extent, size = i == c->row    ? c->rows
                                                    : i == c->line ? c->lines
                                                                   : 1;
        if (i != c->vector && c->outer[i].b == 0)
            blocks *= (extent + size - 1) / size;
    }
    return blocks < 16 || panels > (int64_t)c->target->l2_kib * 512;
}

/* Cycles one step waits for B: a panel that one block after the other reads again lies in some
 * cache. */
static double panel_traffic(const Contraction *c, int vectors)
{
    int64_t step = (int64_t)vectors * c->lanes * element_bytes(c->element);
    if (c->deep)
        return (double)step / L2_BYTES_PER_CYCLE;
    int64_t again = tile_rows_innermost(c)
                        ? step * c->depth
                        : c->depth * tile_packed_width(c) * element_bytes(c->element);
    if (again <= (int64_t)c->target->l1_kib * 512)
        return 0;
    bool near = again <= (int64_t)c->target->l2_kib * 768;
    return (double)step / (near ? L2_BYTES_PER_CYCLE : L3_BYTES_PER_CYCLE);
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

/* How many of the rows' elements lie in different sets of the first-level cache. */
static int distinct_sets(int64_t stride, int rows)
{
    int64_t sets[ROWS_MAX];
    int count = 0;
    for (int r = 0; r < rows; r++) {
        int64_t set = magnitude(stride) * r % WAY_BYTES / LINE_BYTES;
        bool known = false;
        for (int s = 0; s < count && !known; s++)
            known = sets[s] == set;
        if (!known)
            sets[count++] = set;
    }
    return count;
}

/* Cycles one step waits for A. Rows a multiple of a way apart push one another out of the cache
 * before the rest of their lines is used. */
static double rows_traffic(const Contraction *c, int row, int rows)
{
    if (c->deep) /* they lie in the first-level cache */
        return 0;
    int64_t bytes = element_bytes(c->element);
    int64_t deeper = c->reduced_count ? c->reduced[c->reduced_count - 1].a * bytes : 0;
    int64_t apart = row < 0 ? 0 : magnitude(c->outer[row].a) * bytes;
    double lines = apart < LINE_BYTES ? 1 + (double)(rows * apart) / LINE_BYTES : rows;
    int ways = c->target->l1_kib * 1024 / WAY_BYTES;
    bool crowded = rows > (ways - 2) * distinct_sets(apart, rows);
    if (!crowded && magnitude(deeper) < LINE_BYTES)
        lines = lines * (double)magnitude(deeper) / LINE_BYTES;
    return lines * LINE_BYTES / L2_BYTES_PER_CYCLE;
}

static double greater(double a, double b)
{
    return a > b ? a : b;
}

typedef struct Shape { /* of blocks */
    int row, line, rows, lines, vectors;
} Shape;

/* Of blocks whose rows are `rows` steps of the row loop `row`. Vectors are read where the target
 * multiplies by one lane of a register, and elements lie side by side. */
static Factors factors_of(const Contraction *c, int row, int rows)
{
    if (!c->target->lane || c->outer[c->vector].a != 0 || c->deep)
        return FACTORS_EACH;
    if (row >= 0 && c->outer[row].a == 1 && rows % c->lanes == 0)
        return FACTORS_ALONG_ROWS;
    const Axis *deepest = c->reduced_count ? &c->reduced[c->reduced_count - 1] : NULL;
    return deepest && deepest->a == 1 && deepest->extent >= c->lanes ? FACTORS_ALONG_DEPTH
                                                                     : FACTORS_EACH;
}

/* Registers the elements of A are in, for a block `height` high. */
static int factor_registers(const Contraction *c, const Shape *s)
{
    int height = s->rows * s->lines;
    switch (factors_of(c, s->row, s->rows)) {
    case FACTORS_ALONG_ROWS:
        return height / c->lanes + 1;
    case FACTORS_ALONG_DEPTH:
        return height;
    case FACTORS_EACH:
        break;
    }
    /* x86 multiplies by an element broadcast from memory; ARM loads several rows' elements first */
    return c->target->architecture == ARCHITECTURE_X86_64 ? 1 : 4;
}

static double block_cost(const Contraction *c, const Shape *s, int rows, int vectors)
{
    const Target *t = c->target;
    bool each = factors_of(c, s->row, s->line < 0 ? rows : s->rows) == FACTORS_EACH;
    double products = rows * vectors, loads = vectors + (each ? rows : (double)rows / c->lanes);
    double traffic = panel_traffic(c, vectors) + rows_traffic(c, s->row, rows);
    double step = greater(products / t->adds, loads / t->loads);
    step = greater(step, (products + 1.5 * loads + 1) / t->issue);
    step = greater(step, 5);
    step = greater(step, traffic);
    double apart = s->row < 0 ? 0 : (double)magnitude(c->outer[s->row].out);
    bool far = apart * (double)element_bytes(c->element) >= PAGE_BYTES;
    return (step + 0.2 * traffic) * (double)c->depth + 8 +
           rows * (vectors + (far ? PAGE_CYCLES : 0));
}

/* Of all blocks in one round of the row loop (and of the line loop). */
static double total_cost(Contraction *c, const Shape *s)
{
    int64_t width = c->outer[c->vector].extent;
    int64_t wide = (int64_t)s->vectors * c->lanes, full = width / wide, rest = width % wide;
    int rest_vectors = (int)((rest + c->lanes - 1) / c->lanes), height = s->rows * s->lines;
    int64_t extent = s->row < 0 ? 1 : c->outer[s->row].extent;
    int64_t full_rows = extent / s->rows, rest_rows = extent % s->rows;
    if (s->line >= 0) {
        full_rows = c->outer[s->line].extent / s->lines;
        rest_rows = c->outer[s->line].extent % s->lines * extent;
    }
    c->row = s->row, c->line = s->line, c->rows = s->rows, c->lines = s->lines;
    double cost = (double)full_rows * (double)full * block_cost(c, s, height, s->vectors);
    if (rest_vectors)
        cost += (double)full_rows * block_cost(c, s, height, rest_vectors);
    if (rest_rows)
        cost += (double)full * block_cost(c, s, (int)rest_rows, s->vectors);
    if (rest_rows && rest_vectors)
        cost += block_cost(c, s, (int)rest_rows, rest_vectors);
    int64_t outputs = extent * (s->line < 0 ? 1 : c->outer[s->line].extent);
    return cost / (double)outputs;
}

typedef struct Choice {
    Shape shape;
    double cost; /* 0: none yet */
} Choice;

/* Panels of weights that several functions read are as wide in all of them, whatever their rows. */
static int shared_vectors(const Contraction *c)
{
    enum { OF_MANY_REGISTERS = 4, OF_FEW_REGISTERS = 3 };
    int64_t needed = (c->outer[c->vector].extent + c->lanes - 1) / c->lanes;
    int most = c->target->registers >= 32 ? OF_MANY_REGISTERS : OF_FEW_REGISTERS;
    return needed < most ? (int)needed : most;
}

/* All widths of blocks of this height. */
static void try_widths(Contraction *c, Shape shape, Choice *best)
{
    int spare = factor_registers(c, &shape);
    int64_t width = c->outer[c->vector].extent;
    int height = shape.rows * shape.lines;
    for (int vectors = c->b->buffer->shared ? shared_vectors(c) : 1; vectors <= VECTORS_MAX;
         vectors++) {
        if (height * vectors + vectors + spare > c->target->registers ||
            (vectors > 1 && (vectors - 1) * c->lanes >= width))
            break;
        shape.vectors = vectors;
        double cost = total_cost(c, &shape);
        if (best->cost == 0 || cost < best->cost * 0.999)
            *best = (Choice){shape, cost};
        if (c->b->buffer->shared)
            break;
    }
}

static bool can_be_row(const Contraction *c, int i)
{
    return c->deep ? tile_can_be_deep_row(c, i) : i != c->vector && c->outer[i].b == 0;
}

/* Short row loops: blocks that hold several rounds of them. */
static void try_lines(Contraction *c, int row, Choice *best)
{
    int64_t extent = c->outer[row].extent;
    for (int line = row - 1; line >= 0; line--) {
        if (!can_be_row(c, line))
            continue;
        for (int lines = 2; lines * extent <= ROWS_MAX && lines <= c->outer[line].extent; lines++)
            try_widths(c, (Shape){row, line, (int)extent, lines, 1}, best);
        return;
    }
}

double tile_choose_block(Contraction *c)
{
    Choice best = {0};
    for (int row = c->outer_count - 1; row >= -1; row--) {
        if (row >= 0 ? !can_be_row(c, row) : c->deep)
            continue;
        int64_t extent = row < 0 ? 1 : c->outer[row].extent;
        for (int rows = 1; rows <= ROWS_MAX && rows <= extent; rows++)
            try_widths(c, (Shape){row, -1, rows, 1, 1}, &best);
        if (row >= 0 && !c->deep)
            try_lines(c, row, &best);
    }
    c->row = best.shape.row;
    c->line = best.shape.line;
    c->rows = best.shape.rows;
    c->lines = best.shape.lines;
    c->vectors = best.shape.vectors;
    c->factors = factors_of(c, c->row, c->rows);
    double all = best.cost;
    for (int i = 0; i < c->outer_count; i++)
        all *= i == c->vector ? 1 : (double)c->outer[i].extent;
    return all;
}
