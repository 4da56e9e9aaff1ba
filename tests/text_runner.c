/* Runs text tests: a program or kernels, the passes to run, the text that must come out.
 *
 *     // ---- adding minus nought changes nothing
 *     // run: simplify, dce
 *     fn @f(%x: f32[4]) -> f32[4] {
 *       …
 *     }
 *     // expect:
 *     fn @f(%x: f32[4]) -> f32[4] {
 *       return %x
 *     }
 *
 * In the place of `// expect:` there may be `// error:` with the messages, one a line. An input
 * that does not begin with `program` is the inside of one, and so is then what comes out. Steps are
 * separated by commas, their arguments by blanks: the passes of passes/pipeline.c by name, and
 * those of the table below. With no step the text is parsed and printed. The last step may be
 *
 *     fuse             what comes out is the groups of nodes
 *     lower [PASS]     kernels and calls, after that pass of the loop level; "lower" when not said
 *
 * An input that begins with `kernel` goes through passes of the loop level, which are named in
 * passes/schedule_kernel.c; what comes out is the kernels it has become. A line `// target: CPU`
 * behind the `// run:` line chooses the processor; x86-64-v3 otherwise.
 *
 * Whatever comes out must print, parse and print to the same text, and where the steps keep the
 * meaning, compute what the input computes: that is tried on random numbers. Of a file of Markdown
 * the fenced blocks that begin with `// ----` are read; one without steps and expectation must come
 * out as it is.
 *
 *     text_runner [--update] FILE...      --update writes what comes out into the files as what is
 * expected */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "tests/support/agree.h"
#include "tests/support/text_nest.h"

enum { CASE_LIMIT = 512, WORD_LIMIT = 16 };

typedef struct Case {
    const char *title, *run, *input, *expected;
    const char *target; /* NULL: not said */
    bool expects_error;
    bool kernels; /* the input is kernels */
    bool whole;   /* the input is a program, not the inside of one */
} Case;

typedef struct File {
    const char *path, *preamble; /* what stands before the first case */
    Case cases[CASE_LIMIT];
    int count;
} File;

typedef struct Words {
    char *list[WORD_LIMIT]; /* the first is the step's name */
    int count;
} Words;

/* Steps that are no plain pass; each returns false when it has reported errors. */

/* gradient: of result 0 of each function for every parameter that is not frozen, added as results
 * "d.NAME" */
static bool step_gradient(Program *program, Words *words)
{
    (void)words;
    State **states = ARENA_ARRAY(program->arena, State *, program->state_count);
    Node **gradients = ARENA_ARRAY(program->arena, Node *, program->state_count);
    int count = 0;
    for (int i = 0; i < program->state_count; i++)
        if (program->states[i]->parameter && !program->states[i]->frozen)
            states[count++] = program->states[i];
    for (int i = 0; i < program->function_count; i++) {
        Function *f = program->functions[i];
        if (!gradient_build(f, f->results[0].node, count, states, gradients))
            return false;
        for (int j = 0; j < count; j++)
            if (gradients[j])
                function_add_result(f, arena_print(program->arena, "d.%s", states[j]->name),
                                    gradients[j]);
        function_clean(f);
    }
    return true;
}

static bool set_number(OptimizerRecipe *recipe, const char *key, double value)
{
    static const struct {
        const char *key;
        size_t offset;
    } keys[] = {
        {"learning_rate", offsetof(OptimizerRecipe, learning_rate)},
        {"momentum", offsetof(OptimizerRecipe, momentum)},
        {"beta1", offsetof(OptimizerRecipe, beta1)},
        {"beta2", offsetof(OptimizerRecipe, beta2)},
        {"epsilon", offsetof(OptimizerRecipe, epsilon)},
        {"warmup_steps", offsetof(OptimizerRecipe, warmup_steps)},
        {"schedule_steps", offsetof(OptimizerRecipe, schedule_steps)},
        {"final_factor", offsetof(OptimizerRecipe, final_factor)},
        {"clip_norm", offsetof(OptimizerRecipe, clip_norm)},
        {"clip_value", offsetof(OptimizerRecipe, clip_value)},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i].key, key) != 0)
            continue;
        memcpy((char *)recipe + keys[i].offset, &value, sizeof value);
        return true;
    }
    return false;
}

static int choice(const char *word, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(word, names[i]) == 0)
            return i;
    return -1;
}

