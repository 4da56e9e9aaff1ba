/* One kernel into one LLVM function. */
#ifndef INGOT_CODEGEN_KERNEL_H
#define INGOT_CODEGEN_KERNEL_H

#include <llvm-c/Core.h>

#include "ir/nest.h"

/* Adds to `module` the function
 *     void SYMBOL(ptr argument…, ptr scratch, i32 member, i32 members)
 * that does what `kernel` says, for `target`. Returns it. Scratch buffers lie one behind the other
 * in `scratch`, each aligned to 64. The function is hidden, calls nothing and may run in several
 * threads at once. */
LLVMValueRef codegen_kernel(LLVMModuleRef module, const Target *target, const Kernel *kernel,
                            const char *symbol);

/* Its declaration only, for those who call it from another module. */
LLVMValueRef codegen_kernel_declare(LLVMModuleRef module, const Target *target,
                                    const Kernel *kernel, const char *symbol);

/* Bytes of scratch one member needs for this kernel; a multiple of 64. */
int64_t kernel_scratch_bytes(const Kernel *kernel);

/* Attributes every generated function has: the processor, denormals flushed, no library calls made
 * up, no unwinding. */
void codegen_function_attributes(LLVMValueRef function, const Target *target);

#endif
