/* What the files of the random graph generator share. */
#ifndef INGOT_TESTS_RANDOM_PARTS_H
#define INGOT_TESTS_RANDOM_PARTS_H

#include "ir/graph.h"

typedef struct Item {
    Node *node;
    double bound; /* of |x|, for floats */
    bool exact;   /* no rounding on the way from the inputs */
    bool used;
} Item;

enum { ITEM_LIMIT = 256, SMALL = 2500 /* elements of the largest tensor */ };

typedef struct Maker {
    Function *f;
    uint64_t random; /* state of the generator */
    Item items[ITEM_LIMIT];
    int item_count, input_count;
    struct Draft *draft; /* of a body: see random_scan.c */
} Maker;

uint64_t random_next(uint64_t *state);            /* splitmix64 */
int64_t pick(Maker *m, int64_t from, int64_t to); /* both counted */
bool chance(Maker *m, int percent);
int64_t pick_length(Maker *m); /* of an axis; odd ones mostly */

/* Any item of the element type with at least `rank` axes; NULL when there is none. */
Item *pick_item(Maker *m, ElementType element, int rank, bool exact);
Item *pick_integer(Maker *m, int rank, bool exact);
ElementType integer_element(Maker *m);  /* of what is new; i32 mostly */
Item *pick_storage(Maker *m, int rank); /* f16 or bf16: always exact */
ElementType storage_element(Maker *m);
/* Enters a node; floats beyond ±8 are scaled down first. NULL nodes are bugs of the generator. */
void enter(Maker *m, Node *node, double bound, bool exact);
/* A new parameter; not entered, so that it serves one operation only. */
Node *new_input(Maker *m, ElementType element, int rank, const int64_t *dims);
enum { INPUT_BOUND = 2 };
Node *random_invariant(Maker *m, ElementType element, int rank, const int64_t *dims);

/* One step adds an operation on items there are; a step that finds nothing to work on does nothing.
 */
typedef void Step(Maker *m);
void random_steps(Maker *m, int64_t count);
Step step_matmul, step_conv, step_conv_back, step_window, step_window_taps, step_window_spread;
Step step_reduce, step_argmax, step_reshape, step_transpose, step_broadcast, step_slice,
    step_reverse;
Step step_pad, step_concat, step_gather, step_scatter_add, step_softmax, step_row_loss, step_scan,
    step_normalize, step_borders, step_channels_first, step_scatter, step_cumulative, step_product,
    step_argsort;

#endif
