/* Each layer of the library: the shape it makes, its parameters, and what it computes, by the
 * evaluator.
 *
 * A case is a list of layers for the input "x"; `row` is the shape of a row of data. */
#include "frontend_helpers.h"

#include "base/text.h"

/* Shapes */

Test(layers, shapes)
{
    static const struct {
        const char *row, *layers, *output;
        int parameters;
        int multiply_adds;
    } cases[] = {
        {"5", "{ \"dense\": 3 }", "f32[1,3]", 18, 15},
        {"5", "{ \"dense\": 3, \"bias\": false }", "f32[1,3]", 15, 15},
        {"5", "{ \"dense\": { \"units\": 3, \"activation\": \"tanh\" } }", "f32[1,3]", 18, 15},
        {"4, 5", "{ \"dense\": 3 }", "f32[1,4,3]", 18, 60},
        {"8, 6, 3", "{ \"conv2d\": 4, \"kernel\": 3 }", "f32[1,6,4,4]", 112, 2592},
        {"8, 6, 3", "{ \"conv2d\": 4, \"kernel\": 3, \"padding\": \"same\" }", "f32[1,8,6,4]", 112,
         5184},
        {"8, 6, 3", "{ \"conv2d\": 4, \"kernel\": [3, 2], \"padding\": \"same\", \"stride\": 2 }",
         "f32[1,4,3,4]", 76, 864},
        {"8, 6, 3", "{ \"conv2d\": 4, \"kernel\": 3, \"padding\": 1, \"stride\": [1, 2] }",
         "f32[1,8,3,4]", 112, 2592},
        {"8, 6, 3", "{ \"conv2d\": 4, \"kernel\": 3, \"padding\": [0, 1, 2, 0] }", "f32[1,7,6,4]",
         112, 4536},
        {"8, 6, 3", "{ \"conv2d\": 4, \"kernel\": 3, \"dilation\": 2 }", "f32[1,4,2,4]", 112, 864},
        {"8, 6, 4", "{ \"conv2d\": 8, \"kernel\": 3, \"groups\": 4 }", "f32[1,6,4,8]", 80, 1728},
        {"9, 3", "{ \"conv1d\": 4, \"kernel\": 3, \"stride\": 3 }", "f32[1,3,4]", 40, 108},
        {"4, 4, 4, 2", "{ \"conv3d\": 3, \"kernel\": 2 }", "f32[1,3,3,3,3]", 51, 1296},
        {"7, 6, 3", "{ \"max_pool\": 2 }", "f32[1,3,3,3]", 0, 0},
        {"7, 6, 3", "{ \"max_pool\": 3, \"stride\": 2, \"padding\": \"same\" }", "f32[1,4,3,3]", 0,
         0},
        {"7, 6, 3", "{ \"average_pool\": [7, 1], \"stride\": 1 }", "f32[1,1,6,3]", 0, 0},
        {"7, 3", "{ \"max_pool\": 2 }", "f32[1,3,3]", 0, 0},
        {"7, 6, 3", "{ \"global_average_pool\": {} }", "f32[1,3]", 0, 0},
        {"7, 6, 3", "{ \"global_max_pool\": {} }", "f32[1,3]", 0, 0},
        {"7, 6, 3", "{ \"flatten\": {} }", "f32[1,126]", 0, 0},
        {"7, 6, 3", "{ \"reshape\": [3, -1] }", "f32[1,3,42]", 0, 0},
        {"7, 6, 3", "{ \"transpose\": [3, 1, 2] }", "f32[1,3,7,6]", 0, 0},
        {"7, 6, 3", "{ \"concat\": [\"x\", \"x\"], \"axis\": 1 }", "f32[1,14,6,3]", 0, 0},
        {"7, 6, 3", "{ \"concat\": [\"x\", \"x\", \"x\"] }", "f32[1,7,6,9]", 0, 0},
        {"7, 6, 3", "{ \"add\": [\"x\", \"x\", \"x\"] }", "f32[1,7,6,3]", 0, 0},
        {"7, 6, 3", "{ \"batch_norm\": {} }", "f32[1,7,6,3]", 6, 0},
        {"7, 6, 3", "{ \"layer_norm\": {} }", "f32[1,7,6,3]", 6, 0},
        {"7, 6, 4", "{ \"group_norm\": 2 }", "f32[1,7,6,4]", 8, 0},
        {"7, 6, 4", "{ \"instance_norm\": {} }", "f32[1,7,6,4]", 8, 0},
        {"7, 6, 3", "{ \"dropout\": 0.5 }", "f32[1,7,6,3]", 0, 0},
        {"8, 6, 3", "{ \"conv_transpose2d\": 4, \"kernel\": 3 }", "f32[1,10,8,4]", 112, 5184},
        {"8, 6, 3", "{ \"conv_transpose2d\": 4, \"kernel\": 4, \"stride\": 2, \"padding\": 1 }",
         "f32[1,16,12,4]", 196, 9216},
        {"8, 6, 3",
         "{ \"conv_transpose2d\": 4, \"kernel\": 3, \"stride\": [2, 3], \"padding\": \"same\" }",
         "f32[1,16,18,4]", 112, 5184},
        {"8, 6, 3",
         "{ \"conv_transpose2d\": 4, \"kernel\": 1, \"stride\": 2, \"padding\": \"same\" }",
         "f32[1,16,12,4]", 16, 576},
        {"8, 6, 4",
         "{ \"conv_transpose2d\": 6, \"kernel\": 3, \"stride\": 2, \"padding\": [1, 0, 2, 1], "
         "\"output_padding\": [0, 1], \"groups\": 2, \"dilation\": 2 }",
         "f32[1,18,13,6]", 114, 5184},
        {"9, 3", "{ \"conv_transpose1d\": 2, \"kernel\": 3, \"stride\": 3 }", "f32[1,27,2]", 20,
         162},
        {"2, 3, 2, 2", "{ \"conv_transpose3d\": 3, \"kernel\": 2 }", "f32[1,3,4,3,3]", 51, 576},
        {"7, 6, 3", "{ \"upsample\": 2 }", "f32[1,14,12,3]", 0, 0},
        {"7, 6, 3", "{ \"upsample\": [1, 3] }", "f32[1,7,18,3]", 0, 0},
        {"7, 3", "{ \"upsample\": 4 }", "f32[1,28,3]", 0, 0},
        {"7, 6, 3", "{ \"slice\": { \"axis\": 1, \"start\": 2 } }", "f32[1,5,6,3]", 0, 0},
        {"7, 6, 3", "{ \"slice\": { \"start\": -2, \"end\": -1 } }", "f32[1,7,6,1]", 0, 0},
        {"7, 6, 3", "{ \"slice\": { \"axis\": 2, \"end\": 5, \"step\": 2 } }", "f32[1,7,3,3]", 0,
         0},
        {"5, 8", "{ \"positional\": {} }", "f32[1,5,8]", 40, 0},
        {"5, 8", "{ \"positional\": \"sinusoidal\" }", "f32[1,5,8]", 0, 0},
        {"5, 8", "{ \"attention\": 2 }", "f32[1,5,8]", 288, 1680},
        {"5, 8", "{ \"attention\": { \"heads\": 4, \"dropout\": 0.1 }, \"bias\": false }",
         "f32[1,5,8]", 256, 1680},
    };
    char text[TYPE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Built b = build_layers(cases[i].row, cases[i].layers);
        const LayerSummary *summary = &b.model->layers[0];
        cr_expect_str_eq(type_print(&summary->output, text), cases[i].output, "%s",
                         cases[i].layers);
        cr_expect_eq(summary->parameters, cases[i].parameters, "%s", cases[i].layers);
        cr_expect_eq(summary->multiply_adds, cases[i].multiply_adds, "%s", cases[i].layers);
        arena_destroy(b.arena);
    }
}

