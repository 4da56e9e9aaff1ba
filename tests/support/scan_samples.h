/* Functions of one or several scans, to be differentiated: f64 throughout, no kinks nearby. */
#ifndef INGOT_TESTS_SCAN_SAMPLES_H
#define INGOT_TESTS_SCAN_SAMPLES_H

#include "ir/graph.h"

/* Number `variant` as the only function of a program, with one result; NULL: there are no more. */
Function *scan_sample(Arena *arena, int variant);

#endif
