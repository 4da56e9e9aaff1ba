/* The command line of `ingot`; see options.h. A new option is a row of `rows` and, unless one of
 * the setters there are fits, a setter. */
#include "driver/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct OptionRow {
    const char *name;
    const char *value; /* what stands for its value in the help; NULL: it takes none */
    unsigned commands; /* that know it */
    bool (*set)(Options *options, const char *name, const char *value);
    const char *help;
} OptionRow;

typedef struct CommandRow {
    const char *name;
    Command command;
    const char *operand, *help;
} CommandRow;

static const CommandRow commands[] = {
    {"build", COMMAND_BUILD, "MODEL", "make a native program or library of a model"},
    {"inspect", COMMAND_INSPECT, "MODEL", "layers, shapes, parameters, multiply-adds and memory"},
    {"check", COMMAND_CHECK, "MODEL", "build, run, and compare with the evaluator"},
    {"profile", COMMAND_PROFILE, "MODEL", "build, run, and print where the time goes"},
    {"help", COMMAND_HELP, "[COMMAND]", "this text, or that of one command"},
};

enum { COMMAND_COUNT = (int)(sizeof commands / sizeof commands[0]) };

/* --- setters --- */

typedef struct Choice {
    const char *name;
    int value;
} Choice;

/* Finds `word` among `choices`; an error that lists them otherwise. */
static bool choose(Diag *diag, const char *option, const char *word, const Choice *choices,
                   int count, int *value)
{
    const char *names[16], *known = "";
    for (int i = 0; i < count; i++) {
        names[i] = choices[i].name;
        known = arena_print(diag->arena, "%s%s%s", known, i ? ", " : "", names[i]);
        if (strcmp(word, names[i]) == 0) {
            *value = choices[i].value;
            return true;
        }
    }
    const char *near = nearest_name(word, names, count);
    return diag_error(diag, option, "\"%s\" is none of %s%s%s%s", word, known,
                      near ? "; did you mean \"" : "", near ? near : "", near ? "\"" : "");
}

static bool set_output(Options *options, const char *name, const char *value)
{
    if (!value[0])
        return diag_error(options->diag, name, "the name of the output is empty");
    options->output = value;
    return true;
}

enum { CHOOSE_GRAPH = 100, CHOOSE_NEST };

static bool set_emit(Options *options, const char *name, const char *value)
{
    static const Choice choices[] = {
        {"exe", EMIT_EXECUTABLE}, {"shared", EMIT_SHARED}, {"static", EMIT_STATIC},
        {"object", EMIT_OBJECT},  {"graph", CHOOSE_GRAPH}, {"nest", CHOOSE_NEST},
        {"llvm", EMIT_LLVM},      {"asm", EMIT_ASSEMBLY},
    };
    int chosen;
    if (!choose(options->diag, name, value, choices, (int)(sizeof choices / sizeof *choices),
                &chosen))
        return false;
    if (chosen == CHOOSE_GRAPH)
        options->stop = STOP_AT_GRAPH;
    else if (chosen == CHOOSE_NEST)
        options->stop = STOP_AT_NEST;
    else
        options->emit = (EmitKind)chosen;
    return true;
}

static bool set_threads(Options *options, const char *name, const char *value)
{
    static const Choice choices[] = {
        {"pthreads", THREADS_PTHREADS},
        {"openmp", THREADS_OPENMP},
        {"none", THREADS_NONE},
        {"host", THREADS_HOST},
    };
    int chosen;
    if (!choose(options->diag, name, value, choices, 4, &chosen))
        return false;
    options->threads = (ThreadKind)chosen;
    return true;
}

static bool set_weights(Options *options, const char *name, const char *value)
{
    static const Choice choices[] = {{"embed", 0}, {"beside", 1}};
    int chosen;
    if (!choose(options->diag, name, value, choices, 2, &chosen))
        return false;
    options->weights_beside = chosen == 1;
    return true;
}

