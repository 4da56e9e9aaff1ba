/* Where a compiled model begins to differ from the evaluator: built once more with every value an
 * output, it is asked for all of them.
 *
 *     first difference: sub at small.onnx: node "shift" (Sub): [0,3] is 1.5, the evaluator says
 * -1.5
 *
 * Values that are outputs are computed as they are otherwise, but stored, so kernels are cut apart
 * differently; when nothing differs any more that is said, and points at what joins them. */
#include "driver/check.h"

#include <string.h>

enum { VALUE_LIMIT = 4000 }; /* the probe takes 4096 tensors */

static bool can_be_output(const Node *node)
{
    return !op_is(node->op, LEAF) && !type_is_tuple(&node->type);
}

/* Every value of the function becomes a result, in order; the old ones are dropped. */
static void make_results(Compilation *compilation, Function *f)
{
    f->result_count = 0;
    function_renumber(f);
    for (int i = 0; i < f->node_count && f->result_count < VALUE_LIMIT; i++)
        if (can_be_output(f->nodes[i]))
            function_add_result(f, arena_print(compilation->arena, "%d", i), f->nodes[i]);
}

static bool build_both(Check *check, int function_index)
{
    Compilation *both[] = {&check->plain, &check->compiled};
    for (int i = 0; i < 2; i++) {
        if (!compile_read(both[i], check->options) || !compile_optimizer(both[i]))
            return false;
        make_results(both[i], both[i]->model->program->functions[function_index]);
    }
    return compile_rest(&check->compiled, LEVEL_NEST);
}

static void report(const Check *check, const CheckCall *call)
{
    for (int i = 0; i < call->function->result_count; i++) {
        const CheckTensor *t = &call->tensors[i];
        const Node *node = call->function->results[i].node;
        if (!t->difference.wrong)
            continue;
        printf("first difference: %s%s%s: [%s] is %s, the evaluator says %s\n", op_name(node->op),
               node->place ? " at " : "", node->place ? node->place : "",
               check_shown_place(check->arena, &t->exact.type, t->difference.element),
               check_shown_number(check->arena, &t->exact.type, t->difference.got),
               check_shown_number(check->arena, &t->exact.type, t->difference.want));
        return;
    }
    printf("no single operation differs: when every value is stored, all are right\n");
}

void check_locate(const Check *outer, const CheckCall *wrong)
{
    const Program *program = outer->plain.model->program;
    int index = 0;
    while (program->functions[index] != wrong->function)
        index++;
    Check check = {.arena = outer->arena,
                   .diag = outer->diag,
                   .options = outer->options,
                   .states = outer->states};
    if (!build_both(&check, index))
        return;
    CheckCall call = {.function = check.plain.model->program->functions[index],
                      .number = wrong->number,
                      .inputs = wrong->inputs};
    check_call_list(&check, &call);
    if (probe_create(&check.probe, &check.compiled) && check_call_compare(&check, &call))
        report(&check, &call);
    probe_remove(&check.probe);
}
