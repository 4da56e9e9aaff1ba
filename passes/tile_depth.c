/* Deep sums whose steps lie far apart in A, as those of gradients of weights do: every step of a
 * block would touch cache lines of its own, in pages of their own, and every block all of them.
 *
 *     for i = 0..256 { for j = 0..1024 { … for k = 0..6400 { %acc[0] += mul(%x[256*k + i],
 *                                                                       %w[1024*k + j]) } … } }
 *
 * The sum is taken in stretches. Of one stretch a group of columns of B, and then rows of A for one
 * block after the other, are copied to scratch, where they lie side by side: the rows stay in the
 * first-level cache, the columns in the second-level one. Between stretches the sums wait in
 * scratch, and the epilogue finds them there:
 *
 *     for i = 0..256 step 128 { for j = 0..1024 step 256 {
 *       … %sums[256*r + u + v] = 0 …
 *       for k = 0..6400 step 256 {
 *         … %panels[8192*p + 32*s + u + v] = %w[1024*k + 1024*s + j + 32*p + u + v] …
 *         for b = 0..126 step 14 {
 *           … %rows[16*s + u + v] = %x[256*k + 256*s + i + b + u + v] …
 *           for p = 0..8 {
 *             local %acc …                                   from %sums
 *             for s = 0..256 { … %acc[…] += mul(%rows[16*s + r], %panels[8192*p + 32*s + u + v]) }
 *             …                                              to %sums
 *           }
 *         } …
 *       }
 *       … epilogue, of %sums …
 *     } }
 *
 * After Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008. */
#include "passes/tile.h"

enum {
    STRETCH = 256,      /* steps: a block's rows fill half of a first-level cache of 32 KiB */
    DEEP = 3 * STRETCH, /* steps from which it pays to keep sums in memory */
    COLUMNS_AT_ONCE = 256,
    ROWS_AT_ONCE = 256,
    FAR_LINES = 4,     /* steps so far apart in A leave much of each line to other blocks */
    GROUPS_ENOUGH = 8, /* to share out among threads */
};

typedef struct Deep {
    Contraction *c;
    Arena *arena;
    int axis;            /* of the reduced loops, the one that stretches are parts of */
    int64_t inside;      /* steps of the loops inside of it */
    int64_t steps;       /* of it in one stretch */
    int64_t wide, width; /* columns of a panel; of a group, with those that fill the last vector */
    int64_t high;        /* elements of A for one step in `rows`: fills vectors */
    const Var *begin;    /* of the stretch */
    bool last;           /* of the stretches */
    Buffer *sums, *rows, *panels;
} Deep;

/* Rows and columns that are gone through together. */
typedef struct Group {
    Affine row, column; /* the first */
    int64_t rows, columns;
} Group;

bool tile_is_deep(const Contraction *c)
{
    const Axis *last = c->reduced_count ? &c->reduced[c->reduced_count - 1] : NULL;
    int64_t far = FAR_LINES * LINE_BYTES / element_bytes(c->element);
    if (c->depth < DEEP || c->rounds || c->b->buffer->shared || c->outer[c->vector].b != 1 ||
        c->outer[c->vector].a != 0 || last->a < far)
        return false;
    for (int i = 0; i < c->outer_count; i++)
        if (tile_can_be_deep_row(c, i))
            return true;
    return false;
}

bool tile_can_be_deep_row(const Contraction *c, int i)
{
    return i != c->vector && c->outer[i].b == 0 && c->outer[i].a == 1 &&
           c->outer[i].extent >= PACK_ROWS;
}

static int64_t round_up(int64_t count, int64_t unit)
{
    return (count + unit - 1) / unit * unit;
}

static Affine plus(const Deep *d, Affine a, const Var *b)
{
    return affine_add(d->arena, a, affine_var(d->arena, b, 1));
}

/* ---- the steps of a stretch ---- */

/* `body` for each of them; `size` steps of the loop that stretches are parts of. Those of a block,
 * several in one round; NULL: of a copy. */
