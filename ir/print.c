/* Prints programs; parse.c reads the same text back. See text.h.
 *
 *     program @digits random_streams=1 {
 *       state %w: f32[64,10] parameter at="layers[0].dense"
 *       fn @infer(%x: f32[1,64]) -> f32[1,10] batch=1 {
 *         %0: f32[64,10] = state of=%w
 *         %1: f32[1,10] = matmul %x, %0 name="logits" at="layers[0].dense"
 *         %2: f32[] = constant value=[0.5]
 *         update %w <- %0
 *         return logits=%1
 *       }
 *     }
 *
 * Nodes are numbered in their order, inputs left out, so a text does not depend on where the input
 * nodes stand. A name that is no plain word is quoted: %"dense 1".
 *
 * The body of a scan is printed where it is an attribute, as a block with numbers of its own:
 * body=(%x: f32[4]) -> f32[4] { … }
 *
 * Values keep every bit: numbers have as many digits as it takes, and long arrays, and arrays with
 * a NaN (whose bits digits would lose), are their bytes in memory order as hexadecimal digits:
 * value=0x0000803f. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ir/element.h"
#include "ir/text.h"

enum { INLINE_LIMIT = 64 }; /* elements */

typedef struct Printer {
    Text *text;
    const Function *function;
    int *numbers; /* by node id */
    int indent;   /* of the line the function begins on */
} Printer;

static bool is_word(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.')
            return false;
    return true;
}

static void print_quoted(Text *text, const char *string)
{
    text_add(text, "\"");
    for (const char *c = string; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_print(text, "\\%c", *c);
        else if ((unsigned char)*c < ' ' || *c == 0x7f)
            text_print(text, "\\x%02x", (unsigned)*c);
        else
            text_add_bytes(text, c, 1);
    }
    text_add(text, "\"");
}

/* sigil: "%", "@" or "" */
static void print_name(Text *text, const char *sigil, const char *name)
{
    if (!name)
        name = "";
    text_add(text, sigil);
    if (is_word(name))
        text_add(text, name);
    else
        print_quoted(text, name);
}

static void print_type(Text *text, const TensorType *type)
{
    char buffer[TYPE_TEXT_BYTES];
    text_add(text, type_print(type, buffer));
}

static void print_element(Text *text, ElementType element, const void *data, int64_t i)
{
    if (element == TYPE_U64)
        text_print(text, "%" PRIu64, ((const uint64_t *)data)[i]);
    else if (!element_is_float(element))
        text_print(text, "%" PRId64, element_integer(element, data, i));
    else
        text_print(text, element == TYPE_F64 ? "%.17g" : "%.9g", element_number(element, data, i));
}

static bool prints_as_numbers(const TensorType *type, const void *data)
{
    int64_t count = type_elements(type);
    if (count > INLINE_LIMIT)
        return false;
    for (int64_t i = 0; i < count; i++) {
        if (element_is_float(type->element) && isnan(element_number(type->element, data, i)))
            return false;
    }
    return true;
}

static void print_data(Text *text, const TensorType *type, const void *data)
{
    static const char digits[] = "0123456789abcdef";
    if (prints_as_numbers(type, data)) {
        int64_t count = type_elements(type);
        text_add(text, "[");
        for (int64_t i = 0; i < count; i++) {
            text_add(text, i ? ", " : "");
            print_element(text, type->element, data, i);
        }
        text_add(text, "]");
        return;
    }
    text_add(text, "0x");
    const uint8_t *bytes = data;
    int64_t size = type_bytes(type);
    for (int64_t i = 0; i < size; i++)
        text_add_bytes(text, (char[]){digits[bytes[i] >> 4], digits[bytes[i] & 15]}, 2);
}

static void print_reference(Printer *p, const Node *node)
{
    if (!node)
        text_add(p->text, "%none");
    else if (node->op == OP_input)
        print_name(p->text, "%", node->attr.text);
    else if (node->id >= 0 && node->id < p->function->node_count)
        text_print(p->text, "%%%d", p->numbers[node->id]);
    else
        text_print(p->text, "%%foreign_%s", op_name(node->op)); /* no valid graph has one */
}

static void print_rest(const Function *function, int indent, Text *text);

static void print_attribute(Printer *p, const Node *node, const AttrKey *key)
{
    const Attr *attr = &node->attr;
    IntList list = attr->lists[key->slot];
    if (key->form == FORM_OPTION && list.count == 0)
        return;
    if (key->form == FORM_BODY)
        text_print(p->text, "\n%*s", p->indent + 3, "");
    text_print(p->text, " %s=", key->key);
    switch (key->form) {
    case FORM_LIST:
        text_add(p->text, "[");
        for (int i = 0; i < list.count; i++)
            text_print(p->text, "%s%" PRId64, i ? "," : "", list.values[i]);
        text_add(p->text, "]");
        break;
    case FORM_INTEGER:
    case FORM_OPTION:
        text_print(p->text, "%" PRId64, list.count ? list.values[0] : 0);
        break;
    case FORM_NUMBER:
        text_print(p->text, "%.17g", isnan(attr->number) ? (double)NAN : attr->number);
        break;
    case FORM_ELEMENT:
        text_add(p->text, element_name(attr->element));
        break;
    case FORM_DATA:
        print_data(p->text, &node->type, attr->data);
        break;
    case FORM_STATE:
        print_name(p->text, "%", attr->state ? attr->state->name : NULL);
        break;
    case FORM_TEXT:
        print_quoted(p->text, attr->text ? attr->text : "");
        break;
    case FORM_MODE:
        text_add(p->text, mode_name(attr_mode(node, key->slot)));
        break;
    case FORM_BODY:
        print_rest(attr->body, p->indent + 4, p->text);
        break;
    }
}

