/* Recurrent layers against PyTorch: nn.LSTM, nn.GRU and nn.RNN, what comes out and the gradients.
 *
 * Every tensor is filled with sin(0.7 i + phase), i counting its numbers, ours as they lie here: a
 * weight is [in, out] and transposed for PyTorch. Parameters have the phases 1, 2, 3 … in PyTorch's
 * order: of each layer and direction weight_ih, weight_hh, bias_ih, bias_hh. PyTorch 2.15 made the
 * numbers in double precision:
 *
 *     def wave(shape, phase):
 *         n = math.prod(shape)
 *         return torch.sin(0.7 * torch.arange(n) + phase).reshape(shape)
 *     net = nn.LSTM(4, 2, batch_first=True, …)
 *     for i, p in enumerate(net.parameters()):
 *         p.data = wave(p.shape[::-1], i + 1).T if p.dim() == 2 else wave(p.shape, i + 1)
 *     y, h = net(wave((2, 3, 4), 0))
 *     ((y - wave(y.shape, 4)) ** 2).mean().backward()
 *
 * "last" is h of the last layer: torch.cat(list(h[-2:]), 1) with two directions. */
#include "frontend_helpers.h"

#include "passes/passes.h"

enum { PARAMETERS = 16, FIRST = 4 };

static const char *const names[] = {"weight_input", "weight_hidden", "bias_input", "bias_hidden"};

/* The parameters of a layer of the name "r", in PyTorch's order. */
static int list_parameters(const Built *b, Wave waves[PARAMETERS])
{
    static const char *const places[] = {
        "r.", "r.reverse.", "r.0.", "r.0.reverse.", "r.1.", "r.1.reverse.",
    };
    int count = 0;
    for (int p = 0; p < 6; p++)
        for (int n = 0; n < 4; n++) {
            const char *name = arena_print(b->arena, "%s%s", places[p], names[n]);
            if (program_find_state(b->model->program, name)) {
                waves[count] = (Wave){name, count + 1};
                count++;
            }
        }
    return count;
}

static Built build_recurrent(const char *layer, const char *target, bool train)
{
    Arena *arena = arena_create();
    Built b = build(
        arena_print(arena,
                    "{ \"inputs\": { \"x\": [\"batch\", 3, 4] }, \"layers\": [{ %s, \"name\": "
                    "\"r\" }], \"train\": { \"targets\": { \"y\": [\"batch\", %s] }, \"batch\": 2, "
                    "\"loss\": { \"mean_squared_error\": [\"r\", \"y\"] }, "
                    "\"optimizer\": { \"sgd\": 1 } } }",
                    layer, target),
        train);
    arena_destroy(arena);
    return b;
}

static void expect_outputs(const char *layer, const char *target, int count, const double *want)
{
    Wave waves[PARAMETERS];
    Built b = build_recurrent(layer, target, false);
    fill_states(&b, list_parameters(&b, waves), waves);
    Value y = run_waves(&b, "infer", (double[]){0});
    cr_expect_eq(type_elements(&y.type), count, "%s", layer);
    expect_numbers(&y, count, want, layer);
    arena_destroy(b.arena);
}

typedef struct Gradient {
    const char *parameter;
    double numbers[FIRST];
    bool end; /* the last numbers of it, not the first */
} Gradient;

/* As updates of SGD with rate 1 */
static void expect_gradients(const char *layer, const char *target, double loss, int count,
                             const Gradient *gradients)
{
    Wave waves[PARAMETERS];
    Built b = build_recurrent(layer, target, true);
    cr_assert(optimizer_build(b.model->program, &b.model->recipe->optimizer));
    int parameters = list_parameters(&b, waves);
    fill_states(&b, parameters, waves);
    Value got = run_waves(&b, "train_step", (double[]){0, 4});
    expect_near(got.numbers[0], loss, 1e-6, layer);
    for (int i = 0; i < count; i++) {
        const Gradient *g = &gradients[i];
        const Value *after = state(&b, g->parameter);
        Value before = value_create(b.arena, after->type);
        for (int w = 0; w < parameters; w++)
            if (strcmp(waves[w].state, g->parameter) == 0)
                fill_wave(before, waves[w].phase);
        int64_t first = g->end ? type_elements(&after->type) - FIRST : 0;
        for (int64_t k = 0; k < FIRST; k++)
            expect_near(before.numbers[first + k] - after->numbers[first + k], g->numbers[k], 1e-6,
                        g->parameter);
    }
    arena_destroy(b.arena);
}

