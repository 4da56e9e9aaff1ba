/* What has been counted, for people and for programs; see profile_parts.h.
 *
 *     kernel           calls     us/call   share   GFLOP/s  ceiling       bytes     GB/s  layers
 *     conv_add_max.2       1        4.62  44.1 %     554.1   97.2 %    76.3 KiB     16.9  layers.2
 *
 * A kernel is one line however often a function calls it. Its time is that of the member that took
 * the longest, which is what a call adds to the whole: members that a kernel has no work for only
 * pass by. So with several members the lines need not add up to the time of a run; what a member
 * spends in no kernel at all is in the line `waiting`. */
#include "runtime/system.h"

#include "runtime/command.h"
#include "runtime/instance_parts.h"
#include "runtime/profile_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 48, LAYERS_WIDTH = 48 };

/* One kernel in one function, all seconds and counts of one run: of each call the least of all
 * runs, so that what else the machine did in some of them does not count. */
typedef struct Line {
    int32_t kernel;
    int64_t calls;
    double seconds;
    int32_t first_call; /* keeps lines of equal time in one order */
} Line;

typedef struct Report {
    const IngotProfile *profile;
    IngotInstance *instance;
    const Ceiling *ceiling;
    FILE *to;
    /* of the function being reported */
    int32_t function, members;
    double runs, seconds, busy, waiting; /* seconds: of a run; busy: all lines together */
    double outside;                      /* seen from outside, a run takes so much longer */
    double multiply_adds;
    Line *lines;
    int32_t line_count;
} Report;

static const IngotProfileFunction *calls_of(const Report *r)
{
    return &r->profile->functions[r->function];
}

static const IngotProfileCounters *counters_of(const Report *r, int32_t member)
{
    return profile_counters(r->profile, r->instance, r->function, member);
}

/* --- gathering --- */

static double call_seconds(const Report *r, int32_t call)
{
    double most = 0;
    for (int32_t member = 0; member < r->members; member++) {
        const IngotProfileTimes *times = &counters_of(r, member)->calls[call];
        double seconds = times->sum ? 1e-9 * (double)times->least : 0;
        most = seconds > most ? seconds : most;
    }
    return most * (double)calls_of(r)->calls[call].times;
}

static double member_seconds(const Report *r, int32_t member)
{
    double seconds = 0;
    for (int32_t i = 0; i < calls_of(r)->call_count; i++)
        seconds += 1e-9 * (double)counters_of(r, member)->calls[i].sum;
    return seconds / r->runs;
}

static int compare_lines(const void *left, const void *right)
{
    const Line *a = left, *b = right;
    if (a->seconds != b->seconds)
        return a->seconds < b->seconds ? 1 : -1;
    return a->first_call - b->first_call;
}

static void gather_lines(Report *r, int32_t *line_of)
{
    for (int32_t i = 0; i < r->profile->kernel_count; i++)
        line_of[i] = -1;
    for (int32_t i = 0; i < calls_of(r)->call_count; i++) {
        int32_t kernel = calls_of(r)->calls[i].kernel;
        if (line_of[kernel] < 0) {
            line_of[kernel] = r->line_count;
            r->lines[r->line_count++] = (Line){.kernel = kernel, .first_call = i};
        }
        Line *line = &r->lines[line_of[kernel]];
        double seconds = call_seconds(r, i);
        line->calls += calls_of(r)->calls[i].times;
        line->seconds += seconds;
        r->busy += seconds;
        r->multiply_adds +=
            (double)r->profile->kernels[kernel].multiply_adds * (double)calls_of(r)->calls[i].times;
    }
    qsort(r->lines, (size_t)r->line_count, sizeof *r->lines, compare_lines);
}

/* False when there is no memory. */
static bool gather(Report *r, double seen_seconds)
{
    r->members = 0;
    while (r->members < r->instance->threads && counters_of(r, r->members)->runs > 0)
        r->members++;
    r->runs = (double)counters_of(r, 0)->runs;
    r->seconds = 1e-9 * (double)counters_of(r, 0)->elapsed / r->runs;
    r->outside = seen_seconds > r->seconds ? seen_seconds - r->seconds : 0;
    r->busy = r->waiting = r->multiply_adds = 0;
    r->line_count = 0;
    r->lines = calloc((size_t)calls_of(r)->call_count + 1, sizeof *r->lines);
    int32_t *line_of = calloc((size_t)r->profile->kernel_count + 1, sizeof *line_of);
    if (r->lines && line_of)
        gather_lines(r, line_of);
    for (int32_t i = 0; i < r->members; i++)
        r->waiting += (r->seconds - member_seconds(r, i)) / r->members;
    free(line_of);
    return r->lines && line_of;
}

