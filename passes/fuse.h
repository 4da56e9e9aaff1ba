/* Which nodes become one kernel.
 *
 * A group is at most one heavy node (its root: a contraction, reduction, window or rearrangement)
 * and the element-wise work that follows it on the same elements, done in registers before anything
 * is stored. Views are not computed at all: they are read in place, as another affine index into
 * what they look at. */
#ifndef INGOT_PASSES_FUSE_H
#define INGOT_PASSES_FUSE_H

#include "base/text.h"
#include "ir/graph.h"

typedef struct Group {
    int id;     /* position in Fusion.groups: the order of execution, before states are looked at */
    Node *root; /* NULL: element-wise only */
    Node *twin; /* a second result of the root's loops: window_argmax beside window_max; or NULL */
    Node **members; /* every node computed here at the same index as the others, inputs first; the
                       root too */
    int member_count, member_capacity;
    TensorType domain; /* the dims all members share */
    int first, last;   /* smallest and largest Node.id in it */
    int stamp;         /* of the last search that came by */
} Group;

typedef struct Fusion {
    Function *function;
    Group **groups; /* in an order that respects every data dependence */
    int group_count, group_capacity;
    Group **group_of; /* by Node.id; NULL: a leaf, or recomputed or read in place by those who want
                         it */
    bool *stored;     /* by Node.id: has memory of its own */
    bool *inlined;    /* by Node.id: element-wise, recomputed inside its reader */
    bool *recomputed; /* by Node.id: element-wise; other groups than its own, which it need not
                         have, make it of what it is made of */
    int stamp;
} Fusion;

Fusion *fuse(Arena *arena, Function *function);

/* The node whose memory or value a chain of views looks at: the first that is stored, inlined,
 * generated or a leaf. */
Node *fusion_source(const Fusion *fusion, Node *node);
/* True for what costs nothing to compute again from indices and numbers alone: iota, random, and
 * element-wise work on them. */
bool node_is_generated(const Node *node);
/* True when output coordinates of this reshape give input coordinates by affine arithmetic alone.
 */
bool reshape_is_affine(const Node *reshape);

/* Roots whose kernel visits every element of its result once, so that more can be done to it there.
 */
bool node_has_epilogue(const Node *root);

/* One line a group: "group 0: %3 matmul %4 add %5 max, stores %5", then the nodes that are inlined.
 * Numbers are those of graph_print(). */
void fusion_print(const Fusion *fusion, Text *text);

#endif
