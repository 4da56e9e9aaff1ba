/* Names of a graph, and what they stand for.
 *
 * A graph within a graph sees the names of those around it; what it makes itself comes first. The
 * body of a scan is a function of its own, so what it reads from outside becomes a parameter of it:
 *
 *     Loop body reads "w" of the main graph      scan …, %w body=(…, %w: f32[4]) -> … { … %w … }
 *
 * Constants are not passed in that way: the body has them itself, so that what they decide is
 * decided there too. */
#include "frontend/onnx/reader.h"

#include "base/text.h"
#include "frontend/onnx/tensor.h"

OnnxScope *onnx_scope_create(OnnxReader *reader, OnnxScope *outer, Function *f)
{
    OnnxScope *scope = ARENA_NEW(reader->arena, OnnxScope);
    *scope = (OnnxScope){.outer = outer, .f = f};
    if (outer)
        scope->imports = outer->imports;
    return scope;
}

/* ---- values from outside of a body ---- */

Node *onnx_scope_parameter(OnnxReader *reader, OnnxScope *scope, const char *name, TensorType type)
{
    const char *own = name && name[0] ? name : "outer";
    for (int i = 2; map_get(&scope->parameters, own); i++)
        own = arena_print(reader->arena, "%s.%d", own, scope->f->input_count + i);
    Node *node = graph_input(scope->f, own, type);
    *map_place(&scope->parameters, reader->arena, own) = scope;
    return node;
}

Node *onnx_scope_capture(OnnxReader *reader, OnnxScope *scope, Node *node, const char *name)
{
    if (!node)
        return NULL;
    if (node->op == OP_constant)
        return graph_constant(scope->f, node->type, node->attr.data);
    scope->captured = arena_grow(reader->arena, scope->captured, scope->captured_count,
                                 &scope->captured_capacity, sizeof *scope->captured);
    scope->captured[scope->captured_count++] = node;
    return onnx_scope_parameter(reader, scope, name, node->type);
}

/* A weight that is trained is a state, and bodies have none. */
static bool is_trained(const OnnxReader *reader, const OnnxValue *value)
{
    return reader->options->train && value->weight && element_is_float(value->weight->type.element);
}

static OnnxValue *capture(OnnxReader *reader, OnnxScope *scope, OnnxValue *value)
{
    OnnxValue *inner = ARENA_NEW(reader->arena, OnnxValue);
    *inner = *value;
    Node *node = value->node;
    if (!node && is_trained(reader, value))
        node = onnx_value_node(reader, scope->outer->f, value, NULL);
    inner->node = onnx_scope_capture(reader, scope, node, value->name);
    inner->length = onnx_scope_capture(reader, scope, value->length, value->name);
    if (value->is_sequence)
        inner->items = ARENA_ARRAY(reader->arena, OnnxValue *, value->item_count);
    for (int i = 0; value->is_sequence && i < value->item_count; i++)
        inner->items[i] = capture(reader, scope, value->items[i]);
    return inner;
}

OnnxValue *onnx_scope_find(OnnxReader *reader, OnnxScope *scope, const char *name)
{
    OnnxValue *value = map_get(&scope->values, name);
    if (value || !scope->outer)
        return value;
    value = onnx_scope_find(reader, scope->outer, name);
    if (!value || scope->f == scope->outer->f)
        return value;
    value = capture(reader, scope, value);
    *map_place(&scope->values, reader->arena, name) = value;
    return value;
}

bool onnx_scope_add(OnnxReader *reader, OnnxScope *scope, const char *place, OnnxValue *value)
{
    if (map_get(&scope->values, value->name))
        return diag_error(reader->diag, place, "the name \"%s\" is taken: each may be made once",
                          value->name);
    *map_place(&scope->values, reader->arena, value->name) = value;
    return true;
}

/* ---- what a value depends on ---- */

