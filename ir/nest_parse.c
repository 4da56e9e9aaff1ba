/* The text of ir/nest_print.c back into kernels.
 *
 *     kernel   = "kernel" @name "(" argument, … ")" {fact} "{" {"scratch" buffer} {statement} "}"
 *     fact     = "may_alias" | "ordered" | "multiply_adds=" N | "steps=" N
 *     argument = ["fixed" | "shared" | "out" | "inout"] buffer
 *     buffer   = %name ":" element "[" N "]"
 *     loop     = ("for" | "unroll" | "parallel") var "=" N ".." N ["step" N] "{" {statement} "}"
 *     vector   = "vector" var "=" N ".." N ["of" N] "{" {statement} "}"
 *     store    = place ("=" | "+=" | "max=" | "min=" | "*=") expr
 *     place    = %name "[" offset "]"
 *     other    = "local" buffer | "let" %name ":" element "=" expr | "fetch" place
 *              | "unravel" var "," var "=" offset "by" N | "transpose" %name "by" N
 *     expr     = number [":" element] | "index:" element "(" offset ")" | %name | place
 *              | "cast:" element "(" expr ")" | "bitcast:" element "(" expr ")" | op "(" expr, …
 * ")" | "lanes" op var "of" N "(" expr ")" offset   = N, var, N*var, "(" expr ")" or N*"(" expr
 * ")", joined by + and -
 *
 * `#` begins a comment that ends with its line. An error ends its kernel; reading goes on with the
 * next one that begins a line. What is grammatical need not be right: kernel_verify() says whether
 * it is. */
#include <string.h>

#include "ir/nest_scope.h"

/* `%name: f32[40]` */
static bool parse_buffer(Scope *scope, const char **name, ElementType *element, int64_t *count)
{
    *name = scope_read_name(scope, '%', "a %name");
    if (!*name || !reader_expect(&scope->reader, ":") || !reader_element(&scope->reader, element) ||
        !reader_expect(&scope->reader, "["))
        return false;
    const char *start = reader_next(&scope->reader);
    if (!reader_integer_within(&scope->reader, ELEMENT_LIMIT, count) ||
        !reader_expect(&scope->reader, "]"))
        return false;
    return *count >= 0 ||
           reader_error(&scope->reader, start, "a buffer cannot have a negative size");
}

static bool parse_block(Scope *scope, Stmt **body);

static Stmt *parse_loop(Scope *scope, LoopKind kind)
{
    int64_t begin, end, step = 1, lanes;
    const char *name = reader_word(&scope->reader, "a loop variable");
    if (!name || !reader_expect(&scope->reader, "=") ||
        !reader_integer_within(&scope->reader, ELEMENT_LIMIT, &begin) ||
        !reader_expect(&scope->reader, "..") ||
        !reader_integer_within(&scope->reader, ELEMENT_LIMIT, &end))
        return NULL;
    if (reader_accept_word(&scope->reader, "step") &&
        !reader_integer_within(&scope->reader, ELEMENT_LIMIT, &step))
        return NULL;
    lanes = end - begin;
    const char *start = reader_next(&scope->reader);
    if (kind == LOOP_VECTOR && reader_accept_word(&scope->reader, "of") &&
        !reader_integer_within(&scope->reader, ELEMENT_LIMIT, &lanes))
        return NULL;
    if (kind == LOOP_VECTOR && (lanes < 0 || lanes > VECTOR_LANES_LIMIT)) {
        reader_error(&scope->reader, start, "no vector has that many lanes");
        return NULL;
    }
    int outside = scope->count;
    Var *var = scope_bind_var(scope, name);
    Stmt *body = NULL;
    bool parsed = parse_block(scope, &body);
    scope->count = outside;
    if (!parsed)
        return NULL;
    Stmt *loop = stmt_loop(scope->reader.arena, kind, var, begin, end, step, body);
    if (kind == LOOP_VECTOR)
        loop->lanes = (int)lanes;
    if (kind == LOOP_PARALLEL)
        scope->kernel->parallel = true;
    return loop;
}

static Buffer *parse_buffer_name(Scope *scope, const char *what)
{
    const char *start = reader_next(&scope->reader);
    const char *name = scope_read_name(scope, '%', what);
    const Binding *binding = name ? scope_lookup(scope, start, name, false) : NULL;
    if (binding && !binding->buffer)
        reader_error(&scope->reader, start, "%%%s is no buffer", name);
    return binding ? binding->buffer : NULL;
}

/* %buffer[offset] */
static Buffer *parse_place(Scope *scope, Offset *offset)
{
    Buffer *buffer = parse_buffer_name(scope, "a statement");
    return buffer && parse_subscript(scope, offset) ? buffer : NULL;
}