/* A whole number from `low` to `high`, which ends at `*end`. */
static bool read_number(Diag *diag, const char *option, const char *text, const char *end,
                        int64_t low, int64_t high, int64_t *number)
{
    char *stop;
    errno = 0;
    long long value = strtoll(text, &stop, 10);
    bool digits = text[0] >= '0' && text[0] <= '9';
    if (!digits || stop != end)
        return diag_error(diag, option, "\"%.*s\" is not a whole number", (int)(end - text), text);
    if (errno || value < low || value > high)
        return diag_error(diag, option, "%.*s is not between %lld and %lld", (int)(end - text),
                          text, (long long)low, (long long)high);
    *number = value;
    return true;
}

enum { LARGEST_BATCH = 1 << 20 };

/* Keeps the list ascending, and each batch once. */
static bool add_batch(Options *options, const char *name, int64_t batch)
{
    int place = options->batch_count;
    while (place > 0 && options->batches[place - 1] > batch)
        place--;
    if (place > 0 && options->batches[place - 1] == batch)
        return true;
    if (options->batch_count == BATCH_LIMIT)
        return diag_error(options->diag, name, "more than %d batch sizes", BATCH_LIMIT);
    memmove(options->batches + place + 1, options->batches + place,
            (size_t)(options->batch_count - place) * sizeof options->batches[0]);
    options->batches[place] = batch;
    options->batch_count++;
    return true;
}

static bool set_batch(Options *options, const char *name, const char *value)
{
    options->batch_count = 0;
    options->batches_given = true;
    for (const char *text = value;; text++) {
        const char *end = text + strcspn(text, ",");
        int64_t batch;
        if (!read_number(options->diag, name, text, end, 1, LARGEST_BATCH, &batch) ||
            !add_batch(options, name, batch))
            return false;
        text = end;
        if (!*text)
            return true;
    }
}

static bool set_train_batch(Options *options, const char *name, const char *value)
{
    return read_number(options->diag, name, value, value + strlen(value), 1, LARGEST_BATCH,
                       &options->train_batch);
}

/* NAME=VALUE, of which NAME goes to *key and VALUE is returned; NULL and an error otherwise. The
 * last = counts: names of tensors may hold others. */
static const char *split_binding(Options *options, const char *name, const char *value,
                                 const char *example, const char **key)
{
    const char *equals = strrchr(value, '=');
    if (!equals || equals == value || !equals[1]) {
        diag_error(options->diag, name, "\"%s\" is not of the form %s", value, example);
        return NULL;
    }
    *key = arena_copy_bytes(options->arena, value, (size_t)(equals - value));
    return equals + 1;
}

static bool bindings_full(Options *options, const char *name, int count)
{
    return count == BINDING_LIMIT &&
           !diag_error(options->diag, name, "is given more than %d times", BINDING_LIMIT);
}

static bool set_shape(Options *options, const char *name, const char *value)
{
    Bindings *b = options->bindings;
    ShapeBinding *shape = &b->shapes[b->shape_count];
    if (bindings_full(options, name, b->shape_count))
        return false;
    const char *text = split_binding(options, name, value, "NAME=1x3x320x320", &shape->name);
    if (!text)
        return false;
    for (bool scalar = strcmp(text, "[]") == 0; !scalar; text++) {
        const char *end = text + strcspn(text, "x,");
        if (shape->rank == RANK_LIMIT)
            return diag_error(options->diag, name, "%d axes are the most", RANK_LIMIT);
        if (!read_number(options->diag, name, text, end, 0, ELEMENT_LIMIT,
                         &shape->dims[shape->rank++]))
            return false;
        text = end;
        if (!*text)
            break;
    }
    b->shape_count++;
    return true;
}

static bool set_dim(Options *options, const char *name, const char *value)
{
    Bindings *b = options->bindings;
    DimBinding *dim = &b->dims[b->dim_count];
    if (bindings_full(options, name, b->dim_count))
        return false;
    const char *text = split_binding(options, name, value, "NAME=8 or NAME=1,8,32", &dim->name);
    if (!text)
        return false;
    for (;; text++) {
        const char *end = text + strcspn(text, ",");
        int64_t number;
        if (!read_number(options->diag, name, text, end, 1, ELEMENT_LIMIT, &number))
            return false;
        if (dim->count > 0 && number <= dim->values[dim->count - 1])
            return diag_error(options->diag, name, "%s: sizes must rise", dim->name);
        if (dim->count == BINDING_CHOICES)
            return diag_error(options->diag, name, "%s: more than %d sizes", dim->name,
                              BINDING_CHOICES);
        dim->values[dim->count++] = number;
        text = end;
        if (!*text)
            break;
    }
    b->dim_count++;
    return true;
}