static Stmt *each_step(const Deep *d, int64_t size, const Block *block, Stmt *body)
{
    const Axis *reduced = d->c->reduced;
    int last = d->c->reduced_count - 1;
    for (int i = last; i >= d->axis; i--) {
        body = stmt_loop(d->arena, LOOP_SERIAL, reduced[i].var, 0,
                         i == d->axis ? size : reduced[i].extent, 1, body);
        if (block && i == last)
            body = tile_several_steps(d->c, block, body);
    }
    return body;
}

/* Its number within the stretch. */
static Affine step_number(const Deep *d)
{
    Affine step = affine_number(0);
    for (int i = d->axis; i < d->c->reduced_count; i++)
        step = plus(d, affine_scale(d->arena, step, d->c->reduced[i].extent), d->c->reduced[i].var);
    return step;
}

/* An operand at a step of the stretch, with one of the outer loops at `place`. */
static Expr *operand_at(const Deep *d, Expr *operand, int outer, Affine place)
{
    Replace replace = {0};
    const Var *stepped = d->c->reduced[d->axis].var;
    replace_var(&replace, d->c->outer[outer].var, place);
    replace_var(&replace, stepped, plus(d, affine_var(d->arena, d->begin, 1), stepped));
    return rewrite_expr(d->arena, operand, &replace);
}

/* ---- copies ---- */

/* to[place + n] = operand at first + n for n < count: whole vectors, then what is left. */
static Stmt *copy_run(const Deep *d, Buffer *to, Affine place, Expr *operand, int outer,
                      Affine first, int64_t count)
{
    Arena *arena = d->arena;
    int64_t lanes = d->c->lanes, full = count / lanes * lanes;
    const Var *u = kernel_var(arena, d->c->kernel, "u"), *v = kernel_var(arena, d->c->kernel, "v");
    Affine at = plus(d, affine_var(arena, u, 1), v);
    Stmt *store = stmt_store(arena, STORE_SET, to, affine_add(arena, place, at),
                             operand_at(d, operand, outer, affine_add(arena, first, at)));
    Stmt *all = NULL;
    if (full)
        all = stmt_loop(arena, LOOP_UNROLL, u, 0, full, lanes,
                        stmt_vector(arena, v, lanes, (int)lanes, store));
    if (full == count)
        return all;
    Replace last = {0};
    replace_var(&last, u, affine_number(full));
    return stmt_append(
        all, stmt_vector(arena, v, count - full, (int)lanes, rewrite_stmts(arena, store, &last)));
}

/* 0 in the lanes of the last vector that are beyond the first `count` elements from `place` on. */
static Stmt *clear_beyond(const Deep *d, Buffer *to, Affine place, int64_t count)
{
    int64_t beyond = round_up(count, d->c->lanes) - count;
    if (!beyond)
        return NULL;
    const Var *v = kernel_var(d->arena, d->c->kernel, "v");
    Affine at = plus(d, affine_add(d->arena, place, affine_number(count)), v);
    Stmt *zero = stmt_store(d->arena, STORE_SET, to, at, expr_number(d->arena, d->c->element, 0));
    return stmt_vector(d->arena, v, beyond, d->c->lanes, zero);
}

/* Where panel p lies. */
static Affine panel_offset(const Deep *d, const Var *p)
{
    return affine_var(d->arena, p, d->steps * d->inside * d->wide);
}

typedef struct Panels {
    int64_t begin, end, real; /* real: columns of each */
} Panels;

/* Part 0: those that are full; part 1: the last, of fewer columns. False when there are none. */
static bool choose_panels(const Deep *d, const Group *g, int part, Panels *panels)
{
    int64_t full = g->columns / d->wide, rest = g->columns % d->wide;
    *panels = part ? (Panels){full, full + (rest > 0), rest} : (Panels){0, full, d->wide};
    return panels->begin < panels->end;
}

