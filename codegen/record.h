/* Constant structures of runtime/model.h and runtime/profile.h, field by field. */
#ifndef INGOT_CODEGEN_RECORD_H
#define INGOT_CODEGEN_RECORD_H

#include "codegen/object.h"

LLVMValueRef record_nothing(const ObjectPart *part); /* NULL */
LLVMValueRef record_number32(const ObjectPart *part, int64_t value);
LLVMValueRef record_number64(const ObjectPart *part, int64_t value);
LLVMValueRef record_make(const ObjectPart *part, LLVMValueRef *fields, int count);

/* The following are pointers to something of this object that nobody else sees. */

/* alignment 0: what its type asks for */
LLVMValueRef record_keep(const ObjectPart *part, LLVMValueRef value, unsigned alignment);
LLVMValueRef record_list(const ObjectPart *part, LLVMValueRef *values, int count); /* 0: NULL */
LLVMValueRef record_text(const ObjectPart *part, const char *string);              /* NULL: NULL */
/* aligned to 64; NULL when empty */
LLVMValueRef record_block(const ObjectPart *part, const char *bytes, int64_t size);

#endif
