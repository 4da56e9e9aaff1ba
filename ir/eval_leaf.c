/* Evaluates leaves: constants, iota and counter-based random numbers.
 *
 * A random number depends on the key (seed and step, known at run time), on the node's stream
 * (fixed when the program is built) and on the element's row-major index, and on nothing else: not
 * on what was drawn before, nor on the thread that draws it. eval.h holds the mixing function. */
#include "ir/eval_node.h"

void evaluate_given(const Evaluation *e)
{
    INGOT_BUG("the value of %s comes from outside", op_name(e->node->op));
}

void evaluate_constant(const Evaluation *e)
{
    *e->out = value_read(e->arena, e->node->type, e->node->attr.data);
}

void evaluate_iota(const Evaluation *e)
{
    AxisView view = axis_view(&e->out->type, attr_integer(e->node, 0));
    int64_t next = 0;
    for (int64_t o = 0; o < view.outer; o++) {
        for (int64_t i = 0; i < view.length; i++) {
            for (int64_t j = 0; j < view.inner; j++, next++) {
                if (e->out->numbers)
                    e->out->numbers[next] = (double)i;
                else
                    e->out->integers[next] = i;
            }
        }
    }
}

void evaluate_random(const Evaluation *e)
{
    int32_t key[3];
    for (int i = 0; i < 3; i++)
        key[i] = (int32_t)e->in[0].integers[i];
    uint32_t mixed = random_key(key, (uint32_t)attr_integer(e->node, 0));
    int64_t count = type_elements(&e->out->type);
    for (int64_t i = 0; i < count; i++)
        e->out->numbers[i] = random_uniform(mixed, (uint32_t)i);
}
