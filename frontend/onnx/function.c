/* A model's own functions: a node that calls one is replaced by the nodes of its body.
 *
 *     function "local:Twice"(x) → y, attribute scale = 2.0        node Twice(a) → b, scale = 3.0
 *       y = Scale(x, by = @scale)                                   b = Scale(a, by = 3.0)
 *
 * A body sees the inputs of the call and nothing else around it; names in it are its own. Where an
 * attribute of the body refers to one of the function, the call's counts, else the function's
 * default. Operators are of the versions that the function asks for, or, where it is silent, the
 * model. */
#include "frontend/onnx/reader.h"

#include <string.h>

/* Fields of messages that the schema of Debian 12, of ONNX 1.12, does not have. */
enum { FUNCTION_DEFAULTS = 11, FUNCTION_OVERLOAD = 13, NODE_OVERLOAD = 8 };
enum { CALL_DEPTH_LIMIT = 64, DEFAULT_LIMIT = 1000 }; /* calls within calls; of attributes */

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static const char *overload_of(Arena *arena, const ProtobufCMessage *message, unsigned tag)
{
    ProtobufCBinaryData bytes;
    return onnx_newer_field(message, tag, 0, &bytes) ? onnx_bytes_text(arena, bytes) : "";
}

static const char *key_of(Arena *arena, const char *domain, const char *name, const char *overload)
{
    return arena_print(arena, "%s:%s:%s", onnx_domain(domain), text_of(name), overload);
}

static bool read_defaults(OnnxReader *r, const char *place, OnnxFunction *function)
{
    ProtobufCBinaryData bytes;
    int capacity = 0;
    for (int i = 0; onnx_newer_field(&function->proto->base, FUNCTION_DEFAULTS, i, &bytes); i++) {
        const ProtobufCMessage *message =
            onnx_message_read(r->diag, place, &onnx__attribute_proto__descriptor, bytes);
        if (!message)
            return false;
        if (i == DEFAULT_LIMIT)
            return diag_error(r->diag, place, "has more than %d defaults", DEFAULT_LIMIT);
        function->defaults =
            arena_grow(r->arena, function->defaults, i, &capacity, sizeof *function->defaults);
        function->defaults[i] = (const Onnx__AttributeProto *)message;
        function->default_count = i + 1;
    }
    return true;
}

bool onnx_functions_list(OnnxReader *r)
{
    for (size_t i = 0; i < r->proto->n_functions; i++) {
        OnnxFunction *function = ARENA_NEW(r->arena, OnnxFunction);
        function->proto = r->proto->functions[i];
        const char *overload = overload_of(r->arena, &function->proto->base, FUNCTION_OVERLOAD);
        const char *key =
            key_of(r->arena, function->proto->domain, function->proto->name, overload);
        const char *place =
            arena_print(r->arena, "%s: function \"%s\"", r->path, text_of(function->proto->name));
        if (map_get(&r->functions, key))
            return diag_error(r->diag, place, "there are two of this name in its domain");
        if (!read_defaults(r, place, function))
            return false;
        *map_place(&r->functions, r->arena, key) = function;
    }
    return true;
}

OnnxFunction *onnx_function_find(OnnxReader *r, const Onnx__NodeProto *node)
{
    if (r->functions.count == 0)
        return NULL;
    const char *overload = overload_of(r->arena, &node->base, NODE_OVERLOAD);
    return map_get(&r->functions, key_of(r->arena, node->domain, node->op_type, overload));
}

const Onnx__AttributeProto *onnx_function_default(const OnnxFunction *function, const char *name)
{
    for (int i = 0; i < function->default_count; i++)
        if (function->defaults[i]->name && strcmp(function->defaults[i]->name, name) == 0)
            return function->defaults[i];
    return NULL;
}

/* ---- calls ---- */

static bool bind_inputs(OnnxOp *op, OnnxScope *scope, const Onnx__FunctionProto *function)
{
    bool good = true;
    for (size_t i = 0; i < function->n_input; i++) {
        OnnxValue *value = ARENA_NEW(op->arena, OnnxValue);
        if ((int)i < op->in_count && op->in[i])
            *value = *op->in[i];
        else
            value->is_empty = true;
        value->name = function->input[i];
        good &= onnx_scope_add(op->reader, scope, op->place, value);
    }
    return good;
}

static void take_outputs(OnnxOp *op, OnnxScope *scope, const Onnx__FunctionProto *function)
{
    for (int i = 0; i < op->out_count; i++) {
        const OnnxValue *value = onnx_scope_find(op->reader, scope, function->output[i]);
        if (value)
            op->out[i] = *value;
        else if (!op->failed && op->proto->output[i][0])
            onnx_error(op, "the function makes no \"%s\"", function->output[i]);
    }
}

void onnx_function_run(OnnxOp *op, OnnxFunction *function)
{
    OnnxReader *r = op->reader;
    const Onnx__FunctionProto *proto = function->proto;
    OnnxScope *scope = onnx_scope_create(r, NULL, op->f);
    OnnxImports *imports = ARENA_NEW(r->arena, OnnxImports);
    *imports = (OnnxImports){proto->opset_import, proto->n_opset_import, r->imports};
    scope->imports = imports;
    scope->place = op->place;
    scope->call = op;
    scope->function = function;
    if (function->runs) {
        onnx_error(op, "the function calls itself");
        return;
    }
    if (r->call_depth >= CALL_DEPTH_LIMIT) {
        onnx_error(op, "functions call each other more than %d deep", CALL_DEPTH_LIMIT);
        return;
    }
    if ((size_t)op->in_count > proto->n_input || (size_t)op->out_count > proto->n_output) {
        onnx_error(op, "has %d inputs and %d outputs, but the function has %zu and %zu",
                   op->in_count, op->out_count, proto->n_input, proto->n_output);
        return;
    }
    r->call_depth++;
    function->runs = true;
    op->failed =
        !bind_inputs(op, scope, proto) || !onnx_nodes_run(r, scope, proto->node, proto->n_node);
    function->runs = false;
    r->call_depth--;
    take_outputs(op, scope, proto);
    memset(op->attribute_read, 1, op->proto->n_attribute);
}
