/* Modules into machine code.
 *
 * The first object holds bodies, descriptor and public functions; the kernels, in the order of the
 * module, fill further ones, KERNELS_EACH of them in each. Every object has an LLVM context of its
 * own, so `jobs` threads can work on them at once, and what is in which object does not depend on
 * how many there are. Text output has it all in one module, which other tools can read.
 *
 * The passes are few: kernels come with their schedule decided, so all that is wanted is values in
 * registers, each computed once and as far outside as it can be. Nothing unrolls, vectorises,
 * inlines or knows a library. */
#include "codegen/codegen.h"
#include "codegen/kernel.h"
#include "codegen/object.h"
#include "codegen/public.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { KERNELS_EACH = 4, JOBS_LIMIT = 64 };

static const char passes[] =
    "function("
    "sroa,"                            /* locals into registers */
    "early-cse,"                       /* the same address or number computed once */
    "loop-mssa(licm),"                 /* what a loop does not change, in front of it */
    "instcombine<no-verify-fixpoint>," /* forms instruction selection likes */
    "simplifycfg,"
    "early-cse<memssa>,"
    "adce)";

typedef struct Part {
    const char *name;
    bool model;                    /* bodies, descriptor, public functions */
    int first_kernel, last_kernel; /* kernels first … last-1 */
    LLVMMemoryBufferRef buffer;    /* the result, */
    CodegenObject *blocks;         /* and what goes with it, in `arena` */
    int block_count;
    Arena *arena; /* gone when there are no blocks */
} Part;

typedef struct Work {
    const Module *module;
    const CodegenOptions *options;
    Part *parts;
    int part_count;
    _Atomic int next;
} Work;

static const char *llvm_triple(const Target *target)
{
    switch (target->architecture) {
    case ARCHITECTURE_X86_64:
        return "x86_64-unknown-linux-gnu";
    case ARCHITECTURE_AARCH64:
        return "aarch64-unknown-linux-gnu";
    case ARCHITECTURE_ARMV7:
        return "armv7-unknown-linux-gnueabihf";
    }
    INGOT_BUG("architecture %d", (int)target->architecture);
}

/* Before any thread starts: fills LLVM's own registry. */
static bool start_llvm(Diag *diag, const Target *target)
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeARMTargetInfo();
    LLVMInitializeARMTarget();
    LLVMInitializeARMTargetMC();
    LLVMInitializeARMAsmPrinter();
    LLVMTargetRef found;
    char *error = NULL;
    if (!LLVMGetTargetFromTriple(llvm_triple(target), &found, &error))
        return true;
    diag_error(diag, NULL, "this LLVM cannot generate code for %s: %s", target->triple, error);
    LLVMDisposeMessage(error);
    return false;
}

static LLVMTargetMachineRef create_machine(const Target *target)
{
    LLVMTargetRef found;
    char *error = NULL;
    if (LLVMGetTargetFromTriple(llvm_triple(target), &found, &error))
        INGOT_BUG("%s", error);
    return LLVMCreateTargetMachine(found, llvm_triple(target), target->llvm_cpu, target->features,
                                   LLVMCodeGenLevelAggressive, LLVMRelocPIC, LLVMCodeModelDefault);
}

/* One part into an LLVM module */

static void build_model(const ObjectPart *object)
{
    int count = object->module->schedule_count;
    LLVMValueRef *bodies = ARENA_ARRAY(object->arena, LLVMValueRef, count + 1);
    for (int i = 0; i < count; i++)
        bodies[i] = object_add_body(object, i);
    bodies[count] = object->module->prepare ? object_add_body(object, -1) : NULL;
    LLVMValueRef descriptor = object_add_descriptor(object, bodies);
    LLVMValueRef profile = object->options->profile ? object_add_profile(object, descriptor) : NULL;
    object_add_public(object, descriptor, profile);
}

static void build_part(const ObjectPart *object, const Part *part)
{
    for (int i = part->first_kernel; i < part->last_kernel; i++) {
        const Kernel *kernel = object->module->kernels[i];
        codegen_kernel(object->llvm, object->module->target, kernel,
                       object_kernel_symbol(object, kernel));
    }
    if (part->model)
        build_model(object);
}

/* Each function in a section of its own, so that the linker can leave out what nobody calls. */
static void separate_functions(const ObjectPart *object)
{
    LLVMValueRef function = LLVMGetFirstFunction(object->llvm);
    for (; function; function = LLVMGetNextFunction(function)) {
        size_t length;
        const char *name = LLVMGetValueName2(function, &length);
        if (!LLVMIsDeclaration(function))
            LLVMSetSection(function, arena_print(object->arena, ".text.%.*s", (int)length, name));
    }
}

static void optimise(LLVMModuleRef llvm, LLVMTargetMachineRef machine)
{
    char *error = NULL;
    if (LLVMVerifyModule(llvm, LLVMReturnStatusAction, &error))
        INGOT_BUG("LLVM rejects the generated code: %s", error);
    LLVMDisposeMessage(error);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef failure = LLVMRunPasses(llvm, passes, machine, options);
    if (failure)
        INGOT_BUG("LLVM passes: %s", LLVMGetErrorMessage(failure));
    LLVMDisposePassBuilderOptions(options);
}

