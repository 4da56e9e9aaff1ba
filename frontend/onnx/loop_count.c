/* How often a Loop runs whose condition comes of constants alone.
 *
 *     i = 0; do { …; i = i + 3; condition = i < 10 }        four turns
 *
 * The nodes of the body that the condition needs, directly or by way of carried values from turn to
 * turn, are evaluated until it is false; all else is left alone. */
#include "frontend/onnx/loop.h"
#include "frontend/onnx/reader.h"

#include <string.h>

enum { NODE_WORK = 16 }; /* a node is as much work as so many elements */

typedef struct Count {
    Loop *loop;
    const Function *body;
    bool *needed;   /* by the condition; by number of the node */
    Value *values;  /* of needed nodes, in the last turn */
    Value *carried; /* into the next one */
    int64_t work;   /* of one turn */
} Count;

/* A node stands behind its inputs, so one look from the end finds all; again, when a carried value
 * turns out to be needed whose new value stood further behind. */
static void mark_needed(Count *c)
{
    const Loop *l = c->loop;
    c->needed[l->nodes[0]->id] = true;
    for (bool again = true; again;) {
        again = false;
        for (int n = c->body->node_count - 1; n >= 0; n--)
            for (int i = 0; c->needed[n] && i < c->body->nodes[n]->in_count; i++)
                c->needed[c->body->nodes[n]->in[i]->id] = true;
        for (int i = 0; i < l->carried; i++) {
            bool *next = &c->needed[l->nodes[i + 1]->id];
            again = again || (c->needed[c->body->inputs[i]->id] && !*next);
            *next = *next || c->needed[c->body->inputs[i]->id];
        }
    }
}

static bool start_carried(Count *c, Arena *arena)
{
    const Loop *l = c->loop;
    for (int i = 0; i < l->carried; i++) {
        const OnnxValue *value = l->initial[i];
        if (!c->needed[c->body->inputs[i]->id])
            continue;
        const void *data = value->node     ? value->node->attr.data
                           : value->weight ? value->weight->data
                                           : NULL;
        if (!data || (value->node && value->node->op != OP_constant))
            return false;
        c->carried[i] = value_read(arena, c->body->inputs[i]->type, data);
    }
    return true;
}

/* Is all that is needed known? Parameters behind the number of the turn are outer tensors, of which
 * constants are none. */
static bool is_known(Count *c)
{
    for (int i = c->loop->carried + 1; i < c->body->input_count; i++)
        if (c->needed[c->body->inputs[i]->id])
            return false;
    for (int n = 0; n < c->body->node_count; n++) {
        const Node *node = c->body->nodes[n];
        if (!c->needed[n])
            continue;
        if (node->op == OP_state || op_is(node->op, REPEATS))
            return false;
        c->work += NODE_WORK + (type_is_tuple(&node->type) ? 0 : type_elements(&node->type));
    }
    return true;
}

/* One turn; true when there is another. */
static bool turn(Count *c, Arena *scratch, int64_t number)
{
    const Loop *l = c->loop;
    for (int i = 0; i < l->carried; i++)
        c->values[c->body->inputs[i]->id] = c->carried[i];
    for (int n = 0; n < c->body->node_count; n++) {
        const Node *node = c->body->nodes[n];
        if (!c->needed[n] || (node->op == OP_input && node != c->body->inputs[l->carried]))
            continue;
        if (node->op == OP_input || node->op == OP_constant) {
            c->values[n] =
                value_read(scratch, node->type,
                           node->op == OP_input ? (const void *)&number : node->attr.data);
            continue;
        }
        Value *in = ARENA_ARRAY(scratch, Value, node->in_count);
        for (int i = 0; i < node->in_count; i++)
            in[i] = c->values[node->in[i]->id];
        c->values[n] = node_evaluate(scratch, EVALUATE_F32, node, in);
    }
    for (int i = 0; i < l->carried; i++)
        if (c->needed[c->body->inputs[i]->id])
            c->carried[i] = c->values[l->nodes[i + 1]->id];
    return c->values[l->nodes[0]->id].integers[0] != 0;
}

/* Carried values live in one arena while the next turn's are made in the other. */
static bool run(Count *c, Arena **arenas)
{
    Loop *l = c->loop;
    int64_t turns = 0, *left = &l->op->reader->count_limit;
    bool goes_on = turns < l->limit;
    while (goes_on && c->work <= *left) {
        *left -= c->work;
        goes_on = turn(c, arenas[1], turns);
        Arena *old = arenas[0];
        arenas[0] = arenas[1];
        arenas[1] = old;
        arena_clear(old);
        turns++;
        goes_on = goes_on && turns < l->limit;
    }
    if (goes_on)
        return false;
    l->turns = turns;
    return true;
}

bool loop_count(Loop *loop)
{
    Arena *arenas[] = {arena_create(), arena_create()};
    Arena *arena = loop->op->arena;
    Count count = {.loop = loop,
                   .body = loop->body->f,
                   .needed = ARENA_ARRAY(arena, bool, loop->body->f->node_count),
                   .values = ARENA_ARRAY(arena, Value, loop->body->f->node_count),
                   .carried = ARENA_ARRAY(arena, Value, loop->carried)};
    mark_needed(&count);
    bool found = is_known(&count) && start_carried(&count, arenas[0]) && run(&count, arenas);
    arena_destroy(arenas[0]);
    arena_destroy(arenas[1]);
    return found;
}
