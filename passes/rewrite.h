/* Copying parts of a kernel with some variables replaced: what tiling and vectorising are made of.
 */
#ifndef INGOT_PASSES_REWRITE_H
#define INGOT_PASSES_REWRITE_H

#include "ir/nest.h"

enum { REPLACE_LIMIT = 8 };

/* Two nested loops whose iterations are numbered through: `extent` of the inner one for each of the
 * outer one. */
typedef struct Run {
    const Var *outer, *inner;
    int64_t extent;
    Affine first, place; /* iteration place + extent·first */
} Run;

typedef struct Replace {
    int count;
    const Var *vars[REPLACE_LIMIT]; /* each becomes… */
    Affine by[REPLACE_LIMIT];       /* …this */
    const Buffer *local;            /* loads and stores of this buffer at 0, when not NULL… */
    Buffer *local_by;               /* …go to this one… */
    Affine local_offset;            /* …at this offset */
    Buffer *const *buffers;         /* by index, what each argument becomes; NULL: arguments stay */
    const Run *run; /* not NULL: where an offset counts on from one round of the inner loop to the
                       next, it moves with first and place; elsewhere by `vars` */
} Replace;

/* Does `a` count on from one round of the inner loop to the next? */
bool run_follows(Affine a, const Run *run);

void replace_var(Replace *replace, const Var *var, Affine by);
Affine rewrite_affine(Arena *arena, Affine a, const Replace *replace);
Expr *rewrite_expr(Arena *arena, Expr *expr, const Replace *replace);
/* Copies the statement and those after it, bodies included. */
Stmt *rewrite_stmts(Arena *arena, const Stmt *stmt, const Replace *replace);

/* `for i = 0..n { … }`: serial, from 0, by 1: what lowering makes and no pass has touched. */
bool is_plain_loop(const Stmt *stmt);

/* Element-wise operations that take a polynomial or more. */
bool op_is_heavy(Op op);
/* Does any of the statements, bodies included, have one of them? */
bool any_is_heavy(const Stmt *stmt);

/* used[i] = true for each argument i of the kernel that the statements read or store. */
void mark_arguments(const Stmt *stmt, bool *used);

/* Calls visit(argument, affine) for every offset and index in the list, bodies included. */
typedef void VisitAffine(void *argument, Affine affine);
void visit_affines(const Stmt *stmt, VisitAffine *visit, void *argument);
/* Calls visit for every load in the expression, and for every index (with buffer NULL). */
typedef void VisitLoad(void *argument, const Expr *load);
void visit_loads(const Expr *expr, VisitLoad *visit, void *argument);

/* Does any offset or index in the list move with one of these variables? NULL is none. */
bool any_moves_with(const Stmt *stmt, const Var *one, const Var *other);

#endif
