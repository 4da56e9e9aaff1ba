/* Layers against PyTorch: nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.MultiheadAttention,
 * nn.TransformerEncoderLayer and its gradients, nn.ConvTranspose2d.
 *
 * Every tensor is filled with sin(0.7 i + phase), i counting its numbers, ours as they lie here: a
 * dense weight is [in, out] and transposed for PyTorch, a transposed convolution's is
 * [height, width, out, in]. PyTorch 2.15 made the numbers in double precision:
 *
 *     def wave(shape, phase):
 *         n = math.prod(shape)
 *         return torch.sin(0.7 * torch.arange(n) + phase).reshape(shape)
 *     x = wave((2, 3, 4), 0)
 *     def attention(width, heads, memory=None):
 *         a = nn.MultiheadAttention(width, heads, batch_first=True, kdim=memory, vdim=memory)
 *         q, o = wave((width, width), 1).T, wave((width, width), 4).T
 *         k, v = (wave((memory or width, width), phase).T for phase in (2, 3))
 *         … = q, k, v          # in_proj_weight, or q_proj_weight and so on with a memory
 *         a.in_proj_bias.data = torch.cat([wave((width,), phase) for phase in (5, 6, 7)])
 *         a.out_proj.weight.data, a.out_proj.bias.data = o, wave((width,), 8)
 *         return a
 *     attention(4, 2)(x, x, x)[0]
 *     attention(4, 2)(x, x, x, attn_mask=torch.triu(torch.ones(3, 3, dtype=torch.bool), 1))[0]
 *     m = wave((2, 5, 6), 3)
 *     attention(4, 2, 6)(x, m, m)[0]
 *     e = nn.TransformerEncoderLayer(4, 2, 6, 0, "gelu", batch_first=True, norm_first=…)
 *     # norm1 (phases 9, 10), linear1 (11, 12), linear2 (13, 14), norm2 (15, 16)
 *     ((e(x) - wave((2, 3, 4), 4)) ** 2).mean().backward()
 *
 * The others are written out where they are tested: weights have phase 1, a bias has 2. */
#include "frontend_helpers.h"

#include "passes/passes.h"

/* One layer for x of the shape `row`, whose states are `weight` and `bias`. */
static void expect_layer(const char *row, const char *layer, int64_t count, const double *want)
{
    static const Wave waves[] = {{"layers.0.weight", 1}, {"layers.0.bias", 2}};
    Built b = build_layers(row, layer);
    fill_states(&b, 2, waves);
    Value y = run_waves(&b, "infer", (double[]){0});
    int64_t half = type_elements(&y.type); /* of two rows, or the first of them */
    cr_expect(count == half || count == half / 2, "%s", layer);
    expect_numbers(&y, count, want, layer);
    arena_destroy(b.arena);
}

Test(pytorch, layer_norm)
{
    static const double want[] = {
        -0.470650773, 0.482174234,  0.388286444,  -0.792018746, 2.20512819,    0.649418397,
        -0.779390349, -0.859372234, -0.295719704, 0.0425993559, 0.178962726,   -0.769345686,
        2.02304244,   0.934543263,  -0.612404625, -0.872609364, -0.0990718388, -0.193189891,
        0.0199170178, -0.75938556,  1.76979597,   1.17498408,   -0.426242623,  -0.881636998};
    expect_layer("3, 4", "{ \"layer_norm\": {} }", 24, want);
}

/* x = wave((2, 3, 2, 4), 0), seen by PyTorch as x.permute(0, 3, 1, 2) */
Test(pytorch, group_norm)
{
    static const double want[] = {
        0.75026958,    1.25546315,   0.580180469,   -0.773813791, 1.19834305,    -0.312980877,
        -1.14301133,   -0.879242197, -0.0941000901, 0.266471374,  0.2753893,     -0.766675857,
        1.89336404,    0.742969688,  -0.674316424,  -0.873372492, -0.55945903,   -0.734417276,
        -0.303049154,  -0.784874925, 2.07528623,    1.57313842,   -0.0529760626, -0.844947059,
        -0.0936993941, -0.889017237, -0.826031055,  -0.818521945, 1.93861764,    2.11470033,
        0.420233217,   -0.805928098, 0.54079501,    -0.766269889, -1.14329766,   -0.852678576,
        1.1425974,     1.65904155,   0.556825511,   -0.777173733, 1.40635672,    -0.0303534718,
        -1.08343168,   -0.872707954, 0.307514482,   0.727906555,  0.307419088,   -0.768183843};
    expect_layer("3, 2, 4", "{ \"group_norm\": 2 }", 48, want);
}

