/* Programs, states, functions, and what holds a graph together: see graph.h.
 *
 * Nodes of a function lie in one growing array in the order they were made, so an input always
 * comes before its users while a graph is being built. Passes rewrite by replacement: they append
 * new nodes, point node->replacement from the old to the new, and call function_clean(), which
 *
 *   1. makes every use point at the final node of its chain of replacements,
 *   2. finds what the results and updates need,
 *   3. puts that in an order in which inputs come first, disturbing the present order as little as
 *      possible, so that printed programs stay readable from one pass to the next.
 *
 * Everything walks with a stack of its own: a deep network must not overflow ours. */
#include "ir/graph.h"

#include <inttypes.h>
#include <string.h>

Program *program_create(Arena *arena, Diag *diag, const char *name)
{
    Program *program = ARENA_NEW(arena, Program);
    program->arena = arena;
    program->diag = diag;
    program->name = name ? arena_copy_text(arena, name) : NULL;
    return program;
}

static State *create_state(Program *program, const char *name, TensorType type)
{
    if (program_find_state(program, name)) {
        diag_error(program->diag, NULL, "there are two states named \"%s\"", name);
        return NULL;
    }
    State *state = ARENA_NEW(program->arena, State);
    state->name = arena_copy_text(program->arena, name);
    state->type = type;
    *map_place(&program->state_names, program->arena, state->name) = state;
    return state;
}

State *program_add_state(Program *program, const char *name, TensorType type)
{
    State *state = create_state(program, name, type);
    if (!state)
        return NULL;
    state->index = program->state_count;
    program->states = arena_grow(program->arena, program->states, program->state_count,
                                 &program->state_capacity, sizeof *program->states);
    return program->states[program->state_count++] = state;
}

static Function *create_function(Program *program, const char *name)
{
    Function *function = ARENA_NEW(program->arena, Function);
    function->program = program;
    function->name = arena_copy_text(program->arena, name);
    return function;
}

Function *program_prepare(Program *program)
{
    if (!program->prepare)
        program->prepare = create_function(program, "prepare");
    return program->prepare;
}

State *program_add_derived(Program *program, const char *name, TensorType type)
{
    State *state = create_state(program, name, type);
    if (!state)
        return NULL;
    state->derived = true;
    state->index = program->derived_count;
    program->derived = arena_grow(program->arena, program->derived, program->derived_count,
                                  &program->derived_capacity, sizeof *program->derived);
    program_prepare(program);
    return program->derived[program->derived_count++] = state;
}

State *program_find_state(const Program *program, const char *name)
{
    return map_get(&program->state_names, name);
}

void program_take_back_states(Program *program, int count)
{
    for (int i = count; i < program->state_count; i++)
        *map_place(&program->state_names, program->arena, program->states[i]->name) = NULL;
    program->state_count = count;
}

void program_keep_states(Program *program, const bool *kept)
{
    int count = 0;
    for (int i = 0; i < program->state_count; i++) {
        State *state = program->states[i];
        if (!kept[i])
            *map_place(&program->state_names, program->arena, state->name) = NULL;
        state->index = count;
        program->states[count] = state;
        count += kept[i];
    }
    program->state_count = count;
}

Function *program_add_function(Program *program, const char *name)
{
    Function *function = create_function(program, name);
    program->functions = arena_grow(program->arena, program->functions, program->function_count,
                                    &program->function_capacity, sizeof *program->functions);
    program->functions[program->function_count++] = function;
    return function;
}

Function *program_find_function(const Program *program, const char *name)
{
    for (int i = 0; i < program->function_count; i++)
        if (strcmp(program->functions[i]->name, name) == 0)
            return program->functions[i];
    return NULL;
}

const char *function_sizes_text(Arena *arena, const Function *function)
{
    const char *text = "";
    for (int i = 0; i < function->size_count; i++)
        text = arena_print(arena, "%s%s%s=%" PRId64, text, i ? " " : "", function->sizes[i].name,
                           function->sizes[i].value);
    return text;
}

bool function_sizes_equal(const Function *a, const Function *b)
{
    bool equal = a->size_count == b->size_count;
    for (int i = 0; equal && i < a->size_count; i++)
        equal = a->sizes[i].value == b->sizes[i].value &&
                strcmp(a->sizes[i].name, b->sizes[i].name) == 0;
    return equal;
}

void function_add_result(Function *function, const char *name, Node *node)
{
    Arena *arena = function->program->arena;
    function->results = arena_grow(arena, function->results, function->result_count,
                                   &function->result_capacity, sizeof *function->results);
    function->results[function->result_count++] =
        (Result){.name = name ? arena_copy_text(arena, name) : NULL, .node = node};
}

void function_set_update(Function *function, State *state, Node *node)
{
    for (int i = 0; i < function->update_count; i++) {
        if (function->updates[i].state == state) {
            function->updates[i].node = node;
            return;
        }
    }
    function->updates =
        arena_grow(function->program->arena, function->updates, function->update_count,
                   &function->update_capacity, sizeof *function->updates);
    function->updates[function->update_count++] = (Update){.state = state, .node = node};
}

IntList int_list(Program *program, int count, const int64_t *values)
{
    int64_t *copy = ARENA_ARRAY(program->arena, int64_t, count);
    for (int i = 0; i < count; i++)
        copy[i] = values[i];
    return (IntList){.count = count, .values = copy};
}

bool int_list_equal(IntList a, IntList b)
{
    if (a.count != b.count)
        return false;
    for (int i = 0; i < a.count; i++)
        if (a.values[i] != b.values[i])
            return false;
    return true;
}

