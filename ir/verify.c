/* Checks what graph.h promises, and reports every violation:
 *
 *   states     unique names, positions, types within the limits
 *   prepare    has neither parameters nor results, reads no derived states and updates them all;
 *              nobody else updates one
 *   functions  unique by name, batch and sizes; one `input` node for each parameter, names unique
 *   nodes      numbered by position, inputs from earlier in the same function, the type that the
 *              shape rule gives, no replacement left unapplied
 *   bodies     the same, with neither states nor updates
 *   ends       results and updates are nodes of the function; an update has its state's type, and a
 *              state is updated once
 *
 * The shape rules do most of the work: they check arity, attributes and operands. */
#include "ir/verify.h"

#include <stdio.h>
#include <string.h>

#include "ir/shape.h"

typedef struct Verifier {
    const Program *program;
    const Function *function;
    Diag *diag;
    int depth; /* of bodies the function lies in */
} Verifier;

enum { PLACE_BYTES = 160 };

static const char *node_place(const Verifier *v, int position, char place[PLACE_BYTES])
{
    const char *where = v->function->nodes[position]->place;
    snprintf(place, PLACE_BYTES, "@%s, node %d%s%s%s", v->function->name, position,
             where ? " (" : "", where ? where : "", where ? ")" : "");
    return place;
}

static bool is_member(const Verifier *v, const Node *node)
{
    const Function *f = v->function;
    return node && node->id >= 0 && node->id < f->node_count && f->nodes[node->id] == node;
}

static void verify_states(const Verifier *v, State *const *states, int count, bool derived)
{
    const Program *program = v->program;
    for (int i = 0; i < count; i++) {
        const State *state = states[i];
        if (state->derived != derived)
            diag_error(v->diag, NULL, "state \"%s\" is in the wrong list", state->name);
        if (state->index != i)
            diag_error(v->diag, NULL, "state \"%s\" says it is number %d, but it is number %d",
                       state->name, state->index, i);
        if (program_find_state(program, state->name) != state)
            diag_error(v->diag, NULL, "there are two states named \"%s\"", state->name);
        if (!type_fits(&state->type))
            diag_error(v->diag, NULL, "state \"%s\" is too large", state->name);
    }
}

/* What a shape rule takes for granted. */
static bool verify_operands(const Verifier *v, int position, const char *place)
{
    const Node *node = v->function->nodes[position];
    if (node->id != position)
        return diag_error(v->diag, place, "%s says it is number %d", op_name(node->op), node->id);
    if (node->replacement)
        return diag_error(v->diag, place, "%s has been replaced, but is still here",
                          op_name(node->op));
    for (int i = 0; i < node->in_count; i++) {
        if (!is_member(v, node->in[i]))
            return diag_error(v->diag, place, "input %d of %s is no node of @%s", i,
                              op_name(node->op), v->function->name);
        if (node->in[i]->id >= position)
            return diag_error(v->diag, place, "input %d of %s comes after it", i,
                              op_name(node->op));
    }
    return true;
}

static bool is_of_program(const Program *program, const State *state)
{
    State *const *states = state->derived ? program->derived : program->states;
    int count = state->derived ? program->derived_count : program->state_count;
    return state->index >= 0 && state->index < count && states[state->index] == state;
}

static void verify_leaf(const Verifier *v, const Node *node, const char *place)
{
    const Program *program = v->program;
    if (node->op == OP_state && v->depth)
        diag_error(v->diag, place,
                   "state \"%s\" is read in a body; it must be an input of the scan",
                   node->attr.state->name);
    if (node->op == OP_state && !is_of_program(program, node->attr.state))
        diag_error(v->diag, place, "state \"%s\" is not of this program", node->attr.state->name);
    if (node->op == OP_state && node->attr.state->derived && v->function == program->prepare)
        diag_error(v->diag, place, "prepare reads \"%s\", which it makes", node->attr.state->name);
    if (node->op == OP_random &&
        (attr_integer(node, 0) < 0 || attr_integer(node, 0) >= program->random_streams))
        diag_error(v->diag, place, "random: there is no stream %lld in a program of %d",
                   (long long)attr_integer(node, 0), program->random_streams);
    if (node->op == OP_input) {
        bool listed = false;
        for (int i = 0; i < v->function->input_count; i++)
            listed = listed || v->function->inputs[i] == node;
        if (!listed)
            diag_error(v->diag, place, "input \"%s\" is no parameter", node->attr.text);
    }
}

static void verify_function(const Verifier *v);

/* Before the shape rule of its node looks at it. */
static bool verify_body(const Verifier *v, const Node *node, const char *place)
{
    int before = v->diag->error_count;
    const Function *body = node->attr.body;
    if (!body || body->program != v->program)
        return diag_error(v->diag, place, "%s has no body of this program", op_name(node->op));
    if (body->update_count)
        diag_error(v->diag, place, "the body of %s updates a state", op_name(node->op));
    Verifier inner = *v;
    inner.function = body;
    inner.depth++;
    verify_function(&inner);
    return v->diag->error_count == before;
}

