/* Offsets and expressions of the loop level's text; ir/nest_parse.c shows the grammar.
 *
 *     max(add(%x[16*k + u], cast:f32(index:i32(4*i + 1))), 0)
 *
 * Types are not written where operands decide them: a comparison is bool, a select is what it
 * chooses from, all else is what its first operand is. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ir/nest_scope.h"

static bool parse_dynamic(Scope *scope, Offset *offset, int64_t factor)
{
    if (offset->dynamic)
        return reader_error(&scope->reader, scope->reader.cursor,
                            "an offset has at most one dynamic part");
    offset->dynamic_factor = factor;
    return reader_expect(&scope->reader, "(") && (offset->dynamic = parse_expr(scope)) &&
           reader_expect(&scope->reader, ")");
}

static bool parse_summand(Scope *scope, Offset *offset, bool negative)
{
    int64_t factor = 1;
    bool number = isdigit((unsigned char)*reader_next(&scope->reader));
    if (number && !reader_integer_within(&scope->reader, ELEMENT_LIMIT, &factor))
        return false;
    factor = negative ? -factor : factor;
    Affine summand = affine_number(factor);
    if (!number || reader_accept(&scope->reader, "*")) {
        if (reader_at(&scope->reader, "("))
            return parse_dynamic(scope, offset, factor);
        const char *start = reader_next(&scope->reader);
        const char *word = reader_word(&scope->reader, "a loop variable");
        const Binding *binding = word ? scope_lookup(scope, start, word, true) : NULL;
        if (!binding)
            return false;
        summand = affine_var(scope->reader.arena, binding->var, factor);
    }
    offset->affine = affine_add(scope->reader.arena, offset->affine, summand);
    return true;
}

bool parse_offset(Scope *scope, Offset *offset)
{
    *offset = (Offset){.affine = affine_number(0)};
    bool negative = reader_accept(&scope->reader, "-");
    for (;;) {
        if (!parse_summand(scope, offset, negative))
            return false;
        negative = reader_accept(&scope->reader, "-");
        if (!negative && !reader_accept(&scope->reader, "+"))
            return true;
    }
}

bool parse_subscript(Scope *scope, Offset *offset)
{
    return reader_expect(&scope->reader, "[") && parse_offset(scope, offset) &&
           reader_expect(&scope->reader, "]");
}

static Expr *parse_number(Scope *scope)
{
    double number;
    const char *start = reader_next(&scope->reader);
    if (!*start || !strchr("+-.0123456789in", *start)) { /* inf and nan are numbers too */
        reader_expected(&scope->reader, "an expression");
        return NULL;
    }
    ElementType element = TYPE_F32;
    if (!reader_number(&scope->reader, &number) ||
        (reader_accept(&scope->reader, ":") && !reader_element(&scope->reader, &element)))
        return NULL;
    if (!element_is_float(element) && !(number >= -0x1p63 && number <= 0x1p64)) {
        reader_error(&scope->reader, start, "this number is too large");
        return NULL;
    }
    return expr_number(scope->reader.arena, element, number);
}

static Expr *parse_index(Scope *scope)
{
    ElementType element;
    Offset offset;
    const char *start = reader_next(&scope->reader);
    if (!reader_expect(&scope->reader, ":") || !reader_element(&scope->reader, &element) ||
        !reader_expect(&scope->reader, "(") || !parse_offset(scope, &offset) ||
        !reader_expect(&scope->reader, ")"))
        return NULL;
    if (offset.dynamic) {
        reader_error(&scope->reader, start, "an index has no dynamic part");
        return NULL;
    }
    return expr_index(scope->reader.arena, element, offset.affine);
}

/* `%name` or `%name[offset]` */
static Expr *parse_read(Scope *scope)
{
    const char *start = reader_next(&scope->reader);
    const char *name = scope_read_name(scope, '%', "a name");
    const Binding *binding = name ? scope_lookup(scope, start, name, false) : NULL;
    if (!binding)
        return NULL;
    if (binding->temp)
        return expr_temp(scope->reader.arena, binding->temp);
    Buffer *buffer = binding->buffer;
    bool read = buffer->read; /* arguments are what the header says */
    Offset offset;
    if (!parse_subscript(scope, &offset))
        return NULL;
    Expr *load = expr_load(scope->reader.arena, buffer, offset.affine);
    load->dynamic = offset.dynamic;
    load->dynamic_factor = offset.dynamic_factor;
    if (buffer->kind == BUFFER_ARGUMENT)
        buffer->read = read;
    return load;
}

