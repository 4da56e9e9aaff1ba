/* The floating-point mode while a model runs: the caller's, with denormal numbers flushed to zero.
 *
 * Denormals cost a hundred times the time of other numbers on many processors, and a dying gradient
 * makes plenty. Every member of a team has the same mode, so results do not depend on which thread
 * did what; each restores its own after. 32-bit NEON flushes always, scalar VFP code when told
 * here. */
#ifndef INGOT_RUNTIME_FLOAT_MODE_H
#define INGOT_RUNTIME_FLOAT_MODE_H

#include <stdint.h>

typedef uintptr_t FloatMode;

#if defined(__SSE__)
#include <xmmintrin.h>

enum { FLOAT_MODE_FLUSH = 0x8040 }; /* bit 15: results to zero; bit 6: operands taken as zero */

static inline FloatMode float_mode_get(void)
{
    return _mm_getcsr();
}

static inline void float_mode_set(FloatMode mode)
{
    _mm_setcsr((unsigned)mode);
}

#elif defined(__aarch64__)

enum { FLOAT_MODE_FLUSH = 1 << 24 };

static inline FloatMode float_mode_get(void)
{
    FloatMode mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}

static inline void float_mode_set(FloatMode mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory");
}

#elif defined(__arm__) && defined(__ARM_FP)

enum { FLOAT_MODE_FLUSH = 1 << 24 };

static inline FloatMode float_mode_get(void)
{
    FloatMode mode;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(mode));
    return mode;
}

static inline void float_mode_set(FloatMode mode)
{
    __asm__ volatile("vmsr fpscr, %0" : : "r"(mode) : "memory");
}

#else

enum { FLOAT_MODE_FLUSH = 0 };

static inline FloatMode float_mode_get(void)
{
    return 0;
}

static inline void float_mode_set(FloatMode mode)
{
    (void)mode;
}

#endif

static inline FloatMode float_mode_flushing(FloatMode mode)
{
    return mode | FLOAT_MODE_FLUSH;
}

#endif
