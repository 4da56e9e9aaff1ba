/* States that nobody will ever change become constants.
 *
 *     %1: f32[64,10] = state of=%w                %1: f32[64,10] = constant value=[…]
 *
 * For inference builds whose weights are part of the artefact and cannot be replaced
 * (PipelineOptions.constant_states): everything computed from weights alone is then computed now,
 * and scales are folded into them (fold_scale.c). A state counts when its value is known and no
 * function of the program updates it. The constant shares the state's bytes.
 *
 * Afterwards nobody reads such a state, and the program is rid of it: the artefact is not to hold
 * its weights twice. */
#include "passes/passes.h"

static bool is_updated(const Program *program, const State *state)
{
    for (int i = 0; i < program->function_count; i++)
        for (int j = 0; j < program->functions[i]->update_count; j++)
            if (program->functions[i]->updates[j].state == state)
                return true;
    return false;
}

bool pass_freeze(Function *f)
{
    const char *place = f->place;
    int count = f->node_count;
    bool changed = false;
    for (int i = 0; i < count; i++) {
        Node *node = f->nodes[i];
        if (node->op != OP_state || !node->attr.state->value ||
            is_updated(f->program, node->attr.state))
            continue;
        f->place = node->place;
        node->replacement = graph_constant(f, node->type, node->attr.state->value);
        node->replacement->name = node->name;
        changed = true;
    }
    f->place = place;
    if (changed)
        function_clean(f);
    return changed;
}

static bool is_read(const Program *program, const State *state)
{
    for (int i = 0; i < program->function_count; i++)
        for (int j = 0; j < program->functions[i]->node_count; j++) {
            const Node *node = program->functions[i]->nodes[j];
            if (node->op == OP_state && node->attr.state == state)
                return true;
        }
    return false;
}

void freeze_drop_states(Program *program)
{
    bool *kept = ARENA_ARRAY(program->arena, bool, program->state_count);
    for (int i = 0; i < program->state_count; i++) {
        const State *state = program->states[i];
        kept[i] = !state->value || is_updated(program, state) || is_read(program, state);
        program->constant_parameters +=
            !kept[i] && state->parameter ? type_elements(&state->type) : 0;
    }
    program_keep_states(program, kept);
}
