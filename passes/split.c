/* A long reduction with few results is split, so that more than one thread can work on it.
 *
 *     for j = 0..6 { local %acc; %acc[0] = 0; for r = 0..36864 { %acc[0] += %x[6*r + j] }; %y[j] =
 * %acc[0] }
 *
 * becomes partial results, an axis of their own outermost,
 *
 *     for p = 0..16 { for j = 0..6 { … for r = 0..2304 { %acc[0] += %x[13824*p + 6*r + j] };
 * %partial[6*p + j] = %acc[0] } }
 *
 * and a second kernel that adds them up and does the rest:
 *
 *     for j = 0..6 { … for p = 0..16 { %acc[0] += %partial[6*p + j] }; %y[j] = %acc[0] }
 *
 * A long sum with more results is split too when what it reads does not stay in the cache: every
 * block of results would stream all of it from memory; part by part, it is read once.
 *
 * Where there are so few results side by side that they fill no vectors, some rounds of the
 * innermost sum that lie side by side with them are kept apart, too: here 32 rounds of 6,
 *
 *     for p = 0..16 { for keep = 0..32 { for j = 0..6 { … for r = 0..72 { %acc[0] += %x[13824*p +
 * 192*r + 6*keep + j] }; %partial[192*p + 6*keep + j] = %acc[0] } } }
 *
 * How often to split follows from the shape alone, so the sum has one order at any number of
 * threads. Both kernels are of the plain form, and go on to be tiled and vectorised like any other.
 */
#include "passes/rewrite.h"
#include "passes/schedule_kernel.h"

/* BLOCK_BYTES: what a block of 6 × 16 results reads for one step of the sum */
enum {
    OUTER_LIMIT = 16,
    PARTS = 16,
    MOST_PARTS = 64,
    FEW_RESULTS = 1024,
    MUCH_WORK = 1 << 17,
    BLOCK_BYTES = 88
};

typedef struct Nest { /* for outer { local; acc = first; for reduced … { acc (mode)= term };
                         epilogue } */
    const Stmt *outer[OUTER_LIMIT];
    int outer_count;
    const Stmt *local, *first, *reduced, *inner, *store,
        *epilogue; /* inner: of the reduced loops */
    int64_t results, depth;
    int64_t parts, kept; /* kept: rounds of the inner loop; 1: none */
    const Var *part, *keep;
} Nest;

static bool match(Nest *nest, const Stmt *s)
{
    nest->results = nest->depth = 1;
    for (; s && !s->next && is_plain_loop(s) && nest->outer_count < OUTER_LIMIT; s = s->body) {
        nest->outer[nest->outer_count++] = s;
        nest->results *= s->end;
    }
    if (!s || s->kind != STMT_LOCAL || !s->next || s->next->kind != STMT_STORE || !s->next->next)
        return false;
    nest->local = s;
    nest->first = s->next;
    nest->reduced = s->next->next;
    nest->epilogue = nest->reduced->next;
    if (!is_plain_loop(nest->reduced) || nest->first->value->kind != EXPR_NUMBER)
        return false;
    for (s = nest->reduced; s->kind == STMT_LOOP; s = s->body) {
        if (!is_plain_loop(s) || !s->body || s->body->next)
            return false;
        nest->depth *= s->end;
        nest->inner = s;
    }
    nest->store = s;
    return s->kind == STMT_STORE && s->buffer == nest->local->buffer && s->mode != STORE_SET &&
           !s->dynamic;
}

/* The smallest divisor of extent that is at least `wanted`; else the largest that is at most
 * MOST_PARTS. */
static int64_t divisor_near(int64_t extent, int64_t wanted)
{
    int64_t largest = 1;
    for (int64_t parts = 1; parts <= MOST_PARTS && parts <= extent; parts++) {
        if (extent % parts != 0)
            continue;
        largest = parts;
        if (parts >= wanted)
            break;
    }
    return largest;
}

