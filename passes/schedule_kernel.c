/* The passes of the loop level in their order: a table, and what runs it.
 *
 * Each kernel goes through all of them as soon as it has been lowered. It may become several on the
 * way: `split` makes two of one, `tile` puts kernels that pack an operand before the one that reads
 * it. In debug builds every piece is verified after every pass. */
#include "passes/schedule_kernel.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ir/nest_text.h"
#include "passes/rewrite.h"

typedef void PiecesPass(Pieces *pieces);

static PiecesPass run_collapse, run_split, run_widen, run_tile, run_vectorize, run_share;

typedef struct Row {
    const char *name;
    PiecesPass *run; /* NULL: not done kernel by kernel, but in lower.c and plan.c */
    const char *why;
} Row;

// clang-format off
static const Row rows[] = {
    {"lower",     NULL,          "the plainest loops there are, one for each axis: all others start from these"},
    {"collapse",  run_collapse,  "before whatever counts iterations: fewer and longer loops leave fewer remainders"},
    {"split",     run_split,     "before tile: both halves are then tiled and vectorised like any kernel"},
    {"widen",     run_widen,     "before tile, which finds longer rows of outputs then"},
    {"tile",      run_tile,      "before vectorize, which would put the same loops into lanes with no block of registers"},
    {"vectorize", run_vectorize, "what tile left plain, and the kernels that pack for it"},
    {"share",     run_share,     "last of the loops: who runs them changes nothing inside them"},
    {"plan",      NULL,          "when all kernels are final: which calls there are decides memory and barriers"},
};
// clang-format on

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };
_Static_assert((int)ROW_COUNT <= (int)NEST_PASS_LIMIT, "NestRun has room for every pass");

