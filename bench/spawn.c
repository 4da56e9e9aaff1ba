/* spawn OUT COMMAND…: runs a command and says what it took, as one line of JSON in the file OUT:
 *
 *     {"first": 0.00082, "whole": 0.00095, "peak_bytes": 1703936, "code": 0}
 *
 * seconds until it has written its first byte and until it has ended, and the most memory it had.
 * The kernel counts for a process what its parent had when it began, so the parent has to be small.
 * What the command writes is passed on. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Passes all of it on; returns when the first byte came. */
static double pass_on(int from, double begin)
{
    static char buffer[65536];
    double first = 0;
    for (ssize_t count; (count = read(from, buffer, sizeof buffer)) > 0;) {
        if (first == 0)
            first = seconds() - begin;
        if (write(STDOUT_FILENO, buffer, (size_t)count) != count)
            exit(2);
    }
    return first;
}

int main(int count, char **words)
{
    int ends[2], status;
    if (count < 3 || pipe(ends) != 0)
        return 2;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    pid_t process;
    double begin = seconds();
    if (posix_spawn(&process, words[2], &actions, NULL, words + 2, environ) != 0)
        return 2;
    close(ends[1]);
    double first = pass_on(ends[0], begin);
    struct rusage usage;
    if (wait4(process, &status, 0, &usage) != process)
        return 2;
    double whole = seconds() - begin;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    FILE *out = fopen(words[1], "w");
    if (!out)
        return 2;
    fprintf(out, "{\"first\": %.9f, \"whole\": %.9f, \"peak_bytes\": %lld, \"code\": %d}\n", first,
            whole, (long long)usage.ru_maxrss * 1024, code);
    return fclose(out) == 0 ? 0 : 2;
}
