/* Do two forms of one program compute the same? Asked after passes, answered by the evaluator. */
#ifndef INGOT_TESTS_SUPPORT_AGREE_H
#define INGOT_TESTS_SUPPORT_AGREE_H

#include "ir/graph.h"

typedef enum Agreement {
    AGREE_CLOSELY, /* on ordinary numbers, but for rounding */
    AGREE_STRICTLY /* and on 0, -0, infinities, NaN and the like, where each must be what it was */
} Agreement;

/* Evaluates each function of both on the same inputs and states, several times; results and states
 * afterwards are compared. An error in `diag` for the first difference. Both have the same states
 * and functions. */
bool programs_agree(Diag *diag, const Program *before, const Program *after, Agreement agreement);

#endif