static void verify_node(const Verifier *v, int position)
{
    char place[PLACE_BYTES], has[TYPE_TEXT_BYTES], should[TYPE_TEXT_BYTES];
    const Node *node = v->function->nodes[position];
    node_place(v, position, place);
    if (!verify_operands(v, position, place))
        return;
    TensorType type = node->type;
    ShapeQuery query = {.diag = v->diag,
                        .place = place,
                        .op = node->op,
                        .in_count = node->in_count,
                        .in = node->in,
                        .attr = &node->attr};
    if (node->op == OP_scan && !verify_body(v, node, place))
        return;
    if (!shape_infer(&query, &type))
        return;
    if (!type_equal(&type, &node->type))
        diag_error(v->diag, place, "%s is %s, but its inputs give %s", op_name(node->op),
                   type_print(&node->type, has), type_print(&type, should));
    verify_leaf(v, node, place);
}

static void verify_inputs(const Verifier *v, const char *place)
{
    const Function *f = v->function;
    for (int i = 0; i < f->input_count; i++) {
        if (!is_member(v, f->inputs[i]) || f->inputs[i]->op != OP_input) {
            diag_error(v->diag, place, "parameter %d is no input node of the function", i);
            return;
        }
        for (int j = 0; j < i; j++)
            if (strcmp(f->inputs[i]->attr.text, f->inputs[j]->attr.text) == 0)
                diag_error(v->diag, place, "there are two parameters named \"%s\"",
                           f->inputs[i]->attr.text);
    }
}

static void verify_update(const Verifier *v, int position, const char *place)
{
    char has[TYPE_TEXT_BYTES], gets[TYPE_TEXT_BYTES];
    const Update *update = &v->function->updates[position];
    if (!update->state || program_find_state(v->program, update->state->name) != update->state) {
        diag_error(v->diag, place, "update %d is of no state of the program", position);
        return;
    }
    const char *name = update->state->name;
    if (update->state->derived != (v->function == v->program->prepare))
        diag_error(v->diag, place,
                   update->state->derived ? "derived state \"%s\" is updated"
                                          : "prepare updates \"%s\", which is not derived",
                   name);
    for (int i = 0; i < position; i++)
        if (v->function->updates[i].state == update->state)
            diag_error(v->diag, place, "state \"%s\" is updated twice", name);
    if (!is_member(v, update->node))
        diag_error(v->diag, place, "the update of \"%s\" is no node of the function", name);
    else if (!type_equal(&update->state->type, &update->node->type))
        diag_error(v->diag, place, "state \"%s\" is %s, but its update is %s", name,
                   type_print(&update->state->type, has), type_print(&update->node->type, gets));
}

static void verify_function(const Verifier *v)
{
    const Function *f = v->function;
    char place[PLACE_BYTES];
    snprintf(place, PLACE_BYTES, "@%s", f->name);
    for (int i = 0; i < f->node_count; i++)
        verify_node(v, i);
    verify_inputs(v, place);
    for (int i = 0; i < f->result_count; i++)
        if (!is_member(v, f->results[i].node))
            diag_error(v->diag, place, "result %d is no node of the function", i);
        else if (type_is_tuple(&f->results[i].node->type))
            diag_error(v->diag, place, "result %d is a tuple", i);
    for (int i = 0; i < f->update_count; i++)
        verify_update(v, i, place);
}

static void verify_prepare(Verifier *v)
{
    const Function *prepare = v->program->prepare;
    if (!prepare)
        return;
    v->function = prepare;
    verify_function(v);
    if (prepare->input_count || prepare->result_count)
        diag_error(v->diag, NULL, "prepare has parameters or results");
    if (prepare->update_count != v->program->derived_count)
        diag_error(v->diag, NULL, "prepare makes %d of %d derived states", prepare->update_count,
                   v->program->derived_count);
}

bool graph_verify(const Program *program, Diag *diag)
{
    int before = diag->error_count;
    Verifier verifier = {.program = program, .diag = diag};
    verify_states(&verifier, program->states, program->state_count, false);
    verify_states(&verifier, program->derived, program->derived_count, true);
    verify_prepare(&verifier);
    for (int i = 0; i < program->function_count; i++) {
        const Function *f = program->functions[i];
        verifier.function = f;
        for (int j = 0; j < i; j++)
            if (strcmp(program->functions[j]->name, f->name) == 0 &&
                program->functions[j]->batch == f->batch &&
                function_sizes_equal(program->functions[j], f))
                diag_error(diag, NULL, "there are two functions @%s of batch %lld%s%s", f->name,
                           (long long)f->batch, f->size_count ? ", " : "",
                           function_sizes_text(diag->arena, f));
        verify_function(&verifier);
    }
    return diag->error_count == before;
}
