/* The optimizer is part of the program: gradients, learning rate and new parameters are nodes of
 * @train_step.
 *
 *     fn @train_step(…) -> f32[] {            fn @train_step(…) -> f32[] {
 *       …                                       …
 *       return %loss                            %g: f32[4] = …                        gradient of
 * %w }                                         %v: f32[4] = 0.9·%momentum + %g update
 * %"optimizer.momentum.w" <- %v update %w <- %w - rate·%v update %step <- %step + 1 return %loss
 *                                             }
 *
 * Formulas and the order of things are PyTorch's (torch.optim and torch.nn.utils.clip_grad), so
 * that recipes carry over: the loss's gradient is clipped, by value and then by norm; then weight
 * decay and L1 are added; then the rule is applied. What depends on the step alone is computed once
 * a step on scalars (schedule.c), not for each element. Parameters the loss does not depend on stay
 * as they are, without decay. f16 and bf16 parameters take their steps in f32 and are rounded. */
#include "passes/optimizer.h"

#include <string.h>

#include "passes/grad.h"
#include "passes/passes.h"

/* One parameter on its way through the step */
typedef struct Trained {
    State *state;
    Node *value;    /* before the step */
    Node *gradient; /* clipped, with L2 and L1 when the rule sees it */
    double decay;   /* decoupled weight decay (AdamW only) */
} Trained;

typedef struct Optimizer {
    Program *program;
    const OptimizerRecipe *recipe;
    Function *step;       /* @train_step */
    Function *initialize; /* or NULL */
    Node *rate;           /* learning rate of this step, f32[] */
    Node *correction1;    /* Adam: 1 - beta1ᵗ and 1 - beta2ᵗ, t counting from 1 */
    Node *correction2;
} Optimizer;

static Node *scaled(Function *f, Node *x, double factor)
{
    return graph_binary_scalar(f, OP_mul, x, factor);
}

static Node *zeros(Function *f, const TensorType *type)
{
    return graph_broadcast(f, graph_scalar(f, type->element, 0.0), type->rank, type->dims);
}

/* One of the step's scalars, f32[], in the element type a parameter is computed with */
static Node *for_parameter(Optimizer *o, Node *scalar, const Trained *p)
{
    return graph_cast(o->step, scalar, element_computed(p->state->type.element));
}

/* A state that begins as noughts; the one of that name when a frontend has made it already. */
static State *zero_state(Optimizer *o, const char *name, TensorType type)
{
    State *state = program_find_state(o->program, name);
    if (!state)
        state = program_add_state(o->program, name, type);
    if (state && o->initialize)
        function_set_update(o->initialize, state, zeros(o->initialize, &state->type));
    return state;
}

/* The optimizer's own tensor for a parameter, "optimizer.KIND.NAME" */
static State *moment_state(Optimizer *o, const char *kind, const Trained *p)
{
    const char *name = arena_print(o->program->arena, "optimizer.%s.%s", kind, p->state->name);
    TensorType type = p->state->type;
    type.element = element_computed(type.element);
    return zero_state(o, name, type);
}

/* state ← decay·state + weight·x; the new value */
static Node *moving_average(Optimizer *o, State *state, double decay, double weight, Node *x)
{
    Function *f = o->step;
    Node *kept = scaled(f, graph_state(f, state), decay);
    Node *sum = graph_add(f, kept, weight == 1.0 ? x : scaled(f, x, weight));
    function_set_update(f, state, sum);
    return sum;
}

/* How far each rule moves a parameter; the learning rate is in it. */
static Node *change_sgd(Optimizer *o, const Trained *p)
{
    Function *f = o->step;
    double momentum = o->recipe->momentum;
    Node *direction = p->gradient;
    if (momentum != 0.0) {
        Node *velocity =
            moving_average(o, moment_state(o, "momentum", p), momentum, 1.0, direction);
        direction =
            o->recipe->nesterov ? graph_add(f, direction, scaled(f, velocity, momentum)) : velocity;
    }
    return graph_mul(f, direction, for_parameter(o, o->rate, p));
}

