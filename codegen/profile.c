/* What a model built with --profile has beside all others: the constant IngotProfile of
 * runtime/profile.h, the calls in its bodies that note the time (body.c), and two kernels that
 * measure the processor.
 *
 * Counters lie in the scratch of each member, behind what the kernels need of it, one function's
 * behind another's. All functions then ask for the same amount of scratch, so that each member
 * finds its own at the same place in every call. */
#include "codegen/object.h"

#include <string.h>

#include "codegen/kernel.h"
#include "codegen/public.h"
#include "codegen/record.h"
#include "ir/nest_text.h"
#include "ir/nest_work.h"

enum {
    COUNTER_WORDS = 8,
    TIME_WORDS = 2, /* of each call */
    BLOCK_BYTES = 16 << 10,
    FACTOR_BYTES = 4096
}; /* as in runtime/profile.h */

/* --- counters --- */

static int64_t counters_bytes(const Schedule *schedule)
{
    return ((COUNTER_WORDS + TIME_WORDS * (int64_t)schedule->call_count) * 8 + 63) / 64 * 64;
}

static int64_t all_kernel_scratch(const Module *module)
{
    int64_t most = module->prepare ? object_kernel_scratch_bytes(module->prepare) : 0;
    for (int i = 0; i < module->schedule_count; i++) {
        int64_t bytes = object_kernel_scratch_bytes(module->schedules[i]);
        most = bytes > most ? bytes : most;
    }
    return most;
}

int64_t profile_counters_offset(const ObjectPart *part, int index)
{
    int64_t offset = all_kernel_scratch(part->module);
    for (int i = 0; i < index; i++)
        offset += counters_bytes(part->module->schedules[i]);
    return offset;
}

int64_t profile_counters_end(const ObjectPart *part)
{
    return profile_counters_offset(part, part->module->schedule_count);
}

/* --- calls in bodies --- */

static void add_call(const ProfileCalls *calls, const char *name, const int *number)
{
    LLVMContextRef context = calls->part->context;
    LLVMTypeRef types[2] = {LLVMPointerTypeInContext(context, 0), LLVMInt32TypeInContext(context)};
    unsigned count = number ? 2 : 1;
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(context), types, count, 0);
    LLVMValueRef callee = LLVMGetNamedFunction(calls->part->llvm, name);
    if (!callee) {
        callee = LLVMAddFunction(calls->part->llvm, name, type);
        LLVMSetVisibility(callee, LLVMHiddenVisibility);
    }
    LLVMValueRef in[2] = {calls->counters, number ? record_number32(calls->part, *number) : NULL};
    LLVMBuildCall2(calls->builder, type, callee, in, count, "");
}

void profile_add_begin(const ProfileCalls *calls)
{
    add_call(calls, "ingot_profile_begin", NULL);
}

void profile_add_lap(const ProfileCalls *calls, int call)
{
    add_call(calls, "ingot_profile_lap", &call);
}

void profile_add_end(const ProfileCalls *calls)
{
    add_call(calls, "ingot_profile_end", NULL);
}

/* --- what the processor can do at most --- */

/* Each row of registers has a product of its neighbour added: nothing stays the same, so that no
 * part of it can be done once for all, and the sums hardly grow. Capitals are numbers: LANES, ROWS,
 * PREVIOUS (ROWS - 1), all Sums, the last row's Tail, BLOCK and FACTORS (elements of a block, and
 * of what the runtime gives as %f). */
static const char fused_text[] =
    "kernel @multiply(%f: f32[F], inout %y: f32[S]) {\n"
    "  local %acc: f32[S]\n"
    "  unroll r = 0..R { vector v = 0..L { %acc[L*r + v] = %y[L*r + v] } }\n"
    "  for k = 0..F {\n"
    "    unroll r = 0..P { vector v = 0..L { %acc[L*r + v] += mul(%f[v], %acc[L*r + v + L]) } }\n"
    "    vector v = 0..L { %acc[v + T] += mul(%f[v], %acc[v]) }\n"
    "  }\n"
    "  unroll r = 0..R { vector v = 0..L { %y[L*r + v] = %acc[L*r + v] } }\n"
    "}\n";

/* Where adding is another instruction, a product of the last sum makes the next one wait for both.
 * Products of rows that stay and one that changes do not. */
static const char separate_text[] =
    "kernel @multiply(%f: f32[F], inout %y: f32[S]) {\n"
    "  local %acc: f32[S]\n"
    "  unroll r = 0..R { vector v = 0..L { %acc[L*r + v] = %y[L*r + v] } }\n"
    "  for k = 0..F step L {\n"
    "    unroll r = 0..R { vector v = 0..L { %acc[L*r + v] += mul(%f[L*r + v], %f[k + v]) } }\n"
    "  }\n"
    "  unroll r = 0..R { vector v = 0..L { %y[L*r + v] = %acc[L*r + v] } }\n"
    "}\n";

