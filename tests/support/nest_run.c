/* The plain interpreter of kernels; see nest_run.h.
 *
 * Floats are computed in double and rounded to their type after each operation, which for + - * /
 * and the square root is the same as computing in the type; `+= mul(a, b)` is one fused
 * multiply-add. The lanes of a vector loop run statement by statement: all values, then all stores.
 */
#include "tests/support/nest_run.h"

#include <string.h>

#include "tests/support/nest_apply.h"

enum { MANY = -1, LANES_LIMIT = 1024, PARALLEL_LIMIT = 8 };

typedef struct Memory { /* of one buffer */
    const Buffer *buffer;
    char *bytes;
    bool *defined;    /* locals and scratch: was the element stored? */
    int64_t *writers; /* arguments: which iteration stored, which read; 0: none yet, MANY */
    int64_t *readers;
} Memory;

typedef struct TempValue {
    const Temp *temp;
    Scalar *lanes;
    int count; /* 1 outside of vector loops: the same for all lanes */
} TempValue;

typedef struct Run {
    const Kernel *kernel;
    Diag *diag;
    Arena *arena;
    bool failed;
    int64_t *vars; /* by id */
    Memory *memory;
    int memory_count, memory_capacity;
    TempValue *temps;
    int temp_count, temp_capacity;
    int lane;          /* of the vector loop around; 0 outside */
    int64_t iteration; /* of the parallel loops around, as an identity; 0 outside */
    int member, members;
} Run;

static Scalar fail(Run *run, const char *what, const Buffer *buffer, int64_t offset)
{
    if (!run->failed)
        diag_error(run->diag, run->kernel->name, "%s %%%s[%lld] of %lld", what,
                   buffer ? buffer->name : "", (long long)offset,
                   (long long)(buffer ? buffer->count : 0));
    run->failed = true;
    return (Scalar){0};
}

static Memory *add_memory(Run *run, const Buffer *buffer, void *bytes)
{
    run->memory = arena_grow(run->arena, run->memory, run->memory_count, &run->memory_capacity,
                             sizeof *run->memory);
    Memory *memory = &run->memory[run->memory_count++];
    *memory = (Memory){.buffer = buffer, .bytes = bytes};
    if (!bytes) {
        memory->bytes =
            ARENA_ARRAY(run->arena, char, buffer->count *element_bytes(buffer->element));
        memory->defined = ARENA_ARRAY(run->arena, bool, buffer->count);
    } else if (run->kernel->parallel) {
        memory->writers = ARENA_ARRAY(run->arena, int64_t, buffer->count);
        memory->readers = ARENA_ARRAY(run->arena, int64_t, buffer->count);
    }
    return memory;
}

static Memory *find_memory(Run *run, const Buffer *buffer)
{
    for (int i = run->memory_count; i-- > 0;)
        if (run->memory[i].buffer == buffer)
            return &run->memory[i];
    INGOT_BUG("%s: %%%s is not in scope", run->kernel->name, buffer->name);
}

static int64_t affine_value(const Run *run, Affine affine)
{
    int64_t value = affine.constant;
    for (int i = 0; i < affine.count; i++)
        value += affine.terms[i].factor * run->vars[affine.terms[i].var->id];
    return value;
}

/* Notes who was here; false when another iteration was, and either stores. */
static bool meet(const Run *run, Memory *memory, int64_t at, bool store)
{
    if (!memory->writers || !run->iteration)
        return true;
    int64_t writer = memory->writers[at], reader = memory->readers[at];
    if (writer != 0 && writer != run->iteration)
        return false;
    if (store) {
        memory->writers[at] = run->iteration;
        return reader == 0 || reader == run->iteration;
    }
    memory->readers[at] = reader == 0 || reader == run->iteration ? run->iteration : MANY;
    return true;
}

static Scalar read_element(Run *run, Memory *memory, int64_t at)
{
    if (at < 0 || at >= memory->buffer->count)
        return fail(run, "reads outside:", memory->buffer, at);
    if (memory->defined && !memory->defined[at])
        return fail(run, "reads before any store:", memory->buffer, at);
    if (!meet(run, memory, at, false))
        return fail(run, "reads what another iteration stores:", memory->buffer, at);
    ElementType element = memory->buffer->element;
    return scalar_read(element, memory->bytes + at * element_bytes(element));
}

static void write_element(Run *run, Memory *memory, int64_t at, Scalar value)
{
    if (at < 0 || at >= memory->buffer->count) {
        fail(run, "stores outside:", memory->buffer, at);
        return;
    }
    if (!meet(run, memory, at, true))
        fail(run, "stores where another iteration reads or stores:", memory->buffer, at);
    if (memory->defined)
        memory->defined[at] = true;
    ElementType element = memory->buffer->element;
    scalar_write(element, value, memory->bytes + at * element_bytes(element));
}

static Scalar evaluate(Run *run, const Expr *expr);

