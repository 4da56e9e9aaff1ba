/* Random scans: a body is filled by the same steps as a function. */
#include <math.h>

#include "ir/scan.h"
#include "tests/support/random_graph.h"
#include "tests/support/random_parts.h"

enum { KIND_LIMIT = 2, BODY_STEPS = 6, STEP_LIMIT = 9 };

typedef struct Draft {
    Maker *outer, *inner;
    Node *inputs[ITEM_LIMIT];
    int64_t steps;
    int carried, scanned;
    int alive; /* the carried value without which it ends; -1: none */
    Node *go;  /* in the body: whether there is a next step */
} Draft;

/* In a body it is an invariant of the scan. */
Node *random_invariant(Maker *m, ElementType element, int rank, const int64_t *dims)
{
    Draft *draft = m->draft;
    int number = m->f->input_count;
    draft->inputs[number] = new_input(draft->outer, element, rank, dims);
    const char *name = arena_print(m->f->program->arena, "p%d", number);
    return graph_input(m->f, name, type_make(element, rank, dims));
}

static void add_parameter(Draft *draft, Node *given, const TensorType *type, double bound,
                          bool exact)
{
    Maker *m = draft->inner;
    int number = m->f->input_count;
    draft->inputs[number] = given;
    const char *name = arena_print(m->f->program->arena, "p%d", number);
    enter(m, graph_input(m->f, name, *type), bound, exact);
}

static void add_carried(Draft *draft)
{
    Maker *m = draft->outer;
    Item *first = chance(m, 75)   ? pick_item(m, TYPE_F32, 0, false)
                  : chance(m, 60) ? pick_integer(m, 0, false)
                                  : pick_storage(m, 0);
    if (!first)
        return;
    draft->carried++;
    add_parameter(draft, first->node, &first->node->type, 8,
                  element_is_storage(first->node->type.element));
}

static void add_scanned(Draft *draft)
{
    Maker *m = draft->outer;
    ElementType element = chance(m, 60)   ? TYPE_F32
                          : chance(m, 40) ? integer_element(m)
                          : chance(m, 30) ? storage_element(m)
                                          : TYPE_BOOL;
    Item item = {.bound = INPUT_BOUND, .exact = true};
    Item *known = pick_item(m, element, 1, false);
    if (known && known->node->type.dims[0] == draft->steps) {
        item = *known;
    } else {
        int64_t dims[3] = {draft->steps, pick(m, 1, 5), pick_length(m)};
        item.node = new_input(m, element, (int)pick(m, 1, 3), dims);
    }
    TensorType slice = item.node->type;
    slice.rank--;
    for (int i = 0; i < slice.rank; i++)
        slice.dims[i] = slice.dims[i + 1];
    draft->scanned++;
    add_parameter(draft, item.node, &slice, item.bound, item.exact);
}

/* A truth value is carried that becomes false when data say so. */
static void add_alive(Draft *draft)
{
    TensorType truth = type_scalar(TYPE_BOOL);
    draft->alive = draft->carried++;
    add_parameter(draft, graph_scalar(draft->outer->f, TYPE_BOOL, 1), &truth, 1, true);
}

static void add_go(Draft *draft)
{
    TensorType truth = type_scalar(TYPE_BOOL);
    draft->scanned++;
    add_parameter(draft, new_input(draft->outer, TYPE_BOOL, 1, &draft->steps), &truth, 1, true);
    draft->go = draft->inner->f->inputs[draft->inner->f->input_count - 1];
}

/* What a step gives that need not be made. */
static Node *while_alive(Draft *draft, Node *value, Node *otherwise)
{
    Function *f = draft->inner->f;
    if (draft->alive < 0)
        return value;
    if (!otherwise)
        otherwise = graph_scalar(f, value->type.element, 0);
    return graph_select(f, f->inputs[draft->alive], value, otherwise);
}

/* What comes out of a step must be no wilder than what went in, nor may its error grow from step to
 * step. */
static Node *next_value(Draft *draft, Node *carried)
{
    Maker *m = draft->inner;
    int start = (int)pick(m, 0, m->item_count - 1);
    Node *node = carried;
    for (int i = 0; i < m->item_count; i++) {
        Node *other = m->items[(start + i) % m->item_count].node;
        if (other != carried && type_equal(&other->type, &carried->type)) {
            node = other;
            break;
        }
    }
    if (element_is_storage(node->type.element))
        return node;
    if (chance(m, 50))
        node = graph_add(m->f, node, carried);
    if (node->type.element != TYPE_F32)
        return node;
    return graph_binary_scalar(m->f, OP_mul, graph_unary(m->f, OP_tanh, node), 0.0625);
}

static int choose_results(Draft *draft, const Item **stacked)
{
    Maker *m = draft->inner;
    int count = 0;
    for (int i = 0; i < draft->carried; i++) {
        Node *now = m->f->inputs[i];
        Node *next = i == draft->alive ? graph_binary(m->f, OP_and, now, draft->go)
                                       : while_alive(draft, next_value(draft, now), now);
        function_add_result(m->f, NULL, next);
    }
    for (int i = m->item_count - 1; i >= 0 && count < KIND_LIMIT; i--) {
        if (!chance(m, 40) || type_elements(&m->items[i].node->type) * draft->steps > SMALL ||
            m->items[i].node->type.rank + 1 >= RANK_LIMIT - 1)
            continue;
        function_add_result(m->f, NULL, while_alive(draft, m->items[i].node, NULL));
        stacked[count++] = &m->items[i];
    }
    return count;
}

static void enter_results(Draft *draft, const Item *const *stacked)
{
    Maker *m = draft->outer, *inner = draft->inner;
    Function *body = inner->f;
    function_clean(body);
    Node *scan = graph_scan_while(m->f, body, draft->carried, draft->scanned, draft->steps,
                                  chance(m, 40), draft->alive, draft->inputs);
    for (int i = 0; i < body->result_count; i++) {
        const Item *item = i < draft->carried ? NULL : stacked[i - draft->carried];
        if (i != draft->alive && (item || chance(m, 60)))
            enter(m, graph_result(m->f, scan, i), item ? item->bound : 1, item && item->exact);
    }
}

void step_scan(Maker *m)
{
    Arena *arena = m->f->program->arena;
    const Item *stacked[KIND_LIMIT];
    Draft *draft = ARENA_NEW(arena, Draft);
    if (m->draft && chance(m, 70)) /* seldom in each other */
        return;
    draft->outer = m;
    draft->inner = ARENA_NEW(arena, Maker);
    *draft->inner = (Maker){.f = body_create(m->f->program), .draft = draft};
    draft->inner->random = random_next(&m->random);
    draft->steps = pick(m, 1, STEP_LIMIT);
    draft->alive = -1;
    for (int64_t i = pick(m, 0, KIND_LIMIT); i > 0; i--)
        add_carried(draft);
    if (chance(m, 30))
        add_alive(draft);
    for (int64_t i = pick(m, 0, KIND_LIMIT); i > 0; i--)
        add_scanned(draft);
    if (draft->alive >= 0)
        add_go(draft);
    if (draft->inner->item_count == 0)
        return;
    random_steps(draft->inner, pick(m, 1, BODY_STEPS));
    if (choose_results(draft, stacked) + draft->carried > 0)
        enter_results(draft, stacked);
}
