/* Checks every promise of nest.h:
 *
 *   names      each variable, temp and local is used inside the loop or block that makes it, and a
 *              kernel touches no arguments and scratch but its own
 *   types      stores, lets, operands and results agree; the table's shape column says how
 *   offsets    affine ones lie inside their buffer in every iteration (dynamic ones are left out)
 *   locals     all offsets become numbers when `unroll` and `vector` are written out
 *   vector     from 0 by 1, at most one around a statement, only stores, lets and unravels in it,
 *              lanes apart
 *   transpose  of a local that is large enough, by a power of two
 *   unravel    of what unroll, vector and unravel make known, and not negative
 *   parallel   only parallel loops at the top; nested ones with nothing beside; iterations apart
 *
 * A loop without iterations is allowed (tensors may be empty): what is in it is never reached, so
 * offsets there are not checked. Ranges of offsets are exact: each variable takes its first and its
 * last value somewhere, independently of the others. */
#include <string.h>

#include "ir/nest_text.h"

enum { PLACE_NAMES = 8 };

typedef struct Entry { /* one name in scope */
    const void *what;  /* Var, Temp or Buffer */
    const Var *var;    /* NULL for the others */
    LoopKind loop;
    int64_t first, last; /* values of var */
    const Stmt *unravel; /* what makes var, when that is no loop */
} Entry;

typedef struct Check {
    const Kernel *kernel;
    Diag *diag;
    Entry *entries; /* outermost first */
    int entry_count, entry_capacity;
    bool in_vector; /* a vector loop or EXPR_LANES is around */
    bool dead;      /* a loop without iterations is around */
} Check;

/* How operand and result types of an operation hang together. */
static const char *const type_rules[OP_COUNT] = {
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate) #shape,
#include "ir/ops.def"
#undef OP
};

/* "kernel @name (i, j)" with the loop variables around. */
static const char *check_place(const Check *check)
{
    Arena *arena = check->diag->arena;
    const char *place = arena_print(arena, "kernel @%s", check->kernel->name);
    int shown = 0;
    for (int i = 0; i < check->entry_count && shown < PLACE_NAMES; i++)
        if (check->entries[i].var)
            place = arena_print(arena, "%s%s%s", place, shown++ ? ", " : " (",
                                check->entries[i].var->name);
    return shown ? arena_print(arena, "%s)", place) : place;
}

#define CHECK_FAIL(check, ...) diag_error((check)->diag, check_place(check), __VA_ARGS__)

static void check_bind(Check *check, Entry entry)
{
    check->entries = arena_grow(check->diag->arena, check->entries, check->entry_count,
                                &check->entry_capacity, sizeof *check->entries);
    check->entries[check->entry_count++] = entry;
}

static const Entry *check_find(const Check *check, const void *what)
{
    for (int i = check->entry_count; i-- > 0;)
        if (check->entries[i].what == what)
            return &check->entries[i];
    return NULL;
}

/* Least and greatest value of `offset`; false and an error when a variable is not in scope or the
 * numbers overflow. */
static bool check_range(const Check *check, Affine offset, int64_t *least, int64_t *greatest)
{
    *least = *greatest = offset.constant;
    for (int i = 0; i < offset.count; i++) {
        const Term *term = &offset.terms[i];
        const Entry *entry = check_find(check, term->var);
        if (!entry)
            return CHECK_FAIL(check, "variable %s is used outside of its loop", term->var->name);
        if (i > 0 && term->var->id <= offset.terms[i - 1].var->id)
            return CHECK_FAIL(check, "terms of an offset are not in ascending order");
        int64_t low, high;
        bool up = term->factor > 0;
        if (__builtin_mul_overflow(term->factor, up ? entry->first : entry->last, &low) ||
            __builtin_mul_overflow(term->factor, up ? entry->last : entry->first, &high) ||
            __builtin_add_overflow(*least, low, least) ||
            __builtin_add_overflow(*greatest, high, greatest))
            return CHECK_FAIL(check, "an offset is beyond 64 bits");
    }
    return true;
}