static void write_part(Part *part, LLVMModuleRef llvm, LLVMTargetMachineRef machine, EmitKind emit)
{
    if (emit == EMIT_LLVM) {
        char *text = LLVMPrintModuleToString(llvm);
        part->buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "llvm");
        LLVMDisposeMessage(text);
        return;
    }
    char *error = NULL;
    LLVMCodeGenFileType type = emit == EMIT_ASSEMBLY ? LLVMAssemblyFile : LLVMObjectFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, llvm, type, &error, &part->buffer))
        INGOT_BUG("LLVM: %s", error);
}

static void compile_part(const Work *work, Part *part)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMTargetMachineRef machine = create_machine(work->module->target);
    LLVMModuleRef llvm = LLVMModuleCreateWithNameInContext(part->name, context);
    LLVMSetTarget(llvm, llvm_triple(work->module->target));
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(llvm, layout);
    LLVMDisposeTargetData(layout);
    ObjectPart object = {.module = work->module,
                         .options = work->options,
                         .arena = arena_create(),
                         .context = context,
                         .llvm = llvm};
    object.prefix = public_identifier(object.arena, work->module->program->name);
    object.blocks = part->blocks = ARENA_ARRAY(object.arena, CodegenObject, BLOCK_LIMIT);
    object.block_count = &part->block_count;
    build_part(&object, part);
    separate_functions(&object);
    optimise(llvm, machine);
    write_part(part, llvm, machine, work->options->emit);
    part->arena = object.arena;
    if (!part->block_count)
        arena_destroy(object.arena);
    LLVMDisposeModule(llvm);
    LLVMDisposeTargetMachine(machine);
    LLVMContextDispose(context);
}

/* All parts, on several threads: each takes the next that nobody has taken. */

static void *run_worker(void *argument)
{
    Work *work = argument;
    for (int i = atomic_fetch_add(&work->next, 1); i < work->part_count;
         i = atomic_fetch_add(&work->next, 1))
        compile_part(work, &work->parts[i]);
    return NULL;
}

static void run_jobs(Work *work)
{
    pthread_t threads[JOBS_LIMIT];
    int wanted = work->options->jobs < work->part_count ? work->options->jobs : work->part_count,
        started = 0;
    wanted = wanted < JOBS_LIMIT ? wanted : JOBS_LIMIT;
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, run_worker, work) == 0)
        started++;
    run_worker(work);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

/* The model's object, then kernels, KERNELS_EACH at a time. */
static void divide(Work *work, Arena *arena)
{
    const Module *module = work->module;
    const char *prefix = public_identifier(arena, module->program->name);
    work->part_count = 1 + (module->kernel_count + KERNELS_EACH - 1) / KERNELS_EACH;
    work->parts = ARENA_ARRAY(arena, Part, work->part_count);
    work->parts[0] = (Part){.name = arena_print(arena, "%s_model.o", prefix), .model = true};
    for (int i = 1; i < work->part_count; i++) {
        int first = (i - 1) * KERNELS_EACH, last = first + KERNELS_EACH;
        work->parts[i] =
            (Part){.name = arena_print(arena, "%s_kernels_%d.o", prefix, i - 1),
                   .first_kernel = first,
                   .last_kernel = last < module->kernel_count ? last : module->kernel_count};
    }
}

CodegenObject *codegen_objects(const Module *module, const CodegenOptions *options, int *count)
{
    if (!start_llvm(module->diag, module->target))
        return NULL;
    CodegenOptions object_options = *options;
    object_options.emit = EMIT_OBJECT;
    Work work = {.module = module, .options = &object_options};
    divide(&work, module->arena);
    run_jobs(&work);
    int most = work.part_count + BLOCK_LIMIT;
    CodegenObject *objects = ARENA_ARRAY(module->arena, CodegenObject, most);
    *count = 0;
    for (int i = 0; i < work.part_count; i++) {
        LLVMMemoryBufferRef buffer = work.parts[i].buffer;
        size_t size = LLVMGetBufferSize(buffer);
        objects[(*count)++] = (CodegenObject){
            work.parts[i].name, arena_copy_bytes(module->arena, LLVMGetBufferStart(buffer), size),
            size, NULL};
        LLVMDisposeMemoryBuffer(buffer);
    }
    for (int b = 0; b < work.parts[0].block_count; b++) /* only the model's part has any */
        objects[(*count)++] = work.parts[0].blocks[b];
    return objects;
}

bool codegen_print(const Module *module, const CodegenOptions *options, Text *text)
{
    if (!start_llvm(module->diag, module->target))
        return false;
    Part whole = {.name = public_identifier(module->arena, module->program->name),
                  .model = true,
                  .last_kernel = module->kernel_count};
    Work work = {.module = module, .options = options, .parts = &whole, .part_count = 1};
    run_jobs(&work);
    text_add_bytes(text, LLVMGetBufferStart(whole.buffer), LLVMGetBufferSize(whole.buffer));
    LLVMDisposeMemoryBuffer(whole.buffer);
    return true;
}
