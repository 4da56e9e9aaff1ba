/* One node of a scan's body for all steps at once. */
#ifndef INGOT_PASSES_BATCH_H
#define INGOT_PASSES_BATCH_H

#include "ir/graph.h"

/* Can it be, when the inputs with stacked[i] are different in each step? */
bool batch_possible(const Node *node, const bool *stacked);

/* The node in `f`, over in[i]: stacks of its inputs, [steps,…], where stacked[i], else the inputs
 * themselves. A stack of what the node gives in each step; itself when nothing is stacked. */
Node *batch_node(Function *f, const Node *node, Node *const *in, const bool *stacked,
                 int64_t steps);

#endif
