/* Constants of a module, each once in the program however many of its functions read it.
 *
 *     infer of 1 row    reads %w, packed           one range of the constant block
 *     infer of 8 rows   reads %w, packed
 *
 * Functions come to their constants separately: each folds, turns and packs them for itself. What
 * has the same type and the same bytes is one constant, so that what is made of it is made once; of
 * those with the same bytes and other types, the bytes lie there once. */
#include "passes/constants.h"

#include <inttypes.h>
#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static uint64_t hash_bytes(const char *bytes, size_t size)
{
    uint64_t hash = size, word;
    for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, bytes, size);
    return mix(hash, word);
}

static bool same_bytes(const Slot *slot, int64_t bytes, const void *data)
{
    return slot->bytes == bytes && memcmp(slot->data, data, (size_t)bytes) == 0;
}

static Slot *add(Module *module, const char *name, TensorType type, const void *data)
{
    Slot *slot = ARENA_NEW(module->arena, Slot);
    *slot = (Slot){.kind = SLOT_CONSTANT,
                   .index = module->constant_count,
                   .name = name,
                   .type = type,
                   .bytes = type_bytes(&type),
                   .data = data};
    module->constants = arena_grow(module->arena, module->constants, module->constant_count,
                                   &module->constant_capacity, sizeof *module->constants);
    module->constants[module->constant_count++] = slot;
    return slot;
}

Slot *module_add_constant(Module *module, const char *name, TensorType type, const void *data)
{
    char text[TYPE_TEXT_BYTES];
    type_print(&type, text);
    void **at = map_place(&module->constant_places, module->arena,
                          arena_print(module->arena, "%p %s", data, text));
    if (*at)
        return *at;
    uint64_t hash = hash_bytes(data, (size_t)type_bytes(&type));
    void **equal = map_place(&module->constant_contents, module->arena,
                             arena_print(module->arena, "%" PRIx64 " %s", hash, text));
    Slot *slot = *equal;
    if (!slot || !same_bytes(slot, type_bytes(&type), data))
        slot = add(module, name, type, data);
    return *equal = *at = slot;
}

void constants_lay_out(Module *module, const bool *read)
{
    Map placed = {0};
    int kept = 0;
    module->constant_bytes = 0;
    for (int i = 0; i < module->constant_count; i++) {
        Slot *slot = module->constants[i];
        if (!read[i])
            continue;
        uint64_t hash = hash_bytes(slot->data, (size_t)slot->bytes);
        void **equal =
            map_place(&placed, module->arena, arena_print(module->arena, "%" PRIx64, hash));
        const Slot *other = *equal;
        slot->index = kept;
        module->constants[kept++] = slot;
        if (other && same_bytes(other, slot->bytes, slot->data)) {
            slot->offset = other->offset;
            continue;
        }
        slot->offset = module->constant_bytes;
        module->constant_bytes += (slot->bytes + 63) / 64 * 64;
        *equal = slot;
    }
    module->constant_count = kept;
}
