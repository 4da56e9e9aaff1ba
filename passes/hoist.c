/* Takes work out of loops that can be done once, for all steps of a scan together.
 *
 *     before    what depends on no carried value: x·W of all steps is one product
 *
 *       scan %x … { %0 = matmul %x, %w }         %1 = matmul %x, %w       scan %1 … { }
 *
 *     behind    what no carried value depends on: it is computed from stacks
 *
 *       scan … { %0 = matmul %h, %w              %1 = scan … { … return …, %h }
 *                return …, %0 }                  %2 = matmul %1, %w
 *
 *     sums      over the steps, where only the sum is wanted: gradients of weights
 *
 *       scan %d … { %0 = matmul %x, %z           %1 = scan … { … return …, %z }
 *                   %1 = add %d, %0              %2 = matmul %x, %1
 *                   return %1 }                  %3 = reduce_sum %2 axes=[0]        (and simplify.c
 *                                                makes one product of that)
 *
 * Contractions and reductions are worth it: one large one uses its operands more often than many
 * small ones, and loops over a few rows are short. Element-wise work goes along with what it is
 * computed from; alone it is better off in the loop, where everything is near. A value that is only
 * needed outside must be stacked for it: the stack takes the place of what the loop had given.
 *
 * Of a scan that may end early only what is the same in each step is taken out: nobody knows how
 * many steps there will be.
 *
 * How an operation is done for all steps at once is batch.c's. One scan is either lightened before
 * or behind in one go; the pass is repeated. */
#include "passes/batch.h"
#include "passes/match.h"
#include "passes/passes.h"
#include "passes/scan_edit.h"

typedef enum When { ALWAYS_SAME, OF_INPUTS, OF_STEPS } When; /* what a value depends on */

typedef struct Info { /* of a node of the body; the node's mark points to it */
    When when;
    bool possible; /* outside of the loop, given its operands there */
    bool inside;   /* carried values need it */
    bool worth;    /* taking it out */
    bool stacked;  /* it is wanted outside for what is worth it */
    bool taken;    /* it is computed outside */
    int uses;
    Node *outside; /* what stands for it there: a stack, if it differs from step to step */
    Port *stack;   /* by which it comes outside, when it is computed inside */
} Info;

typedef struct Hoist {
    Function *f, *body;
    Node *scan;
    int64_t steps;
    bool all_steps; /* are made */
    Arena *arena;
    Node **nodes; /* of the body, as they were when it began */
    int count;
    ScanEdit *edit;
} Hoist;

static Info *info_of(const Node *node)
{
    return node->mark;
}

/* Which inputs are different in each step. */
static bool *stacked_inputs(const Hoist *h, const Node *node)
{
    bool *stacked = ARENA_ARRAY(h->arena, bool, node->in_count);
    for (int i = 0; i < node->in_count; i++)
        stacked[i] = info_of(node->in[i])->when != ALWAYS_SAME;
    return stacked;
}

static void look_at_inputs(const Hoist *h)
{
    Scan scan = node_scan(h->scan);
    for (int i = 0; i < h->body->input_count; i++) {
        Info *info = info_of(h->body->inputs[i]);
        bool carried = i < scan.carried, scanned = !carried && i < scan.carried + scan.scanned;
        info->when = carried ? OF_STEPS : scanned ? OF_INPUTS : ALWAYS_SAME;
        info->possible = true;
        info->outside = carried ? NULL : node_resolve(h->scan->in[i]);
    }
}

static void look_at_nodes(const Hoist *h)
{
    for (int i = 0; i < h->count; i++) {
        const Node *node = h->nodes[i];
        Info *info = info_of(node);
        if (node->op == OP_input)
            continue;
        for (int j = 0; j < node->in_count; j++) {
            const Info *in = info_of(node->in[j]);
            info->when = in->when > info->when ? in->when : info->when;
            info_of(node->in[j])->uses++;
        }
        info->possible = batch_possible(node, stacked_inputs(h, node));
    }
    for (int i = 0; i < h->body->result_count; i++)
        info_of(h->body->results[i].node)->uses++;
}

