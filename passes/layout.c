/* In which order the axes of every value lie in memory, so that little is transposed.
 *
 * Models that come from elsewhere have images as [batch, channels, height, width]; convolutions and
 * windows here take [batch, height, width, channels]. As imported there is a transpose in front of
 * each of them and one behind. All between two convolutions is as well computed in their order:
 *
 *     %1: f32[1,8,8,3]  = transpose %x order=[0,2,3,1]      %1: f32[1,8,8,3]  = transpose %x
 * order=[…] %2: f32[1,8,8,16] = conv %1, %v …                     %2: f32[1,8,8,16] = conv %1, %v …
 *     %3: f32[1,16,8,8] = transpose %2 order=[0,3,1,2]
 *     %4: f32[1,16,8,8] = mul %3, %scale                    %3: f32[1,8,8,16] = mul %2, %scale'
 *     %5: f32[1,16,8,8] = max %4, %0                        %4: f32[1,8,8,16] = max %3, %0
 *     %6: f32[1,8,8,16] = transpose %5 order=[0,2,3,1]
 *     %7: f32[1,8,8,16] = conv %6, %w …                     %5: f32[1,8,8,16] = conv %4, %w …
 *
 * Every node gets an order of the axes of its result (layout_axes.c says which it can have, and
 * what that asks of its operands). Parameters, results and states have their own, convolutions and
 * products want theirs; a transpose changes nothing but the name of an order. Where an operand does
 * not lie as it is wanted it is transposed, which costs about its bytes, written and read;
 * constants cost nothing. The orders are chosen to make the sum small, by dynamic programming:
 *
 *   1. propose   orders that come about by carrying those of operands to results and back
 *   2. add up    operands first, what it costs at least to have each value in each of its orders
 *   3. decide    results first, what is cheapest with regard to readers, who have decided
 *   4. refine    each value once more, now that all others are known, until nothing changes
 *
 * That is exact where no value has two readers, and near it in networks. Nothing is done unless the
 * sum gets smaller: so the pass comes to an end, and leaves alone what has no transposes. Two
 * neighbours of the same cost keep the order of the model. */
#include <string.h>

#include "passes/layout.h"
#include "passes/match.h"
#include "passes/passes.h"

enum {
    ORDER_LIMIT = 8, /* proposed for one value; its own is the first */
    REFINEMENTS = 4,
    BYTE = 1024,      /* the cost of one byte written or read; 1 is that of a change of shape */
    FOLDED = 1 << 22, /* elements of a constant that fold.c will transpose */
    SEEN_THROUGH = 8  /* products read rows or columns as they lie: the part of a byte it costs */
};

typedef struct Reader {
    Node *node;
    int in;
} Reader;

typedef struct Value { /* what is known of one node */
    AxisOrder orders[ORDER_LIMIT];
    int64_t costs[ORDER_LIMIT]; /* of it and all it is made of */
    int order_count, chosen;
    Reader *readers;
    int reader_count;
    int given_back; /* times it is a result or an update */
    bool any_rows;
} Value;

typedef struct Choice {
    Function *f;
    Value *values; /* by Node.id */
} Choice;

static Value *value_of(const Choice *c, const Node *node)
{
    return &c->values[node->id];
}

static AxisOrder chosen_order(const Choice *c, const Node *node)
{
    const Value *value = value_of(c, node);
    return value->orders[value->chosen];
}

/* ---- what it costs ---- */

static int64_t bytes_of(const Node *node)
{
    return type_is_tuple(&node->type) ? 0 : type_bytes(&node->type);
}

/* Is it in memory before anything is computed? */
static bool is_given(const Node *node)
{
    while (node->op == OP_transpose || node->op == OP_reshape || node->op == OP_slice)
        node = node->in[0];
    return node->op == OP_input || node->op == OP_state || node->op == OP_constant;
}

/* Is it made, or made again by fold.c, in any order that is asked for? */
static bool has_any_order(const Node *node)
{
    return node->op == OP_iota || node->op == OP_random || node->type.rank <= 0 ||
           (node->op == OP_constant && type_elements(&node->type) <= FOLDED);
}

/* A product goes through its operands by rows or by columns, and does not mind which are near to
 * each other in memory, if one of them are. */
static bool has_near_rows(const TensorType *type, AxisOrder stored)
{
    int last = type->rank - 1;
    while (last > 0 && type->dims[stored.axis[last]] == 1)
        last--;
    return stored.axis[last] >= type->rank - 2;
}

/* How often an operand that does not lie as it is wanted goes through memory. */
static int64_t cost_of_byte(const Node *node, int in, AxisOrder stored)
{
    const Node *operand = node->in[in];
    if (node->op == OP_matmul && has_near_rows(&operand->type, stored))
        return BYTE / SEEN_THROUGH;
    if (in == 0 && node_reads_few_channels(node))
        return BYTE / SEEN_THROUGH;
    if (op_is(node->op, CONTRACTS) && in == 1)
        return BYTE / SEEN_THROUGH; /* weights are packed in any case */
    if (node->op == OP_concat || node->op == OP_pad ||
        (is_given(operand) && op_is(node->op, ELEMENTWISE | REDUCES)))
        return BYTE; /* is read from memory in any case */
    return 2 * BYTE;
}

