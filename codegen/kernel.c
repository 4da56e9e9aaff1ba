/* Kernel → LLVM function, one to one.
 *
 *     for k = 0..784 { … }      a bottom-tested loop; %k is a phi of the pointer's width
 *     unroll r = 0..6 { … }     the body six times, r being a number
 *     vector v = 0..8 { … }     the body once, with <8 x …> values
 *     parallel j = 0..512 { … } the member's run of iterations
 *
 * Nothing is decided here: a loop that should be unrolled says so in the nest. Loops of one
 * iteration are no loops, since lowering makes many of them.
 *
 * Locals are allocas at the function's entry, always accessed in whole vectors of the loop's width
 * at offsets that are numbers, so that SROA turns each into a register. Their padding lanes (a
 * partial vector whose first lane lies at a multiple of the vector's width) are read and written
 * freely: whoever lowers pads the rows of a local.
 *
 * Expressions are in kernel_expr.c, loads and stores in kernel_memory.c. */
#include "codegen/kernel_parts.h"

#include <string.h>

static void gen_block(Gen *g, const Stmt *list);

/* Number of iterations. */
static int64_t trip_count(const Stmt *loop)
{
    return loop->end > loop->begin ? (loop->end - loop->begin + loop->step - 1) / loop->step : 0;
}

static Binding *binding_of(Gen *g, const Var *var)
{
    if (var->id < 0 || var->id >= g->kernel->next_var)
        INGOT_BUG("kernel @%s: variable %s has number %d", g->kernel->name, var->name, var->id);
    return &g->bindings[var->id];
}

static void bind_number(Gen *g, const Var *var, int64_t number)
{
    *binding_of(g, var) = (Binding){.kind = BINDING_NUMBER, .number = number};
}

/* The largest power of two up to 64 that divides both. */
static int64_t common_power(int64_t a, int64_t b)
{
    int64_t power = 64;
    while (a % power != 0 || b % power != 0)
        power /= 2;
    return power;
}

static void bind_value(Gen *g, const Stmt *loop, LLVMValueRef value)
{
    *binding_of(g, loop->var) = (Binding){.kind = BINDING_VALUE,
                                          .number = common_power(loop->begin, loop->step),
                                          .value = value,
                                          .depth = g->depth};
}

static LLVMBasicBlockRef append_block(Gen *g, const char *name)
{
    return LLVMAppendBasicBlockInContext(g->context, g->function, name);
}

/* index + step, which never wraps: the nest's bounds fit. */
static LLVMValueRef next_index(Gen *g, LLVMValueRef index, int64_t step)
{
    LLVMValueRef next = LLVMBuildAdd(g->builder, index, gen_index(g, step), "");
    LLVMSetNSW(next, 1);
    return next;
}

/* Tells how often a loop goes round before it is left: registers are given to what is used most,
 * and without this a loop is taken for more used the deeper it lies, however short it is. */
static void set_trips(Gen *g, LLVMValueRef leave_or_repeat, int64_t trips)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    unsigned long long again = trips > INT32_MAX ? INT32_MAX : (unsigned long long)trips - 1;
    LLVMMetadataRef weights[] = {
        LLVMMDStringInContext2(g->context, "branch_weights", strlen("branch_weights")),
        LLVMValueAsMetadata(LLVMConstInt(i32, 1, 0)),
        LLVMValueAsMetadata(LLVMConstInt(i32, again ? again : 1, 0))};
    LLVMMetadataRef node = LLVMMDNodeInContext2(g->context, weights, 3);
    LLVMSetMetadata(leave_or_repeat, LLVMGetMDKindIDInContext(g->context, "prof", 4),
                    LLVMMetadataAsValue(g->context, node));
}

static void gen_serial(Gen *g, const Stmt *loop)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->builder);
    LLVMBasicBlockRef body = append_block(g, loop->var->name);
    LLVMBuildBr(g->builder, body);
    LLVMPositionBuilderAtEnd(g->builder, body);
    LLVMValueRef index = LLVMBuildPhi(g->builder, g->index_type, loop->var->name);
    LLVMValueRef begin = gen_index(g, loop->begin);
    LLVMAddIncoming(index, &begin, &before, 1);
    g->depth++;
    bind_value(g, loop, index);
    gen_block(g, loop->body);
    g->depth--;
    LLVMValueRef next = next_index(g, index, loop->step);
    LLVMBasicBlockRef last = LLVMGetInsertBlock(g->builder), after = append_block(g, "");
    LLVMAddIncoming(index, &next, &last, 1);
    LLVMValueRef end = gen_index(g, loop->begin + trip_count(loop) * loop->step);
    LLVMValueRef ends = LLVMBuildICmp(g->builder, LLVMIntEQ, next, end, "");
    set_trips(g, LLVMBuildCondBr(g->builder, ends, after, body), trip_count(loop));
    LLVMPositionBuilderAtEnd(g->builder, after);
}

