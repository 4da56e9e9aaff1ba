/* Contractions and windows of the evaluator against loops written down from the definitions, with
 * no geometry shared: each output element gathers from the input by explicit coordinates. The
 * adjoints are checked by what an adjoint is: ⟨conv(x,w), dy⟩ = ⟨x, conv_transpose(dy,w)⟩ = ⟨w,
 * conv_filter(x,dy)⟩. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "ir/eval.h"
#include "tests/support/ir_text.h"
#include "tests/support/random_graph.h"

static void gives(const char *body, const char *values)
{
    Arena *arena = arena_create();
    cr_assert_str_eq(body_gives(arena, EVALUATE_F32, body), values);
    arena_destroy(arena);
}

Test(matmul, by_hand)
{
    gives("%a: f32[2,3] = constant value=[1,2,3,4,5,6] %b: f32[3,2] = constant value=[1,0,0,1,2,2] "
          "%r: f32[2,2] = matmul %a, %b",
          "7 8 16 17");
    gives(
        "%a: f32[2,1,1,2] = constant value=[1,2,3,4] %b: f32[3,2,1] = constant value=[1,1,2,2,3,3] "
        "%r: f32[2,3,1,1] = matmul %a, %b",
        "3 6 9 7 14 21");
    gives("%a: f32[2,0] = constant value=[] %b: f32[0,2] = constant value=[] "
          "%r: f32[2,2] = matmul %a, %b",
          "0 0 0 0");
}

/* Sums wrap as their type does. */
Test(matmul, integers)
{
    gives("%a: i32[2,2] = constant value=[1,2,-3,65536] %b: i32[2,1] = constant value=[5,65536] "
          "%r: i32[2,1] = matmul %a, %b",
          "131077 -15");
    gives("%a: u8[1,2] = constant value=[255,2] %b: u8[2,1] = constant value=[255,128] "
          "%r: u8[1,1] = matmul %a, %b",
          "1");
    gives("%a: i64[1,2] = constant value=[9007199254740993,1] "
          "%b: i64[2,1] = constant value=[1,9007199254740992] %r: i64[1,1] = matmul %a, %b",
          "18014398509481985");
}

Test(conv, integers)
{
    gives("%x: i32[1,4,1] = constant value=[1,2,3,4] %w: i32[3,1,1] = constant value=[1,10,-100] "
          "%r: i32[1,4,1] = conv %x, %w stride=[1] dilation=[1] pad=[1,1] groups=1",
          "-190 -279 -368 43");
    gives("%y: i64[1,2,1] = constant value=[1,2] %w: i64[2,1,1] = constant value=[1,10] "
          "%r: i64[1,3,1] = conv_transpose %y, %w stride=[1] dilation=[1] pad=[0,0] groups=1 "
          "dims=[1,3,1]",
          "1 12 20");
    gives("%x: i16[1,3,1] = constant value=[1,2,3] %y: i16[1,2,1] = constant value=[10,100] "
          "%r: i16[2,1,1] = conv_filter %x, %y stride=[1] dilation=[1] pad=[0,0] groups=1 "
          "dims=[2,1,1]",
          "210 320");
}

Test(window, integers)
{
    const char *x = "%x: u64[1,4,1] = constant value=[1,18446744073709551615,3,0] ";
    static const char *const cases[][2] = {
        {"u64[1,3,1] = window_max", "-1 -1 3"},
        {"u64[1,3,1] = window_sum", "0 2 3"},
        {"i32[1,3,1] = window_argmax", "1 0 0"},
    };
    Arena *arena = arena_create();
    for (int i = 0; i < 3; i++)
        gives(arena_print(arena, "%s%%r: %s %%x size=[2] stride=[1] dilation=[1] pad=[0,0]", x,
                          cases[i][0]),
              cases[i][1]);
    gives("%x: i8[1,3,1] = constant value=[-128,-5,-7] "
          "%r: i8[1,3,1] = window_max %x size=[3] stride=[1] dilation=[1] pad=[1,1]",
          "-5 -5 -5");
    arena_destroy(arena);
}

