/* Walks the nodes of a graph and has each made operations of by its row of operators.def.
 *
 * Nodes must stand in an order in which every input comes first, as the standard says. A call of
 * one of the model's own functions runs the nodes of its body in a scope that sees its inputs
 * alone. After an error the walk goes on, so that all errors are found: what has failed has no
 * node, and operators that read it are skipped in silence. */
#include "frontend/onnx/reader.h"

#include <string.h>

#include "frontend/onnx/tensor.h"
#include "ir/scan.h"

enum { CALL_DEPTH_LIMIT = 32 };

/* ---- names ---- */

OnnxScope *onnx_scope_create(OnnxReader *reader, OnnxScope *outer, Function *f)
{
    OnnxScope *scope = ARENA_NEW(reader->arena, OnnxScope);
    *scope = (OnnxScope){.outer = outer, .f = f, .values = map_create(reader->arena)};
    return scope;
}

/* A body reads `value` of the function around it: weights and constants it has for itself, all else
 * becomes an input of it. */
static OnnxValue *capture(OnnxReader *reader, OnnxScope *scope, OnnxValue *value)
{
    OnnxValue *inner = ARENA_NEW(reader->arena, OnnxValue);
    *inner = *value;
    if (!value->node && value->weight && reader->options->train)
        onnx_value_node(reader, scope->outer->f, value, NULL);
    if (value->is_sequence) {
        inner->items = ARENA_ARRAY(reader->arena, OnnxValue *, value->item_count);
        for (int i = 0; i < value->item_count; i++)
            inner->items[i] = capture(reader, scope, value->items[i]);
    } else if (value->node && value->node->op == OP_constant) {
        inner->node = graph_constant(scope->f, value->node->type, value->node->attr.data);
    } else if (value->node) {
        inner->node = graph_input(scope->f, value->name ? value->name : "outer", value->node->type);
        scope->captured = arena_grow(reader->arena, scope->captured, scope->captured_count,
                                     &scope->captured_capacity, sizeof *scope->captured);
        scope->captured[scope->captured_count++] = value->node;
    }
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
    map_set(&scope->values, name, value);
    return value;
}

bool onnx_scope_add(OnnxReader *reader, OnnxScope *scope, const char *place, OnnxValue *value)
{
    if (map_get(&scope->values, value->name))
        return diag_error(reader->diag, place, "the name \"%s\" is taken: each may be made once",
                          value->name);
    map_set(&scope->values, value->name, value);
    return true;
}

static bool add_weight(OnnxReader *reader, OnnxScope *scope, const Onnx__TensorProto *tensor)
{
    const char *name = tensor->name ? tensor->name : "";
    OnnxWeight *weight = map_get(&reader->weights, name);
    if (!weight || scope->outer) {
        const char *place =
            arena_print(reader->arena, "%s: initializer \"%s\"", reader->path, name);
        weight = ARENA_NEW(reader->arena, OnnxWeight);
        weight->name = name;
        if (!onnx_tensor_read(reader->diag, place, reader->path, tensor, &weight->type,
                              &weight->data))
            weight = NULL;
        if (weight && !scope->outer)
            map_set(&reader->weights, name, weight);
    }
    OnnxValue *value = ARENA_NEW(reader->arena, OnnxValue);
    *value = (OnnxValue){.name = name, .weight = weight};
    return onnx_scope_add(reader, scope, reader->path, value);
}

bool onnx_initializers_add(OnnxReader *reader, OnnxScope *scope, const Onnx__GraphProto *graph)
{
    bool good = true;
    for (size_t i = 0; i < graph->n_initializer; i++)
        good &= add_weight(reader, scope, graph->initializer[i]);
    for (size_t i = 0; i < graph->n_sparse_initializer; i++)
        good = diag_error(reader->diag, reader->path,
                          "initializer %zu of the graph is sparse, which is not supported; store "
                          "it dense",
                          i);
    return good;
}

