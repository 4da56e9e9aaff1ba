/* Offsets and expressions of the loop level's text; ir/nest_parse.c shows the grammar.
 *
 *     max(add(%x[16*k + u], cast:f32(index:i32(4*i + 1))), 0)
 *
 * Types are not written where operands decide them: a comparison is bool, a select is what it
 * chooses from, all else is what its first operand is. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ir/nest_reader.h"

static bool parse_dynamic(Reader *reader, Offset *offset, int64_t factor)
{
    if (offset->dynamic)
        return nest_read_fail(reader, reader->at, "an offset has at most one dynamic part");
    offset->dynamic_factor = factor;
    return nest_read_expect(reader, "(") && (offset->dynamic = parse_expr(reader)) &&
           nest_read_expect(reader, ")");
}

static bool parse_summand(Reader *reader, Offset *offset, bool negative)
{
    int64_t factor = 1;
    bool number = isdigit((unsigned char)*reader->at);
    if (number && !nest_read_integer(reader, ELEMENT_LIMIT, &factor))
        return false;
    factor = negative ? -factor : factor;
    Affine summand = affine_number(factor);
    if (!number || nest_read_accept(reader, "*")) {
        if (*reader->at == '(')
            return parse_dynamic(reader, offset, factor);
        const char *start = reader->at;
        const char *word = nest_read_word(reader, "a loop variable");
        const Binding *binding = word ? nest_read_find(reader, start, word, true) : NULL;
        if (!binding)
            return false;
        summand = affine_var(reader->arena, binding->var, factor);
    }
    offset->affine = affine_add(reader->arena, offset->affine, summand);
    return true;
}

bool parse_offset(Reader *reader, Offset *offset)
{
    *offset = (Offset){.affine = affine_number(0)};
    bool negative = nest_read_accept(reader, "-");
    for (;;) {
        if (!parse_summand(reader, offset, negative))
            return false;
        negative = nest_read_accept(reader, "-");
        if (!negative && !nest_read_accept(reader, "+"))
            return true;
    }
}

bool parse_subscript(Reader *reader, Offset *offset)
{
    return nest_read_expect(reader, "[") && parse_offset(reader, offset) &&
           nest_read_expect(reader, "]");
}

static Expr *parse_number(Reader *reader)
{
    char *end;
    double number = strtod(reader->at, &end);
    if (end == reader->at) {
        nest_read_expected(reader, "an expression");
        return NULL;
    }
    reader->at = end;
    nest_read_skip(reader);
    ElementType element = TYPE_F32;
    if (nest_read_accept(reader, ":") && !nest_read_element(reader, &element))
        return NULL;
    if (!element_is_float(element) && !(number >= -0x1p63 && number < 0x1p63)) {
        nest_read_fail(reader, end, "the number is too large");
        return NULL;
    }
    return expr_number(reader->arena, element, number);
}

static Expr *parse_index(Reader *reader)
{
    ElementType element;
    Offset offset;
    const char *start = reader->at;
    if (!nest_read_expect(reader, ":") || !nest_read_element(reader, &element) ||
        !nest_read_expect(reader, "(") || !parse_offset(reader, &offset) ||
        !nest_read_expect(reader, ")"))
        return NULL;
    if (offset.dynamic) {
        nest_read_fail(reader, start, "an index has no dynamic part");
        return NULL;
    }
    return expr_index(reader->arena, element, offset.affine);
}

/* `%name` or `%name[offset]` */
static Expr *parse_read(Reader *reader)
{
    const char *start = reader->at;
    const char *name = nest_read_name(reader, '%', "a name");
    const Binding *binding = name ? nest_read_find(reader, start, name, false) : NULL;
    if (!binding)
        return NULL;
    if (binding->temp)
        return expr_temp(reader->arena, binding->temp);
    Buffer *buffer = binding->buffer;
    bool read = buffer->read; /* arguments are what the header says */
    Offset offset;
    if (!parse_subscript(reader, &offset))
        return NULL;
    Expr *load = expr_load(reader->arena, buffer, offset.affine);
    load->dynamic = offset.dynamic;
    load->dynamic_factor = offset.dynamic_factor;
    if (buffer->kind == BUFFER_ARGUMENT)
        buffer->read = read;
    return load;
}

