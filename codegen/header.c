/* The C header of a library, from the same table (public.def) that public.c makes the functions of.
 *
 *     /. digits: a neural network, compiled by ingot 0.1.0 for x86_64-linux-gnu, x86-64-v3. … ./
 *     typedef struct digits digits;
 *     digits *digits_create(const digits_options *options, int32_t *code);
 *     int32_t digits_infer(digits *model, const float *pixels, float *probabilities);
 *
 * It needs nothing but <stddef.h> and <stdint.h>, and C++ may include it. Texts of the table are
 * written with `$` for the model's name and are wrapped here. */
#include <ctype.h>
#include <string.h>

#include "codegen/codegen.h"
#include "codegen/public.h"

typedef struct Header {
    Arena *arena;
    Text *text;
    const CodegenOptions *options;
    const char *name;  /* "digits" */
    const char *upper; /* "DIGITS" */
} Header;

enum { COMMENT_WIDTH = 96 };

/* --- pieces --- */

/* `text` with every `$` replaced by the model's name. */
static const char *fill_name(const Header *header, const char *text)
{
    Text filled = text_create(header->arena);
    for (; *text; text++) {
        if (*text == '$')
            text_add(&filled, header->name);
        else
            text_add_bytes(&filled, text, 1);
    }
    return filled.data;
}

/* Adds words of `text` wrapped, each line behind " * " but the first, which goes on at `column`. */
static void add_wrapped(Text *out, const char *text, int column)
{
    bool first = true;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (!first && column + 1 + length > COMMENT_WIDTH) {
            text_add(out, "\n *");
            column = 2;
        }
        if (!first || column == 2) {
            text_add(out, " ");
            column++;
        }
        text_add_bytes(out, text, (size_t)length);
        column += length;
        text += length;
        text += *text == ' ';
        first = false;
    }
}

/* A comment that holds `text`, without its end. */
static void open_comment(Text *out, const char *text)
{
    text_add(out, "\n/*");
    add_wrapped(out, text, 2);
}

static void close_comment(Text *out)
{
    text_add(out, " */\n");
}

static const char *c_type(ElementType element)
{
    static const char *const names[TYPE_COUNT] = {
        [TYPE_F32] = "float",    [TYPE_F64] = "double",   [TYPE_I32] = "int32_t",
        [TYPE_I64] = "int64_t",  [TYPE_BOOL] = "uint8_t", [TYPE_U8] = "uint8_t",
        [TYPE_I8] = "int8_t",    [TYPE_I16] = "int16_t",  [TYPE_U16] = "uint16_t",
        [TYPE_U32] = "uint32_t", [TYPE_U64] = "uint64_t", [TYPE_F16] = "uint16_t",
        [TYPE_BF16] = "uint16_t"};
    return names[element];
}

/* "float[1][64]", "float" for a scalar */
static const char *c_shape(Arena *arena, const TensorType *type)
{
    Text text = text_create(arena);
    text_add(&text, c_type(type->element));
    for (int i = 0; i < type->rank; i++)
        text_print(&text, "[%lld]", (long long)type->dims[i]);
    return text.data;
}

/* --- the fixed part --- */

static const char *const codes[][2] = {
    {"OK", "done"},
    {"NO_MEMORY", "allocation failed, or the caller's block is too small or not aligned to 64"},
    {"BAD_ARGUMENT", "a pointer or number that cannot be"},
    {"NO_FILE", "a file could not be opened, read or written; errno says why"},
    {"BAD_FILE", "the file is no checkpoint of this model; $_last_error() says where"},
    {"NO_FUNCTION", "the model was built without what was asked for"},
};

enum { CODE_COUNT = (int)(sizeof codes / sizeof codes[0]) };

