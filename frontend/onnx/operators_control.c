/* If. A condition that is known when the model is built decides: the other branch is not looked at.
 * Otherwise both are computed, and each result is chosen element by element:
 *
 *     y = If(c) { then: y = a + b   else: y = a }
 *
 *     %0 = add %a, %b
 *     %1 = select %c, %0, %a
 */
#include "frontend/onnx/operator.h"

#include <string.h>

#include "frontend/onnx/control.h"
#include "frontend/onnx/reader.h"

const Onnx__GraphProto *onnx_graph(OnnxOp *op, const char *name)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(op, name);
    if (attribute && attribute->g)
        return attribute->g;
    onnx_error(op, "has no graph \"%s\"", name);
    return NULL;
}

bool onnx_known(OnnxOp *op, const OnnxValue *value, int64_t *number)
{
    const void *data = value->node ? value->node->op == OP_constant ? value->node->attr.data : NULL
                       : value->weight ? value->weight->data
                                       : NULL;
    if (!data)
        return false;
    TensorType type = value->node ? value->node->type : value->weight->type;
    if (type_elements(&type) != 1 || element_is_float(type.element))
        return false;
    *number = value_read(op->arena, type, data).integers[0];
    return true;
}

Node *onnx_one(OnnxOp *op, Function *f, Node *x)
{
    if (x && type_elements(&x->type) != 1)
        return onnx_error(op, "needs one number or truth value, but is given %lld of them",
                          (long long)type_elements(&x->type));
    return x ? graph_reshape(f, x, 0, NULL) : NULL;
}

/* ---- one of two values ---- */

typedef struct Choice {
    OnnxOp *op;
    Node *condition;
    int number; /* of the output */
} Choice;

static bool choose(const Choice *c, OnnxValue *yes, OnnxValue *no, OnnxValue *result);

static bool choose_sequence(const Choice *c, OnnxValue *yes, OnnxValue *no, OnnxValue *result)
{
    if (yes->item_count != no->item_count)
        return onnx_error(c->op,
                          "its condition is not known when the model is built, and output %d is a "
                          "sequence of %d tensors or of %d%s",
                          c->number, yes->item_count, no->item_count,
                          onnx_remedy(c->op, c->condition));
    *result = *yes;
    result->items = ARENA_ARRAY(c->op->arena, OnnxValue *, yes->item_count);
    for (int i = 0; i < yes->item_count; i++) {
        result->items[i] = ARENA_NEW(c->op->arena, OnnxValue);
        if (!choose(c, yes->items[i], no->items[i], result->items[i]))
            return false;
    }
    return true;
}

static Node *length_of(const Choice *c, const OnnxValue *value, const Node *node, int axis)
{
    if (value->length)
        return value->length;
    Node *list = onnx_list(c->op, 1, &node->type.dims[axis]);
    return graph_reshape(c->op->f, list, 0, NULL);
}

static bool choose_length(const Choice *c, OnnxValue *yes, OnnxValue *no, OnnxValue *result)
{
    int axis = yes->length ? yes->length_axis : no->length_axis;
    if (yes->length && no->length && yes->length_axis != no->length_axis)
        return onnx_error(c->op, "output %d is cut short along different axes in its branches",
                          c->number);
    result->length = graph_select(c->op->f, c->condition, length_of(c, yes, result->node, axis),
                                  length_of(c, no, result->node, axis));
    result->length_axis = axis;
    return result->length != NULL;
}

static bool choose(const Choice *c, OnnxValue *yes, OnnxValue *no, OnnxValue *result)
{
    OnnxOp *op = c->op;
    char one[TYPE_TEXT_BYTES], other[TYPE_TEXT_BYTES];
    if (yes->is_sequence && no->is_sequence)
        return choose_sequence(c, yes, no, result);
    if (yes->is_empty && no->is_empty) {
        *result = *yes;
        return true;
    }
    Node *a = onnx_value_node(op->reader, op->f, yes, NULL);
    Node *b = onnx_value_node(op->reader, op->f, no, NULL);
    if (!a || !b)
        return onnx_error(op,
                          "its condition is not known when the model is built, and output %d is %s "
                          "in one branch alone%s",
                          c->number, yes->is_sequence || no->is_sequence ? "a sequence" : "empty",
                          onnx_remedy(op, c->condition));
    if (!type_equal(&a->type, &b->type))
        return onnx_error(op,
                          "its condition is not known when the model is built, and output %d is %s "
                          "or %s, which must be the same then%s",
                          c->number, type_print(&a->type, one), type_print(&b->type, other),
                          onnx_remedy(op, c->condition));
    *result = (OnnxValue){.node = a == b ? a : graph_select(op->f, c->condition, a, b)};
    return result->node && ((!yes->length && !no->length) || choose_length(c, yes, no, result));
}

/* ---- the operator ---- */

static OnnxValue *run_branch(OnnxOp *op, const Onnx__GraphProto *graph)
{
    OnnxValue *results = ARENA_ARRAY(op->arena, OnnxValue, graph->n_output);
    return onnx_graph_run(op, graph, NULL, 0, results) ? results : NULL;
}

void onnx_build_if(OnnxOp *op)
{
    const Onnx__GraphProto *yes = onnx_graph(op, "then_branch"),
                           *no = onnx_graph(op, "else_branch");
    int64_t decided;
    if (!yes || !no)
        return;
    if ((size_t)op->out_count > yes->n_output || (size_t)op->out_count > no->n_output) {
        onnx_error(op, "has %d outputs, but its branches have %zu and %zu", op->out_count,
                   yes->n_output, no->n_output);
        return;
    }
    if (onnx_known(op, op->in[0], &decided)) {
        const OnnxValue *results = run_branch(op, decided ? yes : no);
        for (int i = 0; results && i < op->out_count; i++)
            op->out[i] = results[i];
        return;
    }
    Node *condition = onnx_one(op, op->f, onnx_in(op, 0));
    Choice choice = {.op = op, .condition = graph_cast(op->f, condition, TYPE_BOOL)};
    OnnxValue *a = run_branch(op, yes), *b = run_branch(op, no);
    if ((!a || !b) && choice.condition)
        onnx_error(op, "its condition is not known when the model is built, so both branches are%s",
                   onnx_remedy(op, choice.condition));
    for (int i = 0; a && b && choice.condition && i < op->out_count; i++) {
        choice.number = i;
        op->failed = !choose(&choice, &a[i], &b[i], &op->out[i]) || op->failed;
    }
}