/* ---- one node ---- */

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static const char *domain_of(const Onnx__NodeProto *node)
{
    const char *domain = text_of(node->domain);
    return strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

static const char *place_of(const OnnxReader *reader, const Onnx__NodeProto *node, size_t number)
{
    const char *type = text_of(node->op_type);
    if (node->name && node->name[0])
        return arena_print(reader->arena, "%s: node \"%s\" (%s)", reader->path, node->name, type);
    return arena_print(reader->arena, "%s: node %zu (%s)", reader->path, number, type);
}

/* The version of a domain that the model asks for; 0: none. */
static int version_of(const char *domain, Onnx__OperatorSetIdProto **imports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = text_of(imports[i]->domain);
        if (strcmp(strcmp(name, "ai.onnx") == 0 ? "" : name, domain) == 0)
            return imports[i]->version > 0 && imports[i]->version < LATEST
                       ? (int)imports[i]->version
                       : LATEST;
    }
    return 0;
}

/* Has the value got nothing to read, because what should have made it has failed? */
static bool has_failed(const OnnxValue *value)
{
    return value && !value->node && !value->weight && !value->is_sequence && !value->is_empty;
}

/* Finds the inputs by name. False when one is missing (an error) or has failed (none). */
static bool find_inputs(OnnxOp *op)
{
    bool good = true;
    op->in_count = (int)op->proto->n_input;
    op->in = ARENA_ARRAY(op->arena, OnnxValue *, op->in_count);
    for (int i = 0; i < op->in_count; i++) {
        const char *name = op->proto->input[i];
        if (!name[0])
            continue;
        op->in[i] = onnx_scope_find(op->reader, op->scope, name);
        if (!op->in[i])
            good =
                onnx_error(op,
                           "reads \"%s\", which nothing before it makes: nodes must stand in the "
                           "order in which they run",
                           name) != NULL;
        else
            good = good && !has_failed(op->in[i]);
    }
    while (op->in_count > 0 && !op->proto->input[op->in_count - 1][0])
        op->in_count--; /* left out at the end */
    return good;
}

static void bind_outputs(OnnxOp *op)
{
    for (int i = 0; i < op->out_count; i++) {
        OnnxValue *value = &op->out[i];
        value->name = op->proto->output[i];
        if (op->failed)
            *value = (OnnxValue){.name = value->name};
        if (value->name[0])
            onnx_scope_add(op->reader, op->scope, op->place, value);
    }
}

/* Names for people, of what the operator has made. */
static void name_nodes(const OnnxOp *op, int first)
{
    for (int i = 0; i < op->out_count; i++) {
        Node *node = op->out[i].node;
        if (node && node->id >= first && !node->name)
            node->name = op->out[i].name;
    }
}

static int64_t multiply_adds(const Function *f, int first)
{
    int64_t sum = 0;
    for (int i = first; i < f->node_count; i++) {
        const Node *node = f->nodes[i];
        if (!op_is(node->op, CONTRACTS))
            continue;
        const TensorType *w = &node->in[1]->type;
        int64_t columns = w->dims[w->rank - 1];
        const TensorType *rows = node->op == OP_conv_transpose ? &node->in[0]->type : &node->type;
        int64_t depth = node->op == OP_matmul ? w->dims[w->rank - 2]
                        : columns             ? type_elements(w) / columns
                                              : 0;
        sum += type_elements(rows) * depth;
    }
    return sum;
}

static void summarize(const OnnxOp *op, int first)
{
    OnnxReader *r = op->reader;
    const Node *node = op->out_count ? op->out[0].node : NULL;
    if (r->summarized || !node || node->op == OP_constant)
        return;
    LayerSummary summary = {.name = op->proto->name,
                            .kind = op->proto->op_type,
                            .output = node->type,
                            .multiply_adds = multiply_adds(op->f, first)};
    for (int i = 0; i < op->in_count; i++)
        if (op->in[i] && op->in[i]->weight && element_is_float(op->in[i]->weight->type.element))
            summary.parameters += type_elements(&op->in[i]->weight->type);
    r->layers =
        arena_grow(r->arena, r->layers, r->layer_count, &r->layer_capacity, sizeof *r->layers);
    r->layers[r->layer_count++] = summary;
}

static void check_attributes(OnnxOp *op)
{
    for (size_t i = 0; !op->failed && i < op->proto->n_attribute; i++)
        if (!op->attribute_read[i])
            onnx_error(op, "has an attribute \"%s\" that is not known for it in version %d",
                       text_of(op->proto->attribute[i]->name), op->opset);
}

