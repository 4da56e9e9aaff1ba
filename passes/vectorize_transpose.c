/* Loops that store along one of their variables and read along another: squares are loaded as rows,
 * turned in registers, and stored as columns.
 *
 *     for k = 0..512 { for u = 0..32 { %y[32*k + u] = %x[k + 784*u] } }
 *
 *     for u = 0..32 step 8 { for k = 0..512 step 8 {
 *       local %t: f32[64]
 *       unroll r = 0..8 { vector v = 0..8 { %t[8*r + v] = %x[784*u + k + 784*r + v] } }
 *       transpose %t by 8
 *       unroll r = 0..8 { vector v = 0..8 { %y[32*k + u + 32*r + v] = %t[8*r + v] } }
 *     } }
 *
 * What else the stored value is made of is read where it is stored. Both ways whole lines of the
 * cache are used; squares follow one another along what is read. */
#include "passes/rewrite.h"
#include "passes/vectorize.h"

enum { LOOPS = 16, LEAST = 4 };

typedef struct Turn {
    Arena *arena;
    Kernel *kernel;
    const Stmt *loops[LOOPS]; /* outermost first */
    int count;
    const Stmt *store;
    const Stmt *across, *along; /* loops along which it stores and reads */
    const Expr *load;
    int lanes;
    const Var *r, *v;
    bool fits;
} Turn;

/* Perfectly nested plain loops around one store. */
static bool collect(Turn *t, const Stmt *s)
{
    for (; is_plain_loop(s) && !s->next && t->count < LOOPS; s = s->body)
        t->loops[t->count++] = s;
    t->store = s;
    return s && s->kind == STMT_STORE && !s->next && s->mode == STORE_SET && !s->dynamic &&
           s->buffer->kind != BUFFER_LOCAL && t->count >= 2;
}

/* At most one load may jump along what is stored, far enough not to be read as a pattern. */
static void look_at_load(void *turn, const Expr *load)
{
    Turn *t = turn;
    int64_t step = affine_factor(load->offset, t->across->var);
    if (load->dynamic)
        t->fits = false;
    int64_t near = t->lanes > LEAST ? t->lanes / 4 : 1;
    if (load->kind != EXPR_LOAD || (step >= -near && step <= near))
        return;
    bool same =
        t->load && t->load->buffer == load->buffer && affine_equal(t->load->offset, load->offset);
    t->fits = t->fits && (!t->load || same);
    t->load = load;
}

static bool choose_loops(Turn *t)
{
    for (int i = 0; i < t->count; i++)
        if (affine_factor(t->store->offset, t->loops[i]->var) == 1 && t->loops[i]->end >= LEAST)
            t->across = t->loops[i];
    if (!t->across)
        return false;
    t->fits = true;
    visit_loads(t->store->value, look_at_load, t);
    for (int i = 0; t->load && i < t->count; i++)
        if (affine_factor(t->load->offset, t->loops[i]->var) == 1 && t->loops[i]->end >= LEAST)
            t->along = t->loops[i];
    return t->fits && t->along && t->lanes >= LEAST && element_bytes(t->load->element) >= 4 &&
           element_bytes(t->load->element) == element_bytes(t->store->buffer->element);
}

/* The value with `by` in place of what the load reads at `offset`. */
static Expr *replace_load(const Turn *t, Expr *value, Affine offset, Expr *by)
{
    if (value->kind == EXPR_LOAD && value->buffer == t->load->buffer &&
        affine_equal(value->offset, offset))
        return by;
    Expr *copy = ARENA_NEW(t->arena, Expr);
    *copy = *value;
    for (int i = 0; i < value->in_count; i++)
        copy->in[i] = replace_load(t, value->in[i], offset, by);
    return copy;
}

static Affine further(const Turn *t, const Var *var, const Var *more)
{
    return affine_add(t->arena, affine_var(t->arena, var, 1), affine_var(t->arena, more, 1));
}

static Stmt *rows(const Turn *t, int64_t count, int64_t lanes, Stmt *store)
{
    return stmt_loop(t->arena, LOOP_UNROLL, t->r, 0, count, 1,
                     stmt_vector(t->arena, t->v, lanes, t->lanes, store));
}

/* One square, of which the first `across` rows and `along` columns are real. */
static Stmt *square(const Turn *t, int64_t across, int64_t along)
{
    Arena *arena = t->arena;
    Buffer *local = nest_local(arena, "t", t->load->element, (int64_t)t->lanes * t->lanes);
    Affine place = affine_add(arena, affine_var(arena, t->r, t->lanes), affine_var(arena, t->v, 1));
    Replace in = {0}, out = {0};
    replace_var(&in, t->across->var, further(t, t->across->var, t->r));
    replace_var(&in, t->along->var, further(t, t->along->var, t->v));
    replace_var(&out, t->across->var, further(t, t->across->var, t->v));
    replace_var(&out, t->along->var, further(t, t->along->var, t->r));
    Expr *value = expr_load(arena, t->load->buffer, rewrite_affine(arena, t->load->offset, &in));
    Stmt *body = stmt_local(arena, local);
    stmt_append(body, rows(t, across, along, stmt_store(arena, STORE_SET, local, place, value)));
    stmt_append(body, stmt_transpose(arena, local, t->lanes));
    Stmt *stored = rewrite_stmts(arena, t->store, &out);
    stored->value = replace_load(t, stored->value, rewrite_affine(arena, t->load->offset, &out),
                                 expr_load(arena, local, place));
    return stmt_append(body, rows(t, along, across, stored));
}

/* Whole squares along a loop, then what is left of one. */
static Stmt *columns(const Turn *t, int64_t across)
{
    int64_t extent = t->along->end, full = extent / t->lanes * t->lanes;
    Stmt *all = NULL;
    if (full)
        all = stmt_loop(t->arena, LOOP_SERIAL, t->along->var, 0, full, t->lanes,
                        square(t, across, t->lanes));
    if (full < extent)
        all = stmt_append(all, stmt_loop(t->arena, LOOP_SERIAL, t->along->var, full, extent,
                                         extent - full, square(t, across, extent - full)));
    return all;
}

Stmt *vectorize_transpose(Arena *arena, const Target *target, Kernel *kernel, const Stmt *loop)
{
    Turn t = {.arena = arena, .kernel = kernel};
    if (!collect(&t, loop))
        return NULL;
    t.lanes = target->vector_bits / 8 / element_bytes(t.store->buffer->element);
    if (!choose_loops(&t))
        return NULL;
    t.r = kernel_var(arena, kernel, "r");
    t.v = kernel_var(arena, kernel, "v");
    int64_t extent = t.across->end, full = extent / t.lanes * t.lanes;
    Stmt *all = NULL;
    if (full)
        all = stmt_loop(arena, LOOP_SERIAL, t.across->var, 0, full, t.lanes, columns(&t, t.lanes));
    if (full < extent)
        all = stmt_append(all, stmt_loop(arena, LOOP_SERIAL, t.across->var, full, extent,
                                         extent - full, columns(&t, extent - full)));
    for (int i = t.count - 1; i >= 0; i--)
        if (t.loops[i] != t.across && t.loops[i] != t.along)
            all = stmt_loop(arena, LOOP_SERIAL, t.loops[i]->var, 0, t.loops[i]->end, 1, all);
    return all;
}
