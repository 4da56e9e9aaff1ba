/* Composites, as the evaluator has them and as expand.c spells them out, against formulas in
 * double. Logits are ordinary and extreme: where the naive formula overflows the result must still
 * be right. */
#include <criterion/criterion.h>
#include <math.h>

#include "ir/eval.h"
#include "passes/passes.h"

enum { ROWS = 4, CLASSES = 5 };

static const double logits[ROWS][CLASSES] = {{0.5, -1.25, 2, 0, 0.75},
                                             {1000, 999, -1000, 998.5, 0},
                                             {-1000, -1001, -1000, -1002, -1003},
                                             {3, 3, 3, 3, 3}};
static const int labels[ROWS] = {2, 0, 4, 1};

static double row_log_sum(const double *row) /* log Σ exp, as a maximum and what is above it */
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < CLASSES; i++)
        most = fmax(most, row[i]);
    for (int i = 0; i < CLASSES; i++)
        sum += exp(row[i] - most);
    return most + log(sum);
}

typedef struct Case {
    Arena *arena;
    Function *f;
    Node *x;
    Value inputs[2];
} Case;

static Case case_create(void)
{
    Case c = {.arena = arena_create()};
    Program *program = program_create(c.arena, diag_create(c.arena), "p");
    TensorType type = type_make(TYPE_F32, 2, (int64_t[]){ROWS, CLASSES});
    c.f = program_add_function(program, "f");
    c.x = graph_input(c.f, "x", type);
    c.inputs[0] = value_create(c.arena, type);
    for (int i = 0; i < ROWS * CLASSES; i++)
        c.inputs[0].numbers[i] = logits[i / CLASSES][i % CLASSES];
    return c;
}

/* Result 0 in both forms and both precisions must be `expected`. */
static void check(Case *c, const char *what, Node *y, const double *expected)
{
    cr_assert(y != NULL, "%s: %s", what, c->f->program->diag->messages[0]);
    function_add_result(c->f, NULL, y);
    for (int expanded = 0; expanded < 2; expanded++) {
        for (int precision = 0; precision < 2; precision++) {
            Value result;
            graph_evaluate(c->arena, precision ? EVALUATE_F64 : EVALUATE_F32, c->f, c->inputs, NULL,
                           &result);
            for (int64_t i = 0; i < type_elements(&result.type); i++) {
                double tolerance = (precision ? 1e-12 : 3e-7) * (1 + fabs(expected[i]));
                cr_expect(fabs(result.numbers[i] - expected[i]) <= tolerance,
                          "%s%s, element %d: %.17g, must be %.17g", what,
                          expanded ? " expanded" : "", (int)i, result.numbers[i], expected[i]);
            }
        }
        pass_expand(c->f);
        for (int i = 0; i < c->f->node_count; i++)
            cr_expect(!op_is(c->f->nodes[i]->op, COMPOSITE), "%s is still there", what);
    }
    arena_destroy(c->arena);
}

Test(expand, softmax)
{
    Case c = case_create();
    double expected[ROWS * CLASSES];
    for (int i = 0; i < ROWS * CLASSES; i++)
        expected[i] = exp(logits[i / CLASSES][i % CLASSES] - row_log_sum(logits[i / CLASSES]));
    check(&c, "softmax", graph_softmax(c.f, OP_softmax, c.x, 1), expected);
}

Test(expand, log_softmax)
{
    Case c = case_create();
    double expected[ROWS * CLASSES];
    for (int i = 0; i < ROWS * CLASSES; i++)
        expected[i] = logits[i / CLASSES][i % CLASSES] - row_log_sum(logits[i / CLASSES]);
    check(&c, "log_softmax", graph_softmax(c.f, OP_log_softmax, c.x, 1), expected);
}

Test(expand, softmax_cross_entropy)
{
    Case c = case_create();
    double expected[ROWS];
    TensorType type = type_make(TYPE_I32, 1, (int64_t[]){ROWS});
    Node *target = graph_input(c.f, "labels", type);
    c.inputs[1] = value_create(c.arena, type);
    for (int i = 0; i < ROWS; i++) {
        c.inputs[1].integers[i] = labels[i];
        expected[i] = row_log_sum(logits[i]) - logits[i][labels[i]];
    }
    check(&c, "softmax_cross_entropy", graph_binary(c.f, OP_softmax_cross_entropy, c.x, target),
          expected);
}

/* -t·log σ(x) - (1-t)·log(1-σ(x)), each logarithm from the side where it does not cancel */
static double cross_entropy(double x, double t)
{
    double above = log1p(exp(-fabs(x)));
    return t * (above + fmax(-x, 0)) + (1 - t) * (above + fmax(x, 0));
}

Test(expand, sigmoid_cross_entropy)
{
    Case c = case_create();
    double expected[ROWS * CLASSES];
    Node *target = graph_input(c.f, "targets", c.x->type);
    c.inputs[1] = value_create(c.arena, c.x->type);
    for (int i = 0; i < ROWS * CLASSES; i++) {
        c.inputs[1].numbers[i] = (i % 5) * 0.25;
        expected[i] = cross_entropy(logits[i / CLASSES][i % CLASSES], c.inputs[1].numbers[i]);
    }
    check(&c, "sigmoid_cross_entropy", graph_binary(c.f, OP_sigmoid_cross_entropy, c.x, target),
          expected);
}

/* Over the rows, as a batch norm. */
Test(expand, normalize)
{
    static const int64_t axis = 0;
    Case c = case_create();
    double expected[ROWS * CLASSES];
    for (int j = 0; j < CLASSES; j++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < ROWS; i++)
            mean += logits[i][j] / ROWS;
        for (int i = 0; i < ROWS; i++)
            variance += (logits[i][j] - mean) * (logits[i][j] - mean) / ROWS;
        for (int i = 0; i < ROWS; i++)
            expected[i * CLASSES + j] = (logits[i][j] - mean) / sqrt(variance + 1000);
    }
    check(&c, "normalize", graph_normalize(c.f, c.x, 1, &axis, 1000), expected);
}
