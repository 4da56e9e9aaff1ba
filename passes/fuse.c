/* Decides which nodes become one kernel; see fuse.h for what a group is.
 *
 *     %2 = matmul %x, %w          group 0: matmul_add_max = %2 %3 %4, stores %4
 *     %3 = add %2, %b
 *     %4 = max %3, 0
 *
 * Four steps, each over the nodes in order:
 *   1. inline    element-wise nodes whose only reader is a reduction are computed where it reads
 * them
 *   2. group     an element-wise node joins the group of an operand that has its shape, unless
 * another of its operands would have to be computed after that group and before it (a cycle between
 * kernels)
 *   3. recompute what is cheap to make of something stored, its readers make for themselves
 * (recompute.h)
 *   4. store     what else another group reads, or the function gives back, gets memory
 *
 * A value that is read through a view, or broadcast, needs memory: edges inside a group connect
 * equal indices only. */
#include "passes/fuse.h"

#include <stdlib.h>
#include <string.h>

#include "passes/match.h"
#include "passes/recompute.h"

enum {
    MEMBER_LIMIT = 48, /* more would only spill registers */
    COPIES = 4         /* times one inlined value is spelled out in its reader, at most */
};

/* Operations it takes to compute a generated value again; -1 when it is not generated, or takes
 * more than `budget`: then it is computed once, like anything else. */
static int generated_cost(const Node *node, int budget)
{
    if (node->op == OP_iota || node->op == OP_random)
        return 1;
    if (!op_is(node->op, ELEMENTWISE) || budget <= 1)
        return -1;
    int cost = 1;
    bool any = false;
    for (int i = 0; i < node->in_count; i++) {
        if (node->in[i]->op == OP_constant && node->in[i]->type.rank == 0)
            continue;
        int more = generated_cost(node->in[i], budget - cost);
        if (more < 0 || cost + more > budget)
            return -1;
        cost += more;
        any = true;
    }
    return any ? cost : -1;
}

bool node_is_generated(const Node *node)
{
    enum { BUDGET = 24 };
    return generated_cost(node, BUDGET) >= 0;
}

bool reshape_is_affine(const Node *reshape)
{
    const TensorType *to = &reshape->type, *from = &reshape->in[0]->type;
    int i = 0;
    for (int j = 0; j < from->rank; j++) {
        if (from->dims[j] == 1)
            continue;
        int64_t product = 1;
        while (i < to->rank && product < from->dims[j])
            product *= to->dims[i++];
        if (product != from->dims[j])
            return false;
    }
    return true;
}

static bool is_leaf(const Node *node)
{
    return node->op == OP_input || node->op == OP_state || node->op == OP_constant;
}

static bool is_heavy(const Node *node)
{
    return !is_leaf(node) && !node_is_view(node) && !op_is(node->op, ELEMENTWISE) &&
           node->op != OP_iota && node->op != OP_random;
}

bool node_has_epilogue(const Node *root)
{
    return op_is(root->op, REDUCES | ACCUMULATES | CONTRACTS | WINDOWS) || root->op == OP_gather;
}

Node *fusion_source(const Fusion *fusion, Node *node)
{
    while (node_is_view(node) && !fusion->group_of[node->id])
        node = node->in[0];
    return node;
}

/* ---- step 1 ---- */

typedef struct Uses {
    int *count;  /* by Node.id: readers, results and updates */
    Node **user; /* by Node.id: one of the readers */
    int *copies; /* by Node.id: how often its only reader uses it; later, how often it is spelled
                    out */
} Uses;

