/* Graphs in attributes: branches of an If, bodies of loops.
 *
 * onnx_graph_run() puts the nodes of one into the function where the operator stands; OnnxBody
 * makes a function of its own of it, for a scan. A trial keeps errors back: whether a body can be a
 * scan's is found out by building it, and when it cannot there may be another way. */
#include "frontend/onnx/control.h"
#include "frontend/onnx/reader.h"
#include "ir/scan.h"

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static bool bind_inputs(OnnxOp *op, OnnxScope *scope, const Onnx__GraphProto *graph,
                        OnnxValue *inputs, int count)
{
    bool good = true;
    if ((size_t)count != graph->n_input)
        return onnx_error(op, "its graph has %zu inputs, but is given %d", graph->n_input, count);
    for (int i = 0; i < count; i++) {
        inputs[i].name = text_of(graph->input[i]->name);
        good &= onnx_scope_add(op->reader, scope, op->place, &inputs[i]);
    }
    op->failed = op->failed || !good;
    return good;
}

static bool run_graph(OnnxOp *op, OnnxScope *scope, const Onnx__GraphProto *graph,
                      OnnxValue *results)
{
    OnnxReader *r = op->reader;
    bool good = onnx_initializers_add(r, scope, graph) &&
                onnx_nodes_run(r, scope, graph->node, graph->n_node);
    for (size_t i = 0; good && i < graph->n_output; i++) {
        const char *name = text_of(graph->output[i] ? graph->output[i]->name : NULL);
        const OnnxValue *value = onnx_scope_find(r, scope, name);
        if (!value)
            return onnx_error(op, "its graph makes no \"%s\"", name);
        results[i] = *value;
    }
    op->f->place = op->place;
    op->failed = op->failed || !good;
    op->own_nodes = op->f->node_count;
    return good;
}

bool onnx_graph_run(OnnxOp *op, const Onnx__GraphProto *graph, OnnxValue *inputs, int input_count,
                    OnnxValue *results)
{
    OnnxScope *scope = onnx_scope_create(op->reader, op->scope, op->f);
    scope->place = op->place;
    return bind_inputs(op, scope, graph, inputs, input_count) &&
           run_graph(op, scope, graph, results);
}

/* ---- bodies ---- */

OnnxBody *onnx_body_create(OnnxOp *op)
{
    OnnxBody *body = ARENA_NEW(op->arena, OnnxBody);
    body->f = body_create(op->program);
    body->f->place = op->place;
    body->scope = onnx_scope_create(op->reader, op->scope, body->f);
    body->scope->place = op->place;
    return body;
}

Node *onnx_body_input(OnnxOp *op, OnnxBody *body, const char *name, TensorType type)
{
    return onnx_scope_parameter(op->reader, body->scope, name, type);
}

bool onnx_body_run(OnnxOp *op, OnnxBody *body, const Onnx__GraphProto *graph, OnnxValue *inputs,
                   int count, OnnxValue *results)
{
    return bind_inputs(op, body->scope, graph, inputs, count) &&
           run_graph(op, body->scope, graph, results);
}

Node *onnx_body_node(OnnxOp *op, OnnxBody *body, OnnxValue *value)
{
    return onnx_value_node(op->reader, body->f, value, NULL);
}

Node *onnx_body_capture(OnnxOp *op, OnnxBody *body, Node *node, const char *name)
{
    return onnx_scope_capture(op->reader, body->scope, node, name);
}

Node *const *onnx_body_captured(const OnnxBody *body, int *count)
{
    *count = body->scope->captured_count;
    return body->scope->captured;
}

Node *onnx_scan(OnnxOp *op, OnnxBody *body, int carried, int scanned, int64_t steps, bool reverse,
                int alive, Node *const *given)
{
    int own = body->f->input_count - body->scope->captured_count;
    Node **inputs = ARENA_ARRAY(op->arena, Node *, body->f->input_count);
    for (int i = 0; i < body->f->input_count; i++)
        inputs[i] = i < own ? given[i] : body->scope->captured[i - own];
    return graph_scan_while(op->f, body->f, carried, scanned, steps, reverse, alive, inputs);
}

Node *onnx_empty_stack(OnnxOp *op, const TensorType *type)
{
    if (type->rank == RANK_LIMIT)
        return onnx_error(op, "stacks tensors of %d axes, which have one more then", RANK_LIMIT);
    TensorType stack = scan_stack_type(type, 0);
    return graph_broadcast(op->f, graph_scalar(op->f, type->element, 0), stack.rank, stack.dims);
}

/* ---- trials ---- */

OnnxTrial onnx_trial_begin(OnnxOp *op)
{
    OnnxReader *r = op->reader;
    OnnxTrial trial = {.diag = r->diag, .layer_count = r->layer_count, .failed = op->failed};
    r->diag = op->program->diag = diag_create(r->arena);
    return trial;
}

bool onnx_trial_end(OnnxOp *op, OnnxTrial *trial)
{
    OnnxReader *r = op->reader;
    bool good = diag_ok(r->diag) && !op->failed;
    trial->why = r->diag->error_count ? r->diag->messages[0] : NULL;
    r->diag = op->program->diag = trial->diag;
    op->failed = trial->failed;
    if (!good)
        r->layer_count = trial->layer_count;
    return good;
}