static Stmt *parse_fetch(Scope *scope)
{
    Offset offset;
    FetchMode fetch = reader_accept_word(&scope->reader, "far") ? FETCH_FAR : FETCH_NEAR;
    const char *start = reader_next(&scope->reader);
    Buffer *buffer = parse_place(scope, &offset);
    if (buffer && offset.dynamic) {
        reader_error(&scope->reader, start, "an offset known ahead is needed to fetch");
        return NULL;
    }
    return buffer ? stmt_fetch(scope->reader.arena, buffer, fetch, offset.affine) : NULL;
}

static Stmt *parse_transpose(Scope *scope)
{
    int64_t size;
    Buffer *local = parse_buffer_name(scope, "a local");
    if (!local || !reader_expect_word(&scope->reader, "by") ||
        !reader_integer_within(&scope->reader, VECTOR_LANES_LIMIT, &size))
        return NULL;
    bool read = local->read, written = local->written;
    Stmt *stmt = stmt_transpose(scope->reader.arena, local, size);
    if (local->kind == BUFFER_ARGUMENT) { /* an error; arguments are what the header says */
        local->read = read;
        local->written = written;
    }
    return stmt;
}

static Stmt *parse_unravel(Scope *scope)
{
    const char *start = reader_next(&scope->reader);
    const char *quotient = reader_word(&scope->reader, "a loop variable");
    if (!quotient || !reader_expect(&scope->reader, ","))
        return NULL;
    const char *remainder = reader_word(&scope->reader, "a loop variable");
    Offset offset;
    int64_t divisor;
    if (!remainder || !reader_expect(&scope->reader, "=") || !parse_offset(scope, &offset) ||
        !reader_expect_word(&scope->reader, "by") ||
        !reader_integer_within(&scope->reader, ELEMENT_LIMIT, &divisor))
        return NULL;
    if (offset.dynamic) {
        reader_error(&scope->reader, start, "an offset known ahead is needed to unravel");
        return NULL;
    }
    const Var *var = scope_bind_var(scope, quotient), *inner = scope_bind_var(scope, remainder);
    return stmt_unravel(scope->reader.arena, var, inner, offset.affine, divisor);
}

static Stmt *parse_store(Scope *scope)
{
    Offset offset;
    Buffer *buffer = parse_place(scope, &offset);
    if (!buffer)
        return NULL;
    static const char *const modes[] = {"=", "+=", "max=", "min=", "*="};
    enum { MODES = sizeof modes / sizeof modes[0] };
    int mode = 0;
    while (mode < MODES && !reader_accept(&scope->reader, modes[mode]))
        mode++;
    if (mode == MODES) {
        reader_expected(&scope->reader, "\"=\", \"+=\", \"max=\", \"min=\" or \"*=\"");
        return NULL;
    }
    bool read = buffer->read, written = buffer->written;
    Expr *value = parse_expr(scope);
    if (!value)
        return NULL;
    Stmt *store = stmt_store(scope->reader.arena, (StoreMode)mode, buffer, offset.affine, value);
    store->dynamic = offset.dynamic;
    store->dynamic_factor = offset.dynamic_factor;
    if (buffer->kind == BUFFER_ARGUMENT) {
        buffer->read = read;
        buffer->written = written;
    }
    return store;
}

static Stmt *parse_let(Scope *scope)
{
    Temp *temp = ARENA_NEW(scope->reader.arena, Temp);
    temp->name = scope_read_name(scope, '%', "a %name");
    if (!temp->name || !reader_expect(&scope->reader, ":") ||
        !reader_element(&scope->reader, &temp->element) || !reader_expect(&scope->reader, "="))
        return NULL;
    Expr *value = parse_expr(scope);
    if (!value)
        return NULL;
    scope_bind(scope, (Binding){.name = temp->name, .temp = temp});
    return stmt_let(scope->reader.arena, temp, value);
}

static Stmt *parse_local(Scope *scope)
{
    const char *name;
    ElementType element;
    int64_t count;
    if (!parse_buffer(scope, &name, &element, &count))
        return NULL;
    Buffer *buffer = nest_local(scope->reader.arena, name, element, count);
    scope_bind(scope, (Binding){.name = name, .buffer = buffer});
    return stmt_local(scope->reader.arena, buffer);
}

static Stmt *parse_statement(Scope *scope)
{
    if (reader_at(&scope->reader, "%"))
        return parse_store(scope);
    typedef Stmt *ParseStatement(Scope *);
    static const char *const words[] = {"for",   "unroll", "vector",  "parallel", "let",
                                        "local", "fetch",  "unravel", "transpose"};
    static ParseStatement *const parsers[] = {parse_let, parse_local, parse_fetch, parse_unravel,
                                              parse_transpose};
    enum { LOOPS = 4, WORDS = sizeof words / sizeof words[0] };
    const char *start = reader_next(&scope->reader);
    const char *word = reader_word(&scope->reader, "a statement");
    if (!word)
        return NULL;
    for (int i = 0; i < LOOPS; i++)
        if (strcmp(word, words[i]) == 0)
            return parse_loop(scope, (LoopKind)i);
    for (int i = LOOPS; i < WORDS; i++)
        if (strcmp(word, words[i]) == 0)
            return parsers[i - LOOPS](scope);
    reader_unknown(&scope->reader, start, "statement", word, words, WORDS);
    return NULL;
}

