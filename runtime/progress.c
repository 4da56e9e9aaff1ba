/* The progress bar; see progress.h.
 *
 *   epoch  3/30 ━━━━━━━━━━──────────  52 %  loss 0.1234  51,234 rows/s  0:07 left
 *
 * It is redrawn in place with a carriage return. Where nobody watches, only the lines of finished
 * epochs are printed. */
#include "runtime/system.h"

#include "runtime/progress.h"

#include "runtime/command.h"
#include "runtime/terminal.h"

#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 24 };

void progress_begin(Progress *progress, bool silent, int64_t epochs, int64_t first_row,
                    int64_t all_rows)
{
    *progress = (Progress){.silent = silent,
                           .live = terminal_is_live(STDERR_FILENO),
                           .colour = terminal_has_colour(STDERR_FILENO),
                           .unicode = terminal_has_unicode(),
                           .epochs = epochs,
                           .first_row = first_row,
                           .all_rows = all_rows,
                           .started = command_seconds()};
}

void progress_clear(Progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

static double rows_each_second(const Progress *progress, int64_t row)
{
    double seconds = command_seconds() - progress->started;
    return seconds > 0 ? (double)(row - progress->first_row) / seconds : 0;
}

static void time_text(double seconds, char text[32])
{
    int64_t whole = seconds < 1e9 ? (int64_t)(seconds + 0.5) : 1000000000;
    if (whole < 3600)
        snprintf(text, 32, "%lld:%02lld", (long long)(whole / 60), (long long)(whole % 60));
    else
        snprintf(text, 32, "%lld:%02lld:%02lld", (long long)(whole / 3600),
                 (long long)(whole / 60 % 60), (long long)(whole % 60));
}

static void bar_text(const Progress *progress, double part, char text[BAR_CELLS * 3 + 32])
{
    int full = (int)(part * BAR_CELLS + 0.5);
    text[0] = '\0';
    strcat(text, progress->colour ? "\033[36m" : "");
    for (int i = 0; i < BAR_CELLS; i++) {
        if (i == full && progress->colour)
            strcat(text, "\033[90m");
        strcat(text, progress->unicode ? (i < full ? "━" : "─") : (i < full ? "#" : "."));
    }
    strcat(text, progress->colour ? "\033[0m" : "");
}

static int epoch_digits(int64_t epochs)
{
    char text[32];
    return snprintf(text, sizeof text, "%lld", (long long)epochs);
}

void progress_step(Progress *progress, int64_t epoch, double part, int64_t row, double loss,
                   const char *note)
{
    char bar[BAR_CELLS * 3 + 32], rate[32], left[32];
    double now;
    if (progress->silent || !progress->live || (now = command_seconds()) - progress->shown < 0.1)
        return;
    progress->shown = now;
    progress->drawn = true;
    double each_second = rows_each_second(progress, row);
    bar_text(progress, part, bar);
    command_number((int64_t)each_second, rate);
    time_text(each_second > 0 ? (double)(progress->all_rows - row) / each_second : 0, left);
    fprintf(stderr, "\r\033[Kepoch %*lld/%lld %s %3.0f %%  loss %.4f",
            epoch_digits(progress->epochs), (long long)epoch, (long long)progress->epochs, bar,
            100 * part, loss);
    /* What does not fit a line would make the bar leave copies of itself behind. */
    int columns = terminal_columns(STDERR_FILENO);
    if (columns >= 90 + (int)strlen(note) && *note)
        fprintf(stderr, "  %s", note);
    if (columns >= 85)
        fprintf(stderr, "  %s rows/s", rate);
    if (columns >= 70)
        fprintf(stderr, "  %s left", left);
    fflush(stderr);
}

void progress_epoch(Progress *progress, int64_t epoch, int64_t row, double loss, const char *note)
{
    char rate[32];
    if (progress->silent)
        return;
    progress_clear(progress);
    command_number((int64_t)rows_each_second(progress, row), rate);
    fprintf(stderr, "epoch %*lld/%lld  loss %.4f%s%s  %s rows/s\n", epoch_digits(progress->epochs),
            (long long)epoch, (long long)progress->epochs, loss, *note ? "  held-out " : "", note,
            rate);
    fflush(stderr);
}
