/* The text of ir/nest_print.c back into kernels.
 *
 *     kernel   = "kernel" @name "(" argument, … ")" {fact} "{" {"scratch" buffer} {statement} "}"
 *     fact     = "may_alias" | "ordered" | "multiply_adds=" N | "steps=" N
 *     argument = ["out" | "inout"] buffer
 *     buffer   = %name ":" element "[" N "]"
 *     loop     = ("for" | "unroll" | "parallel") var "=" N ".." N ["step" N] "{" {statement} "}"
 *     vector   = "vector" var "=" N ".." N ["of" N] "{" {statement} "}"
 *     store    = place ("=" | "+=" | "max=" | "min=") expr
 *     place    = %name "[" offset "]"
 *     other    = "local" buffer | "let" %name ":" element "=" expr
 *     expr     = number [":" element] | "index:" element "(" offset ")" | %name | place
 *              | "cast:" element "(" expr ")" | "random:" N "(" expr, … ")" | op "(" expr, … ")"
 *              | "lanes" op var "of" N "(" expr ")"
 *     offset   = N, var, N*var, "(" expr ")" or N*"(" expr ")", joined by + and -
 *
 * `#` begins a comment that ends with its line. An error ends its kernel; reading goes on with the
 * next one that begins a line. What is grammatical need not be right: kernel_verify() says whether
 * it is. */
#include <string.h>

#include "ir/nest_reader.h"

/* `%name: f32[40]` */
static bool parse_buffer(Reader *reader, const char **name, ElementType *element, int64_t *count)
{
    *name = nest_read_name(reader, '%', "a %name");
    if (!*name || !nest_read_expect(reader, ":") || !nest_read_element(reader, element) ||
        !nest_read_expect(reader, "["))
        return false;
    const char *start = reader->at;
    if (!nest_read_integer(reader, ELEMENT_LIMIT, count) || !nest_read_expect(reader, "]"))
        return false;
    return *count >= 0 || nest_read_fail(reader, start, "a buffer cannot have a negative size");
}

static bool parse_block(Reader *reader, Stmt **body);

static Stmt *parse_loop(Reader *reader, LoopKind kind)
{
    int64_t begin, end, step = 1, lanes;
    const char *name = nest_read_word(reader, "a loop variable");
    if (!name || !nest_read_expect(reader, "=") ||
        !nest_read_integer(reader, ELEMENT_LIMIT, &begin) || !nest_read_expect(reader, "..") ||
        !nest_read_integer(reader, ELEMENT_LIMIT, &end))
        return NULL;
    if (nest_read_accept_word(reader, "step") && !nest_read_integer(reader, ELEMENT_LIMIT, &step))
        return NULL;
    lanes = end - begin;
    const char *start = reader->at;
    if (kind == LOOP_VECTOR && nest_read_accept_word(reader, "of") &&
        !nest_read_integer(reader, ELEMENT_LIMIT, &lanes))
        return NULL;
    if (kind == LOOP_VECTOR && (lanes < 0 || lanes > READER_LANES_LIMIT)) {
        nest_read_fail(reader, start, "no vector has that many lanes");
        return NULL;
    }
    int scope = reader->binding_count;
    Var *var = nest_read_bind_var(reader, name);
    Stmt *body = NULL;
    bool parsed = parse_block(reader, &body);
    reader->binding_count = scope;
    if (!parsed)
        return NULL;
    Stmt *loop = stmt_loop(reader->arena, kind, var, begin, end, step, body);
    if (kind == LOOP_VECTOR)
        loop->lanes = (int)lanes;
    if (kind == LOOP_PARALLEL)
        reader->kernel->parallel = true;
    return loop;
}

static Stmt *parse_store(Reader *reader)
{
    const char *start = reader->at;
    const char *name = nest_read_name(reader, '%', "a statement");
    const Binding *binding = name ? nest_read_find(reader, start, name, false) : NULL;
    if (!binding)
        return NULL;
    Buffer *buffer = binding->buffer;
    if (!buffer) {
        nest_read_fail(reader, start, arena_print(reader->arena, "%%%s is no buffer", name));
        return NULL;
    }
    Offset offset;
    if (!parse_subscript(reader, &offset))
        return NULL;
    static const char *const modes[] = {"=", "+=", "max=", "min="};
    int mode = 0;
    while (mode < 4 && !nest_read_accept(reader, modes[mode]))
        mode++;
    if (mode == 4) {
        nest_read_expected(reader, "\"=\", \"+=\", \"max=\" or \"min=\"");
        return NULL;
    }
    bool read = buffer->read, written = buffer->written;
    Expr *value = parse_expr(reader);
    if (!value)
        return NULL;
    Stmt *store = stmt_store(reader->arena, (StoreMode)mode, buffer, offset.affine, value);
    store->dynamic = offset.dynamic;
    store->dynamic_factor = offset.dynamic_factor;
    if (buffer->kind == BUFFER_ARGUMENT) {
        buffer->read = read;
        buffer->written = written;
    }
    return store;
}

static Stmt *parse_let(Reader *reader)
{
    Temp *temp = ARENA_NEW(reader->arena, Temp);
    temp->name = nest_read_name(reader, '%', "a %name");
    if (!temp->name || !nest_read_expect(reader, ":") ||
        !nest_read_element(reader, &temp->element) || !nest_read_expect(reader, "="))
        return NULL;
    Expr *value = parse_expr(reader);
    if (!value)
        return NULL;
    nest_read_bind(reader, (Binding){.name = temp->name, .temp = temp});
    return stmt_let(reader->arena, temp, value);
}

