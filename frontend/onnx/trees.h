/* Decision trees, whichever operator has told of them. */
#ifndef INGOT_FRONTEND_ONNX_TREES_H
#define INGOT_FRONTEND_ONNX_TREES_H

#include "frontend/onnx/operator.h"

typedef enum TreeMode { /* how x is compared with the split; numbers as in TreeEnsemble */
                        TREE_LE,
                        TREE_LT,
                        TREE_GE,
                        TREE_GT,
                        TREE_EQ,
                        TREE_NE,
                        TREE_MEMBER, /* not in Trees: those are rows of TREE_EQ */
} TreeMode;

typedef struct TreeNode {
    TreeMode mode;
    int32_t feature;
    double split;
    int32_t yes, no; /* nodes; of a leaf itself */
    bool missing;    /* NaN goes to yes */
    int32_t leaf;    /* row of the weights; -1: no leaf */
} TreeNode;

typedef enum TreeSum { TREE_AVERAGE, TREE_SUM, TREE_MIN, TREE_MAX } TreeSum;

typedef struct Trees {
    TreeNode *nodes;
    int count, capacity;
    int32_t *roots;
    int root_count;
    double *weights; /* [leaves, targets] */
    bool *given;     /* is there a weight? */
    int leaves;
    int64_t targets;
    TreeSum sum;
} Trees;

/* A new node; its number. */
int32_t trees_add(OnnxOp *op, Trees *trees, TreeNode node);
/* Space for weights of that many leaves. False and an error when they are too many. */
bool trees_set_leaves(OnnxOp *op, Trees *trees, int64_t leaves, int64_t targets);
/* Adds to what a leaf says of a target; the least or the greatest of both for TREE_MIN, TREE_MAX.
 */
void trees_add_weight(Trees *trees, int64_t leaf, int64_t target, double weight);
/* [N, targets] of floats for x [N, features]; NULL after an error. */
Node *trees_predict(OnnxOp *op, const Trees *trees, Node *x);

#endif
