/* A schedule as one function, which every member of the team runs:
 *
 *     void digits.body.1(const IngotCall *call, i32 member, i32 members)
 *     {
 *         digits.matmul_add(call->inputs[0], call->state + 64, call->arena + 0, scratch, member,
 * members); if (members > 1) ingot_team_barrier(call->team, member); digits.softmax(call->arena +
 * 0, call->outputs[0], scratch, member, members);
 *     }
 *
 * What LLVM takes for a function grows faster than the function: a long body calls stretches of
 * itself, one after the other, which are functions of the same kind.
 *
 * A repeat becomes a loop around its calls; parts of slots then lie at places that its counters
 * give. All other places in the arena, the state block and the constant block are numbers by now.
 *
 * With --profile every member also notes the time, at the beginning, behind each call and each
 * barrier, and all meet once more at the end, so that the time of the whole is that of any of them:
 *
 *         ingot_profile_begin(counters);
 *         digits.matmul_add(…);          ingot_profile_lap(counters, 0);
 *         if (members > 1) { ingot_team_barrier(…); ingot_profile_lap(counters, -1); }
 *         …
 *         ingot_profile_end(counters); */
#include "codegen/kernel.h"
#include "codegen/object.h"
#include "ir/scan.h"

enum {
    CALL_STATE,
    CALL_ARENA,
    CALL_SCRATCH,
    CALL_INPUTS,
    CALL_OUTPUTS,
    CALL_CONSTANTS,
    CALL_TEAM,
    CALL_FIELDS
};

typedef struct Counter { /* of a repeat that is open */
    const Var *var;
    LLVMValueRef value; /* i64 */
} Counter;

enum { COUNTER_LIMIT = 2 * SCAN_DEPTH_LIMIT, STRETCH = 64 };

typedef struct Body {
    const ObjectPart *part;
    const Schedule *schedule;
    int index; /* of the function of the program; -1: `prepare` */
    LLVMBuilderRef builder;
    LLVMValueRef function, member, members, several, scratch, barrier;
    LLVMValueRef fields[CALL_FIELDS]; /* of the IngotCall */
    LLVMValueRef *inputs, *outputs;   /* loaded once, at the entry */
    LLVMTypeRef pointer, byte, i32, i64;
    bool profiled;
    ProfileCalls profile; /* when it is */
    Counter counters[COUNTER_LIMIT];
    int counter_count;
} Body;

const char *object_kernel_symbol(const ObjectPart *part, const Kernel *kernel)
{
    return arena_print(part->arena, "%s.%s", part->prefix, kernel->name);
}

int64_t object_kernel_scratch_bytes(const Schedule *schedule)
{
    int64_t most = 0;
    for (int i = 0; i < schedule->call_count; i++) {
        int64_t bytes = kernel_scratch_bytes(schedule->calls[i].kernel);
        most = bytes > most ? bytes : most;
    }
    return most;
}

int64_t object_scratch_bytes(const ObjectPart *part, const Schedule *schedule)
{
    return part->options->profile ? profile_counters_end(part)
                                  : object_kernel_scratch_bytes(schedule);
}

static LLVMValueRef load_pointer(const Body *body, LLVMValueRef base, int index)
{
    LLVMValueRef place = LLVMConstInt(body->i32, (unsigned)index, 0);
    place = LLVMBuildInBoundsGEP2(body->builder, body->pointer, base, &place, 1, "");
    return LLVMBuildLoad2(body->builder, body->pointer, place, "");
}

static LLVMValueRef *load_pointers(const Body *body, LLVMValueRef base, int count)
{
    LLVMValueRef *list = ARENA_ARRAY(body->part->arena, LLVMValueRef, count);
    for (int i = 0; i < count; i++)
        list[i] = load_pointer(body, base, i);
    return list;
}

static LLVMValueRef at_offset(const Body *body, LLVMValueRef base, int64_t offset)
{
    LLVMValueRef index = LLVMConstInt(body->i64, (unsigned long long)offset, 0);
    return offset == 0 ? base
                       : LLVMBuildInBoundsGEP2(body->builder, body->byte, base, &index, 1, "");
}