static Stmt *parse_local(Reader *reader)
{
    const char *name;
    ElementType element;
    int64_t count;
    if (!parse_buffer(reader, &name, &element, &count))
        return NULL;
    Buffer *buffer = nest_local(reader->arena, name, element, count);
    nest_read_bind(reader, (Binding){.name = name, .buffer = buffer});
    return stmt_local(reader->arena, buffer);
}

static Stmt *parse_statement(Reader *reader)
{
    if (*reader->at == '%')
        return parse_store(reader);
    static const char *const words[] = {"for", "unroll", "vector", "parallel", "let", "local"};
    enum { LOOPS = 4, LET = 4, LOCAL = 5, WORDS = 6 };
    const char *start = reader->at;
    const char *word = nest_read_word(reader, "a statement");
    if (!word)
        return NULL;
    for (int i = 0; i < LOOPS; i++)
        if (strcmp(word, words[i]) == 0)
            return parse_loop(reader, (LoopKind)i);
    if (strcmp(word, words[LET]) == 0)
        return parse_let(reader);
    if (strcmp(word, words[LOCAL]) == 0)
        return parse_local(reader);
    nest_read_unknown(reader, start, "statement", word, words, WORDS);
    return NULL;
}

/* The statements up to "}", which is taken too. */
static bool parse_statements(Reader *reader, Stmt **body)
{
    int scope = reader->binding_count;
    Stmt **tail = body;
    while (!nest_read_accept(reader, "}")) {
        *tail = parse_statement(reader);
        if (!*tail)
            return false;
        tail = &(*tail)->next;
    }
    reader->binding_count = scope;
    return true;
}

static bool parse_block(Reader *reader, Stmt **body)
{
    bool parsed =
        nest_read_deeper(reader) && nest_read_expect(reader, "{") && parse_statements(reader, body);
    reader->depth--;
    return parsed;
}

static bool parse_argument(Reader *reader)
{
    bool inout = nest_read_accept_word(reader, "inout");
    bool out = !inout && nest_read_accept_word(reader, "out");
    const char *name;
    ElementType element;
    int64_t count;
    if (!parse_buffer(reader, &name, &element, &count))
        return false;
    Buffer *buffer = kernel_argument(reader->arena, reader->kernel, name, element, count);
    buffer->read = !out;
    buffer->written = out || inout;
    nest_read_bind(reader, (Binding){.name = name, .buffer = buffer});
    return true;
}

static bool parse_facts(Reader *reader)
{
    Kernel *kernel = reader->kernel;
    for (;;) {
        int64_t *number = NULL;
        if (nest_read_accept_word(reader, "may_alias"))
            kernel->may_alias = true;
        else if (nest_read_accept_word(reader, "ordered"))
            kernel->ordered = true;
        else if (nest_read_accept_word(reader, "multiply_adds"))
            number = &kernel->multiply_adds;
        else if (nest_read_accept_word(reader, "steps"))
            number = &kernel->element_steps;
        else
            return nest_read_expect(reader, "{");
        if (number &&
            !(nest_read_expect(reader, "=") && nest_read_integer(reader, INT64_MAX, number)))
            return false;
    }
}

static bool parse_scratch(Reader *reader)
{
    while (nest_read_accept_word(reader, "scratch")) {
        const char *name;
        ElementType element;
        int64_t count;
        if (!parse_buffer(reader, &name, &element, &count))
            return false;
        Buffer *buffer = kernel_scratch(reader->arena, reader->kernel, name, element, count);
        nest_read_bind(reader, (Binding){.name = name, .buffer = buffer});
    }
    return true;
}

static bool parse_kernel(Reader *reader)
{
    Kernel *kernel = reader->kernel = ARENA_NEW(reader->arena, Kernel);
    reader->binding_count = reader->depth = 0;
    if (!nest_read_expect_word(reader, "kernel"))
        return false;
    kernel->name = nest_read_name(reader, '@', "a kernel's @name");
    if (!kernel->name || !nest_read_expect(reader, "("))
        return false;
    if (!nest_read_accept(reader, ")")) {
        do {
            if (!parse_argument(reader))
                return false;
        } while (nest_read_accept(reader, ","));
        if (!nest_read_expect(reader, ")"))
            return false;
    }
    return parse_facts(reader) && parse_scratch(reader) && parse_statements(reader, &kernel->body);
}

/* To the next "kernel" that begins a line, so that several kernels can be wrong at once. */
static void next_kernel(Reader *reader)
{
    const char *next = strstr(reader->at, "\nkernel ");
    reader->at = next ? next : reader->at + strlen(reader->at);
    nest_read_skip(reader);
}

Kernel **kernel_parse(Arena *arena, Diag *diag, const char *place, const char *text, int *count)
{
    Reader reader = {.arena = arena, .diag = diag, .place = place, .text = text, .at = text};
    Kernel **kernels = NULL;
    int capacity = 0, errors = diag->error_count;
    *count = 0;
    nest_read_skip(&reader);
    do {
        if (!parse_kernel(&reader)) {
            next_kernel(&reader);
            continue;
        }
        kernels = arena_grow(arena, kernels, *count, &capacity, sizeof *kernels);
        kernels[(*count)++] = reader.kernel;
    } while (*reader.at);
    return diag->error_count == errors ? kernels : NULL;
}
