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
 * Along the reduction, when that is what is contiguous (row sums, dot products): several vectors of
 * partial results, which are combined at the end in an order that the shape decides:
 *
 *     for r = 0..768 { %acc[0] += %x[768*i + r] }
 *
 * becomes partial sums over r step 32 in %part[0..32], the remaining elements one by one, and
 * `lanes add`. */
#include "passes/rewrite.h"
#include "passes/schedule_kernel.h"

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

/* Wraps each run of stores and lets into `unroll u { vector v { … } }`, leaving locals and loops
 * around them. */
static Stmt *wrap_leaves(Vectorizer *z, const Stmt *list, const Var *u, const Var *v, int vectors,
                         int64_t count, int lanes)
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
        if (run) {
            Stmt *vector = stmt_vector(z->arena, v, count, lanes, run);
            if (vectors > 1)
                vector =
                    stmt_loop(z->arena, LOOP_UNROLL, u, 0, (int64_t)vectors * lanes, lanes, vector);
            result = stmt_append(result, vector);
            run = NULL;
        }
        if (!s)
            return result;
        Stmt *copy = ARENA_NEW(z->arena, Stmt);
        *copy = *s;
        copy->next = NULL;
        if (s->kind == STMT_LOOP)
            copy->body = wrap_leaves(z, s->body, u, v, vectors, count, lanes);
        result = stmt_append(result, copy);
    }
}

/* The body of `loop` for `vectors` vectors from its variable on; `count` of the lanes are real when
 * vectors is 1. */
static Stmt *vector_body(Vectorizer *z, const Stmt *loop, int vectors, int64_t count, int lanes)
{
    const Var *u = kernel_var(z->arena, z->kernel, "u"), *v = kernel_var(z->arena, z->kernel, "v");
    Affine lane = affine_var(z->arena, v, 1);
    if (vectors > 1)
        lane = affine_add(z->arena, affine_var(z->arena, u, 1), lane);
    Replace replace = {0};
    replace_var(&replace, loop->var,
                affine_add(z->arena, affine_var(z->arena, loop->var, 1), lane));
    Stmt *body = rewrite_stmts(z->arena, loop->body, &replace);
    body = widen_locals(z, body, (int64_t)vectors * lanes, lane);
    return wrap_leaves(z, body, u, v, vectors, count, lanes);
}

static Stmt *along_output(Vectorizer *z, Stmt *loop, int lanes)
{
    Arena *arena = z->arena;
    int64_t extent = loop->end;
    int vectors = stmts_work(loop->body) >= HEAVY_WORK ? 2 : UNROLL;
    Stmt *all = NULL;
    int64_t done = 0, wide = (int64_t)vectors * lanes;
    if (extent >= wide) {
        done = extent / wide * wide;
        all = stmt_loop(arena, LOOP_SERIAL, loop->var, 0, done, wide,
                        vector_body(z, loop, vectors, lanes, lanes));
    }
    if (extent - done >= lanes) {
        int64_t end = done + (extent - done) / lanes * lanes;
        all = stmt_append(all, stmt_loop(arena, LOOP_SERIAL, loop->var, done, end, lanes,
                                         vector_body(z, loop, 1, lanes, lanes)));
        done = end;
    }
    bool partial = z->target->masked || z->target->vector_bits >= 256;
    if (extent > done && partial && extent - done > 1) {
        all = stmt_append(all, stmt_loop(arena, LOOP_SERIAL, loop->var, done, extent, extent - done,
                                         vector_body(z, loop, 1, extent - done, lanes)));
        done = extent;
    }
    if (extent > done)
        all =
            stmt_append(all, stmt_loop(arena, LOOP_SERIAL, loop->var, done, extent, 1, loop->body));
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

static Op mode_op(StoreMode mode)
{
    return mode == STORE_ADD ? OP_add : mode == STORE_MAX ? OP_max : OP_min;
}

/* acc (mode)= lanes of part, one vector after the other */
static Stmt *combine(Vectorizer *z, const Stmt *store, Buffer *part, int vectors, int lanes)
{
    Stmt *all = NULL;
    for (int i = 0; i < vectors; i++) {
        const Var *v = kernel_var(z->arena, z->kernel, "v");
        Expr *load = expr_load(
            z->arena, part,
            affine_add(z->arena, affine_var(z->arena, v, 1), affine_number((int64_t)i * lanes)));
        all = stmt_append(all,
                          stmt_store(z->arena, store->mode, store->buffer, affine_number(0),
                                     expr_lanes(z->arena, mode_op(store->mode), v, lanes, load)));
    }
    return all;
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
    return stmt_append(all, combine(z, store, part, vectors, lanes));
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

/* Bytes of the widest element a body works on decide how many lanes there are; bool and small
 * integers ride along. */
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

static Stmt *vectorize_loop(Vectorizer *z, Stmt *loop)
{
    bool point = !loop->body || loop->body->kind != STMT_LOOP || loop->body->next != NULL;
    bool plain = loop->begin == 0 && loop->step == 1;
    bool mixed =
        loop->body && loop->body->kind == STMT_LOOP; /* several nests, no value of their own */
    if (!point || !plain || mixed || has_vectors(loop->body)) {
        loop->body = vectorize_list(z, loop->body);
        return loop;
    }
    Stores stores = {.var = loop->var, .contiguous = true};
    look_at_stores(loop->body, &stores);
    int lanes = z->target->vector_bits / 8 / widest_element(loop->body);
    if (!better_along_reduction(z, loop) && stores.any && stores.contiguous && loop->end > 1 &&
        loop->end >= lanes / 2 && !(has_loops(loop->body) && loop->end < lanes && loop->end < 4))
        return along_output(z, loop, lanes);
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
