/* Flushing denormal numbers to zero while a model runs.
 *
 * Denormals cost a hundred times the time of other numbers on many processors, and a dying gradient
 * makes plenty. Every member of a team flushes them, so results do not depend on which thread did
 * what; the caller's mode is restored after. 32-bit NEON flushes always, scalar VFP code when told
 * here. */
#ifndef INGOT_RUNTIME_FLOAT_MODE_H
#define INGOT_RUNTIME_FLOAT_MODE_H

#include <stdint.h>

#if defined(__SSE__)
#include <xmmintrin.h>

/* Bit 15: results flushed to zero; bit 6: operands taken as zero. */
static inline uintptr_t float_mode_flush(void)
{
    uintptr_t mode = _mm_getcsr();
    _mm_setcsr((unsigned)mode | 0x8040U);
    return mode;
}

static inline void float_mode_restore(uintptr_t mode)
{
    _mm_setcsr((unsigned)mode);
}

#elif defined(__aarch64__)

static inline uintptr_t float_mode_flush(void)
{
    uintptr_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | ((uintptr_t)1 << 24)) : "memory");
    return mode;
}

static inline void float_mode_restore(uintptr_t mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory");
}

#elif defined(__arm__) && defined(__ARM_FP)

static inline uintptr_t float_mode_flush(void)
{
    uintptr_t mode;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(mode));
    __asm__ volatile("vmsr fpscr, %0" : : "r"(mode | ((uintptr_t)1 << 24)) : "memory");
    return mode;
}

static inline void float_mode_restore(uintptr_t mode)
{
    __asm__ volatile("vmsr fpscr, %0" : : "r"(mode) : "memory");
}

#else

static inline uintptr_t float_mode_flush(void)
{
    return 0;
}

static inline void float_mode_restore(uintptr_t mode)
{
    (void)mode;
}

#endif
#endif