static bool set_constant(Options *options, const char *name, const char *value)
{
    Bindings *b = options->bindings;
    if (bindings_full(options, name, b->constant_count))
        return false;
    ConstBinding *constant = &b->constants[b->constant_count];
    if (options->command == COMMAND_CHECK && !strchr(value, '=')) { /* as --inputs has it */
        constant->name = value;
    } else {
        constant->path = split_binding(options, name, value, "NAME=FILE", &constant->name);
        if (!constant->path)
            return false;
    }
    b->constant_count++;
    return true;
}

static bool set_samples(Options *options, const char *name, const char *value)
{
    (void)name;
    options->bindings->samples = value;
    return true;
}

static bool set_gradients(Options *options, const char *name, const char *value)
{
    (void)name, (void)value;
    options->gradients = true;
    return true;
}

static bool set_jobs(Options *options, const char *name, const char *value)
{
    int64_t jobs;
    if (!read_number(options->diag, name, value, value + strlen(value), 1, 1024, &jobs))
        return false;
    options->jobs = (int)jobs;
    return true;
}

static bool set_seed(Options *options, const char *name, const char *value)
{
    int64_t seed;
    if (!read_number(options->diag, name, value, value + strlen(value), 0, INT64_MAX, &seed))
        return false;
    options->seed = (uint64_t)seed;
    return true;
}

static bool set_train(Options *options, const char *name, const char *value)
{
    (void)name, (void)value;
    options->train = true;
    return true;
}

static bool set_freeze(Options *options, const char *name, const char *value)
{
    (void)name, (void)value;
    options->freeze = true;
    return true;
}

static bool set_winograd(Options *options, const char *name, const char *value)
{
    static const Choice choices[] = {{"auto", 0}, {"no", 1}};
    int chosen;
    if (!choose(options->diag, name, value, choices, 2, &chosen))
        return false;
    options->direct_convolutions = chosen == 1;
    return true;
}

static bool set_static(Options *options, const char *name, const char *value)
{
    (void)name, (void)value;
    options->static_libc = true;
    return true;
}

static bool set_triple(Options *options, const char *name, const char *value)
{
    (void)name;
    options->triple = value;
    return true;
}

static bool set_cpu(Options *options, const char *name, const char *value)
{
    (void)name;
    options->cpu = value;
    return true;
}

static bool set_print_after(Options *options, const char *name, const char *value)
{
    (void)name;
    options->print_after = value;
    return true;
}

static bool set_stop_after(Options *options, const char *name, const char *value)
{
    (void)name;
    options->stop_after = value;
    return true;
}

static bool set_time_passes(Options *options, const char *name, const char *value)
{
    (void)name, (void)value;
    options->time_passes = true;
    return true;
}

static bool set_profile(Options *options, const char *name, const char *value)
{
    (void)name, (void)value;
    options->profile = true;
    return true;
}

static bool set_function(Options *options, const char *name, const char *value)
{
    (void)name;
    options->function = value;
    return true;
}

static bool set_thread_count(Options *options, const char *name, const char *value)
{
    int64_t count;
    options->thread_count = value;
    return read_number(options->diag, name, value, value + strlen(value), 0, 1024, &count);
}

static bool set_seconds(Options *options, const char *name, const char *value)
{
    char *end;
    double seconds = strtod(value, &end);
    options->seconds = value;
    if (*value && !*end && isfinite(seconds) && seconds > 0)
        return true;
    return diag_error(options->diag, name, "\"%s\" is not a number above 0", value);
}

static bool set_json(Options *options, const char *name, const char *value)
{
    (void)name, (void)value;
    options->json = true;
    return true;
}

enum {
    COMPARING_COMMANDS = COMMAND_BUILD | COMMAND_INSPECT | COMMAND_CHECK,
    ALL_COMMANDS = COMPARING_COMMANDS | COMMAND_PROFILE
};

