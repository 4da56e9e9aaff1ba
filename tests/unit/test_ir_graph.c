/* Building and cleaning graphs, the op table, and what the verifier finds in broken ones. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "tests/support/ir_text.h"

typedef struct Fixture {
    Arena *arena;
    Diag *diag;
    Program *program;
    Function *f;
    Node *x; /* f32[2,3], an input */
} Fixture;

static Fixture setup(void)
{
    Fixture t = {.arena = arena_create()};
    t.diag = diag_create(t.arena);
    t.program = program_create(t.arena, t.diag, "t");
    t.f = program_add_function(t.program, "main");
    t.x = graph_input(t.f, "x", type_make(TYPE_F32, 2, (int64_t[]){2, 3}));
    return t;
}

static const char *function_text(const Fixture *t)
{
    Text text = text_create(t->arena);
    function_print(t->f, &text);
    return text.data;
}

Test(ops, table)
{
    Op op;
    int count;
    cr_assert(op_find("window_argmax", &op));
    cr_assert_eq(op, OP_window_argmax);
    cr_assert_not(op_find("windowargmax", &op));
    cr_assert_str_eq(op_name(OP_not), "not");
    cr_assert_eq(op_inputs(OP_select), 3);
    cr_assert_eq(op_inputs(OP_concat), ANY);
    cr_assert(op_is(OP_add, COMMUTES) && op_is(OP_add, ELEMENTWISE) && !op_is(OP_sub, COMMUTES));
    const AttrKey *keys = op_attributes(OP_window_spread, &count);
    cr_assert_eq(count, 5);
    cr_assert_str_eq(keys[4].key, "dims");
    cr_assert_eq(keys[4].slot, 4);
    op_attributes(OP_add, &count);
    cr_assert_eq(count, 0);
}

Test(build, errors_come_at_the_place_and_null_is_silent)
{
    Fixture t = setup();
    State *w = program_add_state(t.program, "w", type_make(TYPE_F32, 2, (int64_t[]){32, 10}));
    t.f->place = "layers[2].dense";
    cr_assert_null(graph_matmul(t.f, t.x, graph_state(t.f, w)));
    cr_assert_str_eq(
        t.diag->messages[0],
        "layers[2].dense: matmul: the last axis of f32[2,3] is 3, but f32[32,10] has 32 rows");
    cr_assert_null(graph_add(t.f, NULL, t.x));
    cr_assert_null(graph_concat(t.f, 2, (Node *[]){t.x, NULL}, 0));
    cr_assert_null(graph_reduce_all(t.f, OP_reduce_sum, NULL));
    cr_assert_null(graph_state(t.f, program_add_state(t.program, "w", type_scalar(TYPE_F32))));
    cr_assert_eq(t.diag->error_count, 2);
    cr_assert_str_eq(t.diag->messages[1], "there are two states named \"w\"");
    arena_destroy(t.arena);
}

Test(build, what_need_not_be_made_is_not)
{
    Fixture t = setup();
    State *w = program_add_state(t.program, "w", type_scalar(TYPE_F32));
    cr_assert_eq(graph_state(t.f, w), graph_state(t.f, w));
    cr_assert_eq(graph_cast(t.f, t.x, TYPE_F32), t.x);
    cr_assert_eq(graph_reshape(t.f, t.x, 2, (int64_t[]){2, 3}), t.x);
    cr_assert_eq(graph_broadcast(t.f, t.x, 2, (int64_t[]){2, 3}), t.x);
    cr_assert_eq(graph_reduce(t.f, OP_reduce_sum, t.x, 0, NULL, true), t.x);
    cr_assert_eq(t.f->node_count, 2);
    arena_destroy(t.arena);
}