static Hoist hoist_create(Function *f, Node *scan, Arena *arena)
{
    Function *body = scan->attr.body;
    function_clean(body);
    Hoist h = {.f = f,
               .body = body,
               .scan = scan,
               .steps = node_scan(scan).steps,
               .all_steps = node_scan(scan).alive < 0,
               .arena = arena,
               .nodes = ARENA_ARRAY(arena, Node *, body->node_count),
               .count = body->node_count};
    Info *infos = ARENA_ARRAY(arena, Info, body->node_count);
    for (int i = 0; i < h.count; i++) {
        h.nodes[i] = body->nodes[i];
        h.nodes[i]->mark = &infos[i];
    }
    look_at_inputs(&h);
    look_at_nodes(&h);
    return h;
}

/* Makes `node` outside, where all its operands are already. */
static void take_out(const Hoist *h, const Node *node)
{
    Info *info = info_of(node);
    Node **in = ARENA_ARRAY(h->arena, Node *, node->in_count);
    for (int i = 0; i < node->in_count; i++)
        in[i] = info_of(node->in[i])->outside;
    info->outside = batch_node(h->f, node, in, stacked_inputs(h, node), h->steps);
}

/* ---- before the loop ---- */

/* Does it cost anything? Constants, and views of them, are best where they are read. */
static bool is_free(const Node *node)
{
    while (node_is_view(node))
        node = node->in[0];
    return node->op == OP_input || node->op == OP_constant || node->op == OP_iota;
}

/* What an element-wise node would be computed from in the big loop: the first node behind views. */
static const Node *source_of(const Node *node)
{
    while (node_is_view(node))
        node = node->in[0];
    return node;
}

static bool goes_along(const Node *node)
{
    bool any = false;
    if (!op_is(node->op, ELEMENTWISE | REDUCES))
        return false;
    for (int i = 0; i < node->in_count; i++) {
        const Info *source = info_of(source_of(node->in[i]));
        if (source->when == OF_INPUTS && !source->worth)
            return false;
        any = any || source->when == OF_INPUTS;
    }
    return any;
}

static bool worth_before(const Node *node)
{
    const Info *info = info_of(node);
    if (info->when == OF_STEPS || !info->possible || is_free(node) || node_is_view(node))
        return false;
    if (info->when == ALWAYS_SAME)
        return !type_is_tuple(&node->type);
    return op_is(node->op, CONTRACTS) || goes_along(node);
}

/* Everything that what is worth it is computed from. A node that cannot be had outside makes all
 * that depend on it stay. */
static bool mark_before(const Hoist *h)
{
    bool any = false;
    for (int i = 0; i < h->count; i++) {
        const Node *node = h->nodes[i];
        Info *info = info_of(node);
        for (int j = 0; j < node->in_count; j++)
            info->possible = info->possible && info_of(node->in[j])->possible;
        info->worth = worth_before(node) && (h->all_steps || info->when == ALWAYS_SAME);
        any = any || info->worth;
    }
    for (int i = h->count - 1; i >= 0; i--) {
        Info *info = info_of(h->nodes[i]);
        info->taken = info->taken || info->worth;
        for (int j = 0; info->taken && j < h->nodes[i]->in_count; j++)
            info_of(h->nodes[i]->in[j])->taken = true;
    }
    return any;
}

/* Is it read by what stays? */
static bool *read_inside(const Hoist *h)
{
    bool *read = ARENA_ARRAY(h->arena, bool, h->count);
    for (int i = 0; i < h->count; i++)
        for (int j = 0; j < h->nodes[i]->in_count; j++)
            if (!info_of(h->nodes[i])->worth)
                read[h->nodes[i]->in[j]->id] = true;
    for (int i = 0; i < h->body->result_count; i++)
        read[h->body->results[i].node->id] = true;
    return read;
}