// clang-format off
static const OptionRow rows[] = {
    {"-o", "OUT", COMMAND_BUILD, set_output,
     "write to OUT; the model's name otherwise, or standard output for text; \"-\" is standard output"},
    {"--emit", "KIND", COMMAND_BUILD, set_emit,
     "exe (default), shared, static or object: with a C header beside them; graph, nest, llvm or asm: text"},
    {"--train", NULL, ALL_COMMANDS, set_train,
     "with backward pass and optimizer, so that it can be trained"},
    {"--target", "TRIPLE", ALL_COMMANDS, set_triple,
     "x86_64-linux-gnu, aarch64-linux-gnu or arm-linux-gnueabihf; this machine otherwise"},
    {"--cpu", "NAME", ALL_COMMANDS, set_cpu,
     "the processor, such as x86-64-v3 or cortex-a53; otherwise this machine's, or with --target its usual one"},
    {"--batch", "N[,N…]", ALL_COMMANDS, set_batch,
     "rows of data in one call of infer; 1 otherwise; several make several functions"},
    {"--train-batch", "N", ALL_COMMANDS, set_train_batch,
     "rows of data in one step of training; what the model says otherwise (check: 8)"},
    {"--shape", "NAME=AxB", ALL_COMMANDS, set_shape,
     "shape of an input that an ONNX model leaves open; once for each, \"[]\" for no axes"},
    {"--dim", "NAME=N[,N…]", ALL_COMMANDS, set_dim,
     "size of a dimension that an ONNX model leaves open; several make several functions"},
    {"--const", "NAME=FILE", ALL_COMMANDS, set_constant,
     "an input of an ONNX model that always has this value: .npy, or a tensor as .pb; check: without =FILE that of --inputs"},
    {"--inputs", "DIR", COMMAND_CHECK, set_samples,
     "run an ONNX model on the tensors in_NAME.npy or input_N.pb of this folder, and compare with its out_NAME.npy or output_N.pb"},
    {"--gradients", NULL, COMMAND_CHECK, set_gradients,
     "with the gradients of the outputs by the inputs, which are compared with central differences, too"},
    {"--threads", "WAY", COMPARING_COMMANDS, set_threads,
     "pthreads (default), openmp, none, or host: the threads of the program that loads the library"},
    {"--weights", "WHERE", COMMAND_BUILD, set_weights,
     "embed (default) or beside: in OUT.safetensors, which the program reads when it starts"},
    {"--freeze", NULL, ALL_COMMANDS, set_freeze,
     "weights become constants of the code: faster, and nothing can replace them"},
    {"--winograd", "WHEN", ALL_COMMANDS, set_winograd,
     "auto (default) or no: convolutions of 3x3 and 5x5 taps with fewer multiplications, which rounds differently"},
    {"--static", NULL, COMMAND_BUILD, set_static,
     "with the C library inside: runs on any Linux kernel of the target"},
    {"--profile", NULL, COMMAND_BUILD, set_profile,
     "able to measure itself: a program gets the command profile, a library functions for it"},
    {"--function", "NAME", COMMAND_PROFILE, set_function,
     "infer (default), train_step, evaluate or initialize"},
    {"--threads", "N", COMMAND_PROFILE, set_thread_count,
     "threads to use; 0 and otherwise one for each processor"},
    {"--seconds", "S", COMMAND_PROFILE, set_seconds,
     "time to spend on measuring; 1 otherwise"},
    {"--json", NULL, COMMAND_PROFILE, set_json,
     "print one JSON object instead of a table"},
    {"--seed", "N", COMMAND_CHECK, set_seed,
     "of the random inputs and weights; 1 otherwise"},
    {"--jobs", "N", ALL_COMMANDS, set_jobs,
     "kernels compiled at the same time; one for each processor otherwise"},
    {"--print-after", "PASS", COMMAND_BUILD, set_print_after,
     "print the program to standard error after this pass"},
    {"--stop-after", "PASS", COMMAND_BUILD, set_stop_after,
     "stop after this pass and write the program as it is then"},
    {"--time-passes", NULL, COMMAND_BUILD, set_time_passes,
     "print how long each pass took to standard error"},
};
// clang-format on

enum { ROW_COUNT = (int)(sizeof rows / sizeof rows[0]) };

/* --- reading --- */

static const char *suggestion(Diag *diag, const char *word, const char *const *names, int count)
{
    const char *near = nearest_name(word, names, count);
    return near ? arena_print(diag->arena, ", did you mean \"%s\"", near) : "";
}

