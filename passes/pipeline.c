/* The passes of the tensor level in their order: a table, and what runs it. Those of the loop level
 * are in passes/schedule_kernel.c.
 *
 * Rows of one group are repeated in turn until none of them changes anything, GROUP_LIMIT times at
 * most. Gradients and the optimizer are in the program already: they are built on the composites,
 * before this.
 *
 * Rows that undo each other's work would never be done; in debug builds that is a bug like any
 * other.
 *
 * In debug builds the program is verified after each pass that changed something, and printed,
 * parsed and printed again, which must give the same text. A pass that fails that is a bug, and is
 * named. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "passes/passes.h"

enum { GROUP_LIMIT = 50 };

typedef enum When { ALWAYS, CONSTANT_STATES } When;

typedef struct Row {
    const char *name;
    int group;
    When when;
    PassFunction *run;
    const char *why;
} Row;

// clang-format off
static const Row rows[] = {
    {"freeze",     1, CONSTANT_STATES, pass_freeze,     "first, so that what depends on weights alone is folded"},

    {"simplify",   2, ALWAYS,          pass_simplify,   "while softmax, losses and the like still have names"},
    {"fold",       2, ALWAYS,          pass_fold,       "after simplify has moved constants together"},
    {"cse",        2, ALWAYS,          pass_cse,        "forward and backward pass compute much twice"},
    {"dce",        2, ALWAYS,          pass_dce,        "gradients nobody asked for; fewer readers, more rules apply"},
    {"prune",      2, ALWAYS,          pass_prune,      "after dce: a scan's result counts as needed while anybody reads it"},
    {"hoist",      2, ALWAYS,          pass_hoist,      "after prune: what is not needed need not be taken out of loops"},

    {"expand",     3, ALWAYS,          pass_expand,     "after differentiation; before fusion, which sees primitives only"},
    {"separate",   3, ALWAYS,          pass_separate,   "before layout, which counts what windows read"},

    {"layout",     4, ALWAYS,          pass_layout,     "once all is primitive; what it leaves is for the passes below"},

    {"fold_scale", 5, ALWAYS,          pass_fold_scale, "needs constants second and broadcasts off: after simplify"},
    {"simplify",   5, ALWAYS,          pass_simplify,   "again: broadcasts and sums that expand has made"},
    {"fold",       5, ALWAYS,          pass_fold,       "again: the weights that fold_scale has scaled"},
    {"cse",        5, ALWAYS,          pass_cse,        "again: a loss and its gradient share maximum, exponentials, sum"},
    {"prune",      5, ALWAYS,          pass_prune,      "again: constants that fold has made in front of loops"},
    {"hoist",      5, ALWAYS,          pass_hoist,      "again: sums that expand has made in loops"},
    {"dce",        5, ALWAYS,          pass_dce,        "again: nothing dead may reach fusion"},

    {"derive",     6, ALWAYS,          pass_derive,     "last: what weights alone decide is all together now"},
};
// clang-format on

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };
_Static_assert((int)ROW_COUNT <= (int)PASS_NAME_LIMIT, "pipeline_names() has room");

typedef struct Run {
    Program *program;
    const PipelineOptions *options;
    double seconds[ROW_COUNT];
    int times[ROW_COUNT], changes[ROW_COUNT];
} Run;

PassFunction *pipeline_find(const char *name)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].run;
    return NULL;
}

bool pass_run(PassFunction *pass, Function *f)
{
    bool changed = false;
    for (int i = 0; i < f->node_count; i++)
        if (op_is(f->nodes[i]->op, REPEATS))
            changed = pass_run(pass, f->nodes[i]->attr.body) || changed;
    return pass(f) || changed;
}

int pipeline_names(const char **names)
{
    for (int i = 0; i < ROW_COUNT; i++)
        names[i] = rows[i].name;
    return ROW_COUNT;
}

#ifndef NDEBUG
/* Bytes of all constants: a program of many is verified, but its text is too long to go through
 * each time. */
