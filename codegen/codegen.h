/* From a module of kernels to machine code, and from machine code to what a person can use. */
#ifndef INGOT_CODEGEN_CODEGEN_H
#define INGOT_CODEGEN_CODEGEN_H

#include "ir/nest.h"
#include "ir/recipe.h"
#include "ir/template.h"

typedef enum ThreadKind { THREADS_PTHREADS, THREADS_OPENMP, THREADS_NONE, THREADS_HOST } ThreadKind;
typedef enum EmitKind {
    EMIT_EXECUTABLE,
    EMIT_SHARED,
    EMIT_STATIC,
    EMIT_OBJECT,
    EMIT_LLVM,
    EMIT_ASSEMBLY
} EmitKind;

typedef struct InputClasses {
    const char *input;
    int64_t classes;
} InputClasses;

typedef struct CodegenOptions {
    EmitKind emit;
    ThreadKind threads;
    bool weights_beside;      /* --weights=beside */
    const char *weights_file; /* with it: what the file beside the program is called; NULL:
                                 MODEL.safetensors */
    bool static_libc;         /* --static: link libc in as well */
    bool profile;             /* --profile: what is made measures itself; codegen/profile.c */
    const Recipe *recipe;     /* NULL: inference only */
    const InputClasses *labels;
    int label_count;
    const Template *file; /* what a trained model can be written back as; NULL: nothing */
    const char *compiler; /* "ingot 0.1.0" */
    int jobs;             /* kernels compiled at the same time */
} CodegenOptions;

typedef struct CodegenObject {
    const char *name; /* "digits_model.o", "digits_kernels_0.o": a file name, unique in the list */
    const char *bytes;
    size_t size;
    const char *symbol; /* NULL: an object file; otherwise bytes of weights, which are to become one
                           that has them under this name, aligned to 64 */
} CodegenObject;

/* emit.c: the object files of the whole module, *count of them, to be linked together: the first
 * holds function bodies, descriptor (`ingot_descriptor`, hidden) and public functions
 * (codegen/public.def, the only symbols with default visibility); the others hold kernels under
 * hidden names "MODEL.KERNEL". How kernels are spread over objects depends on the module alone, so
 * all bytes do not depend on options->jobs. NULL and errors otherwise. */
CodegenObject *codegen_objects(const Module *module, const CodegenOptions *options, int *count);

/* emit.c: what codegen_objects() makes, as text: LLVM IR (EMIT_LLVM) or assembly (EMIT_ASSEMBLY),
 * by options->emit. */
bool codegen_print(const Module *module, const CodegenOptions *options, Text *text);

/* link.c: the threads that the artefact has: options->threads, or none where no kernel is shared
 * among threads. */
ThreadKind codegen_threads(const Module *module, const CodegenOptions *options);

/* header.c: the C header of a library: documented, self-contained. */
void codegen_header(const Module *module, const CodegenOptions *options, Text *text);

/* link.c: writes `path` (and, for libraries, the header beside it; and weights beside, if so
 * asked), whole or not at all. */
bool codegen_write(const Module *module, const CodegenOptions *options, const char *path);

#endif
