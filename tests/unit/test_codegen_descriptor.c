/* The descriptor as a C compiler sees it: a small C program that includes runtime/model.h is linked
 * with a model's object and prints what it finds; on 64 and on 32 bits. Also that only the public
 * functions are visible. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "codegen/codegen.h"
#include "codegen/public.h"
#include "ir/text.h"
#include "passes/lower.h"
#include "tests/support/compiled_kernel.h"

static const char program_text[] = "program @small {\n"
                                   "  state %w: f32[3,2] parameter = [1, 2, 3, 4, 5, 6]\n"
                                   "  state %n: i64[] = [7]\n"
                                   "  fn @infer(%x: f32[4,3]) -> f32[4,2] batch=4 {\n"
                                   "    %0: f32[3,2] = state of=%w\n"
                                   "    %1: f32[4,2] = matmul %x, %0\n"
                                   "    return y = %1\n"
                                   "  }\n"
                                   "  fn @infer(%x: f32[1,3]) -> f32[1,2] batch=1 {\n"
                                   "    %0: f32[3,2] = state of=%w\n"
                                   "    %1: f32[1,2] = matmul %x, %0\n"
                                   "    return y = %1\n"
                                   "  }\n"
                                   "  fn @count(%t: i32[2]) -> f32[2] {\n"
                                   "    %0: f32[2] = cast %t to=f32\n"
                                   "    %1: f32[2] = constant value=[0.5, 0.25]\n"
                                   "    %2: f32[2] = add %0, %1\n"
                                   "    return %2\n"
                                   "  }\n"
                                   "}\n";

/* Prints every field, calls the functions by the descriptor and by their public names. */
static const char reader_text[] =
    "#include <stdio.h>\n#include <string.h>\n#include \"runtime/instance.h\"\n#include "
    "\"runtime/team.h\"\n"
    "extern const IngotModel ingot_descriptor;\n"
    "static _Alignas(64) char state[4096], arena[65536], scratch[65536];\n"
    "void ingot_team_barrier(IngotTeam *team, int32_t member) {}\n"
    "void ingot_destroy(IngotInstance *i) {}\n"
    "IngotInstance *ingot_create(const IngotModel *m, const IngotOptions *o, int32_t *code)\n"
    "{ printf(\"create %d %d\\n\", m == &ingot_descriptor, o->threads); *code = 0; return (void "
    "*)state; }\n"
    "int32_t ingot_initialize(IngotInstance *i, uint64_t seed) { printf(\"initialize %llx\\n\", "
    "(long long)seed); return 3; }\n"
    "int32_t ingot_save(const IngotInstance *i, const char *p) { return 0; }\n"
    "int32_t ingot_load(IngotInstance *i, const char *p) { printf(\"load %s\\n\", p); return 4; }\n"
    "const char *ingot_last_error(const IngotInstance *i) { return \"\"; }\n"
    "void *ingot_state(IngotInstance *i, int32_t s) { return state + s; }\n"
    "size_t ingot_memory_bytes(const IngotModel *m, int32_t t) { return (size_t)t * 3; }\n"
    "int32_t ingot_run(IngotInstance *i, int32_t f, const void *const *in, void *const *out)\n"
    "{\n"
    "  IngotCall call = {state, arena, scratch, in, out, ingot_descriptor.constants, 0};\n"
    "  ingot_descriptor.functions[f].body(&call, 0, 1);\n"
    "  return f;\n"
    "}\n"
    "typedef struct small small;\n"
    "small *small_create(const IngotOptions *o, int32_t *code);\n"
    "int32_t small_initialize(small *m, uint64_t seed);\nint32_t small_load(small *m, const char "
    "*path);\n"
    "void *small_state(small *m, int32_t s);\nsize_t small_memory_bytes(int32_t t);\n"
    "int32_t small_infer(small *m, const float *x, float *y);\n"
    "int32_t small_infer_batch4(small *m, const float *x, float *y);\n"
    "int32_t small_count(small *m, const int32_t *t, float *y);\n"
    "static void tensors(const char *what, const IngotTensor *t, int count)\n"
    "{\n"
    "  for (int i = 0; i < count; i++, t++) {\n"
    "    printf(\"%s %s %d[\", what, t->name, t->type);\n"
    "    for (int j = 0; j < t->rank; j++) printf(\" %d\", (int)t->dims[j]);\n"
    "    printf(\" ] bytes %d offset %d classes %d trainable %d batched %d\\n\", (int)t->bytes, "
    "(int)t->offset,\n"
    "           (int)t->classes, t->trainable, t->batched);\n"
    "  }\n"
    "}\n"
    "static void data(const IngotDataset *d)\n"
    "{\n"
    "  printf(\"data %s %d %d %d %c\\n\", d->path ? d->path : \"-\", d->format, d->column_count, "
    "d->header, d->separator);\n"
    "  for (int i = 0; i < d->column_count; i++)\n"
    "    printf(\"column %s %s %d %d\\n\", d->columns[i].tensor, d->columns[i].path ? "
    "d->columns[i].path : \"-\",\n"
    "           (int)d->columns[i].first, (int)d->columns[i].count);\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "  const IngotModel *m = &ingot_descriptor;\n"
    "  printf(\"%s | %s | %s | current abi %d\\n\", m->name, m->compiler, m->target, m->abi == "
    "INGOT_ABI);\n"
    "  tensors(\"state\", m->states, m->state_count);\n"
    "  for (int i = 0; i < m->function_count; i++) {\n"
    "    const IngotFunction *f = &m->functions[i];\n"
    "    printf(\"function %s batch %d parallel %d\\n\", f->name, (int)f->batch, f->parallel);\n"
    "    tensors(\"  in\", f->inputs, f->input_count);\n"
    "    tensors(\"  out\", f->outputs, f->output_count);\n"
    "  }\n"
    "  const IngotRecipe *r = m->recipe;\n"
    "  data(&r->training); data(&r->validation);\n"
    "  printf(\"recipe %g %d %llx %d %s %d\\n\", r->validation_part, (int)r->epochs, (long "
    "long)r->seed, r->metric_count,\n"
    "         r->metrics[0], r->shuffle);\n"
    "  memcpy(state, m->initial_state, m->state_bytes);\n"
    "  printf(\"%d %d %s parameters %d\\n\", (int)m->state_bytes % 64, (int)((size_t)m->constants "
    "% 64),\n"
    "         m->weights_path ? m->weights_path : \"-\", (int)m->parameter_count);\n"
    "  int32_t code = 9, t[2] = {3, -4};\n"
    "  IngotOptions options = {.threads = 5};\n"
    "  small *s = small_create(&options, &code);\n"
    "  float x[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, y[8];\n"
    "  printf(\"%d\", small_infer(s, x + 9, y)); printf(\" %g %g\\n\", y[0], y[1]);\n"
    "  printf(\"%d\", small_infer_batch4(s, x, y)); for (int i = 0; i < 8; i++) printf(\" %g\", "
    "y[i]);\n"
    "  printf(\"\\n%d\", small_count(s, t, y)); printf(\" %g %g\\n\", y[0], y[1]);\n"
    "  printf(\"%d\\n\", small_initialize(s, 0x123456789abcdefull));\n"
    "  printf(\"%d %d %d\\n\", small_load(s, \"f\"), (int)((char *)small_state(s, 1) - state), "
    "(int)small_memory_bytes(4));\n"
    "  return 0;\n"
    "}\n";

