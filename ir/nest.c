/* Making pieces of the loop level: affine offsets, buffers, expressions, statements.
 *
 * An Affine is kept in one normal form (terms ascending by var->id, no factor 0, each var once), so
 * that equal offsets are equal term by term. Everything here is a value or made once: nothing
 * changes an Affine or an Expr after it was made, so passes may share them freely.
 *
 *     affine_add(16*k + u, 3 - u)   is   16*k + 3
 *
 * Loads and stores note at the buffer that it is read or written; `+=` and its like do both.
 */
#include "ir/nest.h"

#include "ir/element.h"

const Repeat *schedule_repeat_at(const Schedule *schedule, int call, const Repeat *outer)
{
    const Repeat *best = NULL;
    for (int i = 0; i < schedule->repeat_count; i++) {
        const Repeat *r = &schedule->repeats[i];
        if (r->first == call && r->depth > (outer ? outer->depth : 0) &&
            (!best || r->depth < best->depth))
            best = r;
    }
    return best;
}

Slot *slot_whole(Slot *slot)
{
    return slot->kind == SLOT_PART ? slot->whole : slot;
}

Affine affine_number(int64_t value)
{
    return (Affine){.constant = value};
}

Affine affine_var(Arena *arena, const Var *var, int64_t factor)
{
    if (factor == 0)
        return affine_number(0);
    Term *term = ARENA_NEW(arena, Term);
    *term = (Term){.var = var, .factor = factor};
    return (Affine){.count = 1, .terms = term};
}

Affine affine_add(Arena *arena, Affine a, Affine b)
{
    Affine sum = {.constant = a.constant + b.constant};
    if (a.count == 0 || b.count == 0) {
        sum.count = a.count + b.count;
        sum.terms = a.count ? a.terms : b.terms;
        return sum;
    }
    Term *terms = ARENA_ARRAY(arena, Term, a.count + b.count);
    for (int i = 0, j = 0; i < a.count || j < b.count;) {
        bool take_a = j == b.count || (i < a.count && a.terms[i].var->id <= b.terms[j].var->id);
        bool take_b = i == a.count || (j < b.count && b.terms[j].var->id <= a.terms[i].var->id);
        Term term = take_a ? a.terms[i] : b.terms[j];
        if (take_a && take_b)
            term.factor += b.terms[j].factor;
        i += take_a;
        j += take_b;
        if (term.factor != 0)
            terms[sum.count++] = term;
    }
    sum.terms = terms;
    return sum;
}

Affine affine_scale(Arena *arena, Affine a, int64_t factor)
{
    if (factor == 0)
        return affine_number(0);
    if (factor == 1)
        return a;
    Affine product = {.constant = a.constant * factor, .count = a.count};
    if (a.count == 0)
        return product;
    Term *terms = ARENA_ARRAY(arena, Term, a.count);
    for (int i = 0; i < a.count; i++)
        terms[i] = (Term){.var = a.terms[i].var, .factor = a.terms[i].factor * factor};
    product.terms = terms;
    return product;
}

int64_t affine_factor(Affine a, const Var *var)
{
    for (int i = 0; i < a.count; i++)
        if (a.terms[i].var == var)
            return a.terms[i].factor;
    return 0;
}

Affine affine_replace(Arena *arena, Affine a, const Var *var, Affine by)
{
    int64_t factor = affine_factor(a, var);
    if (factor == 0)
        return a;
    Term *terms = ARENA_ARRAY(arena, Term, a.count);
    Affine rest = {.constant = a.constant, .terms = terms};
    for (int i = 0; i < a.count; i++)
        if (a.terms[i].var != var)
            terms[rest.count++] = a.terms[i];
    return affine_add(arena, rest, affine_scale(arena, by, factor));
}

bool affine_equal(Affine a, Affine b)
{
    if (a.constant != b.constant || a.count != b.count)
        return false;
    for (int i = 0; i < a.count; i++)
        if (a.terms[i].var != b.terms[i].var || a.terms[i].factor != b.terms[i].factor)
            return false;
    return true;
}

Op store_op(StoreMode mode)
{
    static const Op ops[] = {
        [STORE_ADD] = OP_add, [STORE_MAX] = OP_max, [STORE_MIN] = OP_min, [STORE_MUL] = OP_mul};
    return ops[mode];
}

Var *kernel_var(Arena *arena, Kernel *kernel, const char *name)
{
    Var *var = ARENA_NEW(arena, Var);
    *var = (Var){.name = name, .id = kernel->next_var++};
    return var;
}

static Buffer *buffer_create(Arena *arena, BufferKind kind, const char *name, ElementType element,
                             int64_t count)
{
    Buffer *buffer = ARENA_NEW(arena, Buffer);
    *buffer = (Buffer){.name = name, .element = element, .count = count, .kind = kind};
    return buffer;
}

/* Adds to a list that keeps no capacity beside it: room is 8, 16, 32 … as arena_grow() makes it. */
static void list_add(Arena *arena, Buffer ***list, int *count, Buffer *buffer)
{
    int capacity = *count;
    if (capacity == 0 || (capacity >= 8 && (capacity & (capacity - 1)) == 0))
        *list = arena_grow(arena, *list, *count, &capacity, sizeof **list);
    buffer->index = *count;
    (*list)[(*count)++] = buffer;
}

Buffer *kernel_argument(Arena *arena, Kernel *kernel, const char *name, ElementType element,
                        int64_t count)
{
    Buffer *buffer = buffer_create(arena, BUFFER_ARGUMENT, name, element, count);
    list_add(arena, &kernel->arguments, &kernel->argument_count, buffer);
    return buffer;
}

