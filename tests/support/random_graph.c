/* The generator's frame and its element-wise steps; see random_graph.h. The steps that know about
 * shapes are in random_shaped.c. */
#include "tests/support/random_graph.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "ir/element.h"
#include "tests/support/random_parts.h"

uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t pick(Maker *m, int64_t from, int64_t to)
{
    return from + (int64_t)(random_next(&m->random) % (uint64_t)(to - from + 1));
}

bool chance(Maker *m, int percent)
{
    return pick(m, 0, 99) < percent;
}

int64_t pick_length(Maker *m)
{
    static const int64_t lengths[] = {1, 2, 3, 3, 4, 5, 5, 7, 8, 9, 11, 13, 16, 17, 19, 31, 33};
    return lengths[pick(m, 0, (int64_t)(sizeof lengths / sizeof *lengths) - 1)];
}

typedef bool Fits(ElementType element, ElementType wanted);

static bool is_same(ElementType element, ElementType wanted)
{
    return element == wanted;
}

static bool is_integer(ElementType element, ElementType wanted)
{
    (void)wanted;
    return element_is_integer(element);
}

static Item *pick_where(Maker *m, Fits *fits, ElementType wanted, int rank, bool exact)
{
    int start = (int)pick(m, 0, m->item_count - 1);
    for (int i = 0; i < m->item_count; i++) {
        Item *item = &m->items[(start + i) % m->item_count];
        const TensorType *type = &item->node->type;
        if (fits(type->element, wanted) && type->rank >= rank && (item->exact || !exact))
            return item;
    }
    return NULL;
}

Item *pick_item(Maker *m, ElementType element, int rank, bool exact)
{
    return pick_where(m, is_same, element, rank, exact);
}

Item *pick_integer(Maker *m, int rank, bool exact)
{
    return pick_where(m, is_integer, TYPE_I32, rank, exact);
}

static bool is_storage(ElementType element, ElementType wanted)
{
    (void)wanted;
    return element_is_storage(element);
}

Item *pick_storage(Maker *m, int rank)
{
    return pick_where(m, is_storage, TYPE_F16, rank, false);
}

ElementType storage_element(Maker *m)
{
    return chance(m, 50) ? TYPE_F16 : TYPE_BF16;
}

ElementType integer_element(Maker *m)
{
    static const ElementType elements[] = {TYPE_I32, TYPE_I32, TYPE_I32, TYPE_I64, TYPE_I16,
                                           TYPE_I8,  TYPE_U8,  TYPE_U16, TYPE_U32, TYPE_U64};
    return elements[pick(m, 0, (int64_t)(sizeof elements / sizeof *elements) - 1)];
}

void enter(Maker *m, Node *node, double bound, bool exact)
{
    if (!node) {
        diag_print(m->f->program->diag, stderr);
        INGOT_BUG("the generator made an operation that does not fit");
    }
    if (node->type.element == TYPE_F32 && bound > 8) {
        int exponent = (int)ceil(log2(bound / 8)); /* a power of two rounds nothing */
        node = graph_binary_scalar(m->f, OP_mul, node, ldexp(1, -exponent));
        bound = ldexp(bound, -exponent);
        exact = false;
    }
    if (m->item_count < ITEM_LIMIT && type_elements(&node->type) <= SMALL)
        m->items[m->item_count++] = (Item){.node = node, .bound = bound, .exact = exact};
}

Node *new_input(Maker *m, ElementType element, int rank, const int64_t *dims)
{
    if (m->draft)
        return random_invariant(m, element, rank, dims);
    const char *name = arena_print(m->f->program->arena, "in%d", m->input_count++);
    return graph_input(m->f, name, type_make(element, rank, dims));
}

static void step_input(Maker *m)
{
    ElementType element = chance(m, 60)   ? TYPE_F32
                          : chance(m, 20) ? storage_element(m)
                          : chance(m, 60) ? integer_element(m)
                                          : TYPE_BOOL;
    int64_t dims[RANK_LIMIT], count = 1;
    int rank = (int)pick(m, 0, 5);
    for (int i = 0; i < rank; i++) {
        dims[i] = pick_length(m);
        if (count * dims[i] > SMALL)
            dims[i] = 1;
        count *= dims[i];
    }
    enter(m, new_input(m, element, rank, dims), INPUT_BOUND, true);
}

