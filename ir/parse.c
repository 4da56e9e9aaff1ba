/* Parses the text that print.c prints; see there for what it looks like.
 *
 *     program  = "program" @name ["random_streams=" integer] "{" { state | function } "}"
 *     state    = "state" %name ":" type ["parameter"] ["frozen"] [at] ["=" data]
 *     function = "fn" @name "(" [%name ":" type [name] [at] {"," …}] ")" "->" types ["batch="
 *                integer] {"size" string "=" integer} "{" { node } { update } return "}"
 *     node     = %name ":" type "=" operation [%name {"," %name}] { key "=" value } [name] [at]
 *     update   = "update" %state "<-" %name
 *     return   = "return" [[name "="] %name {"," …}]
 *
 * A value that is a body is a function from its parameters on, with names of its own; type may be
 * "tuple" then.
 *
 * Values may have any name, not only the numbers that are printed. An operation goes through
 * graph_node(), so its shape rule runs and reports at the line; the declared type must be what the
 * rule gives. After an operation that does not fit parsing goes on, silent about what depends on
 * it. */
#include <inttypes.h>
#include <string.h>

#include "ir/reader.h"
#include "ir/scan.h"
#include "ir/shape.h"
#include "ir/text.h"
#include "ir/verify.h"

enum { BUCKETS = 1024 };

/* A value of the function that is being read; node is NULL after an error. */
typedef struct Name {
    const char *text; /* as reader_name() gives it */
    Node *node;
    struct Name *next, *earlier;
} Name;

/* What can be seen in one function, or in a body. */
typedef struct Scope {
    Function *function;
    Name *buckets[BUCKETS];
    Name *last;
    int name_count;
} Scope;

typedef struct Parser {
    Reader reader;
    Program *program;
    Scope *scope;
    int depth; /* of bodies */
} Parser;

/* The end of a message about an unknown word. */
static const char *suggestion(Reader *r, const char *word, const char *const *names, int count)
{
    const char *nearest = nearest_name(word, names, count);
    return nearest ? arena_print(r->arena, ", did you mean \"%s\"?", nearest) : "";
}

/* Values */

static Name **find_slot(Parser *p, const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    Name **slot = &p->scope->buckets[hash % BUCKETS];
    while (*slot && strcmp((*slot)->text, text) != 0)
        slot = &(*slot)->next;
    return slot;
}

static bool define(Parser *p, const char *at, const char *text, Node *node)
{
    Name **slot = find_slot(p, text);
    if (*slot)
        return reader_error(&p->reader, at, "%%%s is already defined", text + 1);
    *slot = ARENA_NEW(p->reader.arena, Name);
    **slot = (Name){.text = text, .node = node, .earlier = p->scope->last};
    p->scope->last = *slot;
    p->scope->name_count++;
    return true;
}

static bool unknown_value(Parser *p, const char *at, const char *text)
{
    const char **names = ARENA_ARRAY(p->reader.arena, const char *, p->scope->name_count);
    int count = 0;
    for (const Name *name = p->scope->last; name; name = name->earlier)
        if (name->text[0] == '$') /* numbers are all alike */
            names[count++] = name->text + 1;
    return reader_error(&p->reader, at, "there is no value %%%s%s", text + 1,
                        text[0] == '$' ? suggestion(&p->reader, text + 1, names, count) : "");
}

static bool parse_value(Parser *p, Node **node)
{
    reader_skip(&p->reader);
    const char *at = p->reader.cursor, *text = reader_name(&p->reader, '%', "a value");
    if (!text)
        return false;
    Name **slot = find_slot(p, text);
    if (!*slot)
        return unknown_value(p, at, text);
    *node = (*slot)->node;
    return true;
}

static bool parse_state_name(Parser *p, State **state)
{
    reader_skip(&p->reader);
    const char *at = p->reader.cursor, *text = reader_name(&p->reader, '%', "a state");
    if (!text)
        return false;
    *state = program_find_state(p->program, text + 1);
    if (*state)
        return true;
    const char **names = ARENA_ARRAY(p->reader.arena, const char *, p->program->state_count);
    for (int i = 0; i < p->program->state_count; i++)
        names[i] = p->program->states[i]->name;
    return reader_error(&p->reader, at, "there is no state %%%s%s", text + 1,
                        suggestion(&p->reader, text + 1, names, p->program->state_count));
}

