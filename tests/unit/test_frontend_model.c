/* Whole descriptions: the examples, recipes, losses, weights from a file, and that the documents
 * keep up. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "frontend/json.h"
#include "frontend/json_model.h"
#include "frontend/layers.h"
#include "frontend/train.h"
#include "ir/eval.h"
#include "ir/text.h"
#include "ir/verify.h"

typedef struct World {
    Arena *arena;
    Diag *diag;
    const char *folder; /* for scratch files */
} World;

static World open_world(void)
{
    World w = {.arena = arena_create()};
    w.diag = diag_create(w.arena);
    w.folder = folder_create_temporary(w.diag);
    return w;
}

static void close_world(World *w)
{
    folder_remove(w->folder);
    arena_destroy(w->arena);
}

static const char *source_path(const World *w, const char *path)
{
    const char *root = getenv("INGOT_SOURCE");
    return arena_print(w->arena, "%s/%s", root ? root : ".", path);
}

static const char *write_scratch(const World *w, const char *name, const void *bytes, size_t size)
{
    const char *path = arena_print(w->arena, "%s/%s", w->folder, name);
    cr_assert(file_write(w->diag, path, bytes, size, false));
    return path;
}

static Model *read_model(const World *w, const char *path, bool train, int batch_count)
{
    static const int64_t batches[] = {1, 3, 8};
    ModelOptions options = {.batches = batches, .batch_count = batch_count, .train = train};
    Model *model = json_model_read(w->arena, w->diag, path, &options);
    cr_assert(diag_ok(w->diag), "%s", w->diag->messages[0]);
    cr_assert(graph_verify(model->program, w->diag), "%s", w->diag->messages[0]);
    return model;
}

static Model *read_text(const World *w, const char *text, bool train)
{
    return read_model(w, write_scratch(w, "m.json", text, strlen(text)), train, 1);
}

/* First values of all states from a seed. */
static Value *initial_states(const World *w, const Model *model)
{
    const Program *program = model->program;
    const Function *f = program_find_function(program, "initialize");
    Value *states = ARENA_ARRAY(w->arena, Value, program->state_count);
    for (int i = 0; i < program->state_count; i++)
        states[i] = value_create(w->arena, program->states[i]->type);
    Value seed = value_create(w->arena, f->inputs[0]->type);
    seed.integers[0] = 7;
    graph_evaluate(w->arena, EVALUATE_F32, f, &seed, states, NULL);
    return states;
}

/* Examples */

static void check_example(const char *path, bool train)
{
    World w = open_world();
    Model *model = read_model(&w, path, train, 3);
    Text first = text_create(w.arena), second = text_create(w.arena);
    graph_print(model->program, &first);
    Program *again = graph_parse(w.arena, w.diag, path, first.data);
    cr_assert(again, "%s", w.diag->messages[0]);
    graph_print(again, &second);
    cr_expect_str_eq(first.data, second.data);
    cr_expect(model->recipe && model->layer_count);
    cr_expect_eq(program_find_function(model->program, "train_step") != NULL, train);
    cr_expect_eq(program_find_state(model->program, "step") != NULL, train);
    close_world(&w);
}

Test(model, examples)
{
    World w = open_world();
    const char *folder = source_path(&w, "examples");
    DIR *entries = opendir(folder);
    int count = 0;
    cr_assert(entries);
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".json") != 0)
            continue;
        const char *path = arena_print(w.arena, "%s/%s", folder, entry->d_name);
        check_example(path, false);
        check_example(path, true);
        count++;
    }
    closedir(entries);
    cr_expect(count >= 8);
    close_world(&w);
}

Test(model, probabilities_sum_to_one)
{
    static const char *const paths[] = {"examples/digits.json", "examples/lenet.json"};
    for (int i = 0; i < 2; i++) {
        World w = open_world();
        Model *model = read_model(&w, source_path(&w, paths[i]), false, 1);
        const Function *f = program_find_function(model->program, "infer");
        Value *states = initial_states(&w, model), result;
        Value input = value_create(w.arena, f->inputs[0]->type);
        for (int64_t k = 0; k < type_elements(&input.type); k++)
            input.numbers[k] = (double)(k * 37 % 17);
        graph_evaluate(w.arena, EVALUATE_F32, f, &input, states, &result);
        double sum = 0;
        for (int k = 0; k < 10; k++)
            sum += result.numbers[k];
        cr_expect_str_eq(f->results[0].name, "probabilities");
        cr_expect(fabs(sum - 1) < 1e-5, "%s: %.9g", paths[i], sum);
        close_world(&w);
    }
}

