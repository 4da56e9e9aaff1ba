/* Scales and shifts of channels after a contraction with constant weights go into the weights:
 * batch normalisation at inference then costs nothing.
 *
 *     %1 = conv %x, W                            %1 = conv %x, W·s          W·s, b·s + t are
 * constants %2 = add %1, b                             %2 = add %1, (b·s + t)     and folded by
 * fold.c %3 = mul %2, s %4 = add %3, t
 *
 * In small steps, c being a contraction of constant weights and s, b, m constants along the
 * channels alone:
 *
 *     c - m → c + (0 - m)             (c + b) / s → (c + b) · 1/s
 *     (c + a) + b → c + (a + b)       (c + b) · s → c·s + b·s        c · s → c with weights scaled
 *
 * This rounds elsewhere than the model said, which an inference build may: nobody trains on.
 * Requires what simplify.c leaves: constants as second operands, broadcasts taken off. */
#include "passes/match.h"
#include "passes/passes.h"

typedef struct Folder {
    Function *f;
    const int *uses;
} Folder;

static bool has_constant_weights(const Folder *folder, const Node *node)
{
    bool takes_scale = node->op == OP_matmul || node->op == OP_conv ||
                       (node->op == OP_conv_transpose && attr_integer(node, 3) == 1);
    return takes_scale && node->in[1]->op == OP_constant && folder->uses[node->id] == 1;
}

/* One number for each channel of `result`, or one for all: [c], [1,1,c], [], … */
static bool is_along_channels(const Node *constant, const Node *result)
{
    const TensorType *type = &constant->type;
    int64_t count = type_elements(type);
    if (constant->op != OP_constant || type->rank > result->type.rank ||
        type->element != result->type.element)
        return false;
    return count == 1 || (result->type.rank > 0 && type->dims[type->rank - 1] == count &&
                          result->type.dims[result->type.rank - 1] == count);
}

/* Is `node` = c + b with c a contraction and b constant along channels, read once? */
static bool is_shifted(const Folder *folder, const Node *node)
{
    return node->op == OP_add && folder->uses[node->id] == 1 &&
           has_constant_weights(folder, node->in[0]) && is_along_channels(node->in[1], node->in[0]);
}

static Node *scaled_weights(Function *f, Node *contraction, Node *scale)
{
    int64_t dims[2] = {type_elements(&scale->type), 1};
    bool channels_last =
        contraction->op != OP_conv_transpose; /* its weights are [k…,result channels,channels] */
    Node *factors = graph_reshape(f, scale, dims[0] == 1 ? 0 : channels_last ? 1 : 2, dims);
    Node *in[2] = {contraction->in[0], graph_mul(f, contraction->in[1], factors)};
    return graph_node(f, contraction->op, 2, in, &contraction->attr);
}

static Node *fold_scale(Folder *folder, Node *node)
{
    Function *f = folder->f;
    Node *x = node->in[0], *constant = node->in[1];
    bool shifted = is_shifted(folder, x);
    if ((!shifted && !has_constant_weights(folder, x)) || !is_along_channels(constant, x))
        return NULL;
    switch (node->op) {
    case OP_sub: /* not c + -m: simplify.c would make a difference of that again */
        return graph_add(f, x, graph_sub(f, graph_scalar(f, x->type.element, 0.0), constant));
    case OP_div:
        return graph_mul(f, x, graph_div(f, graph_scalar(f, x->type.element, 1.0), constant));
    case OP_add:
        return shifted ? graph_add(f, x->in[0], graph_add(f, x->in[1], constant)) : NULL;
    case OP_mul:
        if (shifted)
            return graph_add(f, graph_mul(f, x->in[0], constant), graph_mul(f, x->in[1], constant));
        return scaled_weights(f, x, constant);
    default:
        return NULL;
    }
}

bool pass_fold_scale(Function *f)
{
    Arena *scratch = arena_create();
    Folder folder = {.f = f, .uses = function_count_uses(scratch, f)};
    const char *place = f->place;
    int count = f->node_count;
    bool changed = false;
    for (int i = 0; i < count; i++) {
        Node *node = f->nodes[i];
        if (!op_is(node->op, ELEMENTWISE) || node->in_count != 2 || node->in[0]->replacement ||
            !type_equal(&node->type, &node->in[0]->type))
            continue; /* what was rewritten just now is looked at in the next round */
        f->place = node->place;
        node->replacement = fold_scale(&folder, node);
        if (!node->replacement)
            continue;
        node->replacement->name = node->name;
        changed = true;
    }
    arena_destroy(scratch);
    f->place = place;
    if (changed)
        function_clean(f);
    return changed;
}
