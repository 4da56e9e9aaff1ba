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
    const char *prefix;    /* the model's name as an identifier: begins every symbol */
    CodegenObject *blocks; /* what record_block() leaves to the linker, at most BLOCK_LIMIT; live */
    int *block_count;      /* as long as the arena */
} ObjectPart;

enum { BLOCK_LIMIT = 64 };

/* "digits.matmul_add": hidden in the finished library, so it need be no C identifier. */
const char *object_kernel_symbol(const ObjectPart *part, const Kernel *kernel);

/* body.c: the IngotBody of module->schedules[index], or of module->prepare when index is -1; calls
 * the kernels in order. Hidden. */
LLVMValueRef object_add_body(const ObjectPart *part, int index);
/* Scratch of one member in that schedule, a multiple of 64; with options->profile the same for all
 * schedules, and its counters at the end of it. */
int64_t object_scratch_bytes(const ObjectPart *part, const Schedule *schedule);
/* What the kernels of a schedule need of it. */
int64_t object_kernel_scratch_bytes(const Schedule *schedule);

/* descriptor.c: the constant IngotModel `ingot_descriptor`; bodies[i] is that of schedule i,
 * and one more that of `prepare`, or NULL. */
LLVMValueRef object_add_descriptor(const ObjectPart *part, const LLVMValueRef *bodies);

/* profile.c, all of it for options->profile only: the constant IngotProfile
 * `ingot_profile_descriptor` of runtime/profile.h, */
LLVMValueRef object_add_profile(const ObjectPart *part, LLVMValueRef descriptor);
/* where in the scratch of a member the counters of schedule `index` lie, and where all of them end,
 */
int64_t profile_counters_offset(const ObjectPart *part, int index);
int64_t profile_counters_end(const ObjectPart *part);
/* and the calls that a body makes: at its beginning, behind each of its calls or, with `call` -1,
 * behind a barrier, and at its end. */
typedef struct ProfileCalls {
    const ObjectPart *part;
    LLVMBuilderRef builder;
    LLVMValueRef counters; /* of this member */
} ProfileCalls;
void profile_add_begin(const ProfileCalls *calls);
void profile_add_lap(const ProfileCalls *calls, int call);
void profile_add_end(const ProfileCalls *calls);

/* public.c: the functions of public.def; `profile` is NULL without options->profile. */
void object_add_public(const ObjectPart *part, LLVMValueRef descriptor, LLVMValueRef profile);

#endif
