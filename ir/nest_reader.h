/* Tokens and names in scope for the two files that read the loop level's text: ir/nest_parse.c
 * (kernels and statements) and ir/nest_parse_expr.c (offsets and expressions). Nobody else needs
 * it.
 *
 * Functions that return bool or a pointer have reported an error when it is false or NULL, except
 * nest_read_accept…(), which only look. */
#ifndef INGOT_IR_NEST_READER_H
#define INGOT_IR_NEST_READER_H

#include "ir/nest_text.h"

enum { READER_LANES_LIMIT = 1024 };

typedef struct Binding {
    const char *name;
    Var *var; /* exactly one of the three */
    Buffer *buffer;
    Temp *temp;
} Binding;

typedef struct Reader {
    Arena *arena;
    Diag *diag;
    const char *place; /* names the text in errors */
    const char *text;
    const char *at; /* never rests on a blank or a comment */
    int depth;
    Kernel *kernel;
    Binding *bindings; /* in scope, outermost first */
    int binding_count, binding_capacity;
} Reader;

typedef struct Offset {
    Affine affine;
    Expr *dynamic;
    int64_t dynamic_factor;
} Offset;

/* Moves over blanks and comments. */
void nest_read_skip(Reader *reader);

/* Errors at `where`, with line and column; always false. nest_read_unknown() adds `, did you mean
 * "…"` when a known name is near; nest_read_expected() names what stands there instead. */
bool nest_read_fail(Reader *reader, const char *where, const char *message);
bool nest_read_unknown(Reader *reader, const char *where, const char *what, const char *word,
                       const char *const *known, int count);
bool nest_read_expected(Reader *reader, const char *what);

/* Fixed tokens: punctuation, and words that must end where the text's word ends. */
bool nest_read_accept(Reader *reader, const char *token);
bool nest_read_expect(Reader *reader, const char *token);
bool nest_read_accept_word(Reader *reader, const char *word);
bool nest_read_expect_word(Reader *reader, const char *word);

/* Length of the bare word at `at`, or 0. */
size_t nest_read_word_length(const char *at);
/* A bare word such as an operation or a loop variable; `what` was expected. */
const char *nest_read_word(Reader *reader, const char *what);
/* %name or @name by `mark`, which is not part of the result. */
const char *nest_read_name(Reader *reader, char mark, const char *what);
/* A whole number of at most `limit` either way. Nothing larger than ELEMENT_LIMIT stands in an
 * offset, so those cannot overflow. */
bool nest_read_integer(Reader *reader, int64_t limit, int64_t *result);
bool nest_read_element(Reader *reader, ElementType *element);

void nest_read_bind(Reader *reader, Binding binding);
Var *nest_read_bind_var(Reader *reader, const char *name);
/* The innermost binding of that name, as a loop variable or as a %name. */
const Binding *nest_read_find(Reader *reader, const char *where, const char *name, bool var);

/* Enters one level of nesting; the caller leaves it with reader->depth--. */
bool nest_read_deeper(Reader *reader);

/* ir/nest_parse_expr.c */
bool parse_offset(Reader *reader, Offset *offset);
/* `[offset]` */
bool parse_subscript(Reader *reader, Offset *offset);
Expr *parse_expr(Reader *reader);

#endif