/* "PATTERN:VALUE" */
static PatternValue read_pattern(Arena *arena, const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return (PatternValue){.pattern = text};
    char *pattern = arena_copy_bytes(arena, text, (size_t)(colon - text));
    return (PatternValue){.pattern = pattern, .value = strtod(colon + 1, NULL)};
}

static bool set_recipe(Arena *arena, OptimizerRecipe *recipe, char *word)
{
    static const char *const kinds[] = {"sgd", "adam", "adamw", "rmsprop"};
    static const char *const schedules[] = {"constant", "cosine", "linear", "step"};
    int kind = choice(word, kinds, 4), schedule = choice(word, schedules, 4);
    char *value = strchr(word, '=');
    if (kind >= 0)
        recipe->kind = (OptimizerKind)kind;
    else if (schedule >= 0)
        recipe->schedule = (ScheduleKind)schedule;
    else if (strcmp(word, "nesterov") == 0)
        recipe->nesterov = true;
    else if (!value)
        return false;
    if (!value)
        return true;
    *value++ = '\0';
    if (strcmp(word, "weight_decay") == 0)
        recipe->weight_decay[recipe->weight_decay_count++] = read_pattern(arena, value);
    else if (strcmp(word, "l1") == 0)
        recipe->l1[recipe->l1_count++] = read_pattern(arena, value);
    else
        return set_number(recipe, word, strtod(value, NULL));
    return true;
}

/* optimizer KIND [SCHEDULE] [nesterov] [KEY=NUMBER]… [weight_decay=PATTERN:NUMBER]…
 * [l1=PATTERN:NUMBER]… */
static bool step_optimizer(Program *program, Words *words)
{
    OptimizerRecipe recipe = {.learning_rate = 0.5, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8};
    recipe.weight_decay = ARENA_ARRAY(program->arena, PatternValue, WORD_LIMIT);
    recipe.l1 = ARENA_ARRAY(program->arena, PatternValue, WORD_LIMIT);
    for (int i = 1; i < words->count; i++)
        if (!set_recipe(program->arena, &recipe, words->list[i]))
            return diag_error(program->diag, "run", "optimizer: what is \"%s\"?", words->list[i]);
    bool ok = optimizer_build(program, &recipe);
    for (int i = 0; ok && i < program->function_count; i++)
        function_clean(program->functions[i]);
    return ok;
}

/* pipeline [constant_states] */
static bool step_pipeline(Program *program, Words *words)
{
    PipelineOptions options = {.constant_states = words->count > 1};
    return pipeline_run(program, &options);
}

static const struct {
    const char *name;
    bool (*run)(Program *program, Words *words);
    bool keeps_meaning; /* what comes out computes what went in computed */
} steps[] = {
    {"gradient", step_gradient, false},
    {"optimizer", step_optimizer, false},
    {"pipeline", step_pipeline, true},
};

/* What may be asked of the result */
typedef struct Claim {
    bool same_meaning;
    Agreement agreement;
} Claim;

/* Exact passes are true of every float; the others round elsewhere. */
static bool is_exact(const char *pass)
{
    static const char *const list[] = {"simplify", "fold", "cse", "dce", "prune", "freeze"};
    return choice(pass, list, 6) >= 0;
}

static bool run_step(Program *program, char *text, Claim *claim)
{
    Words words = {.count = 0};
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word && words.count < WORD_LIMIT;
         word = strtok_r(NULL, " ", &rest))
        words.list[words.count++] = word;
    if (words.count == 0)
        return true;
    if (!is_exact(words.list[0]))
        claim->agreement = AGREE_CLOSELY;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (strcmp(steps[i].name, words.list[0]) != 0)
            continue;
        claim->same_meaning = claim->same_meaning && steps[i].keeps_meaning;
        return steps[i].run(program, &words);
    }
    PassFunction *pass = pipeline_find(words.list[0]);
    if (!pass)
        return diag_error(program->diag, "run", "there is no pass \"%s\"", words.list[0]);
    for (int i = 0; i < program->function_count; i++)
        pass_run(pass, program->functions[i]);
    return true;
}

/* Takes the wrapper off: the first line, the last, and two blanks from all between. */
static const char *inside_of(Arena *arena, const char *program)
{
    Text text = text_create(arena);
    const char *line = strchr(program, '\n') + 1;
    for (const char *end; (end = strchr(line, '\n')) && strcmp(line, "}\n") != 0; line = end + 1) {
        const char *start = strncmp(line, "  ", 2) == 0 ? line + 2 : line;
        text_add_bytes(&text, start, (size_t)(end - start) + 1);
    }
    return text.data;
}