Test(build, every_builder)
{
    Fixture t = setup();
    Function *f = t.f;
    int64_t three = 3, two[2] = {1, 0};
    Spatial spatial = {.rank = 1, .size = {2}, .stride = {1}, .dilation = {1}, .groups = 1};
    Node *image = graph_reshape(f, t.x, 3, (int64_t[]){1, 2, 3});
    Node *weights = graph_iota(f, TYPE_F32, 3, (int64_t[]){2, 3, 4}, 1);
    Node *conv = graph_conv(f, image, weights, &spatial);
    Node *rows = graph_iota(f, TYPE_I32, 1, &three, 0);
    graph_random(f, rows, 1, &three);
    graph_random(f, rows, 0, NULL);
    graph_conv_transpose(f, conv, weights, &spatial, &image->type);
    graph_conv_filter(f, image, conv, &spatial, &weights->type);
    Node *taps = graph_window(f, OP_window_argmax, image, &spatial);
    Node *picked = graph_window_pick(f, image, taps, &spatial);
    graph_window_scatter(f, picked, taps, &spatial, &image->type);
    graph_window_spread(f, picked, &spatial, &image->type);
    graph_reduce(f, OP_reduce_max, t.x, 2, two, false);
    graph_argmax(f, t.x, 1);
    graph_transpose_matrix(f, t.x);
    graph_slice(f, t.x, (int64_t[]){0, 1}, (int64_t[]){2, 2}, NULL);
    graph_pad(f, t.x, (int64_t[]){0, 1}, (int64_t[]){2, 2}, NULL, 0.5);
    graph_reverse(f, t.x, 1, two);
    graph_scatter_add(f, graph_gather(f, t.x, rows), rows, 2, (int64_t[]){5, 3});
    graph_softmax(f, OP_softmax, t.x, 1);
    graph_binary_scalar(f, OP_lt, t.x, 0.25);
    cr_assert_str_eq(diag_text(t.arena, t.diag), "");
    cr_assert(graph_verify(t.program, t.diag), "%s", diag_text(t.arena, t.diag));
    cr_assert_eq(t.program->random_streams, 2);
    Spatial back = node_spatial(taps);
    cr_assert(back.rank == 1 && back.size[0] == 2 && back.stride[0] == 1 && back.groups == 1);
    cr_assert_eq(node_spatial(conv).dilation[0], 1);
    arena_destroy(t.arena);
}

Test(clean, replaces_orders_and_drops)
{
    Fixture t = setup();
    Node *old = graph_unary(t.f, OP_neg, t.x);
    Node *user = graph_unary(t.f, OP_exp, old);
    graph_unary(t.f, OP_sin, old); /* dead */
    graph_input(t.f, "unused", type_scalar(TYPE_I32));
    function_add_result(t.f, "y", user);
    Node *newer = graph_unary(t.f, OP_abs, t.x), *newest = graph_unary(t.f, OP_tanh, newer);
    old->replacement = newer;
    newer->replacement = NULL;
    Node *middle = graph_unary(t.f, OP_cos, t.x);
    old->replacement = middle;
    middle->replacement = newest;
    cr_assert_eq(node_resolve(old), newest);
    function_clean(t.f);
    cr_assert_str_eq(function_text(&t), "  fn @main(%x: f32[2,3], %unused: i32[]) -> f32[2,3] {\n"
                                        "    %0: f32[2,3] = abs %x\n"
                                        "    %1: f32[2,3] = tanh %0\n"
                                        "    %2: f32[2,3] = exp %1\n"
                                        "    return y=%2\n"
                                        "  }\n");
    cr_assert(graph_verify(t.program, t.diag));
    arena_destroy(t.arena);
}

Test(clean, deep_graphs_need_no_deep_stack)
{
    Fixture t = setup();
    Node *node = t.x;
    for (int i = 0; i < 200000; i++)
        node = graph_unary(t.f, OP_neg, node);
    function_add_result(t.f, NULL, node);
    function_clean(t.f);
    cr_assert_eq(t.f->node_count, 200001);
    arena_destroy(t.arena);
}

Test(clean, updates_are_kept_and_replaced)
{
    Fixture t = setup();
    State *w = program_add_state(t.program, "w", t.x->type);
    function_set_update(t.f, w, t.x);
    function_set_update(t.f, w, graph_unary(t.f, OP_neg, t.x));
    function_clean(t.f);
    cr_assert_str_eq(function_text(&t), "  fn @main(%x: f32[2,3]) -> () {\n"
                                        "    %0: f32[2,3] = neg %x\n"
                                        "    update %w <- %0\n"
                                        "    return\n"
                                        "  }\n");
    arena_destroy(t.arena);
}