static void step_state(Maker *m)
{
    Program *program = m->f->program;
    if (m->draft)
        return;
    int64_t dims[3] = {pick_length(m), pick(m, 1, 3), pick(m, 1, 9)};
    ElementType element = chance(m, 85) ? TYPE_F32 : storage_element(m);
    TensorType type = type_make(element, (int)pick(m, 0, 3), dims);
    State *state = program_add_state(
        program, arena_print(program->arena, "state.%d", program->state_count), type);
    state->parameter = chance(m, 70);
    enter(m, graph_state(m->f, state), INPUT_BOUND, true);
}

static void step_constant(Maker *m)
{
    int64_t dims[2] = {pick_length(m), pick(m, 1, 6)};
    TensorType type =
        type_make(chance(m, 80) ? TYPE_F32 : integer_element(m), (int)pick(m, 0, 2), dims);
    void *data = arena_alloc(m->f->program->arena, (size_t)type_bytes(&type));
    random_fill(&type, random_next(&m->random), data);
    enter(m, graph_constant(m->f, type, data), INPUT_BOUND, true);
}

static void step_iota(Maker *m)
{
    int64_t dims[3] = {pick_length(m), pick(m, 1, 5), pick_length(m)};
    int rank = (int)pick(m, 1, 3);
    ElementType element = chance(m, 50) ? integer_element(m) : TYPE_F32;
    enter(m, graph_iota(m->f, element, rank, dims, pick(m, 0, rank - 1)), 33, true);
}

static void step_random(Maker *m)
{
    int64_t three = 3, dims[2] = {pick_length(m), pick_length(m)};
    Node *key = new_input(m, TYPE_I32, 1, &three);
    enter(m, graph_random(m->f, key, (int)pick(m, 0, 2), dims), 1, true);
}

/* |x| + 1/2 */
static Node *positive(Maker *m, Node *x)
{
    return graph_binary_scalar(m->f, OP_add, graph_unary(m->f, OP_abs, x), 0.5);
}

static void step_unary(Maker *m)
{
    static const Op ops[] = {OP_neg, OP_abs, OP_tanh, OP_sigmoid, OP_erf, OP_sin, OP_cos, OP_atan};
    Op op = ops[pick(m, 0, 7)];
    Item *x = pick_item(m, TYPE_F32, 0, false);
    if (x)
        enter(m, graph_unary(m->f, op, x->node), op == OP_neg || op == OP_abs ? x->bound : 1.6,
              x->exact && (op == OP_neg || op == OP_abs));
}

static void step_exponential(Maker *m)
{
    Item *x = pick_item(m, TYPE_F32, 0, false);
    if (!x)
        return;
    Node *small = x->bound > 2 ? graph_unary(m->f, OP_tanh, x->node) : x->node;
    enter(m, graph_unary(m->f, chance(m, 50) ? OP_exp : OP_expm1, small), 7.5, false);
}

static void step_positive(Maker *m)
{
    static const Op ops[] = {OP_log, OP_log1p, OP_sqrt, OP_rsqrt};
    Item *x = pick_item(m, TYPE_F32, 0, false);
    if (x)
        enter(m, graph_unary(m->f, ops[pick(m, 0, 3)], positive(m, x->node)), 3, false);
}

static void step_rounding(Maker *m)
{
    static const Op ops[] = {OP_sign, OP_floor, OP_ceil, OP_round};
    Item *x = pick_item(m, TYPE_F32, 0, true);
    if (x)
        enter(m, graph_unary(m->f, ops[pick(m, 0, 3)], x->node), x->bound + 1, true);
}

static void step_integer_unary(Maker *m)
{
    static const Op ops[] = {OP_neg, OP_abs, OP_sign, OP_not};
    Item *x = pick_integer(m, 0, false);
    if (x)
        enter(m, graph_unary(m->f, ops[pick(m, 0, 3)], x->node), 0, true);
}

static void step_cast(Maker *m)
{
    ElementType to = chance(m, 40) ? TYPE_F32 : chance(m, 80) ? integer_element(m) : TYPE_BOOL;
    Item *x = chance(m, 40)   ? pick_item(m, TYPE_F32, 0, true)
              : chance(m, 80) ? pick_integer(m, 0, true)
                              : pick_item(m, TYPE_BOOL, 0, true);
    if (!x || x->node->type.element == to)
        return;
    Node *node = x->node;
    bool integer = element_is_integer(node->type.element);
    if (integer && to == TYPE_F32)
        node = graph_binary_scalar(m->f, OP_mod, node, 9);
    enter(m, graph_cast(m->f, node, to), integer ? 8 : 1, true);
}

