/* Runs a fuzz target without libFuzzer: for compilers that lack it, and to replay findings.
 *
 *     fuzz_csv [-max_total_time=SECONDS] [-dict=FILE] [-artifact_prefix=PATH] [-seed=N]
 * FILE|FOLDER…
 *
 * Options are libFuzzer's. Without a time every file is run once and counted as a test. With one,
 * files are changed at random (bytes, numbers, words of the dictionary, pieces of other files) and
 * run until the time is up; an input that crashes, exits or hangs is written to PATHcrash-HASH. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SEEDS = 4096, WORDS = 1024, LONGEST = 1 << 16, HANG_SECONDS = 30 };

typedef struct Bytes {
    uint8_t *data;
    size_t size;
} Bytes;

typedef struct Driver {
    Bytes seeds[SEEDS], words[WORDS];
    int seed_count, word_count;
    uint64_t random;
    const char *artifacts;
    uint8_t input[LONGEST]; /* what is being run */
    size_t size;
    bool running;
} Driver;

static Driver driver; /* a crash handler has nothing else to go by */

/* Under a sanitizer, called before it ends the program. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void save_finding(void)
{
    char path[600];
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    if (!driver.running)
        return;
    driver.running = false;
    for (size_t i = 0; i < driver.size; i++)
        hash = (hash ^ driver.input[i]) * 1099511628211u;
    snprintf(path, sizeof path, "%scrash-%016" PRIx64, driver.artifacts, hash);
    FILE *file = fopen(path, "wb");
    if (file && fwrite(driver.input, 1, driver.size, file) == driver.size && fclose(file) == 0)
        fprintf(stderr, "fuzz: the input is in %s\n", path);
}

static void handle_signal(int number)
{
    fprintf(stderr, "fuzz: signal %d\n", number);
    save_finding();
    _exit(1);
}

/* Files */

static Bytes read_file(const char *path)
{
    Bytes bytes = {malloc(LONGEST), 0};
    FILE *file = fopen(path, "rb");
    if (file && bytes.data) {
        bytes.size = fread(bytes.data, 1, LONGEST, file);
        fclose(file);
    }
    return bytes;
}

static void add_seeds(const char *path)
{
    DIR *folder = opendir(path);
    char inside[1024];
    if (!folder) {
        if (driver.seed_count < SEEDS && access(path, R_OK) == 0)
            driver.seeds[driver.seed_count++] = read_file(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            add_seeds(inside);
    }
    closedir(folder);
}

/* Lines of the form "word". */
static void read_dictionary(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    while (file && driver.word_count < WORDS && fgets(line, sizeof line, file)) {
        char *last = strrchr(line, '"');
        if (line[0] != '"' || last == line)
            continue;
        *last = '\0';
        driver.words[driver.word_count++] = (Bytes){(uint8_t *)strdup(line + 1), strlen(line + 1)};
    }
    if (file)
        fclose(file);
}

/* Changes */

static uint64_t below(uint64_t limit) /* splitmix64 */
{
    uint64_t z = (driver.random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return limit ? (z ^ (z >> 31)) % limit : 0;
}

/* Puts bytes in the place of `taken` bytes at `at`. */
static void splice(size_t at, size_t taken, const uint8_t *bytes, size_t size)
{
    size_t rest = driver.size - at - taken;
    if (at + size + rest > LONGEST)
        return;
    memmove(driver.input + at + size, driver.input + at + taken, rest);
    if (size)
        memcpy(driver.input + at, bytes, size);
    driver.size = at + size + rest;
}

static void change_number(size_t at)
{
    static const char *const numbers[] = {
        "0",     "-1",     "1",   "2147483647", "4294967296", "9223372036854775807",
        "1e308", "1e-320", "nan", "0.5"};
    size_t end;
    while (at < driver.size && (driver.input[at] < '0' || driver.input[at] > '9'))
        at++;
    for (end = at; end < driver.size && driver.input[end] >= '0' && driver.input[end] <= '9';)
        end++;
    const char *number = numbers[below(sizeof numbers / sizeof numbers[0])];
    splice(at, end - at, (const uint8_t *)number, strlen(number));
}

static void change_bytes(size_t at)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '}', '[', ']', '\n'};
    if (at == driver.size)
        return;
    if (below(2))
        driver.input[at] ^= (uint8_t)(1u << below(8));
    else
        driver.input[at] = values[below(sizeof values)];
}

static void change(void)
{
    size_t at = below(driver.size + 1), length = below(driver.size - at + 1);
    const Bytes *other = &driver.seeds[below((uint64_t)driver.seed_count)];
    size_t from = below(other->size + 1), copied = below(other->size - from + 1);
    switch (below(7)) {
    case 0:
    case 1:
        change_bytes(at);
        break;
    case 2:
        change_number(at);
        break;
    case 3:
        if (driver.word_count) {
            const Bytes *word = &driver.words[below((uint64_t)driver.word_count)];
            splice(at, length < 16 ? length : 0, word->data, word->size);
        }
        break;
    case 4:
        splice(at, below(length % 32 + 1), NULL, 0);
        break;
    case 5:
        splice(at, 0, other->data + from, copied % 256);
        break;
    default:
        splice(at, length, other->data + from, copied);
    }
}

static void run_input(void)
{
    driver.running = true;
    alarm(HANG_SECONDS);
    LLVMFuzzerTestOneInput(driver.input, driver.size);
    alarm(0);
    driver.running = false;
}

static void load(const Bytes *seed)
{
    if (seed->size)
        memcpy(driver.input, seed->data, seed->size);
    driver.size = seed->size;
}

static void replay(void)
{
    for (int i = 0; i < driver.seed_count; i++) {
        load(&driver.seeds[i]);
        run_input();
    }
    printf("%d passed, 0 failed\n", driver.seed_count);
}

static void fuzz(double seconds)
{
    int64_t runs = 0;
    time_t start = time(NULL);
    if (!driver.seed_count)
        driver.seeds[driver.seed_count++] = (Bytes){NULL, 0};
    for (; difftime(time(NULL), start) < seconds; runs++) {
        load(&driver.seeds[below((uint64_t)driver.seed_count)]);
        for (uint64_t times = 1 + below(6); times; times--)
            change();
        run_input();
    }
    fprintf(stderr, "%" PRId64 " inputs\n", runs);
}

static const char *option_value(const char *word, const char *name)
{
    size_t length = strlen(name);
    return strncmp(word, name, length) == 0 ? word + length : NULL;
}

int main(int argc, char **argv)
{
    double seconds = 0;
    driver.artifacts = "";
    for (int i = 1; i < argc; i++) {
        const char *value;
        if ((value = option_value(argv[i], "-max_total_time=")))
            seconds = atof(value);
        else if ((value = option_value(argv[i], "-seed=")))
            driver.random = strtoull(value, NULL, 10);
        else if ((value = option_value(argv[i], "-dict=")))
            read_dictionary(value);
        else if ((value = option_value(argv[i], "-artifact_prefix=")))
            driver.artifacts = value;
        else if (argv[i][0] != '-')
            add_seeds(argv[i]);
    }
    atexit(save_finding);
    signal(SIGALRM, handle_signal);
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(save_finding);
    } else {
        signal(SIGSEGV, handle_signal);
        signal(SIGABRT, handle_signal);
    }
    if (seconds > 0)
        fuzz(seconds);
    else
        replay();
    return 0;
}