/* Of operand `in` of a node in order `result`, when it lies in `stored`. */
static int64_t operand_cost(const Choice *c, const Node *node, int in, AxisOrder result,
                            AxisOrder stored)
{
    const Node *operand = node->in[in];
    bool any_rows = value_of(c, node)->any_rows;
    AxisOrder wanted = order_of_operand(node, in, result, stored, any_rows);
    if (order_equal(wanted, stored, operand->type.rank))
        return 0;
    if (has_any_order(operand) || order_same_memory(&operand->type, wanted, stored))
        return 1;
    int64_t bytes = bytes_of(operand), smaller = bytes_of(node);
    if (smaller > 0 && smaller < bytes && op_is(node->op, VIEW | REDUCES))
        bytes = smaller;
    return bytes * cost_of_byte(node, in, stored);
}

/* Of giving it back; a little less than anything else, so that it is the last that is done. */
static int64_t result_cost(const Value *value, const Node *node, AxisOrder order)
{
    if (value->given_back == 0 || order_equal(order, order_own(), node->type.rank))
        return 0;
    if (order_same_memory(&node->type, order, order_own()))
        return value->given_back;
    return value->given_back * bytes_of(node) * (2 * BYTE - BYTE / 8);
}

/* Of its own operands as they are chosen. */
static int64_t cost_in(const Choice *c, const Node *node, AxisOrder order)
{
    int64_t cost = result_cost(value_of(c, node), node, order);
    for (int i = 0; i < node->in_count; i++)
        cost += operand_cost(c, node, i, order, chosen_order(c, node->in[i]));
    return cost;
}

/* Of being read by all who have chosen. */
static int64_t cost_out(const Choice *c, const Node *node, AxisOrder order)
{
    const Value *value = value_of(c, node);
    int64_t cost = 0;
    for (int r = 0; r < value->reader_count; r++) {
        const Reader *reader = &value->readers[r];
        cost += operand_cost(c, reader->node, reader->in, chosen_order(c, reader->node), order);
    }
    return cost;
}

static int64_t whole_cost(const Choice *c)
{
    int64_t cost = 0;
    for (int n = 0; n < c->f->node_count; n++)
        cost += cost_in(c, c->f->nodes[n], chosen_order(c, c->f->nodes[n]));
    return cost;
}

/* ---- 1. propose ---- */

/* Is it a reshape to rows whose order only constants have to follow? */
static bool has_any_rows(const Value *value, const Node *node)
{
    bool all = value->given_back == 0 && reshape_joins_rows(node);
    for (int r = 0; r < value->reader_count; r++)
        all = all && value->readers[r].in == 0 && multiplies_rows(value->readers[r].node);
    return all;
}

static int find_order(const Value *value, const Node *node, AxisOrder order)
{
    for (int i = 0; i < value->order_count; i++)
        if (order_equal(value->orders[i], order, node->type.rank))
            return i;
    return -1;
}

static void propose(Value *value, const Node *node, AxisOrder order)
{
    if (value->order_count < ORDER_LIMIT && find_order(value, node, order) < 0)
        value->orders[value->order_count++] = order;
}

static void propose_to_result(Choice *c, Node *node)
{
    for (int i = 0; i < node->in_count; i++) {
        const Value *operand = value_of(c, node->in[i]);
        AxisOrder order;
        for (int o = 0; o < operand->order_count; o++)
            if (order_of_result(node, i, operand->orders[o], value_of(c, node)->any_rows, &order))
                propose(value_of(c, node), node, order);
    }
}

static void propose_to_operands(Choice *c, Node *node)
{
    const Value *value = value_of(c, node);
    for (int i = 0; i < node->in_count; i++) {
        Value *operand = value_of(c, node->in[i]);
        for (int o = 0; o < value->order_count && node->in[i]->type.rank > 0; o++) {
            AxisOrder order =
                order_of_operand(node, i, value->orders[o], operand->orders[0], value->any_rows);
            if (order_possible(node->in[i], order, operand->any_rows))
                propose(operand, node->in[i], order);
        }
    }
}

static void propose_all(Choice *c)
{
    const Function *f = c->f;
    for (int n = 0; n < f->node_count; n++)
        c->values[n].any_rows = has_any_rows(&c->values[n], f->nodes[n]);
    for (int n = 0; n < f->node_count; n++)
        propose_to_result(c, f->nodes[n]);
    for (int n = f->node_count - 1; n >= 0; n--)
        propose_to_operands(c, f->nodes[n]);
    for (int n = 0; n < f->node_count; n++)
        propose_to_result(c, f->nodes[n]);
}

/* ---- 2. to 4. ---- */

/* The share of one reader in what the operand costs, and the way from there. */
static int64_t cheapest_operand(const Choice *c, const Node *node, int in, AxisOrder result)
{
    const Value *operand = value_of(c, node->in[in]);
    int64_t least = INT64_MAX;
    for (int o = 0; o < operand->order_count; o++) {
        int64_t cost = operand->costs[o] / operand->reader_count +
                       operand_cost(c, node, in, result, operand->orders[o]);
        least = cost < least ? cost : least;
    }
    return least;
}