static bool check_owner(const Check *check, const Buffer *buffer)
{
    const Kernel *kernel = check->kernel;
    switch (buffer->kind) {
    case BUFFER_ARGUMENT:
        return buffer->index >= 0 && buffer->index < kernel->argument_count &&
               kernel->arguments[buffer->index] == buffer;
    case BUFFER_SCRATCH:
        return buffer->index >= 0 && buffer->index < kernel->scratch_count &&
               kernel->scratch[buffer->index] == buffer;
    case BUFFER_LOCAL:
        return check_find(check, buffer) != NULL;
    }
    return false;
}

static bool check_local(const Check *check, const Buffer *buffer, Affine offset, bool dynamic)
{
    if (dynamic)
        return CHECK_FAIL(check, "local %%%s has a dynamic offset", buffer->name);
    for (int i = 0; i < offset.count; i++) {
        const Entry *entry = check_find(check, offset.terms[i].var);
        if (entry && entry->unravel)
            return CHECK_FAIL(check, "the offset in local %%%s depends on %s, which is unravelled",
                              buffer->name, entry->var->name);
        if (entry && entry->loop != LOOP_UNROLL && entry->loop != LOOP_VECTOR)
            return CHECK_FAIL(check,
                              "the offset in local %%%s depends on %s, which is not unrolled",
                              buffer->name, entry->var->name);
    }
    return true;
}

static bool check_expr(Check *check, const Expr *expr);

static bool check_place_in(Check *check, const Buffer *buffer, Affine offset, const Expr *dynamic)
{
    int64_t least, greatest;
    if (!check_owner(check, buffer))
        return CHECK_FAIL(check, "%%%s is not a buffer of this kernel or block", buffer->name);
    if (!check_range(check, offset, &least, &greatest))
        return false;
    if (dynamic && !check_expr(check, dynamic))
        return false;
    if (dynamic && dynamic->element != TYPE_I32 && dynamic->element != TYPE_I64)
        return CHECK_FAIL(check, "a dynamic offset in %%%s is %s, not i32 or i64", buffer->name,
                          element_name(dynamic->element));
    if (buffer->kind == BUFFER_LOCAL && !check_local(check, buffer, offset, dynamic))
        return false;
    if (!dynamic && !check->dead && (least < 0 || greatest >= buffer->count))
        return CHECK_FAIL(check, "offsets %lld to %lld lie outside of %%%s: %s[%lld]",
                          (long long)least, (long long)greatest, buffer->name,
                          element_name(buffer->element), (long long)buffer->count);
    return true;
}

/* It may reach outside. */
static bool check_fetch(Check *check, const Stmt *fetch)
{
    int64_t least, greatest;
    if (!check_owner(check, fetch->buffer) || fetch->buffer->kind == BUFFER_LOCAL)
        return CHECK_FAIL(check, "%%%s is not memory of this kernel", fetch->buffer->name);
    return check_range(check, fetch->offset, &least, &greatest);
}

static bool check_types(const Check *check, const Expr *expr)
{
    const char *rule = type_rules[expr->op];
    ElementType first = expr->in[0]->element;
    ElementType result = first;
    bool select = strcmp(rule, "select") == 0, random = expr->op == OP_random;
    if (expr->op == OP_bitcast && element_bytes(first) != element_bytes(expr->element))
        return CHECK_FAIL(check, "bitcast of %s to %s", element_name(first),
                          element_name(expr->element));
    if (expr->op == OP_cast || expr->op == OP_bitcast)
        return true;
    if (element_is_storage(first))
        return CHECK_FAIL(check, "%s of %s", op_name(expr->op), element_name(first));
    for (int i = select ? 2 : 1; i < expr->in_count; i++)
        if (expr->in[i]->element != expr->in[select ? 1 : 0]->element)
            return CHECK_FAIL(check, "%s has operands of different types", op_name(expr->op));
    if (strncmp(rule, "float", 5) == 0 && !element_is_float(first))
        return CHECK_FAIL(check, "%s of %s", op_name(expr->op), element_name(first));
    if (select && first != TYPE_BOOL)
        return CHECK_FAIL(check, "%s of %s, not of bool", op_name(expr->op), element_name(first));
    if ((strcmp(rule, "bits") == 0 && element_is_float(first)) ||
        (strcmp(rule, "shift") == 0 && !element_is_integer(first)))
        return CHECK_FAIL(check, "%s of %s", op_name(expr->op), element_name(first));
    if (random && first != TYPE_I32)
        return CHECK_FAIL(check, "random of %s, not of i32", element_name(first));
    if (select)
        result = expr->in[1]->element;
    else if (strcmp(rule, "compare") == 0)
        result = TYPE_BOOL;
    else if (random)
        result = TYPE_F32;
    return result == expr->element || CHECK_FAIL(check, "%s gives %s, not %s", op_name(expr->op),
                                                 element_name(result), element_name(expr->element));
}