/* [name="…"] [at="…"]; `name` may be NULL when there can be none */
static bool parse_origin(Reader *r, const char **name, const char **place)
{
    if (name && reader_accept_word(r, "name") &&
        (!reader_expect(r, "=") || !(*name = reader_string(r))))
        return false;
    if (reader_accept_word(r, "at") && (!reader_expect(r, "=") || !(*place = reader_string(r))))
        return false;
    return !r->failed;
}

/* Attributes */

static bool parse_body(Parser *p, Attr *attr);

static bool parse_mode(Parser *p, IntList *list)
{
    const char *const *names;
    int count = mode_names(&names);
    const char *at = reader_next(&p->reader), *word = reader_word(&p->reader, "a mode");
    if (!word)
        return false;
    for (int i = 0; i < count; i++) {
        if (strcmp(word, names[i]) == 0) {
            *list = int_one(p->program, i);
            return true;
        }
    }
    return reader_unknown(&p->reader, at, "mode", word, names, count);
}

static bool parse_attribute_value(Parser *p, const AttrKey *key, const TensorType *type, Attr *attr)
{
    Reader *r = &p->reader;
    int64_t integer;
    switch (key->form) {
    case FORM_LIST:
        return reader_list(r, &attr->lists[key->slot]);
    case FORM_INTEGER:
    case FORM_OPTION:
        if (!reader_integer(r, &integer))
            return false;
        attr->lists[key->slot] = int_one(p->program, integer);
        return true;
    case FORM_NUMBER:
        return reader_number(r, &attr->number);
    case FORM_ELEMENT:
        return reader_element(r, &attr->element);
    case FORM_DATA:
        return (attr->data = reader_data(r, type)) != NULL;
    case FORM_STATE:
        return parse_state_name(p, &attr->state);
    case FORM_TEXT:
        return (attr->text = reader_string(r)) != NULL;
    case FORM_MODE:
        return parse_mode(p, &attr->lists[key->slot]);
    case FORM_BODY:
        return parse_body(p, attr);
    }
    return false;
}

static bool unknown_key(Parser *p, const char *at, Op op, const char *word)
{
    const char *names[LIST_LIMIT + 2];
    int count;
    const AttrKey *keys = op_attributes(op, &count);
    for (int i = 0; i < count; i++)
        names[i] = keys[i].key;
    names[count] = "name";
    names[count + 1] = "at";
    return reader_error(&p->reader, at, "%s has no attribute \"%s\"%s", op_name(op), word,
                        suggestion(&p->reader, word, names, count + 2));
}

/* Everything behind the inputs: a word followed by "=" is an attribute. */
static bool parse_attributes(Parser *p, Op op, const TensorType *type, Attr *attr,
                             const char **name, const char **place)
{
    Reader *r = &p->reader;
    int count;
    unsigned seen = 0;
    const AttrKey *keys = op_attributes(op, &count);
    for (;;) {
        if (!parse_origin(r, name, place))
            return false;
        if (reader_at(r, "%") || reader_at(r, "}"))
            break;
        const char *at = r->cursor, *word = reader_word(r, "an attribute");
        if (!word)
            return false;
        if (!reader_at(r, "=")) { /* "update" or "return" of the next line */
            r->cursor = at;
            break;
        }
        int i = 0;
        while (i < count && strcmp(keys[i].key, word) != 0)
            i++;
        if (i == count)
            return unknown_key(p, at, op, word);
        if (seen & 1u << i)
            return reader_error(r, at, "%s= is given twice", word);
        seen |= 1u << i;
        if (!reader_expect(r, "=") || !parse_attribute_value(p, &keys[i], type, attr))
            return false;
    }
    for (int i = 0; i < count; i++)
        if (!(seen & 1u << i) && keys[i].form != FORM_OPTION)
            return reader_error(r, r->cursor, "%s needs the attribute %s=", op_name(op),
                                keys[i].key);
    return true;
}