typedef struct Footprint {
    const Nest *nest;
    int64_t bytes;
} Footprint;

/* Bytes that all iterations together read by this load. */
static void add_footprint(void *argument, const Expr *load)
{
    Footprint *footprint = argument;
    if (load->kind != EXPR_LOAD)
        return;
    int64_t count = 1;
    for (int i = 0; i < footprint->nest->outer_count; i++)
        if (affine_factor(load->offset, footprint->nest->outer[i]->var))
            count *= footprint->nest->outer[i]->end;
    for (const Stmt *s = footprint->nest->reduced; s->kind == STMT_LOOP; s = s->body)
        if (affine_factor(load->offset, s->var))
            count *= s->end;
    count = count < load->buffer->count ? count : load->buffer->count;
    footprint->bytes += count * element_bytes(load->element);
}

/* So many that threads can share them. Where each step of each sum reads something of its own, as
 * in a matrix times a vector, blocks of results are pieces of work already, and no block streams
 * what another does. */
static int64_t few_results_parts(const Nest *nest, const Target *target, int64_t footprint)
{
    enum { VECTORS = 4 }; /* of a block */
    int bytes = element_bytes(nest->local->buffer->element);
    int64_t block = VECTORS * target->vector_bits / 8 / bytes, wanted = PARTS;
    if (footprint >= nest->results * nest->depth * bytes && nest->results > block)
        wanted /= nest->results / block;
    return wanted <= 1 ? 1 : divisor_near(nest->reduced->end, wanted);
}

static int64_t choose_parts(const Nest *nest, const Target *target)
{
    if (nest->results * nest->depth < MUCH_WORK)
        return 1;
    int64_t extent = nest->reduced->end;
    Footprint footprint = {.nest = nest};
    visit_loads(nest->store->value, add_footprint, &footprint);
    if (nest->results <= FEW_RESULTS)
        return few_results_parts(nest, target, footprint.bytes);
    int64_t cache = (int64_t)target->l2_kib * 512; /* half of it */
    if (nest->depth * BLOCK_BYTES <= cache)
        return 1; /* what one block reads is still there for the next */
    int64_t parts = divisor_near(extent, (footprint.bytes + cache - 1) / cache);
    /* partial results are written and read back; all of them together must not outgrow what is
     * saved */
    bool pays = nest->depth > 64 * parts && parts * nest->results <= footprint.bytes / 2;
    return pays ? parts : 1;
}

typedef struct Beside {
    const Var *inner, *result;
    int64_t extent;
    bool any, all;
    bool repeats; /* something is the same in all rounds, but not for all results */
} Beside;

/* Do rounds of the inner loop lie side by side, each of all results, or in the same place? */
static void look_beside(void *argument, const Expr *load)
{
    Beside *beside = argument;
    int64_t step = affine_factor(load->offset, beside->inner);
    bool counts_on = step == beside->extent && affine_factor(load->offset, beside->result) == 1;
    beside->any = beside->any || counts_on;
    beside->all = beside->all && !load->dynamic && (counts_on || step == 0);
    beside->repeats =
        beside->repeats || (step == 0 && affine_factor(load->offset, beside->result) != 0);
}

/* Rounds to keep apart, so that results fill whole vectors: enough of them to hide how long it
 * takes until a sum can be added to again, where no other loop around gives independent sums. */
static int64_t choose_kept(const Nest *nest, const Target *target)
{
    enum { SUMS = 4, MOST_KEPT = 64 };
    if (!nest->outer_count)
        return 1;
    const Stmt *result = nest->outer[nest->outer_count - 1];
    int64_t lanes = target->vector_bits / 8 / element_bytes(nest->local->buffer->element);
    int64_t rounds = nest->inner->end / (nest->inner == nest->reduced ? nest->parts : 1);
    int64_t wanted = lanes * (nest->outer_count == 1 ? SUMS : 1), best = 1;
    Beside beside = {nest->inner->var, result->var, result->end, false, true, false};
    visit_loads(nest->store->value, look_beside, &beside);
    if (!beside.any || !beside.all || result->end >= wanted)
        return 1;
    if (beside.repeats && result->end % lanes == 0) /* they would not become one loop */
        return 1;
    for (int64_t kept = 2; kept <= MOST_KEPT && kept <= rounds; kept++) {
        int64_t size = kept * result->end, least = best * result->end;
        bool fills = size % lanes == 0 || least % lanes != 0;
        if (rounds % kept == 0 && fills &&
            (least < wanted || (size % wanted == 0) > (least % wanted == 0)))
            best = kept;
    }
    return best;
}