static Uses count_uses(Arena *arena, const Function *f)
{
    Uses uses = {ARENA_ARRAY(arena, int, f->node_count + 1),
                 ARENA_ARRAY(arena, Node *, f->node_count + 1),
                 ARENA_ARRAY(arena, int, f->node_count + 1)};
    for (int n = 0; n < f->node_count; n++) {
        for (int i = 0; i < f->nodes[n]->in_count; i++) {
            int in = f->nodes[n]->in[i]->id;
            uses.count[in] += uses.user[in] != f->nodes[n]; /* x in x·x is read by one */
            uses.copies[in] = uses.user[in] == f->nodes[n] ? 2 : 1;
            uses.user[in] = f->nodes[n];
        }
    }
    for (int r = 0; r < f->result_count; r++)
        uses.count[f->results[r].node->id] += 2; /* never inlined */
    for (int u = 0; u < f->update_count; u++)
        uses.count[f->updates[u].node->id] += 2;
    return uses;
}

static void mark_inlined(Fusion *fusion, const Uses *uses)
{
    const Function *f = fusion->function;
    for (int n = f->node_count - 1; n >= 0; n--) {
        const Node *node = f->nodes[n];
        if (!op_is(node->op, ELEMENTWISE) || uses->count[n] != 1)
            continue;
        const Node *user = uses->user[n];
        bool reduces = op_is(user->op, REDUCES | ACCUMULATES) ||
                       (fusion->inlined[user->id] && type_same_dims(&user->type, &node->type));
        if (fusion->inlined[user->id])
            uses->copies[n] *= uses->copies[user->id];
        fusion->inlined[n] = reduces && node->type.rank > 0 && uses->copies[n] <= COPIES;
    }
}

/* ---- step 2 ---- */

static Group *group_create(Fusion *fusion, Arena *arena, Node *node, bool is_root)
{
    Group *group = ARENA_NEW(arena, Group);
    group->root = is_root ? node : NULL;
    group->domain = node->type;
    group->first = group->last = node->id;
    fusion->groups = arena_grow(arena, fusion->groups, fusion->group_count, &fusion->group_capacity,
                                sizeof *fusion->groups);
    group->id = fusion->group_count;
    fusion->groups[fusion->group_count++] = group;
    return group;
}

static void group_add(Fusion *fusion, Arena *arena, Group *group, Node *node)
{
    group->members = arena_grow(arena, group->members, group->member_count, &group->member_capacity,
                                sizeof *group->members);
    group->members[group->member_count++] = node;
    group->first = node->id < group->first ? node->id : group->first;
    group->last = node->id > group->last ? node->id : group->last;
    fusion->group_of[node->id] = group;
}

static bool node_needs(Fusion *fusion, Node *node, const Group *wanted);

/* Does computing `group` need `wanted` to have been computed before? */
static bool group_needs(Fusion *fusion, Group *group, const Group *wanted)
{
    if (group == wanted)
        return true;
    if (group->stamp == fusion->stamp || group->last < wanted->first)
        return false;
    group->stamp = fusion->stamp;
    for (int m = 0; m < group->member_count; m++)
        for (int i = 0; i < group->members[m]->in_count; i++)
            if (fusion->group_of[group->members[m]->in[i]->id] != group &&
                node_needs(fusion, group->members[m]->in[i], wanted))
                return true;
    return false;
}

static bool node_needs(Fusion *fusion, Node *node, const Group *wanted)
{
    Group *group = fusion->group_of[node->id];
    if (group)
        return group_needs(fusion, group, wanted);
    for (int i = 0; i < node->in_count; i++) /* a view, or inlined: look through it */
        if (node_needs(fusion, node->in[i], wanted))
            return true;
    return false;
}

/* An edge that stays at one index: the operand is a member of `group`, its reader is element-wise
 * and of the same shape. (A root reads its operands at other indices, even where shapes happen to
 * agree.) */
static bool is_direct(const Fusion *fusion, const Group *group, const Node *in, const Node *reader)
{
    return fusion->group_of[in->id] == group && op_is(reader->op, ELEMENTWISE) &&
           type_same_dims(&in->type, &reader->type);
}

