/* What a function computes of states and constants alone is computed once, when states change.
 *
 *     state %w: f32[64,10]                        state %w: f32[64,10]
 *     state %s: f32[10]                           state %s: f32[10]
 *     fn @infer(%x: f32[1,64]) … {                derived %w.derived: f32[64,10]
 *       %0 = state of=%w                          prepare() -> () {
 *       %1 = state of=%s                            %0 = state of=%w
 *       %2 = mul %0, %1                             %1 = state of=%s
 *       %3 = matmul %x, %2                          %2 = mul %0, %1
 *       return %3                                   update %w.derived <- %2
 *     }                                             return
 *                                                 }
 *                                                 fn @infer(%x: f32[1,64]) … {
 *                                                   %0 = state of=%w.derived
 *                                                   %1 = matmul %x, %0
 *                                                   return %1
 *                                                 }
 *
 * Only in functions that update no state: others see new ones in every call. What several
 * functions compute alike is one derived state.
 *
 * Views cost nothing where they are read, so they stay; so does what is larger than all it is made
 * of, unless it is small: memory is read more slowly than a sum is made. Then what that is made of
 * is looked at instead. */
#include "ir/scan.h"
#include "passes/match.h"
#include "passes/passes.h"

enum { SMALL = 4096 }; /* elements */

typedef struct Derivation {
    Arena *arena;
    Function *f, *prepare;
    const bool *known;
    Node **copies;  /* by Node.id of f: in prepare */
    bool *visited;  /* by Node.id */
    int *chosen;    /* by Node.id: which result of prepare, plus 1; 0: none */
    int64_t *stamp; /* by Node.id: of the last count of sources that came by */
    int64_t counts;
} Derivation;

/* ---- what is worth it ---- */

typedef struct Sources {
    int64_t elements; /* of all states and constants */
    const Node *largest;
    bool any; /* more than numbers */
} Sources;

static void add_sources(Derivation *d, const Node *node, Sources *sources)
{
    if (d->stamp[node->id] == d->counts)
        return;
    d->stamp[node->id] = d->counts;
    for (int i = 0; i < node->in_count; i++)
        add_sources(d, node->in[i], sources);
    if (node->op != OP_state && node->op != OP_constant)
        return;
    int64_t elements = type_elements(&node->type);
    sources->elements += elements;
    sources->any = sources->any || node->op == OP_state || elements > 1;
    if (node->op == OP_state &&
        (!sources->largest || elements > type_elements(&sources->largest->type)))
        sources->largest = node;
}

static Sources sources_of(Derivation *d, const Node *node)
{
    Sources sources = {0};
    d->counts++;
    add_sources(d, node, &sources);
    return sources;
}

static bool is_worth(Derivation *d, const Node *node)
{
    Sources sources = sources_of(d, node);
    int64_t elements = type_elements(&node->type);
    return sources.any && (elements <= sources.elements || elements <= SMALL);
}

/* ---- the choice ---- */

/* A state in prepare: for one that prepare makes, what it makes it of. */
static Node *state_in_prepare(Derivation *d, State *state)
{
    for (int i = 0; i < d->prepare->update_count; i++)
        if (d->prepare->updates[i].state == state)
            return d->prepare->updates[i].node;
    return graph_state(d->prepare, state);
}

static Node *copy_to_prepare(Derivation *d, Node *node)
{
    if (d->copies[node->id])
        return d->copies[node->id];
    Node **in = ARENA_ARRAY(d->arena, Node *, node->in_count);
    for (int i = 0; i < node->in_count; i++)
        in[i] = copy_to_prepare(d, node->in[i]);
    Node *copy = node->op == OP_state ? state_in_prepare(d, node->attr.state)
                                      : graph_copy(d->prepare, node, in);
    return d->copies[node->id] = copy;
}

/* The value of a known node is wanted by one that is not. */
static void choose(Derivation *d, Node *node)
{
    if (d->visited[node->id] || op_is(node->op, LEAF))
        return;
    d->visited[node->id] = true;
    if (!node_is_view(node) && is_worth(d, node)) {
        function_add_result(d->prepare, NULL, copy_to_prepare(d, node));
        d->chosen[node->id] = d->prepare->result_count;
        return;
    }
    for (int i = 0; i < node->in_count; i++)
        choose(d, node->in[i]);
}

static void choose_all(Derivation *d)
{
    const Function *f = d->f;
    for (int i = 0; i < f->node_count; i++)
        for (int j = 0; !d->known[i] && j < f->nodes[i]->in_count; j++)
            if (d->known[f->nodes[i]->in[j]->id])
                choose(d, f->nodes[i]->in[j]);
    for (int i = 0; i < f->result_count; i++)
        if (d->known[f->results[i].node->id])
            choose(d, f->results[i].node);
}

/* ---- states ---- */

static State *add_state(Derivation *d, const Node *node)
{
    Program *program = d->f->program;
    const Node *largest = sources_of(d, node).largest;
    const char *base = largest ? largest->attr.state->name : "constant";
    const char *name = arena_print(d->arena, "%s.derived", base);
    for (int i = 2; program_find_state(program, name); i++)
        name = arena_print(d->arena, "%s.derived.%d", base, i);
    return program_add_derived(program, name, node->type);
}

/* The state that `copy` is the value of: one there is, or a new one. */
static State *state_of(Derivation *d, const Node *node, Node *copy)
{
    for (int i = 0; i < d->prepare->update_count; i++)
        if (d->prepare->updates[i].node == copy)
            return d->prepare->updates[i].state;
    State *state = add_state(d, node);
    function_set_update(d->prepare, state, copy);
    return state;
}

static void replace_chosen(Derivation *d)
{
    int count = d->f->node_count;
    for (int i = 0; i < count; i++) {
        Node *node = d->f->nodes[i];
        if (!d->chosen[i])
            continue;
        State *state = state_of(d, node, d->prepare->results[d->chosen[i] - 1].node);
        d->f->place = node->place;
        node->replacement = graph_state(d->f, state);
    }
}

/* No body: those read no states. */
static bool is_entry(const Function *f)
{
    for (int i = 0; i < f->program->function_count; i++)
        if (f->program->functions[i] == f)
            return true;
    return false;
}

bool pass_derive(Function *f)
{
    Program *program = f->program;
    const char *place = f->place;
    if (f->update_count || !is_entry(f))
        return false;
    Arena *arena = arena_create();
    size_t count = (size_t)f->node_count + 1;
    Derivation d = {.arena = arena,
                    .f = f,
                    .prepare = program_prepare(program),
                    .known = function_known_nodes(arena, f),
                    .copies = ARENA_ARRAY(arena, Node *, count),
                    .visited = ARENA_ARRAY(arena, bool, count),
                    .chosen = ARENA_ARRAY(arena, int, count),
                    .stamp = ARENA_ARRAY(arena, int64_t, count)};
    choose_all(&d);
    bool changed = d.prepare->result_count > 0;
    if (changed) {
        pass_cse(d.prepare); /* what another function had made already */
        replace_chosen(&d);
        d.prepare->result_count = 0;
        f->place = place;
        function_clean(f);
    }
    if (!program->derived_count)
        program->prepare = NULL;
    arena_destroy(arena);
    return changed;
}
