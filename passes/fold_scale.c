/* Scales and shifts of channels after a contraction with known weights go into the weights: batch
 * normalisation at inference then costs nothing.
 *
 *     %1 = conv %x, W                            %1 = conv %x, W·s
 *     %2 = add %1, b                             %2 = add %1, b·s + t
 *     %3 = mul %2, s
 *     %4 = add %3, t
 *
 * Known is what is made of constants, and in functions that update no states also what is made of
 * those: fold.c then computes W·s and b·s + t now, derive.c when states change. In small steps, c
 * being a contraction of known weights and s, b, m known and along the channels alone:
 *
 *     (c + b) / s → (c + b) · 1/s     (c + a) + b → c + (a + b)      (c - a) + b → c + (b - a)
 *     c · s → c with weights scaled   (c + b) · s → c·s + b·s        (c - b) · s → c·s - b·s
 *     (c + a) - b → c + (a - b)       (c - a) - b → c - (a + b)
 *
 * This rounds elsewhere than the model said, which inference may. Requires what simplify.c leaves:
 * constants as second operands, broadcasts taken off. */
#include "passes/match.h"
#include "passes/passes.h"

typedef struct Folder {
    Function *f;
    const int *uses;
    const bool *known;
} Folder;

static bool has_known_weights(const Folder *folder, const Node *node)
{
    bool takes_scale = node->op == OP_matmul || node->op == OP_conv ||
                       (node->op == OP_conv_transpose && attr_integer(node, 3) == 1);
    return takes_scale && folder->known[node->in[1]->id] && folder->uses[node->id] == 1;
}

/* One number for each channel of `result`, or one for all: [c], [1,1,c], [], … */
static bool is_along_channels(const Folder *folder, const Node *node, const Node *result)
{
    const TensorType *type = &node->type;
    int64_t count = type_elements(type);
    if (!folder->known[node->id] || type->rank > result->type.rank ||
        type->element != result->type.element)
        return false;
    return count == 1 || (result->type.rank > 0 && type->dims[type->rank - 1] == count &&
                          result->type.dims[result->type.rank - 1] == count);
}

/* Is `node` = c ± b with c a contraction and b along channels, read once? */
static bool is_shifted(const Folder *folder, const Node *node)
{
    return (node->op == OP_add || node->op == OP_sub) && folder->uses[node->id] == 1 &&
           has_known_weights(folder, node->in[0]) &&
           is_along_channels(folder, node->in[1], node->in[0]);
}

/* Of states the scaled weights take memory of their own; where each is used a few times only, that
 * is more to read than the scale costs. */
static bool scaling_pays(const Node *contraction)
{
    enum { FEW = 8, SMALL = 1 << 14 };
    const TensorType *weights = &contraction->in[1]->type, *result = &contraction->type;
    int64_t elements = type_elements(weights);
    return contraction->in[1]->op == OP_constant || elements <= SMALL ||
           type_elements(result) >= FEW * weights->dims[weights->rank - 1];
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

/* (c ± a) + b, (c ± a) - b */
static Node *shifted_again(Function *f, const Node *x, Op op, Node *b)
{
    Node *c = x->in[0], *a = x->in[1];
    if (x->op == op)
        return graph_binary(f, op, c, graph_add(f, a, b));
    return graph_add(f, c, op == OP_add ? graph_sub(f, b, a) : graph_sub(f, a, b));
}

static Node *fold_scale(Folder *folder, const Node *node)
{
    Function *f = folder->f;
    Node *x = node->in[0], *known = node->in[1];
    bool shifted = is_shifted(folder, x);
    if ((!shifted && !has_known_weights(folder, x)) || !is_along_channels(folder, known, x))
        return NULL;
    switch (node->op) {
    case OP_div:
        return graph_mul(f, x, graph_div(f, graph_scalar(f, x->type.element, 1.0), known));
    case OP_add:
    case OP_sub:
        return shifted ? shifted_again(f, x, node->op, known) : NULL;
    case OP_mul:
        if (!scaling_pays(shifted ? x->in[0] : x))
            return NULL;
        if (shifted)
            return graph_binary(f, x->op, graph_mul(f, x->in[0], known),
                                graph_mul(f, x->in[1], known));
        return scaled_weights(f, x, known);
    default:
        return NULL;
    }
}

/* Known operands of sums and products go second, as constants do. */
static Node *known_second(const Folder *folder, const Node *node)
{
    Node *a = node->in[0], *b = node->in[1];
    if ((node->op != OP_add && node->op != OP_mul) || !folder->known[a->id] || folder->known[b->id])
        return NULL;
    return graph_binary(folder->f, node->op, b, a);
}

bool pass_fold_scale(Function *f)
{
    Arena *scratch = arena_create();
    Folder folder = {
        .f = f, .uses = function_count_uses(scratch, f), .known = function_known_nodes(scratch, f)};
    const char *place = f->place;
    int count = f->node_count;
    bool changed = false;
    for (int i = 0; i < count; i++) {
        Node *node = f->nodes[i];
        if (!op_is(node->op, ELEMENTWISE) || node->in_count != 2 || folder.known[i] ||
            node->in[0]->replacement || node->in[1]->replacement)
            continue; /* what was rewritten just now is looked at in the next round */
        f->place = node->place;
        node->replacement = known_second(&folder, node);
        if (!node->replacement && type_equal(&node->type, &node->in[0]->type))
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
