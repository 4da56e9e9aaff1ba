/* The team of POSIX threads: when its threads begin and end, what they inherit, fork(). */
#include "runtime_helpers.h"

#include "runtime_fake_model.h"

#include "runtime/instance.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static int count_threads(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    cr_assert(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* A thread that has been joined may stand in the list for a moment still. */
static bool has_threads(int want)
{
    struct timespec sleep = {.tv_nsec = 1000000};
    for (int i = 0; i < 2000 && count_threads() != want; i++)
        nanosleep(&sleep, NULL);
    return count_threads() == want;
}

static IngotInstance *create(int32_t threads)
{
    IngotOptions options = {.threads = threads};
    IngotInstance *instance = ingot_create(&fake_model, &options, NULL);
    cr_assert(instance);
    return instance;
}

/* One step of training, whose loss says whether all members took part. */
static float step(IngotInstance *instance)
{
    float x[FAKE_BATCH * FAKE_IN], loss;
    int32_t label[FAKE_BATCH];
    for (int i = 0; i < FAKE_BATCH * FAKE_IN; i++)
        x[i] = (float)(i * 7919 % 17);
    for (int i = 0; i < FAKE_BATCH; i++)
        label[i] = i % 10;
    const void *inputs[] = {x, label};
    void *outputs[] = {&loss};
    int32_t function = ingot_find_function(&fake_model, "train_step", 0);
    cr_assert_eq(ingot_run(instance, function, inputs, outputs), INGOT_OK);
    return loss;
}

static void infer(IngotInstance *instance, int32_t rows)
{
    float x[FAKE_INFER * FAKE_IN] = {0}, p[FAKE_INFER * FAKE_OUT];
    const void *inputs[] = {x};
    void *outputs[] = {p};
    int32_t function = ingot_find_function(&fake_model, "infer", rows);
    cr_assert_eq(ingot_run(instance, function, inputs, outputs), INGOT_OK);
}

Test(runtime_team, threads_begin_with_the_first_shared_call_and_end_with_the_instance)
{
    int before = count_threads();
    IngotInstance *a = create(3), *b = create(2), *alone = create(1), *unused = create(4);
    cr_assert(has_threads(before));
    infer(a, 1); /* no kernel of it is shared */
    cr_assert(has_threads(before));
    infer(a, FAKE_INFER);
    cr_assert(has_threads(before + 2));
    step(a);
    step(alone);
    cr_assert(has_threads(before + 2));
    step(b);
    cr_assert(has_threads(before + 3));
    ingot_destroy(unused);
    ingot_destroy(a);
    cr_assert(has_threads(before + 1));
    ingot_destroy(b);
    ingot_destroy(alone);
    cr_assert(has_threads(before));
}