/* m / (1-β1ᵗ) / (√(v / (1-β2ᵗ)) + ε); both corrections are applied to scalars or by one product. */
static Node *change_adam(Optimizer *o, const Trained *p)
{
    Function *f = o->step;
    const OptimizerRecipe *r = o->recipe;
    Node *square = graph_mul(f, p->gradient, p->gradient);
    Node *m = moving_average(o, moment_state(o, "m", p), r->beta1, 1.0 - r->beta1, p->gradient);
    Node *v = moving_average(o, moment_state(o, "v", p), r->beta2, 1.0 - r->beta2, square);
    Node *correction = for_parameter(o, graph_unary(f, OP_rsqrt, o->correction2), p);
    Node *root = graph_mul(f, graph_unary(f, OP_sqrt, v), correction);
    Node *size = graph_binary_scalar(f, OP_add, root, r->epsilon);
    Node *rate = for_parameter(o, graph_div(f, o->rate, o->correction1), p);
    return graph_mul(f, graph_div(f, m, size), rate);
}

static Node *change_rmsprop(Optimizer *o, const Trained *p)
{
    Function *f = o->step;
    const OptimizerRecipe *r = o->recipe;
    Node *square = graph_mul(f, p->gradient, p->gradient);
    Node *v = moving_average(o, moment_state(o, "v", p), r->beta2, 1.0 - r->beta2, square);
    Node *size = graph_binary_scalar(f, OP_add, graph_unary(f, OP_sqrt, v), r->epsilon);
    Node *direction = graph_div(f, p->gradient, size);
    if (r->momentum != 0.0)
        direction = moving_average(o, moment_state(o, "momentum", p), r->momentum, 1.0, direction);
    return graph_mul(f, direction, for_parameter(o, o->rate, p));
}

static Node *change_of(Optimizer *o, const Trained *p)
{
    switch (o->recipe->kind) {
    case OPTIMIZER_SGD:
        return change_sgd(o, p);
    case OPTIMIZER_ADAM:
    case OPTIMIZER_ADAMW:
        return change_adam(o, p);
    case OPTIMIZER_RMSPROP:
        return change_rmsprop(o, p);
    }
    INGOT_BUG("optimizer %d", (int)o->recipe->kind);
}

static void update_parameter(Optimizer *o, const Trained *p)
{
    Function *f = o->step;
    f->place = p->state->place;
    Node *value = p->value;
    if (p->decay != 0.0) /* AdamW: first value·(1 - rate·decay), then the step */
        value = graph_sub(f, value,
                          graph_mul(f, value, for_parameter(o, scaled(f, o->rate, p->decay), p)));
    value = graph_sub(f, value, change_of(o, p));
    function_set_update(f, p->state, graph_cast(f, value, p->state->type.element));
}

/* Each gradient held in [-limit, limit] */
static void clip_by_value(Function *f, Trained *list, int count, double limit)
{
    for (int i = 0; i < count; i++) {
        Node *above = graph_binary_scalar(f, OP_max, list[i].gradient, -limit);
        list[i].gradient = graph_binary_scalar(f, OP_min, above, limit);
    }
}

/* All of them scaled by min(1, limit / (norm + 1e-6)), norm being that of all gradients as one
 * vector */
static void clip_by_norm(Function *f, Trained *list, int count, double limit)
{
    Node *sum = NULL;
    for (int i = 0; i < count; i++) {
        Node *square = graph_mul(f, list[i].gradient, list[i].gradient);
        Node *part = graph_cast(f, graph_reduce_all(f, OP_reduce_sum, square), TYPE_F32);
        sum = sum ? graph_add(f, sum, part) : part;
    }
    if (!sum)
        return;
    Node *norm = graph_binary_scalar(f, OP_add, graph_unary(f, OP_sqrt, sum), 1e-6);
    Node *factor = graph_div(f, graph_scalar(f, TYPE_F32, limit), norm);
    factor = graph_binary_scalar(f, OP_min, factor, 1.0);
    for (int i = 0; i < count; i++) {
        Node *typed = graph_cast(f, factor, list[i].gradient->type.element);
        list[i].gradient = graph_mul(f, list[i].gradient, typed);
    }
}

