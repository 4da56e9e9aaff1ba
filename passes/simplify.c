/* Algebra: replaces nodes by cheaper ones of the same value.
 *
 *     %1: f32[8,4] = broadcast %b dims=[8,4]       %2: f32[8,4] = add %x, %b
 *     %2: f32[8,4] = add %x, %1                    return %2
 *     %3: f32[8,4] = transpose %2 order=[0,1]
 *     return %3
 *
 * Only what is true of IEEE floats, for every value of the operands. Not rules, therefore:
 *
 *     x + 0 → x             -0 + 0 is +0 (but x + -0 → x, and x - 0 → x)
 *     0 - x → -x            0 - 0 is +0, -0 is not (but -0 - x → -x)
 *     -(a - b) → b - a      +0 and -0 again, when a = b
 *     x · 0 → 0,  x - x → 0,  x / x → 1,  x = x → true        NaN and infinity
 *     (x · a) · b → x · (ab)                                 rounds elsewhere, may overflow
 *     pow(x, 0.5) → sqrt(x)      at -0 and -∞ (but when x is surely positive)
 *     not (a < b) → a ≥ b        NaN (but not (a = b) → a ≠ b)
 *
 * Two liberties: a sum's order is nobody's promise, so sums of sums are merged; and log(softmax)
 * becomes log_softmax, which is what was meant and is finite where the other is not. The table
 * below says which rules look at which operation; a round visits every node once, operands first,
 * and new ones too; rounds follow until nothing changes. */
#include "passes/simplify.h"

#include "passes/match.h"
#include "passes/passes.h"

enum { ROUND_LIMIT = 16, RULE_LIMIT = 3 };

// clang-format off
static SimplifyRule *const rules[OP_COUNT][RULE_LIMIT] = {
    [OP_constant]       = {simplify_constant},
    [OP_neg]            = {simplify_neg},
    [OP_abs]            = {simplify_abs},
    [OP_exp]            = {simplify_exp},
    [OP_log]            = {simplify_log},
    [OP_floor]          = {simplify_rounding},
    [OP_ceil]           = {simplify_rounding},
    [OP_round]          = {simplify_rounding},
    [OP_not]            = {simplify_not},
    [OP_cast]           = {simplify_cast},
    [OP_add]            = {simplify_add},
    [OP_sub]            = {simplify_sub},
    [OP_mul]            = {simplify_mul},
    [OP_div]            = {simplify_div},
    [OP_pow]            = {simplify_pow},
    [OP_max]            = {simplify_extreme},
    [OP_min]            = {simplify_extreme},
    [OP_eq]             = {simplify_compare},
    [OP_ne]             = {simplify_compare},
    [OP_lt]             = {simplify_compare},
    [OP_le]             = {simplify_compare},
    [OP_gt]             = {simplify_compare},
    [OP_ge]             = {simplify_compare},
    [OP_and]            = {simplify_logic},
    [OP_or]             = {simplify_logic},
    [OP_xor]            = {simplify_xor},
    [OP_shift_left]     = {simplify_shift},
    [OP_shift_right]    = {simplify_shift},
    [OP_select]         = {simplify_select},
    [OP_reduce_sum]     = {simplify_nothing, simplify_reduce, simplify_shape_reduce},
    [OP_reduce_max]     = {simplify_reduce, simplify_shape_reduce},
    [OP_reduce_min]     = {simplify_reduce, simplify_shape_reduce},
    [OP_reduce_product] = {simplify_reduce, simplify_shape_reduce},
    [OP_matmul]         = {simplify_nothing},
    [OP_conv]           = {simplify_nothing},
    [OP_conv_transpose] = {simplify_nothing},
    [OP_conv_filter]    = {simplify_nothing},
    [OP_window_max]     = {simplify_window},
    [OP_window_sum]     = {simplify_window},
    [OP_window_argmax]  = {simplify_window},
    [OP_window_pick]    = {simplify_window},
    [OP_window_scatter] = {simplify_window_back},
    [OP_window_spread]  = {simplify_window_back},
    [OP_reshape]        = {simplify_reshape},
    [OP_transpose]      = {simplify_transpose},
    [OP_broadcast]      = {simplify_broadcast},
    [OP_slice]          = {simplify_slice},
    [OP_reverse]        = {simplify_reverse},
    [OP_pad]            = {simplify_pad},
    [OP_concat]         = {simplify_concat},
};
// clang-format on

static Node *rewrite(Rewriter *r, Node *node)
{
    Node *better = NULL;
    for (int i = 0; i < RULE_LIMIT && !better && rules[node->op][i]; i++)
        better = rules[node->op][i](r, node);
    if (!better && op_is(node->op, ELEMENTWISE))
        better = simplify_elementwise(r, node);
    if (!better && op_is(node->op, ELEMENTWISE))
        better = simplify_shape(r, node);
    better = node_resolve(better);
    if (!better || better == node)
        return NULL;
    if (!type_equal(&better->type, &node->type))
        INGOT_BUG("simplify: a rule of %s changed its type", op_name(node->op));
    if (better->id >= r->counted && !better->name)
        better->name = node->name;
    return better;
}

static bool simplify_round(Function *f)
{
    Arena *scratch = arena_create();
    Rewriter r = {.f = f, .uses = function_count_uses(scratch, f), .counted = f->node_count};
    bool changed = false;
    for (int i = 0; i < f->node_count; i++) { /* node_count grows meanwhile */
        Node *node = f->nodes[i];
        for (int j = 0; j < node->in_count; j++)
            node->in[j] = node_resolve(node->in[j]);
        f->place = node->place;
        Node *better = rewrite(&r, node);
        if (better) {
            node->replacement = better;
            changed = true;
        }
    }
    arena_destroy(scratch);
    if (changed)
        function_clean(f);
    return changed;
}

bool pass_simplify(Function *f)
{
    const char *place = f->place;
    function_clean(f); /* so that ids are right and nobody dead counts as a reader */
    int rounds = 0;
    while (rounds < ROUND_LIMIT && simplify_round(f))
        rounds++;
    f->place = place;
    return rounds > 0;
}
