/* What depends on the number of the step alone, as a handful of scalar nodes: the learning rate's
 * schedule and Adam's bias correction. With k steps done, W of warm-up, length L and end factor e:
 *
 *     warm-up    rate·min((k+1)/W, 1)                  the first step already moves, step W has the
 * full rate p          = max(k - W, 0) / L                   how far the schedule has come cosine
 * rate·(e + (1-e)·(1 + cos(π·min(p,1)))/2)        Loshchilov & Hutter, SGDR, 2017 linear rate·(1 +
 * (e-1)·min(p,1)) step       rate·e^⌊p⌋
 *
 * f32 counts steps exactly up to 2²⁴ (sixteen million); later the schedule is at its end anyway. */
#include <math.h>

#include "passes/optimizer.h"

static Node *scaled(Function *f, Node *x, double factor)
{
    return graph_binary_scalar(f, OP_mul, x, factor);
}

/* Where the schedule stands: 0 at the end of the warm-up, 1 after schedule_steps more. */
static Node *progress(Function *f, const OptimizerRecipe *r, Node *done)
{
    Node *since = done;
    if (r->warmup_steps > 0)
        since = graph_binary_scalar(f, OP_max,
                                    graph_binary_scalar(f, OP_sub, done, r->warmup_steps), 0.0);
    return graph_binary_scalar(f, OP_div, since, r->schedule_steps > 1.0 ? r->schedule_steps : 1.0);
}

static Node *factor_cosine(Function *f, double end, Node *part)
{
    Node *wave = graph_unary(f, OP_cos, scaled(f, part, M_PI));
    return graph_binary_scalar(f, OP_add, scaled(f, wave, (1.0 - end) / 2.0), (1.0 + end) / 2.0);
}

static Node *factor_of_schedule(Function *f, const OptimizerRecipe *r, Node *done)
{
    double end = r->final_factor;
    Node *p = progress(f, r, done);
    if (r->schedule == SCHEDULE_STEP)
        return graph_binary(f, OP_pow, graph_scalar(f, TYPE_F32, end), graph_unary(f, OP_floor, p));
    Node *part = graph_binary_scalar(f, OP_min, p, 1.0);
    if (r->schedule == SCHEDULE_COSINE)
        return factor_cosine(f, end, part);
    return graph_binary_scalar(f, OP_add, scaled(f, part, end - 1.0), 1.0);
}

Node *schedule_learning_rate(Function *f, const OptimizerRecipe *recipe, Node *done)
{
    Node *rate = graph_scalar(f, TYPE_F32, recipe->learning_rate);
    if (recipe->schedule != SCHEDULE_CONSTANT)
        rate = graph_mul(f, rate, factor_of_schedule(f, recipe, done));
    if (recipe->warmup_steps > 0) {
        Node *risen = graph_binary_scalar(f, OP_div, graph_binary_scalar(f, OP_add, done, 1.0),
                                          recipe->warmup_steps);
        rate = graph_mul(f, rate, graph_binary_scalar(f, OP_min, risen, 1.0));
    }
    return rate;
}

/* 1 - 0.999 in f32 is off by 1e-5 of itself; -expm1(t·ln 0.999), the logarithm taken in double, is
 * not. */
Node *schedule_bias_correction(Function *f, double beta, Node *t)
{
    if (beta <= 0.0)
        return graph_scalar(f, TYPE_F32, 1.0);
    return graph_unary(f, OP_neg, graph_unary(f, OP_expm1, scaled(f, t, log(beta))));
}
