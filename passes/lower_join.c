/* Values that are joined or padded are stored where they are wanted in the first place.
 *
 *     %1: f32[1,8,8,16] = conv …              @conv_max(…, out %p1)   %p1[384*h + 48*w + c] = …
 *     %2: f32[1,8,8,16] = max %1, 0
 *     %3: f32[1,8,8,32] = conv …              @conv(…, out %p1)       %p1[384*h + 48*w + c + 16] =
 * … %4: f32[1,8,8,48] = concat %2, %3 axis=3                        nothing is left to do
 *
 * A part of a concat is a value with a border around it, all of the other parts; its kernel stores
 * it like one that is wanted with a border (lower_border.c), in the memory of the concat. So is
 * what is padded. A concat may be a part of another, and be wanted with a border itself. What no
 * kernel stores (inputs, constants, views), short rows, and what is wanted with some border of its
 * own is copied as ever.
 *
 * Other readers of a part read it where it lies, when that is as good; else it is stored by itself
 * as well. No kernel may read from a tensor that it stores a part of. */
#include <string.h>

#include "passes/lowering.h"
#include "passes/match.h"

enum { ROW_BYTES = 64 }; /* shorter ones are copied with the others */

typedef struct Joiner {
    Lowering *l;
    Node **parts; /* all that have found a place, and the nodes they are parts of */
    int part_count;
    Node ***readers;  /* by Node.id: those of an operand, NULL behind them */
    bool *given_back; /* by Node.id */
    bool *updated;    /* by Node.id */
} Joiner;

static bool has_gaps(const Node *pad)
{
    for (int i = 0; i < pad->type.rank; i++)
        if (pad->attr.lists[2].values[i] > 0)
            return true;
    return false;
}

static bool joins(const Node *node)
{
    return node->op == OP_concat || (node->op == OP_pad && !has_gaps(node));
}

static Padded *place_of(const Lowering *l, const Node *node)
{
    return l->bordered[node->id];
}

bool is_joined(const Lowering *l, const Node *part, const Node *whole)
{
    const Padded *place = place_of(l, part);
    return place && place->whole && place->whole == whole;
}

/* The tensor in whose memory `node` lies. */
static const Node *outermost(const Lowering *l, const Node *node)
{
    while (place_of(l, node) && place_of(l, node)->whole)
        node = place_of(l, node)->whole;
    return node;
}

/* Can parts be stored in its memory? */
static bool can_hold(const Joiner *j, const Node *node)
{
    const Lowering *l = j->l;
    return joins(node) && l->fusion->group_of[node->id] && l->fusion->stored[node->id] &&
           !j->updated[node->id] && (l->depth == 0 || !j->given_back[node->id]);
}

/* Where part number `in` begins in `whole`, and what lies behind it. */
static void find_border(const Node *whole, int in, Border *border)
{
    *border = (Border){.value = whole->op == OP_pad ? whole->attr.number : 0};
    if (whole->op == OP_pad) {
        size_t bytes = (size_t)whole->type.rank * sizeof(int64_t);
        memcpy(border->before, whole->attr.lists[0].values, bytes);
        memcpy(border->after, whole->attr.lists[1].values, bytes);
        return;
    }
    int64_t axis = attr_integer(whole, 0);
    for (int i = 0; i < in; i++)
        border->before[axis] += whole->in[i]->type.dims[axis];
    border->after[axis] =
        whole->type.dims[axis] - border->before[axis] - whole->in[in]->type.dims[axis];
}

/* Elements that lie next to each other. */
static int64_t row_elements(const TensorType *type, const Border *border)
{
    int64_t row = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        row *= type->dims[i];
        if (border->before[i] || border->after[i])
            break;
    }
    return row;
}

static bool is_read_as_it_lies(Lowering *l, Node *reader, int in, const Border *border)
{
    int last = reader->in[in]->type.rank - 1;
    bool even = true; /* rows are equally far from each other */
    for (int i = 1; i < last; i++)
        even = even && !border->before[i] && !border->after[i];
    const Group *group = l->fusion->group_of[reader->id];
    bool contracts = group && reader == group->root && op_is(reader->op, CONTRACTS);
    return (contracts && even) || reads_inside(l, reader, in);
}

/* Can all its readers read it in the border? */
static bool is_found(Joiner *j, Node *node, const Node *whole, const Border *border)
{
    if (j->given_back[node->id])
        return false;
    for (Node **reader = j->readers[node->id]; *reader; reader++)
        for (int i = 0; i < (*reader)->in_count; i++)
            if ((*reader)->in[i] == node && *reader != whole &&
                !is_read_as_it_lies(j->l, *reader, i, border))
                return false;
    return true;
}

/* Does reading `node` in a kernel mean reading `part` where it lies among others? */
static bool reads_part(const Lowering *l, const Node *node, const Node *part)
{
    if (node == part)
        return !place_of(l, part)->plain;
    if (l->fusion->stored[node->id] && l->fusion->group_of[node->id] &&
        !l->fusion->recomputed[node->id])
        return false;
    for (int i = 0; i < node->in_count; i++)
        if (reads_part(l, node->in[i], part))
            return true;
    return false;
}