static void print_origin(Text *text, const char *name, const char *place)
{
    if (name) {
        text_add(text, " name=");
        print_quoted(text, name);
    }
    if (place) {
        text_add(text, " at=");
        print_quoted(text, place);
    }
}

static void print_node(Printer *p, const Node *node)
{
    int count;
    const AttrKey *keys = op_attributes(node->op, &count);
    text_print(p->text, "%*s%%%d: ", p->indent + 2, "", p->numbers[node->id]);
    print_type(p->text, &node->type);
    text_print(p->text, " = %s", op_name(node->op));
    for (int i = 0; i < node->in_count; i++) {
        text_add(p->text, i ? ", " : " ");
        print_reference(p, node->in[i]);
    }
    for (int i = 0; i < count; i++)
        print_attribute(p, node, &keys[i]);
    print_origin(p->text, node->name, node->place);
    text_add(p->text, "\n");
}

static void print_header(Printer *p)
{
    const Function *f = p->function;
    bool one = f->result_count == 1;
    text_add(p->text, "(");
    for (int i = 0; i < f->input_count; i++) {
        text_add(p->text, i ? ", " : "");
        print_reference(p, f->inputs[i]);
        text_add(p->text, ": ");
        print_type(p->text, &f->inputs[i]->type);
        print_origin(p->text, f->inputs[i]->name, f->inputs[i]->place);
    }
    text_add(p->text, one ? ") -> " : ") -> (");
    for (int i = 0; i < f->result_count; i++) {
        text_add(p->text, i ? ", " : "");
        if (f->results[i].node)
            print_type(p->text, &f->results[i].node->type);
    }
    text_add(p->text, one ? "" : ")");
    if (f->batch)
        text_print(p->text, " batch=%" PRId64, f->batch);
    for (int i = 0; i < f->size_count; i++) {
        text_add(p->text, " size ");
        print_quoted(p->text, f->sizes[i].name);
        text_print(p->text, "=%" PRId64, f->sizes[i].value);
    }
    text_add(p->text, " {\n");
}

static void print_ends(Printer *p)
{
    const Function *f = p->function;
    for (int i = 0; i < f->update_count; i++) {
        text_print(p->text, "%*s", p->indent + 2, "");
        print_name(p->text, "update %", f->updates[i].state->name);
        text_add(p->text, " <- ");
        print_reference(p, f->updates[i].node);
        text_add(p->text, "\n");
    }
    text_print(p->text, "%*sreturn", p->indent + 2, "");
    for (int i = 0; i < f->result_count; i++) {
        text_add(p->text, i ? ", " : " ");
        if (f->results[i].name) {
            print_name(p->text, "", f->results[i].name);
            text_add(p->text, "=");
        }
        print_reference(p, f->results[i].node);
    }
    text_print(p->text, "\n%*s}", p->indent, "");
}

/* From the parameters to the closing brace */
static void print_rest(const Function *function, int indent, Text *text)
{
    Printer printer = {.text = text, .function = function, .indent = indent};
    printer.numbers = ARENA_ARRAY(text->arena, int, function->node_count);
    for (int i = 0, next = 0; i < function->node_count; i++)
        printer.numbers[i] = function->nodes[i]->op == OP_input ? -1 : next++;
    print_header(&printer);
    for (int i = 0; i < function->node_count; i++)
        if (function->nodes[i]->op != OP_input)
            print_node(&printer, function->nodes[i]);
    print_ends(&printer);
}

void function_print(const Function *function, Text *text)
{
    print_name(text, "  fn @", function->name);
    print_rest(function, 2, text);
    text_add(text, "\n");
}

static void print_state(const State *state, Text *text)
{
    print_name(text, "  state %", state->name);
    text_add(text, ": ");
    print_type(text, &state->type);
    text_add(text, state->parameter ? " parameter" : "");
    text_add(text, state->frozen ? " frozen" : "");
    print_origin(text, NULL, state->place);
    if (state->value) {
        text_add(text, " = ");
        print_data(text, &state->type, state->value);
    }
    text_add(text, "\n");
}

static void print_derived(const State *state, Text *text)
{
    print_name(text, "  derived %", state->name);
    text_add(text, ": ");
    print_type(text, &state->type);
    text_add(text, "\n");
}

void graph_print(const Program *program, Text *text)
{
    print_name(text, "program @", program->name);
    if (program->random_streams)
        text_print(text, " random_streams=%d", program->random_streams);
    text_add(text, " {\n");
    for (int i = 0; i < program->state_count; i++)
        print_state(program->states[i], text);
    for (int i = 0; i < program->derived_count; i++)
        print_derived(program->derived[i], text);
    if (program->prepare) {
        text_add(text, "  prepare");
        print_rest(program->prepare, 2, text);
        text_add(text, "\n");
    }
    for (int i = 0; i < program->function_count; i++)
        function_print(program->functions[i], text);
    text_add(text, "}\n");
}
