/* Puts plain loops into lanes.
 *
 * Along the output, when it is contiguous there (element-wise work, column sums, pooling over
 * channels last):
 *
 *     for j = 0..100 { %y[j] = exp(%x[j]) }      for j = 0..96 step 32 { unroll u = 0..32 step 8 {
 * vector v = 0..8 { %y[j + u + v] = exp(%x[j + u + v]) } } } vector v = 0..4 of 8 { %y[96 + v] =
 * exp(%x[96 + v]) }
 *
 * Accumulators of reductions inside such a loop get one element a lane.
 *
 * A loop too short to fill vectors is numbered through with the loop around it, when the output is
 * contiguous along both (here 6 channels):
 *
 *     for i = 0..8 { for j = 0..6 { %y[6*i + j] = mul(%x[12*i + j], %s[j]) } }
 *
 *     unroll u = 0..48 step 8 { vector v = 0..8 { unravel p, c = u + v by 6
 *       %y[u + v] = mul(%x[12*p + c], %s[c]) } }
 *
 * Loops that read across the order they store in are turned in registers: vectorize_transpose.c.
 * Where a row has to be gone through in order, several rows are at once: vectorize_rows.c.
 *
 * Along the reduction, when that is what is contiguous (row sums, dot products): several vectors of
 * partial results, which are combined at the end in an order that the shape decides:
 *
 *     for r = 0..768 { %acc[0] += %x[768*i + r] }
 *
 * becomes partial sums over r step 32 in %part[0..32], the remaining elements one by one, and
 * `lanes add v of 32`, which adds one half of the lanes to the other until one is left. */
#include "passes/vectorize.h"
#include "passes/rewrite.h"

typedef struct Vectorizer {
    Arena *arena;
    const Target *target;
    Kernel *kernel;
} Vectorizer;

enum { UNROLL = 4, HEAVY_WORK = 12 };

static bool has_vectors(const Stmt *s)
{
    for (; s; s = s->next)
        if (s->kind == STMT_LOOP && (s->loop != LOOP_SERIAL || has_vectors(s->body)))
            return true;
    return false;
}

static bool has_loops(const Stmt *s)
{
    for (; s; s = s->next)
        if (s->kind == STMT_LOOP)
            return true;
    return false;
}

/* ---- along the output ---- */

typedef struct Stores {
    const Var *var;
    bool contiguous, any;
} Stores;

static void look_at_stores(const Stmt *s, Stores *stores)
{
    for (; s; s = s->next) {
        if (s->kind == STMT_LOOP) {
            look_at_stores(s->body, stores);
        } else if (s->kind == STMT_STORE && s->buffer->kind != BUFFER_LOCAL) {
            stores->any = true;
            stores->contiguous = stores->contiguous && affine_factor(s->offset, stores->var) == 1;
        }
    }
}

static bool declares(const Stmt *s, const Buffer *local)
{
    for (; s; s = s->next)
        if ((s->kind == STMT_LOCAL && s->buffer == local) || declares(s->body, local))
            return true;
    return false;
}

/* Does an iteration of the loop leave anything in a register for the next? */
static bool carries_on(const Stmt *s, const Stmt *loop)
{
    for (; s; s = s->next)
        if ((s->kind == STMT_STORE && s->buffer->kind == BUFFER_LOCAL &&
             !declares(loop->body, s->buffer)) ||
            carries_on(s->body, loop))
            return true;
    return false;
}

/* Do all stores of this loop's body follow memory along it, each iteration by itself? */
static bool stores_along(const Stmt *loop)
{
    Stores stores = {.var = loop->var, .contiguous = true};
    look_at_stores(loop->body, &stores);
    return stores.any && stores.contiguous && !carries_on(loop->body, loop);
}

/* Do all stores move by `extent` with this variable? */
static bool counts_on(const Stmt *s, const Var *var, int64_t extent)
{
    for (; s; s = s->next)
        if (!counts_on(s->body, var, extent) ||
            (s->kind == STMT_STORE && s->buffer->kind != BUFFER_LOCAL &&
             affine_factor(s->offset, var) != extent))
            return false;
    return true;
}