static int64_t place(Run *run, Affine offset, const Expr *dynamic, int64_t factor)
{
    int64_t at = affine_value(run, offset);
    return dynamic ? at + factor * evaluate(run, dynamic).integer : at;
}

static Scalar evaluate_temp(const Run *run, const Temp *temp)
{
    for (int i = run->temp_count; i-- > 0;)
        if (run->temps[i].temp == temp)
            return run->temps[i].lanes[run->temps[i].count > 1 ? run->lane : 0];
    INGOT_BUG("%s: %%%s is not in scope", run->kernel->name, temp->name);
}

static Scalar evaluate_lanes(Run *run, const Expr *expr)
{
    Scalar lanes[LANES_LIMIT];
    for (int i = 0; i < expr->lanes; i++) {
        run->vars[expr->var->id] = i;
        lanes[i] = evaluate(run, expr->in[0]);
    }
    for (int half = expr->lanes / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) {
            Scalar pair[2] = {lanes[i], lanes[i + half]};
            lanes[i] = scalar_apply(expr->op, expr->element, expr->element, pair);
        }
    return lanes[0];
}

static Scalar evaluate(Run *run, const Expr *expr)
{
    Scalar in[EXPR_INPUTS];
    if (run->failed)
        return (Scalar){0};
    switch (expr->kind) {
    case EXPR_NUMBER:
        return scalar_number(expr->element, expr->number);
    case EXPR_INDEX:
        return (Scalar){.integer = affine_value(run, expr->offset)};
    case EXPR_LOAD: {
        int64_t at = place(run, expr->offset, expr->dynamic, expr->dynamic_factor);
        return read_element(run, find_memory(run, expr->buffer), at);
    }
    case EXPR_TEMP:
        return evaluate_temp(run, expr->temp);
    case EXPR_LANES:
        return evaluate_lanes(run, expr);
    case EXPR_APPLY:
        for (int i = 0; i < expr->in_count; i++)
            in[i] = evaluate(run, expr->in[i]);
        return scalar_apply(expr->op, expr->element, expr->in[0]->element, in);
    }
    return (Scalar){0};
}

typedef struct Pending { /* a store of one lane, value known */
    int64_t at;
    Scalar value, factor; /* `+= mul(value, factor)` is fused */
} Pending;

static bool is_fused(const Stmt *store)
{
    return store->mode == STORE_ADD && store->value->kind == EXPR_APPLY &&
           store->value->op == OP_mul && element_is_float(store->value->element);
}

static Pending prepare_store(Run *run, const Stmt *store)
{
    Pending pending = {.at = place(run, store->offset, store->dynamic, store->dynamic_factor)};
    if (is_fused(store)) {
        pending.value = evaluate(run, store->value->in[0]);
        pending.factor = evaluate(run, store->value->in[1]);
    } else {
        pending.value = evaluate(run, store->value);
    }
    return pending;
}

static void finish_store(Run *run, const Stmt *store, const Pending *pending)
{
    static const Op ops[] = {OP_add, OP_add, OP_max, OP_min, OP_mul};
    Memory *memory = find_memory(run, store->buffer);
    ElementType element = store->buffer->element;
    Scalar value = pending->value;
    if (store->mode != STORE_SET) {
        Scalar old = read_element(run, memory, pending->at);
        Scalar pair[2] = {old, value};
        if (!is_fused(store))
            value = scalar_apply(ops[store->mode], element, element, pair);
        else
            value = scalar_fused(element, value, pending->factor, old);
    }
    if (!run->failed)
        write_element(run, memory, pending->at, value);
}

static void run_unravel(Run *run, const Stmt *stmt)
{
    int64_t value = affine_value(run, stmt->offset);
    run->vars[stmt->var->id] = value / stmt->step;
    run->vars[stmt->inner->id] = value % stmt->step;
}

/* The variables as they are in this lane at `stmt`. */
static void enter_lane(Run *run, const Stmt *loop, const Stmt *stmt, int lane)
{
    run->vars[loop->var->id] = lane;
    for (const Stmt *before = loop->body; before != stmt; before = before->next)
        if (before->kind == STMT_UNRAVEL)
            run_unravel(run, before);
}

/* A store or let in `count` lanes at once; loop NULL: outside of vector loops. */
static void run_lanes(Run *run, const Stmt *stmt, const Stmt *loop, int count)
{
    Pending pending[LANES_LIMIT];
    Scalar *values = NULL;
    if (stmt->kind == STMT_LET)
        values = ARENA_ARRAY(run->arena, Scalar, count);
    for (int lane = 0; lane < count && !run->failed; lane++) {
        run->lane = lane;
        if (loop)
            enter_lane(run, loop, stmt, lane);
        if (values)
            values[lane] = evaluate(run, stmt->value);
        else
            pending[lane] = prepare_store(run, stmt);
    }
    for (int lane = 0; lane < count && !run->failed && !values; lane++)
        finish_store(run, stmt, &pending[lane]);
    run->lane = 0;
    if (!values)
        return;
    run->temps = arena_grow(run->arena, run->temps, run->temp_count, &run->temp_capacity,
                            sizeof *run->temps);
    run->temps[run->temp_count++] =
        (TempValue){.temp = stmt->temp, .lanes = values, .count = count};
}