static bool find_command(Options *options, const char *word, Command *command)
{
    const char *names[COMMAND_COUNT];
    for (int i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
        if (strcmp(word, names[i]) == 0) {
            *command = commands[i].command;
            return true;
        }
    }
    static const char *const switches[] = {"--help", "--version"};
    bool dashed = word[0] == '-';
    return diag_error(options->diag, "ingot", "unknown %s \"%s\"%s; see \"ingot help\"",
                      dashed ? "option" : "command", word,
                      dashed ? suggestion(options->diag, word, switches, 2)
                             : suggestion(options->diag, word, names, COMMAND_COUNT));
}

static const char *command_name(Command command)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].command == command)
            return commands[i].name;
    return "help";
}

/* The row of a word such as "--emit" or "--emit=exe"; NULL and an error otherwise. */
static const OptionRow *find_row(Options *options, const char *word)
{
    size_t length = strcspn(word, "=");
    const char *names[ROW_COUNT];
    for (int i = 0; i < ROW_COUNT; i++) {
        bool known = (rows[i].commands & (unsigned)options->command) != 0;
        names[i] = known && rows[i].name[1] == '-' ? rows[i].name : NULL;
        if (known && strlen(rows[i].name) == length && strncmp(word, rows[i].name, length) == 0)
            return &rows[i];
    }
    const char *name = arena_copy_bytes(options->arena, word, length);
    diag_error(options->diag, "ingot", "unknown option \"%s\"%s; see \"ingot help %s\"", name,
               suggestion(options->diag, name, names, ROW_COUNT), command_name(options->command));
    return NULL;
}

/* Reads the option at words[*at] and, where it stands in the next word, its value. */
static bool read_option(Options *options, int count, char **words, int *at)
{
    const OptionRow *row = find_row(options, words[*at]);
    if (!row)
        return false;
    const char *equals = strchr(words[*at], '=');
    if (!row->value && equals)
        return diag_error(options->diag, row->name, "takes no value");
    if (!row->value)
        return row->set(options, row->name, NULL);
    if (equals)
        return row->set(options, row->name, equals + 1);
    if (*at + 1 >= count)
        return diag_error(options->diag, row->name, "needs a value: %s %s", row->name, row->value);
    *at += 1;
    return row->set(options, row->name, words[*at]);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool is_onnx(const char *path)
{
    size_t length = strlen(path);
    return length > 5 && strcmp(path + length - 5, ".onnx") == 0;
}

/* Two files are an ONNX model and the recipe by which to train it. */
static bool read_words(Options *options, int count, char **words)
{
    for (int i = 0; i < count; i++) {
        if (asks_for_help(words[i])) {
            options->help_about = options->command;
            options->command = COMMAND_HELP;
            return true;
        }
        if (words[i][0] == '-' && words[i][1]) {
            if (!read_option(options, count, words, &i))
                return false;
        } else if (options->model && !options->recipe &&
                   is_onnx(options->model) != is_onnx(words[i])) {
            options->recipe = is_onnx(words[i]) ? options->model : words[i];
            options->model = is_onnx(words[i]) ? words[i] : options->model;
        } else if (options->model) {
            return diag_error(options->diag, "ingot", "one model at a time: \"%s\" is one too many",
                              words[i]);
        } else {
            options->model = words[i];
        }
    }
    if (!options->model)
        return diag_error(options->diag, "ingot", "no model is named; see \"ingot help %s\"",
                          command_name(options->command));
    return true;
}

static bool read_help(Options *options, int count, char **words)
{
    if (count > 1)
        return diag_error(options->diag, "ingot", "help is about one command at a time");
    return count == 0 || find_command(options, words[0], &options->help_about);
}

/* What one option says must fit the others. */
static bool check_together(Options *options)
{
    bool text = options->stop != STOP_AT_CODE || options->emit == EMIT_LLVM ||
                options->emit == EMIT_ASSEMBLY || options->stop_after;
    if (options->output && strcmp(options->output, "-") == 0 && !text)
        return diag_error(options->diag, "-o", "only text is written to standard output");
    if (options->freeze && options->train)
        return diag_error(options->diag, "--freeze",
                          "what is frozen cannot be trained: not with --train");
    if (options->freeze && options->weights_beside)
        return diag_error(options->diag, "--freeze",
                          "what is frozen lies in the program: not with --weights=beside");
    if (options->command == COMMAND_PROFILE && options->batch_count > 1)
        return diag_error(options->diag, "--batch", "one batch size is measured at a time");
    if (options->static_libc && (options->emit != EMIT_EXECUTABLE || text))
        return diag_error(options->diag, "--static", "is for programs: --emit=exe");
    return true;
}

bool options_read(Options *options, int count, char **words)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    options->jobs = processors > 0 ? (int)processors : 1;
    options->bindings = ARENA_NEW(options->arena, Bindings);
    options->batches[0] = 1;
    options->batch_count = 1;
    options->seed = 1;
    if (count == 0)
        return diag_error(options->diag, "ingot", "no command is given; see \"ingot help\"");
    if (asks_for_help(words[0])) {
        options->command = COMMAND_HELP;
        return true;
    }
    if (strcmp(words[0], "--version") == 0) {
        options->command = COMMAND_VERSION;
        return true;
    }
    if (!find_command(options, words[0], &options->command))
        return false;
    if (options->command == COMMAND_HELP)
        return read_help(options, count - 1, words + 1);
    if (!read_words(options, count - 1, words + 1))
        return false;
    if (options->command == COMMAND_HELP)
        return true;
    return check_together(options) &&
           target_find(options->diag, options->triple, options->cpu, &options->target);
}