Test(pytorch, instance_norm)
{
    static const double want[] = {
        0.798615485,  1.38568128,   0.685162943,  -0.776884529, 1.18907238,    -0.516047316,
        -1.34158274,  -0.870383277, 0.0628210643, 0.186534923,  0.326680395,   -0.770554282,
        1.79472247,   0.764286156,  -0.790323513, -0.865177753, -0.342698607,  -1.02703632,
        -0.353654573, -0.786694051, 1.95325177,   1.77086056,   -0.0595291264, -0.839968775,
        -0.270292978, -0.753199366, -0.745182139, -0.821218,    2.20780364,    1.85741036,
        0.403325803,  -0.80727464,  0.503374913,  -0.646516426, -1.03756251,   -0.859034733,
        1.23717995,   1.46138536,   0.529203867,  -0.775439061, 1.55879368,    -0.006912165,
        -0.982392388, -0.881210388, 0.218925353,  0.652111514,  0.299360756,   -0.765485845};
    expect_layer("3, 2, 4", "{ \"instance_norm\": {} }", 48, want);
}

/* The first row of x is wave((1, 2, 3, 2), 0). nn.ConvTranspose2d(2, 2, (3, 2), 2, 1, 1) */
Test(pytorch, conv_transpose)
{
    static const double want[] = {
        0.506615859,  -0.136601895, 1.95041064, 1.97462395,    0.394145524, -1.29498198,
        0.715341189,  0.526244683,  1.1368612,  0.405871807,   2.40808498,  0.930741579,
        0.324440675,  1.70013322,   1.92680668, -0.499487182,  2.20718915,  0.8539048,
        -0.243603848, -0.391055711, 1.50180606, 2.14243041,    0.726930914, -0.186021875,
        0.883147652,  1.03189243,   1.95435038, 1.73250012,    0.30789959,  -1.08217611,
        0.33469885,   1.95033544,   1.14094174, -0.0983888244, 0.498926301, 0.813649369,
        0.997545427,  1.96693439,   1.34439679, -0.964269437};
    expect_layer("2, 3, 2",
                 "{ \"conv_transpose2d\": 2, \"kernel\": [3, 2], \"stride\": 2, \"padding\": 1, "
                 "\"output_padding\": 1 }",
                 40, want);
}