Test(conv, by_hand)
{
    gives("%x: f32[1,4,1] = constant value=[1,2,3,4] %w: f32[3,1,1] = constant value=[1,10,100] "
          "%r: f32[1,4,1] = conv %x, %w stride=[1] dilation=[1] pad=[1,1] groups=1",
          "210 321 432 43");
    gives("%x: f32[1,5,1] = constant value=[1,2,3,4,5] %w: f32[2,1,1] = constant value=[1,10] "
          "%r: f32[1,2,1] = conv %x, %w stride=[2] dilation=[2] pad=[0,0] groups=1",
          "31 53");
    gives("%x: f32[1,1,4] = constant value=[1,2,3,4] %w: f32[1,2,2] = constant value=[1,10,1,10] "
          "%r: f32[1,1,2] = conv %x, %w stride=[1] dilation=[1] pad=[0,0] groups=2",
          "3 70");
}

/* A function with one node, given by its inputs' types. */
typedef struct Setup {
    Arena *arena;
    Diag *diag;
    Function *f;
    int inputs;
} Setup;

static Setup setup(void)
{
    Setup s = {.arena = arena_create()};
    s.diag = diag_create(s.arena);
    s.f = program_add_function(program_create(s.arena, s.diag, "t"), "f");
    return s;
}

static Node *input(Setup *s, ElementType element, int rank, const int64_t *dims)
{
    return graph_input(s->f, arena_print(s->arena, "%d", s->inputs++),
                       type_make(element, rank, dims));
}

static Value filled(Setup *s, const Node *node, uint64_t seed)
{
    void *data = arena_alloc(s->arena, (size_t)type_bytes(&node->type));
    random_fill(&node->type, seed, data);
    return value_read(s->arena, node->type, data);
}

static Value evaluate(Setup *s, const Node *node, Value a, Value b)
{
    return node_evaluate(s->arena, EVALUATE_F64, node, (Value[]){a, b});
}

static double dot(const Value *a, const Value *b)
{
    double sum = 0;
    for (int64_t i = 0; i < type_elements(&a->type); i++)
        sum += a->numbers[i] * b->numbers[i];
    return sum;
}

/* x at [n,h,w,c], or `outside` off the image */
static double at(const Value *x, int64_t n, int64_t h, int64_t w, int64_t c, double outside)
{
    const int64_t *d = x->type.dims;
    if (h < 0 || h >= d[1] || w < 0 || w >= d[2])
        return outside;
    return x->numbers[((n * d[1] + h) * d[2] + w) * d[3] + c];
}

static double conv_element(const Value *x, const Value *w, const Spatial *s, const int64_t o[4])
{
    const int64_t *k = w->type.dims;
    int64_t per_group = k[2], group = o[3] / (k[3] / s->groups);
    double sum = 0;
    for (int64_t i = 0; i < k[0]; i++)
        for (int64_t j = 0; j < k[1]; j++)
            for (int64_t c = 0; c < per_group; c++)
                sum += at(x, o[0], o[1] * s->stride[0] + i * s->dilation[0] - s->pad[0],
                          o[2] * s->stride[1] + j * s->dilation[1] - s->pad[2],
                          group * per_group + c, 0) *
                       w->numbers[((i * k[1] + j) * k[2] + c) * k[3] + o[3]];
    return sum;
}

static int64_t positions(int64_t length, int64_t size, const Spatial *s, int axis)
{
    int64_t extent = (size - 1) * s->dilation[axis] + 1;
    return (length + s->pad[2 * axis] + s->pad[2 * axis + 1] - extent) / s->stride[axis] + 1;
}

typedef struct ConvCase {
    int64_t x[4], w[4];
    Spatial spatial;
} ConvCase;