static int find_row(const char *name)
{
    for (int i = 0; name && i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return i;
    return -1;
}

bool nest_pass_exists(const char *name)
{
    return find_row(name) >= 0;
}

int nest_pass_names(const char **names)
{
    for (int i = 0; i < ROW_COUNT; i++)
        names[i] = rows[i].name;
    return ROW_COUNT;
}

/* ---- pieces ---- */

static void insert_piece(Pieces *pieces, int place, Piece piece)
{
    pieces->list = arena_grow(pieces->arena, pieces->list, pieces->count, &pieces->capacity,
                              sizeof *pieces->list);
    memmove(pieces->list + place + 1, pieces->list + place,
            (size_t)(pieces->count - place) * sizeof *pieces->list);
    pieces->list[place] = piece;
    pieces->count++;
}

static int add_between(Pieces *pieces, ElementType element, int64_t count)
{
    pieces->between = arena_grow(pieces->arena, pieces->between, pieces->between_count,
                                 &pieces->between_capacity, sizeof *pieces->between);
    pieces->between[pieces->between_count] = (Between){element, count};
    return pieces->between_count++;
}

Pieces pieces_create(Arena *arena, const Target *target, Kernel *kernel)
{
    Pieces pieces = {.arena = arena, .target = target};
    int *arguments = ARENA_ARRAY(arena, int, kernel->argument_count + 1);
    for (int a = 0; a < kernel->argument_count; a++)
        arguments[a] = a;
    insert_piece(&pieces, 0, (Piece){.kernel = kernel, .arguments = arguments, .packs = -1});
    return pieces;
}

static void run_collapse(Pieces *pieces)
{
    for (int i = 0; i < pieces->count; i++)
        collapse_loops(pieces->arena, pieces->list[i].kernel);
}

/* What `which` says of a half: arguments of the old kernel, or -1 for the partial results. */
static Piece half(Pieces *pieces, const Piece *whole, Kernel *kernel, const int *which, int partial)
{
    int *arguments = ARENA_ARRAY(pieces->arena, int, kernel->argument_count + 1);
    for (int a = 0; a < kernel->argument_count; a++)
        arguments[a] = which[a] < 0 ? -1 - partial : whole->arguments[which[a]];
    return (Piece){.kernel = kernel, .arguments = arguments, .packs = -1};
}

static void run_split(Pieces *pieces)
{
    for (int i = 0; i < pieces->count; i++) {
        Piece whole = pieces->list[i];
        Split split;
        if (!split_reduction(pieces->arena, pieces->target, whole.kernel, &split))
            continue;
        int partial = add_between(pieces, split.element, split.count);
        pieces->list[i] = half(pieces, &whole, split.partial, split.partial_arguments, partial);
        i++;
        insert_piece(pieces, i,
                     half(pieces, &whole, split.combine, split.combine_arguments, partial));
    }
}

/* Puts the kernels that pack before piece `place`, and their copies behind its arguments; returns
 * where the piece is then. `before`: how many arguments it had. */
static int insert_packings(Pieces *pieces, int place, const Packings *packings, int before)
{
    Piece *piece = &pieces->list[place];
    int *arguments = ARENA_ARRAY(pieces->arena, int, before + packings->count + 1);
    memcpy(arguments, piece->arguments, (size_t)before * sizeof *arguments);
    piece->arguments = arguments;
    for (int p = 0; p < packings->count; p++) {
        const Packing *packing = &packings->list[p];
        ElementType element = packing->kernel->arguments[0]->element;
        int copy = add_between(pieces, element, packing->count);
        int *both = ARENA_ARRAY(pieces->arena, int, 2);
        both[0] = arguments[packing->source];
        both[1] = arguments[before + p] = -1 - copy;
        insert_piece(pieces, place++,
                     (Piece){.kernel = packing->kernel, .arguments = both, .packs = copy});
    }
    return place;
}

/* An operand that is only read packed is no argument any more: nothing has to wait for it or keep
 * it. */
static void drop_unused_arguments(Pieces *pieces, Piece *piece)
{
    Kernel *kernel = piece->kernel;
    bool *used = ARENA_ARRAY(pieces->arena, bool, kernel->argument_count + 1);
    mark_arguments(kernel->body, used);
    int kept = 0;
    for (int a = 0; a < kernel->argument_count; a++) {
        if (!used[a])
            continue;
        Buffer *buffer = kernel->arguments[a];
        buffer->index = kept;
        buffer->name = arena_print(pieces->arena, "p%d", kept);
        piece->arguments[kept] = piece->arguments[a];
        kernel->arguments[kept++] = buffer;
    }
    kernel->argument_count = kept;
}

typedef void PackingPass(Arena *arena, const Target *target, Kernel *kernel, Packings *packings);

static void run_packing(Pieces *pieces, PackingPass *pass)
{
    for (int i = 0; i < pieces->count; i++) {
        Kernel *kernel = pieces->list[i].kernel;
        Packings packings = {0};
        int before = kernel->argument_count;
        pass(pieces->arena, pieces->target, kernel, &packings);
        i = insert_packings(pieces, i, &packings, before);
        if (packings.count)
            drop_unused_arguments(pieces, &pieces->list[i]);
    }
}

static void run_widen(Pieces *pieces)
{
    run_packing(pieces, widen_contractions);
}

static void run_tile(Pieces *pieces)
{
    run_packing(pieces, tile_contractions);
}

static void run_vectorize(Pieces *pieces)
{
    for (int i = 0; i < pieces->count; i++)
        vectorize_loops(pieces->arena, pieces->target, pieces->list[i].kernel);
}

static void run_share(Pieces *pieces)
{
    for (int i = 0; i < pieces->count; i++)
        share_loops(pieces->arena, pieces->list[i].kernel);
}

/* ---- running ---- */

static const char *pieces_text(const Pieces *pieces)
{
    Text text = text_create(pieces->arena);
    for (int i = 0; i < pieces->count; i++)
        kernel_print(pieces->list[i].kernel, &text);
    return text.data;
}

static void check_pieces(const Pieces *pieces, const char *pass)
{
#ifndef NDEBUG
    for (int i = 0; i < pieces->count; i++) {
        Diag *diag = diag_create(pieces->arena);
        if (kernel_verify(pieces->list[i].kernel, diag))
            continue;
        diag_print(diag, stderr);
        fputs(pieces_text(pieces), stderr);
        INGOT_BUG("after the pass %s the kernel @%s is not valid", pass,
                  pieces->list[i].kernel->name);
    }
#else
    (void)pieces, (void)pass;
#endif
}

bool pieces_run_pass(Pieces *pieces, const char *name)
{
    int row = find_row(name);
    if (row < 0 || !rows[row].run)
        return false;
    rows[row].run(pieces);
    return true;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Kernels are printed as they were lowered, and when a pass has changed them. */
static void run_row(Pieces *pieces, NestRun *run, const Row *row)
{
    const char *named = run->options->print_after;
    bool prints = named && strcmp(named, row->name) == 0;
    const char *before = prints && row->run ? pieces_text(pieces) : "";
    double start = seconds_now();
    if (row->run)
        row->run(pieces);
    nest_run_count(run, row->name, seconds_now() - start, 1);
    check_pieces(pieces, row->name);
    const char *after = prints ? pieces_text(pieces) : "";
    if (strcmp(before, after) != 0)
        fprintf(stderr, "// after %s\n%s", row->name, after);
}

Pieces *schedule_kernel(Arena *arena, const Target *target, Kernel *kernel, NestRun *run)
{
    void **known = map_place(&run->pieces, arena, kernel_text(arena, kernel));
    if (*known)
        return *known;
    Pieces *pieces = ARENA_NEW(arena, Pieces);
    *pieces = pieces_create(arena, target, kernel);
    *known = pieces;
    for (int i = 0; i < ROW_COUNT && strcmp(rows[i].name, "plan") != 0; i++)
        if (nest_run_reaches(run, rows[i].name))
            run_row(pieces, run, &rows[i]);
    return pieces;
}

bool nest_run_reaches(const NestRun *run, const char *name)
{
    int stop = find_row(run->options->stop_after);
    return stop < 0 || find_row(name) <= stop;
}

void nest_run_count(NestRun *run, const char *name, double seconds, int times)
{
    int row = find_row(name);
    run->seconds[row] += seconds;
    run->times[row] += times;
}

void nest_run_print_times(const NestRun *run)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (run->times[i])
            fprintf(stderr, "%-12s %5d %8s %10.3f\n", rows[i].name, run->times[i], "",
                    1e3 * run->seconds[i]);
}