static int expr_work(const Expr *expr)
{
    if (!expr)
        return 0;
    int work = expr->kind == EXPR_APPLY ? 1 : 0;
    if (expr->kind == EXPR_APPLY && op_is_heavy(expr->op))
        work = HEAVY_WORK;
    for (int i = 0; i < expr->in_count; i++)
        work += expr_work(expr->in[i]);
    return work;
}

static int stmts_work(const Stmt *s)
{
    int work = 0;
    for (; s; s = s->next)
        work += expr_work(s->value) + stmts_work(s->body);
    return work;
}

/* Every local becomes `width` elements, one for each lane; its offset 0 becomes the lane. */
static Stmt *widen_locals(Vectorizer *z, Stmt *body, int64_t width, Affine lane)
{
    for (const Stmt *s = body; s; s = s->next) {
        if (s->kind != STMT_LOCAL || s->buffer->count != 1)
            continue;
        Replace replace = {.local = s->buffer,
                           .local_by =
                               nest_local(z->arena, s->buffer->name, s->buffer->element, width),
                           .local_offset = lane};
        return widen_locals(z, rewrite_stmts(z->arena, body, &replace), width, lane);
    }
    return body;
}

typedef struct Width { /* of a block of lanes: whole vectors, and a last one of which a part counts
                        */
    int64_t whole, rest; /* elements */
    int lanes;
    const Var *u, *v;
    const Run *run; /* not NULL: two loops numbered through */
    const Var *p, *c;
} Width;

static Affine lane_place(Arena *arena, const Width *width)
{
    return affine_add(arena, affine_var(arena, width->u, 1), affine_var(arena, width->v, 1));
}

/* `unroll u { vector v { … } }` around stores and lets. */
static Stmt *wrap_leaf(Vectorizer *z, const Width *width, Stmt *leaf)
{
    Arena *arena = z->arena;
    if (any_moves_with(leaf, width->p, width->c))
        leaf = stmt_append(
            stmt_unravel(arena, width->p, width->c, lane_place(arena, width), width->run->extent),
            leaf);
    Stmt *all = NULL;
    int lanes = width->lanes;
    if (width->whole > lanes)
        all = stmt_loop(arena, LOOP_UNROLL, width->u, 0, width->whole, lanes,
                        stmt_vector(arena, width->v, lanes, lanes, leaf));
    for (int part = 0; part < 2; part++) {
        if (part ? !width->rest : width->whole != lanes)
            continue;
        Replace at = {0};
        replace_var(&at, width->u, affine_number(part ? width->whole : 0));
        all = stmt_append(all, stmt_vector(arena, width->v, part ? width->rest : lanes, lanes,
                                           rewrite_stmts(arena, leaf, &at)));
    }
    return all;
}

/* Wraps each run of stores and lets, leaving locals and loops around them. */
static Stmt *wrap_leaves(Vectorizer *z, const Stmt *list, const Width *width)
{
    Stmt *result = NULL, *run = NULL;
    for (const Stmt *s = list;; s = s->next) {
        if (s && s->kind != STMT_LOOP && s->kind != STMT_LOCAL) {
            Stmt *copy = ARENA_NEW(z->arena, Stmt);
            *copy = *s;
            copy->next = NULL;
            run = stmt_append(run, copy);
            continue;
        }
        if (run)
            result = stmt_append(result, wrap_leaf(z, width, run));
        run = NULL;
        if (!s)
            return result;
        Stmt *copy = ARENA_NEW(z->arena, Stmt);
        *copy = *s;
        copy->next = NULL;
        if (s->kind == STMT_LOOP)
            copy->body = wrap_leaves(z, s->body, width);
        result = stmt_append(result, copy);
    }
}

static Width make_width(Vectorizer *z, int64_t elements, int lanes)
{
    return (Width){.whole = elements / lanes * lanes,
                   .rest = elements % lanes,
                   .lanes = lanes,
                   .u = kernel_var(z->arena, z->kernel, "u"),
                   .v = kernel_var(z->arena, z->kernel, "v")};
}