static const ConvCase conv_cases[] = {
    {{2, 5, 7, 3}, {3, 3, 3, 4}, {2, {0}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1}},
    {{1, 9, 8, 4}, {3, 2, 2, 6}, {2, {0}, {2, 3}, {1, 2}, {0, 2, 1, 0}, 2}},
    {{3, 6, 6, 5}, {5, 5, 1, 5}, {2, {0}, {1, 2}, {1, 1}, {2, 2, 4, 0}, 5}},
    {{1, 7, 1, 2}, {1, 1, 2, 1}, {2, {0}, {3, 1}, {1, 1}, {0, 0, 0, 0}, 1}},
    {{1, 4, 5, 6}, {2, 2, 2, 9}, {2, {0}, {1, 1}, {3, 2}, {1, 1, 0, 3}, 3}},
};

static void check_conv(const ConvCase *c)
{
    Setup s = setup();
    Node *x = input(&s, TYPE_F32, 4, c->x), *w = input(&s, TYPE_F32, 4, c->w);
    Node *y = graph_conv(s.f, x, w, &c->spatial);
    cr_assert(y, "%s", diag_text(s.arena, s.diag));
    Value xv = filled(&s, x, 1), wv = filled(&s, w, 2), yv = evaluate(&s, y, xv, wv);
    const int64_t *d = y->type.dims;
    cr_assert_eq(d[1], positions(c->x[1], c->w[0], &c->spatial, 0));
    cr_assert_eq(d[2], positions(c->x[2], c->w[1], &c->spatial, 1));
    int64_t next = 0, o[4];
    for (o[0] = 0; o[0] < d[0]; o[0]++)
        for (o[1] = 0; o[1] < d[1]; o[1]++)
            for (o[2] = 0; o[2] < d[2]; o[2]++)
                for (o[3] = 0; o[3] < d[3]; o[3]++, next++) {
                    double expected = conv_element(&xv, &wv, &c->spatial, o);
                    cr_assert_float_eq(yv.numbers[next], expected, 1e-12);
                }
    Value dy = filled(&s, y, 3);
    Value dx = evaluate(&s, graph_conv_transpose(s.f, y, w, &c->spatial, &x->type), dy, wv);
    Value dw = evaluate(&s, graph_conv_filter(s.f, x, y, &c->spatial, &w->type), xv, dy);
    cr_assert_float_eq(dot(&yv, &dy), dot(&xv, &dx), 1e-9);
    cr_assert_float_eq(dot(&yv, &dy), dot(&wv, &dw), 1e-9);
    arena_destroy(s.arena);
}

Test(conv, two_dimensions)
{
    for (size_t i = 0; i < sizeof conv_cases / sizeof conv_cases[0]; i++)
        check_conv(&conv_cases[i]);
}

/* One axis and three axes are the two-dimensional case with axes of length one put in. */
Test(conv, one_and_three_dimensions)
{
    Setup s = setup();
    Spatial one = {.rank = 1, .stride = {2}, .dilation = {2}, .pad = {1, 3}, .groups = 1};
    Spatial two = {.rank = 2, .stride = {2, 1}, .dilation = {2, 1}, .pad = {1, 3}, .groups = 1};
    Spatial three = {
        .rank = 3, .stride = {1, 2, 1}, .dilation = {1, 2, 1}, .pad = {0, 0, 1, 3}, .groups = 1};
    Node *x1 = input(&s, TYPE_F32, 3, (int64_t[]){2, 9, 3});
    Node *w1 = input(&s, TYPE_F32, 3, (int64_t[]){3, 3, 4});
    Node *x2 = input(&s, TYPE_F32, 4, (int64_t[]){2, 9, 1, 3});
    Node *w2 = input(&s, TYPE_F32, 4, (int64_t[]){3, 1, 3, 4});
    Node *x3 = input(&s, TYPE_F32, 5, (int64_t[]){2, 1, 9, 1, 3});
    Node *w3 = input(&s, TYPE_F32, 5, (int64_t[]){1, 3, 1, 3, 4});
    Value y1 = evaluate(&s, graph_conv(s.f, x1, w1, &one), filled(&s, x1, 1), filled(&s, w1, 2));
    Value y2 = evaluate(&s, graph_conv(s.f, x2, w2, &two), filled(&s, x2, 1), filled(&s, w2, 2));
    Value y3 = evaluate(&s, graph_conv(s.f, x3, w3, &three), filled(&s, x3, 1), filled(&s, w3, 2));
    cr_assert_eq(type_elements(&y1.type), 2 * 5 * 4);
    for (int64_t i = 0; i < type_elements(&y1.type); i++)
        cr_assert(y1.numbers[i] == y2.numbers[i] && y1.numbers[i] == y3.numbers[i]);
    arena_destroy(s.arena);
}