/* --- what is derived --- */

static double rate(double amount, double seconds)
{
    return seconds > 0 ? amount / seconds : 0;
}

static int64_t line_bytes(const Report *r, const Line *line)
{
    const IngotProfileKernel *kernel = &r->profile->kernels[line->kernel];
    return kernel->bytes_read + kernel->bytes_written;
}

/* The part of the least possible time in what a call took. */
static double line_ceiling(const Report *r, const Line *line)
{
    const IngotProfileKernel *kernel = &r->profile->kernels[line->kernel];
    double least = ceiling_least_seconds(r->ceiling, kernel->multiply_adds, line_bytes(r, line));
    return rate(least * (double)line->calls, line->seconds);
}

/* Goes through the different layers of a line's calls; *at begins at 0. NULL: no more. */
static const char *next_layers(const Report *r, const Line *line, int32_t *at)
{
    const IngotProfileFunction *function = calls_of(r);
    while (*at < function->call_count) {
        const IngotProfileCall *call = &function->calls[(*at)++];
        bool known = call->kernel != line->kernel || !call->layers[0];
        for (int32_t i = 0; !known && i < *at - 1; i++)
            known = function->calls[i].kernel == line->kernel &&
                    strcmp(function->calls[i].layers, call->layers) == 0;
        if (!known)
            return call->layers;
    }
    return NULL;
}

/* --- the table --- */

static void print_layers(const Report *r, const Line *line)
{
    int32_t at = 0, left = 0;
    int width = 0;
    for (const char *layers; (layers = next_layers(r, line, &at));) {
        int length = (int)strlen(layers) + 2;
        if (left || (width && width + length > LAYERS_WIDTH)) {
            left++;
            continue;
        }
        fprintf(r->to, "%s%s", width ? ", " : "", layers);
        width += length;
    }
    if (left)
        fprintf(r->to, " and %d more", (int)left);
    fprintf(r->to, "\n");
}

static int name_width(const Report *r)
{
    int width = 12; /* "all kernels" */
    for (int32_t i = 0; i < r->line_count; i++) {
        int length = (int)strlen(r->profile->kernels[r->lines[i].kernel].name);
        width = length > width ? length : width;
    }
    return width < NAME_LIMIT ? width : NAME_LIMIT;
}

static void print_line(const Report *r, const Line *line, int width)
{
    const IngotProfileKernel *kernel = &r->profile->kernels[line->kernel];
    char flops[32] = "-", ceiling[32] = "-", bytes[32], size[32] = "-", moved[32] = "-";
    double seconds = line->seconds / (double)line->calls, part = line_ceiling(r, line);
    if (kernel->multiply_adds)
        snprintf(flops, sizeof flops, "%.2f", rate(2e-9 * (double)kernel->multiply_adds, seconds));
    if (part > 0)
        snprintf(ceiling, sizeof ceiling, "%.1f %%", 100 * part);
    if (line_bytes(r, line)) {
        snprintf(size, sizeof size, "%s", command_bytes(line_bytes(r, line), bytes));
        snprintf(moved, sizeof moved, "%.2f", rate(1e-9 * (double)line_bytes(r, line), seconds));
    }
    fprintf(r->to, "%-*.*s %7lld %11.2f %5.1f %% %9s %8s %11s %8s  ", width, width, kernel->name,
            (long long)line->calls, 1e6 * seconds, 100 * rate(line->seconds, r->busy), flops,
            ceiling, size, moved);
    print_layers(r, line);
}

static void print_sum(const Report *r, int width, const char *name, double seconds,
                      const char *note)
{
    fprintf(r->to, "%-*s %7s %11.2f %5.1f %%%s%s\n", width, name, "", 1e6 * seconds,
            100 * rate(seconds, r->seconds), note[0] ? "  " : "", note);
}