/* Nodes */

static bool parse_op(Parser *p, Op *op)
{
    const char *names[OP_COUNT];
    const char *at = p->reader.cursor, *word = reader_word(&p->reader, "an operation");
    if (!word)
        return false;
    if (op_find(word, op) && *op != OP_input)
        return true;
    if (strcmp(word, op_name(OP_input)) == 0)
        return reader_error(&p->reader, at, "inputs stand in the function's first line");
    for (int i = 0; i < OP_COUNT; i++)
        names[i] = op_name((Op)i);
    return reader_unknown(&p->reader, at, "operation", word, names, OP_COUNT);
}

static bool parse_operands(Parser *p, Node ***in, int *count)
{
    int capacity = 0;
    while (*count == 0 ? reader_at(&p->reader, "%") : reader_accept(&p->reader, ",")) {
        *in = arena_grow(p->reader.arena, *in, *count, &capacity, sizeof **in);
        if (!parse_value(p, &(*in)[*count]))
            return false;
        ++*count;
    }
    return !p->reader.failed;
}

static Node *make_node(Parser *p, const char *at, Op op, int count, Node **in, const Attr *attr,
                       const TensorType *type)
{
    char has[TYPE_TEXT_BYTES], gives[TYPE_TEXT_BYTES];
    Function *f = p->scope->function;
    f->place = reader_place(&p->reader, at);
    Node *node = op == OP_constant && count == 0 ? graph_constant(f, *type, attr->data)
                 : op == OP_constant             ? NULL
                                                 : graph_node(f, op, count, in, attr);
    if (op == OP_constant && count > 0)
        diag_error(p->reader.diag, f->place, "constant: it takes 0 inputs, not %d", count);
    if (node && !type_equal(&node->type, type)) {
        diag_error(p->reader.diag, f->place, "%s gives %s, not %s", op_name(op),
                   type_print(&node->type, gives), type_print(type, has));
        node = NULL;
    }
    f->place = NULL;
    return node;
}

/* Of a node, which may have several values */
static bool parse_type(Reader *r, TensorType *type)
{
    if (!reader_accept_word(r, "tuple"))
        return reader_type(r, type);
    *type = type_tuple();
    return true;
}

static bool parse_node(Parser *p)
{
    Reader *r = &p->reader;
    TensorType type;
    Op op;
    Attr attr = {0};
    Node **in = NULL;
    int count = 0;
    const char *name = NULL, *place = NULL, *at = r->cursor;
    const char *value = reader_name(r, '%', "a value, \"update\" or \"return\"");
    if (!value || !reader_expect(r, ":") || !parse_type(r, &type) || !reader_expect(r, "="))
        return false;
    reader_skip(r);
    const char *op_at = r->cursor;
    if (!parse_op(p, &op) || !parse_operands(p, &in, &count) ||
        !parse_attributes(p, op, &type, &attr, &name, &place))
        return false;
    Node *node = make_node(p, op_at, op, count, in, &attr, &type);
    if (node) {
        node->name = name;
        node->place = place;
    }
    return define(p, at, value, node);
}

/* Functions */

static bool parse_parameters(Parser *p)
{
    Reader *r = &p->reader;
    if (!reader_expect(r, "("))
        return false;
    for (int i = 0; !reader_accept(r, ")"); i++) {
        TensorType type;
        const char *name = NULL, *place = NULL;
        if (i > 0 && !reader_expect(r, ","))
            return false;
        reader_skip(r);
        const char *at = r->cursor, *value = reader_name(r, '%', "a parameter");
        if (!value || !reader_expect(r, ":") || !reader_type(r, &type) ||
            !parse_origin(r, &name, &place))
            return false;
        if (value[0] == '#')
            return reader_error(r, at, "a parameter needs a name; a number would be %%\"%s\"",
                                value + 1);
        Node *node = graph_input(p->scope->function, value + 1, type);
        node->name = name;
        node->place = place;
        if (!define(p, at, value, node))
            return false;
    }
    return true;
}