static void step_in_child(IngotInstance *instance, float want)
{
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        alarm(30);
        bool good = has_threads(1) && step(instance) == want;
        while (count_threads() < 3) /* a team that did not pay is tried again in a while */
            step(instance);
        good = good && has_threads(3);
        ingot_destroy(instance);
        _exit(good && has_threads(1) ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

/* A child has a team of its own, and leaves the parent's alone. */
Test(runtime_team, fork_leaves_threads_behind, .timeout = 120)
{
    int before = count_threads();
    IngotInstance *instance = create(3), *other = create(1);
    float losses[8];
    for (int i = 0; i < 8; i++)
        losses[i] = step(other);
    for (int i = 0; i < 8; i += 2) {
        step_in_child(instance, losses[i]); /* the first time before there are any threads */
        cr_assert_eq(step(instance), losses[i]);
        struct timespec sleep = {.tv_nsec = i % 4 ? 20000000 : 0}; /* asleep, or on watch still */
        nanosleep(&sleep, NULL);
        step_in_child(instance, losses[i + 1]);
        cr_assert_eq(step(instance), losses[i + 1]);
    }
    cr_assert(has_threads(before + 2));
    ingot_destroy(instance);
    ingot_destroy(other);
}

/* An idle team sleeps: this process takes next to no time while nothing is called. */
Test(runtime_team, idle_threads_sleep)
{
    IngotInstance *instance = create(4);
    struct timespec sleep = {.tv_nsec = 300000000};
    struct rusage before, after;
    step(instance);
    getrusage(RUSAGE_SELF, &before);
    nanosleep(&sleep, NULL);
    getrusage(RUSAGE_SELF, &after);
    long used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000L +
                after.ru_utime.tv_usec - before.ru_utime.tv_usec;
    cr_assert(used < 100000, "%ld microseconds", used);
    step(instance);
    ingot_destroy(instance);
}

static volatile sig_atomic_t handled_by_main;
static pthread_t main_thread;

static void note_thread(int number)
{
    (void)number;
    handled_by_main = pthread_equal(pthread_self(), main_thread) ? 1 : -1;
}

Test(runtime_team, signals_are_for_the_threads_of_the_host)
{
    sigset_t set, mask;
    main_thread = pthread_self();
    IngotInstance *instance = create(3);
    step(instance);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    cr_assert(!sigismember(&mask, SIGUSR1), "the caller's mask was not restored");
    signal(SIGUSR1, note_thread);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1); /* any thread that does not block it may take it */
    struct timespec sleep = {.tv_nsec = 20000000};
    nanosleep(&sleep, NULL);
    cr_assert_eq(handled_by_main, 0, "a worker took the signal");
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    cr_assert_eq(handled_by_main, 1);
    ingot_destroy(instance);
}

/* Without threads to be had, the caller does all of the work; the result is the same. */
Test(runtime_team, a_team_is_as_large_as_it_can_be)
{
    int before = count_threads();
    IngotInstance *instance = create(4), *alone = create(1);
    struct rlimit limit = {0, 0};
    if (getuid() == 0) { /* root has no such limit */
        cr_assert(setgid(65534) == 0 && setuid(65534) == 0);
    }
    cr_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
    cr_assert_eq(step(instance), step(alone));
    cr_assert_eq(step(instance), step(alone));
    cr_assert(has_threads(before));
    ingot_destroy(instance);
    ingot_destroy(alone);
}

Test(runtime_team, how_many_by_default)
{
    int before = count_threads();
    static const struct {
        const char *own, *openmp;
        int32_t want; /* 0: one for each processor */
    } rows[] = {{NULL, NULL, 0},  {"3", NULL, 3},  {NULL, "2", 2},   {"3", "2", 3},
                {NULL, "5,2", 5}, {"0", NULL, 0},  {"-1", "4", 4},   {"many", NULL, 0},
                {"", "", 0},      {"7x", NULL, 0}, {"99999", "6", 6}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsetenv("INGOT_THREADS");
        unsetenv("OMP_NUM_THREADS");
        if (rows[i].own)
            setenv("INGOT_THREADS", rows[i].own, 1);
        if (rows[i].openmp)
            setenv("OMP_NUM_THREADS", rows[i].openmp, 1);
        int32_t want = rows[i].want ? rows[i].want : ingot_team_processors();
        cr_assert_eq(ingot_team_default_threads(), want, "row %zu", i);
    }
    unsetenv("OMP_NUM_THREADS");
    setenv("INGOT_THREADS", "3", 1);
    IngotInstance *instance = create(0);
    for (int i = 0; i < 100; i++)
        step(instance);
    cr_assert(has_threads(before + 2));
    ingot_destroy(instance);
}

/* Unless threads are asked for, a program that has little to do starts none. */
Test(runtime_team, threads_begin_when_there_is_work_for_them)
{
    IngotFunction functions[5];
    IngotModel model = fake_model;
    int before = count_threads();
    memcpy(functions, fake_functions, sizeof functions);
    model.functions = functions;
    for (int large = 0; large < 2; large++) {
        setenv("INGOT_THREADS", "3", 1);
        functions[3].multiply_adds = large ? 1LL << 40 : 1000;
        IngotInstance *instance = ingot_create(&model, NULL, NULL);
        step(instance);
        cr_assert(has_threads(before + (large ? 2 : 0)));
        for (int i = 0; i < 100; i++)
            step(instance);
        cr_assert(has_threads(before + 2));
        ingot_destroy(instance);
    }
}

/* As many as this process may run on, not as the machine has. */
Test(runtime_team, processors_are_those_of_the_process)
{
    cpu_set_t all, one;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    cr_assert_eq(ingot_team_processors(), CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    cr_assert_eq(ingot_team_processors(), 1);
}

/* --- many at once -------------------------------------------------------------------------------
 */

enum { HOSTS = 4, STEPS = 300 };

static void *train_and_begin_anew(void *wrong)
{
    IngotInstance *alone = create(1);
    for (int round = 0; round < 10; round++) {
        IngotInstance *team = create(1 + round % 4);
        cr_assert_eq(ingot_initialize(alone, 0), INGOT_OK);
        cr_assert_eq(ingot_initialize(team, 0), INGOT_OK);
        for (int i = 0; i < STEPS / 10; i++)
            *(int *)wrong += step(team) != step(alone);
        ingot_destroy(team);
    }
    ingot_destroy(alone);
    return NULL;
}

Test(runtime_team, instances_come_and_go_at_the_same_time, .timeout = 120)
{
    int before = count_threads();
    pthread_t threads[HOSTS];
    int wrong[HOSTS] = {0};
    for (int i = 0; i < HOSTS; i++)
        cr_assert(pthread_create(&threads[i], NULL, train_and_begin_anew, &wrong[i]) == 0);
    for (int i = 0; i < HOSTS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(wrong[i], 0);
    }
    cr_assert(has_threads(before));
}

/* One instance, called by one thread after the other. */
static void *step_once(void *instance)
{
    step(instance);
    return NULL;
}

Test(runtime_team, the_caller_may_be_another_thread_each_time)
{
    int before = count_threads();
    IngotInstance *instance = create(3), *alone = create(1);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        cr_assert(pthread_create(&thread, NULL, step_once, instance) == 0);
        pthread_join(thread, NULL);
        step(alone);
    }
    cr_assert_eq(step(instance), step(alone));
    cr_assert(has_threads(before + 2));
    ingot_destroy(instance);
    ingot_destroy(alone);
}