/* Weight decay (½·decay·|w|²) and L1 (l1·|w|) join the gradient, except that AdamW's decay stays
 * outside. */
static void regularise(Optimizer *o, Trained *p)
{
    Function *f = o->step;
    const OptimizerRecipe *r = o->recipe;
    double decay = pattern_value(r->weight_decay, r->weight_decay_count, p->state->name);
    double l1 = pattern_value(r->l1, r->l1_count, p->state->name);
    f->place = p->state->place;
    if (r->kind == OPTIMIZER_ADAMW)
        p->decay = decay;
    else if (decay != 0.0)
        p->gradient = graph_add(f, p->gradient, scaled(f, p->value, decay));
    if (l1 != 0.0)
        p->gradient = graph_add(f, p->gradient, scaled(f, graph_unary(f, OP_sign, p->value), l1));
}

static Node *value_of(Function *f, State *state)
{
    return graph_cast(f, graph_state(f, state), element_computed(state->type.element));
}

/* Gradients of the loss for every parameter that is not frozen; those the loss does not depend on
 * are left out. */
static bool gradients_of_loss(Optimizer *o, Trained **list, int *count)
{
    Program *program = o->program;
    State **states = ARENA_ARRAY(program->arena, State *, program->state_count);
    Node **gradients = ARENA_ARRAY(program->arena, Node *, program->state_count);
    int wanted = 0;
    for (int i = 0; i < program->state_count; i++)
        if (program->states[i]->parameter && !program->states[i]->frozen)
            states[wanted++] = program->states[i];
    if (!gradient_build(o->step, o->step->results[0].node, wanted, states, gradients))
        return false;
    *list = ARENA_ARRAY(program->arena, Trained, wanted);
    *count = 0;
    for (int i = 0; i < wanted; i++)
        if (gradients[i])
            (*list)[(*count)++] = (Trained){.state = states[i],
                                            .value = value_of(o->step, states[i]),
                                            .gradient = gradients[i]};
    return true;
}

/* Counts the step and computes what depends on it alone. */
static void count_step(Optimizer *o)
{
    Function *f = o->step;
    const OptimizerRecipe *r = o->recipe;
    State *counter = zero_state(o, "step", type_scalar(TYPE_I64));
    Node *next = graph_binary_scalar(f, OP_add, graph_state(f, counter), 1.0);
    function_set_update(f, counter, next);
    o->rate = schedule_learning_rate(f, r, graph_cast(f, graph_state(f, counter), TYPE_F32));
    if (r->kind == OPTIMIZER_ADAM || r->kind == OPTIMIZER_ADAMW) {
        Node *t = graph_cast(f, next, TYPE_F32);
        o->correction1 = schedule_bias_correction(f, r->beta1, t);
        o->correction2 = schedule_bias_correction(f, r->beta2, t);
    }
}

bool optimizer_build(Program *program, OptimizerRecipe *recipe)
{
    Optimizer o = {.program = program, .recipe = recipe};
    o.step = program_find_function(program, "train_step");
    o.initialize = program_find_function(program, "initialize");
    if (!o.step || o.step->result_count == 0)
        return diag_error(program->diag, program->name, "there is no loss to train on");
    bool ok = pattern_values_check(program, recipe->weight_decay, recipe->weight_decay_count);
    ok = pattern_values_check(program, recipe->l1, recipe->l1_count) && ok;
    Trained *list = NULL;
    int count = 0;
    const char *place = o.step->place;
    if (!gradients_of_loss(&o, &list, &count) || !ok)
        return false;
    int errors = program->diag->error_count;
    o.step->place = NULL;
    count_step(&o);
    if (recipe->clip_value > 0.0)
        clip_by_value(o.step, list, count, recipe->clip_value);
    if (recipe->clip_norm > 0.0)
        clip_by_norm(o.step, list, count, recipe->clip_norm);
    for (int i = 0; i < count; i++)
        regularise(&o, &list[i]);
    for (int i = 0; i < count; i++)
        update_parameter(&o, &list[i]);
    o.step->place = place;
    return program->diag->error_count == errors;
}
