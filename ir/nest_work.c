/* Counts the work of a kernel; see nest_work.h.
 *
 *     for i = 0..4 { for k = 0..8 { vector v = 0..16 { %acc[v] += mul(%x[8*i + k], %w[16*k + v]) }
 * } }
 *
 * is 4·8·16 multiply-adds, and reads 32 elements of %x and 128 of %w. The elements that one access
 * meets are those of a number whose digits are the loops around it: a digit of 8 values 1 apart,
 * and one of 4 values 8 apart. Digits that run into each other, as the taps of a convolution do,
 * become one longer digit: 3 taps 1 apart and 6 places 2 apart meet 13 elements 1 apart.
 *
 * Accesses of one argument count together, but none twice that meets the same elements as one
 * before (a block and its remainder both read the other operand), and never more than lie between
 * the first and the last element that any of them meets. */
#include "ir/nest_work.h"

#include <stdlib.h>

#include "base/checked.h"

enum { DIGIT_LIMIT = 24 };

typedef struct Digit { /* `count` values, each `step` elements behind the one before */
    int64_t step, count;
} Digit;

typedef struct Site { /* the elements that one access meets */
    int64_t first, last;
    int digit_count;
    Digit digits[DIGIT_LIMIT]; /* ascending */
} Site;

typedef struct SiteList {
    Site *items;
    int count, capacity;
} SiteList;

typedef struct Around { /* a loop around what is being counted */
    const Stmt *loop;
    const struct Around *outer;
} Around;

typedef struct Counter {
    Arena *arena;
    int64_t multiply_adds;
    SiteList *read, *written; /* by Buffer.index of the arguments */
} Counter;

static int64_t trip_count(const Stmt *loop)
{
    return loop->end > loop->begin ? (loop->end - loop->begin + loop->step - 1) / loop->step : 0;
}

/* ---- the elements of one access ---- */

static int compare_steps(const void *left, const void *right)
{
    const Digit *a = left, *b = right;
    return (a->step > b->step) - (a->step < b->step);
}

/* From the first element to the last, both counted. */
static int64_t extent(const Site *site)
{
    return site->last - site->first + 1;
}

/* Makes one of digits that run into each other. */
static void join_digits(Site *site)
{
    int kept = 0;
    for (int i = 0; i < site->digit_count; i++) {
        Digit next = site->digits[i], *top = kept ? &site->digits[kept - 1] : NULL;
        if (top && next.step % top->step == 0 && next.step / top->step <= top->count)
            top->count += next.step / top->step * (next.count - 1);
        else
            site->digits[kept++] = next;
    }
    site->digit_count = kept;
}

static Site affine_site(Affine offset, const Around *around)
{
    Site site = {.first = offset.constant, .last = offset.constant};
    for (const Around *a = around; a; a = a->outer) {
        int64_t factor = affine_factor(offset, a->loop->var), trips = trip_count(a->loop);
        int64_t reach = factor * a->loop->step * (trips - 1);
        site.first += factor * a->loop->begin + (reach < 0 ? reach : 0);
        site.last += factor * a->loop->begin + (reach > 0 ? reach : 0);
        if (reach && site.digit_count < DIGIT_LIMIT)
            site.digits[site.digit_count++] = (Digit){llabs(factor * a->loop->step), trips};
    }
    qsort(site.digits, (size_t)site.digit_count, sizeof *site.digits, compare_steps);
    join_digits(&site);
    return site;
}

static int64_t site_elements(const Site *site)
{
    int64_t elements = 1;
    for (int i = 0; i < site->digit_count; i++)
        elements = capped_multiply(elements, site->digits[i].count);
    return elements < extent(site) ? elements : extent(site);
}

static bool same_site(const Site *a, const Site *b)
{
    if (a->first != b->first || a->last != b->last || a->digit_count != b->digit_count)
        return false;
    for (int i = 0; i < a->digit_count; i++)
        if (a->digits[i].step != b->digits[i].step || a->digits[i].count != b->digits[i].count)
            return false;
    return true;
}