static const char *errors_of(Arena *arena, const Diag *diag)
{
    Text text = text_create(arena);
    for (int i = 0; i < diag->error_count && i < DIAG_LIMIT; i++)
        text_print(&text, "%s\n", diag->messages[i]);
    return text.data;
}

/* Prints, and checks that the print means the same. */
static const char *print_checked(Arena *arena, Diag *diag, const Program *program)
{
    Text text = text_create(arena), again = text_create(arena);
    graph_print(program, &text);
    if (!graph_verify(program, diag))
        return text.data;
    Program *parsed = graph_parse(arena, diag, "output", text.data);
    if (!parsed)
        return text.data;
    graph_print(parsed, &again);
    if (strcmp(text.data, again.data) != 0)
        diag_error(diag, "output", "printing, parsing and printing gave another text");
    return text.data;
}

/* The last step, when it makes something that is no graph; NULL when it does not, or has failed. */
static const char *run_last(Diag *diag, const Case *c, Program *program, const char *step)
{
    Target target;
    if (strncmp(step, "lower", 5) != 0)
        return strcmp(step, "fuse") == 0 ? text_fuse(diag->arena, program) : NULL;
    if (!text_target(diag, c->target, &target))
        return NULL;
    return text_lower(diag->arena, diag, &target, program, step[5] ? step + 6 : "lower");
}

static bool is_last(const char *step)
{
    return strcmp(step, "fuse") == 0 || strcmp(step, "lower") == 0 ||
           strncmp(step, "lower ", 6) == 0;
}

/* A graph through its steps; NULL when diag has got an error. */
static const char *run_graph(Arena *arena, Diag *diag, const Case *c)
{
    const char *input = c->whole ? c->input : arena_print(arena, "program @test { %s}\n", c->input);
    Program *program = graph_parse(arena, diag, "input", input);
    Program *before = program ? graph_parse(arena, diag, "input", input) : NULL;
    if (!before)
        return NULL;
    Claim claim = {.same_meaning = true, .agreement = AGREE_STRICTLY};
    char *rest = NULL, *run = arena_copy_text(arena, c->run);
    for (char *step = strtok_r(run, ",", &rest); step; step = strtok_r(NULL, ",", &rest)) {
        step += strspn(step, " ");
        if (is_last(step))
            return run_last(diag, c, program, step);
        if (!run_step(program, step, &claim))
            return NULL;
    }
    const char *output = print_checked(arena, diag, program);
    if (claim.same_meaning)
        programs_agree(diag, before, program, claim.agreement);
    return c->whole || !diag_ok(diag) ? output : inside_of(arena, output);
}

/* What comes out of a case: a text, or the errors; *failed says which. */
static const char *run_case(Arena *arena, const Case *c, bool *failed)
{
    Diag *diag = diag_create(arena);
    Target target;
    const char *output = NULL;
    if (!c->kernels)
        output = run_graph(arena, diag, c);
    else if (text_target(diag, c->target, &target))
        output = text_run_kernels(arena, diag, &target, c->input, c->run);
    *failed = !diag_ok(diag);
    return *failed ? errors_of(arena, diag) : output;
}

/* Files */

