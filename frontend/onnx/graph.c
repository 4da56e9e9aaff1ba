/* Walks the nodes of a graph and has each made operations of by its row of operators.def.
 *
 * Nodes must stand in an order in which every input comes first, as the standard says. After an
 * error the walk goes on, so that all errors are found: what has failed has no node, and operators
 * that read it are skipped in silence. */
#include "frontend/onnx/reader.h"

#include <string.h>

#include "base/text.h"
#include "frontend/layers.h"

/* ---- one node ---- */

static const char *text_of(const char *text)
{
    return text ? text : "";
}

const char *onnx_domain(const char *domain)
{
    return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

enum { PLACE_LIMIT = 600, NAME_LIMIT = 200 }; /* bytes: each node has a place */
enum { ATTRIBUTE_LIMIT = 1000 };              /* they are looked for one by one */

/* "model.onnx: node 3 "fc1" (Gemm)"; within a graph of another node, behind the place of that. */
static const char *place_of(const OnnxReader *reader, const OnnxScope *scope,
                            const Onnx__NodeProto *node, size_t number)
{
    const char *type = text_of(node->op_type), *outer = scope->place ? scope->place : reader->path;
    Text place = text_create(reader->arena);
    text_print(&place, "%.*s%s: node %zu", PLACE_LIMIT, outer,
               strlen(outer) > PLACE_LIMIT ? " …" : "", number);
    if (node->name && node->name[0])
        text_print(&place, " \"%.*s\"", NAME_LIMIT, node->name);
    text_print(&place, " (%.*s)", NAME_LIMIT, type);
    return place.data;
}

/* The version of a domain that is asked for where the node stands; 0: none. */
static int version_of(const char *domain, const OnnxImports *imports)
{
    for (; imports; imports = imports->outer)
        for (size_t i = 0; i < imports->count; i++)
            if (strcmp(onnx_domain(imports->list[i]->domain), domain) == 0)
                return imports->list[i]->version > 0 && imports->list[i]->version < LATEST
                           ? (int)imports->list[i]->version
                           : LATEST;
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

static void summarize(const OnnxOp *op, int first)
{
    OnnxReader *r = op->reader;
    const Node *node = op->out_count ? op->out[0].node : NULL;
    bool in_body = op->f != r->main;
    if (r->summarized || in_body || !node || node->op == OP_constant)
        return;
    LayerSummary summary = {.name = op->proto->name,
                            .kind = op->proto->op_type,
                            .output = node->type,
                            .multiply_adds = count_multiply_adds(op->f, first, op->f->node_count)};
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

static bool refuse_inputs(OnnxOp *op)
{
    int count = op->in_count, least = op->row->least_in, most = op->row->most_in;
    if (most == least)
        return onnx_error(op, "has %d inputs, but takes %d", count, least);
    if (most == MANY)
        return onnx_error(op, "has %d inputs, but takes %d or more", count, least);
    return onnx_error(op, "has %d inputs, but takes %d to %d", count, least, most);
}

static bool check_counts(OnnxOp *op)
{
    const OnnxOperator *row = op->row;
    if (op->in_count < row->least_in || op->in_count > row->most_in)
        return refuse_inputs(op);
    for (int i = 0; i < row->least_in; i++)
        if (!op->in[i])
            return onnx_error(op, "input %d is left out, but needed", i);
    if (op->out_count < 1)
        return onnx_error(op, "has no outputs");
    if (op->out_count > row->most_out)
        return onnx_error(op, "has %d outputs, but gives %d at most", op->out_count, row->most_out);
    return true;
}

/* Sequences, optionals and lengths that depend on data are for rows that say so. */
static bool check_inputs(OnnxOp *op)
{
    for (int i = 0; i < op->in_count; i++) {
        const OnnxValue *in = op->in[i];
        if (!in)
            continue;
        if (in->is_sequence && !(op->row->types & LISTS))
            return onnx_error(op, "input %d, \"%s\", is a sequence, not a tensor", i, in->name);
        if (in->is_empty && i < op->row->least_in && !(op->row->types & LISTS))
            return onnx_error(op, "input %d, \"%s\", is an optional without value", i, in->name);
        if (in->length && !(op->row->types & LENGTHS))
            return onnx_error(
                op,
                "the length of input %d, \"%s\", depends on data: such a tensor can be "
                "an output of the model, but %s cannot read it",
                i, in->name, op->row->name);
    }
    return true;
}

/* Every result that has a name is there, or there has been an error. */
static void check_results(OnnxOp *op)
{
    int missing = 0;
    while (missing < op->out_count &&
           !(op->proto->output[missing][0] && has_failed(&op->out[missing])))
        missing++;
    op->failed = op->failed || missing < op->out_count;
    if (op->failed && diag_ok(op->reader->diag))
        onnx_error(op, "has no result %d with these attributes and inputs", missing);
}

static void run_row(OnnxOp *op)
{
    op->own_nodes = op->f->node_count;
    if (check_counts(op) && check_inputs(op))
        op->row->build(op);
    onnx_narrow_results(op);
    check_attributes(op);
    check_results(op);
    if (op->failed)
        return;
    onnx_fold(op, op->own_nodes);
    name_nodes(op, op->own_nodes);
    summarize(op, op->own_nodes);
}

static const char *nearest_operator(OnnxOp *op, const char *domain)
{
    int count;
    const OnnxOperator *rows = onnx_operators(&count);
    if (op->reader->diag->error_count >= op->reader->diag->limit)
        return NULL; /* the error is not kept */
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

static void run_operator(OnnxOp *op, const char *domain)
{
    op->row = op->opset ? onnx_operator_find(domain, text_of(op->proto->op_type), op->opset) : NULL;
    bool ready = find_inputs(op);
    if (!op->opset)
        onnx_error(op,
                   "the model does not say which version of the operators of %s it uses, and has "
                   "no function of this name",
                   domain[0] ? domain : "ai.onnx");
    else if (!op->row)
        refuse_operator(op, domain);
    else if (ready)
        run_row(op);
    op->failed = op->failed || !ready;
}

/* Counts the node; it is the first error when there are too many, also of a trial. */
static bool may_be_built(OnnxOp *op)
{
    op->failed = op->reader->node_limit-- <= 0;
    if (op->failed && diag_ok(op->reader->diag))
        onnx_error(op, "the model has too many nodes, with what loops and functions are written "
                       "out to");
    return !op->failed;
}

static bool run_node(OnnxReader *reader, OnnxScope *scope, const Onnx__NodeProto *node,
                     size_t number)
{
    OnnxOp *op = ARENA_NEW(reader->arena, OnnxOp);
    const char *domain = onnx_domain(node->domain);
    *op = (OnnxOp){.reader = reader,
                   .scope = scope,
                   .arena = reader->arena,
                   .program = reader->program,
                   .f = scope->f,
                   .proto = node,
                   .place = place_of(reader, scope, node, number),
                   .opset = version_of(domain, scope->imports),
                   .out_count = (int)node->n_output,
                   .half = -1};
    op->out = ARENA_ARRAY(reader->arena, OnnxValue, op->out_count + 1);
    op->attribute_read = ARENA_ARRAY(reader->arena, bool, node->n_attribute);
    scope->f->place = op->place;
    OnnxFunction *function = onnx_function_find(reader, node);
    if (node->n_attribute > ATTRIBUTE_LIMIT)
        onnx_error(op, "has %zu attributes, %d are the most", node->n_attribute, ATTRIBUTE_LIMIT);
    else if (may_be_built(op) && !function)
        run_operator(op, domain);
    else if (!op->failed && find_inputs(op))
        onnx_function_run(op, function);
    else
        op->failed = true;
    bind_outputs(op);
    return !op->failed;
}

bool onnx_nodes_run(OnnxReader *reader, OnnxScope *scope, Onnx__NodeProto **nodes, size_t count)
{
    bool good = true;
    const char *place = scope->f->place;
    for (size_t i = 0; i < count; i++)
        good &= run_node(reader, scope, nodes[i], i);
    scope->f->place = place;
    return good;
}
