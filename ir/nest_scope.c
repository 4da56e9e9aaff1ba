/* Names in scope while the loop level's text is read; see nest_scope.h. */
#include "ir/nest_scope.h"

#include <string.h>

enum { DEPTH_LIMIT = 200 };

const char *scope_read_name(Scope *scope, char sigil, const char *what)
{
    const char *name = reader_name(&scope->reader, sigil, what);
    return name ? name + 1 : NULL; /* numbers and words are alike here */
}

void scope_bind(Scope *scope, Binding binding)
{
    scope->bindings = arena_grow(scope->reader.arena, scope->bindings, scope->count,
                                 &scope->capacity, sizeof *scope->bindings);
    scope->bindings[scope->count++] = binding;
}

Var *scope_bind_var(Scope *scope, const char *name)
{
    Var *var = kernel_var(scope->reader.arena, scope->kernel, name);
    scope_bind(scope, (Binding){.name = name, .var = var});
    return var;
}

static void fail_unbound(Scope *scope, const char *where, const char *name, bool var)
{
    const char **known = ARENA_ARRAY(scope->reader.arena, const char *, scope->count);
    int count = 0;
    for (int i = scope->count; i-- > 0;)
        if ((scope->bindings[i].var != NULL) == var)
            known[count++] = scope->bindings[i].name;
    reader_unknown(&scope->reader, where, var ? "loop variable" : "name", name, known, count);
}

const Binding *scope_lookup(Scope *scope, const char *where, const char *name, bool var)
{
    for (int i = scope->count; i-- > 0;) {
        const Binding *binding = &scope->bindings[i];
        if ((binding->var != NULL) == var && strcmp(binding->name, name) == 0)
            return binding;
    }
    fail_unbound(scope, where, name, var);
    return NULL;
}

bool scope_deeper(Scope *scope)
{
    return ++scope->depth <= DEPTH_LIMIT ||
           reader_error(&scope->reader, scope->reader.cursor, "nested more than %d levels deep",
                        DEPTH_LIMIT);
}