/* To f16 or bf16, or back. What has been rounded before may be rounded to a neighbour here. */
static void step_storage(Maker *m)
{
    Item *stored = pick_storage(m, 0), *x = pick_item(m, TYPE_F32, 0, true);
    if (stored && (!x || chance(m, 50)))
        enter(m, graph_cast(m->f, stored->node, TYPE_F32), stored->bound, true);
    else if (x)
        enter(m, graph_cast(m->f, x->node, storage_element(m)), x->bound, true);
}

/* Something to go with x: of its shape, of one it broadcasts with, or a scalar. */
static Item partner(Maker *m, const Item *x, bool exact)
{
    const TensorType *type = &x->node->type;
    Item *other = pick_item(m, type->element, 0, exact);
    if (other && type_same_dims(&other->node->type, type))
        return *other;
    TensorType small = *type;
    int dropped = (int)pick(m, 0, type->rank);
    small.rank -= dropped;
    for (int i = 0; i < small.rank; i++)
        small.dims[i] = chance(m, 30) ? 1 : type->dims[i + dropped];
    return (Item){.node = new_input(m, type->element, small.rank, small.dims),
                  .bound = INPUT_BOUND,
                  .exact = true};
}

static void step_binary(Maker *m)
{
    static const Op ops[] = {OP_add, OP_sub, OP_mul, OP_max, OP_min, OP_div, OP_pow, OP_mod};
    Op op = ops[pick(m, 0, 7)];
    Item *a = pick_item(m, TYPE_F32, 0, op == OP_mod);
    if (!a)
        return;
    Item b = partner(m, a, op == OP_mod);
    double bound = a->bound + b.bound;
    Node *left = a->node, *right = b.node;
    if (op == OP_mul) {
        bound = a->bound * b.bound;
    } else if (op == OP_div) {
        right = positive(m, right);
        bound = 2 * a->bound;
    } else if (op == OP_pow) {
        left = positive(m, left);
        right = graph_unary(m->f, OP_tanh, right);
    } else if (op == OP_mod) { /* by whole halves: any rounding would show */
        right = graph_binary_scalar(m->f, OP_add, graph_unary(m->f, OP_abs, right), 0.5);
    }
    bool chosen = op == OP_max || op == OP_min;
    if (chance(m, 50) && op_is(op, COMMUTES))
        enter(m, graph_binary(m->f, op, right, left), bound, chosen && a->exact && b.exact);
    else
        enter(m, graph_binary(m->f, op, left, right), bound, chosen && a->exact && b.exact);
}

static void step_integer_binary(Maker *m)
{
    static const Op ops[] = {OP_add, OP_sub, OP_mul, OP_div, OP_mod,        OP_max,
                             OP_min, OP_and, OP_or,  OP_xor, OP_shift_left, OP_shift_right};
    Item *a = pick_integer(m, 0, false);
    if (a)
        enter(m, graph_binary(m->f, ops[pick(m, 0, 11)], a->node, partner(m, a, false).node), 0,
              true);
}

static void step_compare(Maker *m)
{
    static const Op ops[] = {OP_eq, OP_ne, OP_lt, OP_le, OP_gt, OP_ge};
    Item *a = chance(m, 60) ? pick_item(m, TYPE_F32, 0, true) : pick_integer(m, 0, true);
    if (a)
        enter(m, graph_binary(m->f, ops[pick(m, 0, 5)], a->node, partner(m, a, true).node), 0,
              true);
}

static void step_logical(Maker *m)
{
    static const Op ops[] = {OP_and, OP_or, OP_xor};
    Item *a = pick_item(m, TYPE_BOOL, 0, false);
    if (!a)
        return;
    if (chance(m, 30))
        enter(m, graph_unary(m->f, OP_not, a->node), 0, true);
    else
        enter(m, graph_binary(m->f, ops[pick(m, 0, 2)], a->node, partner(m, a, false).node), 0,
              true);
}

static void step_select(Maker *m)
{
    Item *yes = chance(m, 70)   ? pick_item(m, TYPE_F32, 0, false)
                : chance(m, 60) ? pick_integer(m, 0, false)
                                : pick_storage(m, 0);
    if (!yes)
        return;
    Item no = partner(m, yes, false), like = *yes;
    Item *condition = pick_item(m, TYPE_BOOL, 0, false);
    Node *which = condition ? condition->node : NULL;
    if (!which || !type_same_dims(&which->type, &like.node->type)) {
        const TensorType *type = &like.node->type;
        which = new_input(m, TYPE_BOOL, type->rank, type->dims);
    }
    enter(m, graph_select(m->f, which, like.node, no.node), fmax(like.bound, no.bound),
          like.exact && no.exact);
}