static void gen_unrolled(Gen *g, const Stmt *loop)
{
    for (int64_t i = loop->begin; i < loop->end; i += loop->step) {
        bind_number(g, loop->var, i);
        gen_block(g, loop->body);
    }
}

static void gen_vector(Gen *g, const Stmt *loop)
{
    if (g->lanes != 1)
        INGOT_BUG("kernel @%s: vector loops inside each other", g->kernel->name);
    *binding_of(g, loop->var) = (Binding){.kind = BINDING_LANE};
    g->lanes = loop->lanes;
    g->active = (int)(loop->end - loop->begin);
    gen_block(g, loop->body);
    g->lanes = g->active = 1;
}

/* Parallel loops: the iterations of `loop` and of those that are its whole body are numbered
 * through, member m of n gets the m-th of n runs, and each number is taken apart again. */

enum { NEST_LIMIT = 16 };

typedef struct Nest {
    const Stmt *loops[NEST_LIMIT]; /* outermost first */
    int count;
    int64_t total; /* iterations */
} Nest;

static Nest collect_nest(const Gen *g, const Stmt *loop)
{
    Nest nest = {.total = 1};
    for (;; loop = loop->body) {
        if (nest.count == NEST_LIMIT)
            INGOT_BUG("kernel @%s: more than %d parallel loops", g->kernel->name, NEST_LIMIT);
        nest.loops[nest.count++] = loop;
        nest.total *= trip_count(loop);
        const Stmt *body = loop->body;
        if (!body || body->next || body->kind != STMT_LOOP || body->loop != LOOP_PARALLEL)
            return nest;
    }
}

static LLVMValueRef minimum(Gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(g->builder, LLVMBuildICmp(g->builder, LLVMIntULT, a, b, ""), a, b, "");
}

/* First iteration and the one behind the last of this member: every member gets total/members of
 * them, and the first total%members get one more. */
static void split_run(Gen *g, int64_t total, LLVMValueRef *first, LLVMValueRef *last)
{
    LLVMBuilderRef b = g->builder;
    unsigned place = (unsigned)g->kernel->argument_count + 1;
    LLVMValueRef member = LLVMBuildZExt(b, LLVMGetParam(g->function, place), g->index_type, "");
    LLVMValueRef members =
        LLVMBuildZExt(b, LLVMGetParam(g->function, place + 1), g->index_type, "");
    LLVMValueRef share = LLVMBuildUDiv(b, gen_index(g, total), members, "");
    LLVMValueRef rest = LLVMBuildURem(b, gen_index(g, total), members, "");
    *first = LLVMBuildAdd(b, LLVMBuildMul(b, member, share, ""), minimum(g, member, rest), "");
    LLVMValueRef more = LLVMBuildICmp(b, LLVMIntULT, member, rest, "");
    *last = LLVMBuildAdd(b, LLVMBuildAdd(b, *first, share, ""),
                         LLVMBuildZExt(b, more, g->index_type, ""), "");
}

/* Binds the variables of the nest to what iteration `number` stands for. */
static void bind_nest(Gen *g, const Nest *nest, LLVMValueRef number)
{
    for (int i = nest->count - 1; i >= 0; i--) {
        const Stmt *loop = nest->loops[i];
        LLVMValueRef trips = gen_index(g, trip_count(loop)), trip = number;
        if (i > 0) {
            trip = LLVMBuildURem(g->builder, number, trips, "");
            number = LLVMBuildUDiv(g->builder, number, trips, "");
        }
        LLVMValueRef scaled = LLVMBuildNSWMul(g->builder, trip, gen_index(g, loop->step), "");
        bind_value(g, loop,
                   LLVMBuildNSWAdd(g->builder, scaled, gen_index(g, loop->begin), loop->var->name));
    }
}