static bool starts(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

/* The lines from *line up to the next that begins with `first`, `second` or a new case, blank lines
 * at the end left out */
static const char *take_until(Arena *arena, const char **line, const char *first,
                              const char *second)
{
    const char *start = *line, *end = *line;
    for (; **line && !starts(*line, first) && !starts(*line, second) && !starts(*line, "// ----");
         *line = next_line(*line))
        if (**line != '\n')
            end = next_line(*line);
    return arena_copy_bytes(arena, start, (size_t)(end - start));
}

/* The rest of a line after `prefix`, trimmed */
static const char *take_rest(Arena *arena, const char **line, const char *prefix)
{
    const char *start = *line + strlen(prefix);
    *line = next_line(*line);
    size_t length = (size_t)(*line - start);
    while (length && (start[length - 1] == '\n' || start[length - 1] == ' '))
        length--;
    while (length && *start == ' ')
        start++, length--;
    return arena_copy_bytes(arena, start, length);
}

static bool is_markdown(const char *path)
{
    size_t length = strlen(path);
    return length > 3 && strcmp(path + length - 3, ".md") == 0;
}

static bool read_case(Arena *arena, Diag *diag, File *file, const char **line)
{
    if (file->count == CASE_LIMIT)
        return diag_error(diag, file->path, "more than %d cases", CASE_LIMIT);
    Case *c = &file->cases[file->count++];
    c->title = take_rest(arena, line, "// ----");
    if (!starts(*line, "// run:"))
        return diag_error(diag, file->path, "\"%s\" has no line \"// run: …\"", c->title);
    c->run = take_rest(arena, line, "// run:");
    if (starts(*line, "// target:"))
        c->target = take_rest(arena, line, "// target:");
    c->input = take_until(arena, line, "// expect:", "// error:");
    c->whole = starts(c->input, "program ");
    c->kernels = starts(c->input, "kernel ");
    bool ends = starts(*line, "// expect:") || starts(*line, "// error:");
    if (!ends && is_markdown(file->path) && !*c->run) {
        c->expected = c->input;
        return true;
    }
    if (!ends)
        return diag_error(diag, file->path, "\"%s\" has no line \"// expect:\" or \"// error:\"",
                          c->title);
    c->expects_error = starts(*line, "// error:");
    *line = next_line(*line);
    c->expected = take_until(arena, line, "// ----", "// ----");
    return true;
}

/* The insides of the fenced blocks that are cases, one after another. */
static const char *fenced_cases(Arena *arena, const char *line)
{
    Text text = text_create(arena);
    for (bool inside = false, taken = false; *line; line = next_line(line)) {
        if (starts(line, "```")) {
            inside = !inside;
            taken = inside && starts(next_line(line), "// ----");
        } else if (inside && taken) {
            text_add_bytes(&text, line, (size_t)(next_line(line) - line));
        }
    }
    return text.data;
}

static bool read_file(Arena *arena, Diag *diag, File *file)
{
    size_t size;
    const char *line = file_read(diag, file->path, &size);
    if (!line)
        return false;
    if (is_markdown(file->path))
        line = fenced_cases(arena, line);
    file->preamble = take_until(arena, &line, "// ----", "// ----");
    while (*line)
        if (!read_case(arena, diag, file, &line))
            return false;
    return true;
}

static void print_case(Text *text, const Case *c, const char *output, bool failed)
{
    text_print(text, "// ---- %s\n// run:%s%s\n", c->title, *c->run ? " " : "", c->run);
    if (c->target)
        text_print(text, "// target: %s\n", c->target);
    text_print(text, "%s// %s:\n%s", c->input, failed ? "error" : "expect", output);
}

/* Both texts, from the first line that differs */
static void print_difference(const File *file, const Case *c, const char *output)
{
    const char *expected = c->expected;
    int line = 1;
    for (; *expected && *output; line++) {
        size_t length = (size_t)(next_line(expected) - expected);
        if (strncmp(expected, output, length) != 0)
            break;
        expected += length;
        output += length;
    }
    printf("FAILED %s: %s\n  expected, from line %d:\n%s  came out:\n%s\n", file->path, c->title,
           line, expected, output);
}

static bool run_file(const char *path, bool update, int *passed, int *failed)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    File *file = ARENA_NEW(arena, File);
    Text text = text_create(arena);
    file->path = path;
    if (read_file(arena, diag, file)) {
        text_print(&text, "%s%s", file->preamble, *file->preamble ? "\n" : "");
        for (int i = 0; i < file->count; i++) {
            const Case *c = &file->cases[i];
            bool is_error;
            const char *output = run_case(arena, c, &is_error);
            bool same = is_error == c->expects_error && strcmp(output, c->expected) == 0;
            *passed += same || update;
            *failed += !same && !update;
            if (!same && !update)
                print_difference(file, c, output);
            print_case(&text, c, output, is_error);
            text_add(&text, i + 1 < file->count ? "\n" : "");
        }
        if (update && !is_markdown(path))
            file_write(diag, path, text.data, text.length, false);
    }
    diag_print(diag, stderr);
    bool ok = diag_ok(diag);
    arena_destroy(arena);
    return ok;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0, first = 1;
    bool update = argc > 1 && strcmp(argv[1], "--update") == 0, ok = true;
    first += update;
    if (first == argc) {
        fputs("usage: text_runner [--update] FILE...\n", stderr);
        return 2;
    }
    for (int i = first; i < argc; i++)
        ok = run_file(argv[i], update, &passed, &failed) && ok;
    printf("%d passed, %d failed\n", passed, failed);
    return ok && failed == 0 ? 0 : 1;
}