static void print_sums(const Report *r, int width)
{
    char note[64] = "";
    if (r->multiply_adds > 0)
        snprintf(note, sizeof note, "%7.2f", rate(2e-9 * r->multiply_adds, r->seconds));
    print_sum(r, width, "all kernels", r->busy, "");
    if (r->members > 1)
        print_sum(r, width, "waiting", r->waiting, "each member, on average");
    print_sum(r, width, "a run", r->seconds, note);
    if (r->outside > 0)
        print_sum(r, width, "around it", r->outside, "the call, and the team's beginning and end");
    if (r->members > 1) {
        fprintf(r->to, "load of members ");
        for (int32_t i = 0; i < r->members; i++)
            fprintf(r->to, " %.1f %%", 100 * rate(member_seconds(r, i), r->seconds));
        fprintf(r->to, "\n");
    }
}

static void print_function(const Report *r)
{
    const IngotFunction *function = &r->profile->model->functions[r->function];
    char number[32], other[32];
    fprintf(r->to, "\n%s", function->name);
    if (function->batch > 0)
        fprintf(r->to, ", batch %s", command_number(function->batch, number));
    if (function->sizes[0])
        fprintf(r->to, ", %s", function->sizes);
    fprintf(r->to, ": %d thread%s, %s runs", (int)r->members, r->members == 1 ? "" : "s",
            command_number((int64_t)r->runs, number));
    if (r->multiply_adds > 0)
        fprintf(r->to, "; %s multiply-adds a run, %s in the model",
                command_number((int64_t)r->multiply_adds, number),
                command_number(function->multiply_adds, other));
    int width = name_width(r);
    fprintf(r->to, "\n%-*s %7s %11s %7s %9s %8s %11s %8s  %s\n", width, "kernel", "calls",
            "us/call", "share", "GFLOP/s", "ceiling", "bytes", "GB/s", "layers");
    for (int32_t i = 0; i < r->line_count; i++)
        print_line(r, &r->lines[i], width);
    print_sums(r, width);
}

static void print_opening(const Report *r)
{
    const Ceiling *c = r->ceiling;
    char size[32];
    fprintf(r->to, "%s for %s\nceiling: %.1f GFLOP/s on registers alone; GB/s when reading",
            r->profile->model->name, r->profile->model->target, 1e-9 * c->flops);
    for (int i = 0; i < CEILING_LEVELS; i++)
        fprintf(r->to, "%s %.1f in %s", i ? "," : "", 1e-9 * c->bandwidth[i],
                command_bytes(c->level_bytes[i], size));
    fprintf(r->to, "\neach line has %.0f ns for a look at the clock in it\n", 1e9 * c->lap_seconds);
}

/* --- JSON --- */

/* Names come from a model: they may hold anything. */
static void write_string(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(to, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            fprintf(to, "\\u%04x", *text);
        else
            fputc(*text, to);
    }
    fputc('"', to);
}

static void write_line(const Report *r, const Line *line)
{
    const IngotProfileKernel *kernel = &r->profile->kernels[line->kernel];
    double seconds = line->seconds / (double)line->calls;
    fprintf(r->to, "{\"name\":");
    write_string(r->to, kernel->name);
    fprintf(r->to, ",\"layers\":[");
    int32_t at = 0, count = 0;
    for (const char *layers; (layers = next_layers(r, line, &at)); count++) {
        fprintf(r->to, "%s", count ? "," : "");
        write_string(r->to, layers);
    }
    fprintf(r->to,
            "],\"calls\":%lld,\"seconds_per_call\":%.9g,\"share\":%.6g,\"multiply_adds\":%lld,"
            "\"bytes_read\":%lld,\"bytes_written\":%lld,\"gflops\":%.6g,\"ceiling\":%.6g,"
            "\"gigabytes_per_second\":%.6g}",
            (long long)line->calls, seconds, rate(line->seconds, r->busy),
            (long long)kernel->multiply_adds, (long long)kernel->bytes_read,
            (long long)kernel->bytes_written, rate(2e-9 * (double)kernel->multiply_adds, seconds),
            line_ceiling(r, line), rate(1e-9 * (double)line_bytes(r, line), seconds));
}