static void gen_parallel(Gen *g, const Stmt *loop)
{
    Nest nest = collect_nest(g, loop);
    if (nest.total == 0)
        return;
    LLVMValueRef first, last;
    split_run(g, nest.total, &first, &last);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->builder);
    LLVMBasicBlockRef body = append_block(g, "parallel"), after = append_block(g, "");
    LLVMBuildCondBr(g->builder, LLVMBuildICmp(g->builder, LLVMIntULT, first, last, ""), body,
                    after);
    LLVMPositionBuilderAtEnd(g->builder, body);
    LLVMValueRef number = LLVMBuildPhi(g->builder, g->index_type, "");
    LLVMAddIncoming(number, &first, &before, 1);
    g->depth++;
    bind_nest(g, &nest, number);
    gen_block(g, nest.loops[nest.count - 1]->body);
    g->depth--;
    LLVMValueRef next = next_index(g, number, 1);
    LLVMBasicBlockRef end = LLVMGetInsertBlock(g->builder);
    LLVMAddIncoming(number, &next, &end, 1);
    LLVMValueRef ends = LLVMBuildICmp(g->builder, LLVMIntEQ, next, last, "");
    set_trips(g, LLVMBuildCondBr(g->builder, ends, after, body), nest.total);
    LLVMPositionBuilderAtEnd(g->builder, after);
}

static void gen_loop(Gen *g, const Stmt *loop)
{
    int64_t trips = trip_count(loop);
    if (trips == 0)
        return;
    bool scalar = loop->loop == LOOP_VECTOR && loop->lanes == 1;
    if (loop->loop == LOOP_UNROLL || scalar || (trips == 1 && loop->loop == LOOP_SERIAL))
        gen_unrolled(g, loop);
    else if (loop->loop == LOOP_VECTOR)
        gen_vector(g, loop);
    else if (loop->loop == LOOP_PARALLEL)
        gen_parallel(g, loop);
    else
        gen_serial(g, loop);
}

static void gen_let(Gen *g, const Stmt *stmt)
{
    if (g->temp_count == g->temp_capacity)
        g->temps =
            arena_grow(g->arena, g->temps, g->temp_count, &g->temp_capacity, sizeof *g->temps);
    Operand value = gen_expr(g, stmt->value);
    g->temps[g->temp_count++] = (TempValue){stmt->temp, value};
}

/* The value that an offset known before the code runs has in one lane. */
static int64_t known_value(Gen *g, Affine offset, int lane)
{
    int64_t value = offset.constant;
    for (int i = 0; i < offset.count; i++) {
        const Binding *binding = binding_of(g, offset.terms[i].var);
        int64_t factor = offset.terms[i].factor;
        if (binding->kind == BINDING_NUMBER)
            value += factor * binding->number;
        else if (binding->kind == BINDING_LANE)
            value += factor * lane;
        else if (binding->kind == BINDING_LANES)
            value += factor * binding->lanes[lane];
        else
            INGOT_BUG("kernel @%s: unravels %s, which is not known yet", g->kernel->name,
                      offset.terms[i].var->name);
    }
    return value;
}

static void gen_unravel(Gen *g, const Stmt *stmt)
{
    if (g->lanes == 1) {
        int64_t value = known_value(g, stmt->offset, 0);
        bind_number(g, stmt->var, value / stmt->step);
        bind_number(g, stmt->inner, value % stmt->step);
        return;
    }
    int64_t *quotients = ARENA_ARRAY(g->arena, int64_t, g->lanes);
    int64_t *remainders = ARENA_ARRAY(g->arena, int64_t, g->lanes);
    for (int lane = 0; lane < g->active; lane++) {
        int64_t value = known_value(g, stmt->offset, lane);
        quotients[lane] = value / stmt->step;
        remainders[lane] = value % stmt->step;
    }
    *binding_of(g, stmt->var) = (Binding){.kind = BINDING_LANES, .lanes = quotients};
    *binding_of(g, stmt->inner) = (Binding){.kind = BINDING_LANES, .lanes = remainders};
}

/* Rounded up to whole vectors, so that the padding behind a partial one exists. */
static void gen_local(Gen *g, const Stmt *stmt)
{
    if (g->local_count == g->local_capacity)
        g->locals =
            arena_grow(g->arena, g->locals, g->local_count, &g->local_capacity, sizeof *g->locals);
    int64_t bytes = (stmt->buffer->count * element_bytes(stmt->buffer->element) + 127) / 64 * 64;
    LLVMTypeRef type = LLVMArrayType2(LLVMInt8TypeInContext(g->context), (uint64_t)bytes);
    LLVMValueRef pointer = LLVMBuildAlloca(g->entry_builder, type, stmt->buffer->name);
    LLVMSetAlignment(pointer, 64);
    g->locals[g->local_count++] = (LocalMemory){stmt->buffer, pointer};
}