static Stmt *copy_columns(const Deep *d, const Group *g, int64_t size)
{
    Arena *arena = d->arena;
    Panels panels;
    Stmt *all = NULL;
    for (int part = 0; part < 2; part++) {
        if (!choose_panels(d, g, part, &panels))
            continue;
        const Var *p = kernel_var(arena, d->c->kernel, "p");
        Affine column = affine_add(arena, g->column, affine_var(arena, p, d->wide));
        Affine place =
            affine_add(arena, panel_offset(d, p),
                       affine_scale(arena, step_number(d), round_up(panels.real, d->c->lanes)));
        Stmt *copy = copy_run(d, d->panels, place, d->c->b, d->c->vector, column, panels.real);
        copy = stmt_append(copy, clear_beyond(d, d->panels, place, panels.real));
        all = stmt_append(all, stmt_loop(arena, LOOP_SERIAL, p, panels.begin, panels.end, 1,
                                         each_step(d, size, NULL, copy)));
    }
    return all;
}

static Stmt *copy_rows(const Deep *d, Affine first, int64_t rows, int64_t size)
{
    Affine place = affine_scale(d->arena, step_number(d), d->high);
    return each_step(d, size, NULL, copy_run(d, d->rows, place, d->c->a, d->c->row, first, rows));
}

/* ---- blocks ---- */

/* Asks, a line at a time, for what the next stretch will copy: block (b, p) for the steps from
 * each·b on, of its own columns, and of its part of the rows. What reaches beyond the end is only
 * asked for. */
static Stmt *fetch_next(const Deep *d, const Group *g, const Var *b, const Var *p, const Var *f,
                        int64_t each)
{
    Arena *arena = d->arena;
    const Contraction *c = d->c;
    int64_t line = LINE_BYTES / element_bytes(c->element);
    int64_t panels = (g->columns + d->wide - 1) / d->wide, row_lines = g->rows / line + 1;
    int64_t part = (row_lines + panels - 1) / panels * line;
    Affine step = plus(d, affine_var(arena, b, each), f);
    step = affine_add(arena, step, affine_number(d->steps));
    Replace columns = {0}, rows = {0};
    const Var *stepped = c->reduced[d->axis].var;
    replace_var(&columns, stepped, step);
    replace_var(&rows, stepped, step);
    Stmt *all = NULL;
    for (int64_t n = 0; n < d->wide; n += line) {
        Affine at = affine_add(arena, affine_var(arena, p, d->wide), affine_number(n));
        Expr *b_next = operand_at(d, c->b, c->vector, affine_add(arena, g->column, at));
        all = stmt_append(all, stmt_fetch(arena, b_next->buffer, FETCH_FAR,
                                          rewrite_affine(arena, b_next->offset, &columns)));
    }
    for (int64_t n = 0; n < part; n += line) {
        Affine at = affine_add(arena, affine_var(arena, p, part), affine_number(n));
        Expr *a_next = operand_at(d, c->a, c->row, affine_add(arena, g->row, at));
        all = stmt_append(all, stmt_fetch(arena, a_next->buffer, FETCH_FAR,
                                          rewrite_affine(arena, a_next->offset, &rows)));
    }
    return all;
}

