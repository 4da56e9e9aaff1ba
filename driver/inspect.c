/* `ingot inspect`: what a model consists of and what it will need, before anything runs. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/checked.h"
#include "driver/commands.h"
#include "driver/compile.h"
#include "driver/memory.h"

/* 1797 as "1,797" */
static const char *with_commas(Arena *arena, int64_t number)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRId64, number);
    Text text = text_create(arena);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text_add(&text, ",");
        text_add_bytes(&text, digits + i, 1);
    }
    return text.data;
}

/* 38440 as "37.5 KiB" */
static const char *as_bytes(Arena *arena, int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024)
        return arena_print(arena, "%d B", (int)bytes);
    double size = (double)bytes / 1024;
    int unit = 0;
    for (; size >= 1024 && unit < 3; unit++)
        size /= 1024;
    return arena_print(arena, "%.1f %s", size, units[unit]);
}

/* --- tables --- */

enum { COLUMNS = 7 };

typedef struct Table {
    Arena *arena;
    const char *(*rows)[COLUMNS];
    int count, capacity;
    int columns;
    int left; /* that many columns are words, the others numbers */
} Table;

static void table_add(Table *table, const char *const *cells)
{
    table->rows =
        arena_grow(table->arena, table->rows, table->count, &table->capacity, sizeof *table->rows);
    memcpy(table->rows[table->count++], cells, (size_t)table->columns * sizeof *cells);
}

static void table_print(const Table *table)
{
    int widths[COLUMNS] = {0};
    for (int i = 0; i < table->count; i++)
        for (int j = 0; j < table->columns; j++)
            if ((int)strlen(table->rows[i][j]) > widths[j])
                widths[j] = (int)strlen(table->rows[i][j]);
    for (int i = 0; i < table->count; i++) {
        for (int j = 0; j < table->columns; j++) {
            bool last = j + 1 == table->columns;
            printf("%s%*s", j ? "  " : "", j < table->left ? (last ? 0 : -widths[j]) : widths[j],
                   table->rows[i][j]);
        }
        putchar('\n');
    }
}

/* --- what is shown --- */

static void print_layers(Arena *arena, const Model *model)
{
    Table table = {.arena = arena, .columns = 5, .left = 3};
    table_add(&table, (const char *[]){"layer", "kind", "output", "parameters", "multiply-adds"});
    int64_t parameters = 0, multiply_adds = 0;
    for (int i = 0; i < model->layer_count; i++) {
        const LayerSummary *layer = &model->layers[i];
        char buffer[TYPE_TEXT_BYTES];
        const char *type = arena_copy_text(arena, type_print(&layer->output, buffer));
        table_add(&table, (const char *[]){layer->name ? layer->name : "", layer->kind, type,
                                           with_commas(arena, layer->parameters),
                                           with_commas(arena, layer->multiply_adds)});
        parameters += layer->parameters;
        multiply_adds = capped_add(multiply_adds, layer->multiply_adds);
    }
    table_add(&table, (const char *[]){"all", "", "", with_commas(arena, parameters),
                                       with_commas(arena, multiply_adds)});
    table_print(&table);
}

static const char *name_of(Arena *arena, const Function *function)
{
    return arena_print(arena, "%s%s%s", function->name, function->size_count ? " " : "",
                       function_sizes_text(arena, function));
}

static void print_functions(Arena *arena, const Module *module)
{
    Table table = {.arena = arena, .columns = 7, .left = 1};
    table_add(&table, (const char *[]){"function", "batch", "multiply-adds", "kernel calls",
                                       "temporaries", "each thread", "in all"});
    for (int i = 0; i < module->schedule_count; i++) {
        const Schedule *schedule = module->schedules[i];
        const Function *function = schedule->function;
        Memory memory = memory_of_function(arena, module, i);
        table_add(&table,
                  (const char *[]){name_of(arena, function),
                                   function->batch ? with_commas(arena, function->batch) : "-",
                                   with_commas(arena, schedule->multiply_adds),
                                   with_commas(arena, schedule->call_count),
                                   as_bytes(arena, schedule->arena_bytes),
                                   as_bytes(arena, schedule->scratch_bytes),
                                   as_bytes(arena, memory_sum(&memory, 1))});
    }
    table_print(&table);
}

/* Of the function that needs the most in all. */
static void print_height(Arena *arena, const Module *module)
{
    const Schedule *most = NULL;
    for (int i = 0; i < module->schedule_count; i++)
        if (!most || module->schedules[i]->arena_bytes > most->arena_bytes)
            most = module->schedules[i];
    if (!most)
        return;
    Height height = memory_height(arena, most);
    if (height.call < 0)
        return;
    const Call *call = &most->calls[height.call];
    char type[TYPE_TEXT_BYTES];
    printf("height       call %d of %s, %s%s%s: %s in %d temporaries, the largest %s\n",
           height.call, most->function->name, call->kernel->name, *call->layers ? " for " : "",
           call->layers, as_bytes(arena, height.bytes), height.count,
           type_print(&height.largest->type, type));
}

static void print_memory(Arena *arena, const Module *module)
{
    const Program *program = module->program;
    int64_t weights = 0, all = 0;
    for (int i = 0; i < program->state_count; i++) {
        int64_t bytes = type_bytes(&program->states[i]->type);
        all += bytes;
        weights += program->states[i]->parameter ? bytes : 0;
    }
    printf("weights      %s\n", as_bytes(arena, weights));
    printf("all states   %s\n", as_bytes(arena, all));
    if (module->prepared_bytes)
        printf("packed       %s, made from the states when they change\n",
               as_bytes(arena, module->prepared_bytes));
    printf("constants    %s\n", as_bytes(arena, module->constant_bytes));
    print_height(arena, module);
    puts("in all       what a process has in memory that calls this function, with one thread");
}

int command_inspect(const Options *options)
{
    Compilation compilation;
    options->diag->limit = INT_MAX; /* all that would not compile */
    bool compiled = compile_model(&compilation, options, LEVEL_NEST);
    Arena *arena = options->arena;
    if (!compilation.model)
        return 1;
    printf("%s, for %s, %s\n\n", compilation.model->program->name, options->target.triple,
           options->target.name);
    print_layers(arena, compilation.model);
    putchar('\n');
    if (!compiled)
        return 1;
    print_functions(arena, &compilation.module);
    putchar('\n');
    print_memory(arena, &compilation.module);
    return 0;
}