/* nn.ConvTranspose2d(2, 4, 3, (2, 1), groups=2, dilation=(1, 2)) */
Test(pytorch, conv_transpose_in_groups)
{
    static const double want[] = {
        0.909297427,  0.42737988,    0.383306909,  -0.791490113,  1.73852478,   1.09301489,
        0.600473251,  -0.782384294,  1.19118024,   0.653652042,   -1.23314268,  -1.07372087,
        0.306342233,  -0.443220272,  -1.09935426,  -1.14101095,   0.704332284,  0.131433039,
        0.635226381,  -0.260030944,  1.21630578,   1.4023427,     0.478563755,  -0.245995862,
        1.01366009,   0.758803169,   -0.553860005, -1.0508356,    0.909297427,  0.42737988,
        -0.65822267,  -1.38225889,   0.933712363,  -0.539283463,  -0.795107941, -1.57397563,
        0.917596901,  0.0987778671,  0.174688024,  0.124512781,   0.556280477,  1.27404066,
        0.0271379012, 0.0335136912,  0.789294862,  0.715188907,   -0.365283619, -1.79837225,
        1.5501234,    -0.201442178,  -0.248667207, -1.66773124,   1.12713615,   0.213621703,
        -0.258334453, -0.473083612,  0.175891703,  -0.161337463,  -1.45043686,  -0.300176466,
        -0.476479286, 0.339302113,   -0.534499826, -0.0686194634, 1.70491065,   1.75615424,
        2.21554295,   -1.13358874,   2.26513349,   0.97635281,    0.278251959,  -1.3864802,
        0.565380171,  -1.01830375,   -2.83381039,  -1.37940761,   -0.259923913, -0.519051471,
        -0.982485873, -0.497187478,  0.78337091,   0.967956093,   0.886053365,  -0.289103626,
        0.887703766,  1.28234013,    0.35856119,   0.0418131652,  0.893657527,  1.0466122,
        -0.266050978, -0.832996877,  1.23779851,   -0.9659067,    -1.19494418,  -2.65282783,
        1.13543562,   -0.11498031,   -0.250034979, -0.801685625,  0.107170463,  1.547996,
        0.0602352854, 1.12361683,    0.498792408,  0.83019534,    -0.25540721,  -0.834823082,
        1.33652782,   0.00815234138, -0.247672137, -1.79069889,   1.66512984,   0.128154906,
        0.0809298764, -1.67069632,   1.45673323,   0.210656619,   -0.261299537, -0.80368863,
        -0.517992021, 0.660647774,   -1.22020706,  0.678640845,   0.288189956,  0.432967416,
        -0.244823542, -0.829222326,  2.41588263,   0.706251951,   1.2179786,    -1.8142952,
        1.53230429,   0.633573738,   -0.269979316, -0.81223994,   0.260907131,  0.21278498,
        -1.10408808,  -0.463467052};
    expect_layer("2, 3, 2",
                 "{ \"conv_transpose2d\": 4, \"kernel\": 3, \"stride\": [2, 1], \"groups\": 2, "
                 "\"dilation\": [1, 2] }",
                 140, want);
}

/* nn.ConvTranspose2d(2, 1, 4, 2, 1): "same" gives as many outputs as inputs times the stride */
Test(pytorch, conv_transpose_same)
{
    static const double want[] = {
        1.33639393,    1.54772907,  1.89255972, 0.200189287, -0.714199631, 1.1368612,
        0.915425006,   1.82322823,  2.68541247, 3.2246984,   0.408955284,  -0.243603848,
        -0.0453874275, 0.579861825, 2.67886289, 3.27765435,  2.05894237,   0.413899518,
        -0.80898389,   0.566343167, 1.90648428, 0.587174301, 2.83512142,   1.34439679};
    expect_layer("2, 3, 2",
                 "{ \"conv_transpose2d\": 1, \"kernel\": 4, \"stride\": 2, \"padding\": \"same\" }",
                 24, want);
}

#define ATTENTION_WAVES(prefix)                                                                    \
    {prefix ".query.weight", 1}, {prefix ".key.weight", 2}, {prefix ".value.weight", 3},           \
        {prefix ".output.weight", 4}, {prefix ".query.bias", 5}, {prefix ".key.bias", 6},          \
        {prefix ".value.bias", 7}, {prefix ".output.bias", 8}

static void expect_attention(const char *layer, const double *want)
{
    static const Wave waves[] = {ATTENTION_WAVES("layers.0")};
    Built b = build_layers("3, 4", layer);
    fill_states(&b, 8, waves);
    Value y = run_waves(&b, "infer", (double[]){0});
    expect_numbers(&y, 24, want, layer);
    arena_destroy(b.arena);
}

Test(pytorch, attention)
{
    static const double want[] = {
        0.974209233, 0.783660446,  0.224543906,  -0.440179141, 0.905701215,  0.676581035,
        0.129254221, -0.478862872, 0.996058842,  0.820537852,  0.259105089,  -0.424188846,
        0.765065892, 0.392223399,  -0.165087887, -0.64475576,  1.09796395,   0.840095242,
        0.187116614, -0.553865881, 0.787520139,  0.415965655,  -0.151223976, -0.647290608};
    expect_attention("{ \"attention\": 2 }", want);
}

Test(pytorch, causal_attention)
{
    static const double want[] = {
        0.899400931,  0.75565561,    0.256513648, -0.363270691, 0.839261339,  0.460916154,
        -0.134205101, -0.6662076,    0.996058842, 0.820537852,  0.259105089,  -0.424188846,
        0.609897535,  -0.0932709173, -0.7525726,  -1.05792763,  1.07303759,   0.884395685,
        0.279808668,  -0.456376738,  0.787520139, 0.415965655,  -0.151223976, -0.647290608};
    expect_attention("{ \"attention\": 2, \"causal\": true }", want);
}