static const char expected[] =
    " | current abi 1\n"
    "state w 0[ 3 2 ] bytes 24 offset 0 classes 0 trainable 1 batched 0\n"
    "state n 3[ ] bytes 8 offset 64 classes 0 trainable 0 batched 0\n"
    "function infer batch 1 parallel 0\n"
    "  in x 0[ 1 3 ] bytes 12 offset 0 classes 0 trainable 0 batched 1\n"
    "  out y 0[ 1 2 ] bytes 8 offset 0 classes 0 trainable 0 batched 1\n"
    "function infer batch 4 parallel 0\n"
    "  in x 0[ 4 3 ] bytes 48 offset 0 classes 0 trainable 0 batched 1\n"
    "  out y 0[ 4 2 ] bytes 32 offset 0 classes 0 trainable 0 batched 1\n"
    "function count batch 0 parallel 0\n"
    "  in t 2[ 2 ] bytes 8 offset 0 classes 10 trainable 0 batched 0\n"
    "  out output0 0[ 2 ] bytes 8 offset 0 classes 0 trainable 0 batched 0\n"
    "data a.csv 1 2 1 ;\n"
    "column x - 0 3\n"
    "column t - 3 1\n"
    "data - 0 0 0 ,\n"
    "recipe 0.25 11 fedcba9876543210 1 accuracy 1\n"
    "0 0 - parameters 6\n"
    "create 1 5\n"
    "0 9 12\n"
    "1 1 2 3 4 5 6 9 12\n"
    "2 3.5 -3.75\n"
    "initialize 123456789abcdef\n"
    "3\n"
    "load f\n"
    "4 1 12\n";