static bool can_join(Fusion *fusion, Group *group, const Node *node)
{
    if (group->member_count >= MEMBER_LIMIT || !type_same_dims(&group->domain, &node->type) ||
        (group->root && !node_has_epilogue(group->root)))
        return false;
    for (int i = 0; i < node->in_count; i++) {
        if (is_direct(fusion, group, node->in[i], node))
            continue;
        fusion->stamp++;
        if (node_needs(fusion, node->in[i], group))
            return false;
    }
    return true;
}

/* Can the element-wise `other` become a part of `group`, when neither may need the other by way of
 * a third? */
static bool can_merge(Fusion *fusion, Group *group, Group *other)
{
    if (other->root || !type_same_dims(&group->domain, &other->domain) ||
        group->member_count + other->member_count >= MEMBER_LIMIT ||
        (group->root && !node_has_epilogue(group->root)))
        return false;
    for (int side = 0; side < 2; side++) {
        const Group *from = side ? group : other, *to = side ? other : group;
        for (int m = 0; m < from->member_count; m++) {
            for (int i = 0; i < from->members[m]->in_count; i++) {
                Node *in = from->members[m]->in[i];
                if (fusion->group_of[in->id] == from || is_direct(fusion, to, in, from->members[m]))
                    continue;
                fusion->stamp++;
                if (node_needs(fusion, in, to))
                    return false;
            }
        }
    }
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    const Node *const *x = a, *const *y = b;
    return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static void group_merge(Fusion *fusion, Arena *arena, Group *group, Group *other)
{
    for (int m = 0; m < other->member_count; m++)
        group_add(fusion, arena, group, other->members[m]);
    other->member_count = 0; /* empty groups are dropped at the end */
    qsort(group->members, (size_t)group->member_count, sizeof *group->members, compare_ids);
}

static void join_or_start(Fusion *fusion, Arena *arena, Node *node)
{
    Group *home = NULL;
    for (int pass = 0; pass < 2 && !home; pass++) { /* first choice: behind something heavy */
        for (int i = 0; i < node->in_count && !home; i++) {
            Group *group = fusion->group_of[node->in[i]->id];
            if (group && (group->root || pass) && is_direct(fusion, group, node->in[i], node) &&
                can_join(fusion, group, node))
                home = group;
        }
    }
    if (!home)
        home = group_create(fusion, arena, node, false);
    group_add(fusion, arena, home, node);
    for (int i = 0; i < node->in_count; i++) {
        Group *other = fusion->group_of[node->in[i]->id];
        if (other && other != home && is_direct(fusion, other, node->in[i], node) &&
            can_merge(fusion, home, other))
            group_merge(fusion, arena, home, other);
    }
}

/* Views and generated values that need memory after all: results, and what a reshape cannot be read
 * through. */
/* The body of a scan reads memory, a slice at a time. */
static bool needs_memory(const Node *in)
{
    while (in->op == OP_reshape)
        in = in->in[0];
    return node_is_view(in) || node_is_generated(in);
}

static bool *find_forced(Arena *arena, const Fusion *fusion)
{
    const Function *f = fusion->function;
    bool *forced = ARENA_ARRAY(arena, bool, f->node_count + 1);
    for (int r = 0; r < f->result_count; r++)
        forced[f->results[r].node->id] = true;
    for (int u = 0; u < f->update_count; u++)
        forced[f->updates[u].node->id] = true;
    for (int n = 0; n < f->node_count; n++) {
        const Node *node = f->nodes[n];
        for (int i = 0; i < node->in_count; i++) {
            const Node *in = node->in[i];
            bool generated = node_is_generated(in);
            bool window =
                op_is(node->op, WINDOWS | CONTRACTS) || node->op == OP_pad || node->op == OP_concat;
            if (node->op == OP_scan && needs_memory(in))
                forced[in->id] = true;
            if ((node->op == OP_reshape && !reshape_is_affine(node) &&
                 (generated || (node_is_view(in) && in->op != OP_reshape))) ||
                (generated && window) ||
                (node->op == OP_gather && i == 0 && (generated || node_is_view(in))))
                forced[in->id] = true;
        }
    }
    return forced;
}

static bool is_greatest(const Node *node)
{
    return node->op == OP_window_max || node->op == OP_window_argmax;
}

/* The group whose loops find this node's result on the way: of the same windows, one wants the
 * largest element and the other where it is. */
static Group *find_twin(const Fusion *fusion, const Node *node)
{
    for (int g = 0; is_greatest(node) && g < fusion->group_count; g++) {
        const Node *root = fusion->groups[g]->root;
        bool same = root && is_greatest(root) && root->op != node->op &&
                    root->in[0] == node->in[0] && !fusion->groups[g]->twin;
        for (int i = 0; same && i < 4; i++)
            same = int_list_equal(root->attr.lists[i], node->attr.lists[i]);
        if (same)
            return fusion->groups[g];
    }
    return NULL;
}

static void start_heavy(Fusion *fusion, Arena *arena, Node *node)
{
    Group *group = find_twin(fusion, node);
    if (group)
        group->twin = node;
    else
        group = group_create(fusion, arena, node, true);
    group_add(fusion, arena, group, node);
}

static void make_groups(Fusion *fusion, Arena *arena, const bool *forced)
{
    Function *f = fusion->function;
    for (int n = 0; n < f->node_count; n++) {
        Node *node = f->nodes[n];
        if (node->op == OP_result) { /* where the scan puts it */
            group_add(fusion, arena, fusion->group_of[node->in[0]->id], node);
            continue;
        }
        if (is_leaf(node) || fusion->inlined[n] ||
            ((node_is_view(node) || node_is_generated(node)) && !forced[n]))
            continue;
        if (is_heavy(node))
            start_heavy(fusion, arena, node);
        else if (node_is_view(node) || node_is_generated(node))
            group_add(fusion, arena, group_create(fusion, arena, node, false), node);
        else
            join_or_start(fusion, arena, node);
    }
}

/* ---- steps 3 and 4 ---- */

static void store_source(Fusion *fusion, Node *node)
{
    node = fusion_source(fusion, node);
    if (fusion->group_of[node->id] && !fusion->recomputed[node->id]) {
        fusion->stored[node->id] = true;
        return;
    }
    if (!is_leaf(node)) /* inlined, generated or computed again: what it is made of */
        for (int i = 0; i < node->in_count; i++)
            store_source(fusion, node->in[i]);
}

static void mark_stored(Fusion *fusion)
{
    Function *f = fusion->function;
    for (int g = 0; g < fusion->group_count; g++) {
        Group *group = fusion->groups[g];
        for (int m = 0; m < group->member_count; m++) {
            Node *node = group->members[m];
            for (int i = 0; i < node->in_count && node->op != OP_result; i++)
                if (node == group->root || !is_direct(fusion, group, node->in[i], node))
                    store_source(fusion, node->in[i]);
        }
    }
    for (int r = 0; r < f->result_count; r++)
        fusion->stored[f->results[r].node->id] = true;
    for (int u = 0; u < f->update_count; u++)
        fusion->stored[f->updates[u].node->id] = true;
}

/* Does the rest of its group, behind it, read this member? */
static bool is_read_inside(const Fusion *fusion, const Group *group, int member)
{
    for (int m = member + 1; m < group->member_count; m++)
        for (int i = 0; i < group->members[m]->in_count; i++)
            if (group->members[m]->in[i] == group->members[member] &&
                fusion->group_of[group->members[m]->id] == group)
                return true;
    return false;
}

/* Values that every reader computes for itself: their groups are rid of them, and go when they were
 * all there was. */
static void drop_unread(Fusion *fusion)
{
    for (int g = 0; g < fusion->group_count; g++) {
        Group *group = fusion->groups[g];
        for (int m = group->member_count - 1; m >= 0; m--)
            if (fusion->recomputed[group->members[m]->id] && !is_read_inside(fusion, group, m))
                fusion->group_of[group->members[m]->id] = NULL;
        int kept = 0;
        for (int m = 0; m < group->member_count; m++)
            if (fusion->group_of[group->members[m]->id])
                group->members[kept++] = group->members[m];
        group->member_count = kept;
    }
}

/* Merging may have moved a group behind one that reads it: order them anew, depth first, by node
 * number. */
static void visit(Fusion *fusion, Group *group, Group **order, int *count);

static void visit_inputs(Fusion *fusion, Group *group, const Node *node, Group **order, int *count)
{
    for (int i = 0; i < node->in_count; i++) {
        Group *other = fusion->group_of[node->in[i]->id];
        if (!other)
            visit_inputs(fusion, group, node->in[i], order, count);
        else if (other != group)
            visit(fusion, other, order, count);
    }
}

static void visit(Fusion *fusion, Group *group, Group **order, int *count)
{
    if (group->stamp == fusion->stamp)
        return;
    group->stamp = fusion->stamp;
    for (int m = 0; m < group->member_count; m++)
        visit_inputs(fusion, group, group->members[m], order, count);
    group->id = *count;
    order[(*count)++] = group;
}

static void order_groups(Fusion *fusion, Arena *arena)
{
    Group **order = ARENA_ARRAY(arena, Group *, fusion->group_count + 1);
    int count = 0;
    fusion->stamp++;
    for (int n = 0; n < fusion->function->node_count; n++)
        if (fusion->group_of[n])
            visit(fusion, fusion->group_of[n], order, &count);
    fusion->groups = order;
    fusion->group_count = count;
}

Fusion *fuse(Arena *arena, Function *function)
{
    Fusion *fusion = ARENA_NEW(arena, Fusion);
    size_t nodes = (size_t)function->node_count + 1;
    fusion->function = function;
    fusion->group_of = ARENA_ARRAY(arena, Group *, nodes);
    fusion->stored = ARENA_ARRAY(arena, bool, nodes);
    fusion->inlined = ARENA_ARRAY(arena, bool, nodes);
    Uses uses = count_uses(arena, function);
    mark_inlined(fusion, &uses);
    fusion->recomputed = ARENA_ARRAY(arena, bool, nodes);
    make_groups(fusion, arena, find_forced(arena, fusion));
    mark_stored(fusion);
    fusion->recomputed = choose_recomputed(arena, fusion);
    memset(fusion->stored, 0, nodes * sizeof *fusion->stored);
    mark_stored(fusion);
    drop_unread(fusion);
    order_groups(fusion, arena);
    return fusion;
}

/* The numbers that graph_print() gives nodes. */
static int *printed_numbers(Arena *arena, const Function *f)
{
    int *numbers = ARENA_ARRAY(arena, int, f->node_count + 1), next = 0;
    for (int n = 0; n < f->node_count; n++)
        if (f->nodes[n]->op != OP_input)
            numbers[n] = next++;
    return numbers;
}

void fusion_print(const Fusion *fusion, Text *text)
{
    const Function *f = fusion->function;
    const int *numbers = printed_numbers(text->arena, f);
    for (int g = 0; g < fusion->group_count; g++) {
        const Group *group = fusion->groups[g];
        text_print(text, "group %d:", g);
        for (int m = 0; m < group->member_count; m++)
            text_print(text, " %%%d %s", numbers[group->members[m]->id],
                       op_name(group->members[m]->op));
        text_add(text, ", stores");
        for (int m = 0; m < group->member_count; m++)
            if (fusion->stored[group->members[m]->id])
                text_print(text, " %%%d", numbers[group->members[m]->id]);
        text_add(text, "\n");
    }
    for (int n = 0; n < f->node_count; n++)
        if (fusion->inlined[n])
            text_print(text, "inlined: %%%d %s\n", numbers[n], op_name(f->nodes[n]->op));
    for (int n = 0; n < f->node_count; n++)
        if (fusion->recomputed[n])
            text_print(text, "computed again: %%%d %s\n", numbers[n], op_name(f->nodes[n]->op));
}
