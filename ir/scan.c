/* Making scans and their bodies, and reading them back; see scan.h. */
#include "ir/scan.h"

Function *body_create(Program *program)
{
    Function *body = ARENA_NEW(program->arena, Function);
    body->program = program;
    body->name = "body";
    return body;
}

Node *graph_scan(Function *f, Function *body, int carried, int scanned, int64_t steps, bool reverse,
                 Node *const *inputs)
{
    return graph_scan_while(f, body, carried, scanned, steps, reverse, -1, inputs);
}

Node *graph_scan_while(Function *f, Function *body, int carried, int scanned, int64_t steps,
                       bool reverse, int alive, Node *const *inputs)
{
    Attr attr = {.body = body};
    attr.lists[0] = int_one(f->program, carried);
    attr.lists[1] = int_one(f->program, scanned);
    attr.lists[2] = int_one(f->program, steps);
    attr.lists[3] = int_one(f->program, reverse);
    if (alive >= 0)
        attr.lists[4] = int_one(f->program, alive);
    return graph_node(f, OP_scan, body->input_count, inputs, &attr);
}

void scan_make_all_steps(Node *scan)
{
    scan->attr.lists[4] = (IntList){0};
}

Node *graph_result(Function *f, Node *scan, int index)
{
    Attr attr = {.lists = {int_one(f->program, index)}};
    return graph_node(f, OP_result, 1, &scan, &attr);
}

Scan node_scan(const Node *node)
{
    Scan scan = {.carried = (int)attr_integer(node, 0),
                 .scanned = (int)attr_integer(node, 1),
                 .steps = attr_integer(node, 2),
                 .reverse = attr_integer(node, 3) != 0,
                 .alive = node->attr.lists[4].count ? (int)attr_integer(node, 4) : -1};
    scan.invariant = node->in_count - scan.carried - scan.scanned;
    scan.stacked = node->attr.body->result_count - scan.carried;
    return scan;
}

TensorType scan_stack_type(const TensorType *type, int64_t steps)
{
    TensorType stack = *type;
    stack.rank++;
    stack.dims[0] = steps;
    for (int i = 0; i < type->rank; i++)
        stack.dims[i + 1] = type->dims[i];
    return stack;
}

TensorType scan_slice_type(const TensorType *stack)
{
    return type_make(stack->element, stack->rank - 1, stack->dims + 1);
}

TensorType scan_result_type(const Node *scan, int index)
{
    const TensorType *type = &scan->attr.body->results[index].node->type;
    return index < attr_integer(scan, 0) ? *type : scan_stack_type(type, attr_integer(scan, 2));
}

/* ---- copies ---- */

Node *graph_copy(Function *to, const Node *node, Node *const *in)
{
    const char *place = to->place;
    Attr attr = node->attr;
    to->place = node->place;
    if (attr.body)
        attr.body = body_copy(to->program, attr.body);
    Node *copy = node->op == OP_constant ? graph_constant(to, node->type, attr.data)
                                         : graph_node(to, node->op, node->in_count, in, &attr);
    to->place = place;
    if (copy)
        copy->name = node->name;
    return copy;
}

void function_copy_nodes(Function *to, const Function *from, Node **copies)
{
    for (int i = 0; i < from->node_count; i++) {
        const Node *node = from->nodes[i];
        if (copies[i])
            continue;
        Node **in = ARENA_ARRAY(to->program->arena, Node *, node->in_count);
        for (int j = 0; j < node->in_count; j++)
            in[j] = copies[node->in[j]->id];
        copies[i] = graph_copy(to, node, in);
    }
}

Function *body_copy(Program *program, const Function *body)
{
    Function *copy = body_create(program);
    Node **copies = ARENA_ARRAY(program->arena, Node *, body->node_count);
    for (int i = 0; i < body->input_count; i++) {
        const Node *input = body->inputs[i];
        copies[input->id] = graph_input(copy, input->attr.text, input->type);
    }
    function_copy_nodes(copy, body, copies);
    for (int i = 0; i < body->result_count; i++)
        function_add_result(copy, body->results[i].name, copies[body->results[i].node->id]);
    return copy;
}