static CodegenOptions codegen_options(void)
{
    static ColumnRecipe columns[2] = {{"x", NULL, 0, 3}, {"t", NULL, 3, 1}};
    static const char *metrics[1] = {"accuracy"};
    static const InputClasses labels[1] = {{"t", 10}};
    static const Recipe recipe = {.training = {.format = DATA_CSV,
                                               .path = "a.csv",
                                               .columns = columns,
                                               .column_count = 2,
                                               .header = 1,
                                               .separator = ';'},
                                  .validation = {.separator = ','},
                                  .validation_part = 0.25,
                                  .epochs = 11,
                                  .seed = 0xfedcba9876543210,
                                  .shuffle = true,
                                  .metrics = metrics,
                                  .metric_count = 1};
    return (CodegenOptions){.emit = EMIT_OBJECT,
                            .recipe = &recipe,
                            .labels = labels,
                            .label_count = 1,
                            .compiler = "test",
                            .jobs = 1};
}

/* The objects of the model in `folder`, as words of a command. */
static const char *write_model(Arena *arena, Diag *diag, const Target *target, const char *folder)
{
    Module module;
    Program *program = graph_parse(arena, diag, "test", program_text);
    bool lowered = program && lower_program(program, target, arena, diag, &module);
    diag_print(diag, stderr);
    cr_assert(lowered);
    CodegenOptions options = codegen_options();
    int count;
    CodegenObject *objects = codegen_objects(&module, &options, &count);
    Text list = text_create(arena);
    for (int i = 0; i < count; i++) {
        const char *path = arena_print(arena, "%s/%s", folder, objects[i].name);
        cr_assert(file_write(diag, path, objects[i].bytes, objects[i].size, false));
        text_print(&list, " %s", path);
    }
    return list.data;
}

static const char *source_folder(void)
{
    const char *root = getenv("INGOT_SOURCE");
    return root ? root : ".";
}

static void check_descriptor(const char *triple, const char *cpu, const char *runner)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Target target;
    cr_assert(target_find(diag, triple, cpu, &target));
    if (compiled_kernels_possible(&target)) {
        const char *folder = folder_create_temporary(diag);
        const char *objects = write_model(arena, diag, &target, folder);
        const char *source = arena_print(arena, "%s/reader.c", folder);
        cr_assert(file_write(diag, source, reader_text, strlen(reader_text), false));
        const char *compiler = target.native ? "cc" : arena_print(arena, "%s-gcc", target.triple);
        cr_assert(system(arena_print(arena, "%s %s -D_GNU_SOURCE -I%s -o %s/reader %s%s", compiler,
                                     target.native ? "" : "-static", source_folder(), folder,
                                     source, objects)) == 0);
        cr_assert(system(arena_print(arena, "%s %s/reader >%s/out", target.native ? "" : runner,
                                     folder, folder)) == 0);
        size_t size;
        const char *out = file_read(diag, arena_print(arena, "%s/out", folder), &size);
        const char *first = arena_print(arena, "small | test | %s, %s", target.triple, target.name);
        cr_assert_str_eq(out, arena_print(arena, "%s%s", first, expected));
        folder_remove(folder);
    }
    arena_destroy(arena);
}