static bool check_apply(Check *check, const Expr *expr)
{
    bool random = expr->op == OP_random;
    if (!op_is(expr->op, ELEMENTWISE) && !random)
        return CHECK_FAIL(check, "%s is not element-wise", op_name(expr->op));
    int wanted = random ? EXPR_INPUTS : op_inputs(expr->op);
    if (expr->in_count != wanted)
        return CHECK_FAIL(check, "%s takes %d operands, not %d", op_name(expr->op), wanted,
                          expr->in_count);
    for (int i = 0; i < expr->in_count; i++)
        if (!check_expr(check, expr->in[i]))
            return false;
    return check_types(check, expr);
}

static bool check_lanes(Check *check, const Expr *expr)
{
    if (element_is_storage(expr->element))
        return CHECK_FAIL(check, "lanes of %s", element_name(expr->element));
    if (check->in_vector)
        return CHECK_FAIL(check, "lanes stand inside of a vector loop or of other lanes");
    if (expr->op != OP_add && expr->op != OP_mul && expr->op != OP_max && expr->op != OP_min)
        return CHECK_FAIL(check, "lanes are joined by add, mul, max or min, not %s",
                          op_name(expr->op));
    if (expr->lanes < 1 || (expr->lanes & (expr->lanes - 1)) != 0)
        return CHECK_FAIL(check, "%d lanes are not a power of two", expr->lanes);
    if (check_find(check, expr->var))
        return CHECK_FAIL(check, "lanes use variable %s of a loop around", expr->var->name);
    int scope = check->entry_count;
    check_bind(
        check,
        (Entry){.what = expr->var, .var = expr->var, .loop = LOOP_VECTOR, .last = expr->lanes - 1});
    check->in_vector = true;
    bool right = check_expr(check, expr->in[0]);
    check->in_vector = false;
    check->entry_count = scope;
    return right && (expr->element == expr->in[0]->element ||
                     CHECK_FAIL(check, "lanes of %s give %s", element_name(expr->in[0]->element),
                                element_name(expr->element)));
}

static bool check_index(const Check *check, const Expr *expr)
{
    int64_t least, greatest;
    if (expr->element != TYPE_I32 && expr->element != TYPE_I64)
        return CHECK_FAIL(check, "an index is %s, not i32 or i64", element_name(expr->element));
    if (!check_range(check, expr->offset, &least, &greatest))
        return false;
    if (expr->element == TYPE_I32 && !check->dead && (least < INT32_MIN || greatest > INT32_MAX))
        return CHECK_FAIL(check, "an index from %lld to %lld does not fit i32", (long long)least,
                          (long long)greatest);
    return true;
}

static bool check_load(Check *check, const Expr *expr)
{
    const Buffer *buffer = expr->buffer;
    if (!check_place_in(check, buffer, expr->offset, expr->dynamic))
        return false;
    if (!buffer->read)
        return CHECK_FAIL(check, "%%%s is read, but not marked so", buffer->name);
    return expr->element == buffer->element ||
           CHECK_FAIL(check, "%%%s of %s is read as %s", buffer->name,
                      element_name(buffer->element), element_name(expr->element));
}

