/* Compares two forms of one program by the evaluator; see agree.h. */
#include "tests/support/agree.h"

#include <math.h>

#include "ir/element.h"
#include "ir/eval.h"

enum { ROUNDS = 4 };

static uint64_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 33;
}

static double ordinary(uint64_t *random)
{
    return ((double)(next_random(random) % 4001) - 2000.0) / 997.0;
}

static double special(uint64_t *random)
{
    static const double list[] = {0.0,       -0.0, 1.0,   -1.0,  INFINITY,
                                  -INFINITY, NAN,  1e-30, -1e38, 2.5};
    return list[next_random(random) % (sizeof list / sizeof list[0])];
}

static Value random_value(Arena *arena, const TensorType *type, bool specials, uint64_t *random)
{
    Value value = value_create(arena, *type);
    for (int64_t i = 0; i < type_elements(type); i++) {
        if (element_is_float(type->element))
            value.numbers[i] = element_round(
                type->element, (double)(float)(specials ? special(random) : ordinary(random)));
        else /* small, as labels, rows and conditions are */
            value.integers[i] =
                (int64_t)(next_random(random) % (type->element == TYPE_BOOL ? 2 : 3));
        if (value.integers && type->element != TYPE_BOOL && type->element != TYPE_I32 &&
            next_random(random) % 4 == 0)
            value.integers[i] =
                element_wrap(type->element, (int64_t)(next_random(random) * 0x9e3779b97f4a7c15u));
    }
    return value;
}

/* Sums may be taken in another order, and the sum of nothing but -0 may be either nought. */
static bool has_sums(const Function *f)
{
    for (int i = 0; i < f->node_count; i++)
        if (op_is(f->nodes[i]->op, REDUCES | CONTRACTS | WINDOWS))
            return true;
    return false;
}

static bool numbers_agree(double a, double b, bool signs)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    if (a == 0.0 && b == 0.0)
        return !signs || signbit(a) == signbit(b);
    return fabs(a - b) <= 1e-5 * fmax(1.0, fmax(fabs(a), fabs(b)));
}

static bool values_agree(Diag *diag, const char *what, const Value *a, const Value *b, bool signs)
{
    for (int64_t i = 0; i < type_elements(&a->type); i++) {
        if (a->numbers && !numbers_agree(a->numbers[i], b->numbers[i], signs))
            return diag_error(diag, what, "element %d was %.9g and is %.9g", (int)i, a->numbers[i],
                              b->numbers[i]);
        if (a->integers && a->integers[i] != b->integers[i])
            return diag_error(diag, what, "element %d was %d and is %d", (int)i,
                              (int)a->integers[i], (int)b->integers[i]);
    }
    return true;
}

typedef struct Outcome {
    Value *results, *states;
} Outcome;

static Outcome run(Arena *arena, const Function *f, bool specials, uint64_t random)
{
    const Program *program = f->program;
    Value *inputs = ARENA_ARRAY(arena, Value, f->input_count);
    Outcome outcome = {.results = ARENA_ARRAY(arena, Value, f->result_count),
                       .states = ARENA_ARRAY(arena, Value, program->state_count)};
    for (int i = 0; i < f->input_count; i++)
        inputs[i] = random_value(arena, &f->inputs[i]->type, specials, &random);
    for (int i = 0; i < program->state_count; i++) {
        const State *state = program->states[i];
        outcome.states[i] = state->value ? value_read(arena, state->type, state->value)
                                         : random_value(arena, &state->type, specials, &random);
    }
    graph_evaluate(arena, EVALUATE_F32, f, inputs, outcome.states, outcome.results);
    return outcome;
}

static bool functions_agree(Diag *diag, const Function *before, const Function *after,
                            bool specials, uint64_t random)
{
    Arena *arena = arena_create();
    Outcome a = run(arena, before, specials, random), b = run(arena, after, specials, random);
    bool signs = specials && !has_sums(before), same = true;
    for (int i = 0; same && i < before->result_count; i++)
        same = values_agree(diag, arena_print(arena, "@%s, result %d", before->name, i),
                            &a.results[i], &b.results[i], signs);
    for (int i = 0; same && i < after->program->state_count; i++) { /* it may have fewer */
        const State *state = after->program->states[i];
        const State *old = program_find_state(before->program, state->name);
        same =
            values_agree(diag, arena_print(arena, "@%s, state \"%s\"", before->name, state->name),
                         &a.states[old->index], &b.states[i], signs);
    }
    arena_destroy(arena);
    return same;
}

bool programs_agree(Diag *diag, const Program *before, const Program *after, Agreement agreement)
{
    for (int i = 0; i < before->function_count; i++)
        for (int round = 0; round < ROUNDS; round++) {
            bool specials = agreement == AGREE_STRICTLY && round % 2;
            if (!functions_agree(diag, before->functions[i], after->functions[i], specials,
                                 (uint64_t)(round * 31 + i + 7)))
                return false;
        }
    return true;
}