/* f32[2] or (f32[2], i32[]) */
static bool parse_result_types(Parser *p, TensorType **types, int *count)
{
    Reader *r = &p->reader;
    int capacity = 0;
    bool list = reader_accept(r, "(");
    while (list ? !reader_accept(r, ")") : *count == 0) {
        *types = arena_grow(r->arena, *types, *count, &capacity, sizeof **types);
        if ((*count > 0 && !reader_expect(r, ",")) || !reader_type(r, &(*types)[*count]))
            return false;
        ++*count;
    }
    return true;
}

static bool parse_update(Parser *p)
{
    State *state;
    Node *node;
    reader_skip(&p->reader);
    const char *at = p->reader.cursor;
    if (!parse_state_name(p, &state) || !reader_expect(&p->reader, "<-") || !parse_value(p, &node))
        return false;
    for (int i = 0; i < p->scope->function->update_count; i++)
        if (p->scope->function->updates[i].state == state)
            return reader_error(&p->reader, at, "state \"%s\" is updated twice", state->name);
    function_set_update(p->scope->function, state, node);
    return true;
}

static bool parse_results(Parser *p, const TensorType *types, int type_count)
{
    Reader *r = &p->reader;
    char has[TYPE_TEXT_BYTES], should[TYPE_TEXT_BYTES];
    const char *start = r->cursor;
    int count = 0;
    while (count == 0 ? !reader_at(r, "}") : reader_accept(r, ",")) {
        const char *name = NULL;
        Node *node;
        if (!reader_at(r, "%") &&
            (!(name = reader_name(r, '\0', "a result")) || !reader_expect(r, "=")))
            return false;
        reader_skip(r);
        const char *at = r->cursor;
        if (!parse_value(p, &node))
            return false;
        function_add_result(p->scope->function, name ? name + 1 : NULL, node);
        if (node && count < type_count && !type_equal(&node->type, &types[count]))
            return reader_error(r, at, "this is %s, but the function's result is %s",
                                type_print(&node->type, has), type_print(&types[count], should));
        count++;
    }
    if (count != type_count)
        return reader_error(r, start, "%d results where the function has %d", count, type_count);
    return true;
}

static bool parse_sizes(Parser *p)
{
    Reader *r = &p->reader;
    Function *f = p->scope->function;
    Size *sizes = NULL;
    int capacity = 0;
    while (reader_accept_word(r, "size")) {
        Size size = {.name = reader_string(r)};
        if (!size.name || !reader_expect(r, "=") || !reader_integer(r, &size.value))
            return false;
        sizes = arena_grow(f->program->arena, sizes, f->size_count, &capacity, sizeof *sizes);
        sizes[f->size_count++] = size;
        f->sizes = sizes;
    }
    return true;
}

/* From the parameters to the closing brace */
static bool parse_inside(Parser *p)
{
    Reader *r = &p->reader;
    TensorType *types = NULL;
    int type_count = 0;
    if (!parse_parameters(p) || !reader_expect(r, "->") ||
        !parse_result_types(p, &types, &type_count))
        return false;
    if (reader_accept_word(r, "batch") &&
        (!reader_expect(r, "=") || !reader_integer(r, &p->scope->function->batch)))
        return false;
    if (!parse_sizes(p) || !reader_expect(r, "{"))
        return false;
    while (!reader_accept_word(r, "return")) {
        if (reader_accept_word(r, "update") ? !parse_update(p) : !parse_node(p))
            return false;
        reader_skip(r);
    }
    return parse_results(p, types, type_count) && reader_expect(r, "}");
}

/* The same, with names of its own. */
static bool parse_rest(Parser *p, Function *function)
{
    Scope *outer = p->scope;
    p->scope = ARENA_NEW(p->reader.arena, Scope);
    p->scope->function = function;
    bool done = parse_inside(p);
    p->scope = outer;
    return done;
}