static bool check_expr(Check *check, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_NUMBER:
        return expr->element != TYPE_BOOL || expr->number == 0 || expr->number == 1 ||
               CHECK_FAIL(check, "a bool is 0 or 1, not %g", expr->number);
    case EXPR_INDEX:
        return check_index(check, expr);
    case EXPR_LOAD:
        return check_load(check, expr);
    case EXPR_TEMP:
        if (!check_find(check, expr->temp))
            return CHECK_FAIL(check, "%%%s is used before or outside of its let", expr->temp->name);
        return expr->element == expr->temp->element ||
               CHECK_FAIL(check, "%%%s is used with another type", expr->temp->name);
    case EXPR_APPLY:
        return check_apply(check, expr);
    case EXPR_LANES:
        return check_lanes(check, expr);
    }
    return CHECK_FAIL(check, "an expression of unknown kind");
}

/* May the value differ between iterations of `var`? A temp may. */
static bool depends(const Expr *expr, const Var *var)
{
    if (expr->kind == EXPR_TEMP || affine_factor(expr->offset, var) != 0)
        return true;
    if (expr->dynamic && depends(expr->dynamic, var))
        return true;
    for (int i = 0; i < expr->in_count; i++)
        if (depends(expr->in[i], var))
            return true;
    return false;
}

/* May the offset differ between iterations of `var`, of itself or by what is unravelled from it? */
static bool moves_with(const Check *check, Affine offset, const Var *var)
{
    for (int i = 0; i < offset.count; i++) {
        const Entry *entry = check_find(check, offset.terms[i].var);
        if (offset.terms[i].var == var ||
            (entry && entry->unravel && moves_with(check, entry->unravel->offset, var)))
            return true;
    }
    return false;
}

/* Lanes, and parallel iterations where memory is shared, must not write one place: the offset has
 * to depend on their variables. (That it then differs is not proved here.) */
static bool check_apart(const Check *check, const Stmt *store)
{
    for (int i = 0; i < check->entry_count; i++) {
        const Entry *entry = &check->entries[i];
        bool shared = entry->loop == LOOP_PARALLEL && store->buffer->kind == BUFFER_ARGUMENT;
        if (!entry->var || entry->first >= entry->last || !(shared || entry->loop == LOOP_VECTOR))
            continue;
        if (!moves_with(check, store->offset, entry->var) &&
            !(store->dynamic && depends(store->dynamic, entry->var)))
            return CHECK_FAIL(check, "%s of %s all store to one place in %%%s",
                              shared ? "parallel iterations" : "vector lanes", entry->var->name,
                              store->buffer->name);
    }
    return true;
}

static bool check_store(Check *check, const Stmt *store)
{
    const Buffer *buffer = store->buffer;
    if (!check_place_in(check, buffer, store->offset, store->dynamic) ||
        !check_expr(check, store->value))
        return false;
    if (!buffer->written || (store->mode != STORE_SET && !buffer->read))
        return CHECK_FAIL(check, "%%%s is %s, but not marked so", buffer->name,
                          buffer->written ? "read" : "written");
    if (store->value->element != buffer->element)
        return CHECK_FAIL(check, "%s is stored to %%%s of %s", element_name(store->value->element),
                          buffer->name, element_name(buffer->element));
    if ((store->mode == STORE_ADD || store->mode == STORE_MUL) && buffer->element == TYPE_BOOL)
        return CHECK_FAIL(check, "bool can only be stored by =, max= and min=");
    if (store->mode != STORE_SET && element_is_storage(buffer->element))
        return CHECK_FAIL(check, "%s can only be stored by =", element_name(buffer->element));
    return check_apart(check, store);
}

static bool check_let(Check *check, const Stmt *let)
{
    if (!check_expr(check, let->value))
        return false;
    if (let->value->element != let->temp->element)
        return CHECK_FAIL(check, "let %%%s: %s has a value of %s", let->temp->name,
                          element_name(let->temp->element), element_name(let->value->element));
    if (check_find(check, let->temp))
        return CHECK_FAIL(check, "%%%s is let twice", let->temp->name);
    check_bind(check, (Entry){.what = let->temp});
    return true;
}