static Stmt *widen_body(Vectorizer *z, Stmt *body, const Width *width)
{
    int64_t vectors = (width->whole + width->rest + width->lanes - 1) / width->lanes;
    body = widen_locals(z, body, vectors * width->lanes, lane_place(z->arena, width));
    return wrap_leaves(z, body, width);
}

/* The body of `loop` for so many elements from its variable on. */
static Stmt *vector_body(Vectorizer *z, const Stmt *loop, int64_t elements, int lanes)
{
    Width width = make_width(z, elements, lanes);
    Replace replace = {0};
    replace_var(
        &replace, loop->var,
        affine_add(z->arena, affine_var(z->arena, loop->var, 1), lane_place(z->arena, &width)));
    return widen_body(z, rewrite_stmts(z->arena, loop->body, &replace), &width);
}

/* Of heavy work two vectors go abreast, as one of twice the lanes: each is one long chain of
 * operations. */
static Stmt *along_output(Vectorizer *z, Stmt *loop, int lanes)
{
    Arena *arena = z->arena;
    int64_t extent = loop->end;
    int vectors = stmts_work(loop->body) >= HEAVY_WORK ? 2 : UNROLL;
    int abreast = any_is_heavy(loop->body) ? vectors * lanes : lanes;
    Stmt *all = NULL;
    int64_t done = 0, wide = (int64_t)vectors * lanes;
    if (extent >= wide) {
        done = extent / wide * wide;
        all = stmt_loop(arena, LOOP_SERIAL, loop->var, 0, done, wide,
                        vector_body(z, loop, wide, abreast));
    }
    if (extent - done >= lanes) {
        int64_t end = done + (extent - done) / lanes * lanes;
        all = stmt_append(all, stmt_loop(arena, LOOP_SERIAL, loop->var, done, end, lanes,
                                         vector_body(z, loop, lanes, lanes)));
        done = end;
    }
    bool partial = z->target->masked || z->target->vector_bits >= 256;
    if (extent > done && partial && extent - done > 1) {
        all = stmt_append(all, stmt_loop(arena, LOOP_SERIAL, loop->var, done, extent, extent - done,
                                         vector_body(z, loop, extent - done, lanes)));
        done = extent;
    }
    if (extent > done)
        all =
            stmt_append(all, stmt_loop(arena, LOOP_SERIAL, loop->var, done, extent, 1, loop->body));
    return all;
}

/* ---- along the output, two loops numbered through ---- */

typedef struct Spread {
    const Stmt *outer, *inner;
    int lanes;
    bool near;
} Spread;

/* How many vectors of memory the lanes of one can lie in: side by side from the first to the last,
 * or in one run for each step of the inner loop. */
static void look_at_spread(void *argument, const Expr *load)
{
    Spread *spread = argument;
    if (load->kind != EXPR_LOAD || load->buffer->kind == BUFFER_LOCAL)
        return;
    int64_t extent = spread->inner->end, outer = affine_factor(load->offset, spread->outer->var),
            inner = affine_factor(load->offset, spread->inner->var);
    if (outer == inner * extent)
        return;
    outer = outer < 0 ? -outer : outer;
    inner = inner < 0 ? -inner : inner;
    int64_t lanes = spread->lanes, rounds = (lanes + extent - 1) / extent;
    int64_t side_by_side = outer * rounds + inner * (extent < lanes ? extent : lanes);
    int64_t runs = (outer * (rounds - 1) / lanes + 1) * extent;
    spread->near = spread->near && (side_by_side <= UNROLL * lanes || runs <= UNROLL);
}

static void look_at_loads(const Stmt *s, Spread *spread)
{
    for (; s; s = s->next) {
        visit_loads(s->value, look_at_spread, spread);
        if (s->dynamic)
            spread->near = false;
        look_at_loads(s->body, spread);
    }
}

/* Vectors that so many elements side by side take; a part of one is dear without masks. */
static int64_t vectors_for(const Vectorizer *z, int64_t elements, int lanes)
{
    bool masks = z->target->masked || z->target->vector_bits >= 256;
    return elements / lanes + (elements % lanes ? (masks ? 1 : 2) : 0);
}

/* Rounds of the inner loop in one block, so that few vectors are needed for all; 0: it is not
 * contiguous, or does not pay. */
