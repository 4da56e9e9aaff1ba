/* Takes from scans what they need not have.
 *
 *     %2 = scan %h, %c, %x, %one, %zero …      %2 = scan %h, %x …
 *       return %h', %c', %y, %unread             return %h', %y
 *
 *   results    nobody reads, and carried values that only feed themselves, go, with all that was
 *              computed for them; so do inputs the body does not read
 *   constants  among the invariants, and what costs nothing to make of them, move into the body,
 *              where other passes see them
 *   the same   input given twice, or value stacked twice, is one; a scanned input whose slices are
 *              all the same is an invariant, and so is a carried value that does not change
 *   stacks     of an input are that input, of an invariant its broadcast */
#include "passes/passes.h"
#include "passes/scan_edit.h"

typedef struct Pruner {
    ScanEdit *edit;
    bool *needed; /* by Node.id in the body */
    bool changed;
} Pruner;

/* ---- what is needed ---- */

/* Nodes stand in order, so one walk from the end marks all. */
static void mark_needed(Pruner *p)
{
    Function *body = p->edit->body;
    for (int i = body->node_count - 1; i >= 0; i--)
        for (int j = 0; p->needed[i] && j < body->nodes[i]->in_count; j++)
            p->needed[body->nodes[i]->in[j]->id] = true;
}

static void drop(Pruner *p, Port *port)
{
    port->dropped = true;
    p->changed = true;
}

/* A scan has one at least. */
static int count_inputs(const ScanEdit *edit)
{
    int count = 0;
    for (int i = 0; i < edit->count; i++)
        count += edit->ports[i]->parameter && !edit->ports[i]->dropped;
    return count;
}

/* From the results that are read, and what may end the scan; a carried value is needed when its
 * parameter is, too. */
static void drop_unneeded(Pruner *p)
{
    ScanEdit *edit = p->edit;
    for (int i = 0; i < edit->count; i++) {
        const Port *port = edit->ports[i];
        if (port->value && scan_result_is_read(edit->f, edit->old, port->old))
            p->needed[port->value->id] = true;
    }
    if (edit->alive)
        p->needed[edit->alive->parameter->id] = true;
    for (bool more = true; more;) {
        more = false;
        mark_needed(p);
        for (int i = 0; i < edit->count; i++) {
            const Port *port = edit->ports[i];
            if (port->kind == PORT_CARRIED && p->needed[port->parameter->id] &&
                !p->needed[port->value->id])
                more = p->needed[port->value->id] = true;
        }
    }
    for (int i = edit->count - 1; i >= 0; i--) {
        Port *port = edit->ports[i];
        bool read = port->value && scan_result_is_read(edit->f, edit->old, port->old);
        if (read || (port->parameter && p->needed[port->parameter->id]))
            continue;
        if (!port->parameter || count_inputs(edit) > 1)
            drop(p, port);
    }
}

/* ---- inputs ---- */

/* `node`, a node of another function, once more in `f`, if that costs nothing: a constant, an iota,
 * and views of them. NULL otherwise. */
static Node *copy_free(Function *f, const Node *node)
{
    if (node->op == OP_constant)
        return graph_constant(f, node->type, node->attr.data);
    if (node->op == OP_iota)
        return graph_node(f, node->op, 0, NULL, &node->attr);
    bool view = node->op == OP_broadcast || node->op == OP_reshape || node->op == OP_transpose;
    Node *in = view ? copy_free(f, node->in[0]) : NULL;
    return in ? graph_node(f, node->op, 1, &in, &node->attr) : NULL;
}

/* A slice of `given`, where all of them are the same; NULL otherwise. */
static Node *any_slice(Function *f, const Node *given)
{
    if (given->op != OP_broadcast)
        return NULL;
    Node *in = given->in[0];
    const TensorType *from = &in->type;
    int rank = given->type.rank - 1;
    if (from->rank > rank && from->dims[0] != 1)
        return NULL;
    if (from->rank > rank)
        in = graph_reshape(f, in, rank, from->dims + 1);
    return graph_broadcast(f, in, rank, given->type.dims + 1);
}