/* The kernel's copy of each argument that `list` uses, in their old order. */
static Buffer **copy_arguments(Arena *arena, const Kernel *from, Kernel *to, const bool *used,
                               int *which)
{
    Buffer **buffers = ARENA_ARRAY(arena, Buffer *, from->argument_count + 1);
    for (int a = 0; a < from->argument_count; a++) {
        if (!used[a])
            continue;
        which[to->argument_count] = a;
        const Buffer *old = from->arguments[a];
        const char *name = arena_print(arena, "p%d", to->argument_count);
        buffers[a] = kernel_argument(arena, to, name, old->element, old->count);
        buffers[a]->fixed = old->fixed;
        buffers[a]->shared = old->shared;
    }
    return buffers;
}

/* Row-major place of one partial result: part, loops around, what is kept apart, the last loop. */
static Affine result_place(Arena *arena, const Nest *nest)
{
    Affine place = affine_var(arena, nest->part, 1);
    for (int i = 0; i < nest->outer_count; i++) {
        if (i == nest->outer_count - 1 && nest->kept > 1)
            place = affine_add(arena, affine_scale(arena, place, nest->kept),
                               affine_var(arena, nest->keep, 1));
        place = affine_add(arena, affine_scale(arena, place, nest->outer[i]->end),
                           affine_var(arena, nest->outer[i]->var, 1));
    }
    return place;
}

static Stmt *loop_over(Arena *arena, const Var *var, int64_t extent, Stmt *body)
{
    return stmt_loop(arena, LOOP_SERIAL, var, 0, extent, 1, body);
}

/* The loops around; with `apart`, what is kept apart before the last of them. */
static Stmt *outer_loops(Arena *arena, const Nest *nest, bool apart, Stmt *body)
{
    for (int i = nest->outer_count - 1; i >= 0; i--) {
        body = loop_over(arena, nest->outer[i]->var, nest->outer[i]->end, body);
        if (apart && i == nest->outer_count - 1 && nest->kept > 1)
            body = loop_over(arena, nest->keep, nest->kept, body);
    }
    return body;
}

static Stmt *accumulate(Arena *arena, Buffer *acc, const Stmt *first, Stmt *loops)
{
    Stmt *block = stmt_local(arena, acc);
    stmt_append(block, stmt_store(arena, STORE_SET, acc, affine_number(0), first->value));
    return stmt_append(block, loops);
}

/* The sum of one part, and of each round of the inner loop that is kept apart. */
static Stmt *partial_sum(Arena *arena, const Nest *nest, Replace *replace)
{
    const Var *reduced = nest->reduced->var, *inner = nest->inner->var;
    int64_t length = nest->reduced->end / nest->parts;
    Affine at = affine_var(arena, inner, nest->kept);
    if (nest->kept > 1)
        at = affine_add(arena, at, affine_var(arena, nest->keep, 1));
    Affine part = affine_var(arena, nest->part, length);
    bool same = nest->inner == nest->reduced;
    replace_var(replace, reduced,
                affine_add(arena, part, same ? at : affine_var(arena, reduced, 1)));
    if (!same && nest->kept > 1)
        replace_var(replace, inner, at);
    Stmt *body = rewrite_stmts(arena, nest->reduced->body, replace);
    Stmt *loops = loop_over(arena, reduced, length, body), *last = loops;
    while (last->body->kind == STMT_LOOP)
        last = last->body;
    last->end /= nest->kept;
    return loops;
}

