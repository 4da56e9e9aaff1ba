/* Scans taken apart and put together; see scan_edit.h. */
#include "passes/scan_edit.h"

#include <string.h>

static Port *add_port(ScanEdit *edit, Port port)
{
    Arena *arena = edit->f->program->arena;
    edit->ports = arena_grow(arena, edit->ports, edit->count, &edit->capacity, sizeof *edit->ports);
    Port *added = ARENA_NEW(arena, Port);
    *added = port;
    return edit->ports[edit->count++] = added;
}

ScanEdit *scan_edit_begin(Function *f, Node *node)
{
    ScanEdit *edit = ARENA_NEW(f->program->arena, ScanEdit);
    Scan scan = node_scan(node);
    function_clean(node->attr.body); /* ids are positions */
    *edit = (ScanEdit){.f = f,
                       .scan = node,
                       .old = node,
                       .body = node->attr.body,
                       .steps = scan.steps,
                       .reverse = scan.reverse};
    for (int i = 0; i < node->in_count; i++) {
        bool carried = i < scan.carried, scanned = !carried && i < scan.carried + scan.scanned;
        Port *port = add_port(edit, (Port){.kind = carried   ? PORT_CARRIED
                                                   : scanned ? PORT_SCANNED
                                                             : PORT_INVARIANT,
                                           .parameter = edit->body->inputs[i],
                                           .given = node_resolve(node->in[i]),
                                           .value = carried ? edit->body->results[i].node : NULL,
                                           .old = carried ? i : -1});
        if (i == scan.alive)
            edit->alive = port;
    }
    for (int i = scan.carried; i < edit->body->result_count; i++)
        add_port(edit,
                 (Port){.kind = PORT_STACKED, .value = edit->body->results[i].node, .old = i});
    return edit;
}

static bool name_is_taken(const ScanEdit *edit, const char *name)
{
    for (int i = 0; i < edit->count; i++)
        if (edit->ports[i]->parameter && strcmp(edit->ports[i]->parameter->attr.text, name) == 0)
            return true;
    return false;
}

static TensorType slice_type(const TensorType *type)
{
    return type_make(type->element, type->rank - 1, type->dims + 1);
}

Port *scan_edit_add_input(ScanEdit *edit, PortKind kind, const char *name, Node *given)
{
    const char *unique = name;
    for (int i = 1; name_is_taken(edit, unique); i++)
        unique = arena_print(edit->f->program->arena, "%s.%d", name, i);
    TensorType type = kind == PORT_SCANNED ? slice_type(&given->type) : given->type;
    return add_port(edit, (Port){.kind = kind,
                                 .parameter = graph_input(edit->body, unique, type),
                                 .given = given,
                                 .old = -1});
}

Port *scan_edit_add_stack(ScanEdit *edit, Node *value)
{
    for (int i = 0; i < edit->count; i++)
        if (edit->ports[i]->kind == PORT_STACKED && !edit->ports[i]->dropped &&
            edit->ports[i]->value == value)
            return edit->ports[i];
    return add_port(edit, (Port){.kind = PORT_STACKED, .value = value, .old = -1});
}

/* Parameters and results of the body as the ports say; returns how many of the kind there are. */
static int take_ports(ScanEdit *edit, PortKind kind, Node **given)
{
    int count = 0;
    for (int i = 0; i < edit->count; i++) {
        const Port *port = edit->ports[i];
        if (port->kind != kind || port->dropped)
            continue;
        count++;
        if (port->value)
            function_add_result(edit->body, NULL, port->value);
        if (port->parameter) {
            given[edit->body->input_count] = port->given;
            edit->body->inputs[edit->body->input_count++] = port->parameter;
        }
    }
    return count;
}

/* Which carried value of the new scan the old one's is; -1 when it has gone: it was always true, or
 * always false. */
static int alive_index(const ScanEdit *edit)
{
    int index = 0;
    for (int i = 0; i < edit->count; i++) {
        const Port *port = edit->ports[i];
        if (port->kind != PORT_CARRIED || port->dropped)
            continue;
        if (port == edit->alive)
            return index;
        index++;
    }
    return -1;
}

void scan_edit_finish(ScanEdit *edit)
{
    Function *f = edit->f, *body = edit->body;
    int limit = body->input_count, next = 0;
    Node **given = ARENA_ARRAY(f->program->arena, Node *, limit + 1);
    const char *place = f->place;
    f->place = edit->old->place;
    body->input_count = body->result_count = 0;
    int carried = take_ports(edit, PORT_CARRIED, given);
    int scanned = take_ports(edit, PORT_SCANNED, given);
    take_ports(edit, PORT_INVARIANT, given);
    take_ports(edit, PORT_STACKED, given);
    function_clean(body);
    edit->scan = NULL;
    if (body->result_count) {
        edit->scan = graph_scan_while(f, body, carried, scanned, edit->steps, edit->reverse,
                                      alive_index(edit), given);
        edit->scan->name = edit->old->name;
    }
    for (int kind = PORT_CARRIED; kind <= PORT_STACKED; kind++)
        for (int i = 0; i < edit->count; i++) {
            Port *port = edit->ports[i];
            if ((int)port->kind == kind && port->value && !port->dropped)
                port->result = graph_result(f, edit->scan, next++);
        }
    f->place = place;
}

void scan_edit_apply(ScanEdit *edit)
{
    int count = edit->f->node_count;
    for (int i = 0; i < count; i++) {
        Node *node = edit->f->nodes[i];
        if (node->op != OP_result || node->in[0] != edit->old || node->replacement)
            continue;
        for (int p = 0; p < edit->count; p++)
            if (edit->ports[p]->old == attr_integer(node, 0))
                node->replacement = edit->ports[p]->result;
        if (!node->replacement)
            INGOT_BUG("result %d of a scan is read, but nothing stands for it",
                      (int)attr_integer(node, 0));
        if (!node->replacement->name)
            node->replacement->name = node->name;
    }
}

bool scan_result_is_read(const Function *f, const Node *scan, int index)
{
    for (int i = 0; i < f->node_count; i++)
        if (f->nodes[i]->op == OP_result && f->nodes[i]->in[0] == scan &&
            attr_integer(f->nodes[i], 0) == index)
            return true;
    return false;
}