static int64_t rounds_at_once(const Vectorizer *z, const Stmt *outer, const Stmt *inner, int lanes)
{
    Spread spread = {outer, inner, lanes, true};
    look_at_loads(inner->body, &spread);
    if (!stores_along(inner) || !spread.near || !counts_on(inner->body, outer->var, inner->end))
        return 0;
    int64_t extent = inner->end, rounds = outer->end, best = 0, limit = z->target->registers / 4;
    int64_t least = rounds * vectors_for(z, extent, lanes) * 4 / 5 + 1; /* a fifth is too little */
    for (int64_t n = 2; n <= rounds && n * extent <= limit * lanes; n++) {
        int64_t vectors = rounds / n * vectors_for(z, n * extent, lanes) +
                          vectors_for(z, rounds % n * extent, lanes);
        if (vectors > least || (vectors == least && (rounds % n || !best)))
            continue;
        least = vectors;
        best = n;
    }
    return best;
}

static Stmt *run_body(Vectorizer *z, const Stmt *outer, const Stmt *inner, int64_t rounds,
                      int lanes)
{
    Arena *arena = z->arena;
    Width width = make_width(z, rounds * inner->end, lanes);
    Affine first = affine_var(arena, outer->var, 1);
    Run run = {outer->var, inner->var, inner->end, first, lane_place(arena, &width)};
    width.run = &run;
    width.p = kernel_var(arena, z->kernel, "p");
    width.c = kernel_var(arena, z->kernel, "c");
    Replace replace = {.run = &run};
    replace_var(&replace, outer->var, affine_add(arena, first, affine_var(arena, width.p, 1)));
    replace_var(&replace, inner->var, affine_var(arena, width.c, 1));
    return widen_body(z, rewrite_stmts(arena, inner->body, &replace), &width);
}

static Stmt *along_run(Vectorizer *z, const Stmt *outer, const Stmt *inner, int64_t rounds,
                       int lanes)
{
    int64_t done = outer->end / rounds * rounds;
    Stmt *all = stmt_loop(z->arena, LOOP_SERIAL, outer->var, 0, done, rounds,
                          run_body(z, outer, inner, rounds, lanes));
    if (done < outer->end)
        all = stmt_append(all, stmt_loop(z->arena, LOOP_SERIAL, outer->var, done, outer->end,
                                         outer->end - done,
                                         run_body(z, outer, inner, outer->end - done, lanes)));
    return all;
}

/* ---- along the reduction ---- */

typedef struct Lanes {
    const Var *var;
    bool contiguous; /* every load moves by 1 or 0 with var */
    bool moves;
} Lanes;

static void look_at_load(void *argument, const Expr *load)
{
    Lanes *lanes = argument;
    int64_t factor = affine_factor(load->offset, lanes->var);
    lanes->contiguous = lanes->contiguous && (factor == 0 || factor == 1);
    lanes->moves = lanes->moves || factor == 1;
}

/* The innermost loop of a chain of singly nested ones, when it holds one store that adds up into
 * `acc`. */
static Stmt *innermost_sum(Stmt *s, const Buffer *acc)
{
    while (s->kind == STMT_LOOP && s->body && !s->body->next && s->body->kind == STMT_LOOP)
        s = s->body;
    if (s->kind != STMT_LOOP || !s->body || s->body->next || s->body->kind != STMT_STORE ||
        s->body->buffer != acc || s->body->mode == STORE_SET)
        return NULL;
    return s;
}