static void write_function(const Report *r, bool first)
{
    const IngotFunction *function = &r->profile->model->functions[r->function];
    fprintf(r->to, "%s\n {\"name\":", first ? "" : ",");
    write_string(r->to, function->name);
    fprintf(r->to,
            ",\"batch\":%lld,\"threads\":%d,\"runs\":%.0f,\"seconds_per_run\":%.9g,"
            "\"multiply_adds\":%.0f,\"multiply_adds_of_model\":%lld,\"waiting_seconds\":%.9g,"
            "\"around_seconds\":%.9g,\"sizes\":",
            (long long)function->batch, (int)r->members, r->runs, r->seconds, r->multiply_adds,
            (long long)function->multiply_adds, r->members > 1 ? r->waiting : 0, r->outside);
    write_string(r->to, function->sizes);
    fprintf(r->to, ",\"load\":[");
    for (int32_t i = 0; i < r->members; i++)
        fprintf(r->to, "%s%.6g", i ? "," : "", rate(member_seconds(r, i), r->seconds));
    fprintf(r->to, "],\"kernels\":[");
    for (int32_t i = 0; i < r->line_count; i++) {
        fprintf(r->to, "%s\n  ", i ? "," : "");
        write_line(r, &r->lines[i]);
    }
    fprintf(r->to, "]}");
}

static void write_opening(const Report *r)
{
    fprintf(r->to, "{\"model\":");
    write_string(r->to, r->profile->model->name);
    fprintf(r->to, ",\"target\":");
    write_string(r->to, r->profile->model->target);
    fprintf(r->to, ",\"ceiling\":{\"gflops\":%.6g,\"bytes_per_second\":{",
            1e-9 * r->ceiling->flops);
    for (int i = 0; i < CEILING_LEVELS; i++)
        fprintf(r->to, "%s\"%lld\":%.6g", i ? "," : "", (long long)r->ceiling->level_bytes[i],
                r->ceiling->bandwidth[i]);
    fprintf(r->to, "},\"clock_seconds\":%.3g},\"functions\":[", r->ceiling->lap_seconds);
}

/* --- the whole --- */

bool profile_report(const IngotProfile *profile, IngotInstance *instance,
                    const ProfileRequest *request, FILE *to, Failure *failure)
{
    Ceiling ceiling;
    ceiling_measure(&ceiling, profile, instance, instance->threads);
    Report r = {.profile = profile, .instance = instance, .ceiling = &ceiling, .to = to};
    (request->json ? write_opening : print_opening)(&r);
    bool first = true;
    for (r.function = 0; r.function < profile->model->function_count; r.function++) {
        if ((request->function >= 0 && request->function != r.function) ||
            counters_of(&r, 0)->runs == 0)
            continue;
        bool good = gather(&r, request->seconds);
        if (good && request->json)
            write_function(&r, first);
        else if (good)
            print_function(&r);
        free(r.lines);
        if (!good)
            return ingot_fail(failure, "there is no memory left");
        first = false;
    }
    fprintf(to, "%s", request->json ? "]}\n" : "");
    return true;
}

int32_t ingot_profile_write(const IngotProfile *profile, IngotInstance *instance, const char *path,
                            int32_t json)
{
    if (!instance)
        return INGOT_BAD_ARGUMENT;
    if (!profile_is_started(profile, instance)) {
        ingot_fail(&instance->failure,
                   "%s: nothing has been counted; call %s_profile_start() first",
                   profile->model->name, profile->model->name);
        return INGOT_BAD_ARGUMENT;
    }
    FILE *to = path ? fopen(path, "w") : stdout;
    if (!to) {
        ingot_fail(&instance->failure, "%s: cannot be written: %s", path, strerror(errno));
        return INGOT_NO_FILE;
    }
    ProfileRequest request = {.function = -1, .json = json != 0};
    bool done = profile_report(profile, instance, &request, to, &instance->failure);
    bool written = fflush(to) == 0 && !ferror(to);
    if (path)
        written = fclose(to) == 0 && written;
    if (!done)
        return INGOT_NO_MEMORY;
    if (written)
        return INGOT_OK;
    ingot_fail(&instance->failure, "%s: cannot be written", path ? path : "standard output");
    return INGOT_NO_FILE;
}
