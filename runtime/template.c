/* The pieces of a template one behind the other; see model.h. A state whose axes stand in another
 * order in the file is gathered through a small buffer. Nothing is allocated. */
#include "runtime/system.h"

#include "runtime/atomic_file.h"
#include "runtime/element.h"
#include "runtime/instance_parts.h"
#include "runtime/template.h"

#include <string.h>

enum { AXES = 8, BUFFER_BYTES = 4096 };

typedef struct Turn { /* walks the tensor of the file, row-major, through the state */
    int64_t dims[AXES], strides[AXES], at[AXES];
    int64_t offset; /* in the state, in elements */
    int32_t rank;
} Turn;

static Turn turn_begin(const IngotTensor *state, const int64_t *order)
{
    Turn turn = {.rank = state->rank};
    int64_t stride = 1;
    for (int32_t j = state->rank - 1; j >= 0; j--) {
        turn.dims[order[j]] = state->dims[j];
        turn.strides[order[j]] = stride;
        stride *= state->dims[j];
    }
    return turn;
}

static void turn_next(Turn *turn)
{
    for (int32_t i = turn->rank - 1; i >= 0; i--) {
        turn->offset += turn->strides[i];
        if (++turn->at[i] < turn->dims[i])
            return;
        turn->offset -= turn->strides[i] * turn->dims[i];
        turn->at[i] = 0;
    }
}

static bool append_turned(AtomicFile *file, const IngotTensor *state, const unsigned char *bytes,
                          const int64_t *order, Failure *failure)
{
    unsigned char buffer[BUFFER_BYTES];
    size_t element = (size_t)ingot_element_bytes(state->type), used = 0;
    Turn turn = turn_begin(state, order);
    for (int64_t left = state->bytes; left > 0; left -= (int64_t)element) {
        memcpy(buffer + used, bytes + (size_t)turn.offset * element, element);
        used += element;
        turn_next(&turn);
        if (used + element <= sizeof buffer && left > (int64_t)element)
            continue;
        if (!ingot_atomic_append(file, buffer, used, failure))
            return false;
        used = 0;
    }
    return true;
}

static bool append_piece(AtomicFile *file, const IngotInstance *instance, const IngotPiece *piece,
                         Failure *failure)
{
    if (piece->bytes)
        return ingot_atomic_append(file, piece->bytes, (size_t)piece->size, failure);
    const IngotTensor *state = &instance->model->states[piece->state];
    const unsigned char *bytes = instance->state + state->offset;
    if (piece->order)
        return append_turned(file, state, bytes, piece->order, failure);
    return ingot_atomic_append(file, bytes, (size_t)state->bytes, failure);
}

int32_t ingot_template_write(const IngotInstance *instance, const char *path)
{
    const IngotTemplate *template = instance->model->template;
    /* as in ingot_checkpoint_write() */
    Failure *failure = &((IngotInstance *)(uintptr_t)instance)->failure;
    AtomicFile file;
    if (!ingot_atomic_begin(&file, path, failure))
        return INGOT_NO_FILE;
    for (int64_t i = 0; i < template->piece_count; i++)
        if (!append_piece(&file, instance, &template->pieces[i], failure))
            return INGOT_NO_FILE;
    return ingot_atomic_commit(&file, failure) ? INGOT_OK : INGOT_NO_FILE;
}