/* What replaces `sum`, the reduction loops after `local acc; acc = first`. */
static Stmt *along_reduction(Vectorizer *z, Stmt *sum, Expr *first, int lanes)
{
    Arena *arena = z->arena;
    Stmt *inner = sum;
    while (inner->body->kind == STMT_LOOP)
        inner = inner->body;
    Stmt *store = inner->body;
    int vectors = inner->end >= (int64_t)UNROLL * lanes ? UNROLL : 1;
    int64_t wide = (int64_t)vectors * lanes, done = inner->end / wide * wide;
    const Var *u = kernel_var(arena, z->kernel, "u"), *v = kernel_var(arena, z->kernel, "v");
    Affine lane = affine_add(arena, affine_var(arena, u, 1), affine_var(arena, v, 1));
    Buffer *part = nest_local(arena, "part", store->buffer->element, wide);
    Stmt *clear = stmt_store(arena, STORE_SET, part, lane, first);
    Stmt *all = stmt_local(arena, part);
    stmt_append(all, stmt_loop(arena, LOOP_UNROLL, u, 0, wide, lanes,
                               stmt_vector(arena, v, lanes, lanes, clear)));
    Replace replace = {.local = store->buffer, .local_by = part, .local_offset = lane};
    replace_var(&replace, inner->var, affine_add(arena, affine_var(arena, inner->var, 1), lane));
    Stmt *body = rewrite_stmts(arena, store, &replace);
    body =
        stmt_loop(arena, LOOP_UNROLL, u, 0, wide, lanes, stmt_vector(arena, v, lanes, lanes, body));
    body = stmt_loop(arena, LOOP_SERIAL, inner->var, 0, done, wide, body);
    if (done < inner->end) /* what is left goes to the accumulator itself */
        body = stmt_append(body,
                           stmt_loop(arena, LOOP_SERIAL, inner->var, done, inner->end, 1, store));
    if (inner == sum) {
        stmt_append(all, body);
    } else {
        Stmt *parent = sum;
        while (parent->body != inner)
            parent = parent->body;
        parent->body = body;
        Stmt *alone = ARENA_NEW(arena, Stmt);
        *alone = *sum;
        alone->next = NULL;
        stmt_append(all, alone);
    }
    const Var *lane_of = kernel_var(arena, z->kernel, "v");
    Expr *load = expr_load(arena, part, affine_var(arena, lane_of, 1));
    Expr *sum_of_lanes = expr_lanes(arena, store_op(store->mode), lane_of, (int)wide, load);
    return stmt_append(
        all, stmt_store(arena, store->mode, store->buffer, affine_number(0), sum_of_lanes));
}

/* In `local acc; acc = first; loops { acc (mode)= … }; rest`: the innermost loop of the sum, when
 * its loads follow memory along it and there is a vector's worth of them; else NULL. */
static Stmt *sum_along_memory(const Vectorizer *z, Stmt *block)
{
    if (!block || block->kind != STMT_LOCAL || block->buffer->count != 1 || !block->next ||
        block->next->kind != STMT_STORE || block->next->value->kind != EXPR_NUMBER ||
        !block->next->next || block->next->next->kind != STMT_LOOP)
        return NULL;
    Stmt *inner = innermost_sum(block->next->next, block->buffer);
    int lanes = z->target->vector_bits / 8 / element_bytes(block->buffer->element);
    if (!inner || inner->begin != 0 || inner->step != 1 || inner->end < lanes)
        return NULL;
    Lanes look = {.var = inner->var, .contiguous = true};
    visit_loads(inner->body->value, look_at_load, &look);
    return look.contiguous && look.moves ? inner : NULL;
}

static Stmt *reduction_block(Vectorizer *z, Stmt *block)
{
    if (!sum_along_memory(z, block))
        return block;
    Stmt *sum = block->next->next, *rest = sum->next;
    int lanes = z->target->vector_bits / 8 / element_bytes(block->buffer->element);
    sum->next = NULL;
    block->next->next = along_reduction(z, sum, block->next->value, lanes);
    stmt_append(block, rest);
    return block;
}

/* From one output to the next the loads jump; along the sum they do not: rows of a matrix. */
static bool better_along_reduction(const Vectorizer *z, const Stmt *loop)
{
    const Stmt *inner = sum_along_memory(z, loop->body);
    if (!inner)
        return false;
    Lanes look = {.var = loop->var, .contiguous = true};
    visit_loads(inner->body->value, look_at_load, &look);
    return !look.contiguous;
}

/* ---- both ---- */

static Stmt *vectorize_list(Vectorizer *z, Stmt *list);

/* Bytes of the widest element a body works on decide how many lanes there are; smaller ones than of
 * 4 bytes ride along. */
static int widest_element(const Stmt *s)
{
    int widest = 4;
    for (; s; s = s->next) {
        if (s->value && element_bytes(s->value->element) > widest)
            widest = element_bytes(s->value->element);
        int inside = widest_element(s->body);
        widest = inside > widest ? inside : widest;
    }
    return widest;
}