/* --- help --- */

enum { HELP_INDENT = 28, HELP_WIDTH = 80 };

/* Characters on the screen of UTF-8 text. */
static int text_width(const char *text, size_t length)
{
    int width = 0;
    for (size_t i = 0; i < length; i++)
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

/* `head`, then `text` wrapped into the column behind it. */
static void print_wrapped(FILE *stream, const char *head, const char *text)
{
    int column = fprintf(stream, "  %s", head) - (int)strlen(head) + text_width(head, strlen(head));
    if (column >= HELP_INDENT) {
        fputc('\n', stream);
        column = 0;
    }
    fprintf(stream, "%*s", HELP_INDENT - column, "");
    column = HELP_INDENT;
    while (*text) {
        size_t length = strcspn(text, " ");
        int width = text_width(text, length);
        if (column > HELP_INDENT && column + 1 + width > HELP_WIDTH) {
            fprintf(stream, "\n%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else if (column > HELP_INDENT) {
            fputc(' ', stream);
            column++;
        }
        fwrite(text, 1, length, stream);
        column += width;
        text += length + (text[length] == ' ');
    }
    fputc('\n', stream);
}

static void print_overview(FILE *stream)
{
    fputs("Compiles neural networks ahead of time into native programs that infer and train.\n\n",
          stream);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        char head[80];
        snprintf(head, sizeof head, "ingot %s %s", commands[i].name, commands[i].operand);
        print_wrapped(stream, head, commands[i].help);
    }
    print_wrapped(stream, "ingot --version", "the version of this program and of LLVM");
    fputs("\n\"ingot help COMMAND\" lists the options of a command.\n"
          "Exit codes: 0 done, 1 an error in the model or a difference found, 2 wrong usage or a "
          "bug.\n",
          stream);
}

static void print_command(FILE *stream, const CommandRow *command)
{
    fprintf(stream, "usage: ingot %s %s%s\n\n%c%s.\n", command->name, command->operand,
            command->command == COMMAND_HELP ? "" : " [options]", command->help[0] - 'a' + 'A',
            command->help + 1);
    bool first = true;
    for (int i = 0; i < ROW_COUNT; i++) {
        if (!(rows[i].commands & (unsigned)command->command))
            continue;
        if (first)
            fputc('\n', stream);
        first = false;
        char head[80];
        const char *joint = rows[i].name[1] == '-' ? "=" : " ";
        snprintf(head, sizeof head, "%s%s%s", rows[i].name, rows[i].value ? joint : "",
                 rows[i].value ? rows[i].value : "");
        print_wrapped(stream, head, rows[i].help);
    }
}

void options_help(FILE *stream, Command about)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].command == about) {
            print_command(stream, &commands[i]);
            return;
        }
    print_overview(stream);
}
