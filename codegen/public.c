/* The functions a user of the model calls: those of public.def, with default visibility.
 *
 *     digits *digits_create(options, code)  { return ingot_create(&ingot_descriptor, options,
 * code); } int32_t digits_infer(model, pixels, probabilities)
 *     {
 *         const void *inputs[1] = {pixels};
 *         void *outputs[1] = {probabilities};
 *         return ingot_run(model, 1, inputs, outputs);
 *     } */
#include "codegen/public.h"

#include "codegen/kernel.h"
#include "codegen/object.h"

#include <string.h>

static LLVMTypeRef abi_type(const ObjectPart *part, char letter)
{
    switch (letter) {
    case 'i':
        return LLVMInt32TypeInContext(part->context);
    case 'u':
        return LLVMInt64TypeInContext(part->context);
    case 'z':
        return LLVMIntTypeInContext(part->context,
                                    (unsigned)part->module->target->pointer_bytes * 8);
    case 'v':
        return LLVMVoidTypeInContext(part->context);
    default:
        return LLVMPointerTypeInContext(part->context, 0);
    }
}

static bool is_descriptor(char letter)
{
    return letter == 'M' || letter == 'P';
}

/* `abi`: the result, then the parameters; with_descriptor: M and P count as such. */
static LLVMTypeRef abi_signature(const ObjectPart *part, const char *abi, bool with_descriptor)
{
    LLVMTypeRef types[16];
    unsigned count = 0;
    for (const char *letter = abi + 1; *letter; letter++)
        if (with_descriptor || !is_descriptor(*letter))
            types[count++] = abi_type(part, *letter);
    return LLVMFunctionType(abi_type(part, abi[0]), types, count, 0);
}

static LLVMValueRef declare_runtime(const ObjectPart *part, const char *name, const char *abi)
{
    LLVMValueRef function = LLVMGetNamedFunction(part->llvm, name);
    if (function)
        return function;
    function = LLVMAddFunction(part->llvm, name, abi_signature(part, abi, true));
    LLVMSetVisibility(function, LLVMHiddenVisibility);
    return function;
}

static LLVMValueRef add_function(const ObjectPart *part, const char *symbol, LLVMTypeRef type,
                                 LLVMBuilderRef builder)
{
    LLVMValueRef function = LLVMAddFunction(part->llvm, symbol, type);
    codegen_function_attributes(function, part->module->target);
    LLVMPositionBuilderAtEnd(builder,
                             LLVMAppendBasicBlockInContext(part->context, function, "entry"));
    return function;
}

static void return_call(LLVMBuilderRef builder, LLVMValueRef callee, LLVMValueRef *in,
                        unsigned count)
{
    LLVMTypeRef type = LLVMGlobalGetValueType(callee);
    LLVMValueRef result = LLVMBuildCall2(builder, type, callee, in, count, "");
    if (LLVMGetTypeKind(LLVMGetReturnType(type)) == LLVMVoidTypeKind)
        LLVMBuildRetVoid(builder);
    else
        LLVMBuildRet(builder, result);
}

/* One row of public.def: the runtime's function with its descriptor added. */
static void add_forward(const ObjectPart *part, LLVMValueRef descriptor, const char *name,
                        const char *runtime, const char *abi)
{
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(part->context);
    const char *symbol = arena_print(part->arena, "%s_%s", part->prefix, name);
    LLVMValueRef function = add_function(part, symbol, abi_signature(part, abi, false), builder),
                 in[16];
    unsigned count = 0, given = 0;
    for (const char *letter = abi + 1; *letter; letter++)
        in[count++] = is_descriptor(*letter) ? descriptor : LLVMGetParam(function, given++);
    return_call(builder, declare_runtime(part, runtime, abi), in, count);
    LLVMDisposeBuilder(builder);
}

/* The `count` parameters from `first` on as an array on the stack; NULL when there are none. */
static LLVMValueRef pointer_array(const ObjectPart *part, LLVMBuilderRef builder,
                                  LLVMValueRef function, int first, int count)
{
    LLVMTypeRef pointer = LLVMPointerTypeInContext(part->context, 0);
    if (count == 0)
        return LLVMConstNull(pointer);
    LLVMValueRef array = LLVMBuildAlloca(builder, LLVMArrayType2(pointer, (uint64_t)count), "");
    for (int i = 0; i < count; i++) {
        LLVMValueRef index = LLVMConstInt(LLVMInt32TypeInContext(part->context), (unsigned)i, 0);
        LLVMValueRef place = LLVMBuildInBoundsGEP2(builder, pointer, array, &index, 1, "");
        LLVMBuildStore(builder, LLVMGetParam(function, (unsigned)(first + i)), place);
    }
    return array;
}

/* A function of the program, number `place` of the descriptor. */
static void add_call(const ObjectPart *part, int index, int place)
{
    const char *symbol = public_call_symbol(part->arena, part->module->program, index);
    if (!symbol)
        return;
    const Function *called = part->module->program->functions[index];
    int count = 1 + called->input_count + called->result_count;
    LLVMTypeRef *types = ARENA_ARRAY(part->arena, LLVMTypeRef, count);
    for (int i = 0; i < count; i++)
        types[i] = LLVMPointerTypeInContext(part->context, 0);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(part->context);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(part->context);
    LLVMValueRef function =
        add_function(part, symbol, LLVMFunctionType(i32, types, (unsigned)count, 0), builder);
    LLVMValueRef in[4] = {
        LLVMGetParam(function, 0), LLVMConstInt(i32, (unsigned)place, 0),
        pointer_array(part, builder, function, 1, called->input_count),
        pointer_array(part, builder, function, 1 + called->input_count, called->result_count)};
    return_call(builder, declare_runtime(part, "ingot_run", "ipipp"), in, 4);
    LLVMDisposeBuilder(builder);
}

void object_add_public(const ObjectPart *part, LLVMValueRef descriptor, LLVMValueRef profile)
{
#define PUBLIC(name, runtime, abi, result, parameters, documentation)                              \
    add_forward(part, descriptor, #name, #runtime, abi);
#define PUBLIC_PROFILE(name, runtime, abi, result, parameters, documentation)                      \
    if (profile)                                                                                   \
        add_forward(part, profile, #name, #runtime, abi);
#define PUBLIC_CALL(function, documentation)
#include "codegen/public.def"
#undef PUBLIC
#undef PUBLIC_PROFILE
#undef PUBLIC_CALL
    const Program *program = part->module->program;
    const int *order = public_function_order(part->arena, program);
    for (int i = 0; i < program->function_count; i++)
        add_call(part, order[i], i);
}