/* The steps of a block, and meanwhile the fetches: some steps after each. */
static Stmt *sum_block(const Deep *d, const Group *g, const Var *b, const Block *shape,
                       const Var *p, int64_t size, Stmt *add)
{
    Arena *arena = d->arena;
    int rows = shape->rows;
    if (d->last) {
        Replace place = {0};
        Affine row = affine_add(arena, affine_var(arena, b, 1), affine_var(arena, shape->r, 1));
        Affine column = plus(d, affine_var(arena, p, d->wide), shape->u);
        replace_var(&place, d->c->outer[d->c->row].var, affine_add(arena, g->row, row));
        replace_var(&place, d->c->outer[d->c->vector].var, affine_add(arena, g->column, column));
        return tile_fetch_ahead(d->c, shape, &place, each_step(d, size, shape, add));
    }
    int64_t each = (size + g->rows - 1) / g->rows, fetched = each * rows;
    int64_t between = size / fetched, at_once = tile_steps_at_once(shape, between);
    between = between / at_once * at_once;
    if (d->inside > 1 || between == 0)
        return each_step(d, size, shape, add);
    const Var *f = kernel_var(arena, d->c->kernel, "f"), *step = d->c->reduced[d->axis].var;
    Replace later = {0};
    replace_var(&later, step, plus(d, affine_var(arena, f, between), step));
    Stmt *all = fetch_next(d, g, b, p, f, each);
    stmt_append(all, each_step(d, between, shape, rewrite_stmts(arena, add, &later)));
    all = stmt_loop(arena, LOOP_SERIAL, f, 0, fetched, 1, all);
    if (fetched * between < size)
        stmt_append(all, tile_several_steps(
                             d->c, shape,
                             stmt_loop(arena, LOOP_SERIAL, step, fetched * between, size, 1, add)));
    return all;
}

/* The sums from row b and panel p of the group on, which go on to be added up. */
static Stmt *block(const Deep *d, const Group *g, const Var *b, int rows, const Var *p,
                   int64_t real, int64_t size)
{
    Arena *arena = d->arena;
    Contraction *c = d->c;
    int64_t wide = round_up(real, c->lanes);
    Block shape = {.rows = rows, .lines = 1, .vectors = (int)(wide / c->lanes), .real = wide};
    shape.r = kernel_var(arena, c->kernel, "r");
    shape.u = kernel_var(arena, c->kernel, "u");
    shape.v = kernel_var(arena, c->kernel, "v");
    Affine across = plus(d, affine_var(arena, shape.u, 1), shape.v), step = step_number(d);
    Affine sum =
        affine_add(arena, affine_var(arena, b, d->width), affine_var(arena, shape.r, d->width));
    sum = affine_add(arena, affine_add(arena, sum, affine_var(arena, p, d->wide)), across);
    Buffer *acc = nest_local(arena, "acc", c->element, rows * wide);
    Affine inside = affine_add(arena, affine_var(arena, shape.r, wide), across);
    Affine left = plus(d, affine_scale(arena, step, d->high), shape.r);
    Affine right = affine_add(arena, panel_offset(d, p),
                              affine_add(arena, affine_scale(arena, step, wide), across));
    Expr *factors[] = {expr_load(arena, d->rows, left), expr_load(arena, d->panels, right)};
    Expr *product = expr_apply(arena, OP_mul, c->element, 2, factors);
    Stmt *from = stmt_store(arena, STORE_SET, acc, inside, expr_load(arena, d->sums, sum));
    Stmt *add = stmt_store(arena, STORE_ADD, acc, inside, product);
    Stmt *to = stmt_store(arena, STORE_SET, d->sums, sum, expr_load(arena, acc, inside));
    Stmt *all = stmt_append(stmt_local(arena, acc), tile_each_vector(c, &shape, false, from));
    add = tile_each_vector(c, &shape, false, add);
    stmt_append(all, sum_block(d, g, b, &shape, p, size, add));
    return stmt_append(all, tile_each_vector(c, &shape, false, to));
}

static Stmt *columns_of(const Deep *d, const Group *g, const Var *b, int rows, int64_t size)
{
    Panels panels;
    Stmt *all = NULL;
    for (int part = 0; part < 2; part++) {
        if (!choose_panels(d, g, part, &panels))
            continue;
        const Var *p = kernel_var(d->arena, d->c->kernel, "p");
        all = stmt_append(all, stmt_loop(d->arena, LOOP_SERIAL, p, panels.begin, panels.end, 1,
                                         block(d, g, b, rows, p, panels.real, size)));
    }
    return all;
}

/* Blocks of full height, of which those before the last copy whole vectors of rows, though the next
 * ones have some of them, too; then what is left as one smaller block. */