/* A real three-dimensional one: the sum over all taps of an image of ones is the number of taps
 * inside. */
Test(conv, three_dimensions_count_their_taps)
{
    gives("%o: f32[] = constant value=[1] %x: f32[1,2,3,2,1] = broadcast %o dims=[1,2,3,2,1] "
          "%w: f32[2,3,2,1,1] = broadcast %o dims=[2,3,2,1,1] "
          "%r: f32[1,1,3,3,1] = conv %x, %w stride=[1,1,1] dilation=[1,1,1] pad=[0,0,1,1,1,1] "
          "groups=1",
          "4 8 4 6 12 6 4 8 4");
}

#define PIXELS "%x: f32[1,2,3,1] = constant value=[1,5,5, 4,-2,3] "
#define SMALL_WINDOW "size=[2,2] stride=[1,1] dilation=[1,1] pad=[0,0,0,0]"

Test(window, by_hand)
{
    gives(PIXELS "%r: f32[1,1,2,1] = window_max %x " SMALL_WINDOW, "5 5");
    gives(PIXELS "%r: f32[1,1,2,1] = window_sum %x " SMALL_WINDOW, "8 11");
    gives(PIXELS "%r: i32[1,1,2,1] = window_argmax %x " SMALL_WINDOW, "1 0");
    gives("%x: f32[1,2,1] = constant value=[-3,-4] "
          "%r: f32[1,3,1] = window_max %x size=[2] stride=[1] dilation=[1] pad=[1,1]",
          "-3 -3 -4");
    gives("%x: f32[1,2,1] = constant value=[-3,-4] "
          "%r: i32[1,3,1] = window_argmax %x size=[2] stride=[1] dilation=[1] pad=[1,1]",
          "1 0 0");
    gives(PIXELS "%t: i32[1,1,2,1] = constant value=[3,0] "
                 "%r: f32[1,1,2,1] = window_pick %x, %t " SMALL_WINDOW,
          "-2 5");
    gives("%y: f32[1,1,2,1] = constant value=[10,1] %t: i32[1,1,2,1] = constant value=[1,0] "
          "%r: f32[1,2,3,1] = window_scatter %y, %t " SMALL_WINDOW " dims=[1,2,3,1]",
          "0 11 0 0 0 0");
    gives("%y: f32[1,1,2,1] = constant value=[10,1] "
          "%r: f32[1,2,3,1] = window_spread %y " SMALL_WINDOW " dims=[1,2,3,1]",
          "10 11 1 10 11 1");
}

/* A dilated window that straddles a one-pixel image has no tap. */
Test(window, without_a_tap)
{
    const char *none = "size=[2] stride=[1] dilation=[2] pad=[1,1]";
    static const char *const cases[][2] = {
        {"%r: f32[1,1,1] = window_max %x ", "-inf"},
        {"%r: f32[1,1,1] = window_sum %x ", "0"},
        {"%r: i32[1,1,1] = window_argmax %x ", "0"},
    };
    Arena *arena = arena_create();
    for (int i = 0; i < 3; i++)
        gives(arena_print(arena, "%%x: f32[1,1,1] = constant value=[5] %s%s", cases[i][0], none),
              cases[i][1]);
    arena_destroy(arena);
}