Test(recurrent, lstm)
{
    static const double want[] = {0.0998844062, 0.083710232,   -0.530295355, 0.0603996373,
                                  -0.091873469, 0.0649182327,  -0.426008538, -0.1578544,
                                  0.0122837851, -0.0340480726, -0.178155155, -0.179360377};
    static const Gradient gradients[] = {
        {"r.weight_input", {0.0106959258, -0.000124695034, -0.00626481104, 0.00366900357}, false},
        {"r.weight_hidden", {0.00248151393, 0.00183568508, -0.00551133926, 0.00206826802}, false},
        {"r.bias_input", {0.0179994513, 0.00619495056, 0.0104774924, -0.00532497529}, false},
        {"r.bias_hidden", {0.0129425328, 0.00209482522, 0.0197603744, 0.000358695287}, true}};
    expect_outputs("\"lstm\": 2", "3, 2", 12, want);
    expect_gradients("\"lstm\": 2", "3, 2", 0.585121399, 4, gradients);
}

Test(recurrent, gru)
{
    static const double want[] = {-0.427138318, 0.220926592, -0.00600728707, 0.364410641,
                                  -0.49441041,  0.272656084, 0.123061566,    0.294251458,
                                  -0.510543377, 0.266211196, -0.0472911198,  0.364944158};
    static const Gradient gradients[] = {
        {"r.weight_input", {0.0262833667, -0.00129337897, -0.0140689373, -0.0114516166}, false},
        {"r.weight_hidden", {-0.0180172779, -0.00486712167, 0.0169871087, 0.0061235182}, false},
        {"r.bias_input", {-0.0387401212, -0.0236324046, 0.0608704228, 0.362351231}, true},
        {"r.bias_hidden", {-0.0387401212, -0.0236324046, -0.00443299771, 0.0666460186}, true}};
    expect_outputs("\"gru\": 2", "3, 2", 12, want);
    expect_gradients("\"gru\": 2", "3, 2", 0.664716319, 4, gradients);
}

Test(recurrent, rnn)
{
    static const double tanh[] = {-0.913139489, -0.99246843,  0.24848091,  0.404497961,
                                  -0.97961483,  -0.997736994, 0.866878735, 0.0181247051,
                                  -0.933590776, -0.985334621, 0.331146063, -0.252820026};
    static const double relu[] = {
        0, 0, 0.830492015, 0.0071584365, 0, 0, 1.32038135, 0.0181266902, 0, 0, 0.941233118, 0};
    static const Gradient gradients[] = {
        {"r.weight_input", {0.240599585, 0.0442679478, 0.122577146, 0.0136471816}, false},
        {"r.weight_hidden", {-0.314757827, -0.155875076, -0.347960323, -0.163197529}, false}};
    expect_outputs("\"rnn\": 2", "3, 2", 12, tanh);
    expect_gradients("\"rnn\": 2", "3, 2", 0.852019064, 2, gradients);
    expect_outputs("\"rnn\": 2, \"activation\": \"relu\"", "3, 2", 12, relu);
}

Test(recurrent, without_bias)
{
    static const double want[] = {0.0561920677,  0.0107687669,  -0.390508349,  -0.275286297,
                                  -0.190028381,  -0.0142456307, -0.199247172,  -0.361039648,
                                  -0.0798638993, -0.188437871,  -0.0606563433, -0.176062006};
    expect_outputs("\"lstm\": 2, \"bias\": false", "3, 2", 12, want);
}

Test(recurrent, last)
{
    static const double want[] = {-0.091873469, 0.0649182327, -0.178155155, -0.179360377};
    expect_outputs("\"lstm\": 2, \"return\": \"last\"", "2", 4, want);
}

#define DEEP(kind) "\"" kind "\": { \"units\": 2, \"layers\": 2, \"bidirectional\": true }"
#define DEEP_LAST(kind)                                                                            \
    "\"" kind "\": { \"units\": 2, \"layers\": 2, \"bidirectional\": true, \"return\": \"last\" }"

