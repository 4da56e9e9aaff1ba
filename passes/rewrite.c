/* Copying parts of a kernel with some variables replaced; see rewrite.h. */
#include "passes/rewrite.h"

void replace_var(Replace *replace, const Var *var, Affine by)
{
    if (!var)
        return;
    if (replace->count == REPLACE_LIMIT)
        INGOT_BUG("more than %d variables replaced at once", REPLACE_LIMIT);
    replace->vars[replace->count] = var;
    replace->by[replace->count++] = by;
}

bool run_follows(Affine a, const Run *run)
{
    int64_t inner = run ? affine_factor(a, run->inner) : 0;
    return inner != 0 && affine_factor(a, run->outer) == inner * run->extent;
}

Affine rewrite_affine(Arena *arena, Affine a, const Replace *replace)
{
    const Run *run = run_follows(a, replace->run) ? replace->run : NULL;
    for (int i = 0; i < replace->count; i++) {
        const Var *var = replace->vars[i];
        if (affine_factor(a, var) && !(run && (var == run->outer || var == run->inner)))
            a = affine_replace(arena, a, var, replace->by[i]);
    }
    if (!run)
        return a;
    a = affine_replace(arena, a, run->inner, run->place);
    return affine_replace(arena, a, run->outer, run->first);
}

Expr *rewrite_expr(Arena *arena, Expr *expr, const Replace *replace)
{
    if (!expr)
        return NULL;
    Expr *copy = ARENA_NEW(arena, Expr);
    *copy = *expr;
    if (expr->kind == EXPR_LOAD && replace->local && expr->buffer == replace->local) {
        copy->buffer = replace->local_by;
        copy->buffer->read = true;
        copy->offset = replace->local_offset;
        return copy;
    }
    if (expr->kind == EXPR_LOAD && replace->buffers && expr->buffer->kind == BUFFER_ARGUMENT) {
        copy->buffer = replace->buffers[expr->buffer->index];
        copy->buffer->read = true;
    }
    copy->offset = rewrite_affine(arena, expr->offset, replace);
    copy->dynamic = rewrite_expr(arena, expr->dynamic, replace);
    for (int i = 0; i < expr->in_count; i++)
        copy->in[i] = rewrite_expr(arena, expr->in[i], replace);
    return copy;
}

Stmt *rewrite_stmts(Arena *arena, const Stmt *stmt, const Replace *replace)
{
    Stmt *first = NULL;
    for (; stmt; stmt = stmt->next) {
        Stmt *copy = ARENA_NEW(arena, Stmt);
        *copy = *stmt;
        copy->next = NULL;
        copy->body = rewrite_stmts(arena, stmt->body, replace);
        copy->offset = rewrite_affine(arena, stmt->offset, replace);
        copy->value = rewrite_expr(arena, stmt->value, replace);
        copy->dynamic = rewrite_expr(arena, stmt->dynamic, replace);
        if (replace->buffers && stmt->buffer && stmt->buffer->kind == BUFFER_ARGUMENT) {
            copy->buffer = replace->buffers[stmt->buffer->index];
            copy->buffer->written = copy->buffer->written || stmt->kind == STMT_STORE;
        }
        if (replace->local && stmt->buffer == replace->local) {
            copy->buffer = replace->local_by;
            copy->buffer->written = copy->buffer->written || stmt->kind == STMT_STORE;
            copy->offset = replace->local_offset;
        }
        first = stmt_append(first, copy);
    }
    return first;
}

bool op_is_heavy(Op op)
{
    return op == OP_exp || op == OP_log || op == OP_tanh || op == OP_sigmoid || op == OP_erf ||
           op == OP_sin || op == OP_cos || op == OP_atan || op == OP_pow || op == OP_log1p ||
           op == OP_expm1 || op == OP_random;
}

static bool is_heavy(const Expr *expr)
{
    bool heavy = expr && expr->kind == EXPR_APPLY && op_is_heavy(expr->op);
    for (int i = 0; expr && i < expr->in_count; i++)
        heavy = heavy || is_heavy(expr->in[i]);
    return heavy;
}

bool any_is_heavy(const Stmt *s)
{
    for (; s; s = s->next)
        if (is_heavy(s->value) || any_is_heavy(s->body))
            return true;
    return false;
}

bool is_plain_loop(const Stmt *stmt)
{
    return stmt && stmt->kind == STMT_LOOP && stmt->loop == LOOP_SERIAL && stmt->begin == 0 &&
           stmt->step == 1;
}

static void visit_expr_affines(const Expr *expr, VisitAffine *visit, void *argument)
{
    if (!expr)
        return;
    if (expr->kind == EXPR_LOAD || expr->kind == EXPR_INDEX)
        visit(argument, expr->offset);
    visit_expr_affines(expr->dynamic, visit, argument);
    for (int i = 0; i < expr->in_count; i++)
        visit_expr_affines(expr->in[i], visit, argument);
}

void visit_affines(const Stmt *stmt, VisitAffine *visit, void *argument)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_STORE || stmt->kind == STMT_FETCH || stmt->kind == STMT_UNRAVEL)
            visit(argument, stmt->offset);
        visit_expr_affines(stmt->value, visit, argument);
        visit_expr_affines(stmt->dynamic, visit, argument);
        visit_affines(stmt->body, visit, argument);
    }
}

typedef struct Moves {
    const Var *one, *other;
    bool any;
} Moves;

static void look_at_moves(void *argument, Affine affine)
{
    Moves *moves = argument;
    moves->any = moves->any || (moves->one && affine_factor(affine, moves->one)) ||
                 (moves->other && affine_factor(affine, moves->other));
}

bool any_moves_with(const Stmt *stmt, const Var *one, const Var *other)
{
    Moves moves = {one, other, false};
    visit_affines(stmt, look_at_moves, &moves);
    return moves.any;
}

void visit_loads(const Expr *expr, VisitLoad *visit, void *argument)
{
    if (!expr)
        return;
    if (expr->kind == EXPR_LOAD || expr->kind == EXPR_INDEX)
        visit(argument, expr);
    visit_loads(expr->dynamic, visit, argument);
    for (int i = 0; i < expr->in_count; i++)
        visit_loads(expr->in[i], visit, argument);
}

static void mark_expr_arguments(const Expr *expr, bool *used)
{
    if (!expr)
        return;
    if (expr->kind == EXPR_LOAD && expr->buffer->kind == BUFFER_ARGUMENT)
        used[expr->buffer->index] = true;
    mark_expr_arguments(expr->dynamic, used);
    for (int i = 0; i < expr->in_count; i++)
        mark_expr_arguments(expr->in[i], used);
}

void mark_arguments(const Stmt *s, bool *used)
{
    for (; s; s = s->next) {
        if (s->kind == STMT_STORE && s->buffer->kind == BUFFER_ARGUMENT)
            used[s->buffer->index] = true;
        mark_expr_arguments(s->value, used);
        mark_expr_arguments(s->dynamic, used);
        mark_arguments(s->body, used);
    }
}