static bool parse_op(Scope *scope, const char *start, const char *word, Op *op)
{
    if (op_find(word, op) && (op_is(*op, ELEMENTWISE) || *op == OP_random))
        return true;
    const char *known[OP_COUNT];
    int count = 0;
    for (int i = 0; i < OP_COUNT; i++)
        if (op_is((Op)i, ELEMENTWISE))
            known[count++] = op_name((Op)i);
    return reader_unknown(&scope->reader, start, "element-wise operation", word, known, count);
}

static Expr *parse_lanes(Scope *scope)
{
    Op op;
    int64_t lanes;
    const char *start = reader_next(&scope->reader);
    const char *word = reader_word(&scope->reader, "add, mul, max or min");
    if (!word || !parse_op(scope, start, word, &op))
        return NULL;
    const char *name = reader_word(&scope->reader, "a name for the lane");
    if (!name || !reader_expect_word(&scope->reader, "of"))
        return NULL;
    start = reader_next(&scope->reader);
    if (!reader_integer_within(&scope->reader, ELEMENT_LIMIT, &lanes))
        return NULL;
    if (lanes < 1 || lanes > VECTOR_LANES_LIMIT) {
        reader_error(&scope->reader, start, "no vector has that many lanes");
        return NULL;
    }
    int outside = scope->count;
    Var *var = scope_bind_var(scope, name);
    Expr *in = reader_expect(&scope->reader, "(") ? parse_expr(scope) : NULL;
    scope->count = outside;
    if (!in || !reader_expect(&scope->reader, ")"))
        return NULL;
    return expr_lanes(scope->reader.arena, op, var, (int)lanes, in);
}

/* The type of the result, where the operation is not one that names it. */
static ElementType result_element(Op op, Expr *const *in)
{
    switch (op) {
    case OP_eq:
    case OP_ne:
    case OP_lt:
    case OP_le:
    case OP_gt:
    case OP_ge:
        return TYPE_BOOL;
    case OP_random:
        return TYPE_F32;
    case OP_select:
        return in[1]->element;
    default:
        return in[0]->element;
    }
}

/* "cast:f32(…)" */
static bool op_names_element(Op op)
{
    return op == OP_cast || op == OP_bitcast;
}

static Expr *parse_apply(Scope *scope, const char *start, const char *word)
{
    Op op;
    ElementType element = TYPE_F32;
    Expr *in[EXPR_INPUTS];
    int count = 0;
    if (!parse_op(scope, start, word, &op) ||
        (op_names_element(op) && !reader_expect(&scope->reader, ":")) ||
        (op_names_element(op) && !reader_element(&scope->reader, &element)) ||
        !reader_expect(&scope->reader, "("))
        return NULL;
    do {
        Expr *operand = parse_expr(scope);
        if (!operand)
            return NULL;
        if (count < EXPR_INPUTS)
            in[count] = operand;
        count++;
    } while (reader_accept(&scope->reader, ","));
    if (!reader_expect(&scope->reader, ")"))
        return NULL;
    int wanted = op == OP_random ? EXPR_INPUTS : op_inputs(op);
    if (count != wanted) {
        reader_error(&scope->reader, start, "%s takes %d operands, not %d", word, wanted, count);
        return NULL;
    }
    if (!op_names_element(op))
        element = result_element(op, in);
    return expr_apply(scope->reader.arena, op, element, count, in);
}

static Expr *parse_inner(Scope *scope)
{
    if (reader_at(&scope->reader, "%"))
        return parse_read(scope);
    const char *start = reader_next(&scope->reader);
    bool number = reader_at_word(&scope->reader, "inf") || reader_at_word(&scope->reader, "nan");
    if (number || !reader_at_word(&scope->reader, NULL))
        return parse_number(scope);
    const char *word = reader_word(&scope->reader, "an expression");
    if (strcmp(word, "index") == 0)
        return parse_index(scope);
    if (strcmp(word, "lanes") == 0)
        return parse_lanes(scope);
    return parse_apply(scope, start, word);
}

Expr *parse_expr(Scope *scope)
{
    if (!scope_deeper(scope))
        return NULL;
    Expr *expr = parse_inner(scope);
    scope->depth--;
    return expr;
}