Test(model, conventions_of_functions)
{
    World w = open_world();
    Model *model = read_model(&w, source_path(&w, "examples/digits.json"), true, 3);
    const Program *p = model->program;
    static const char *const names[] = {"infer",      "infer",      "infer",
                                        "initialize", "train_step", "evaluate"};
    static const int64_t batches[] = {1, 3, 8, 0, 32, 32};
    cr_assert_eq(p->function_count, 6);
    for (int i = 0; i < 6; i++) {
        cr_expect_str_eq(p->functions[i]->name, names[i]);
        cr_expect_eq(p->functions[i]->batch, batches[i]);
    }
    const Function *step = p->functions[4], *evaluate = p->functions[5];
    cr_expect_eq(step->result_count, 1);
    cr_expect_str_eq(step->results[0].name, "loss");
    static const char *const results[] = {"loss", "accuracy", "count"};
    cr_assert_eq(evaluate->result_count, 3);
    for (int i = 0; i < 3; i++) {
        cr_expect_str_eq(evaluate->results[i].name, results[i]);
        cr_expect_eq(evaluate->results[i].node->type.rank, 0);
    }
    static const char *const inputs[] = {"pixels", "label", "rows"};
    cr_assert_eq(evaluate->input_count, 3);
    for (int i = 0; i < 3; i++)
        cr_expect_str_eq(evaluate->inputs[i]->attr.text, inputs[i]);
    cr_expect_eq(model->label_count, 1);
    cr_expect_eq(model->labels[0].classes, 10);
    close_world(&w);
}

/* A program built for training starts from the same weights as one that is not. */
Test(model, first_weights_do_not_depend_on_training)
{
    World w = open_world();
    const char *path = source_path(&w, "examples/digits.json");
    Value *with = initial_states(&w, read_model(&w, path, true, 1));
    Value *without = initial_states(&w, read_model(&w, path, false, 1));
    for (int k = 0; k < 64 * 128; k++)
        cr_assert_eq(with[0].numbers[k], without[0].numbers[k]);
    close_world(&w);
}

/* Recipes */

Test(model, recipe_of_digits)
{
    World w = open_world();
    const char *path = source_path(&w, "examples/digits.json");
    const Recipe *r = read_model(&w, path, true, 1)->recipe;
    cr_expect_eq(r->optimizer.kind, OPTIMIZER_ADAM);
    cr_expect_eq(r->optimizer.beta2, 0.999);
    cr_expect_eq(r->batch, 32);
    cr_expect_eq(r->epochs, 30);
    cr_expect_eq(r->seed, 1);
    cr_expect_eq(r->validation_part, 0.2);
    cr_expect(r->shuffle);
    cr_expect_eq(r->training.format, DATA_CSV);
    cr_expect_eq(r->training.separator, ',');
    cr_expect_str_eq(r->training.path, source_path(&w, "examples/data/digits.csv"));
    cr_assert_eq(r->training.column_count, 2);
    cr_expect_str_eq(r->training.columns[0].tensor, "pixels");
    cr_expect_eq(r->training.columns[0].first, 0);
    cr_expect_eq(r->training.columns[0].count, 64);
    cr_expect_eq(r->training.columns[1].first, 64);
    cr_expect_eq(r->training.columns[1].count, 1);
    cr_assert_eq(r->metric_count, 1);
    cr_expect_str_eq(r->metrics[0], "accuracy");
    close_world(&w);
}

#define TWO_LAYERS                                                                                 \
    "{ \"inputs\": { \"x\": [\"batch\", 4] }, \"layers\": [{ \"dense\": 4, \"name\": \"stem\" }, " \
    "{ \"dense\": 2, \"name\": \"y\" }], \"train\": { \"targets\": { \"t\": [\"batch\", 2] }, "    \
    "\"loss\": { \"mean_squared_error\": [\"y\", \"t\"] }, "

