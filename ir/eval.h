/* The oracle: runs a graph slowly and plainly.
 *
 * Values are held as double (floats) or int64 (integers, bool; of u64 the bit pattern). In
 * EVALUATE_F64 nothing is rounded between, whatever the declared type: gradients are checked that
 * way. In EVALUATE_F32 every f32 result is rounded to float once per node, f16 and bf16 results
 * likewise (sums inside a node stay double), which is how constants are folded. */
#ifndef INGOT_IR_EVAL_H
#define INGOT_IR_EVAL_H

#include "ir/graph.h"

typedef enum EvaluatePrecision { EVALUATE_F32, EVALUATE_F64 } EvaluatePrecision;

typedef struct Value {
    TensorType type;
    double *numbers;     /* float types: type_elements() of them */
    int64_t *integers;   /* all others */
    struct Value *parts; /* a tuple's */
} Value;

Value value_create(Arena *arena, TensorType type);
/* From and to dense arrays of the type's own elements (float for f32 …). */
Value value_read(Arena *arena, TensorType type, const void *data);
void value_write(const Value *value, void *data);

/* Runs `function`: `inputs` for its parameters, `states` for program->states (index by State.index;
 * read, and replaced by the updates at the end). `results` receives result_count values. Everything
 * is allocated in `arena`. */
void graph_evaluate(Arena *arena, EvaluatePrecision precision, const Function *function,
                    const Value *inputs, Value *states, Value *results);

/* One node from the values of its inputs (not for input and state nodes). */
Value node_evaluate(Arena *arena, EvaluatePrecision precision, const Node *node,
                    const Value *inputs);

/* The generator behind `random`: 32 bits from key[0..2] = {seed low, seed high, step}, a node's
 * stream and the element's index. passes/lower and codegen spell out the very same integer
 * operations. Mixing function: "lowbias32" by Chris Wellons (hash prospector), applied in a chain.
 */
static inline uint32_t random_mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    x ^= x >> 16;
    return x;
}
/* key part: once per node and call; index part: once per element */
static inline uint32_t random_key(const int32_t key[3], uint32_t stream)
{
    return random_mix(random_mix(random_mix((uint32_t)key[0] ^ 0x9e3779b9u) + (uint32_t)key[1]) +
                      (uint32_t)key[2]) ^
           random_mix(stream + 0x85ebca6bu);
}
static inline float random_uniform(uint32_t mixed_key, uint32_t index)
{
    return (float)(random_mix(random_mix(index + mixed_key) ^ mixed_key) >> 8) * 0x1p-24f;
}

#endif
