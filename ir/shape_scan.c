/* Shape rules of scans: that a body fits the inputs of its scan. See scan.h for what goes where. */
#include <inttypes.h>

#include "ir/scan.h"
#include "ir/shape.h"

/* What a parameter of the body must be, for an input of the scan. */
static bool parameter_type(const ShapeQuery *query, int number, TensorType *type)
{
    const IntList *lists = query->attr->lists;
    int64_t carried = lists[0].values[0], scanned = lists[1].values[0], steps = lists[2].values[0];
    *type = query->in[number]->type;
    if (number < carried || number >= carried + scanned)
        return true;
    if (type->rank == 0 || type->dims[0] != steps)
        return shape_error(query, "input %d is %s, but %" PRId64 " steps need as many slices",
                           number, shape_text(query, type), steps);
    for (int i = 1; i < type->rank; i++)
        type->dims[i - 1] = type->dims[i];
    type->rank--;
    return true;
}

static bool check_parameters(const ShapeQuery *query)
{
    const Function *body = query->attr->body;
    if (body->input_count != query->in_count)
        return shape_error(query, "its body has %d parameters for %d inputs", body->input_count,
                           query->in_count);
    for (int i = 0; i < query->in_count; i++) {
        TensorType type;
        if (!parameter_type(query, i, &type))
            return false;
        if (!type_equal(&type, &body->inputs[i]->type))
            return shape_error(query, "parameter %%%s of its body is %s, but input %d gives %s",
                               body->inputs[i]->attr.text,
                               shape_text(query, &body->inputs[i]->type), i,
                               shape_text(query, &type));
    }
    return true;
}

static bool check_results(const ShapeQuery *query)
{
    const Function *body = query->attr->body;
    int64_t carried = query->attr->lists[0].values[0], steps = query->attr->lists[2].values[0];
    if (body->result_count < carried)
        return shape_error(query, "its body has %d results for %" PRId64 " carried values",
                           body->result_count, carried);
    for (int i = 0; i < body->result_count; i++) {
        const Node *node = body->results[i].node;
        if (!node)
            return false; /* has been reported */
        if (type_is_tuple(&node->type))
            return shape_error(query, "result %d of its body is a tuple", i);
        if (i < carried && !type_equal(&node->type, &body->inputs[i]->type))
            return shape_error(query, "result %d of its body is %s, but what it carries on is %s",
                               i, shape_text(query, &node->type),
                               shape_text(query, &body->inputs[i]->type));
        TensorType stack = node->type;
        if (i >= carried && node->type.rank < RANK_LIMIT)
            stack = scan_stack_type(&node->type, steps);
        else if (i >= carried)
            return shape_error(query, "result %d of its body has too many axes to be stacked", i);
        if (!shape_check(query, &stack))
            return false;
    }
    return true;
}

/* What may end it must be a truth value that is carried. */
static bool check_while(const ShapeQuery *query)
{
    IntList alive = query->attr->lists[4];
    int64_t carried = query->attr->lists[0].values[0];
    if (alive.count == 0)
        return true;
    if (alive.values[0] < 0 || alive.values[0] >= carried)
        return shape_error(query, "while=%" PRId64 " is none of %" PRId64 " carried values",
                           alive.values[0], carried);
    const TensorType *type = &query->in[alive.values[0]]->type, truth = type_scalar(TYPE_BOOL);
    return type_equal(type, &truth) ||
           shape_error(query, "while=%" PRId64 " names %s, not a truth value", alive.values[0],
                       shape_text(query, type));
}

/* How deep bodies lie in this one, itself counted. */
static int body_depth(const Function *body)
{
    int deepest = 0;
    for (int i = 0; i < body->node_count; i++)
        if (body->nodes[i]->op == OP_scan) {
            int depth = body_depth(body->nodes[i]->attr.body);
            deepest = depth > deepest ? depth : deepest;
        }
    return deepest + 1;
}

bool shape_scan(const ShapeQuery *query, TensorType *result)
{
    const IntList *lists = query->attr->lists;
    int64_t carried = lists[0].values[0], scanned = lists[1].values[0], steps = lists[2].values[0];
    *result = type_tuple();
    if (!query->attr->body)
        return shape_error(query, "it has no body");
    if (body_depth(query->attr->body) > SCAN_DEPTH_LIMIT)
        return shape_error(query, "bodies lie more than %d deep in bodies", SCAN_DEPTH_LIMIT);
    if (steps < 1)
        return shape_error(query, "%" PRId64 " steps are none", steps);
    if (lists[3].values[0] != 0 && lists[3].values[0] != 1)
        return shape_error(query, "reverse=%" PRId64 " is neither 0 nor 1", lists[3].values[0]);
    if (carried < 0 || scanned < 0 || carried > query->in_count ||
        scanned > query->in_count - carried)
        return shape_error(query,
                           "carried=%" PRId64 " and scanned=%" PRId64 " do not fit %d inputs",
                           carried, scanned, query->in_count);
    return check_while(query) && check_parameters(query) && check_results(query);
}

bool shape_result(const ShapeQuery *query, TensorType *result)
{
    const Node *scan = query->in[0];
    int64_t index = query->attr->lists[0].values[0];
    if (scan->op != OP_scan)
        return shape_error(query, "%s is not several values", shape_text(query, &scan->type));
    if (index < 0 || index >= scan->attr.body->result_count)
        return shape_error(query, "there is no result %" PRId64 " of %d", index,
                           scan->attr.body->result_count);
    *result = scan_result_type(scan, (int)index);
    return true;
}