static void run_transpose(Run *run, const Stmt *stmt)
{
    Memory *memory = find_memory(run, stmt->buffer);
    int64_t size = stmt->step, bytes = element_bytes(stmt->buffer->element);
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < i; j++) {
            int64_t a = size * i + j, b = size * j + i;
            char kept[8];
            bool defined = memory->defined[a];
            memcpy(kept, memory->bytes + a * bytes, (size_t)bytes);
            memcpy(memory->bytes + a * bytes, memory->bytes + b * bytes, (size_t)bytes);
            memcpy(memory->bytes + b * bytes, kept, (size_t)bytes);
            memory->defined[a] = memory->defined[b];
            memory->defined[b] = defined;
        }
}

static void run_block(Run *run, const Stmt *body);

static void run_vector(Run *run, const Stmt *loop)
{
    int temps = run->temp_count;
    for (const Stmt *stmt = loop->body; stmt && !run->failed; stmt = stmt->next)
        if (stmt->kind != STMT_UNRAVEL)
            run_lanes(run, stmt, loop, (int)loop->end);
    run->temp_count = temps;
}

static void run_loop(Run *run, const Stmt *loop)
{
    if (loop->loop == LOOP_VECTOR) {
        run_vector(run, loop);
        return;
    }
    for (int64_t i = loop->begin; i < loop->end && !run->failed; i += loop->step) {
        run->vars[loop->var->id] = i;
        run_block(run, loop->body);
    }
}

static void run_block(Run *run, const Stmt *body)
{
    int memory = run->memory_count, temps = run->temp_count;
    for (const Stmt *stmt = body; stmt && !run->failed; stmt = stmt->next) {
        if (stmt->kind == STMT_LOOP)
            run_loop(run, stmt);
        else if (stmt->kind == STMT_LOCAL)
            add_memory(run, stmt->buffer, NULL);
        else if (stmt->kind == STMT_UNRAVEL)
            run_unravel(run, stmt);
        else if (stmt->kind == STMT_TRANSPOSE)
            run_transpose(run, stmt);
        else if (stmt->kind != STMT_FETCH)
            run_lanes(run, stmt, NULL, 1);
    }
    run->memory_count = memory;
    run->temp_count = temps;
}

static int64_t iterations(const Stmt *loop)
{
    return loop->end <= loop->begin ? 0 : (loop->end - loop->begin - 1) / loop->step + 1;
}

/* The nest of parallel loops that begins at `loop`: this member's run of iterations. The same
 * iteration of nests that are equally long is always done by the same member. */
static void run_parallel(Run *run, const Stmt *loop)
{
    const Stmt *nest[PARALLEL_LIMIT];
    int depth = 0;
    int64_t total = 1;
    const Stmt *body = loop;
    for (; body && body->kind == STMT_LOOP && body->loop == LOOP_PARALLEL; body = body->body) {
        nest[depth++] = body;
        total *= iterations(body);
    }
    for (int64_t i = total * run->member / run->members;
         i < total * (run->member + 1) / run->members && !run->failed; i++) {
        int64_t rest = i;
        for (int j = depth; j-- > 0;) {
            int64_t count = iterations(nest[j]);
            run->vars[nest[j]->var->id] = nest[j]->begin + rest % count * nest[j]->step;
            rest /= count;
        }
        run->iteration = (total << 24) + i + 1;
        run_block(run, body);
    }
    run->iteration = 0;
}

bool nest_run(const Kernel *kernel, Diag *diag, void *const *arguments, int member, int members)
{
    Run run = {.kernel = kernel,
               .diag = diag,
               .arena = arena_create(),
               .member = member,
               .members = members};
    run.vars = ARENA_ARRAY(run.arena, int64_t, kernel->next_var + 1);
    for (int i = 0; i < kernel->argument_count; i++)
        add_memory(&run, kernel->arguments[i], arguments[i]);
    for (int i = 0; i < kernel->scratch_count; i++)
        add_memory(&run, kernel->scratch[i], NULL);
    if (!kernel->parallel && member == 0)
        run_block(&run, kernel->body);
    for (const Stmt *stmt = kernel->body; stmt && kernel->parallel; stmt = stmt->next)
        run_parallel(&run, stmt);
    arena_destroy(run.arena);
    return !run.failed;
}

bool nest_run_team(const Kernel *kernel, Diag *diag, void *const *arguments, int members)
{
    for (int member = 0; member < members; member++)
        if (!nest_run(kernel, diag, arguments, member, members))
            return false;
    return true;
}