Test(pytorch, cross_attention)
{
    static const double want[] = {
        0.818839751,  0.456128526,  -0.121107073,  -0.641384123, 0.770585989,   0.357466017,
        -0.223775809, -0.699772375, 0.840855054,   0.495334576,  -0.0831494925, -0.622527056,
        0.793144512,  0.468011392,  -0.0772347985, -0.586156256, 0.871395288,   0.606665953,
        0.0566121412, -0.520067245, 0.799365424,   0.47991941,   -0.0652402009, -0.579716326};
    static const Wave waves[] = {ATTENTION_WAVES("layers.0")};
    Built b =
        build("{ \"inputs\": { \"x\": [\"batch\", 3, 4], \"memory\": [\"batch\", 5, 6] },"
              "  \"layers\": [{ \"attention\": { \"heads\": 2 }, \"in\": [\"x\", \"memory\"] }] }",
              false);
    fill_states(&b, 8, waves);
    Value y = run_waves(&b, "infer", (double[]){0, 3});
    expect_numbers(&y, 24, want, "cross attention");
    arena_destroy(b.arena);
}

/* nn.TransformerEncoderLayer, its loss and, as updates of SGD with rate 1, its gradients */

typedef struct Gradient {
    const char *state;
    double first[4];
} Gradient;

#define TRAINING                                                                                   \
    "\"train\": { \"targets\": { \"y\": [\"batch\", 3, 4] }, \"batch\": 2, "                       \
    "\"loss\": { \"mean_squared_error\": [\"block\", \"y\"] }, \"optimizer\": { \"sgd\": 1 } } }"

static void expect_encoder(const char *block, const double *outputs, double loss, int count,
                           const Gradient *gradients)
{
    static const Wave waves[] = {
        ATTENTION_WAVES("block.seen"), {"block.norm1.weight", 9},  {"block.norm1.bias", 10},
        {"block.wide.weight", 11},     {"block.wide.bias", 12},    {"block.thought.weight", 13},
        {"block.thought.bias", 14},    {"block.norm2.weight", 15}, {"block.norm2.bias", 16}};
    Arena *arena = arena_create();
    Built b = build(arena_print(arena,
                                "{ \"inputs\": { \"x\": [\"batch\", 3, 4] }, \"define\": { "
                                "\"encoder\": { \"layers\": [ %s ] } }, \"layers\": [{ "
                                "\"encoder\": {}, \"name\": \"block\" }], " TRAINING,
                                block),
                    true);
    cr_assert(optimizer_build(b.model->program, &b.model->recipe->optimizer));
    fill_states(&b, 16, waves);
    Value y = run_waves(&b, "infer", (double[]){0});
    expect_numbers(&y, 24, outputs, "encoder");
    Value got = run_waves(&b, "train_step", (double[]){0, 4});
    expect_near(got.numbers[0], loss, 1e-6, "loss");
    for (int i = 0; i < count; i++) {
        const Value *after = state(&b, gradients[i].state);
        Value change = value_create(b.arena, after->type);
        for (int w = 0; w < 16; w++)
            if (strcmp(waves[w].state, gradients[i].state) == 0)
                fill_wave(change, waves[w].phase);
        for (int64_t k = 0; k < type_elements(&after->type); k++)
            change.numbers[k] -= after->numbers[k];
        expect_numbers(&change, 4, gradients[i].first, gradients[i].state);
    }
    arena_destroy(b.arena);
    arena_destroy(arena);
}

