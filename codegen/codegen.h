/* From a module of kernels to machine code, and from machine code to what a person can use. */
#ifndef INGOT_CODEGEN_CODEGEN_H
#define INGOT_CODEGEN_CODEGEN_H

#include "ir/nest.h"
#include "ir/recipe.h"

typedef enum ThreadKind { THREADS_OPENMP, THREADS_NONE, THREADS_HOST } ThreadKind;
typedef enum EmitKind { EMIT_EXECUTABLE, EMIT_SHARED, EMIT_STATIC, EMIT_OBJECT, EMIT_LLVM, EMIT_ASSEMBLY } EmitKind;

typedef struct InputClasses {
    const char *input;
    int64_t classes;
} InputClasses;

typedef struct CodegenOptions {
    EmitKind emit;
    ThreadKind threads;
    bool weights_beside;  /* --weights=beside */
    bool static_libc;     /* --static: link libc in as well */
    const Recipe *recipe; /* NULL: inference only */
    const InputClasses *labels;
    int label_count;
    const char *compiler; /* "ingot 0.1.0" */
    int jobs;             /* kernels compiled at the same time */
} CodegenOptions;

/* emit.c: the object file (or LLVM IR, or assembly text) of the whole module: kernels, function bodies, descriptor, public
 * functions. The bytes depend on module and options only. */
bool codegen_object(const Module *module, const CodegenOptions *options, const char **bytes, size_t *size);

/* header.c: the C header of a library: documented, self-contained. */
void codegen_header(const Module *module, const CodegenOptions *options, Text *text);

/* link.c: writes `path` (and, for libraries, the header beside it; and weights beside, if so asked), whole or not at all. */
bool codegen_write(const Module *module, const CodegenOptions *options, const char *path);

#endif