static bool hoist_before(Function *f, Node *scan, Arena *arena)
{
    Hoist h = hoist_create(f, scan, arena);
    if (!mark_before(&h))
        return false;
    bool *read = read_inside(&h);
    h.edit = scan_edit_begin(f, scan);
    for (int i = 0; i < h.count; i++) {
        Node *node = h.nodes[i];
        const Info *info = info_of(node);
        if (!info->taken || node->op == OP_input)
            continue;
        take_out(&h, node);
        if (!info->worth || !read[i])
            continue;
        PortKind kind = info->when == ALWAYS_SAME ? PORT_INVARIANT : PORT_SCANNED;
        node->replacement =
            scan_edit_add_input(h.edit, kind, op_name(node->op), info->outside)->parameter;
    }
    scan_edit_finish(h.edit);
    scan_edit_apply(h.edit);
    return true;
}

/* ---- behind the loop ---- */

/* The term that is added to a carried value of which nothing else is asked; NULL: there is none. */
static Node *term_of(const Port *port)
{
    Node *sum = port->value, *own = port->parameter;
    if (port->kind != PORT_CARRIED || sum->op != OP_add || info_of(sum)->uses != 1 ||
        info_of(own)->uses != 1 || (sum->in[0] != own && sum->in[1] != own))
        return NULL;
    Node *term = sum->in[sum->in[0] == own];
    return type_equal(&term->type, &own->type) && info_of(term)->when != ALWAYS_SAME ? term : NULL;
}

/* What of the port could be computed behind the loop; NULL: nothing. */
static Node *wanted_behind(const Port *port)
{
    return port->kind == PORT_STACKED   ? port->value
           : port->kind == PORT_CARRIED ? term_of(port)
                                        : NULL;
}

static bool goes_behind(const Port *port)
{
    const Node *wanted = wanted_behind(port);
    if (!wanted || port->kind == PORT_CARRIED)
        return wanted && !info_of(port->value)->inside;
    const Info *source = info_of(source_of(wanted));
    return source->worth || source->outside || source->when == ALWAYS_SAME;
}

static void mark_inside(const Hoist *h)
{
    for (int i = h->count - 1; i >= 0; i--)
        for (int j = 0; info_of(h->nodes[i])->inside && j < h->nodes[i]->in_count; j++)
            info_of(h->nodes[i]->in[j])->inside = true;
}

/* Is it, or what it is a view of, outside anyhow? */
static bool is_at_hand(const Node *node)
{
    const Info *info = info_of(source_of(node));
    return info->when == ALWAYS_SAME || info->outside || info->worth || info->stacked;
}

static bool can_go_behind(const Node *node)
{
    const Info *info = info_of(node);
    return !info->inside && info->possible && info->when != ALWAYS_SAME && node->op != OP_input &&
           !node_is_view(node);
}

/* Contractions, for which it is worth to stack their operands; then whatever has its operands
 * outside because of them, or anyhow. */
static void mark_worth_behind(const Hoist *h)
{
    for (int i = 0; i < h->count; i++)
        info_of(h->nodes[i])->stacked = false;
    for (int i = 0; i < h->count; i++) {
        const Node *node = h->nodes[i];
        Info *info = info_of(node);
        info->worth = op_is(node->op, CONTRACTS) && can_go_behind(node);
        for (int j = 0; info->worth && j < node->in_count; j++)
            info_of(source_of(node->in[j]))->stacked = true;
    }
    for (int i = 0; i < h->count; i++) {
        const Node *node = h->nodes[i];
        bool worth = can_go_behind(node);
        for (int j = 0; worth && j < node->in_count; j++)
            worth = is_at_hand(node->in[j]);
        info_of(node)->worth = info_of(node)->worth || worth;
    }
}

/* Can it be had outside if everything can be stacked? Of what is the same in all steps all
 * operands must be had. */
static void mark_possible(const Hoist *h)
{
    for (int i = 0; i < h->count; i++) {
        const Node *node = h->nodes[i];
        for (int j = 0; j < node->in_count; j++)
            if (info_of(node)->when == ALWAYS_SAME || node_is_view(node))
                info_of(node)->possible = info_of(node)->possible && info_of(node->in[j])->possible;
    }
}

/* Decides what is worth it. A sum whose term has to stay in the loop stays, with all its term is
 * made of; then less may be worth it than before. */