static void add_codes(const Header *header)
{
    open_comment(header->text, "What the functions return.");
    close_comment(header->text);
    text_add(header->text, "enum {\n");
    for (int i = 0; i < CODE_COUNT; i++) {
        const char *row =
            arena_print(header->arena, "    %s_%s = %d,", header->upper, codes[i][0], i);
        text_print(header->text, "%-32s /* %s */\n", row, fill_name(header, codes[i][1]));
    }
    text_add(header->text, "};\n");
}

static const char types[] =
    "\n/* A model in memory: weights, temporaries and threads. */\n"
    "typedef struct $ $;\n"
    "\n"
    "/* A pool of threads of your own: calls work(argument, member, members) once for each member\n"
    " * 0 … members-1, all at the same time, and returns when all of them have returned. */\n"
    "typedef void $_work(void *argument, int32_t member, int32_t members);\n"
    "typedef void $_parallel(void *pool, int32_t members, $_work *work, void *argument);\n"
    "\n"
    "/* All noughts are the defaults. */\n"
    "typedef struct $_options {\n"
    "    /* Threads of a call; 0: one for each processor this process may use. */\n"
    "    int32_t threads;\n"
    "    /* Your pool, and what it is handed; NULL: the threads chosen when this library was "
    "built. */\n"
    "    $_parallel *parallel;\n"
    "    void *pool;\n"
    "    /* $_memory_bytes(threads) bytes or more, aligned to 64, that stay yours; NULL: "
    "allocated. */\n"
    "    void *memory;\n"
    "    size_t memory_bytes;\n"
    "} $_options;\n";

static void add_public(const Header *header, const char *name, const char *result,
                       const char *parameters, const char *documentation)
{
    open_comment(header->text, fill_name(header, documentation));
    close_comment(header->text);
    const char *space = result[strlen(result) - 1] == '*' ? "" : " ";
    text_print(header->text, "%s%s%s_%s(%s);\n", fill_name(header, result), space, header->name,
               name, fill_name(header, parameters));
}