static Stmt *rows_of(const Deep *d, const Group *g, int64_t size)
{
    int64_t height = d->c->rows, full = g->rows / height * height;
    int64_t whole = g->rows < d->high ? 0 : (g->rows - d->high) / height * height + height;
    int64_t ends[] = {whole < full ? whole : full, full, g->rows};
    Stmt *all = NULL;
    for (int part = 0; part < 3; part++) {
        int64_t begin = part ? ends[part - 1] : 0, end = ends[part];
        if (begin == end)
            continue;
        int rows = (int)(part == 2 ? end - begin : height);
        const Var *b = kernel_var(d->arena, d->c->kernel, "b");
        Stmt *body = copy_rows(d, plus(d, g->row, b), part ? rows : d->high, size);
        stmt_append(body, columns_of(d, g, b, rows, size));
        all = stmt_append(all, stmt_loop(d->arena, LOOP_SERIAL, b, begin, end, rows, body));
    }
    return all;
}

/* ---- a group ---- */

static Stmt *clear_sums(const Deep *d, int64_t rows)
{
    Arena *arena = d->arena;
    const Var *u = kernel_var(arena, d->c->kernel, "u"), *v = kernel_var(arena, d->c->kernel, "v");
    Stmt *store =
        stmt_store(arena, STORE_SET, d->sums, plus(d, affine_var(arena, u, 1), v), d->c->first);
    return stmt_loop(arena, LOOP_SERIAL, u, 0, rows * d->width, d->c->lanes,
                     stmt_vector(arena, v, d->c->lanes, d->c->lanes, store));
}

/* The last one is written out: nothing comes after it that could be fetched but the epilogue. */
static Stmt *stretches(Deep *d, const Group *g)
{
    int64_t extent = d->c->reduced[d->axis].extent, rest = extent % d->steps;
    int64_t before = extent - (rest ? rest : d->steps);
    Stmt *all = NULL;
    for (int part = 0; part < 2; part++) {
        int64_t begin = part ? before : 0, end = part ? extent : before;
        if (begin == end)
            continue;
        int64_t size = part ? end - begin : d->steps;
        d->last = part && d->axis == 0;
        Stmt *body = stmt_append(copy_columns(d, g, size), rows_of(d, g, size));
        all = stmt_append(all, stmt_loop(d->arena, LOOP_SERIAL, d->begin, begin, end, size, body));
    }
    return tile_reduced_loops(d->c, d->axis, all);
}

static Stmt *epilogue(const Deep *d, const Group *g)
{
    Arena *arena = d->arena;
    Contraction *c = d->c;
    Block b = {.rows = (int)g->rows, .lines = 1, .real = g->columns};
    b.r = kernel_var(arena, c->kernel, "r");
    b.u = kernel_var(arena, c->kernel, "u");
    b.v = kernel_var(arena, c->kernel, "v");
    Affine across = plus(d, affine_var(arena, b.u, 1), b.v);
    Affine place = affine_add(arena, affine_var(arena, b.r, d->width), across);
    Replace replace = {.local = c->acc, .local_by = d->sums, .local_offset = place};
    replace_var(&replace, c->outer[c->vector].var, affine_add(arena, g->column, across));
    replace_var(&replace, c->outer[c->row].var, plus(d, g->row, b.r));
    return tile_loop_over_vectors(c, &b, rewrite_stmts(arena, c->epilogue, &replace));
}

static Stmt *group(Deep *d, const Group *g)
{
    Stmt *all = clear_sums(d, g->rows);
    stmt_append(all, stretches(d, g));
    return stmt_append(all, epilogue(d, g));
}

/* ---- all of them ---- */