static void step_sigmoid_cross_entropy(Maker *m)
{
    Item *x = pick_item(m, TYPE_F32, 0, false);
    if (!x)
        return;
    Node *targets = graph_unary(m->f, OP_sigmoid, partner(m, x, false).node);
    enter(m, graph_binary(m->f, OP_sigmoid_cross_entropy, x->node, targets), x->bound + 1, false);
}

static Step *const steps[] = {
    step_storage,        step_storage,
    step_unary,          step_unary,
    step_exponential,    step_positive,
    step_rounding,       step_integer_unary,
    step_cast,           step_cast,
    step_binary,         step_binary,
    step_binary,         step_integer_binary,
    step_compare,        step_logical,
    step_select,         step_sigmoid_cross_entropy,
    step_input,          step_constant,
    step_iota,           step_random,
    step_state,          step_matmul,
    step_matmul,         step_conv,
    step_conv,           step_conv_back,
    step_window,         step_window_taps,
    step_reduce,         step_reduce,
    step_argmax,         step_window_spread,
    step_reshape,        step_transpose,
    step_broadcast,      step_slice,
    step_reverse,        step_pad,
    step_concat,         step_gather,
    step_scatter_add,    step_softmax,
    step_row_loss,       step_scan,
    step_normalize,      step_borders,
    step_channels_first, step_scatter,
    step_cumulative,     step_product,
    step_argsort,
};

void random_steps(Maker *m, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        steps[pick(m, 0, (int64_t)(sizeof steps / sizeof *steps) - 1)](m);
}

static void mark_used(Maker *m)
{
    bool *used = ARENA_ARRAY(m->f->program->arena, bool, m->f->node_count);
    for (int i = 0; i < m->f->node_count; i++)
        for (int j = 0; j < m->f->nodes[i]->in_count; j++)
            used[m->f->nodes[i]->in[j]->id] = true;
    for (int i = 0; i < m->item_count; i++)
        m->items[i].used = used[m->items[i].node->id];
}

/* What no other operation uses is a result; the last node of a state's type becomes its update. */
static void finish(Maker *m)
{
    Program *program = m->f->program;
    mark_used(m);
    for (int i = 0; i < program->state_count; i++) {
        int j = m->item_count - 1;
        while (j >= 0 && !type_equal(&m->items[j].node->type, &program->states[i]->type))
            j--;
        if (j >= 0)
            function_set_update(m->f, program->states[i], m->items[j].node);
    }
    for (int i = 0; i < m->item_count; i++) {
        const char *name = chance(m, 50) ? arena_print(program->arena, "out%d", i) : NULL;
        if (!m->items[i].used && m->items[i].node->op != OP_input)
            function_add_result(m->f, name, m->items[i].node);
    }
    if (m->f->result_count == 0)
        function_add_result(m->f, "last", m->items[m->item_count - 1].node);
}

Program *random_graph(Arena *arena, Diag *diag, uint64_t seed)
{
    Maker *maker = ARENA_NEW(arena, Maker);
    Program *program = program_create(arena, diag, arena_print(arena, "random_%" PRIu64, seed));
    maker->f = program_add_function(program, "main");
    maker->random = seed;
    step_input(maker);
    step_input(maker);
    int64_t count = pick(maker, 2, 24);
    random_steps(maker, count);
    finish(maker);
    function_clean(maker->f);
    return program;
}

void random_fill(const TensorType *type, uint64_t seed, void *data)
{
    int64_t count = type_elements(type);
    uint64_t state = seed;
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = random_next(&state);
        int64_t integer = (int64_t)(bits % 41) - 20 * !element_is_unsigned(type->element);
        double number = (double)((int64_t)(bits % 257) - 128) / 64;
        if (element_is_float(type->element))
            element_set_number(type->element, data, i, number);
        else if (type->element == TYPE_BOOL)
            element_set_integer(type->element, data, i, bits & 1);
        else /* i32 are rows and labels, too; of the others some are anything they can be */
            element_set_integer(type->element, data, i,
                                type->element != TYPE_I32 && bits >> 62 == 0 ? (int64_t)(bits << 1)
                                                                             : integer);
    }
}
