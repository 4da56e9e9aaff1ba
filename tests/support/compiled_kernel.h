/* Kernels as machine code, for tests: compiled, linked with the target's C compiler and run, in
 * this process or, when they are for another processor, under qemu. */
#ifndef INGOT_TESTS_COMPILED_KERNEL_H
#define INGOT_TESTS_COMPILED_KERNEL_H

#include "base/target.h"
#include "ir/nest.h"

typedef struct CompiledKernels CompiledKernels;

/* Are the compiler and the emulator for this target here? */
bool compiled_kernels_possible(const Target *target);

/* Compiles `count` kernels. Ends the test with a message when that fails. */
CompiledKernels *compiled_kernels_create(Arena *arena, const Target *target, Kernel **kernels,
                                         int count);
void compiled_kernels_destroy(CompiledKernels *compiled);

/* Runs kernel number `index` as each of `members` members, one after the other. `arguments` are
 * dense arrays of the sizes that the kernel gives. Denormals are flushed as the runtime does. */
void compiled_kernels_run(CompiledKernels *compiled, int index, void *const *arguments,
                          int members);

#endif