Test(codegen_descriptor, x86_64)
{
    check_descriptor("x86_64-linux-gnu", "x86-64", "qemu-x86_64");
}

Test(codegen_descriptor, aarch64)
{
    check_descriptor("aarch64-linux-gnu", "armv8-a", "qemu-aarch64");
}

Test(codegen_descriptor, armv7)
{
    check_descriptor("arm-linux-gnueabihf", "armv7-a", "qemu-arm");
}

/* The public functions are visible, everything else that is defined is hidden or local. */
Test(codegen_descriptor, only_public_functions_are_visible)
{
    Arena *arena = arena_create();
    Diag *diag = diag_create(arena);
    Target target;
    cr_assert(target_find(diag, NULL, NULL, &target));
    const char *folder = folder_create_temporary(diag);
    const char *objects = write_model(arena, diag, &target, folder);
    cr_assert(system(arena_print(arena,
                                 "readelf -sW %s | awk '$5 == \"GLOBAL\" && $6 == \"DEFAULT\" && "
                                 "$7 != \"UND\" {print $8}' "
                                 "| sort >%s/out",
                                 objects, folder)) == 0);
    size_t size;
    const char *out = file_read(diag, arena_print(arena, "%s/out", folder), &size);
    cr_assert_str_eq(out,
                     "small_count\nsmall_create\nsmall_destroy\nsmall_infer\nsmall_infer_batch4\n"
                     "small_initialize\nsmall_last_error\nsmall_load\nsmall_memory_bytes\nsmall_"
                     "save\nsmall_state\n");
    folder_remove(folder);
    arena_destroy(arena);
}

Test(codegen_descriptor, names)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(public_identifier(arena, "a b-c.9"), "a_b_c_9");
    cr_assert_str_eq(public_identifier(arena, "9lives"), "_9lives");
    cr_assert_str_eq(public_identifier(arena, ""), "_");
    Program *program = graph_parse(arena, diag_create(arena), "test", program_text);
    cr_assert(program);
    const int *order = public_function_order(arena, program);
    cr_assert(order[0] == 1 && order[1] == 0 && order[2] == 2);
    cr_assert_str_eq(public_call_symbol(arena, program, 0), "small_infer_batch4");
    cr_assert_str_eq(public_call_symbol(arena, program, 1), "small_infer");
    arena_destroy(arena);
}

/* The plain name is that of the fewest rows and smallest sizes; the others say what differs. */
Test(codegen_descriptor, symbols_tell_rows_and_sizes)
{
    static const struct {
        int64_t batch, sizes[3];
        const char *symbol;
    } cases[] = {
        {4, {8, 8, 3}, "m_infer_batch4"},
        {1, {9, 8, 3}, "m_infer_height9"},
        {1, {8, 8, 3}, "m_infer"},
        {1, {8, 12, 3}, "m_infer_h_1_12"},
        {4, {9, 12, 5}, "m_infer_batch4_height9_h_1_12_size2_5"},
    };
    enum { CASES = sizeof cases / sizeof cases[0] };
    Arena *arena = arena_create();
    Program *program = program_create(arena, diag_create(arena), "m");
    for (int i = 0; i < CASES; i++) {
        Function *f = program_add_function(program, "infer");
        Size *sizes = ARENA_ARRAY(arena, Size, 3);
        const char *names[] = {"height", "h.1", "batch"};
        for (int j = 0; j < 3; j++)
            sizes[j] = (Size){names[j], cases[i].sizes[j]};
        f->batch = cases[i].batch;
        f->sizes = sizes;
        f->size_count = 3;
    }
    for (int i = 0; i < CASES; i++)
        cr_expect_str_eq(public_call_symbol(arena, program, i), cases[i].symbol);
    const int *order = public_function_order(arena, program);
    static const int expected_order[CASES] = {2, 3, 1, 0, 4};
    cr_assert_arr_eq(order, expected_order, sizeof expected_order);
    arena_destroy(arena);
}