static bool check_counts(OnnxOp *op)
{
    const OnnxOperator *row = op->row;
    if (op->in_count < row->least_in || op->in_count > row->most_in)
        return onnx_error(op, "has %d inputs, but takes %d to %d", op->in_count, row->least_in,
                          row->most_in);
    for (int i = 0; i < row->least_in; i++)
        if (!op->in[i])
            return onnx_error(op, "input %d is left out, but needed", i);
    if (op->out_count > row->most_out)
        return onnx_error(op, "has %d outputs, but gives %d at most", op->out_count, row->most_out);
    return true;
}

/* Lengths that depend on data are for operators that say so; see onnx_out_length(). */
static void run_row(OnnxOp *op)
{
    int first = op->f->node_count;
    if (check_counts(op))
        op->row->build(op);
    check_attributes(op);
    for (int i = 0; !op->failed && i < op->out_count; i++)
        op->failed = op->proto->output[i][0] && has_failed(&op->out[i]);
    if (op->failed)
        return;
    onnx_fold(op, first);
    name_nodes(op, first);
    summarize(op, first);
}

/* ---- calls of the model's own functions ---- */

static void run_function(OnnxOp *op, const Onnx__FunctionProto *function)
{
    OnnxReader *r = op->reader;
    OnnxScope *scope = onnx_scope_create(r, NULL, op->f);
    scope->call = op;
    if (r->call_depth >= CALL_DEPTH_LIMIT) {
        onnx_error(op, "functions call each other more than %d deep", CALL_DEPTH_LIMIT);
        return;
    }
    if ((size_t)op->in_count > function->n_input || (size_t)op->out_count > function->n_output) {
        onnx_error(op, "has %d inputs and %d outputs, but the function has %zu and %zu",
                   op->in_count, op->out_count, function->n_input, function->n_output);
        return;
    }
    for (size_t i = 0; i < function->n_input; i++) {
        OnnxValue *value = ARENA_NEW(r->arena, OnnxValue);
        if ((int)i < op->in_count && op->in[i])
            *value = *op->in[i];
        else
            value->is_empty = true;
        value->name = function->input[i];
        onnx_scope_add(r, scope, op->place, value);
    }
    r->call_depth++;
    bool good = onnx_nodes_run(r, scope, function->node, function->n_node, function->opset_import,
                               function->n_opset_import);
    r->call_depth--;
    for (int i = 0; i < op->out_count; i++) {
        const OnnxValue *value = onnx_scope_find(r, scope, function->output[i]);
        if (!value && good)
            onnx_error(op, "the function makes no \"%s\"", function->output[i]);
        else if (value)
            op->out[i] = *value;
    }
    op->failed = op->failed || !good;
    memset(op->attribute_read, 1, op->proto->n_attribute);
}

static const char *nearest_operator(OnnxOp *op, const char *domain)
{
    int count;
    const OnnxOperator *rows = onnx_operators(&count);
    const char **names = ARENA_ARRAY(op->arena, const char *, count);
    for (int i = 0; i < count; i++)
        names[i] = strcmp(rows[i].domain, domain) == 0 ? rows[i].name : NULL;
    return nearest_name(text_of(op->proto->op_type), names, count);
}

static void refuse_operator(OnnxOp *op, const char *domain)
{
    const char *type = text_of(op->proto->op_type);
    const char *shown = domain[0] ? domain : "ai.onnx";
    if (onnx_operator_find(domain, type, 0)) {
        onnx_error(op, "version %d of the operators of %s is not supported for %s", op->opset,
                   shown, type);
        return;
    }
    const char *near = nearest_operator(op, domain);
    onnx_error(op, "the operator %s of %s is not supported%s%s%s", type, shown, near ? "; is " : "",
               near ? near : "", near ? " meant?" : "");
}

