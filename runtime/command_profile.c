/* `profile`: where the time of one function goes, kernel by kernel. Only models built with
 * --profile have this command. Inputs are numbers without meaning, always the same; weights are a
 * private copy, so a measured train_step changes nothing that lasts. */
#include "runtime/system.h"

#include "runtime/buffers.h"
#include "runtime/command.h"
#include "runtime/profile_parts.h"

#include <string.h>

static const Option table[] = {
    {"--function", "NAME", "infer (default), train_step, evaluate or initialize"},
    {"--batch", "N", "which of several infer; the smallest otherwise"},
    {"--threads", "N", "threads to use (0: one for each processor)"},
    {"--seconds", "S", "time to spend on it (default: 1)"},
    {"--weights", "FILE", "a checkpoint to load first"},
    {"--json", NULL, "print one JSON object instead of a table"},
    {NULL, NULL, NULL},
};
enum { FUNCTION, BATCH, THREADS, SECONDS, WEIGHTS, JSON };

typedef struct Request {
    const char *function;
    int64_t batch; /* 0: the smallest */
    int64_t threads;
    double seconds;
    const char *weights;
    bool json;
} Request;

enum { FEWEST_RUNS = 5, WARM_UP = 3, MOST_NAMES = 64 };

static int read_options(Command *command, Request *request)
{
    Options options = {
        .table = table, .argc = command->argc, .argv = command->argv, .failure = &command->failure};
    for (;;) {
        bool good = true;
        int which = options_next(&options);
        switch (which) {
        case FUNCTION:
            request->function = options.value;
            break;
        case BATCH:
            good = options_whole(&options, 1, INT64_MAX, &request->batch);
            break;
        case THREADS:
            good = options_whole(&options, 0, 1024, &request->threads);
            break;
        case SECONDS:
            good = options_positive(&options, &request->seconds);
            break;
        case WEIGHTS:
            request->weights = options.value;
            break;
        case JSON:
            request->json = true;
            break;
        default:
            return which;
        }
        if (!good)
            return OPTIONS_BAD;
    }
}

/* What this program has instead, and how to get what was asked for. */
static bool fail_unknown(Command *command, const char *name)
{
    const IngotModel *model = command->model;
    if (strcmp(name, "train_step") == 0 || strcmp(name, "evaluate") == 0)
        return ingot_fail(&command->failure,
                          "--function: built without \"%s\"; build it with: ingot build MODEL.json "
                          "--train --profile",
                          name);
    const char *names[MOST_NAMES];
    char list[256] = "";
    int count = 0;
    for (int32_t i = 0; i < model->function_count && count < MOST_NAMES; i++) {
        names[count] = model->functions[i].name;
        if (count && strcmp(names[count], names[count - 1]) == 0)
            continue; /* for another batch */
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", count ? ", " : "", names[count]);
        count++;
    }
    const char *nearest = options_nearest(name, names, count);
    if (nearest)
        return ingot_fail(&command->failure, "--function: there is no \"%s\"; did you mean \"%s\"?",
                          name, nearest);
    return ingot_fail(&command->failure, "--function: there is no \"%s\"; there are %s", name,
                      list);
}

static bool fail_batch(Command *command, const Request *request)
{
    const IngotModel *model = command->model;
    char list[256] = "";
    for (int32_t i = 0; i < model->function_count; i++) {
        size_t used = strlen(list);
        if (strcmp(model->functions[i].name, request->function) == 0)
            snprintf(list + used, sizeof list - used, "%s%lld", used ? ", " : "",
                     (long long)model->functions[i].batch);
    }
    return ingot_fail(&command->failure,
                      "--batch: \"%s\" is not there for %lld rows, but for %s; ingot build "
                      "MODEL.json --profile --batch=%lld makes that one",
                      request->function, (long long)request->batch, list,
                      (long long)request->batch);
}

/* Number of the function that is meant; -1 and a message otherwise. */
static int32_t find_function(Command *command, const Request *request)
{
    int32_t found = ingot_find_function(command->model, request->function, request->batch);
    if (found < 0)
        fail_unknown(command, request->function);
    else if (request->batch && command->model->functions[found].batch != request->batch)
        fail_batch(command, request);
    else
        return found;
    return -1;
}

/* Runs the function until the time is over; *seconds: of a run. */
static bool run_function(Command *command, const IngotProfile *profile, IngotInstance *instance,
                         int32_t function, double seconds, double *seen)
{
    Buffers buffers;
    if (!buffers_begin(&buffers, &command->model->functions[function], &command->failure))
        return false;
    buffers_fill(&buffers, &command->model->functions[function]);
    const void *const *inputs = (const void *const *)buffers.inputs;
    bool good = true;
    for (int i = 0; good && i < WARM_UP; i++)
        good = ingot_run(instance, function, inputs, buffers.outputs) == INGOT_OK;
    ingot_profile_start(profile, instance);
    int64_t runs = 0;
    double start = command_seconds();
    while (good && (runs < FEWEST_RUNS || command_seconds() - start < seconds)) {
        good = ingot_run(instance, function, inputs, buffers.outputs) == INGOT_OK;
        runs++;
    }
    *seen = (command_seconds() - start) / (double)(runs ? runs : 1);
    buffers_end(&buffers);
    return good || ingot_fail(&command->failure, "%s", ingot_last_error(instance));
}

static bool profile_function(Command *command, const IngotProfile *profile, const Request *request,
                             int32_t function)
{
    bool fresh = false;
    ProfileRequest report = {.function = function, .json = request->json};
    IngotInstance *instance = command_open(command, request->threads, request->weights, &fresh);
    if (!instance)
        return false;
    bool good =
        run_function(command, profile, instance, function, request->seconds, &report.seconds) &&
        profile_report(profile, instance, &report, stdout, &command->failure);
    ingot_destroy(instance);
    return good;
}

int command_profile(Command *command, const IngotProfile *profile)
{
    Request request = {.function = "infer", .seconds = 1};
    int which = read_options(command, &request);
    if (which == OPTIONS_HELP)
        return command_help(command, "[OPTION]...",
                            "Measures how long each kernel of one function takes on this machine.",
                            table);
    if (which == OPTIONS_BAD)
        return command_misused(command);
    int32_t function = find_function(command, &request);
    if (function < 0)
        return command_misused(command);
    return profile_function(command, profile, &request, function) ? 0 : command_failed(command);
}