static bool parse_op(Reader *reader, const char *start, const char *word, Op *op)
{
    if (op_find(word, op) && (op_is(*op, ELEMENTWISE) || *op == OP_random))
        return true;
    const char *known[OP_COUNT];
    int count = 0;
    for (int i = 0; i < OP_COUNT; i++)
        if (op_is((Op)i, ELEMENTWISE))
            known[count++] = op_name((Op)i);
    return nest_read_unknown(reader, start, "element-wise operation", word, known, count);
}

static Expr *parse_lanes(Reader *reader)
{
    Op op;
    int64_t lanes;
    const char *start = reader->at;
    const char *word = nest_read_word(reader, "add, max or min");
    if (!word || !parse_op(reader, start, word, &op))
        return NULL;
    const char *name = nest_read_word(reader, "a name for the lane");
    if (!name || !nest_read_expect_word(reader, "of"))
        return NULL;
    start = reader->at;
    if (!nest_read_integer(reader, ELEMENT_LIMIT, &lanes))
        return NULL;
    if (lanes < 1 || lanes > READER_LANES_LIMIT) {
        nest_read_fail(reader, start, "no vector has that many lanes");
        return NULL;
    }
    int scope = reader->binding_count;
    Var *var = nest_read_bind_var(reader, name);
    Expr *in = nest_read_expect(reader, "(") ? parse_expr(reader) : NULL;
    reader->binding_count = scope;
    if (!in || !nest_read_expect(reader, ")"))
        return NULL;
    return expr_lanes(reader->arena, op, var, (int)lanes, in);
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

static Expr *parse_apply(Reader *reader, const char *start, const char *word)
{
    Op op;
    int64_t stream = 0;
    ElementType element = TYPE_F32;
    Expr *in[EXPR_INPUTS];
    int count = 0;
    if (!parse_op(reader, start, word, &op) || (op == OP_cast && !nest_read_expect(reader, ":")) ||
        (op == OP_cast && !nest_read_element(reader, &element)) ||
        (op == OP_random && !nest_read_expect(reader, ":")) ||
        (op == OP_random && !nest_read_integer(reader, UINT32_MAX, &stream)) ||
        !nest_read_expect(reader, "("))
        return NULL;
    do {
        Expr *operand = parse_expr(reader);
        if (!operand)
            return NULL;
        if (count < EXPR_INPUTS)
            in[count] = operand;
        count++;
    } while (nest_read_accept(reader, ","));
    if (!nest_read_expect(reader, ")"))
        return NULL;
    int wanted = op == OP_random ? 4 : op_inputs(op);
    if (count != wanted) {
        nest_read_fail(
            reader, start,
            arena_print(reader->arena, "%s takes %d operands, not %d", word, wanted, count));
        return NULL;
    }
    if (op != OP_cast)
        element = result_element(op, in);
    Expr *expr = expr_apply(reader->arena, op, element, count, in);
    expr->number = (double)stream;
    return expr;
}

static Expr *parse_inner(Reader *reader)
{
    if (*reader->at == '%')
        return parse_read(reader);
    const char *start = reader->at;
    size_t length = nest_read_word_length(reader->at);
    bool number = length == 3 && (strncmp(start, "inf", 3) == 0 || strncmp(start, "nan", 3) == 0);
    if (length == 0 || number)
        return parse_number(reader);
    const char *word = nest_read_word(reader, "an expression");
    if (strcmp(word, "index") == 0)
        return parse_index(reader);
    if (strcmp(word, "lanes") == 0)
        return parse_lanes(reader);
    return parse_apply(reader, start, word);
}

Expr *parse_expr(Reader *reader)
{
    if (!nest_read_deeper(reader))
        return NULL;
    Expr *expr = parse_inner(reader);
    reader->depth--;
    return expr;
}