/* Maximum, sum and first tap of the maximum of one window, by coordinates. */
static void window_element(const Value *x, const Spatial *s, const int64_t o[4], double *maximum,
                           double *sum, int64_t *tap)
{
    *maximum = -INFINITY;
    *sum = 0;
    *tap = -1;
    for (int64_t i = 0; i < s->size[0] * s->size[1]; i++) {
        int64_t h = o[1] * s->stride[0] + i / s->size[1] * s->dilation[0] - s->pad[0];
        int64_t w = o[2] * s->stride[1] + i % s->size[1] * s->dilation[1] - s->pad[2];
        double value = at(x, o[0], h, w, o[3], NAN);
        if (isnan(value))
            continue;
        *sum += value;
        if (value > *maximum) {
            *maximum = value;
            *tap = i;
        }
    }
}

static void check_windows(const int64_t dims[4], const Spatial *spatial)
{
    Setup s = setup();
    Node *x = input(&s, TYPE_F32, 4, dims);
    Node *max = graph_window(s.f, OP_window_max, x, spatial);
    Node *sum = graph_window(s.f, OP_window_sum, x, spatial);
    Node *taps = graph_window(s.f, OP_window_argmax, x, spatial);
    cr_assert(taps, "%s", diag_text(s.arena, s.diag));
    Value xv = filled(&s, x, 4), none = {0};
    Value maxima = evaluate(&s, max, xv, none), sums = evaluate(&s, sum, xv, none);
    Value where = evaluate(&s, taps, xv, none);
    const int64_t *d = max->type.dims;
    int64_t next = 0, o[4], tap;
    double maximum, total;
    for (o[0] = 0; o[0] < d[0]; o[0]++)
        for (o[1] = 0; o[1] < d[1]; o[1]++)
            for (o[2] = 0; o[2] < d[2]; o[2]++)
                for (o[3] = 0; o[3] < d[3]; o[3]++, next++) {
                    window_element(&xv, spatial, o, &maximum, &total, &tap);
                    cr_assert_eq(maxima.numbers[next], maximum);
                    cr_assert_float_eq(sums.numbers[next], total, 1e-12);
                    cr_assert_eq(where.integers[next], tap);
                }
    Value picked = evaluate(&s, graph_window_pick(s.f, x, taps, spatial), xv, where);
    for (int64_t i = 0; i < next; i++)
        cr_assert_eq(picked.numbers[i], maxima.numbers[i]);
    Value dy = filled(&s, max, 5);
    Value scattered =
        evaluate(&s, graph_window_scatter(s.f, max, taps, spatial, &x->type), dy, where);
    Value spread = evaluate(&s, graph_window_spread(s.f, max, spatial, &x->type), dy, none);
    cr_assert_float_eq(dot(&maxima, &dy), dot(&xv, &scattered), 1e-9);
    cr_assert_float_eq(dot(&sums, &dy), dot(&xv, &spread), 1e-9);
    arena_destroy(s.arena);
}

Test(window, two_dimensions)
{
    check_windows((int64_t[]){2, 5, 7, 3}, &(Spatial){2, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, 1});
    check_windows((int64_t[]){1, 8, 6, 2}, &(Spatial){2, {3, 2}, {1, 3}, {1, 2}, {2, 1, 0, 2}, 1});
    check_windows((int64_t[]){3, 4, 4, 1}, &(Spatial){2, {4, 4}, {1, 1}, {1, 1}, {3, 3, 3, 3}, 1});
    check_windows((int64_t[]){1, 9, 9, 1}, &(Spatial){2, {1, 1}, {4, 5}, {1, 1}, {0, 0, 0, 0}, 1});
}
