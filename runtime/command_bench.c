/* `bench`: how fast every function of the model runs on this machine. Inputs are numbers without
 * meaning, always the same; weights are a private copy, so a measured train_step changes nothing
 * that lasts. */
#include "runtime/system.h"

#include "runtime/buffers.h"
#include "runtime/command.h"
#include "runtime/team.h"

#include <stdlib.h>
#include <string.h>

static const Option table[] = {
    {"--threads", "N", "threads to use (0: one for each processor)"},
    {"--seconds", "S", "time to spend on each function (default: 1)"},
    {"--weights", "FILE", "a checkpoint to load first"},
    {"--json", NULL, "print one JSON object instead of a table"},
    {NULL, NULL, NULL},
};
enum { THREADS, SECONDS, WEIGHTS, JSON };

typedef struct Request {
    int64_t threads;
    double seconds;
    const char *weights;
    bool json;
} Request;

enum { MOST_RUNS = 100000, FEWEST_RUNS = 5, WARM_UP = 3 };

/* Seconds a call. */
typedef struct Result {
    double median, least,
        spread; /* spread: from the 10th to the 90th percentile, as a part of the median */
    int64_t runs;
} Result;

static int read_options(Command *command, Request *request)
{
    Options options = {
        .table = table, .argc = command->argc, .argv = command->argv, .failure = &command->failure};
    for (;;) {
        bool good = true;
        int which = options_next(&options);
        switch (which) {
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

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarize(Result *result, double *times, int64_t runs)
{
    qsort(times, (size_t)runs, sizeof *times, compare);
    result->runs = runs;
    result->median = times[runs / 2];
    result->least = times[0];
    result->spread =
        result->median > 0 ? (times[runs * 9 / 10] - times[runs / 10]) / result->median : 0;
}

static bool measure(Result *result, Command *command, IngotInstance *instance, int32_t number,
                    double seconds, double *times)
{
    Buffers buffers;
    const IngotFunction *function = &command->model->functions[number];
    if (!buffers_begin(&buffers, function, &command->failure))
        return false;
    buffers_fill(&buffers, function);
    int64_t runs = 0;
    bool good = true;
    double end = 0;
    for (int64_t i = 0; good && i < WARM_UP + MOST_RUNS; i++) {
        double start = command_seconds();
        if (i == WARM_UP)
            end = start + seconds;
        if (runs >= FEWEST_RUNS && start >= end)
            break;
        good = ingot_run(instance, number, (const void *const *)buffers.inputs, buffers.outputs) ==
               INGOT_OK;
        if (i >= WARM_UP)
            times[runs++] = command_seconds() - start;
    }
    buffers_end(&buffers);
    if (!good)
        return ingot_fail(&command->failure, "%s", ingot_last_error(instance));
    summarize(result, times, runs);
    return true;
}

static double rate(double amount, double seconds)
{
    return seconds > 0 ? amount / seconds : 0;
}

static void print_line(const IngotFunction *function, const Result *result)
{
    char rows[32] = "-", batch[32] = "-";
    if (function->batch > 0) {
        command_number((int64_t)rate((double)function->batch, result->median), rows);
        command_number(function->batch, batch);
    }
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", function->name, function->sizes[0] ? " " : "",
             function->sizes);
    printf("%-12s %7s %12.2f %12.2f %7.1f %% %14s %10.2f\n", name, batch, 1e6 * result->median,
           1e6 * result->least, 100 * result->spread, rows,
           rate(2e-9 * (double)function->multiply_adds, result->median));
}

static void print_json(const IngotFunction *function, const Result *result, bool first)
{
    printf("%s\n  "
           "{\"name\":\"%s\",\"batch\":%lld,\"sizes\":\"%s\",\"runs\":%lld,\"median_seconds\":%.9g,"
           "\"min_seconds\":%"
           ".9g,"
           "\"spread\":%.4g,\"rows_per_second\":%.9g,\"gflops\":%.6g}",
           first ? "" : ",", function->name, (long long)function->batch, function->sizes,
           (long long)result->runs, result->median, result->least, result->spread,
           rate((double)function->batch, result->median),
           rate(2e-9 * (double)function->multiply_adds, result->median));
}

static bool bench_all(Command *command, const Request *request, IngotInstance *instance,
                      double *times)
{
    const IngotModel *model = command->model;
    int64_t threads = request->threads ? request->threads : ingot_team_default_threads();
    if (request->json)
        printf("{\"model\":\"%s\",\"target\":\"%s\",\"threads\":%lld,\"functions\":[", model->name,
               model->target, (long long)threads);
    else
        printf("%s for %s, %lld thread%s\n%-12s %7s %12s %12s %9s %14s %10s\n", model->name,
               model->target, (long long)threads, threads == 1 ? "" : "s", "function", "batch",
               "median (us)", "least (us)", "spread", "rows/s", "GFLOP/s");
    for (int32_t i = 0; i < model->function_count; i++) {
        Result result = {0};
        if (!measure(&result, command, instance, i, request->seconds, times))
            return false;
        if (request->json)
            print_json(&model->functions[i], &result, i == 0);
        else
            print_line(&model->functions[i], &result);
        fflush(stdout);
    }
    printf("%s", request->json ? "\n]}\n" : "");
    return true;
}

int command_bench(Command *command)
{
    Request request = {.seconds = 1};
    int which = read_options(command, &request);
    if (which == OPTIONS_HELP)
        return command_help(command, "[OPTION]...",
                            "Measures every function of the model on this machine.", table);
    if (which == OPTIONS_BAD)
        return command_misused(command);
    bool fresh = false;
    double *times = malloc(MOST_RUNS * sizeof *times);
    IngotInstance *instance =
        times ? command_open(command, request.threads, request.weights, &fresh) : NULL;
    bool good = instance && bench_all(command, &request, instance, times);
    if (!times)
        ingot_fail(&command->failure, "there is no memory left");
    ingot_destroy(instance);
    free(times);
    return good ? 0 : command_failed(command);
}
