/* Kernels and schedules as texts; see text_nest.h. */
#include "tests/support/text_nest.h"

#include <string.h>

#include "ir/nest_text.h"
#include "ir/nest_work.h"
#include "passes/fuse.h"
#include "passes/lower.h"
#include "passes/plan.h"
#include "tests/support/agree_nest.h"

bool text_target(Diag *diag, const char *cpu, Target *target)
{
    static const char *const triples[] = {"x86_64-linux-gnu", "aarch64-linux-gnu",
                                          "arm-linux-gnueabihf"};
    cpu = cpu ? cpu : "x86-64-v3";
    for (int i = 0; i < 3; i++)
        if (target_find(diag_create(diag->arena), triples[i], cpu, target))
            return true;
    return diag_error(diag, "target", "there is no processor \"%s\"", cpu);
}

/* Prints, and checks that the kernel is right and its text means the same. */
static const char *print_checked(Arena *arena, Diag *diag, const Kernel *kernel)
{
    Text text = text_create(arena), again = text_create(arena);
    int count;
    kernel_print(kernel, &text);
    if (!kernel_verify(kernel, diag))
        return text.data;
    Kernel **parsed = kernel_parse(arena, diag, "output", text.data, &count);
    if (!parsed)
        return text.data;
    kernel_print(parsed[0], &again);
    if (strcmp(text.data, again.data) != 0)
        diag_error(diag, "output", "printing, parsing and printing gave another text");
    return text.data;
}

static bool is_exact(const char *pass)
{
    return strcmp(pass, "collapse") == 0 || strcmp(pass, "share") == 0;
}

/* *counts: the last word was no pass but "work", which asks for what is counted instead of text. */
static bool run_passes(Pieces *pieces, Diag *diag, const char *run, bool *exact, bool *counts)
{
    char *rest = NULL, *words = arena_copy_text(pieces->arena, run);
    *exact = true;
    *counts = false;
    for (char *pass = strtok_r(words, ", ", &rest); pass; pass = strtok_r(NULL, ", ", &rest)) {
        *counts = strcmp(pass, "work") == 0;
        if (*counts)
            continue;
        *exact = *exact && is_exact(pass);
        if (!pieces_run_pass(pieces, pass))
            return diag_error(diag, "run", "there is no pass \"%s\" on kernels", pass);
    }
    return true;
}

static const char *print_work(Arena *arena, const Kernel *kernel)
{
    KernelWork work = kernel_work(arena, kernel);
    return arena_print(arena, "@%s: %lld multiply-adds, %lld bytes read, %lld written\n",
                       kernel->name, (long long)work.multiply_adds, (long long)work.bytes_read,
                       (long long)work.bytes_written);
}

const char *text_run_kernels(Arena *arena, Diag *diag, const Target *target, const char *input,
                             const char *run)
{
    int count;
    Text text = text_create(arena);
    Kernel **kernels = kernel_parse(arena, diag, "input", input, &count);
    Kernel **before = kernels ? kernel_parse(arena, diag, "input", input, &count) : NULL;
    for (int k = 0; before && k < count && kernel_verify(kernels[k], diag); k++) {
        bool exact, counts;
        Pieces pieces = pieces_create(arena, target, kernels[k]);
        if (!run_passes(&pieces, diag, run, &exact, &counts))
            break;
        for (int p = 0; p < pieces.count; p++) {
            const Kernel *piece = pieces.list[p].kernel;
            const char *checked = print_checked(arena, diag, piece);
            text_add(&text, k + p && !counts ? "\n" : "");
            text_add(&text, counts ? print_work(arena, piece) : checked);
        }
        if (!diag_ok(diag) || !pieces_agree(diag, before[k], &pieces, exact))
            break;
    }
    return diag_ok(diag) ? text.data : NULL;
}

const char *text_fuse(Arena *arena, const Program *program)
{
    Text text = text_create(arena);
    for (int f = 0; f < program->function_count; f++) {
        if (program->function_count > 1)
            text_print(&text, "@%s\n", program->functions[f]->name);
        fusion_print(fuse(arena, program->functions[f]), &text);
    }
    return text.data;
}

/* Kernels and schedules, without the lines that say where states and constants lie. */
static const char *module_text(Arena *arena, Diag *diag, const Module *module)
{
    Text text = text_create(arena);
    for (int i = 0; i < module->kernel_count; i++) {
        text_add(&text, print_checked(arena, diag, module->kernels[i]));
        text_add(&text, "\n");
    }
    if (module->prepare)
        schedule_print(module->prepare, &text);
    for (int i = 0; i < module->schedule_count; i++) {
        text_add(&text, i || module->prepare ? "\n" : "");
        schedule_print(module->schedules[i], &text);
    }
    return text.data;
}

const char *text_lower(Arena *arena, Diag *diag, const Target *target, Program *program,
                       const char *last)
{
    Module module;
    PipelineOptions options = {.stop_after = last};
    if (!nest_pass_exists(last)) {
        diag_error(diag, "run", "lower: there is no pass \"%s\" on kernels", last);
        return NULL;
    }
    if (!lower_program_with(program, target, &options, arena, diag, &module))
        return NULL;
    for (int i = 0; i < module.schedule_count && strcmp(last, "plan") != 0; i++)
        plan_schedule(arena, module.schedules[i]); /* plain kernels can be planned as well */
    if (module.prepare && strcmp(last, "plan") != 0)
        plan_schedule(arena, module.prepare);
    const char *text = module_text(arena, diag, &module);
    return diag_ok(diag) && module_agrees(diag, program, &module) ? text : NULL;
}
