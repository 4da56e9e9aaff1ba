/* Attention as all its operators have it: softmax(q·kᵀ · scale + bias) · v, for each head. */
#ifndef INGOT_FRONTEND_ONNX_ATTENTION_H
#define INGOT_FRONTEND_ONNX_ATTENTION_H

#include "frontend/onnx/operator.h"

/* Which keys a query sees. All that is given must allow it. */
typedef struct Sight {
    bool causal;         /* none behind its own position */
    int64_t left, right; /* how far before and behind its own position; -1: all */
    int64_t offset;      /* position of the first query among the keys … */
    Node *offsets;       /* … or for each of the batch, i32[B]; or NULL */
    Node *lengths;       /* keys that there are for each of the batch, i32[B]; or NULL */
    Node *mask;          /* bool, or numbers to be added; broadcast to [B, H, L, S]; or NULL */
} Sight;

/* What becomes of the scores on the way. */
typedef struct Stages {
    Node *scores, *capped, *biased, *weights; /* [B, H, L, S] */
} Stages;

typedef Node *ChangeScores(OnnxOp *op, Node *scores, void *context);

typedef struct Attention {
    Node *q, *k, *v; /* [B, H, L, D], [B, K, S, D], [B, K, S, E]: head h reads k and v of h·K/H */
    double scale, softcap; /* softcap 0: none */
    ElementType softmax;   /* of the softmax */
    Sight sight;
    ChangeScores *change_scores, *change_weights; /* or NULL */
    void *context;
} Attention;

/* [B, L, H·D] as [B, H, L, D]; x itself when it is that already. */
Node *onnx_split_heads(OnnxOp *op, Node *x, int64_t heads);
Node *onnx_join_heads(OnnxOp *op, Node *x);
/* Fills in scale and softmax, no bias, for q, k and v. False after an error. */
bool onnx_attention_start(OnnxOp *op, Node *q, Node *k, Node *v, Attention *a);
/* [B, H, L, E]; `stages` may be NULL. */
Node *onnx_attention(OnnxOp *op, const Attention *a, Stages *stages);

/* past and now, one after the other along axis 2; either may be NULL */
Node *onnx_append(OnnxOp *op, Node *past, Node *now);
/* Turns pairs of numbers of x [B, L, H, D], the first `width` of each head, by angles whose cosines
 * and sines are [B or 1, L, width/2]: numbers next to each other, or of the two halves. */
Node *onnx_rotate(OnnxOp *op, Node *x, Node *cosines, Node *sines, int64_t width, bool neighbours);

#endif