Test(pytorch, transformer_encoder_layer)
{
    static const double outputs[] = {
        0.603978365,  -0.837328483, -0.0662874261, -0.783340307, 0.815916818,  -0.842258383,
        -0.481734022, -0.431153645, 0.360724579,   -0.832799016, 0.0554009532, -0.77937663,
        0.805990037,  -0.841803853, -0.428230503,  -0.4725174,   0.453230748,  -0.834930763,
        0.0337538466, -0.869440446, 0.780201668,   -0.840937105, -0.337010248, -0.5451089};
    static const Gradient gradients[] = {
        {"block.seen.query.weight",
         {-0.000925551194, -0.000596608644, 0.00275280681, -0.00823310744}},
        {"block.seen.key.weight", {-0.00762196107, -0.00472698086, 0.0129126191, -0.0062176352}},
        {"block.seen.value.weight", {-0.02273754, -0.000319362921, -0.00805572032, 0.0147400054}},
        {"block.seen.query.bias", {0.00628021854, 0.0049628294, -0.00162369061, 0.00723592491}},
        {"block.seen.value.bias", {0.0385678766, -0.0153136954, -0.0097100647, 0.0336117752}},
        {"block.seen.output.weight", {-0.0453928928, 0.0922564686, -0.11277128, 0.0659077042}},
        {"block.norm1.weight", {-0.361468103, -0.231349517, -0.176144166, -0.031154511}},
        {"block.norm1.bias", {-0.321440038, -0.394200338, 0.417138874, 0.0231820172}},
        {"block.wide.weight", {-0.00046802497, -0.00122246071, -0.0140604726, 0.0299977988}},
        {"block.thought.bias", {-0.0392914285, -0.324388482, 0.0665382294, 0.297141681}},
        {"block.norm2.weight", {0.588153263, 0.170511783, -0.0690969028, 0.0586051183}}};
    expect_encoder("{ \"attention\": 2, \"name\": \"seen\" }, { \"add\": [\"input\", \"seen\"] },"
                   "{ \"layer_norm\": {}, \"name\": \"norm1\" },"
                   "{ \"dense\": 6, \"activation\": \"gelu\", \"name\": \"wide\" },"
                   "{ \"dense\": 4, \"name\": \"thought\" }, { \"add\": [\"norm1\", \"thought\"] },"
                   "{ \"layer_norm\": {}, \"name\": \"norm2\" }",
                   outputs, 0.992814514, 11, gradients);
}

Test(pytorch, transformer_encoder_layer_norm_first)
{
    static const double outputs[] = {
        2.49755928,   2.53763151,   1.38421599,    -0.420217936, 2.70214246,  1.34472599,
        -0.645136127, -2.33158065,  1.14195697,    1.48882412,   1.13547402,  0.248092749,
        3.54496151,   2.29077469,   -0.0407992604, -2.35318468,  1.20367243,  0.700619254,
        -0.131946107, -0.902455153, 3.80217611,    2.97720945,   0.752014662, -1.82686437};
    static const Gradient gradients[] = {
        {"block.seen.query.weight", {0.0938125733, 0.0533438647, 0.111840072, 0.124965657}},
        {"block.seen.key.weight", {0.0668935581, 0.0393480554, -0.024901051, 0.0795755498}},
        {"block.seen.value.weight", {1.14686524, -0.918749448, 0.631727271, -0.192763662}},
        {"block.seen.query.bias", {-0.120695139, -0.178223587, -0.0594040234, -0.0950792499}},
        {"block.seen.value.bias", {-2.00384512, 1.43728442, -0.704637863, -0.109433348}},
        {"block.seen.output.weight", {0.717062107, 0.00120391752, 0.30040115, -0.12170445}},
        {"block.norm1.weight", {0.324688602, 0.412200375, -0.580994577, -0.125769274}},
        {"block.norm1.bias", {-0.594836225, 0.907709366, -1.11569186, 1.19475023}},
        {"block.wide.weight", {-0.468241903, 0.354774706, -0.701743031, 0.798703207}},
        {"block.thought.bias", {1.31330645, 1.00004919, 0.216453164, -0.668944165}},
        {"block.norm2.weight", {1.55435678, 0.130434321, 0.46549809, -1.75288371}}};
    expect_encoder("{ \"layer_norm\": {}, \"name\": \"norm1\" },"
                   "{ \"attention\": 2, \"name\": \"seen\" },"
                   "{ \"add\": [\"input\", \"seen\"], \"name\": \"sum\" },"
                   "{ \"layer_norm\": {}, \"name\": \"norm2\" },"
                   "{ \"dense\": 6, \"activation\": \"gelu\", \"name\": \"wide\" },"
                   "{ \"dense\": 4, \"name\": \"thought\" }, { \"add\": [\"sum\", \"thought\"] }",
                   outputs, 5.18846593, 11, gradients);
}
