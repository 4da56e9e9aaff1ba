/* What the processor can do at most, measured by two kernels that the compiler made for the same
 * target as all others: multiply-adds on registers alone, and reading. All members of a team run
 * them at the same time, each with memory of its own; the best of many short rounds counts, since
 * anything else that runs can only make a round slower. */
#include "runtime/system.h"

#include "runtime/clock.h"
#include "runtime/float_mode.h"
#include "runtime/instance_parts.h"
#include "runtime/profile_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t usual_bytes[CEILING_LEVELS] = {16 << 10, 256 << 10, 4 << 20, 256 << 20};
static const double seconds_each = 0.1;

typedef struct Best { /* of one member */
    double flops, bandwidth[CEILING_LEVELS];
} Best;

typedef struct Measurement {
    const IngotProfile *profile;
    IngotTeam team;
    Best *best;            /* one for each member */
    unsigned char *blocks; /* of the largest level, one behind another; NULL: there is none */
    int64_t block_bytes;
    const int64_t *level_bytes;
    int32_t most;
} Measurement;

/* An eighth of the machine's memory is enough to be none of its caches. */
static void choose_levels(int64_t *bytes)
{
    int64_t memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 8;
    for (int i = 0; i < CEILING_LEVELS; i++)
        bytes[i] = usual_bytes[i] < memory || memory <= 0 ? usual_bytes[i] : memory;
}

static double now(void)
{
    return 1e-9 * (double)clock_nanoseconds();
}

typedef struct Sums {
    _Alignas(64) float factor[INGOT_PROFILE_FACTORS / sizeof(float)];
    _Alignas(64) float sums[INGOT_PROFILE_FACTORS / sizeof(float)];
} Sums;

/* Factors so small that sums hardly change, and no denormals. */
static void reset(Sums *sums)
{
    for (size_t i = 0; i < INGOT_PROFILE_FACTORS / sizeof(float); i++) {
        sums->factor[i] = 1e-6F;
        sums->sums[i] = 1;
    }
}

static double best_flops(const IngotProfile *profile)
{
    Sums sums;
    double best = 0, end = now() + seconds_each;
    reset(&sums);
    for (double start = now(); start < end;) {
        reset(&sums);
        for (int i = 0; i < 8; i++)
            profile->multiply(sums.factor, sums.sums, NULL, 0, 1);
        double stop = now();
        double flops = 16 * (double)profile->multiply_adds / (stop - start);
        best = flops > best ? flops : best;
        start = stop;
    }
    return best;
}

/* Rounds of a megabyte or more, so that looking at the clock takes nothing of them. */
static double best_bandwidth(const IngotProfile *profile, const unsigned char *block, int64_t bytes)
{
    Sums sums;
    int64_t repeats = bytes < 1 << 20 ? (1 << 20) / bytes : 1;
    double best = 0, end = now() + seconds_each;
    reset(&sums);
    for (double start = now(); start < end;) {
        for (int64_t i = 0; i < repeats; i++)
            for (int64_t at = 0; at < bytes; at += INGOT_PROFILE_BLOCK)
                profile->read(block + at, sums.sums, NULL, 0, 1);
        double stop = now();
        double bandwidth = (double)(repeats * bytes) / (stop - start);
        best = bandwidth > best ? bandwidth : best;
        start = stop;
    }
    return best;
}

static void measure_member(void *argument, int32_t member, int32_t members)
{
    Measurement *m = argument;
    if (member >= m->most)
        return;
    atomic_store_explicit(&m->team.members, members < m->most ? members : m->most,
                          memory_order_relaxed);
    Best *best = &m->best[member];
    FloatMode own = float_mode_get();
    float_mode_set(float_mode_flushing(own));
    ingot_team_barrier(&m->team, member);
    best->flops = best_flops(m->profile);
    unsigned char *block = m->blocks ? m->blocks + member * m->block_bytes : NULL;
    if (block)
        memset(block, 0, (size_t)m->block_bytes);
    for (int i = 0; i < CEILING_LEVELS; i++) {
        ingot_team_barrier(&m->team, member);
        int64_t bytes = m->level_bytes[i] < m->block_bytes ? m->level_bytes[i] : m->block_bytes;
        if (block)
            best->bandwidth[i] = best_bandwidth(m->profile, block, bytes);
    }
    float_mode_set(own);
}

static double measure_lap(void)
{
    enum { ROUNDS = 100, LAPS = 100 };
    IngotProfileCounters counters = {0};
    double best = 1;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        for (int i = 0; i < LAPS; i++)
            ingot_profile_lap(&counters, -1);
        double each = (now() - start) / LAPS;
        best = each < best ? each : best;
    }
    return best;
}

void ceiling_measure(Ceiling *ceiling, const IngotProfile *profile, const IngotInstance *instance,
                     int32_t members)
{
    *ceiling = (Ceiling){.lap_seconds = measure_lap()};
    choose_levels(ceiling->level_bytes);
    /* the largest level is memory that all of them share */
    int64_t each = ceiling->level_bytes[CEILING_LEVELS - 1] / members / INGOT_PROFILE_BLOCK;
    Measurement m = {.profile = profile,
                     .best = calloc((size_t)members, sizeof *m.best),
                     .block_bytes = each * INGOT_PROFILE_BLOCK,
                     .level_bytes = ceiling->level_bytes,
                     .most = members};
    if (m.best && each)
        m.blocks = aligned_alloc(4096, (size_t)(members * m.block_bytes));
    ingot_team_prepare(&m.team, members);
    if (m.best && members == 1)
        measure_member(&m, 0, 1);
    else if (m.best)
        instance->parallel(instance->pool, members, measure_member, &m);
    for (int32_t i = 0; m.best && i < members; i++) {
        ceiling->flops += m.best[i].flops;
        for (int j = 0; j < CEILING_LEVELS; j++)
            ceiling->bandwidth[j] += m.best[i].bandwidth[j];
    }
    free(m.blocks);
    free(m.best);
}

double ceiling_least_seconds(const Ceiling *ceiling, int64_t multiply_adds, int64_t bytes)
{
    double computing = ceiling->flops > 0 ? 2 * (double)multiply_adds / ceiling->flops : 0;
    int level = 0;
    while (level < CEILING_LEVELS - 1 && 2 * ceiling->level_bytes[level] < bytes)
        level++;
    double reading = ceiling->bandwidth[level] > 0 ? (double)bytes / ceiling->bandwidth[level] : 0;
    return computing > reading ? computing : reading;
}