Test(model, recipe_with_everything)
{
    World w = open_world();
    const Model *model = read_text(
        &w,
        TWO_LAYERS
        "\"optimizer\": { \"sgd\": { \"learning_rate\": 0.5, \"momentum\": 0.9, \"nesterov\": true "
        "} },"
        "\"schedule\": { \"step\": { \"steps\": 100, \"factor\": 0.5 }, \"warmup_steps\": 10 },"
        "\"weight_decay\": { \"*.weight\": 0.01, \"stem.*\": 0 }, \"l1\": 0.001,"
        "\"clip_norm\": 1, \"clip_value\": 5, \"freeze\": [\"stem.*\"], \"shuffle\": false },"
        "\"data\": { \"idx\": { \"x\": \"/a/b\", \"t\": \"c\" },"
        "\"validation\": { \"csv\": \"d\", \"columns\": { \"x\": \"1-4\", \"t\": \"5-6\" },"
        "\"separator\": \";\", \"header\": 2 } } }",
        true);
    const Recipe *r = model->recipe;
    const OptimizerRecipe *o = &r->optimizer;
    cr_expect(o->kind == OPTIMIZER_SGD && o->learning_rate == 0.5 && o->momentum == 0.9 &&
              o->nesterov);
    cr_expect(o->schedule == SCHEDULE_STEP && o->schedule_steps == 100 && o->final_factor == 0.5);
    cr_expect(o->warmup_steps == 10 && o->clip_norm == 1 && o->clip_value == 5);
    cr_assert_eq(o->weight_decay_count, 2);
    cr_expect_str_eq(o->weight_decay[1].pattern, "stem.*");
    cr_assert_eq(o->l1_count, 1);
    cr_expect_str_eq(o->l1[0].pattern, "*");
    cr_expect(!r->shuffle);
    cr_expect(program_find_state(model->program, "stem.bias")->frozen);
    cr_expect(!program_find_state(model->program, "y.bias")->frozen);
    cr_expect(r->training.format == DATA_IDX && r->validation.format == DATA_CSV);
    cr_expect_str_eq(r->training.columns[0].path, "/a/b");
    cr_expect_str_eq(r->training.columns[1].path, arena_print(w.arena, "%s/c", w.folder));
    cr_expect(r->validation.header == 2 && r->validation.separator == ';');
    cr_expect_eq(r->validation.columns[1].first, 5);
    close_world(&w);
}

Test(model, adamw_decays_by_default)
{
    World w = open_world();
    const Model *model = read_text(&w, TWO_LAYERS "\"optimizer\": { \"adamw\": {} } } }", true);
    cr_assert_eq(model->recipe->optimizer.weight_decay_count, 1);
    cr_expect_eq(model->recipe->optimizer.weight_decay[0].value, 0.01);
    close_world(&w);
}

/* Losses and metrics, by hand on the identity */

/* evaluate() of a model whose layer "p" is its input "x" [batch, 2], on two rows and one of
 * padding. */
static Value *evaluate_identity(World *w, const char *train, bool sigmoid, const double *targets)
{
    const char *text = arena_print(w->arena,
                                   "{ \"inputs\": { \"x\": [\"batch\", 2] }, \"layers\": ["
                                   "{ \"dense\": 2, \"name\": \"p\", \"bias\": false }%s],"
                                   "\"train\": { \"batch\": 3, %s } }",
                                   sigmoid ? ", { \"sigmoid\": {}, \"name\": \"s\" }" : "", train);
    const Model *model = read_text(w, text, true);
    const Function *f = program_find_function(model->program, "evaluate");
    Value *states = initial_states(w, model), inputs[3], *results = ARENA_ARRAY(w->arena, Value, 3);
    static const double x[6] = {0.5, -1.5, 2, 3, 100, 100}, rows[3] = {1, 1, 0};
    static const double identity[4] = {1, 0, 0, 1};
    memcpy(states[0].numbers, identity, sizeof identity);
    for (int i = 0; i < 3; i++)
        inputs[i] = value_create(w->arena, f->inputs[i]->type);
    memcpy(inputs[0].numbers, x, sizeof x);
    for (int64_t k = 0; k < type_elements(&inputs[1].type); k++) {
        if (inputs[1].numbers)
            inputs[1].numbers[k] = targets[k];
        else
            inputs[1].integers[k] = (int64_t)targets[k];
    }
    memcpy(inputs[2].numbers, rows, sizeof rows);
    graph_evaluate(w->arena, EVALUATE_F64, f, inputs, states, results);
    cr_expect_eq(results[f->result_count - 1].numbers[0], 2);
    return results;
}