static void add_all_public(const Header *header)
{
#define PUBLIC(name, runtime, abi, result, parameters, documentation)                              \
    add_public(header, #name, result, parameters, documentation);
#define PUBLIC_PROFILE(name, runtime, abi, result, parameters, documentation)                      \
    if (header->options->profile)                                                                  \
        add_public(header, #name, result, parameters, documentation);
#define PUBLIC_CALL(function, documentation)
#include "codegen/public.def"
#undef PUBLIC
#undef PUBLIC_PROFILE
#undef PUBLIC_CALL
}

/* --- functions of the program --- */

static const char *call_documentation(const char *function)
{
    const char *other = "";
#define PUBLIC(name, runtime, abi, result, parameters, documentation)
#define PUBLIC_PROFILE(name, runtime, abi, result, parameters, documentation)
#define PUBLIC_CALL(name, documentation)                                                           \
    if (strcmp(function, #name) == 0)                                                              \
        return documentation;                                                                      \
    other = documentation;
#include "codegen/public.def"
#undef PUBLIC
#undef PUBLIC_PROFILE
#undef PUBLIC_CALL
    return other;
}

typedef struct Parameter {
    const char *name;
    const char *note; /* the tensor's own name where it differs, or NULL */
    TensorType type;
    bool output;
    int64_t classes; /* of a label; else 0 */
} Parameter;

/* Words a parameter cannot be called, in C or in C++. */
static bool is_reserved(const char *word)
{
    static const char *const reserved[] = {
        "model",    "auto",     "bool",    "break",     "case",     "catch",     "char",
        "class",    "const",    "default", "delete",    "do",       "double",    "else",
        "enum",     "explicit", "export",  "extern",    "false",    "float",     "for",
        "friend",   "goto",     "if",      "inline",    "int",      "long",      "mutable",
        "new",      "operator", "private", "protected", "public",   "register",  "restrict",
        "return",   "short",    "signed",  "sizeof",    "static",   "struct",    "switch",
        "template", "this",     "throw",   "true",      "try",      "typedef",   "union",
        "unsigned", "using",    "virtual", "void",      "volatile", "while",     "and",
        "or",       "not",      "xor",     "int32_t",   "int64_t",  "uint8_t",   "int8_t",
        "linux",    "unix",     "NULL",    "typename",  "nullptr",  "namespace", "int16_t",
        "uint16_t", "uint32_t", "uint64_t"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(word, reserved[i]) == 0)
            return true;
    return false;
}

static bool is_taken(const Parameter *list, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return true;
    return false;
}

static int64_t classes_of(const CodegenOptions *options, const char *input)
{
    for (int i = 0; i < options->label_count; i++)
        if (strcmp(options->labels[i].input, input) == 0)
            return options->labels[i].classes;
    return 0;
}

static void add_parameter(const Header *header, Parameter *list, int *count, const char *tensor,
                          TensorType type, bool output)
{
    const char *name = public_identifier(header->arena, tensor ? tensor : "value");
    while (is_reserved(name) || is_taken(list, *count, name) || strcmp(name, header->name) == 0)
        name = arena_print(header->arena, "%s_", name);
    const char *note = tensor && strcmp(tensor, name) != 0 ? tensor : NULL;
    int64_t classes = output ? 0 : classes_of(header->options, tensor);
    list[(*count)++] = (Parameter){name, note, type, output, classes};
}

static Parameter *list_parameters(const Header *header, const Function *function, int *count)
{
    Parameter *list =
        ARENA_ARRAY(header->arena, Parameter, function->input_count + function->result_count);
    *count = 0;
    for (int i = 0; i < function->input_count; i++)
        add_parameter(header, list, count, function->inputs[i]->attr.text,
                      function->inputs[i]->type, false);
    for (int i = 0; i < function->result_count; i++)
        add_parameter(header, list, count, function->results[i].name,
                      node_resolve(function->results[i].node)->type, true);
    return list;
}

/* Comments must not end early, whatever a tensor is called. */
static const char *comment_safe(Arena *arena, const char *name)
{
    char *text = arena_copy_text(arena, name);
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c) || (c[0] == '*' && c[1] == '/'))
            *c = '_';
    return text;
}

static void describe_parameter(const Header *header, const Parameter *parameter)
{
    text_print(header->text, "\n *   %-3s  %-16s %s", parameter->output ? "out" : "in",
               parameter->name, c_shape(header->arena, &parameter->type));
    if (element_is_storage(parameter->type.element))
        text_print(header->text, ", bits of %s", element_name(parameter->type.element));
    if (parameter->classes)
        text_print(header->text, ", each from 0 to %lld", (long long)parameter->classes - 1);
    if (parameter->note)
        text_print(header->text, "   (%s)", comment_safe(header->arena, parameter->note));
}

/* A C declaration, wrapped behind its opening bracket. */
static void declare_call(const Header *header, const char *symbol, const Parameter *list, int count)
{
    const char *start = arena_print(header->arena, "int32_t %s(", symbol);
    text_print(header->text, "%s%s *model", start, header->name);
    int column = (int)strlen(start) + (int)strlen(header->name) + 7;
    for (int i = 0; i < count; i++) {
        const char *parameter =
            arena_print(header->arena, "%s%s *%s", list[i].output ? "" : "const ",
                        c_type(list[i].type.element), list[i].name);
        bool fits = column + 2 + (int)strlen(parameter) < COMMENT_WIDTH;
        if (fits)
            text_print(header->text, ", %s", parameter);
        else
            text_print(header->text, ",\n%*s%s", (int)strlen(start), "", parameter);
        column = (fits ? column + 2 : (int)strlen(start)) + (int)strlen(parameter);
    }
    text_add(header->text, ");\n");
}

static void add_call(const Header *header, const Program *program, int index)
{
    const char *symbol = public_call_symbol(header->arena, program, index);
    if (!symbol)
        return;
    const Function *function = program->functions[index];
    int count;
    Parameter *list = list_parameters(header, function, &count);
    open_comment(header->text, fill_name(header, call_documentation(function->name)));
    for (int i = 0; i < count; i++)
        describe_parameter(header, &list[i]);
    close_comment(header->text);
    declare_call(header, symbol, list, count);
}

static void add_states(const Header *header, const Program *program)
{
    open_comment(header->text, fill_name(header, "The states by number, for $_state():"));
    for (int i = 0; i < program->state_count; i++) {
        const State *state = program->states[i];
        text_print(header->text, "\n *   %4d  %-32s %s", i,
                   comment_safe(header->arena, state->name), c_shape(header->arena, &state->type));
        if (element_is_storage(state->type.element))
            text_print(header->text, ", bits of %s", element_name(state->type.element));
    }
    close_comment(header->text);
}

/* --- the whole --- */

/* Does a tensor that is passed have elements of this kind? */
static bool passes_storage(const Program *program)
{
    bool passes = false;
    for (int i = 0; i < program->state_count; i++)
        passes = passes || element_is_storage(program->states[i]->type.element);
    for (int i = 0; i < program->function_count; i++) {
        const Function *f = program->functions[i];
        for (int j = 0; j < f->input_count; j++)
            passes = passes || element_is_storage(f->inputs[j]->type.element);
        for (int j = 0; j < f->result_count; j++)
            passes = passes || element_is_storage(node_resolve(f->results[j].node)->type.element);
    }
    return passes;
}

static void add_opening(const Header *header, const Module *module, const CodegenOptions *options)
{
    static const char *const threads[] = {
        [THREADS_PTHREADS] = "its own",
        [THREADS_OPENMP] = "OpenMP",
        [THREADS_NONE] = "none but the caller's",
        [THREADS_HOST] = "the caller's, unless the options bring a pool",
    };
    static const char *const libraries[] = {[THREADS_PTHREADS] = "-pthread ",
                                            [THREADS_OPENMP] = "-lgomp ",
                                            [THREADS_NONE] = "",
                                            [THREADS_HOST] = ""};
    ThreadKind kind = codegen_threads(module, options);
    Text text = text_create(header->arena);
    text_print(&text, "%s: a neural network, compiled by %s for %s, %s. Threads: %s.",
               comment_safe(header->arena, module->program->name), options->compiler,
               module->target->triple, module->target->name, threads[kind]);
    if (options->emit != EMIT_SHARED)
        text_print(&text, " Link with %s-lm.", libraries[kind]);
    text_add(header->text, "/*");
    add_wrapped(header->text, text.data, 2);
    text_add(header->text,
             "\n *\n * Tensors are dense arrays, the last axis contiguous. Results are the "
             "same bits at any\n * number of threads.");
    if (passes_storage(module->program))
        text_add(header->text,
                 "\n *\n * A uint16_t that is \"bits of f16\" holds an IEEE binary16, one that is "
                 "\"bits of bf16\" the upper\n * half of a float: on little-endian machines its "
                 "last two bytes.");
    text_add(header->text, " */\n");
    text_print(header->text, "#ifndef %s_H\n#define %s_H\n\n", header->upper, header->upper);
    text_add(header->text, "#include <stddef.h>\n#include <stdint.h>\n\n"
                           "#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
}

void codegen_header(const Module *module, const CodegenOptions *options, Text *text)
{
    const Program *program = module->program;
    Header header = {.arena = module->arena, .text = text, .options = options};
    header.name = public_identifier(module->arena, program->name);
    char *upper = arena_copy_text(module->arena, header.name);
    for (char *c = upper; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    header.upper = upper;
    add_opening(&header, module, options);
    add_codes(&header);
    text_add(text, fill_name(&header, types));
    add_all_public(&header);
    const int *order = public_function_order(module->arena, program);
    for (int i = 0; i < program->function_count; i++)
        add_call(&header, program, order[i]);
    add_states(&header, program);
    text_print(text, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* %s_H */\n", header.upper);
}
