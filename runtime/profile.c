/* Counting where the time of a call goes; see profile.h.
 *
 * Every member looks at the clock once for each kernel and each barrier, and what has passed since
 * it looked last is that one's. Nothing is written that another member reads before all is over. */
#include "runtime/system.h"

#include "runtime/clock.h"
#include "runtime/instance_parts.h"
#include "runtime/profile_parts.h"

#include <string.h>

static const uint64_t magic = 0x656C69666F727021;

void ingot_profile_begin(IngotProfileCounters *counters)
{
    counters->started = counters->last = (uint64_t)clock_nanoseconds();
}

void ingot_profile_lap(IngotProfileCounters *counters, int32_t call)
{
    uint64_t now = (uint64_t)clock_nanoseconds(), passed = now - counters->last;
    counters->last = now;
    if (call < 0) {
        counters->waited += passed;
        return;
    }
    IngotProfileTimes *times = &counters->calls[call];
    times->sum += passed;
    times->least = passed < times->least ? passed : times->least;
}

void ingot_profile_end(IngotProfileCounters *counters)
{
    counters->runs++;
    counters->elapsed += counters->last - counters->started;
}

IngotProfileCounters *profile_counters(const IngotProfile *profile, const IngotInstance *instance,
                                       int32_t function, int32_t member)
{
    int64_t each = profile->model->functions[function].scratch_bytes;
    unsigned char *place =
        instance->scratch + member * each + profile->functions[function].counters;
    return (IngotProfileCounters *)(void *)place;
}

bool profile_is_started(const IngotProfile *profile, const IngotInstance *instance)
{
    return profile->model->function_count == 0 ||
           profile_counters(profile, instance, 0, 0)->magic == magic;
}

void ingot_profile_start(const IngotProfile *profile, IngotInstance *instance)
{
    for (int32_t member = 0; member < instance->threads; member++)
        for (int32_t i = 0; i < profile->model->function_count; i++) {
            IngotProfileCounters *counters = profile_counters(profile, instance, i, member);
            memset(counters, 0, sizeof *counters);
            counters->magic = magic;
            for (int32_t call = 0; call < profile->functions[i].call_count; call++)
                counters->calls[call] = (IngotProfileTimes){.least = UINT64_MAX};
        }
}