static LLVMValueRef counter_value(const Body *body, const Var *var)
{
    for (int i = body->counter_count; i-- > 0;)
        if (body->counters[i].var == var)
            return body->counters[i].value;
    INGOT_BUG("%s is used outside of its repeat", var->name);
}

/* pointer + bytes of a part */
static LLVMValueRef part_pointer(const Body *body, LLVMValueRef pointer, Affine at)
{
    pointer = at_offset(body, pointer, at.constant);
    for (int t = 0; t < at.count; t++) {
        LLVMValueRef bytes =
            LLVMBuildMul(body->builder, counter_value(body, at.terms[t].var),
                         LLVMConstInt(body->i64, (unsigned long long)at.terms[t].factor, 1), "");
        pointer = LLVMBuildGEP2(body->builder, body->byte, pointer, &bytes, 1, "");
    }
    return pointer;
}

static LLVMValueRef slot_pointer(const Body *body, const Slot *slot)
{
    switch (slot->kind) {
    case SLOT_PART:
        return part_pointer(body, slot_pointer(body, slot->whole), slot->at);
    case SLOT_INPUT:
        return body->inputs[slot->index];
    case SLOT_RESULT:
        return body->outputs[slot->index];
    case SLOT_STATE:
        return at_offset(body, body->fields[CALL_STATE],
                         body->part->module->state_offsets[slot->index]);
    case SLOT_CONSTANT:
        return at_offset(body, body->fields[CALL_CONSTANTS], slot->offset);
    case SLOT_PREPARED: /* behind the states */
        return at_offset(body, body->fields[CALL_STATE],
                         body->part->module->state_bytes + slot->offset);
    case SLOT_TEMPORARY:
        return at_offset(body, body->fields[CALL_ARENA], slot->offset);
    }
    INGOT_BUG("slot %s is of kind %d", slot->name, (int)slot->kind);
}

/* All members meet; a team of one meets nobody. */
static void add_barrier(Body *body)
{
    LLVMContextRef context = body->part->context;
    LLVMBasicBlockRef wait = LLVMAppendBasicBlockInContext(context, body->function, "wait");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(context, body->function, "");
    LLVMBuildCondBr(body->builder, body->several, wait, after);
    LLVMPositionBuilderAtEnd(body->builder, wait);
    LLVMValueRef in[2] = {body->fields[CALL_TEAM], body->member};
    LLVMBuildCall2(body->builder, LLVMGlobalGetValueType(body->barrier), body->barrier, in, 2, "");
    if (body->profiled)
        profile_add_lap(&body->profile, -1);
    LLVMBuildBr(body->builder, after);
    LLVMPositionBuilderAtEnd(body->builder, after);
}

static void add_call(Body *body, const Call *call)
{
    const ObjectPart *part = body->part;
    const Kernel *kernel = call->kernel;
    LLVMValueRef callee = codegen_kernel_declare(part->llvm, part->module->target, kernel,
                                                 object_kernel_symbol(part, kernel));
    int count = kernel->argument_count;
    LLVMValueRef *in = ARENA_ARRAY(part->arena, LLVMValueRef, count + 3);
    for (int i = 0; i < count; i++)
        in[i] = slot_pointer(body, call->arguments[i]);
    in[count] = body->scratch;
    in[count + 1] = body->member;
    in[count + 2] = body->members;
    LLVMBuildCall2(body->builder, LLVMGlobalGetValueType(callee), callee, in, (unsigned)count + 3,
                   "");
}

static void add_calls(Body *body, int first, int end, const Repeat *outer);

static LLVMValueRef open_counter(Body *body, const Var *var, LLVMBasicBlockRef before)
{
    LLVMValueRef value = LLVMBuildPhi(body->builder, body->i64, var->name);
    LLVMValueRef first = LLVMConstInt(body->i64, 0, 0);
    LLVMAddIncoming(value, &first, &before, 1);
    if (body->counter_count == COUNTER_LIMIT)
        INGOT_BUG("repeats lie more than %d deep", SCAN_DEPTH_LIMIT);
    body->counters[body->counter_count++] = (Counter){var, value};
    return value;
}

/* A step that need not be made is not, nor is any behind it. What says so was written by one member
 * in the step before, and is not written again before all have met at the next one: each side has
 * a place of its own. */