/* The verifier */

static void finds(Fixture *t, const char *message)
{
    cr_assert_not(graph_verify(t->program, t->diag));
    cr_assert_str_eq(diag_text(t->arena, t->diag), message);
    arena_destroy(t->arena);
}

Test(verify, wrong_type)
{
    Fixture t = setup();
    t.f->place = "layers[1]";
    graph_unary(t.f, OP_neg, t.x)->type.dims[0] = 7;
    finds(&t, "@main, node 1 (layers[1]): neg is f32[7,3], but its inputs give f32[2,3]");
}

Test(verify, order)
{
    Fixture t = setup();
    Node *a = graph_unary(t.f, OP_neg, t.x), *b = graph_unary(t.f, OP_abs, t.x);
    a->in[0] = b;
    finds(&t, "@main, node 1: input 0 of neg comes after it");
}

Test(verify, numbers)
{
    Fixture t = setup();
    graph_unary(t.f, OP_neg, t.x)->id = 5;
    finds(&t, "@main, node 1: neg says it is number 5");
}

Test(verify, foreign_nodes)
{
    Fixture t = setup();
    Function *other = program_add_function(t.program, "other");
    function_add_result(other, NULL, t.x);
    graph_unary(t.f, OP_neg, t.x)->in[0] =
        graph_input(other, "y", type_make(TYPE_F32, 2, (int64_t[]){2, 3}));
    finds(&t, "@main, node 1: input 0 of neg is no node of @main\n"
              "@other: result 0 is no node of the function");
}

Test(verify, replacement_left_over)
{
    Fixture t = setup();
    graph_unary(t.f, OP_neg, t.x)->replacement = t.x;
    finds(&t, "@main, node 1: neg has been replaced, but is still here");
}

Test(verify, parameters)
{
    Fixture t = setup();
    graph_input(t.f, "x", type_scalar(TYPE_F32));
    graph_input(t.f, "z", type_scalar(TYPE_F32));
    t.f->input_count = 2;
    finds(&t, "@main, node 2: input \"z\" is no parameter\n"
              "@main: there are two parameters named \"x\"");
}

Test(verify, updates_and_states)
{
    Fixture t = setup();
    State *w = program_add_state(t.program, "w", type_scalar(TYPE_F32));
    function_set_update(t.f, w, t.x);
    w->index = 3;
    graph_state(t.f, w);
    finds(&t, "state \"w\" says it is number 3, but it is number 0\n"
              "@main, node 1: state \"w\" is not of this program\n"
              "@main: state \"w\" is f32[], but its update is f32[2,3]");
}

Test(verify, functions_of_one_name_differ_in_batch)
{
    Fixture t = setup();
    program_add_function(t.program, "infer")->batch = 1;
    program_add_function(t.program, "infer")->batch = 32;
    cr_assert(graph_verify(t.program, t.diag));
    program_add_function(t.program, "infer")->batch = 32;
    finds(&t, "there are two functions @infer of batch 32");
}

Test(verify, functions_of_one_name_differ_in_sizes)
{
    static const Size low[] = {{"height", 32}}, high[] = {{"height", 64}};
    Fixture t = setup();
    const Size *sizes[] = {low, high, high};
    for (int i = 0; i < 3; i++) {
        Function *f = program_add_function(t.program, "infer");
        f->sizes = sizes[i];
        f->size_count = 1;
        if (i == 1)
            cr_assert(graph_verify(t.program, t.diag));
    }
    finds(&t, "there are two functions @infer of batch 0, height=64");
}

Test(verify, streams)
{
    Fixture t = setup();
    int64_t three = 3;
    graph_random(t.f, graph_iota(t.f, TYPE_I32, 1, &three, 0), 0, NULL);
    t.program->random_streams = 0;
    finds(&t, "@main, node 2: random: there is no stream 0 in a program of 0");
}

Test(verify, attributes)
{
    Fixture t = setup();
    Node *softmax = graph_softmax(t.f, OP_softmax, t.x, 1);
    softmax->attr.lists[0].count = 0;
    finds(&t, "@main, node 1: softmax: axis= needs one number");
}
