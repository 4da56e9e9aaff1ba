/* What the files kernel.c, kernel_expr.c and kernel_memory.c share: the state of translating one
 * kernel. */
#ifndef INGOT_CODEGEN_KERNEL_PARTS_H
#define INGOT_CODEGEN_KERNEL_PARTS_H

#include "codegen/kernel.h"
#include "codegen/vector_math.h"

typedef enum BindingKind { BINDING_NONE, BINDING_NUMBER, BINDING_VALUE, BINDING_LANE } BindingKind;

typedef struct Binding { /* what a loop variable stands for where code is being emitted */
    BindingKind kind;
    int64_t number;     /* NUMBER: its value; VALUE: something it is always a multiple of, or 0 */
    LLVMValueRef value; /* VALUE: of the index type */
    int depth;          /* VALUE: how many loops surround it */
} Binding;

typedef struct Operand { /* the value of an expression */
    LLVMValueRef value;
    bool vector; /* g->lanes lanes; else one value, the same in every lane */
} Operand;

typedef struct TempValue {
    const Temp *temp;
    Operand value;
} TempValue;

typedef struct LocalMemory {
    const Buffer *buffer;
    LLVMValueRef pointer;
} LocalMemory;

enum { MEMO_SLOTS = 64 };

typedef struct Memo {
    const Expr *expr;
    unsigned epoch;
    Operand value;
} Memo;

typedef struct Gen {
    Arena *arena; /* of this kernel */
    const Target *target;
    const Kernel *kernel;
    LLVMContextRef context;
    LLVMBuilderRef builder;
    LLVMBuilderRef entry_builder; /* where locals are made */
    LLVMValueRef function;
    LLVMTypeRef index_type;
    Binding *bindings; /* by Var.id */
    int depth;
    LLVMValueRef *scratch; /* by Buffer.index */
    LocalMemory *locals;
    int local_count, local_capacity;
    TempValue *temps;
    int temp_count, temp_capacity;
    int lanes;  /* of the surrounding vector loop; 1 outside of one */
    int active; /* the first so many lanes count */
    Memo memo[MEMO_SLOTS];
    unsigned epoch; /* memo entries of other epochs are stale */
} Gen;

typedef struct Place { /* where a load or store goes */
    const Buffer *buffer;
    LLVMValueRef pointer;       /* of lane 0 */
    int64_t lane_factor;        /* elements from lane to lane */
    LLVMValueRef dynamic_lanes; /* further elements, a vector; or NULL */
    unsigned alignment;         /* of pointer, in bytes */
} Place;

/* kernel_expr.c */
Operand gen_expr(Gen *g, const Expr *expr);
/* The value as a vector of g->lanes lanes (as it is when that is 1). */
LLVMValueRef gen_splat(Gen *g, Operand operand);
LLVMValueRef gen_lane(Gen *g, Operand operand, int lane);
LLVMValueRef gen_index(const Gen *g, int64_t number); /* a constant of the index type */

/* kernel_memory.c */
Place gen_place(Gen *g, const Buffer *buffer, Affine offset, const Expr *dynamic,
                int64_t dynamic_factor);

/* Asks for the cache line of buffer[offset]. */
void gen_fetch(Gen *g, const Stmt *fetch);
Operand gen_load(Gen *g, const Place *place);
/* memory = combine(memory, value), lane after lane where lanes may meet. `product`, when not NULL,
 * is multiplied with `value` first, in one step with the addition. */
void gen_store(Gen *g, const Place *place, StoreMode mode, Operand value, const Operand *product);

#endif