Test(recurrent, two_layers_in_both_directions)
{
    static const double want[] = {
        0.0702374551, 0.0606517858,  -0.449280659, -0.0519085713, 0.0989651583, 0.0847149342,
        -0.259511397, 0.0973568026,  0.132984606,  0.162920067,   -0.45347132,  -0.104733941,
        0.0553354215, 0.0484125487,  -0.348405725, 0.109650982,   0.111612299,  0.128770631,
        -0.428948623, 0.00468699274, 0.12851086,   0.128635071,   -0.324303497, 0.0947960168};
    static const double last[] = {0.132984606, 0.162920067, -0.449280659, -0.0519085713,
                                  0.12851086,  0.128635071, -0.348405725, 0.109650982};
    static const double gru[] = {0.373959694, 0.123214159, 0.0148248364, 0.739754359,
                                 0.370296094, 0.119757569, 0.112643812,  0.673421048};
    static const Gradient lstm_gradients[] = {
        {"r.0.weight_input",
         {-4.41399007e-05, 0.00127737566, -0.000943953845, 0.000179319225},
         false},
        {"r.0.reverse.weight_input",
         {-0.000695094536, 0.00218578299, 0.000157689713, 0.000228771062},
         false},
        {"r.1.weight_hidden",
         {0.00060826315, 0.000525989741, 0.000236247246, 0.000202746426},
         false},
        {"r.1.reverse.bias_hidden",
         {0.0246284185, -0.0205540957, 0.00693491021, 0.00151537744},
         false}};
    static const Gradient gru_gradients[] = {
        {"r.0.reverse.weight_hidden",
         {8.11809608e-05, 6.08041934e-05, -0.00118627797, 0.00119941984},
         false},
        {"r.1.weight_input",
         {-0.000246213458, -0.000346376784, 0.00856839353, 0.00339987277},
         false},
        {"r.0.bias_hidden", {-0.00696893125, 0.0120116845, -0.0167545205, 0.0104696378}, true}};
    expect_outputs(DEEP("lstm"), "3, 4", 24, want);
    expect_outputs(DEEP_LAST("lstm"), "4", 8, last);
    expect_outputs(DEEP_LAST("gru"), "4", 8, gru);
    expect_gradients(DEEP("lstm"), "3, 4", 0.516361363, 4, lstm_gradients);
    expect_gradients(DEEP("gru"), "3, 4", 0.623075866, 3, gru_gradients);
}

/* While training, numbers between the layers are dropped, and none behind the last. */
Test(recurrent, dropout_stands_between_layers)
{
    Wave waves[PARAMETERS];
    Built b = build_recurrent("\"rnn\": 2, \"layers\": 2, \"dropout\": 0.5", "3, 2", true);
    const Function *step = function(&b, "train_step"), *infer = function(&b, "infer");
    int random = 0;
    cr_assert_eq(list_parameters(&b, waves), 8);
    for (int i = 0; i < step->node_count; i++) {
        random += step->nodes[i]->op == OP_random;
        if (step->nodes[i]->op == OP_random) /* [steps, batch, units] */
            cr_expect_eq(type_elements(&step->nodes[i]->type), 12);
    }
    cr_expect_eq(random, 1);
    for (int i = 0; i < infer->node_count; i++)
        cr_expect(infer->nodes[i]->op != OP_random);
    arena_destroy(b.arena);
}

/* First values lie between ±1/√units and fill that range. */
Test(recurrent, first_values)
{
    Built b = build_layers("3, 4", "{ \"lstm\": 16 }");
    for (int n = 0; n < 4; n++) {
        const Value *v = state(&b, arena_print(b.arena, "layers.0.%s", names[n]));
        double least = 0, greatest = 0;
        for (int64_t i = 0; i < type_elements(&v->type); i++) {
            least = fmin(least, v->numbers[i]);
            greatest = fmax(greatest, v->numbers[i]);
        }
        cr_expect(least >= -0.25 && least < -0.2 && greatest <= 0.25 && greatest > 0.2, "%s",
                  names[n]);
    }
    arena_destroy(b.arena);
}