static void add_up(Choice *c)
{
    for (int n = 0; n < c->f->node_count; n++) {
        const Node *node = c->f->nodes[n];
        Value *value = value_of(c, node);
        for (int o = 0; o < value->order_count; o++)
            for (int i = 0; i < node->in_count; i++)
                value->costs[o] += cheapest_operand(c, node, i, value->orders[o]);
    }
}

static void decide(Choice *c)
{
    for (int n = c->f->node_count - 1; n >= 0; n--) {
        const Node *node = c->f->nodes[n];
        Value *value = value_of(c, node);
        int64_t least = INT64_MAX;
        for (int o = 0; o < value->order_count; o++) {
            int64_t cost = value->costs[o] + cost_out(c, node, value->orders[o]) +
                           result_cost(value, node, value->orders[o]);
            if (cost < least) {
                least = cost;
                value->chosen = o;
            }
        }
    }
}

static bool refine(Choice *c, const Node *node)
{
    Value *value = value_of(c, node);
    int before = value->chosen;
    if (value->order_count == 1)
        return false;
    int64_t least = INT64_MAX;
    for (int o = 0; o < value->order_count; o++) {
        int64_t cost = cost_in(c, node, value->orders[o]) + cost_out(c, node, value->orders[o]);
        if (cost < least || (cost == least && o == before)) {
            least = cost;
            value->chosen = o;
        }
    }
    return value->chosen != before;
}

static void refine_all(Choice *c)
{
    bool changed = true;
    for (int round = 0; changed && round < REFINEMENTS; round++) {
        changed = false;
        for (int n = 0; n < c->f->node_count; n++)
            changed = refine(c, c->f->nodes[n]) || changed;
    }
}

/* ---- the pass ---- */

static void find_readers(Choice *c, Arena *arena)
{
    const Function *f = c->f;
    for (int n = 0; n < f->node_count; n++)
        for (int i = 0; i < f->nodes[n]->in_count; i++)
            value_of(c, f->nodes[n]->in[i])->reader_count++;
    for (int n = 0; n < f->node_count; n++) {
        c->values[n].readers = ARENA_ARRAY(arena, Reader, c->values[n].reader_count);
        c->values[n].reader_count = 0;
    }
    for (int n = 0; n < f->node_count; n++)
        for (int i = 0; i < f->nodes[n]->in_count; i++) {
            Value *operand = value_of(c, f->nodes[n]->in[i]);
            operand->readers[operand->reader_count++] = (Reader){f->nodes[n], i};
        }
    for (int r = 0; r < f->result_count; r++)
        value_of(c, f->results[r].node)->given_back++;
    for (int u = 0; u < f->update_count; u++)
        value_of(c, f->updates[u].node)->given_back++;
}

static Choice choice_create(Arena *arena, Function *f)
{
    Choice c = {f, ARENA_ARRAY(arena, Value, f->node_count + 1)};
    find_readers(&c, arena);
    for (int n = 0; n < f->node_count; n++) {
        c.values[n].orders[0] = order_own();
        c.values[n].order_count = 1;
    }
    return c;
}

/* What it costs as it is: all have their own order, and transposes are read in place, or else done
 * once for all readers. */
static int64_t cost_before(Choice *c)
{
    for (int n = 0; n < c->f->node_count; n++) {
        const Node *node = c->f->nodes[n];
        AxisOrder order;
        if (node->op != OP_transpose || has_any_order(node->in[0]) ||
            !order_of_result(node, 0, chosen_order(c, node->in[0]), false, &order))
            continue;
        propose(&c->values[n], node, order);
        c->values[n].chosen = find_order(&c->values[n], node, order);
    }
    for (int n = 0; n < c->f->node_count; n++)
        refine(c, c->f->nodes[n]);
    return whole_cost(c);
}

static bool has_transposes(const Function *f)
{
    for (int n = 0; n < f->node_count; n++)
        if (f->nodes[n]->op == OP_transpose)
            return true;
    return false;
}

static void build(const Choice *c, Arena *arena)
{
    Layout layout = {.f = c->f, .count = c->f->node_count};
    layout.orders = ARENA_ARRAY(arena, AxisOrder, layout.count);
    layout.any_rows = ARENA_ARRAY(arena, bool, layout.count);
    for (int n = 0; n < layout.count; n++) {
        layout.orders[n] = chosen_order(c, c->f->nodes[n]);
        layout.any_rows[n] = c->values[n].any_rows;
    }
    layout_build(&layout);
    function_clean(c->f);
}

bool pass_layout(Function *f)
{
    function_clean(f); /* so that ids are right, and nobody dead has a say */
    if (!has_transposes(f))
        return false;
    Arena *scratch = arena_create();
    Choice c = choice_create(scratch, f);
    int64_t before = cost_before(&c);
    propose_all(&c);
    add_up(&c);
    decide(&c);
    refine_all(&c);
    bool better = whole_cost(&c) / BYTE < before / BYTE;
    if (better)
        build(&c, scratch);
    arena_destroy(scratch);
    return better;
}