/* Is it `+= mul(a, b)` of floats, which one instruction can do? */
static bool is_multiply_add(const Stmt *stmt)
{
    const Expr *value = stmt->value;
    return stmt->mode == STORE_ADD && element_is_float(stmt->buffer->element) &&
           value->kind == EXPR_APPLY && value->op == OP_mul &&
           value->element == stmt->buffer->element;
}

static void gen_store_stmt(Gen *g, const Stmt *stmt)
{
    Place place = gen_place(g, stmt->buffer, stmt->offset, stmt->dynamic, stmt->dynamic_factor);
    if (is_multiply_add(stmt)) {
        Operand a = gen_expr(g, stmt->value->in[0]), b = gen_expr(g, stmt->value->in[1]);
        gen_store(g, &place, STORE_ADD, a, &b);
        return;
    }
    gen_store(g, &place, stmt->mode, gen_expr(g, stmt->value), NULL);
}

static void gen_stmt(Gen *g, const Stmt *stmt)
{
    g->epoch++; /* values computed for the statement before may have been overwritten in memory */
    switch (stmt->kind) {
    case STMT_LOOP:
        gen_loop(g, stmt);
        break;
    case STMT_STORE:
        gen_store_stmt(g, stmt);
        break;
    case STMT_LET:
        gen_let(g, stmt);
        break;
    case STMT_LOCAL:
        gen_local(g, stmt);
        break;
    case STMT_FETCH:
        gen_fetch(g, stmt);
        break;
    case STMT_TRANSPOSE:
        gen_transpose(g, stmt->buffer, (int)stmt->step);
        break;
    case STMT_UNRAVEL:
        gen_unravel(g, stmt);
        break;
    }
}

/* Lets and locals of a block end with it. */
static void gen_block(Gen *g, const Stmt *list)
{
    int temp_count = g->temp_count, local_count = g->local_count;
    for (; list; list = list->next)
        gen_stmt(g, list);
    g->temp_count = temp_count;
    g->local_count = local_count;
}

/* The function around it */