static bool choose_behind(const Hoist *h)
{
    for (int i = 0; i < h->edit->count; i++) {
        const Port *port = h->edit->ports[i];
        if (port->kind == PORT_CARRIED && !term_of(port))
            info_of(port->value)->inside = true;
    }
    for (bool settled = false; !settled;) {
        settled = true;
        mark_inside(h);
        mark_worth_behind(h);
        for (int i = 0; i < h->edit->count; i++) {
            const Port *port = h->edit->ports[i];
            const Node *term = term_of(port);
            if (!term || info_of(port->value)->inside || is_at_hand(term))
                continue;
            info_of(port->value)->inside = true;
            settled = false;
        }
    }
    for (int i = 0; i < h->edit->count; i++)
        if (goes_behind(h->edit->ports[i]))
            return true;
    return false;
}

/* Marks all that has to be made outside, and stacks what comes from inside. */
static void mark_behind(const Hoist *h)
{
    for (int i = 0; i < h->edit->count; i++)
        if (goes_behind(h->edit->ports[i]))
            info_of(wanted_behind(h->edit->ports[i]))->taken = true;
    for (int i = h->count - 1; i >= 0; i--) {
        Node *node = h->nodes[i];
        Info *info = info_of(node);
        if (!info->taken || info->outside)
            continue;
        bool made =
            info->when == ALWAYS_SAME || info->worth || (node_is_view(node) && info->possible);
        if (!made)
            info->stack = scan_edit_add_stack(h->edit, node);
        for (int j = 0; made && j < node->in_count; j++)
            info_of(node->in[j])->taken = true;
    }
}

/* What is the same in each step is stacked by broadcasting. */
static Node *stack_outside(const Hoist *h, const Node *value)
{
    const Info *info = info_of(value);
    TensorType type = scan_stack_type(&value->type, h->steps);
    return info->when == ALWAYS_SAME ? graph_broadcast(h->f, info->outside, type.rank, type.dims)
                                     : info->outside;
}

/* first + Σ over the steps; a sum that begins with nought is the sum alone. */
static Node *sum_over_steps(Function *f, Node *first, Node *terms)
{
    static const int64_t axis = 0;
    Node *sum = graph_reduce(f, OP_reduce_sum, terms, 1, &axis, false);
    return node_is_number(first, 0.0) ? sum : graph_add(f, first, sum);
}

static void make_behind(const Hoist *h)
{
    for (int i = 0; i < h->count; i++) {
        Info *info = info_of(h->nodes[i]);
        if (info->taken && !info->outside && info->stack)
            info->outside = info->stack->result;
        else if (info->taken && !info->outside)
            take_out(h, h->nodes[i]);
    }
    for (int i = 0; i < h->edit->count; i++) {
        Port *port = h->edit->ports[i];
        if (!port->dropped)
            continue;
        Node *outside = stack_outside(h, wanted_behind(port));
        port->result =
            port->kind == PORT_CARRIED ? sum_over_steps(h->f, port->given, outside) : outside;
    }
}

static bool hoist_behind(Function *f, Node *scan, Arena *arena)
{
    Hoist h = hoist_create(f, scan, arena);
    if (!h.all_steps)
        return false;
    h.edit = scan_edit_begin(f, scan);
    mark_possible(&h);
    if (!choose_behind(&h))
        return false;
    mark_behind(&h);
    for (int i = 0; i < h.edit->count; i++)
        h.edit->ports[i]->dropped = h.edit->ports[i]->old >= 0 && goes_behind(h.edit->ports[i]);
    scan_edit_finish(h.edit);
    make_behind(&h);
    scan_edit_apply(h.edit);
    return true;
}

bool pass_hoist(Function *f)
{
    const char *place = f->place;
    bool changed = false;
    function_clean(f);
    int count = f->node_count;
    for (int i = 0; i < count; i++) {
        Arena *arena = arena_create();
        Node *scan = f->nodes[i];
        f->place = scan->place;
        if (scan->op == OP_scan)
            changed = hoist_before(f, scan, arena) || hoist_behind(f, scan, arena) || changed;
        arena_destroy(arena);
    }
    f->place = place;
    if (changed)
        function_clean(f);
    return changed;
}
