/* What the compiler knows of the processor it generates code for. The host is never assumed. */
#ifndef INGOT_BASE_TARGET_H
#define INGOT_BASE_TARGET_H

#include <stdbool.h>

#include "base/diag.h"

typedef enum Architecture {
    ARCHITECTURE_X86_64,
    ARCHITECTURE_AARCH64,
    ARCHITECTURE_ARMV7
} Architecture;

typedef struct Target {
    const char *triple; /* "aarch64-linux-gnu": also the prefix of the cross tools */
    const char *name;   /* row of targets.def: "x86-64-v3" */
    const char *llvm_cpu;
    const char *features;
    Architecture architecture;
    int vector_bits;
    int registers;
    bool fused; /* has a fused multiply-add */
    bool masked;
    bool lane;                 /* multiplies by one lane of a register */
    bool half;                 /* converts f16 to f32 and back */
    double adds, loads, issue; /* vector multiply-adds, vector loads, instructions in a cycle */
    int l1_kib;
    int l2_kib;
    int pointer_bytes;
    bool native; /* triple is the host's: the plain `cc` links for it */
} Target;

/* Finds the row for a --target and a --cpu. triple NULL: the host's. cpu NULL: the baseline of the
 * triple (x86-64-v3, armv8-a, armv7-a), or, when the triple is NULL too or cpu is "native", the
 * best row that this machine can run. Errors name the nearest known triple or cpu. */
bool target_find(Diag *diag, const char *triple, const char *cpu, Target *target);

/* Float elements in one vector register. */
static inline int target_lanes(const Target *target)
{
    return target->vector_bits / 32;
}

#endif
