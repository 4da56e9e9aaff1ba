/* Finds a processor in targets.def; see target.h. */
#include "base/target.h"

#include <string.h>

typedef struct Row {
    Architecture architecture;
    const char *name, *llvm_cpu;
    int vector_bits, registers;
    bool fused, masked, lane, half;
    double adds, loads, issue;
    int l1_kib, l2_kib;
    const char *features;
} Row;

static const Row rows[] = {
#define TARGET(arch, name, cpu, vector, registers, fused, masked, lane, half, adds, loads, issue,  \
               l1, l2, features)                                                                   \
    {ARCHITECTURE_##arch,                                                                          \
     name,                                                                                         \
     cpu,                                                                                          \
     vector,                                                                                       \
     registers,                                                                                    \
     fused,                                                                                        \
     masked,                                                                                       \
     lane,                                                                                         \
     half,                                                                                         \
     adds,                                                                                         \
     loads,                                                                                        \
     issue,                                                                                        \
     l1,                                                                                           \
     l2,                                                                                           \
     features},
#include "base/targets.def"
#undef TARGET
};

enum { ROW_COUNT = (int)(sizeof rows / sizeof rows[0]) };

typedef struct Triple {
    const char *name;
    Architecture architecture;
    const char *baseline;
} Triple;

static const Triple triples[] = {
    {"x86_64-linux-gnu", ARCHITECTURE_X86_64, "x86-64-v3"},
    {"aarch64-linux-gnu", ARCHITECTURE_AARCH64, "armv8-a"},
    {"arm-linux-gnueabihf", ARCHITECTURE_ARMV7, "armv7-a"},
};

enum { TRIPLE_COUNT = (int)(sizeof triples / sizeof triples[0]) };

#if defined(__x86_64__)
static const Triple *const host = &triples[0];

static const char *host_cpu(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512cd"))
        return "x86-64-v4";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "x86-64-v3";
    return __builtin_cpu_supports("sse4.2") ? "x86-64-v2" : "x86-64";
}
#elif defined(__aarch64__)
static const Triple *const host = &triples[1];

static const char *host_cpu(void)
{
    return "armv8-a";
}
#else
static const Triple *const host = &triples[2];

static const char *host_cpu(void)
{
    return "armv7-a";
}
#endif

static const Triple *find_triple(Diag *diag, const char *name)
{
    const char *names[TRIPLE_COUNT];
    for (int i = 0; i < TRIPLE_COUNT; i++) {
        names[i] = triples[i].name;
        if (strcmp(name, names[i]) == 0)
            return &triples[i];
    }
    const char *near = nearest_name(name, names, TRIPLE_COUNT);
    diag_error(diag, "--target",
               "unknown target \"%s\"%s%s%s; known are x86_64-linux-gnu, aarch64-linux-gnu, "
               "arm-linux-gnueabihf",
               name, near ? ", did you mean \"" : "", near ? near : "", near ? "\"" : "");
    return NULL;
}

static const Row *find_row(Diag *diag, const char *name, Architecture architecture)
{
    const char *names[ROW_COUNT];
    for (int i = 0; i < ROW_COUNT; i++) {
        names[i] = rows[i].architecture == architecture ? rows[i].name : NULL;
        if (names[i] && strcmp(name, names[i]) == 0)
            return &rows[i];
    }
    const char *near = nearest_name(name, names, ROW_COUNT);
    const char *known = "";
    for (int i = 0; i < ROW_COUNT; i++)
        if (names[i])
            known = arena_print(diag->arena, "%s%s%s", known, known[0] ? ", " : "", names[i]);
    diag_error(diag, "--cpu", "unknown cpu \"%s\"%s%s%s; known for this target are %s", name,
               near ? ", did you mean \"" : "", near ? near : "", near ? "\"" : "", known);
    return NULL;
}

bool target_find(Diag *diag, const char *triple_name, const char *cpu, Target *target)
{
    const Triple *triple = triple_name ? find_triple(diag, triple_name) : host;
    if (!triple)
        return false;
    bool native = triple == host;
    if (cpu && strcmp(cpu, "native") == 0) {
        if (!native)
            return diag_error(diag, "--cpu", "\"native\" means this machine, which is not %s",
                              triple->name);
        cpu = NULL;
        triple_name = NULL;
    }
    if (!cpu)
        cpu = triple_name ? triple->baseline : host_cpu();
    const Row *row = find_row(diag, cpu, triple->architecture);
    if (!row)
        return false;
    *target = (Target){
        .triple = triple->name,
        .name = row->name,
        .llvm_cpu = row->llvm_cpu,
        .features = row->features,
        .architecture = row->architecture,
        .vector_bits = row->vector_bits,
        .registers = row->registers,
        .fused = row->fused,
        .masked = row->masked,
        .lane = row->lane,
        .half = row->half,
        .adds = row->adds,
        .loads = row->loads,
        .issue = row->issue,
        .l1_kib = row->l1_kib,
        .l2_kib = row->l2_kib,
        .pointer_bytes = row->architecture == ARCHITECTURE_ARMV7 ? 4 : 8,
        .native = native,
    };
    return true;
}
