/* Evaluates scans, step by step; see scan.h. What a step computes on the way is dropped after it.
 */
#include "ir/eval_node.h"
#include "ir/scan.h"

static Value slice_of(Arena *arena, const Value *value, const TensorType *type, int64_t place)
{
    Value slice = value_create(arena, *type);
    int64_t count = type_elements(type);
    copy_elements(&slice, 0, value, place * count, count);
    return slice;
}

/* One step: `carried` is replaced, the stacks are filled at `place`. */
static void run_step(const Evaluation *e, const Scan *scan, int64_t place, Value *carried)
{
    const Function *body = e->node->attr.body;
    Arena *arena = arena_create();
    Value *in = ARENA_ARRAY(arena, Value, body->input_count);
    Value *results = ARENA_ARRAY(arena, Value, body->result_count);
    for (int i = 0; i < body->input_count; i++) {
        bool scanned = i >= scan->carried && i < scan->carried + scan->scanned;
        const TensorType *type = &body->inputs[i]->type;
        in[i] = i < scan->carried ? slice_of(arena, &carried[i], type, 0) /* a result may be it */
                : scanned         ? slice_of(arena, &e->in[i], type, place)
                                  : e->in[i];
    }
    graph_evaluate(arena, e->precision, body, in, NULL, results);
    for (int r = 0; r < body->result_count; r++) {
        int64_t count = type_elements(&results[r].type);
        if (r >= scan->carried)
            copy_elements(&e->out->parts[r], place * count, &results[r], 0, count);
    }
    for (int r = 0; r < scan->carried; r++)
        copy_elements(&carried[r], 0, &results[r], 0, type_elements(&carried[r].type));
    arena_destroy(arena);
}

void evaluate_scan(const Evaluation *e)
{
    Scan scan = node_scan(e->node);
    int count = e->node->attr.body->result_count;
    e->out->parts = ARENA_ARRAY(e->arena, Value, count);
    for (int r = 0; r < count; r++) {
        e->out->parts[r] = value_create(e->arena, scan_result_type(e->node, r));
        if (r < scan.carried)
            copy_elements(&e->out->parts[r], 0, &e->in[r], 0, type_elements(&e->in[r].type));
    }
    for (int64_t step = 0; step < scan.steps; step++) {
        if (scan.alive >= 0 && !e->out->parts[scan.alive].integers[0])
            break;
        run_step(e, &scan, scan.reverse ? scan.steps - 1 - step : step, e->out->parts);
    }
}

void evaluate_result(const Evaluation *e)
{
    const Value *part = &e->in[0].parts[attr_integer(e->node, 0)];
    copy_elements(e->out, 0, part, 0, type_elements(&part->type));
}