static void simplify_input(Pruner *p, Port *port)
{
    ScanEdit *edit = p->edit;
    Node *same = port->kind == PORT_SCANNED ? any_slice(edit->f, port->given) : NULL;
    if (port->kind == PORT_CARRIED && node_resolve(port->value) == port->parameter)
        same = port->given;
    if (same) {
        Port *invariant =
            scan_edit_add_input(edit, PORT_INVARIANT, port->parameter->attr.text, same);
        port->parameter->replacement = invariant->parameter;
        port->result = same;
        drop(p, port);
        port = invariant;
    }
    if (port->kind != PORT_INVARIANT || count_inputs(edit) == 1)
        return;
    Node *copy = copy_free(edit->body, port->given);
    if (!copy)
        return;
    port->parameter->replacement = copy;
    drop(p, port);
}

/* The first input of the same kind that is given the same. */
static void merge_input(Pruner *p, Port *port)
{
    for (int i = 0; i < p->edit->count; i++) {
        const Port *other = p->edit->ports[i];
        if (other == port)
            return;
        if (other->dropped || other->kind != port->kind || other->given != port->given)
            continue;
        port->parameter->replacement = other->parameter;
        drop(p, port);
        return;
    }
}

/* ---- stacks ---- */

/* What the stack of `value` is without any loop; NULL otherwise. */
static Node *stack_outside(const ScanEdit *edit, const Node *value)
{
    Node *slice = copy_free(edit->f, value);
    for (int i = 0; i < edit->count && !slice; i++) {
        const Port *port = edit->ports[i];
        if (port->parameter != value || port->kind == PORT_CARRIED)
            continue;
        if (port->kind == PORT_SCANNED)
            return port->given;
        slice = port->given;
    }
    TensorType type = scan_stack_type(&value->type, edit->steps);
    return slice ? graph_broadcast(edit->f, slice, type.rank, type.dims) : NULL;
}

static void simplify_stack(Pruner *p, Port *port)
{
    Node *value = node_resolve(port->value);
    port->result = stack_outside(p->edit, value);
    if (port->result)
        drop(p, port);
}

/* The first that stacks the same, for a port that is to be dropped. */
static Port *same_stack(const ScanEdit *edit, const Port *port)
{
    for (int i = 0; edit->ports[i] != port; i++) {
        Port *other = edit->ports[i];
        if (other->kind == PORT_STACKED && !other->dropped &&
            node_resolve(other->value) == node_resolve(port->value))
            return other;
    }
    return NULL;
}

static void merge_stacks(Pruner *p, Port **same)
{
    for (int i = 0; i < p->edit->count; i++) {
        Port *port = p->edit->ports[i];
        if (port->kind != PORT_STACKED || port->dropped)
            continue;
        same[i] = same_stack(p->edit, port);
        if (same[i])
            drop(p, port);
    }
}

/* ---- all of it ---- */

static bool prune(Function *f, Node *scan)
{
    Pruner p = {.edit = scan_edit_begin(f, scan)};
    ScanEdit *edit = p.edit;
    Arena *scratch = arena_create();
    p.needed = ARENA_ARRAY(scratch, bool, edit->body->node_count);
    drop_unneeded(&p);
    for (int i = 0; i < edit->count; i++) {
        Port *port = edit->ports[i];
        if (port->kind != PORT_STACKED && !port->dropped)
            simplify_input(&p, port);
        if (port->kind == PORT_SCANNED && !port->dropped)
            merge_input(&p, port);
        if (port->kind == PORT_INVARIANT && !port->dropped)
            merge_input(&p, port);
    }
    for (int i = 0; i < edit->count; i++)
        if (edit->ports[i]->kind == PORT_STACKED && !edit->ports[i]->dropped)
            simplify_stack(&p, edit->ports[i]);
    Port **same = ARENA_ARRAY(scratch, Port *, edit->count);
    merge_stacks(&p, same);
    if (p.changed) {
        scan_edit_finish(edit);
        for (int i = 0; i < edit->count; i++)
            if (same[i])
                edit->ports[i]->result = same[i]->result;
        scan_edit_apply(edit);
    }
    arena_destroy(scratch);
    return p.changed;
}

bool pass_prune(Function *f)
{
    bool changed = false;
    function_clean(f); /* nobody dead may count as a reader */
    int count = f->node_count;
    for (int i = 0; i < count; i++)
        if (f->nodes[i]->op == OP_scan)
            changed = prune(f, f->nodes[i]) || changed;
    if (changed)
        function_clean(f);
    return changed;
}
