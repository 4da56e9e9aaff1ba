/* Nodes that no result and no update needs go.
 *
 *     %1: f32[4] = exp %x                     %2: f32[4] = tanh %x
 *     %2: f32[4] = tanh %x                    return %2
 *     return %2
 *
 * Inputs stay: they are the function's parameters, needed or not. */
#include "passes/passes.h"

bool pass_dce(Function *f)
{
    int before = f->node_count;
    function_clean(f);
    return f->node_count != before;
}
