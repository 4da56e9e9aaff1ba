/* Constant structures; see record.h. LLVM lays them out by the same rules as C does. */
#include "codegen/record.h"

#include <string.h>

enum { LARGE = 4 << 20 };

static LLVMTypeRef pointer_type(const ObjectPart *part)
{
    return LLVMPointerTypeInContext(part->context, 0);
}

LLVMValueRef record_nothing(const ObjectPart *part)
{
    return LLVMConstNull(pointer_type(part));
}

LLVMValueRef record_number32(const ObjectPart *part, int64_t value)
{
    return LLVMConstInt(LLVMInt32TypeInContext(part->context), (unsigned long long)value, 1);
}

LLVMValueRef record_number64(const ObjectPart *part, int64_t value)
{
    return LLVMConstInt(LLVMInt64TypeInContext(part->context), (unsigned long long)value, 1);
}

LLVMValueRef record_make(const ObjectPart *part, LLVMValueRef *fields, int count)
{
    return LLVMConstStructInContext(part->context, fields, (unsigned)count, 0);
}

LLVMValueRef record_keep(const ObjectPart *part, LLVMValueRef value, unsigned alignment)
{
    LLVMValueRef global = LLVMAddGlobal(part->llvm, LLVMTypeOf(value), "");
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    if (alignment)
        LLVMSetAlignment(global, alignment);
    return global;
}

LLVMValueRef record_list(const ObjectPart *part, LLVMValueRef *values, int count)
{
    if (count == 0)
        return record_nothing(part);
    return record_keep(part, LLVMConstArray2(LLVMTypeOf(values[0]), values, (uint64_t)count), 0);
}

LLVMValueRef record_text(const ObjectPart *part, const char *string)
{
    if (!string)
        return record_nothing(part);
    return record_keep(part, LLVMConstStringInContext2(part->context, string, strlen(string), 0),
                       1);
}

/* Large blocks go past LLVM, which would copy them four times. */
static LLVMValueRef block_beside(const ObjectPart *part, const char *bytes, int64_t size)
{
    int number = (*part->block_count)++;
    const char *symbol = arena_print(part->arena, "%s.block.%d", part->prefix, number);
    part->blocks[number] =
        (CodegenObject){arena_print(part->arena, "%s.o", symbol), bytes, (size_t)size, symbol};
    LLVMTypeRef byte = LLVMInt8TypeInContext(part->context);
    LLVMValueRef global = LLVMAddGlobal(part->llvm, LLVMArrayType2(byte, (uint64_t)size), symbol);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetVisibility(global, LLVMHiddenVisibility);
    LLVMSetAlignment(global, 64);
    return global;
}

LLVMValueRef record_block(const ObjectPart *part, const char *bytes, int64_t size)
{
    if (size == 0)
        return record_nothing(part);
    if (size >= LARGE && *part->block_count < BLOCK_LIMIT)
        return block_beside(part, bytes, size);
    return record_keep(part, LLVMConstStringInContext2(part->context, bytes, (size_t)size, 1), 64);
}