/* The statements up to "}", which is taken too. */
static bool parse_statements(Scope *scope, Stmt **body)
{
    int outside = scope->count;
    Stmt **tail = body;
    while (!reader_accept(&scope->reader, "}")) {
        *tail = parse_statement(scope);
        if (!*tail)
            return false;
        tail = &(*tail)->next;
    }
    scope->count = outside;
    return true;
}

static bool parse_block(Scope *scope, Stmt **body)
{
    bool parsed =
        scope_deeper(scope) && reader_expect(&scope->reader, "{") && parse_statements(scope, body);
    scope->depth--;
    return parsed;
}

static bool parse_argument(Scope *scope)
{
    bool inout = reader_accept_word(&scope->reader, "inout");
    bool out = !inout && reader_accept_word(&scope->reader, "out");
    bool shared = !inout && !out && reader_accept_word(&scope->reader, "shared");
    bool fixed = shared || (!inout && !out && reader_accept_word(&scope->reader, "fixed"));
    const char *name;
    ElementType element;
    int64_t count;
    if (!parse_buffer(scope, &name, &element, &count))
        return false;
    Buffer *buffer = kernel_argument(scope->reader.arena, scope->kernel, name, element, count);
    buffer->read = !out;
    buffer->written = out || inout;
    buffer->fixed = fixed;
    buffer->shared = shared;
    scope_bind(scope, (Binding){.name = name, .buffer = buffer});
    return true;
}

static bool parse_facts(Scope *scope)
{
    Kernel *kernel = scope->kernel;
    for (;;) {
        int64_t *number = NULL;
        if (reader_accept_word(&scope->reader, "may_alias"))
            kernel->may_alias = true;
        else if (reader_accept_word(&scope->reader, "ordered"))
            kernel->ordered = true;
        else if (reader_accept_word(&scope->reader, "multiply_adds"))
            number = &kernel->multiply_adds;
        else if (reader_accept_word(&scope->reader, "steps"))
            number = &kernel->element_steps;
        else
            return reader_expect(&scope->reader, "{");
        if (number && !(reader_expect(&scope->reader, "=") &&
                        reader_integer_within(&scope->reader, INT64_MAX, number)))
            return false;
    }
}

static bool parse_scratch(Scope *scope)
{
    while (reader_accept_word(&scope->reader, "scratch")) {
        const char *name;
        ElementType element;
        int64_t count;
        if (!parse_buffer(scope, &name, &element, &count))
            return false;
        Buffer *buffer = kernel_scratch(scope->reader.arena, scope->kernel, name, element, count);
        scope_bind(scope, (Binding){.name = name, .buffer = buffer});
    }
    return true;
}

static bool parse_kernel(Scope *scope)
{
    Kernel *kernel = scope->kernel = ARENA_NEW(scope->reader.arena, Kernel);
    scope->count = scope->depth = 0;
    if (!reader_expect_word(&scope->reader, "kernel"))
        return false;
    kernel->name = scope_read_name(scope, '@', "a kernel's @name");
    if (!kernel->name || !reader_expect(&scope->reader, "("))
        return false;
    if (!reader_accept(&scope->reader, ")")) {
        do {
            if (!parse_argument(scope))
                return false;
        } while (reader_accept(&scope->reader, ","));
        if (!reader_expect(&scope->reader, ")"))
            return false;
    }
    return parse_facts(scope) && parse_scratch(scope) && parse_statements(scope, &kernel->body);
}

/* To the next "kernel" that begins a line, so that several kernels can be wrong at once. */
static void next_kernel(Reader *r)
{
    const char *next = strstr(r->cursor, "\nkernel ");
    r->cursor = next ? next : r->cursor + strlen(r->cursor);
    r->failed = false;
}

Kernel **kernel_parse(Arena *arena, Diag *diag, const char *place, const char *text, int *count)
{
    Scope scope = {.reader = {.arena = arena,
                              .diag = diag,
                              .place = place && place[0] ? place : "nest",
                              .text = text,
                              .cursor = text}};
    Kernel **kernels = NULL;
    int capacity = 0, errors = diag->error_count;
    *count = 0;
    do {
        if (!parse_kernel(&scope)) {
            next_kernel(&scope.reader);
            continue;
        }
        kernels = arena_grow(arena, kernels, *count, &capacity, sizeof *kernels);
        kernels[(*count)++] = scope.kernel;
    } while (!reader_at_end(&scope.reader));
    return diag->error_count == errors ? kernels : NULL;
}
