/* `train`: options, data, weights, and the report at the end. The loop itself is training.c. */
#include "runtime/system.h"

#include "runtime/atomic_file.h"
#include "runtime/checkpoint.h"
#include "runtime/source.h"
#include "runtime/training.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const Option table[] = {
    {"--data", "[NAME=]FILE", "training data instead of the recipe's, or a folder that holds it"},
    {"--validation", "[NAME=]FILE", "held-out data instead of the recipe's"},
    {"--epochs", "N", "epochs in all, those of a resumed training included"},
    {"--seed", "N", "seed of the first weights and of the order of rows"},
    {"--threads", "N", "threads to use (0: one for each processor)"},
    {"--save", "F.safetensors", "keep the weights there, after every epoch (and second)"},
    {"--resume", "F.safetensors", "go on from a checkpoint, bit for bit"},
    {"--log", "F.jsonl", "one line of JSON an epoch"},
    {"--quiet", NULL, "no progress, only the result"},
    {NULL, NULL, NULL},
};
enum { DATA, VALIDATION, EPOCHS, SEED, THREADS, SAVE, RESUME, LOG, QUIET };

typedef struct Request {
    DataArguments data, validation;
    int64_t epochs; /* 0: the recipe's */
    int64_t threads;
    uint64_t seed;
    bool seed_given, quiet;
    const char *save, *resume, *log;
} Request;

/* What a training holds open. */
typedef struct Resources {
    Source source, validation_source;
    Dataset data, validation;
} Resources;

static bool apply_option(Options *options, int which, Request *request)
{
    switch (which) {
    case DATA:
        return source_add_argument(&request->data, options->value, options->failure);
    case VALIDATION:
        return source_add_argument(&request->validation, options->value, options->failure);
    case EPOCHS:
        return options_whole(options, 1, 1000000000, &request->epochs);
    case SEED:
        request->seed_given = true;
        return options_seed(options, &request->seed);
    case THREADS:
        return options_whole(options, 0, 1024, &request->threads);
    case SAVE:
        request->save = options->value;
        return true;
    case RESUME:
        request->resume = options->value;
        return true;
    case LOG:
        request->log = options->value;
        return true;
    default:
        request->quiet = true;
        return true;
    }
}

static int read_options(Command *command, Request *request)
{
    Options options = {
        .table = table, .argc = command->argc, .argv = command->argv, .failure = &command->failure};
    int which;
    while ((which = options_next(&options)) >= 0)
        if (!apply_option(&options, which, request))
            return OPTIONS_BAD;
    return which;
}

/* Held-out rows in files of their own: the option's, the recipe's, or the recipe's names in the
 * folder that --data names. */
static bool open_validation(Training *training, Resources *resources, const Request *request,
                            const IngotRecipe *recipe)
{
    Command *command = training->command;
    bool given = request->validation.count > 0;
    const IngotFunction *function = &command->model->functions[training->function];
    if (recipe->validation.format == INGOT_DATA_NONE && !given) {
        training->validation = training->data;
        training->validation_rows = training->split.held_count;
        return true;
    }
    const DataArguments *arguments = &request->validation;
    const IngotDataset *dataset = &recipe->validation;
    if (!given && request->data.count == 1 && source_is_folder(request->data.values[0]))
        arguments = &request->data;
    if (dataset->format == INGOT_DATA_NONE)
        dataset = &recipe->training;
    if (!source_resolve(&resources->validation_source, command, dataset, arguments,
                        function->inputs, function->input_count) ||
        !dataset_open(&resources->validation, &resources->validation_source.dataset,
                      function->inputs, function->input_count, &command->failure))
        return false;
    training->validation = &resources->validation;
    training->validation_rows = resources->validation.rows;
    return true;
}

static bool open_data(Training *training, Resources *resources, const Request *request)
{
    Command *command = training->command;
    const IngotRecipe *recipe = command->model->recipe;
    const IngotFunction *function = &command->model->functions[training->function];
    if (recipe->training.format == INGOT_DATA_NONE && request->data.count == 0)
        return ingot_fail(&command->failure,
                          "the recipe names no data; name it with --data NAME=FILE");
    if (!source_resolve(&resources->source, command, &recipe->training, &request->data,
                        function->inputs, function->input_count) ||
        !dataset_open(&resources->data, &resources->source.dataset, function->inputs,
                      function->input_count, &command->failure))
        return false;
    IngotRecipe split =
        *recipe; /* held-out data of its own, by option too, leaves all rows for training */
    if (request->validation.count)
        split.validation_part = 0;
    if (!held_out_split(&training->split, &split, resources->data.rows, &command->failure))
        return false;
    training->data = &resources->data;
    if (ingot_find_function(command->model, "evaluate", 0) < 0)
        return true;
    return open_validation(training, resources, request, recipe);
}

/* The number of steps that the state has behind it; NULL when the model does not count them. */
static const int64_t *find_step(const Training *training)
{
    const IngotModel *model = training->command->model;
    for (int32_t i = 0; i < model->state_count; i++)
        if (strcmp(model->states[i].name, "step") == 0 && model->states[i].type == INGOT_I64)
            return ingot_state(training->instance, i);
    return NULL;
}

static bool resume(Training *training, const Request *request)
{
    Command *command = training->command;
    CheckpointNotes notes;
    if (ingot_checkpoint_read(training->instance, request->resume, false, &notes) != INGOT_OK)
        return ingot_fail(&command->failure, "%s", ingot_last_error(training->instance));
    if (notes.has_seed && request->seed_given && notes.seed != request->seed)
        return ingot_fail(
            &command->failure,
            "%s: was trained with seed %llu, so it cannot go on with --seed %llu; leave --seed out",
            request->resume, (unsigned long long)notes.seed, (unsigned long long)request->seed);
    if (notes.has_seed)
        training->seed = notes.seed;
    return true;
}

