/* What this processor can do at most, as one JSON object:
 *
 *   ceiling THREADS [SECONDS] {"threads":1,"gflops":…,"bytes_per_second":{"16384":…,"262144":…,…}}
 *
 * gflops: fused multiply-adds on registers only, single precision, two operations each. Twelve
 * accumulators hide the latency of two units. The widest vectors the compiler was told of are used.
 * bytes_per_second: reading blocks of so many bytes again and again, each thread its own block, so
 * the size says from which cache or memory. The best of several rounds counts. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef float Vector __attribute__((vector_size(4 * LANES)));

/* The constraint of a vector register, all of them where there are more than sixteen. */
#if defined(__AVX512F__)
#define ANY_VECTOR "v"
#elif defined(__x86_64__)
#define ANY_VECTOR "x"
#else
#define ANY_VECTOR "w"
#endif

enum { ACCUMULATORS = 12, SIZES = 4, MOST_THREADS = 256 };
static const size_t sizes[SIZES] = {16 << 10, 256 << 10, 4 << 20, 256 << 20};

typedef struct Member {
    pthread_barrier_t *barrier;
    float *block;
    double seconds;
    double flops;            /* a second */
    double bandwidth[SIZES]; /* bytes a second */
} Member;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One accumulator; a variable of its own, because the compiler keeps an array in memory. */
#define STEP(a)                                                                                    \
    a = a * x + y;                                                                                 \
    __asm__ volatile("" : "+" ANY_VECTOR(a));

static double multiply_add(long rounds)
{
    Vector x, y;
    for (int j = 0; j < LANES; j++)
        x[j] = 0.999f, y[j] = 0.001f;
    Vector a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
    double start = now();
    for (long r = 0; r < rounds; r++) {
        STEP(a)
        STEP(b) STEP(c) STEP(d) STEP(e) STEP(f) STEP(g) STEP(h) STEP(i) STEP(j) STEP(k) STEP(l)
    }
    return 2.0 * LANES * ACCUMULATORS * (double)rounds / (now() - start);
}

static double read_block(const float *block, size_t bytes, long rounds)
{
    Vector sum[8];
    memset(sum, 0, sizeof sum);
    const Vector *vectors = (const Vector *)block;
    size_t count = bytes / sizeof(Vector);
    double start = now();
    for (long r = 0; r < rounds; r++)
        for (size_t i = 0; i < count; i += 8) {
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) {
                Vector v = vectors[i + (size_t)j];
                __asm__ volatile("" : "+" ANY_VECTOR(v));
                sum[j] += v;
            }
        }
    double time = now() - start;
    for (int j = 0; j < 8; j++)
        __asm__ volatile("" : "+" ANY_VECTOR(sum[j]));
    return (double)bytes * (double)rounds / time;
}

static void *work(void *argument)
{
    Member *m = argument;
    pthread_barrier_wait(m->barrier);
    for (double end = now() + m->seconds / 2; now() < end;) {
        double flops = multiply_add(100000);
        m->flops = flops > m->flops ? flops : m->flops;
    }
    for (int s = 0; s < SIZES; s++) {
        long rounds = (long)((8 << 20) / sizes[s]);
        pthread_barrier_wait(m->barrier);
        double end = now() + m->seconds / 2 / SIZES;
        do {
            double bandwidth = read_block(m->block, sizes[s], rounds > 0 ? rounds : 1);
            m->bandwidth[s] = bandwidth > m->bandwidth[s] ? bandwidth : m->bandwidth[s];
        } while (now() < end);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    double seconds = argc > 2 ? atof(argv[2]) : 0.5;
    static Member members[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    pthread_barrier_t barrier;
    if (threads < 1 || threads > MOST_THREADS || !(seconds > 0)) {
        fprintf(stderr, "usage: ceiling THREADS [SECONDS]\n");
        return 2;
    }
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        members[i] = (Member){.barrier = &barrier, .seconds = seconds};
        members[i].block = aligned_alloc(4096, sizes[SIZES - 1]);
        if (!members[i].block)
            return 1;
        memset(members[i].block, 0, sizes[SIZES - 1]);
    }
    for (int i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, work, &members[i]);
    double flops = 0, bandwidth[SIZES] = {0};
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        flops += members[i].flops;
        for (int s = 0; s < SIZES; s++)
            bandwidth[s] += members[i].bandwidth[s];
    }
    printf("{\"threads\":%d,\"gflops\":%.1f,\"bytes_per_second\":{", threads, 1e-9 * flops);
    for (int s = 0; s < SIZES; s++)
        printf("%s\"%zu\":%.4g", s ? "," : "", sizes[s], bandwidth[s]);
    printf("}}\n");
    return 0;
}
