/* The command line of a standalone model: finds the command, and holds what commands share.
 *
 * Every command is one file, command_NAME.c. Results go to stdout; progress, notes and errors to
 * stderr. Exit codes: 0 done, 1 failed, 2 misused, 128 + n stopped by signal n. */
#include "runtime/system.h"

#include "runtime/command.h"

#include "runtime/checkpoint.h"
#include "runtime/clock.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_COMMANDS = 16 };

static void print_help(const Command *command, FILE *to)
{
    fprintf(to,
            "%s: a neural network compiled by %s for %s\n\nUsage: %s COMMAND "
            "[OPTION]...\n\nCommands:\n",
            command->model->name, command->model->compiler, command->model->target,
            command->program);
    for (const CommandRow *row = command->rows; row->name; row++)
        if (row->run)
            fprintf(to, "  %-10s %s\n", row->name, row->help);
    fprintf(to, "\n\"%s COMMAND --help\" lists the options of a command.\n", command->program);
}

int command_failed(Command *command)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", command->model->name, command->failure.text);
    return EXIT_FAILED;
}

int command_misused(Command *command)
{
    command_failed(command);
    fprintf(stderr, "Try \"%s%s%s --help\".\n", command->program, command->name ? " " : "",
            command->name ? command->name : "");
    return EXIT_USAGE;
}

int command_help(const Command *command, const char *usage, const char *what, const Option *table)
{
    printf("Usage: %s %s %s\n\n%s\n", command->program, command->name, usage, what);
    options_print_help(table);
    return 0;
}

bool command_has(Command *command, const char *function)
{
    if (ingot_find_function(command->model, function, 0) >= 0)
        return true;
    return ingot_fail(&command->failure,
                      "built without \"%s\"; build it with: ingot build MODEL.json --train",
                      function);
}

double command_seconds(void)
{
    return 1e-9 * (double)clock_nanoseconds();
}

const char *command_number(int64_t number, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)number), used = 0;
    for (int i = 0; i < length; i++) {
        if (i > (number < 0) && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

const char *command_bytes(int64_t bytes, char text[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024 && unit < 4; unit++)
        size /= 1024;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return text;
}

/* Where the program's file is; "." when nobody says. */
static void find_folder(Command *command, const char *argument)
{
    char *folder = command->folder;
    ssize_t length = readlink("/proc/self/exe", folder, sizeof command->folder - 1);
    if (length <= 0) {
        length = (ssize_t)strlen(argument);
        length = length < (ssize_t)sizeof command->folder ? length : 0;
        memcpy(folder, argument, (size_t)length);
    }
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    else
        strcpy(folder, ".");
}

bool command_find_file(const char *folder, const char *path, char found[PATH_MAX])
{
    int length = folder ? snprintf(found, PATH_MAX, "%s/%s", folder, path)
                        : snprintf(found, PATH_MAX, "%s", path);
    if (length >= PATH_MAX - 3)
        return false;
    if (access(found, F_OK) == 0)
        return true;
    if (length > 3 && strcmp(found + length - 3, ".gz") == 0)
        found[length - 3] = '\0';
    else
        strcpy(found + length, ".gz");
    return access(found, F_OK) == 0;
}

/* The file of --weights=beside. Its absence is a failure only for a model that cannot initialise
 * itself. */
static bool load_beside(Command *command, IngotInstance *instance, bool *fresh)
{
    char path[PATH_MAX];
    const IngotModel *model = command->model;
    if (snprintf(path, sizeof path, "%s/%s", command->folder, model->weights_path) >=
        (int)sizeof path)
        return ingot_fail(&command->failure, "%s: the path is too long", model->weights_path);
    if (access(path, F_OK) != 0 && errno == ENOENT &&
        ingot_find_function(model, "initialize", 0) >= 0)
        return true;
    *fresh = false;
    if (ingot_checkpoint_read(instance, path, true, NULL) == INGOT_OK)
        return true;
    return ingot_fail(&command->failure, "%s; give the weights with --weights FILE",
                      ingot_last_error(instance));
}

static bool load_weights(Command *command, IngotInstance *instance, const char *weights,
                         bool *fresh)
{
    const IngotModel *model = command->model;
    *fresh = !model->initial_state && model->state_count > 0;
    if (weights && !model->state_count && model->parameter_count)
        return ingot_fail(&command->failure,
                          "has its weights inside for good: it was built with --freeze");
    if (weights) {
        *fresh = false;
        return ingot_checkpoint_read(instance, weights, true, NULL) == INGOT_OK ||
               ingot_fail(&command->failure, "%s", ingot_last_error(instance));
    }
    if (!model->initial_state && model->weights_path)
        return load_beside(command, instance, fresh);
    if (*fresh && model->state_count && ingot_find_function(model, "initialize", 0) < 0)
        return ingot_fail(&command->failure,
                          "has no weights of its own; give them with --weights FILE");
    return true;
}

IngotInstance *command_open(Command *command, int64_t threads, const char *weights, bool *fresh)
{
    int32_t code;
    char size[32];
    IngotOptions options = {.threads = (int32_t)threads};
    IngotInstance *instance = ingot_create(command->model, &options, &code);
    if (!instance && code == INGOT_NO_MEMORY) {
        uint64_t bytes = ingot_memory_bytes(command->model, options.threads);
        ingot_fail(&command->failure, "needs %s of memory, more than there is",
                   command_bytes(bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes, size));
    } else if (!instance) {
        ingot_fail(&command->failure,
                   "was built for another version of its runtime; build it again");
    }
    if (!instance || load_weights(command, instance, weights, fresh))
        return instance;
    ingot_destroy(instance);
    return NULL;
}

static int unknown_command(Command *command, const char *word)
{
    const char *names[MOST_COMMANDS];
    int count = 0;
    for (const CommandRow *row = command->rows; row->name && count < MOST_COMMANDS; row++)
        names[count++] = row->name;
    const char *nearest = options_nearest(word, names, count);
    const char *kind = word[0] == '-' ? "option" : "command";
    if (nearest)
        ingot_fail(&command->failure, "unknown %s \"%s\"; did you mean \"%s\"?", kind, word,
                   nearest);
    else
        ingot_fail(&command->failure, "unknown %s \"%s\"", kind, word);
    return command_misused(command);
}

static int dispatch(Command *command, int argc, char **argv)
{
    if (argc < 2) {
        print_help(command, stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(command, stdout);
        return 0;
    }
    if (strcmp(word, "--version") == 0) {
        printf("%s, compiled by %s for %s\n", command->model->name, command->model->compiler,
               command->model->target);
        return 0;
    }
    for (const CommandRow *row = command->rows; row->name; row++) {
        if (strcmp(word, row->name) != 0)
            continue;
        command->name = row->name;
        command->argc = argc - 2;
        command->argv = argv + 2;
        if (row->run)
            return row->run(command);
        command_has(command, row->needs);
        return command_failed(command);
    }
    return unknown_command(command, word);
}

int ingot_main(const IngotModel *model, const CommandRow *rows, int argc, char **argv)
{
    Command command = {.model = model, .rows = rows, .program = argc ? argv[0] : model->name};
    find_folder(&command, command.program);
#ifdef SIGXFSZ
    signal(SIGXFSZ,
           SIG_IGN); /* a file at its size limit is an error to report, not a reason to die */
#endif
    int code = dispatch(&command, argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
        ingot_fail(&command.failure, "standard output: cannot be written: %s", strerror(errno));
        return command_failed(&command);
    }
    return code;
}
