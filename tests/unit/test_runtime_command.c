/* The command line of a standalone model, from its arguments to its exit code, with a model written
 * by hand. Each call runs in a process of its own, its outputs caught in files. */
#include "runtime_helpers.h"

#include "runtime_fake_model.h"

#include "runtime/command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

typedef struct Result {
    int code; /* exit code */
    char *out, *err;
} Result;

enum { MOST_WORDS = 24 };

static const CommandRow all_commands[] = {
#include "runtime/commands.def"
    {NULL, NULL, NULL, NULL},
};

/* Begins "digits WORDS", split at spaces. */
static pid_t begin(const IngotModel *model, const char *words)
{
    char copy[1024], *list[MOST_WORDS] = {"digits"}, *rest = copy;
    int count = 1;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word; (word = strsep(&rest, " ")) && *word && count < MOST_WORDS - 1;)
        list[count++] = word;
    fflush(NULL);
    pid_t child = fork();
    if (child)
        return child;
    dup2(open("out", O_WRONLY | O_CREAT | O_TRUNC, 0666), STDOUT_FILENO);
    dup2(open("err", O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
    int code = ingot_main(model, all_commands, count, list);
    fflush(NULL);
    _exit(code);
}

static Result finish(pid_t child)
{
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
    return (Result){WEXITSTATUS(status), read_bytes("out", NULL), read_bytes("err", NULL)};
}

static Result run(const IngotModel *model, const char *words)
{
    return finish(begin(model, words));
}

static void release(Result result)
{
    free(result.out);
    free(result.err);
}

/* Runs it and checks all it says; NULL: whatever. */
static void expect_model(const IngotModel *model, const char *words, int code, const char *out,
                         const char *err)
{
    Result result = run(model, words);
    cr_assert_eq(result.code, code, "digits %s: exit code %d\n%s", words, result.code, result.err);
    if (out)
        CHECK_TEXT(result.out, out);
    if (err)
        CHECK_TEXT(result.err, err);
    release(result);
}

static void expect(const char *words, int code, const char *out, const char *err)
{
    expect_model(&fake_model, words, code, out, err);
}

/* Rows that can be learned: class c has its eight bright pixels at 6c … 6c+7. */
static void write_table(const char *path, int rows)
{
    FILE *file = fopen(path, "w");
    uint32_t random = 1;
    for (int i = 0; i < rows; i++) {
        int label = i * 7 % 10;
        for (int j = 0; j < FAKE_IN; j++) {
            random = random * 1664525U + 1013904223U;
            fprintf(file, "%u,",
                    (unsigned)(random >> 28) % 5 + (j >= 6 * label && j < 6 * label + 8 ? 10 : 0));
        }
        fprintf(file, "%d\n", label);
    }
    fclose(file);
}

/* A folder with examples/data/digits.csv of `rows` rows, which the recipe names. */
static void enter_with_data(int rows)
{
    enter_folder();
    cr_assert_eq(system("mkdir -p examples/data"), 0);
    write_table("examples/data/digits.csv", rows);
    unsetenv("LANG");
    unsetenv("LC_ALL");
}

/* --- usage --------------------------------------------------------------------------------------
 */

Test(runtime_command, help)
{
    enter_folder();
    expect("--help", 0,
           "digits: a neural network compiled by ingot 0.1.0 for test\n\n"
           "Usage: digits COMMAND [OPTION]...\n\nCommands:\n"
           "  train      train on the recipe's data, or on other\n"
           "  evaluate   loss and metrics on held-out or other data\n"
           "  infer      outputs for the rows of a file\n"
           "  bench      how fast every function runs here\n"
           "  info       name, target, functions, sizes\n\n"
           "\"digits COMMAND --help\" lists the options of a command.\n",
           "");
    static const char *const commands[] = {"train", "evaluate", "infer", "bench", "info"};
    for (int i = 0; i < 5; i++) {
        char words[64];
        snprintf(words, sizeof words, "%s --help", commands[i]);
        Result result = run(&fake_model, words);
        cr_assert(result.code == 0 && strstr(result.out, "Usage: digits ") == result.out &&
                  !*result.err);
        release(result);
    }
    expect("--version", 0, "digits, compiled by ingot 0.1.0 for test\n", "");
}

Test(runtime_command, misuse_exits_with_2)
{
    enter_folder();
    expect("", 2, "", NULL);
    expect("trian", 2, "",
           "digits: unknown command \"trian\"; did you mean \"train\"?\nTry \"digits --help\".\n");
    expect("frobnicate", 2, "", "digits: unknown command \"frobnicate\"\nTry \"digits --help\".\n");
    expect("train --epoch 3", 2, "",
           "digits: unknown option \"--epoch\"; did you mean \"--epochs\"?\nTry \"digits train "
           "--help\".\n");
    expect("train --zzz", 2, "",
           "digits: unknown option \"--zzz\"\nTry \"digits train --help\".\n");
    expect("train file", 2, "",
           "digits: unexpected argument \"file\"\nTry \"digits train --help\".\n");
    expect("train --epochs", 2, "",
           "digits: --epochs needs a value: --epochs N\nTry \"digits train --help\".\n");
    expect("train --quiet=1", 2, "",
           "digits: --quiet takes no value\nTry \"digits train --help\".\n");
    expect("train --epochs x", 2, "",
           "digits: --epochs: \"x\" is not a whole number from 1 to 1000000000\nTry \"digits train "
           "--help\".\n");
    expect("train --epochs=0", 2, "", NULL);
    expect("train --seed -1", 2, "",
           "digits: --seed: \"-1\" is not a whole number from 0 to 18446744073709551615\nTry "
           "\"digits train --help\".\n");
    expect("bench --seconds 0", 2, "",
           "digits: --seconds: \"0\" is not a number above 0\nTry \"digits bench --help\".\n");
    expect("infer", 2, "",
           "digits: infer needs data: --input FILE\nTry \"digits infer --help\".\n");
}

Test(runtime_command, a_full_output_is_a_failure)
{
    enter_folder();
    cr_assert(symlink("/dev/full", "out") == 0);
    pid_t child = begin(&fake_model, "info");
    int status;
    waitpid(child, &status, 0);
    char *err = read_bytes("err", NULL);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    CHECK_TEXT(err, "digits: standard output: cannot be written: No space left on device\n");
    free(err);
}

/* --- train --------------------------------------------------------------------------------------
 */

Test(runtime_command, train_learns_and_reports)
{
    enter_with_data(500);
    Result result = run(&fake_model, "train --epochs 4 --save w.safetensors --log log.jsonl");
    cr_assert_eq(result.code, 0, "%s", result.err);
    CHECK_TEXT(result.out, "held-out accuracy 100.0 % (100 rows)\n");
    cr_assert(strstr(result.err, "epoch 4/4  loss "), "%s", result.err);
    cr_assert(strstr(result.err, "weights saved to w.safetensors\n"));
    cr_assert_null(strchr(result.err, '\r')); /* nobody watches: no bar, no colours */
    cr_assert_null(strchr(result.err, '\033'));
    release(result);
    char *log = read_bytes("log.jsonl", NULL);
    long long epoch, step;
    double loss, validation, accuracy, seconds;
    cr_assert_eq(sscanf(log,
                        "{\"epoch\":%lld,\"step\":%lld,\"loss\":%lf,\"validation_loss\":%lf,"
                        "\"accuracy\":%lf,\"seconds\":%lf}",
                        &epoch, &step, &loss, &validation, &accuracy, &seconds),
                 6, "%s", log);
    cr_assert(epoch == 1 && step == 13 && accuracy > 0.5 &&
              accuracy <= 1); /* 400 rows in batches of 32 */
    free(log);
    expect("train --epochs 4 --quiet", 0, "held-out accuracy 100.0 % (100 rows)\n", "");
    expect("evaluate --weights w.safetensors", 0, NULL, "");
    result = run(&fake_model, "evaluate --weights w.safetensors");
    cr_assert(strstr(result.out, "\naccuracy 100.00 %\nrows 100\n"), "%s", result.out);
    release(result);
}

static char *trained(const char *words, const char *file, size_t *size)
{
    char all[256];
    snprintf(all, sizeof all, "train --quiet --save %s %s", file, words);
    expect(all, 0, NULL, "");
    return read_bytes(file, size);
}

Test(runtime_command, resumed_is_bit_for_bit_what_was_never_stopped)
{
    enter_with_data(333);
    size_t size;
    char *whole = trained("--epochs 5 --seed 7 --threads 1", "a", &size), *part, *again;
    free(trained("--epochs 2 --seed 7 --threads 2", "b", NULL));
    part =
        trained("--epochs 5 --resume b --threads 2", "c", NULL); /* the seed is in the checkpoint */
    cr_assert_arr_eq(whole, part, size);
    again = trained("--epochs 5 --resume b --seed 7 --log log", "b", NULL);
    cr_assert_arr_eq(whole, again, size);
    expect("train --resume b --epochs 5", 0,
           "nothing to do: b has 5 epochs behind it; --epochs N trains on to N in all\n", "");
    expect(
        "train --resume b --epochs 9 --seed 8", 1, "",
        "digits: b: was trained with seed 7, so it cannot go on with --seed 8; leave --seed out\n");
    free(whole);
    free(part);
    free(again);
}

Test(runtime_command, fewer_rows_than_a_batch)
{
    enter_with_data(12);
    Result result =
        run(&fake_model, "train --epochs 30 --quiet"); /* 10 rows: three epochs a step */
    cr_assert_eq(result.code, 0, "%s", result.err);
    cr_assert(strstr(result.out, "(2 rows)"), "%s", result.out);
    release(result);
}

/* SIGINT lets the step finish, saves, and exits with 130; the training can go on from there. */
Test(runtime_command, interrupted_saves_and_resumes_bit_for_bit)
{
    enter_with_data(333);
    size_t size;
    long long done = 0;
    pid_t child = begin(&fake_model, "train --epochs 1000000 --threads 1 --save a");
    for (int i = 0; i < 20000 && access("a", F_OK) != 0; i++)
        usleep(1000);
    kill(child, SIGINT);
    Result result = finish(child);
    cr_assert_eq(result.code, 130, "%d: %s", result.code, result.err);
    const char *last = strstr(result.err, "digits: stopped after step ");
    cr_assert(last && sscanf(last, "digits: stopped after step %lld;", &done) == 1 && done > 0);
    cr_assert(strstr(last, "; go on with --resume a\n"));
    release(result);
    char whole[64], rest[64];
    snprintf(whole, sizeof whole, "--threads 1 --epochs %lld", done * 32 / 266 + 3);
    snprintf(rest, sizeof rest, "--threads 1 --epochs %lld --resume a", done * 32 / 266 + 3);
    char *resumed = trained(rest, "b", &size), *want = trained(whole, "c", NULL);
    cr_assert_arr_eq(want, resumed, size);
    cr_assert_eq(count_files(".part"), 0);
    free(want);
    free(resumed);
}

Test(runtime_command, train_failures)
{
    enter_with_data(100);
    char want[PATH_MAX + 200], folder[PATH_MAX];
    expect(
        "train --save none/w", 1, "",
        "digits: none/w: cannot be written: No such file or directory; create the folder first\n");
    expect("train --save w --log none/log", 1, "",
           "digits: none/log: cannot be written: No such file or directory\n");
    expect("train --resume gone", 1, "",
           "digits: gone: cannot be opened: No such file or directory\n");
    expect("train --save w --log /dev/full", 1, "", NULL);
    expect("train --data gone.csv", 1, "",
           "digits: gone.csv: cannot be opened: No such file or directory\n");
    write_text("bad.csv", "1,2,3\n");
    expect("train --data bad.csv", 1, "",
           "digits: bad.csv: has 3 columns, but \"pixels\" is read from columns 1 to 64\n");
    expect("train --data examples", 1, "",
           "digits: examples: holds no file \"digits.csv\", which the recipe names\n");
    cr_assert_eq(system("rm examples/data/digits.csv"), 0);
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[length] = '\0';
    *strrchr(folder, '/') = '\0';
    snprintf(want, sizeof want,
             "digits: examples/data/digits.csv: is neither in the current folder nor in %s; name "
             "the data with --data\n",
             folder);
    expect("train", 1, "", want);
    cr_assert_eq(count_files(".part"), 0);
    IngotModel small = fake_inference_model();
    expect_model(
        &small, "train", 1, "",
        "digits: built without \"train_step\"; build it with: ingot build MODEL.json --train\n");
}

static void diverge(const IngotCall *call, int32_t member, int32_t members)
{
    (void)members;
    if (member == 0)
        *(float *)call->outputs[0] = NAN;
}

Test(runtime_command, divergence_ends_the_training)
{
    enter_with_data(100);
    IngotFunction functions[5];
    memcpy(functions, fake_functions, sizeof functions);
    functions[3].body = diverge;
    IngotModel model = fake_model;
    model.functions = functions;
    Result result = run(&model, "train --quiet --save w");
    cr_assert_eq(result.code, 1);
    cr_assert(
        strstr(result.err, " at step 1 (epoch 1): training diverged; lower the learning rate\n"),
        "%s", result.err);
    cr_assert(access("w", F_OK) != 0);
    release(result);
}

/* --- data from elsewhere ------------------------------------------------------------------------
 */

static void write_idx(void)
{
    unsigned char images[16 + 20 * 64] = {0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 8, 0, 0, 0, 8};
    unsigned char labels[8 + 20] = {0, 0, 8, 1, 0, 0, 0, 20};
    for (int i = 0; i < 20; i++)
        labels[8 + i] = (unsigned char)(i % 10);
    write_bytes("images", images, sizeof images);
    write_bytes("labels", labels, sizeof labels);
}

Test(runtime_command, data_by_name_and_by_folder)
{
    enter_with_data(50);
    write_idx();
    expect("evaluate --data pixels=images --data label=labels", 0, NULL, NULL);
    expect("train --quiet --epochs 1 --data pixels=images --data label=labels", 0, NULL, "");
    expect("evaluate --data pixels=images", 1, "", "digits: no data is given for \"label\"\n");
    expect("evaluate --data images --data labels", 1, "",
           "digits: --data images: say which input it is for: --data NAME=FILE, where NAME is one "
           "of: pixels, label\n");
    Result result = run(&fake_model, "evaluate --data examples/data");
    cr_assert(strstr(result.out, "rows 50\n"), "%s%s", result.out, result.err);
    cr_assert(strstr(result.err, "the weights are fresh"));
    release(result);
    static const IngotColumn columns[] = {{.tensor = "pixels", .path = "data/images"},
                                          {.tensor = "label", .path = "data/labels"}};
    IngotRecipe recipe = fake_recipe;
    recipe.training =
        (IngotDataset){.columns = columns, .format = INGOT_DATA_IDX, .column_count = 2};
    IngotModel model = fake_model;
    model.recipe = &recipe;
    cr_assert_eq(
        system("mkdir files data && gzip images && mv images.gz labels data && cp data/* files"),
        0);
    expect_model(&model, "train --quiet --epochs 1", 0, NULL, ""); /* finds images.gz too */
    expect_model(&model, "train --quiet --epochs 1 --data files", 0, NULL, "");
    cr_assert_eq(system("gunzip files/images.gz"), 0);
    expect_model(&model, "train --quiet --epochs 1 --data pixels=files/images", 0, NULL, "");
}

/* --- infer --------------------------------------------------------------------------------------
 */

Test(runtime_command, infer_any_number_of_rows)
{
    enter_with_data(300);
    free(trained("--epochs 4", "w", NULL));
    char *all = NULL;                        /* the file of all rows */
    for (int rows = 20; rows >= 1; rows--) { /* cut into batches of 8 and of 1 */
        char words[128], header[64];
        snprintf(words, sizeof words, "rm -rf o; head -%d examples/data/digits.csv > some.csv",
                 rows);
        cr_assert_eq(system(words), 0);
        expect("infer --weights w --input some.csv --output o", 0, NULL, "");
        size_t size;
        char *file = read_bytes("o/probabilities.npy", &size);
        snprintf(header, sizeof header, "'shape': (%d, 10), }", rows);
        cr_assert(memmem(file, size, header, strlen(header)) && size == 128 + (size_t)rows * 40);
        all = all ? all : file;
        cr_assert_arr_eq(file + 128, all + 128, (size_t)rows * 40);
        if (file != all)
            free(file);
    }
    free(all);
}

/* A model of one batch size only: the last call is padded, the padding is not seen. */
Test(runtime_command, infer_pads_what_is_left)
{
    enter_with_data(300);
    IngotModel model = fake_model;
    IngotFunction functions[5];
    memcpy(functions, fake_functions, sizeof functions);
    functions[1] = functions[2];
    model.functions = functions;
    expect("infer --input examples/data/digits.csv --output one", 0, NULL, NULL);
    expect_model(&model, "infer --input examples/data/digits.csv --output eight", 0, NULL, NULL);
    cr_assert_eq(system("cmp one/probabilities.npy eight/probabilities.npy"), 0);
}

Test(runtime_command, infer_shows_one_row)
{
    enter_with_data(300);
    free(trained("--epochs 4", "w", NULL));
    Result result =
        run(&fake_model, "infer --weights w --input examples/data/digits.csv --row 5 --show");
    cr_assert_eq(result.code, 0, "%s", result.err);
    int lines = 0;
    for (char *c = result.out; *c; c++)
        lines += *c == '\n';
    cr_assert_eq(lines, 10, "%s", result.out); /* eight rows of pixels, two of text */
    cr_assert(strstr(result.out, "█") &&
                  strstr(result.out, "probabilities f32[1,10]\n  row 5: class 5 (0."),
              "%s", result.out);
    release(result);
    setenv("LC_ALL", "C", 1);
    result = run(&fake_model, "infer --weights w --input examples/data/digits.csv --row 5 --show");
    for (char *c = result.out; *c; c++)
        cr_assert((unsigned char)*c < 0x80);
    release(result);
}

Test(runtime_command, infer_reads_tables_with_and_without_labels)
{
    enter_with_data(40);
    cr_assert_eq(system("cut -d, -f1-64 examples/data/digits.csv > plain.csv; cut -d, -f2-10 "
                        "plain.csv > narrow.csv;"
                        "(seq -s, 1 64 | sed 's/[0-9]*/p&/g'; cat plain.csv) > heading.csv"),
                 0);
    expect("infer --input examples/data/digits.csv --output a", 0, NULL, NULL);
    expect("infer --input pixels=plain.csv --output b", 0, NULL, NULL);
    expect("infer --input heading.csv --output c", 0, NULL, NULL);
    cr_assert_eq(system("cmp a/probabilities.npy b/probabilities.npy && cmp a/probabilities.npy "
                        "c/probabilities.npy"),
                 0);
    IngotModel small = fake_inference_model();
    static float weights[FAKE_BYTES / 4];
    small.initial_state = weights;
    expect_model(&small, "infer --input plain.csv", 0, NULL, "");
    expect_model(&small, "infer --input narrow.csv", 1, "",
                 "digits: narrow.csv: has 9 columns, but \"pixels\" takes 64 numbers a row\n");
}

Test(runtime_command, infer_failures)
{
    enter_with_data(40);
    expect("infer --input gone", 1, "",
           "digits: gone: cannot be opened: No such file or directory\n");
    expect("infer --input examples/data/digits.csv --row 40", 1, "", NULL);
    expect("infer --input examples/data/digits.csv --input examples/data/digits.csv", 1, "",
           "digits: --input examples/data/digits.csv: \"pixels\" was given before\n");
    expect("infer --input examples/data/digits.csv --output none/deep", 1, "", NULL);
    expect("infer --input examples/data/digits.csv --weights examples/data/digits.csv", 1, "",
           "digits: examples/data/digits.csv: is no safetensors file\n");
    IngotModel small = fake_inference_model();
    expect_model(&small, "infer --input examples/data/digits.csv --weights gone", 1, "", NULL);
    cr_assert_eq(system("cut -d, -f1-64 examples/data/digits.csv > plain.csv"), 0);
    expect_model(&small, "infer --input plain.csv", 1, "",
                 "digits: has no weights of its own; give them with --weights FILE\n");
    small.weights_path = "digits-that-is-not-there.safetensors";
    Result result = run(&small, "infer --input plain.csv");
    cr_assert(result.code == 1 && strstr(result.err, "; give the weights with --weights FILE\n"),
              "%s", result.err);
    release(result);
}

/* --- bench, info --------------------------------------------------------------------------------
 */

Test(runtime_command, bench_measures_every_function)
{
    enter_folder();
    Result result = run(&fake_model, "bench --seconds 0.01 --threads 1");
    cr_assert(result.code == 0 && strstr(result.out, "\ntrain_step        32 "), "%s", result.out);
    release(result);
    result = run(&fake_model, "bench --seconds 0.01 --threads 2 --json");
    cr_assert(strstr(result.out,
                     "{\"model\":\"digits\",\"target\":\"test\",\"threads\":2,\"functions\":[\n") ==
              result.out);
    cr_assert(strstr(result.out, "{\"name\":\"evaluate\",\"batch\":50,") &&
              strstr(result.out, "\n]}\n"));
    release(result);
}

Test(runtime_command, info_tells_sizes_and_shapes)
{
    enter_folder();
    Result result = run(&fake_model, "info");
    cr_assert_eq(result.code, 0);
    static const char *const parts[] = {
        "name        digits\n",
        "parameters  650\n",
        "weights     fresh from the seed\n",
        "  infer, batch 8\n    in     pixels: f32[8,64]\n",
        "           label: i32[32] (0 to 9)\n",
        "    40,960 multiply-adds, 1.2 KiB of temporaries and 64 bytes a thread\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        cr_assert(strstr(result.out, parts[i]), "%s\n%s", parts[i], result.out);
    release(result);
}