Test(layers, embedding)
{
    Built b = build("{ \"inputs\": { \"word\": { \"shape\": [\"batch\", 5], \"classes\": 7 } },"
                    "  \"layers\": [{ \"embedding\": 3 }] }",
                    false);
    char text[TYPE_TEXT_BYTES];
    cr_expect_str_eq(type_print(&b.model->layers[0].output, text), "f32[1,5,3]");
    cr_expect_str_eq(type_print(&state(&b, "layers.0.weight")->type, text), "f32[7,3]");
    cr_expect_eq(b.model->label_count, 1);
    cr_expect_str_eq(b.model->labels[0].tensor, "word");
    cr_expect_eq(b.model->labels[0].classes, 7);
    arena_destroy(b.arena);
}

/* Activations against their formulas */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double relu6(double x)
{
    return relu(x) > 6 ? 6 : relu(x);
}

static double leaky(double x)
{
    return x > 0 ? x : 0.2 * x;
}

static double elu(double x)
{
    return x > 0 ? x : 1.5 * (exp(x) - 1);
}

static double gelu(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double hard_sigmoid(double x)
{
    return relu6(x + 3) / 6;
}

static double hard_swish(double x)
{
    return x * relu6(x + 3) / 6;
}

static double softplus(double x)
{
    return log(1 + exp(x));
}

Test(layers, activations)
{
    static const struct {
        const char *layer;
        double (*formula)(double);
    } cases[] = {
        {"{ \"relu\": {} }", relu},
        {"{ \"relu6\": {} }", relu6},
        {"{ \"leaky_relu\": 0.2 }", leaky},
        {"{ \"elu\": { \"alpha\": 1.5 } }", elu},
        {"{ \"gelu\": {} }", gelu},
        {"{ \"gelu\": { \"approximate\": \"tanh\" } }", gelu_tanh},
        {"{ \"silu\": {} }", silu},
        {"{ \"swish\": {} }", silu},
        {"{ \"hard_sigmoid\": {} }", hard_sigmoid},
        {"{ \"hard_swish\": {} }", hard_swish},
        {"{ \"sigmoid\": {} }", sigmoid},
        {"{ \"tanh\": {} }", tanh},
        {"{ \"softplus\": {} }", softplus},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Built b = build_layers("40", cases[i].layer);
        Value y = run(&b, "infer", 0.25, 10);
        for (int k = 0; k < 80; k++)
            expect_near(y.numbers[k], cases[i].formula(k * 0.25 - 10), 1e-6, cases[i].layer);
        arena_destroy(b.arena);
    }
}

Test(layers, activation_of_a_layer)
{
    Built b = build_layers(
        "3", "{ \"dense\": 4, \"activation\": { \"leaky_relu\": 0.5 }, \"bias_initializer\": "
             "{ \"constant\": -1 }, \"weight_initializer\": \"zeros\" }");
    Value y = run(&b, "infer", 1, 0);
    for (int k = 0; k < 8; k++)
        expect_near(y.numbers[k], -0.5, 1e-7, "leaky_relu of dense");
    arena_destroy(b.arena);
}

Test(layers, softmax)
{
    Built b = build_layers("2, 5", "{ \"softmax\": {} }");
    Value y = run(&b, "infer", 0.5, 3);
    for (int row = 0; row < 4; row++) {
        double sum = 0;
        for (int k = 0; k < 5; k++)
            sum += y.numbers[row * 5 + k];
        expect_near(sum, 1, 1e-9, "sum of softmax");
    }
    arena_destroy(b.arena);
    b = build_layers("2, 5", "{ \"softmax\": { \"axis\": 1 } }");
    y = run(&b, "infer", 0.5, 3);
    expect_near(y.numbers[0] + y.numbers[5], 1, 1e-9, "sum over axis 1");
    arena_destroy(b.arena);
}

/* Windows */

Test(layers, convolution_counts_its_window)
{
    Built b = build_layers("3, 3, 2", "{ \"conv2d\": 1, \"kernel\": 3, \"padding\": \"same\","
                                      "  \"weight_initializer\": \"ones\" }");
    Value y =
        run(&b, "infer", 0, -1); /* ones everywhere: each output is the number of taps inside */
    static const double inside[9] = {8, 12, 8, 12, 18, 12, 8, 12, 8};
    for (int k = 0; k < 9; k++)
        expect_near(y.numbers[k], inside[k], 1e-9, "same padding");
    arena_destroy(b.arena);
}

Test(layers, same_padding_puts_the_odd_row_behind)
{
    Built b = build_layers("4, 1", "{ \"conv1d\": 1, \"kernel\": 2, \"padding\": \"same\","
                                   "  \"weight_initializer\": \"ones\" }");
    Value y = run(&b, "infer", 1, 0); /* 0 1 2 3 and nought behind */
    static const double sums[4] = {1, 3, 5, 3};
    for (int k = 0; k < 4; k++)
        expect_near(y.numbers[k], sums[k], 1e-9, "same padding");
    arena_destroy(b.arena);
}

Test(layers, average_pool_leaves_padding_out)
{
    static const char *const pools[] = {
        "{ \"average_pool\": 2 }", "{ \"average_pool\": 3, \"stride\": 1, \"padding\": \"same\" }",
        "{ \"average_pool\": 3, \"stride\": 2, \"padding\": [1, 2, 0, 1] }"};
    for (int i = 0; i < 3; i++) {
        Built b = build_layers("5, 4, 2", pools[i]);
        Value y = run(&b, "infer", 0, -7);
        for (int64_t k = 0; k < type_elements(&y.type); k++)
            expect_near(y.numbers[k], 7, 1e-6, pools[i]);
        arena_destroy(b.arena);
    }
}

Test(layers, global_pools)
{
    Built b = build_layers("2, 2, 1", "{ \"global_average_pool\": {} }");
    Value y = run(&b, "infer", 1, 0);
    expect_near(y.numbers[0], 1.5, 1e-9, "average");
    expect_near(y.numbers[1], 5.5, 1e-9, "average");
    arena_destroy(b.arena);
    b = build_layers("2, 2, 1", "{ \"global_max_pool\": {} }");
    y = run(&b, "infer", 1, 0);
    expect_near(y.numbers[0], 3, 1e-9, "maximum");
    arena_destroy(b.arena);
}

Test(layers, upsample)
{
    Built b = build_layers("2, 2, 1", "{ \"upsample\": [2, 3] }");
    Value y = run(&b, "infer", 1, 0);
    static const double want[] = {0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1,
                                  2, 2, 2, 3, 3, 3, 2, 2, 2, 3, 3, 3};
    for (int k = 0; k < 24; k++)
        expect_near(y.numbers[k], want[k], 0, "the nearest");
    arena_destroy(b.arena);
}

Test(layers, slice)
{
    Built b = build_layers("6, 2", "{ \"slice\": { \"axis\": 1, \"start\": 1, \"end\": -1, "
                                   "\"step\": 3 } }");
    Value y = run(&b, "infer", 1, 0);
    static const double want[] = {2, 3, 8, 9, 14, 15, 20, 21};
    cr_assert_eq(type_elements(&y.type), 8);
    for (int k = 0; k < 8; k++)
        expect_near(y.numbers[k], want[k], 0, "slice");
    arena_destroy(b.arena);
}

/* Tokens */

/* sin(t / 10000^(2i / width)) and the cosine beside it */
Test(layers, sinusoidal_positions)
{
    Built b = build_layers("4, 6", "{ \"positional\": \"sinusoidal\" }");
    Value y = run(&b, "infer", 0, -1);
    for (int k = 0; k < 48; k++) {
        int t = k / 6 % 4, pair = k % 6 / 2;
        double angle = t / pow(10000, 2 * pair / 6.0);
        expect_near(y.numbers[k], 1 + (k % 2 ? cos(angle) : sin(angle)), 1e-6, "sinusoid");
    }
    arena_destroy(b.arena);
}

Test(layers, learned_positions)
{
    Built b = build_layers("4, 6", "{ \"positional\": { \"weight_initializer\": \"ones\" } }");
    cr_expect(program_find_state(b.model->program, "layers.0.weight")->parameter);
    Value y = run(&b, "infer", 1, 0);
    for (int k = 0; k < 48; k++)
        expect_near(y.numbers[k], k + 1, 0, "x and its position");
    arena_destroy(b.arena);
}

Test(layers, names_of_attention)
{
    Built b = build("{ \"inputs\": { \"x\": [\"batch\", 3, 4], \"memory\": [\"batch\", 5, 6] },"
                    "  \"layers\": [{ \"attention\": 2, \"in\": [\"x\", \"memory\"], "
                    "\"name\": \"seen\" }, { \"attention\": 4, \"repeat\": 2 }] }",
                    false);
    static const struct {
        const char *name, *type;
    } states[] = {
        {"seen.query.weight", "f32[4,4]"},       {"seen.query.bias", "f32[4]"},
        {"seen.key.weight", "f32[6,4]"},         {"seen.key.bias", "f32[4]"},
        {"seen.value.weight", "f32[6,4]"},       {"seen.value.bias", "f32[4]"},
        {"seen.output.weight", "f32[4,4]"},      {"seen.output.bias", "f32[4]"},
        {"layers.1.0.query.weight", "f32[4,4]"}, {"layers.1.1.output.bias", "f32[4]"},
    };
    char text[TYPE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        cr_expect_str_eq(type_print(&state(&b, states[i].name)->type, text), states[i].type, "%s",
                         states[i].name);
    arena_destroy(b.arena);
}

/* As nn.MultiheadAttention: query, key and value as one matrix of Glorot and Bengio's, the output's
 * weights between −1/√width and 1/√width. */
Test(layers, first_values_of_attention)
{
    static const struct {
        const char *state;
        double limit;
    } cases[] = {{"layers.0.query.weight", 0.153093109},
                 {"layers.0.value.weight", 0.153093109},
                 {"layers.0.output.weight", 0.125},
                 {"layers.0.key.bias", 0}};
    Built b = build_layers("3, 64", "{ \"attention\": 4 }");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Value *w = state(&b, cases[i].state);
        double largest = 0;
        for (int64_t k = 0; k < type_elements(&w->type); k++)
            largest = fmax(largest, fabs(w->numbers[k]));
        cr_expect(largest <= cases[i].limit * 1.000001 && largest >= 0.98 * cases[i].limit,
                  "%s: %g", cases[i].state, largest);
    }
    arena_destroy(b.arena);
}

/* Dropout of the probabilities: outside training all are there, while training some are not. */
Test(layers, dropout_of_attention)
{
    Built b = build("{ \"inputs\": { \"x\": [\"batch\", 8, 4] }, \"layers\": [{ \"attention\": { "
                    "\"heads\": 2, \"dropout\": 0.5 }, \"name\": \"seen\" }], \"train\": { "
                    "\"targets\": { \"y\": [\"batch\", 8, 4] }, \"loss\": { "
                    "\"mean_squared_error\": [\"seen\", \"y\"] }, \"batch\": 2 } }",
                    true);
    double first = run(&b, "train_step", 0.1, 0).numbers[0];
    state(&b, "step")->integers[0] = 1;
    cr_expect_neq(run(&b, "train_step", 0.1, 0).numbers[0], first);
    cr_expect_neq(run(&b, "evaluate", 0.1, 0).numbers[0], 2 * first);
    arena_destroy(b.arena);
}

/* Graphs and blocks */

Test(layers, graph_of_names)
{
    Built b = build_layers("3", "{ \"relu\": {}, \"name\": \"a\" },"
                                "{ \"tanh\": {}, \"in\": \"x\", \"name\": \"b\" },"
                                "{ \"subtract\": [\"a\", \"b\"], \"name\": \"c\" },"
                                "{ \"multiply\": [\"c\", \"x\"] }");
    Value y = run(&b, "infer", 0.5, 1);
    for (int k = 0; k < 6; k++) {
        double x = k * 0.5 - 1;
        expect_near(y.numbers[k], (relu(x) - tanh(x)) * x, 1e-9, "(relu(x) - tanh(x)) x");
    }
    arena_destroy(b.arena);
}

Test(layers, blocks)
{
    Built b = build(
        "{ \"inputs\": { \"x\": [\"batch\", 4] }, \"define\": {"
        "    \"wide\": { \"parameters\": [\"units\", \"act\"], \"layers\": ["
        "      { \"dense\": \"$units * 2\", \"activation\": \"$act\" },"
        "      { \"dense\": \"$units\", \"name\": \"narrow\" },"
        "      { \"add\": [\"narrow\", \"input\"] } ] } },"
        "  \"layers\": ["
        "    { \"wide\": { \"units\": 4, \"act\": \"relu\" }, \"repeat\": 2, \"name\": \"stage\" },"
        "    { \"dense\": 4, \"repeat\": 2 },"
        "    { \"wide\": { \"units\": 4, \"act\": { \"elu\": 1 } }, \"in\": \"stage\" } ] }",
        false);
    static const char *const names[] = {
        "stage.0.0.weight",  "stage.0.0.bias",  "stage.0.narrow.weight",  "stage.0.narrow.bias",
        "stage.1.0.weight",  "stage.1.0.bias",  "stage.1.narrow.weight",  "stage.1.narrow.bias",
        "layers.1.0.weight", "layers.1.0.bias", "layers.1.1.weight",      "layers.1.1.bias",
        "layers.2.0.weight", "layers.2.0.bias", "layers.2.narrow.weight", "layers.2.narrow.bias",
    };
    cr_assert_eq(b.model->program->state_count, 16);
    for (int i = 0; i < 16; i++)
        cr_expect_str_eq(b.model->program->states[i]->name, names[i]);
    cr_expect_eq(state(&b, "stage.1.0.weight")->type.dims[1], 8);
    arena_destroy(b.arena);
}

/* Normalisation */

Test(layers, layer_norm)
{
    Built b = build_layers("6", "{ \"layer_norm\": {} }");
    Value y = run(&b, "infer", 0.5, 2);
    double mean = 0, square = 0;
    for (int k = 0; k < 6; k++) {
        mean += y.numbers[k] / 6;
        square += y.numbers[k] * y.numbers[k] / 6;
    }
    expect_near(mean, 0, 1e-6, "mean");
    expect_near(square, 1, 1e-4, "variance");
    arena_destroy(b.arena);
}

#define BATCH_NORM_MODEL                                                                           \
    "{ \"inputs\": { \"x\": [\"batch\", 3, 2] }, \"layers\": [{ \"batch_norm\": { \"momentum\": "  \
    "0.25 }, "                                                                                     \
    "\"name\": \"norm\" }], \"train\": { \"targets\": { \"y\": [\"batch\", 3, 2] }, "              \
    "\"loss\": { \"mean_squared_error\": [\"norm\", \"y\"] }, \"batch\": 4 } }"

Test(layers, batch_norm_follows_the_batch)
{
    Built b = build(BATCH_NORM_MODEL, true);
    fill(&b, "norm.running_mean", 2);
    fill(&b, "norm.running_variance", 3);
    fill(&b, "norm.weight", 5);
    fill(&b, "norm.bias", 7);
    Value y = run(&b, "infer", 1, 0);
    for (int k = 0; k < 12; k++)
        expect_near(y.numbers[k], (k - 2) / sqrt(3 + 1e-5) * 5 + 7, 1e-6,
                    "with running statistics");
    run(&b, "train_step", 1, 0); /* channel 0 sees 0 2 4 … 22: mean 11, unbiased variance 52 */
    expect_near(state(&b, "norm.running_mean")->numbers[0], 2 + 0.25 * (11 - 2), 1e-6,
                "running mean");
    expect_near(state(&b, "norm.running_mean")->numbers[1], 2 + 0.25 * (12 - 2), 1e-6,
                "running mean");
    expect_near(state(&b, "norm.running_variance")->numbers[0], 3 + 0.25 * (52 - 3), 1e-5,
                "running variance");
    const State *mean = program_find_state(b.model->program, "norm.running_mean");
    cr_expect(!mean->parameter);
    arena_destroy(b.arena);
}

/* Dropout */

#define DROPOUT_MODEL                                                                              \
    "{ \"inputs\": { \"x\": [\"batch\", 1000] }, \"layers\": [{ \"dense\": 1000, "                 \
    "\"weight_initializer\": \"zeros\", "                                                          \
    "\"bias_initializer\": \"ones\" }, { \"dropout\": 0.25 }, { \"dense\": 1, \"bias\": false, "   \
    "\"weight_initializer\": \"ones\", \"name\": \"sum\" }], "                                     \
    "\"train\": { \"targets\": { \"y\": [\"batch\", 1] }, "                                        \
    "\"loss\": { \"mean_absolute_error\": [\"sum\", \"y\"] }, \"batch\": 1 } }"

Test(layers, dropout)
{
    Built b = build(DROPOUT_MODEL, true);
    Value y = run(&b, "infer", 0, 0);
    expect_near(y.numbers[0], 1000, 1e-6, "nothing is dropped outside training");
    double first = run(&b, "train_step", 0, 0).numbers[0];
    expect_near(first, 1000, 80, "what is kept makes up for what is dropped");
    double kept = first * 0.75;
    expect_near(kept, round(kept), 1e-3, "each is dropped or scaled");
    expect_near(run(&b, "train_step", 0, 0).numbers[0], first, 0, "the same step drops the same");
    state(&b, "step")->integers[0] = 1;
    cr_expect_neq(run(&b, "train_step", 0, 0).numbers[0], first, "another step drops others");
    arena_destroy(b.arena);
}

/* Initialisers */

Test(layers, initializers)
{
    static const struct {
        const char *initializer;
        double deviation; /* of weights [300, 100] */
        double limit;     /* 0: none */
    } cases[] = {
        {"\"glorot_uniform\"", 0.070710678, 0.122474487},
        {"\"glorot_normal\"", 0.070710678, 0},
        {"\"he_uniform\"", 0.081649658, 0.141421356},
        {"\"he_normal\"", 0.081649658, 0},
        {"\"lecun_normal\"", 0.057735027, 0},
        {"{ \"uniform\": 0.3 }", 0.173205081, 0.3},
        {"{ \"normal\": 0.02 }", 0.02, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Arena *arena = arena_create();
        Built b =
            build_layers("300", arena_print(arena, "{ \"dense\": 100, \"weight_initializer\": %s }",
                                            cases[i].initializer));
        const Value *w = state(&b, "layers.0.weight");
        double mean = 0, square = 0, largest = 0;
        for (int k = 0; k < 30000; k++) {
            mean += w->numbers[k] / 30000;
            square += w->numbers[k] * w->numbers[k] / 30000;
            largest = fmax(largest, fabs(w->numbers[k]));
        }
        expect_near(mean, 0, 0.03 * cases[i].deviation, cases[i].initializer);
        expect_near(sqrt(square), cases[i].deviation, 0.02 * cases[i].deviation,
                    cases[i].initializer);
        cr_expect(cases[i].limit == 0 || largest <= cases[i].limit * 1.000001, "%s",
                  cases[i].initializer);
        cr_expect(largest > 0.9 * cases[i].limit, "%s", cases[i].initializer);
        arena_destroy(arena);
        arena_destroy(b.arena);
    }
}

Test(layers, two_layers_start_differently)
{
    Built b = build_layers("4", "{ \"dense\": 4 }, { \"dense\": 4 }");
    int same = 0;
    for (int k = 0; k < 16; k++)
        same +=
            state(&b, "layers.0.weight")->numbers[k] == state(&b, "layers.1.weight")->numbers[k];
    cr_expect_eq(same, 0);
    arena_destroy(b.arena);
}

Test(layers, scaling)
{
    Built b = build("{ \"inputs\": { \"x\": [\"batch\", 2, 2] }, \"layers\": [{ \"add\": [\"x\", "
                    "\"x\"] }], \"data\": {"
                    "  \"scale\": { \"x\": 0.5 },"
                    "  \"normalize\": { \"x\": { \"mean\": [1, 2], \"deviation\": 4 } } } }",
                    false);
    Value y = run(&b, "infer", 1, 0);
    for (int k = 0; k < 8; k++)
        expect_near(y.numbers[k], 2 * (k * 0.5 - (k % 2 ? 2 : 1)) / 4, 1e-6, "(x s - m) / d");
    arena_destroy(b.arena);
}