static void add_text_attribute(LLVMValueRef function, const char *key, const char *value)
{
    LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(context, key, (unsigned)strlen(key),
                                                           value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

static void add_attribute(LLVMValueRef function, unsigned place, const char *name, uint64_t value)
{
    LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(function, place, LLVMCreateEnumAttribute(context, kind, value));
}

void codegen_function_attributes(LLVMValueRef function, const Target *target)
{
    add_text_attribute(function, "target-cpu", target->llvm_cpu);
    if (target->features[0])
        add_text_attribute(function, "target-features", target->features);
    /* the runtime flushes denormals around every call of a model function */
    add_text_attribute(function, "denormal-fp-math", "preserve-sign,preserve-sign");
    add_text_attribute(function, "no-builtins", "");
    if (target->architecture == ARCHITECTURE_X86_64) { /* else 512-bit vectors are split in two */
        add_text_attribute(function, "prefer-vector-width",
                           target->vector_bits == 512 ? "512" : "256");
        add_text_attribute(function, "min-legal-vector-width",
                           target->vector_bits == 512 ? "512" : "256");
    }
    add_attribute(function, (unsigned)LLVMAttributeFunctionIndex, "nounwind", 0);
}

static void argument_attributes(LLVMValueRef function, const Kernel *kernel)
{
    for (int i = 0; i < kernel->argument_count; i++) {
        const Buffer *buffer = kernel->arguments[i];
        unsigned place = (unsigned)i + 1;
        if (!kernel->may_alias)
            add_attribute(function, place, "noalias", 0);
        if (!buffer->written)
            add_attribute(function, place, "readonly", 0);
        if (buffer->count > 0)
            add_attribute(function, place, "dereferenceable",
                          (uint64_t)buffer->count * (uint64_t)element_bytes(buffer->element));
    }
    if (kernel->scratch_count > 0) {
        unsigned place = (unsigned)kernel->argument_count + 1;
        add_attribute(function, place, "noalias", 0);
        add_attribute(function, place, "align", 64);
        add_attribute(function, place, "dereferenceable", (uint64_t)kernel_scratch_bytes(kernel));
    }
}

static int64_t scratch_buffer_bytes(const Buffer *buffer)
{
    return (buffer->count * element_bytes(buffer->element) + 63) / 64 * 64;
}

int64_t kernel_scratch_bytes(const Kernel *kernel)
{
    int64_t total = 0;
    for (int i = 0; i < kernel->scratch_count; i++)
        total += scratch_buffer_bytes(kernel->scratch[i]);
    return total;
}

static void bind_scratch(Gen *g)
{
    LLVMValueRef base = LLVMGetParam(g->function, (unsigned)g->kernel->argument_count);
    LLVMTypeRef byte = LLVMInt8TypeInContext(g->context);
    int64_t offset = 0;
    g->scratch = ARENA_ARRAY(g->arena, LLVMValueRef, g->kernel->scratch_count);
    for (int i = 0; i < g->kernel->scratch_count; i++) {
        LLVMValueRef index = gen_index(g, offset);
        g->scratch[i] =
            LLVMBuildInBoundsGEP2(g->builder, byte, base, &index, 1, g->kernel->scratch[i]->name);
        offset += scratch_buffer_bytes(g->kernel->scratch[i]);
    }
}

/* Kernels without parallel loops run on member 0 alone. */
static void gen_body(Gen *g)
{
    LLVMBasicBlockRef entry = append_block(g, "entry"), body = append_block(g, "body");
    LLVMPositionBuilderAtEnd(g->builder, entry);
    LLVMValueRef leave = NULL;
    if (!g->kernel->parallel) {
        LLVMValueRef member = LLVMGetParam(g->function, (unsigned)g->kernel->argument_count + 1);
        LLVMValueRef zero = LLVMConstInt(LLVMTypeOf(member), 0, 0);
        LLVMBasicBlockRef away = append_block(g, "away");
        LLVMBuildCondBr(g->builder, LLVMBuildICmp(g->builder, LLVMIntEQ, member, zero, ""), body,
                        away);
        LLVMPositionBuilderAtEnd(g->builder, away);
        LLVMBuildRetVoid(g->builder);
    } else {
        LLVMBuildBr(g->builder, body);
    }
    leave = LLVMGetBasicBlockTerminator(entry);
    LLVMPositionBuilderBefore(g->entry_builder, leave);
    LLVMPositionBuilderAtEnd(g->builder, body);
    bind_scratch(g);
    gen_block(g, g->kernel->body);
    LLVMBuildRetVoid(g->builder);
}

LLVMValueRef codegen_kernel_declare(LLVMModuleRef module, const Target *target,
                                    const Kernel *kernel, const char *symbol)
{
    LLVMValueRef known = LLVMGetNamedFunction(module, symbol);
    if (known)
        return known;
    LLVMContextRef context = LLVMGetModuleContext(module);
    Arena *arena = arena_create();
    unsigned count = (unsigned)kernel->argument_count;
    LLVMTypeRef *types = ARENA_ARRAY(arena, LLVMTypeRef, count + 3);
    for (unsigned i = 0; i <= count; i++)
        types[i] = LLVMPointerTypeInContext(context, 0);
    types[count + 1] = types[count + 2] = LLVMInt32TypeInContext(context);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(context), types, count + 3, 0);
    arena_destroy(arena);
    LLVMValueRef function = LLVMAddFunction(module, symbol, type);
    LLVMSetVisibility(function, LLVMHiddenVisibility);
    codegen_function_attributes(function, target);
    return function;
}

LLVMValueRef codegen_kernel(LLVMModuleRef module, const Target *target, const Kernel *kernel,
                            const char *symbol)
{
    LLVMContextRef context = LLVMGetModuleContext(module);
    LLVMValueRef function = codegen_kernel_declare(module, target, kernel, symbol);
    argument_attributes(function, kernel);
    Arena *arena = arena_create();
    Gen *g = ARENA_NEW(arena, Gen);
    *g = (Gen){.arena = arena,
               .target = target,
               .kernel = kernel,
               .context = context,
               .builder = LLVMCreateBuilderInContext(context),
               .entry_builder = LLVMCreateBuilderInContext(context),
               .function = function,
               .index_type = LLVMIntTypeInContext(context, (unsigned)target->pointer_bytes * 8),
               .bindings = ARENA_ARRAY(arena, Binding, kernel->next_var),
               .lanes = 1,
               .active = 1};
    gen_body(g);
    LLVMDisposeBuilder(g->builder);
    LLVMDisposeBuilder(g->entry_builder);
    arena_destroy(arena);
    return function;
}