/* ---- all accesses ---- */

static void add_site(Counter *counter, SiteList *lists, const Buffer *buffer, Affine offset,
                     const Expr *dynamic, const Around *around)
{
    if (buffer->kind != BUFFER_ARGUMENT || buffer->count == 0)
        return;
    SiteList *list = &lists[buffer->index];
    Site site = affine_site(offset, around);
    if (dynamic) { /* anywhere: each iteration may meet an element of its own */
        int64_t all = 1;
        for (const Around *a = around; a; a = a->outer)
            all = capped_multiply(all, trip_count(a->loop));
        site = (Site){.last = buffer->count - 1, .digit_count = 1, .digits = {{1, all}}};
    }
    for (int i = 0; i < list->count; i++)
        if (same_site(&list->items[i], &site))
            return;
    list->items =
        arena_grow(counter->arena, list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = site;
}

static void count_expr(Counter *counter, const Expr *expr, const Around *around)
{
    if (!expr)
        return;
    Around lanes;
    Stmt loop;
    if (expr->kind == EXPR_LANES) { /* its lanes are a loop, too */
        loop = (Stmt){.kind = STMT_LOOP, .var = expr->var, .end = expr->lanes, .step = 1};
        lanes = (Around){&loop, around};
        around = &lanes;
    }
    if (expr->kind == EXPR_LOAD)
        add_site(counter, counter->read, expr->buffer, expr->offset, expr->dynamic, around);
    count_expr(counter, expr->dynamic, around);
    for (int i = 0; i < expr->in_count; i++)
        count_expr(counter, expr->in[i], around);
}

static bool is_multiply_add(const Stmt *store)
{
    return store->mode == STORE_ADD && element_is_float(store->buffer->element) &&
           store->value->kind == EXPR_APPLY && store->value->op == OP_mul;
}

static void count_block(Counter *counter, const Stmt *list, const Around *around, int64_t times)
{
    for (const Stmt *stmt = list; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_LOOP) {
            int64_t trips = trip_count(stmt);
            Around inner = {stmt, around};
            if (trips)
                count_block(counter, stmt->body, &inner, capped_multiply(times, trips));
            continue;
        }
        count_expr(counter, stmt->value, around);
        count_expr(counter, stmt->dynamic, around);
        if (stmt->kind != STMT_STORE)
            continue;
        add_site(counter, counter->written, stmt->buffer, stmt->offset, stmt->dynamic, around);
        if (stmt->mode != STORE_SET)
            add_site(counter, counter->read, stmt->buffer, stmt->offset, stmt->dynamic, around);
        if (is_multiply_add(stmt))
            counter->multiply_adds = capped_add(counter->multiply_adds, times);
    }
}

static int64_t list_bytes(const Kernel *kernel, const SiteList *lists)
{
    int64_t bytes = 0;
    for (int i = 0; i < kernel->argument_count; i++) {
        int64_t elements = 0, first = INT64_MAX, last = -1;
        for (int j = 0; j < lists[i].count; j++) {
            const Site *site = &lists[i].items[j];
            elements = capped_add(elements, site_elements(site));
            first = site->first < first ? site->first : first;
            last = site->last > last ? site->last : last;
        }
        if (lists[i].count && elements > last - first + 1)
            elements = last - first + 1;
        int64_t size = element_bytes(kernel->arguments[i]->element);
        bytes = capped_add(bytes, capped_multiply(elements, size));
    }
    return bytes;
}

KernelWork kernel_work(Arena *arena, const Kernel *kernel)
{
    Counter counter = {.arena = arena,
                       .read = ARENA_ARRAY(arena, SiteList, kernel->argument_count + 1),
                       .written = ARENA_ARRAY(arena, SiteList, kernel->argument_count + 1)};
    count_block(&counter, kernel->body, NULL, 1);
    return (KernelWork){counter.multiply_adds, list_bytes(kernel, counter.read),
                        list_bytes(kernel, counter.written)};
}
