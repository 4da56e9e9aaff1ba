/* The order in which the kernels of a function run.
 *
 * As fusion found it, but a kernel that overwrites a state comes after every kernel that reads its
 * old value. Where that cannot be (the writer itself feeds a reader, or reads the state at other
 * indices), the new value goes to a temporary and is copied at the end of the function: its update
 * is late. A scatter over the state itself is done in place. */
#include "passes/lowering.h"

typedef struct Order {
    bool **before; /* before[a][b]: group a must have run before group b, because b overwrites a
                      state a reads */
    bool *late;    /* by update: goes to a temporary and is copied at the end */
} Order;

/* Does `group` read the state node `state`, and if so only at the index it is working on? */
static bool reads_state(const Fusion *fusion, const Node *node, const State *state, bool direct,
                        bool *only_direct)
{
    if (node->op == OP_state && node->attr.state == state) {
        *only_direct = *only_direct && direct;
        return true;
    }
    if (fusion->group_of[node->id])
        return false;
    bool reads = false;
    for (int i = 0; i < node->in_count; i++)
        reads = reads_state(fusion, node->in[i], state, false, only_direct) || reads;
    return reads;
}

static bool group_reads_state(const Fusion *fusion, const Group *group, const State *state,
                              bool *only_direct)
{
    bool reads = false;
    *only_direct = true;
    for (int m = 0; m < group->member_count; m++) {
        const Node *node = group->members[m];
        for (int i = 0; i < node->in_count; i++) {
            bool direct = node->op == OP_scatter
                              ? i == 0 && node->in[0]->op == OP_state
                              : node != group->root && op_is(node->op, ELEMENTWISE) &&
                                    type_same_dims(&node->in[i]->type, &node->type);
            reads = reads_state(fusion, node->in[i], state, direct, only_direct) || reads;
        }
    }
    return reads;
}

static void add_state_edges(Lowering *l, Order *order)
{
    const Function *f = l->function;
    const Fusion *fusion = l->fusion;
    for (int u = 0; u < f->update_count; u++) {
        const Group *writer = fusion->group_of[f->updates[u].node->id];
        order->late[u] = !writer;
        for (int g = 0; writer && g < fusion->group_count; g++) {
            bool only_direct;
            if (!group_reads_state(fusion, fusion->groups[g], f->updates[u].state, &only_direct))
                continue;
            if (fusion->groups[g] != writer)
                order->before[g][writer->id] = true;
            else if (!only_direct)
                order->late[u] = true;
        }
    }
}

static void mark_needs(const Fusion *fusion, const Node *node, const Group *group, bool *needs)
{
    for (int i = 0; i < node->in_count; i++) {
        const Group *other = fusion->group_of[node->in[i]->id];
        if (!other)
            mark_needs(fusion, node->in[i], group, needs);
        else if (other != group)
            needs[other->id] = true;
    }
}

/* The states whose writer waits for something that waits for the writer go late. */
static void break_cycle(Lowering *l, Order *order, const bool *done)
{
    const Function *f = l->function;
    for (int u = 0; u < f->update_count; u++) {
        const Group *writer = l->fusion->group_of[f->updates[u].node->id];
        if (!writer || done[writer->id] || order->late[u])
            continue;
        order->late[u] = true;
        for (int g = 0; g < l->fusion->group_count;
             g++) /* edges of its other updates come back below */
            order->before[g][writer->id] = false;
        for (int v = 0; v < f->update_count; v++) {
            bool only_direct;
            if (order->late[v] || l->fusion->group_of[f->updates[v].node->id] != writer)
                continue;
            for (int g = 0; g < l->fusion->group_count; g++)
                if (l->fusion->groups[g] != writer &&
                    group_reads_state(l->fusion, l->fusion->groups[g], f->updates[v].state,
                                      &only_direct))
                    order->before[g][writer->id] = true;
        }
        return;
    }
    INGOT_BUG("kernels of @%s depend on each other in a circle", f->name);
}

static Group **place_groups(Lowering *l, Order *order)
{
    const Fusion *fusion = l->fusion;
    int count = fusion->group_count, placed = 0;
    Group **list = ARENA_ARRAY(l->arena, Group *, count + 1);
    bool *done = ARENA_ARRAY(l->arena, bool, count + 1);
    bool **needs = ARENA_ARRAY(l->arena, bool *, count + 1);
    for (int g = 0; g < count; g++) {
        needs[g] = ARENA_ARRAY(l->arena, bool, count);
        for (int m = 0; m < fusion->groups[g]->member_count; m++)
            mark_needs(fusion, fusion->groups[g]->members[m], fusion->groups[g], needs[g]);
    }
    while (placed < count) {
        bool moved = false;
        for (int g = 0; g < count; g++) {
            bool ready = !done[g];
            for (int other = 0; ready && other < count; other++)
                ready = done[other] || !(needs[g][other] || order->before[other][g]);
            if (!ready)
                continue;
            done[g] = moved = true;
            list[placed++] = fusion->groups[g];
        }
        if (!moved)
            break_cycle(l, order, done);
    }
    return list;
}

static Order order_create(Lowering *l)
{
    Order order = {ARENA_ARRAY(l->arena, bool *, l->fusion->group_count + 1),
                   ARENA_ARRAY(l->arena, bool, l->function->update_count + 1)};
    for (int g = 0; g < l->fusion->group_count; g++)
        order.before[g] = ARENA_ARRAY(l->arena, bool, l->fusion->group_count);
    return order;
}

Group **order_groups(Lowering *l, bool **late)
{
    Order order = order_create(l);
    add_state_edges(l, &order);
    Group **groups = place_groups(l, &order);
    *late = order.late;
    return groups;
}
