/* Shape rules: the type of an operation's result from its inputs and attributes, and every check
 * that an operation's operands fit. The rules are named by the `shape` column of ops.def.
 *
 * All of them report precisely and leave nothing to assert: attributes may come from a text or a
 * model that nobody has looked at. Sizes are computed with checked arithmetic, and no result has
 * more than ELEMENT_LIMIT elements. */
#ifndef INGOT_IR_SHAPE_H
#define INGOT_IR_SHAPE_H

#include "ir/graph.h"

/* What a rule is asked about. The inputs' types are in[i]->type. */
typedef struct ShapeQuery {
    Diag *diag;
    const char *place;
    Op op;
    int in_count;
    Node *const *in;
    const Attr *attr;
} ShapeQuery;

/* The rules themselves, one for each name in the column (several rows share one). */
typedef bool ShapeRule(const ShapeQuery *query, TensorType *result);
#define OP(name, in, attributes, traits, shape, gradient, lowering, evaluate)                      \
    ShapeRule shape_##shape;
#include "ir/ops.def"
#undef OP

/* Runs the row's rule. `input` and `constant` have no rule but the type they were given: for them
 * *result comes in holding that type and is checked. False and an error otherwise. */
bool shape_infer(const ShapeQuery *query, TensorType *result);

/* Rank, lengths and number of elements are within the limits. */
bool type_fits(const TensorType *type);

/* "matmul: …" at the query's place; returns false. */
bool shape_error(const ShapeQuery *query, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Helpers of the rules. Texts live in the diagnostics' arena. */
const char *shape_text(const ShapeQuery *query, const TensorType *type);
const char *shape_list_text(const ShapeQuery *query, int count, const int64_t *values);
bool shape_from_list(const ShapeQuery *query, ElementType element, IntList dims,
                     TensorType *result);
bool shape_check(const ShapeQuery *query, const TensorType *type);
bool shape_computes(const ShapeQuery *query, int input); /* anything but f16 and bf16 */
bool shape_number(const ShapeQuery *query, int input);   /* and no bool */
bool shape_floating(const ShapeQuery *query, int input);
bool shape_equal_elements(const ShapeQuery *query, int a, int b);
bool shape_axis(const ShapeQuery *query, int64_t axis, const TensorType *type);
/* numpy's rule, of `result` with one more operand */
bool shape_join(const ShapeQuery *query, const TensorType *operand, TensorType *result);
bool shape_list_length(const ShapeQuery *query, const char *key, IntList list, int count);
bool shape_list_least(const ShapeQuery *query, const char *key, IntList list, int64_t least);

#endif
