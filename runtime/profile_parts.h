/* What the files profile*.c and the command share. */
#ifndef INGOT_RUNTIME_PROFILE_PARTS_H
#define INGOT_RUNTIME_PROFILE_PARTS_H

#include "runtime/failure.h"
#include "runtime/profile.h"

#include <stdio.h>

/* profile.c: what `member` has counted in function number `function`. */
IngotProfileCounters *profile_counters(const IngotProfile *profile, const IngotInstance *instance,
                                       int32_t function, int32_t member);
bool profile_is_started(const IngotProfile *profile, const IngotInstance *instance);

/* profile_ceiling.c: what a team can do at most. */
enum { CEILING_LEVELS = 4 };

typedef struct Ceiling {
    double flops; /* a second; two for each multiply-add */
    /* bytes a second when a block of so many bytes is read again and again: the size says from
     * which cache or memory; 0 where memory for it was not to be had */
    int64_t level_bytes[CEILING_LEVELS];
    double bandwidth[CEILING_LEVELS];
    double lap_seconds; /* what a look at the clock takes */
} Ceiling;

/* Half a second for the instance's team of `members`. */
void ceiling_measure(Ceiling *ceiling, const IngotProfile *profile, const IngotInstance *instance,
                     int32_t members);
/* No program can be faster: so many multiply-adds at `flops`, or one reading of so many bytes from
 * the nearest memory that could hold them, whichever takes longer. Seconds. */
double ceiling_least_seconds(const Ceiling *ceiling, int64_t multiply_adds, int64_t bytes);

/* profile_report.c: what is known of one function, function -1: of each that has run. */
typedef struct ProfileRequest {
    int32_t function;
    double seconds; /* of one run, seen from outside; 0: not known */
    bool json;
} ProfileRequest;

bool profile_report(const IngotProfile *profile, IngotInstance *instance,
                    const ProfileRequest *request, FILE *to, Failure *failure);

#endif
