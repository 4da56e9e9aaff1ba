/* Values that cost less to compute again than to keep.
 *
 *     %1 = sub %x, %mean          a sum of squares reads it, and so does what scales it
 *     %2 = mul %1, %1
 *     %3 = reduce_sum %2 …
 *
 * A value that another kernel reads costs a write and its memory. Where it takes a few cheap
 * operations from one stored tensor of its size, and for the rest from small ones (a number for
 * each channel, or row), its readers read that tensor instead: as many bytes as before, and it is
 * never written.
 *
 * Nothing more is alive at any time: the tensor is when the value is made, and lives on in its
 * place. A tensor of larger elements than the value's would be more to read, as f32 for bool.
 * Values that go through memory for a reason stay: those of contractions, windows and the like,
 * which read an element many times, and those read through a broadcast. */
#include "passes/recompute.h"

#include "passes/rewrite.h"

enum {
    STEPS = 6,  /* operations from memory to the value, at most */
    SMALLER = 8 /* times fewer elements: an operand that stays in the cache */
};

typedef struct Reading { /* who reads a node */
    Node **list;
    int count, capacity;
} Reading;

typedef struct Choice {
    const Fusion *fusion;
    Reading *readers; /* by Node.id */
    bool *chosen;     /* by Node.id */
} Choice;

typedef struct Recipe { /* how a value is made */
    int steps;
    const Node *source; /* the one tensor of its size; NULL: none so far */
} Recipe;

static bool is_cheap(Op op)
{
    return op_is(op, ELEMENTWISE) && !op_is_heavy(op) && op != OP_div && op != OP_mod &&
           op != OP_sqrt && op != OP_rsqrt;
}

/* A state that changes at the end of the call had to be read before that. */
static bool is_changed(const Function *f, const Node *node)
{
    for (int u = 0; u < f->update_count; u++)
        if (node->op == OP_state && f->updates[u].state == node->attr.state)
            return true;
    return false;
}

static bool has_memory(const Choice *c, const Node *node)
{
    if (c->fusion->group_of[node->id])
        return c->fusion->stored[node->id] && !c->chosen[node->id];
    return node->op == OP_input || node->op == OP_state || node->op == OP_constant;
}

static bool add_value(const Choice *c, const Node *node, Recipe *recipe);

static bool add_operand(const Choice *c, Node *in, const Node *value, Recipe *recipe)
{
    const Node *source = fusion_source(c->fusion, in);
    int64_t elements = type_elements(&value->type);
    if (in->op == OP_iota)
        return true;
    if (is_changed(c->fusion->function, source))
        return false;
    if (type_elements(&source->type) <= elements / SMALLER)
        return source->op == OP_constant || !node_is_generated(source);
    if (!has_memory(c, source))
        return source == in && add_value(c, in, recipe);
    if (recipe->source && recipe->source != source)
        return false;
    recipe->source = source;
    return type_elements(&source->type) == elements;
}

static bool add_value(const Choice *c, const Node *node, Recipe *recipe)
{
    if (!is_cheap(node->op) || ++recipe->steps > STEPS)
        return false;
    for (int i = 0; i < node->in_count; i++)
        if (!add_operand(c, node->in[i], node, recipe))
            return false;
    return true;
}

/* Does every reader of `node`, which is the value or a view of it, read each element once or so? */
static bool is_read_once(const Choice *c, const Node *value, const Node *node)
{
    const Reading *readers = &c->readers[node->id];
    for (int r = 0; r < readers->count; r++) {
        const Node *reader = readers->list[r];
        bool once = op_is(reader->op, REDUCES | ACCUMULATES) || reader->op == OP_concat ||
                    reader->op == OP_pad;
        if (op_is(reader->op, ELEMENTWISE))
            once = type_same_dims(&reader->type, &node->type);
        else if (op_is(reader->op, VIEW) && !once)
            once = reader->op != OP_gather && reader->op != OP_scatter_add &&
                   reader->op != OP_scatter &&
                   type_elements(&reader->type) <= type_elements(&value->type) &&
                   (reader->op != OP_reshape || reshape_is_affine(reader)) &&
                   is_read_once(c, value, reader);
        if (!once)
            return false;
    }
    return true;
}

static bool is_given_back(const Function *f, const Node *node)
{
    for (int r = 0; r < f->result_count; r++)
        if (f->results[r].node == node)
            return true;
    for (int u = 0; u < f->update_count; u++)
        if (f->updates[u].node == node)
            return true;
    return false;
}

static bool should_recompute(const Choice *c, const Node *node)
{
    Recipe recipe = {0};
    if (!c->fusion->group_of[node->id] || !c->fusion->stored[node->id] || node_is_generated(node) ||
        is_given_back(c->fusion->function, node))
        return false;
    return add_value(c, node, &recipe) &&
           (!recipe.source ||
            element_bytes(recipe.source->type.element) <= element_bytes(node->type.element)) &&
           is_read_once(c, node, node);
}

/* With all values between it and memory. */
static void choose(Choice *c, Node *node)
{
    c->chosen[node->id] = true;
    for (int i = 0; i < node->in_count; i++) {
        Node *in = node->in[i];
        const Node *source = fusion_source(c->fusion, in);
        if (op_is(in->op, ELEMENTWISE) && !c->chosen[in->id] && !has_memory(c, in) &&
            type_elements(&source->type) > type_elements(&node->type) / SMALLER)
            choose(c, in);
    }
}

bool *choose_recomputed(Arena *arena, const Fusion *fusion)
{
    const Function *f = fusion->function;
    Choice c = {fusion, ARENA_ARRAY(arena, Reading, f->node_count + 1),
                ARENA_ARRAY(arena, bool, f->node_count + 1)};
    for (int n = 0; n < f->node_count; n++) {
        for (int i = 0; i < f->nodes[n]->in_count; i++) {
            Reading *readers = &c.readers[f->nodes[n]->in[i]->id];
            readers->list = arena_grow(arena, readers->list, readers->count, &readers->capacity,
                                       sizeof *readers->list);
            readers->list[readers->count++] = f->nodes[n];
        }
    }
    for (int n = 0; n < f->node_count; n++)
        if (should_recompute(&c, f->nodes[n]))
            choose(&c, f->nodes[n]);
    return c.chosen;
}