static bool parse_body(Parser *p, Attr *attr)
{
    if (p->depth == SCAN_DEPTH_LIMIT)
        return reader_error(&p->reader, p->reader.cursor, "bodies lie more than %d deep in bodies",
                            SCAN_DEPTH_LIMIT);
    attr->body = body_create(p->program);
    p->depth++;
    bool done = parse_rest(p, attr->body);
    p->depth--;
    return done;
}

static bool parse_function(Parser *p)
{
    Reader *r = &p->reader;
    const char *name = reader_name(r, '@', "the function's @name");
    if (!name)
        return false;
    return parse_rest(p, program_add_function(p->program, name + 1));
}

/* Programs */

static bool parse_state(Parser *p)
{
    Reader *r = &p->reader;
    TensorType type;
    reader_skip(r);
    const char *at = r->cursor, *name = reader_name(r, '%', "the state's %name");
    if (!name || !reader_expect(r, ":") || !reader_type(r, &type))
        return false;
    if (program_find_state(p->program, name + 1))
        return reader_error(r, at, "there are two states named \"%s\"", name + 1);
    State *state = program_add_state(p->program, name + 1, type);
    state->parameter = reader_accept_word(r, "parameter");
    state->frozen = reader_accept_word(r, "frozen");
    if (!parse_origin(r, NULL, &state->place))
        return false;
    return !reader_accept(r, "=") || (state->value = reader_data(r, &type)) != NULL;
}

static bool parse_derived(Parser *p)
{
    Reader *r = &p->reader;
    TensorType type;
    reader_skip(r);
    const char *at = r->cursor, *name = reader_name(r, '%', "the state's %name");
    if (!name || !reader_expect(r, ":") || !reader_type(r, &type))
        return false;
    if (program_find_state(p->program, name + 1))
        return reader_error(r, at, "there are two states named \"%s\"", name + 1);
    program_add_derived(p->program, name + 1, type);
    return true;
}

static bool parse_prepare(Parser *p)
{
    Reader *r = &p->reader;
    if (!p->program->prepare)
        return reader_error(r, r->cursor, "no state is derived that \"prepare\" could make");
    if (p->program->prepare->update_count)
        return reader_error(r, r->cursor, "there are two \"prepare\"");
    return parse_rest(p, p->program->prepare);
}

static bool parse_program(Parser *p)
{
    Reader *r = &p->reader;
    int64_t streams = 0;
    const char *name;
    if (!reader_expect(r, "program") || !(name = reader_name(r, '@', "the program's @name")))
        return false;
    p->program = program_create(r->arena, r->diag, name + 1);
    if (reader_accept_word(r, "random_streams") &&
        (!reader_expect(r, "=") || !reader_integer(r, &streams)))
        return false;
    if (streams < 0 || streams > INT32_MAX)
        return reader_error(r, r->cursor, "random_streams=%" PRId64 " is out of range", streams);
    p->program->random_streams = (int)streams;
    reader_expect(r, "{");
    while (!r->failed && !reader_accept(r, "}")) {
        if (reader_accept_word(r, "state"))
            parse_state(p);
        else if (reader_accept_word(r, "derived"))
            parse_derived(p);
        else if (reader_accept_word(r, "prepare"))
            parse_prepare(p);
        else if (reader_accept_word(r, "fn"))
            parse_function(p);
        else
            reader_error(r, r->cursor,
                         "expected \"state\", \"derived\", \"prepare\", \"fn\" or \"}\"");
    }
    if (!r->failed && !reader_at_end(r))
        reader_error(r, r->cursor, "the program has ended; nothing can follow");
    return !r->failed;
}

Program *graph_parse(Arena *arena, Diag *diag, const char *place, const char *text)
{
    int before = diag->error_count;
    Parser *parser = ARENA_NEW(arena, Parser);
    parser->reader = (Reader){.arena = arena,
                              .diag = diag,
                              .place = place ? place : "graph",
                              .text = text,
                              .cursor = text};
    if (!parse_program(parser) || diag->error_count != before)
        return NULL;
    return graph_verify(parser->program, diag) ? parser->program : NULL;
}