static bool kernel_reads_part(const Lowering *l, const Node *written, const Node *part)
{
    const Group *group = l->fusion->group_of[written->id];
    for (int m = 0; m < group->member_count; m++) {
        const Node *member = group->members[m];
        for (int i = 0; i < member->in_count; i++)
            if (l->fusion->group_of[member->in[i]->id] != group &&
                !is_joined(l, member->in[i], member) && reads_part(l, member->in[i], part))
                return true;
    }
    return false;
}

static bool is_part(const Lowering *l, const Node *node)
{
    return place_of(l, node) && place_of(l, node)->whole;
}

/* Would a kernel that stores something in the tensor where the last part lies read from it? Or
 * store two parts of it? */
static bool is_in_conflict(const Joiner *j)
{
    const Lowering *l = j->l;
    const Node *last = j->parts[j->part_count - 1], *tensor = outermost(l, last);
    for (int p = 0; p < j->part_count - 1; p++) {
        const Node *other = j->parts[p];
        if (outermost(l, other) != tensor)
            continue;
        if (kernel_reads_part(l, other, last) ||
            (is_part(l, other) &&
             (l->fusion->group_of[other->id] == l->fusion->group_of[last->id] ||
              kernel_reads_part(l, last, other))))
            return true;
    }
    return false;
}

/* Not one that finds its place as a part of something else, such as results of a scan. */
static bool can_be_part(const Joiner *j, const Node *node)
{
    const Lowering *l = j->l;
    bool kept = !place_of(l, node) && !l->fusion->recomputed[node->id] && node->op != OP_result;
    return kept && (is_stored_by_kernel(l, node) || (node->op == OP_concat && can_hold(j, node)));
}

static bool is_twice(const Node *whole, const Node *node)
{
    int times = 0;
    for (int i = 0; i < whole->in_count; i++)
        times += whole->in[i] == node;
    return times > 1;
}

static void add_part(Joiner *j, Node *whole, int in)
{
    Lowering *l = j->l;
    Node *node = whole->in[in];
    const Padded *around = place_of(l, whole);
    Padded place = {.node = node, .type = around ? around->type : whole->type, .whole = whole};
    find_border(whole, in, &place.border);
    if (!can_be_part(j, node) || is_twice(whole, node) ||
        row_elements(&node->type, &place.border) * element_bytes(node->type.element) < ROW_BYTES)
        return;
    for (int i = 0; i < node->type.rank && around; i++) {
        place.border.before[i] += around->border.before[i];
        place.border.after[i] += around->border.after[i];
    }
    place.plain = !is_found(j, node, whole, &place.border);
    if (place.plain && node->op == OP_concat)
        return;
    l->bordered[node->id] = ARENA_NEW(l->arena, Padded);
    *l->bordered[node->id] = place;
    j->parts[j->part_count++] = node;
    if (!is_in_conflict(j))
        return;
    l->bordered[node->id] = NULL;
    j->part_count--;
}

static Joiner joiner_create(Lowering *l)
{
    const Function *f = l->function;
    Arena *arena = l->arena;
    size_t nodes = (size_t)f->node_count + 1;
    Joiner j = {.l = l,
                .parts = ARENA_ARRAY(arena, Node *, nodes),
                .readers = ARENA_ARRAY(arena, Node **, nodes),
                .given_back = ARENA_ARRAY(arena, bool, nodes),
                .updated = ARENA_ARRAY(arena, bool, nodes)};
    const int *uses = function_count_uses(arena, f);
    int *filled = ARENA_ARRAY(arena, int, nodes);
    for (int n = 0; n < f->node_count; n++)
        j.readers[n] = ARENA_ARRAY(arena, Node *, uses[n] + 1);
    for (int n = 0; n < f->node_count; n++)
        for (int i = 0; i < f->nodes[n]->in_count; i++) {
            int in = f->nodes[n]->in[i]->id;
            j.readers[in][filled[in]++] = f->nodes[n];
        }
    for (int r = 0; r < f->result_count; r++)
        j.given_back[f->results[r].node->id] = true;
    for (int u = 0; u < f->update_count; u++)
        j.given_back[f->updates[u].node->id] = j.updated[f->updates[u].node->id] = true;
    return j;
}

void plan_joins(Lowering *l)
{
    const Function *f = l->function;
    Joiner j = joiner_create(l);
    for (int n = f->node_count - 1; n >= 0; n--) { /* what is joined last is outermost */
        Node *whole = f->nodes[n];
        if (!can_hold(&j, whole))
            continue;
        if (!is_part(l, whole))
            j.parts[j.part_count++] = whole;
        for (int i = 0; i < whole->in_count; i++)
            add_part(&j, whole, i);
    }
}

void place_parts(Lowering *l)
{
    const Function *f = l->function;
    for (int n = f->node_count - 1; n >= 0; n--) {
        Padded *place = l->bordered[n];
        if (place && place->whole)
            place->slot = lower_home(l, place->whole).slot;
    }
}

Home lower_home(const Lowering *l, const Node *whole)
{
    const Padded *place = place_of(l, whole);
    const Destinations *d = &l->destinations[whole->id];
    Home home = {.type = whole->type};
    if (d->count || !place)
        home.slot = d->slots[0];
    else
        home = (Home){.slot = place->slot, .type = place->type, .border = place->border};
    return home;
}