Node *node_resolve(Node *node)
{
    if (!node || !node->replacement)
        return node;
    Node *last = node;
    while (last->replacement)
        last = last->replacement;
    while (node != last) { /* the next one to ask gets there in one step */
        Node *next = node->replacement;
        node->replacement = last;
        node = next;
    }
    return last;
}

void function_renumber(Function *function)
{
    for (int i = 0; i < function->node_count; i++)
        function->nodes[i]->id = i;
}

static void resolve_all(Function *function)
{
    for (int i = 0; i < function->node_count; i++) {
        Node *node = function->nodes[i];
        for (int j = 0; j < node->in_count; j++)
            node->in[j] = node_resolve(node->in[j]);
    }
    for (int i = 0; i < function->result_count; i++)
        function->results[i].node = node_resolve(function->results[i].node);
    for (int i = 0; i < function->update_count; i++)
        function->updates[i].node = node_resolve(function->updates[i].node);
}

typedef enum Progress { UNSEEN, OPEN, PLACED } Progress;

/* In Function.state_nodes. */
static int state_place(const State *state)
{
    return 2 * state->index + state->derived;
}

Node *function_state_node(const Function *function, const State *state)
{
    int place = state_place(state);
    return place < function->state_node_count ? function->state_nodes[place] : NULL;
}

void function_note_state(Function *function, Node *node)
{
    int place = state_place(node->attr.state);
    if (place >= function->state_node_count) {
        int count = 2 * place + 2;
        Node **grown = ARENA_ARRAY(function->program->arena, Node *, count);
        for (int i = 0; i < function->state_node_count; i++)
            grown[i] = function->state_nodes[i];
        function->state_nodes = grown;
        function->state_node_count = count;
    }
    if (!function->state_nodes[place])
        function->state_nodes[place] = node;
}

static void note_states(Function *function)
{
    for (int i = 0; i < function->state_node_count; i++)
        function->state_nodes[i] = NULL;
    for (int i = 0; i < function->node_count; i++)
        if (function->nodes[i]->op == OP_state)
            function_note_state(function, function->nodes[i]);
}

/* Scratch of one function_clean(): arrays by node id. */
typedef struct Cleaner {
    Function *function;
    Node **stack;
    int *next; /* of a node on the stack: which input is to be visited now */
    unsigned char *needed, *progress;
    Node **order;
    int placed;
} Cleaner;

static void check_member(const Cleaner *cleaner, const Node *node)
{
    const Function *function = cleaner->function;
    if (node->id < 0 || node->id >= function->node_count || function->nodes[node->id] != node)
        INGOT_BUG("@%s uses a node (%s) that is not its own", function->name, op_name(node->op));
}

static void need(Cleaner *cleaner, Node *root)
{
    int depth = 0;
    check_member(cleaner, root);
    if (cleaner->needed[root->id])
        return;
    cleaner->needed[root->id] = 1;
    cleaner->stack[depth++] = root;
    while (depth > 0) { /* each node is pushed once, so the stack fits */
        Node *node = cleaner->stack[--depth];
        for (int i = 0; i < node->in_count; i++) {
            Node *in = node->in[i];
            check_member(cleaner, in);
            if (cleaner->needed[in->id])
                continue;
            cleaner->needed[in->id] = 1;
            cleaner->stack[depth++] = in;
        }
    }
}

/* Depth first: everything `root` needs, then root itself. */
static void place(Cleaner *cleaner, Node *root)
{
    int depth = 0;
    cleaner->stack[depth++] = root;
    cleaner->progress[root->id] = OPEN;
    while (depth > 0) {
        Node *node = cleaner->stack[depth - 1];
        if (cleaner->next[node->id] == node->in_count) {
            cleaner->progress[node->id] = PLACED;
            cleaner->order[cleaner->placed++] = node;
            depth--;
            continue;
        }
        Node *in = node->in[cleaner->next[node->id]++];
        if (cleaner->progress[in->id] == OPEN)
            INGOT_BUG("@%s: %s needs its own result", cleaner->function->name, op_name(in->op));
        if (cleaner->progress[in->id] == PLACED)
            continue;
        cleaner->progress[in->id] = OPEN;
        cleaner->stack[depth++] = in;
    }
}

void function_clean(Function *function)
{
    resolve_all(function);
    function_renumber(function);
    Arena *scratch = arena_create();
    int count = function->node_count;
    Cleaner cleaner = {
        .function = function,
        .stack = ARENA_ARRAY(scratch, Node *, count),
        .next = ARENA_ARRAY(scratch, int, count),
        .needed = ARENA_ARRAY(scratch, unsigned char, count),
        .progress = ARENA_ARRAY(scratch, unsigned char, count),
        .order = ARENA_ARRAY(scratch, Node *, count),
    };
    for (int i = 0; i < function->input_count; i++)
        need(&cleaner, function->inputs[i]);
    for (int i = 0; i < function->result_count; i++)
        if (function->results[i].node)
            need(&cleaner, function->results[i].node);
    for (int i = 0; i < function->update_count; i++)
        if (function->updates[i].node)
            need(&cleaner, function->updates[i].node);
    for (int i = 0; i < count; i++)
        if (cleaner.needed[i] && cleaner.progress[i] == UNSEEN)
            place(&cleaner, function->nodes[i]);
    for (int i = 0; i < cleaner.placed; i++)
        function->nodes[i] = cleaner.order[i];
    function->node_count = cleaner.placed;
    function_renumber(function);
    note_states(function);
    arena_destroy(scratch);
}
