/* One kernel into one LLVM function. */
#ifndef INGOT_CODEGEN_KERNEL_H
#define INGOT_CODEGEN_KERNEL_H

#include <llvm-c/Core.h>

#include "ir/nest.h"

/* Adds to `module` the internal function
 *     void NAME(ptr argument…, ptr scratch, i32 member, i32 members)
 * that does what `kernel` says, for `target`. Returns it. Scratch buffers lie one behind the other in `scratch`, each
 * aligned to 64. */
LLVMValueRef codegen_kernel(LLVMModuleRef module, const Target *target, const Kernel *kernel);

/* Bytes of scratch one member needs for this kernel; a multiple of 64. */
int64_t kernel_scratch_bytes(const Kernel *kernel);

/* codegen/vector_math.c: op (exp, log, tanh, …) of a float scalar or vector, as inlined polynomials with the error bounds that
 * docs/vector-math.md states; integer and simple float operations too. `in` have the same width. */
LLVMValueRef codegen_apply(LLVMBuilderRef builder, const Target *target, Op op, ElementType element,
                           const ElementType *in_elements, LLVMValueRef *in, int in_count, int lanes, double number);

#endif