Buffer *kernel_scratch(Arena *arena, Kernel *kernel, const char *name, ElementType element,
                       int64_t count)
{
    Buffer *buffer = buffer_create(arena, BUFFER_SCRATCH, name, element, count);
    list_add(arena, &kernel->scratch, &kernel->scratch_count, buffer);
    return buffer;
}

Buffer *nest_local(Arena *arena, const char *name, ElementType element, int64_t count)
{
    return buffer_create(arena, BUFFER_LOCAL, name, element, count);
}

/* Rounded, cut off or brought into range here once, so that what is printed is what is computed
 * with. */
Expr *expr_number(Arena *arena, ElementType element, double number)
{
    Expr *expr = ARENA_NEW(arena, Expr);
    expr->kind = EXPR_NUMBER;
    expr->element = element;
    expr->number = number;
    if (element_is_float(element))
        expr->number = element_round(element, number);
    else if (element_is_integer(element))
        expr->number = element_to_number(element, element_saturate(element, number));
    return expr;
}

Expr *expr_index(Arena *arena, ElementType element, Affine offset)
{
    Expr *expr = ARENA_NEW(arena, Expr);
    expr->kind = EXPR_INDEX;
    expr->element = element;
    expr->offset = offset;
    return expr;
}

Expr *expr_load(Arena *arena, Buffer *buffer, Affine offset)
{
    Expr *expr = ARENA_NEW(arena, Expr);
    expr->kind = EXPR_LOAD;
    expr->element = buffer->element;
    expr->buffer = buffer;
    expr->offset = offset;
    buffer->read = true;
    return expr;
}

Expr *expr_apply(Arena *arena, Op op, ElementType element, int in_count, Expr *const *in)
{
    if (in_count < 0 || in_count > EXPR_INPUTS)
        INGOT_BUG("%d operands for one expression", in_count);
    Expr *expr = ARENA_NEW(arena, Expr);
    expr->kind = EXPR_APPLY;
    expr->element = element;
    expr->op = op;
    expr->in_count = in_count;
    for (int i = 0; i < in_count; i++)
        expr->in[i] = in[i];
    return expr;
}

Expr *expr_temp(Arena *arena, const Temp *temp)
{
    Expr *expr = ARENA_NEW(arena, Expr);
    expr->kind = EXPR_TEMP;
    expr->element = temp->element;
    expr->temp = temp;
    return expr;
}

Expr *expr_lanes(Arena *arena, Op op, const Var *var, int lanes, Expr *in)
{
    Expr *expr = ARENA_NEW(arena, Expr);
    expr->kind = EXPR_LANES;
    expr->element = in->element;
    expr->op = op;
    expr->in_count = 1;
    expr->in[0] = in;
    expr->var = var;
    expr->lanes = lanes;
    return expr;
}

Stmt *stmt_loop(Arena *arena, LoopKind kind, const Var *var, int64_t begin, int64_t end,
                int64_t step, Stmt *body)
{
    Stmt *stmt = ARENA_NEW(arena, Stmt);
    stmt->kind = STMT_LOOP;
    stmt->loop = kind;
    stmt->var = var;
    stmt->begin = begin;
    stmt->end = end;
    stmt->step = step;
    stmt->body = body;
    if (kind == LOOP_VECTOR)
        stmt->lanes = (int)(end - begin);
    return stmt;
}

Stmt *stmt_vector(Arena *arena, const Var *var, int64_t count, int lanes, Stmt *body)
{
    Stmt *stmt = stmt_loop(arena, LOOP_VECTOR, var, 0, count, 1, body);
    stmt->lanes = lanes;
    return stmt;
}

Stmt *stmt_store(Arena *arena, StoreMode mode, Buffer *buffer, Affine offset, Expr *value)
{
    Stmt *stmt = ARENA_NEW(arena, Stmt);
    stmt->kind = STMT_STORE;
    stmt->mode = mode;
    stmt->buffer = buffer;
    stmt->offset = offset;
    stmt->value = value;
    buffer->written = true;
    if (mode != STORE_SET)
        buffer->read = true;
    return stmt;
}

Stmt *stmt_let(Arena *arena, const Temp *temp, Expr *value)
{
    Stmt *stmt = ARENA_NEW(arena, Stmt);
    stmt->kind = STMT_LET;
    stmt->temp = temp;
    stmt->value = value;
    return stmt;
}

Stmt *stmt_local(Arena *arena, Buffer *buffer)
{
    Stmt *stmt = ARENA_NEW(arena, Stmt);
    stmt->kind = STMT_LOCAL;
    stmt->buffer = buffer;
    return stmt;
}

Stmt *stmt_fetch(Arena *arena, Buffer *buffer, FetchMode fetch, Affine offset)
{
    Stmt *stmt = ARENA_NEW(arena, Stmt);
    stmt->kind = STMT_FETCH;
    stmt->fetch = fetch;
    stmt->buffer = buffer;
    stmt->offset = offset;
    return stmt;
}

Stmt *stmt_transpose(Arena *arena, Buffer *local, int64_t size)
{
    Stmt *stmt = ARENA_NEW(arena, Stmt);
    stmt->kind = STMT_TRANSPOSE;
    stmt->buffer = local;
    stmt->step = size;
    local->read = local->written = true;
    return stmt;
}

Stmt *stmt_unravel(Arena *arena, const Var *quotient, const Var *remainder, Affine offset,
                   int64_t divisor)
{
    Stmt *stmt = ARENA_NEW(arena, Stmt);
    stmt->kind = STMT_UNRAVEL;
    stmt->var = quotient;
    stmt->inner = remainder;
    stmt->offset = offset;
    stmt->step = divisor;
    return stmt;
}

Stmt *stmt_append(Stmt *list, Stmt *tail)
{
    if (!list)
        return tail;
    Stmt *last = list;
    while (last->next)
        last = last->next;
    last->next = tail;
    return list;
}
