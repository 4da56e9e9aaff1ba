/* The parts of a model's object beside its kernels: function bodies, descriptor, public functions.
 */
#ifndef INGOT_CODEGEN_OBJECT_H
#define INGOT_CODEGEN_OBJECT_H

#include <llvm-c/Core.h>

#include "codegen/codegen.h"

/* What the following build into. Several of them may work on one Module at once, each with its own
 * arena. */
typedef struct ObjectPart {
    const Module *module;
    const CodegenOptions *options;
    Arena *arena;
    LLVMContextRef context;
    LLVMModuleRef llvm;
    const char *prefix; /* the model's name as an identifier: begins every symbol */
} ObjectPart;

/* "digits.matmul_add": hidden in the finished library, so it need be no C identifier. */
const char *object_kernel_symbol(const ObjectPart *part, const Kernel *kernel);

/* body.c: the IngotBody of module->schedules[index], or of module->prepare when index is -1; calls
 * the kernels in order. Hidden. */
LLVMValueRef object_add_body(const ObjectPart *part, int index);
/* Scratch of one member in that schedule, a multiple of 64. */
int64_t object_scratch_bytes(const Schedule *schedule);

/* descriptor.c: the constant IngotModel `ingot_descriptor`; bodies[i] is that of schedule i,
 * and one more that of `prepare`, or NULL. */
LLVMValueRef object_add_descriptor(const ObjectPart *part, const LLVMValueRef *bodies);

/* public.c: the functions of public.def. */
void object_add_public(const ObjectPart *part, LLVMValueRef descriptor);

#endif
