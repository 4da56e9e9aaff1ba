/* What a model built with --profile measures of itself, kernel by kernel.
 *
 * Such a model has one constant `IngotProfile` beside its IngotModel, and its functions note the
 * time as they run: each member of the team counts for itself, in memory at the end of its scratch,
 * so that nothing is shared, allocated or kept in globals. A model built without it has nothing of
 * this, and none of the files profile*.c. Like runtime/model.h, the structures are an agreement
 * with the compiler (codegen/profile.c). */
#ifndef INGOT_RUNTIME_PROFILE_H
#define INGOT_RUNTIME_PROFILE_H

#include "runtime/instance.h"

typedef struct IngotProfileKernel {
    const char *name;      /* "conv_add_max" */
    int64_t multiply_adds; /* of one call, as many as its loops do: lanes of padding too */
    int64_t bytes_read;    /* of one call: distinct bytes of its operands */
    int64_t bytes_written; /* and of its results */
} IngotProfileKernel;

typedef struct IngotProfileCall {
    const char *layers; /* whom in the model it works for: "conv1"; "" when nobody is known */
    int32_t kernel;     /* number of the kernel */
    int32_t times;      /* made in one call of the function: the steps of a loop */
} IngotProfileCall;

typedef struct IngotProfileFunction {
    const IngotProfileCall *calls; /* in the order in which they run */
    int64_t counters;              /* where in a member's scratch its IngotProfileCounters are */
    int32_t call_count;
} IngotProfileFunction;

/* The two loops that say what the processor can do at most; kernels like the others, compiled for
 * the same target: they run on member 0. */
typedef void IngotProfileMultiply(const void *factor, void *sums, void *scratch, int32_t member,
                                  int32_t members);
typedef void IngotProfileRead(const void *block, void *sums, void *scratch, int32_t member,
                              int32_t members);

enum { INGOT_PROFILE_FACTORS = 4096, INGOT_PROFILE_BLOCK = 16 << 10 }; /* bytes */

typedef struct IngotProfile {
    const IngotModel *model;
    const IngotProfileKernel *kernels;
    const IngotProfileFunction *functions; /* as many as the model has, in the same order */
    IngotProfileMultiply *multiply; /* on registers alone; factor and sums: INGOT_PROFILE_FACTORS */
    IngotProfileRead *read;         /* INGOT_PROFILE_BLOCK bytes */
    int64_t multiply_adds;          /* of one call of `multiply` */
    int32_t kernel_count;
} IngotProfile;

/* Of one call in the list of a function. */
typedef struct IngotProfileTimes {
    uint64_t sum;   /* of all times it was made */
    uint64_t least; /* of them; UINT64_MAX before the first */
} IngotProfileTimes;

/* What one member has counted in one function. Times are nanoseconds. */
typedef struct IngotProfileCounters {
    uint64_t magic;   /* there since ingot_profile_start() */
    uint64_t runs;    /* calls of the function that it took part in */
    uint64_t started; /* when the last of them began */
    uint64_t last;    /* when it looked at the clock last */
    uint64_t elapsed; /* from the beginnings to the ends of all of them */
    uint64_t waited;  /* at barriers */
    uint64_t reserved[2];
    IngotProfileTimes calls[];
} IngotProfileCounters;

/* Called by generated code. `call` -1: a barrier. */
void ingot_profile_begin(IngotProfileCounters *counters);
void ingot_profile_lap(IngotProfileCounters *counters, int32_t call);
void ingot_profile_end(IngotProfileCounters *counters);

/* Counts from nought. Before the first time nothing is known: memory is as it was found. */
void ingot_profile_start(const IngotProfile *profile, IngotInstance *instance);

/* Writes what has been counted of every function that ran, as a table or (json not 0) as one JSON
 * object, to `path`; NULL: to standard output. First measures what the processor can do at most,
 * for half a second. INGOT_BAD_ARGUMENT before ingot_profile_start(). */
int32_t ingot_profile_write(const IngotProfile *profile, IngotInstance *instance, const char *path,
                            int32_t json);

#endif