static bool check_vector(const Check *check, const Stmt *loop)
{
    if (check->in_vector)
        return CHECK_FAIL(check, "vector %s stands in a vector loop", loop->var->name);
    if (loop->begin != 0 || loop->step != 1)
        return CHECK_FAIL(check, "vector %s does not go from 0 by 1", loop->var->name);
    if (loop->lanes < 1 || loop->lanes < loop->end)
        return CHECK_FAIL(check, "vector %s of %d lanes has %lld iterations", loop->var->name,
                          loop->lanes, (long long)loop->end);
    for (const Stmt *stmt = loop->body; stmt; stmt = stmt->next)
        if (stmt->kind != STMT_STORE && stmt->kind != STMT_LET && stmt->kind != STMT_UNRAVEL)
            return CHECK_FAIL(check, "vector %s holds more than stores, lets and unravels",
                              loop->var->name);
    return true;
}

static bool check_new_var(const Check *check, const Var *var)
{
    if (check_find(check, var))
        return CHECK_FAIL(check, "variable %s is already that of a loop around", var->name);
    return (var->id >= 0 && var->id < check->kernel->next_var) ||
           CHECK_FAIL(check, "variable %s is not one of this kernel", var->name);
}

static bool check_unravel(Check *check, const Stmt *stmt)
{
    int64_t least, greatest, by = stmt->step;
    if (stmt->var == stmt->inner || !check_new_var(check, stmt->var) ||
        !check_new_var(check, stmt->inner) || !check_range(check, stmt->offset, &least, &greatest))
        return false;
    if (by < 1)
        return CHECK_FAIL(check, "unravel %s by %lld", stmt->var->name, (long long)by);
    if (!check->dead && least < 0)
        return CHECK_FAIL(check, "unravel %s of %lld", stmt->var->name, (long long)least);
    for (int i = 0; i < stmt->offset.count; i++) {
        const Entry *entry = check_find(check, stmt->offset.terms[i].var);
        if (!entry->unravel && entry->loop != LOOP_UNROLL && entry->loop != LOOP_VECTOR)
            return CHECK_FAIL(check, "unravel %s of %s, which is not unrolled", stmt->var->name,
                              entry->var->name);
    }
    bool whole = least / by == greatest / by;
    Entry quotient = {.what = stmt->var, .var = stmt->var, .unravel = stmt, .loop = LOOP_UNROLL};
    Entry remainder = quotient;
    quotient.first = least / by;
    quotient.last = greatest / by;
    remainder.what = remainder.var = stmt->inner;
    remainder.first = whole ? least % by : 0;
    remainder.last = whole ? greatest % by : by - 1;
    check_bind(check, quotient);
    check_bind(check, remainder);
    return true;
}

static bool is_parallel(const Stmt *stmt)
{
    return stmt && stmt->kind == STMT_LOOP && stmt->loop == LOOP_PARALLEL;
}

/* Only parallel loops may be around; what stands beside is seen where the block is. */
static bool check_parallel(const Check *check, const Stmt *loop)
{
    if (check->kernel->ordered)
        return CHECK_FAIL(check, "an ordered kernel has a parallel loop");
    for (int i = 0; i < check->entry_count; i++)
        if (!check->entries[i].var || check->entries[i].loop != LOOP_PARALLEL)
            return CHECK_FAIL(check, "parallel %s stands inside of another loop or block",
                              loop->var->name);
    return true;
}

static bool check_block(Check *check, const Stmt *body);

static bool check_loop(Check *check, const Stmt *loop)
{
    if (!check_new_var(check, loop->var))
        return false;
    if (loop->step < 1)
        return CHECK_FAIL(check, "loop %s has step %lld", loop->var->name, (long long)loop->step);
    if ((loop->loop == LOOP_VECTOR && !check_vector(check, loop)) ||
        (loop->loop == LOOP_PARALLEL && !check_parallel(check, loop)))
        return false;
    Check outer = *check;
    int64_t length;
    if (__builtin_sub_overflow(loop->end, loop->begin, &length))
        return CHECK_FAIL(check, "loop %s is beyond 64 bits", loop->var->name);
    check->dead = check->dead || length <= 0;
    int64_t last = length <= 0 ? loop->begin : loop->begin + (length - 1) / loop->step * loop->step;
    check_bind(check, (Entry){.what = loop->var,
                              .var = loop->var,
                              .loop = loop->loop,
                              .first = loop->begin,
                              .last = last});
    check->in_vector = check->in_vector || loop->loop == LOOP_VECTOR;
    bool right = check_block(check, loop->body);
    check->entry_count = outer.entry_count;
    check->in_vector = outer.in_vector;
    check->dead = outer.dead;
    return right;
}