static void leave_early(Body *body, const Repeat *repeat, LLVMValueRef side,
                        LLVMBasicBlockRef after)
{
    LLVMContextRef context = body->part->context;
    LLVMBasicBlockRef ask = LLVMAppendBasicBlockInContext(context, body->function, "alive");
    LLVMBasicBlockRef go = LLVMAppendBasicBlockInContext(context, body->function, "step");
    add_barrier(body);
    LLVMValueRef end = LLVMConstInt(body->i64, (unsigned long long)(repeat->count % 2), 0);
    LLVMValueRef same = LLVMBuildICmp(body->builder, LLVMIntEQ, side, end, "");
    LLVMBuildCondBr(body->builder, same, ask, go);
    LLVMPositionBuilderAtEnd(body->builder, ask);
    LLVMValueRef alive =
        LLVMBuildLoad2(body->builder, body->byte, slot_pointer(body, repeat->alive), "");
    LLVMValueRef none = LLVMConstInt(body->byte, 0, 0);
    LLVMBuildCondBr(body->builder, LLVMBuildICmp(body->builder, LLVMIntNE, alive, none, ""), go,
                    after);
    LLVMPositionBuilderAtEnd(body->builder, go);
}

static void add_repeat(Body *body, const Repeat *repeat)
{
    LLVMContextRef context = body->part->context;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(body->builder);
    LLVMBasicBlockRef loop = LLVMAppendBasicBlockInContext(context, body->function, "repeat");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(context, body->function, "");
    LLVMBuildBr(body->builder, loop);
    LLVMPositionBuilderAtEnd(body->builder, loop);
    LLVMValueRef step = open_counter(body, repeat->step, before);
    LLVMValueRef side = open_counter(body, repeat->side, before);
    if (repeat->alive)
        leave_early(body, repeat, side, after);
    add_calls(body, repeat->first, repeat->end, repeat);
    LLVMValueRef one = LLVMConstInt(body->i64, 1, 0);
    LLVMValueRef next = LLVMBuildAdd(body->builder, step, one, "");
    LLVMValueRef other = LLVMBuildXor(body->builder, side, one, "");
    LLVMValueRef more =
        LLVMBuildICmp(body->builder, LLVMIntSLT, next,
                      LLVMConstInt(body->i64, (unsigned long long)repeat->count, 0), "");
    LLVMBasicBlockRef last = LLVMGetInsertBlock(body->builder);
    LLVMAddIncoming(step, &next, &last, 1);
    LLVMAddIncoming(side, &other, &last, 1);
    LLVMBuildCondBr(body->builder, more, loop, after);
    LLVMPositionBuilderAtEnd(body->builder, after);
    body->counter_count -= 2;
}

/* Calls first … end - 1, which lie in `outer`. */
static void add_calls(Body *body, int first, int end, const Repeat *outer)
{
    for (int i = first; i < end;) {
        const Repeat *repeat = schedule_repeat_at(body->schedule, i, outer);
        const Call *call = &body->schedule->calls[i];
        if (!repeat && call->barrier)
            add_barrier(body);
        if (!repeat)
            add_call(body, call);
        else
            add_repeat(body, repeat);
        if (!repeat && body->profiled)
            profile_add_lap(&body->profile, i);
        i = repeat ? repeat->end : i + 1;
    }
}

static LLVMValueRef declare_barrier(const Body *body)
{
    LLVMModuleRef llvm = body->part->llvm;
    LLVMValueRef known = LLVMGetNamedFunction(llvm, "ingot_team_barrier");
    if (known)
        return known;
    LLVMTypeRef types[2] = {body->pointer, body->i32};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(body->part->context), types, 2, 0);
    known = LLVMAddFunction(llvm, "ingot_team_barrier", type);
    LLVMSetVisibility(known, LLVMHiddenVisibility);
    return known;
}

