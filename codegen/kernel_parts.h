/* What the files kernel.c, kernel_expr.c and kernel_memory.c share: the state of translating one
 * kernel. */
#ifndef INGOT_CODEGEN_KERNEL_PARTS_H
#define INGOT_CODEGEN_KERNEL_PARTS_H

#include "codegen/kernel.h"
#include "codegen/vector_math.h"

typedef enum BindingKind {
    BINDING_NONE,
    BINDING_NUMBER,
    BINDING_VALUE,
    BINDING_LANE,  /* the lane's number */
    BINDING_LANES, /* a number for each lane */
} BindingKind;

typedef struct Binding { /* what a loop variable stands for where code is being emitted */
    BindingKind kind;
    int64_t number;       /* NUMBER: its value; VALUE: something it is always a multiple of, or 0 */
    LLVMValueRef value;   /* VALUE: of the index type */
    int depth;            /* VALUE: how many loops surround it */
    const int64_t *lanes; /* LANES: of g->lanes lanes, 0 in those that do not count */
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

enum { MEMO_SLOTS = 64, VECTOR_LANES = 64 };

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
    const int64_t *lanes;       /* or, when not NULL, elements from lane 0 to each lane */
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
/* What `lanes` elements are in memory. */
LLVMTypeRef gen_memory_type(const Gen *g, ElementType element, int lanes);
/* `lane` elements further on, as the place's lanes lie. */
LLVMValueRef gen_lane_pointer(Gen *g, const Place *place, int lane);
/* `count` elements side by side as the first lanes of a vector of g->lanes; those behind them are
 * not touched. */
LLVMValueRef gen_load_first(Gen *g, const Place *place, LLVMValueRef pointer, int count);

/* kernel_transpose.c */
/* Turns the size × size matrix at the beginning of a local. */
void gen_transpose(Gen *g, const Buffer *local, int size);

/* kernel_pattern.c */
/* Lanes that lie in a pattern known now, not too far apart: put together from vectors. NULL when it
 * is not worth it. */
LLVMValueRef gen_load_pattern(Gen *g, const Place *place);

/* memory = combine(memory, value), lane after lane where lanes may meet. `product`, when not NULL,
 * is multiplied with `value` first, in one step with the addition. */
void gen_store(Gen *g, const Place *place, StoreMode mode, Operand value, const Operand *product);

#endif