/* Weights to start from: the checkpoint's; or else the program's own, fresh from the seed where it
 * has none. */
static bool open_instance(Training *training, const Request *request)
{
    Command *command = training->command;
    bool fresh = false;
    training->instance = command_open(command, request->threads, NULL, &fresh);
    if (!training->instance)
        return false;
    if (request->resume) {
        if (!resume(training, request))
            return false;
    } else if (fresh && ingot_initialize(training->instance, training->seed) != INGOT_OK) {
        return ingot_fail(&command->failure, "%s", ingot_last_error(training->instance));
    }
    const int64_t *step = find_step(training);
    training->step = step ? *step : 0;
    if (training->step < 0 || training->step > INT64_MAX / training->batch / 2)
        return ingot_fail(&command->failure, "%s: its \"step\" is %lld; the file is damaged",
                          request->resume ? request->resume : command->model->name,
                          (long long)training->step);
    return true;
}

/* Finds out before the first epoch, not after it, that the results cannot be written. */
static bool open_outputs(Training *training, const Request *request)
{
    Failure *failure = &training->command->failure;
    AtomicFile trial;
    training->save = request->save;
    if (request->save && !ingot_atomic_begin(&trial, request->save, failure))
        return false;
    if (request->save)
        ingot_atomic_abandon(&trial);
    if (!request->log)
        return true;
    training->log_path = request->log;
    training->log = fopen(request->log, request->resume ? "a" : "w");
    return training->log ||
           ingot_fail(failure, "%s: cannot be written: %s", request->log, strerror(errno));
}

/* "held-out accuracy 97.8 % (359 rows)", one line a metric; the loss where there is no metric. */
static void print_result(const Training *training)
{
    const Evaluation *last = &training->last;
    char rows[32];
    if (!last->rows)
        return;
    command_number(last->rows, rows);
    for (int32_t i = 0; i < last->metric_count; i++) {
        const char *name = training->command->model->recipe->metrics[i];
        if (evaluation_is_part(name))
            printf("held-out %s %.1f %% (%s rows)\n", name, 100 * last->metrics[i], rows);
        else
            printf("held-out %s %.6g (%s rows)\n", name, last->metrics[i], rows);
    }
    if (!last->metric_count)
        printf("held-out loss %.6g (%s rows)\n", last->loss, rows);
}

static bool train(Training *training, const Request *request)
{
    Command *command = training->command;
    int64_t steps = 0;
    if (training_steps(training->split.training_count, training->epochs, training->batch, &steps) &&
        training->step >= steps) {
        printf("nothing to do: %s has %lld epochs behind it; --epochs N trains on to N in all\n",
               request->resume ? request->resume : command->model->name,
               (long long)training->epochs);
        return true;
    }
    if (!request->save && !request->quiet)
        fprintf(stderr,
                "%s: note: the trained weights are not kept; keep them with --save F.safetensors\n",
                command->model->name);
    if (!training_run(training))
        return false;
    if (training->signal) {
        fprintf(stderr, "%s: stopped after step %lld%s%s\n", command->model->name,
                (long long)training->step,
                training->save ? "; go on with --resume " : "; nothing is saved",
                training->save ? training->save : "");
        return true;
    }
    print_result(training);
    if (training->save && !training->quiet)
        fprintf(stderr, "weights saved to %s\n", training->save);
    return true;
}

static bool check_model(Training *training)
{
    Command *command = training->command;
    const IngotModel *model = command->model;
    if (!command_has(command, "train_step"))
        return false;
    training->function = ingot_find_function(model, "train_step", INT64_MAX);
    training->batch = model->functions[training->function].batch;
    if (!model->recipe || training->batch < 1)
        return ingot_fail(&command->failure,
                          "its \"train_step\" is not what this runtime expects; build it again");
    return true;
}

static void release(Training *training, Resources *resources)
{
    ingot_destroy(training->instance);
    dataset_close(&resources->data);
    dataset_close(&resources->validation);
    source_free(&resources->source);
    source_free(&resources->validation_source);
    free(training->split.training);
    free(training->split.held);
    if (training->log)
        fclose(training->log);
}

int command_train(Command *command)
{
    Request request = {.data = {.option = "--data"}, .validation = {.option = "--validation"}};
    int which = read_options(command, &request);
    if (which == OPTIONS_HELP)
        return command_help(command, "[OPTION]...",
                            "Trains the model and prints how well it does on held-out rows.\n"
                            "Ctrl-C ends it after the current step and saves.",
                            table);
    if (which == OPTIONS_BAD)
        return command_misused(command);
    Resources resources = {.source = {.text_count = 0}};
    Training training = {.command = command, .quiet = request.quiet};
    bool good = check_model(&training);
    if (good) {
        const IngotRecipe *recipe = command->model->recipe;
        training.epochs = request.epochs ? request.epochs : recipe->epochs > 0 ? recipe->epochs : 1;
        training.seed = request.seed_given ? request.seed : recipe->seed;
        training.shuffle = recipe->shuffle != 0;
        good = open_data(&training, &resources, &request) && open_instance(&training, &request) &&
               open_outputs(&training, &request) && train(&training, &request);
    }
    release(&training, &resources);
    if (good && training.signal)
        return 128 + training.signal;
    return good ? 0 : command_failed(command);
}