static Stmt *column_groups(Deep *d, Group g)
{
    int64_t extent = d->c->outer[d->c->vector].extent, at_once = g.columns;
    Stmt *all = NULL;
    for (int64_t begin = 0, end; begin < extent; begin = end) {
        const Var *j = d->c->outer[d->c->vector].var;
        g.columns = begin ? extent - begin : at_once < extent ? at_once : extent;
        end = begin ? extent : extent / g.columns * g.columns;
        g.column = affine_var(d->arena, j, 1);
        all = stmt_append(all,
                          stmt_loop(d->arena, LOOP_SERIAL, j, begin, end, g.columns, group(d, &g)));
    }
    return all;
}

static Stmt *row_groups(Deep *d, Group g)
{
    const Axis *row = &d->c->outer[d->c->row];
    int64_t at_once = g.rows;
    Stmt *all = NULL;
    for (int64_t begin = 0, end; begin < row->extent; begin = end) {
        g.rows = begin ? row->extent - begin : at_once < row->extent ? at_once : row->extent;
        end = begin ? row->extent : row->extent / g.rows * g.rows;
        g.row = affine_var(d->arena, row->var, 1);
        all = stmt_append(all, stmt_loop(d->arena, LOOP_SERIAL, row->var, begin, end, g.rows,
                                         column_groups(d, g)));
    }
    return all;
}

/* As few groups as their size allows, of about equal size, in units of blocks. */
static int64_t even(int64_t extent, int64_t most, int64_t unit)
{
    int64_t blocks = (extent + unit - 1) / unit, in_group = (most + unit - 1) / unit;
    int64_t groups = (blocks + in_group - 1) / in_group;
    return (blocks + groups - 1) / groups * unit;
}

static int64_t groups_of(int64_t extent, int64_t size)
{
    return (extent + size - 1) / size;
}

static Group choose_group(const Contraction *c)
{
    int64_t wide = (int64_t)c->vectors * c->lanes, rows = ROWS_AT_ONCE, columns = COLUMNS_AT_ONCE;
    int64_t height = c->outer[c->row].extent, width = c->outer[c->vector].extent, others = 1;
    for (int i = 0; i < c->outer_count; i++)
        others *= i == c->vector || i == c->row ? 1 : c->outer[i].extent;
    for (int bytes = element_bytes(c->element);
         STRETCH * columns * bytes > c->target->l2_kib * 256;)
        columns /= 2;
    Group g = {.rows = even(height, rows, c->rows), .columns = even(width, columns, wide)};
    if (others * groups_of(height, g.rows) * groups_of(width, g.columns) < GROUPS_ENOUGH)
        g.columns = even(width, columns / 2, wide);
    if (others * groups_of(height, g.rows) * groups_of(width, g.columns) < GROUPS_ENOUGH)
        g.rows = even(height, rows / 2, c->rows);
    return g;
}

/* The outermost reduced loop a stretch can be a part of. */
static void choose_stretch(Deep *d)
{
    const Contraction *c = d->c;
    d->axis = 0;
    d->inside = c->depth / c->reduced[0].extent;
    while (d->inside > STRETCH) {
        d->axis++;
        d->inside /= c->reduced[d->axis].extent;
    }
    d->steps = STRETCH / d->inside;
    if (d->steps > c->reduced[d->axis].extent)
        d->steps = c->reduced[d->axis].extent;
}

Stmt *tile_depth(Contraction *c)
{
    Arena *arena = c->arena;
    Deep d = {.c = c, .arena = arena, .wide = (int64_t)c->vectors * c->lanes};
    Group g = choose_group(c);
    choose_stretch(&d);
    d.width = round_up(g.columns, c->lanes);
    d.high = round_up(c->rows, c->lanes);
    d.begin = kernel_var(arena, c->kernel, "t");
    int64_t steps = d.steps * d.inside;
    d.sums = kernel_scratch(arena, c->kernel, "sums", c->element, g.rows * d.width);
    d.rows = kernel_scratch(arena, c->kernel, "rows", c->element, steps * d.high);
    d.panels = kernel_scratch(arena, c->kernel, "panels", c->element, steps * d.width);
    d.sums->written = d.rows->written = d.panels->written = true;
    return row_groups(&d, g);
}
