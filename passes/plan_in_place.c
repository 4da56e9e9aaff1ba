/* May a kernel compute in place?
 *
 *     for i = 0..8 { vector v = 0..8 { %y[8*i + v] = max(%x[8*i + v], 0) } }      yes
 *     for i = 0..8 { %y[i] = add(%x[i], %x[7 - i]) }                              no
 *
 * Yes, if each place of the output is stored to by one iteration of one statement, and each load of
 * the input reads the very place that a store behind it in the same block (or it itself) writes.
 * Then nobody ever reads a place after its store, in any order of iterations and on any number of
 * members. What cannot be shown so is refused.
 *
 * That two iterations store to different places is shown as for digits of a number: with the
 * variables sorted by how far one step moves the offset, each step has to be longer than all the
 * shorter ones together can reach. Two stores share the loops around both; what is left of their
 * offsets must be ranges apart, and the reach of both together counts as the shortest digit. */
#include <stdlib.h>

#include "passes/plan.h"

enum { DEPTH_LIMIT = 24, SITE_LIMIT = 64 };

typedef struct Site { /* a store to the output, with the loops around it, outermost first */
    const Stmt *store;
    const Stmt *loops[DEPTH_LIMIT];
    int depth;
} Site;

typedef struct Search {
    const Buffer *input, *output;
    const Stmt *loops[DEPTH_LIMIT];
    int depth;
    Site *sites;
    int site_count;
} Search;

/* Do all loads of `buffer` in `expr` read at `offset`? With offset NULL: are there none? */
static bool loads_only_at(const Expr *expr, const Buffer *buffer, const Affine *offset)
{
    if (expr->kind == EXPR_LOAD && expr->buffer == buffer &&
        (!offset || expr->dynamic || !affine_equal(expr->offset, *offset)))
        return false;
    if (expr->dynamic && !loads_only_at(expr->dynamic, buffer, offset))
        return false;
    for (int i = 0; i < expr->in_count; i++)
        if (!loads_only_at(expr->in[i], buffer, offset))
            return false;
    return true;
}

static bool statement_loads_only_at(const Stmt *stmt, const Buffer *buffer, const Affine *offset)
{
    return (!stmt->value || loads_only_at(stmt->value, buffer, offset)) &&
           (!stmt->dynamic || loads_only_at(stmt->dynamic, buffer, offset));
}

/* All loads of one statement go to one place, stored to by it or by a later one of its block. */
static bool loads_before_store(const Search *search, const Stmt *stmt)
{
    if (statement_loads_only_at(stmt, search->input, NULL))
        return true;
    for (const Stmt *later = stmt; later; later = later->next)
        if (later->kind == STMT_STORE && later->buffer == search->output &&
            statement_loads_only_at(stmt, search->input, &later->offset))
            return true;
    return false;
}

static bool add_site(Search *search, const Stmt *store)
{
    if (search->site_count == SITE_LIMIT || store->dynamic)
        return false;
    Site *site = &search->sites[search->site_count++];
    site->store = store;
    site->depth = search->depth;
    for (int i = 0; i < search->depth; i++)
        site->loops[i] = search->loops[i];
    return true;
}

static bool search_block(Search *search, const Stmt *body)
{
    for (const Stmt *stmt = body; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_LOOP) {
            if (search->depth == DEPTH_LIMIT)
                return false;
            search->loops[search->depth++] = stmt;
            if (!search_block(search, stmt->body))
                return false;
            search->depth--;
        } else if (!loads_before_store(search, stmt)) {
            return false;
        } else if (stmt->kind == STMT_STORE && stmt->buffer == search->output &&
                   !add_site(search, stmt)) {
            return false;
        }
    }
    return true;
}

typedef struct Digit { /* how far one step of a loop moves an offset, and all of them */
    int64_t step, reach;
} Digit;

static Digit loop_digit(const Stmt *loop, Affine offset)
{
    int64_t step = llabs(affine_factor(offset, loop->var)) * loop->step;
    int64_t steps = loop->end > loop->begin ? (loop->end - loop->begin - 1) / loop->step : 0;
    return (Digit){.step = step, .reach = step * steps};
}

static int compare_step(const void *left, const void *right)
{
    const Digit *a = left, *b = right;
    return a->step < b->step ? -1 : a->step > b->step;
}

/* Do different values of these loops always give different offsets, `reach` being that of all that
 * moves it besides? */
static bool loops_apart(const Stmt *const *loops, int count, Affine offset, int64_t reach)
{
    Digit digits[DEPTH_LIMIT];
    int digit_count = 0;
    for (int i = 0; i < count; i++)
        if (loops[i]->end > loops[i]->begin + loops[i]->step)
            digits[digit_count++] = loop_digit(loops[i], offset);
    qsort(digits, (size_t)digit_count, sizeof *digits, compare_step);
    for (int i = 0; i < digit_count; i++) {
        if (digits[i].step <= reach)
            return false;
        reach += digits[i].reach;
    }
    return true;
}

/* Least and greatest offset with the first `shared` loops at 0. */
static void rest_range(const Site *site, int shared, int64_t *least, int64_t *greatest)
{
    *least = *greatest = site->store->offset.constant;
    for (int i = shared; i < site->depth; i++) {
        const Stmt *loop = site->loops[i];
        int64_t factor = affine_factor(site->store->offset, loop->var);
        int64_t start = factor * loop->begin;
        int64_t reach = loop_digit(loop, site->store->offset).reach;
        *least += factor < 0 ? start - reach : start;
        *greatest += factor < 0 ? start : start + reach;
    }
}

static bool sites_apart(const Site *a, const Site *b)
{
    int shared = 0;
    while (shared < a->depth && shared < b->depth && a->loops[shared] == b->loops[shared])
        shared++;
    for (int i = 0; i < shared; i++)
        if (affine_factor(a->store->offset, a->loops[i]->var) !=
            affine_factor(b->store->offset, a->loops[i]->var))
            return false;
    int64_t least, greatest, other_least, other_greatest;
    rest_range(a, shared, &least, &greatest);
    rest_range(b, shared, &other_least, &other_greatest);
    if (least <= other_greatest && other_least <= greatest)
        return false;
    int64_t low = least < other_least ? least : other_least;
    int64_t high = greatest > other_greatest ? greatest : other_greatest;
    return loops_apart(a->loops, shared, a->store->offset, high - low);
}

bool plan_in_place(const Kernel *kernel, int input, int output)
{
    Site sites[SITE_LIMIT];
    Search search = {
        .input = kernel->arguments[input], .output = kernel->arguments[output], .sites = sites};
    if (!kernel->may_alias || search.input->written || search.output->read ||
        search.input->element != search.output->element || !search_block(&search, kernel->body))
        return false;
    for (int i = 0; i < search.site_count; i++) {
        if (!loops_apart(sites[i].loops, sites[i].depth, sites[i].store->offset, 0))
            return false;
        for (int j = 0; j < i; j++)
            if (!sites_apart(&sites[j], &sites[i]))
                return false;
    }
    return true;
}