/* Eight sums, so that adding is not what takes the time. */
static const char read_text[] =
    "kernel @read(%x: f32[B], inout %y: f32[S]) {\n"
    "  local %acc: f32[S]\n"
    "  unroll r = 0..R { vector v = 0..L { %acc[L*r + v] = %y[L*r + v] } }\n"
    "  for i = 0..B step S {\n"
    "    unroll r = 0..R { vector v = 0..L { %acc[L*r + v] += %x[i + L*r + v] } }\n"
    "  }\n"
    "  unroll r = 0..R { vector v = 0..L { %y[L*r + v] = %acc[L*r + v] } }\n"
    "}\n";

/* One of these texts with its numbers filled in, as a kernel. */
static const Kernel *ceiling_kernel(const ObjectPart *part, const char *text, int rows)
{
    int lanes = target_lanes(part->module->target);
    const int numbers['Z' + 1] = {['L'] = lanes,
                                  ['R'] = rows,
                                  ['P'] = rows - 1,
                                  ['S'] = rows * lanes,
                                  ['T'] = (rows - 1) * lanes,
                                  ['B'] = BLOCK_BYTES / 4,
                                  ['F'] = FACTOR_BYTES / 4};
    Text filled = text_create(part->arena);
    for (; *text; text++) {
        if (*text >= 'A' && *text <= 'Z')
            text_print(&filled, "%d", numbers[(int)*text]);
        else
            text_add_bytes(&filled, text, 1);
    }
    int count;
    Diag *diag = diag_create(part->arena);
    Kernel **kernels = kernel_parse(part->arena, diag, "profile", filled.data, &count);
    if (!kernels || !kernel_verify(kernels[0], diag))
        INGOT_BUG("a kernel of the profile is not valid: %s", diag->messages[0]);
    return kernels[0];
}

/* As many rows as hide the latency of all units there are and leave registers for what they are
 * multiplied with. */
static const Kernel *multiply_kernel(const ObjectPart *part)
{
    const Target *target = part->module->target;
    return target->fused ? ceiling_kernel(part, fused_text, target->registers * 3 / 4)
                         : ceiling_kernel(part, separate_text, target->registers * 3 / 8);
}

static LLVMValueRef add_ceiling(const ObjectPart *part, const Kernel *kernel)
{
    return codegen_kernel(part->llvm, part->module->target, kernel,
                          arena_print(part->arena, "%s.profile.%s", part->prefix, kernel->name));
}

/* --- the constant --- */

static LLVMValueRef kernels(const ObjectPart *part)
{
    const Module *module = part->module;
    LLVMValueRef *values = ARENA_ARRAY(part->arena, LLVMValueRef, module->kernel_count);
    for (int i = 0; i < module->kernel_count; i++) {
        KernelWork work = kernel_work(part->arena, module->kernels[i]);
        LLVMValueRef fields[] = {
            record_text(part, module->kernels[i]->name), record_number64(part, work.multiply_adds),
            record_number64(part, work.bytes_read), record_number64(part, work.bytes_written)};
        values[i] = record_make(part, fields, 4);
    }
    return record_list(part, values, module->kernel_count);
}

static LLVMValueRef function_record(const ObjectPart *part, int index)
{
    const Schedule *schedule = part->module->schedules[index];
    LLVMValueRef *calls = ARENA_ARRAY(part->arena, LLVMValueRef, schedule->call_count);
    for (int i = 0; i < schedule->call_count; i++) {
        const Call *call = &schedule->calls[i];
        int64_t times = call->times < INT32_MAX ? call->times : INT32_MAX;
        LLVMValueRef fields[] = {record_text(part, call->layers ? call->layers : ""),
                                 record_number32(part, call->kernel->index),
                                 record_number32(part, times)};
        calls[i] = record_make(part, fields, 3);
    }
    LLVMValueRef fields[] = {record_list(part, calls, schedule->call_count),
                             record_number64(part, profile_counters_offset(part, index)),
                             record_number32(part, schedule->call_count)};
    return record_make(part, fields, 3);
}

LLVMValueRef object_add_profile(const ObjectPart *part, LLVMValueRef descriptor)
{
    const Program *program = part->module->program;
    const int *order = public_function_order(part->arena, program);
    LLVMValueRef *functions = ARENA_ARRAY(part->arena, LLVMValueRef, program->function_count);
    for (int i = 0; i < program->function_count; i++)
        functions[i] = function_record(part, order[i]);
    const Kernel *multiply = multiply_kernel(part);
    const Kernel *read = ceiling_kernel(part, read_text, 8);
    LLVMValueRef fields[] = {
        descriptor,
        kernels(part),
        record_list(part, functions, program->function_count),
        add_ceiling(part, multiply),
        add_ceiling(part, read),
        record_number64(part, kernel_work(part->arena, multiply).multiply_adds),
        record_number32(part, part->module->kernel_count),
    };
    LLVMValueRef value = record_make(part, fields, (int)(sizeof fields / sizeof fields[0]));
    LLVMValueRef global = LLVMAddGlobal(part->llvm, LLVMTypeOf(value), "ingot_profile_descriptor");
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetVisibility(global, LLVMHiddenVisibility);
    return global;
}