static int64_t constant_bytes(const Program *program)
{
    int64_t bytes = 0;
    for (int i = 0; i < program->function_count; i++)
        for (int j = 0; j < program->functions[i]->node_count; j++)
            if (program->functions[i]->nodes[j]->op == OP_constant)
                bytes += type_bytes(&program->functions[i]->nodes[j]->type);
    for (int i = 0; i < program->state_count; i++)
        if (program->states[i]->value)
            bytes += type_bytes(&program->states[i]->type);
    return bytes;
}

static _Noreturn void broken(const char *pass, const Diag *diag, const char *text, const char *what)
{
    diag_print(diag, stderr);
    fputs(text, stderr);
    INGOT_BUG("after the pass %s %s", pass, what);
}

static void check_program(const Program *program, const char *pass)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Text text = text_create(arena), again = text_create(arena);
    bool small = constant_bytes(program) <= 1 << 20;
    bool valid = graph_verify(program, diag);
    if (!valid || small)
        graph_print(program, &text);
    if (!valid)
        broken(pass, diag, text.data, "the program is not valid");
    if (small) {
        Program *parsed = graph_parse(arena, diag, pass, text.data);
        if (!parsed)
            broken(pass, diag, text.data, "the printed program does not parse");
        graph_print(parsed, &again);
        if (strcmp(text.data, again.data) != 0)
            broken(pass, diag, again.data, "printing, parsing and printing give another text");
    }
    arena_destroy(arena);
}
#else
static void check_program(const Program *program, const char *pass)
{
    (void)program, (void)pass;
}
#endif

static void report_unsettled(const Row *first)
{
#ifndef NDEBUG
    INGOT_BUG("the passes from %s on still change something after %d rounds", first->name,
              GROUP_LIMIT);
#else
    (void)first;
#endif
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool is_named(const char *option, const Row *row)
{
    return option && strcmp(option, row->name) == 0;
}

static void print_program(const Program *program, const char *pass)
{
    Arena *arena = arena_create();
    Text text = text_create(arena);
    graph_print(program, &text);
    fprintf(stderr, "// after %s\n%s", pass, text.data);
    arena_destroy(arena);
}

static bool run_row(Run *run, const Row *row)
{
    int number = (int)(row - rows);
    double start = seconds_now();
    bool changed = false;
    for (int i = 0; i < run->program->function_count; i++)
        changed = pass_run(row->run, run->program->functions[i]) || changed;
    run->seconds[number] += seconds_now() - start;
    run->changes[number] += changed;
    if (changed)
        check_program(run->program, row->name);
    if (is_named(run->options->print_after, row) && (changed || run->times[number] == 0))
        print_program(run->program, row->name);
    run->times[number]++;
    return changed;
}

/* Rows [first, end) once; false when the run is to stop here. */
static bool run_round(Run *run, int first, int end, bool *changed)
{
    for (int i = first; i < end; i++) {
        if (rows[i].when == CONSTANT_STATES && !run->options->constant_states)
            continue;
        *changed = run_row(run, &rows[i]) || *changed;
        if (is_named(run->options->stop_after, &rows[i]))
            return false;
    }
    return true;
}

static void run_groups(Run *run)
{
    for (int first = 0, end; first < ROW_COUNT; first = end) {
        for (end = first + 1; end < ROW_COUNT && rows[end].group == rows[first].group;)
            end++;
        bool changed = true;
        for (int round = 0; changed && round < GROUP_LIMIT; round++) {
            changed = false;
            if (!run_round(run, first, end, &changed))
                return;
        }
        if (changed)
            report_unsettled(&rows[first]);
    }
}

static void print_times(const Run *run)
{
    fprintf(stderr, "%-12s %5s %8s %10s\n", "pass", "runs", "changed", "ms");
    for (int i = 0; i < ROW_COUNT; i++)
        if (run->times[i])
            fprintf(stderr, "%-12s %5d %8d %10.3f\n", rows[i].name, run->times[i], run->changes[i],
                    1e3 * run->seconds[i]);
}

bool pipeline_run(Program *program, const PipelineOptions *options)
{
    static const PipelineOptions none;
    Run run = {.program = program, .options = options ? options : &none};
    if (!graph_verify(program, program->diag))
        return false;
    run_groups(&run);
    if (run.options->constant_states)
        freeze_drop_states(program);
    if (run.options->time_passes)
        print_times(&run);
    return diag_ok(program->diag);
}