static bool check_declare(Check *check, const Buffer *buffer)
{
    if (buffer->kind != BUFFER_LOCAL || buffer->count < 0)
        return CHECK_FAIL(check, "local %%%s is no local buffer", buffer->name);
    if (check_find(check, buffer))
        return CHECK_FAIL(check, "local %%%s is declared twice", buffer->name);
    check_bind(check, (Entry){.what = buffer});
    return true;
}

static bool check_transpose(const Check *check, const Stmt *stmt)
{
    const Buffer *local = stmt->buffer;
    int64_t size = stmt->step;
    if (local->kind != BUFFER_LOCAL || !check_owner(check, local))
        return CHECK_FAIL(check, "transpose of %%%s, which is no local of this block", local->name);
    if (size < 2 || (size & (size - 1)) != 0)
        return CHECK_FAIL(check, "transpose by %lld, which is no power of two", (long long)size);
    return size * size <= local->count ||
           CHECK_FAIL(check, "transpose by %lld of %%%s: %s[%lld]", (long long)size, local->name,
                      element_name(local->element), (long long)local->count);
}

static bool check_statement(Check *check, const Stmt *stmt)
{
    switch (stmt->kind) {
    case STMT_LOOP:
        return check_loop(check, stmt);
    case STMT_STORE:
        return check_store(check, stmt);
    case STMT_LET:
        return check_let(check, stmt);
    case STMT_LOCAL:
        return check_declare(check, stmt->buffer);
    case STMT_FETCH:
        return check_fetch(check, stmt);
    case STMT_TRANSPOSE:
        return check_transpose(check, stmt);
    case STMT_UNRAVEL:
        return check_unravel(check, stmt);
    }
    return CHECK_FAIL(check, "a statement of unknown kind");
}

/* Goes on after an error, so that several are found at once. */
static bool check_block(Check *check, const Stmt *body)
{
    bool right = true;
    int scope = check->entry_count;
    for (const Stmt *stmt = body; stmt; stmt = stmt->next) {
        if (is_parallel(stmt) && scope > 0 && (stmt != body || stmt->next))
            right =
                CHECK_FAIL(check, "parallel %s has other statements beside it", stmt->var->name);
        else if (!check_statement(check, stmt))
            right = false;
    }
    check->entry_count = scope;
    return right;
}

static bool check_arguments(const Check *check)
{
    const Kernel *kernel = check->kernel;
    bool right = true;
    for (int i = 0; i < kernel->argument_count + kernel->scratch_count; i++) {
        bool scratch = i >= kernel->argument_count;
        int index = scratch ? i - kernel->argument_count : i;
        const Buffer *buffer = scratch ? kernel->scratch[index] : kernel->arguments[index];
        if (buffer->kind != (scratch ? BUFFER_SCRATCH : BUFFER_ARGUMENT) || buffer->index != index)
            right = CHECK_FAIL(check, "%%%s is not in its place", buffer->name);
        if (buffer->count < 0 || buffer->count > ELEMENT_LIMIT)
            right =
                CHECK_FAIL(check, "%%%s has %lld elements", buffer->name, (long long)buffer->count);
    }
    return right;
}

bool kernel_verify(const Kernel *kernel, Diag *diag)
{
    Check check = {.kernel = kernel, .diag = diag};
    bool right = check_arguments(&check);
    if (!check_block(&check, kernel->body))
        right = false;
    bool parallel = false, serial = false;
    for (const Stmt *stmt = kernel->body; stmt; stmt = stmt->next) {
        parallel = parallel || is_parallel(stmt);
        serial = serial || !is_parallel(stmt);
    }
    if (parallel && serial)
        right = CHECK_FAIL(&check, "has other statements beside its parallel loops");
    if (kernel->parallel != parallel)
        right = CHECK_FAIL(&check, "is%s marked parallel", kernel->parallel ? "" : " not");
    return right;
}
