/* The order in which the kernels of a function run.
 *
 * As fusion found it, but a kernel that overwrites a state comes after every kernel that reads its
 * old value. Where that cannot be (the writer itself feeds a reader, or reads the state at other
 * indices), the new value goes to a temporary and is copied at the end of the function: its update
 * is late. A scatter over the state itself is done in place. */
#include "passes/lowering.h"

typedef struct Reading { /* a group reads the old value of a state */
    int group;
    bool direct; /* only at the index it is working on */
    struct Reading *next;
} Reading;

typedef struct Follower { /* a group that runs later */
    int group;
    struct Follower *next;
} Follower;

typedef struct Order {
    Reading *
        *readings; /* by State.index; of derived ones, which nobody overwrites, there are none */
    bool *late;    /* by update: goes to a temporary and is copied at the end */
    bool *done;    /* by Group.id, from here on */
    int *waits;    /* for how many groups that are not done, some of them more than once */
    Follower **followers;
} Order;

static void add_reading(Lowering *l, Order *order, const State *state, int group, bool direct)
{
    Reading *last = order->readings[state->index];
    if (last && last->group == group) {
        last->direct = last->direct && direct;
        return;
    }
    Reading *reading = ARENA_NEW(l->arena, Reading);
    *reading = (Reading){.group = group, .direct = direct, .next = last};
    order->readings[state->index] = reading;
}

/* All states that `group` reads through `node`, which is no other group's. */
static void find_readings(Lowering *l, Order *order, int group, const Node *node, bool direct)
{
    if (node->op == OP_state && !node->attr.state->derived)
        add_reading(l, order, node->attr.state, group, direct);
    if (l->fusion->group_of[node->id])
        return;
    for (int i = 0; i < node->in_count; i++)
        find_readings(l, order, group, node->in[i], false);
}

static void find_all_readings(Lowering *l, Order *order)
{
    for (int g = 0; g < l->fusion->group_count; g++) {
        const Group *group = l->fusion->groups[g];
        for (int m = 0; m < group->member_count; m++) {
            const Node *node = group->members[m];
            for (int i = 0; i < node->in_count; i++) {
                bool direct = node->op == OP_scatter
                                  ? i == 0 && node->in[0]->op == OP_state
                                  : node != group->root && op_is(node->op, ELEMENTWISE) &&
                                        type_same_dims(&node->in[i]->type, &node->type);
                find_readings(l, order, g, node->in[i], direct);
            }
        }
    }
}

static const Reading *readings_of(const Order *order, const State *state)
{
    return state->derived ? NULL : order->readings[state->index];
}

static const Group *writer_of(const Lowering *l, int update)
{
    return l->fusion->group_of[l->function->updates[update].node->id];
}

/* Updates that their own writer cannot make in place. */
static void mark_late(Lowering *l, Order *order)
{
    const Function *f = l->function;
    for (int u = 0; u < f->update_count; u++) {
        const Group *writer = writer_of(l, u);
        order->late[u] = !writer;
        for (const Reading *r = readings_of(order, f->updates[u].state); writer && r; r = r->next)
            order->late[u] = order->late[u] || (r->group == writer->id && !r->direct);
    }
}

static void add_edge(Lowering *l, Order *order, int first, int then)
{
    if (first == then || order->done[first])
        return;
    Follower *follower = ARENA_NEW(l->arena, Follower);
    *follower = (Follower){.group = then, .next = order->followers[first]};
    order->followers[first] = follower;
    order->waits[then]++;
}

/* `group` needs what `node` is made of. */
static void add_needs(Lowering *l, Order *order, int group, const Node *node)
{
    for (int i = 0; i < node->in_count; i++) {
        const Group *other = l->fusion->group_of[node->in[i]->id];
        if (other)
            add_edge(l, order, other->id, group);
        else
            add_needs(l, order, group, node->in[i]);
    }
}

/* Who waits for whom among the groups that are not done. */
static void find_edges(Lowering *l, Order *order)
{
    const Function *f = l->function;
    int count = l->fusion->group_count;
    order->waits = ARENA_ARRAY(l->arena, int, count + 1);
    order->followers = ARENA_ARRAY(l->arena, Follower *, count + 1);
    for (int g = 0; g < count; g++)
        for (int m = 0; !order->done[g] && m < l->fusion->groups[g]->member_count; m++)
            add_needs(l, order, g, l->fusion->groups[g]->members[m]);
    for (int u = 0; u < f->update_count; u++)
        for (const Reading *r = readings_of(order, f->updates[u].state);
             r && !order->late[u] && !order->done[writer_of(l, u)->id]; r = r->next)
            add_edge(l, order, r->group, writer_of(l, u)->id);
}

/* A state whose writer waits for something that waits for the writer goes late. */
static void break_cycle(Lowering *l, Order *order)
{
    for (int u = 0; u < l->function->update_count; u++) {
        if (order->late[u] || order->done[writer_of(l, u)->id])
            continue;
        order->late[u] = true;
        find_edges(l, order);
        return;
    }
    INGOT_BUG("kernels of @%s depend on each other in a circle", l->function->name);
}

static void finish_group(Order *order, int group)
{
    order->done[group] = true;
    for (const Follower *f = order->followers[group]; f; f = f->next)
        order->waits[f->group]--;
}

static Group **place_groups(Lowering *l, Order *order)
{
    int count = l->fusion->group_count, placed = 0;
    Group **list = ARENA_ARRAY(l->arena, Group *, count + 1);
    while (placed < count) {
        int before = placed;
        for (int g = 0; g < count; g++) {
            if (order->done[g] || order->waits[g])
                continue;
            finish_group(order, g);
            list[placed++] = l->fusion->groups[g];
        }
        if (placed == before)
            break_cycle(l, order);
    }
    return list;
}

Group **order_groups(Lowering *l, bool **late)
{
    Order order = {.readings =
                       ARENA_ARRAY(l->arena, Reading *, l->module->program->state_count + 1),
                   .late = ARENA_ARRAY(l->arena, bool, l->function->update_count + 1),
                   .done = ARENA_ARRAY(l->arena, bool, l->fusion->group_count + 1)};
    find_all_readings(l, &order);
    mark_late(l, &order);
    find_edges(l, &order);
    Group **groups = place_groups(l, &order);
    *late = order.late;
    return groups;
}
