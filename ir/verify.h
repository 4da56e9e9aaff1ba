/* Checks every invariant that graph.h promises. True when all hold; else each violation is an error
 * in `diag`. */
#ifndef INGOT_IR_VERIFY_H
#define INGOT_IR_VERIFY_H

#include "ir/graph.h"

bool graph_verify(const Program *program, Diag *diag);

#endif