static void make_partial(Arena *arena, const Kernel *kernel, const Nest *nest, Split *split)
{
    Kernel *k = split->partial = ARENA_NEW(arena, Kernel);
    k->name = arena_print(arena, "%s_partial", kernel->name);
    k->next_var = nest->keep->id + 1;
    k->multiply_adds = kernel->multiply_adds;
    k->element_steps = nest->results * nest->depth;
    bool *used = ARENA_ARRAY(arena, bool, kernel->argument_count + 1);
    mark_arguments(nest->store, used);
    split->partial_arguments = ARENA_ARRAY(arena, int, kernel->argument_count + 1);
    Replace replace = {.buffers = copy_arguments(arena, kernel, k, used, split->partial_arguments),
                       .local = nest->local->buffer,
                       .local_by = nest_local(arena, "acc", split->element, 1)};
    split->partial_arguments[k->argument_count] = -1;
    Buffer *out = kernel_argument(arena, k, arena_print(arena, "p%d", k->argument_count),
                                  split->element, split->count);
    out->written = true;
    Stmt *block =
        accumulate(arena, replace.local_by, nest->first, partial_sum(arena, nest, &replace));
    stmt_append(block, stmt_store(arena, STORE_SET, out, result_place(arena, nest),
                                  expr_load(arena, replace.local_by, affine_number(0))));
    k->body = loop_over(arena, nest->part, nest->parts, outer_loops(arena, nest, true, block));
}

static void make_combine(Arena *arena, const Kernel *kernel, const Nest *nest, Split *split)
{
    Kernel *k = split->combine = ARENA_NEW(arena, Kernel);
    k->name = arena_print(arena, "%s_combine", kernel->name);
    k->next_var = nest->keep->id + 1;
    k->element_steps = split->count;
    bool *used = ARENA_ARRAY(arena, bool, kernel->argument_count + 1);
    mark_arguments(nest->epilogue, used);
    split->combine_arguments = ARENA_ARRAY(arena, int, kernel->argument_count + 2);
    Replace replace = {.buffers = copy_arguments(arena, kernel, k, used, split->combine_arguments),
                       .local = nest->local->buffer,
                       .local_by = nest_local(arena, "acc", split->element, 1)};
    split->combine_arguments[k->argument_count] = -1;
    Buffer *in = kernel_argument(arena, k, arena_print(arena, "p%d", k->argument_count),
                                 split->element, split->count);
    Stmt *sum = stmt_store(arena, nest->store->mode, replace.local_by, affine_number(0),
                           expr_load(arena, in, result_place(arena, nest)));
    if (nest->kept > 1)
        sum = loop_over(arena, nest->keep, nest->kept, sum);
    sum = loop_over(arena, nest->part, nest->parts, sum);
    Stmt *block = accumulate(arena, replace.local_by, nest->first, sum);
    stmt_append(block, rewrite_stmts(arena, nest->epilogue, &replace));
    k->body = outer_loops(arena, nest, false, block);
}

bool split_reduction(Arena *arena, const Target *target, const Kernel *kernel, Split *split)
{
    Nest nest = {0};
    if (!kernel->body || !match(&nest, kernel->body))
        return false;
    nest.parts = choose_parts(&nest, target);
    if (nest.parts == 1)
        return false;
    nest.kept = choose_kept(&nest, target);
    Kernel names = {.next_var = kernel->next_var};
    nest.part = kernel_var(arena, &names, "part");
    nest.keep = kernel_var(arena, &names, "keep");
    *split = (Split){.element = nest.local->buffer->element,
                     .count = nest.parts * nest.kept * nest.results};
    make_partial(arena, kernel, &nest, split);
    make_combine(arena, kernel, &nest, split);
    collapse_loops(arena, split->partial);
    collapse_loops(arena, split->combine);
    return true;
}