static void expect_near(double got, double want)
{
    cr_expect(fabs(got - want) < 1e-6, "%.9g where %.9g is right", got, want);
}

Test(model, losses)
{
    World w = open_world();
    static const double labels[3] = {0, 0, 1}, floats[6] = {1, 1, 2, 1, 0, 0},
                        yes[6] = {1, 0, 0, 1, 0, 0};
    Value *r =
        evaluate_identity(&w,
                          "\"targets\": { \"t\": { \"classes\": 2 } }, \"metrics\": [\"accuracy\"],"
                          "\"loss\": { \"softmax_cross_entropy\": [\"p\", \"t\"] }",
                          false, labels);
    expect_near(r[0].numbers[0], log(1 + exp(-2)) + log(1 + exp(1)));
    expect_near(r[1].numbers[0], 1);
    r = evaluate_identity(&w,
                          "\"targets\": { \"t\": [\"batch\", 2] },"
                          "\"metrics\": [\"mean_absolute_error\"],"
                          "\"loss\": { \"mean_squared_error\": [\"p\", \"t\"] }",
                          false, floats);
    expect_near(r[0].numbers[0], (0.25 + 6.25) / 2 + (0 + 4.0) / 2);
    expect_near(r[1].numbers[0], (0.5 + 2.5) / 2 + (0 + 2.0) / 2);
    r = evaluate_identity(
        &w,
        "\"targets\": { \"t\": [\"batch\", 2] },"
        "\"metrics\": [\"mean_squared_error\"],"
        "\"loss\": [{ \"huber\": [\"p\", \"t\"] }, { \"mean_absolute_error\": [\"p\", \"t\"],"
        "\"weight\": 10 }]",
        false, floats);
    expect_near(r[0].numbers[0], (0.125 + 2) / 2 + (0 + 1.5) / 2 + 10 * (1.5 + 1));
    for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
        r = evaluate_identity(
            &w,
            arena_print(w.arena,
                        "\"targets\": { \"t\": { \"shape\": [\"batch\", 2], \"classes\": 2 } },"
                        "\"metrics\": [\"accuracy\"],"
                        "\"loss\": { \"binary_cross_entropy\": [\"%s\", \"t\"] }",
                        sigmoid ? "s" : "p"),
            sigmoid, yes);
        expect_near(r[0].numbers[0], (log(1 + exp(-0.5)) + log(1 + exp(-1.5))) / 2 +
                                         (log(1 + exp(2)) + log(1 + exp(-3))) / 2);
        expect_near(r[1].numbers[0], 1.5);
    }
    close_world(&w);
}

/* Weights */

