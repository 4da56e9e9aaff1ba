/* Element-wise operations on LLVM values: one scalar, or one vector of any width.
 *
 * Values of TYPE_BOOL are i1, those of f16 and bf16 their bits as i16; all others have the type
 * they have in memory. `lanes` is 1 for scalars. The functions of real numbers are inlined
 * polynomials with the error bounds that docs/vector-math.md states; no library is called. */
#ifndef INGOT_CODEGEN_VECTOR_MATH_H
#define INGOT_CODEGEN_VECTOR_MATH_H

#include <llvm-c/Core.h>

#include "ir/nest.h"

/* The type of one value, or of `lanes` of them. */
LLVMTypeRef codegen_type(LLVMContextRef context, ElementType element, int lanes);

/* Any element-wise row of ops.def except `random`. `element` is the result's, in_elements the
 * operands'. All operands have `lanes` lanes. */
LLVMValueRef codegen_apply(LLVMBuilderRef builder, const Target *target, Op op, ElementType element,
                           const ElementType *in_elements, LLVMValueRef *in, int lanes);

/* a·b + c of floats: rounded once where the target can, else twice. */
LLVMValueRef codegen_multiply_add(LLVMBuilderRef builder, const Target *target, LLVMValueRef a,
                                  LLVMValueRef b, LLVMValueRef c);

/* random_key() and random_uniform() of ir/eval.h: key parts, stream and index are i32, the result
 * of the second is f32. */
LLVMValueRef codegen_random_key(LLVMBuilderRef builder, LLVMValueRef *key, LLVMValueRef stream,
                                int lanes);
LLVMValueRef codegen_random_uniform(LLVMBuilderRef builder, LLVMValueRef mixed_key,
                                    LLVMValueRef index, int lanes);

/* `value` in each of `lanes` lanes. */
LLVMValueRef codegen_splat(LLVMBuilderRef builder, LLVMValueRef value, int lanes);
/* Lanes first … first + count - 1 of a vector; of one lane, the element. */
LLVMValueRef codegen_part(LLVMBuilderRef builder, LLVMValueRef vector, int first, int count);

/* A call of an LLVM intrinsic that is overloaded on `type` alone. */
LLVMValueRef codegen_intrinsic(LLVMBuilderRef builder, const char *name, LLVMTypeRef type,
                               LLVMValueRef *in, int in_count);

#endif
