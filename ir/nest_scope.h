/* Names in scope, for the two files that read the loop level's text: ir/nest_parse.c (kernels and
 * statements) and ir/nest_parse_expr.c (offsets and expressions). Nobody else needs it. */
#ifndef INGOT_IR_NEST_SCOPE_H
#define INGOT_IR_NEST_SCOPE_H

#include "ir/nest_text.h"
#include "ir/reader.h"

enum { VECTOR_LANES_LIMIT = 1024 };

typedef struct Binding {
    const char *name;
    Var *var; /* exactly one of the three */
    Buffer *buffer;
    Temp *temp;
} Binding;

typedef struct Scope {
    Reader reader;
    int depth;
    Kernel *kernel;
    Binding *bindings; /* outermost first */
    int count, capacity;
} Scope;

typedef struct Offset {
    Affine affine;
    Expr *dynamic;
    int64_t dynamic_factor;
} Offset;

/* %name or @name by `sigil`, which is not part of the result; `what` was expected. */
const char *scope_read_name(Scope *scope, char sigil, const char *what);

void scope_bind(Scope *scope, Binding binding);
Var *scope_bind_var(Scope *scope, const char *name);
/* The innermost binding of that name, as a loop variable or as a %name; NULL and an error at
 * `where` when there is none. */
const Binding *scope_lookup(Scope *scope, const char *where, const char *name, bool var);

/* Enters one level of nesting; the caller leaves it with scope->depth--. */
bool scope_deeper(Scope *scope);

/* ir/nest_parse_expr.c */
bool parse_offset(Scope *scope, Offset *offset);
/* `[offset]` */
bool parse_subscript(Scope *scope, Offset *offset);
Expr *parse_expr(Scope *scope);

#endif