static Text safetensors_text(const World *w, const char *header)
{
    static const float numbers[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    Text file = text_create(w->arena);
    char length[8] = {0};
    length[0] = (char)(strlen(header) & 0xFF);
    length[1] = (char)(strlen(header) >> 8);
    text_add_bytes(&file, length, 8);
    text_add(&file, header);
    text_add_bytes(&file, (const char *)numbers, sizeof numbers);
    return file;
}

#define WITH_WEIGHTS                                                                               \
    "{ \"inputs\": { \"x\": [\"batch\", 4] }, \"layers\": [{ \"dense\": 2, \"name\": \"y\" }], "   \
    "\"weights\": \"w.safetensors\" }"
#define WEIGHT "\"y.weight\":{\"dtype\":\"F32\",\"shape\":[4,2],\"data_offsets\":[0,32]}"
#define BIAS "\"y.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]}"

Test(model, weights_from_a_file)
{
    for (int odd = 0; odd < 2; odd++) { /* data at an address floats must not have */
        World w = open_world();
        Text file = safetensors_text(&w, odd ? "{" WEIGHT "," BIAS ", \"step\":{}}"
                                             : "{" BIAS "," WEIGHT "}");
        write_scratch(&w, "w.safetensors", file.data, file.length);
        const Model *model = read_text(&w, WITH_WEIGHTS, false);
        const float *weight = program_find_state(model->program, "y.weight")->value;
        const float *bias = program_find_state(model->program, "y.bias")->value;
        cr_expect(weight[0] == 1 && weight[7] == 8 && bias[0] == 9 && bias[1] == 10);
        cr_expect_null(program_find_function(model->program, "initialize"));
        close_world(&w);
    }
}

Test(model, bad_weights)
{
    static const struct {
        const char *header, *says;
    } cases[] = {
        {"{" WEIGHT "}", "the tensor \"y.bias\" of the model is missing"},
        {"{" WEIGHT "," BIAS ",\"y.bais\":{}}",
         "the model has no tensor \"y.bais\", did you mean \"y.bias\""},
        {"{" WEIGHT ",\"y.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[32,44]}}",
         "[\"y.bias\"]: is f32[3], but the model has f32[2] here"},
        {"{" WEIGHT ",\"y.bias\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[32,34]}}",
         "[\"y.bias\"].dtype: elements of type \"F8_E4M3\" cannot be read, only F32, F64, F16, "
         "BF16, I8, "
         "I16, I32, I64, U8, U16, U32, U64 and BOOL"},
        {"{" WEIGHT ",\"y.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[44,52]}}",
         "[\"y.bias\"].data_offsets: points outside the file, which has 48 bytes of data"},
        {"{" WEIGHT ",\"y.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,44]}}",
         "[\"y.bias\"].data_offsets: spans 12 bytes, but the shape takes 8"},
        {"{" WEIGHT ",\"y.bias\":{\"shape\":[2],\"data_offsets\":[32,44]}}",
         "[\"y.bias\"]: needs \"dtype\""},
        {"{" WEIGHT ",\"y.bias\":{\"dtype\":\"F32\",\"shape\":[2]}}",
         "[\"y.bias\"]: needs \"data_offsets\""},
        {"{" WEIGHT ",\"y.bias\":3}", "[\"y.bias\"]: expected an object, found 3"},
        {"[]", "is not a safetensors file, or cut short"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        World w = open_world();
        const int64_t batch = 1;
        ModelOptions options = {.batches = &batch, .batch_count = 1};
        Text file = safetensors_text(&w, cases[i].header);
        const char *path = write_scratch(&w, "w.safetensors", file.data, file.length);
        const char *model = write_scratch(&w, "m.json", WITH_WEIGHTS, strlen(WITH_WEIGHTS));
        cr_expect_null(json_model_read(w.arena, w.diag, model, &options));
        cr_assert(w.diag->error_count == 1, "%s", cases[i].header);
        cr_expect_str_eq(w.diag->messages[0], arena_print(w.arena, "%s: %s", path, cases[i].says));
        close_world(&w);
    }
}

/* Documents */

static const char *read_document(const World *w, const char *path)
{
    size_t size;
    const char *text = file_read(w->diag, source_path(w, path), &size);
    cr_assert(text, "%s", path);
    return text;
}

static void expect_words(const World *w, const char *document, const char *quote, const char *words)
{
    char *list = arena_copy_text(w->arena, words), *rest = NULL;
    for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        cr_expect(strstr(document, arena_print(w->arena, "%s%s%s", quote, word, quote)),
                  "the document says nothing of %s", word);
}

Test(model, documents_name_every_layer_and_key)
{
    World w = open_world();
    const char *manual = read_document(&w, "docs/model.md");
    const char *schema = read_document(&w, "docs/model.schema.json");
    int count;
    const LayerKind *kinds = layer_kinds(&count);
    for (int i = 0; i < count; i++) {
        expect_words(&w, manual, "`", kinds[i].name);
        expect_words(&w, manual, "`", kinds[i].keys);
        expect_words(&w, schema, "\"", kinds[i].name);
        expect_words(&w, schema, "\"", kinds[i].keys);
    }
    static const char more[] =
        RECIPE_KEYS " targets loss metrics model inputs layers outputs define train data weights "
                    "csv columns header separator idx npy scale normalize validation mean "
                    "deviation sgd adam adamw rmsprop learning_rate momentum nesterov beta1 beta2 "
                    "epsilon smoothing cosine linear step warmup_steps final_factor factor delta "
                    "softmax_cross_entropy binary_cross_entropy mean_squared_error "
                    "mean_absolute_error huber accuracy parameters repeat name in weight";
    expect_words(&w, manual, "`", more);
    expect_words(&w, schema, "\"", more);
    expect_words(&w, manual, "\"",
                 "glorot_uniform glorot_normal he_uniform he_normal lecun_normal zeros ones");
    expect_words(&w, schema, "\"", INITIALIZER_NAMES);
    close_world(&w);
}

/* What is put around an example of the manual that is no whole description, by how it starts. */
static const struct {
    const char *start, *before, *after;
} surroundings[] = {
    {"{\n", "", ""},
    {"{ ", "{ \"inputs\": { \"x\": [\"batch\", 8, 8, 3] }, \"layers\": [", "] }"},
    {"\"inputs\"", "{", ", \"layers\": [{ \"relu\": {}, \"in\": \"image\" }] }"},
    {"\"define\": {\n  \"residual\"", "{ \"inputs\": { \"x\": [\"batch\", 8, 8, 64] }, ",
     ", \"layers\": [{ \"residual\": { \"channels\": 64 }, \"repeat\": 3, \"name\": \"stage1\" }] "
     "}"},
    {"\"define\": {\n  \"encoder\"",
     "{ \"inputs\": { \"x\": { \"shape\": [\"batch\", 16], \"classes\": 5000 } }, ", "}"},
    {"\"data\"",
     "{ \"inputs\": { \"pixels\": [\"batch\", 64] }, \"layers\": [{ \"dense\": 10, \"name\": "
     "\"logits\" }], \"train\": { \"targets\": { \"label\": { \"classes\": 10 } }, \"loss\": { "
     "\"softmax_cross_entropy\": [\"logits\", \"label\"] } }, ",
     "}"},
};

static const char *completed(const World *w, const char *example)
{
    for (size_t i = 0; i < sizeof surroundings / sizeof surroundings[0]; i++) {
        if (strncmp(example, surroundings[i].start, strlen(surroundings[i].start)) == 0)
            return arena_print(w->arena, "%s%s%s", surroundings[i].before, example,
                               surroundings[i].after);
    }
    cr_assert(false, "an example of a new kind: %s", example);
    return NULL;
}

Test(model, examples_of_the_manual)
{
    World w = open_world();
    int count = 0;
    const char *at = read_document(&w, "docs/model.md"), *fence = "```json\n";
    while ((at = strstr(at, fence))) {
        at += strlen(fence);
        size_t length = (size_t)(strstr(at, "```") - at);
        const char *example = arena_copy_bytes(w.arena, at, length);
        if (strncmp(example, "{ ", 2) == 0) { /* a layer in three ways, one a line */
            char *rest = NULL, *lines = arena_copy_text(w.arena, example);
            for (char *line = strtok_r(lines, "\n", &rest); line;
                 line = strtok_r(NULL, "\n", &rest))
                read_text(&w, completed(&w, line), false);
        } else {
            read_text(&w, completed(&w, example), strstr(example, "\"train\"") != NULL);
        }
        count++;
    }
    cr_expect_geq(count, 6);
    close_world(&w);
}

Test(model, schema_is_json)
{
    World w = open_world();
    const char *schema = read_document(&w, "docs/model.schema.json");
    JsonFile file = {w.arena, w.diag, "model.schema.json"};
    cr_expect(json_parse(&file, schema, strlen(schema)), "%s",
              w.diag->error_count ? w.diag->messages[0] : "");
    close_world(&w);
}