/* Bytes of the widest value an expression takes on its way; a division of integers is made one by
 * one, and places that data give are, too: no use of having more of them. */
static int widest_value(const Expr *expr)
{
    bool divides = expr->kind == EXPR_APPLY && (expr->op == OP_div || expr->op == OP_mod);
    int widest = element_bytes(expr->element);
    if ((divides || expr->dynamic || expr->kind == EXPR_LANES) && widest < 4)
        widest = 4;
    for (int i = 0; i < expr->in_count; i++) {
        int inside = widest_value(expr->in[i]);
        widest = inside > widest ? inside : widest;
    }
    return widest;
}

/* Does a body of stores and lets only touch elements of `bytes` or fewer? */
static bool is_narrow(const Stmt *s, int bytes)
{
    for (; s; s = s->next) {
        bool plain = s->kind == STMT_LET || (s->kind == STMT_STORE && !s->dynamic);
        if (!plain || widest_value(s->value) > bytes)
            return false;
    }
    return true;
}

/* Vectors full of small elements, when a loop of nothing else is long enough for them. */
static int narrow_lanes(const Vectorizer *z, const Stmt *loop, int lanes)
{
    for (int bytes = 2; bytes > 0; bytes--)
        if (is_narrow(loop->body, bytes) && loop->end >= z->target->vector_bits / 8 / bytes)
            lanes = z->target->vector_bits / 8 / bytes;
    return lanes;
}

/* No loop alone, nor several nests without a value of their own. */
static bool is_point(const Stmt *body)
{
    return !body || body->kind != STMT_LOOP;
}

static Stmt *vectorize_loop(Vectorizer *z, Stmt *loop)
{
    Stmt *inner = loop->body;
    Stmt *turned = vectorize_transpose(z->arena, z->target, z->kernel, loop);
    if (turned)
        return turned;
    if (is_plain_loop(loop) && is_plain_loop(inner) && !inner->next && is_point(inner->body) &&
        !has_vectors(inner->body) && !better_along_reduction(z, inner)) {
        int lanes = z->target->vector_bits / 8 / widest_element(inner->body);
        int64_t rounds = rounds_at_once(z, loop, inner, lanes);
        if (rounds)
            return along_run(z, loop, inner, rounds, lanes);
    }
    bool plain = loop->begin == 0 && loop->step == 1;
    if (!is_point(loop->body) || !plain || has_vectors(loop->body)) {
        loop->body = vectorize_list(z, loop->body);
        return loop;
    }
    int lanes = z->target->vector_bits / 8 / widest_element(loop->body);
    if (!better_along_reduction(z, loop) && stores_along(loop) && loop->end > 1 &&
        loop->end >= lanes / 2 && !(has_loops(loop->body) && loop->end < lanes && loop->end < 4))
        return along_output(z, loop, narrow_lanes(z, loop, lanes));
    Stmt *rows = vectorize_rows(z->arena, z->kernel, loop);
    if (rows)
        return rows;
    loop->body = reduction_block(z, loop->body);
    return loop;
}

static Stmt *vectorize_list(Vectorizer *z, Stmt *list)
{
    Stmt *result = NULL;
    for (Stmt *s = list, *next; s; s = next) {
        next = s->next;
        s->next = NULL;
        if (s->kind == STMT_LOOP && s->loop == LOOP_SERIAL && has_vectors(s->body))
            s->body = vectorize_list(z, s->body); /* nests that have none may stand beside */
        else if (s->kind == STMT_LOOP && s->loop == LOOP_SERIAL)
            s = vectorize_loop(z, s);
        result = stmt_append(result, s);
    }
    return result;
}

void vectorize_loops(Arena *arena, const Target *target, Kernel *kernel)
{
    Vectorizer z = {arena, target, kernel};
    if (kernel->body &&
        kernel->body->kind == STMT_LOCAL) /* a result of one element: no loops around it */
        kernel->body = reduction_block(&z, kernel->body);
    else
        kernel->body = vectorize_list(&z, kernel->body);
}