static void open_function(Body *body, const char *symbol)
{
    const ObjectPart *part = body->part;
    LLVMTypeRef types[3] = {body->pointer, body->i32, body->i32};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(part->context), types, 3, 0);
    body->builder = LLVMCreateBuilderInContext(part->context);
    body->function = LLVMAddFunction(part->llvm, symbol, type);
    LLVMSetLinkage(body->function, LLVMInternalLinkage);
    codegen_function_attributes(body->function, part->module->target);
    LLVMPositionBuilderAtEnd(body->builder,
                             LLVMAppendBasicBlockInContext(part->context, body->function, "entry"));
    body->member = LLVMGetParam(body->function, 1);
    body->members = LLVMGetParam(body->function, 2);
    for (int i = 0; i < CALL_FIELDS; i++)
        body->fields[i] = load_pointer(body, LLVMGetParam(body->function, 0), i);
    const Function *function = body->schedule->function;
    if (function) { /* `prepare` is no function of the program: states in, prepared copies out */
        body->inputs = load_pointers(body, body->fields[CALL_INPUTS], function->input_count);
        body->outputs = load_pointers(body, body->fields[CALL_OUTPUTS], function->result_count);
    }
    LLVMTypeRef word =
        LLVMIntTypeInContext(part->context, (unsigned)part->module->target->pointer_bytes * 8);
    LLVMValueRef bytes =
        LLVMConstInt(word, (unsigned long long)object_scratch_bytes(part, body->schedule), 0);
    LLVMValueRef offset = LLVMBuildMul(
        body->builder, LLVMBuildZExt(body->builder, body->member, word, ""), bytes, "");
    body->scratch =
        LLVMBuildGEP2(body->builder, body->byte, body->fields[CALL_SCRATCH], &offset, 1, "");
    body->several =
        LLVMBuildICmp(body->builder, LLVMIntUGT, body->members, LLVMConstInt(body->i32, 1, 0), "");
    if (body->profiled) {
        int64_t counters = profile_counters_offset(part, body->index);
        body->profile =
            (ProfileCalls){part, body->builder, at_offset(body, body->scratch, counters)};
    }
}

static void close_function(Body *body)
{
    LLVMBuildRetVoid(body->builder);
    LLVMDisposeBuilder(body->builder);
}

/* The end of the stretch that begins at call `first`; a repeat is in one. */
static int stretch_end(const Schedule *schedule, int first)
{
    int end = first;
    while (end < schedule->call_count && end - first < STRETCH) {
        const Repeat *repeat = schedule_repeat_at(schedule, end, NULL);
        end = repeat ? repeat->end : end + 1;
    }
    return end;
}

static void add_stretch(Body *whole, const char *symbol, int first, int end)
{
    Body body = *whole;
    open_function(&body, symbol);
    add_calls(&body, first, end, NULL);
    close_function(&body);
    LLVMValueRef in[3] = {LLVMGetParam(whole->function, 0), whole->member, whole->members};
    LLVMBuildCall2(whole->builder, LLVMGlobalGetValueType(body.function), body.function, in, 3, "");
}

static void add_all_calls(Body *body, const char *symbol)
{
    int calls = body->schedule->call_count, count = 0;
    if (stretch_end(body->schedule, 0) == calls) {
        add_calls(body, 0, calls, NULL);
        return;
    }
    for (int first = 0; first < calls; count++) {
        int end = stretch_end(body->schedule, first);
        add_stretch(body, arena_print(body->part->arena, "%s.%d", symbol, count), first, end);
        first = end;
    }
}

static void close_profile(Body *body)
{
    if (body->schedule->parallel)
        add_barrier(body);
    profile_add_end(&body->profile);
}

LLVMValueRef object_add_body(const ObjectPart *part, int index)
{
    Body body = {.part = part,
                 .schedule = index < 0 ? part->module->prepare : part->module->schedules[index],
                 .index = index,
                 .pointer = LLVMPointerTypeInContext(part->context, 0),
                 .byte = LLVMInt8TypeInContext(part->context),
                 .i32 = LLVMInt32TypeInContext(part->context),
                 .i64 = LLVMInt64TypeInContext(part->context),
                 .profiled = part->options->profile && index >= 0};
    body.barrier = declare_barrier(&body);
    const char *symbol =
        arena_print(part->arena, index < 0 ? "%s.prepare" : "%s.body.%d", part->prefix, index);
    open_function(&body, symbol);
    if (body.profiled)
        profile_add_begin(&body.profile);
    add_all_calls(&body, symbol);
    if (body.profiled)
        close_profile(&body);
    close_function(&body);
    return body.function;
}