static bool run_node(OnnxReader *reader, OnnxScope *scope, const Onnx__NodeProto *node,
                     size_t number, Onnx__OperatorSetIdProto **imports, size_t import_count)
{
    OnnxOp *op = ARENA_NEW(reader->arena, OnnxOp);
    const char *domain = domain_of(node), *type = text_of(node->op_type);
    *op = (OnnxOp){.reader = reader,
                   .scope = scope,
                   .arena = reader->arena,
                   .program = reader->program,
                   .f = scope->f,
                   .proto = node,
                   .place = place_of(reader, node, number),
                   .opset = version_of(domain, imports, import_count),
                   .out_count = (int)node->n_output,
                   .half = -1};
    op->out = ARENA_ARRAY(reader->arena, OnnxValue, op->out_count);
    op->attribute_read = ARENA_ARRAY(reader->arena, bool, node->n_attribute);
    scope->f->place = op->place;
    const Onnx__FunctionProto *function =
        map_get(&reader->functions, arena_print(reader->arena, "%s:%s", domain, type));
    op->row = function ? NULL : onnx_operator_find(domain, type, op->opset);
    bool ready = find_inputs(op);
    if (reader->node_limit-- <= 0)
        onnx_error(op, "the model has too many nodes, loops written out among them");
    else if (!function && !op->row)
        refuse_operator(op, domain);
    else if (!ready)
        op->failed = true;
    else if (function)
        run_function(op, function);
    else
        run_row(op);
    bind_outputs(op);
    return !op->failed;
}

bool onnx_nodes_run(OnnxReader *reader, OnnxScope *scope, Onnx__NodeProto **nodes, size_t count,
                    Onnx__OperatorSetIdProto **imports, size_t import_count)
{
    bool good = true;
    const char *place = scope->f->place;
    for (size_t i = 0; i < count; i++)
        good &= run_node(reader, scope, nodes[i], i, imports, import_count);
    scope->f->place = place;
    return good;
}

/* ---- graphs in attributes ---- */

/* Imports of the model: graphs in attributes have none of their own, and those in functions would
 * be of the function; both are the same in all models known. */
static bool run_inner(OnnxOp *op, OnnxScope *scope, const Onnx__GraphProto *graph,
                      OnnxValue *results)
{
    OnnxReader *r = op->reader;
    bool good = onnx_initializers_add(r, scope, graph) &&
                onnx_nodes_run(r, scope, graph->node, graph->n_node, r->proto->opset_import,
                               r->proto->n_opset_import);
    for (size_t i = 0; good && i < graph->n_output; i++) {
        const OnnxValue *value = onnx_scope_find(r, scope, text_of(graph->output[i]->name));
        if (!value)
            return onnx_error(op, "its graph makes no \"%s\"", text_of(graph->output[i]->name));
        results[i] = *value;
    }
    op->f->place = op->place;
    op->failed = op->failed || !good;
    return good;
}

bool onnx_graph_run(OnnxOp *op, const Onnx__GraphProto *graph, OnnxValue *inputs, int input_count,
                    OnnxValue *results)
{
    OnnxScope *scope = onnx_scope_create(op->reader, op->scope, op->f);
    if ((size_t)input_count != graph->n_input)
        return onnx_error(op, "its graph has %zu inputs, but is given %d", graph->n_input,
                          input_count);
    for (int i = 0; i < input_count; i++) {
        inputs[i].name = text_of(graph->input[i]->name);
        onnx_scope_add(op->reader, scope, op->place, &inputs[i]);
    }
    return run_inner(op, scope, graph, results);
}

Function *onnx_graph_body(OnnxOp *op, const Onnx__GraphProto *graph, const TensorType *types,
                          int count, Node ***captured, int *captured_count)
{
    Function *body = body_create(op->program);
    OnnxScope *scope = onnx_scope_create(op->reader, op->scope, body);
    body->place = op->place;
    if ((size_t)count != graph->n_input) {
        onnx_error(op, "its graph has %zu inputs, but is given %d", graph->n_input, count);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        OnnxValue *value = ARENA_NEW(op->arena, OnnxValue);
        value->name = text_of(graph->input[i]->name);
        value->node = graph_input(body, value->name, types[i]);
        onnx_scope_add(op->reader, scope, op->place, value);
    }
    OnnxValue *results = ARENA_ARRAY(op->arena, OnnxValue, graph->n_output);
    if (!run_inner(op, scope, graph, results))
        return NULL;
    for (size_t i = 0; i < graph->n_output; i++) {
        Node *node = onnx_value_node(op->reader, body, &results[i], NULL);
        if (!node) {
            onnx_error(op, "output %zu of its graph is no tensor", i);
            return NULL;
        }
        function_add_result(body, NULL, node);
    }
    *captured = scope->captured;
    *captured_count = scope->captured_count;
    return body;
}