/* The node outside that a body's parameter stands for; NULL: it is one of the body's own. */
static const Node *outer_node(const OnnxScope *body, const Node *parameter)
{
    int own = body->f->input_count - body->captured_count;
    for (int i = 0; i < body->captured_count; i++)
        if (body->f->inputs[own + i] == parameter)
            return body->captured[i];
    return NULL;
}

/* The scope around one, also around a call of a function of the model's own. */
static const OnnxScope *around(const OnnxScope *scope)
{
    return scope->outer ? scope->outer : scope->call ? scope->call->scope : NULL;
}

/* Adds options for the model's inputs that one of the nodes marked in `needed` depends on. */
static void add_options(Arena *arena, const OnnxScope *scope, bool *needed, Text *text)
{
    const OnnxScope *outer = around(scope);
    for (; outer && outer->f == scope->f; outer = around(scope))
        scope = outer;
    bool *outer_needed = ARENA_ARRAY(arena, bool, outer ? outer->f->node_count + 1 : 0);
    for (int n = scope->f->node_count - 1; n >= 0; n--) {
        const Node *node = scope->f->nodes[n];
        for (int i = 0; needed[n] && i < node->in_count; i++)
            needed[node->in[i]->id] = true;
        if (!needed[n] || node->op != OP_input)
            continue;
        const Node *captured = outer ? outer_node(scope, node) : NULL;
        if (captured)
            outer_needed[captured->id] = true;
        else if (!outer)
            text_print(text, " --const %s=FILE", node->attr.text);
    }
    if (outer)
        add_options(arena, outer, outer_needed, text);
}

const char *onnx_remedy(const OnnxOp *op, const Node *node)
{
    const Diag *diag = op->reader->diag;
    if (!node || diag->error_count >= diag->limit) /* of an error that is not kept */
        return "";
    bool *needed = ARENA_ARRAY(op->arena, bool, op->f->node_count + 1);
    Text options = text_create(op->arena);
    needed[node->id] = true;
    add_options(op->arena, op->scope, needed, &options);
    return options.length
               ? arena_print(op->arena, "; give the input that decides it a value:%s", options.data)
               : "";
}

/* ---- initialisers ---- */

static OnnxWeight *read_weight(OnnxReader *reader, const char *name,
                               const Onnx__TensorProto *tensor,
                               const Onnx__SparseTensorProto *sparse)
{
    const char *place = arena_print(reader->arena, "%s: initializer \"%s\"", reader->path, name);
    OnnxWeight *weight = ARENA_NEW(reader->arena, OnnxWeight);
    weight->name = name;
    bool good = sparse ? onnx_sparse_read(reader->diag, place, reader->path, sparse, &weight->type,
                                          &weight->data)
                       : onnx_tensor_read(reader->diag, place, reader->path, tensor, &weight->type,
                                          &weight->data);
    return good ? weight : NULL;
}

/* Those of the main graph are read once for all functions. */
static bool add_weight(OnnxReader *reader, OnnxScope *scope, const Onnx__TensorProto *tensor,
                       const Onnx__SparseTensorProto *sparse)
{
    const char *name = tensor && tensor->name ? tensor->name : "";
    OnnxWeight *weight = scope->outer ? NULL : map_get(&reader->weights, name);
    if (!weight)
        weight = read_weight(reader, name, tensor, sparse);
    if (weight && !scope->outer)
        *map_place(&reader->weights, reader->arena, name) = weight;
    OnnxValue *value = ARENA_NEW(reader->arena, OnnxValue);
    *value = (OnnxValue){.name = name, .weight = weight};
    return onnx_scope_add(reader, scope, reader->path, value);
}

bool onnx_initializers_add(OnnxReader *reader, OnnxScope *scope, const Onnx__GraphProto *graph)
{
    bool good = true;
    for (size_t i = 0; i < graph->n_initializer; i++)
        good &= add_weight(reader, scope, graph->initializer[i], NULL);
    for (size_t i = 0; i < graph->n_sparse_initializer; i++)
        good &= add_weight(reader, scope, graph->sparse_initializer[i]->values,
                           graph->sparse_initializer[i]);
    return good;
}
